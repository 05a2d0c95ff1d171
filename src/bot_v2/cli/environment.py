"""The environment of one command: what is asked to be read into it is gone after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot_v2.cli.vaults import warn
from bot_v2.orchestration.configuration.dotenv_file import with_dotenv
from bot_v2.orchestration.credentials.permissions import list_file_warnings


def read(file: Path) -> None:
    """Read a `.env` into the environment of this process, so that brokerages find it there.

    Raises:
        BrokerageError: it cannot be read.
    """
    os.environ.update(with_dotenv(os.environ, file))
    warn(list_file_warnings(file))


@contextmanager
def restored() -> Iterator[None]:
    """Put the environment back at the end, for whoever runs commands in a process of theirs."""
    before = dict(os.environ)
    try:
        yield
    finally:
        if os.environ != before:
            os.environ.clear()
            os.environ.update(before)
