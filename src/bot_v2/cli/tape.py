"""The commands that record what passes between a client and a TWS or Gateway, and play it again."""

from __future__ import annotations

import shlex
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.output import Output
from bot_v2.cli.reporting import report_usage, reporting
from bot_v2.cli.venue import wait_for_interrupt
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.venues.catalogue import needing_venues

AGAINST: Final = ("simulator", "sandbox", "live")
"""What can have answered; a paper login is a sandbox."""

group = typer.Typer(no_args_is_help=True, help="Record a socket, or play what was recorded.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The tape.")]
Port = Annotated[
    int, typer.Option("--port", metavar="PORT", help="Where to listen. Default: a free port.")
]


@attrs.frozen(kw_only=True)
class TapeAddress:
    """Where a tape is recorded or played; the keys of its JSON."""

    file: str
    """The tape."""
    address: str
    """Where a client is to be pointed at: host and port."""
    environment: dict[str, str]
    """What to export for a bot to get there."""


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.add_typer(group, name="tape")


@group.command("record")
def record(
    file: File,
    gateway: Annotated[
        str,
        typer.Option("--gateway", metavar="HOST:PORT", help="Where the TWS or Gateway listens."),
    ] = "127.0.0.1:7497",
    port: Port = 0,
    against: Annotated[
        str,
        typer.Option("--against", metavar="WHAT", help=f"What answers: {', '.join(AGAINST)}."),
    ] = "sandbox",
    note: Annotated[
        str | None, typer.Option("--note", metavar="TEXT", help="What it shows.")
    ] = None,
    as_json: given.Json = False,
) -> None:
    """Stand in front of a TWS or Gateway until Ctrl-C, then write down what passed."""
    with reporting(as_json) as output, needing_venues():
        # Imported here: what a tape needs comes with an extra.
        from bot_v2.venues.tws.tapes.proxy import TapeProxy

        if against not in AGAINST:
            raise InvalidFieldError("--against", against, ", ".join(AGAINST))
        host, _, number = gateway.rpartition(":")
        if not host or not number.isdigit():
            raise InvalidFieldError("--gateway", gateway, "HOST:PORT")
        proxy = TapeProxy(host, int(number))
        try:
            proxy.start(port)
            with suppress(KeyboardInterrupt):
                _show(output, file, proxy.port)
                wait_for_interrupt()
        except OSError as error:
            raise typer.Exit(_failed(f"it cannot listen: {error}", as_json)) from error
        finally:
            proxy.close()
        moment = datetime.now(UTC).replace(microsecond=0).isoformat()
        proxy.tape(against, moment, f"bot-v2 {version('bot-v2')}", note or "").write(file)


@group.command("play")
def play(file: File, port: Port = 0, as_json: given.Json = False) -> None:
    """Answer a client as on a tape until Ctrl-C, then say what was not played."""
    with reporting(as_json) as output, needing_venues():
        from bot_v2.venues.tws.tapes.player import TapePlayer
        from bot_v2.venues.tws.tapes.tape import TapeError

        try:
            player = TapePlayer(file)
            try:
                player.start(port)
                with suppress(KeyboardInterrupt):
                    _show(output, file, player.port)
                    wait_for_interrupt()
            finally:
                player.close()
            player.check()
        except (TapeError, OSError) as error:
            raise typer.Exit(_failed(str(error), as_json)) from error


def _failed(message: str, as_json: bool) -> int:
    return report_usage(message, None, as_json)


def _show(output: Output, file: Path, port: int) -> None:
    shown = TapeAddress(
        file=str(file),
        address=f"127.0.0.1:{port}",
        environment={"IBKR_HOST": "127.0.0.1", "IBKR_PORT": str(port)},
    )

    def show() -> None:
        output.facts(f"{shown.file}, until Ctrl-C", [("address", shown.address)])
        output.line()
        for name, value in shown.environment.items():
            output.line(f"export {name}={shlex.quote(value)}")

    output.show(shown, show)
