"""What became of an order, as the broker tells it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fields import (
    EMPTY,
    FrozenMapping,
    Model,
    freeze,
    require,
)
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import (
    Leg,
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)

ZERO = Decimal(0)


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Fee(Model):
    """What was charged, in one currency."""

    currency: str
    """The currency or coin that was charged."""
    amount: Decimal
    """How much; negative is a rebate."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class Order(Model):
    """An order as the broker tells it. None means that the broker does not say."""

    order_id: str
    """The broker's id: opaque, unique in the account for ever, enough in a new process."""
    symbol: str
    """Canonical, or `@native`."""
    type: OrderType
    """How it finds its price."""
    status: OrderStatus
    """Where it is in its life."""
    filled_quantity: Decimal
    """How much was filled, in order units."""
    time_in_force: TimeInForce
    """How long it works."""
    account_id: str
    """The account that it is in."""
    client_order_id: str | None = None
    """The caller's id. None: it was placed without one, or the broker does not keep it."""
    side: OrderSide | None = None
    """Buy or sell. None: a multi-leg order has none of its own."""
    quantity: Decimal | None = None
    """How much was ordered, in order units. None: `notional` says it, or nobody does."""
    notional: Decimal | None = None
    """How much was ordered, in quote currency. None: `quantity` says it, or nobody does."""
    price: Decimal | None = None
    """The limit, in quote currency per unit. None: it has none, or not said."""
    stop_price: Decimal | None = None
    """The trigger as it stands now. None: it has none, or not said."""
    average_fill_price: Decimal | None = None
    """The mean price of what was filled. None: nothing was, or not said."""
    fees: tuple[Fee, ...] | None = None
    """What was charged so far, by currency. None: the broker does not say."""
    timestamp: datetime | None = None
    """When the broker took it. None: not said."""
    updated_at: datetime | None = None
    """When it last changed. None: not said."""
    expires_at: datetime | None = None
    """When a GTD order ends. None: it has no such end, or not said."""
    position_effect: PositionEffect | None = None
    """Whether it opens or closes. None: not said."""
    replaces: str | None = None
    """The order_id that it took the place of. None: of none."""
    replaced_by: str | None = None
    """The order_id that took its place. None: none did."""
    parent_order_id: str | None = None
    """The order_id whose fill brings it to life. None: it stands alone."""
    group_id: str | None = None
    """What its bracket or one-cancels-other siblings share. None: it has no siblings."""
    legs: tuple[Leg, ...] = ()
    """The legs of a multi-leg order; empty: one instrument."""
    native_status: str | None = None
    """The status in the broker's word. None: the broker's words are ours."""
    status_reason: str | None = None
    """Why it is as it is, in the broker's words. None: not said."""
    metadata: FrozenMapping = attrs.field(default=EMPTY, converter=freeze, eq=False)
    """The native extras that the adapter documents."""

    _positive = ("quantity", "notional")
    _not_negative = ("filled_quantity",)

    def _check_sense(self) -> None:
        filled, quantity = self.filled_quantity, self.quantity
        if quantity is not None and filled > quantity:
            raise require(self, "filled_quantity", f"at most the order's quantity ({quantity})")
        if filled:
            return
        if self.status is OrderStatus.FILLED:
            raise require(self, "filled_quantity", "above zero: the status is FILLED")
        if self.average_fill_price is not None:
            raise require(self, "average_fill_price", "None: nothing was filled")

    @property
    def remaining_quantity(self) -> Decimal | None:
        """How much is still to be filled, in order units. None: the quantity is not known."""
        return None if self.quantity is None else self.quantity - self.filled_quantity


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OrderResult(Model):
    """What placing, modifying or closing came to."""

    success: bool
    """True: the broker took the order and gave an id. It says nothing of its later fate."""
    client_order_id: str
    """The id under which to look for the order, whatever came of it."""
    order_id: str | None = None
    """The broker's id. None: it gave none that we know of."""
    order: Order | None = None
    """The order as the reply told it. None: the reply did not, and no extra read was made."""
    error: BrokerageError | None = None
    """What went wrong. None: nothing did."""
    message: str = ""
    """What happened, for a person."""

    def _check_sense(self) -> None:
        if self.success and self.order_id is None:
            raise require(self, "order_id", "a str: success means that the broker gave an id")
        if self.success and self.error is not None:
            raise require(self, "error", "None: a success has no error")
        if not self.success and self.error is None:
            raise require(self, "error", "a BrokerageError: a failure says why")
