"""The command that runs the contract suite on a brokerage, and shows what it keeps and breaks."""

from __future__ import annotations

from importlib import import_module
from operator import itemgetter
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bot_v2.cli import options as given
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.output import Column, Output
from bot_v2.cli.reporting import report_usage, reporting
from bot_v2.cli.values import pairs_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError

if TYPE_CHECKING:
    from bot_v2.testing.conformance import ConformanceReport

SUITE_PACKAGES: Final = frozenset({"_pytest", "hypothesis", "pytest", "vcr", "yaml"})
"""What the suite needs, and the extra `testing` brings."""

GROUPS: Final[tuple[Column, ...]] = tuple(
    (heading, itemgetter(at))
    for at, heading in enumerate(("group", "passed", "failed", "skipped", "exempt"))
)

CARDS: Final[tuple[Column, ...]] = (
    ("card", itemgetter(0)),
    ("status", itemgetter(2)),
    ("what it says", itemgetter(1)),
    ("reason", lambda row: row[3] or None),
)

TOLD: Final = frozenset({"failed", "exempt"})
"""The statuses of cards that are told one by one."""


ModeOption = Annotated[
    str,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="What it is checked against. One of simulator, cassette, live; live is the broker's "
        "sandbox or paper endpoint, never real money.",
    ),
]
ExemptOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exempt", metavar="CARD=REASON", help="Leave a card out, and say why; repeatable."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("certify")(certify)


def certify(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="What makes the brokerage: package.module:name, or the name of a brokerage.",
        ),
    ],
    mode: ModeOption = "simulator",
    venue: Annotated[
        str | None,
        typer.Option(
            "--venue", metavar="FACTORY", help="What makes its simulated venue. Default: none."
        ),
    ] = None,
    exempt: ExemptOption = None,
    json_file: Annotated[
        str | None, typer.Option("--json-file", metavar="FILE", help="Write the report as JSON.")
    ] = None,
    markdown_file: Annotated[
        str | None,
        typer.Option("--markdown-file", metavar="FILE", help="Write the report as Markdown."),
    ] = None,
    cassettes: Annotated[
        str | None,
        typer.Option("--cassettes", metavar="FOLDER", help="Where recorded traffic is."),
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Record the traffic there.")] = False,
    all_cards: Annotated[
        bool, typer.Option("--all", help="Show every card, not just those failed or exempt.")
    ] = False,
    as_json: given.Json = False,
) -> None:
    """Run the contract suite on a brokerage; exit code 1 for violations, 2 if it cannot run."""
    with reporting(as_json) as output:
        exemptions = pairs_of("--exempt", exempt or ())
        suite = _import_suite()
        if mode not in (modes := [known.value for known in suite.Mode]):
            raise InvalidFieldError("--mode", mode, ", ".join(modes))
        try:
            report: ConformanceReport = suite.certify(
                target,
                mode=mode,
                venue=venue,
                exemptions=exemptions,
                json_path=json_file,
                markdown_path=markdown_file,
                cassettes=cassettes,
                record=record,
            )
        except suite.CouldNotRunError as error:
            raise typer.Exit(report_usage(str(error), None, as_json)) from error
        if as_json:
            output.line(report.to_json().rstrip())
        else:
            _show(output, report, all_cards)
    if not report.conforms:
        raise typer.Exit(ExitCode.REFUSED)


def _import_suite() -> ModuleType:
    """Return the module that runs the suite.

    Raises:
        MissingDependencyError: what the suite needs is not installed.
    """
    try:
        return import_module("bot_v2.testing.certify")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in SUITE_PACKAGES:
            raise
        raise MissingDependencyError(
            f"the contract suite needs {error.name}: pip install 'bot-v2[testing]'",
            extra="testing",
        ) from error


def _show(output: Output, report: ConformanceReport, all_cards: bool) -> None:
    output.table("conformance", GROUPS, report.group_rows())
    rows = [row for row in report.rows() if all_cards or row[2] in TOLD]
    if rows:
        output.line()
        output.table("cards", CARDS, rows)
    output.line()
    output.line(report.verdict())
