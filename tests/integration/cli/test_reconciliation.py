"""The reconciliation notices what does not add up."""

from __future__ import annotations

from decimal import Decimal

import attrs
import pytest

from bot_v2.cli import demo
from bot_v2.cli.reconciliation import Check, reconcile
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import Pace, PaperSettings
from tests.integration.cli.conftest import Run

START = Decimal(100_000)
CLAIMS = {
    "received": "the venue received the orders that were placed, each once",
    "read": "each reads back the same by id, by client id and in the list",
    "fills": "the fills of each order sum to its filled quantity",
    "positions": "positions are what was bought less what was sold",
    "cash": "cash at the start - bought + sold - fees, in USD",
    "equity": "equity is the cash and the value of the positions",
}


@pytest.fixture
def broker() -> PaperBrokerage:
    """An account that bought once, for a fee."""
    settings = PaperSettings(pace=Pace.REPLAY, commission=Decimal("0.001"), symbols=("BTC-USD",))
    broker = PaperBrokerage(settings)
    broker.connect()
    broker.place_order(
        OrderRequest(
            symbol="BTC-USD", side=OrderSide.BUY, quantity=Decimal("0.1"), client_order_id="a"
        )
    )
    return broker


def broken(checks: list[Check]) -> set[str]:
    """The short names of the checks that do not hold."""
    names = {claim: name for name, claim in CLAIMS.items()}
    return {names[check.claim] for check in checks if not check.holds}


def test_what_adds_up_holds(broker: PaperBrokerage) -> None:
    """Each check is made, and each holds."""
    checks = reconcile(broker, ["a"], ["a"], START)
    assert [check.claim for check in checks] == list(CLAIMS.values())
    assert broken(checks) == set()


@pytest.mark.parametrize("received", [[], ["a", "a"], ["b"]], ids=["lost", "twice", "another"])
def test_an_order_lost_or_doubled_is_noticed(broker: PaperBrokerage, received: list[str]) -> None:
    """The venue has to have received each order once."""
    assert broken(reconcile(broker, ["a"], received, START)) == {"received"}


def test_a_cent_is_noticed(broker: PaperBrokerage) -> None:
    """Cash has to follow to the last digit."""
    start = START + Decimal("0.00000001")
    assert broken(reconcile(broker, ["a"], ["a"], start)) == {"cash"}


def test_what_reads_differently_is_noticed(
    broker: PaperBrokerage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong answer of any read breaks the check that it is part of."""
    fills: list[Fill] = broker.list_fills()
    positions: list[Position] = broker.list_positions()
    balance: Balance = broker.get_balance("USD")
    order = broker.get_order_by_client_id("a")
    wrong: dict[str, tuple[object, set[str]]] = {
        "list_fills": ([], {"fills", "positions", "cash"}),
        "list_positions": (
            [attrs.evolve(positions[0], quantity=Decimal("0.2"))],
            {"positions"},
        ),
        "get_balance": (attrs.evolve(balance, total=Decimal(1)), {"cash", "equity"}),
        "get_order_by_client_id": (attrs.evolve(order, order_id="o-9"), {"read"}),
    }
    assert fills
    for method, (answer, expected) in wrong.items():
        with monkeypatch.context() as during:
            if method == "get_order_by_client_id":
                during.setattr(broker, "get_order", lambda _: order)
            during.setattr(broker, method, lambda *_, answer=answer: answer)
            assert broken(reconcile(broker, ["a"], ["a"], START)) == expected, method


def test_a_demonstration_that_does_not_add_up_fails(
    quick: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code says it, and the output says what was found."""
    wrong = Check(claim="all is well", expected="1", found="2")
    monkeypatch.setattr(demo, "reconcile", lambda *_: [wrong])
    ran = quick("demo")
    assert ran.code == 1
    assert "NO  all is well: 2, not 1" in ran.out
    assert "IT DOES NOT ADD UP" in ran.out
    assert quick("demo", "--json").json["reconciled"] is False
