"""What the health monitor says of a brokerage: its state, and the events of its life."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fields import check_fields
from bot_v2.features.brokerages.core.health import BrokerHealth


class HealthState(StrEnum):
    """Whether a brokerage can be used, as far as the monitor knows."""

    UNKNOWN = "unknown"
    """No check has settled it yet."""
    HEALTHY = "healthy"
    """The session lives and the broker answers."""
    DEGRADED = "degraded"
    """The session is not known to be dead, and the broker does not answer."""
    DOWN = "down"
    """There is no session."""


def state_of(health: BrokerHealth) -> HealthState:
    """Return the state that one check shows."""
    if not health.connected:
        return HealthState.DOWN
    return HealthState.HEALTHY if health.api_responsive else HealthState.DEGRADED


def message_of(error: BaseException) -> str:
    """Return an error's class and message; the facts that a log does not need are left out."""
    text = error.message if isinstance(error, BrokerageError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


@attrs.frozen(kw_only=True, weakref_slot=False)
class HealthReport:
    """What is known of one brokerage at a moment."""

    name: str
    """The brokerage's name in the monitor."""
    state: HealthState
    """The state, after the checks so far."""
    since: datetime
    """When the state began."""
    health: BrokerHealth | None = None
    """What the last check found. None: none has ended or run out of time yet."""
    latency_s: float | None = None
    """How long the broker took to answer the last check, in seconds. None: it did not answer."""
    checks: int = 0
    """How many checks there were, the unanswered ones included."""
    failures: int = 0
    """How many checks in a row, up to the last one, found it other than healthy."""
    reconnects: int = 0
    """How many attempts to reconnect were begun since the brokerage went down."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class HealthChange:
    """A brokerage went from one state to another."""

    name: str
    """The brokerage's name in the monitor."""
    old: HealthState
    """The state that ended."""
    new: HealthState
    """The state that began."""
    health: BrokerHealth
    """The finding that made the change."""
    timestamp: datetime
    """When it changed."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class HealthChecked:
    """A check ended, or ran out of time."""

    report: HealthReport
    """What is known after it."""
    timestamp: datetime
    """When it ended, or when its time was over."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)


@attrs.frozen(kw_only=True, weakref_slot=False)
class ReconnectEnded:
    """An attempt to reconnect ended."""

    name: str
    """The brokerage's name in the monitor."""
    attempt: int
    """Which attempt it was since the brokerage went down, from 1."""
    connected: bool
    """True: connect() succeeded; the check that follows says what it is worth."""
    timestamp: datetime
    """When it ended."""
    error_message: str | None = None
    """Why it failed. None: it did not."""
    is_last: bool = False
    """True: no attempt follows, because only a human can mend what failed."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)


HealthEvent: TypeAlias = HealthChange | HealthChecked | ReconnectEnded
"""Whatever the monitor tells; a check that changes the state tells HealthChecked first."""
