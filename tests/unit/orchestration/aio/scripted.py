"""A brokerage whose calls wait and end as a test says, and loops to await it in."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.interfaces import (
    IBrokerage,
    OrderRequest,
    OrderResult,
    OrderSide,
)
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_changes import OrderModification
from tests.unit.orchestration.fake_brokerage import FakeBrokerage

_T = TypeVar("_T")

PATIENCE_S = 20.0
"""How long a test waits for what will come, however busy the machine."""

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def request(client_order_id: str | None = "mine") -> OrderRequest:
    """An order."""
    return OrderRequest(
        symbol="BTC-USD",
        side=OrderSide.BUY,
        quantity=Decimal(1),
        client_order_id=client_order_id,
    )


def quote(bid: str) -> QuoteEvent:
    """An event of a stream, told from others by its bid."""
    return QuoteEvent(quote=Quote(symbol="BTC-USD", timestamp=NOW, bid=Decimal(bid)))


class Gate:
    """Where a call waits until a test lets it go on."""

    def __init__(self) -> None:
        self._entered = threading.Semaphore(0)
        self._let = threading.Event()

    def __call__(self) -> None:
        """Say that the call is here, and wait."""
        self._entered.release()
        assert self._let.wait(PATIENCE_S)

    def open(self) -> None:
        """Let every call go on."""
        self._let.set()

    async def entered(self) -> None:
        """Wait until a call is here."""
        await until(lambda: self._entered.acquire(blocking=False))


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)


class Scripted(FakeBrokerage):
    """Does what its `on_…` say, and counts threads."""

    capabilities = frozenset(
        {
            Capability.ORDER_MODIFICATION,
            Capability.OCO,
            Capability.QUOTE_STREAM,
            Capability.ACCOUNTS,
            Capability.LOGIN,
        }
    )

    def __init__(self) -> None:
        super().__init__("scripted")
        self.placed: list[OrderRequest] = []
        self.on_place: Callable[[], None] = lambda: None
        self.on_read: Callable[[], None] = lambda: None
        self.on_disconnect: Callable[[], None] = lambda: None
        self.events: list[QuoteEvent | StreamGap | BaseException | Gate] = []
        self.on_open: Callable[[], None] = lambda: None
        self.streams_open = 0
        self.opened = 0
        self.disconnects = 0
        self.logins: list[str] = []

    def disconnect(self) -> None:
        """Count."""
        self.on_disconnect()
        self.disconnects += 1

    def get_price(self, symbol: str) -> Decimal:
        """Wait as told, and answer."""
        self.on_read()
        return Decimal("7.5")

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Wait or fail as told, and take the order."""
        self.placed.append(order_request)
        self.on_place()
        return taken(order_request)

    def cancel_order(self, order_id: str) -> bool:
        """Wait or fail as told; it had already ended."""
        self.on_place()
        return False

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Take the change."""
        return OrderResult(success=True, client_order_id="mine", order_id=order_id)

    def place_oco(
        self, first: OrderRequest, second: OrderRequest
    ) -> tuple[OrderResult, OrderResult]:
        """Take both."""
        return taken(first), taken(second)

    def list_accounts(self) -> list[Any]:
        """There is none to tell."""
        return []

    def for_account(self, account_id: str) -> IBrokerage:
        """Another one."""
        return Scripted()

    def login_url(self) -> str:
        """A page."""
        return "https://example.org/login"

    def complete_login(self, fields: Any) -> None:
        """Take note."""
        self.logins.extend(fields)

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Yield `events`, then wait for the end."""
        return Stream(self)

    def yield_until(self, closed: threading.Event) -> Iterator[QuoteEvent | StreamGap]:
        """Yield, fail or wait as told."""
        for event in self.events:
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, Gate):
                event()
                continue
            yield event
        closed.wait(PATIENCE_S)

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """It is not declared."""
        raise AssertionError


class Stream:
    """A stream that only its own `__exit__` closes: none that is forgotten closes itself."""

    def __init__(self, broker: Scripted) -> None:
        self._broker = broker
        self._closed = threading.Event()

    def __enter__(self) -> Iterator[QuoteEvent | StreamGap]:
        self._broker.on_open()
        self._broker.streams_open += 1
        self._broker.opened += 1
        return self._broker.yield_until(self._closed)

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._broker.streams_open -= 1


def taken(order_request: OrderRequest) -> OrderResult:
    """The result of an order that was taken."""
    client_order_id = order_request.client_order_id or "made-by-the-broker"
    return OrderResult(success=True, client_order_id=client_order_id, order_id="1")


def run_in(loop_kind: str, coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine in a new loop of asyncio's or uvloop's."""
    factory: Any = asyncio.new_event_loop
    if loop_kind == "uvloop":
        factory = importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coroutine)
