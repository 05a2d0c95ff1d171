"""What the suite may be told of a brokerage; all of it has a default, or is found out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.order_terms import Leg
from bot_v2.shared.types import Clock


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@attrs.frozen(kw_only=True)
class ContractProfile:
    """What to trade in the checks, and how patient to be."""

    symbol: str | None = None
    """The product to trade. None: the first that can be traded and has a price."""
    quantity: Decimal | None = None
    """How much to trade at once; a quarter of it must be a valid order, too.
    None: worked out from the product's sizes."""
    price: Decimal | None = None
    """Where a simulated market is put, in quote currency. None: where it is, else at 100."""
    secrets: tuple[str, ...] = ()
    """The credentials that the brokerage was given: made-up ones, that must appear nowhere.
    Empty: the checks of secrets have nothing to look for."""
    settle_s: float = 2.0
    """How long the effect of a call may take to show, in seconds."""
    health_timeout_s: float = 10.0
    """How long `check_health` may take, in seconds: the adapter's own timeout and a little."""
    stream_timeout_s: float = 5.0
    """How long an event may take to arrive, in seconds."""
    mute_timeout_s: float | None = None
    """After how long the adapter reports that a stream fell silent, in seconds.
    None: it does not claim to notice."""
    burst: int = 120
    """How many orders are placed to see whether all pages are read: more than a page holds."""
    unknown_symbol: str = "@no-such-instrument"
    """A symbol that the broker does not have."""
    unknown_asset: str = "NOTHELD"
    """An asset that the account does not hold."""
    unknown_order_id: str | None = None
    """An id in the broker's form, of no order. None: the id of a real order, changed a little."""
    option_underlying: str | None = None
    """A symbol with listed options. None: the symbol that is traded."""
    legs: tuple[Leg, ...] = ()
    """The legs of a multi-leg order that the broker takes. Empty: none is known."""
    candle_interval: timedelta = timedelta(minutes=1)
    """An interval that the broker has candles of."""
    candle_span: timedelta = timedelta(hours=3)
    """How far back candles are asked for: a span in which there are some."""
    clock: Clock = utc_now
    """The venue's clock; a simulated venue may have its own time."""
