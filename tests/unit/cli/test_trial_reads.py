"""Trying a brokerage: what fails, what is not there, and what is not asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.cli import trial
from bot_v2.cli.trial import TrialReport
from bot_v2.cli.trial_questions import Heard, first_of
from bot_v2.cli.trial_reads import TrialResult, Trials
from bot_v2.features.brokerages.core.access import Access
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    Capability,
    Fill,
    InsufficientFundsError,
    InvalidSymbolError,
    Order,
    OrderNotFoundError,
    OrderRequest,
    OrderSide,
    PermissionDeniedError,
    Product,
    QuoteEvent,
    RateLimitError,
    StreamGap,
    UnsupportedOperationError,
)
from tests.unit.cli.fakes import NOW, FakeBrokerage


class Tried(FakeBrokerage):
    """A brokerage that a test tells what to fail at."""

    capabilities: frozenset[Capability] = frozenset()
    unsupported: frozenset[str] = frozenset()

    def get_access(self) -> Access:
        """Tell nothing, or fail."""
        self._may_fail("get_access")
        return Access()

    def get_products(self) -> list[Product]:
        """Return the products, or fail."""
        self._may_fail("get_products")
        return super().get_products()

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order, or fail."""
        self._may_fail("get_order_by_client_id")
        return next(one for one in self.orders if one.client_order_id == client_order_id)

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return none, or fail."""
        self._may_fail("list_fills")
        return []

    def preview_order(self, order_request: OrderRequest) -> object:
        """Show it, or fail."""
        self._may_fail("preview_order")
        return order_request

    @contextmanager
    def stream_quotes(self, symbols: Sequence[str]) -> Iterator[Iterator[QuoteEvent | StreamGap]]:
        """Open a stream that says what a test says."""
        self._may_fail("stream_quotes")
        yield iter([StreamGap(timestamp=NOW, reason="a test", missed=None)])


def tried(broker: Any, symbol: str | None = None) -> dict[str, tuple[TrialResult, str]]:
    """Return the result of each operation, and what was found."""
    trials = Trials(broker, symbol, 0.2)
    trials.connect()
    trials.run()
    return {one.operation: (one.result, one.found) for one in trials.done}


def test_each_operation_fails_for_itself() -> None:
    """What one read says has nothing to do with the next."""
    broker = Tried()
    broker.failures = {
        "list_balances": RateLimitError("slower"),
        "get_price": PermissionDeniedError("no data"),
    }
    found = tried(broker)
    assert found["list_balances"] == (TrialResult.FAILED, "RateLimitError: slower")
    assert found["get_price BTC-USD"] == (TrialResult.FAILED, "PermissionDeniedError: no data")
    assert found["list_orders"] == (TrialResult.WORKS, "0 orders")
    assert broker.placed == []


def test_a_health_check_that_is_not_well_is_a_failure() -> None:
    """It never raises, so its words are read."""
    broker = Tried()
    broker.failures["check_health"] = BrokerageError("sick")
    assert tried(broker)["check_health"] == (TrialResult.FAILED, "sick")


def test_nothing_is_tried_without_a_connection() -> None:
    """The error that keeps it from connecting is the command's."""
    broker = Tried()
    broker.failures["connect"] = AuthenticationError("who?")
    with pytest.raises(AuthenticationError):
        tried(broker)


def test_without_a_list_likely_products_are_asked_for() -> None:
    """One that is not there says nothing of the broker, and does not show."""
    broker = Tried()
    broker.failures["get_products"] = UnsupportedOperationError("no list")
    broker.list_positions = list  # type: ignore[method-assign]  # nothing is held
    broker.get_product = lambda symbol: _only("EUR-USD", symbol)  # type: ignore[method-assign]  # this one's
    found = tried(broker)
    assert found["get_products"] == (TrialResult.UNSUPPORTED, "no list")
    assert found["get_product EUR-USD"][0] is TrialResult.WORKS
    assert [name for name in found if name.startswith("get_product ")] == ["get_product EUR-USD"]


def _only(name: str, symbol: str) -> Product:
    if symbol != name:
        raise InvalidSymbolError("no such product", symbol=symbol)
    product = FakeBrokerage().get_products()[0]
    return Product(
        symbol=symbol, market_type=product.market_type, quote_currency=product.quote_currency
    )


def test_a_product_that_was_asked_for_and_is_not_there_is_a_failure() -> None:
    """It was the user's word, and nothing else is asked about."""
    found = tried(Tried(), "NO-SUCH")
    assert found["get_product NO-SUCH"][0] is TrialResult.FAILED
    assert not [name for name in found if name.startswith("get_price")]


def test_what_needs_a_product_is_not_tried_without_one() -> None:
    """It is said so, with what to give."""
    broker = Tried()
    broker.capabilities = frozenset({Capability.QUOTES, Capability.FILLS})
    found = tried(broker, "NO-SUCH")
    assert found["quotes"] == (
        TrialResult.NOT_TRIED,
        "there is no product to ask about: give --symbol",
    )
    assert found["list_fills"][0] is TrialResult.WORKS


def test_an_order_that_is_listed_has_to_be_found() -> None:
    """A look-up that does not find what the list shows has failed; else there is none to find."""
    broker = Tried()
    broker.capabilities = frozenset({Capability.ORDER_LOOKUP})
    broker.failures["get_order_by_client_id"] = OrderNotFoundError("none")
    name = "get_order_by_client_id"
    assert tried(broker)[name] == (TrialResult.WORKS, "tells that there is none")
    broker.place_order(
        OrderRequest(
            symbol="BTC-USD", side=OrderSide.BUY, quantity=Decimal(1), client_order_id="mine"
        )
    )
    assert tried(broker)[name] == (TrialResult.FAILED, "OrderNotFoundError: none")
    del broker.failures["get_order_by_client_id"]
    assert tried(broker)[name] == (TrialResult.WORKS, "open")


def test_lacking_funds_show_that_a_preview_works() -> None:
    """The broker has looked at the order, which is what was asked."""
    broker = Tried()
    broker.capabilities = frozenset({Capability.ORDER_PREVIEW})
    broker.failures["preview_order"] = InsufficientFundsError("too poor")
    assert tried(broker)["preview_order"] == (TrialResult.WORKS, "answers: too poor")


def test_levels_that_are_declared_unsupported_are_not_asked() -> None:
    """`level>=2` refuses 2 and 3."""
    broker = Tried()
    broker.unsupported = frozenset({"get_orderbook:level>=2", "list_holdings"})
    found = tried(broker)
    assert [found[f"get_orderbook level {level}"][0] for level in (1, 2, 3)] == [
        TrialResult.WORKS,
        TrialResult.UNSUPPORTED,
        TrialResult.UNSUPPORTED,
    ]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (None, (TrialResult.WORKS, "open; StreamGap")),
        (RateLimitError("slower"), (TrialResult.FAILED, "RateLimitError: slower")),
    ],
)
def test_a_stream_is_opened_and_listened_to(
    failure: BrokerageError | None, expected: tuple[TrialResult, str]
) -> None:
    """The first that it tells is named."""
    broker = Tried()
    broker.capabilities = frozenset({Capability.QUOTE_STREAM})
    if failure is not None:
        broker.failures["stream_quotes"] = failure
    assert tried(broker)["stream_quotes"] == expected


def stream_of(events: Iterator[object]) -> AbstractContextManager[Iterator[object]]:
    """Return a stream of some events."""

    @contextmanager
    def opened() -> Iterator[Iterator[object]]:
        yield events

    return opened()


def failing() -> Iterator[object]:
    """Fail at the first event."""
    yield from (_fail() for _ in range(1))


def _fail() -> object:
    raise RateLimitError("slower")


def test_a_stream_that_fails_once_it_is_open_has_failed() -> None:
    """An error of the iterator is the stream's; an empty one has told nothing."""
    with pytest.raises(RateLimitError):
        first_of(stream_of(failing()), 5)
    heard = first_of(stream_of(iter(())), 5)
    assert isinstance(heard, Heard)
    assert heard.first is None


def test_access_that_cannot_be_read_is_a_failure() -> None:
    """It is one of the things that were tried."""
    broker = Tried()
    broker.failures["get_access"] = RateLimitError("slower")
    report: TrialReport = trial._try(broker, None, 0.2)
    assert report.failed == 1
    assert report.access is None
    assert report.trials[-1].operation == "get_access"
    assert broker.disconnections == 1
