"""Reading a stream with patience that ends."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from bot_v2.testing.violation import expect, shown

_END: Final = object()


class Listener:
    """Reads a stream in a thread of its own, and keeps what came."""

    def __init__(self, events: Iterator[Any]) -> None:
        """Start to read."""
        self.seen: list[Any] = []
        """What came, in order."""
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._read, args=(events,), daemon=True)
        self._thread.start()

    def _read(self, events: Iterator[Any]) -> None:
        try:
            for event in events:
                self._queue.put(event)
        except BaseException as error:  # noqa: BLE001 - told to the thread that asks
            self._error = error
        self._queue.put(_END)

    def wait_for(self, accept: Callable[[Any], bool], timeout_s: float, what: str) -> Any:
        """Return the first event, of those not yet looked at, that will do.

        Raises:
            ContractViolation: none comes in time, or the stream ends before.
        """
        end = time.monotonic() + timeout_s
        while (left_s := end - time.monotonic()) > 0:
            try:
                event = self._queue.get(timeout=left_s)
            except queue.Empty:
                break
            if event is _END:
                expect(False, f"{what}; the stream ended", shown(self._error))
            self.seen.append(event)
            if accept(event):
                return event
        expect(False, f"{what} within {timeout_s} s", self.seen[-5:])
        return None

    def drain(self, quiet_s: float) -> list[Any]:
        """Read until nothing comes for a while, and return all that came."""
        while True:
            try:
                event = self._queue.get(timeout=quiet_s)
            except queue.Empty:
                return self.seen
            if event is _END:
                return self.seen
            self.seen.append(event)

    def has_ended(self, timeout_s: float) -> bool:
        """Return whether the stream's iterator ended, by itself and without an error."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and self._error is None


@contextmanager
def listening(stream: AbstractContextManager[Iterator[Any]]) -> Iterator[Listener]:
    """Open a stream and listen to it; it is closed afterwards."""
    with stream as events:
        yield Listener(events)
