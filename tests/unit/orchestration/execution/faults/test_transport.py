"""Faults of the transport, as the executor meets them: by outcome alone."""

from __future__ import annotations

from decimal import Decimal as D

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    BrokerConnectionError,
    BrokerTimeoutError,
    IdempotencyScope,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    Outcome,
    PermissionDeniedError,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.records import Phase
from bot_v2.simulation.faults import Fault
from bot_v2.testing.schedules.world import Crash
from tests.unit.orchestration.execution.desk import Desk, buy, rest
from tests.unit.orchestration.execution.faults.meddling import (
    blind,
    declare,
    later,
    lose_answer,
    once,
    raising,
)


@pytest.fixture
def desk() -> Desk:
    """An executor over the paper brokerage, on virtual time."""
    return Desk()


def test_t01_t02_what_never_left_is_sent_again_after_a_wait(desk: Desk) -> None:
    """T01, T02: A send of which no byte left is repeated under the same id, with backoff."""
    refused = BrokerConnectionError("the name cannot be resolved", outcome=Outcome.NOT_SENT)
    once(desk, "place_order", raising(refused))
    result = desk.executor.submit(buy(client_order_id="one"))
    assert result.success
    assert desk.kinds == [EventKind.RETRYING, EventKind.TAKEN]
    assert desk.waited == 1.0
    assert len(desk.venue.orders_received()) == 1


def test_t01_a_look_that_cannot_connect_proves_nothing(desk: Desk) -> None:
    """T01: A read that finds no connection is no look: the order is never taken for absent."""
    lose_answer(desk)
    with blind(desk, BrokerConnectionError("the name cannot be resolved")):
        result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    state = desk.executor.find("one")
    assert state is not None
    assert state.phase is Phase.QUARANTINED
    assert desk.executor.reconcile().settled[0].order_id == "o-000001"


def test_t03_no_connection_is_free(desk: Desk) -> None:
    """T03: A wait for a connection that ends in vain is local: nothing was sent, and is said so."""
    desk = Desk(ExecutorSettings(max_retries=1))
    waited = BrokerTimeoutError("no connection was free", outcome=Outcome.NOT_SENT)
    desk.broker.place_order = raising(waited)  # type: ignore[method-assign]  # all are taken
    result = desk.executor.submit(buy(client_order_id="one"))
    assert result.error is waited
    state = desk.executor.find("one")
    assert state is not None
    assert (state.phase, state.attempts) == (Phase.NOT_SENT, 2)
    assert desk.gate.held == set()


@pytest.mark.parametrize(
    "fault", [Fault.DROP_AFTER_ACCEPT, Fault.RESET_AFTER, Fault.SERVER_ERROR], ids=str
)
def test_t04_t07_t09_t14_an_order_that_was_taken_is_found(desk: Desk, fault: Fault) -> None:
    """T04, T07, T09, T14: An order that was taken without a whole answer is found, and is one."""
    desk.venue.inject(fault, "place_order")
    result = desk.executor.submit(buy())
    assert [each.order_id for each in desk.venue.orders_received()] == [result.order_id]
    assert desk.venue.requests_received("place_order") == 1


def test_t08_an_answer_that_cannot_be_read(desk: Desk) -> None:
    """T08: An answer that is no answer leaves the outcome unknown; the order is found, once."""
    garbled = OrderOutcomeUnknownError("a page of HTML", http_status=200)
    once(desk, "place_order", raising(garbled, after=desk.broker.place_order))
    result = desk.executor.submit(buy())
    assert result.success
    assert desk.kinds == [EventKind.OUTCOME_UNKNOWN, EventKind.TAKEN]


@pytest.mark.parametrize("fault", [Fault.DROP_BEFORE_ACCEPT, Fault.UNAVAILABLE], ids=str)
@pytest.mark.parametrize("scope", [IdempotencyScope.FOREVER, IdempotencyScope.TAG_ONLY], ids=str)
def test_t05_t10_an_order_that_never_arrived(
    desk: Desk, fault: Fault, scope: IdempotencyScope
) -> None:
    """T05, T10: An order that is proven absent is sent again where its id protects, else not."""
    declare(desk, idempotency=attrs.evolve(desk.broker.idempotency, scope=scope))
    desk.venue.inject(fault, "place_order")
    result = desk.executor.submit(buy())
    protects = scope is IdempotencyScope.FOREVER
    assert result.success is protects
    assert isinstance(result.error, OrderNotFoundError) is not protects
    assert len(desk.venue.orders_received()) == int(protects)


@pytest.mark.parametrize("late_s", [0.1, 3.0, 9.9])
def test_t06_an_order_that_arrives_late_is_found(desk: Desk, late_s: float) -> None:
    """T06: An order that arrives after looks that showed nothing is found; no second is sent."""
    lag = attrs.evolve(desk.broker.idempotency, visibility_lag_s=10.0)
    declare(desk, idempotency=lag)
    request = buy(client_order_id="one")
    real = desk.broker.place_order
    later(desk, late_s, lambda: real(request))
    once(desk, "place_order", raising(OrderOutcomeUnknownError("there was no answer")))
    result = desk.executor.submit(request)
    assert result.success
    assert len(desk.venue.orders_received()) == 1
    assert EventKind.RESENDING not in desk.kinds


@pytest.mark.parametrize(
    "error",
    [
        OrderOutcomeUnknownError("a page of a proxy", http_status=429, retry_after_s=1.0),
        PermissionDeniedError("a page of a proxy", http_status=403),
        BrokerAPIError("in no table"),
    ],
    ids=["unknown", "denied", "unlisted"],
)
def test_t11_words_that_are_not_the_brokers_are_no_refusal(
    desk: Desk, error: BaseException
) -> None:
    """T11: An error that does not say what became of the order is looked into, whatever it is."""
    once(desk, "place_order", raising(error, after=desk.broker.place_order))
    assert desk.executor.submit(buy()).success
    assert EventKind.OUTCOME_UNKNOWN in desk.kinds
    assert len(desk.venue.orders_received()) == 1


def test_t15_a_search_ends(desk: Desk) -> None:
    """T15: However the broker fails to answer, the caller hears by a stated time."""
    desk = Desk(ExecutorSettings(resolve_timeout_s=7.0))
    lose_answer(desk)
    with blind(desk):
        result = desk.executor.submit(buy())
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert 0 < desk.waited <= 7.0


def test_t18_what_happened_meanwhile_is_taken_up_by_reads(desk: Desk) -> None:
    """T18: No stream is needed: what was filled while nobody listened is booked, once."""
    live = desk.executor.submit(rest("99.50"))
    desk.venue.fill(live.order_id or "", D("0.04"), D("99.50"))
    first, second = desk.executor.reconcile(), desk.executor.reconcile()
    assert [len(report.new_fills) for report in (first, second)] == [1, 0]
    assert len(first.changed) == 1


def test_t19_an_interrupt_leaves_the_order_to_be_found(desk: Desk) -> None:
    """T19: Ctrl-C during the send reaches the caller, and the next start finds the order."""
    stopped = raising(KeyboardInterrupt(), after=desk.broker.place_order)
    once(desk, "place_order", stopped)
    with pytest.raises(KeyboardInterrupt):
        desk.executor.submit(buy(client_order_id="one"))
    report = desk.start().recover()
    assert [state.order_id for state in report.settled] == ["o-000001"]
    assert desk.venue.requests_received("place_order") == 1


@pytest.mark.parametrize("arrives", [True, False])
def test_t20_a_crash_between_the_send_and_the_answer(desk: Desk, arrives: bool) -> None:
    """T20: The next process finds the order or proves that there is none, and sends nothing."""
    after = desk.broker.place_order if arrives else None
    once(desk, "place_order", raising(Crash(), after=after))
    with pytest.raises(Crash):
        desk.executor.submit(buy(client_order_id="one"))
    desk.start().recover()
    state = desk.executor.find("one")
    assert state is not None
    assert state.phase is (Phase.ENDED if arrives else Phase.ABSENT)
    assert len(desk.venue.orders_received()) == int(arrives)
    assert desk.gate.held == set()
