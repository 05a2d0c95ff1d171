"""How a coroutine waits for a call that is made in a thread, and what a cancellation ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar, cast

import attrs

from bot_v2.features.brokerages.core.errors import ConnectionError, InvalidFieldError, Outcome
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.orchestration.aio.lanes import Lane, ThreadLane
from bot_v2.orchestration.aio.streams import QUEUE_MAX, AsyncEventStream, EventQueue
from bot_v2.orchestration.aio.writes import (
    Write,
    WriteLedger,
    WriteRecord,
    WriteResult,
    WriteSubject,
    wake,
)
from bot_v2.shared.types import Clock

_T = TypeVar("_T")
_E = TypeVar("_E")
_W = TypeVar("_W", bound=WriteResult)

_LOGGER = logging.getLogger(__name__)

_COUNTS: Final = ("read_threads", "write_threads", "session_threads", "stream_queue_max")


@attrs.frozen(kw_only=True)
class AsyncSettings:
    """How many threads a brokerage has, and how much waits for the loop.

    Raises:
        InvalidFieldError: a number is below 1.
    """

    read_threads: int = 8
    """How many reads are under way at once; the others wait for their turn."""
    write_threads: int = 4
    """How many writes are."""
    session_threads: int = 2
    """How many calls are that connect, disconnect, check, log in, or open and close a stream."""
    stream_queue_max: int = QUEUE_MAX
    """How many events of a stream may wait to be read; what comes then is a gap."""

    def __attrs_post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InvalidFieldError(f"AsyncSettings.{name}", value, "a whole number, 1 or more")


class AsyncCalls:
    """The threads, the writes and the streams of one brokerage. Any loop may use it.

    Args:
        name: the brokerage's name.
        settings: the bounds.
        clock: the present moment.
        on_outcome: told of writes that end with nobody waiting.
    """

    def __init__(
        self,
        name: str,
        settings: AsyncSettings,
        clock: Clock,
        on_outcome: Callable[[WriteRecord], None] | None,
    ) -> None:
        """Start without a thread."""
        self._name = name
        self._settings = settings
        self._clock = clock
        self.ledger = WriteLedger(clock, on_outcome)
        counts = {
            Lane.READ: settings.read_threads,
            Lane.WRITE: settings.write_threads,
            Lane.SESSION: settings.session_threads,
        }
        self._lanes = {
            lane: ThreadLane(
                f"bot_v2-{name}-{lane.value}", count, is_awaited_at_exit=lane is Lane.WRITE
            )
            for lane, count in counts.items()
        }
        self._streams: dict[AsyncEventStream[Any], None] = {}
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether no call is taken any more."""
        return self._is_closed

    async def read(self, call: Callable[[], _T], lane: Lane = Lane.READ) -> _T:
        """Return what a call returns; when the wait is cancelled, what comes of it is of no use."""
        self._check_open()
        return await self._wait_for(call, lane, withdraws=True)

    async def write(self, subject: WriteSubject, call: Callable[[], _W]) -> _W:
        """Return what a write returns.

        Cancelled before it has begun, it is withdrawn, and nothing is sent. Once it has begun it
        goes on, and the ledger has what comes of it.
        """
        self._check_open()
        write = self.ledger.open(subject)
        try:
            ticket = self._lanes[Lane.WRITE].submit(lambda: write.run(call))
        except BaseException:
            self.ledger.forget(write)
            raise
        try:
            await write.wait()
        except BaseException:
            # A cancellation, or the end of the loop.
            if ticket.withdraw():
                write.withdraw()
            else:
                write.abandon()
            raise
        return cast("_W", self.told(write))

    def told(self, write: Write) -> WriteResult:
        """Return what came of a write that is over, or raise it; it counts as heard."""
        write.hear()
        return write.value()

    def stream(
        self, open_stream: Callable[[], AbstractContextManager[Iterator[_E | StreamGap]]]
    ) -> AsyncEventStream[_E]:
        """Return a stream; it is opened when it is entered."""
        return AsyncEventStream(
            open_stream,
            self._run_in_session,
            EventQueue(self._clock, self._settings.stream_queue_max),
            self._opened,
            lambda stream: self._streams.pop(stream, None),
        )

    async def close(self, disconnect: Callable[[], None], timeout_s: float) -> list[Write]:
        """Take no more calls, end the streams, wait for writes, and end the session.

        Returns:
            The writes that have not ended within `timeout_s`: they go on.
        """
        self._is_closed = True
        try:
            async with asyncio.timeout(timeout_s):
                closing = [stream.aclose() for stream in list(self._streams)]
                for error in await asyncio.gather(*closing, return_exceptions=True):
                    if error is not None:
                        _LOGGER.error("a stream of %s did not close", self._name, exc_info=error)
                for write in self._under_way():
                    await write.wait()
        except TimeoutError:
            # What is left is returned.
            pass
        finally:
            left = self._under_way()
            await self._end_session(disconnect, timeout_s)
        return left

    async def _end_session(self, disconnect: Callable[[], None], timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wait_for(disconnect, Lane.SESSION, withdraws=False)
        except TimeoutError:
            _LOGGER.exception("%s does not disconnect", self._name)
        finally:
            for lane in self._lanes.values():
                lane.close()

    def _under_way(self) -> list[Write]:
        return [write for write in self.ledger.writes() if not write.is_over]

    def _check_open(self) -> None:
        if self._is_closed:
            raise ConnectionError(
                "this brokerage for asyncio is closed", broker=self._name, outcome=Outcome.NOT_SENT
            )

    def _opened(self, stream: AsyncEventStream[Any]) -> None:
        self._check_open()
        self._streams[stream] = None

    async def _run_in_session(self, call: Callable[[], object]) -> None:
        await self._wait_for(call, Lane.SESSION, withdraws=False)

    async def _wait_for(self, call: Callable[[], _T], lane: Lane, *, withdraws: bool) -> _T:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        results: list[_T] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                results.append(call())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                errors.append(error)
            wake(loop, over)

        ticket = self._lanes[lane].submit(run)
        try:
            await over
        except BaseException:
            if withdraws:
                ticket.withdraw()
            raise
        if errors:
            raise errors.pop()
        return results[0]
