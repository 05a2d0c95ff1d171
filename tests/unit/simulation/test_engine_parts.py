"""The parts of the engine that only show under load, or where the engine itself would be wrong."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.simulation.ledger import FEES, MARKET, WALLET, Ledger, LedgerError
from bot_v2.simulation.queues import PriceQueue
from bot_v2.simulation.records import OrderRecord
from bot_v2.simulation.timetable import Due, Timetable
from tests.unit.simulation.markets import BUY, START, Bench


def waiting(number: int) -> OrderRecord:
    """Return a live order that waits."""
    return OrderRecord(
        order_id=f"o-{number}",
        client_order_id=None,
        number=number,
        symbol="BTC-USD",
        side=BUY,
        type=api.OrderType.LIMIT,
        time_in_force=api.TimeInForce.GTC,
        status=api.OrderStatus.OPEN,
        created_at=START,
        updated_at=START,
        priority=number,
    )


def test_a_queue_serves_by_price_then_by_age_and_forgets_who_left() -> None:
    """A purchase's queue begins with the highest price."""
    queue = PriceQueue(descending=True)
    records = [waiting(number) for number in range(1, 5)]
    for record, price in zip(records, (D(98), D(99), D(99), D(97)), strict=True):
        queue.add(price, record)
    served = []
    while (first := queue.first()) is not None:
        served.append((first.number, queue.first_price()))
        queue.leave(first)
    assert served == [(2, D(99)), (3, D(99)), (1, D(98)), (4, D(97))]
    assert (len(queue), queue.first_price(), queue.records()) == (0, None, [])


def test_a_queue_does_not_grow_with_those_who_left() -> None:
    """Orders that come and go far from the market are swept out of the heap."""
    queue = PriceQueue(descending=False)
    queue.add(D(1), waiting(1))
    for number in range(2, 5_000):
        record = waiting(number)
        queue.add(D(number), record)
        queue.leave(record)
    assert len(queue) == len(queue.records()) == 1
    assert len(queue._heap) < 100


def test_a_timetable_does_not_grow_with_orders_that_ended() -> None:
    """An order that ended before its time leaves nothing behind for long."""
    timetable = Timetable()
    for number in range(1, 5_000):
        record = waiting(number)
        record.expires_at = START
        timetable.add(START, Due.EXPIRY, record)
        record.status = api.OrderStatus.CANCELLED
    assert len(timetable._heap) < 200
    assert timetable.pop_until(START) is None


def test_an_ended_order_cannot_be_moved_on() -> None:
    """Were the engine to try, it would stop rather than go on wrongly."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "1")
    record = bench.engine._desk.find(order.order_id)
    with pytest.raises(RuntimeError, match="may not follow"):
        bench.engine._desk.set_status(record, api.OrderStatus.OPEN)


def test_a_step_that_fails_half_way_stops_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is half done is neither stored nor built upon."""
    bench = Bench()
    bench.quote("99", "101")

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.engine._matcher, "after_fill", fail)
    with pytest.raises(ZeroDivisionError):
        bench.place(BUY, "1")
    with pytest.raises(api.BrokerUnavailableError, match="half way"):
        bench.place(BUY, "1")


def test_a_transfer_is_two_entries_that_sum_to_zero() -> None:
    """What leaves one account comes to another, exactly, whatever the digits."""
    ledger = Ledger()
    ledger.transfer("t", MARKET, WALLET, "USD", D("1E-30"))
    ledger.transfer("t", WALLET, FEES, "USD", D("-123456789012345678901234567890.1"))
    ledger.transfer("t", WALLET, FEES, "USD", D(0))
    assert len(ledger) == 2
    total = D(0)
    for entry in ledger.entries():
        total = EXACT.add(total, entry.amount)  # sum() would round to 28 digits
    assert total == 0
    exact = D("123456789012345678901234567890.100000000000000000000000000001")
    assert ledger.wallet("USD") == exact
    ledger.verify()


@pytest.mark.parametrize("account", [WALLET, FEES])
def test_a_balance_that_is_not_its_entries_is_found(account: str) -> None:
    """Nobody can change a balance but by a transfer."""
    ledger = Ledger()
    ledger.transfer("t", MARKET, WALLET, "USD", D(5))
    ledger.transfer("t", WALLET, FEES, "USD", D(1))
    ledger._balances[account]["USD"] += 1
    with pytest.raises(LedgerError, match=account):
        ledger.verify()


def test_what_the_market_does_not_say_is_not_shown() -> None:
    """No price, no quote and no book before the first event; no sizes where there are none."""
    bench = Bench()
    engine = bench.engine
    for read in (engine.get_price, engine.get_quote, engine.get_orderbook):
        with pytest.raises(api.MarketDataUnavailableError):
            read("BTC-USD")
    bench.quote("99", "101")
    assert engine.get_price("BTC-USD") == 100
    with pytest.raises(api.MarketDataUnavailableError):
        engine.get_orderbook("BTC-USD")
    with pytest.raises(api.UnsupportedOperationError):
        engine.get_orderbook("BTC-USD", 3)
    bench.quote("99", "101", "2", last="100.5")
    assert engine.get_price("BTC-USD") == D("100.5")
    bench.place(BUY, "0.5")
    quote = engine.get_quote("BTC-USD")
    assert (quote.bid, quote.ask, quote.ask_size) == (D(99), D(101), D("1.5"))
    assert engine.get_orderbook("BTC-USD").asks == (api.PriceLevel(D(101), D("1.5")),)
    bench.trade("50", symbol="ACME")
    quote = engine.get_quote("ACME")
    assert (quote.bid, quote.ask, quote.last) == (None, None, D(50))


@pytest.mark.parametrize(
    "options",
    [
        {"participation_rate": D(0)},
        {"participation_rate": D(2)},
        {"latency_s": -1.0},
        {"latency_s": float("nan")},
    ],
)
def test_conditions_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    """A rate above all of the volume, and time that runs backwards."""
    with pytest.raises(api.InvalidFieldError):
        Bench(**options)  # type: ignore[arg-type]  # any option may be wrong here
