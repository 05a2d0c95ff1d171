"""What a bot asks for: a request that makes no sense cannot be constructed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, Final

import attrs

from bot_v2.features.brokerages.core.fields import (
    EMPTY,
    FrozenMapping,
    Model,
    check_fields,
    freeze,
    require,
    require_positive,
)
from bot_v2.features.brokerages.core.order_terms import (
    Leg,
    OrderSide,
    OrderType,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
)

_PRICES: Final[dict[OrderType, tuple[frozenset[str], frozenset[str]]]] = {
    # order type: the prices it needs, the prices it must not have
    OrderType.MARKET: (frozenset(), frozenset({"price", "stop_price"})),
    OrderType.LIMIT: (frozenset({"price"}), frozenset({"stop_price"})),
    OrderType.STOP: (frozenset({"stop_price"}), frozenset({"price"})),
    OrderType.STOP_LIMIT: (frozenset({"price", "stop_price"}), frozenset()),
    OrderType.TRAILING_STOP: (frozenset(), frozenset({"price", "stop_price"})),
}

_IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)


def to_utc(moment: object) -> object:
    """An aware moment in any zone is the same moment in UTC; anything else is left to the check."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return moment.astimezone(UTC)
    return moment


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OrderRequest(Model):
    """What a bot asks for. An incoherent request cannot be constructed."""

    is_request: ClassVar[bool] = True
    """What cannot be constructed was not sent: the error says so."""

    symbol: str
    """Canonical, `@native`, or the broker's own symbol; of a multi-leg order, its underlying."""
    side: OrderSide
    """Buy or sell."""
    quantity: Decimal | None = None
    """How much, in the broker's order unit. None: `notional` says it."""
    notional: Decimal | None = None
    """How much, in quote currency. None: `quantity` says it."""
    type: OrderType = OrderType.MARKET
    """How the order finds its price."""
    price: Decimal | None = None
    """The limit, in quote currency per unit. None: the type has none."""
    stop_price: Decimal | None = None
    """The trigger, in quote currency per unit. None: the type has none."""
    trail_amount: Decimal | None = None
    """How far a trailing stop follows, in quote currency. None: `trail_percent`, or no trail."""
    trail_percent: Decimal | None = None
    """How far it follows, in percent of the price (1 is 1 %). None: see `trail_amount`."""
    time_in_force: TimeInForce | None = None
    """How long it works. None: the adapter's documented default, shown on the Order."""
    expires_at: datetime | None = None
    """When a GTD order ends (any aware datetime; kept as UTC). None: not GTD."""
    client_order_id: str | None = None
    """The caller's id. None: the adapter makes one, and reports it back."""
    position_effect: PositionEffect | None = None
    """Whether it opens or closes. None: the broker infers it, or refuses."""
    post_only: bool = False
    """True: rather be refused than take liquidity."""
    reduce_only: bool = False
    """True: never open or turn a position."""
    extended_hours: bool = False
    """True: also work outside the regular session."""
    take_profit: TakeProfit | None = None
    """The profitable exit of a bracket. None: no such leg."""
    stop_loss: StopLoss | None = None
    """The protective exit of a bracket. None: no such leg."""
    legs: tuple[Leg, ...] = ()
    """The legs of a multi-leg order; empty: one instrument."""
    account_id: str | None = None
    """Must equal the bound account. None: the bound account."""
    broker_options: FrozenMapping = attrs.field(default=EMPTY, converter=freeze)
    """Options that only this adapter knows; it lists the keys and refuses any other."""

    def __attrs_post_init__(self) -> None:
        if self.expires_at is not None:
            object.__setattr__(self, "expires_at", to_utc(self.expires_at))
        check_fields(self)
        require_positive(self, "quantity", "notional", "trail_amount", "trail_percent")
        if (self.quantity is None) == (self.notional is None):
            raise require(self, "quantity", "a quantity or a notional, exactly one of the two")
        self._check_prices()
        self._check_time_in_force()
        self._check_bracket()

    def _check_prices(self) -> None:
        if self.type not in _PRICES:
            raise require(self, "type", "any OrderType but OTHER, which appears in reads only")
        needed, forbidden = _PRICES[self.type]
        for name in ("price", "stop_price"):
            given = getattr(self, name) is not None
            if given and name in forbidden:
                raise require(self, name, f"None: a {self.type.name} order has no {name}")
            if not given and name in needed:
                raise require(self, name, f"a Decimal: a {self.type.name} order needs a {name}")
        trails = (self.trail_amount is not None) + (self.trail_percent is not None)
        if self.type is OrderType.TRAILING_STOP and trails != 1:
            raise require(self, "trail_amount", "exactly one of trail_amount and trail_percent")
        if self.type is not OrderType.TRAILING_STOP and trails:
            name = "trail_amount" if self.trail_amount is not None else "trail_percent"
            raise require(self, name, f"None: a {self.type.name} order does not trail")
        if self.trail_percent is not None and self.trail_percent >= 100:
            raise require(self, "trail_percent", "below 100 percent")

    def _check_time_in_force(self) -> None:
        if self.time_in_force is TimeInForce.OTHER:
            raise require(self, "time_in_force", "any but OTHER, which appears in reads only")
        if self.time_in_force is TimeInForce.GTD and self.expires_at is None:
            raise require(self, "expires_at", "an aware datetime: a GTD order needs its end")
        if self.time_in_force is not TimeInForce.GTD and self.expires_at is not None:
            raise require(self, "expires_at", "None: only a GTD order has an end of its own")
        if self.post_only and self.type is not OrderType.LIMIT:
            raise require(self, "post_only", "False: only a LIMIT order can be post-only")
        if self.post_only and self.time_in_force in _IMMEDIATE:
            raise require(self, "post_only", "False: IOC and FOK orders take liquidity")

    def _check_bracket(self) -> None:
        up = self.side is OrderSide.BUY
        profit = self.take_profit.price if self.take_profit else None
        stop = self.stop_loss.stop_price if self.stop_loss else None
        way = "above" if up else "below"
        if profit is not None and stop is not None and (profit > stop) is not up:
            raise require(
                self, "take_profit", f"a price {way} the stop loss's for a {self.side.name}"
            )
        if self.price is None:
            return
        if profit is not None and (profit > self.price) is not up:
            raise require(self, "take_profit", f"a price {way} the entry's for a {self.side.name}")
        if stop is not None and (self.price > stop) is not up:
            way = "below" if up else "above"
            raise require(
                self, "stop_loss", f"a stop {way} the entry's price for a {self.side.name}"
            )
