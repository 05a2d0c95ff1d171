"""The commands that keep credentials and tell how they stand; none of them prints a value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.broker_terms import secrets_of
from bot_v2.cli.output import Column
from bot_v2.cli.prompts import ask, is_anybody_there, secrets_for
from bot_v2.cli.reporting import reporting
from bot_v2.cli.values import moment_of, pairs_of
from bot_v2.cli.vaults import vault_of, warn
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.configuration.files import load_settings_if_any
from bot_v2.orchestration.credentials.model import field_name, set_name
from bot_v2.orchestration.credentials.status import (
    FieldStatus,
    State,
    field_statuses,
    list_warnings,
)
from bot_v2.orchestration.credentials.vault import KeptSet
from bot_v2.simulation.clock import utc_now

group = typer.Typer(
    no_args_is_help=True,
    help="Keep credentials, encrypted, and see who read them.",
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The set: what one login at a broker needs.")
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="keyring or file. Default: where the set is, else the first that can be written.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there already.")]
Fields = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FIELD",
        help="What is kept, by the names of the brokerage's settings, such as api_key; each is "
        "asked for. Default: what the broker of that name needs.",
    ),
]
FromFile = Annotated[
    list[str] | None,
    typer.Option(
        "--from", metavar="FIELD=FILE", help="Read a value, such as a private key; repeatable."
    ),
]
ExpiresAt = Annotated[
    str | None,
    typer.Option(
        "--expires-at", metavar="TIME", help="When these values end; ISO 8601, with its zone."
    ),
]

STATUS_COLUMNS: Final[tuple[Column, ...]] = (
    ("set", lambda row: row.set),
    ("field", lambda row: row.field),
    ("store", lambda row: row.store),
    ("state", lambda row: row.state),
    ("expires", lambda row: row.expires_at),
    ("set at", lambda row: row.set_at),
    ("last used", lambda row: row.last_used_at),
    ("by", lambda row: row.last_used_by),
)
LIST_COLUMNS: Final[tuple[Column, ...]] = (
    ("set", lambda row: row.set),
    ("store", lambda row: row.store),
    ("fields", lambda row: ", ".join(row.fields)),
    ("used", lambda row: row.used),
)


@attrs.frozen(kw_only=True)
class ListedSet:
    """A set of credentials, without its values; the keys of its JSON."""

    set: str
    """Its name."""
    store: str
    """Where it is kept."""
    fields: tuple[str, ...]
    """What it has."""
    used: bool
    """False: a store that comes before has a set of that name, too."""


@attrs.frozen(kw_only=True)
class ChangedSet:
    """What a command has changed; the keys of its JSON."""

    set: str
    """The set."""
    store: str
    """Where."""
    fields: tuple[str, ...]
    """Which fields."""


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.add_typer(group, name="credentials")
    app.command("set-creds")(set_fields)


@group.command("set")
def set_fields(
    name: Name,
    fields: Fields = None,
    from_file: FromFile = None,
    store: Store = None,
    expires_at: ExpiresAt = None,
    as_json: given.Json = False,
) -> None:
    """Keep credentials, which are asked for.

    Each value is typed unseen or, where nobody types, is a line of standard input. Fields that the
    set has besides stay as they are. A value is never written on the command line: it would be in
    the history of the shell.
    """
    with reporting(as_json) as output:
        read = _read_files(from_file or [])
        named = [field_name(field) for field in fields or ()]
        until = moment_of("--expires-at", expires_at)
        vault = vault_of()
        # Nobody is to type secrets for a store that there is not.
        vault.writable(store)
        wanted = named or ([] if read else _fields_for(name))
        secrets = {**secrets_for(wanted), **read}
        kept_in = vault.set_fields(name, secrets, store=store, expires_at=until)
        changed = ChangedSet(set=set_name(name), store=kept_in, fields=tuple(sorted(secrets)))
        output.show(
            changed,
            lambda: output.line(
                f"kept {', '.join(changed.fields)} of {changed.set} in the {changed.store}"
            ),
        )
        warn(list_warnings(vault))


@group.command("list")
def list_sets(as_json: given.Json = False) -> None:
    """List the sets and where they are kept.

    Values are never shown.
    """
    with reporting(as_json) as output:
        rows = [_listed(kept) for kept in vault_of().list_sets()]
        output.show(rows, lambda: output.table("credentials", LIST_COLUMNS, rows))


@group.command("status")
def status(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Of one set. Default: of all.")
    ] = None,
    as_json: given.Json = False,
) -> None:
    """Show what has expired, or is about to.

    And when each value was last used and by whom, and who else can read or change what is kept.
    """
    with reporting(as_json) as output:
        vault = vault_of()
        wanted = None if name is None else set_name(name)
        rows = [row for row in field_statuses(vault, utc_now()) if wanted in (None, row.set)]
        output.show(rows, lambda: output.table("credentials", STATUS_COLUMNS, rows))
        warn([*_endings(rows), *list_warnings(vault)])


@group.command("delete")
def delete(name: Name, store: Store = None, as_json: given.Json = False) -> None:
    """Forget a set.

    In every store that can be written, unless one is named.
    """
    with reporting(as_json) as output:
        wanted = set_name(name)
        had = [
            ChangedSet(set=wanted, store=one, fields=()) for one in vault_of().delete(name, store)
        ]
        stores = ", ".join(one.store for one in had)
        output.show(had, lambda: output.line(f"deleted {wanted} from {stores}"))


@group.command("clear-expired")
def clear_expired(as_json: given.Json = False) -> None:
    """Forget the values that have expired.

    The other fields of their sets stay.
    """
    with reporting(as_json) as output:
        cleared = [
            ChangedSet(set=one.partition("/")[2], store=one.partition("/")[0], fields=tuple(fields))
            for one, fields in vault_of().clear_expired().items()
        ]

        def show() -> None:
            for one in cleared:
                output.line(f"cleared {', '.join(one.fields)} of {one.set} in the {one.store}")
            if not cleared:
                output.line("nothing has expired")

        output.show(cleared, show)


def _listed(kept: KeptSet) -> ListedSet:
    return ListedSet(
        set=kept.kept.name,
        store=kept.store,
        fields=tuple(sorted(kept.kept.fields)),
        used=kept.shadowed_by is None,
    )


def _endings(rows: list[FieldStatus]) -> list[str]:
    said = {State.EXPIRED: "has expired", State.EXPIRES_SOON: "expires within a day"}
    return [f"{row.field} of {row.set} {said[row.state]}" for row in rows if row.state in said]


def _read_files(texts: list[str]) -> dict[str, Secret]:
    """Return what FIELD=FILE options name."""
    secrets = {}
    for field, path in pairs_of("--from", texts).items():
        try:
            text = Path(path).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            # What could not be decoded is left out: it may be a secret.
            raise InvalidRequestError(f"--from {field}={path} cannot be read: {reason}") from None
        secrets[field_name(field)] = Secret(text.strip())
    return secrets


def _fields_for(name: str) -> list[str]:
    """Return what the broker of a name needs; a person may say where that is not known."""
    desk = load_settings_if_any(os.environ)
    kinds = {} if desk is None else {set_name(n): entry.type for n, entry in desk.brokers.items()}
    known = secrets_of(kinds.get(set_name(name), name.strip().lower()))
    if known:
        return list(known)
    if is_anybody_there():
        typed = ask("which fields, with spaces between them (such as api_key api_secret)")
        return [field_name(field) for field in typed.split()]
    accepted = "the names of the fields: what this broker needs is not known here"
    raise InvalidFieldError("FIELD", None, accepted)
