"""Latency, expiry, sessions and halts, on a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from bot_v2.features.brokerages.core import interfaces as api
from tests.unit.simulation.markets import BUY, SELL, START, Bench

FILLED, OPEN = api.OrderStatus.FILLED, api.OrderStatus.OPEN
PENDING, EXPIRED = api.OrderStatus.PENDING, api.OrderStatus.EXPIRED
DAY, GTD, IOC = api.TimeInForce.DAY, api.TimeInForce.GTD, api.TimeInForce.IOC
HOUR = timedelta(hours=1)


class OfficeHours:
    """Open from 14 to 21 h UTC, every day."""

    def is_open(self, moment: datetime) -> bool:
        """Return whether it is between the two."""
        return 14 <= moment.hour < 21

    def session_end(self, moment: datetime) -> datetime:
        """Return 21 h of the day, or of the next one."""
        end = moment.replace(hour=21, minute=0, second=0, microsecond=0)
        return end if moment < end else end + timedelta(days=1)

    def next_open(self, moment: datetime) -> datetime:
        """Return the next 14 h."""
        opens = moment.replace(hour=14, minute=0, second=0, microsecond=0)
        return opens if moment < opens else opens + timedelta(days=1)

    def next_close(self, moment: datetime) -> datetime:
        """Return the next 21 h."""
        return self.session_end(moment)


def test_an_order_reaches_the_market_after_its_latency() -> None:
    """It is PENDING on its way, and meets the market as it is when it arrives."""
    bench = Bench(latency_s=0.5)
    bench.quote("99", "101")
    order = bench.place(BUY, "1")
    assert order.status is PENDING
    assert bench.hold() == 101
    bench.quote("99", "103")
    bench.clock.advance(0.5)
    bench.engine.on_time()
    done = bench.order(order)
    assert (done.status, done.average_fill_price) == (FILLED, D(103))
    assert done.updated_at == START + timedelta(seconds=0.5)


def test_a_cancel_can_come_too_late() -> None:
    """The cancel is on its way as long as the order was; what fills meanwhile is filled."""
    bench = Bench(latency_s=0.5)
    bench.quote("99", "101")
    slow, fast = bench.place(BUY, "1", price="98"), bench.place(BUY, "1", price="97")
    bench.clock.advance(1)
    bench.engine.on_time()
    assert bench.engine.cancel(slow.order_id)
    assert bench.engine.cancel(fast.order_id)
    assert bench.engine.cancel(fast.order_id)
    assert bench.order(slow).status is api.OrderStatus.PENDING_CANCEL
    bench.quote("97.5", "98")
    assert bench.order(slow).status is FILLED
    bench.clock.advance(0.5)
    bench.engine.on_time()
    assert bench.order(fast).status is api.OrderStatus.CANCELLED


def test_what_cannot_be_paid_on_arrival_is_rejected() -> None:
    """Money can be short by then: the order has ended, and holds nothing."""
    bench = Bench(latency_s=1, balances={"USD": D(102)})
    bench.quote("99", "101")
    order = bench.place(BUY, "1")
    bench.quote("99", "105")
    bench.clock.advance(1)
    bench.engine.on_time()
    done = bench.order(order)
    assert (done.status, done.status_reason) == (api.OrderStatus.REJECTED, "insufficient_funds")
    assert bench.hold() == 0


def test_a_post_only_order_can_be_rejected_on_arrival() -> None:
    """The market has come to it while it was on its way."""
    bench = Bench(latency_s=1)
    bench.quote("99", "101")
    order = bench.place(BUY, "1", price="100", post_only=True)
    bench.quote("99", "100")
    bench.clock.advance(1)
    bench.engine.on_time()
    done = bench.order(order)
    assert (done.status, done.status_reason) == (api.OrderStatus.REJECTED, "post_only_would_take")


@pytest.mark.parametrize(
    ("terms", "end"),
    [
        ({"time_in_force": DAY}, datetime(2026, 3, 3, tzinfo=UTC)),
        ({"time_in_force": GTD, "expires_at": START + HOUR}, START + HOUR),
        ({}, None),
    ],
)
def test_orders_end_by_time(terms: dict[str, Any], end: datetime | None) -> None:
    """DAY ends at midnight UTC where sessions never end; GTD at its moment; GTC never."""
    bench = Bench()
    bench.quote("99", "101", "1")
    order = bench.place(BUY, "2", price="101", **terms)
    assert order.expires_at == end
    if end is not None:
        bench.clock.set(end - timedelta(seconds=1))
        bench.engine.on_time()
        assert bench.order(order).status is api.OrderStatus.PARTIALLY_FILLED
        bench.clock.set(end)
    else:
        bench.clock.advance(timedelta(days=900))
    bench.engine.on_time()
    done = bench.order(order)
    assert done.status is (EXPIRED if end else api.OrderStatus.PARTIALLY_FILLED)
    assert done.filled_quantity == 1
    assert (bench.hold() == 0) is (end is not None)


def test_an_expiry_happens_at_its_moment_however_late_it_is_looked_at() -> None:
    """A call next week finds the order expired when it did, before the call's own effect."""
    bench = Bench()
    bench.quote("99", "101")
    order = bench.place(BUY, "1", price="98", time_in_force=DAY)
    bench.clock.advance(timedelta(days=7))
    bench.quote("90", "91")
    done = bench.order(order)
    assert (done.status, done.updated_at) == (EXPIRED, datetime(2026, 3, 3, tzinfo=UTC))


def test_a_gtd_order_of_the_past_is_refused() -> None:
    """Its end is not ahead."""
    bench = Bench()
    bench.quote("99", "101")
    with pytest.raises(api.InvalidFieldError, match="expires_at"):
        bench.place(BUY, "1", price="98", time_in_force=GTD, expires_at=START)


def test_out_of_hours_orders_wait_for_the_session() -> None:
    """A market order of the night is filled at the open; IOC is refused; stops do not trigger."""
    bench = Bench(calendar=OfficeHours(), balances={"USD": D(1000), "BTC": D(5)})
    bench.quote("99", "101")
    stop = bench.place(SELL, "1", stop_price="95")
    bench.clock.set(START.replace(hour=22))
    order = bench.place(BUY, "1", time_in_force=DAY)
    assert (order.status, order.expires_at) == (OPEN, datetime(2026, 3, 3, 21, tzinfo=UTC))
    with pytest.raises(api.MarketClosedError):
        bench.place(BUY, "1", time_in_force=IOC)
    bench.quote("90", "102")
    assert bench.order(order).status is OPEN
    assert bench.order(stop).status is OPEN
    bench.clock.set(datetime(2026, 3, 3, 14, tzinfo=UTC))
    bench.quote("98", "103")
    assert bench.order(order).average_fill_price == 103
    assert bench.order(stop).status is OPEN


def test_extended_hours_let_limit_orders_trade_out_of_hours() -> None:
    """Those that ask for it, and no others."""
    bench = Bench(calendar=OfficeHours())
    bench.clock.set(START.replace(hour=22))
    bench.quote("99", "101")
    asks = bench.place(BUY, "1", price="101", extended_hours=True)
    waits = bench.place(BUY, "1", price="100")
    late = bench.place(BUY, "1", price="100", extended_hours=True)
    assert asks.status is FILLED
    bench.quote("98", "99")
    assert bench.order(late).status is FILLED
    assert bench.order(waits).status is OPEN


def test_a_daily_bar_counts_though_it_ends_out_of_hours() -> None:
    """A bar in which a session was on is traded; one of a night is not."""
    bench = Bench(calendar=OfficeHours())
    bench.clock.set(datetime(2026, 3, 3, tzinfo=UTC))
    bench.bar("100 100 100 100", interval=timedelta(days=1))
    order = bench.place(BUY, "1", price="95", time_in_force=DAY)
    bench.bar("100 101 90 99", interval=HOUR)
    assert bench.order(order).status is OPEN
    bench.clock.set(datetime(2026, 3, 4, 1, tzinfo=UTC))
    bench.bar("99 99 90 95", interval=timedelta(hours=23))
    assert bench.order(order).status is FILLED


def test_a_halted_product_is_not_matched() -> None:
    """Orders wait, market orders are refused, and prices are still heard."""
    bench = Bench()
    bench.quote("99", "101")
    waits = bench.place(BUY, "1", price="100")
    bench.engine.halt("BTC-USD")
    assert bench.engine.get_market_status("BTC-USD").halted
    bench.quote("90", "91")
    assert bench.order(waits).status is OPEN
    with pytest.raises(api.MarketClosedError) as refused:
        bench.place(BUY, "1")
    assert refused.value.outcome is api.Outcome.REJECTED
    late = bench.place(BUY, "1", price="92")
    assert late.status is OPEN
    bench.engine.resume("BTC-USD")
    bench.quote("90", "91")
    assert [bench.order(one).status for one in (waits, late)] == [FILLED, FILLED]


def test_the_market_status_follows_the_calendar() -> None:
    """Open or not, and when that changes."""
    bench = Bench(calendar=OfficeHours())
    status = bench.engine.get_market_status("ACME")
    assert (status.is_open, status.halted) == (True, False)
    assert status.next_close == START.replace(hour=21)
    bench.clock.set(START.replace(hour=22))
    bench.engine.on_time()
    status = bench.engine.get_market_status("ACME")
    assert (status.is_open, status.next_open) == (False, datetime(2026, 3, 3, 14, tzinfo=UTC))


def test_a_clock_that_goes_back_does_not_turn_time() -> None:
    """The engine stays where it was, and is not confused."""
    moments = [START, START + HOUR, START]
    bench = Bench()
    bench.engine._steps._clock = lambda: moments[-1]  # the clock of a machine that was set back
    bench.quote("99", "101")
    moments.append(START + HOUR)
    first = bench.place(BUY, "1")
    moments.append(START)
    second = bench.place(BUY, "1")
    assert first.timestamp == second.timestamp == START + HOUR
