"""The order stream: long polls of the broker's event log, on a connection of their own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType

from acme_brokerage.client import AcmeClient
from acme_brokerage.errors import Call
from acme_brokerage.session import AcmeSession
from acme_brokerage.wire import Fields
from bot_v2.features.brokerages.core.interfaces import BrokerageError, OrderEvent, StreamGap
from bot_v2.shared.types import Clock

POLL_S = 0.25
"""How long the broker may wait for something to happen, in seconds."""

CALL = Call(operation="stream_orders")


class OrderStream(AbstractContextManager[Iterator[OrderEvent | StreamGap]]):
    """The events from entering to leaving; what was missed is a gap, what came twice comes once.

    Args:
        session: asks the broker.
        client: the connection that only this stream uses.
        read: makes an event of Acme's.
        clock: stamps the gaps.
    """

    def __init__(
        self,
        session: AcmeSession,
        client: AcmeClient,
        read: Callable[[Fields], OrderEvent],
        clock: Clock,
    ) -> None:
        """Prepare; nothing is asked before the stream is entered."""
        self._session = session
        self._client = client
        self._read = read
        self._clock = clock
        self._last = 0
        self._ready: deque[OrderEvent | StreamGap] = deque()
        self._closed = threading.Event()

    def __enter__(self) -> Iterator[OrderEvent | StreamGap]:
        """Remember where the event log ends: what comes later is yielded."""
        self._last = self._session.ask(
            CALL,
            "GET",
            "/v1/events",
            lambda native: native.integer("last"),
            query={"after": "0", "wait_ms": "0", "limit": "0"},
            client=self._client,
        )
        return self._events()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the stream, and let its connection go."""
        self.close()
        self._client.close()

    def close(self) -> None:
        """End the stream: its iterator stops after the poll that is under way."""
        self._closed.set()

    def _events(self) -> Iterator[OrderEvent | StreamGap]:
        while not self._closed.is_set():
            if self._ready:
                yield self._ready.popleft()
                continue
            try:
                self._poll()
            except BrokerageError:
                # A poll that fails because the stream was closed meanwhile is its end.
                if not self._closed.is_set():
                    raise

    def _poll(self) -> None:
        query = {"after": str(self._last), "wait_ms": str(int(POLL_S * 1000))}
        self._session.ask(CALL, "GET", "/v1/events", self._take, query=query, client=self._client)

    def _take(self, native: Fields) -> None:
        events = [Fields(event) for event in native.items("events")]
        numbered = {event.integer("seq"): event for event in events}
        for number in sorted(numbered):
            if number <= self._last:
                continue
            if number > self._last + 1:
                self._miss(number - self._last - 1)
            self._ready.append(self._read(numbered[number]))
            self._last = number
        newest = native.integer("last")
        if newest > self._last and not events:
            self._miss(newest - self._last)
            self._last = newest

    def _miss(self, count: int) -> None:
        reason = f"{count} events are missing from Acme's log"
        self._ready.append(StreamGap(timestamp=self._clock(), reason=reason, missed=count))
