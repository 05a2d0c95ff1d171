"""The executor, one promise at a time; the schedules prove them together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    CancelRejectedError,
    IdempotencyScope,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    InvalidSymbolError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderRequest,
    OrderResult,
    OrderStatus,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.settings import ExecutorSettings, executor_settings
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import Entry, Intent, OrderJournalError, Phase
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.desk import SYMBOL, Desk, buy, rest


class FullDisk(MemoryJournal):
    """A journal that takes as many writes as it is told, and then no more."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.writes = writes

    def _count(self) -> None:
        if self.writes == 0:
            raise OrderJournalError("the disk is full")
        self.writes -= 1

    def open_intent(self, intent: Intent) -> Any:
        """Write, while there is room."""
        self._count()
        return super().open_intent(intent)

    def append(self, intent_id: str, entry: Entry) -> Any:
        """Write, while there is room."""
        self._count()
        return super().append(intent_id, entry)


def test_an_order_is_placed_and_followed_to_its_end() -> None:
    """A filled order is a success, its execution is booked once, and its risk is given back."""
    desk = Desk()
    result = desk.executor.submit(buy(client_order_id="one"), arrival_price=D("99.50"))
    assert (result.success, result.client_order_id) == (True, "one")
    assert [len(desk.executor.reconcile().new_fills) for _ in range(2)] == [1, 0]
    assert desk.gate.held == set()
    statistics = desk.executor.statistics("one")
    assert statistics is not None
    assert (statistics.filled_quantity, statistics.average_price) == (D("0.1"), D(100))
    assert statistics.slippage == D("0.50")
    totals = desk.executor.totals()
    assert (totals.succeeded, totals.failed, totals.latency_s(0.99)) == (1, 0, 0.0)
    assert desk.executor.statistics("two") is None


def test_the_intent_is_journalled_before_the_send() -> None:
    """When the broker is asked, the journal already holds the order."""
    desk = Desk()
    seen: list[Phase] = []
    real = desk.broker.place_order

    def place_order(order_request: OrderRequest) -> OrderResult:
        state = desk.executor.find(order_request.client_order_id or "")
        seen.append(Phase.NOT_SENT if state is None else state.phase)
        return real(order_request)

    desk.broker.place_order = place_order  # type: ignore[method-assign]  # to look in between
    assert desk.executor.submit(buy()).success
    assert seen == [Phase.OPEN]


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (buy("0.000000001"), InvalidFieldError),
        (attrs.evolve(buy(), symbol="NO-SUCH"), InvalidSymbolError),
        (buy(client_order_id="not allowed!"), InvalidFieldError),
        (buy(account_id="somebody-else"), InvalidFieldError),
    ],
)
def test_what_makes_no_sense_is_not_sent(
    request_: OrderRequest, kind: type[BrokerageError]
) -> None:
    """A request that its product, id or account does not allow is neither journalled nor sent."""
    desk = Desk()
    result = desk.executor.submit(request_)
    assert isinstance(result.error, kind)
    assert result.error.outcome is Outcome.NOT_SENT
    assert desk.venue.requests_received("place_order") == 0
    assert desk.executor.find(result.client_order_id) is None
    assert desk.gate.held == set()


def test_the_gate_can_refuse() -> None:
    """An order that the gate refuses is not journalled, and the gate's reason is returned."""
    desk = Desk()

    def refuse(request: OrderRequest) -> None:
        raise InsufficientFundsError("the day's loss is too high")

    desk.gate.reserve = refuse  # type: ignore[method-assign]  # this gate refuses
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, InsufficientFundsError)
    assert result.error.outcome is Outcome.NOT_SENT
    assert desk.executor.find("one") is None


def test_the_same_order_is_placed_once() -> None:
    """The same request gets the first answer; another one under its id is refused."""
    desk = Desk()
    first = desk.executor.submit(buy(client_order_id="one"))
    again = desk.executor.submit(buy("0.10", client_order_id="one"))
    other = desk.executor.submit(buy("0.2", client_order_id="one"))
    assert again.order_id == first.order_id
    assert isinstance(other.error, InvalidFieldError)
    assert len(desk.venue.orders_received()) == 1


def test_threads_that_submit_the_same_place_it_once() -> None:
    """Eight threads with one signal make one order, and all are told of it."""
    desk = Desk()
    executor = desk.start()
    from bot_v2.orchestration.execution.runtime import ThreadRuntime

    executor = type(executor)(
        desk.broker,
        MemoryJournal(),
        settings=desk.settings,
        runtime=ThreadRuntime(desk.world.clock),
    )
    start, results = threading.Barrier(8), []

    def submit() -> None:
        start.wait()
        results.append(executor.submit(buy(client_order_id="one")))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.order_id for result in results}) == 1
    assert len(desk.venue.orders_received()) == 1


@pytest.mark.parametrize(
    ("settings", "faults", "attempts", "waited"),
    [
        (ExecutorSettings(), 2, 3, 1.0 + 2.0),
        (ExecutorSettings(retry_delay_s=0.5, max_retry_delay_s=0.5), 3, 4, 1.5),
        (ExecutorSettings(max_retries=1), 2, 2, 1.0),
        (ExecutorSettings(retry_enabled=False), 1, 1, 0.0),
    ],
)
def test_what_did_not_leave_is_sent_again(
    settings: ExecutorSettings, faults: int, attempts: int, waited: float
) -> None:
    """NOT_SENT is retried as often, and after such waits, as the settings say."""
    desk = Desk(settings)
    desk.venue.inject(Fault.RESET_BEFORE, "place_order", times=faults)
    result = desk.executor.submit(buy(client_order_id="one"))
    state = desk.executor.find("one")
    assert state is not None
    assert (state.attempts, desk.waited) == (attempts, waited)
    assert result.success is (faults < attempts)
    assert len(desk.venue.orders_received()) == int(result.success)


def test_a_refusal_is_returned_and_not_repeated() -> None:
    """A rate limit before matching is a refusal, and what to do next is for the bot to say."""
    desk = Desk()
    desk.venue.inject(Fault.RATE_LIMIT, "place_order")
    result = desk.executor.submit(buy())
    assert result.error is not None
    assert result.error.outcome is Outcome.REJECTED
    assert desk.venue.requests_received("place_order") == 1


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_ACCEPT, Fault.RESET_AFTER, Fault.SERVER_ERROR])
def test_an_order_whose_answer_was_lost_is_found(fault: Fault) -> None:
    """A lost answer ends in success with the order's id, and in one order."""
    desk = Desk()
    desk.venue.inject(fault, "place_order")
    result = desk.executor.submit(buy())
    assert result.success
    assert [each.order_id for each in desk.venue.orders_received()] == [result.order_id]
    assert desk.kinds == [EventKind.OUTCOME_UNKNOWN, EventKind.TAKEN]


def test_an_absent_order_is_sent_again_where_its_id_protects() -> None:
    """A lost request is sent again under the same id, once it is proven absent."""
    desk = Desk()
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    result = desk.executor.submit(buy())
    assert result.success
    assert EventKind.RESENDING in desk.kinds
    assert len(desk.venue.orders_received()) == 1


@pytest.mark.parametrize("scope", [IdempotencyScope.WHILE_OPEN, IdempotencyScope.TAG_ONLY])
def test_an_absent_order_is_not_sent_again_where_its_id_does_not(scope: IdempotencyScope) -> None:
    """Where an id would make a second order, an absent one is reported, and sent by nobody."""
    desk = Desk()
    profile = attrs.evolve(desk.broker.idempotency, scope=scope)
    desk.broker.idempotency = profile  # type: ignore[misc]  # another kind of broker
    desk.start()
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    result = desk.executor.submit(buy())
    assert isinstance(result.error, OrderNotFoundError)
    assert result.error.outcome is Outcome.REJECTED
    assert desk.venue.requests_received("place_order") == 1
    assert desk.gate.held == set()


def unreadable(desk: Desk) -> Callable[[], None]:
    """Let every read fail; the result ends that."""
    names = ("list_orders", "list_fills", "get_order", "get_order_by_client_id")
    for name in names:
        setattr(desk.broker, name, _fail)

    def mend() -> None:
        for name in names:
            delattr(desk.broker, name)

    return mend


def _fail(*arguments: object) -> Any:
    raise OrderRejectedError("no answer to reads either", outcome=None)


def test_what_cannot_be_found_out_is_quarantined_and_found_out_later() -> None:
    """While reads fail the order stays unknown and holds its risk; evidence settles it any time."""
    desk = Desk()
    mend = unreadable(desk)
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert desk.kinds[-1] is EventKind.QUARANTINED
    assert desk.gate.held == {"one"}
    assert not desk.executor.reconcile().is_clean
    mend()
    report = desk.executor.reconcile()
    assert [state.intent.client_order_id for state in report.settled] == ["one"]
    assert desk.executor.submit(buy(client_order_id="one")).success
    assert len(desk.venue.orders_received()) == 1


@pytest.mark.parametrize("order_id", [None, "o-000001"])
def test_an_operators_word_settles_a_quarantine(order_id: str | None) -> None:
    """A person can say that it was placed, or that it was not, and why; once."""
    desk = Desk()
    unreadable(desk)
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    desk.executor.submit(buy(client_order_id="one"))
    result = desk.executor.resolve("one", because="seen on the phone", order_id=order_id)
    assert result.success is (order_id is not None)
    assert desk.gate.held == ({"one"} if order_id else set())
    state = desk.executor.find("one")
    assert state is not None
    assert "seen on the phone" in state.note
    for name in ("one", "two"):
        with pytest.raises(InvalidRequestError):
            desk.executor.resolve(name, because="again")


def test_nothing_is_sent_without_a_journal() -> None:
    """A full disk stops the order before it leaves, and its risk is given back."""
    desk = Desk(journal=FullDisk(0))
    result = desk.executor.submit(buy())
    assert isinstance(result.error, OrderJournalError)
    assert result.error.outcome is Outcome.NOT_SENT
    assert desk.venue.requests_received("place_order") == 0
    assert desk.gate.held == set()


def test_an_answer_that_cannot_be_written_down_is_still_given() -> None:
    """The order that the broker took is returned; the journal finds it out at the next start."""
    journal = FullDisk(1)
    desk = Desk(journal=journal)
    result = desk.executor.submit(buy(client_order_id="one"))
    assert result.success
    assert EventKind.JOURNAL_FAILED in desk.kinds
    journal.writes = 100
    report = desk.start().recover()
    assert [state.order_id for state in report.settled] == [result.order_id]
    assert len(desk.venue.orders_received()) == 1


def test_an_order_that_cannot_be_written_down_is_not_changed() -> None:
    """It is tied to its intent first: changed, it would look like no intent's after a crash."""
    journal = FullDisk(1)
    desk = Desk(journal=journal)
    placed = desk.executor.submit(rest(client_order_id="one"))
    assert placed.order_id is not None
    refused = desk.executor.modify(placed.order_id, OrderModification(quantity=D(2)))
    assert isinstance(refused.error, OrderJournalError)
    assert refused.error.outcome is Outcome.NOT_SENT
    assert desk.venue.requests_received("modify_order") == 0
    journal.writes = 100
    assert desk.executor.modify(placed.order_id, OrderModification(quantity=D(2))).success
    state = desk.executor.find("one")
    assert state is not None
    assert (state.phase, state.order_id) == (Phase.TAKEN, placed.order_id)


def test_what_could_not_be_written_down_is_written_by_the_next_reconciliation() -> None:
    """No read is needed for it: which order it became is still known."""
    journal = FullDisk(1)
    desk = Desk(journal=journal)
    placed = desk.executor.submit(buy(client_order_id="one"))
    journal.writes = 100
    desk.venue.inject(Fault.SERVER_ERROR)
    (settled,) = desk.executor.reconcile().settled
    assert (settled.phase, settled.order_id) == (Phase.ENDED, placed.order_id)
    assert desk.gate.held == set()


def test_recovery_finds_what_a_dead_process_sent() -> None:
    """An order that was sent and never heard of is found, and its risk held until it ends."""
    desk = Desk()
    desk.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")

    class Killed(BaseException):
        pass

    def die(event: Any) -> None:
        raise Killed

    desk.executor._board._listener = die
    with pytest.raises(Killed):
        desk.executor.submit(rest(client_order_id="one"))
    desk.start()
    desk.executor.recover()
    state = desk.executor.find("one")
    assert state is not None
    assert (state.phase, state.order_id) == (Phase.TAKEN, "o-000001")
    assert desk.gate.held == {"one"}
    assert desk.venue.requests_received("place_order") == 1


def test_cancelling_says_what_became_of_the_order() -> None:
    """A live order is cancelled, an ended one is shown, and of none there is an error."""
    desk = Desk()
    live = desk.executor.submit(rest(client_order_id="one"))
    assert desk.executor.cancel(live.order_id or "").success
    filled = desk.executor.submit(buy())
    late = desk.executor.cancel(filled.order_id or "")
    assert late.success
    assert late.order is not None
    assert late.order.status is OrderStatus.FILLED
    missing = desk.executor.cancel("o-999999")
    assert isinstance(missing.error, OrderNotFoundError)


def test_a_cancel_that_was_lost_is_sent_again() -> None:
    """A cancel that has shown no effect is repeated: a second one changes nothing."""
    desk = Desk()
    live = desk.executor.submit(rest())
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order")
    assert desk.executor.cancel(live.order_id or "").success
    order = desk.broker.get_order(live.order_id or "")
    assert order.status is OrderStatus.CANCELLED


def test_a_cancel_that_never_works_leaves_the_order_live() -> None:
    """It is never assumed that an order was cancelled."""
    desk = Desk(ExecutorSettings(max_resends=2, max_retries=0, retry_enabled=False))
    live = desk.executor.submit(rest(client_order_id="one"))
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "cancel_order", times=9)
    result = desk.executor.cancel(live.order_id or "")
    assert isinstance(result.error, CancelRejectedError)
    assert desk.venue.requests_received("cancel_order") == 3
    assert desk.gate.held == {"one"}


@pytest.mark.parametrize("fault", [None, Fault.DROP_AFTER_ACCEPT, Fault.DROP_BEFORE_ACCEPT])
def test_a_change_is_sent_once(fault: Fault | None) -> None:
    """A lost answer is found out by reading the order; a lost request is reported."""
    desk = Desk()
    live = desk.executor.submit(rest())
    if fault is not None:
        desk.venue.inject(fault, "modify_order")
    result = desk.executor.modify(live.order_id or "", OrderModification(price=D(60)))
    assert result.success is (fault is not Fault.DROP_BEFORE_ACCEPT)
    order = desk.broker.get_order(live.order_id or "")
    assert order.price == (D(60) if result.success else D(50))
    assert desk.venue.requests_received("modify_order") == 1


def test_a_broker_that_changes_nothing_says_so() -> None:
    """Where the capability is not declared, nothing is sent."""
    desk = Desk()
    desk.broker.capabilities = frozenset()  # type: ignore[misc]  # a broker that can do less
    result = desk.start().modify("o-1", OrderModification(price=D(60)))
    assert isinstance(result.error, UnsupportedOperationError)


def test_a_position_is_closed_once() -> None:
    """A close covers the position less what live orders close, and then there is nothing left."""
    desk = Desk()
    assert isinstance(desk.executor.close_position(SYMBOL).error, InvalidRequestError)
    desk.executor.submit(buy("0.3"))
    desk.venue.set_market(SYMBOL, D(99), D(100), D("0.1"))
    first = desk.executor.close_position(SYMBOL)
    assert first.success
    assert first.order is not None
    assert first.order.quantity == D("0.3")
    second = desk.executor.close_position(SYMBOL)
    assert isinstance(second.error, InvalidRequestError)
    assert isinstance(desk.executor.close_position("NO-SUCH").error, InvalidSymbolError)


def test_orders_of_others_are_reported_and_adopted_when_asked() -> None:
    """A live order that was not placed here is told once, and followed only after adoption."""
    desk = Desk()
    desk.broker.place_order(rest(client_order_id="by-hand"))
    (foreign,) = desk.executor.reconcile().foreign_orders or ()
    desk.executor.reconcile()
    assert desk.kinds.count(EventKind.FOREIGN_ORDER) == 1
    assert desk.executor.adopt(foreign).order_id == foreign.order_id
    assert desk.executor.adopt(foreign).success
    assert desk.executor.reconcile().foreign_orders == ()
    desk.broker.cancel_order(foreign.order_id)
    (ended,) = desk.executor.reconcile().changed
    assert ended.phase is Phase.ENDED


def test_a_position_that_no_execution_explains_is_told() -> None:
    """A difference is told until somebody accepts it."""
    desk = Desk()
    desk.executor.submit(buy("0.3"))
    desk.executor.reconcile()
    desk.executor.reconcile()
    real = desk.broker.list_positions
    desk.broker.list_positions = list  # type: ignore[method-assign]  # it is gone
    report = desk.executor.reconcile()
    (difference,) = report.differences or ()
    assert (difference.expected, difference.found) == (D("0.3"), D(0))
    assert "POSITION: BTC-USD is 0, expected 0.3" in report.explain()
    desk.executor.accept_positions()
    assert desk.executor.reconcile().differences == ()
    desk.broker.list_positions = real  # type: ignore[method-assign]  # it is back
    assert desk.executor.reconcile().differences != ()


def test_a_failed_read_is_never_flat() -> None:
    """What could not be read is not compared, and the report says so."""
    desk = Desk()
    desk.executor.submit(buy("0.3"))
    desk.executor.reconcile()
    desk.broker.list_positions = _fail  # type: ignore[method-assign]  # no answer
    report = desk.executor.reconcile()
    assert report.differences is None
    assert [failed.method for failed in report.failed_reads] == ["list_positions"]
    assert not report.is_clean
    assert "READ FAILED: list_positions" in report.explain()


def test_events_can_be_iterated() -> None:
    """A stream yields what happened since it was opened, and a gap where it was not read."""
    desk = Desk()
    with desk.executor.stream_events(queue_max=1) as stream:
        desk.executor.submit(buy())
        desk.executor.submit(buy())
    events = list(stream)
    assert isinstance(events[0], StreamGap)
    assert [event.kind for event in events[1:] if not isinstance(event, StreamGap)] == [
        EventKind.TAKEN
    ]


def test_a_listener_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The order is placed, and the listener's mistake is logged."""
    desk = Desk()

    def fail(event: object) -> None:
        raise ValueError("a listener's mistake")

    desk.executor._board._listener = fail
    assert desk.executor.submit(buy()).success
    assert "a listener's mistake" in caplog.text


def test_settings_keep_the_users_names() -> None:
    """ORDER_RETRY_ENABLED, ORDER_MAX_RETRIES and ORDER_RETRY_DELAY mean what they say."""
    environ = {
        "ORDER_RETRY_ENABLED": "no",
        "ORDER_MAX_RETRIES": "7",
        "ORDER_RETRY_DELAY": "0.25",
    }
    settings = executor_settings(environ=environ)
    assert (settings.retry_enabled, settings.max_retries) == (False, 7)
    assert settings.retry_delay_s == 0.25
    with pytest.raises(InvalidFieldError):
        executor_settings({"max_retry": 3})


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_retries": -1},
        {"retry_delay_s": float("nan")},
        {"probe_delays_s": ()},
        {"probe_delays_s": (0.0,)},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """An executor that would never wait, or never end, cannot be made."""
    with pytest.raises(InvalidFieldError):
        ExecutorSettings(**wrong)


def test_a_late_fill_is_not_lost_where_the_process_dies_as_it_is_booked() -> None:
    """The next process follows the order again, and knows what was filled of it."""
    desk = Desk()
    resting = desk.executor.submit(rest(client_order_id="one"))
    order_id = resting.order_id or ""
    desk.executor.cancel(order_id)
    for _ in range(2):
        desk.executor.reconcile()
    desk.venue.late_fill(order_id, D("0.1"), D(50))
    # Here the process dies: the execution is booked, and its order is not followed any more.
    desk.executor._books.book([])
    desk.start()
    desk.executor.recover()
    state = desk.executor.find("one")
    assert state is not None
    assert state.order is not None
    assert (state.phase, state.order.filled_quantity) == (Phase.ENDED, D("0.1"))
    assert desk.gate.held == set()
    assert desk.executor.list_open() == []
