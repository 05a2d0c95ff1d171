"""An event loop of one brokerage, in a daemon thread of its own.

Callers wait for it from any thread, also from inside another loop that is running. It is no loop of
the caller's, and of no loop policy: nothing here depends on who calls.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

SLICE_S: Final = 0.25
"""How long a caller waits without looking whether it is interrupted, in seconds."""

STOP_S: Final = 5.0
"""How long the thread may take to end, in seconds."""


class LoopThread:
    """Runs coroutines for callers in other threads, from the first one on until it is stopped.

    Once it was stopped it runs nothing more.

    Args:
        name: what the thread is called.
    """

    def __init__(self, name: str) -> None:
        """Start nothing yet."""
        self._name = name
        # It may be asked for again where it is held: by a stream that is collected just then.
        self._lock = threading.RLock()
        self._is_over = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run a coroutine in the loop, and return what it returns, or raise what it raises.

        Raises:
            RuntimeError: it is called from the loop itself, which would wait for itself.
            concurrent.futures.CancelledError: the loop was stopped before the work was done.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a call from the loop's own thread would wait for itself for ever")
        waiting = self._submit(work)
        while not waiting.done():
            # In slices, so that Ctrl-C ends the waiting everywhere; the work goes on.
            with suppress(TimeoutError):
                return waiting.result(SLICE_S)
        return waiting.result()

    def post(self, action: Callable[[], object]) -> None:
        """Have something done in the loop, and do not wait; nothing where it does not run."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(action)

    def stop(self) -> None:
        """End the loop and its thread. Twice is harmless."""
        with self._lock:
            self._is_over = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if loop is not None:
                loop.call_soon_threadsafe(loop.stop)
        if thread is not None:
            thread.join(STOP_S)

    def _submit(self, work: Callable[[], Coroutine[Any, Any, _T]]) -> Future[_T]:
        with self._lock:
            if self._is_over:
                raise CancelledError("the loop was stopped")
            if self._loop is None:
                # Not `new_event_loop`, which would be another one under another policy.
                loop = asyncio.SelectorEventLoop()
                self._thread = threading.Thread(
                    target=_serve, args=(loop,), name=self._name, daemon=True
                )
                self._thread.start()
                self._loop = loop
            # Under the lock: what comes before the stop is begun before it, and is cancelled then.
            return asyncio.run_coroutine_threadsafe(work(), self._loop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        waiting = asyncio.all_tasks(loop)
        for task in waiting:
            task.cancel()
        if waiting:
            loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
    finally:
        loop.close()
