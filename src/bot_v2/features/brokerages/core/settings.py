"""Settings of a brokerage: from arguments first, then from the environment; all of them typed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret

_E = TypeVar("_E", bound=StrEnum)

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class Settings:
    """Reads one brokerage's settings, and knows which ones it was asked for.

    A setting `initial_balance` of prefix `PAPER` is found as the argument `initial_balance`, as
    the argument `PAPER_INITIAL_BALANCE`, or in the environment as `PAPER_INITIAL_BALANCE`, in
    this order. An empty value counts as absent.

    Raises:
        InvalidFieldError: from every reader, where the value is not what the setting takes; a
            secret's value is never shown.
    """

    def __init__(
        self,
        prefix: str,
        given: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Read from arguments, then from an environment; neither is copied or changed."""
        self._prefix = prefix
        self._given: Mapping[str, object] = given or {}
        self._environ: Mapping[str, str] = environ or {}
        self._known: dict[str, None] = {}

    def environment_name(self, name: str) -> str:
        """Return a setting's name in the environment."""
        return f"{self._prefix}_{name.upper()}"

    def text(
        self, name: str, default: str | None = None, aliases: tuple[str, ...] = ()
    ) -> str | None:
        """Return a text setting.

        Args:
            name: the setting's name, without the prefix.
            default: what an absent setting is.
            aliases: other full names that it is known by in the environment.
        """
        value = self._read(name, aliases)
        if value is None:
            return default
        if not isinstance(value, str):
            raise InvalidFieldError(self.environment_name(name), value, "a str")
        return value

    def secret(self, name: str, aliases: tuple[str, ...] = ()) -> Secret | None:
        """Return a credential, wrapped. None: it is absent."""
        value = self._read(name, aliases)
        if isinstance(value, Secret):
            return value
        if value is None:
            return None
        if not isinstance(value, str):
            shown = Secret("")
            raise InvalidFieldError(self.environment_name(name), shown, "a str or a Secret")
        return Secret(value)

    def decimal(self, name: str, default: Decimal | None = None) -> Decimal | None:
        """Return an exact number, given as a Decimal, an int or as text."""
        value = self._read(name)
        if value is None:
            return default
        if isinstance(value, Decimal) and value.is_finite():
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return Decimal(value)
        if isinstance(value, str):
            return decimal_from_text(value, self.environment_name(name))
        raise InvalidFieldError(
            self.environment_name(name), value, "a finite Decimal, an int or a number's text"
        )

    def integer(self, name: str, default: int) -> int:
        """Return a whole number."""
        value = self.decimal(name, Decimal(default))
        if value is None or value != value.to_integral_value():
            raise InvalidFieldError(self.environment_name(name), value, "a whole number")
        return int(value)

    def seconds(self, name: str, default: float) -> float:
        """Return a duration in seconds, zero or more."""
        given = self._read(name)
        if isinstance(given, float) and 0 <= given < float("inf"):
            return given
        value = self.decimal(name)
        if value is None:
            return default
        if value < 0:
            raise InvalidFieldError(self.environment_name(name), value, "zero seconds or more")
        return float(value)

    def boolean(self, name: str, default: bool) -> bool:
        """Return a yes or no, given as a bool or as text."""
        value = self._read(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text not in _TRUE | _FALSE:
            accepted = ", ".join(sorted(_TRUE | _FALSE))
            raise InvalidFieldError(self.environment_name(name), value, f"one of {accepted}")
        return text in _TRUE

    def choice(self, name: str, options: type[_E], default: _E) -> _E:
        """Return one of an enum's values, given as the member or as its text."""
        value = self._read(name)
        if value is None:
            return default
        for option in options:
            if value is option or str(value).strip().lower() == option.value:
                return option
        accepted = ", ".join(option.value for option in options)
        raise InvalidFieldError(self.environment_name(name), value, f"one of {accepted}")

    def refuse_unknown(self) -> None:
        """Refuse an argument that no reader has asked for: a misspelt setting must not be ignored.

        Raises:
            InvalidFieldError: names the argument, and the settings that there are.
        """
        accepted = ", ".join(self._known)
        for name in self._given:
            known = name if name in self._known else name.removeprefix(f"{self._prefix}_").lower()
            if known not in self._known:
                raise InvalidFieldError("settings", name, f"the names {accepted}")

    def _read(self, name: str, aliases: tuple[str, ...] = ()) -> object | None:
        self._known[name] = None
        full = self.environment_name(name)
        for key in (name, full, *aliases):
            value = self._given.get(key)
            if value is not None and value != "":
                return value
        for key in (full, *aliases):
            text = self._environ.get(key)
            if text:
                return text
        return None
