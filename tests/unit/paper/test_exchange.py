"""The exchange behind a paper brokerage: its market, its time, its file, and what can fail."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import (
    BrokerUnavailableError,
    InvalidFieldError,
    InvalidRequestError,
    MarketDataUnavailableError,
    OrderOutcomeUnknownError,
    Outcome,
    TimeoutError,
)
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.market_data import Candle, Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.paper.account_file import AccountFile
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.errors import (
    AccountFileDamagedError,
    AccountFileInUseError,
)
from bot_v2.features.brokerages.paper.factory import create_paper
from bot_v2.features.brokerages.paper.settings import Durability, Pace, PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.feeds.brokerage_feed import BrokerageFeed
from bot_v2.simulation.market import MarketEvent
from tests.unit.paper.still_feed import START, Bench, StillFeed

ONE = Decimal(1)
MINUTE = timedelta(minutes=1)

BARS = """time,symbol,open,high,low,close,volume
2026-03-02T15:00:00+00:00,AAPL,100,101,99,100,1000
2026-03-02T15:01:00+00:00,AAPL,100,102,100,102,1000
2026-03-02T15:02:00+00:00,AAPL,102,103,95,96,1000
2026-03-02T15:03:00+00:00,AAPL,96,97,95,97,1000
"""


def buy(symbol: str = "AAPL", price: str | None = None) -> OrderRequest:
    """A request to buy one."""
    return OrderRequest(
        symbol=symbol,
        side=OrderSide.BUY,
        quantity=ONE,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        price=None if price is None else Decimal(price),
    )


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    """A file of four bars."""
    path = tmp_path / "bars.csv"
    path.write_text(BARS)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an account file may be."""
    return tmp_path / "account.sqlite"


def test_a_file_of_bars_is_replayed_at_its_own_times(bars: Path) -> None:
    """Orders fill at the bars that come after them, dated by the bars."""
    broker = create_paper({"feed": bars}, {})
    broker.connect()
    assert not broker.is_synthetic
    assert "bars.csv" in broker.market_description
    assert broker.get_price("AAPL") == Decimal(100)
    resting = broker.place_order(buy(price="96")).order_id
    assert resting is not None
    closes = [event.close for event in broker.replay() if isinstance(event, Candle)]
    assert closes == [Decimal(102), Decimal(96), Decimal(97)]
    order = broker.get_order(resting)
    assert (order.status, order.average_fill_price) == (OrderStatus.FILLED, Decimal(96))
    assert order.updated_at == datetime(2026, 3, 2, 15, 3, tzinfo=UTC)
    assert broker.advance() is None
    start = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    candles = broker.list_candles("AAPL", 2 * MINUTE, start, start + 4 * MINUTE)
    assert [candle.close for candle in candles] == [Decimal(102), Decimal(97)]
    assert all(candle.complete for candle in candles)


def test_a_replay_goes_on_after_the_accounts_last_step(bars: Path, path: Path) -> None:
    """A bar that has had its effect has none again; the candles before are still known."""
    settings = PaperSettings(feed=bars, account_file=path)
    first = PaperBrokerage(settings)
    first.connect()
    first.advance()
    first.place_order(buy())
    first.disconnect()
    second = PaperBrokerage(settings)
    second.connect()
    assert second.get_price("AAPL") == Decimal(96)
    assert len(second.list_fills()) == 1
    start = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    assert len(second.list_candles("AAPL", MINUTE, start, start + 4 * MINUTE)) == 3
    second.disconnect()


def test_a_market_that_follows_the_clock_is_not_advanced() -> None:
    """Time has one owner."""
    broker = PaperBrokerage()
    broker.connect()
    with pytest.raises(InvalidRequestError, match="replay"):
        broker.advance()


def test_only_the_chosen_products_are_traded(bars: Path) -> None:
    """A symbol that the market has not is refused by name; others are left out."""
    broker = PaperBrokerage(PaperSettings(symbols=("AAPL",)))
    broker.connect()
    assert [product.symbol for product in broker.get_products()] == ["AAPL"]
    for settings in (
        PaperSettings(symbols=("DOGE-USD",)),
        PaperSettings(feed=bars, symbols=("X",)),
    ):
        with pytest.raises(InvalidFieldError, match="SYMBOLS"):
            PaperBrokerage(settings).connect()


def test_a_bad_row_ends_a_replay_with_its_place(bars: Path) -> None:
    """What is no price is not skipped."""
    bars.write_text(BARS.replace("96,97,95,97", "96,97,95,much"))
    broker = create_paper({"feed": bars}, {})
    broker.connect()
    for _ in range(2):
        broker.advance()
    for _ in range(2):
        with pytest.raises(InvalidFieldError, match=r"line 5.*close"):
            broker.advance()


class Clocked(StillFeed):
    """Quotes that come by the second, and break off."""

    def __init__(self, quotes: int) -> None:
        super().__init__()
        self._count = quotes

    def events(self) -> Iterator[MarketEvent]:
        """Yield a quote per second, then fail."""
        for second in range(self._count):
            yield Quote(
                symbol="AAPL",
                timestamp=START + timedelta(seconds=second),
                bid=Decimal(100 + second),
                ask=Decimal(101 + second),
            )
        raise InvalidFieldError("prices.csv line 7: bid", "much", "a number", outcome=None)


def test_the_clock_moves_a_live_market_event_by_event() -> None:
    """Nothing happens before its time, and what is due happens in order, each at its own."""
    clock = ManualClock(START)
    broker = PaperBrokerage(PaperSettings(pace=Pace.LIVE), feed=Clocked(60), clock=clock)
    broker.connect()
    assert broker.get_quote("AAPL").bid == Decimal(100)
    request = OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        quantity=ONE,
        type=OrderType.STOP,
        stop_price=Decimal(110),
        time_in_force=TimeInForce.GTD,
        expires_at=START + timedelta(seconds=20),
    )
    order_id = broker.place_order(request).order_id
    assert order_id is not None
    clock.advance(30)
    order = broker.get_order(order_id)
    assert (order.status, order.average_fill_price) == (OrderStatus.FILLED, Decimal(110))
    assert order.updated_at == START + timedelta(seconds=9)
    assert broker.get_quote("AAPL").bid == Decimal(130)


def test_a_live_feed_that_fails_stops_prices_and_not_the_account() -> None:
    """Orders are neither placed nor valued by prices that nobody renews; they can be cancelled."""
    clock = ManualClock(START)
    broker = PaperBrokerage(PaperSettings(pace=Pace.LIVE), feed=Clocked(3), clock=clock)
    broker.connect()
    order_id = broker.place_order(buy(price="50")).order_id
    assert order_id is not None
    clock.advance(10)
    with pytest.raises(MarketDataUnavailableError, match="line 7"):
        broker.get_price("AAPL")
    with pytest.raises(MarketDataUnavailableError) as refusal:
        broker.place_order(buy())
    assert refusal.value.outcome is Outcome.REJECTED
    assert broker.get_order(order_id).status is OrderStatus.OPEN
    assert broker.cancel_order(order_id)
    assert broker.check_health().api_responsive


def test_another_brokerage_can_be_the_market() -> None:
    """Its prices are traded here; when it fails prices fail, and come back with it."""
    source = Bench()
    clock = ManualClock(START)
    feed = BrokerageFeed(source.broker, ["BTC-USD"], interval_s=1, clock=clock)
    broker = PaperBrokerage(feed=feed, clock=clock)
    broker.connect()
    assert "live" in broker.market_description
    assert broker.place_order(buy("BTC-USD")).order is not None
    assert broker.get_quote("BTC-USD").ask == Decimal(101)
    source.venue.inject(Fault.DROP_BEFORE_ACCEPT, "get_quote")
    clock.advance(1)
    with pytest.raises(MarketDataUnavailableError) as failure:
        broker.get_price("BTC-USD")
    assert isinstance(failure.value.__cause__, TimeoutError)
    source.set_market("BTC-USD", "110", "111")
    clock.advance(1)
    assert broker.get_quote("BTC-USD").ask == Decimal(111)
    assert source.broker.list_orders() == []


def test_one_call_buys_and_the_next_shows_the_position(path: Path) -> None:
    """Each command of a command line is a brokerage of its own; the file is what they share."""
    settings = {"account_file": path}
    first = create_paper(settings, {})
    first.connect()
    first.place_order(buy())
    price = first.get_price("AAPL")
    first.disconnect()
    second = create_paper(settings, {})
    second.connect()
    position = second.get_position("AAPL")
    assert position is not None
    assert position.quantity == ONE
    assert abs(second.get_price("AAPL") - price) < ONE
    assert second.close_position("AAPL").success
    second.disconnect()


def test_a_position_is_known_where_the_market_has_moved_on(path: Path, bars: Path) -> None:
    """An account opened on another feed still knows what it holds."""
    first = PaperBrokerage(PaperSettings(account_file=path))
    first.connect()
    first.place_order(OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, quantity=ONE / 4))
    first.disconnect()
    second = PaperBrokerage(PaperSettings(account_file=path, feed=bars, pace=Pace.LIVE))
    second.connect()
    position = second.get_position("BTC-USD")
    assert position is not None
    assert position.current_price is not None
    assert {product.symbol for product in second.get_products()} == {"AAPL", *symbols_of(first)}
    second.disconnect()


def symbols_of(broker: PaperBrokerage) -> set[str]:
    """The products that a brokerage knew."""
    return set(broker.session.products)


def test_a_file_is_held_from_connect_to_disconnect(path: Path) -> None:
    """A second brokerage is refused, says why, and is not connected."""
    settings = PaperSettings(account_file=path)
    first, second = PaperBrokerage(settings), PaperBrokerage(settings)
    first.connect()
    with pytest.raises(AccountFileInUseError):
        second.connect()
    assert not second.is_connected()
    first.disconnect()
    second.connect()
    second.disconnect()


def test_a_file_of_other_settings_is_refused_and_let_go(path: Path) -> None:
    """The account's kind cannot be changed by opening it; the file stays free for others."""
    first = PaperBrokerage(PaperSettings(account_file=path))
    first.connect()
    first.disconnect()
    other = PaperBrokerage(PaperSettings(account_file=path, account_id="other"))
    with pytest.raises(InvalidFieldError, match="account_id"):
        other.connect()
    first.connect()
    first.disconnect()


def test_a_file_whose_books_do_not_close_is_refused(path: Path) -> None:
    """An order that sets aside what the account has not is no account."""
    first = PaperBrokerage(PaperSettings(account_file=path))
    first.connect()
    first.place_order(buy(price="1"))
    first.disconnect()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE orders SET symbol = 'NONE'")
    connection.commit()
    connection.close()
    with pytest.raises(AccountFileDamagedError, match="NONE"):
        first.connect()
    AccountFile(path).close()


def test_a_journal_that_fails_leaves_the_outcome_to_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write is unknown, later calls are refused, and reconnecting tells what was stored."""
    bench = Bench(PaperSettings(account_file=path, durability=Durability.PROCESS))
    commit = AccountFile.commit

    def fail(file: AccountFile, change: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(AccountFile, "commit", fail)
    with pytest.raises(OrderOutcomeUnknownError) as failure:
        bench.broker.place_order(buy())
    assert failure.value.client_order_id == "id0"
    assert failure.value.operation == "place_order"
    monkeypatch.setattr(AccountFile, "commit", commit)
    with pytest.raises(BrokerUnavailableError) as refusal:
        bench.broker.place_order(buy())
    assert refusal.value.outcome in (Outcome.REJECTED, Outcome.NOT_SENT)
    with pytest.raises(BrokerUnavailableError):
        bench.broker.list_orders()
    bench.broker.disconnect()
    bench.broker.connect()
    assert bench.broker.list_orders() == []
    assert bench.broker.get_balance("USD").total == Decimal(100_000)
    bench.broker.disconnect()


def test_a_journal_that_fails_while_the_market_moves_is_no_unknown_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read has no outcome, also when what was due could not be stored."""
    bench = Bench(PaperSettings(account_file=path, durability=Durability.PROCESS))
    end = START + timedelta(seconds=5)
    request = OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        quantity=ONE,
        type=OrderType.LIMIT,
        price=ONE,
        time_in_force=TimeInForce.GTD,
        expires_at=end,
    )
    bench.broker.place_order(request)

    def fail(file: AccountFile, change: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(AccountFile, "commit", fail)
    bench.clock.advance(10)
    with pytest.raises(BrokerUnavailableError) as failure:
        bench.broker.list_orders()
    assert failure.value.outcome is None
    bench.broker.disconnect()


def test_two_sessions_share_one_account(path: Path) -> None:
    """Each sees what the other does, and the file is held until both have gone."""
    bench = Bench(PaperSettings(account_file=path, durability=Durability.PROCESS))
    other = bench.broker.another()
    assert not other.is_connected()
    other.connect()
    order_id = bench.broker.place_order(buy(price="40")).order_id
    assert order_id is not None
    with bench.broker.stream_orders() as events:
        assert other.cancel_order(order_id)
        event = next(events)
        assert isinstance(event, OrderEvent)
        assert event.order.status is OrderStatus.CANCELLED
    bench.broker.disconnect()
    assert other.get_order(order_id).status is OrderStatus.CANCELLED
    with pytest.raises(AccountFileInUseError):
        AccountFile(path)
    other.disconnect()
    AccountFile(path).close()


class Weekdays:
    """A market that is open from 15:00 to 16:00."""

    def is_open(self, moment: datetime) -> bool:
        """Return whether it is that hour."""
        return moment.hour == 15

    def session_end(self, moment: datetime) -> datetime:
        """Return four o'clock."""
        end = moment.replace(hour=16, minute=0, second=0, microsecond=0)
        return end if moment < end else end + timedelta(days=1)

    def next_open(self, moment: datetime) -> datetime:
        """Return three o'clock."""
        start = moment.replace(hour=15, minute=0, second=0, microsecond=0)
        return start if moment < start else start + timedelta(days=1)

    next_close = session_end


def test_sessions_bound_orders_unless_they_ask_for_more() -> None:
    """A DAY order ends with the session; only an extended-hours order trades outside it."""
    bench = Bench(calendar=Weekdays())
    day = buy(price="40")
    day_id = bench.broker.place_order(
        OrderRequest(
            symbol=day.symbol,
            side=day.side,
            quantity=ONE,
            type=OrderType.LIMIT,
            price=Decimal(40),
            time_in_force=TimeInForce.DAY,
        )
    ).order_id
    bench.venue.advance(3601)
    assert bench.broker.get_order(day_id or "").status is OrderStatus.EXPIRED
    assert not bench.broker.get_market_status("AAPL").is_open
    waits = bench.broker.place_order(buy()).order
    assert waits is not None
    assert waits.status is OrderStatus.OPEN
    extended = OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        quantity=ONE,
        type=OrderType.LIMIT,
        price=Decimal(60),
        extended_hours=True,
    )
    filled = bench.broker.place_order(extended).order
    assert filled is not None
    assert filled.status is OrderStatus.FILLED


def test_a_round_trip_takes_its_time_on_the_clock_in_use() -> None:
    """The caller waits for the round trip, half of it each way, and no test really does."""
    waited: list[float] = []
    broker = PaperBrokerage(PaperSettings(round_trip_s=0.5), wait=waited.append)
    broker.connect()
    waited.clear()
    broker.get_account_id()
    assert waited == [0.25, 0.25]


def test_a_venue_takes_the_market_over() -> None:
    """From then on the synthetic market rests, however long it is waited for."""
    clock = ManualClock(START)
    broker = PaperBrokerage(clock=clock)
    broker.connect()
    venue = PaperVenue(broker)
    venue.set_market("AAPL", Decimal(10), Decimal(11), ONE)
    clock.advance(100)
    assert broker.get_quote("AAPL").bid == Decimal(10)
    with pytest.raises(InvalidFieldError):
        venue.set_market("AAPL", Decimal(12), Decimal(11), ONE)
