"""What only a journal on a disk does: it lasts, has one holder, and knows when it is damaged."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import MissingDependencyError
from bot_v2.orchestration.journal import stores
from bot_v2.orchestration.journal.records import (
    Entry,
    JournalOwnershipError,
    OrderJournalError,
    Phase,
)
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.texts import checksum_of
from bot_v2.orchestration.journal.upkeep import (
    check_integrity,
    count_records,
    export_fills,
    export_intents,
    find_histories,
    list_unsettled,
    prune,
)
from tests.unit.orchestration.journal.test_journals import NOW, SCOPE, fill, intent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "orders.sqlite"


def opened(path: Path, owner: str = "first") -> SqlJournal:
    """The journal, held by a process of some name."""
    return SqlJournal(f"sqlite:///{path}", owner=owner)


def written(path: Path) -> None:
    """Leave a journal with a settled, a live and an unheard-of intent."""
    with closing(opened(path)) as journal:
        for name in ("settled", "live", "unheard"):
            journal.open_intent(intent(name))
        gone = Entry(phase=Phase.UNKNOWN, at=NOW, note="it timed out")
        journal.append(intent("settled").intent_id, gone)
        journal.append(intent("settled").intent_id, Entry(phase=Phase.ABSENT, at=NOW))
        taken = Entry(phase=Phase.TAKEN, at=NOW, order_id="o-1")
        journal.append(intent("live").intent_id, taken)
        journal.book_fills(SCOPE, [fill("t-1")])


def change(path: Path, statement: str) -> None:
    """Damage a journal."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_it_is_synced_at_each_commit(path: Path) -> None:
    """The write-ahead log is on, and a commit waits for the disk."""
    with closing(opened(path)) as journal, journal.transaction() as connection:
        for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2)):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == wanted


def test_another_process_takes_over_what_was_left(path: Path) -> None:
    """What is open belongs to who opened it, until that one is gone and another takes it over."""
    written(path)
    with closing(opened(path, "second")) as journal:
        assert journal.list_open(SCOPE) == []
        with pytest.raises(JournalOwnershipError):
            journal.append(intent("live").intent_id, Entry(phase=Phase.ENDED, at=NOW))
        assert journal.take_over(SCOPE) == 2
        open_now = {state.intent.client_order_id for state in journal.list_open(SCOPE)}
        assert open_now == {"live", "unheard"}
        assert journal.take_over(SCOPE) == 0


def test_one_process_holds_a_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second holder is refused while the first lives, and let in once it has closed."""
    monkeypatch.setattr(stores, "BUSY_S", 0.01)
    with closing(opened(path)), pytest.raises(OrderJournalError, match="locked"):
        opened(path, "second")
    opened(path, "second").close()


def test_a_closed_journal_takes_nothing(path: Path) -> None:
    """What would be written after the end is an error, not lost."""
    journal = opened(path)
    journal.close()
    with pytest.raises(OrderJournalError):
        journal.open_intent(intent())


def test_another_version_is_refused(path: Path) -> None:
    """A journal of another schema is not touched."""
    written(path)
    change(path, "UPDATE journal_facts SET value = '99'")
    with pytest.raises(OrderJournalError, match="99"):
        opened(path)


def test_news_reopens_a_settled_intent(path: Path) -> None:
    """A late execution can say more of an order that has ended."""
    written(path)
    with closing(opened(path)) as journal:
        state = journal.append(
            intent("settled").intent_id, Entry(phase=Phase.TAKEN, at=NOW, order_id="o-9")
        )
        assert not state.is_final
        assert state in journal.list_open(SCOPE)


def test_a_whole_journal_is_whole(path: Path) -> None:
    """Nothing is found where nothing is wrong."""
    written(path)
    with closing(opened(path)) as journal:
        assert check_integrity(journal) == []


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE journal_intents SET payload = replace(payload, '1.10', '1.11')", "not what was"),
        ("UPDATE journal_intents SET digest = 'x'", "not what was written"),
        ("UPDATE journal_entries SET payload = replace(payload, 'timed', 'tamed')", "entry 0"),
        ("DELETE FROM journal_entries WHERE number = 0", "is missing"),
        ("DELETE FROM journal_open", "its claim says otherwise"),
    ],
)
def test_damage_is_found(path: Path, damage: str, found: str) -> None:
    """A changed, dropped or contradicted row is named."""
    written(path)
    change(path, damage)
    with closing(opened(path)) as journal:
        assert any(found in each for each in check_integrity(journal))


def test_what_cannot_be_read_is_an_error(path: Path) -> None:
    """A row that is no record is never taken for an absent one."""
    written(path)
    change(path, "UPDATE journal_intents SET payload = '{}'")
    with closing(opened(path)) as journal, pytest.raises(OrderJournalError):
        journal.find(intent("live").intent_id)


def test_export_tells_all(path: Path) -> None:
    """Each intent with its entries, and each execution, is a line of JSON with exact numbers."""
    written(path)
    with closing(opened(path)) as journal:
        intents = [json.loads(line) for line in export_intents(journal)]
        fills = [json.loads(line) for line in export_fills(journal)]
    phases = {
        each["intent"]["client_order_id"]: [entry["phase"] for entry in each["entries"]]
        for each in intents
    }
    assert phases == {"settled": ["unknown", "absent"], "live": ["taken"], "unheard": []}
    assert intents[0]["intent"]["request"]["quantity"] == "1.10"
    assert [each["trade_id"] for each in fills] == ["t-1"]


def test_retention_keeps_ids_ties_and_open_intents(path: Path) -> None:
    """Only what was settled long ago loses its content; its id stays taken."""
    written(path)
    with closing(opened(path)) as journal:
        assert prune(journal, NOW) == 0
        assert prune(journal, NOW + timedelta(days=1)) == 1
        with pytest.raises(OrderJournalError, match="pruned"):
            journal.open_intent(intent("settled"))
        assert journal.find(intent("live").intent_id) is not None
        assert check_integrity(journal) == []


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/orders", "not a url"])
def test_other_databases_are_refused(url: str) -> None:
    """A journal is kept where it is known to be safe."""
    with pytest.raises((OrderJournalError, MissingDependencyError)):
        SqlJournal(url)


def test_a_row_that_is_whole_and_no_record_is_found(path: Path) -> None:
    """What has a right checksum and cannot be read is damage as well."""
    written(path)
    payload, name = '{"phase": "nowhere"}', intent("live").intent_id
    checksum = checksum_of("", name, payload)
    with closing(sqlite3.connect(path)) as connection:
        query = "UPDATE journal_entries SET payload = ?, checksum = ? WHERE intent_id = ?"
        connection.execute(query, (payload, checksum, name))
        connection.commit()
    with closing(opened(path)) as journal:
        (found,) = check_integrity(journal)
    assert found.startswith(f"an entry of {name!r} cannot be read")


def test_a_story_is_found_by_each_of_its_names(path: Path) -> None:
    """The caller's id, the intent's with or without its account, and the broker's order id."""
    written(path)
    with closing(opened(path)) as journal:
        for name in ("live", "acme/A-1/live", "o-1"):
            (history,) = find_histories(journal, name)
            assert history.intent == intent("live")
            assert [entry.order_id for entry in history.entries] == ["o-1"]
        assert find_histories(journal, "liv") == []
        assert find_histories(journal, "%") == []


def test_a_journal_is_counted(path: Path) -> None:
    """Intents, those that were pruned, those that are open, entries and executions."""
    written(path)
    with closing(opened(path)) as journal:
        prune(journal, NOW + timedelta(days=1))
        counts = count_records(journal)
        assert (counts.intents, counts.pruned, counts.unsettled) == (3, 1, 2)
        assert (counts.entries, counts.fills) == (1, 1)
        open_now = [state.intent.client_order_id for state in list_unsettled(journal)]
    assert sorted(open_now) == ["live", "unheard"]


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the driver of PostgreSQL the error says which extra brings it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"bot-v2\[postgres\]"):
        SqlJournal("postgresql://127.0.0.1:1/orders")
