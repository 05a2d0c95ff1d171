"""Prometheus metrics of watched brokerages; needs the extra `metrics`.

metrics = HealthMetrics()
with HealthMonitor(watches, on_event=metrics.observe):
    prometheus_client.start_http_server(9100)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bot_v2.features.brokerages.core.errors import MissingDependencyError
from bot_v2.orchestration.health_states import (
    HealthChange,
    HealthChecked,
    HealthEvent,
    HealthReport,
    HealthState,
)

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_LATENCY_BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a broker next door to one that is about to run out of time."""


class HealthMetrics:
    """What a monitor tells, as metrics. One may serve several monitors.

    - `bot_v2_broker_up{broker}`: 1 where it is healthy, else 0
    - `bot_v2_broker_state{broker,state}`: 1 for the present state, 0 for the others
    - `bot_v2_broker_check_latency_seconds{broker}`: histogram of the checks that were answered
    - `bot_v2_broker_last_check_timestamp_seconds{broker}`: when the last check ended, Unix time
    - `bot_v2_broker_transitions_total{broker,old,new}`: changes of state
    - `bot_v2_broker_reconnects_total{broker,outcome}`: attempts, outcome connected or failed

    Args:
        registry: where the metrics are registered. None: prometheus-client's own.

    Raises:
        MissingDependencyError: prometheus-client is not installed.
        ValueError: the registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register the metrics."""
        try:
            from prometheus_client import REGISTRY, Counter, Gauge, Histogram
        except ImportError as error:
            raise MissingDependencyError(
                "health metrics need prometheus-client: pip install 'bot-v2[metrics]'",
                extra="metrics",
            ) from error
        target = REGISTRY if registry is None else registry
        self._up = Gauge(
            "bot_v2_broker_up", "Whether the broker is healthy.", ["broker"], registry=target
        )
        self._state = Gauge(
            "bot_v2_broker_state",
            "1 for the broker's present state.",
            ["broker", "state"],
            registry=target,
        )
        self._latency = Histogram(
            "bot_v2_broker_check_latency_seconds",
            "How long the broker took to answer a health check.",
            ["broker"],
            buckets=_LATENCY_BUCKETS_S,
            registry=target,
        )
        self._last_check = Gauge(
            "bot_v2_broker_last_check_timestamp_seconds",
            "When the last health check ended, in Unix time.",
            ["broker"],
            registry=target,
        )
        self._transitions = Counter(
            "bot_v2_broker_transitions_total",
            "Changes of the broker's state.",
            ["broker", "old", "new"],
            registry=target,
        )
        self._reconnects = Counter(
            "bot_v2_broker_reconnects_total",
            "Attempts to reconnect that ended.",
            ["broker", "outcome"],
            registry=target,
        )

    def observe(self, event: HealthEvent) -> None:
        """Count an event: give this to a monitor as `on_event`."""
        if isinstance(event, HealthChecked):
            self._observe_report(event.report, event.timestamp.timestamp())
        elif isinstance(event, HealthChange):
            self._transitions.labels(event.name, event.old.value, event.new.value).inc()
        else:
            outcome = "connected" if event.connected else "failed"
            self._reconnects.labels(event.name, outcome).inc()

    def _observe_report(self, report: HealthReport, timestamp_s: float) -> None:
        self._up.labels(report.name).set(report.state is HealthState.HEALTHY)
        for state in HealthState:
            self._state.labels(report.name, state.value).set(report.state is state)
        if report.latency_s is not None:
            self._latency.labels(report.name).observe(report.latency_s)
        self._last_check.labels(report.name).set(timestamp_s)
