"""Faults of the venue and the session: limits, resets, clocks, and other hands in the account."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerUnavailableError,
    InvalidRequestError,
    MarketClosedError,
    Order,
    OrderHistory,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
    Retention,
    SessionExpiredError,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.position_stories import PartSource
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import Entry, Phase
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.desk import SYMBOL, Desk, buy, rest
from tests.unit.orchestration.execution.faults.meddling import (
    blind,
    declare,
    lose_answer,
    once,
    raising,
    replace,
)
from tests.unit.orchestration.execution.test_parts import without_ids
from tests.unit.orchestration.journal.test_journals import intent


@pytest.fixture
def desk() -> Desk:
    """An executor over the paper brokerage, on virtual time."""
    return Desk()


def test_v01_a_session_that_ends_at_the_order(desk: Desk) -> None:
    """V01: A refusal before the order was looked at is returned once; the bot connects again."""
    desk.venue.inject(Fault.SESSION_EXPIRED, "place_order")
    result = desk.executor.submit(buy())
    assert isinstance(result.error, SessionExpiredError)
    assert desk.venue.requests_received("place_order") == 1
    desk.broker.connect()
    assert desk.executor.submit(buy()).success
    assert len(desk.venue.orders_received()) == 1


def test_v01_a_session_that_ends_without_saying_what_became_of_the_order(desk: Desk) -> None:
    """V01: Where the refusal does not say when it came, the order is looked for once it can be."""
    once(desk, "place_order", raising(SessionExpiredError("401"), after=desk.broker.place_order))
    with blind(desk, SessionExpiredError("401")):
        result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert desk.executor.reconcile().settled[0].order_id == "o-000001"


def test_v04_an_order_of_before_the_reset_is_not_taken_for_absent(desk: Desk) -> None:
    """V04: A broker that forgets orders at a reset proves nothing of those sent before it."""
    history = OrderHistory(retention=Retention.SESSION, session_zone="UTC", session_reset=time(17))
    declare(desk, order_history=history)
    lose_answer(desk)
    with blind(desk):
        desk.executor.submit(buy(client_order_id="one"))
    desk.world.advance_to(desk.world.now + timedelta(hours=4))
    replace(desk, "list_orders", lambda status=None: [])
    replace(desk, "list_fills", lambda since=None: [])
    replace(desk, "get_order_by_client_id", raising(OrderNotFoundError("of this session")))
    report = desk.start().recover()
    (state,) = report.unsettled
    assert state.phase is Phase.QUARANTINED
    assert "no longer remembers" in state.note
    assert desk.gate.held == {"one"}


@pytest.mark.parametrize("answer_is_lost", [False, True])
def test_v05_an_order_id_that_comes_twice(desk: Desk, answer_is_lost: bool) -> None:
    """V05: An order under an id that was given before is neither the old order nor none."""
    old = intent("old", broker="paper", account_id="paper", intent_id="paper/paper/old")
    desk.journal.open_intent(old)
    moment = desk.world.now
    tied = Entry(phase=Phase.ENDED, at=moment, order_id="o-000001")
    desk.journal.append(old.intent_id, tied)
    if answer_is_lost:
        lose_answer(desk)
    result = desk.executor.submit(buy(client_order_id="one"))
    assert result.success is not answer_is_lost
    assert {EventKind.JOURNAL_FAILED, EventKind.QUARANTINED} & set(desk.kinds)
    for _ in range(3):
        desk.start().recover()
    state = desk.executor.find("one")
    assert state is not None
    assert state.phase is Phase.QUARANTINED
    assert "o-000001" in state.note
    assert desk.gate.held == {"one"}


@pytest.mark.parametrize("asked_s", [None, 7.0])
def test_v06_a_rate_limit_is_waited_for(desk: Desk, asked_s: float | None) -> None:
    """V06: What was held back is sent after the wait that is asked for, or our own."""
    limit = RateLimitError("too fast", outcome=Outcome.NOT_SENT, retry_after_s=asked_s)
    once(desk, "place_order", raising(limit))
    assert desk.executor.submit(buy()).success
    assert desk.waited == (asked_s or 1.0)


def test_v06_a_rate_limit_of_the_broker_is_a_refusal(desk: Desk) -> None:
    """V06: A 429 that the broker gives before matching is returned, and not repeated."""
    desk.venue.inject(Fault.RATE_LIMIT, "place_order")
    result = desk.executor.submit(buy())
    assert isinstance(result.error, RateLimitError)
    assert desk.venue.requests_received("place_order") == 1


@pytest.mark.parametrize("keeps_ids", [True, False])
def test_v07_clocks_that_differ(desk: Desk, keeps_ids: bool) -> None:
    """V07: An order whose times look older than its send is found nevertheless."""
    if not keeps_ids:
        without_ids(desk)
    desk.venue.inject(Fault.CLOCK_SKEW)
    lose_answer(desk)
    result = desk.executor.submit(buy())
    assert (result.success, result.order_id) == (True, "o-000001")
    assert len(desk.executor.reconcile().new_fills) == 1


def test_v08_a_closed_market_is_a_refusal(desk: Desk) -> None:
    """V08: A halt is returned with its reason; what is not tradeable is not even sent."""
    closed = MarketClosedError("halted", outcome=Outcome.REJECTED)
    once(desk, "place_order", raising(closed))
    assert desk.executor.submit(buy()).error is closed
    halted = attrs.evolve(desk.broker.get_product(SYMBOL), tradeable=False)
    replace(desk, "get_product", lambda symbol: halted)
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, InvalidRequestError)
    assert desk.executor.find("one") is None


def test_v09_an_order_that_is_dropped_silently_is_not_taken_for_ended(desk: Desk) -> None:
    """V09: A taken order that no read shows stays followed, holds its risk, and is reported."""
    live = desk.executor.submit(rest(client_order_id="one"))
    replace(desk, "list_orders", lambda status=None: [])
    replace(desk, "get_order", raising(OrderNotFoundError("no such order")))
    for _ in range(3):
        report = desk.executor.reconcile()
        assert [failed.method for failed in report.failed_reads] == ["get_order"]
        assert not report.is_complete
    state = desk.executor.find("one")
    assert state is not None
    assert (state.phase, state.order_id) == (Phase.TAKEN, live.order_id)
    assert desk.gate.held == {"one"}


def test_v11_a_product_that_cannot_be_read_is_not_traded(desk: Desk) -> None:
    """V11: Without its product an order is neither checked nor sent."""
    replace(desk, "get_product", raising(BrokerUnavailableError("503")))
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, BrokerUnavailableError)
    assert result.error.outcome is Outcome.NOT_SENT
    assert desk.executor.find("one") is None


def test_v12_positions_that_lag_or_cannot_be_read(desk: Desk) -> None:
    """V12: One look that is behind sets nothing; a failed one is not flat, and closes nothing."""
    real = desk.broker.list_positions
    desk.broker.place_order(buy("0.3"))
    replace(desk, "list_positions", list)
    assert desk.executor.reconcile(explain=True).positions is None
    replace(desk, "list_positions", real)
    for _ in range(2):
        assert desk.executor.reconcile().differences == ()
    replace(desk, "list_positions", raising(BrokerageError("no answer")))
    report = desk.executor.reconcile()
    assert (report.differences, report.is_complete) == (None, False)
    replace(desk, "get_position", raising(BrokerageError("no answer")))
    assert not desk.executor.close_position(SYMBOL).success
    assert desk.venue.requests_received("place_order") == 1


def test_v13_another_hand_in_the_account(desk: Desk) -> None:
    """V13: What somebody else placed is told, its fills apart from ours; it is adopted if asked."""
    desk.executor.submit(buy("0.1", client_order_id="one"))
    desk.broker.place_order(buy("0.2", client_order_id="by-hand"))
    desk.broker.place_order(rest(client_order_id="resting"))
    desk.executor.reconcile()
    report = desk.executor.reconcile(explain=True)
    assert report.positions is not None
    (story,) = report.positions
    parts = {part.source: part.quantity for part in story.parts}
    assert (parts[PartSource.OURS], parts[PartSource.FOREIGN]) == (D("0.1"), D("0.2"))
    assert story.unexplained == 0
    (foreign,) = report.foreign_orders or ()
    assert foreign.client_order_id == "resting"
    assert desk.executor.adopt(foreign).success
    assert desk.executor.reconcile().foreign_orders == ()


def test_v14_a_permission_that_is_missing(desk: Desk) -> None:
    """V14: What the account may not do is refused once, and its risk is given back."""
    denied = PermissionDeniedError("pattern day trader", outcome=Outcome.REJECTED)
    calls: list[Any] = []

    def refuse(request: Any) -> Order:
        calls.append(request)
        raise denied

    replace(desk, "place_order", refuse)
    assert desk.executor.submit(buy()).error is denied
    assert (len(calls), desk.gate.held) == (1, set())


def test_v13_another_accounts_intents_are_left_alone(desk: Desk) -> None:
    """V13: What the journal holds of another account is not touched by this one."""
    other = intent("old", broker="paper", account_id="B-2", intent_id="paper/B-2/old")
    desk.journal.open_intent(other)
    assert desk.executor.recover().settled == ()
    scope = Scope(broker="paper", account_id="B-2")
    assert [state.intent for state in desk.journal.list_open(scope)] == [other]
