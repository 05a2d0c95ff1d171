"""Settings: arguments before the environment, typed, and a misspelt one is an error."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal as D
from enum import StrEnum
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import InvalidFieldError, Secret
from bot_v2.features.brokerages.core.settings import Settings

KEY = "do-not-print-me"


class Kind(StrEnum):
    CASH = "cash"
    MARGIN = "margin"


def test_an_argument_goes_before_the_environment() -> None:
    """Short name, full name, then the environment; an empty value counts as absent."""
    environ = {"PAPER_CURRENCY": "EUR"}
    assert Settings("PAPER", {"currency": "USD"}, environ).text("currency") == "USD"
    assert Settings("PAPER", {"PAPER_CURRENCY": "GBP"}, environ).text("currency") == "GBP"
    assert Settings("PAPER", {"currency": ""}, environ).text("currency") == "EUR"
    assert Settings("PAPER", None, {"PAPER_CURRENCY": ""}).text("currency", "JPY") == "JPY"
    assert Settings("PAPER").text("currency") is None


def test_an_alias_is_another_full_name() -> None:
    """Names that a broker's own tools use are found, after the setting's own name."""
    environ = {"APCA_KEY": "old"}
    aliases = ("APCA_KEY",)
    assert Settings("ALPHA", {}, environ).text("key", aliases=aliases) == "old"
    both = {**environ, "ALPHA_KEY": "new"}
    assert Settings("ALPHA", {}, both).text("key", aliases=aliases) == "new"
    assert Settings("ALPHA", {"APCA_KEY": "given"}, both).text("key", aliases=aliases) == "given"


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda s: s.decimal("x"), "0.10", D("0.10")),
        (lambda s: s.decimal("x"), 3, D(3)),
        (lambda s: s.decimal("x"), D("1.5"), D("1.5")),
        (lambda s: s.decimal("x", D(9)), None, D(9)),
        (lambda s: s.integer("x", 5), "7", 7),
        (lambda s: s.integer("x", 5), None, 5),
        (lambda s: s.seconds("x", 1.0), "0.25", 0.25),
        (lambda s: s.seconds("x", 1.0), 0.25, 0.25),
        (lambda s: s.seconds("x", 1.0), None, 1.0),
        (lambda s: s.boolean("x", False), "Yes", True),
        (lambda s: s.boolean("x", True), "0", False),
        (lambda s: s.boolean("x", True), False, False),
        (lambda s: s.boolean("x", True), None, True),
        (lambda s: s.choice("x", Kind, Kind.CASH), "MARGIN", Kind.MARGIN),
        (lambda s: s.choice("x", Kind, Kind.CASH), Kind.MARGIN, Kind.MARGIN),
        (lambda s: s.choice("x", Kind, Kind.CASH), None, Kind.CASH),
    ],
)
def test_a_setting_is_read_as_its_type(
    read: Callable[[Settings], object], value: object, expected: object
) -> None:
    """Texts from the environment and typed arguments mean the same."""
    result = read(Settings("PAPER", {"x": value}))
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("read", "value", "accepted"),
    [
        (lambda s: s.text("x"), 3, "a str"),
        (lambda s: s.decimal("x"), 0.1, "a finite Decimal"),
        (lambda s: s.decimal("x"), True, "a finite Decimal"),
        (lambda s: s.decimal("x"), D("NaN"), "a finite Decimal"),
        (lambda s: s.decimal("x"), "ten", "a finite number"),
        (lambda s: s.integer("x", 5), "1.5", "whole number"),
        (lambda s: s.seconds("x", 1.0), "-1", "zero seconds or more"),
        (lambda s: s.seconds("x", 1.0), float("inf"), "a finite Decimal"),
        (lambda s: s.boolean("x", True), "maybe", "false"),
        (lambda s: s.choice("x", Kind, Kind.CASH), "credit", "cash, margin"),
    ],
)
def test_a_bad_setting_names_itself(
    read: Callable[[Settings], object], value: object, accepted: str
) -> None:
    """The error names the setting as the environment knows it, and what it takes."""
    with pytest.raises(InvalidFieldError) as caught:
        read(Settings("PAPER", {"x": value}))
    assert caught.value.field == "PAPER_X"
    assert accepted in caught.value.accepted


def test_a_misspelt_argument_is_an_error() -> None:
    """A setting that no reader asked for is named, with those that there are."""
    for given in ({"initial_ballance": "1"}, {"PAPER_INITIAL_BALLANCE": "1"}):
        settings = Settings("PAPER", given)
        settings.decimal("initial_balance")
        with pytest.raises(InvalidFieldError, match="the names initial_balance"):
            settings.refuse_unknown()
    fine: dict[str, Any] = {"initial_balance": "1", "PAPER_CURRENCY": "USD"}
    settings = Settings("PAPER", fine)
    settings.decimal("initial_balance")
    settings.text("currency")
    settings.refuse_unknown()


def test_a_secret_is_wrapped_from_the_moment_it_is_read() -> None:
    """Text or Secret comes back as a Secret; a bad one is refused without being shown."""
    for given in (KEY, Secret(KEY)):
        secret = Settings("PAPER", {"api_key": given}).secret("api_key")
        assert secret is not None
        assert secret.reveal() == KEY
    assert Settings("PAPER").secret("api_key") is None
    with pytest.raises(InvalidFieldError) as caught:
        Settings("PAPER", {"api_key": KEY.encode()}).secret("api_key")
    assert KEY not in str(caught.value)


def test_a_secret_shows_itself_nowhere() -> None:
    """repr, str, format and f-strings redact it; pickling it is refused; it can be compared."""
    secret = Secret(KEY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr([secret])]
    assert not [text for text in shown if KEY in text]
    for attempt in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            attempt(secret)
    assert secret == Secret(KEY)
    assert secret != KEY
    assert len({secret, Secret(KEY), Secret("other")}) == 2
    assert secret
    assert not Secret("")
