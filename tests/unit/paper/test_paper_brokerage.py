"""The paper brokerage keeps the contract: outcomes, symbols, ids, closing, streams and faults."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.capabilities import (
    PROTOCOLS,
    Capability,
    SupportsCandles,
    SupportsFees,
    SupportsFills,
    SupportsMargin,
    SupportsOco,
    SupportsOrderLookup,
    SupportsOrderModification,
    SupportsOrderStream,
    SupportsQuotes,
    SupportsQuoteStream,
    methods_of,
    supports,
)
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    DuplicateOrderError,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    RateLimitError,
    SessionExpiredError,
    TimeoutError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import (
    Leg,
    OrderSide,
    OrderType,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from bot_v2.features.brokerages.paper import session
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.simulation.account import AccountKind
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.fees import MakerTakerFees
from tests.unit.paper.still_feed import START, Bench

ONE = Decimal(1)
JOIN_S = 20.0


def buy(symbol: str = "BTC-USD", quantity: str = "1", **terms: Any) -> OrderRequest:
    """A request to buy; at the market unless a price is given."""
    if "price" in terms:
        terms.setdefault("type", OrderType.LIMIT)
    return OrderRequest(symbol=symbol, side=OrderSide.BUY, quantity=Decimal(quantity), **terms)


def sell(symbol: str = "BTC-USD", quantity: str = "1", **terms: Any) -> OrderRequest:
    """A request to sell; at the market unless a price is given."""
    if "price" in terms:
        terms.setdefault("type", OrderType.LIMIT)
    return OrderRequest(symbol=symbol, side=OrderSide.SELL, quantity=Decimal(quantity), **terms)


@pytest.fixture
def bench() -> Bench:
    """A connected brokerage in a still market: BTC-USD 100/101, AAPL 50/51."""
    return Bench()


def test_the_first_order_takes_five_lines() -> None:
    """With nothing given, an order fills in a synthetic market that says what it is."""
    broker = PaperBrokerage()
    broker.connect()
    result = broker.place_order(buy(quantity="0.1"))
    assert result.order is not None
    assert result.order.status is OrderStatus.FILLED
    assert broker.is_synthetic
    assert "synthetic" in broker.market_description
    assert {product.symbol for product in broker.get_products()} == {
        "BTC-USD",
        "ETH-USD",
        "AAPL",
        "SPY",
        "EUR-USD",
    }


READS: dict[str, tuple[Any, ...]] = {
    "get_account_id": (),
    "list_balances": (),
    "get_balance": ("USD",),
    "get_products": (),
    "get_product": ("BTC-USD",),
    "get_price": ("BTC-USD",),
    "get_orderbook": ("BTC-USD",),
    "get_order": ("o-1",),
    "list_orders": (),
    "list_positions": (),
    "get_position": ("BTC-USD",),
    "get_order_by_client_id": ("mine",),
    "list_fills": (),
    "get_account": (),
    "get_margin": (),
    "get_order_margin": (buy(),),
    "get_quote": ("BTC-USD",),
    "list_candles": ("BTC-USD", timedelta(minutes=1), START, START),
    "get_market_status": ("BTC-USD",),
    "get_fees": ("BTC-USD",),
    "stream_orders": (),
    "stream_quotes": (["BTC-USD"],),
    "advance": (),
}
WRITES: dict[str, tuple[Any, ...]] = {
    "place_order": (buy(),),
    "cancel_order": ("o-1",),
    "close_position": ("BTC-USD",),
    "modify_order": ("o-1", OrderModification(price=ONE)),
    "place_oco": (sell(price=Decimal(200)), sell(stop_price=Decimal(50), type=OrderType.STOP)),
}


@pytest.mark.parametrize("method", [*READS, *WRITES])
def test_use_before_connect_is_refused(method: str) -> None:
    """Nothing can be asked or done before a session, nor after one; and nothing was sent."""
    bench = Bench(connect=False)
    arguments = {**READS, **WRITES}[method]
    for _ in range(2):
        with pytest.raises(ConnectionError) as refusal:
            getattr(bench.broker, method)(*arguments)
        assert refusal.value.outcome is Outcome.NOT_SENT
        bench.broker.connect()
        bench.broker.disconnect()


def test_connecting_and_disconnecting_twice_is_harmless(bench: Bench) -> None:
    """The account is where it was."""
    bench.broker.place_order(buy())
    before = bench.broker.list_positions()
    assert bench.broker.connect()
    bench.broker.disconnect()
    bench.broker.disconnect()
    assert not bench.broker.is_connected()
    assert bench.broker.connect()
    assert bench.broker.list_positions() == before


def test_health_is_told_and_never_raised(bench: Bench) -> None:
    """A check says what is wrong, dated by the clock, and keeps its timeout."""
    health = bench.broker.check_health()
    assert (health.connected, health.api_responsive) == (True, True)
    assert health.last_check_timestamp == START.timestamp()
    for fault in (Fault.DROP_BEFORE_ACCEPT, Fault.RESET_BEFORE, Fault.SERVER_ERROR):
        bench.venue.inject(fault, "check_health")
        health = bench.broker.check_health()
        assert not health.api_responsive
        assert health.error_message
    bench.broker.disconnect()
    assert not bench.broker.check_health().connected


def test_a_health_check_waits_for_nobody_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another call holds the exchange, the check ends in its own time."""
    monkeypatch.setattr(session, "HEALTH_TIMEOUT_S", 0.01)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with bench.broker.native.lock:
            held.set()
            done.wait(JOIN_S)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(JOIN_S)
    health = bench.broker.check_health()
    done.set()
    holder.join(JOIN_S)
    assert (health.connected, health.api_responsive) == (True, False)


def test_a_connect_that_fails_is_no_connection(bench: Bench) -> None:
    """It raises, and everything else says that there is no session; the next one works."""
    bench = Bench(connect=False)
    bench.venue.inject(Fault.RESET_BEFORE, "connect")
    with pytest.raises(ConnectionError):
        bench.broker.connect()
    assert not bench.broker.is_connected()
    with pytest.raises(ConnectionError):
        bench.broker.list_orders()
    assert bench.broker.connect()


@pytest.mark.parametrize("symbol", ["BTC-USD", "@BTC-USD"])
def test_symbols_are_accepted_in_every_spelling(bench: Bench, symbol: str) -> None:
    """The canonical name and the exchange's own are one product; answers are canonical."""
    result = bench.broker.place_order(buy(symbol))
    assert result.order is not None
    assert result.order.symbol == "BTC-USD"
    assert bench.broker.get_product(symbol).symbol == "BTC-USD"
    position = bench.broker.get_position(symbol)
    assert position is not None
    assert position.symbol == "BTC-USD"


def test_an_unknown_symbol_is_refused_before_anything_is_sent(bench: Bench) -> None:
    """No request reaches the exchange for a product that it has not."""
    with pytest.raises(InvalidSymbolError) as refusal:
        bench.broker.place_order(buy("DOGE-USD"))
    assert refusal.value.outcome is Outcome.NOT_SENT
    assert bench.venue.requests_received("place_order") == 0


@pytest.mark.parametrize(
    "request_",
    [
        buy(account_id="other"),
        buy(broker_options={"variety": "amo"}),
        buy(legs=(Leg(symbol="BTC-USD", side=OrderSide.BUY),)),
        buy(time_in_force=TimeInForce.OPG),
        buy(quantity="0.00001"),
        buy(price=Decimal("99.999")),
        buy(client_order_id="no spaces"),
        buy(client_order_id="x" * 65),
        sell(price=Decimal(100), take_profit=TakeProfit(price=Decimal("90.001"))),
    ],
    ids=lambda request_: str(request_)[:20],
)
def test_what_cannot_be_sent_as_asked_is_not_sent(bench: Bench, request_: OrderRequest) -> None:
    """Nothing is rounded, cut or dropped to make a request fit."""
    with pytest.raises(InvalidRequestError) as refusal:
        bench.broker.place_order(request_)
    assert refusal.value.outcome is Outcome.NOT_SENT
    assert bench.venue.requests_received("place_order") == 0
    assert bench.broker.list_orders() == []


def test_the_bound_account_may_be_named(bench: Bench) -> None:
    """A request for the account that the brokerage is bound to is taken."""
    assert bench.broker.place_order(buy(account_id=bench.broker.get_account_id())).success


def test_an_id_is_made_where_there_is_none_and_always_reported(bench: Bench) -> None:
    """The injected source makes ids; the caller's own are kept; both find the order."""
    made = bench.broker.place_order(buy())
    assert made.client_order_id == "id0"
    own = bench.broker.place_order(buy(client_order_id="Mine_1-a"))
    assert own.client_order_id == "Mine_1-a"
    for result in (made, own):
        found = bench.broker.get_order_by_client_id(result.client_order_id)
        assert found.order_id == result.order_id
    with pytest.raises(OrderNotFoundError):
        bench.broker.get_order_by_client_id("never")


def test_a_client_id_makes_one_order_for_ever(bench: Bench) -> None:
    """A second placement makes nothing, also after the first has ended."""
    first = bench.broker.place_order(buy(client_order_id="once"))
    assert first.order is not None
    assert first.order.status is OrderStatus.FILLED
    with pytest.raises(DuplicateOrderError) as refusal:
        bench.broker.place_order(buy(client_order_id="once"))
    assert refusal.value.outcome is Outcome.REJECTED
    assert len(bench.broker.list_orders()) == 1


def test_a_refusal_says_who_what_and_that_nothing_happened(bench: Bench) -> None:
    """The exchange's refusals are REJECTED, with the facts of the call."""
    with pytest.raises(InsufficientFundsError) as refusal:
        bench.broker.place_order(buy(quantity="5000", client_order_id="big"))
    error = refusal.value
    assert (error.outcome, error.broker, error.operation) == (
        Outcome.REJECTED,
        "paper",
        "place_order",
    )
    assert (error.account_id, error.symbol, error.client_order_id) == ("paper", "BTC-USD", "big")
    assert bench.broker.list_orders() == []


def test_cancelling_tells_accepted_from_ended_from_unknown(bench: Bench) -> None:
    """True, then False, then an error for what never was."""
    order_id = bench.broker.place_order(buy(price=Decimal(90))).order_id
    assert order_id is not None
    assert bench.broker.cancel_order(order_id) is True
    assert bench.broker.get_order(order_id).status is OrderStatus.CANCELLED
    assert bench.broker.cancel_order(order_id) is False
    with pytest.raises(OrderNotFoundError):
        bench.broker.cancel_order("never")


def test_an_order_is_changed_in_place(bench: Bench) -> None:
    """A better limit fills; the ids stay."""
    placed = bench.broker.place_order(buy(price=Decimal(90)))
    assert placed.order_id is not None
    changed = bench.broker.modify_order(placed.order_id, OrderModification(price=Decimal(101)))
    assert (changed.order_id, changed.client_order_id) == (placed.order_id, "id0")
    assert bench.broker.get_order(placed.order_id).status is OrderStatus.FILLED


def test_balances_positions_and_summary_agree(bench: Bench) -> None:
    """Money is where the trades put it, to the last digit."""
    bench = Bench(fees=MakerTakerFees(maker=Decimal(0), taker=Decimal("0.001")))
    bench.broker.place_order(buy(quantity="2"))
    cash = bench.broker.get_balance("USD")
    assert cash.total == Decimal("99797.798")
    assert cash.available is not None
    assert cash.hold is not None
    assert cash.total == cash.available + cash.hold
    assert bench.broker.get_balance("BTC").total == 2
    assert bench.broker.get_balance("DOGE").total == 0
    with pytest.raises(InvalidFieldError):
        bench.broker.get_balance("")
    position = bench.broker.get_position("BTC-USD")
    assert position is not None
    assert (position.quantity, position.entry_price) == (Decimal(2), Decimal(101))
    account = bench.broker.get_account()
    assert account.equity is not None
    assert account.cash == cash.total
    (fill,) = bench.broker.list_fills()
    assert (fill.quantity, fill.price, fill.fee) == (Decimal(2), Decimal(101), Decimal("0.202"))
    assert bench.broker.list_fills(since=START + timedelta(seconds=1)) == []
    assert bench.broker.get_fees("BTC-USD").taker == Decimal("0.001")


def test_a_flat_position_is_none_and_cannot_be_closed(bench: Bench) -> None:
    """Closing nothing is an error, and places nothing."""
    assert bench.broker.get_position("AAPL") is None
    with pytest.raises(InvalidRequestError) as refusal:
        bench.broker.close_position("AAPL")
    assert refusal.value.outcome is Outcome.REJECTED
    assert bench.broker.list_orders() == []


def test_what_the_exchange_refuses_was_sent(bench: Bench) -> None:
    """An end in the past is seen by the exchange's clock: the call arrived, and is REJECTED."""
    past = buy(
        type=OrderType.LIMIT,
        price=Decimal(90),
        time_in_force=TimeInForce.GTD,
        expires_at=START - timedelta(days=1),
    )
    with pytest.raises(InvalidFieldError, match="expires_at") as refusal:
        bench.broker.place_order(past)
    assert refusal.value.outcome is Outcome.REJECTED
    assert bench.broker.session.link.requests_received("place_order") == 1
    assert bench.broker.list_orders() == []


@pytest.mark.parametrize("symbol", ["AAPL", "BTC-USD"])
def test_closing_a_position_leaves_it_flat(bench: Bench, symbol: str) -> None:
    """All of it is sold by one reduce-only order."""
    bench.broker.place_order(buy(symbol, "3"))
    result = bench.broker.close_position(symbol)
    assert result.order is not None
    assert result.order.status is OrderStatus.FILLED
    assert bench.broker.get_position(symbol) is None


def test_closing_a_short_position_buys(bench: Bench) -> None:
    """What was sold short is bought back."""
    bench = Bench(PaperSettings(account_kind=AccountKind.MARGIN))
    bench.broker.place_order(sell("AAPL", "3", position_effect=PositionEffect.OPEN))
    result = bench.broker.close_position("AAPL")
    assert result.order is not None
    assert result.order.side is OrderSide.BUY
    assert bench.broker.get_position("AAPL") is None


def test_market_reads_tell_the_market(bench: Bench) -> None:
    """Price, quote, book and status agree, and a third level is said not to be there."""
    quote = bench.broker.get_quote("BTC-USD")
    assert (quote.bid, quote.ask, quote.timestamp) == (Decimal(100), Decimal(101), START)
    assert bench.broker.get_price("BTC-USD") == Decimal("100.5")
    for level in (1, 2):
        book = bench.broker.get_orderbook("BTC-USD", level)
        assert (book.bids[0].price, book.asks[0].price) == (Decimal(100), Decimal(101))
    with pytest.raises(UnsupportedOperationError):
        bench.broker.get_orderbook("BTC-USD", 3)
    assert "get_orderbook:level>=3" in bench.broker.unsupported
    for level in (0, -1, True):
        with pytest.raises(InvalidFieldError):
            bench.broker.get_orderbook("BTC-USD", level)
    assert bench.broker.get_market_status("BTC-USD").is_open


def test_candles_are_gathered_from_what_the_market_showed(bench: Bench) -> None:
    """Mid prices of the quotes make minutes; other intervals that cannot be made are refused."""
    bench.set_market("BTC-USD", "104", "105")
    end = START + timedelta(minutes=1)
    (candle,) = bench.broker.list_candles("BTC-USD", timedelta(minutes=1), START, end)
    assert (candle.open, candle.close) == (Decimal("100.5"), Decimal("104.5"))
    assert not candle.complete
    with pytest.raises(MarketDataUnavailableError):
        bench.broker.list_candles("BTC-USD", timedelta(seconds=7), START, end)


def test_brackets_and_oco_exit_once(bench: Bench) -> None:
    """A bracket's stop ends its target; of a pair, the fill of one cancels the other."""
    entry = bench.broker.place_order(
        buy(take_profit=TakeProfit(price=Decimal(120)), stop_loss=StopLoss(stop_price=Decimal(90)))
    )
    assert entry.order is not None
    exits = [order for order in bench.broker.list_orders() if order.parent_order_id]
    assert {order.type for order in exits} == {OrderType.LIMIT, OrderType.STOP}
    bench.set_market("BTC-USD", "120", "121")
    ended = {order.order_id: order.status for order in bench.broker.list_orders()}
    assert sorted(ended[order.order_id] for order in exits) == ["cancelled", "filled"]
    bench.broker.place_order(buy("AAPL", "1"))
    first, second = bench.broker.place_oco(
        sell("AAPL", "1", price=Decimal(60)),
        sell("AAPL", "1", stop_price=Decimal(40), type=OrderType.STOP),
    )
    bench.set_market("AAPL", "39", "40")
    assert bench.broker.get_order(first.order_id or "").status is OrderStatus.CANCELLED
    assert bench.broker.get_order(second.order_id or "").status is OrderStatus.FILLED


def test_orders_expire_by_the_exchanges_clock(bench: Bench) -> None:
    """A GTD order ends at its moment, and not before."""
    end = START + timedelta(minutes=5)
    request = buy(price=Decimal(90), time_in_force=TimeInForce.GTD, expires_at=end)
    order_id = bench.broker.place_order(request).order_id
    assert order_id is not None
    bench.venue.advance(299)
    assert bench.broker.get_order(order_id).status is OrderStatus.OPEN
    bench.clock.advance(2)
    assert bench.broker.get_order(order_id).status is OrderStatus.EXPIRED


def test_latency_lets_the_market_move_first() -> None:
    """An order that is under way fills at the prices that it finds."""
    bench = Bench(PaperSettings(latency_s=1.0))
    order_id = bench.broker.place_order(buy()).order_id
    assert order_id is not None
    bench.set_market("BTC-USD", "110", "111")
    assert bench.broker.get_order(order_id).filled_quantity == 0
    bench.clock.advance(1)
    assert bench.broker.get_order(order_id).average_fill_price == Decimal(111)


@pytest.mark.parametrize(
    ("fault", "error", "outcome", "effect"),
    [
        (Fault.RESET_BEFORE, ConnectionError, Outcome.NOT_SENT, 0),
        (Fault.DROP_AFTER_ACCEPT, OrderOutcomeUnknownError, Outcome.UNKNOWN, 1),
        (Fault.DROP_BEFORE_ACCEPT, OrderOutcomeUnknownError, Outcome.UNKNOWN, 0),
        (Fault.RESET_AFTER, OrderOutcomeUnknownError, Outcome.UNKNOWN, 1),
        (Fault.SERVER_ERROR, OrderOutcomeUnknownError, Outcome.UNKNOWN, 1),
        (Fault.UNAVAILABLE, OrderOutcomeUnknownError, Outcome.UNKNOWN, 0),
        (Fault.RATE_LIMIT, RateLimitError, Outcome.REJECTED, 0),
        (Fault.SESSION_EXPIRED, SessionExpiredError, Outcome.REJECTED, 0),
    ],
)
def test_a_fault_on_a_write_says_what_can_be_known(
    bench: Bench, fault: Fault, error: type[BrokerageError], outcome: Outcome, effect: int
) -> None:
    """Whatever goes wrong, the outcome is no more certain than it is."""
    bench.venue.inject(fault, "place_order")
    with pytest.raises(error) as failure:
        bench.broker.place_order(buy(client_order_id="one"))
    assert failure.value.outcome is outcome
    assert failure.value.client_order_id == "one"
    received = bench.venue.orders_received()
    assert [order.client_order_id for order in received] == ["one"] * effect
    assert bench.venue.requests_received("place_order") == (fault is not Fault.RESET_BEFORE)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RESET_BEFORE, ConnectionError),
        (Fault.DROP_AFTER_ACCEPT, TimeoutError),
        (Fault.DROP_BEFORE_ACCEPT, TimeoutError),
        (Fault.RESET_AFTER, ConnectionError),
        (Fault.SERVER_ERROR, BrokerUnavailableError),
        (Fault.UNAVAILABLE, BrokerUnavailableError),
        (Fault.RATE_LIMIT, RateLimitError),
        (Fault.SESSION_EXPIRED, SessionExpiredError),
    ],
)
def test_a_fault_on_a_read_is_never_an_answer(
    bench: Bench, fault: Fault, error: type[BrokerageError]
) -> None:
    """A read that fails raises: it is neither empty nor old, and has no outcome."""
    bench.broker.place_order(buy())
    for method, arguments in READS.items():
        if method in ("stream_orders", "stream_quotes", "advance"):
            continue
        bench.venue.inject(fault, method)
        with pytest.raises(error) as failure:
            getattr(bench.broker, method)(*arguments)
        assert failure.value.outcome is None
        bench.broker.connect()


def test_an_expired_session_is_known_and_renewed(bench: Bench) -> None:
    """Calls are refused until the next connect, which renews the session."""
    bench.venue.inject(Fault.SESSION_EXPIRED)
    with pytest.raises(SessionExpiredError):
        bench.broker.list_orders()
    assert not bench.broker.is_connected()
    with pytest.raises(SessionExpiredError):
        bench.broker.list_orders()
    bench.broker.connect()
    assert bench.broker.list_orders() == []


def test_stale_reads_show_the_account_before_the_latest_write(bench: Bench) -> None:
    """An order that was placed is not seen, until reads are fresh again."""
    bench.venue.inject(Fault.STALE_READ)
    result = bench.broker.place_order(buy(client_order_id="late"))
    assert bench.broker.list_orders() == []
    assert bench.broker.list_fills() == []
    assert bench.broker.get_position("BTC-USD") is None
    with pytest.raises(OrderNotFoundError):
        bench.broker.get_order_by_client_id("late")
    bench.venue.clear_faults()
    assert bench.broker.get_order_by_client_id("late").order_id == result.order_id


def test_a_clock_that_is_off_shows_in_times_and_in_searches(bench: Bench) -> None:
    """The exchange's times are its own; a search by our time can miss what it should find."""
    bench.venue.inject(Fault.CLOCK_SKEW)
    bench.broker.place_order(buy())
    (fill,) = bench.broker.list_fills()
    assert fill.timestamp < START
    assert bench.broker.list_fills(since=START) == []
    assert bench.broker.list_fills(since=fill.timestamp) == [fill]
    bench.venue.clear_faults()
    assert len(bench.broker.list_fills(since=START)) == 1


def test_a_late_fill_is_booked_on_the_evidence(bench: Bench) -> None:
    """A fill from before the cancel arrives after it: the money moves, the end stays."""
    order_id = bench.broker.place_order(buy(price=Decimal(90), quantity="2")).order_id
    assert order_id is not None
    bench.venue.fill(order_id, Decimal("0.5"), Decimal(90))
    bench.broker.cancel_order(order_id)
    bench.venue.late_fill(order_id, Decimal("0.5"), Decimal(90))
    order = bench.broker.get_order(order_id)
    assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, ONE)
    assert bench.broker.get_balance("BTC").total == ONE


def test_the_order_stream_tells_each_change(bench: Bench) -> None:
    """Taken, partly filled and filled, in order, with the executions."""
    with bench.broker.stream_orders() as events:
        bench.broker.place_order(buy(quantity="2", price=Decimal(90)))
        bench.set_market("BTC-USD", "88", "89", size="0.5")
        bench.set_market("BTC-USD", "88", "89", size="5")
        seen: list[tuple[str, Decimal | None]] = []
        while not seen or seen[-1][0] != "filled":
            event = next(events)
            assert isinstance(event, OrderEvent)
            fill = None if event.fill is None else event.fill.quantity
            seen.append((event.order.status.value, fill))
    assert [status for status, fill in seen if fill is None][-1:] == ["open"]
    filled = [fill for _, fill in seen if fill is not None]
    assert filled == [Decimal("0.5"), Decimal("1.5")]
    assert list(events) == []


def test_the_quote_stream_tells_changes_of_what_was_asked_for(bench: Bench) -> None:
    """Another product and a repeated quote are not told."""
    with bench.broker.stream_quotes(["@BTC-USD"]) as events:
        bench.set_market("AAPL", "60", "61")
        bench.set_market("BTC-USD", "100", "101")
        bench.set_market("BTC-USD", "102", "103")
        event = next(events)
    assert isinstance(event, QuoteEvent)
    assert (event.quote.symbol, event.quote.bid) == ("BTC-USD", Decimal(102))


def test_streams_commit_faults(bench: Bench) -> None:
    """A stream says everything twice, or nothing, while it is told to."""
    with bench.broker.stream_quotes(["BTC-USD"]) as events:
        bench.venue.inject(Fault.MUTE_STREAM)
        bench.set_market("BTC-USD", "102", "103")
        bench.venue.clear_faults()
        bench.venue.inject(Fault.DUPLICATE_EVENT)
        bench.set_market("BTC-USD", "104", "105")
        bids = [
            event.quote.bid
            for event in (next(events), next(events))
            if isinstance(event, QuoteEvent)
        ]
    assert bids == [Decimal(104), Decimal(104)]


def test_disconnecting_ends_the_streams(bench: Bench) -> None:
    """A reader that waits is let go."""
    ended = threading.Event()

    def read() -> None:
        with bench.broker.stream_orders() as events:
            started.set()
            for _ in events:
                pass
        ended.set()

    started = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    assert started.wait(JOIN_S)
    bench.broker.disconnect()
    reader.join(JOIN_S)
    assert ended.is_set()


def test_a_waiting_stream_moves_a_live_market() -> None:
    """Nobody else calls, and yet the synthetic market goes on."""
    broker = PaperBrokerage()
    broker.connect()
    with broker.stream_quotes(["BTC-USD"]) as events:
        event = next(events)
    assert isinstance(event, QuoteEvent)
    broker.disconnect()


def test_many_threads_make_one_account(bench: Bench) -> None:
    """Orders from several threads are each made once, and the money adds up."""
    failures: list[BaseException] = []

    def trade(side: OrderSide) -> None:
        try:
            for _ in range(50):
                request = OrderRequest(symbol="AAPL", side=side, quantity=ONE)
                bench.broker.place_order(request)
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    bench.broker.place_order(buy("AAPL", "500"))
    threads = [
        threading.Thread(target=trade, args=(side,)) for side in (OrderSide.BUY, OrderSide.SELL) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_S)
    assert failures == []
    assert len(bench.broker.list_orders()) == 201
    position = bench.broker.get_position("AAPL")
    assert position is not None
    assert position.quantity == 500


def test_it_works_inside_a_running_event_loop(bench: Bench) -> None:
    """No method needs, makes or blocks on an event loop of its own."""

    async def trade() -> None:
        bench.broker.place_order(buy())

    asyncio.run(trade())
    assert len(bench.broker.list_orders()) == 1


def test_declared_capabilities_are_there() -> None:
    """Every declared protocol's methods exist, and every protocol that fits is declared."""
    broker = PaperBrokerage()
    for capability, protocol in PROTOCOLS.items():
        names = methods_of(capability)
        if protocol is not None:
            present = all(hasattr(broker, name) for name in names)
            assert present == (capability in broker.capabilities), capability
    declared: tuple[Any, ...] = (
        SupportsCandles,
        SupportsFees,
        SupportsFills,
        SupportsMargin,
        SupportsOco,
        SupportsOrderLookup,
        SupportsOrderModification,
        SupportsOrderStream,
        SupportsQuotes,
        SupportsQuoteStream,
    )
    assert all(supports(broker, protocol) for protocol in declared)
    assert Capability.MULTI_LEG not in broker.capabilities


def test_notional_fractional_trailing_and_margin_are_exercised() -> None:
    """Each declared feature of a request does what its name says."""
    bench = Bench(PaperSettings(account_kind=AccountKind.MARGIN))
    notional = OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, notional=Decimal("50.5"))
    result = bench.broker.place_order(notional)
    assert result.order is not None
    assert result.order.filled_quantity == Decimal("0.5")
    trail = sell(quantity="0.5", type=OrderType.TRAILING_STOP, trail_percent=Decimal(5))
    trailing = bench.broker.place_order(trail)
    bench.set_market("BTC-USD", "200", "201")
    bench.set_market("BTC-USD", "189", "190")
    assert bench.broker.get_order(trailing.order_id or "").status is OrderStatus.FILLED
    before = bench.broker.get_margin()
    then = bench.broker.get_order_margin(buy("AAPL", "100"))
    assert before.initial_margin is not None
    assert then.initial_margin is not None
    assert then.initial_margin > before.initial_margin
    assert bench.broker.list_fills()[-1].symbol == "BTC-USD"


def test_the_clock_may_go_backwards(bench: Bench) -> None:
    """The machine's clock is set back: the exchange's time stands until it has caught up."""
    moments = [START, START - timedelta(hours=1), START + timedelta(seconds=1)]
    broker = PaperBrokerage(clock=lambda: moments.pop(0) if len(moments) > 1 else moments[0])
    broker.connect()
    placed = broker.place_order(buy(quantity="0.1")).order
    assert placed is not None
    assert placed.timestamp is not None
    assert placed.timestamp >= START


def test_post_only_is_refused_rather_than_taking(bench: Bench) -> None:
    """An order that would take liquidity is not silently made to."""
    with pytest.raises(OrderRejectedError) as refusal:
        bench.broker.place_order(buy(price=Decimal(101), post_only=True))
    assert refusal.value.outcome is Outcome.REJECTED
