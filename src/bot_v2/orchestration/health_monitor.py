"""Watches brokerages: checks each on its own schedule, tells what changes, and reconnects.

    with HealthMonitor([Watch(paper, interval_s=5)], on_change=print) as monitor:
        ...
        monitor.snapshot()["paper"].state

Each call to a brokerage has a thread of its own, and each brokerage at most one check and one
attempt to connect under way: one that is slow, or hangs, delays none of the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from random import Random
from types import MappingProxyType, TracebackType
from typing import Final, TypeAlias

from bot_v2.features.brokerages.core.errors import (
    BrokerConnectionError,
    InvalidFieldError,
    InvalidRequestError,
)
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.orchestration.bounded_stream import QUEUE_MAX
from bot_v2.orchestration.health_delivery import ChangeStream, EventDispatcher
from bot_v2.orchestration.health_schedule import BrokerSchedule
from bot_v2.orchestration.health_states import (
    HealthChange,
    HealthChecked,
    HealthEvent,
    HealthReport,
    HealthState,
    ReconnectEnded,
    message_of,
)
from bot_v2.orchestration.health_watch import ReconnectPolicy, Watch
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now

__all__ = [
    "ChangeStream",
    "HealthChange",
    "HealthChecked",
    "HealthEvent",
    "HealthMonitor",
    "HealthReport",
    "HealthState",
    "ReconnectEnded",
    "ReconnectPolicy",
    "Watch",
]

_LOGGER = logging.getLogger(__name__)

_Take: TypeAlias = Callable[[object, BaseException | None, float], tuple[HealthEvent, ...]]
"""Takes down the result of a call, its error, and how long it took in seconds."""

_LONGEST_WAIT_S: Final = 3600.0
"""How long the monitor waits at a stretch, in seconds: a platform may bound a single wait."""


class HealthMonitor:
    """Checks many brokerages and tells their states. Safe between threads; runs once.

    Listeners are called one at a time, in order, in a thread that does nothing else: one that
    raises is logged, and one that is slow holds up no check.

    Args:
        watches: what to watch, and how.
        on_change: called with each change of state.
        on_event: called with every event: each check, change and attempt to reconnect. This is
            where metrics listen.
        clock: stamps reports and events.
        random: the chance in intervals and delays.
        monotonic: the time that schedules go by, in seconds.

    Raises:
        InvalidFieldError: two watches have one name.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        *,
        on_change: Callable[[HealthChange], None] | None = None,
        on_event: Callable[[HealthEvent], None] | None = None,
        clock: Clock = utc_now,
        random: Random | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know what to watch; `start`, or entering the `with`, begins to."""
        self._clock = clock
        self._monotonic = monotonic
        self._watches: dict[str, Watch] = {}
        self._schedules: dict[str, BrokerSchedule] = {}
        self._random = Random() if random is None else random
        for watch in watches:
            self._take_up(watch)
        listeners: list[Callable[[HealthEvent], None]] = [_log_event]
        if on_change is not None:
            listeners.append(_only_changes(on_change))
        if on_event is not None:
            listeners.append(on_event)
        self._dispatcher = EventDispatcher(listeners)
        self._streams: list[ChangeStream] = []
        self._calls: set[threading.Thread] = set()
        self._is_started = False
        self._is_stopped = False
        # Guards everything above that changes, and wakes the loop.
        self._condition = threading.Condition()
        self._loop = threading.Thread(target=self._run, name="bot_v2-health", daemon=True)

    def start(self) -> None:
        """Begin to watch, with a check of every brokerage. Twice is harmless.

        Raises:
            InvalidRequestError: the monitor was stopped.
        """
        with self._condition:
            if self._is_stopped:
                raise InvalidRequestError("a stopped health monitor does not start again: make one")
            if not self._is_started:
                self._is_started = True
                self._dispatcher.start()
                self._loop.start()

    def add(self, watch: Watch) -> None:
        """Watch one more brokerage, beginning with a check.

        Raises:
            InvalidFieldError: a brokerage of that name is watched.
            InvalidRequestError: the monitor was stopped.
        """
        with self._condition:
            if self._is_stopped:
                raise InvalidRequestError("a stopped health monitor watches nothing more: make one")
            self._take_up(watch)
            self._condition.notify_all()

    def remove(self, name: str) -> None:
        """Watch a brokerage no more; what a call that is under way finds is not told.

        Raises:
            InvalidFieldError: none of that name is watched.
        """
        with self._condition:
            if name not in self._watches:
                known = ", ".join(self._watches) or "(none)"
                raise InvalidFieldError("name", name, f"a brokerage that is watched: {known}")
            del self._watches[name], self._schedules[name]

    def _take_up(self, watch: Watch) -> None:
        if watch.name in self._watches:
            raise InvalidFieldError("Watch.name", watch.name, "a name of its own for each")
        self._watches[watch.name] = watch
        self._schedules[watch.name] = BrokerSchedule(
            watch, self._random, self._monotonic(), self._clock()
        )

    def _is_watched(self, schedule: BrokerSchedule) -> bool:
        return self._schedules.get(schedule.report.name) is schedule

    def stop(self, timeout_s: float = 0.5) -> bool:
        """End the watch, and the streams of changes. Twice is harmless.

        Args:
            timeout_s: how long to wait for calls and listeners that are under way, in seconds.

        Returns:
            True when all has ended. False when a call to a brokerage, or a listener, still hangs:
            its result will be ignored, and its thread does not keep the process alive.
        """
        deadline = time.monotonic() + timeout_s
        with self._condition:
            self._is_stopped = True
            self._condition.notify_all()
            threads = [self._loop, *self._calls] if self._is_started else []
            streams = list(self._streams)
        for stream in streams:
            stream.close()
        self._dispatcher.close()
        if threads:
            threads.append(self._dispatcher.thread)
        for thread in threads:
            # A listener may stop the monitor, and cannot wait for itself.
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        others = [thread for thread in threads if thread is not threading.current_thread()]
        hanging = sorted(thread.name for thread in others if thread.is_alive())
        if hanging:
            _LOGGER.warning("the health monitor stopped without waiting for %s", hanging)
        return not hanging

    def __enter__(self) -> HealthMonitor:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def snapshot(self) -> Mapping[str, HealthReport]:
        """Return what is known now of each brokerage, by its name in the monitor."""
        with self._condition:
            reports = {name: schedule.report for name, schedule in self._schedules.items()}
        return MappingProxyType(reports)

    def changes(self, queue_max: int = QUEUE_MAX) -> ChangeStream:
        """Return a stream of the changes of state from now on.

        Args:
            queue_max: how many changes may wait to be read.

        Raises:
            InvalidFieldError: `queue_max` is below 1.
        """
        stream = ChangeStream(self._clock, queue_max, self._forget)
        with self._condition:
            if not self._is_stopped:
                self._streams.append(stream)
                return stream
        stream.close()
        return stream

    def _forget(self, stream: ChangeStream) -> None:
        with self._condition:
            if stream in self._streams:
                self._streams.remove(stream)

    def _run(self) -> None:
        with self._condition:
            while not self._is_stopped:
                now = self._monotonic()
                for name, schedule in self._schedules.items():
                    if schedule.next_due() <= now:
                        self._do_what_is_due(name, schedule, now)
                wake = min(
                    (schedule.next_due() for schedule in self._schedules.values()),
                    default=now + _LONGEST_WAIT_S,
                )
                wait_s = min(wake - self._monotonic(), _LONGEST_WAIT_S)
                self._condition.wait(max(0.0, wait_s))

    def _do_what_is_due(self, name: str, schedule: BrokerSchedule, now: float) -> None:
        due = schedule.due(now, self._clock())
        self._publish(due.events)
        broker = self._watches[name].broker
        if due.check:
            self._call(f"check-{name}", broker.check_health, partial(self._take_check, schedule))
        if due.connect:
            self._call(f"connect-{name}", broker.connect, partial(self._take_connect, schedule))

    def _call(self, what: str, call: Callable[[], object], take: _Take) -> None:
        """Call a brokerage in a thread of its own, which takes down what comes of it."""
        thread = threading.Thread(
            target=self._perform, args=(call, take), name=f"bot_v2-health-{what}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            # The process has no thread to give: that is a failed call, not the end of the watch.
            self._publish(take(None, error, 0.0))
            return
        self._calls.add(thread)

    def _perform(self, call: Callable[[], object], take: _Take) -> None:
        started = self._monotonic()
        result: object = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001 - whatever a brokerage raises is a finding
            error = raised
        with self._condition:
            self._calls.discard(threading.current_thread())
            if not self._is_stopped:
                self._publish(take(result, error, self._monotonic() - started))
                self._condition.notify_all()

    def _take_check(
        self, schedule: BrokerSchedule, result: object, error: BaseException | None, took_s: float
    ) -> tuple[HealthEvent, ...]:
        if not self._is_watched(schedule):
            return ()
        moment = self._clock()
        if isinstance(result, BrokerHealth):
            health = result
        else:
            found = f"check_health returned a {type(result).__name__}"
            health = BrokerHealth(
                connected=False,
                api_responsive=False,
                last_check_timestamp=moment.timestamp(),
                error_message=message_of(error) if error else found,
            )
        return schedule.check_ended(health, took_s, self._monotonic(), moment)

    def _take_connect(
        self, schedule: BrokerSchedule, result: object, error: BaseException | None, _: float
    ) -> tuple[HealthEvent, ...]:
        if not self._is_watched(schedule):
            return ()
        if error is None and result is not True:
            error = BrokerConnectionError(f"connect returned {result!r}, not True")
        return schedule.connect_ended(error, self._monotonic(), self._clock())

    def _publish(self, events: tuple[HealthEvent, ...]) -> None:
        for event in events:
            self._dispatcher.publish(event)
            if isinstance(event, HealthChange):
                for stream in self._streams:
                    stream.publish(event)


def _only_changes(on_change: Callable[[HealthChange], None]) -> Callable[[HealthEvent], None]:
    def listen(event: HealthEvent) -> None:
        if isinstance(event, HealthChange):
            on_change(event)

    return listen


def _log_event(event: HealthEvent) -> None:
    """Log what a person should know of; single checks are for metrics."""
    if isinstance(event, HealthChange):
        _LOGGER.log(
            logging.INFO if event.new is HealthState.HEALTHY else logging.WARNING,
            "brokerage %s is %s, was %s: %s",
            event.name,
            event.new,
            event.old,
            event.health.error_message or "no error",
        )
    elif isinstance(event, ReconnectEnded):
        _LOGGER.log(
            logging.INFO if event.connected else logging.WARNING,
            "brokerage %s, attempt %d to reconnect: %s%s",
            event.name,
            event.attempt,
            event.error_message or "connected",
            "; no further attempt before a check finds it alive" if event.is_last else "",
        )
