"""The in-process wire between the adapter and its exchange: latency, and faults on demand.

Every operation passes through `PaperLink.call`, which is where the simulated network is: what goes
wrong on the way is a `LinkError`, and `errors.py` says what it means for the caller.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final, Generic, TypeVar

from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidFieldError
from bot_v2.features.brokerages.paper.skew import shift_times
from bot_v2.simulation.faults import WIRE_FAULTS, Fault

_Venue = TypeVar("_Venue")
_T = TypeVar("_T")
_Event = TypeVar("_Event")

FAULTS: Final = frozenset(Fault) - WIRE_FAULTS
"""The faults that a link can commit: without bytes there is nothing to garble."""

SKEW: Final = timedelta(minutes=-5)
"""How far the exchange's clock is off while CLOCK_SKEW lasts: its times look older than they are.

Behind is the harder way: a search for "orders since I sent it" then misses the order.
"""

RETRY_AFTER_S: Final = 1.0
"""What a rate-limited caller is asked to wait, in seconds."""

OPENING: Final = "connect"
"""The operation that renews a session."""

_NOT_RECEIVED: Final = frozenset({Fault.RESET_BEFORE})
_WITHOUT_EFFECT: Final = frozenset(
    {Fault.DROP_BEFORE_ACCEPT, Fault.RATE_LIMIT, Fault.UNAVAILABLE, Fault.SESSION_EXPIRED}
)
_AFTER_EFFECT: Final = frozenset({Fault.DROP_AFTER_ACCEPT, Fault.RESET_AFTER, Fault.SERVER_ERROR})
_ON_STREAMS: Final = frozenset({Fault.REORDER_EVENTS})
_ON_CALLS: Final = FAULTS - _ON_STREAMS
_LASTING: Final = frozenset(
    {Fault.STALE_READ, Fault.CLOCK_SKEW, Fault.MUTE_STREAM, Fault.DUPLICATE_EVENT}
)


class LinkError(Exception):
    """A call failed on the way, or the exchange refused to serve it."""

    def __init__(self, fault: Fault, retry_after_s: float | None = None) -> None:
        """State what happened, as the simulation knows it; the caller may not be told as much."""
        super().__init__(fault.value)
        self.fault = fault
        self.retry_after_s = retry_after_s


class PaperLink(Generic[_Venue]):
    """Carries calls to an exchange in this process, one at a time.

    Args:
        lock: the one lock around the exchange.
        reach: returns the exchange as it is now; called with the lock held.
        remember: takes note of the exchange as it is, and returns what shows it as it was then;
            called with the lock held.
        wait: lets some seconds pass on the clock in use.
        round_trip_s: how long a call is under way, half of it each way, in seconds.
    """

    def __init__(
        self,
        *,
        lock: threading.RLock,
        reach: Callable[[], _Venue],
        remember: Callable[[], Callable[[], _Venue]],
        wait: Callable[[float], object],
        round_trip_s: float = 0.0,
    ) -> None:
        """Connect the two ends; nothing is called yet."""
        self._lock = lock
        self._reach = reach
        self._remember = remember
        self._wait = wait
        self.round_trip_s = round_trip_s
        """How long a call is under way, in seconds."""
        self.keeps_previous = False
        """True: the state before each write is kept, as stale reads need it."""
        self._previous: Callable[[], _Venue] | None = None
        self._pending: list[tuple[Fault, str | None]] = []
        self._lasting: set[Fault] = set()
        self._held: dict[str, Callable[[], None]] = {}
        self._expired = False
        self._received: Counter[str] = Counter()

    def call(
        self,
        operation: str,
        is_write: bool,
        action: Callable[[_Venue], _T],
        timeout_s: float | None = None,
        reach: Callable[[], _Venue] | None = None,
    ) -> _T:
        """Carry one call there and its reply back.

        Args:
            operation: the method of the brokerage that calls.
            is_write: True: the call can have an effect.
            action: what the exchange does for it.
            timeout_s: how long to wait for the exchange, in seconds. None: as long as it takes.
            reach: another way to reach the exchange. None: the usual one.

        Raises:
            LinkError: the call, or its reply, did not make it.
            BrokerageError: what the exchange answered.
        """
        self._travel(timeout_s)
        if not self._lock.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise LinkError(Fault.DROP_BEFORE_ACCEPT)
        try:
            reply = self._serve(operation, is_write, action, reach or self._reach)
        finally:
            self._lock.release()
        self._travel(timeout_s)
        return reply

    def _travel(self, timeout_s: float | None) -> None:
        way_s = self.round_trip_s / 2
        if timeout_s is not None and self.round_trip_s > timeout_s:
            self._wait(timeout_s)
            raise LinkError(Fault.DROP_AFTER_ACCEPT)
        if way_s:
            self._wait(way_s)

    def _serve(
        self,
        operation: str,
        is_write: bool,
        action: Callable[[_Venue], _T],
        reach: Callable[[], _Venue],
    ) -> _T:
        fault = self._take(operation, _ON_CALLS)
        if fault in _NOT_RECEIVED:
            raise LinkError(fault)
        self._received[operation] += 1
        if fault is Fault.SESSION_EXPIRED:
            self._expired = True
        elif operation == OPENING and fault not in _WITHOUT_EFFECT:
            self._expired = False
        if self._expired:
            raise LinkError(Fault.SESSION_EXPIRED)
        if fault in _WITHOUT_EFFECT:
            raise LinkError(fault, RETRY_AFTER_S if fault is Fault.RATE_LIMIT else None)
        venue = self._venue_for(is_write, reach())
        if fault not in _AFTER_EFFECT:
            return shift_times(action(venue), self.skew)
        with suppress(BrokerageError):
            # A refusal is lost on the way back like any other reply.
            action(venue)
        raise LinkError(fault)

    def _venue_for(self, is_write: bool, venue: _Venue) -> _Venue:
        if is_write and self.keeps_previous:
            self._previous = self._remember()
        if is_write or Fault.STALE_READ not in self._lasting or self._previous is None:
            return venue
        return self._previous()

    def _take(self, operation: str, among: frozenset[Fault]) -> Fault | None:
        for index, (fault, wanted) in enumerate(self._pending):
            if fault in among and wanted in (None, operation):
                del self._pending[index]
                return fault
        return None

    def deliver(self, operation: str, event: _Event, publish: Callable[[_Event], None]) -> None:
        """Carry one event of a stream from the exchange to its readers.

        Args:
            operation: the method that opened the stream.
            event: what the exchange says.
            publish: gives an event to the readers.
        """
        with self._lock:
            if Fault.MUTE_STREAM in self._lasting:
                return
            shifted = shift_times(event, self.skew)
            times = 2 if Fault.DUPLICATE_EVENT in self._lasting else 1

            def send() -> None:
                for _ in range(times):
                    publish(shifted)

            held = self._held.pop(operation, None)
            if held is None and self._take(operation, _ON_STREAMS):
                self._held[operation] = send
                return
            send()
            if held is not None:
                held()

    def inject(self, fault: Fault, operation: str | None, times: int) -> None:
        """Commit a fault in the next `times` calls of an operation; None: of any.

        Stale reads, clock skew, and a mute or stuttering stream last until `clear_faults`.

        Raises:
            InvalidFieldError: the fault needs a wire, or `times` is below one.
        """
        if fault not in FAULTS:
            raise InvalidFieldError("fault", fault, ", ".join(sorted(FAULTS)))
        if times < 1:
            raise InvalidFieldError("times", times, "one or more")
        with self._lock:
            if fault in _LASTING:
                self._lasting.add(fault)
            else:
                self._pending.extend([(fault, operation)] * times)

    def clear_faults(self) -> None:
        """Forget the faults that are still to come, and end those that last."""
        with self._lock:
            self._pending.clear()
            self._lasting.clear()
            self._expired = False
            held, self._held = self._held, {}
        for send in held.values():
            send()

    def requests_received(self, operation: str) -> int:
        """Return how many calls of an operation arrived, with or without effect."""
        with self._lock:
            return self._received[operation]

    @property
    def skew(self) -> timedelta:
        """How far the exchange's clock is ahead of ours; below zero: behind."""
        return SKEW if Fault.CLOCK_SKEW in self._lasting else timedelta(0)
