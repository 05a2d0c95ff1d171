"""What the doctor looks at on this machine: the order journal, folders, and the environment."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from bot_v2.cli.findings import Notebook
from bot_v2.cli.journal_session import SQLITE, journal_url, open_journal
from bot_v2.cli.session import (
    ACCOUNT_VARIABLE,
    IN_MEMORY,
    PAPER_NAMES,
    Target,
    chosen_name,
    default_account_file,
)
from bot_v2.features.brokerages.core.errors import BrokerageError, MissingDependencyError
from bot_v2.orchestration.broker_factory import NAME_VARIABLES
from bot_v2.orchestration.journal.records import IntentKind, IntentState, Phase

SPACE_WARNING: Final = 500_000_000
SPACE_PROBLEM: Final = 20_000_000
"""How much room there should be for a journal, in bytes."""

SIDE_FILES: Final = ("", "-wal", "-shm")
"""What SQLite puts beside a file, by the end of its name."""

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH


def look_at_names(environ: Mapping[str, str], notes: Notebook) -> None:
    """Look whether the variables that name a brokerage name the same one."""
    named = {
        name: environ[name].strip() for name in NAME_VARIABLES if environ.get(name, "").strip()
    }
    if len({value.lower() for value in named.values()}) > 1:
        told = ", ".join(f"{name}={value}" for name, value in named.items())
        notes.warn("environment", f"{told}: the first one counts", "unset the others")


def look_at_kill_switch(environ: Mapping[str, str], notes: Notebook) -> None:
    """Look whether new risk is stopped."""
    from bot_v2.orchestration.risk.kill_switch import KillSwitch, kill_switch_file

    state = KillSwitch(kill_switch_file(environ)).read()
    if state.on:
        notes.warn("kill switch", f"exits alone pass: {state.note}", "bot-v2 kill-switch off")
    else:
        notes.ok("kill switch", "it is off")


def look_at_journal(target: Target, environ: Mapping[str, str], notes: Notebook) -> None:
    """Look at the order journal: whether it is whole, what is open in it, and who may touch it."""
    url = journal_url(target, environ)
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE))
        if not path.exists():
            notes.note("journal", f"there is none yet at {path}")
            _look_at_room(path.parent, notes)
            return
        look_at_permissions([path.with_name(path.name + end) for end in SIDE_FILES], notes)
        _look_at_room(path.parent, notes)
    try:
        _look_inside(target, notes)
    except MissingDependencyError as error:
        notes.fail("journal", error.message)
    except BrokerageError as error:
        if "locked" in error.message:
            advice = "stop the bot to look, or ask the bot"
            notes.note("journal", "it is in use by another process: not looked into", advice)
        else:
            notes.fail("journal", error.message)


def _look_inside(target: Target, notes: Notebook) -> None:
    from bot_v2.orchestration.journal.upkeep import check_integrity, count_records, list_unsettled

    with open_journal(target, is_new_welcome=False) as journal:
        damage = check_integrity(journal)
        counts = count_records(journal)
        states = list_unsettled(journal)
    for sentence in damage:
        notes.fail("journal", sentence, "keep a copy, then restore a backup")
    if not damage:
        notes.ok("journal", f"whole: {counts.intents} intents, {counts.fills} executions")
    quarantined = [one for one in states if one.phase is Phase.QUARANTINED]
    open_ones = [one for one in states if one.is_unsettled and one not in quarantined]
    if quarantined:
        text = f"{len(quarantined)} quarantined, and hold their risk: {_names(quarantined)}"
        notes.fail("journal", text, "bot-v2 reconcile, else bot-v2 resolve")
    if open_ones:
        text = f"of {len(open_ones)} nobody knows yet what became: {_names(open_ones)}"
        notes.warn("journal", text, "bot-v2 reconcile")
    if not quarantined and not open_ones:
        live = sum(one.intent.kind is not IntentKind.WATCH for one in states)
        notes.ok("journal", f"nothing is unsettled; {live} live orders are followed")


def _names(states: Iterable[IntentState]) -> str:
    return ", ".join(f"{one.intent.ident} ({one.intent.broker})" for one in states)


def look_at_account(target: Target, environ: Mapping[str, str], notes: Notebook) -> None:
    """Look at the file of a paper account, if that is what is used."""
    if chosen_name(target, environ) not in PAPER_NAMES or target.account == IN_MEMORY:
        return
    named = target.account or environ.get(ACCOUNT_VARIABLE)
    path = Path(named) if named else default_account_file()
    if path.exists():
        look_at_permissions([path], notes)


def look_at_permissions(paths: Iterable[Path], notes: Notebook) -> None:
    """Look whether somebody else on this machine may read or change files, or their folder."""
    if os.name == "nt":
        return
    files = [path for path in paths if path.exists()]
    folders = {path.parent.resolve() for path in files}
    is_fine = True
    for path in [*sorted(folders), *files]:
        mode = path.stat().st_mode
        is_shared_safely = path.is_dir() and mode & stat.S_ISVTX
        if mode & _OTHERS_WRITE and not is_shared_safely:
            advice = f"chmod go-w {path}"
            notes.fail("files", f"others may change {path} ({stat.filemode(mode)})", advice)
            is_fine = False
        elif mode & _OTHERS_READ and path.is_file():
            advice = f"chmod go-r {path}"
            notes.note("files", f"others may read {path} ({stat.filemode(mode)})", advice)
            is_fine = False
        if not os.access(path, os.W_OK):
            notes.fail("files", f"this user may not write to {path}")
            is_fine = False
    if files and is_fine:
        notes.ok("files", f"{', '.join(str(path) for path in files)}: this user's alone")


def _look_at_room(folder: Path, notes: Notebook) -> None:
    there = next((one for one in (folder, *folder.parents) if one.exists()), None)
    if there is None:
        return
    free = shutil.disk_usage(there).free
    text = f"{free // 1_000_000} MB are left at {there}"
    if free < SPACE_PROBLEM:
        notes.fail("disk", text, "without room nothing is journalled, and nothing is sent")
    elif free < SPACE_WARNING:
        notes.warn("disk", text)
    else:
        notes.ok("disk", text)
