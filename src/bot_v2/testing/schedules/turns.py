"""Tasks of which one runs at a time, and says which one is next.

With greenlet installed they take turns within one thread, which is several times quicker; without
it each has a thread of its own. Which one is next is not decided here, so both give the same run.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

Body: TypeAlias = Callable[[], int | None]
"""Runs a task to its end; returns which one is next. None: all have ended."""


class Turns(Protocol):
    """Runs tasks, each known by its number."""

    def run(self, bodies: Sequence[Body], first: int) -> None:
        """Run tasks, beginning with one of them, until all have ended."""
        ...

    def pass_on(self, giver: int, taker: int) -> None:
        """Let another task go on; return when it is the giver's turn again."""
        ...


class ThreadTurns:
    """Gives each task a thread."""

    def __init__(self) -> None:
        """Run nothing yet."""
        self._turns: list[threading.Lock] = []
        self._over = threading.Event()

    def run(self, bodies: Sequence[Body], first: int) -> None:
        """Run tasks, beginning with one of them, until all have ended."""
        self._over.clear()
        # A lock that is held until it is the task's turn.
        self._turns = [threading.Lock() for _ in bodies]
        for turn in self._turns:
            turn.acquire()
        threads = [
            threading.Thread(target=self._live, args=(number, body), daemon=True)
            for number, body in enumerate(bodies)
        ]
        for thread in threads:
            thread.start()
        self._turns[first].release()
        self._over.wait()
        for thread in threads:
            thread.join()

    def _live(self, number: int, body: Body) -> None:
        self._turns[number].acquire()
        following = body()
        if following is None:
            self._over.set()
        else:
            self._turns[following].release()

    def pass_on(self, giver: int, taker: int) -> None:
        """Let another task go on; return when it is the giver's turn again."""
        self._turns[taker].release()
        self._turns[giver].acquire()


class GreenletTurns:
    """Lets all tasks take turns in the caller's thread."""

    def __init__(self) -> None:
        """Run nothing yet.

        Raises:
            ImportError: greenlet is not installed.
        """
        # It ships no types: it is loaded by name, and what is made of it is checked here.
        self._greenlet: Any = importlib.import_module("greenlet")
        self._tasks: list[Any] = []

    def run(self, bodies: Sequence[Body], first: int) -> None:
        """Run tasks, beginning with one of them, until all have ended."""
        caller = self._greenlet.getcurrent()

        def live(number: int) -> Callable[..., None]:
            def body(*_: object) -> None:
                following = bodies[number]()
                # Where a task has ended, its parent goes on.
                self._tasks[number].parent = caller if following is None else self._tasks[following]

            return body

        self._tasks = [self._greenlet.greenlet(live(number)) for number in range(len(bodies))]
        self._tasks[first].switch()
        self._tasks.clear()

    def pass_on(self, giver: int, taker: int) -> None:
        """Let another task go on; return when it is the giver's turn again."""
        self._tasks[taker].switch()


def best_turns() -> Turns:
    """Return the quickest way that there is.

    A debugger, and what measures coverage, follow threads, and lose their way among greenlets.
    """
    if sys.gettrace() is not None:
        return ThreadTurns()
    try:
        return GreenletTurns()
    except ImportError:
        return ThreadTurns()
