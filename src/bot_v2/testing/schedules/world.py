"""A world of virtual time, in which one task runs at a time and the process can die at any step."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from bot_v2.testing.schedules.turns import Turns, best_turns

START: Final = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
"""When each world begins."""

STEPS_MAX: Final = 20_000
"""After so many steps a run is taken for endless."""


class Crash(BaseException):
    """The process has died; no code of it runs on, and what it held in memory is gone."""


class EndlessRunError(Exception):
    """A run does not come to an end."""


class _Task:
    def __init__(self, number: int, work: Callable[[], None]) -> None:
        self.number = number
        self.work = work
        self.wakes_at: datetime | None = None
        self.wants: Hashable = None
        self.is_done = False
        self.error: BaseException | None = None


class World:
    """Time, waiting, chance and locks for an executor, and the steps at which it can die.

    Args:
        seed: decides which task goes on, where several can.
        crashes: the numbers of the steps at which the process dies; the first step is number 1.
        turns: how tasks take turns. None: in the quickest way that is installed.
    """

    def __init__(self, seed: int, crashes: Sequence[int] = (), turns: Turns | None = None) -> None:
        """Begin at `START`, with nothing to do."""
        self.now = START
        """The present moment, whatever the clock says."""
        self._set_by = timedelta(0)
        self.steps = 0
        """How many steps there were."""
        self.trace: list[str] = []
        """What each step was."""
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._crashes = frozenset(crashes)
        self._due: list[tuple[datetime, Callable[[], None]]] = []
        self._is_dead = False
        self._current: _Task | None = None
        self._tasks: list[_Task] = []
        self._error: Exception | None = None
        self._turns = turns or best_turns()
        self._held: dict[Hashable, tuple[_Task | None, int]] = {}

    # What the executor takes

    def clock(self) -> datetime:
        """Return the present moment."""
        return self.now + self._set_by

    def elapsed(self) -> timedelta:
        """Return how long it is since the beginning."""
        return self.now - START

    def jitter(self) -> float:
        """Return no jitter: chance is in the schedule."""
        return 0.0

    def wait(self, seconds: float) -> None:
        """Let virtual seconds pass; other tasks may go on meanwhile."""
        self.step("wait")
        if self._current is None:
            self.advance_to(self.now + timedelta(seconds=seconds))
            return
        self._current.wakes_at = self.now + timedelta(seconds=seconds)
        self._give_way()

    @contextmanager
    def guard(self, key: Hashable) -> Iterator[None]:
        """Let one task at a time do what goes by a key."""
        self._take(key)
        try:
            yield
        finally:
            self._let_go(key)

    @contextmanager
    def try_guard(self, key: Hashable) -> Iterator[bool]:
        """As `guard`, but give False at once where another task is at it."""
        holder = self._held.get(key)
        if holder is not None and holder[0] is not self._current:
            yield False
            return
        with self.guard(key):
            yield True

    def _take(self, key: Hashable) -> None:
        task = self._current
        while (holder := self._held.get(key)) is not None and holder[0] is not task:
            if task is None:
                raise EndlessRunError(f"{key!r} is held by a task that does not run")
            task.wants = key
            self._give_way()
        self._held[key] = (task, 1 if holder is None else holder[1] + 1)

    def _let_go(self, key: Hashable) -> None:
        task, count = self._held[key]
        if count > 1:
            self._held[key] = (task, count - 1)
        else:
            del self._held[key]

    # What the harness does

    def set_clock(self, forward: timedelta) -> None:
        """Set the clock forward, or back; no time passes."""
        self._set_by += forward

    def at(self, moment: datetime, action: Callable[[], None]) -> None:
        """Let something happen at a moment, whoever is alive then."""
        self._due.append((moment, action))

    def advance_to(self, moment: datetime) -> None:
        """Let time pass; what is due happens when it is due."""
        while self._due:
            due = min(self._due, key=lambda each: each[0])
            if due[0] > moment:
                break
            self._due.remove(due)
            self.now = max(self.now, due[0])
            due[1]()
        self.now = max(self.now, moment)

    def step(self, name: str) -> None:
        """Take a step: the process may die here, and another task may go on.

        Raises:
            Crash: it has died.
        """
        if self._is_dead:
            raise Crash
        self.steps += 1
        self.trace.append(name)
        if self.steps in self._crashes:
            self._is_dead = True
            raise Crash
        if self.steps > STEPS_MAX:
            raise EndlessRunError(f"no end after {STEPS_MAX} steps")
        if self._current is not None:
            self._give_way()

    def run(self, works: Sequence[Callable[[], None]]) -> bool:
        """Run tasks side by side until all have ended; return whether the process has died."""
        self._is_dead = False
        self._error = None
        self._held.clear()
        if len(works) == 1:
            try:
                works[0]()
            except Crash:
                return True
            return self._is_dead
        self._tasks = [_Task(number, work) for number, work in enumerate(works)]
        first = self._choose()
        if first is not None:
            self._turns.run([partial(self._live, task) for task in self._tasks], first.number)
        errors = [self._error, *(task.error for task in self._tasks)]
        for error in errors:
            if error is not None:
                raise error
        return self._is_dead

    def _live(self, task: _Task) -> int | None:
        try:
            task.work()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the tasks were started
            task.error = error
            self._is_dead = True
        task.is_done = True
        following = self._choose()
        return None if following is None else following.number

    def _give_way(self) -> None:
        task = self._current
        if task is None:
            return
        following = self._choose()
        if following is not None and following is not task:
            self._turns.pass_on(task.number, following.number)
        task.wakes_at = task.wants = None
        if self._is_dead:
            raise Crash

    def _choose(self) -> _Task | None:
        """Let a task go on, and return it. None: all have ended."""
        try:
            self._current = self._next()
        except Exception as error:  # noqa: BLE001 - raised again where the tasks were started
            self._error, self._is_dead = error, True
            self._current = self._next()
        return self._current

    def _next(self) -> _Task | None:
        alive = [task for task in self._tasks if not task.is_done]
        if not alive:
            return None
        if self._is_dead:
            return alive[0]
        ready = [task for task in alive if self._can_go_on(task)]
        if not ready:
            sleepers = [task.wakes_at for task in alive if task.wakes_at is not None]
            if not sleepers:
                raise EndlessRunError("every task waits for another")
            self.advance_to(min(sleepers))
            ready = [task for task in alive if self._can_go_on(task)]
        return ready[self._random.randrange(len(ready))]

    def _can_go_on(self, task: _Task) -> bool:
        if task.wants is not None:
            return task.wants not in self._held
        return task.wakes_at is None or task.wakes_at <= self.now
