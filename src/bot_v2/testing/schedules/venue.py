"""The broker's side of a schedule: the matching engine, client ids, and what reads show when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    DuplicateOrderError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.idempotency import DuplicateBehaviour, IdempotencyScope
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.testing.schedules.schedule import Schedule
from bot_v2.testing.schedules.world import World

_T = TypeVar("_T", Order, Fill)

ZERO: Final = Decimal(0)

ACCOUNT_ID: Final = "SCHEDULE-1"

PRODUCT: Final = Product(
    symbol="BTC-USD-PERP",
    market_type=MarketType.PERPETUAL,
    base_currency="BTC",
    quote_currency="USD",
    price_increment=Decimal(1),
    size_increment=Decimal(1),
)
"""What is traded: it can be bought and sold short."""

SPREAD: Final = Decimal(2)
DEPTH: Final = Decimal(4)


@attrs.define
class Placed:
    """An order at the venue, with what only the harness knows of it."""

    order_id: str
    """The venue's id."""
    meant_as: str
    """The client id of the request that it came of, whether or not the broker keeps it."""
    visible_at: datetime
    """From when on reads show it."""
    sent_at_step: int
    """The step at which the request left."""
    request: OrderRequest
    """What was asked for."""


class Venue:
    """One account at a simulated broker. What is done to it is atomic.

    Args:
        schedule: which kind of broker it is.
        world: the time.
    """

    def __init__(self, schedule: Schedule, world: World) -> None:
        """Open the account, with a market at 100."""
        self._schedule = schedule
        self._world = world
        self._lag = timedelta(seconds=schedule.lag_s)
        self._behind = timedelta(0)
        self._engine = MatchingEngine(
            account=AccountSettings(
                account_id=ACCOUNT_ID,
                kind=AccountKind.MARGIN,
                initial_balances={"USD": Decimal(10) ** 9},
            ),
            products=(PRODUCT,),
            clock=world.clock,
        )
        self.placed: list[Placed] = []
        """The orders that there are, oldest first."""
        self.move_market(0)

    # What is done to it

    def place(self, request: OrderRequest, sent_at_step: int, *, lateness_s: float = 0.0) -> str:
        """Take an order; return its id.

        Args:
            request: what to place.
            sent_at_step: the step at which the request left.
            lateness_s: how long ago it was sent, in seconds: the lag is counted from then.

        Raises:
            DuplicateOrderError: an order under its client id exists.
            BrokerageError: it is refused.
        """
        meant_as = request.client_order_id or ""
        known = self._holder_of(meant_as)
        if known is not None:
            if self._schedule.on_duplicate is DuplicateBehaviour.RETURNS_ORIGINAL:
                return known.order_id
            raise DuplicateOrderError("an order under that id exists", client_order_id=meant_as)
        # An id that the broker lets be used again is another one to the engine.
        again = sum(each.meant_as == meant_as for each in self.placed)
        engine_id = f"{meant_as}.{again}" if again else meant_as
        order = self._engine.place(request, client_order_id=engine_id)
        visible_at = self._world.now + self._lag - timedelta(seconds=lateness_s)
        self.placed.append(Placed(order.order_id, meant_as, visible_at, sent_at_step, request))
        return order.order_id

    def _holder_of(self, meant_as: str) -> Placed | None:
        """Return the order that keeps another from being made under its id."""
        scope = self._schedule.scope
        if scope not in (IdempotencyScope.FOREVER, IdempotencyScope.WHILE_OPEN):
            return None
        for each in self.placed:
            is_live = self._engine.get_order(each.order_id).status in LIVE_STATUSES
            if each.meant_as == meant_as and (scope is IdempotencyScope.FOREVER or is_live):
                return each
        return None

    @property
    def engine(self) -> MatchingEngine:
        """The truth."""
        return self._engine

    def do_late(self, delay_s: float, action: Callable[[], object]) -> None:
        """Do something when some seconds have passed; nobody hears whether it was refused."""

        def act() -> None:
            with suppress(BrokerageError):
                action()

        self._world.at(self._world.now + timedelta(seconds=delay_s), act)

    def move_market(self, number: int) -> None:
        """Let the market show a price, of 95 and more, and some size at it."""
        price = Decimal(100 + (number * 7) % 11 - 5)
        self._engine.on_market(
            Quote(
                symbol=PRODUCT.symbol,
                timestamp=self._world.now,
                bid=price - SPREAD / 2,
                ask=price + SPREAD / 2,
                bid_size=DEPTH,
                ask_size=DEPTH,
            )
        )

    # What reads show

    def see_late(self, seconds: float) -> None:
        """Let reads show what was to be seen some seconds ago. 0: what is to be seen now."""
        self._behind = timedelta(seconds=seconds)

    @property
    def _seen_at(self) -> datetime:
        return self._world.now - self._behind

    def list_shown(self) -> list[Order]:
        """Return the orders that reads show by now, newest first."""
        fills = self._engine.list_fills()
        seen_at = self._seen_at
        return [
            self._show(each, fills) for each in reversed(self.placed) if each.visible_at <= seen_at
        ]

    def get_shown(self, order_id: str) -> Order:
        """Return an order by its id.

        Raises:
            OrderNotFoundError: reads do not show it, or there is none.
        """
        for each in self.placed:
            if each.order_id == order_id and each.visible_at <= self._seen_at:
                return self._show(each, self._engine.list_fills())
        raise OrderNotFoundError(f"there is no order {order_id!r}", order_id=order_id)

    def find_shown(self, client_order_id: str) -> Order:
        """Return the newest order under a client id.

        Raises:
            OrderNotFoundError: reads show none.
        """
        for each in reversed(self.placed):
            if each.meant_as == client_order_id and each.visible_at <= self._seen_at:
                return self._show(each, self._engine.list_fills())
        raise OrderNotFoundError("there is no such order", client_order_id=client_order_id)

    def list_shown_fills(self) -> list[Fill]:
        """Return the executions that reads show by now, oldest first."""
        return [
            self._with_id(fill, placed)
            for placed, fill in self._fills()
            if self._is_shown(placed, fill)
        ]

    def shown_position(self) -> Decimal:
        """Return the signed position that reads show."""
        total = ZERO
        for fill in self.list_shown_fills():
            bought = fill.side is OrderSide.BUY
            total = EXACT.add(total, fill.quantity if bought else -fill.quantity)
        return total

    def true_fills(self) -> list[Fill]:
        """Return every execution."""
        return [fill for _, fill in self._fills()]

    def _fills(self) -> Iterator[tuple[Placed, Fill]]:
        by_id = {each.order_id: each for each in self.placed}
        for fill in self._engine.list_fills():
            yield by_id[fill.order_id], fill

    def _is_shown(self, placed: Placed, fill: Fill) -> bool:
        now = self._seen_at
        return placed.visible_at <= now and fill.timestamp + self._lag <= now

    def _with_id(self, shown: _T, placed: Placed) -> _T:
        """Return an order or an execution with the client id that the broker keeps of it."""
        keeps_ids = self._schedule.scope is not IdempotencyScope.NONE
        client_order_id = placed.meant_as if keeps_ids else None
        if shown.client_order_id == client_order_id:
            return shown
        return attrs.evolve(shown, client_order_id=client_order_id)

    def _show(self, placed: Placed, fills: list[Fill]) -> Order:
        order = self._with_id(self._engine.get_order(placed.order_id), placed)
        hidden = [
            fill
            for fill in fills
            if fill.order_id == placed.order_id and not self._is_shown(placed, fill)
        ]
        if not hidden:
            return order
        filled = order.filled_quantity
        for fill in hidden:
            filled = EXACT.subtract(filled, fill.quantity)
        status = order.status
        if status not in ENDED_STATUSES or status is OrderStatus.FILLED:
            status = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.OPEN
        return attrs.evolve(
            order,
            status=status,
            filled_quantity=filled,
            average_fill_price=order.average_fill_price if filled else None,
            updated_at=None,
        )
