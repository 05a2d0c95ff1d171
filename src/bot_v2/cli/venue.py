"""The command that opens a simulated broker on this machine, for any client of that broker."""

from __future__ import annotations

import shlex
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.output import Output
from bot_v2.cli.reporting import report_usage, reporting
from bot_v2.venues.catalogue import VENUES, open_venue

if TYPE_CHECKING:
    from bot_v2.venues.catalogue import OpenVenue

SEED: Final = 7
WAKE_S: Final = 0.5
"""How often the wait for Ctrl-C wakes up; where a wait without end cannot be interrupted."""

_NAMES: Final = ", ".join(f"{one.name} ({one.what})" for one in VENUES.values())


@attrs.frozen(kw_only=True)
class VenueAddresses:
    """Where a venue listens; the keys of its JSON."""

    venue: str
    """Its name."""
    url: str
    """Where its API is."""
    stream_url: str | None
    """Where its streams are. None: it has none."""
    secure_url: str | None
    """The same with TLS. None: it was not asked for."""
    certificate_file: str | None
    """What a client has to trust for that. None: it was not asked for."""
    controls_url: str
    """Where faults, market, fills, clock and log are."""
    market: str
    """What moves its market."""
    environment: dict[str, str]
    """What to export for a bot to reach it; its keys open this venue alone."""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("venue")(venue)


def venue(
    name: Annotated[str, typer.Argument(metavar="VENUE", help=f"One of {_NAMES}.")],
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="Where its API is. Default: a free port.")
    ] = 0,
    controls_port: Annotated[
        int,
        typer.Option(
            "--controls-port", metavar="PORT", help="Where its controls are. Default: a free port."
        ),
    ] = 0,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls", help="Speak TLS, too, on a port of its own, with a throw-away certificate."
        ),
    ] = False,
    still: Annotated[
        bool, typer.Option("--still", help="Leave the market where the controls put it.")
    ] = False,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="NUMBER", help=f"Of keys, ids and market. Default: {SEED}."),
    ] = SEED,
    as_json: given.Json = False,
) -> None:
    """Open a simulated broker on 127.0.0.1 until Ctrl-C, and print what to export to reach it."""
    if name not in VENUES:
        message = f"there is no venue {name!r}: one of {', '.join(VENUES)}"
        raise typer.Exit(report_usage(message, "bot-v2 venue --help", as_json))
    with reporting(as_json) as output, tempfile.TemporaryDirectory() as folder:
        opened = open_venue(name, seed)
        try:
            try:
                certificate = _start(opened, port, controls_port, Path(folder) if tls else None)
            except OSError as error:
                raise typer.Exit(_report_port(error, as_json)) from error
            market = "rests" if still else opened.venue.move_market()
            _show(output, _addresses(name, opened, certificate, market))
            wait_for_interrupt()
        finally:
            opened.venue.close()


def _start(opened: OpenVenue, port: int, controls_port: int, folder: Path | None) -> str | None:
    """Listen; return the certificate's file where TLS is spoken, too."""
    if folder is None:
        opened.venue.start(port, controls_port)
        return None
    # Imported here: only TLS needs it.
    from bot_v2.venues.certificates import throwaway_tls

    made = throwaway_tls(folder)
    opened.venue.start(port, controls_port, made.context)
    return str(made.certificate_file)


def _report_port(error: OSError, as_json: bool) -> ExitCode:
    return report_usage(f"it cannot listen: {error.strerror or error}", None, as_json)


def _addresses(
    name: str, opened: OpenVenue, certificate: str | None, market: str
) -> VenueAddresses:
    venue = opened.venue
    return VenueAddresses(
        venue=name,
        url=venue.url,
        stream_url=venue.stream_url if venue.routes() else None,
        secure_url=None if certificate is None else f"https://{venue.secure_authority}",
        certificate_file=certificate,
        controls_url=venue.admin_url,
        market=market,
        environment=dict(opened.environment()),
    )


def _show(output: Output, addresses: VenueAddresses) -> None:
    def show() -> None:
        facts: list[tuple[str, object]] = [
            ("api", addresses.url),
            ("streams", addresses.stream_url),
            ("with TLS", addresses.secure_url),
            ("trust", addresses.certificate_file),
            ("controls", addresses.controls_url),
            ("market", addresses.market),
        ]
        output.facts(f"{addresses.venue} on this machine, until Ctrl-C", facts)
        output.line()
        for name, value in addresses.environment.items():
            output.line(f"export {name}={shlex.quote(value)}")

    output.show(addresses, show)


def wait_for_interrupt() -> None:
    """Wait for Ctrl-C."""
    forever = threading.Event()
    while not forever.wait(WAKE_S):
        continue
