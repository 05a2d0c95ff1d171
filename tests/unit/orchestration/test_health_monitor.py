from __future__ import annotations

import gc
import logging
import statistics
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from queue import Queue
from random import Random
from typing import Any, NoReturn

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerConnectionError,
    BrokerHealth,
    InvalidFieldError,
    InvalidRequestError,
    LoginRequiredError,
)
from bot_v2.orchestration.health_monitor import (
    HealthChange,
    HealthChecked,
    HealthEvent,
    HealthMonitor,
    HealthState,
    ReconnectEnded,
    ReconnectPolicy,
    Watch,
)
from tests.unit.orchestration.fake_brokerage import DEGRADED, DOWN, HEALTHY, FakeBrokerage

WAIT_S = 10.0
NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
QUICK = ReconnectPolicy(initial_s=0.01, maximum_s=0.02, jitter=0.0)


class Hang:
    """A call that hangs until the test ends."""

    def __init__(self) -> None:
        self.is_called = threading.Event()
        self.may_end = threading.Event()

    def check(self) -> BrokerHealth:
        """Hang as a check."""
        self.is_called.set()
        self.may_end.wait(WAIT_S)
        return HEALTHY

    def connect(self) -> bool:
        """Hang as an attempt to connect."""
        self.check()
        return True


@pytest.fixture
def hang() -> Iterator[Hang]:
    """A call that hangs, and is let go after the test."""
    hang = Hang()
    yield hang
    hang.may_end.set()
    assert wait_until(lambda: threads_of_monitors() == [])


def threads_of_monitors() -> list[str]:
    """The names of the monitors' threads that live."""
    return [thread.name for thread in threading.enumerate() if "bot_v2-health" in thread.name]


def wait_until(condition: Callable[[], bool]) -> bool:
    """Wait until something is so; False where it never is."""
    deadline = time.monotonic() + WAIT_S
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            return False
        pause.wait(0.002)
    return True


def watch(broker: FakeBrokerage, **fields: Any) -> Watch:
    """Watch at a pace that does not keep a test waiting, without chance."""
    return Watch(broker, **{"interval_s": 0.02, "timeout_s": 5.0, "jitter": 0.0, **fields})


def script(*answers: BrokerHealth) -> Callable[[], BrokerHealth]:
    """Answer in order, then the last one for ever."""
    remaining = list(answers)

    def check() -> BrokerHealth:
        return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    return check


def next_change(changes: Queue[HealthChange]) -> tuple[str, HealthState, HealthState]:
    """The next change, as name, old and new state."""
    change = changes.get(timeout=WAIT_S)
    return change.name, change.old, change.new


def test_changes_are_told_as_they_come() -> None:
    """The callback gets each change of state, in order, with the finding and the moment."""
    broker = FakeBrokerage(check=script(HEALTHY, HEALTHY, DOWN, DEGRADED, HEALTHY))
    changes: Queue[HealthChange] = Queue()
    with HealthMonitor([watch(broker)], on_change=changes.put, clock=lambda: NOW):
        told = [changes.get(timeout=WAIT_S) for _ in range(4)]
    assert [change.new for change in told] == [
        HealthState.HEALTHY,
        HealthState.DOWN,
        HealthState.DEGRADED,
        HealthState.HEALTHY,
    ]
    assert [change.old for change in told[1:]] == [change.new for change in told[:-1]]
    assert told[1].health == DOWN
    assert {change.timestamp for change in told} == {NOW}


def test_a_snapshot_tells_of_every_brokerage() -> None:
    """Before the start all are UNKNOWN; then each report says what its last check found."""
    brokers = [FakeBrokerage("a"), FakeBrokerage("b", check=lambda: DOWN)]
    monitor = HealthMonitor([watch(broker) for broker in brokers], clock=lambda: NOW)
    assert {report.state for report in monitor.snapshot().values()} == {HealthState.UNKNOWN}
    with monitor:
        assert wait_until(lambda: all(r.checks > 1 for r in monitor.snapshot().values()))
        snapshot: Any = monitor.snapshot()
    assert (snapshot["a"].state, snapshot["a"].latency_s) == (HealthState.HEALTHY, 0.25)
    assert (snapshot["b"].state, snapshot["b"].health) == (HealthState.DOWN, DOWN)
    assert snapshot["a"].since == NOW
    with pytest.raises(TypeError):
        snapshot["c"] = snapshot["a"]


def test_every_event_is_told_to_whoever_asks() -> None:
    """A check is told before the change that it makes, and each check is told."""
    events: Queue[HealthEvent] = Queue()
    with HealthMonitor([watch(FakeBrokerage())], on_event=events.put):
        told = [events.get(timeout=WAIT_S) for _ in range(3)]
    assert [type(event) for event in told] == [HealthChecked, HealthChange, HealthChecked]


def test_a_check_s_duration_stands_for_a_missing_latency() -> None:
    """Where the brokerage does not say how long it took, the call is measured."""
    answer = BrokerHealth(connected=True, api_responsive=True, last_check_timestamp=1.0)
    pause = threading.Event()

    def check() -> BrokerHealth:
        pause.wait(0.05)
        return answer

    with HealthMonitor([watch(FakeBrokerage(check=check))]) as monitor:
        assert wait_until(lambda: monitor.snapshot()["fake"].checks > 0)
        latency_s = monitor.snapshot()["fake"].latency_s
    assert latency_s is not None
    assert 0.045 < latency_s < 5.0


def broken_check(error: BaseException) -> Callable[[], BrokerHealth]:
    """A check that breaks its promise never to raise."""

    def check() -> NoReturn:
        raise error

    return check


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("made to fail"), "ValueError: made to fail"),
        (BrokerConnectionError("refused", account_id="ACC-1"), "ConnectionError: refused"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_a_check_that_raises_is_down_with_its_message(error: BaseException, message: str) -> None:
    """What breaks the contract is a finding, and the checks go on."""
    broker = FakeBrokerage(check=broken_check(error))
    with HealthMonitor([watch(broker)], clock=lambda: NOW) as monitor:
        assert wait_until(lambda: monitor.snapshot()["fake"].checks >= 3)
        report = monitor.snapshot()["fake"]
    assert report.state is HealthState.DOWN
    assert report.health == BrokerHealth(
        connected=False,
        api_responsive=False,
        last_check_timestamp=NOW.timestamp(),
        error_message=message,
    )


def test_a_check_that_returns_nothing_is_down() -> None:
    """What is no BrokerHealth is not believed."""
    answer: Any = None
    with HealthMonitor([watch(FakeBrokerage(check=lambda: answer))]) as monitor:
        assert wait_until(lambda: monitor.snapshot()["fake"].checks > 0)
        report = monitor.snapshot()["fake"]
    assert report.state is HealthState.DOWN
    assert report.health is not None
    assert report.health.error_message == "check_health returned a NoneType"


def test_a_hanging_check_is_reported_and_not_repeated(hang: Hang) -> None:
    """It is reported at the time-out, goes on being counted, and holds one thread, not many."""
    broker = FakeBrokerage(check=hang.check)
    changes: Queue[HealthChange] = Queue()
    monitor = HealthMonitor([watch(broker, timeout_s=0.05)], on_change=changes.put)
    with monitor:
        assert next_change(changes) == ("fake", HealthState.UNKNOWN, HealthState.DOWN)
        assert wait_until(lambda: monitor.snapshot()["fake"].failures >= 5)
        assert threads_of_monitors().count("bot_v2-health-check-fake") == 1
        assert (broker.checks, broker.most_at_once) == (1, 1)
        hang.may_end.set()
        assert next_change(changes) == ("fake", HealthState.DOWN, HealthState.HEALTHY)
    assert broker.most_at_once == 1


def test_one_of_fifty_hangs_and_the_others_keep_their_schedule(hang: Hang) -> None:
    """Each of 49 is checked on its interval while the first check of the fiftieth hangs."""
    interval_s = 0.1
    starts: dict[str, list[float]] = {}

    def recorded(name: str) -> Callable[[], BrokerHealth]:
        starts[name] = []

        def check() -> BrokerHealth:
            starts[name].append(time.monotonic())
            return HEALTHY

        return check

    brokers = [FakeBrokerage(f"b{n}", check=recorded(f"b{n}")) for n in range(49)]
    brokers.append(FakeBrokerage("hanging", check=hang.check))
    watches = [watch(broker, interval_s=interval_s, timeout_s=0.2) for broker in brokers]
    with HealthMonitor(watches) as monitor:
        assert wait_until(lambda: min(len(times) for times in starts.values()) >= 8)
        assert monitor.snapshot()["hanging"].state is HealthState.DOWN
        assert not hang.may_end.is_set()
    gaps = [later - earlier for times in starts.values() for earlier, later in pairwise(times)]
    # Starts are taken down in the called thread, which may be woken a little late or early.
    assert interval_s * 0.9 <= statistics.median(gaps) <= interval_s * 1.5
    assert brokers[-1].checks == 1
    assert max(broker.most_at_once for broker in brokers) == 1


def test_stop_does_not_wait_for_what_hangs(hang: Hang, caplog: pytest.LogCaptureFixture) -> None:
    """It returns within its bound, says what hangs, and ignores what comes of it later."""
    events: Queue[HealthEvent] = Queue()
    monitor = HealthMonitor([watch(FakeBrokerage(check=hang.check))], on_event=events.put)
    monitor.start()
    assert hang.is_called.wait(WAIT_S)
    began = time.monotonic()
    assert monitor.stop() is False
    assert time.monotonic() - began < 1.0
    assert "['bot_v2-health-check-fake']" in caplog.text
    hang.may_end.set()
    assert wait_until(lambda: threads_of_monitors() == [])
    assert events.empty()
    assert monitor.snapshot()["fake"].state is HealthState.UNKNOWN
    assert monitor.stop() is True


def test_stop_waits_for_what_ends(hang: Hang) -> None:
    """A call that ends within the bound has ended when stop returns, and so have all threads."""
    monitor = HealthMonitor([watch(FakeBrokerage(check=hang.check))])
    monitor.start()
    assert hang.is_called.wait(WAIT_S)
    threading.Timer(0.05, hang.may_end.set).start()
    assert monitor.stop(timeout_s=WAIT_S) is True
    assert threads_of_monitors() == []


def test_after_stop_nothing_is_called() -> None:
    """A brokerage is left alone once stop has returned True."""
    broker = FakeBrokerage(check=lambda: DOWN)
    monitor = HealthMonitor([watch(broker, interval_s=0.001, reconnect=QUICK)])
    monitor.start()
    assert wait_until(lambda: broker.checks > 5)
    assert monitor.stop(timeout_s=WAIT_S) is True
    calls = (broker.checks, broker.connects)
    threading.Event().wait(0.05)
    assert (broker.checks, broker.connects) == calls


def test_a_monitor_runs_once() -> None:
    """Starting twice is harmless, stopping too; after the stop there is no new start."""
    broker = FakeBrokerage()
    monitor = HealthMonitor([watch(broker, interval_s=100.0)])
    monitor.start()
    monitor.start()
    assert wait_until(lambda: broker.checks > 0)
    assert monitor.stop() is True
    assert monitor.stop() is True
    with pytest.raises(InvalidRequestError, match="does not start again"):
        monitor.start()
    assert broker.checks == 1


def test_a_monitor_that_never_ran_is_stopped() -> None:
    """There is nothing to wait for."""
    assert HealthMonitor([watch(FakeBrokerage())]).stop() is True


def test_watching_nothing_is_harmless() -> None:
    """A monitor without brokerages starts, knows nothing, and stops."""
    with HealthMonitor([]) as monitor:
        assert dict(monitor.snapshot()) == {}


def test_two_watches_need_two_names() -> None:
    """Reports are told apart by name, so one name for two is refused."""
    with pytest.raises(InvalidFieldError, match=r"Watch\.name is 'fake'"):
        HealthMonitor([watch(FakeBrokerage()), watch(FakeBrokerage())])


def test_a_brokerage_that_is_down_is_connected_again() -> None:
    """It is connected after a delay, checked at once, and found healthy."""
    is_up = threading.Event()

    def connect() -> bool:
        is_up.set()
        return True

    broker = FakeBrokerage(check=lambda: HEALTHY if is_up.is_set() else DOWN, connect=connect)
    events: Queue[HealthEvent] = Queue()
    # The interval is longer than the test: only the attempt brings on the second check.
    watches = [watch(broker, interval_s=100.0, reconnect=QUICK)]
    with HealthMonitor(watches, on_event=events.put):
        told = [events.get(timeout=WAIT_S) for _ in range(5)]
    assert [type(event).__name__ for event in told] == [
        "HealthChecked",
        "HealthChange",
        "ReconnectEnded",
        "HealthChecked",
        "HealthChange",
    ]
    assert isinstance(told[2], ReconnectEnded)
    assert told[2].connected
    assert isinstance(told[4], HealthChange)
    assert told[4].new is HealthState.HEALTHY
    assert broker.connects == 1


def test_attempts_that_fail_are_told_and_repeated() -> None:
    """A connect that raises, and one that returns anything but True, has failed."""
    outcomes: list[Any] = [BrokerConnectionError("refused"), False, LoginRequiredError("log in")]

    def connect() -> bool:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    broker = FakeBrokerage(check=lambda: DOWN, connect=connect)
    ended: Queue[ReconnectEnded] = Queue()

    def listen(event: HealthEvent) -> None:
        if isinstance(event, ReconnectEnded):
            ended.put(event)

    with HealthMonitor([watch(broker, reconnect=QUICK)], on_event=listen) as monitor:
        told = [ended.get(timeout=WAIT_S) for _ in range(3)]
        checks = broker.checks
        assert wait_until(lambda: broker.checks > checks + 3)
        assert monitor.snapshot()["fake"].reconnects == 3
    assert [(event.attempt, event.error_message, event.is_last) for event in told] == [
        (1, "ConnectionError: refused", False),
        (2, "ConnectionError: connect returned False, not True", False),
        (3, "LoginRequiredError: log in", True),
    ]
    assert broker.connects == 3


def test_a_hanging_attempt_is_not_repeated_and_delays_no_check(hang: Hang) -> None:
    """While connect() hangs the brokerage is checked on, and not connected from a second thread."""
    broker = FakeBrokerage(check=lambda: DOWN, connect=hang.connect)
    with HealthMonitor([watch(broker, reconnect=QUICK)]):
        assert hang.is_called.wait(WAIT_S)
        checks = broker.checks
        assert wait_until(lambda: broker.checks >= checks + 5)
        assert broker.connects == 1
        assert threads_of_monitors().count("bot_v2-health-connect-fake") == 1


def test_a_callback_that_raises_does_not_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and called with the next change."""
    changes: Queue[HealthChange] = Queue()

    def on_change(change: HealthChange) -> None:
        changes.put(change)
        raise ValueError("made to fail")

    broker = FakeBrokerage(check=script(HEALTHY, DOWN, HEALTHY))
    with HealthMonitor([watch(broker)], on_change=on_change):
        for _ in range(3):
            changes.get(timeout=WAIT_S)
    assert "a listener failed on a health event" in caplog.text
    assert "made to fail" in caplog.text


def test_a_callback_that_hangs_delays_no_check(hang: Hang) -> None:
    """Listeners are called beside the watch, and stop does not wait for them beyond its bound."""
    broker = FakeBrokerage()

    def on_change(change: HealthChange) -> None:
        hang.check()

    monitor = HealthMonitor([watch(broker)], on_change=on_change)
    monitor.start()
    assert hang.is_called.wait(WAIT_S)
    checks = broker.checks
    assert wait_until(lambda: broker.checks >= checks + 5)
    assert monitor.stop(timeout_s=0.1) is False


def test_a_callback_may_stop_the_monitor() -> None:
    """It does not wait for itself."""
    stopped: Queue[bool] = Queue()
    monitor: HealthMonitor
    monitor = HealthMonitor(
        [watch(FakeBrokerage())],
        on_change=lambda change: stopped.put(monitor.stop(timeout_s=WAIT_S)),
    )
    monitor.start()
    assert stopped.get(timeout=WAIT_S) is True
    assert wait_until(lambda: threads_of_monitors() == [])


def test_changes_can_be_iterated_until_the_stop() -> None:
    """Each stream gets every change, and ends with the monitor."""
    broker = FakeBrokerage(check=script(HEALTHY, DOWN, HEALTHY))
    monitor = HealthMonitor([watch(broker)])
    with monitor.changes() as first, monitor.changes() as second:
        monitor.start()
        read = [next(first) for _ in range(3)]
        assert wait_until(lambda: monitor.snapshot()["fake"].checks > 3)
        monitor.stop()
        assert list(first) == []
        assert list(second) == read
    assert [change.new for change in read if isinstance(change, HealthChange)] == [
        HealthState.HEALTHY,
        HealthState.DOWN,
        HealthState.HEALTHY,
    ]


def test_a_closed_stream_is_forgotten() -> None:
    """Leaving the `with` of a stream ends it, and the monitor keeps nothing of it."""
    monitor = HealthMonitor([watch(FakeBrokerage())])
    with monitor.changes() as stream:
        pass
    with monitor:
        assert wait_until(lambda: monitor.snapshot()["fake"].checks > 0)
    assert list(stream) == []
    forgotten = weakref.ref(stream)
    del stream
    gc.collect()
    assert forgotten() is None


def test_a_stream_of_a_stopped_monitor_is_empty() -> None:
    """Nothing will come, so nothing is waited for."""
    monitor = HealthMonitor([])
    monitor.stop()
    assert list(monitor.changes()) == []


def test_a_process_without_threads_to_give_is_a_failed_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no thread can be started the check has failed, and is tried again."""
    start = threading.Thread.start
    refusals = [RuntimeError("can't start new thread")] * 2

    def start_or_refuse(thread: threading.Thread) -> None:
        if "check" in thread.name and refusals:
            raise refusals.pop()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_or_refuse)
    changes: Queue[HealthChange] = Queue()
    with HealthMonitor([watch(FakeBrokerage())], on_change=changes.put):
        first, second = (changes.get(timeout=WAIT_S) for _ in range(2))
    assert first.new is HealthState.DOWN
    assert first.health.error_message == "RuntimeError: can't start new thread"
    assert second.new is HealthState.HEALTHY


def test_the_log_tells_changes_and_attempts(caplog: pytest.LogCaptureFixture) -> None:
    """A fall is a warning, a recovery is information; both name the brokerage and the error."""
    caplog.set_level(logging.INFO)
    tries: list[Any] = [BrokerConnectionError("refused"), True, LoginRequiredError("log in")]

    def connect() -> bool:
        outcome = tries.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return bool(outcome)

    broker = FakeBrokerage(check=script(HEALTHY, DOWN), connect=connect)
    ended: Queue[HealthEvent] = Queue()

    def listen(event: HealthEvent) -> None:
        if isinstance(event, ReconnectEnded):
            ended.put(event)

    with HealthMonitor([watch(broker, reconnect=QUICK)], on_event=listen):
        for _ in range(3):
            ended.get(timeout=WAIT_S)
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "brokerage fake is healthy, was unknown: no error"),
        ("WARNING", "brokerage fake is down, was healthy: made to fail"),
        ("WARNING", "brokerage fake, attempt 1 to reconnect: ConnectionError: refused"),
        ("INFO", "brokerage fake, attempt 2 to reconnect: connected"),
        (
            "WARNING",
            "brokerage fake, attempt 3 to reconnect: LoginRequiredError: log in; "
            "no further attempt before a check finds it alive",
        ),
    ]


def test_chance_is_injected() -> None:
    """The same seed makes the same intervals."""

    class Counted(Random):
        draws = 0

        def uniform(self, a: float, b: float) -> float:
            self.draws += 1
            return 0.0

    chance = Counted()
    broker = FakeBrokerage()
    with HealthMonitor([watch(broker, jitter=0.5)], random=chance):
        assert wait_until(lambda: broker.checks >= 3)
    assert chance.draws >= 3


def test_a_brokerage_can_be_added_and_removed() -> None:
    """A running monitor takes up a brokerage at once, and lets one go with what it finds."""
    first, second = FakeBrokerage("first"), FakeBrokerage("second")
    with HealthMonitor([Watch(first, interval_s=60)]) as monitor:
        monitor.add(Watch(second, interval_s=60))
        assert wait_until(lambda: monitor.snapshot()["second"].state is HealthState.HEALTHY)
        with pytest.raises(InvalidFieldError):
            monitor.add(Watch(second))
        monitor.remove("first")
        assert list(monitor.snapshot()) == ["second"]
        with pytest.raises(InvalidFieldError, match="watched: second"):
            monitor.remove("first")
    with pytest.raises(InvalidRequestError):
        monitor.add(Watch(first))


def test_what_is_removed_is_told_of_no_more(hang: Hang) -> None:
    """A check or an attempt to connect that outlives its watch changes nothing."""
    told: list[HealthEvent] = []
    checked = FakeBrokerage("checked", check=hang.check)
    connecting = Hang()
    down = FakeBrokerage("down", check=lambda: DOWN, connect=connecting.connect)
    monitor = HealthMonitor(
        [Watch(checked), Watch(down, interval_s=60, reconnect=QUICK)], on_event=told.append
    )
    with monitor:
        assert hang.is_called.wait(WAIT_S)
        assert connecting.is_called.wait(WAIT_S)
        monitor.remove("checked")
        monitor.remove("down")
        hang.may_end.set()
        connecting.may_end.set()
        assert wait_until(lambda: not [name for name in threads_of_monitors() if "check-" in name])
        assert wait_until(
            lambda: not [name for name in threads_of_monitors() if "connect-" in name]
        )
        assert monitor.snapshot() == {}
        assert monitor.stop(WAIT_S)
    assert not [event for event in told if isinstance(event, ReconnectEnded)]
    assert {event.report.name for event in told if isinstance(event, HealthChecked)} == {"down"}
