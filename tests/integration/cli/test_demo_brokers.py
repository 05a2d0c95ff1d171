"""The demonstration with three brokers, over real sockets of this machine."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from bot_v2.cli.demo_brokers import performance
from bot_v2.cli.demo_brokers.portfolio import Portfolio
from bot_v2.cli.reconciliation import Check
from tests.integration.cli.conftest import Run

D = Decimal


def test_the_whole_story_adds_up(quick: Run) -> None:
    """Lost answers are found, a lost order is resent once, and cash follows from the executions."""
    started = time.perf_counter()
    ran = quick("demo", "--brokers", "--json")
    took_s = time.perf_counter() - started
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["reconciled"] is True
    assert [one["expected"] == one["found"] for one in report["checks"]] == [True] * 22
    assert report["missing_meanwhile"] == ["ibkr"]
    assert [one["error"] for one in report["portfolio"]["equities"]] == [None] * 3
    placed = {
        name: [(one["client_order_id"], one["status"], one["filled_quantity"]) for one in orders]
        for name, orders in report["orders"].items()
    }
    assert placed == {
        "coinbase": [
            ("coinbase-1", "filled", "0.25"),
            ("coinbase-2", "open", "0"),
            ("coinbase-3", "filled", "0.05"),
        ],
        "alpaca": [
            ("alpaca-1", "filled", "20"),
            ("alpaca-2", "filled", "5"),
            ("alpaca-3", "filled", "4"),
        ],
        "ibkr": [
            ("ibkr-1", "filled", "10"),
            ("ibkr-2", "filled", "20000"),
            ("ibkr-3", "filled", "5"),
        ],
    }
    positions = {
        (one["broker"], one["symbol"]): D(one["quantity"])
        for one in report["portfolio"]["positions"]
    }
    assert positions == {
        ("alpaca", "AAPL"): D(19),
        ("ibkr", "AAPL"): D(15),
        ("ibkr", "EUR-USD"): D(20000),
    }
    cash = sum(
        (1 if one["side"] == "sell" else -1) * D(one["quantity"]) * D(one["price"])
        for one in report["fills"]["alpaca"]
    )
    (held,) = [one for one in report["portfolio"]["balances"] if one["broker"] == "alpaca"]
    assert D(held["total"]) == 100_000 + cash
    assert took_s < 60, "17 seconds on an idle machine, most of them waiting"


def test_what_does_not_add_up_is_told_by_the_exit_code(
    quick: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that does not hold is shown whole, and the command ends with 1."""
    found = Check(claim="the moon is", expected="round", found="of cheese")
    report = performance.BrokersReport(
        orders={},
        fills={},
        missing_meanwhile=(),
        portfolio=Portfolio(equities=(), positions=(), balances=()),
        checks=(found,),
        reconciled=False,
        took_s=0.1,
    )
    monkeypatch.setattr(performance, "perform", lambda **_: report)
    ran = quick("demo", "--brokers", "--json")
    assert ran.code == 1
    assert ran.json["reconciled"] is False
    assert found.verdict() == "NO  the moon is: of cheese, not round"


def test_all_that_is_missing_is_told_at_once(quick: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install, and nothing is started."""
    monkeypatch.setattr(performance, "NEEDED", {"venues": "no_such_package", "ibkr": "nor_this"})
    ran = quick("demo", "--brokers")
    assert ran.code == 2
    assert "pip install 'bot-v2[venues,ibkr]'" in ran.err
    assert ran.out == ""


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--short",), "--short"),
        (("--brokers", "--seed", "3"), "--seed"),
        (("--brokers", "--balance", "5"), "--balance"),
        (("--brokers", "--feed", "x.csv"), "--feed"),
        (("--brokers", "--commission", "0"), "--commission"),
    ],
)
def test_options_of_the_other_demonstration_are_refused(
    quick: Run, words: tuple[str, ...], named: str
) -> None:
    """What only one of the two demonstrations knows is refused by its name beside the other."""
    ran = quick("demo", *words)
    assert ran.code == 2
    assert ran.err.startswith(f"error: {named} is ")
