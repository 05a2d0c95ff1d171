"""Asking several brokerages at once: what each answered, when, and who did not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError, BrokerAPIError, TimeoutError
from bot_v2.orchestration.aio.lanes import Ticket
from bot_v2.orchestration.desk.members import Member
from bot_v2.shared.types import Clock

_T = TypeVar("_T")


@attrs.frozen(kw_only=True)
class Missing:
    """A brokerage, or a part of its answer, that is not in a result: that is not zero."""

    broker: str
    """The brokerage's name in the desk."""
    operation: str
    """What was asked of it."""
    error: BrokerageError
    """Why there is no answer."""
    timestamp: datetime
    """When that was found out."""
    subject: str | None = None
    """The symbol or currency concerned. None: all of the answer."""


@attrs.frozen(kw_only=True)
class Reading(Generic[_T]):
    """What one brokerage answered."""

    broker: str
    """The brokerage's name in the desk."""
    value: _T
    """The answer."""
    as_of: datetime
    """When it was asked for: the answer is not older, as far as the broker's reads are fresh."""
    subject: str | None = None
    """The symbol concerned. None: it is not about one."""


@attrs.frozen(kw_only=True)
class Job(Generic[_T]):
    """One question to one brokerage."""

    member: Member
    """Whom to ask."""
    operation: str
    """What is asked, for the errors."""
    call: Callable[[], _T]
    """Asks it; it may take as long as it likes."""
    subject: str | None = None
    """The symbol concerned. None: it is not about one."""


@attrs.frozen
class Answers(Generic[_T]):
    """What came of some questions, in the order in which they were asked."""

    readings: tuple[Reading[_T], ...]
    missing: tuple[Missing, ...]


class ParallelReader:
    """Asks brokerages at once, and waits for none beyond the time for it.

    Args:
        clock: dates the answers.
        monotonic: the time that is waited by, in seconds.
    """

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Ask nothing yet."""
        self.clock = clock
        self._monotonic = monotonic

    def read(
        self, jobs: Sequence[Job[_T]], timeout_s: float, *, in_session: bool = False
    ) -> Answers[_T]:
        """Return what came of some questions; it raises for nothing that a brokerage does.

        Args:
            jobs: the questions.
            timeout_s: how long to wait for the last answer, in seconds.
            in_session: True: they are about sessions, and do not wait for reads.
        """
        results: dict[int, Reading[_T] | Missing] = {}
        arrived: SimpleQueue[tuple[int, Reading[_T] | Missing]] = SimpleQueue()
        deadline = self._monotonic() + timeout_s
        tickets: dict[int, Ticket] = {}
        for index, job in enumerate(jobs):
            lane = job.member.session if in_session else job.member.reads
            try:
                tickets[index] = lane.submit(self._asking(index, job, arrived))
            except BrokerageError as error:
                results[index] = self._missing(job, error)
        while len(results) < len(jobs):
            try:
                index, result = arrived.get(timeout=max(0.0, deadline - self._monotonic()))
            except Empty:
                break
            results[index] = result
        for index, job in enumerate(jobs):
            if index not in results:
                tickets[index].withdraw()
                silence = TimeoutError(
                    f"no answer within {timeout_s:g} s",
                    broker=job.member.name,
                    operation=job.operation,
                    symbol=job.subject,
                )
                results[index] = self._missing(job, silence)
        in_order = [results[index] for index in range(len(jobs))]
        return Answers(
            tuple(one for one in in_order if isinstance(one, Reading)),
            tuple(one for one in in_order if isinstance(one, Missing)),
        )

    def _asking(
        self,
        index: int,
        job: Job[_T],
        arrived: SimpleQueue[tuple[int, Reading[_T] | Missing]],
    ) -> Callable[[], None]:
        def ask() -> None:
            as_of = self.clock()
            result: Reading[_T] | Missing
            try:
                result = Reading(
                    broker=job.member.name, value=job.call(), as_of=as_of, subject=job.subject
                )
            except BaseException as error:  # noqa: BLE001 - whatever it raises, it is missing
                result = self._missing(job, as_brokerage_error(job, error))
            arrived.put((index, result))

        return ask

    def _missing(self, job: Job[_T], error: BrokerageError) -> Missing:
        return Missing(
            broker=job.member.name,
            operation=job.operation,
            error=error,
            timestamp=self.clock(),
            subject=job.subject,
        )


def as_brokerage_error(job: Job[_T], error: BaseException) -> BrokerageError:
    """Return an error that an adapter should not have raised as one that it may."""
    if isinstance(error, BrokerageError):
        return error
    made = BrokerAPIError(
        f"{type(error).__name__}: {error}",
        broker=job.member.name,
        operation=job.operation,
        symbol=job.subject,
    )
    made.__cause__ = error
    return made


def oldest(moments: Iterable[datetime]) -> datetime | None:
    """Return the earliest of some moments. None: there is none."""
    return min(moments, default=None)
