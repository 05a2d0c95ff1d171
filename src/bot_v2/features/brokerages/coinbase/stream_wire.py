"""What Advanced Trade says on its WebSocket, as far as it is needed."""

from __future__ import annotations

import msgspec

from bot_v2.features.brokerages.coinbase.decoding import Wire


class Message(Wire):
    """What every message has; an error has a type and a message alone."""

    channel: str = ""
    type: str = ""
    message: str = ""
    timestamp: str = ""
    sequence_num: int | None = None
    events: msgspec.Raw = msgspec.Raw(b"[]")


class Subscribed(Wire):
    """All channels that are listened to, with what of each."""

    subscriptions: dict[str, list[str]] = {}  # noqa: RUF012 - msgspec copies an empty default


class Level(Wire):
    """The size that a price now has; zero: the price is gone."""

    side: str
    price_level: str
    new_quantity: str


class BookEvent(Wire):
    """A whole book, or what changed of it."""

    type: str
    product_id: str
    updates: list[Level] = []  # noqa: RUF012 - msgspec copies an empty default


class UserOrder(Wire):
    """An order as it stands."""

    order_id: str
    product_id: str
    status: str
    client_order_id: str = ""
    order_side: str = ""
    order_type: str = ""
    time_in_force: str = ""
    cumulative_quantity: str = ""
    leaves_quantity: str = ""
    avg_price: str = ""
    limit_price: str = ""
    stop_price: str = ""
    total_fees: str = ""
    cancel_reason: str = ""
    reject_reason: str = ""
    creation_time: str = ""
    end_time: str = ""


class UserEvent(Wire):
    """Orders that are live, or that changed."""

    type: str = ""
    orders: list[UserOrder] = []  # noqa: RUF012 - msgspec copies an empty default
