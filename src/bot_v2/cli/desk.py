"""The commands that write `brokers.json` and say what is in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.broker_terms import secrets_of
from bot_v2.cli.desk_samples import SAMPLE_NAME, sample_text, settings_text
from bot_v2.cli.output import Column, as_text
from bot_v2.cli.prompts import ask, is_anybody_there, secrets_for
from bot_v2.cli.reporting import reporting
from bot_v2.cli.values import pairs_of
from bot_v2.cli.vaults import vault_of, warn
from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.broker_factory import available_brokerages
from bot_v2.orchestration.configuration.files import (
    add_entry,
    list_warnings,
    load_settings,
    write_new,
)
from bot_v2.orchestration.configuration.model import DeskSettings
from bot_v2.orchestration.configuration.named_brokerage import credentials_name
from bot_v2.orchestration.configuration.names import is_secret_name
from bot_v2.orchestration.configuration.overrides import choose
from bot_v2.orchestration.configuration.places import settings_file

COLUMNS: Final[tuple[Column, ...]] = (
    ("broker", lambda row: row.name),
    ("type", lambda row: row.type),
    ("default", lambda row: row.default or None),
    ("trades", lambda row: "on paper" if row.paper_trading else "with REAL MONEY"),
    ("said by", lambda row: row.paper_said_by),
    ("credentials", lambda row: row.credentials),
    ("risk", lambda row: _pairs(row.risk)),
    ("settings", lambda row: _pairs(row.settings)),
)


@attrs.frozen(kw_only=True)
class ListedBroker:
    """A broker of the desk, as it counts; the keys of its JSON."""

    name: str
    """Its name."""
    type: str
    """Which brokerage."""
    default: bool
    """True: it is meant where none is named."""
    paper_trading: bool
    """False: real money."""
    paper_said_by: str
    """The file or the variable that says so."""
    credentials: str | None
    """The set that is looked for. None: it needs none."""
    risk: dict[str, str]
    """What it may risk, where that is limited."""
    settings: dict[str, str]
    """Its own settings; a secret is not shown."""


@attrs.frozen(kw_only=True)
class Written:
    """What was written; the keys of its JSON."""

    files: tuple[str, ...]
    """The files."""


@attrs.frozen(kw_only=True)
class Added:
    """A broker that was added; the keys of its JSON."""

    name: str
    """Its name."""
    file: str
    """The settings that it is in."""
    credentials: tuple[str, ...]
    """The credentials that were kept for it, by their fields."""


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("init")(init)
    app.command("list-brokers")(list_brokers)
    app.command("add")(add)


def init(
    force: Annotated[bool, typer.Option("--force", help="Replace what is there already.")] = False,
    as_json: given.Json = False,
) -> None:
    """Write brokers.json and a .env.sample.

    They go to the folder for settings, or where BOT_V2_CONFIG says; a paper account is in them.
    """
    with reporting(as_json) as output:
        file = settings_file(os.environ)
        sample = file.with_name(SAMPLE_NAME)
        if not force and (there := [str(one) for one in (file, sample) if one.exists()]):
            raise InvalidRequestError(
                f"{' and '.join(there)} is there already: it is replaced with --force only"
            )
        write_new(file, settings_text(), force=force)
        write_new(sample, sample_text(), force=force)
        written = Written(files=(str(file), str(sample)))

        def show() -> None:
            for one in written.files:
                output.line(f"wrote {one}")
            output.line("next: bot-v2 add, for a broker; bot-v2 list-brokers")

        output.show(written, show)


def list_brokers(as_json: given.Json = False) -> None:
    """List the brokers of brokers.json.

    As they count, after what the environment says.
    """
    with reporting(as_json) as output:
        desk = load_settings(os.environ)
        rows = [_listed(desk, name) for name in desk.brokers]
        output.show(rows, lambda: output.table("brokers", COLUMNS, rows))
        warn([*_plain_secrets(desk), *list_warnings(os.environ)])


def add(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="What to call it. Default: it is asked.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", metavar="TYPE", help="Which brokerage; see list-types."),
    ] = None,
    live: Annotated[
        bool | None,
        typer.Option("--live/--paper", help="Real money, or on paper. Default: on paper."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of the brokerage's own; repeatable."
        ),
    ] = None,
    default: Annotated[bool, typer.Option("--default", help="Make it the default.")] = False,
    as_json: given.Json = False,
) -> None:
    """Add a broker to brokers.json.

    Asks for what is not given, and keeps the broker's credentials.
    """
    with reporting(as_json) as output:
        types = available_brokerages()
        chosen_kind = (kind or _asked("--type", f"type ({', '.join(types)})")).strip().lower()
        if chosen_kind not in types:
            raise InvalidFieldError("--type", chosen_kind, ", ".join(types))
        chosen_name = name or _asked("NAME", "name", chosen_kind)
        entry = {
            "type": chosen_kind,
            "paper_trading": not (_asked_live(chosen_kind) if live is None else live),
            **_own_settings(settings or []),
        }
        secrets = _asked_secrets(chosen_kind)
        if secrets_of(chosen_kind) == ():
            entry["credentials"] = None
        file = settings_file(os.environ)
        add_entry(file, chosen_name, entry, default=default)
        if secrets:
            vault_of().set_fields(chosen_name, secrets)
        added = Added(name=chosen_name, file=str(file), credentials=tuple(sorted(secrets)))

        def show() -> None:
            output.line(f"added {added.name} to {added.file}")
            if added.credentials:
                output.line(f"kept its {', '.join(added.credentials)}")
            elif secrets_of(chosen_kind) != ():
                output.line(f"next: bot-v2 credentials set {added.name}")

        output.show(added, show)


def _listed(desk: DeskSettings, name: str) -> ListedBroker:
    chosen = choose(desk, name, os.environ)
    entry = chosen.entry
    risk = {k: _plain(v) for k, v in attrs.asdict(entry.risk).items() if v is not None}
    return ListedBroker(
        name=name,
        type=entry.type,
        default=_default_of(desk) == name,
        paper_trading=entry.paper_trading,
        paper_said_by=chosen.paper_said_by,
        credentials=credentials_name(name, entry),
        risk=risk,
        settings={key: _plain(value) for key, value in entry.settings.items()},
    )


def _default_of(desk: DeskSettings) -> str | None:
    try:
        return choose(desk, None, os.environ).name
    except InvalidFieldError:
        return None


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(value)
    return "***" if isinstance(value, Secret) else as_text(value)


def _pairs(pairs: Mapping[str, str]) -> str | None:
    return ", ".join(f"{name} {value}" for name, value in pairs.items()) or None


def _plain_secrets(desk: DeskSettings) -> list[str]:
    return [
        f"brokers.{name}.{key} is in a plain file: bot-v2 credentials set {name} {key}, "
        "and take it out"
        for name, entry in desk.brokers.items()
        for key, value in entry.settings.items()
        if isinstance(value, Secret)
    ]


def _asked(option: str, question: str, default: str | None = None) -> str:
    if is_anybody_there():
        return ask(question, default)
    if default is not None:
        return default
    raise InvalidFieldError(option, None, "a value, as there is nobody to ask")


def _asked_live(kind: str) -> bool:
    if secrets_of(kind) == () and kind in ("paper", "simulation"):
        return False
    return is_anybody_there() and typer.confirm("with real money?", default=False, err=True)


def _asked_secrets(kind: str) -> dict[str, Secret]:
    needed = secrets_of(kind)
    if not needed or not is_anybody_there():
        return {}
    typer.echo("credentials (nothing typed: keep none now)", err=True)
    return secrets_for(needed, optional=True)


def _own_settings(texts: list[str]) -> dict[str, Any]:
    """Return KEY=VALUE options as JSON has them."""
    settings = {}
    for key, text in pairs_of("--set", texts).items():
        if is_secret_name(key):
            accepted = "bot-v2 credentials set: a secret is not written on a command line"
            raise InvalidFieldError("--set", f"{key}=***", accepted)
        settings[key] = _value(text)
    return settings


def _value(text: str) -> str | bool | Decimal:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return decimal_from_text(text)
    except InvalidFieldError:
        return text
