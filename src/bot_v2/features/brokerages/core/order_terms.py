"""The terms of an order: side, type, time in force, exits and legs."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import attrs

from bot_v2.features.brokerages.core.fields import Model


class OrderSide(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order finds its price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"
    OTHER = "other"
    """Read from a broker, and none of the above; the native text is in the metadata."""


class TimeInForce(StrEnum):
    """How long an order works."""

    GTC = "gtc"
    """Until cancelled."""
    DAY = "day"
    """Until the session's end."""
    IOC = "ioc"
    """What can be filled at once; the rest is cancelled."""
    FOK = "fok"
    """All at once, or nothing."""
    GTD = "gtd"
    """Until `expires_at`."""
    OPG = "opg"
    """In the opening auction."""
    CLS = "cls"
    """In the closing auction."""
    OTHER = "other"
    """Read from a broker, and none of the above; the native text is in the metadata."""


class PositionEffect(StrEnum):
    """Whether an order opens or closes. SELL + OPEN is a short sale."""

    OPEN = "open"
    CLOSE = "close"


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Leg(Model):
    """One leg of a multi-leg order."""

    symbol: str
    """The leg's instrument."""
    side: OrderSide
    """Which way the leg trades when the whole is bought."""
    ratio: Decimal = Decimal(1)
    """Units of this leg in one unit of the whole."""
    position_effect: PositionEffect | None = None
    """Whether the leg opens or closes. None: not said."""

    _positive = ("ratio",)


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class TakeProfit(Model):
    """The profitable exit of a bracket: a limit order."""

    price: Decimal
    """The limit price of the exit, in quote currency per unit."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class StopLoss(Model):
    """The protective exit of a bracket: a stop, or a stop-limit where `price` is given."""

    stop_price: Decimal
    """The price that triggers the exit, in quote currency per unit."""
    price: Decimal | None = None
    """The limit price once triggered. None: a market order once triggered."""
