"""The brokerages of a desk: connected once, watched, reconnected, and closed together."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Final, TypeVar

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.errors import ConnectionError, InvalidRequestError
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.orchestration.aio.lanes import ThreadLane
from bot_v2.orchestration.desk.cache import ReadCache
from bot_v2.orchestration.desk.members import Member, Roster
from bot_v2.orchestration.desk.reading import Job, Missing, ParallelReader
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.desk.view import BrokerView
from bot_v2.orchestration.health_monitor import (
    HealthChange,
    HealthMonitor,
    HealthReport,
    Watch,
)
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now

_Self = TypeVar("_Self", bound="BrokerPool")

_LOGGER = logging.getLogger(__name__)

SESSION_THREADS: Final = 2
"""How many calls connect or disconnect one brokerage at once: one may have to end the other."""

_ONE: Final = Decimal(1)


class BrokerPool:
    """Brokerages by name. Safe between threads; it closes once.

    Args:
        settings: how they are read and watched. None: the defaults.
        on_change: called with each change of a brokerage's health.
        clock: dates every number.
        monotonic: the time that is waited by, in seconds.
    """

    def __init__(
        self,
        settings: DeskSettings | None = None,
        *,
        on_change: Callable[[HealthChange], None] | None = None,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without any brokerage."""
        self._settings = settings or DeskSettings()
        self._clock = clock
        self._roster = Roster()
        self._reader = ParallelReader(clock, monotonic)
        self._cache = ReadCache(clock, monotonic)
        self._monitor = HealthMonitor([], on_change=on_change, clock=clock)
        self._is_closed = False

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Who belongs to it.

    def add(
        self, name: str, broker: IBrokerage, *, weight: Decimal = _ONE, is_default: bool = False
    ) -> None:
        """Take a brokerage in; `connect_all` connects it.

        Args:
            name: what it is called here.
            broker: the brokerage.
            weight: its part in what is divided, beside the weights of the others; above zero.
            is_default: True: it is meant where none is named. The first is until then.

        Raises:
            InvalidFieldError: the name is empty or taken, or the weight is not above zero.
            InvalidRequestError: the manager is closed.
        """
        self._check_open()
        threads = self._settings.read_threads
        member = Member(
            name=name,
            broker=broker,
            weight=weight,
            reads=ThreadLane(f"bot_v2-desk-{name}-read", threads),
            session=ThreadLane(f"bot_v2-desk-{name}-session", SESSION_THREADS),
        )
        self._roster.add(member, is_default=is_default)

    def remove(self, name: str) -> tuple[Missing, ...]:
        """Leave a brokerage out from now on, and disconnect it.

        Returns:
            What went wrong with disconnecting; empty where nothing did.

        Raises:
            InvalidFieldError: there is none of that name.
        """
        member = self._roster.remove(name)
        if name in self._monitor.snapshot():
            self._monitor.remove(name)
        self._cache.drop(name)
        failed = self._disconnect([member])
        member.close()
        return failed

    @property
    def names(self) -> tuple[str, ...]:
        """The brokerages' names, in the order in which they came."""
        return tuple(member.name for member in self._roster.choose(None))

    @property
    def default_name(self) -> str | None:
        """The name of the brokerage that is meant where none is named. None: there is none."""
        return self._roster.default_name

    @property
    def weights(self) -> Mapping[str, Decimal]:
        """The brokerages' weights, by their names."""
        return {member.name: member.weight for member in self._roster.choose(None)}

    def broker(self, name: str | None = None) -> IBrokerage:
        """Return one brokerage, as a view of its own over the session that all share.

        To disconnect it ends the view alone. What the brokerage can do, the view can.

        Args:
            name: which one. None: the default.

        Raises:
            InvalidFieldError: there is none of that name.
        """
        member = self._roster.get(name)
        return BrokerView(member.name, member.broker, lambda: self.is_wanted(member), self._clock)

    # The sessions.

    def connect_all(self) -> tuple[Missing, ...]:
        """Connect the brokerages that are not, at once, and begin to watch all of them.

        One that cannot be connected is tried again by the watch, unless only a human can help.

        Returns:
            Those that could not be connected, and why.

        Raises:
            InvalidRequestError: the manager is closed.
        """
        self._check_open()
        members = self._roster.choose(None)
        waiting = [member for member in members if not member.broker.is_connected()]
        answers = self._reader.read(
            [
                Job(member=member, operation="connect", call=_Pooled(member, self).connect)
                for member in waiting
            ],
            self._settings.session_timeout_s,
            in_session=True,
        )
        self._watch(members)
        return answers.missing

    def health(self) -> Mapping[str, HealthReport]:
        """Return what the watch knows of each brokerage; empty before `connect_all`."""
        return self._monitor.snapshot()

    def close(self) -> tuple[Missing, ...]:
        """Stop the watch, and disconnect all brokerages at once. Twice is harmless.

        Returns:
            Those that could not be disconnected, and why.
        """
        if self._is_closed:
            return ()
        self._is_closed = True
        self._monitor.stop()
        members = self._roster.choose(None)
        failed = self._disconnect(members)
        for member in members:
            member.close()
        return failed

    def _disconnect(self, members: Sequence[Member]) -> tuple[Missing, ...]:
        jobs = [
            Job(member=member, operation="disconnect", call=member.broker.disconnect)
            for member in members
        ]
        timeout_s = self._settings.session_timeout_s
        failed = self._reader.read(jobs, timeout_s, in_session=True).missing
        for one in failed:
            _LOGGER.warning("%s did not disconnect: %s", one.broker, one.error)
        return failed

    def _watch(self, members: Sequence[Member]) -> None:
        interval_s = self._settings.watch_interval_s
        if interval_s is None:
            return
        self._monitor.start()
        watched = self._monitor.snapshot()
        for member in members:
            if member.name not in watched:
                self._monitor.add(
                    Watch(
                        _Pooled(member, self),
                        name=member.name,
                        interval_s=interval_s,
                        timeout_s=self._settings.watch_timeout_s,
                        reconnect=self._settings.reconnect,
                    )
                )

    def is_wanted(self, member: Member) -> bool:
        """Return whether a member is still one, of a pool that is open."""
        return not self._is_closed and member in self._roster.choose(None)

    def _check_open(self) -> None:
        if self._is_closed:
            raise InvalidRequestError("this manager is closed: make another")


@attrs.frozen
class _Pooled:
    """A member as it is connected and watched: one that connects too late is disconnected again."""

    _member: Member
    _pool: BrokerPool

    def connect(self) -> bool:
        """Start the session.

        Raises:
            ConnectionError: the member was removed, or the pool closed, meanwhile.
        """
        broker = self._member.broker
        is_connected = broker.connect()
        if self._pool.is_wanted(self._member):
            return is_connected
        broker.disconnect()
        raise ConnectionError(
            "it connected when it was not wanted any more, and was disconnected",
            broker=self._member.name,
            operation="connect",
        )

    def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life."""
        return self._member.broker.check_health()
