"""What is asked of the person at the terminal; a secret is typed unseen, and never an argument."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from getpass import getpass

import typer

from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.secret import Secret


def is_anybody_there() -> bool:
    """Whether a person types."""
    return sys.stdin.isatty()


def ask(question: str, default: str | None = None) -> str:
    """Return a line that a person types."""
    answer: str = typer.prompt(question, default=default, err=True)
    return answer.strip()


def ask_secret(question: str) -> Secret:
    """Return a secret that a person types unseen."""
    return Secret(getpass(f"{question}: ", stream=sys.stderr).strip())


def ask_passphrase(what: str, new: bool) -> Secret | None:
    """Return a passphrase; a new one is typed twice. None: there is nobody to ask.

    Raises:
        InvalidRequestError: what was typed is not the same twice, or nothing.
    """
    if not is_anybody_there():
        return None
    typed = ask_secret(f"{'new passphrase' if new else 'passphrase'} of {what}")
    if not typed:
        raise InvalidRequestError("no passphrase was typed")
    if new and ask_secret("the same again") != typed:
        raise InvalidRequestError("the two passphrases are not the same: nothing was done")
    return typed


def secrets_for(fields: Sequence[str], *, optional: bool = False) -> dict[str, Secret]:
    """Return a value for each field: typed unseen, or a line each where nobody types.

    Args:
        fields: their names.
        optional: leave out those for which nothing is typed.

    Raises:
        InvalidRequestError: there are fewer lines than fields.
    """
    if is_anybody_there():
        typed = {field: ask_secret(field) for field in fields}
        return {field: value for field, value in typed.items() if value or not optional}
    found = {}
    for field in fields:
        line = sys.stdin.readline()
        if not line and not optional:
            raise InvalidRequestError(
                f"there is no value for {field}: standard input has a line for each field, "
                f"in the order of {', '.join(fields)}"
            )
        if value := line.rstrip("\r\n"):
            found[field] = Secret(value)
    return found
