"""`bot-v2 reconcile` and trading through a journal, over brokerages that can do little."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    Order,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderStatus,
    Outcome,
)
from tests.unit.cli.fakes import Shell

ORDER = ("buy", "BTC-USD", "2", "--price", "100.50", "--client-order-id", "one")


@pytest.fixture
def journal(tmp_path: Path) -> tuple[str, str]:
    """The option that names a journal of the test's own."""
    return ("--journal", str(tmp_path / "orders.sqlite"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what does not come."""
    wait = "bot_v2.orchestration.execution.runtime.ThreadRuntime.wait"
    monkeypatch.setattr(wait, lambda *_: None)


def test_a_broker_without_executions_is_never_told_to_be_complete(
    shell: Shell, journal: tuple[str, str]
) -> None:
    """Where positions cannot be compared the exit code says so; nothing is sent or asked."""
    ran = shell.run("reconcile", "--broker", "fake", "--explain", *journal)
    assert ran.code == 7
    assert "positions that differ   not known" in ran.out
    assert "positions were not compared" in ran.out
    assert shell.fake.placed == []


def test_a_refusal_through_the_journal_is_written_down(
    shell: Shell, journal: tuple[str, str]
) -> None:
    """The broker's reason is the command's, and the journal's."""
    shell.sandbox.failures["place_order"] = OrderRejectedError(
        "too rich", outcome=Outcome.REJECTED, reason="price"
    )
    ran = shell.run(*ORDER, "--broker", "lookup", *journal)
    assert (ran.code, len(shell.lookup.placed)) == (0, 1)
    refused = shell.run(*ORDER, "--broker", "sandbox", *journal)
    assert refused.code == 1
    assert "too rich" in refused.err
    story = shell.run("journal", "show", "sandbox/acc-1/one", *journal, "--json").json
    assert story["intents"][0]["entries"][-1]["phase"] == "rejected"


def test_an_order_of_which_nobody_knows_leads_to_reconcile(
    shell: Shell, journal: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 5, and the command that goes on looking, with its journal; it is sent once."""
    shell.lookup.failures["place_order"] = OrderOutcomeUnknownError("there was no answer")

    def list_orders(status: OrderStatus | None = None) -> list[Order]:
        if shell.lookup.placed:
            raise BrokerageError("no answer to reads either")
        return []

    monkeypatch.setattr(shell.lookup, "list_orders", list_orders)
    ran = shell.run(*ORDER, "--broker", "lookup", *journal, "--json")
    assert ran.code == 5
    # The first line told that the journal is new.
    error = json.loads(ran.err.splitlines()[-1])
    assert error["advice"] == f"bot-v2 reconcile --broker lookup {' '.join(journal)}"
    assert len(shell.lookup.placed) == 1
    looked = shell.run("reconcile", "--broker", "lookup", "--timeout", "0", *journal)
    assert looked.code == 7
    assert "NOT SETTLED: place one: quarantined" in looked.out


def test_a_journal_with_a_name_in_its_url_is_not_repeated(shell: Shell) -> None:
    """What is advised holds no part of a URL that may hold a password."""
    from bot_v2.cli.session import Target

    secret = Target(broker="fake", journal="postgresql://bot:hunter2@db/orders")
    assert secret.as_options() == ["--broker", "fake"]
    assert Target(journal="orders.sqlite").as_options() == ["--journal", "orders.sqlite"]


def test_a_live_broker_is_asked_before_an_order_through_the_journal(
    shell: Shell, journal: tuple[str, str]
) -> None:
    """The journal changes nothing about that: without a yes nothing is sent or written."""
    ran = shell.run(*ORDER, "--broker", "fake", *journal)
    assert (ran.code, shell.fake.placed) == (6, [])
    agreed = shell.run(*ORDER, "--broker", "fake", "--yes", *journal, "--json")
    assert (agreed.code, agreed.json["order_id"]) == (0, "o-1")
    cancelled = shell.run("cancel", "o-1", "--broker", "fake", "--yes", *journal, "--json")
    assert cancelled.json == {"order_id": "o-1", "cancel_accepted": True}
