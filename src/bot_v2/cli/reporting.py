"""How a command ends: its exit code, one clear line about an error, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from bot_v2.cli.exit_codes import ExitCode, exit_code_of
from bot_v2.cli.output import Output, write_error_json
from bot_v2.cli.session import NotConfirmedError, Target
from bot_v2.features.brokerages.core.errors import BrokerageError, Outcome
from bot_v2.orchestration.configuration.errors import InvalidSettingsError
from bot_v2.orchestration.credentials.errors import CredentialStoreError


@contextmanager
def reporting(as_json: bool, target: Target | None = None) -> Iterator[Output]:
    """Give a command its output, and turn how it ends into an exit code.

    Args:
        as_json: print results and errors as JSON.
        target: the brokerage that the command was given, for the command that is advised.

    Raises:
        typer.Exit: the command did not end well; what went wrong is on stderr.
    """
    try:
        yield Output(as_json)
    except BrokerageError as error:
        code = exit_code_of(error)
        _report_error(error, code, advice_for(error, target or Target()), as_json)
        raise typer.Exit(code) from error
    except NotConfirmedError as error:
        _report(type(error).__name__, str(error), ExitCode.NOT_CONFIRMED, as_json)
        raise typer.Exit(ExitCode.NOT_CONFIRMED) from error
    except KeyboardInterrupt as error:
        _report("Interrupted", "interrupted", ExitCode.INTERRUPTED, as_json)
        raise typer.Exit(ExitCode.INTERRUPTED) from error


def report_usage(message: str, advice: str | None, as_json: bool) -> ExitCode:
    """Say why a command line cannot be understood, and return the exit code for it."""
    _report("UsageError", message, ExitCode.USAGE, as_json, advice)
    return ExitCode.USAGE


def advice_for(error: BrokerageError, target: Target) -> str | None:
    """Return the command that shows whether a write took effect; None for a settled outcome."""
    if error.outcome is not Outcome.UNKNOWN:
        return None
    if target.journal is not None:
        words = ["bot-v2", "reconcile"]
    elif error.order_id is not None:
        words = ["bot-v2", "order", error.order_id]
    elif error.client_order_id is not None:
        words = ["bot-v2", "order", "--client-id", error.client_order_id]
    else:
        words = ["bot-v2", "orders"]
    return shlex.join([*words, *target.as_options()])


def _report_error(error: BrokerageError, code: ExitCode, advice: str | None, as_json: bool) -> None:
    if as_json:
        # Imported here: an error is shown to people without it.
        from bot_v2.orchestration.model_json import to_plain

        document = {**to_plain(error), "exit_code": int(code), "advice": advice}
        if isinstance(error, CredentialStoreError):
            # Not one of the contract's errors, whose names are those that scripts know.
            document["error"] = type(error).__name__
        if isinstance(error, InvalidSettingsError):
            document["problems"] = [to_plain(problem) for problem in error.problems]
        write_error_json(document)
        return
    if isinstance(error, InvalidSettingsError):
        # A line each: a person goes through them one after the other.
        typer.echo(f"error: {error.message}", err=True)
        return
    _say(str(error), advice)


def _report(
    kind: str, message: str, code: ExitCode, as_json: bool, advice: str | None = None
) -> None:
    if as_json:
        document = {
            "error": kind,
            "message": message,
            "outcome": Outcome.NOT_SENT.value,
            "exit_code": int(code),
            "advice": advice,
        }
        write_error_json(document)
        return
    _say(message, advice)


def _say(message: str, advice: str | None) -> None:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    if advice is not None:
        typer.echo(f"next:  {advice}", err=True)
