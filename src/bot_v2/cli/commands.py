"""The commands of `bot-v2`, put together; parsing errors end as one line, as all others do."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from bot_v2.cli import (
    certification,
    completion,
    credential_files,
    credentials,
    demo,
    desk,
    desk_status,
    distributed,
    doctor,
    environment,
    health,
    journal,
    kill_switch,
    list_types,
    log_file,
    market,
    portfolio,
    reading,
    recovery,
    tape,
    trading,
    trial,
    venue,
)
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.reporting import report_usage, reporting

PROGRAM: Final = "bot-v2"

# Typer exports this one of the parser's errors; what they all derive from differs by its version.
_USAGE_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name=PROGRAM,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Trade, look and check through one contract, whatever the broker.",
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"{PROGRAM} {version('bot-v2')}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback acts on it
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file",
            metavar="FILE",
            help="Read variables from a .env first; what the environment says itself counts.",
        ),
    ] = None,
) -> None:
    """Take the options that come before a command."""
    if env_file is not None:
        with reporting("--json" in (context.obj or ())):
            environment.read(env_file)


PARTS: Final = (
    desk,
    demo,
    list_types,
    desk_status,
    health,
    trial,
    doctor,
    reading,
    market,
    portfolio,
    trading,
    distributed,
    recovery,
    journal,
    kill_switch,
    certification,
    venue,
    tape,
    completion,
)

for part in PARTS:
    part.register(app)
credentials.register(app)
credential_files.register(credentials.group)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: what follows the program's name. None: what this process was started with.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that the terminal cannot show must not end a command that has been carried out.
            stream.reconfigure(errors="replace")
    command = get_command(app)
    completion.prepare()
    try:
        # Outside of its own mode Typer returns an exit code, or nothing after a command that ended.
        with environment.restored(), log_file.logged(_name_of(words)) as ended:
            code: Any = command.main(
                args=words, prog_name=PROGRAM, standalone_mode=False, obj=words
            )
            ended(code if isinstance(code, int) else ExitCode.OK)
    except _USAGE_ERROR as error:
        return _report_usage(error, as_json="--json" in words)
    except typer.Abort:
        return ExitCode.NOT_CONFIRMED
    return code if isinstance(code, int) else ExitCode.OK


def _name_of(words: Sequence[str]) -> str:
    """Return the command among some words: none of what was typed for it."""
    if completion.VARIABLE in os.environ:
        return log_file.COMPLETING
    known = {command.name for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    return next((word for word in words if word in known), PROGRAM)


def _report_usage(error: Any, as_json: bool) -> ExitCode:
    context = error.ctx
    path = PROGRAM if context is None else context.command_path
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message(), err=True)
        return ExitCode.USAGE
    return report_usage(error.format_message(), f"{path} --help", as_json)
