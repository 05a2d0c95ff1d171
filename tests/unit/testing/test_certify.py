"""Certifying a brokerage by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.declarations import Environment
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.testing.cards import all_cards
from bot_v2.testing.certify import (
    CouldNotRunError,
    ExitStatus,
    certify,
    exit_status,
    factory_named,
)
from bot_v2.testing.conformance import Status

HERE = "tests.unit.testing.test_certify"
PAPER = f"{HERE}:PaperBrokerage"
VENUE = f"{HERE}:PaperVenue"
LIGHT = {card_id: "not looked at here" for card_id in all_cards() if not card_id.startswith("BC-S")}


class Untrue(PaperBrokerage):
    """Breaks one sentence."""

    def connect(self) -> bool:
        """Return what merely counts as true."""
        return super().connect() and 1  # type: ignore[return-value]  # this is what is broken


class Live(PaperBrokerage):
    """Says that it trades real money."""

    environment = Environment.LIVE  # type: ignore[misc]  # overriding a Final is the point


def unmade() -> None:
    """Fail as a factory without its settings would."""
    raise InvalidFieldError("ACME_API_KEY", None, "a key")


def demanding(key: str) -> PaperBrokerage:
    """Want what nobody gives."""
    return PaperBrokerage()


def test_paper_conforms() -> None:
    """Every card is in the report: all of them passed, were skipped, or do not apply."""
    report = certify(PAPER, venue=VENUE)
    assert report.brokerage == "paper"
    assert report.violations == ()
    assert report.counts[Status.PASSED] > 250
    assert report.conforms, report.unexercised
    assert exit_status(report) is ExitStatus.CONFORMS


def test_a_violation_is_told_by_the_exit_status() -> None:
    """1 means that the brokerage breaks the contract."""
    report = certify(f"{HERE}:Untrue", venue=VENUE, exemptions=LIGHT)
    assert [result.card_id for result in report.violations] == [
        "BC-S010",
        "BC-S020",
        "BC-S150",
    ]
    assert exit_status(report) is ExitStatus.VIOLATES


def test_the_report_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    """As JSON and as Markdown, exemptions included."""
    json_path, markdown_path = tmp_path / "report.json", tmp_path / "report.md"
    certify(PAPER, venue=VENUE, exemptions=LIGHT, json_path=json_path, markdown_path=markdown_path)
    cards = json.loads(json_path.read_text(encoding="utf-8"))["cards"]
    reasons = {card["id"]: card["reason"] for card in cards if card["status"] == "exempt"}
    assert reasons == LIGHT
    assert "# Conformance of paper" in markdown_path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module:factory", "no_such_module cannot be imported"),
        (f"{HERE}:NoSuchThing", "has nothing to call named NoSuchThing"),
        (f"{HERE}:HERE", "has nothing to call named HERE"),
        (f"{HERE}:", "is no factory"),
        (":factory", "is no factory"),
        (f"{HERE}:unmade", "makes no brokerage: ACME_API_KEY"),
        (f"{HERE}:demanding", "makes no brokerage"),
        (f"{HERE}:Live", "it says 'live'"),
        ("no-such-broker", "no-such-broker"),
    ],
)
def test_what_cannot_be_run_says_why(target: str, message: str) -> None:
    """It is neither a violation nor a success."""
    with pytest.raises(CouldNotRunError, match=message):
        certify(target)


def test_an_odd_mode_or_exemption_cannot_be_run() -> None:
    """Both are refused before anything is made."""
    with pytest.raises(CouldNotRunError, match="'dry' is not a valid Mode"):
        certify(PAPER, mode="dry")
    with pytest.raises(CouldNotRunError, match="gives no reason"):
        certify(PAPER, exemptions={"BC-S010": ""})


def test_a_registered_name_is_enough() -> None:
    """What `create_brokerage` makes of it is certified."""
    assert callable(factory_named("paper"))
    report = certify("paper", exemptions=LIGHT)
    assert report.brokerage == "paper"
    assert report.violations == ()


def test_a_module_beside_the_caller_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The working directory is searched, and searched only while it is needed."""
    (tmp_path / "acme_of_mine.py").write_text("def make():\n    return 7\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert factory_named("acme_of_mine:make")() == 7


def test_paper_venue_is_there() -> None:
    """The names that this module is certified by are its own."""
    assert (PaperBrokerage, PaperVenue) == (factory_named(PAPER), factory_named(VENUE))


def test_exit_statuses_are_fixed() -> None:
    """Scripts rely on the numbers."""
    assert [int(status) for status in ExitStatus] == [0, 1, 2]
