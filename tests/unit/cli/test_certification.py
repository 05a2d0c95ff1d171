"""certify: the suite is run by its own module; here is what the command makes of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot_v2.cli import certification
from bot_v2.testing import certify as suite
from bot_v2.testing.cards import all_cards
from bot_v2.testing.conformance import CardResult, ConformanceReport, Status, complete_results
from tests.unit.cli.fakes import Shell

FIRST, SECOND, THIRD = sorted(all_cards())[:3]


def a_report(*results: CardResult) -> ConformanceReport:
    """A report of some cards; nobody asked for the others."""
    return ConformanceReport(
        brokerage="acme",
        mode="simulator",
        results=complete_results(results),
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
    )


PASSED = CardResult(card_id=FIRST, status=Status.PASSED)
FAILED = CardResult(card_id=SECOND, status=Status.FAILED, reason="saw [a float]: 0.1")
EXEMPT = CardResult(card_id=THIRD, status=Status.EXEMPT, reason="the venue has none")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the suite was asked for; `report` is what it answers."""
    asked: dict[str, Any] = {"report": a_report(PASSED)}

    def run(target: str, **options: Any) -> ConformanceReport:
        asked.update(options, target=target)
        report: ConformanceReport = asked["report"]
        return report

    monkeypatch.setattr(suite, "certify", run)
    return asked


def test_everything_asked_for_reaches_the_suite(shell: Shell, asked: dict[str, Any]) -> None:
    """Each option is handed on, an exemption with its reason."""
    ran = shell.run(
        *("certify", "acme:create", "--venue", "acme:venue", "--mode", "cassette"),
        *("--exempt", f"{THIRD}=no such thing = none", "--json-file", "r.json"),
        *("--markdown-file", "r.md", "--cassettes", "tapes", "--record"),
    )
    assert ran.code == 0, ran.err
    del asked["report"]
    assert asked == {
        "target": "acme:create",
        "venue": "acme:venue",
        "mode": "cassette",
        "exemptions": {THIRD: "no such thing = none"},
        "json_path": "r.json",
        "markdown_path": "r.md",
        "cassettes": "tapes",
        "record": True,
    }


def test_violations_and_exemptions_are_told_one_by_one(shell: Shell, asked: dict[str, Any]) -> None:
    """The table names what failed and what was left out, each with its reason; 1 for violations."""
    asked["report"] = a_report(PASSED, FAILED, EXEMPT)
    ran = shell.run("certify", "acme:create")
    assert ran.code == 1
    assert SECOND in ran.out
    assert "saw [a float]: 0.1" in ran.out
    assert THIRD in ran.out
    assert "the venue has none" in ran.out
    assert FIRST not in ran.out
    assert "acme does not conform to the contract" in ran.out
    assert FIRST in shell.run("certify", "acme:create", "--all").out


def test_the_report_is_the_json(shell: Shell, asked: dict[str, Any]) -> None:
    """With --json the report itself is the document."""
    asked["report"] = a_report(PASSED, FAILED)
    ran = shell.run("certify", "acme:create", "--json")
    assert ran.code == 1
    assert ran.json["conforms"] is False
    assert {one["id"]: one["status"] for one in ran.json["cards"]}[SECOND] == "failed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere_at_all:create",), "nowhere_at_all cannot be imported"),
        (("create",), "an available brokerage: fake, lookup, sandbox"),
        ((":create",), "write package.module:name"),
        (("tests.unit.cli.fakes:nothing",), "has nothing to call named nothing"),
        (("tests.unit.cli.fakes:FakeBrokerage",), "must say environment"),
        (("tests.unit.cli.fakes:FakeBrokerage", "--exempt", "BC-X999=none"), "names no card"),
        (("tests.unit.cli.fakes:FakeBrokerage", "--exempt", f"{FIRST}="), "gives no reason"),
        (("tests.unit.cli.fakes:FakeBrokerage", "--exempt", FIRST), "--exempt is"),
        (("tests.unit.cli.fakes:FakeBrokerage", "--mode", "real"), "--mode is 'real'"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_run_ends_with_two(shell: Shell, words: tuple[str, ...], said: str) -> None:
    """The suite itself refuses, before anything is connected; as text or as JSON."""
    ran = shell.run("certify", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert shell.run("certify", *words, "--json").error["exit_code"] == 2


def test_without_the_extra_it_says_what_to_install(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The suite needs pytest and more, which the command line alone does not bring."""

    def lacking(name: str) -> Any:
        raise ModuleNotFoundError("No module named 'hypothesis'", name="hypothesis.strategies")

    monkeypatch.setattr(certification, "import_module", lacking)
    ran = shell.run("certify", "acme:create")
    assert ran.code == 2
    assert "pip install 'bot-v2[testing]'" in ran.err


def test_a_fault_of_the_suite_is_not_blamed_on_the_extra(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module of ours that is missing is a fault, and is not hidden."""
    monkeypatch.setitem(sys.modules, "bot_v2.testing.certify", None)
    with pytest.raises(ModuleNotFoundError):
        shell.run("certify", "acme:create")
