"""`bot-v2 doctor` against simulators, and against a journal that something was left open in."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide, OrderType
from bot_v2.orchestration.journal import stores
from bot_v2.orchestration.journal.records import Entry, Intent, IntentKind, Phase
from bot_v2.orchestration.journal.schema import ENTRIES
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.registry import REGISTRY
from bot_v2.simulation.faults import Fault
from tests.integration.cli.conftest import Ran, Run
from tests.integration.cli.simulated import NAMES, simulated

POSIX = pytest.mark.skipif(os.name == "nt", reason="permissions are those of POSIX")


def found(ran: Ran, subject: str) -> list[tuple[str, str]]:
    """Return how bad it is, and the words, of each finding about something."""
    listed: list[dict[str, Any]] = ran.json["findings"]
    return [(one["severity"], one["text"]) for one in listed if one["subject"] == subject]


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_broker_has_no_problem(
    quick: Run, environment: dict[str, str], name: str
) -> None:
    """Each simulator is installed, set up, reached, and on time; nothing is broken."""
    with simulated(name) as broker:
        environment.update(broker.environment)
        ran = quick("doctor", broker.name, "--json")
    assert ran.code == 0, ran.out
    assert ran.json["problems"] == 0
    for subject in ("package", "settings", "session", "clock", "expiry"):
        assert [severity for severity, _ in found(ran, subject)] == ["ok"], subject
    (permissions,) = found(ran, "permissions")
    assert permissions[0] == ("ok" if name in ("coinbase", "alpaca") else "note")


def test_the_report_is_read_by_a_person(quick: Run, environment: dict[str, str]) -> None:
    """Findings stand under what they are about, the loud ones in capitals, with what to do."""
    with simulated("coinbase") as broker:
        environment.update(broker.environment)
        ran = quick("doctor", "coinbase", "--expect", "paper")
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == "coinbase"
    assert "  PROBLEM  environment  it is simulator, and paper was expected" in lines
    assert "  ok       permissions  the credentials may trade" in lines
    assert lines[-1] == "problems: 1, warnings: 0"


@pytest.mark.parametrize("name", ["coinbase", "alpaca", "tws"])
def test_a_clock_that_is_off_is_a_problem(
    quick: Run, environment: dict[str, str], name: str
) -> None:
    """Five minutes are more than any signature lives."""
    with simulated(name) as broker:
        environment.update(broker.environment)
        broker.venue.inject(Fault.CLOCK_SKEW)
        ran = quick("doctor", broker.name, "--json")
    ((severity, text),) = found(ran, "clock")
    assert severity == "problem"
    assert "behind this machine's" in text
    assert ran.code == 1


def test_a_key_that_may_only_read_is_a_problem(quick: Run, environment: dict[str, str]) -> None:
    """It works by day, and the first order fails."""
    with simulated("coinbase") as broker:
        key = broker.venue.view_only_api_key  # type: ignore[attr-defined]  # this venue has one
        environment.update(
            broker.environment, COINBASE_CDP_API_KEY=key.name, COINBASE_CDP_PRIVATE_KEY=key.secret
        )
        ran = quick("doctor", "coinbase", "--json")
    assert ("problem", "the credentials may not trade") in found(ran, "permissions")


def test_wrong_credentials_are_one_problem(quick: Run, environment: dict[str, str]) -> None:
    """What depends on a session is not looked at, and this machine is all the same."""
    with simulated("alpaca") as broker:
        environment.update(broker.environment, ALPACA_SECRET_KEY="wrong")
        ran = quick("doctor", "alpaca", "--json")
    ((severity, text),) = found(ran, "session")
    assert severity == "problem"
    assert text.startswith("AuthenticationError")
    assert found(ran, "clock") == []
    assert found(ran, "disk")


def test_what_ends_tonight_is_told(quick: Run, environment: dict[str, str]) -> None:
    """Orders for the day, the memory of ended orders, and the broker's own resets."""
    with simulated("tws") as broker:
        environment.update(broker.environment)
        made = REGISTRY.create("ibkr", {}, broker.environment)
        made.connect()
        order = made.place_order(
            OrderRequest(
                symbol="AAPL",
                side=OrderSide.BUY,
                type=OrderType.LIMIT,
                quantity=Decimal(1),
                price=Decimal(100),
            )
        )
        made.disconnect()
        ran = quick("doctor", "ibkr", "--json")
    ((severity, text),) = found(ran, "orders")
    assert severity == "warning"
    assert text.endswith(f"end at its close: {order.order_id}")
    tonight = [words for _, words in found(ran, "tonight")]
    assert any("ended orders are forgotten at" in words for words in tonight)


def test_settings_that_are_missing_are_named(quick: Run, environment: dict[str, str]) -> None:
    """The one that is missing is in the words."""
    for name in list(environment):
        if name.startswith("ALPACA_"):
            del environment[name]
    ran = quick("doctor", "alpaca", "--json")
    ((severity, text),) = found(ran, "settings")
    assert severity == "problem"
    assert "ALPACA_API_KEY" in text
    assert ran.code == 1


def test_a_name_that_nobody_offers(quick: Run) -> None:
    """The names that there are stand in the finding."""
    ran = quick("doctor", "nobody", "--json")
    ((severity, text),) = found(ran, "package")
    assert severity == "problem"
    assert "paper" in text


@pytest.mark.parametrize(("said", "severity"), [("true", "ok"), ("false", "warning"), ("", "ok")])
def test_what_the_environment_says_of_paper_is_compared(
    quick: Run, environment: dict[str, str], said: str, severity: str
) -> None:
    """A simulator where somebody wrote that paper is off is not what they think that it is."""
    environment["ENABLE_PAPER_TRADING"] = said
    ran = quick("doctor", "paper", "--json")
    assert [one for one, _ in found(ran, "environment")] == [severity]


@pytest.mark.parametrize(("is_on", "severity"), [(True, "warning"), (False, "ok")])
def test_a_kill_switch_that_is_on_is_told(
    quick: Run, environment: dict[str, str], tmp_path: Path, is_on: bool, severity: str
) -> None:
    """A bot that opens nothing all night is one that was switched off and forgotten."""
    environment["BOT_V2_KILL_SWITCH"] = str(tmp_path / "switch")
    if is_on:
        (tmp_path / "switch").write_text("on since yesterday: a test\n", "utf-8")
    ((found_severity, text),) = found(quick("doctor", "paper", "--json"), "kill switch")
    assert found_severity == severity
    assert ("a test" in text) is is_on


def test_names_that_disagree_are_told(quick: Run, environment: dict[str, str]) -> None:
    """The first variable counts, and the second one says something else."""
    environment.update(BROKER="paper", DEFAULT_BROKER="alpaca")
    ran = quick("doctor", "--json")
    (_, last) = found(ran, "environment")
    assert last == (
        "warning",
        "BROKER=paper, DEFAULT_BROKER=alpaca: the first one counts",
    )


@contextmanager
def journal_at(path: Path) -> Iterator[SqlJournal]:
    """Open a journal, and let go of it."""
    journal = SqlJournal(f"sqlite:///{path}")
    try:
        yield journal
    finally:
        journal.close()


def leave_open(journal: SqlJournal, number: int, phase: Phase) -> None:
    """Leave an intent of which nobody knows what became."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    intent = Intent(
        intent_id=f"paper/paper/signal-{number}",
        kind=IntentKind.PLACE,
        broker="paper",
        account_id="paper",
        client_order_id=f"signal-{number}",
        created_at=at,
        symbol="BTC-USD",
        request=OrderRequest(
            symbol="BTC-USD",
            side=OrderSide.BUY,
            quantity=Decimal(1),
            client_order_id=f"signal-{number}",
        ),
    )
    assert journal.open_intent(intent) is None
    if phase is not Phase.OPEN:
        journal.append(intent.intent_id, Entry(phase=phase, at=at))


@pytest.mark.parametrize(
    ("phases", "expected", "code"),
    [
        ([], [("ok", "whole: 0 intents"), ("ok", "nothing is unsettled")], 0),
        (
            [Phase.UNKNOWN, Phase.TAKEN],
            [
                ("ok", "whole: 2 intents"),
                ("warning", "of 1 nobody knows yet what became: signal-0"),
            ],
            0,
        ),
        (
            [Phase.QUARANTINED, Phase.OPEN],
            [
                ("ok", "whole: 2 intents"),
                ("problem", "1 quarantined, and hold their risk: signal-0 (paper)"),
                ("warning", "of 1 nobody knows yet what became: signal-1"),
            ],
            1,
        ),
    ],
)
def test_what_the_journal_holds_open_is_told(
    quick: Run,
    tmp_path: Path,
    phases: list[Phase],
    expected: list[tuple[str, str]],
    code: int,
) -> None:
    """What is unknown is a warning, what a person was asked about is a problem."""
    path = tmp_path / "own" / "orders.sqlite"
    path.parent.mkdir(mode=0o700)
    with journal_at(path) as journal:
        for number, phase in enumerate(phases):
            leave_open(journal, number, phase)
    ran = quick("doctor", "paper", "--journal", str(path), "--json")
    told = found(ran, "journal")
    assert [severity for severity, _ in told] == [severity for severity, _ in expected]
    for (_, text), (_, words) in zip(told, expected, strict=True):
        assert text.startswith(words)
    assert ran.code == code


def test_a_damaged_journal_is_a_problem(quick: Run, tmp_path: Path) -> None:
    """An entry that is not what was written is found by its checksum."""
    path = tmp_path / "orders.sqlite"
    with journal_at(path) as journal:
        leave_open(journal, 0, Phase.TAKEN)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(
            f"UPDATE {ENTRIES.name} SET payload = replace(payload, 'taken', 'ended')"  # noqa: S608 - the table's name
        )
    connection.close()
    ran = quick("doctor", "paper", "--journal", str(path), "--json")
    assert ("problem", "entry 0 of intent 'paper/paper/signal-0' is not what was written") in found(
        ran, "journal"
    )
    assert ran.code == 1


def test_a_journal_in_use_is_left_alone(
    quick: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that runs holds it: that is said, and is no problem."""
    monkeypatch.setattr(stores, "BUSY_S", 0.2)
    path = tmp_path / "orders.sqlite"
    with journal_at(path) as journal:
        leave_open(journal, 0, Phase.TAKEN)
        ran = quick("doctor", "paper", "--journal", str(path), "--json")
    assert found(ran, "journal") == [("note", "it is in use by another process: not looked into")]


@POSIX
def test_files_that_others_may_touch_are_told(quick: Run, tmp_path: Path) -> None:
    """Who may change the journal may place orders of ours out of sight."""
    path = tmp_path / "own" / "orders.sqlite"
    path.parent.mkdir(mode=0o700)
    with journal_at(path):
        pass
    words = ("doctor", "paper", "--account", ":memory:", "--journal", str(path), "--json")
    path.chmod(0o600)
    assert [severity for severity, _ in found(quick(*words), "files")] == ["ok"]
    path.chmod(0o644)
    assert [severity for severity, _ in found(quick(*words), "files")] == ["note"]
    path.chmod(0o666)
    ran = quick(*words)
    ((severity, text),) = found(ran, "files")
    assert severity == "problem"
    assert text.startswith(f"others may change {path}")
    assert ran.code == 1
