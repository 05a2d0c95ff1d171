"""One account of a venue: an engine, and what it showed before the latest write."""

from __future__ import annotations

from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.errors import OrderNotFoundError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.simulation.engine import MatchingEngine


@attrs.frozen
class Standing:
    """What an account holds at a moment."""

    balances: tuple[Balance, ...]
    """By asset."""
    positions: tuple[Position, ...]
    """All exposure."""
    summary: AccountSummary
    """The totals."""
    margin: Margin
    """The margin."""
    fills: int
    """How many executions there were."""


class VenueAccount:
    """An engine with one account in it. Every method wants the venue's lock held.

    Args:
        name: which of the venue's accounts it is.
        engine: what keeps it.
    """

    def __init__(self, name: str, engine: MatchingEngine) -> None:
        """Show the account as it is."""
        self.name = name
        self.engine = engine
        self.is_stale = False
        """True: reads show the account as it was before the latest write."""
        self.news: list[OrderEvent] = []
        """What happened to orders and was not told yet."""
        self._latest: dict[str, Order] = {}
        self._replaced: dict[str, Order | None] = {}
        # Kept from what the engine tells: asking it for all of them at each write takes long.
        self._fills: list[Fill] = []
        self._places: dict[str, list[int]] = {}
        self._before = self._standing_now()
        engine.subscribe(self._hear)

    @property
    def symbols(self) -> set[str]:
        """What it trades."""
        return {product.symbol for product in self.engine.products}

    def remember(self) -> None:
        """Keep the account as it is, for stale reads: a write is about to happen."""
        self._replaced = {}
        self._before = self._standing_now()

    def orders(self) -> list[Order]:
        """Return every order, newest first."""
        orders = self.engine.list_orders()
        if not self.is_stale:
            return orders
        shown = (self._replaced.get(order.order_id, order) for order in orders)
        return [order for order in shown if order is not None]

    def order(self, order_id: str) -> Order:
        """Return one order.

        Raises:
            OrderNotFoundError: there is none of that id.
        """
        order: Order | None = self.engine.get_order(order_id)
        if self.is_stale and order_id in self._replaced:
            order = self._replaced[order_id]
        if order is None:
            raise OrderNotFoundError(f"there is no order {order_id}", order_id=order_id)
        return order

    def fills(self) -> list[Fill]:
        """Return every execution, oldest first."""
        return self._fills[: self._before.fills if self.is_stale else None]

    def fills_of(self, order_id: str) -> list[Fill]:
        """Return the executions of one of the engine's orders, oldest first."""
        shown = self._before.fills if self.is_stale else len(self._fills)
        places = self._places.get(order_id, ())
        return [self._fills[place] for place in places if place < shown]

    def standing(self) -> Standing:
        """Return what the account holds."""
        return self._before if self.is_stale else self._standing_now()

    def balance(self, asset: str) -> Balance:
        """Return what it holds of an asset; zero of one that it never had."""
        held = (one for one in self.standing().balances if one.asset == asset)
        zero = Balance(asset=asset, total=Decimal(0), available=Decimal(0), hold=Decimal(0))
        return next(held, zero)

    def _standing_now(self) -> Standing:
        engine = self.engine
        return Standing(
            tuple(engine.list_balances()),
            tuple(engine.list_positions()),
            engine.get_account(),
            engine.get_margin(),
            len(self._fills),
        )

    def _hear(self, event: OrderEvent) -> None:
        order = event.order
        self._replaced.setdefault(order.order_id, self._latest.get(order.order_id))
        self._latest[order.order_id] = order
        self.news.append(event)
        if event.fill is not None:
            self._places.setdefault(event.fill.order_id, []).append(len(self._fills))
            self._fills.append(event.fill)
