"""The commands that look after the order journal: check, export, prune, show; all offline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.journal_session import open_journal
from bot_v2.cli.output import Column, Output
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, confirm_record
from bot_v2.cli.values import moment_of
from bot_v2.cli.views import FILLS
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fills import Fill

if TYPE_CHECKING:
    from bot_v2.orchestration.journal.sql_journal import SqlJournal
    from bot_v2.orchestration.journal.upkeep import IntentHistory

group = typer.Typer(no_args_is_help=True, help="Look after the order journal.")

STATES: Final[tuple[Column, ...]] = (
    ("id", lambda state: state.intent.ident),
    ("what", lambda state: state.intent.kind),
    ("broker", lambda state: state.intent.broker),
    ("account", lambda state: state.intent.account_id),
    ("journalled", lambda state: state.intent.created_at),
    ("symbol", lambda state: state.intent.symbol),
    ("is", lambda state: state.phase),
    ("order", lambda state: state.order_id),
    ("note", lambda state: state.note or None),
)

ENTRIES: Final[tuple[Column, ...]] = (
    ("at", lambda entry: entry.at),
    ("is", lambda entry: entry.phase),
    ("sent", lambda entry: "again" if entry.attempt else None),
    ("order", lambda entry: entry.order_id),
    ("status", lambda entry: entry.order and entry.order.status),
    ("filled", lambda entry: entry.order and entry.order.filled_quantity),
    ("note", lambda entry: entry.note or None),
    ("error", lambda entry: entry.error),
)


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.add_typer(group, name="journal")


@group.command("check")
def check(
    journal: given.Journal = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Read the whole journal, and say what is damaged in it; exit code 8 when something is."""
    target = Target(broker=broker, account=account, journal=journal)
    with reporting(as_json) as output, open_journal(target, is_new_welcome=False) as opened:
        from bot_v2.orchestration.journal.upkeep import check_integrity, count_records

        damage = check_integrity(opened)
        counts = count_records(opened)
        document = {"is_whole": not damage, "damage": damage, "counts": counts}

        def show() -> None:
            output.facts("the journal holds", attrs.asdict(counts).items())
            for line in damage:
                output.line(f"DAMAGE: {line}")
            output.line("IT IS DAMAGED" if damage else "it is whole")

        output.show(document, show)
    if damage:
        raise typer.Exit(ExitCode.JOURNAL)


@group.command("export")
def export(
    journal: given.Journal = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Print a line of JSON for each intent, with all that happened to it, and for each fill."""
    target = Target(broker=broker, account=account, journal=journal)
    with reporting(as_json) as output, open_journal(target, is_new_welcome=False) as opened:
        from bot_v2.orchestration.journal.upkeep import export_fills, export_intents

        for line in export_intents(opened):
            output.line(line)
        for line in export_fills(opened):
            output.line(f'{{"fill": {line}}}')


@group.command("prune")
def prune(
    before: Annotated[
        str,
        typer.Option("--before", metavar="TIME", help="What was settled before; ISO 8601, zoned."),
    ],
    journal: given.Journal = None,
    broker: given.Broker = None,
    account: given.Account = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before taking it away.")
    ] = False,
    as_json: given.Json = False,
) -> None:
    """Drop the content of what was settled long ago; ids, orders and fills stay."""
    target = Target(broker=broker, account=account, journal=journal)
    with reporting(as_json) as output:
        moment = moment_of("--before", before)
        if moment is None:
            raise InvalidFieldError("--before", before, "an ISO 8601 time with its zone")
        with open_journal(target, is_new_welcome=False) as opened:
            from bot_v2.orchestration.journal import upkeep

            confirm_record(f"Drop what was settled before {moment.isoformat()}?", yes=yes)
            pruned = upkeep.prune(opened, moment)
        output.show({"pruned": pruned}, lambda: output.line(f"{pruned} intents pruned"))


@group.command("show")
def show(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            help="A client order id, a broker's order id, or an intent's id. Default: a list of "
            "what is not settled or has not ended.",
        ),
    ] = None,
    journal: given.Journal = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Tell the whole story of an order, as it was written down."""
    target = Target(broker=broker, account=account, journal=journal)
    with reporting(as_json) as output, open_journal(target, is_new_welcome=False) as opened:
        from bot_v2.orchestration.journal.upkeep import find_histories, list_unsettled

        if name is None:
            states = list_unsettled(opened)
            output.show(states, lambda: output.table("not settled or live", STATES, states))
            return
        histories = find_histories(opened, name)
        if not histories:
            accepted = "a client order id, order id or intent id that the journal holds"
            raise InvalidFieldError("ID", name, accepted)
        fills = _fills_of(opened, histories)
        document = {"intents": histories, "fills": fills}
        output.show(document, lambda: _show_histories(output, histories, fills))


def _fills_of(journal: SqlJournal, histories: Iterable[IntentHistory]) -> list[Fill]:
    from bot_v2.orchestration.journal.memory_journal import scope_of

    found = {
        (fill.symbol, fill.trade_id): fill
        for history in histories
        for order_id in journal.list_order_ids(history.intent.intent_id)
        for fill in journal.list_fills(scope_of(history.intent), order_id)
    }
    return list(found.values())


def _show_histories(
    output: Output, histories: Sequence[IntentHistory], fills: Sequence[Fill]
) -> None:
    for history in histories:
        intent = history.intent
        request = intent.request
        output.facts(
            f"{intent.kind.value} {intent.client_order_id} on {intent.broker}, "
            f"account {intent.account_id}",
            [
                ("intent", intent.intent_id),
                ("journalled", intent.created_at),
                ("symbol", intent.symbol),
                ("side", request and request.side),
                ("type", request and request.type),
                ("quantity", request and request.quantity),
                ("notional", request and request.notional),
                ("price", request and request.price),
                ("stop price", request and request.stop_price),
                ("order", intent.order_id),
                ("arrival price", intent.arrival_price),
            ],
        )
        output.table("since then", ENTRIES, history.entries, "nothing was heard of it since")
        output.line()
    output.table("fills", FILLS, fills)
