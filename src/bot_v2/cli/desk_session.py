"""The desk of one command: the brokers of `brokers.json`, connected together."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import attrs
import typer

from bot_v2.cli.journal_session import SQLITE, state_folder
from bot_v2.cli.output import Column, waiting
from bot_v2.cli.session import JOURNAL_VARIABLE, Target, make
from bot_v2.features.brokerages.core.errors import BrokerageError

if TYPE_CHECKING:
    from bot_v2.orchestration.desk.reading import Missing
    from bot_v2.orchestration.multi_broker import MultiBrokerManager

JOURNAL_NAME: Final = "desk.sqlite"
"""The desk's journal in the state folder."""

Brokers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--broker",
        "-b",
        metavar="NAME",
        help="Which broker of brokers.json; repeatable. Default: all.",
    ),
]
DeskJournal: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="URL",
        help="The desk's journal: a file, sqlite:///FILE or postgresql://... Default: "
        "BOT_V2_JOURNAL, else desk.sqlite in your own state folder.",
    ),
]


@attrs.frozen(kw_only=True)
class Absent:
    """A broker, or a part of its answer, that is not in what is shown; the keys of its JSON."""

    broker: str
    """The broker's name."""
    operation: str
    """What was asked of it."""
    error: str
    """Why there is no answer."""


ABSENT: Final[tuple[Column, ...]] = (
    ("missing", lambda row: row.broker),
    ("asked for", lambda row: row.operation),
    ("error", lambda row: row.error),
)
"""What is not there, as a table: it is missing, and not zero."""


@attrs.frozen(kw_only=True)
class ConnectedDesk:
    """The desk of a command."""

    manager: MultiBrokerManager
    """The brokers that could be made."""
    absent: tuple[Absent, ...]
    """Those that could not be made or connected."""


def desk_journal_url(journal: str | None, environ: Mapping[str, str]) -> str:
    """Return where the desk's journal is: as named, else in the user's state folder."""
    named = journal or environ.get(JOURNAL_VARIABLE)
    if named:
        return named if "://" in named else f"{SQLITE}{named}"
    return f"{SQLITE}{state_folder() / JOURNAL_NAME}"


def journal_file(url: str) -> Path | None:
    """Return the file that a journal's URL names. None: it is none."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


@contextmanager
def connected_desk(
    brokers: Sequence[str] | None, *, journal: str | None = None, is_silent: bool
) -> Iterator[ConnectedDesk]:
    """Make and connect the brokers of the desk, and disconnect them at the end.

    Args:
        brokers: which, by their names. None or empty: all.
        journal: the URL of the journal to trade by. None: nothing can be sent.
        is_silent: show nothing while it takes its time.

    Raises:
        BrokerageError: there is no `brokers.json`, or it is wrong; or the journal is.
    """
    # Imported here: most commands are for one brokerage.
    from bot_v2.orchestration.desk.assembly import open_desk
    from bot_v2.orchestration.desk.settings import DeskSettings
    from bot_v2.orchestration.execution.settings import ExitPolicy, executor_settings

    file = None if journal is None else journal_file(journal)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    executor = attrs.evolve(
        executor_settings(environ=os.environ), exit_policy=ExitPolicy.ALARM_ONLY
    )
    opened = open_desk(
        journal,
        brokers=brokers or None,
        settings=DeskSettings(watch_interval_s=None),
        executor=executor,
        make=lambda name: make(Target(broker=name)),
    )
    with opened.manager as manager:
        with waiting(f"connecting {', '.join(manager.names)}", is_silent=is_silent):
            missing = manager.connect_all()
        failed = [
            Absent(broker=name, operation="create", error=error.message)
            for name, error in opened.failed.items()
        ]
        yield ConnectedDesk(manager=manager, absent=(*failed, *absent_of(missing)))


def absent_of(missing: Sequence[Missing]) -> tuple[Absent, ...]:
    """Return what is missing, once for each broker and question."""
    rows = (
        Absent(broker=one.broker, operation=one.operation, error=one.error.message)
        for one in missing
    )
    return tuple(dict.fromkeys(rows))


def require_some(desk: ConnectedDesk, found: Sequence[object]) -> None:
    """Refuse to show nothing as if it were all.

    Raises:
        BrokerageError: no broker answered.
    """
    if not found:
        reasons = "; ".join(f"{one.broker}: {one.error}" for one in desk.absent)
        raise BrokerageError(f"no broker answered: {reasons or 'there is none'}")
