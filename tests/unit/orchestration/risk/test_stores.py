"""What every store of reservations does, in memory and in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import create_engine

from bot_v2.features.brokerages.core.interfaces import OrderSide
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.risk.exposure import AccountState, LiveOrder, Part, Reservation
from bot_v2.orchestration.risk.sql_store import SqlReservations
from bot_v2.orchestration.risk.store import MemoryReservations, ReservationStore
from tests.unit.orchestration.risk.bench import START

NOBODY: Any = None
SCOPE = Scope(broker="acme", account_id="A-1")
OTHER = Scope(broker="acme", account_id="A-2")
PART = Part(
    symbol="BTC-USD",
    exposure="asset:BTC",
    side=OrderSide.BUY,
    quantity=D("1.10"),
    value=None,
    currency="USD",
    takes_cash=True,
)


def reservation(name: str, scope: Scope = SCOPE) -> Reservation:
    """A reservation that is held."""
    return Reservation(
        scope=scope,
        client_order_id=name,
        journal_id="j",
        owner="o",
        parts=(PART,),
        reserved_at=START,
    )


def look(releases: int, **changes: object) -> AccountState:
    """A look at the account."""
    state = AccountState(
        scope=SCOPE,
        releases=releases,
        began_at=START + timedelta(seconds=10),
        ended_at=START + timedelta(seconds=11),
        spot_as_positions=False,
        assets={"BTC": D("2.50")},
        live=(LiveOrder(client_order_id=None, parts=(PART,)),),
    )
    return attrs.evolve(state, **changes)  # type: ignore[arg-type]  # fields by name, as given


@pytest.fixture(params=["memory", "sqlite", "sqlite in memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReservationStore]:
    """A store of each kind, empty."""
    made: ReservationStore = MemoryReservations()
    if request.param != "memory":
        path = f"/{tmp_path / 'risk.sqlite'}" if request.param == "sqlite" else ""
        made = SqlReservations(f"sqlite://{path}")
    yield made
    made.close()


def test_what_is_put_is_found(store: ReservationStore) -> None:
    """A reservation comes back as it was, by its account."""
    with store.turn() as book:
        book.put(reservation("one"))
        book.put(reservation("two", OTHER))
        book.put(attrs.evolve(reservation("one"), owner="p"))
    with store.turn() as book:
        assert book.find(SCOPE, "one") == attrs.evolve(reservation("one"), owner="p")
        assert book.find(OTHER, "one") is None
        assert [each.client_order_id for each in book.list_held()] == ["one", "two"]
        assert [each.client_order_id for each in book.list_held(OTHER)] == ["two"]


def test_what_is_given_back_counts_for_those_who_looked_before(store: ReservationStore) -> None:
    """A look that began before a release may not show what the order did."""
    with store.turn() as book:
        for name in ("one", "two"):
            book.put(reservation(name))
        book.release(SCOPE, "one", START, D("0.5"))
        book.release(SCOPE, "one", START, D(9))
        book.release(SCOPE, "no such order", START, None)
        assert book.releases() == 1
        found = book.find(SCOPE, "one")
        assert found is not None
        assert (found.released, found.released_at, found.filled) == (1, START, D("0.5"))
        counting = [
            [each.client_order_id for each in book.list_counting(state)]
            for state in (look(0), look(1), look(1, lag=timedelta(seconds=11)))
        ]
        assert counting == [["one", "two"], ["two"], ["one", "two"]]


def test_what_is_forgotten_is_known_to_be(store: ReservationStore) -> None:
    """Whoever looked before what was dropped has to look again."""
    with store.turn() as book:
        for name in ("one", "two", "three"):
            book.put(reservation(name))
        book.release(SCOPE, "one", START, None)
        book.release(SCOPE, "two", START + timedelta(seconds=5), None)
        book.forget_released(SCOPE, 1, START - timedelta(seconds=1))
        assert book.forgotten(SCOPE) == 0
        book.forget_released(SCOPE, 1, START + timedelta(seconds=9))
        assert (book.forgotten(SCOPE), book.forgotten(OTHER)) == (1, 0)
        assert book.find(SCOPE, "one") is None
        assert book.find(SCOPE, "two") is not None
        book.forget_released(SCOPE, 9, START + timedelta(seconds=9))
        assert (book.forgotten(SCOPE), len(book.list_counting(look(0)))) == (2, 1)


def test_the_latest_look_is_kept(store: ReservationStore) -> None:
    """An older one does not take its place."""
    with store.turn() as book:
        assert book.looked_at(SCOPE) is None
        book.put_account(look(3))
        book.put_account(look(2))
        book.put_account(look(3, began_at=START))
        assert book.list_accounts() == [look(3)]
        assert book.looked_at(SCOPE) == START + timedelta(seconds=10)
        book.put_account(look(4))
        book.forget_account(OTHER)
        assert book.list_accounts() == [look(4)]
        book.forget_account(SCOPE)
        assert book.list_accounts() == []


def test_the_first_equity_of_a_day_stays(store: ReservationStore) -> None:
    """What is lost is counted from it."""
    with store.turn() as book:
        book.put_first_equity(SCOPE, "2026-03-02 UTC", D("100.10"))
        book.put_first_equity(SCOPE, "2026-03-02 UTC", D(50))
        assert book.first_equity(SCOPE, "2026-03-02 UTC") == D("100.10")
        assert book.first_equity(SCOPE, "2026-03-03 UTC") is None


def test_orders_are_counted_for_a_while(store: ReservationStore) -> None:
    """By account, or all together, in the order of time."""
    later = START + timedelta(minutes=11)
    with store.turn() as book:
        book.add_order(SCOPE, START)
        book.add_order(OTHER, START + timedelta(seconds=1))
        assert book.list_orders_since(SCOPE, START - timedelta(seconds=1)) == [START]
        assert len(book.list_orders_since(None, START - timedelta(seconds=1))) == 2
        assert len(book.list_orders_since(None, START)) == 1
        book.add_order(SCOPE, later)
        assert book.list_orders_since(None, START - timedelta(days=1)) == [later]


def test_a_turn_that_fails_writes_nothing(store: ReservationStore) -> None:
    """Half of a turn would be a reservation that nobody knows of."""

    def fail() -> None:
        with store.turn() as book:
            book.put(reservation("one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.turn() as book:
        assert book.list_held() == []


def test_a_store_of_another_version_is_not_opened(tmp_path: Path) -> None:
    """Its tables may mean something else."""
    url = f"sqlite:///{tmp_path / 'risk.sqlite'}"
    SqlReservations(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE risk_facts SET number = 2 WHERE name = 'schema_version'")
    engine.dispose()
    with pytest.raises(OrderJournalError, match="version 2"):
        SqlReservations(url)


def test_a_store_that_fails_says_so(tmp_path: Path) -> None:
    """Whatever the database says of it, it is an error that the executor knows."""
    store = SqlReservations(f"sqlite:///{tmp_path / 'risk.sqlite'}")
    with store.turn() as book:
        connection = book._connection  # type: ignore[attr-defined]  # to break it
        connection.exec_driver_sql("DROP TABLE risk_orders")
    with pytest.raises(OrderJournalError, match="no such table"), store.turn() as book:
        book.add_order(SCOPE, START)
    with pytest.raises(OrderJournalError), store.turn() as book:
        book.put(attrs.evolve(reservation("one"), owner=NOBODY))
    store.close()
    store.close()
    with pytest.raises(OrderJournalError, match="closed"), store.turn():
        pass
    with pytest.raises(OrderJournalError, match="cannot be opened"):
        SqlReservations(f"sqlite:///{tmp_path / 'no' / 'folder' / 'risk.sqlite'}")
