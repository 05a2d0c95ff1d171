"""The parts of the executor where a whole run does not reach: memory, look-alikes, corrections."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    Capability,
    DuplicateBehaviour,
    IdempotencyScope,
    InvalidRequestError,
    MarketType,
    Order,
    OrderHistory,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    Position,
    PositionSide,
    Retention,
)
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.orchestration.execution.bookkeeping import position_changes
from bot_v2.orchestration.execution.events import EventBoard, EventKind
from bot_v2.orchestration.execution.evidence import still_remembers
from bot_v2.orchestration.execution.fingerprint import difference, expected_position
from bot_v2.orchestration.execution.report import ReconciliationReport
from bot_v2.orchestration.execution.runtime import ThreadRuntime, fresh_from
from bot_v2.orchestration.execution.statistics import statistics_of
from bot_v2.orchestration.journal.records import Baseline, IntentState, Phase
from bot_v2.simulation.clock import utc_now
from bot_v2.simulation.faults import Fault
from bot_v2.testing.schedules.world import World
from tests.unit.orchestration.execution.desk import SYMBOL, Desk, buy, rest
from tests.unit.orchestration.journal.test_journals import NOW, fill, intent

NEW_YORK = OrderHistory(
    retention=Retention.SESSION, session_zone="America/New_York", session_reset=time(17)
)
TEN_DAYS = OrderHistory(retention=Retention.DAYS, days=10)


@pytest.mark.parametrize(
    ("history", "sent_at", "now", "remembers"),
    [
        (OrderHistory(retention=Retention.FOREVER), "2020-01-01T00:00", "2026-01-01T00:00", True),
        (TEN_DAYS, "2026-03-01T00:00", "2026-03-10T23:00", True),
        (TEN_DAYS, "2026-03-01T00:00", "2026-03-11T00:00", False),
        # 17:00 in New York is 22:00 UTC in winter, and 21:00 UTC in summer.
        (NEW_YORK, "2026-03-02T21:59", "2026-03-02T21:59", True),
        (NEW_YORK, "2026-03-02T21:59", "2026-03-02T22:01", False),
        (NEW_YORK, "2026-03-02T22:01", "2026-03-03T21:59", True),
        (NEW_YORK, "2026-06-02T20:59", "2026-06-02T21:01", False),
    ],
)
def test_a_broker_that_forgets_proves_nothing(
    history: OrderHistory, sent_at: str, now: str, remembers: bool
) -> None:
    """Absence counts only while the broker still shows orders of the moment of the send."""
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (sent_at, now)]
    assert still_remembers(history, moments[0], moments[1]) is remembers


def shown(**changes: Any) -> Order:
    """The order of the intent, as a broker that keeps no ids shows it."""
    terms: dict[str, Any] = {
        "order_id": "o-1",
        "symbol": "BTC-USD",
        "type": OrderType.MARKET,
        "status": OrderStatus.OPEN,
        "filled_quantity": D(0),
        "time_in_force": TimeInForce.GTC,
        "account_id": "A-1",
        "side": OrderSide.BUY,
        "quantity": D("1.1"),
    }
    return Order(**{**terms, **changes})


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({}, None),
        ({"side": None, "quantity": None}, None),
        ({"type": OrderType.OTHER}, None),
        ({"quantity": D("1.2")}, "quantity"),
        ({"side": OrderSide.SELL}, "side"),
        ({"symbol": "ETH-USD"}, "symbol"),
        ({"type": OrderType.LIMIT, "price": D(1)}, "type"),
    ],
)
def test_a_difference_is_named(changes: dict[str, Any], differs: str | None) -> None:
    """What the broker says otherwise is a difference; what it does not say is none."""
    said = difference(intent(), shown(**changes))
    assert said is None if differs is None else said is not None and differs in said


def test_a_position_follows_from_all_orders() -> None:
    """The position is what it was, and what orders old and new were filled since."""
    baseline = Baseline(filled_by_order={"o-1": D("0.1")}, position=D("-2"))
    orders = [
        shown(filled_quantity=D("0.4")),
        shown(order_id="o-2", side=OrderSide.SELL, filled_quantity=D(1)),
        shown(order_id="o-3", symbol="ETH-USD", filled_quantity=D(1)),
    ]
    assert expected_position(baseline, "BTC-USD", orders) == D("-2.7")
    orders.append(shown(order_id="o-4", side=None))
    assert expected_position(baseline, "BTC-USD", orders) is None


def test_corrections_and_busts_count_once() -> None:
    """A corrected execution gives way to its correction, and a cancelled one to nothing."""
    fills = [
        fill("t-1"),
        attrs.evolve(fill("t-2"), corrects="t-1", quantity=D("0.05")),
        fill("t-3"),
        attrs.evolve(fill("t-4"), corrects="t-3", busted=True),
    ]
    assert position_changes(fills) == {"BTC-USD": D("0.05")}
    statistics = statistics_of(IntentState(intent=intent()), fills)
    assert statistics.filled_quantity == D("0.05")
    assert statistics.time_to_first_fill == timedelta(0)


def test_averages_and_fees_are_exact() -> None:
    """The average weighs each execution, and fees are summed by currency."""
    fills = [
        attrs.evolve(fill("t-1"), price=D(1), fee=D("0.01"), fee_currency="USD"),
        attrs.evolve(fill("t-2"), price=D(2), quantity=D("0.2"), fee=D("-0.1"), fee_currency="USD"),
    ]
    state = IntentState(intent=intent(arrival_price=D(2)))
    statistics = statistics_of(state, fills)
    assert statistics.average_price == D("1.666666666667")
    assert statistics.slippage == D("-0.333333333333")
    assert statistics.fees == {"USD": D("-0.09")}
    unnamed = attrs.evolve(fill("t-3"), fee=D("0.5"))
    assert statistics_of(state, [*fills, unnamed]).fees == {"USD": D("-0.09"), "": D("0.5")}


def test_without_executions_the_order_itself_counts() -> None:
    """A broker that lists no executions still tells quantity and average on the order."""
    order = shown(filled_quantity=D("0.5"), average_fill_price=D(7))
    statistics = statistics_of(IntentState(intent=intent(), order=order), [])
    assert (statistics.filled_quantity, statistics.average_price) == (D("0.5"), D(7))


def without_ids(desk: Desk) -> None:
    """Make a broker that keeps no client ids of the paper brokerage."""
    desk.broker.idempotency = attrs.evolve(  # type: ignore[misc]  # another kind of broker
        desk.broker.idempotency,
        scope=IdempotencyScope.NONE,
        on_duplicate=DuplicateBehaviour.ACCEPTS,
    )
    real_orders, real_fills = desk.broker.list_orders, desk.broker.list_fills
    desk.broker.list_orders = lambda status=None: [  # type: ignore[method-assign]  # it keeps no ids
        attrs.evolve(order, client_order_id=None) for order in real_orders(status)
    ]
    desk.broker.list_fills = lambda since=None: [  # type: ignore[method-assign]  # it keeps no ids
        attrs.evolve(each, client_order_id=None) for each in real_fills(since)
    ]
    desk.start()


def test_where_no_id_is_kept_the_order_is_found_by_what_it_is() -> None:
    """Among its like, the new order is told by what there was before, and by whose they are."""
    desk = Desk()
    without_ids(desk)
    desk.broker.place_order(buy())
    assert desk.executor.submit(buy()).success
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    result = desk.executor.submit(buy())
    assert result.order_id == "o-000003"


def forget_orders(desk: Desk) -> None:
    """Make the broker show executions, and no order."""

    def missing(order_id: str) -> Order:
        raise OrderNotFoundError("forgotten", order_id=order_id)

    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    desk.broker.list_orders = lambda status=None: []  # type: ignore[method-assign]  # it was forgotten
    desk.broker.get_order = missing  # type: ignore[method-assign]  # it was forgotten
    lookup = attrs.evolve(desk.broker.idempotency, scope=IdempotencyScope.TAG_ONLY)
    if desk.broker.idempotency.scope is not IdempotencyScope.NONE:
        desk.broker.idempotency = lookup  # type: ignore[misc]  # another kind of broker
        desk.broker.capabilities = frozenset({Capability.FILLS})  # type: ignore[misc]  # no look-up
    desk.start()


def test_an_execution_with_our_id_is_evidence() -> None:
    """An order that the broker no longer shows is found by an execution that carries its id."""
    desk = Desk()
    forget_orders(desk)
    result = desk.executor.submit(buy())
    assert result.success
    assert result.order is None


def test_an_execution_without_an_id_is_none_where_its_order_cannot_be_read() -> None:
    """It can be of any order of that side: a person is asked, and nothing is sent again."""
    desk = Desk()
    without_ids(desk)
    forget_orders(desk)
    result = desk.executor.submit(buy())
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "forgotten" in result.error.message
    assert len(desk.venue.orders_received()) == 1


def test_a_position_that_moved_speaks_against_absence() -> None:
    """Where only the position shows that something happened, a person is asked."""
    desk = Desk()
    without_ids(desk)
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    desk.broker.list_orders = lambda status=None: []  # type: ignore[method-assign]  # it was forgotten
    desk.broker.capabilities = frozenset({Capability.QUOTES})  # type: ignore[misc]  # no executions
    result = desk.start().submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "the position is 0.1" in result.error.message
    twin = desk.executor.submit(buy(client_order_id="two"))
    assert isinstance(twin.error, InvalidRequestError)
    assert twin.error.outcome is Outcome.NOT_SENT
    assert "just like it" in twin.error.message


def test_spot_that_is_kept_as_a_balance_is_not_compared() -> None:
    """Bought coins that appear in no position are no difference."""
    desk = Desk()
    desk.broker.spot_as_positions = False  # type: ignore[misc]  # another kind of broker
    desk.broker.list_positions = list  # type: ignore[method-assign]  # it has none
    assert desk.broker.get_product(SYMBOL).market_type is MarketType.SPOT
    for _ in range(3):
        assert desk.executor.submit(buy()).success
        assert desk.executor.reconcile().differences == ()


def test_positions_in_buckets_are_added_up() -> None:
    """A hedged product's long and short positions make one signed quantity."""
    desk = Desk()
    held = [
        Position(
            symbol=SYMBOL,
            quantity=D(quantity),
            side=side,
            account_id="paper",
            bucket=side.value,
        )
        for quantity, side in (("3", PositionSide.LONG), ("1", PositionSide.SHORT))
    ]
    desk.broker.list_positions = lambda: held  # type: ignore[method-assign]  # both sides held
    desk.executor.reconcile()
    desk.executor.reconcile()
    opening = desk.journal.read_opening(desk.executor._context.scope)
    assert opening is not None
    assert opening.positions == {SYMBOL: D(2)}


def test_a_report_explains_itself() -> None:
    """Each thing found is a line, and a clean report has nothing to ask."""
    state = IntentState(intent=intent())
    report = ReconciliationReport(
        at=NOW,
        settled=(state,),
        unsettled=(state,),
        changed=(state,),
        new_fills=(fill("t-1"),),
        foreign_orders=(shown(),),
        differences=None,
        failed_reads=(),
    )
    text = report.explain()
    for said in (
        "NOT SETTLED: place one: open",
        "fill: t-1",
        "NOT OURS: order o-1",
        "not compared",
    ):
        assert said in text
    assert not report.is_clean
    clean = attrs.evolve(report, unsettled=(), foreign_orders=(), differences=())
    assert clean.is_clean


def test_what_goes_by_a_key_is_done_by_one_thread_at_a_time() -> None:
    """A guard lets its own thread in again, and no other before it has been left."""
    runtime = ThreadRuntime(utc_now)
    entered: list[bool] = []

    def try_it() -> None:
        with runtime.try_guard("key") as is_in:
            entered.append(is_in)

    with runtime.guard("key"), runtime.guard("key"), runtime.guard("another"):
        other = threading.Thread(target=try_it)
        other.start()
        other.join()
        try_it()
    other = threading.Thread(target=try_it)
    other.start()
    other.join()
    assert entered == [False, True, True]


def test_nobody_is_told_what_nobody_hears() -> None:
    """An event is made where somebody listens, where it is logged, and where it is an alarm."""
    silent = EventBoard(utc_now, None)
    assert not silent.is_heard(EventKind.TAKEN)
    assert silent.is_heard(EventKind.JOURNAL_FAILED)
    assert EventBoard(utc_now, lambda event: None).is_heard(EventKind.TAKEN)
    with silent.open_stream(10):
        assert silent.is_heard(EventKind.TAKEN)
    assert not silent.is_heard(EventKind.TAKEN)


def test_time_passes_whatever_the_clock_says() -> None:
    """What is waited for is counted while the clock stands still."""
    runtime = ThreadRuntime(lambda: NOW)
    before = runtime.elapsed()
    runtime.wait(0.01)
    assert timedelta(seconds=0.009) < runtime.elapsed() - before < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("sent_s", "waits_s"),
    [(0, 10), (-4, 6), (-10, 0), (-3600, 0), (3600, 10)],
    ids=["now", "just now", "long enough ago", "long ago", "by another clock"],
)
def test_what_was_sent_by_another_process_is_waited_for(sent_s: float, waits_s: float) -> None:
    """The rest of the lag is waited for, and never more than the lag."""
    world = World(0)
    sent_by = world.clock() + timedelta(seconds=sent_s)
    fresh = fresh_from(world, sent_by, timedelta(seconds=10))
    assert fresh - world.elapsed() == timedelta(seconds=waits_s)


def test_an_order_that_ended_is_read_again_where_reads_lag() -> None:
    """Where no execution would tell of a late fill, an end counts when the lag has passed."""
    desk = Desk()
    lagging = attrs.evolve(desk.broker.idempotency, visibility_lag_s=5.0)
    desk.broker.idempotency = lagging  # type: ignore[misc]  # another kind of broker
    desk.broker.capabilities = frozenset({Capability.ORDER_LOOKUP})  # type: ignore[misc]  # no executions
    executor = desk.start()
    placed = executor.submit(rest(client_order_id="one"))
    assert placed.order_id is not None
    assert executor.cancel(placed.order_id).success
    phases = []
    for wait_s in (0.0, 4.0, 2.0):
        desk.world.wait(wait_s)
        executor.reconcile()
        state = executor.find("one")
        assert state is not None
        assert state.order is not None
        assert state.order.status is OrderStatus.CANCELLED
        phases.append(state.phase)
    assert phases == [Phase.TAKEN, Phase.TAKEN, Phase.ENDED]
    assert desk.gate.held == set()
