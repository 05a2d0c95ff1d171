"""Credentials of the old mCube3: the table `tools_credentialstore` of its SQLite database.

The table has no encryption, and no word on when a session ends: what comes of it never expires
unless the user says so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.errors import DamagedStoreError, StoreUnavailableError
from bot_v2.orchestration.credentials.model import Credential, CredentialSet, set_name

TABLE: Final = "tools_credentialstore"

FIELDS: Final = (
    "api_key",
    "api_secret",
    "session_token",
    "username",
    "password",
    "pan",
    "neo_password",
    "sid",
)
"""The columns that hold credentials; each becomes the field of its name."""

OF_A_SESSION: Final = frozenset({"session_token", "sid"})
"""The columns that `last_session_update` is about."""

LOCK_TIMEOUT_S: Final = 1.0
"""How long to wait for an application that is writing, in seconds."""

DEFAULT_NAME: Final = "default"
"""What the only login at a service is called."""


@attrs.frozen(kw_only=True)
class Imported:
    """What the table holds."""

    sets: dict[str, CredentialSet]
    """The sets: `service` or, where the row has a name of its own, `service-name`."""
    empty: tuple[str, ...]
    """The rows that hold no credential."""


def read_mcube3(database: Path) -> Imported:
    """Return the credentials of an old database, which is opened for reading only.

    Raises:
        StoreUnavailableError: there is no such file, or it cannot be read.
        DamagedStoreError: it is no SQLite database.
        InvalidRequestError: it has no such table.
    """
    if not database.is_file():
        raise StoreUnavailableError(f"there is no file {database}")
    address = f"{database.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, timeout=LOCK_TIMEOUT_S, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return _read(connection, database)
    except sqlite3.OperationalError as error:
        raise StoreUnavailableError(f"{database} cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise DamagedStoreError(f"{database} is no SQLite database: {error}") from error


def _read(connection: sqlite3.Connection, database: Path) -> Imported:
    columns = {row["name"] for row in connection.execute(f"PRAGMA table_info({TABLE})")}
    if not {"service", "name"} <= columns:
        raise InvalidRequestError(f"{database} has no table {TABLE} with a service and a name")
    sets: dict[str, CredentialSet] = {}
    empty: list[str] = []
    # The name of the table is a constant of this module.
    for row in connection.execute(f"SELECT * FROM {TABLE} ORDER BY service, name"):  # noqa: S608
        values = dict(zip(row.keys(), row, strict=True))
        wanted = _name_of(values)
        fields = dict(_fields_of(values))
        if not fields:
            empty.append(wanted)
            continue
        name = _free(wanted, sets)
        sets[name] = CredentialSet(name=name, fields=fields)
    return Imported(sets=sets, empty=tuple(empty))


def _name_of(values: Mapping[str, object]) -> str:
    service, name = str(values["service"]), str(values["name"] or "")
    is_only = name.strip().lower() in ("", DEFAULT_NAME)
    return set_name(service if is_only else f"{service} {name}")


def _free(name: str, taken: Mapping[str, object]) -> str:
    """Return a name that is free: the table may have a login twice."""
    number, free = 2, name
    while free in taken:
        number, free = number + 1, f"{name}-{number}"
    return free


def _fields_of(values: Mapping[str, object]) -> Iterator[tuple[str, Credential]]:
    made, renewed = (_moment(values.get(name)) for name in ("created_at", "last_session_update"))
    for field in FIELDS:
        text = values.get(field)
        if text is not None and str(text).strip():
            set_at = renewed if field in OF_A_SESSION and renewed else made
            yield field, Credential(value=Secret(str(text).strip()), set_at=set_at)


def _moment(text: object) -> datetime | None:
    """Return when something was; the old application wrote UTC without saying so."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
