"""The command that shows the desk at a glance, each number with its age."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.desk_session import (
    ABSENT,
    Absent,
    Brokers,
    ConnectedDesk,
    DeskJournal,
    absent_of,
    connected_desk,
    desk_journal_url,
    journal_file,
)
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.output import Output, as_text, waiting
from bot_v2.cli.reporting import reporting
from bot_v2.features.brokerages.core.declarations import Environment, environment_of
from bot_v2.orchestration.risk.kill_switch import KillSwitch, KillSwitchState, kill_switch_file
from bot_v2.simulation.clock import utc_now

if TYPE_CHECKING:
    from rich.table import Table

    from bot_v2.orchestration.journal.records import IntentState

STYLES: Final = {"healthy": "green", "degraded": "yellow", "down": "bold red"}
"""How the states of brokers look."""


@attrs.frozen(kw_only=True)
class Money:
    """An amount of one currency; the keys of its JSON."""

    currency: str
    amount: Decimal | None
    """None: the broker does not say."""
    as_of: datetime
    """As of when."""


@attrs.frozen(kw_only=True)
class BrokerStatus:
    """One broker at a glance; the keys of its JSON."""

    name: str
    """Its name."""
    environment: Environment | None
    """Where its orders go. None: it could not be made."""
    state: str
    """healthy, degraded (connected, and it does not answer) or down."""
    latency_s: float | None
    """How long it took to answer. None: it did not."""
    checked_at: datetime | None
    """When it was asked."""
    equity: tuple[Money, ...]
    """What the account is worth. Empty: missing."""
    open_orders: int | None
    """Orders that have not ended. None: missing."""
    orders_as_of: datetime | None
    """When they were asked for."""
    unsettled: int | None
    """Intents of the journal of which nobody knows whether they took effect. None: no journal."""
    quarantined: int | None
    """Those of them that a person is asked about."""


@attrs.frozen(kw_only=True)
class DeskStatus:
    """The desk at a glance; the keys of its JSON."""

    as_of: datetime
    """When it was asked."""
    kill_switch: KillSwitchState
    """Whether new risk is stopped."""
    journal: str | None
    """The journal that was read. None: there is none, or another process holds it."""
    journal_error: str | None
    """Why it was not."""
    brokers: tuple[BrokerStatus, ...]
    """Each broker."""
    missing: tuple[Absent, ...]
    """What is not in it: that is not zero."""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("status")(status)


def status(
    brokers: Brokers = None, journal: DeskJournal = None, as_json: given.Json = False
) -> None:
    """Show the desk: health, equity, orders, what is not settled, and how old each number is."""
    with reporting(as_json) as output, connected_desk(brokers, is_silent=as_json) as desk:
        with waiting("asking", is_silent=as_json):
            found = read_status(desk, journal)
        output.show(found, lambda: _show(output, found))
    if not all(one.state == "healthy" for one in found.brokers):
        raise typer.Exit(ExitCode.UNAVAILABLE)


def read_status(desk: ConnectedDesk, journal: str | None) -> DeskStatus:
    """Ask the brokers of a desk, and the journal."""
    manager = desk.manager
    health = manager.read_health()
    equity = manager.read_equity()
    orders = manager.read_open_orders()
    url = desk_journal_url(journal, os.environ)
    unsettled, error = _read_unsettled(url)
    checked = {one.broker: one for one in health.readings}
    amounts = {one.broker: one.amounts for one in equity.accounts}
    live = Counter(one.broker for one in orders.orders)
    silent = {one.broker for one in orders.missing}
    rows: list[BrokerStatus] = []
    for name in [*manager.names, *(one.broker for one in desk.absent)]:
        if any(row.name == name for row in rows):
            continue
        is_made = name in manager.names
        report = checked.get(name)
        own = [state for state in unsettled or () if state.intent.broker == name]
        answers = is_made and name not in silent
        rows.append(
            BrokerStatus(
                name=name,
                environment=environment_of(manager.broker(name)) if is_made else None,
                state="down" if report is None else _state(report.value),
                latency_s=None if report is None else report.value.latency_s,
                checked_at=None if report is None else report.as_of,
                equity=tuple(
                    Money(currency=one.currency, amount=one.amount, as_of=one.as_of)
                    for one in amounts.get(name, ())
                ),
                open_orders=live[name] if answers else None,
                orders_as_of=orders.as_of if answers else None,
                unsettled=None if unsettled is None else len(own),
                quarantined=None
                if unsettled is None
                else sum(state.phase.value == "quarantined" for state in own),
            )
        )
    return DeskStatus(
        as_of=utc_now(),
        kill_switch=KillSwitch(kill_switch_file()).read(),
        journal=None if unsettled is None else str(journal_file(url) or "PostgreSQL"),
        journal_error=error,
        brokers=tuple(rows),
        missing=(*desk.absent, *absent_of((*health.missing, *equity.missing, *orders.missing))),
    )


def _state(health: Any) -> str:
    if not health.connected:
        return "down"
    return "healthy" if health.api_responsive else "degraded"


def _read_unsettled(url: str) -> tuple[list[IntentState] | None, str | None]:
    """Return what is not settled in the journal, or why it is not read; None: there is none."""
    file = journal_file(url)
    if file is not None and not file.exists():
        return None, None
    from bot_v2.orchestration.desk.unsettled import list_unsettled
    from bot_v2.orchestration.journal.records import OrderJournalError
    from bot_v2.orchestration.journal.sql_journal import SqlJournal

    try:
        with closing(SqlJournal(url)) as journal:
            return list_unsettled(journal), None
    except OrderJournalError as error:
        return None, error.message


def age(moment: datetime | None, now: datetime) -> str:
    """Return how old something is, as a person says it."""
    if moment is None:
        return "-"
    seconds = max((now - moment.astimezone(UTC)).total_seconds(), 0.0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{seconds:.1f} s"


def _show(output: Output, found: DeskStatus) -> None:
    output.render(_table(found))
    switch = found.kill_switch
    output.line()
    output.line(f"kill switch  {f'ON: {switch.note}' if switch.on else 'off'}")
    if found.journal_error is not None:
        output.line(f"journal      not read: {found.journal_error}")
    else:
        output.line(f"journal      {found.journal or 'none yet'}")
    if found.missing:
        output.line()
        output.table("missing, which is not zero", ABSENT, found.missing)


def _table(found: DeskStatus) -> Table:
    from rich.box import ROUNDED
    from rich.table import Table
    from rich.text import Text

    now = found.as_of
    table = Table(title=f"desk, {as_text(now)}", title_justify="left", box=ROUNDED)
    for heading, justify in _HEADINGS:
        table.add_column(heading, justify=justify, overflow="fold")
    for one in found.brokers:
        alarms = one.unsettled or 0
        table.add_row(
            Text(one.name, style="bold"),
            _where(one),
            Text(one.state, style=STYLES[one.state]),
            "-" if one.latency_s is None else f"{one.latency_s * 1000:.1f} ms",
            age(one.checked_at, now),
            "\n".join(f"{as_text(each.amount)} {each.currency}" for each in one.equity)
            or "missing",
            age(min((each.as_of for each in one.equity), default=None), now),
            "missing" if one.open_orders is None else str(one.open_orders),
            age(one.orders_as_of, now),
            Text(_questions(one), style="bold red" if alarms else ""),
        )
    return table


_HEADINGS: Final[Sequence[tuple[str, Any]]] = (
    ("broker", "left"),
    ("trades", "left"),
    ("state", "left"),
    ("answered in", "right"),
    ("age", "right"),
    ("equity", "right"),
    ("age", "right"),
    ("open orders", "right"),
    ("age", "right"),
    ("not settled", "right"),
)


def _where(one: BrokerStatus) -> str:
    if one.environment is None:
        return "-"
    return "REAL MONEY" if one.environment is Environment.LIVE else one.environment.value


def _questions(one: BrokerStatus) -> str:
    if one.unsettled is None:
        return "-"
    return f"{one.unsettled} ({one.quarantined} quarantined)" if one.unsettled else "0"
