"""The command that tries a brokerage: what works, how fast, and what the credentials may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.output import Column, Output, waiting
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, ending, make, without_new_account
from bot_v2.cli.trial_reads import Trial, TrialResult, Trials
from bot_v2.cli.values import seconds_of
from bot_v2.features.brokerages.core.access import Access, AccessRight, access_of
from bot_v2.features.brokerages.core.declarations import Environment, environment_of, name_of
from bot_v2.features.brokerages.core.errors import BrokerageError

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

COLUMNS: Final[tuple[Column, ...]] = (
    ("operation", lambda trial: trial.operation),
    ("result", lambda trial: trial.result),
    ("answered in", lambda trial: _milliseconds(trial.latency_s)),
    ("found", lambda trial: trial.found or None),
)


@attrs.frozen(kw_only=True)
class TrialReport:
    """How a brokerage did; the keys of its JSON."""

    broker: str
    """The brokerage's name."""
    environment: Environment
    """Where its orders would go."""
    account_id: str
    """The account."""
    symbol: str | None
    """The product that was asked about. None: there was none."""
    trials: tuple[Trial, ...]
    """What was tried, in order."""
    access: Access | None
    """What the broker tells of the credentials. None: nothing, or it failed."""
    failed: int
    """How many trials failed."""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("test")(try_out)


def try_out(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The brokerage, as in list-types.")],
    symbol: Annotated[
        str | None,
        typer.Option(
            "--symbol",
            metavar="SYMBOL",
            help="The product to ask about. Default: one that is held, else a likely one.",
        ),
    ] = None,
    account: given.Account = None,
    timeout: Annotated[
        str,
        typer.Option("--timeout", metavar="SECONDS", help="How long to listen for a quote."),
    ] = "3",
    as_json: given.Json = False,
) -> None:
    """Connect, try every read and every capability that needs no order, and say what works."""
    target = Target(broker=name, account=account)
    with reporting(as_json, target) as output:
        patience_s = seconds_of("--timeout", timeout)
        with waiting(f"trying {name} ...", is_silent=as_json):
            report = _try(make(without_new_account(target)), symbol, patience_s)
        output.show(report, lambda: _show(output, report))
    if report.failed:
        raise typer.Exit(ExitCode.REFUSED)


def _try(broker: IBrokerage, symbol: str | None, patience_s: float) -> TrialReport:
    trials = Trials(broker, symbol, patience_s)
    with ending(broker):
        trials.connect()
        trials.run()
        access = None
        try:
            access = access_of(broker)
        except BrokerageError as error:
            trials.fail("get_access", error)
        return TrialReport(
            broker=name_of(broker),
            environment=environment_of(broker),
            account_id=broker.get_account_id(),
            symbol=trials.symbol,
            trials=tuple(trials.done),
            access=access,
            failed=sum(one.result is TrialResult.FAILED for one in trials.done),
        )


def _show(output: Output, report: TrialReport) -> None:
    asked = "" if report.symbol is None else f", asked about {report.symbol}"
    title = f"{report.broker}, {report.environment.value}, account {report.account_id}{asked}"
    tried = [one for one in report.trials if one.result is not TrialResult.NOT_TRIED]
    output.table(title, COLUMNS, tried)
    output.line()
    reasons: dict[str, list[str]] = {}
    for one in report.trials:
        if one.result is TrialResult.NOT_TRIED:
            reasons.setdefault(one.found, []).append(one.operation)
    for reason, operations in reasons.items():
        output.line(f"{reason}: {', '.join(operations)}")
    output.line()
    output.facts("credentials", access_facts(report.access))
    output.line()
    works = sum(one.result is TrialResult.WORKS for one in report.trials)
    output.line(f"{works} work, {report.failed} failed" if report.failed else f"{works} work")


def access_facts(access: Access | None) -> list[tuple[str, object]]:
    """Return what is known of credentials, for a person."""
    if access is None:
        return [("may", "the broker does not tell")]
    untold = set(AccessRight) - {*access.granted, *access.refused}
    clock = access.server_time
    return [
        ("may", _listed(access.granted)),
        ("may not", _listed(access.refused)),
        ("not told", _listed(untold)),
        ("restrictions", "; ".join(access.restrictions) or None),
        ("expire", access.expires_at),
        ("clock is off by", None if clock is None else f"{clock.skew.total_seconds():+.1f} s"),
    ]


def _listed(rights: Iterable[AccessRight]) -> str | None:
    return ", ".join(one.value for one in AccessRight if one in set(rights)) or None


def _milliseconds(latency_s: float | None) -> str | None:
    return None if latency_s is None else f"{latency_s * 1000:.1f} ms"
