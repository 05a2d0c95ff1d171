"""A transport that is patient, unless the venue was told to leave a request without an answer.

A suite waits for an answer that never comes as long as the adapter's time-out is. With a short one
a busy machine fails cards that have nothing to do with it; with a long one the suite takes minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.simulation.faults import Fault

PATIENCE_S: Final = 20.0
"""How long an answer may take that will come, in seconds."""

HANGING_S: Final = 0.4
"""How long one is awaited that will not, in seconds."""

_HANGS: Final = frozenset({Fault.DROP_BEFORE_ACCEPT.value, Fault.DROP_AFTER_ACCEPT.value})

_ONE_ATTEMPT: Final = HttpSettings(
    # No read is repeated: the cards of reads commit a fault as often as a read is tried.
    read_attempts=1,
    total_timeout_s=PATIENCE_S,
    read_budget_s=PATIENCE_S,
)


class Planned(Protocol):
    """A venue that says which faults are still to come."""

    def planned_faults(self) -> Mapping[str, Any]:
        """Return them."""
        ...


class PatientTransport(HttpTransport):
    """Waits long for what will be answered, and briefly for what will not.

    Args:
        venue: who answers. It has no quotas: they would have each check wait as long as it asks to.
    """

    def __init__(self, venue: Planned) -> None:
        """Prepare; nothing is opened yet."""
        super().__init__(_ONE_ATTEMPT)
        self._venue = venue

    def send(self, call: Call, method: str, url: str, **more: Any) -> Reply:
        """Send a request as the transport does, with a time-out that fits the moment."""
        pending = self._venue.planned_faults()["pending"]
        hangs = any(one["fault"] in _HANGS for one in pending)
        more["timeout_s"] = HANGING_S if hangs else PATIENCE_S
        return super().send(call, method, url, **more)
