"""JSON text to settings: exact numbers, and every mistake of the file at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError
from cattrs.errors import AttributeValidationNote, ForbiddenExtraKeysError, IterableValidationNote

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.configuration.errors import InvalidSettingsError, Problem
from bot_v2.orchestration.configuration.model import (
    BrokerEntry,
    DeskSettings,
    RiskSettings,
    RouteSettings,
    SettingValue,
)
from bot_v2.orchestration.configuration.names import NAME, is_secret_name
from bot_v2.orchestration.credentials.model import set_name
from bot_v2.orchestration.credentials.opening import DEFAULT_STORES

SHOWN_LENGTH: Final = 40
"""How much of a value a message repeats, in characters."""

FRACTION: Final = "a fraction above 0 and at most 1, such as 0.02 for two percent"
SIMILAR: Final = 0.8
"""How alike a name is to one of ours to count as misspelt."""

_SCHEMA_KEY: Final = "$schema"
_OWN: Final = tuple(one.name for one in attrs.fields(BrokerEntry) if one.name != "settings")


class _RefusedError(Exception):
    """A value will not do."""

    def __init__(self, value: object, accepted: str) -> None:
        super().__init__(accepted)
        self.value = value
        self.accepted = accepted


def read_settings(text: str, file: Path | str, types: Iterable[str]) -> DeskSettings:
    """Return what a text says.

    Args:
        text: JSON.
        file: where it was read, for messages.
        types: the brokerages that there are.

    Raises:
        InvalidSettingsError: it has mistakes; lists all of them, and shows no secret.
    """
    known = tuple(types)
    data = _parse(text, file)
    if not isinstance(data, dict):
        raise InvalidSettingsError(file, [Problem("", _shown(data), "a JSON object")])
    data.pop(_SCHEMA_KEY, None)
    problems: list[Problem] = []
    try:
        settings = _converter().structure(data, DeskSettings)
    except ClassValidationError as error:
        problems = list(_problems(error, ()))
        settings = DeskSettings()
    problems += _check_sense(data, known)
    if problems:
        raise InvalidSettingsError(file, problems)
    return settings


def _parse(text: str, file: Path | str) -> Any:
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        # The cause is left out: it holds the whole text.
        raise InvalidSettingsError(file, [Problem(place, "no JSON", error.msg)]) from None
    except _RefusedError as error:
        raise InvalidSettingsError(
            file, [Problem(str(error.value), "there more than once", error.accepted)]
        ) from None
    except (RecursionError, ValueError) as error:
        raise InvalidSettingsError(file, [Problem("", "no JSON", str(error))]) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RefusedError(twice, "each name once")
    return found


def _check_sense(data: Mapping[str, Any], types: tuple[str, ...]) -> Iterator[Problem]:
    """Find what no type of a value shows: names that do not fit together, settings misspelt."""
    stores = data.get("credential_stores")
    if isinstance(stores, list) and not _are_stores(stores):
        accepted = f"some of {', '.join(DEFAULT_STORES)}, each once"
        yield Problem("credential_stores", _shown(stores), accepted)
    brokers = data.get("brokers")
    if not isinstance(brokers, dict):
        return
    compared: dict[str, str] = {}
    for name, entry in brokers.items():
        path = f"brokers.{name}"
        if not NAME.fullmatch(name):
            accepted = "letters, digits and _ . -, beginning with a letter or a digit"
            yield Problem(f"a name in brokers, {_shown(name)},", "no name", accepted)
            continue
        other = compared.setdefault(set_name(name), name)
        if other != name:
            yield Problem(path, f"called like {other}", "names that differ in letters or digits")
        if isinstance(entry, dict):
            yield from _check_entry(path, entry, types)
    yield from _check_routing(data.get("routing"), list(brokers))
    default = data.get("default_broker")
    if isinstance(default, str) and default not in brokers:
        accepted = ", ".join(brokers) or "nothing: there are no brokers"
        yield Problem("default_broker", _shown(default), accepted)


def _check_routing(rules: object, brokers: list[str]) -> Iterator[Problem]:
    known: dict[str, list[str]] = {
        "broker": brokers,
        "market_types": [*MarketType],
        "capabilities": [*Capability],
    }
    for number, rule in enumerate(rules if isinstance(rules, list) else []):
        for name, accepted in known.items() if isinstance(rule, dict) else ():
            given = rule.get(name)
            for one in given if isinstance(given, list) else [given]:
                if isinstance(one, str) and one not in accepted:
                    path = f"routing.{number}.{name}"
                    yield Problem(path, _shown(one), f"one of {', '.join(accepted)}")


def _are_stores(names: list[Any]) -> bool:
    return bool(names) and all(name in DEFAULT_STORES and names.count(name) == 1 for name in names)


def _check_entry(path: str, entry: Mapping[str, Any], types: tuple[str, ...]) -> Iterator[Problem]:
    kind = entry.get("type")
    if isinstance(kind, str) and kind.strip().lower() not in types:
        yield Problem(f"{path}.type", _shown(kind), f"one of {', '.join(types)}")
    for name, value in entry.items():
        if name in _OWN:
            continue
        similar = get_close_matches(name.lower(), _OWN, 1, SIMILAR)
        if similar:
            yield Problem(f"{path}.{name}", "no setting", f"the spelling {similar[0]}")
        elif isinstance(value, dict | list) or value is None:
            shown = "***" if is_secret_name(name) else _shown(value)
            yield Problem(f"{path}.{name}", shown, "a text, a number, true or false")


def _converter() -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    hooks: dict[Any, Callable[[Any, Any], object]] = {
        str: _text,
        bool: _boolean,
        str | None: _text_or_none,
        Decimal: _weight,
        Decimal | None: _fraction_or_none,
        int | None: _count_or_none,
        tuple[str, ...] | None: _texts_or_none,
        # Never called: what is of this kind is taken out before the rest is read.
        SettingValue: _text,
    }
    for kind, hook in hooks.items():
        converter.register_structure_hook(kind, hook)
    for model in (RiskSettings, BrokerEntry, RouteSettings, DeskSettings):
        structure = converter.get_structure_hook(model)
        converter.register_structure_hook(model, partial(_OBJECTS[model], structure))
        if model is RouteSettings:
            # Before what holds it is made ready.
            listed = partial(_table, converter.get_structure_hook(_TABLE))
            converter.register_structure_hook_func(lambda kind: kind == _TABLE, listed)
    return converter


def _object(structure: Callable[[Any, Any], Any], value: Any, kind: Any) -> Any:
    if not isinstance(value, dict):
        raise _RefusedError(value, "a JSON object")
    return structure(value, kind)


def _entry(structure: Callable[[Any, Any], Any], value: Any, kind: Any) -> Any:
    """Read a broker: what the desk does not know is a setting of the brokerage's own."""
    if not isinstance(value, dict):
        raise _RefusedError(value, "a JSON object")
    made = structure({name: one for name, one in value.items() if name in _OWN}, kind)
    own = {name: _own_setting(name, one) for name, one in value.items() if name not in _OWN}
    return attrs.evolve(made, type=made.type.strip().lower(), settings=own)


_TABLE: Final[Any] = tuple[RouteSettings, ...]


def _table(structure: Callable[[Any, Any], Any], value: Any, kind: Any) -> Any:
    if not isinstance(value, list):
        raise _RefusedError(value, "a list of JSON objects")
    return structure(value, kind)


_OBJECTS: Final = {
    RiskSettings: _object,
    BrokerEntry: _entry,
    RouteSettings: _object,
    DeskSettings: _object,
}


def _own_setting(name: str, value: Any) -> SettingValue:
    return Secret(str(value)) if is_secret_name(name) else value


def _text(value: Any, _: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise _RefusedError(value, "a text that is not empty")


def _boolean(value: Any, _: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _RefusedError(value, "true or false")


def _text_or_none(value: Any, kind: object) -> str | None:
    return None if value is None else _text(value, kind)


def _texts_or_none(value: Any, _: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value):
        return tuple(value)
    raise _RefusedError(value, "a list of texts")


def _count_or_none(value: Any, _: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise _RefusedError(value, "a whole number, 1 or more")


def _number(value: Any) -> Any:
    """Return a number exactly as it is written, by itself or as a text; else what was given."""
    if isinstance(value, str):
        with suppress(InvalidFieldError):
            return decimal_from_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value


def _weight(value: Any, _: object) -> Decimal:
    number = _number(value)
    if isinstance(number, Decimal) and number > 0:
        return number
    raise _RefusedError(value, "a number above zero")


def _fraction_or_none(value: Any, _: object) -> Decimal | None:
    """Read a fraction, exactly as it is written; a number or its text."""
    number = _number(value)
    if number is None or (isinstance(number, Decimal) and 0 < number <= 1):
        return number
    raise _RefusedError(value, FRACTION)


def _problems(error: Exception, path: tuple[str, ...]) -> Iterator[Problem]:
    """Walk down to each mistake, by the notes that say in which field it was made."""
    if isinstance(error, ClassValidationError | IterableValidationError):
        for inner in error.exceptions:
            yield from _problems(inner, (*path, *_step_to(inner)))
    elif isinstance(error, ForbiddenExtraKeysError):
        known = ", ".join(one.name for one in attrs.fields(error.cl))
        for name in sorted(error.extra_fields):
            yield Problem(".".join((*path, name)), "no setting", f"one of {known}")
    elif isinstance(error, _RefusedError):
        yield Problem(".".join(path), _shown(error.value), error.accepted)
    elif isinstance(error, KeyError):
        yield Problem(".".join(path), "missing", "a text: every broker says its type")
    else:
        yield Problem(".".join(path), "of another kind", "a JSON object")


def _step_to(error: BaseException) -> Iterator[str]:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            yield note.name
        elif isinstance(note, IterableValidationNote):
            yield str(note.index)


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"
