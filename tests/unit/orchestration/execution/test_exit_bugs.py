"""The tests of the watch find mistakes in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest

from tests.unit.orchestration.execution import (
    test_exit_crashes,
    test_exit_repair,
    test_exit_watch,
)
from tests.unit.orchestration.execution.broken_watches import WATCH_BUGS, WatchBug

MODULES = (test_exit_watch, test_exit_repair, test_exit_crashes)


def runs_of(name: str) -> Iterator[Callable[[], None]]:
    """Yield each run of a test, by its parameters."""
    (test,) = (
        found
        for module in MODULES
        for attribute, found in vars(module).items()
        if attribute.startswith(name) and found.__module__ == module.__name__
    )
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    axes = [list(_points(*mark.args)) for mark in marks]
    for combination in product(*axes):
        arguments = {key: value for part in combination for key, value in part.items()}
        yield partial(test, **arguments)


def _points(names: str | tuple[str, ...], values: list[Any]) -> Iterator[dict[str, Any]]:
    for value in values:
        yield {names: value} if isinstance(names, str) else dict(zip(names, value, strict=True))


@pytest.mark.parametrize("bug", WATCH_BUGS, ids=lambda bug: bug.breaks.__name__)
def test_each_mistake_in_the_watch_is_found(bug: WatchBug) -> None:
    """With the mistake, one of the tests that are named for it fails."""
    for name in bug.tests:
        for run in runs_of(name):
            try:
                with bug.breaks():
                    run()
            except (AssertionError, ValueError) as found:
                print(f"{bug.name} Found by {name}: {found}")
                return
    pytest.fail(f"no test found it: {bug.name}")
