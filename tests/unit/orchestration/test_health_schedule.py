from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerConnectionError,
    BrokerHealth,
    InvalidRequestError,
    LoginRequiredError,
    MissingDependencyError,
    PermissionDeniedError,
    RateLimitError,
    SessionExpiredError,
)
from bot_v2.orchestration.health_schedule import BrokerSchedule, Due
from bot_v2.orchestration.health_states import (
    HealthChange,
    HealthChecked,
    HealthEvent,
    HealthState,
    ReconnectEnded,
)
from bot_v2.orchestration.health_watch import ReconnectPolicy, Watch
from tests.unit.orchestration.fake_brokerage import DEGRADED, DOWN, HEALTHY, FakeBrokerage, health

START = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


class Run:
    """A schedule with the time that a test gives it."""

    def __init__(self, watch: Watch) -> None:
        self.now = 100.0
        self.schedule = BrokerSchedule(watch, Random(7), self.now, self.moment)

    @property
    def moment(self) -> datetime:
        """The wall clock, which shows START at the schedule's 100."""
        return START + timedelta(seconds=self.now - 100.0)

    def due_at(self, now: float) -> Due:
        """What is due at a time."""
        self.now = now
        return self.schedule.due(now, self.moment)

    def answer(self, answer: BrokerHealth, took_s: float = 0.0) -> tuple[HealthEvent, ...]:
        """Answer the check under way."""
        self.now += took_s
        return self.schedule.check_ended(answer, took_s, self.now, self.moment)

    def check(self, answer: BrokerHealth) -> tuple[HealthEvent, ...]:
        """Wait for the next check and answer it at once."""
        while not self.due_at(self.schedule.next_due()).check:
            pass
        return self.answer(answer)

    def connect_ended(self, error: BaseException | None) -> tuple[HealthEvent, ...]:
        """End the attempt under way."""
        return self.schedule.connect_ended(error, self.now, self.moment)

    def fail_to_connect(self, error: BaseException) -> float:
        """Wait for the next attempt, fail it, and return when the one after is due."""
        while not self.due_at(self.schedule.next_due()).connect:
            pass
        self.connect_ended(error)
        return self.schedule.next_due()


def watching(
    down_after: int = 1, reconnect: ReconnectPolicy | None = None, interval_s: float = 30.0
) -> Run:
    """A run without chance: what is due, is due to the second."""
    return Run(
        Watch(
            FakeBrokerage(),
            interval_s=interval_s,
            timeout_s=10.0,
            jitter=0.0,
            down_after=down_after,
            reconnect=reconnect,
        )
    )


# A day between checks, so that what comes next is an attempt.
DAY_S = 86_400.0
PRECISE = ReconnectPolicy(initial_s=1.0, maximum_s=10.0, factor=2.0, jitter=0.0)


def change_in(events: tuple[HealthEvent, ...]) -> tuple[HealthState, HealthState] | None:
    """The old and the new state, where one changed."""
    found = [(event.old, event.new) for event in events if isinstance(event, HealthChange)]
    assert len(found) <= 1
    return found[0] if found else None


def test_the_first_check_is_due_at_once_and_then_every_interval() -> None:
    """Intervals are counted from the start of one check to the start of the next."""
    run = watching()
    assert run.schedule.next_due() == 100.0
    assert run.due_at(100.0) == Due(check=True, connect=False, events=())
    run.answer(HEALTHY, took_s=4.0)
    assert run.schedule.next_due() == 130.0
    assert run.due_at(129.9) == Due(check=False, connect=False, events=())
    assert run.due_at(130.0).check


def test_before_the_first_answer_nothing_is_known() -> None:
    """A brokerage is UNKNOWN until a check ends."""
    run = watching()
    report = run.schedule.report
    assert (report.name, report.state, report.since) == ("fake", HealthState.UNKNOWN, START)
    assert (report.health, report.latency_s, report.checks, report.failures) == (None, None, 0, 0)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (HEALTHY, HealthState.HEALTHY),
        (DEGRADED, HealthState.DEGRADED),
        (DOWN, HealthState.DOWN),
        (health(connected=False, responsive=True), HealthState.DOWN),
    ],
)
def test_a_check_shows_a_state(answer: BrokerHealth, state: HealthState) -> None:
    """Without a session it is DOWN, with one that does not answer DEGRADED, else HEALTHY."""
    run = watching()
    run.due_at(100.0)
    checked, change = run.answer(answer, took_s=2.0)
    assert isinstance(checked, HealthChecked)
    assert checked.report == run.schedule.report
    assert checked.report.state is state
    assert checked.report.since == checked.timestamp == START + timedelta(seconds=2)
    assert change == HealthChange(
        name="fake", old=HealthState.UNKNOWN, new=state, health=answer, timestamp=run.moment
    )


def test_the_same_state_again_is_no_change() -> None:
    """A check that finds what was known is told as a check, and `since` stays."""
    run = watching()
    run.check(DEGRADED)
    events = run.check(DEGRADED)
    assert [type(event) for event in events] == [HealthChecked]
    assert run.schedule.report.since == START
    assert (run.schedule.report.checks, run.schedule.report.failures) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (health(latency_s=0.25), 0.25),
        (health(latency_s=None), 3.0),
        (DEGRADED, None),
    ],
    ids=["the broker's own", "measured", "no answer"],
)
def test_latency_is_the_broker_s_own_or_measured(
    answer: BrokerHealth, expected: float | None
) -> None:
    """Where the brokerage gives no latency the call's duration stands for it; silence has none."""
    run = watching()
    run.due_at(100.0)
    run.answer(answer, took_s=3.0)
    assert run.schedule.report.latency_s == expected


def test_a_failure_counts_until_a_healthy_check() -> None:
    """Failures in a row count whatever their kind, and a healthy check ends the row."""
    run = watching()
    for answer, failures in ((DOWN, 1), (DEGRADED, 2), (DOWN, 3), (HEALTHY, 0), (DOWN, 1)):
        run.check(answer)
        assert run.schedule.report.failures == failures


def test_down_waits_for_the_threshold() -> None:
    """With a threshold, single failures leave the state as it was; DEGRADED is told at once."""
    run = watching(down_after=3)
    assert change_in(run.check(HEALTHY)) == (HealthState.UNKNOWN, HealthState.HEALTHY)
    assert change_in(run.check(DOWN)) is None
    assert change_in(run.check(HEALTHY)) is None
    assert change_in(run.check(DOWN)) is None
    assert change_in(run.check(DEGRADED)) == (HealthState.HEALTHY, HealthState.DEGRADED)
    assert change_in(run.check(DOWN)) == (HealthState.DEGRADED, HealthState.DOWN)
    assert change_in(run.check(DOWN)) is None


def test_a_flapping_brokerage_tells_each_change() -> None:
    """Each turn is a change, with the finding that made it."""
    run = watching()
    turns = [change_in(run.check(answer)) for answer in (HEALTHY, DOWN, HEALTHY, DOWN)]
    assert turns == [
        (HealthState.UNKNOWN, HealthState.HEALTHY),
        (HealthState.HEALTHY, HealthState.DOWN),
        (HealthState.DOWN, HealthState.HEALTHY),
        (HealthState.HEALTHY, HealthState.DOWN),
    ]


def test_a_hanging_check_is_reported_when_its_time_is_over() -> None:
    """At the time-out the brokerage counts as not answering; its session as it was last."""
    run = watching()
    run.check(HEALTHY)
    assert run.due_at(130.0).check
    assert run.schedule.next_due() == 140.0
    assert run.due_at(139.9).events == ()
    due = run.due_at(140.0)
    assert change_in(due.events) == (HealthState.HEALTHY, HealthState.DEGRADED)
    found = run.schedule.report.health
    assert found is not None
    assert (found.connected, found.api_responsive) == (True, False)
    assert found.error_message == "no answer within 10 s"
    assert found.last_check_timestamp == run.moment.timestamp()
    assert run.schedule.report.latency_s is None


def test_a_first_check_that_hangs_is_down() -> None:
    """Where no check was ever answered there is no session that anybody knows of."""
    run = watching()
    run.due_at(100.0)
    assert change_in(run.due_at(110.0).events) == (HealthState.UNKNOWN, HealthState.DOWN)


def test_while_a_check_hangs_no_other_is_begun() -> None:
    """Each further interval counts as one more failure, without a call."""
    run = watching()
    run.check(HEALTHY)
    run.due_at(130.0)
    run.due_at(140.0)
    failures = []
    for now in (160.0, 190.0, 220.0):
        assert run.schedule.next_due() == now
        due = run.due_at(now)
        assert not due.check
        assert [type(event) for event in due.events] == [HealthChecked]
        failures.append(run.schedule.report.failures)
    assert failures == [2, 3, 4]


def test_a_hanging_check_with_a_long_timeout_counts_once() -> None:
    """A time-out longer than the interval makes one failure when it passes, not two."""
    run = Run(Watch(FakeBrokerage(), interval_s=5.0, timeout_s=20.0, jitter=0.0))
    run.due_at(100.0)
    assert run.schedule.next_due() == 120.0
    assert run.due_at(105.0) == Due(check=False, connect=False, events=())
    run.due_at(120.0)
    assert run.schedule.report.failures == 1
    assert run.schedule.next_due() == 125.0


def test_a_slow_check_is_followed_by_the_next_without_a_pause() -> None:
    """A check that took longer than the interval delays the next to its end, no further."""
    run = Run(Watch(FakeBrokerage(), interval_s=5.0, timeout_s=20.0, jitter=0.0))
    run.due_at(100.0)
    run.answer(HEALTHY, took_s=8.0)
    assert run.schedule.next_due() == 105.0
    assert run.due_at(108.0).check


def test_a_late_answer_changes_nothing() -> None:
    """What comes after the time-out is stale: the next check asks anew, on schedule."""
    run = watching()
    run.check(HEALTHY)
    run.due_at(130.0)
    run.due_at(140.0)
    run.now = 145.0
    assert run.answer(HEALTHY) == ()
    assert run.schedule.report.state is HealthState.DEGRADED
    assert run.schedule.next_due() == 160.0
    assert change_in(run.check(HEALTHY)) == (HealthState.DEGRADED, HealthState.HEALTHY)


def test_an_answer_just_after_the_timeout_is_late_even_if_nobody_looked() -> None:
    """The time-out holds whether the passing of time or the answer is noticed first."""
    run = watching()
    run.due_at(100.0)
    run.answer(HEALTHY, took_s=10.5)
    assert run.schedule.report.state is HealthState.DOWN
    assert run.schedule.report.health is not None
    assert run.schedule.report.health.error_message == "no answer within 10 s"
    assert run.due_at(130.0).check


def test_without_a_policy_nothing_is_connected() -> None:
    """A brokerage that is DOWN is only checked on, where nobody asked for more."""
    run = watching()
    run.check(DOWN)
    assert run.schedule.next_due() == 130.0
    assert not run.due_at(130.0).connect


def test_attempts_follow_the_backoff() -> None:
    """Each attempt waits twice as long after the last one's end, up to the longest delay."""
    run = watching(reconnect=PRECISE, interval_s=DAY_S)
    run.check(DOWN)
    error = BrokerConnectionError("refused")
    waits = [run.schedule.next_due() - run.now]
    for _ in range(6):
        next_due = run.fail_to_connect(error)
        waits.append(next_due - run.now)
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert run.schedule.report.reconnects == 6


def test_chance_only_shortens_a_delay() -> None:
    """A jittered delay lies between its shortened length and its full one."""
    policy = ReconnectPolicy(initial_s=8.0, maximum_s=8.0, jitter=0.5)
    run = watching(reconnect=policy, interval_s=DAY_S)
    run.check(DOWN)
    delays = {run.fail_to_connect(BrokerConnectionError("refused")) - run.now for _ in range(50)}
    assert len(delays) > 40
    assert 4.0 <= min(delays) < 5.0
    assert 7.0 < max(delays) <= 8.0


def test_one_attempt_at_a_time() -> None:
    """While an attempt is under way checks go on, and no other attempt is due."""
    run = watching(reconnect=PRECISE)
    run.check(DOWN)
    assert run.due_at(101.0).connect
    for now in (130.0, 160.0, 190.0):
        assert run.schedule.next_due() == now
        due = run.due_at(now)
        assert (due.check, due.connect) == (True, False)
        run.answer(DOWN)


def test_an_attempt_that_succeeds_is_checked_at_once() -> None:
    """connect() says that there is a session; a check says what it is worth, and ends the row."""
    run = watching(reconnect=PRECISE)
    run.check(DOWN)
    run.due_at(101.0)
    run.now = 103.0
    (ended,) = run.connect_ended(None)
    assert ended == ReconnectEnded(name="fake", attempt=1, connected=True, timestamp=run.moment)
    assert run.schedule.next_due() == 103.0
    due = run.due_at(103.0)
    assert (due.check, due.connect) == (True, False)
    assert change_in(run.answer(HEALTHY)) == (HealthState.DOWN, HealthState.HEALTHY)
    assert run.schedule.report.reconnects == 0
    assert run.schedule.next_due() == 133.0


def test_a_session_that_is_dead_again_goes_on_with_the_backoff() -> None:
    """An attempt that succeeded and changed nothing does not begin the delays anew."""
    run = watching(reconnect=PRECISE, interval_s=DAY_S)
    run.check(DOWN)
    run.due_at(101.0)
    run.connect_ended(None)
    run.check(DOWN)
    assert run.schedule.next_due() == 103.0
    run.due_at(103.0)
    run.connect_ended(None)
    run.check(HEALTHY)
    run.check(DOWN)
    assert run.schedule.next_due() == run.now + 1.0


def test_a_session_found_alive_ends_the_attempts() -> None:
    """An attempt that is planned when a check finds the session alive is not made."""
    run = watching(reconnect=ReconnectPolicy(initial_s=60.0, maximum_s=60.0, jitter=0.0))
    run.check(DOWN)
    run.check(DEGRADED)
    due = run.due_at(160.0)
    assert (due.check, due.connect) == (True, False)


def test_a_success_during_a_hanging_check_waits_for_it() -> None:
    """The place of a check that hangs is not taken by another, nor counted as one more failure."""
    run = watching(reconnect=PRECISE)
    run.due_at(100.0)
    run.due_at(110.0)
    run.due_at(111.0)
    run.now = 112.0
    run.connect_ended(None)
    assert run.schedule.next_due() == 130.0
    assert run.schedule.report.failures == 1


def test_a_success_during_a_check_asks_again_after_it() -> None:
    """A check that began before the session did says nothing of the session."""
    run = watching(reconnect=PRECISE, interval_s=5.0)
    run.check(DOWN)
    run.due_at(101.0)
    assert run.due_at(105.0).check
    run.now = 106.0
    run.connect_ended(None)
    run.now = 107.0
    run.answer(DOWN)
    assert run.due_at(107.0).check


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RateLimitError("later", retry_after_s=120.0), 120.0),
        (RateLimitError("later", retry_after_s=0.5), 2.0),
        (RateLimitError("later", retry_after_s=-5.0), 2.0),
        (RateLimitError("later"), 2.0),
        (OSError("no route"), 2.0),
    ],
)
def test_the_broker_says_how_long_to_wait(error: Exception, expected: float) -> None:
    """What the broker asks for is waited at least, even beyond the longest delay."""
    run = watching(reconnect=PRECISE, interval_s=DAY_S)
    run.check(DOWN)
    assert run.fail_to_connect(error) - run.now == expected


@pytest.mark.parametrize(
    ("error", "is_last"),
    [
        (AuthenticationError("wrong key"), True),
        (LoginRequiredError("log in"), True),
        (PermissionDeniedError("not yours"), True),
        (InvalidRequestError("choose an account"), True),
        (MissingDependencyError("install it"), True),
        (SessionExpiredError("renew it"), False),
        (BrokerConnectionError("refused"), False),
        (ValueError("a bug"), False),
        (SystemExit(1), False),
    ],
)
def test_what_a_human_must_mend_is_not_tried_again(error: BaseException, is_last: bool) -> None:
    """Wrong credentials are sent once: again would lock the account. Other errors may pass."""
    run = watching(reconnect=PRECISE)
    run.check(DOWN)
    run.due_at(101.0)
    (ended,) = run.connect_ended(error)
    assert isinstance(ended, ReconnectEnded)
    assert (ended.attempt, ended.connected, ended.is_last) == (1, False, is_last)
    assert ended.error_message == f"{type(error).__name__}: {error.args[0]}"
    assert run.schedule.next_due() == (130.0 if is_last else 103.0)
    if is_last:
        run.check(DOWN)
        assert run.schedule.next_due() == 160.0


def test_after_a_human_has_mended_it_the_next_fall_is_tried_again() -> None:
    """A check that finds the session alive gives the attempts back."""
    run = watching(reconnect=PRECISE)
    run.check(DOWN)
    run.due_at(101.0)
    run.connect_ended(LoginRequiredError("log in"))
    run.check(HEALTHY)
    run.check(DOWN)
    assert run.schedule.next_due() == run.now + 1.0


def test_an_attempt_that_ends_after_the_recovery_is_not_followed() -> None:
    """Where the session came alive by itself, a failure to connect plans nothing."""
    run = watching(reconnect=PRECISE)
    run.check(DOWN)
    run.due_at(101.0)
    run.check(HEALTHY)
    (ended,) = run.connect_ended(BrokerConnectionError("refused"))
    assert isinstance(ended, ReconnectEnded)
    assert ended.attempt == 1
    assert run.schedule.next_due() == 160.0


def test_an_error_without_words_is_named_by_its_class() -> None:
    """An error that says nothing is still told."""
    run = watching(reconnect=PRECISE)
    run.check(DOWN)
    run.due_at(101.0)
    (ended,) = run.connect_ended(ValueError())
    assert isinstance(ended, ReconnectEnded)
    assert ended.error_message == "ValueError"


def test_a_message_leaves_out_the_account() -> None:
    """Of a brokerage's error the message is told, and not the facts that the error carries."""
    run = watching(reconnect=PRECISE)
    run.check(DOWN)
    run.due_at(101.0)
    (ended,) = run.connect_ended(BrokerConnectionError("refused", account_id="ACC-77"))
    assert isinstance(ended, ReconnectEnded)
    assert ended.error_message == "ConnectionError: refused"
