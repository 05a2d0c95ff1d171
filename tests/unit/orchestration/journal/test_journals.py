"""What every journal does, in memory and in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    Fill,
    Order,
    OrderRejectedError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
)
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.orchestration.journal.journal import Opening, OrderJournal, Scope
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import (
    Baseline,
    Entry,
    Intent,
    IntentKind,
    IntentState,
    OrderJournalError,
    Phase,
)
from bot_v2.orchestration.journal.sql_journal import SqlJournal

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
SCOPE = Scope(broker="acme", account_id="A-1")


def intent(name: str = "one", quantity: str = "1.10", **changes: object) -> Intent:
    """A placement that is about to be sent."""
    request = OrderRequest(
        symbol="BTC-USD", side=OrderSide.BUY, quantity=D(quantity), client_order_id=name
    )
    terms: dict[str, object] = {
        "intent_id": f"acme/A-1/{name}",
        "kind": IntentKind.PLACE,
        "broker": "acme",
        "account_id": "A-1",
        "client_order_id": name,
        "created_at": NOW,
        "symbol": "BTC-USD",
        "request": request,
    }
    return Intent(**{**terms, **changes})  # type: ignore[arg-type]  # terms by name, as given


def fill(trade_id: str, order_id: str = "o-1", symbol: str = "BTC-USD", at: int = 0) -> Fill:
    """An execution."""
    return Fill(
        trade_id=trade_id,
        order_id=order_id,
        symbol=symbol,
        side=OrderSide.BUY,
        quantity=D("0.10"),
        price=D("100.00"),
        timestamp=NOW + timedelta(seconds=at),
        account_id="A-1",
    )


def order(order_id: str = "o-1", status: OrderStatus = OrderStatus.OPEN) -> Order:
    """An order as a broker shows it."""
    return Order(
        order_id=order_id,
        symbol="BTC-USD",
        type=OrderType.MARKET,
        status=status,
        filled_quantity=D("1.10") if status is OrderStatus.FILLED else D(0),
        time_in_force=TimeInForce.GTC,
        account_id="A-1",
    )


@pytest.fixture(params=["memory", "sqlite"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OrderJournal]:
    """An empty journal of each kind."""
    made: OrderJournal = (
        MemoryJournal()
        if request.param == "memory"
        else SqlJournal(f"sqlite:///{tmp_path / 'orders.sqlite'}")
    )
    yield made
    made.close()


def test_an_intent_reads_back_as_it_was_written(journal: OrderJournal) -> None:
    """Each digit, the baseline and the arrival price come back from the journal."""
    baseline = Baseline(filled_by_order={"o-0": D("0.50")}, position=D("-2.0"))
    written = intent(baseline=baseline, arrival_price=D("99.90"))
    assert journal.open_intent(written) is None
    state = journal.find(written.intent_id)
    assert state is not None
    assert state.intent == written
    assert state.phase is Phase.OPEN
    assert journal.list_open(SCOPE) == [state]
    assert journal.list_open(Scope(broker="acme", account_id="A-2")) == []


def test_an_id_is_taken_once(journal: OrderJournal) -> None:
    """A second intent under an id is not written: the first one is returned."""
    journal.open_intent(intent())
    taken = journal.open_intent(intent(quantity="2"))
    assert taken is not None
    assert taken.intent == intent()
    assert taken.intent.digest != intent(quantity="2").digest


def test_entries_add_up_to_a_state(journal: OrderJournal) -> None:
    """Phase, attempts, order and error are what the entries say, and an end closes the intent."""
    name = intent().intent_id
    journal.open_intent(intent())
    refusal = OrderRejectedError("no", reason="too small")
    journal.append(name, Entry(phase=Phase.OPEN, at=NOW, attempt=True, error=refusal))
    state = journal.append(name, Entry(phase=Phase.TAKEN, at=NOW, order_id="o-1", order=order()))
    assert (state.attempts, state.order_id, state.error) == (2, "o-1", None)
    assert journal.find_by_order(SCOPE, "o-1") == journal.find(name) == state
    assert [each.phase for each in journal.list_open(SCOPE)] == [Phase.TAKEN]
    filled = order(status=OrderStatus.FILLED)
    journal.append(name, Entry(phase=Phase.ENDED, at=NOW, order_id="o-1", order=filled))
    assert journal.list_open(SCOPE) == []


def test_an_error_reads_back_with_its_outcome(journal: OrderJournal) -> None:
    """The refusal of a settled intent can be returned again after years."""
    journal.open_intent(intent())
    refusal = OrderRejectedError("no", reason="too small", code="E7")
    journal.append(intent().intent_id, Entry(phase=Phase.REJECTED, at=NOW, error=refusal))
    state = journal.find(intent().intent_id)
    assert state is not None
    assert isinstance(state.error, OrderRejectedError)
    assert (state.error.reason, state.error.code) == ("too small", "E7")


def test_an_order_comes_of_one_intent(journal: OrderJournal) -> None:
    """An order that is tied to an intent is not tied to another."""
    journal.open_intent(intent("one"))
    journal.open_intent(intent("two"))
    taken = Entry(phase=Phase.TAKEN, at=NOW, order_id="o-1")
    journal.append(intent("one").intent_id, taken)
    with pytest.raises(OrderJournalError):
        journal.append(intent("two").intent_id, taken)
    state = journal.find(intent("two").intent_id)
    assert state is not None
    assert state.phase is Phase.OPEN


def test_replaced_orders_stay_tied(journal: OrderJournal) -> None:
    """Each order of a chain of replacements leads to the one intent."""
    journal.open_intent(intent())
    for order_id in ("o-1", "o-2"):
        entry = Entry(phase=Phase.TAKEN, at=NOW, order_id=order_id)
        journal.append(intent().intent_id, entry)
    assert journal.list_order_ids(intent().intent_id) == ["o-1", "o-2"]
    assert journal.find_by_order(SCOPE, "o-1") == journal.find_by_order(SCOPE, "o-2")


def test_an_entry_needs_its_intent(journal: OrderJournal) -> None:
    """What nobody intended cannot have happened."""
    with pytest.raises(OrderJournalError):
        journal.append("acme/A-1/none", Entry(phase=Phase.TAKEN, at=NOW))


def test_an_execution_is_booked_once(journal: OrderJournal) -> None:
    """A trade id counts once in a product, however often it is listed; in another it is another."""
    first, second = fill("t-1"), fill("t-1", symbol="ETH-USD", at=-5)
    assert journal.book_fills(SCOPE, [first, first, second]) == [first, second]
    assert journal.book_fills(SCOPE, [fill("t-1"), fill("t-2", "o-2", at=3)]) == [
        fill("t-2", "o-2", at=3)
    ]
    assert [each.timestamp for each in journal.list_fills(SCOPE)] == [
        NOW + timedelta(seconds=seconds) for seconds in (-5, 0, 3)
    ]
    assert journal.list_fills(SCOPE, "o-2") == [fill("t-2", "o-2", at=3)]


def test_the_opening_is_kept(journal: OrderJournal) -> None:
    """What the account held at first is kept for each account, and can be set anew."""
    assert journal.read_opening(SCOPE) is None
    for quantity in ("1.50", "-2"):
        opening = Opening(at=NOW, positions={"BTC-USD": D(quantity)})
        journal.keep_opening(SCOPE, opening)
        assert journal.read_opening(SCOPE) == opening
    assert journal.read_opening(Scope(broker="other", account_id="A-1")) is None


def test_an_entry_that_tells_nothing_changes_nothing_else() -> None:
    """What an entry does not say stays as it was, whatever a state comes to consist of."""
    told = Entry(
        phase=Phase.UNKNOWN,
        at=NOW,
        attempt=True,
        order_id="o-1",
        order=order(),
        error=OrderJournalError("it failed"),
        note="seen",
    )
    before = IntentState(intent=intent()).after(told)
    assert before.attempts == 2
    assert before.after(Entry(phase=Phase.UNKNOWN, at=NOW)) == before
