"""The log of the command line: a file in the platform's folder for logs, that never grows large.

Nothing secret is in it: what has a secret's name is blanked, and what was typed is not logged.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "BOT_V2_LOG_FOLDER"
"""Where the environment names the folder; empty: no log is kept."""

COMPLETING: Final = ""
"""What runs where a shell asks for words, at each press of a key: it is not logged."""

FILE_NAME: Final = "bot-v2.log"
BYTES_MAX: Final = 1_000_000
"""How large the file grows before it is put aside."""
FILES_KEPT: Final = 5
"""How many that were put aside are kept."""

FORMAT: Final = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"

# A secret's name with what follows it: name=value, "name": "value", Name: value.
_NAMED: Final = re.compile(
    r"""(?ix)
    ( [\w.-]* (?: passphrase | passw | secret | token | signature | api[-_]?key | access[-_]key
               | private[-_]key | authorization | cookie | otp ) [\w.-]* ["']? \s* [=:] \s* )
    ( "[^"]*" | '[^']*' | (?: bearer \s+ | basic \s+ )? [^\s,;&}\])]+ )
    """
)
_IN_URL: Final = re.compile(r"(://[^/\s:@]*:)[^@\s]+@")
_KEY_BLOCK: Final = re.compile(r"-----BEGIN[^-]+-----.*?(?:-----END[^-]+-----|\Z)", re.S)


class _Blanking(logging.Formatter):
    """Formats a record, an exception's text included, and blanks what may be secret."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return blank(super().format(record))


class _QuietHandler(RotatingFileHandler):
    """A log that cannot be written is no reason to disturb a command."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing."""


def blank(text: str) -> str:
    """Return a text in which nothing that has a secret's name has a value."""
    text = _KEY_BLOCK.sub("***", text)
    text = _NAMED.sub(r"\1***", text)
    return _IN_URL.sub(r"\1***@", text)


def log_folder(environ: Mapping[str, str]) -> Path | None:
    """Return the folder of the log. None: none is kept."""
    named = environ.get(FOLDER_VARIABLE)
    if named is not None:
        return Path(named).expanduser() if named else None
    from platformdirs import user_log_path

    return user_log_path("bot-v2", appauthor=False)


@contextmanager
def logged(command: str) -> Iterator[Callable[[int], None]]:
    """Keep a log while a command runs, with how it ended; give what is told its exit code.

    Args:
        command: its name, without what was typed for it.
    """
    codes: list[int] = []
    handler = None if command == COMPLETING else _open()
    if handler is None:
        yield codes.append
        return
    logger = logging.getLogger("bot_v2")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(min(level or logging.INFO, logging.INFO))
    started = time.monotonic()
    try:
        yield codes.append
    finally:
        error = sys.exc_info()[0]
        ended = f"ended with {int(codes[0])}" if codes else "ended"
        if error is not None:
            ended = f"ended by {error.__name__}"
        logger.info("%s %s after %.3f s", command, ended, time.monotonic() - started)
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


def _open() -> RotatingFileHandler | None:
    try:
        folder = log_folder(os.environ)
        if folder is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        handler = _QuietHandler(
            folder / FILE_NAME,
            maxBytes=BYTES_MAX,
            backupCount=FILES_KEPT,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
    except (OSError, ImportError):
        # A folder that cannot be found or made is no reason to trade less.
        return None
    handler.setFormatter(_Blanking(FORMAT))
    handler.setLevel(logging.INFO)
    return handler
