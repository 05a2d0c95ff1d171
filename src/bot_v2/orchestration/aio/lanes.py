"""Threads for the calls of one brokerage: bounded, in lanes, so that no kind starves another.

A write never waits behind reads, and neither keeps a session from being checked or ended. Threads
are started when they are needed, and end when they have had nothing to do for a while. Those of
writes are no daemons: an interpreter that exits waits for the writes under way, not for reads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from enum import StrEnum
from typing import Final

from bot_v2.features.brokerages.core.errors import (
    BrokerUnavailableError,
    ConnectionError,
    InvalidFieldError,
    Outcome,
)

READ_IDLE_S: Final = 30.0
"""After how long without work a thread ends that an exit does not wait for, in seconds."""

WRITE_IDLE_S: Final = 0.25
"""The same for a thread that an exit waits for: this is what it adds to the exit at most."""


class Lane(StrEnum):
    """The kinds of calls that have threads of their own."""

    READ = "read"
    """Whatever changes nothing."""
    WRITE = "write"
    """What may take effect at the broker."""
    SESSION = "session"
    """To connect, to disconnect, to check, to log in, and to open and close streams."""


class Ticket:
    """A call that waits, is under way, or is over."""

    def __init__(self, call: Callable[[], None], on_withdrawn: Callable[[Ticket], None]) -> None:
        """Take a call that raises nothing; it runs in the context in which this is made."""
        self._call: Callable[[], None] | None = call
        self._on_withdrawn = on_withdrawn
        self._context = copy_context()
        self._lock = threading.Lock()

    def withdraw(self) -> bool:
        """Return True, and see to it that the call never begins; False: it has begun."""
        if self._take() is None:
            return False
        self._on_withdrawn(self)
        return True

    def run(self) -> None:
        """Make the call, unless it was withdrawn."""
        call = self._take()
        if call is not None:
            self._context.run(call)

    def _take(self) -> Callable[[], None] | None:
        with self._lock:
            call, self._call = self._call, None
        return call


class ThreadLane:
    """At most so many threads, and a queue of what waits for them, first come, first served.

    Args:
        name: what its threads are called.
        threads_max: how many threads there are at most.
        is_awaited_at_exit: True: an interpreter that exits waits for its calls.
        idle_s: after how long without work a thread ends, in seconds. None: the usual.

    Raises:
        InvalidFieldError: there would be no thread.
    """

    def __init__(
        self,
        name: str,
        threads_max: int,
        *,
        is_awaited_at_exit: bool = False,
        idle_s: float | None = None,
    ) -> None:
        """Start without a thread."""
        if type(threads_max) is not int or threads_max < 1:
            raise InvalidFieldError("threads_max", threads_max, "a whole number, 1 or more")
        self._name = name
        self._threads_max = threads_max
        self._daemon = not is_awaited_at_exit
        usual_s = WRITE_IDLE_S if is_awaited_at_exit else READ_IDLE_S
        self._idle_s = usual_s if idle_s is None else idle_s
        self._waiting: deque[Ticket] = deque()
        self._threads = 0
        self._idle = 0
        self._is_closed = False
        self._condition = threading.Condition()

    def submit(self, call: Callable[[], None]) -> Ticket:
        """Have a call made in a thread as soon as one is free; it must raise nothing.

        Raises:
            ConnectionError: the lane is closed (NOT_SENT).
            BrokerUnavailableError: the process has no thread to give (NOT_SENT).
        """
        ticket = Ticket(call, self._discard)
        with self._condition:
            if self._is_closed:
                raise ConnectionError(f"{self._name} is closed", outcome=Outcome.NOT_SENT)
            self._waiting.append(ticket)
            if len(self._waiting) <= self._idle:
                self._condition.notify()
            elif self._threads < self._threads_max:
                self._start()
        return ticket

    def close(self) -> None:
        """Take no more calls; what waits is still made, and then the threads end."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    @property
    def thread_count(self) -> int:
        """How many threads there are now."""
        return self._threads

    @property
    def idle_count(self) -> int:
        """How many of them have nothing to do."""
        return self._idle

    def _discard(self, ticket: Ticket) -> None:
        # Where every thread hangs, what is given up must not pile up. A thread may have it by now.
        with self._condition, suppress(ValueError):
            self._waiting.remove(ticket)

    @property
    def waiting_count(self) -> int:
        """How many calls wait for a thread."""
        return len(self._waiting)

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=self._name, daemon=self._daemon)
        try:
            thread.start()
        except RuntimeError as error:
            if self._threads:
                return
            self._waiting.pop()
            raise BrokerUnavailableError(
                f"{self._name}: this process can start no thread", outcome=Outcome.NOT_SENT
            ) from error
        self._threads += 1

    def _work(self) -> None:
        while (ticket := self._next()) is not None:
            ticket.run()

    def _next(self) -> Ticket | None:
        with self._condition:
            while not self._waiting:
                if self._is_closed:
                    break
                self._idle += 1
                is_woken = self._condition.wait(self._idle_s)
                self._idle -= 1
                if not is_woken and not self._waiting:
                    break
            if self._waiting:
                return self._waiting.popleft()
            self._threads -= 1
            return None
