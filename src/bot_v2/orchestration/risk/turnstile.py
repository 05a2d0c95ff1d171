"""One thread of one process at a time, each waiting asleep until it is its turn.

SQLite alone lets waiters poll, so that whoever has just had a turn takes the next one as well: a
process was seen to wait for seconds. It still guards every transaction; this makes it fair.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".turn"
"""What the name of the file that is locked ends with."""


class Turnstile:
    """Lets one in at a time. Where a system has no lock that is waited for asleep, threads alone.

    Args:
        store: the store's file, beside which the locked file is. None: it is in memory.
    """

    def __init__(self, store: Path | None) -> None:
        """Let nobody in yet.

        Raises:
            OSError: the file cannot be made.
        """
        self._lock = threading.Lock()
        self._file = None
        if store is not None and sys.platform != "win32":
            self._file = store.with_name(f"{store.name}{SUFFIX}").open("ab")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn, and have it until the block ends; a process that dies lets go."""
        with self._lock:
            if self._file is None or sys.platform == "win32":
                yield
                return
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file. Twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None
