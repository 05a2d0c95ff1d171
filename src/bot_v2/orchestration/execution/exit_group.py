"""What the exits of an entry come to, against what was filled of it; nothing is read here.

An entry of which F was filled, and whose exits closed C, leaves X = F - C. Stops have to cover X;
no exit may close more than X, nor C be above F. A pair of exits that was placed without an entry is
to close what the larger of the two is for.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, decimal_to_text
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.fingerprint import ZERO
from bot_v2.orchestration.execution.reading import sum_exact
from bot_v2.orchestration.journal.watch_records import ExitCause

OPPOSITE: Final = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}

STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})

_PLAIN_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})

_KEPT: Final = frozenset({TimeInForce.GTC, TimeInForce.DAY, TimeInForce.GTD})
"""What a stop takes over of its entry's time in force; of any other it takes GTC."""

UNPROTECTED: Final = frozenset(
    {
        ExitCause.STOP_REFUSED,
        ExitCause.STOP_MISSING,
        ExitCause.STOP_ENDED,
        ExitCause.EXIT_TOO_SMALL,
    }
)
"""Part of what was filled has no stop."""

EXCESSIVE: Final = frozenset({ExitCause.BOTH_FILLED, ExitCause.EXIT_OVERFILLED})
"""More was closed than there was."""


def is_stop(order: Order) -> bool:
    """Return whether an order limits a loss. One order can be both exits at once."""
    return order.type in STOPS or order.stop_price is not None


@attrs.frozen(kw_only=True)
class Member:
    """An exit, or what was placed in its stead."""

    order: Order
    """The order as it is known by now."""
    filled: Decimal
    """How much of it was filled, in order units."""
    is_live: bool
    """Whether it may trade: it has not ended, and the broker lists it."""
    is_repair: bool = False
    """Whether the exit policy placed it."""

    @property
    def covers(self) -> bool:
        """Whether it stands between the position and a loss."""
        return self.is_live and (is_stop(self.order) or self.is_repair)

    def rest(self, of: Decimal) -> Decimal:
        """Return how much it may still close; where it does not say, all of what is asked for."""
        remaining = self.order.remaining_quantity
        return of if remaining is None else remaining


@attrs.frozen(kw_only=True)
class Danger:
    """Something that is wrong by one look."""

    cause: ExitCause
    """What is wrong."""
    quantity: Decimal
    """How much is concerned, in order units."""
    orders: tuple[Order, ...] = ()
    """The exits concerned."""

    @property
    def key(self) -> str:
        """The cause with the orders concerned."""
        return ":".join((self.cause.value, *(order.order_id for order in self.orders)))


@attrs.frozen(kw_only=True)
class ExitGroup:
    """An entry with its exits, as of one look."""

    symbol: str
    """The product."""
    exit_side: OrderSide
    """Which way the exits trade."""
    filled: Decimal
    """How much there is to close in all, in order units."""
    members: tuple[Member, ...]
    """The exits, and what was placed in their stead, oldest first."""
    wants_stop: bool
    """Whether what was filled is to have a stop."""
    entry: Order | None = None
    """The entry. None: a pair that was placed without one."""
    entry_is_live: bool = False
    """Whether more of the entry can be filled."""
    request: OrderRequest | None = None
    """What was asked for. None: it was placed elsewhere."""

    @property
    def exits(self) -> tuple[Member, ...]:
        """The members that close."""
        return tuple(each for each in self.members if self._closes(each))

    def _closes(self, member: Member) -> bool:
        return member.order.side in (self.exit_side, None)

    @property
    def closed(self) -> Decimal:
        """How much was closed, less what was opened again in mending an excess."""
        return sum_exact(
            [each.filled if self._closes(each) else -each.filled for each in self.members]
        )

    @property
    def rest(self) -> Decimal:
        """How much is left to close; below zero where too much was closed."""
        return EXACT.subtract(self.filled, self.closed)

    @property
    def covered(self) -> Decimal:
        """How much of the rest live stops cover."""
        rest = max(self.rest, ZERO)
        return sum_exact([each.rest(rest) for each in self.exits if each.covers])

    @property
    def has_ended(self) -> bool:
        """Whether neither the entry nor an exit can trade any more, so far as is known."""
        return not self.entry_is_live and not any(each.is_live for each in self.members)

    def find(self, order_ids: Iterable[str]) -> Member | None:
        """Return the exit that is one of some orders. None: none is."""
        return next((each for each in self.exits if each.order.order_id in order_ids), None)

    def held(self, position: Decimal) -> Decimal:
        """Return a signed position as the exits see it: above zero, they make it smaller."""
        return position if self.exit_side is OrderSide.SELL else EXACT.minus(position)

    @property
    def most(self) -> Decimal | None:
        """How much an exit may be for. None: nobody can say yet."""
        if not self.entry_is_live or self.entry is None:
            return self.filled
        # An exit may wait for all of the entry.
        return None if self.entry.quantity is None else max(self.filled, self.entry.quantity)


def find_dangers(group: ExitGroup) -> list[Danger]:
    """Return what is wrong by one look: what was closed too much comes first."""
    return [
        *_find_excess(group),
        *_find_too_large(group),
        *_find_unprotected(group),
    ]


def _find_excess(group: ExitGroup) -> Iterable[Danger]:
    if group.rest >= ZERO:
        return
    filled = tuple(each.order for each in group.exits if each.filled)
    cause = ExitCause.BOTH_FILLED if len(filled) > 1 else ExitCause.EXIT_OVERFILLED
    yield Danger(cause=cause, quantity=-group.rest, orders=filled)


def _find_too_large(group: ExitGroup) -> Iterable[Danger]:
    most = group.most
    if most is None:
        return
    allowed = max(EXACT.subtract(most, group.closed), ZERO)
    live = [each for each in group.exits if each.is_live]
    large = [each for each in live if each.rest(allowed) > allowed]
    for each in large:
        excess = EXACT.subtract(each.rest(allowed), allowed)
        yield Danger(cause=ExitCause.EXIT_TOO_LARGE, quantity=excess, orders=(each.order,))
    added = [each for each in live if each.is_repair and is_stop(each.order)]
    together = sum_exact([each.rest(allowed) for each in live if each.covers])
    if added and not large and together > allowed:
        # The stop that was missing is back, and nobody ties it to the one in its stead.
        excess = EXACT.subtract(together, allowed)
        yield Danger(cause=ExitCause.EXIT_TOO_LARGE, quantity=excess, orders=(added[-1].order,))


def _find_unprotected(group: ExitGroup) -> Iterable[Danger]:
    bare = EXACT.subtract(group.rest, group.covered)
    if not group.wants_stop or bare <= ZERO:
        return
    stops = [each for each in group.exits if is_stop(each.order)]
    live = tuple(each.order for each in stops if each.is_live)
    if live:
        yield Danger(cause=ExitCause.EXIT_TOO_SMALL, quantity=bare, orders=live)
        return
    if not stops:
        yield Danger(cause=ExitCause.STOP_MISSING, quantity=bare)
        return
    last = stops[-1].order
    yield Danger(cause=_how_it_ended(last), quantity=bare, orders=(last,))


_ENDS: Final = {
    OrderStatus.REJECTED: ExitCause.STOP_REFUSED,
    OrderStatus.FILLED: ExitCause.EXIT_TOO_SMALL,
    OrderStatus.REPLACED: ExitCause.STOP_MISSING,
}


def _how_it_ended(order: Order) -> ExitCause:
    if order.status in LIVE_STATUSES:
        # It is not known to have ended, and the broker does not list it any more.
        return ExitCause.STOP_MISSING
    return _ENDS.get(order.status, ExitCause.STOP_ENDED)


def stop_terms(group: ExitGroup) -> dict[str, Any] | None:
    """Return the terms of the stop that is missing. None: nobody knows them."""
    request = group.request
    if request is not None and request.stop_loss is not None:
        stop, keeps = request.stop_loss, request.time_in_force in _KEPT
        return {
            "type": OrderType.STOP if stop.price is None else OrderType.STOP_LIMIT,
            "stop_price": stop.stop_price,
            "price": stop.price,
            "time_in_force": request.time_in_force if keeps else TimeInForce.GTC,
            "expires_at": request.expires_at,
            "extended_hours": request.extended_hours,
            "broker_options": request.broker_options,
        }
    for member in reversed(group.exits):
        order = member.order
        if order.type in _PLAIN_STOPS and order.stop_price is not None:
            return {
                "type": order.type,
                "stop_price": order.stop_price,
                "price": order.price,
                "time_in_force": order.time_in_force
                if order.time_in_force in _KEPT
                else TimeInForce.GTC,
                "expires_at": order.expires_at,
            }
    return None


def describe(danger: Danger, group: ExitGroup, position: Decimal | None) -> str:
    """Return what is wrong, for a person."""
    entry = "a pair of exits" if group.entry is None else f"order {group.entry.order_id}"
    parts = [
        f"{decimal_to_text(danger.quantity)} {group.symbol} of {entry}, of which "
        f"{decimal_to_text(group.filled)} is to be closed, {decimal_to_text(group.closed)} is "
        f"closed and {decimal_to_text(group.covered)} has a stop"
    ]
    for member in group.members:
        order = member.order
        why = f" ({order.status_reason})" if order.status_reason else ""
        size = "?" if order.quantity is None else decimal_to_text(order.quantity)
        parts.append(
            f"{order.order_id} {order.type.value} {size} is {order.status.value}{why}, "
            f"{decimal_to_text(member.filled)} filled"
        )
    if position is not None:
        parts.append(f"the position is {decimal_to_text(position)}")
    return "; ".join(parts)
