"""The desk of brokers.json: its brokers, what they may risk, and where orders go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.orchestration.configuration.errors import InvalidSettingsError
from bot_v2.orchestration.configuration.model import RiskSettings
from bot_v2.orchestration.desk.assembly import OpenedDesk, limits_of, open_desk
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.risk.kill_switch import KillSwitch
from bot_v2.orchestration.risk.limits import RiskLimits
from tests.unit.orchestration.desk.papers import EXECUTOR, WAIT_S, D, buy

QUIET = DeskSettings(watch_interval_s=None, read_timeout_s=WAIT_S)


def entry(**terms: Any) -> dict[str, Any]:
    """A paper account of 10000 dollars."""
    return {"type": "paper", "initial_balance": "10000", **terms}


class Folder:
    """A folder with a brokers.json, a journal and a kill switch in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ = {"BOT_V2_CONFIG": str(path)}
        self.switch = KillSwitch(path / "stop")

    def write(self, brokers: dict[str, Any], **rest: Any) -> None:
        """Write the file."""
        text = json.dumps({"brokers": brokers, **rest})
        (self.path / "brokers.json").write_text(text, encoding="utf-8")

    def open(self, journal: str | None = "sqlite://", **given: Any) -> OpenedDesk:
        """Open the desk, and connect it."""
        opened = open_desk(
            journal,
            environ=self.environ,
            settings=QUIET,
            executor=EXECUTOR,
            kill_switch=self.switch,
            **given,
        )
        assert opened.manager.connect_all() == ()
        return opened


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path)


def test_every_setting_becomes_a_limit() -> None:
    """No risk setting is lost on its way to the gate, and fractions stay fractions."""
    said = RiskSettings(
        max_position_size=D("0.1"),
        max_order_value=D("0.05"),
        max_daily_loss=D("0.02"),
        min_cash_balance=D("0.2"),
        stop_loss_pct=D("0.03"),
        max_orders_per_minute=7,
        allowed_symbols=("BTC-USD",),
    )
    assert None not in attrs.astuple(said)
    assert limits_of(said) == RiskLimits(
        max_position_size=D("0.1"),
        max_order_size=D("0.05"),
        max_daily_loss=D("0.02"),
        min_cash_share=D("0.2"),
        stop_loss_pct=D("0.03"),
        max_orders_per_minute=7,
        allowed_symbols=("BTC-USD",),
    )
    assert limits_of(RiskSettings()) == RiskLimits()


@pytest.mark.parametrize(
    ("risk", "says"),
    [
        ({"max_order_value": 0.05}, "max_order_size (0.05 of 10000"),
        ({"min_cash_balance": 0.95}, "min_cash_share (0.95 of 10000"),
        ({"max_position_size": 0.05}, "max_position_size (0.05 of 10000"),
        ({"allowed_symbols": ["ETH-USD"]}, "allowed_symbols"),
    ],
)
def test_what_a_broker_may_risk_is_held_to(folder: Folder, risk: dict[str, Any], says: str) -> None:
    """An order above a limit of the file is refused by name; one below it passes."""
    folder.write({"held": entry(risk=risk), "free": entry()})
    with folder.open().manager as manager:
        refused = manager.submit(buy("0.02"), "held").result
        assert (refused.success, says in refused.message) == (False, True), refused.message
        assert manager.submit(buy("0.02"), "free").result.success
        small = buy("0.02") if "allowed_symbols" not in risk else buy("0.1", symbol="ETH-USD")
        few = attrs.evolve(small, quantity=D("0.001"))
        assert manager.submit(few, "held").result.success


def test_what_all_may_risk_is_held_to_together(folder: Folder) -> None:
    """A limit of the file over all brokers counts the orders of all of them."""
    folder.write({"a": entry(), "b": entry()}, risk={"max_orders_per_minute": 2})
    with folder.open().manager as manager:
        results = [manager.submit(buy("0.001"), name).result for name in ("a", "b", "a")]
    assert [one.success for one in results] == [True, True, False]
    assert "max_orders_per_minute of all accounts is 2" in results[2].message


def test_the_kill_switch_stops_all_legs(folder: Folder) -> None:
    """With the switch on no leg passes, each says why, and exits still do."""
    folder.write({"a": entry(), "b": entry()})
    with folder.open().manager as manager:
        assert manager.submit_distributed(buy("0.02"), saga_id="before").is_complete
        folder.switch.turn_on("a test")
        result = manager.submit_distributed(buy("0.02"))
        assert ["kill switch is on" in one.explanation for one in result.legs] == [True, True]
        assert [one.done for one in manager.undo("before")] == [True, True]


def test_weights_default_and_routes_are_those_of_the_file(folder: Folder) -> None:
    """What the file says of weights, default and routing is what the desk does."""
    folder.write(
        {"a": entry(weight=1), "b": entry(weight="3")},
        default_broker="b",
        routing=[
            {"broker": "a", "symbols": ["ETH-*"], "market_types": ["spot"], "capabilities": []}
        ],
    )
    with folder.open().manager as manager:
        assert (manager.default_name, manager.weights) == ("b", {"a": D(1), "b": D(3)})
        assert manager.submit(buy("0.01", symbol="ETH-USD")).broker == "a"
        assert manager.submit(buy("0.001")).broker == "b"
        plan = manager.plan_distributed(buy("0.04"))
        assert [one.request.quantity for one in plan.legs] == [D("0.01"), D("0.03")]


def test_a_broker_that_cannot_be_made_is_named(folder: Folder) -> None:
    """One broker with a mistake does not take the others away, and its rules are left out."""
    folder.write(
        {"a": entry(), "bad": entry(initial_balance="much")},
        routing=[{"broker": "bad"}],
    )
    opened = folder.open()
    with opened.manager as manager:
        assert (manager.names, list(opened.failed)) == (("a",), ["bad"])
        assert manager.submit(buy("0.001")).broker == "a"


def test_journal_and_reservations_are_files_side_by_side(folder: Folder) -> None:
    """A desk is opened anew over its journal, which it lets go of when it closes."""
    folder.write({"a": entry()})
    url = f"sqlite:///{folder.path / 'desk.sqlite'}"
    for _ in range(2):
        with folder.open(url).manager as manager:
            result = manager.submit_distributed(buy("0.001"), saga_id="once")
            assert result.is_complete
    assert (folder.path / "desk.risk.sqlite").exists()


def test_a_desk_that_reads_alone_needs_no_journal(folder: Folder) -> None:
    """Without a journal nothing can be sent; some brokers alone can be had."""
    folder.write({"a": entry(), "b": entry()})
    with folder.open(None, brokers=["B"]).manager as manager:
        assert manager.names == ("b",)
        with pytest.raises(InvalidRequestError, match="without a journal"):
            manager.submit(buy())


def test_rules_with_mistakes_are_told_with_the_file(folder: Folder) -> None:
    """A rule that names what there is not is told by its place, with all else."""
    folder.write(
        {"a": entry(weight=0)},
        routing=[
            {"broker": "z", "market_types": ["moon"], "capabilities": ["flying"]},
            {"symbols": "BTC"},
        ],
    )
    with pytest.raises(InvalidSettingsError) as raised:
        folder.open()
    told = str(raised.value)
    for place in (
        "brokers.a.weight",
        "routing.0.broker",
        "routing.0.market_types",
        "routing.0.capabilities",
        "symbols",
    ):
        assert place in told
    folder.write({"a": entry()}, routing={"broker": "a"})
    with pytest.raises(InvalidSettingsError, match="a list of JSON objects"):
        folder.open()
