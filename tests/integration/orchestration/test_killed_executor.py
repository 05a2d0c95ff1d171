"""A process that submits at full speed is killed: nothing is lost, and nothing placed twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import Entry, JournalOwnershipError, Phase
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.upkeep import check_integrity
from bot_v2.orchestration.order_executor import OrderExecutor
from tests.integration.orchestration.postgres_server import postgres_server
from tests.unit.orchestration.journal.test_journals import NOW, SCOPE, intent

KILLS = 5
ROOT = Path(__file__).resolve().parents[3]

# Submits without end, two threads at once, and says each order that it was told of.
SUBMITTER = """
import sys, threading
from decimal import Decimal
from pathlib import Path
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.order_executor import OrderExecutor

path, url, life = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
broker = PaperBrokerage(PaperSettings(account_file=path))
broker.connect()
executor = OrderExecutor(broker, SqlJournal(url))
executor.recover()
say = threading.Lock()

def submit(bot):
    number = 0
    while True:
        number += 1
        side = OrderSide.BUY if number % 2 else OrderSide.SELL
        result = executor.submit(
            OrderRequest(
                symbol="BTC-USD",
                side=side,
                quantity=Decimal("0.001"),
                client_order_id=f"life{life}bot{bot}n{number}",
            )
        )
        with say:
            print(result.client_order_id, result.order_id, flush=True)

threading.Thread(target=submit, args=(1,), daemon=True).start()
submit(2)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store of each kind, empty."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'orders.sqlite'}"
    else:
        with postgres_server() as server:
            yield server


def submit_until_killed(path: Path, url: str, life: int, after_s: float) -> dict[str, str]:
    """Let a process submit, kill it a while after its first order; return what it was told."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", SUBMITTER, str(path), url, str(life)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    told = [process.stdout.readline()]
    killer = threading.Timer(after_s, process.kill)
    killer.start()
    told += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    assert process.returncode != 0, "it was not killed, but ended by itself"
    # The last line may have been cut by the kill: then nobody was told of that order.
    whole = (line.split() for line in told if line.endswith("\n"))
    return {words[0]: words[1] for words in whole}


def test_nothing_is_lost_or_placed_twice(tmp_path: Path, url: str) -> None:
    """After each kill the next process finds out what became of every order, by itself."""
    path = tmp_path / "account.sqlite"
    chance = random.Random(20260302)
    told: dict[str, str] = {}
    for life in range(KILLS):
        told |= submit_until_killed(path, url, life, chance.uniform(0.01, 0.4))
    broker = PaperBrokerage(PaperSettings(account_file=path))
    broker.connect()
    with closing(SqlJournal(url)) as journal:
        executor = OrderExecutor(broker, journal)
        report = executor.recover()
        scope = Scope(broker=broker.name, account_id=broker.get_account_id())
        assert check_integrity(journal) == []
        assert [state.phase for state in executor.list_open()] == []
        assert report.unsettled == ()
        assert not report.differences
        placed = {order.client_order_id or "": order for order in broker.list_orders()}
        assert len(placed) == len(broker.list_orders())
        for client_order_id, order_id in told.items():
            assert placed[client_order_id].order_id == order_id
        for client_order_id, order in placed.items():
            state = executor.find(client_order_id)
            assert state is not None, f"{client_order_id} is not in the journal"
            assert (state.phase, state.order_id) == (Phase.ENDED, order.order_id)
        booked = [fill.trade_id for fill in journal.list_fills(scope)]
        assert sorted(booked) == sorted(fill.trade_id for fill in broker.list_fills())
    broker.disconnect()
    print(f"{len(placed)} orders, {len(told)} told, {KILLS} kills, {url.split(':', maxsplit=1)[0]}")
    assert len(told) > KILLS


def test_in_postgresql_what_a_living_process_has_is_its_own() -> None:
    """Two processes share a journal; one takes over from the other only when that one is gone."""
    with postgres_server() as url, closing(SqlJournal(url, owner="first")) as first:
        second = SqlJournal(url, owner="second")
        first.open_intent(intent("one"))
        assert second.open_intent(intent("one")) is not None
        assert second.take_over(SCOPE) == 0
        with pytest.raises(JournalOwnershipError):
            second.append(intent("one").intent_id, Entry(phase=Phase.ABSENT, at=NOW))
        first.close()
        deadline = time.monotonic() + 30
        while second.take_over(SCOPE) == 0 and time.monotonic() < deadline:
            threading.Event().wait(0.05)
        assert [state.intent for state in second.list_open(SCOPE)] == [intent("one")]
        second.close()
