"""A brokerage for asyncio behind the methods of IBrokerage, so that the suite can be run on it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, TypeVar

from bot_v2.features.brokerages.core.capabilities import PROTOCOLS, methods_of
from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    BrokerHealth,
    Order,
    Orderbook,
    OrderRequest,
    OrderResult,
    OrderStatus,
    Position,
    Product,
)
from bot_v2.orchestration.async_brokerage import AsyncBrokerage

_T = TypeVar("_T")

DECLARED: Final = (
    "name",
    "environment",
    "capabilities",
    "unsupported",
    "idempotency",
    "order_history",
    "close_guard",
    "balance_identity",
    "spot_as_positions",
    "native",
)
STREAMS: Final = ("stream_quotes", "stream_orders")


def blocking(signature: inspect.Signature) -> inspect.Signature:
    """The signature of a coroutine, with what it is called in IBrokerage."""
    returned = str(signature.return_annotation)
    for here, there in (
        ("AbstractAsyncContextManager", "AbstractContextManager"),
        ("AsyncIterator", "Iterator"),
        ("IAsyncBrokerage", "IBrokerage"),
    ):
        returned = returned.replace(here, there)
    return signature.replace(return_annotation=returned)


class LoopThread:
    """A loop that runs in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the loop, and return or raise what comes of it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def close(self) -> None:
        """End the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@contextmanager
def loop_thread() -> Iterator[LoopThread]:
    """A loop for as long as the block lasts."""
    thread = LoopThread()
    try:
        yield thread
    finally:
        thread.close()


class AsyncTwin:
    """Drives an AsyncBrokerage; what it does not declare is not there."""

    def __init__(self, broker: AsyncBrokerage, thread: LoopThread) -> None:
        self.under_test = broker
        self._wait = thread.wait
        self._thread = thread

    def __repr__(self) -> str:
        return f"AsyncTwin({self.under_test!r})"

    def __getattr__(self, name: str) -> Any:
        if name in DECLARED:
            return getattr(self.under_test, name)
        offered = {
            method
            for capability in self.under_test.capabilities
            if PROTOCOLS[capability]
            for method in methods_of(capability)
        }
        if name not in offered:
            raise AttributeError(name)
        method = getattr(self.under_test, name)

        def call(*given: Any, **named: Any) -> Any:
            if name in STREAMS:
                return StreamTwin(lambda: method(*given, **named), self._thread)
            result = self._wait(method(*given, **named))
            return AsyncTwin(result, self._thread) if name == "for_account" else result

        vars(call)["__signature__"] = blocking(inspect.signature(method))
        return call

    def connect(self) -> bool:
        """Drive the coroutine."""
        return self._wait(self.under_test.connect())

    def disconnect(self) -> None:
        """Drive the coroutine."""
        self._wait(self.under_test.disconnect())

    def is_connected(self) -> bool:
        """Drive the coroutine."""
        return self._wait(self.under_test.is_connected())

    def check_health(self) -> BrokerHealth:
        """Drive the coroutine."""
        return self._wait(self.under_test.check_health())

    def get_account_id(self) -> str:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_account_id())

    def list_balances(self) -> list[Balance]:
        """Drive the coroutine."""
        return self._wait(self.under_test.list_balances())

    def get_balance(self, asset: str) -> Balance:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_balance(asset))

    def get_products(self) -> list[Product]:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_products())

    def get_product(self, symbol: str) -> Product:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_product(symbol))

    def get_price(self, symbol: str) -> Decimal:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_price(symbol))

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_orderbook(symbol, level))

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Drive the coroutine."""
        return self._wait(self.under_test.place_order(order_request))

    def cancel_order(self, order_id: str) -> bool:
        """Drive the coroutine."""
        return self._wait(self.under_test.cancel_order(order_id))

    def get_order(self, order_id: str) -> Order:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_order(order_id))

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Drive the coroutine."""
        return self._wait(self.under_test.list_orders(status))

    def list_positions(self) -> list[Position]:
        """Drive the coroutine."""
        return self._wait(self.under_test.list_positions())

    def get_position(self, symbol: str) -> Position | None:
        """Drive the coroutine."""
        return self._wait(self.under_test.get_position(symbol))

    def close_position(self, symbol: str) -> OrderResult:
        """Drive the coroutine."""
        return self._wait(self.under_test.close_position(symbol))


class StreamTwin:
    """A stream for asyncio behind the methods of one that blocks."""

    def __init__(
        self,
        make: Callable[[], AbstractAsyncContextManager[AsyncIterator[Any]]],
        thread: LoopThread,
    ) -> None:
        self._stream = make()
        self._wait = thread.wait

    def __enter__(self) -> Iterator[Any]:
        self._events = self._wait(self._stream.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._wait(self._stream.__aexit__(None, None, None))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._wait(_next(self._events))
        except StopAsyncIteration:
            raise StopIteration from None


async def _next(events: AsyncIterator[Any]) -> Any:
    return await anext(events)
