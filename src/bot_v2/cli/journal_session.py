"""The order journal of one command: where it is, and an executor over it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import typer

from bot_v2.cli.session import (
    ACCOUNT_VARIABLE,
    IN_MEMORY,
    JOURNAL_VARIABLE,
    PAPER_NAMES,
    Target,
    chosen_name,
)
from bot_v2.features.brokerages.core.errors import MissingDependencyError
from bot_v2.orchestration.journal.records import OrderJournalError

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage
    from bot_v2.orchestration.journal.sql_journal import SqlJournal
    from bot_v2.orchestration.order_executor import OrderExecutor

SQLITE: Final = "sqlite:///"
"""How the URL of a journal in a file begins."""

_SUFFIX: Final = ".journal.sqlite"


def journal_url(target: Target, environ: Mapping[str, str]) -> str:
    """Return where the journal of a target is.

    What was given, else what the environment says. Else a file in the user's state folder; but the
    journal of a paper account in a file of one's own lies beside that file, as order ids of two
    such accounts are the same, and one in memory has its journal in memory.
    """
    named = target.journal or environ.get(JOURNAL_VARIABLE)
    if named:
        return named if "://" in named else f"{SQLITE}{named}"
    if chosen_name(target, environ) not in PAPER_NAMES:
        return f"{SQLITE}{state_folder() / 'orders.sqlite'}"
    if target.account == IN_MEMORY:
        return "sqlite://"
    account = target.account or environ.get(ACCOUNT_VARIABLE)
    if account:
        return f"{SQLITE}{Path(account).with_suffix(_SUFFIX)}"
    return f"{SQLITE}{state_folder() / f'paper{_SUFFIX}'}"


def state_folder() -> Path:
    """Return the folder in which this user's programs keep what they must not lose.

    Raises:
        MissingDependencyError: platformdirs, of the extra `cli`, is not installed.
    """
    try:
        from platformdirs import user_state_path
    except ImportError as error:
        raise MissingDependencyError(
            "to find the user's state folder: pip install 'bot-v2[cli]', or give --journal",
            extra="cli",
        ) from error
    return user_state_path("bot-v2", appauthor=False)


@contextmanager
def open_journal(target: Target, *, is_new_welcome: bool) -> Iterator[SqlJournal]:
    """Open the journal of a target, and let go of it at the end.

    Args:
        target: which one.
        is_new_welcome: True: make it where there is none; False: that is an error.

    Raises:
        MissingDependencyError: the extra `journal`, or `postgres`, is not installed.
        OrderJournalError: there is none, or it cannot be opened.
    """
    from bot_v2.orchestration.journal.sql_journal import SqlJournal

    url = journal_url(target, os.environ)
    path = Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None
    is_new = path is not None and not path.exists()
    if is_new and not is_new_welcome:
        raise OrderJournalError(f"there is no order journal at {path}")
    if path is not None and is_new:
        path.parent.mkdir(parents=True, exist_ok=True)
    with closing(SqlJournal(url)) as journal:
        if is_new:
            typer.echo(f"new order journal: {path}", err=True)
        yield journal


@contextmanager
def journalled(broker: IBrokerage, target: Target) -> Iterator[OrderExecutor | None]:
    """Give an executor over the journal that a target names; None where it names none.

    Raises:
        BrokerageError: the journal cannot be opened.
    """
    if target.journal is None:
        yield None
        return
    with executing(broker, target) as executor:
        # What an earlier process left open is this one's from here on.
        executor.reconcile()
        yield executor


@contextmanager
def executing(
    broker: IBrokerage, target: Target, *, patience_s: float | None = None
) -> Iterator[OrderExecutor]:
    """Give an executor for a connected brokerage, over the journal of the target.

    Args:
        broker: the brokerage, connected.
        target: which journal.
        patience_s: how long to look for an outcome, in seconds. None: as long as is usual.

    Raises:
        BrokerageError: the journal cannot be opened, or the account's id cannot be read.
    """
    from bot_v2.orchestration.execution.settings import ExitPolicy, executor_settings
    from bot_v2.orchestration.order_executor import OrderExecutor

    # A command sends what it was asked to send: what exits need besides is for the bot to do.
    settings = attrs.evolve(
        executor_settings(environ=os.environ), exit_policy=ExitPolicy.ALARM_ONLY
    )
    if patience_s is not None:
        settings = attrs.evolve(settings, resolve_timeout_s=patience_s)
    # What the executor warns of is in the report; stderr is for how the command ended.
    logging.getLogger("bot_v2").addHandler(logging.NullHandler())
    with open_journal(target, is_new_welcome=True) as journal:
        yield OrderExecutor(broker, journal, settings=settings)
