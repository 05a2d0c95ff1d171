"""AsyncBrokerage: any brokerage for asyncio, without a thread that the loop has to share.

    async with AsyncBrokerage(create_brokerage("paper")) as broker:
        async with asyncio.timeout(5):
            result = await broker.place_order(request)

To cancel the wait for a write never loses the order. A write that waits for a thread is withdrawn:
nothing is sent. One that has begun goes on to its end; `await broker.get_outcome(client_order_id)`
says what came of it, `list_unheard` what else nobody has heard of, and `on_outcome` is called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from types import TracebackType
from typing import Any, Final

from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import (
    Capability,
    SupportsAccounts,
    capabilities_of,
)
from bot_v2.features.brokerages.core.declarations import (
    CloseGuard,
    Environment,
    OrderHistory,
    balance_identity_of,
    close_guard_of,
    environment_of,
    idempotency_of,
    name_of,
    order_history_of,
    spot_as_positions_of,
    unsupported_of,
)
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product
from bot_v2.orchestration.aio.calls import AsyncCalls, AsyncSettings
from bot_v2.orchestration.aio.capabilities import async_supports
from bot_v2.orchestration.aio.executor import JournalledWrites, value_of
from bot_v2.orchestration.aio.interface import IAsyncBrokerage
from bot_v2.orchestration.aio.lanes import Lane
from bot_v2.orchestration.aio.operations import OptionalOperations
from bot_v2.orchestration.aio.writes import (
    WriteRecord,
    WriteResult,
    WriteState,
    WriteSubject,
    best_of,
)
from bot_v2.shared.types import Clock, IdSource
from bot_v2.simulation.clock import utc_now

__all__ = [
    "AsyncBrokerage",
    "AsyncSettings",
    "IAsyncBrokerage",
    "WriteRecord",
    "WriteState",
    "async_supports",
]

_LOGGER = logging.getLogger(__name__)

CLOSE_TIMEOUT_S: Final = 30.0
"""How long `aclose` waits for writes that are under way, in seconds."""


class AsyncBrokerage(OptionalOperations):
    """A brokerage whose calls are awaited, with threads of its own. Any loop may use it.

    Args:
        broker: any brokerage.
        executor: writes down what it sends, over the same brokerage. Orders are then placed,
            changed and closed through it; cancels need no journal. None: they go to the brokerage.
        settings: how many threads it has, and how much waits.
        on_outcome: called, in the thread that made the call, when a write has ended whose wait
            was cancelled.
        clock: the present moment.
        ids: makes client order ids where a request has none. None: random ones, as the broker
            wants them.
    """

    def __init__(
        self,
        broker: IBrokerage,
        *,
        executor: JournalledWrites | None = None,
        settings: AsyncSettings | None = None,
        on_outcome: Callable[[WriteRecord], None] | None = None,
        clock: Clock = utc_now,
        ids: IdSource | None = None,
    ) -> None:
        """Wrap a brokerage; no thread is started yet."""
        self._broker = broker
        self._executor = executor
        self._settings = settings or AsyncSettings()
        self._on_outcome = on_outcome
        self._clock = clock
        self._ids = ids
        self._calls = AsyncCalls(name_of(broker), self._settings, clock, on_outcome)

    def __repr__(self) -> str:
        return f"AsyncBrokerage({name_of(self._broker)!r})"

    # What the brokerage declares of itself.

    @property
    def name(self) -> str:
        """The brokerage's name."""
        return name_of(self._broker)

    @property
    def environment(self) -> Environment:
        """Where its orders go."""
        return environment_of(self._broker)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do beyond the 18."""
        return capabilities_of(self._broker)

    @property
    def unsupported(self) -> frozenset[str]:
        """Which of the 18 it does not do."""
        return unsupported_of(self._broker)

    @property
    def idempotency(self) -> IdempotencyProfile:
        """How far a client order id protects."""
        return idempotency_of(self._broker)

    @property
    def order_history(self) -> OrderHistory:
        """How long ended orders are remembered."""
        return order_history_of(self._broker)

    @property
    def close_guard(self) -> CloseGuard:
        """What guards `close_position`."""
        return close_guard_of(self._broker)

    @property
    def balance_identity(self) -> bool:
        """Whether total == available + hold on every balance."""
        return balance_identity_of(self._broker)

    @property
    def spot_as_positions(self) -> bool:
        """Whether spot assets appear as positions."""
        return spot_as_positions_of(self._broker)

    @property
    def native(self) -> Any:
        """The vendor's client, which blocks; using it voids the promises."""
        return getattr(self._broker, "native", None)

    # The session.

    async def connect(self) -> bool:
        """Start the session; return True. Twice is harmless; it never prompts or prints."""
        return await self._calls.read(self._broker.connect, Lane.SESSION)

    async def disconnect(self) -> None:
        """End the session. Twice is harmless; `aclose` does more."""
        await self._calls.read(self._broker.disconnect, Lane.SESSION)

    async def is_connected(self) -> bool:
        """Return whether the session is not known to be dead; does no I/O."""
        # Without I/O there is nothing to wait for: it answers even when every thread hangs.
        return not self._calls.is_closed and self._broker.is_connected()

    async def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life; never raises, and keeps its timeout."""
        if self._calls.is_closed:
            return BrokerHealth(
                connected=False,
                api_responsive=False,
                last_check_timestamp=self._clock().timestamp(),
                error_message="this brokerage for asyncio is closed",
            )
        return await self._calls.read(self._broker.check_health, Lane.SESSION)

    async def get_account_id(self) -> str:
        """Return the account that this brokerage is bound to; stable across sessions."""
        return await self._calls.read(self._broker.get_account_id)

    # Reads.

    async def list_balances(self) -> list[Balance]:
        """Return what the account holds, by asset and wallet."""
        return await self._calls.read(self._broker.list_balances)

    async def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; zero where a complete read shows that there is none."""
        return await self._calls.read(lambda: self._broker.get_balance(asset))

    async def get_products(self) -> list[Product]:
        """Return everything that can be traded."""
        return await self._calls.read(self._broker.get_products)

    async def get_product(self, symbol: str) -> Product:
        """Return one product."""
        return await self._calls.read(lambda: self._broker.get_product(symbol))

    async def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid, in quote currency per unit."""
        return await self._calls.read(lambda: self._broker.get_price(symbol))

    async def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 best bid and ask, 2 aggregated, 3 single orders."""
        return await self._calls.read(lambda: self._broker.get_orderbook(symbol, level))

    async def get_order(self, order_id: str) -> Order:
        """Return an order that the broker still knows."""
        return await self._calls.read(lambda: self._broker.get_order(order_id))

    async def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every live order, and those that ended in the adapter's window, newest first."""
        return await self._calls.read(lambda: self._broker.list_orders(status))

    async def list_positions(self) -> list[Position]:
        """Return all exposure but cash and the spot assets that are kept as balances."""
        return await self._calls.read(self._broker.list_positions)

    async def get_position(self, symbol: str) -> Position | None:
        """Return one position; None when flat."""
        return await self._calls.read(lambda: self._broker.get_position(symbol))

    # Writes.

    async def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once; success means that the broker took it and gave an id."""
        request = self._with_id(order_request)
        executor = self._executor

        def place() -> OrderResult:
            if executor is None:
                return self._broker.place_order(request)
            return value_of(executor.submit(request))

        subject = WriteSubject(
            operation="place_order",
            client_order_ids=(request.client_order_id or "",),
            symbol=request.symbol,
        )
        return await self._calls.write(subject, place)

    async def cancel_order(self, order_id: str) -> bool:
        """Cancel a live order: True when accepted or pending, False when it had already ended."""
        subject = WriteSubject(operation="cancel_order", order_id=order_id)
        return await self._calls.write(subject, lambda: self._broker.cancel_order(order_id))

    async def close_position(self, symbol: str) -> OrderResult:
        """Send the order that closes a position; `close_guard` says what keeps it from turning."""
        executor = self._executor

        def close() -> OrderResult:
            if executor is None:
                return self._broker.close_position(symbol)
            return value_of(executor.close_position(symbol))

        return await self._calls.write(
            WriteSubject(operation="close_position", symbol=symbol), close
        )

    # Beyond the contract.

    async def for_account(self, account_id: str) -> IAsyncBrokerage:
        """Return a brokerage bound to another account of the same login, with its own threads.

        It has no executor, since a journal is of one account.
        """
        broker = self._able(SupportsAccounts)
        other = await self._calls.read(lambda: broker.for_account(account_id))
        return AsyncBrokerage(
            other,
            settings=self._settings,
            on_outcome=self._on_outcome,
            clock=self._clock,
            ids=self._ids,
        )

    async def get_outcome(self, client_order_id: str) -> WriteResult:
        """Return what came of the placement under a client id, as the placement would have.

        It waits for one that is under way. Where several were made under the id, the one counts
        that says most of the order: it was placed, else nobody knows, else it was not.

        Raises:
            InvalidRequestError: no write under that id is remembered.
            BrokerageError: what the placement raised; NOT_SENT where it was withdrawn in time.
        """
        writes = self._calls.ledger.under(client_order_id)
        for write in writes:
            await write.wait()
        for write in writes:
            write.hear()
        return self._calls.told(best_of(writes))

    def list_unheard(self) -> list[WriteRecord]:
        """Return the writes of which nobody heard what came of them, oldest first.

        Those that are under way are among them. They are kept until `get_outcome` or
        `forget_outcome` is called for them.
        """
        return [write.record() for write in self._calls.ledger.unheard()]

    def forget_outcome(self, record: WriteRecord) -> None:
        """Take it that somebody has heard of a write, such as a cancel, which has no client id."""
        for write in self._calls.ledger.unheard():
            if write.is_over and write.record() == record:
                write.hear()
                return

    async def aclose(self, timeout_s: float = CLOSE_TIMEOUT_S) -> list[WriteRecord]:
        """Take no more calls, end the streams, wait for writes, and disconnect. Twice is harmless.

        Args:
            timeout_s: how long to wait for writes that are under way, in seconds.

        Returns:
            The writes that have not ended: they go on, and `on_outcome` is not called for them
            unless their waits were cancelled.
        """
        if self._calls.is_closed:
            return []
        left = await self._calls.close(self._broker.disconnect, timeout_s)
        records = [write.record() for write in left]
        for record in records:
            _LOGGER.error("closed while a write was under way: %s", record)
        return records

    async def __aenter__(self) -> AsyncBrokerage:
        """Connect.

        Raises:
            BrokerageError: whatever `connect` raises.
        """
        try:
            await self.connect()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        await self.aclose()
