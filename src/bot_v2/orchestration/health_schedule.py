"""When a brokerage is checked and reconnected, and what its answers mean: no thread, no clock.

Whoever runs it tells it the time and what happened, and does what it says is due. Two times are
told: `now`, in seconds that only go forward, decides when something is due; `moment`, the wall
clock's, is only written into reports.
"""

from __future__ import annotations

from datetime import datetime
from random import Random

import attrs

from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.orchestration.health_states import (
    HealthChange,
    HealthChecked,
    HealthEvent,
    HealthReport,
    HealthState,
    ReconnectEnded,
    message_of,
    state_of,
)
from bot_v2.orchestration.health_watch import Watch, is_worth_retrying, retry_after_of


@attrs.frozen(kw_only=True)
class Due:
    """What is to be done for a brokerage now."""

    check: bool
    """True: begin a check; one at most is under way until `check_ended`."""
    connect: bool
    """True: begin to connect; one attempt at most is under way until `connect_ended`."""
    events: tuple[HealthEvent, ...]
    """What the passing of time has shown."""


class BrokerSchedule:
    """The schedule and the state of one brokerage. Not safe between threads."""

    def __init__(self, watch: Watch, random: Random, now: float, moment: datetime) -> None:
        """Begin with a first check that is due at once."""
        self._watch = watch
        self._random = random
        self._next_check = now
        self._deadline: float | None = None
        """When the check under way has to be answered. None: there is none under way."""
        self._is_overdue = False
        self._next_connect: float | None = None
        """When to connect. None: not planned, as always while an attempt is under way."""
        self._is_connecting = False
        self._attempt = 0
        self._delay_s = 0.0
        self._needs_human = False
        self.report = HealthReport(name=watch.name, state=HealthState.UNKNOWN, since=moment)

    def next_due(self) -> float:
        """Return when `due` has something to do next, if nothing else happens before."""
        check = self._next_check
        if self._deadline is not None and not self._is_overdue:
            check = self._deadline
        return check if self._next_connect is None else min(check, self._next_connect)

    def due(self, now: float, moment: datetime) -> Due:
        """Return what is to be done, and take it for begun."""
        events: tuple[HealthEvent, ...] = ()
        begins_check = False
        if self._deadline is None:
            begins_check = now >= self._next_check
            if begins_check:
                self._deadline = now + self._watch.timeout_s
                self._plan_check(now)
        elif now >= (self._next_check if self._is_overdue else self._deadline):
            # While it hangs no second check is begun, and each interval counts as one that failed.
            self._is_overdue = True
            if now >= self._next_check:
                self._plan_check(now)
            events = self._record_silence(now, moment)
        return Due(check=begins_check, connect=self._begin_connect(now), events=events)

    def check_ended(
        self, health: BrokerHealth, duration_s: float, now: float, moment: datetime
    ) -> tuple[HealthEvent, ...]:
        """Take the answer to the check under way.

        An answer that comes after the time-out changes nothing: the next check asks anew.

        Args:
            health: the answer.
            duration_s: how long it took, in seconds; the broker's own figure comes before it.
            now: the time by the schedule.
            moment: the time by the wall clock.
        """
        is_late = self._deadline is not None and now >= self._deadline
        was_noticed, self._is_overdue, self._deadline = self._is_overdue, False, None
        if was_noticed:
            return ()
        if is_late:
            return self._record_silence(now, moment)
        latency = duration_s if health.latency_s is None else health.latency_s
        return self._record(health, latency if health.api_responsive else None, now, moment)

    def connect_ended(
        self, error: BaseException | None, now: float, moment: datetime
    ) -> tuple[HealthEvent, ...]:
        """Take the result of the attempt to connect; None: it succeeded."""
        self._is_connecting = False
        message = None
        if error is None:
            # What the session is worth is seen at once, unless a check hangs and holds the place.
            if not self._is_overdue:
                self._next_check = now
        else:
            message = message_of(error)
            self._needs_human = not is_worth_retrying(error)
            self._plan_connect(now, retry_after_of(error))
        return (
            ReconnectEnded(
                name=self._watch.name,
                attempt=self._attempt,
                connected=error is None,
                error_message=message,
                is_last=self._needs_human,
                timestamp=moment,
            ),
        )

    def _plan_check(self, now: float) -> None:
        share = self._watch.jitter * self._random.uniform(-1.0, 1.0)
        self._next_check = now + self._watch.interval_s * (1.0 + share)

    def _begin_connect(self, now: float) -> bool:
        if self._next_connect is None or now < self._next_connect:
            return False
        self._next_connect = None
        self._is_connecting = True
        self._attempt = self.report.reconnects + 1
        self.report = attrs.evolve(self.report, reconnects=self._attempt)
        return True

    def _plan_connect(self, now: float, at_least_s: float = 0.0) -> None:
        """Plan the next attempt, where there is to be one and none is planned or under way."""
        policy = self._watch.reconnect
        is_wanted = self.report.state is HealthState.DOWN and not self._needs_human
        if policy is None or not is_wanted or self._is_connecting or self._next_connect is not None:
            return
        self._delay_s = min(
            policy.maximum_s, self._delay_s * policy.factor if self._delay_s else policy.initial_s
        )
        shortened = self._delay_s * (1.0 - policy.jitter * self._random.random())
        self._next_connect = now + max(shortened, at_least_s)

    def _record_silence(self, now: float, moment: datetime) -> tuple[HealthEvent, ...]:
        """Record a check that was not answered in time: the session is what it was last."""
        last = self.report.health
        health = BrokerHealth(
            connected=last is not None and last.connected,
            api_responsive=False,
            last_check_timestamp=moment.timestamp(),
            error_message=f"no answer within {self._watch.timeout_s:g} s",
        )
        return self._record(health, None, now, moment)

    def _record(
        self, health: BrokerHealth, latency_s: float | None, now: float, moment: datetime
    ) -> tuple[HealthEvent, ...]:
        old, new = self.report.state, state_of(health)
        failures = 0 if new is HealthState.HEALTHY else self.report.failures + 1
        if new is HealthState.DOWN and failures < self._watch.down_after:
            new = old
        is_down = new is HealthState.DOWN
        self.report = attrs.evolve(
            self.report,
            state=new,
            since=self.report.since if new is old else moment,
            health=health,
            latency_s=latency_s,
            checks=self.report.checks + 1,
            failures=failures,
            reconnects=self.report.reconnects if is_down else 0,
        )
        if is_down:
            self._plan_connect(now)
        else:
            self._next_connect, self._delay_s, self._needs_human = None, 0.0, False
        checked = HealthChecked(report=self.report, timestamp=moment)
        if new is old:
            return (checked,)
        name = self._watch.name
        change = HealthChange(name=name, old=old, new=new, health=health, timestamp=moment)
        return (checked, change)
