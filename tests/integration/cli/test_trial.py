"""`bot-v2 test` against each simulator."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of, methods_of
from bot_v2.features.brokerages.core.interfaces import IBrokerage, OrderRequest, OrderSide
from bot_v2.orchestration.registry import REGISTRY
from bot_v2.simulation.faults import Fault
from tests.integration.cli.conftest import Run
from tests.integration.cli.simulated import NAMES, simulated

WRITES = {"place_order", "cancel_order", "close_position", "disconnect", "is_connected"}


def by_operation(report: dict[str, list[dict[str, str]]]) -> dict[str, dict[str, str]]:
    """Return the trials by the method."""
    return {one["operation"].split(" ")[0]: one for one in report["trials"]}


@pytest.mark.parametrize("name", NAMES)
def test_every_read_of_a_healthy_broker_works(
    quick: Run, environment: dict[str, str], name: str
) -> None:
    """Each read of the 18 and each method of a declared capability is tried, and none fails."""
    with simulated(name) as broker:
        environment.update(broker.environment)
        ran = quick("test", broker.name, "--timeout", "0.3", "--json")
        assert broker.venue.orders_received() == []
    assert ran.code == 0, ran.out
    report = ran.json
    assert report["failed"] == 0
    trials = by_operation(report)
    reads = {method for method in vars(IBrokerage) if not method.startswith("_")} - WRITES
    assert reads <= set(trials)
    for one in report["trials"]:
        answered = one["result"] == "works"
        assert answered is (one["latency_s"] is not None), one
        assert not answered or one["latency_s"] < 30
    declared = {one["capability"] for one in report["trials"] if one["capability"]}
    made = REGISTRY.create(broker.name, {}, broker.environment)
    assert declared == {capability.value for capability in capabilities_of(made)}
    tried = {one["operation"].split(" ")[0] for one in report["trials"]}
    unsent = {Capability.ORDER_MODIFICATION, Capability.OCO}
    for capability in set(capabilities_of(made)) - unsent - {Capability.OPTION_CHAINS}:
        methods = set(methods_of(capability)) - {"for_account"}
        assert methods <= tried, capability


def test_the_table_says_what_works_and_what_the_key_may_do(
    quick: Run, environment: dict[str, str]
) -> None:
    """A person reads operations, latencies, rights and what was not tried."""
    with simulated("coinbase") as broker:
        environment.update(broker.environment)
        out = quick("test", "coinbase", "--symbol", "ETH-USD").out
    assert out.startswith("coinbase, simulator, account ")
    assert "asked about ETH-USD" in out
    assert "get_price ETH-USD" in out
    assert " ms " in out
    assert "not tried, as it would send an order: place_order, cancel_order, close_position" in out
    assert "may              read, trade\n" in out
    assert "may not          withdraw\n" in out
    assert "clock is off by  +0.0 s\n" in out
    assert out.rstrip().endswith(" work")


def test_a_read_that_fails_is_told_and_ends_nothing(
    quick: Run, environment: dict[str, str]
) -> None:
    """One failure is one line and exit code 1; everything else is tried all the same."""
    with simulated("alpaca") as broker:
        environment.update(broker.environment, ALPACA_TIMEOUT_S="1")
        broker.venue.inject(Fault.UNAVAILABLE, "list_positions", times=50)
        ran = quick("test", "alpaca", "--timeout", "0.3", "--json")
    trials = by_operation(ran.json)
    assert ran.code == 1
    assert trials["list_positions"]["result"] == "failed"
    assert "BrokerUnavailableError" in trials["list_positions"]["found"]
    assert trials["get_price"]["result"] == "works"
    assert trials["list_fills"]["result"] == "works"


def test_a_wrong_key_ends_as_authentication(quick: Run, environment: dict[str, str]) -> None:
    """Nothing is tried where nobody is let in."""
    with simulated("alpaca") as broker:
        environment.update(broker.environment, ALPACA_SECRET_KEY="wrong")
        ran = quick("test", "alpaca")
    assert ran.code == 4
    assert ran.err.startswith("error: ")
    assert ran.out == ""


def test_what_is_held_is_asked_about(quick: Run, environment: dict[str, str]) -> None:
    """Without --symbol the product is one that the account has to do with."""
    with simulated("alpaca") as broker:
        environment.update(broker.environment)
        made = REGISTRY.create("alpaca", {}, broker.environment)
        made.connect()
        made.place_order(OrderRequest(symbol="MSFT", side=OrderSide.BUY, quantity=Decimal(1)))
        made.disconnect()
        report = quick("test", "alpaca", "--timeout", "0.3", "--json").json
    assert report["symbol"] == "MSFT"
    assert by_operation(report)["get_order"]["result"] == "works"
    assert by_operation(report)["list_option_contracts"]["result"] == "works"


def test_an_account_that_is_not_there_yet_is_not_made(quick: Run) -> None:
    """Trying the paper brokerage leaves no account file behind."""
    ran = quick("test", "paper", "--json")
    assert ran.code == 0
    assert ran.err == ""


@pytest.mark.parametrize(
    ("words", "named"), [(("nobody",), "nobody"), (("paper", "--timeout", "0"), "--timeout")]
)
def test_bad_words_are_named(quick: Run, words: tuple[str, ...], named: str) -> None:
    """A name that nobody offers and a timeout that is none are refused by their names."""
    ran = quick("test", *words)
    assert ran.code == 2
    assert named in ran.err
