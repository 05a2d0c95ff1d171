"""What an adapter declares of itself as data, read with the least assumed where it is absent."""

from __future__ import annotations

from datetime import time
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.fields import (
    Model,
    require,
)
from bot_v2.features.brokerages.core.idempotency import LEAST_IDEMPOTENCY, IdempotencyProfile


class Retention(StrEnum):
    """How long a broker remembers an ended order."""

    SESSION = "session"
    """Until the session's reset."""
    DAYS = "days"
    """For a number of days."""
    FOREVER = "forever"
    """For ever."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OrderHistory(Model):
    """What `list_orders` knows of ended orders."""

    retention: Retention
    """How long an ended order is remembered."""
    days: int | None = None
    """How many days, for Retention.DAYS. None: another retention."""
    session_zone: str | None = None
    """The IANA time zone of the reset, for Retention.SESSION. None: another retention."""
    session_reset: time | None = None
    """The local time of the reset, for Retention.SESSION. None: another retention."""
    per_symbol: bool = False
    """True: the broker is asked for one symbol at a time."""
    staleness_s: float = 0.0
    """How far a read may lag behind the truth, in seconds."""

    _not_negative = ("staleness_s",)

    def _check_sense(self) -> None:
        if (self.days is not None) != (self.retention is Retention.DAYS):
            raise require(self, "days", "a number of days for Retention.DAYS, else None")
        zoned = self.session_zone is not None and self.session_reset is not None
        if zoned != (self.retention is Retention.SESSION):
            raise require(self, "session_zone", "a zone and a reset for Retention.SESSION only")


class CloseGuard(StrEnum):
    """What keeps `close_position` from turning the position."""

    ATOMIC = "atomic"
    """The broker: reduce-only, or a close of its own."""
    BEST_EFFORT = "best_effort"
    """We: a fresh read, less the closing orders that live. A race can turn it."""


class Environment(StrEnum):
    """Where a brokerage's orders go."""

    SIMULATOR = "simulator"
    """To a simulator on this machine."""
    SANDBOX = "sandbox"
    """To the broker's test system."""
    PAPER = "paper"
    """To the broker's paper account."""
    LIVE = "live"
    """To the market, with real money."""


LEAST_HISTORY: Final = OrderHistory(
    retention=Retention.SESSION, session_zone="UTC", session_reset=time(0)
)
"""What is assumed of an adapter that says nothing: ended orders are gone at the next midnight."""


def name_of(broker: object) -> str:
    """Return the brokerage's name; its class's where it declares none."""
    return str(getattr(broker, "name", type(broker).__name__))


def environment_of(broker: object) -> Environment:
    """Return where a brokerage's orders go; live where it says nothing, or nothing that is known.

    An adapter says it in `environment`, as a member or as its text.
    """
    said = str(getattr(broker, "environment", Environment.LIVE)).lower()
    return Environment(said) if said in set(Environment) else Environment.LIVE


def unsupported_of(broker: object) -> frozenset[str]:
    """Return which of the 18 raise UnsupportedOperationError: `method`, or `method:argument`."""
    declared: frozenset[str] = getattr(broker, "unsupported", frozenset())
    return frozenset(declared)


def idempotency_of(broker: object) -> IdempotencyProfile:
    """Return how far a client order id protects; not at all where nothing is declared."""
    declared: IdempotencyProfile = getattr(broker, "idempotency", LEAST_IDEMPOTENCY)
    return declared


def order_history_of(broker: object) -> OrderHistory:
    """Return how long ended orders are remembered; one session where nothing is declared."""
    declared: OrderHistory = getattr(broker, "order_history", LEAST_HISTORY)
    return declared


def close_guard_of(broker: object) -> CloseGuard:
    """Return what guards `close_position`; best effort where nothing is declared."""
    declared: CloseGuard = getattr(broker, "close_guard", CloseGuard.BEST_EFFORT)
    return declared


def balance_identity_of(broker: object) -> bool:
    """Return whether total == available + hold on every balance; no where nothing is declared."""
    return bool(getattr(broker, "balance_identity", False))


def spot_as_positions_of(broker: object) -> bool:
    """Return whether spot assets appear as positions; no where nothing is declared."""
    return bool(getattr(broker, "spot_as_positions", False))
