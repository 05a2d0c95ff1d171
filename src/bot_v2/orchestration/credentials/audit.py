"""Who has read or changed which credentials, and when: a line of JSON each, and never a value."""

from __future__ import annotations

import getpass
import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import attrs

from bot_v2.orchestration.credentials.atomic_file import FILE_MODE, make_folder
from bot_v2.orchestration.credentials.errors import StoreUnavailableError
from bot_v2.orchestration.credentials.permissions import list_file_warnings
from bot_v2.shared.types import Clock

_LOGGER: Final = logging.getLogger(__name__)

DONE: Final = "done"
"""The outcome of what went well; any other is the name of an error, or `absent`."""

ABSENT: Final = "absent"
"""The outcome of a look-up that found nothing."""


class Action(StrEnum):
    """What was done with credentials."""

    READ = "read"
    """A value was handed out."""
    SET = "set"
    """Values were kept."""
    DELETE = "delete"
    """A set was forgotten."""
    CLEAR_EXPIRED = "clear_expired"
    """Values whose time has passed were forgotten."""
    IMPORT = "import"
    """Values came from elsewhere."""
    BACKUP = "backup"
    """Everything was copied into a file."""
    RESTORE = "restore"
    """Values came from a backup."""
    ROTATE = "rotate"
    """The passphrase was changed."""


@attrs.frozen(kw_only=True)
class Access:
    """One line of the log."""

    at: datetime
    """When."""
    action: Action
    """What was done."""
    store: str | None
    """Where. None: nowhere was anything found."""
    set: str | None
    """Which set. None: all of them."""
    fields: tuple[str, ...] = ()
    """Which fields, by name."""
    outcome: str = DONE
    """`done`, `absent`, or the name of an error."""
    user: str
    """Who, as the operating system knows them."""
    process: int
    """The process."""
    program: str
    """What it was started as, without its arguments."""


class AuditLog:
    """A file of accesses that only ever grows. Safe between threads and processes.

    An access that cannot be written down is warned about and not refused: a full disk must not keep
    a bot from closing its positions.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        """Write to a file; it and its folder are made at the first access."""
        self._file = file
        self._clock = clock

    @property
    def file(self) -> Path:
        """The file."""
        return self._file

    def record(
        self,
        action: Action,
        *,
        store: str | None,
        set: str | None,
        fields: Iterable[str] = (),
        outcome: str = DONE,
    ) -> None:
        """Write down an access."""
        access = Access(
            at=self._clock(),
            action=action,
            store=store,
            set=set,
            fields=tuple(sorted(fields)),
            outcome=outcome,
            user=_user(),
            process=os.getpid(),
            program=Path(sys.argv[0] if sys.argv else "").name or "python",
        )
        try:
            self._append(_to_line(access))
        except OSError as error:
            _LOGGER.warning(
                "an access to credentials could not be written to %s: %s", self._file, error
            )

    def read(self) -> list[Access]:
        """Return the accesses, oldest first; a line that cannot be read is left out.

        Raises:
            StoreUnavailableError: the file is there, and cannot be read.
        """
        return list(self._accesses())

    def list_warnings(self) -> list[str]:
        """Return who else can read or change the log."""
        return list_file_warnings(self._file)

    def _append(self, line: bytes) -> None:
        make_folder(self._file.parent)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            end = os.lseek(handle, 0, os.SEEK_END)
            if end:
                # Whoever was killed in the middle of a line must not take this one along.
                os.lseek(handle, end - 1, os.SEEK_SET)
                if os.read(handle, 1) != b"\n":
                    line = b"\n" + line
            # One call, at the end of the file: lines of several processes do not mix.
            os.write(handle, line)
        finally:
            os.close(handle)

    def _accesses(self) -> Iterator[Access]:
        try:
            text = self._file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreUnavailableError(f"{self._file} cannot be read: {error}") from error
        for line in text.split("\n"):
            with suppress(AttributeError, KeyError, TypeError, ValueError):
                yield _from_plain(json.loads(line))


def _to_line(access: Access) -> bytes:
    plain = attrs.asdict(access)
    plain["at"] = access.at.isoformat()
    return json.dumps(plain).encode("ascii") + b"\n"


def _from_plain(plain: Any) -> Access:
    at = datetime.fromisoformat(plain.pop("at"))
    fields = tuple(str(field) for field in plain.pop("fields"))
    return Access(at=at, action=Action(plain.pop("action")), fields=fields, **plain)


def _user() -> str:
    """Return the user of the process; the environment can say anything, so it comes last."""
    try:
        import pwd
    except ImportError:
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
