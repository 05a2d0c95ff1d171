"""What the tests of the orchestration share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.orchestration.postgres_server import (
    NoServerError,
    database,
    postgres_server,
)

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """One PostgreSQL server for all tests of a process."""
    with ExitStack() as started:
        try:
            server = started.enter_context(postgres_server())
        except NoServerError as error:
            if os.environ.get("CI"):
                pytest.fail(f"in CI no test may go without PostgreSQL: {error}")
            pytest.skip(str(error))
        yield server


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """An empty database."""
    with database(postgres, f"journal{next(_NUMBERS)}") as url:
        yield url
