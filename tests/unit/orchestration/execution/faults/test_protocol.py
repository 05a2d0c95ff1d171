"""Faults of what the broker says: late, twice, partly, or not to be understood."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    InvalidFieldError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderResult,
    OrderStatus,
    Outcome,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.position_stories import PartSource
from bot_v2.orchestration.journal.records import Phase
from bot_v2.simulation.faults import Fault
from bot_v2.testing.schedules.world import Crash
from tests.unit.orchestration.execution.desk import Desk, buy, rest
from tests.unit.orchestration.execution.faults.meddling import (
    lose_answer,
    once,
    raising,
    replace,
)


@pytest.fixture
def desk() -> Desk:
    """An executor over the paper brokerage, on virtual time."""
    return Desk()


def test_p01_an_execution_that_is_listed_twice_is_booked_once(desk: Desk) -> None:
    """P01: A trade id counts once in its product, however often the broker says it."""
    desk.executor.submit(buy(client_order_id="one"))
    real = desk.broker.list_fills
    replace(desk, "list_fills", lambda since=None: real(since) * 2)
    assert [len(desk.executor.reconcile().new_fills) for _ in range(3)] == [1, 0, 0]
    statistics = desk.executor.statistics("one")
    assert statistics is not None
    assert statistics.filled_quantity == D("0.1")


def test_p02_a_fill_before_the_answer_is_tied_to_its_order(desk: Desk) -> None:
    """P02: What was filled before anybody knew the order's id is booked, and counted as its own."""
    once(desk, "place_order", raising(Crash(), after=desk.broker.place_order))
    with pytest.raises(Crash):
        desk.executor.submit(buy(client_order_id="one"))
    desk.start()
    with blind_to_orders(desk):
        assert len(desk.executor.reconcile().new_fills) == 1
    desk.executor.reconcile()
    statistics = desk.executor.statistics("one")
    assert statistics is not None
    assert (statistics.filled_quantity, statistics.average_price) == (D("0.1"), D(100))


class blind_to_orders:  # noqa: N801 - used as a statement
    """Let orders be unreadable for a while, and executions be read."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.real: dict[str, Any] = {}

    def __enter__(self) -> None:
        for name in ("get_order_by_client_id", "list_orders", "get_order"):
            self.real[name] = getattr(self.desk.broker, name)
            replace(self.desk, name, raising(BrokerAPIError("not now")))

    def __exit__(self, *raised: object) -> None:
        for name, method in self.real.items():
            replace(self.desk, name, method)


def test_p03_a_fill_after_the_cancel_is_booked(desk: Desk) -> None:
    """P03: A fill that is told after the end counts, and the order's end is told anew."""
    live = desk.executor.submit(rest(client_order_id="one"))
    order_id = live.order_id or ""
    assert desk.executor.cancel(order_id).success
    desk.executor.reconcile()
    desk.venue.late_fill(order_id, D("0.04"), D(50))
    report = desk.executor.reconcile()
    assert [fill.quantity for fill in report.new_fills] == [D("0.04")]
    state = desk.executor.find("one")
    assert state is not None
    assert state.order is not None
    assert (state.phase, state.order.filled_quantity) == (Phase.ENDED, D("0.04"))
    assert desk.gate.held == set()


def test_p04_an_execution_that_is_left_out_is_noticed(desk: Desk) -> None:
    """P04: Where an order says more than its executions, the position's story says so."""
    for _ in range(2):
        desk.executor.reconcile()
    real = desk.broker.list_fills
    replace(desk, "list_fills", lambda since=None: [])
    desk.executor.submit(buy(client_order_id="one"))
    (difference,) = desk.executor.reconcile().differences or ()
    assert difference.story is not None
    (part,) = [each for each in difference.story.parts if each.order_id]
    assert (part.source, part.quantity) == (PartSource.UNLISTED, D("0.1"))
    assert difference.story.unexplained == 0
    assert "order o-000001 (client id one) says so" in difference.explanation
    replace(desk, "list_fills", real)
    assert desk.executor.reconcile().differences == ()


def test_p05_p19_an_older_snapshot_takes_nothing_back(desk: Desk) -> None:
    """P05, P19: A read that is behind neither lowers what was filled nor undoes an end."""
    live = desk.executor.submit(rest(client_order_id="one"))
    order_id = live.order_id or ""
    before = desk.broker.get_order(order_id)
    desk.venue.fill(order_id, D("0.1"), D(50))
    desk.executor.reconcile()
    replace(desk, "list_orders", lambda status=None: [before])
    replace(desk, "get_order", lambda order_id: before)
    desk.executor.reconcile()
    state = desk.executor.find("one")
    assert state is not None
    assert state.order is not None
    assert (state.phase, state.order.filled_quantity) == (Phase.ENDED, D("0.1"))


def test_p06_a_bust_takes_its_execution_back(desk: Desk) -> None:
    """P06: A corrected or busted execution counts no more, by the broker's word alone."""
    desk.executor.submit(buy(client_order_id="one"))
    desk.executor.reconcile()
    (fill,) = desk.broker.list_fills()
    bust = attrs.evolve(fill, trade_id="t-bust", corrects=fill.trade_id, busted=True)
    replace(desk, "list_fills", lambda since=None: [fill, bust])
    replace(desk, "list_positions", list)
    for _ in range(2):
        assert desk.executor.reconcile().differences == ()
    statistics = desk.executor.statistics("one")
    assert statistics is not None
    assert (statistics.filled_quantity, statistics.fees) == (D(0), {})


def test_p07_a_status_that_nobody_has_seen_is_no_end(desk: Desk) -> None:
    """P07: An order in an unknown status stays followed, with its text, and holds its risk."""
    live = desk.executor.submit(rest(client_order_id="one"))
    odd = attrs.evolve(
        desk.broker.get_order(live.order_id or ""),
        status=OrderStatus.UNKNOWN,
        native_status="SIDEWAYS",
    )
    replace(desk, "list_orders", lambda status=None: [odd])
    desk.executor.reconcile()
    state = desk.executor.find("one")
    assert state is not None
    assert state.order is not None
    assert (state.phase, state.order.native_status) == (Phase.TAKEN, "SIDEWAYS")
    assert desk.gate.held == {"one"}


@pytest.mark.parametrize(
    "error",
    [ValueError("no JSON"), InvalidFieldError("Order.quantity", "NaN", "a number"), KeyError("id")],
    ids=["unreadable", "no number", "renamed"],
)
def test_p08_p14_p17_a_read_that_cannot_be_understood_proves_nothing(
    desk: Desk, error: Exception
) -> None:
    """P08, P14, P17: A read that fails on what it got is a failed read, and never an empty one."""
    lose_answer(desk)
    real = desk.broker.list_orders
    for name in ("list_orders", "get_order_by_client_id", "list_fills"):
        replace(desk, name, raising(error))
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    replace(desk, "list_orders", real)
    assert desk.executor.reconcile().settled[0].phase is Phase.ENDED


def test_p10_pages_that_are_missing_prove_nothing(desk: Desk) -> None:
    """P10: Where a list is not whole, what is not in it may exist: a person is asked."""
    desk.venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
    replace(desk, "list_orders", raising(BrokerAPIError("the list is longer than 50 pages")))
    result = desk.executor.submit(buy(client_order_id="one"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    assert "longer than 50 pages" in result.error.message
    assert desk.gate.held == {"one"}


def test_p11_a_failure_that_is_returned_is_a_failure(desk: Desk) -> None:
    """P11: A refusal that comes as a result and not as an error is a refusal all the same."""
    refusal = OrderRejectedError("too small", outcome=Outcome.REJECTED)

    def refuse(request: Any) -> OrderResult:
        name = request.client_order_id
        return OrderResult(success=False, client_order_id=name, error=refusal)

    replace(desk, "place_order", refuse)
    result = desk.executor.submit(buy(client_order_id="one"))
    assert result.error is refusal
    state = desk.executor.find("one")
    assert state is not None
    assert state.phase is Phase.REJECTED


def test_p13_a_success_without_an_order_id_is_looked_into(desk: Desk) -> None:
    """P13: A reply that names no order and no error says nothing: the order is looked for."""
    real = desk.broker.place_order

    class Nameless:
        success, order_id, order, error, message = True, None, None, None, ""

    def answer(request: Any) -> Any:
        real(request)
        return Nameless()

    once(desk, "place_order", answer)
    result = desk.executor.submit(buy())
    assert (result.success, result.order_id) == (True, "o-000001")
    assert EventKind.OUTCOME_UNKNOWN in desk.kinds
