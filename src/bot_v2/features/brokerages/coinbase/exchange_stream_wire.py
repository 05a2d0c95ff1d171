"""What the Exchange API says on its WebSocket feed, as far as it is needed."""

from __future__ import annotations

from typing import TypeAlias

from bot_v2.features.brokerages.coinbase.decoding import Wire

PriceAndSize: TypeAlias = tuple[str, str]
SidePriceAndSize: TypeAlias = tuple[str, str, str]


class Header(Wire):
    """What decides how the rest of a message is read."""

    type: str


class ErrorMessage(Wire):
    """Why nothing will come."""

    message: str = ""
    reason: str = ""


class Channel(Wire):
    """A channel that is listened to."""

    name: str
    product_ids: list[str] = []  # noqa: RUF012 - msgspec copies an empty default


class Subscriptions(Wire):
    """All channels that are listened to."""

    channels: list[Channel]


class Heartbeat(Wire):
    """A sign of life, once a second."""

    product_id: str
    time: str


class Snapshot(Wire):
    """A whole book."""

    product_id: str
    bids: list[PriceAndSize]
    asks: list[PriceAndSize]
    time: str = ""


class BookUpdate(Wire):
    """What changed of a book."""

    product_id: str
    changes: list[SidePriceAndSize]
    time: str


class OrderMessage(Wire):
    """What happened to an order, or to two of them in a trade."""

    type: str
    product_id: str
    order_id: str = ""
    profile_id: str = ""
    time: str = ""
    side: str = ""
    order_type: str = ""
    client_oid: str = ""
    size: str = ""
    funds: str = ""
    price: str | None = None
    reason: str = ""
    trade_id: int = 0
    maker_order_id: str = ""
    taker_order_id: str = ""
    maker_profile_id: str = ""
    taker_profile_id: str = ""
