"""An IBrokerage over a venue in the same process, in which any call can go wrong as scheduled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, TypeVar

from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.declarations import (
    CloseGuard,
    Environment,
    OrderHistory,
    Retention,
)
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerAPIError,
    BrokerConnectionError,
    BrokerUnavailableError,
    CancelRejectedError,
    InvalidRequestError,
    InvalidSymbolError,
    ModifyRejectedError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    RateLimitError,
)
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product
from bot_v2.testing.schedules.schedule import STALE_S, Fate, Schedule
from bot_v2.testing.schedules.venue import ACCOUNT_ID, PRODUCT, Venue
from bot_v2.testing.schedules.world import World

_T = TypeVar("_T")

TIMEOUT_S: Final = 1.0
"""How long a caller waits for an answer, in virtual seconds."""


class ScheduledBrokerage:
    """One process's connection to the venue: a new one is made after each crash.

    Args:
        schedule: what goes wrong.
        world: the time, and the steps at which the process can die.
        venue: the broker.
        calls: counts calls over all processes: `write` and `read`.
    """

    name: Final = "schedule"
    environment: Final = Environment.SIMULATOR
    close_guard: Final = CloseGuard.BEST_EFFORT
    spot_as_positions: Final = True
    order_history: Final = OrderHistory(retention=Retention.FOREVER)

    def __init__(
        self, schedule: Schedule, world: World, venue: Venue, calls: dict[str, int]
    ) -> None:
        """Connect; declare what the schedule says of the broker."""
        self._schedule = schedule
        self._world = world
        self._venue = venue
        self._calls = calls
        self.is_calm = False
        """True: nothing goes wrong any more."""
        declared = {Capability.ORDER_MODIFICATION}
        if schedule.has_lookup:
            declared.add(Capability.ORDER_LOOKUP)
        if schedule.has_fills:
            declared.add(Capability.FILLS)
        self.capabilities = frozenset(declared)
        self.idempotency = IdempotencyProfile(
            scope=schedule.scope,
            on_duplicate=schedule.on_duplicate,
            max_length=32,
            visibility_lag_s=schedule.lag_s,
        )

    # The fault plane

    def _number(self, kind: str) -> int:
        number = self._calls[kind]
        self._calls[kind] += 1
        return number

    def _write(
        self,
        what: str,
        refusal: type[BrokerageError],
        do: Callable[[], _T],
        do_late: Callable[[float], object] | None = None,
    ) -> _T:
        fate = self._schedule.writes.get(self._number("write"), Fate.DONE)
        if self.is_calm:
            fate = Fate.DONE
        self._world.step(f"{what}: about to leave, {fate.value}")
        if fate is Fate.NOT_SENT:
            raise BrokerConnectionError("refused", outcome=Outcome.NOT_SENT)
        if fate is Fate.HELD_BACK:
            raise RateLimitError("too fast", outcome=Outcome.NOT_SENT, retry_after_s=2.0)
        if fate is Fate.REFUSED:
            raise refusal("the broker refuses it", outcome=Outcome.REJECTED)
        if fate is Fate.LATE:
            # It arrives, and is seen, within the lag that the broker declares.
            late_s = self._schedule.lag_s / 2
            self._venue.do_late(late_s, lambda: do() if do_late is None else do_late(late_s))
        if fate in (Fate.LOST, Fate.LATE):
            self._world.wait(TIMEOUT_S)
            raise OrderOutcomeUnknownError("there was no answer")
        reply, error = None, None
        try:
            reply = do()
        except BrokerageError as raised:
            error = raised
        self._world.step(f"{what}: was done")
        if fate is Fate.ANSWER_LOST:
            self._world.wait(TIMEOUT_S)
            raise OrderOutcomeUnknownError("there was no answer")
        if fate is Fate.GARBLED:
            raise OrderOutcomeUnknownError("the answer cannot be read")
        if fate is Fate.MISTAKEN:
            raise KeyError("order_id")
        if fate is Fate.SILENT:
            raise BrokerAPIError("the broker said something")
        if error is not None or reply is None:
            raise error or AssertionError("a venue answers")
        return reply

    def _read(self, what: str, do: Callable[[], _T]) -> _T:
        self._world.step(what)
        number = self._number("read")
        if number in self._schedule.reads and not self.is_calm:
            if number % 3 == 0:
                raise BrokerConnectionError("refused")
            if number % 3 == 1:
                raise BrokerUnavailableError("not serving", http_status=503)
            raise ValueError("a page that is no JSON")
        is_stale = self._schedule.is_stale(number) and not self.is_calm
        if not is_stale:
            return do()
        self._venue.see_late(STALE_S)
        try:
            return do()
        finally:
            self._venue.see_late(0.0)

    # Orders

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Place an order, once."""
        client_order_id = order_request.client_order_id or ""
        step = self._world.steps
        order_id = self._write(
            "place_order",
            OrderRejectedError,
            lambda: self._venue.place(order_request, step),
            lambda late_s: self._venue.place(order_request, step, lateness_s=late_s),
        )
        return OrderResult(success=True, client_order_id=client_order_id, order_id=order_id)

    def cancel_order(self, order_id: str) -> bool:
        """Cancel an order."""
        done = self._write(
            "cancel_order",
            CancelRejectedError,
            lambda: (self._venue.engine.cancel(order_id),),
        )
        return done[0]

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change an order in place."""
        order = self._write(
            "modify_order",
            ModifyRejectedError,
            lambda: self._venue.engine.modify(order_id, modification),
        )
        return OrderResult(success=True, client_order_id=order_id, order_id=order.order_id)

    def close_position(self, symbol: str) -> OrderResult:
        """Refuse: the executor closes by an order of its own."""
        raise AssertionError("the executor does not close through the broker")

    def get_order(self, order_id: str) -> Order:
        """Return an order by its id."""
        return self._read("get_order", lambda: self._venue.get_shown(order_id))

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return an order by its client id."""
        return self._read("get_order_by_client_id", lambda: self._venue.find_shown(client_order_id))

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every order that reads show."""
        shown = self._read("list_orders", self._venue.list_shown)
        return [order for order in shown if status in (None, order.status)]

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return every execution that reads show."""
        shown = self._read("list_fills", self._venue.list_shown_fills)
        return [fill for fill in shown if since is None or fill.timestamp >= since]

    # The account and the market

    def list_positions(self) -> list[Position]:
        """Return the one position, if there is one."""
        quantity = self._read("list_positions", self._venue.shown_position)
        if not quantity:
            return []
        side = PositionSide.LONG if quantity > 0 else PositionSide.SHORT
        position = Position(
            symbol=PRODUCT.symbol, quantity=abs(quantity), side=side, account_id=ACCOUNT_ID
        )
        return [position]

    def get_position(self, symbol: str) -> Position | None:
        """Return the one position. None: flat."""
        positions = self.list_positions()
        return positions[0] if positions else None

    def get_product(self, symbol: str) -> Product:
        """Return the one product."""
        if symbol != PRODUCT.symbol:
            raise InvalidSymbolError(f"there is no product {symbol!r}", symbol=symbol)
        return PRODUCT

    def get_products(self) -> list[Product]:
        """Return the one product."""
        return [PRODUCT]

    def get_price(self, symbol: str) -> Decimal:
        """Return the market's price."""
        return self._read("get_price", lambda: self._venue.engine.get_price(symbol))

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book."""
        return self._read("get_orderbook", lambda: self._venue.engine.get_orderbook(symbol, level))

    def list_balances(self) -> list[Balance]:
        """Return what the account holds."""
        return self._read("list_balances", self._venue.engine.list_balances)

    def get_balance(self, asset: str) -> Balance:
        """Return what the account holds of an asset."""
        return self._read("get_balance", lambda: self._venue.engine.get_balance(asset))

    # The session

    def connect(self) -> bool:
        """Return True: it is connected."""
        return True

    def disconnect(self) -> None:
        """Refuse: schedules end by the process's death."""
        raise InvalidRequestError("a schedule does not disconnect")

    def is_connected(self) -> bool:
        """Return True."""
        return True

    def check_health(self) -> BrokerHealth:
        """Return that all is well."""
        return BrokerHealth(
            connected=True, api_responsive=True, last_check_timestamp=self._world.now.timestamp()
        )

    def get_account_id(self) -> str:
        """Return the one account."""
        return ACCOUNT_ID
