"""A process that is killed at any instant loses no order that it was told of."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bot_v2.features.brokerages.paper.account_file import AccountFile
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.errors import AccountFileInUseError
from bot_v2.features.brokerages.paper.settings import Durability, PaperSettings

KILLS = 6
ROOT = Path(__file__).resolve().parents[3]

# Trades without end, and says each acknowledged order as soon as it is acknowledged.
TRADER = """
import sys
from decimal import Decimal
from pathlib import Path
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide, OrderType
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import Durability, PaperSettings

broker = PaperBrokerage(
    PaperSettings(account_file=Path(sys.argv[1]), durability=Durability(sys.argv[2]))
)
broker.connect()
number = 0
while True:
    number += 1
    side = OrderSide.BUY if number % 2 else OrderSide.SELL
    placed = broker.place_order(
        OrderRequest(symbol="BTC-USD", side=side, quantity=Decimal("0.001"))
    )
    print(placed.client_order_id, placed.order_id, flush=True)
    resting = broker.place_order(
        OrderRequest(
            symbol="AAPL",
            side=OrderSide.BUY,
            quantity=Decimal(1),
            type=OrderType.LIMIT,
            price=Decimal("1.00"),
        )
    )
    print(resting.client_order_id, resting.order_id, flush=True)
    broker.cancel_order(resting.order_id)
"""


def trade_until_killed(path: Path, durability: Durability, after_s: float) -> dict[str, str]:
    """Let a process trade, kill it a while after its first order; return what it acknowledged."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    trader = subprocess.Popen(
        [sys.executable, "-c", TRADER, str(path), durability],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    assert trader.stdout is not None
    acknowledged = [trader.stdout.readline()]
    killer = threading.Timer(after_s, trader.kill)
    killer.start()
    acknowledged += trader.stdout.readlines()
    trader.wait()
    trader.stdout.close()
    assert trader.returncode != 0, "it was not killed, but ended by itself"
    # The last line may have been cut by the kill: then nobody was told of that order.
    whole = (line.split() for line in acknowledged if line.endswith("\n"))
    return {words[0]: words[1] for words in whole}


@pytest.mark.uncovered
@pytest.mark.parametrize("durability", list(Durability))
def test_no_acknowledged_order_is_missing_after_a_kill(
    tmp_path: Path, durability: Durability
) -> None:
    """Killed again and again, the file opens, adds up, and has every order that was told."""
    path = tmp_path / "account.sqlite"
    chance = random.Random(20260302)
    told: dict[str, str] = {}
    for _ in range(KILLS):
        told |= trade_until_killed(path, durability, chance.uniform(0.01, 0.4))
        broker = PaperBrokerage(PaperSettings(account_file=path))
        broker.connect()
        broker.native.engine.verify()
        for client_id, order_id in told.items():
            assert broker.get_order_by_client_id(client_id).order_id == order_id
        kept = {order.client_order_id for order in broker.list_orders()}
        # Each kill can have left one order that was stored, and that nobody was told of.
        assert len(kept - set(told)) <= KILLS
        told.update({order.client_order_id or "": order.order_id for order in broker.list_orders()})
        broker.disconnect()
    print(f"{len(told)} orders in {KILLS} killed processes, durability {durability}")
    assert len(told) > KILLS


def test_a_second_process_is_told_that_the_file_is_in_use(tmp_path: Path) -> None:
    """Two processes never take turns in one account; the file is free once the first has died."""
    path = tmp_path / "account.sqlite"
    broker = PaperBrokerage(PaperSettings(account_file=path))
    broker.connect()
    opener = (
        "import sys; from pathlib import Path;"
        "from bot_v2.features.brokerages.paper.account_file import AccountFile;"
        "AccountFile(Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", opener, str(path)]
    refused = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert refused.returncode != 0
    assert AccountFileInUseError.__name__ in refused.stderr
    assert "in use" in refused.stderr
    assert len(broker.list_balances()) == 1
    broker.disconnect()
    AccountFile(path).close()
