"""`bot-v2 reconcile`, `resolve` and `journal`, over the paper brokerage and over a simulator."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide, OrderType
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import Entry, Intent, IntentKind, Phase
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.simulation.faults import Fault
from bot_v2.venues.catalogue import OpenVenue, open_venue
from tests.integration.cli.conftest import Run
from tests.unit.cli.conftest import Keyboard

PAPER = ("--broker", "paper", "--account", "mine.sqlite")
JOURNAL = ("--journal", "mine.journal.sqlite")
FIRST = ("buy", "BTC-USD", "0.1", "--client-order-id", "one")
RESTING = ("buy", "BTC-USD", "0.01", "--price", "1000.00", "--client-order-id", "by-hand")


@pytest.fixture
def paper(quick: Run) -> Run:
    """Run a command on a paper account of the test's own."""
    return lambda *words: quick(*words, *PAPER)


def leave(path: Path, name: str, broker: str = "paper", account: str = "paper") -> None:
    """Leave an intent as a process does that dies at the send."""
    request = OrderRequest(
        symbol="BTC-USD" if broker == "paper" else "AAPL",
        side=OrderSide.BUY,
        quantity=Decimal("0.1"),
        type=OrderType.MARKET,
        client_order_id=name,
    )
    intent = Intent(
        intent_id=f"{broker}/{account}/{name}",
        kind=IntentKind.PLACE,
        broker=broker,
        account_id=account,
        client_order_id=name,
        created_at=datetime.now(UTC),
        symbol=request.symbol,
        request=request,
    )
    with closing(SqlJournal(f"sqlite:///{path}")) as journal:
        journal.open_intent(intent)


def quarantine(path: Path, name: str) -> None:
    """Leave an intent that nobody could find out about, in a time that the broker has forgotten."""
    leave(path, name)
    with closing(SqlJournal(f"sqlite:///{path}")) as journal:
        journal.take_over(Scope(broker="paper", account_id="paper"))
        entry = Entry(phase=Phase.QUARANTINED, at=datetime.now(UTC), note="several can be it")
        journal.append(f"paper/paper/{name}", entry)


def test_what_a_dead_process_left_is_found(paper: Run, tmp_path: Path) -> None:
    """An order that was sent and never heard of is settled by what the broker shows."""
    assert paper(*FIRST).code == 0
    leave(tmp_path / "mine.journal.sqlite", "one")
    ran = paper("reconcile", "--explain")
    assert (ran.code, ran.err) == (0, "")
    assert "settled: place one: ended, order o-000001 (found as filled at the broker)" in ran.out
    assert "fill: t-000001 of order o-000001: buy 0.1 BTC-USD" in ran.out
    assert "position BTC-USD: 0.1\n  +0.1  order o-000001 (client id one): fill t-00" in ran.out
    assert ran.out.endswith("everything is explained\n")
    again = paper("reconcile", "--json")
    assert (again.code, again.json["is_clean"]) == (0, True)
    assert (again.json["report"]["settled"], again.json["report"]["new_fills"]) == ([], [])
    assert again.json["report"]["positions"][0]["unexplained"] == "0.0"


def test_what_never_arrived_is_proven_absent(paper: Run, tmp_path: Path) -> None:
    """An order that the broker does not have is absent after two looks, and is not sent."""
    paper("reconcile")
    leave(tmp_path / "mine.journal.sqlite", "lost")
    ran = paper("reconcile", "--json")
    assert ran.code == 0, ran.err
    (state,) = ran.json["report"]["settled"]
    assert (state["intent"]["client_order_id"], state["phase"]) == ("lost", "absent")
    assert paper("orders", "--json").json == []


def test_what_others_placed_is_told_and_adopted(paper: Run) -> None:
    """A live order that was not placed here is exit code 1 until it is adopted."""
    assert paper(*RESTING).code == 0
    told = paper("reconcile")
    assert told.code == 1
    assert "NOT OURS: order o-000001 in BTC-USD, open" in told.out
    assert "orders not placed here  1" in told.out
    assert told.err == "new order journal: mine.journal.sqlite\n"
    adopted = paper("reconcile", "--adopt", "--json")
    assert adopted.code == 0
    assert [order["order_id"] for order in adopted.json["adopted"]] == ["o-000001"]
    assert paper("cancel", "o-000001").code == 0
    ended = paper("reconcile", "--explain")
    assert ended.code == 0
    assert "news: adopt/o-000001: ended, order o-000001" in ended.out
    shown = paper("journal", "show", "by-hand")
    assert shown.out.startswith("adopt by-hand on paper, account paper")


def test_a_position_is_taken_apart(paper: Run, tmp_path: Path) -> None:
    """What ours, somebody else's and nobody's made of a position is told one by one."""
    assert paper(*FIRST, *JOURNAL).code == 0
    assert paper("buy", "BTC-USD", "0.2", "--client-order-id", "by-hand").code == 0
    paper("reconcile")
    path = tmp_path / "mine.journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        opening = '{"at": "2026-03-02T14:30:00Z", "positions": {"BTC-USD": "0.05"}}'
        connection.execute("UPDATE journal_openings SET payload = ?", (opening,))
        connection.commit()
    ran = paper("reconcile", "--explain")
    assert ran.code == 1
    assert "POSITION: BTC-USD is 0.3, expected 0.35: " in ran.out
    assert ran.out.split("position BTC-USD: 0.3\n")[1].splitlines() == [
        "  +0.05  held when the journal began to follow it",
        "   +0.1  order o-000001 (client id one): fill t-000001",
        "   +0.2  order o-000002 (client id by-hand), not placed here: fill t-000002",
        "  -0.05  of no order or execution that the broker lists: a transfer, a split, an "
        "exercise, or executions still to appear",
        "NOT EVERYTHING IS EXPLAINED",
    ]
    difference = paper("reconcile", "--json").json["report"]["differences"][0]
    assert (difference["expected"], difference["found"]) == ("0.35", "0.3")
    accepted = paper("reconcile", "--accept-positions")
    assert accepted.code == 0
    assert paper("reconcile").code == 0


def test_an_order_through_the_journal_is_placed_once(paper: Run) -> None:
    """The same order under the same id is one order; another one under it is refused."""
    first = paper(*FIRST, *JOURNAL, "--json")
    again = paper(*FIRST, *JOURNAL, "--json")
    assert (first.code, again.code) == (0, 0)
    assert first.json["order_id"] == again.json["order_id"] == "o-000001"
    other = paper("buy", "BTC-USD", "0.2", "--client-order-id", "one", *JOURNAL)
    assert (other.code, "one with another content" in other.err) == (2, True)
    assert len(paper("orders", "--json").json) == 1
    off_grid = paper("buy", "BTC-USD", "0.1", "--price", "1.001", *JOURNAL)
    assert (off_grid.code, "--price is '1.001'" in off_grid.err) == (2, True)
    assert paper("close", "BTC-USD", *JOURNAL).code == 0
    assert paper("positions", "--json").json == []
    assert paper("close", "BTC-USD", *JOURNAL).code == 2
    assert paper("reconcile").code == 0


def test_a_cancel_through_the_journal(paper: Run) -> None:
    """It is accepted, and an order that was filled says so by its exit code."""
    live = paper(*RESTING, *JOURNAL, "--json").json["order_id"]
    assert paper("cancel", live, *JOURNAL, "--json").json["cancel_accepted"] is True
    filled = paper(*FIRST, *JOURNAL, "--json").json["order_id"]
    late = paper("cancel", filled, *JOURNAL, "--json")
    assert (late.code, late.json["cancel_accepted"]) == (1, False)
    missing = paper("cancel", "o-999999", *JOURNAL)
    assert (missing.code, "o-999999" in missing.err) == (1, True)
    story = paper("journal", "show", "by-hand", "--json").json["intents"]
    assert [one["intent"]["kind"] for one in story] == ["place", "cancel"]


def test_the_environment_names_the_journal(
    quick: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    """BOT_V2_JOURNAL is used by what trades and by what looks."""
    environment["BOT_V2_JOURNAL"] = f"sqlite:///{tmp_path / 'named.sqlite'}"
    assert quick(*FIRST, *PAPER).code == 0
    shown = quick("journal", "show", "one", *PAPER, "--json")
    assert shown.json["intents"][0]["entries"][-1]["order_id"] == "o-000001"
    assert (tmp_path / "named.sqlite").is_file()


def test_the_default_journal_is_in_the_users_state_folder(quick: Run, tmp_path: Path) -> None:
    """It is made once, told once, and is apart from those of other brokers."""
    first = quick("reconcile", "--broker", "paper")
    (line,) = [each for each in first.err.splitlines() if each.startswith("new order journal")]
    path = Path(line.removeprefix("new order journal: "))
    assert path.is_file()
    assert path.is_relative_to(tmp_path)
    assert path.name == "paper.journal.sqlite"
    assert "new order journal" not in quick("reconcile", "--broker", "paper").err
    assert quick("journal", "check", "--broker", "paper").code == 0
    other = quick("journal", "check", "--broker", "alpaca")
    assert other.code == 8
    assert "there is no order journal at" in other.err
    assert "orders.sqlite" in other.err


def test_an_account_in_memory_has_its_journal_in_memory(quick: Run, tmp_path: Path) -> None:
    """Nothing of it is left behind."""
    ran = quick("reconcile", "--broker", "paper", "--account", ":memory:")
    assert (ran.code, ran.err) == (0, "")
    assert list(tmp_path.rglob("*.sqlite")) == []


def test_a_journal_that_is_held_is_said(quick: Run, tmp_path: Path, monkeypatch: Any) -> None:
    """While a bot runs on a file, a command ends with 8 and one line."""
    monkeypatch.setattr("bot_v2.orchestration.journal.stores.BUSY_S", 0.01)
    with closing(SqlJournal(f"sqlite:///{tmp_path / 'mine.journal.sqlite'}")):
        ran = quick("reconcile", *PAPER)
        bought = quick(*FIRST, *PAPER, *JOURNAL)
    assert (ran.code, ran.out) == (8, "")
    assert "locked" in ran.err
    assert bought.code == 8
    assert quick("orders", *PAPER, "--json").json == []


@pytest.mark.parametrize(
    ("words", "phase", "order_id"),
    [
        (("--placed-as", "o-000001"), "ended", "o-000001"),
        (("--not-placed",), "absent", None),
    ],
)
def test_a_persons_word_is_taken(
    paper: Run, tmp_path: Path, words: tuple[str, ...], phase: str, order_id: str | None
) -> None:
    """What cannot be found out is settled by somebody who says so, and why; once."""
    assert paper("buy", "BTC-USD", "0.1", "--client-order-id", "another").code == 0
    path = tmp_path / "mine.journal.sqlite"
    quarantine(path, "one")
    said = paper("resolve", "one", *words, "--because", "seen on the phone", "--yes", "--json")
    assert said.code == 0, said.err
    state = said.json["state"]
    assert (state["phase"], state["order_id"]) == (phase, order_id)
    assert said.json["told_before"] == ["one: quarantined, several can be it"]
    story = paper("journal", "show", "one")
    assert "seen on the phone" in story.out
    again = paper("resolve", "one", *words, "--because", "again", "--yes")
    assert (again.code, "is settled" in again.err) == (2, True)
    unknown = paper("resolve", "two", *words, "--because", "again", "--yes")
    assert "everything in the journal is settled" in unknown.err


def test_a_person_is_warned_and_asked(
    paper: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that is another one, or none, is told before the question; no means no."""
    assert paper(*RESTING).code == 0
    quarantine(tmp_path / "mine.journal.sqlite", "one")
    words = ("resolve", "one", "--because", "a guess")
    nobody = paper(*words, "--not-placed")
    assert (nobody.code, "nobody to ask" in nobody.err) == (6, True)
    monkeypatch.setattr(sys, "stdin", Keyboard("n\nn\ny\n"))
    another = paper(*words, "--placed-as", "o-000001")
    assert another.code == 6
    assert "WARNING: order o-000001 is another one: its quantity is 0.01, not 0.1" in another.err
    missing = paper(*words, "--placed-as", "o-000009")
    assert "WARNING: the broker does not show order o-000009" in missing.err
    assert "Write down that one is order o-000009?" in missing.err
    agreed = paper(*words, "--not-placed")
    assert (agreed.code, agreed.out.split()[0]) == (0, "one"), agreed.err
    assert "the operator says so: a guess" in agreed.out


@pytest.mark.parametrize(
    "words",
    [
        ("resolve", "one", "--because", "x"),
        ("resolve", "one", "--because", "x", "--not-placed", "--placed-as", "o-1"),
        ("resolve", "one", "--because", " ", "--not-placed"),
        ("reconcile", "--timeout", "-1"),
        ("reconcile", "--timeout", "soon"),
        ("journal", "prune", "--before", "yesterday", "--yes"),
        ("journal", "prune", "--before", "2026-03-02T14:30:00", "--yes"),
    ],
)
def test_what_makes_no_sense_is_said(paper: Run, words: tuple[str, ...]) -> None:
    """One line, exit code 2, and no journal is made."""
    ran = paper(*words)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert ran.err.startswith("error: ")


def test_the_journal_is_checked(paper: Run, tmp_path: Path) -> None:
    """It is whole until a byte of it is changed; then the damage is named, with exit code 8."""
    assert paper(*FIRST, *JOURNAL).code == 0
    whole = paper("journal", "check", "--json")
    assert whole.json["is_whole"] is True
    assert whole.json["counts"] == {
        "intents": 1,
        "pruned": 0,
        "unsettled": 0,
        "entries": 1,
        "fills": 0,
    }
    assert "it is whole" in paper("journal", "check").out
    path = tmp_path / "mine.journal.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE journal_entries SET payload = replace(payload, '0.1', '0.2')")
        connection.commit()
    damaged = paper("journal", "check")
    assert damaged.code == 8
    assert "DAMAGE: entry 0 of intent 'paper/paper/one' is not what was written" in damaged.out
    path.write_bytes(b"no database" * 1000)
    torn = paper("journal", "check")
    assert (torn.code, "not a database" in torn.err) == (8, True)


def test_the_journal_is_exported_and_pruned(paper: Run) -> None:
    """Each intent and each fill is a line of JSON; what was pruned is told no more, and is kept."""
    assert paper(*FIRST, *JOURNAL).code == 0
    assert paper(*RESTING, *JOURNAL).code == 0
    assert paper("reconcile").code == 0
    lines = [json.loads(line) for line in paper("journal", "export").out.splitlines()]
    assert [line["intent"]["client_order_id"] for line in lines[:2]] == ["one", "by-hand"]
    assert [line["fill"]["trade_id"] for line in lines[2:]] == ["t-000001"]
    asked = paper("journal", "prune", "--before", "2999-01-01T00:00:00Z")
    assert asked.code == 6
    pruned = paper("journal", "prune", "--before", "2999-01-01T00:00:00Z", "--yes", "--json")
    assert pruned.json == {"pruned": 1}
    assert paper("journal", "check", "--json").json["counts"]["pruned"] == 1
    gone = paper("journal", "show", "one")
    assert (gone.code, "ID is 'one'" in gone.err) == (2, True)
    twice = paper(*FIRST, *JOURNAL)
    assert (twice.code, "was pruned" in twice.err) == (8, True)
    live = paper("journal", "show", "--json").json
    assert [state["intent"]["client_order_id"] for state in live] == ["by-hand"]
    assert "by-hand" in paper("journal", "show").out


def test_a_story_is_told_whole(paper: Run) -> None:
    """By the caller's id and by the broker's: what was asked, what happened, and the fills."""
    assert paper(*FIRST, *JOURNAL).code == 0
    assert paper("reconcile").code == 0
    by_own, by_theirs = paper("journal", "show", "one"), paper("journal", "show", "o-000001")
    assert by_own.out == by_theirs.out
    for said in ("place one on paper", "quantity    0.1", "ended  o-000001  filled", "t-000001"):
        assert said in by_own.out


@pytest.fixture
def venue() -> Iterator[OpenVenue]:
    """A simulator of Alpaca, whose market rests."""
    opened = open_venue("alpaca", 7)
    with opened.venue:
        yield opened


@pytest.fixture
def alpaca(quick: Run, environment: dict[str, str], venue: OpenVenue) -> Run:
    """Run a command on that simulator."""
    environment.update(venue.environment())
    return lambda *words: quick(*words, "--broker", "alpaca")


def test_an_order_whose_answer_was_lost_is_found_at_a_broker(
    alpaca: Run, venue: OpenVenue, tmp_path: Path
) -> None:
    """A gateway's error leaves one order, and the command ends with what the broker shows of it."""
    venue.venue.inject(Fault.SERVER_ERROR, "place_order")
    journal = ("--journal", str(tmp_path / "alpaca.sqlite"))
    ran = alpaca("buy", "AAPL", "10", "--client-order-id", "one", *journal, "--json")
    assert (ran.code, ran.json["success"]) == (0, True), ran.err
    assert len(venue.venue.orders_received()) == 1
    told = alpaca("reconcile", "--explain", *journal)
    assert told.code == 0, told.out
    assert "position AAPL: 10\n  +10  order " in told.out
    assert "(client id one): fill" in told.out
    story = alpaca("journal", "show", "one", *journal, "--json").json
    phases = [entry["phase"] for entry in story["intents"][0]["entries"]]
    assert phases[0] == "unknown"
    assert phases[-1] == "ended"


def test_a_read_that_fails_at_a_broker_is_not_flat(
    alpaca: Run, venue: OpenVenue, tmp_path: Path
) -> None:
    """What cannot be read is said, is no difference, and the exit code says incomplete."""
    journal = ("--journal", str(tmp_path / "alpaca.sqlite"))
    assert alpaca("buy", "AAPL", "10", "--client-order-id", "one", *journal).code == 0
    assert alpaca("reconcile", *journal).code == 0
    venue.venue.inject(Fault.UNAVAILABLE, "list_positions", times=100)
    ran = alpaca("reconcile", "--explain", *journal)
    assert ran.code == 7
    assert "READ FAILED: list_positions" in ran.out
    assert "positions that differ   not known" in ran.out
    assert "position AAPL" not in ran.out
    assert "INCOMPLETE" in ran.out
    as_json = alpaca("reconcile", *journal, "--json")
    assert (as_json.code, as_json.json["is_complete"]) == (7, False)
    assert as_json.json["report"]["differences"] is None
    venue.venue.clear_faults()
    assert alpaca("reconcile", *journal).code == 0


def test_what_cannot_be_found_out_at_a_broker_is_said(
    alpaca: Run, venue: OpenVenue, tmp_path: Path
) -> None:
    """While no order can be read the outcome stays unknown; evidence settles it at any time."""
    journal = ("--journal", str(tmp_path / "alpaca.sqlite"))
    account_id = alpaca("reconcile", *journal, "--json").json["account_id"]
    leave(tmp_path / "alpaca.sqlite", "lost", "alpaca", account_id)
    for operation in ("get_order_by_client_id", "list_orders"):
        venue.venue.inject(Fault.UNAVAILABLE, operation, times=1000)
    ran = alpaca("reconcile", "--timeout", "0", *journal)
    assert ran.code == 7
    assert "NOT SETTLED: place lost: quarantined (a read failed" in ran.out
    venue.venue.clear_faults()
    found = alpaca("reconcile", *journal, "--json")
    assert found.code == 0, found.out
    assert [one["phase"] for one in found.json["report"]["settled"]] == ["absent"]
    assert venue.venue.orders_received() == []


def test_without_a_state_folder_a_journal_has_to_be_named(
    quick: Run, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody can say where that folder is, one line says what to install or to give."""
    environment["BOT_V2_CONFIG"] = str(tmp_path)
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    ran = quick("reconcile", "--broker", "paper")
    assert (ran.code, "pip install 'bot-v2[cli]', or give --journal" in ran.err) == (2, True)
    assert quick("reconcile", "--broker", "paper", "--journal", "mine.sqlite").code == 0


def test_without_a_database_library_it_says_what_to_install(
    quick: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the extra, exit code 2, and nothing is made."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "sqlalchemy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    ran = quick("reconcile", "--broker", "paper", "--account", ":memory:")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "pip install 'bot-v2[journal]'" in ran.err


def test_a_journal_of_a_broker_is_looked_after(
    alpaca: Run, venue: OpenVenue, tmp_path: Path
) -> None:
    """A person's word, the check, the export and the retention work there as they do here."""
    journal = ("--journal", str(tmp_path / "alpaca.sqlite"))
    by_hand = alpaca("buy", "AAPL", "0.1", "--client-order-id", "by-hand", "--json")
    account_id = alpaca("reconcile", *journal, "--json").json["account_id"]
    leave(tmp_path / "alpaca.sqlite", "lost", "alpaca", account_id)
    order_id = by_hand.json["order_id"]
    because = ("--because", "the same order", "--yes", "--json")
    resolved = alpaca("resolve", "lost", "--placed-as", order_id, *because, *journal)
    assert resolved.code == 0, resolved.err
    state = resolved.json["state"]
    assert (state["phase"], state["order_id"]) == ("ended", order_id)
    explained = alpaca("reconcile", "--explain", *journal)
    assert (explained.code, "(client id lost): fill" in explained.out) == (0, True)
    checked = alpaca("journal", "check", *journal, "--json")
    assert (checked.code, checked.json["is_whole"]) == (0, True)
    lines = [json.loads(line) for line in alpaca("journal", "export", *journal).out.splitlines()]
    assert [line["intent"]["broker"] for line in lines if "intent" in line] == ["alpaca"]
    assert [line["fill"]["order_id"] for line in lines if "fill" in line] == [order_id]
    pruned = alpaca("journal", "prune", "--before", "2999-01-01T00:00:00Z", "--yes", *journal)
    assert (pruned.code, pruned.out) == (0, "1 intents pruned\n")
    assert venue.venue.requests_received("place_order") == 1
