"""list-types: which brokerages --broker takes, and what those that are not ready need."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from bot_v2.cli import list_types
from bot_v2.orchestration import registry
from tests.unit.cli.fakes import Shell


class FakeDistribution:
    """What is read of an installed distribution."""

    def __init__(self, name: str, *requires: str) -> None:
        self.name, self.version, self.requires = name, "1.2.3", list(requires)


def offer(monkeypatch: pytest.MonkeyPatch, *offered: tuple[str, str, FakeDistribution]) -> None:
    """Have distributions offer brokerages, of which attrs is the only package installed."""
    points = []
    for name, value, distribution in offered:
        point = EntryPoint(name, value, registry.ENTRY_POINT_GROUP)
        vars(point)["dist"] = distribution
        points.append(point)
    names = sorted(name.lower() for name, _, _ in offered)
    monkeypatch.setattr(list_types, "entry_points", lambda group: points)
    monkeypatch.setattr(list_types, "available_brokerages", lambda: tuple(names))
    monkeypatch.setattr(list_types, "distributions", lambda: [FakeDistribution("attrs")])


def test_brokerages_of_this_process_are_ready(shell: Shell) -> None:
    """What is registered here needs nothing, and the live brokers are listed without a question."""
    ran = shell.run("list-types", "--json")
    assert ran.code == 0
    assert [(one["name"], one["installed"], one["install"]) for one in ran.json] == [
        ("fake", True, None),
        ("lookup", True, None),
        ("sandbox", True, None),
    ]


def test_what_is_missing_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker whose SDK is not installed says how to install it; one that needs none is ready."""
    own = FakeDistribution(
        "bot-v2", "attrs>=23", 'some-sdk>=1; extra == "Acme"', "attrs; extra == 'ready'"
    )
    offer(
        monkeypatch,
        ("Acme", "bot_v2.acme:make", own),
        ("ready", "bot_v2.ready:make", own),
        ("paper", "bot_v2.paper:make", own),
    )
    ran = shell.run("list-types", "--json")
    assert {one["name"]: one["install"] for one in ran.json} == {
        "acme": "pip install 'bot-v2[acme]'",
        "paper": None,
        "ready": None,
    }
    assert {one["name"]: one["installed"] for one in ran.json} == {
        "acme": False,
        "paper": True,
        "ready": True,
    }
    table = shell.run("list-types").out
    assert "pip install 'bot-v2[acme]'" in table
    assert "bot-v2 1.2.3" in table


def test_a_third_party_names_its_own_extra(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point of another distribution may say which of its extras it needs."""
    third = FakeDistribution("acme-brokerage", 'Acme_SDK[fast]>=2; extra == "live"')
    offer(monkeypatch, ("acme", "acme.factory:make [live]", third))
    (row,) = shell.run("list-types", "--json").json
    assert row == {
        "name": "acme",
        "installed": False,
        "install": "pip install 'acme-brokerage[live]'",
        "offered_by": "acme-brokerage 1.2.3",
    }
