"""A thread that keeps a connection to a broker's stream open, and says when it was not."""

from __future__ import annotations

import logging
import math
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, Protocol, TypeVar

import attrs

from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    ConnectionError,
    InvalidRequestError,
    MissingDependencyError,
    PermissionDeniedError,
    TimeoutError,
)
from bot_v2.features.brokerages.core.events import StreamGap
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.http.tls import shared_tls_context
from bot_v2.features.brokerages.streaming.events import EventStream
from bot_v2.features.brokerages.streaming.settings import StreamSettings
from bot_v2.features.brokerages.streaming.websocket import WebSocket
from bot_v2.shared.types import Clock

_E = TypeVar("_E")
_E_co = TypeVar("_E_co", covariant=True)

_log = logging.getLogger(__name__)

TICK_S: Final = 0.25
"""How long at most nothing is looked after while no message comes, in seconds."""

FINAL: Final = (
    AuthenticationError,
    InvalidRequestError,
    MissingDependencyError,
    PermissionDeniedError,
)
"""What asking again does not mend: it ends the stream, if a connection begins with it."""


class Talk(Protocol[_E_co]):
    """What is said on one connection, in a broker's words. All of it in one thread."""

    def begin(self, send: Callable[[str | bytes], None]) -> None:
        """Say who asks, and for what; `send` may be kept for later."""
        ...

    def hear(self, message: bytes) -> Iterable[_E_co | StreamGap]:
        """Return what a message tells.

        A message that cannot be read is a gap, not an error.

        Raises:
            BrokerageError: the connection is of no use any more; a gap is told, and another made.
        """
        ...

    def tick(self) -> Iterable[_E_co | StreamGap]:
        """Do what is due, such as reading over HTTP what was missed; return what that tells.

        It is called after each message, and a few times a second. Raises as `hear`.
        """
        ...

    @property
    def is_ready(self) -> bool:
        """Whether everything that was asked for is there: from now on nothing is missed."""
        ...


@attrs.frozen(kw_only=True, repr=False)
class Address:
    """Where a stream is, and how it is reached."""

    url: str
    """`wss://…`, or `ws://…` on this machine."""
    headers: Callable[[], Mapping[str, str]] = dict
    """Returns what the opening request says beside the usual; asked for each connection."""
    tls: Callable[[], ssl.SSLContext] = shared_tls_context
    """Returns the context for TLS."""


class Feed(Generic[_E]):
    """Fills EventStreams from connections, one after the other, in a thread of its own.

    A connection that is lost, or falls silent, is a StreamGap as soon as that is found out, and
    another is made: after a while that grows with each attempt. It ends with its last reader.

    Args:
        call: what its errors say.
        address: where to connect.
        make_talk: makes what is said on a connection.
        settings: its bounds.
        clock: stamps the gaps.
        rng: a number from 0 to 1, for the jitter of waits.
    """

    def __init__(
        self,
        call: Call,
        address: Address,
        make_talk: Callable[[], Talk[_E]],
        settings: StreamSettings,
        clock: Clock,
        rng: Callable[[], float] = random.random,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._call = call
        self._address = address
        self._make_talk = make_talk
        self._readers: tuple[EventStream[_E], ...] = ()
        self._lock = threading.Lock()
        self._has_ended = False
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._stop = threading.Event()
        self._decided = threading.Event()
        self._failure: BrokerageError | None = None
        self._socket: WebSocket | None = None
        self._attempts = 0
        self._is_live = False
        self._thread = threading.Thread(
            target=self._run, name=f"{call.broker}-{call.operation}", daemon=True
        )

    def add(self, reader: EventStream[_E]) -> bool:
        """Give events to a reader from now on; False where there will be none any more."""
        with self._lock:
            if self._has_ended or self._stop.is_set():
                return False
            self._readers = (*self._readers, reader)
            return True

    def remove(self, reader: EventStream[_E]) -> None:
        """End a reader's stream; with the last one everything ends. Twice is harmless."""
        reader.close(discard=True)
        with self._lock:
            self._readers = tuple(one for one in self._readers if one is not reader)
            self._has_ended = self._has_ended or not self._readers
            is_over = self._has_ended
        if is_over:
            self.close()

    @property
    def is_over(self) -> bool:
        """Whether no event will come any more."""
        return self._has_ended or self._stop.is_set()

    def open(self) -> None:
        """Start the thread if it does not run, and wait until events come.

        Raises:
            BrokerageError: they do not: why.
        """
        with self._lock:
            if self._thread.ident is None and not self._stop.is_set():
                self._thread.start()
        # In pieces: some systems do not let a wait without end be interrupted.
        while not (self._decided.wait(1.0) or self._stop.is_set()):
            pass
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """End the streams, the connection and the thread. Twice is harmless."""
        self._stop.set()
        for reader in self._readers:
            reader.close(discard=True)
        connection = self._socket
        if connection is not None:
            connection.interrupt()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._settings.close_timeout_s)

    # In the thread.

    def _is_over(self) -> bool:
        with self._lock:
            if self._stop.is_set() or all(reader.is_closed for reader in self._readers):
                self._has_ended = True
            return self._has_ended

    def _run(self) -> None:
        try:
            while not self._is_over():
                self._is_live = False
                error = self._failed()
                if self._is_over():
                    break
                if not self._decided.is_set():
                    self._failure = error
                    break
                if self._is_live:
                    self._report(error)
                elif isinstance(error, FINAL):
                    self._end(error)
                    break
                self._stop.wait(self._pause_s(error))
        finally:
            self._end()
            self._decided.set()

    def _end(self, error: BrokerageError | None = None) -> None:
        with self._lock:
            self._has_ended = True
            readers = self._readers
        for reader in readers:
            reader.close(error)

    def _failed(self) -> BrokerageError:
        """Serve one connection to its end, and return why it ended."""
        try:
            self._serve()
        except BrokerageError as error:
            return error
        except Exception as error:  # noqa: BLE001 - the thread has nobody above it to tell
            _log.exception("%s: the stream failed", self._call.operation)
            return self._error(f"the stream failed: {type(error).__name__}")
        return self._error("the stream was closed")

    def _serve(self) -> None:
        bounds = self._settings
        connection = WebSocket.open(
            self._address.url,
            self._call,
            bounds,
            tls=self._address.tls,
            headers=self._address.headers(),
        )
        self._socket = connection
        try:
            talk = self._make_talk()
            talk.begin(connection.send)
            watch = _Watch(bounds)
            while not self._is_over():
                message = watch.receive(connection)
                if message is not None:
                    self._publish(talk.hear(message))
                self._publish(talk.tick())
                self._note(talk, watch)
                if (problem := watch.problem()) is not None:
                    raise self._error(problem, TimeoutError)
                if watch.wants_ping():
                    connection.ping()
        finally:
            self._socket = None
            connection.close()

    def _note(self, talk: Talk[_E], watch: _Watch) -> None:
        """Note whether the connection is of use, and for long enough to be called steady."""
        if not talk.is_ready:
            return
        if not self._is_live:
            self._is_live = True
            watch.ready_at = time.monotonic()
            self._decided.set()
        if watch.is_steady():
            self._attempts = 0

    def _publish(self, events: Iterable[_E | StreamGap]) -> None:
        for event in events:
            for reader in self._readers:
                reader.publish(event)

    def _report(self, error: BrokerageError) -> None:
        reason = f"the connection was lost: {error.message}"
        self._publish([StreamGap(timestamp=self._clock(), reason=reason)])

    def _pause_s(self, error: BrokerageError) -> float:
        bounds = self._settings
        # The exponent is bounded, too: two to the power of an outage of a week is no float.
        longest = bounds.backoff_initial_s * float(2 ** min(self._attempts, 32))
        self._attempts += 1
        pause_s = min(longest, bounds.backoff_max_s) * (0.5 + self._rng() / 2)
        return max(pause_s, error.retry_after_s or 0.0)

    def _error(self, why: str, kind: type[BrokerageError] = ConnectionError) -> BrokerageError:
        context = self._call.context()
        context.setdefault("outcome", None)
        return kind(f"{self._call.broker}: {why}", **context)


class _Watch:
    """Tells when a connection that is open is of no use.

    Silence is what was listened to: while the talk reads over HTTP, nobody listens.
    """

    def __init__(self, bounds: StreamSettings) -> None:
        self._bounds = bounds
        self._tick_s = min(TICK_S, (bounds.ping_interval_s or math.inf) / 2)
        self._opened_at = self._pinged_at = time.monotonic()
        self._without_message_s = 0.0
        self._without_byte_s = 0.0
        self.ready_at: float | None = None

    def receive(self, connection: WebSocket) -> bytes | None:
        began, heard_at = time.monotonic(), connection.heard_at
        message = connection.receive(self._tick_s)
        waited_s = time.monotonic() - began
        self._without_message_s = 0.0 if message is not None else self._without_message_s + waited_s
        was_heard = message is not None or connection.heard_at != heard_at
        self._without_byte_s = 0.0 if was_heard else self._without_byte_s + waited_s
        return message

    def problem(self) -> str | None:
        bounds = self._bounds
        open_s = time.monotonic() - self._opened_at
        if self.ready_at is None and open_s > bounds.ready_timeout_s:
            return f"it did not give what was asked for within {bounds.ready_timeout_s:g} s"
        if bounds.silence_max_s is not None and self._without_message_s > bounds.silence_max_s:
            return f"nothing was said for {bounds.silence_max_s:g} s"
        pinged_s = bounds.ping_interval_s
        if pinged_s is not None and self._without_byte_s > 2 * pinged_s:
            return f"no answer to pings for {2 * pinged_s:g} s"
        return None

    def is_steady(self) -> bool:
        ready_at = self.ready_at
        return ready_at is not None and time.monotonic() - ready_at >= self._bounds.steady_s

    def wants_ping(self) -> bool:
        interval_s, now = self._bounds.ping_interval_s, time.monotonic()
        if interval_s is None or now - self._pinged_at < interval_s:
            return False
        self._pinged_at = now
        return True
