"""The command that checks brokerages, once or until told to stop."""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from bot_v2.cli import options as given
from bot_v2.cli.desk_status import STYLES, age
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.output import Column, Output
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, make
from bot_v2.cli.values import seconds_of
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidFieldError
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.simulation.clock import utc_now

if TYPE_CHECKING:
    from rich.table import Table

    from bot_v2.features.brokerages.core.brokerage import IBrokerage
    from bot_v2.orchestration.health_monitor import HealthEvent, HealthReport

Show: TypeAlias = "Callable[[HealthEvent], None]"
"""Shows an event."""

POLL_S: Final = 0.2
"""How long to wait for an event at a stretch, in seconds: between two, Ctrl-C is noticed."""


def _milliseconds(report: HealthReport) -> str | None:
    return None if report.latency_s is None else f"{report.latency_s * 1000:.1f} ms"


COLUMNS: Final[tuple[Column, ...]] = (
    ("brokerage", lambda report: report.name),
    ("state", lambda report: report.state),
    ("answered in", _milliseconds),
    ("error", lambda report: report.health and report.health.error_message),
)


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("health")(health)


def health(
    broker: Annotated[
        list[str] | None,
        typer.Option(
            "--broker",
            "-b",
            metavar="NAME",
            help="Which brokerage; repeatable. Default: the one that the environment names.",
        ),
    ] = None,
    account: given.Account = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Go on checking: a table that lives at a terminal, else a line per event; with "
            "--json, a document per event.",
        ),
    ] = False,
    interval: Annotated[
        str, typer.Option("--interval", metavar="SECONDS", help="With --watch: how often.")
    ] = "30",
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="SECONDS", help="How long a check may take.")
    ] = "10",
    count: Annotated[
        str | None,
        typer.Option("--count", metavar="N", help="With --watch: end after N checks of each."),
    ] = None,
    as_json: given.Json = False,
) -> None:
    """Check brokerages; exit code 3 when one is not healthy."""
    with reporting(as_json) as output:
        interval_s, timeout_s = seconds_of("--interval", interval), seconds_of("--timeout", timeout)
        rounds = 1 if not watch else _whole("--count", count)
        names: list[str] | list[None] = broker or [None]
        brokers = [(name or "", make(Target(broker=name, account=account))) for name in names]
        with _showing(output, watch, [name or name_of(one) for name, one in brokers]) as show:
            reports = _check(brokers, interval_s, timeout_s, rounds, show)
        if not watch:
            output.show(reports, lambda: output.table("health", COLUMNS, reports))
    if not all(report.state == "healthy" for report in reports):
        raise typer.Exit(ExitCode.UNAVAILABLE)


@contextmanager
def _showing(output: Output, watch: bool, names: Sequence[str]) -> Iterator[Show]:
    """Give what shows events: nothing without --watch, a table that lives at a terminal, or lines.

    Args:
        output: where.
        watch: whether events are shown.
        names: the brokerages.
    """
    if not watch:
        yield lambda _: None
        return
    if output.as_json or not sys.stdout.isatty():
        yield lambda event: _show_event(output, event)
        return
    from rich.live import Live

    board = HealthBoard(names)
    with Live(board.table(utc_now()), console=output.console(), auto_refresh=False) as live:

        def show(event: HealthEvent) -> None:
            board.take(event)
            live.update(board.table(utc_now()), refresh=True)

        yield show


class HealthBoard:
    """What is known of each brokerage, as a table that is drawn anew with each event.

    Args:
        names: the brokerages.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Know nothing yet."""
        self._reports: dict[str, HealthReport | None] = dict.fromkeys(names)
        self._news: dict[str, str] = {}

    def take(self, event: HealthEvent) -> None:
        """Take up what happened."""
        from bot_v2.orchestration.health_monitor import HealthChange, HealthChecked

        if isinstance(event, HealthChecked):
            self._reports[event.report.name] = event.report
        elif isinstance(event, HealthChange):
            self._news[event.name] = f"{event.old.value} -> {event.new.value}"
        else:
            result = "connected" if event.connected else f"failed: {event.error_message}"
            self._news[event.name] = f"attempt {event.attempt} to reconnect {result}"

    def table(self, now: datetime) -> Table:
        """Return the table."""
        from rich.box import ROUNDED
        from rich.table import Table
        from rich.text import Text

        table = Table(title=f"health, {now:%H:%M:%S}Z", title_justify="left", box=ROUNDED)
        for heading in ("brokerage", "state", "for", "answered in", "checks", "news", "error"):
            table.add_column(heading, overflow="fold")
        for name, report in self._reports.items():
            if report is None:
                table.add_row(name, Text("waiting", style="dim"))
                continue
            table.add_row(
                Text(name, style="bold"),
                Text(report.state.value, style=STYLES.get(report.state.value, "")),
                age(report.since, now),
                _milliseconds(report) or "-",
                str(report.checks),
                self._news.get(name, ""),
                Text((report.health and report.health.error_message) or ""),
            )
        return table


def _whole(option: str, text: str | None) -> int | None:
    if text is not None and not (text.isascii() and text.isdigit() and int(text)):
        raise InvalidFieldError(option, text, "a whole number above zero")
    return None if text is None else int(text)


class _ConnectsFirst:
    """A brokerage whose first check connects it, so that a slow or hanging one delays no other."""

    def __init__(self, broker: IBrokerage) -> None:
        self._broker = broker
        self._is_tried = False
        self.connect = broker.connect

    def check_health(self) -> BrokerHealth:
        """Connect if this is the first check; then ask for a sign of life."""
        if not self._is_tried:
            self._is_tried = True
            # Imported here: it is the command that needs it, not the command line.
            from bot_v2.orchestration.health_states import message_of

            try:
                self._broker.connect()
            except BrokerageError as error:
                return BrokerHealth(
                    connected=False,
                    api_responsive=False,
                    last_check_timestamp=utc_now().timestamp(),
                    error_message=message_of(error),
                )
        return self._broker.check_health()


def _check(
    brokers: Sequence[tuple[str, IBrokerage]],
    interval_s: float,
    timeout_s: float,
    rounds: int | None,
    show: Show,
) -> list[HealthReport]:
    """Check each brokerage some rounds, or until Ctrl-C; return the last report of each."""
    # Imported here: it is the command that needs it, not the command line.
    from bot_v2.orchestration.health_monitor import (
        HealthChecked,
        HealthMonitor,
        ReconnectPolicy,
        Watch,
    )

    watches = [
        Watch(
            _ConnectsFirst(broker),
            interval_s=interval_s,
            timeout_s=timeout_s,
            reconnect=ReconnectPolicy(),
            name=name or name_of(broker),
        )
        for name, broker in brokers
    ]
    last: dict[str, HealthReport | None] = {watch.name: None for watch in watches}
    events: queue.SimpleQueue[HealthEvent] = queue.SimpleQueue()
    try:
        with HealthMonitor(watches, on_event=events.put):
            while any(_lacks(report, rounds) for report in last.values()):
                try:
                    event = events.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                show(event)
                if isinstance(event, HealthChecked):
                    last[event.report.name] = event.report
    finally:
        _disconnect(brokers, last)
    return [report for report in last.values() if report is not None]


def _lacks(report: HealthReport | None, rounds: int | None) -> bool:
    return report is None or rounds is None or report.checks < rounds


def _disconnect(
    brokers: Sequence[tuple[str, IBrokerage]], last: dict[str, HealthReport | None]
) -> None:
    for (_, broker), report in zip(brokers, last.values(), strict=True):
        # One that hangs would hang here, too: it is left to the end of the process.
        if report is not None and report.state == "healthy":
            try:
                broker.disconnect()
            except BrokerageError:
                continue


def _show_event(output: Output, event: HealthEvent) -> None:
    from bot_v2.orchestration.health_monitor import HealthChange, HealthChecked

    kind = type(event).__name__
    if output.as_json:
        # Imported here: events are shown to people without it.
        from bot_v2.orchestration.model_json import to_plain

        output.write_json({"event": kind, **to_plain(event)})
        return
    moment = f"{event.timestamp:%H:%M:%S}Z"
    if isinstance(event, HealthChecked):
        report = event.report
        error = report.health.error_message if report.health else None
        facts = [report.name, report.state.value, _milliseconds(report), error]
    elif isinstance(event, HealthChange):
        facts = [event.name, f"{event.old.value} -> {event.new.value}"]
    else:
        result = "connected" if event.connected else f"failed: {event.error_message}"
        facts = [event.name, f"attempt {event.attempt} to reconnect", result]
    output.line("  ".join([moment, *(fact for fact in facts if fact)]))
