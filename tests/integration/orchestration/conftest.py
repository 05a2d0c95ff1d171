"""What the tests of the orchestration share."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.integration.orchestration.postgres_server import database, postgres_server

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """One PostgreSQL server for all tests of a process."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """An empty database."""
    with database(postgres, f"journal{next(_NUMBERS)}") as url:
        yield url
