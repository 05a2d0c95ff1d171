"""The kill switch and the commands that send orders."""

from __future__ import annotations

from tests.integration.cli.conftest import Run

PAPER = ("--broker", "paper", "--json")


def test_new_risk_is_refused_and_exits_pass(quick: Run) -> None:
    """While it is on nothing is bought, not even to sell it again, and what is held can be sold."""
    assert quick("buy", "BTC-USD", "0.02", *PAPER).code == 0
    assert quick("kill-switch", "on", "--because", "drill", "--json").code == 0
    for words in (("buy", "BTC-USD", "0.01"), ("sell", "BTC-USD", "0.03")):
        refused = quick(*words, *PAPER)
        assert refused.code == 4
        assert "the kill switch is on" in refused.err
        assert "drill" in refused.err
    assert len(quick("orders", *PAPER).json) == 1
    assert quick("sell", "BTC-USD", "0.01", *PAPER).code == 0
    assert quick("close", "BTC-USD", *PAPER).code == 0
    assert quick("positions", *PAPER).json == []
    assert quick("kill-switch", "off", "--json").code == 0
    assert quick("buy", "BTC-USD", "0.01", *PAPER).code == 0
