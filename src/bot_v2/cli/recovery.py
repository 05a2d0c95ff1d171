"""The commands that find out what became of orders: reconcile, and a person's word for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.journal_session import executing
from bot_v2.cli.output import Output, as_text
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, confirm_record, connected
from bot_v2.cli.values import decimal_of
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    InvalidRequestError,
)
from bot_v2.features.brokerages.core.orders import Order

if TYPE_CHECKING:
    from bot_v2.orchestration.execution.position_stories import PositionStory
    from bot_v2.orchestration.execution.report import ReconciliationReport
    from bot_v2.orchestration.journal.records import IntentState
    from bot_v2.orchestration.order_executor import OrderExecutor

LOOKS: Final = 3
"""How often to look until two looks agree what the account held at first."""


@attrs.frozen(kw_only=True)
class Reconciled:
    """What `reconcile` found."""

    broker: str
    """The brokerage's name."""
    account_id: str
    """The account."""
    is_complete: bool
    """Whether all could be read."""
    is_clean: bool
    """Whether all could be read, and nothing is left to explain."""
    adopted: tuple[Order, ...]
    """Orders of others that are followed from now on, because it was asked for."""
    report: ReconciliationReport
    """What was found."""

    def document(self) -> dict[str, object]:
        """Return it as JSON shows it."""
        return attrs.asdict(self, recurse=False)


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("reconcile")(reconcile)
    app.command("resolve")(resolve)


def reconcile(
    broker: given.Broker = None,
    account: given.Account = None,
    journal: given.Journal = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Tell each thing that was found, and what each position is made of."
        ),
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Follow live orders that were not placed here, too.")
    ] = False,
    accept_positions: Annotated[
        bool,
        typer.Option(
            "--accept-positions",
            help="Take the positions as they are for right; differences count from here on.",
        ),
    ] = False,
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="How long to look for each order of which nobody knows what became.",
        ),
    ] = "30",
    as_json: given.Json = False,
) -> None:
    """Find out what became of orders, and compare the journal with the broker; sends nothing."""
    target = Target(broker=broker, account=account, journal=journal)
    with reporting(as_json, target) as output:
        patience = decimal_of("--timeout", timeout)
        if patience is None or patience < 0:
            raise InvalidFieldError("--timeout", timeout, "seconds, zero or more")
        with (
            connected(target) as brokerage,
            executing(brokerage, target, patience_s=float(patience)) as executor,
        ):
            found = _reconcile(executor, adopt=adopt, accept_positions=accept_positions)
            output.show(found.document(), lambda: _show(output, found, explain=explain))
    code = _code_of(found)
    if code is not ExitCode.OK:
        raise typer.Exit(code)


def _reconcile(executor: OrderExecutor, *, adopt: bool, accept_positions: bool) -> Reconciled:
    report = executor.recover()
    for _ in range(LOOKS):
        report = report.followed_by(executor.reconcile(explain=True))
        if report.positions is not None:
            break
    adopted: tuple[Order, ...] = ()
    if adopt and report.foreign_orders:
        adopted = report.foreign_orders
        for order in adopted:
            executor.adopt(order)
    if accept_positions:
        executor.accept_positions()
    if adopted or accept_positions:
        report = report.followed_by(executor.reconcile(explain=True))
    is_complete = report.is_complete and report.positions is not None
    return Reconciled(
        broker=executor.scope.broker,
        account_id=executor.scope.account_id,
        is_complete=is_complete,
        is_clean=is_complete and report.is_clean,
        adopted=adopted,
        report=report,
    )


def _code_of(found: Reconciled) -> ExitCode:
    if not found.is_complete:
        return ExitCode.INCOMPLETE
    if found.report.unsettled:
        return ExitCode.OUTCOME_UNKNOWN
    return ExitCode.OK if found.is_clean else ExitCode.REFUSED


def _show(output: Output, found: Reconciled, *, explain: bool) -> None:
    report = found.report
    output.facts(
        f"{found.broker}, account {found.account_id}, at {as_text(report.at)}",
        [
            ("settled", len(report.settled)),
            ("not settled", len(report.unsettled)),
            ("orders with news", len(report.changed)),
            ("new fills", len(report.new_fills)),
            ("orders not placed here", _count(report.foreign_orders)),
            ("adopted", len(found.adopted) or None),
            ("positions that differ", _count(report.differences)),
            ("alarms", len(report.alarms)),
            ("reads that failed", len(report.failed_reads)),
            ("exits: look again at", report.look_again_at),
        ],
    )
    for line in [*(report.tell_news() if explain else ()), *report.tell_questions()]:
        output.line(line)
    for story in report.positions or () if explain else ():
        _show_story(output, story)
    output.line(_verdict(found))


def _count(found: Sequence[object] | None) -> int | str:
    return "not known" if found is None else len(found)


def _show_story(output: Output, story: PositionStory) -> None:
    if not (story.found or story.unexplained):
        return
    output.line(f"position {story.symbol}: {as_text(story.found)}")
    for line in story.tell():
        output.line(f"  {line}")


def _verdict(found: Reconciled) -> str:
    if not found.is_complete:
        return "INCOMPLETE: what could not be read is not known, and is not taken for nothing"
    if found.report.unsettled:
        return "NOT SETTLED: look again later, or tell what you know: bot-v2 resolve"
    return "everything is explained" if found.is_clean else "NOT EVERYTHING IS EXPLAINED"


def resolve(
    name: Annotated[
        str,
        typer.Argument(metavar="ID", help="The order's client id, or the name that is told of it."),
    ],
    because: Annotated[
        str,
        typer.Option("--because", metavar="REASON", help="How you know; the journal keeps it."),
    ],
    placed_as: Annotated[
        str | None,
        typer.Option("--placed-as", metavar="ORDER_ID", help="It was placed, and is this order."),
    ] = None,
    not_placed: Annotated[
        bool, typer.Option("--not-placed", help="It had no effect, and never will have.")
    ] = False,
    broker: given.Broker = None,
    account: given.Account = None,
    journal: given.Journal = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before writing it down.")
    ] = False,
    as_json: given.Json = False,
) -> None:
    """Tell what became of an order that could not be found out; sends nothing."""
    target = Target(broker=broker, account=account, journal=journal)
    with reporting(as_json, target) as output:
        if (placed_as is None) is not not_placed:
            raise InvalidFieldError(
                "--placed-as", placed_as, "an order id, or --not-placed, exactly one of the two"
            )
        if not because.strip():
            raise InvalidFieldError("--because", because, "how you know")
        with connected(target) as brokerage, executing(brokerage, target) as executor:
            # Evidence settles it without anybody's word, where there is any by now.
            executor.reconcile()
            state = _unsettled(executor, name)
            told = _told_before(brokerage, state, placed_as)
            if not (as_json and yes):
                # Where nobody is asked, JSON has it all.
                typer.echo("\n".join(told), err=True)
            claim = "was not placed" if placed_as is None else f"is order {placed_as}"
            confirm_record(f"Write down that {name} {claim}?", yes=yes)
            executor.resolve(name, because=because, order_id=placed_as)
            executor.reconcile()
            settled = executor.find(name) or state
        document = {"told_before": told, "state": settled}
        output.show(document, lambda: _show_state(output, settled))


def _unsettled(executor: OrderExecutor, name: str) -> IntentState:
    state = executor.find(name)
    if state is None:
        known = [each.intent.ident for each in executor.list_open() if each.is_unsettled]
        accepted = ", ".join(known) or "none: everything in the journal is settled"
        raise InvalidFieldError("ID", name, f"what is not settled ({accepted})")
    if not state.is_unsettled:
        order = "" if state.order_id is None else f", order {state.order_id}"
        raise InvalidRequestError(f"{name} is settled: {state.phase.value}{order} ({state.note})")
    return state


def _told_before(brokerage: IBrokerage, state: IntentState, placed_as: str | None) -> list[str]:
    """Return what somebody should know who is about to give their word."""
    from bot_v2.orchestration.execution.fingerprint import difference

    lines = [f"{state.intent.ident}: {state.phase.value}, {state.note or 'nothing was heard'}"]
    if placed_as is None:
        return lines
    try:
        order = brokerage.get_order(placed_as)
    except BrokerageError as error:
        return [*lines, f"WARNING: the broker does not show order {placed_as}: {error}"]
    differs = difference(state.intent, order)
    if differs is not None:
        lines.append(f"WARNING: order {placed_as} is another one: {differs}")
    return lines


def _show_state(output: Output, state: IntentState) -> None:
    output.facts(
        state.intent.ident,
        [
            ("is", state.phase),
            ("order", state.order_id),
            ("status", state.order and state.order.status),
            ("filled", state.order and state.order.filled_quantity),
            ("because", state.note or None),
        ],
    )
