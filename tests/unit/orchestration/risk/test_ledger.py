"""What a process holds: written later where it cannot be now, and taken over from the dead."""

from __future__ import annotations

from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerUnavailableError,
    OrderModification,
    OrderSide,
)
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.store import MemoryReservations
from tests.unit.orchestration.risk.bench import Bench, market, order

SELL = OrderSide.SELL
LIMITS = RiskLimits(max_position_value=D(1000), min_cash_balance=D(0))


class Flaky(MemoryReservations):
    """A store that can be out of reach."""

    is_down = False

    def turn(self) -> Any:
        """Give the book, if it is there."""
        if self.is_down:
            raise OrderJournalError("the store is out of reach")
        return super().turn()


@pytest.fixture
def store() -> Flaky:
    """A store that can be out of reach."""
    return Flaky()


@pytest.fixture
def bench(tmp_path: Path, store: Flaky) -> Bench:
    """A gate over it."""
    return Bench(tmp_path, LIMITS, store=store)


def test_without_the_store_only_what_the_broker_guards_passes(bench: Bench, store: Flaky) -> None:
    """Nothing new is risked that could not be written down; exits are written down later."""
    assert bench.submit("5") is None
    store.is_down = True
    assert isinstance(bench.submit("1"), OrderJournalError)
    assert isinstance(bench.submit("1", SELL), OrderJournalError)
    terms: dict[str, Any] = {"price": D(150), "client_order_id": "guarded"}
    assert bench.submit("1", SELL, reduce_only=True, **terms) is None
    (living,) = bench.executor.list_open()
    change = OrderModification(quantity=D(2))
    assert not bench.executor.modify(living.order_id or "", change).success
    store.is_down = False
    assert bench.held == []
    assert bench.submit("1") is None
    assert bench.held == ["guarded"]


def test_what_cannot_be_given_back_is_given_back_later(bench: Bench, store: Flaky) -> None:
    """An order that has ended does not hold its risk for ever."""
    assert bench.submit("5", price=D(50), client_order_id="rests") is None
    (living,) = bench.executor.list_open()
    bench.executor.cancel(living.order_id or "")
    store.is_down = True
    bench.executor.reconcile()
    store.is_down = False
    assert bench.held == ["rests"]
    assert bench.submit("10") is None
    assert "rests" not in bench.held


def test_what_cannot_be_weighed_yet_stops_new_risk(bench: Bench) -> None:
    """An order of an earlier process counts, whether its product can be read or not."""
    bench.broker.failing = {"get_price"}
    real = bench.broker.get_product
    bench.broker.get_product = lambda symbol: (_ for _ in ()).throw(  # type: ignore[method-assign]  # it cannot be read
        BrokerUnavailableError("no answer")
    )
    bench.gate.hold(market("9", client_order_id="earlier"))
    bench.broker.get_product = real  # type: ignore[method-assign]  # it can be again
    error = bench.submit("1")
    assert isinstance(error, BrokerUnavailableError) or "get_price" in str(error)
    bench.broker.failing = set()
    assert "at most 1 of" in str(bench.submit("2"))
    assert bench.submit("1") is None


def test_an_order_of_unknown_cost_stops_what_cash_is_for(tmp_path: Path) -> None:
    """Its quantity is known, and what it costs is not, until there is a price again."""
    bench = Bench(tmp_path, RiskLimits(min_cash_balance=D(99_000)))
    bench.broker.failing = {"get_price"}
    bench.gate.hold(market("1", client_order_id="earlier"))
    error = bench.submit("1")
    assert "min_cash_balance" in str(error)
    assert "costs is not known" in str(error)
    bench.broker.failing = set()
    assert bench.submit("1") is None


def test_what_lives_is_held_before_anybody_has_recovered(bench: Bench) -> None:
    """A gate that is opened gives back what is known to be over, and nothing else."""
    assert bench.submit("5", price=D(50), client_order_id="rests") is None
    bench.journal.owner = "another"
    bench.open(bench.broker, bench.journal)
    assert bench.held == ["rests"]


def test_a_process_that_lives_keeps_what_it_admitted(tmp_path: Path, store: Flaky) -> None:
    """Its order may still be sent: another process of the journal does not give it back."""
    bench = Bench(tmp_path, LIMITS, store=store)
    bench.gate.reserve(order("6", client_order_id="admitted"))
    bench.journal.is_gone = lambda owner: False  # type: ignore[method-assign]  # it lives
    first = bench.journal.owner
    bench.journal.owner = "another"
    _, executor = bench.open(bench.broker, bench.journal)
    assert not executor.submit(order("5")).success
    assert bench.held == ["admitted"]
    bench.journal.is_gone = lambda owner: owner == first  # type: ignore[method-assign]  # it does not
    assert executor.submit(order("5")).success
    assert bench.held == []


def test_a_journal_that_cannot_be_read_gives_nothing_back(tmp_path: Path, store: Flaky) -> None:
    """What became of an order is not known then."""
    bench = Bench(tmp_path, LIMITS, store=store)
    bench.gate.reserve(order("6", client_order_id="admitted"))
    bench.journal.owner = "another"
    real = bench.journal.find

    def fail(intent_id: str) -> Any:
        raise OrderJournalError("the journal does not answer")

    bench.journal.find = fail  # type: ignore[method-assign]  # it cannot be read
    bench.open(bench.broker, bench.journal)
    assert bench.held == ["admitted"]
    bench.journal.find = real  # type: ignore[method-assign]  # it can be again
    bench.open(bench.broker, bench.journal)
    assert bench.held == []


def test_two_journals_do_not_meddle(tmp_path: Path, store: Flaky) -> None:
    """What a process of another journal holds is not this one's to give back."""
    bench = Bench(tmp_path, LIMITS, store=store)
    bench.gate.reserve(order("6", client_order_id="admitted"))
    _, other = bench.open(bench.broker, MemoryJournal())
    assert not other.submit(order("5")).success
    assert bench.held == ["admitted"]


def test_a_person_gives_back_what_a_lost_journal_held(bench: Bench) -> None:
    """Nobody else can know that such an order is over."""
    bench.gate.reserve(order("6", client_order_id="admitted"))
    _, other = bench.open(bench.broker, MemoryJournal())
    assert not other.submit(order("5")).success
    (held,) = bench.desk.list_held()
    bench.desk.give_back(held, bench.clock())
    assert other.submit(order("5")).success
