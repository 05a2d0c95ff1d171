from __future__ import annotations

import importlib
import sys
from datetime import UTC, datetime
from queue import Queue

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bot_v2.features.brokerages.core.interfaces import MissingDependencyError
from bot_v2.orchestration import health_metrics
from bot_v2.orchestration.health_metrics import HealthMetrics
from bot_v2.orchestration.health_monitor import HealthEvent, HealthMonitor, Watch
from bot_v2.orchestration.health_states import (
    HealthChange,
    HealthChecked,
    HealthReport,
    HealthState,
    ReconnectEnded,
)
from tests.unit.orchestration.fake_brokerage import DOWN, HEALTHY, FakeBrokerage

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@pytest.fixture
def registry() -> CollectorRegistry:
    """A registry of the test's own."""
    return CollectorRegistry()


def checked(state: HealthState, latency_s: float | None) -> HealthChecked:
    """A check of the brokerage `fake`."""
    report = HealthReport(name="fake", state=state, since=NOW, health=HEALTHY, latency_s=latency_s)
    return HealthChecked(report=report, timestamp=NOW)


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """A metric of the brokerage `fake`."""
    return registry.get_sample_value(f"bot_v2_broker_{name}", {"broker": "fake", **labels})


@pytest.mark.parametrize("state", HealthState)
def test_a_check_sets_the_gauges(registry: CollectorRegistry, state: HealthState) -> None:
    """Up is 1 for a healthy brokerage alone, and exactly the present state is 1."""
    HealthMetrics(registry).observe(checked(state, None))
    assert sample(registry, "up") == (1.0 if state is HealthState.HEALTHY else 0.0)
    states = {each: sample(registry, "state", state=each.value) for each in HealthState}
    assert states == {each: float(each is state) for each in HealthState}
    assert sample(registry, "last_check_timestamp_seconds") == NOW.timestamp()


def test_only_answers_have_a_latency(registry: CollectorRegistry) -> None:
    """A check without an answer is not counted as a fast one."""
    metrics = HealthMetrics(registry)
    metrics.observe(checked(HealthState.HEALTHY, 0.2))
    metrics.observe(checked(HealthState.DEGRADED, None))
    metrics.observe(checked(HealthState.HEALTHY, 0.4))
    assert sample(registry, "check_latency_seconds_count") == 2.0
    assert sample(registry, "check_latency_seconds_sum") == pytest.approx(0.6)
    assert sample(registry, "check_latency_seconds_bucket", le="0.25") == 1.0


def test_changes_and_attempts_are_counted(registry: CollectorRegistry) -> None:
    """Each change counts under both its states, each attempt under its outcome."""
    metrics = HealthMetrics(registry)
    change = HealthChange(
        name="fake", old=HealthState.HEALTHY, new=HealthState.DOWN, health=DOWN, timestamp=NOW
    )
    for event in (
        change,
        change,
        ReconnectEnded(name="fake", attempt=1, connected=False, timestamp=NOW),
        ReconnectEnded(name="fake", attempt=2, connected=True, timestamp=NOW),
    ):
        metrics.observe(event)
    assert sample(registry, "transitions_total", old="healthy", new="down") == 2.0
    assert sample(registry, "reconnects_total", outcome="failed") == 1.0
    assert sample(registry, "reconnects_total", outcome="connected") == 1.0


def test_a_monitor_feeds_the_metrics(registry: CollectorRegistry) -> None:
    """`observe` is the one thing that a monitor needs; several monitors may share it."""
    metrics = HealthMetrics(registry)
    told: Queue[HealthEvent] = Queue()

    def listen(event: HealthEvent) -> None:
        metrics.observe(event)
        told.put(event)

    with HealthMonitor([Watch(FakeBrokerage())], on_event=listen):
        for _ in range(2):
            told.get(timeout=10.0)
    assert sample(registry, "up") == 1.0
    assert sample(registry, "transitions_total", old="unknown", new="healthy") == 1.0
    assert b'bot_v2_broker_up{broker="fake"} 1.0' in generate_latest(registry)


def test_without_a_registry_the_library_s_own_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library serves by default includes the metrics."""
    own = CollectorRegistry()
    monkeypatch.setattr("prometheus_client.REGISTRY", own)
    HealthMetrics().observe(checked(HealthState.HEALTHY, None))
    assert sample(own, "up") == 1.0


def test_metrics_are_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module imports without prometheus-client, and its use says what to install."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, health_metrics.__name__)
    module = importlib.import_module(health_metrics.__name__)
    with pytest.raises(MissingDependencyError, match=r"pip install 'bot-v2\[metrics\]'") as caught:
        module.HealthMetrics()
    assert caught.value.extra == "metrics"
    assert isinstance(caught.value.__cause__, ImportError)
