"""The commands of recovery over PostgreSQL, beside a bot that lives and one that has died."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot_v2.cli.app import main
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide, OrderType
from bot_v2.orchestration.journal.records import Intent, IntentKind
from bot_v2.orchestration.journal.sql_journal import SqlJournal

Command = Callable[..., tuple[int, Any]]

RESTING = ("buy", "BTC-USD", "0.01", "--price", "1000.00")


@pytest.fixture
def command(
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run a command on a paper account of the test's own, and read its JSON."""
    monkeypatch.setenv("BROKER", "paper")
    monkeypatch.setenv("PAPER_ACCOUNT_FILE", str(tmp_path / "account.sqlite"))
    monkeypatch.delenv("BOT_V2_JOURNAL", raising=False)

    def run(*words: str, journal: bool = True) -> tuple[int, Any]:
        where = ("--journal", postgres_url) if journal else ()
        capsys.readouterr()
        code = main([*words, *where, "--json"])
        printed = capsys.readouterr()
        return code, json.loads(printed.out or printed.err)

    return run


def submitted() -> Intent:
    """What a bot writes down before it sends a resting order."""
    request = OrderRequest(
        symbol="BTC-USD",
        side=OrderSide.BUY,
        quantity=Decimal("0.01"),
        type=OrderType.LIMIT,
        price=Decimal("1000.00"),
        client_order_id="of-the-bot",
    )
    return Intent(
        intent_id="paper/paper/of-the-bot",
        kind=IntentKind.PLACE,
        broker="paper",
        account_id="paper",
        client_order_id="of-the-bot",
        created_at=datetime.now(UTC),
        symbol="BTC-USD",
        request=request,
    )


def test_what_a_living_bot_is_at_is_left_to_it(command: Command, postgres_url: str) -> None:
    """Its order is neither settled nor taken for somebody else's; once it is gone it is settled."""
    with closing(SqlJournal(postgres_url)) as bot:
        bot.open_intent(submitted())
        # The order is at the broker, and the bot has not heard of it yet.
        placed = command(*RESTING, "--client-order-id", "of-the-bot", journal=False)
        assert placed[0] == 0
        code, beside = command("reconcile")
        assert (code, beside["is_clean"]) == (0, True)
        assert (beside["report"]["settled"], beside["report"]["foreign_orders"]) == ([], [])
        code, refused = command("resolve", "of-the-bot", "--not-placed", "--because", "x", "--yes")
        assert (code, "another process" in refused["message"]) == (8, True)
        # The same order again is answered by what became of it, and is not sent.
        code, again = command(*RESTING, "--client-order-id", "of-the-bot")
        assert (code, again["order_id"]) == (0, placed[1]["order_id"])
    code, after = command("reconcile")
    (state,) = after["report"]["settled"]
    assert (code, state["phase"], state["order_id"]) == (0, "taken", placed[1]["order_id"])
    code, orders = command("orders", journal=False)
    assert [order["order_id"] for order in orders] == [placed[1]["order_id"]]


def test_the_journal_is_looked_after(command: Command) -> None:
    """An order through it is told whole, and the journal is found to be so."""
    code, bought = command("buy", "BTC-USD", "0.1", "--client-order-id", "one")
    assert code == 0
    assert command("reconcile")[0] == 0
    code, story = command("journal", "show", "one")
    assert [each["order_id"] for each in story["fills"]] == [bought["order_id"]]
    assert command("journal", "check")[1]["is_whole"] is True
    pruned = command("journal", "prune", "--before", "2999-01-01T00:00:00Z", "--yes")
    assert pruned == (0, {"pruned": 1})


def test_a_password_is_not_told(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that cannot be reached is an error with exit code 8, and no secret in it."""
    url = "postgresql://bot:hunter2@127.0.0.1:1/orders"
    capsys.readouterr()
    assert main(["reconcile", "--journal", url]) == 8
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err
    assert printed.err.startswith("error: the order journal failed: OperationalError")
