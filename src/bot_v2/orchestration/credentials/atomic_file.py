"""A file that holds the old content or the new one, whenever the process or the power ends.

It is for its owner alone from its first moment, and one process writes at a time.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bot_v2.orchestration.credentials.errors import StoreBusyError, StoreUnavailableError

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
LOCK_TIMEOUT_S: Final = 10.0
_TEMPORARY: Final = ".new"


def read(file: Path) -> bytes | None:
    """Return a file's content. None: there is no such file.

    Raises:
        StoreUnavailableError: it is there, and cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailableError(f"{file} cannot be read: {error.strerror or error}") from error


def write(file: Path, content: bytes) -> None:
    """Replace a file's content in one step that outlives a loss of power.

    A link stays one: what it leads to is replaced.

    Raises:
        StoreUnavailableError: it could not be done; the old content is there.
    """
    try:
        target = file.resolve()
        make_folder(target.parent)
        temporary = _write_beside(target, content)
        try:
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        raise StoreUnavailableError(
            f"{file} cannot be written: {error.strerror or error}"
        ) from error


def make_folder(folder: Path) -> None:
    """Make a folder that is for its owner alone, unless it is there.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


@contextmanager
def locked(file: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Keep other processes, and other threads, from writing a file; a killed holder frees it.

    Raises:
        StoreBusyError: another one has been writing for too long.
        StoreUnavailableError: the lock cannot be made.
    """
    # Beside what a link leads to: two ways to one file have one lock.
    target = file.resolve()
    lock = target.with_name(f"{target.name}.lock")
    try:
        make_folder(target.parent)
        os.close(os.open(lock, os.O_CREAT | os.O_RDWR, FILE_MODE))
        # SQLite's own lock: it works alike on every system, and ends with the process.
        connection = sqlite3.connect(lock, timeout=timeout_s, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailableError(f"{lock} cannot be made: {error}") from error
    try:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise StoreBusyError(
                f"another process has been writing {file} for {timeout_s:g} seconds"
            ) from error
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"{lock} is no lock: remove it ({error})") from error
        _remove_leftovers(target)
        yield
    finally:
        connection.close()


def _write_beside(file: Path, content: bytes) -> str:
    # mkstemp makes the file for its owner alone.
    handle, temporary = tempfile.mkstemp(_TEMPORARY, f".{file.name}.", file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    if _is_windows():
        # It has no handle of a folder to wait for.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_windows() -> bool:
    return os.name == "nt"


def _remove_leftovers(file: Path) -> None:
    """Remove what a killed writer left; whoever holds the lock is the only writer."""
    for leftover in file.parent.glob(f".{file.name}.*{_TEMPORARY}"):
        with suppress(OSError):
            leftover.unlink()
