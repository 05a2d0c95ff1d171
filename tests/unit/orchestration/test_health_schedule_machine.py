"""Whatever happens, and whenever: the promises of the schedule, searched by Hypothesis."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot_v2.features.brokerages.core.interfaces import (
    BrokerConnectionError,
    BrokerHealth,
    LoginRequiredError,
    RateLimitError,
)
from bot_v2.orchestration.health_schedule import BrokerSchedule
from bot_v2.orchestration.health_states import (
    HealthChange,
    HealthChecked,
    HealthEvent,
    HealthState,
    ReconnectEnded,
)
from bot_v2.orchestration.health_watch import ReconnectPolicy, Watch
from tests.unit.orchestration.fake_brokerage import DEGRADED, DOWN, HEALTHY, FakeBrokerage

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)

# Times are far below the float's precision at these magnitudes.
EPSILON_S = 1e-6

ERRORS = (
    None,
    BrokerConnectionError("refused"),
    RateLimitError("later", retry_after_s=500.0),
    LoginRequiredError("log in"),
)

seconds = st.floats(min_value=0.01, max_value=100.0)
shares = st.floats(min_value=0.0, max_value=0.99)


class ScheduleMachine(RuleBasedStateMachine):
    """Time passes, checks and attempts begin when they are due, and end at any time."""

    @initialize(
        interval_s=seconds,
        timeout_s=seconds,
        jitter=shares,
        down_after=st.integers(1, 3),
        initial_s=seconds,
        maximum_s=seconds,
        factor=st.floats(min_value=1.0, max_value=1e6),
        backoff_jitter=shares,
        seed=st.integers(0, 1000),
    )
    def begin(
        self,
        interval_s: float,
        timeout_s: float,
        jitter: float,
        down_after: int,
        initial_s: float,
        maximum_s: float,
        factor: float,
        backoff_jitter: float,
        seed: int,
    ) -> None:
        """Watch a brokerage in any way that makes sense."""
        self.policy = ReconnectPolicy(
            initial_s=min(initial_s, maximum_s),
            maximum_s=maximum_s,
            factor=factor,
            jitter=backoff_jitter,
        )
        self.watch = Watch(
            FakeBrokerage(),
            interval_s=interval_s,
            timeout_s=timeout_s,
            jitter=jitter,
            down_after=down_after,
            reconnect=self.policy,
        )
        self.now = 0.0
        self.schedule = BrokerSchedule(self.watch, Random(seed), self.now, START)
        self.check_began: float | None = None
        self.last_check_began: float | None = None
        self.may_check_early = False
        self.is_connecting = False
        self.connect_not_before = 0.0
        self.connect_not_after: float | None = None
        self.waited_for_human = False
        self.states = [HealthState.UNKNOWN]

    @property
    def moment(self) -> datetime:
        """The wall clock."""
        return START + timedelta(seconds=self.now)

    def note(self, events: tuple[HealthEvent, ...]) -> None:
        """Follow the states, and see that each change begins where the last one ended."""
        was = self.states[-1]
        for event in events:
            if isinstance(event, HealthChange):
                assert event.old is self.states[-1]
                assert event.new is not event.old
                self.states.append(event.new)
            elif isinstance(event, HealthChecked):
                assert event.report.failures >= 0
        is_down = self.states[-1] is HealthState.DOWN
        if not is_down:
            self.waited_for_human = False
        if is_down and was is not HealthState.DOWN:
            self.connect_not_before = self.now + self.policy.initial_s * (1 - self.policy.jitter)

    def look(self) -> None:
        """Do what is due now, as whoever runs the schedule does."""
        due = self.schedule.due(self.now, self.moment)
        self.note(due.events)
        if due.check:
            assert self.check_began is None, "two checks under way"
            if self.last_check_began is not None and not self.may_check_early:
                least = self.watch.interval_s * (1 - self.watch.jitter)
                assert self.now - self.last_check_began >= least - EPSILON_S
            self.check_began = self.last_check_began = self.now
            self.may_check_early = False
        if due.connect:
            assert not self.is_connecting, "two attempts under way"
            assert self.schedule.report.state is HealthState.DOWN
            assert not self.waited_for_human
            assert self.now >= self.connect_not_before - EPSILON_S
            self.is_connecting = True

    @rule()
    def look_when_due(self) -> None:
        """Wait exactly until something is due: it is not before, and then it is dealt with."""
        wake = self.schedule.next_due()
        if wake > self.now:
            before = self.now + (wake - self.now) / 2
            if before < wake:
                due = self.schedule.due(before, START + timedelta(seconds=before))
                assert not due.check
                assert not due.connect
                assert due.events == ()
            self.now = wake
        self.look()
        assert self.schedule.next_due() > self.now, "whoever waits for it would spin"

    @rule(wait_s=st.floats(min_value=0.0, max_value=500.0))
    def oversleep(self, wait_s: float) -> None:
        """Look at any time, however late."""
        self.now += wait_s
        self.look()

    @precondition(lambda self: self.check_began is not None)
    @rule(answer=st.sampled_from([HEALTHY, DEGRADED, DOWN]))
    def answer_check(self, answer: BrokerHealth) -> None:
        """End the check under way, in time or long after its time was over."""
        began, self.check_began = self.check_began, None
        assert began is not None
        checks = self.schedule.report.checks
        self.note(self.schedule.check_ended(answer, self.now - began, self.now, self.moment))
        if self.now >= began + self.watch.timeout_s:
            found = self.schedule.report.health
            assert found is not None
            assert str(found.error_message).startswith("no answer within")
        else:
            assert self.schedule.report.health == answer
            assert self.schedule.report.checks == checks + 1

    @precondition(lambda self: self.is_connecting)
    @rule(error=st.sampled_from(ERRORS))
    def end_connect(self, error: Exception | None) -> None:
        """End the attempt under way."""
        self.is_connecting = False
        (event,) = self.schedule.connect_ended(error, self.now, self.moment)
        assert isinstance(event, ReconnectEnded)
        assert event.connected is (error is None)
        assert event.attempt >= 1
        if error is None:
            self.may_check_early = True
            return
        self.waited_for_human = isinstance(error, LoginRequiredError)
        asked_s = 500.0 if isinstance(error, RateLimitError) else 0.0
        least_s = max(asked_s, self.policy.initial_s * (1 - self.policy.jitter))
        self.connect_not_before = self.now + least_s
        if self.states[-1] is HealthState.DOWN and not self.waited_for_human:
            most_s = max(asked_s, self.policy.maximum_s)
            assert self.schedule.next_due() <= self.now + most_s + EPSILON_S

    @invariant()
    def is_coherent(self) -> None:
        """What is reported agrees with itself and with the events that were told."""
        if not hasattr(self, "schedule"):
            return
        report = self.schedule.report
        assert report.state is self.states[-1]
        assert math.isfinite(self.schedule.next_due())
        if report.state is HealthState.DOWN:
            assert report.failures >= self.watch.down_after
        else:
            assert report.reconnects == 0
        if report.failures == 0:
            assert report.state in {HealthState.HEALTHY, HealthState.UNKNOWN}


TestSchedule = ScheduleMachine.TestCase
