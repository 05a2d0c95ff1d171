"""Reads and writes `brokers.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.orchestration.broker_factory import available_brokerages
from bot_v2.orchestration.configuration.errors import InvalidSettingsError, Problem
from bot_v2.orchestration.configuration.model import DeskSettings
from bot_v2.orchestration.configuration.places import settings_file
from bot_v2.orchestration.credentials import atomic_file
from bot_v2.orchestration.credentials.permissions import list_file_warnings

INDENT: Final = 2


class SettingsMissingError(InvalidRequestError):
    """There is no `brokers.json`."""


def load_settings(environ: Mapping[str, str]) -> DeskSettings:
    """Return the settings of the desk.

    Raises:
        SettingsMissingError: there is no file; says how to make one.
        StoreUnavailableError: it cannot be read.
        InvalidSettingsError: it has mistakes; lists all of them.
    """
    file = settings_file(environ)
    text = _read(file)
    if text is None:
        raise SettingsMissingError(f"there is no {file}: bot-v2 init writes one")
    return _parse(text, file)


def load_settings_if_any(environ: Mapping[str, str]) -> DeskSettings | None:
    """Return the settings of the desk. None: there is no file.

    Raises:
        StoreUnavailableError: it cannot be read.
        InvalidSettingsError: it has mistakes; lists all of them.
    """
    return load_settings(environ) if settings_file(environ).exists() else None


def add_entry(file: Path, name: str, entry: Mapping[str, Any], *, default: bool = False) -> None:
    """Write a broker into the file; all else in it stays as it is, number by number.

    Args:
        file: where; made where it is not there.
        name: the broker's name.
        entry: its settings, as JSON has them.
        default: make it the default broker, too. The first broker of a file always is.

    Raises:
        InvalidRequestError: there is one of that name, or the file would not be valid with it.
        CredentialStoreError: the file cannot be read or written.
    """
    with atomic_file.locked(file):
        text = _read(file)
        if text is not None:
            # What is there has to be right before it is written anew.
            _parse(text, file)
        data = {} if text is None else json.loads(text, parse_float=Decimal)
        brokers = data.setdefault("brokers", {})
        if name in brokers:
            raise InvalidRequestError(f"{file} has a broker {name!r} already")
        brokers[name] = dict(entry)
        if default or "default_broker" not in data:
            data = {
                "default_broker": name,
                **{k: v for k, v in data.items() if k != "default_broker"},
            }
        made = to_text(data)
        _parse(made, file)
        atomic_file.write(file, made.encode())


def write_new(file: Path, text: str, *, force: bool) -> None:
    """Write a file for its owner alone.

    Raises:
        InvalidRequestError: it is there, and `force` is not given.
        StoreUnavailableError: it cannot be written.
    """
    if file.exists() and not force:
        raise InvalidRequestError(f"{file} is there already: it is replaced with --force only")
    atomic_file.write(file, text.encode())


def list_warnings(environ: Mapping[str, str]) -> list[str]:
    """Return who else can read or change the settings."""
    return list_file_warnings(settings_file(environ))


def to_text(data: Any) -> str:
    """Return JSON with each Decimal as it is written; nothing passes through a float."""
    return f"{_to_text(data, 0)}\n"


def _to_text(data: Any, depth: int) -> str:
    if isinstance(data, Decimal):
        return str(data)
    if not isinstance(data, dict | list) or not data:
        return json.dumps(data, ensure_ascii=False)
    is_list = isinstance(data, list)
    inner, outer = " " * INDENT * (depth + 1), " " * INDENT * depth
    items = (
        _to_text(one, depth + 1)
        if is_list
        else f"{json.dumps(one, ensure_ascii=False)}: {_to_text(data[one], depth + 1)}"
        for one in data
    )
    first, last = "[]" if is_list else "{}"
    joined = f",\n{inner}".join(items)
    return f"{first}\n{inner}{joined}\n{outer}{last}"


def _parse(text: str, file: Path) -> DeskSettings:
    # Imported here: most commands find no file, and cattrs takes its time.
    from bot_v2.orchestration.configuration.reading import read_settings

    return read_settings(text, file, available_brokerages())


def _read(file: Path) -> str | None:
    data = atomic_file.read(file)
    if data is None:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidSettingsError(file, [Problem("", "no text", "UTF-8")]) from None
