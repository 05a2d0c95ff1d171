"""The command that says what will break tonight."""

from __future__ import annotations

import os
from functools import partial
from typing import Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.doctor_broker import Patient, examine
from bot_v2.cli.doctor_files import (
    look_at_account,
    look_at_journal,
    look_at_kill_switch,
    look_at_names,
)
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.findings import Finding, Notebook, Severity
from bot_v2.cli.journal_session import journal_url
from bot_v2.cli.output import Output, waiting
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, chosen_name, make, without_new_account
from bot_v2.cli.values import choice_of
from bot_v2.features.brokerages.core.declarations import Environment
from bot_v2.orchestration.broker_factory import DEFAULT_NAME
from bot_v2.simulation.clock import utc_now

MACHINE: Final = "this machine"
"""What is looked at beside the brokerages."""

COLOURS: Final = {Severity.WARNING: "yellow", Severity.PROBLEM: "red"}
"""How what should be seen first is shown, where colours are."""


@attrs.frozen(kw_only=True)
class DoctorReport:
    """What the doctor found; the keys of its JSON."""

    findings: tuple[Finding, ...]
    """Everything that was looked at, in order."""
    problems: int
    """How many do not work, or not for long."""
    warnings: int
    """How many will hurt, unless somebody sees to them."""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("doctor")(doctor)


def doctor(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...",
            help="Which brokerages. Default: the one that the environment names.",
        ),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect",
            metavar="ENVIRONMENT",
            help="Where orders should go: simulator, sandbox, paper or live. Another is a problem.",
        ),
    ] = None,
    account: given.Account = None,
    journal: given.Journal = None,
    as_json: given.Json = False,
) -> None:
    """Say what will break tonight: sessions, clocks, permissions, resets, journal, files."""
    with reporting(as_json) as output:
        expected = choice_of("--expect", expect, Environment)
        named: list[str] | list[None] = names or [None]
        targets = [Target(broker=name, account=account, journal=journal) for name in named]
        with waiting("looking ...", is_silent=as_json):
            report = _examine(targets, expected)
        output.show(report, lambda: _show(output, report))
    if report.problems:
        raise typer.Exit(ExitCode.REFUSED)


def _examine(targets: list[Target], expected: Environment | None) -> DoctorReport:
    findings: list[Finding] = []
    # What is told of this machine stands together, behind the brokerages.
    own: list[Finding] = []
    machine = Notebook(MACHINE, own.append)
    look_at_names(os.environ, machine)
    look_at_kill_switch(os.environ, machine)
    journals: dict[str, Target] = {}
    for target in targets:
        name = chosen_name(target, os.environ) or DEFAULT_NAME
        patient = Patient(
            name=name,
            make=partial(make, without_new_account(target)),
            expected=expected,
            environ=os.environ,
        )
        examine(patient, Notebook(name, findings.append), utc_now())
        look_at_account(target, os.environ, machine)
        journals.setdefault(journal_url(target, os.environ), target)
    for target in journals.values():
        look_at_journal(target, os.environ, machine)
    findings += own
    return DoctorReport(
        findings=tuple(findings),
        problems=sum(one.severity is Severity.PROBLEM for one in findings),
        warnings=sum(one.severity is Severity.WARNING for one in findings),
    )


def _show(output: Output, report: DoctorReport) -> None:
    about = None
    for one in report.findings:
        if one.about != about:
            about = one.about
            output.line(about)
        line = f"  {_shown(one.severity):<7}  {one.subject:<11}  {one.text}"
        # Colours are left out where nobody would see them.
        typer.echo(typer.style(line, fg=COLOURS.get(one.severity)))
        if one.advice is not None:
            output.line(f"{'':<24}{one.advice}")
    output.line()
    if report.problems:
        output.line(f"problems: {report.problems}, warnings: {report.warnings}")
    elif report.warnings:
        output.line(f"nothing is broken; warnings: {report.warnings}")
    else:
        output.line("nothing that is known of will break")


def _shown(severity: Severity) -> str:
    return severity.value.upper() if severity in COLOURS else severity.value
