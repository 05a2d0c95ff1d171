"""What Alpaca's streams say: the fields that are needed."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from bot_v2.features.brokerages.alpaca.decoding import Moment, Wire
from bot_v2.features.brokerages.alpaca.order_wire import Order


class Envelope(Wire):
    """A message of the account's stream."""

    stream: str = ""
    action: str = ""
    data: msgspec.Raw = msgspec.Raw(b"{}")


class Authorization(Wire):
    """Whether the credentials are good."""

    status: str = ""
    message: str = ""


class Listening(Wire):
    """What is listened to."""

    streams: list[str] = []  # noqa: RUF012 - msgspec copies an empty default


class StreamError(Wire):
    """What went wrong."""

    error_message: str = ""


class TradeUpdate(Wire):
    """What happened to an order."""

    event: str
    order: Order
    execution_id: str = ""
    price: Decimal | None = None
    qty: Decimal | None = None
    timestamp: Moment | None = None


class MarketMessage(Wire):
    """A message of a market data stream: a word of the protocol, or best prices."""

    kind: str = msgspec.field(name="T")
    symbol: str = msgspec.field(default="", name="S")
    msg: str = ""
    code: int = 0
    quotes: list[str] | None = None
    t: Moment | None = None
    bp: Decimal | None = None
    bs: Decimal | None = None
    ap: Decimal | None = None
    as_: Decimal | None = msgspec.field(default=None, name="as")
