from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    IBrokerage,
    InvalidFieldError,
    InvalidRequestError,
)
from bot_v2.orchestration import broker_factory, registry
from bot_v2.orchestration.broker_factory import (
    NAME_VARIABLES,
    available_brokerages,
    create_brokerage,
    register_brokerage,
)
from tests.unit.orchestration.fake_brokerage import FakeBrokerage


def named(name: str) -> Callable[[Mapping[str, object], Mapping[str, str]], IBrokerage]:
    """A factory whose brokerage tells what it was made from."""

    def factory(given: Mapping[str, object], environ: Mapping[str, str]) -> IBrokerage:
        return FakeBrokerage(name=f"{name} {dict(given)} {environ.get('FAKE_TITLE')}")

    return factory


@pytest.fixture(autouse=True)
def offers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer three brokerages in a registry of the test's own, and name none."""
    own = registry.Registry(group="bot_v2.tests.nothing")
    monkeypatch.setattr(registry, "REGISTRY", own)
    monkeypatch.setattr(broker_factory, "REGISTRY", own)
    for name in (*NAME_VARIABLES, "FAKE_TITLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("one", "two", "three"):
        register_brokerage(name, named(name))


def made_by(broker: IBrokerage) -> str:
    """The name of the offer that a brokerage was made by."""
    assert isinstance(broker, FakeBrokerage)
    return broker.name.split(" ")[0]


@pytest.mark.parametrize(
    ("name", "environ", "expected"),
    [
        ("one", {}, "one"),
        (" ONE ", {"BROKER": "two"}, "one"),
        (None, {"BROKER": "two", "BROKER_NAME": "three", "DEFAULT_BROKER": "one"}, "two"),
        (None, {"BROKER_NAME": "three", "DEFAULT_BROKER": "one"}, "three"),
        (None, {"DEFAULT_BROKER": "Three\n"}, "three"),
        (None, {"BROKER": "", "BROKER_NAME": "  ", "DEFAULT_BROKER": "one"}, "one"),
        ("", {"BROKER": "two"}, "two"),
        ("  ", {"BROKER": "two"}, "two"),
    ],
)
def test_the_name_comes_from_the_argument_then_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str | None, environ: dict[str, str], expected: str
) -> None:
    """The argument counts first, then the variables in their order; an empty one is no name."""
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    assert made_by(create_brokerage(name)) == expected


def test_without_a_name_the_default_is_made() -> None:
    """Where nothing names a brokerage it is coinbase."""
    register_brokerage("coinbase", named("coinbase"))
    assert made_by(create_brokerage()) == "coinbase"


def test_without_a_name_and_without_the_default_the_others_are_named() -> None:
    """Where the default is not installed, the error says that it was meant, and what there is."""
    with pytest.raises(InvalidRequestError) as caught:
        create_brokerage()
    message = str(caught.value)
    assert "no brokerage is named, and 'coinbase'" in message
    assert "available: one, three, two" in message
    assert "BROKER" in message


@pytest.mark.parametrize("source", ["name", *NAME_VARIABLES])
def test_an_unknown_name_says_where_it_was_written(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """A misspelt name is answered with its place, its value and the brokerages there are."""
    if source != "name":
        monkeypatch.setenv(source, "oen")
    with pytest.raises(InvalidFieldError) as caught:
        create_brokerage("oen" if source == "name" else None)
    assert caught.value.field == source
    assert caught.value.value == "oen"
    assert caught.value.accepted == "an available brokerage: one, three, two"


def test_a_name_is_text() -> None:
    """What is no text is refused with its value, not looked up."""
    name: Any = 7
    with pytest.raises(InvalidFieldError, match="name is 7"):
        create_brokerage(name)


def test_nothing_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no brokerage at all, the error does not end in the middle."""
    own = registry.Registry(group="bot_v2.tests.nothing")
    monkeypatch.setattr(registry, "REGISTRY", own)
    with pytest.raises(InvalidRequestError, match=r"available: \(none is installed\)"):
        create_brokerage()


def test_settings_reach_the_factory_with_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factory gets the settings as they were given, and the process's environment."""
    monkeypatch.setenv("FAKE_TITLE", "read")
    broker = create_brokerage("one", {"title": 1})
    assert isinstance(broker, FakeBrokerage)
    assert broker.name == "one {'title': 1} read"


def test_the_environment_is_not_changed() -> None:
    """Making a brokerage leaves the process as it was."""
    before = dict(os.environ)
    create_brokerage("one", {"title": 1})
    assert dict(os.environ) == before


def test_available_brokerages_are_sorted_names() -> None:
    """The names are listed in order."""
    assert available_brokerages() == ("one", "three", "two")
