"""Whether a brokerage can be used now."""

from __future__ import annotations

import attrs

from bot_v2.features.brokerages.core.fields import Model


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class BrokerHealth(Model):
    """The answer of a health check, which never raises."""

    connected: bool
    """True: the session is not known to be dead."""
    api_responsive: bool
    """True: the broker answered this check in time."""
    last_check_timestamp: float
    """When the check ended, in Unix seconds."""
    error_message: str | None = None
    """What is wrong. None: nothing is."""
    latency_s: float | None = None
    """How long the broker took to answer, in seconds. None: it did not."""

    _not_negative = ("latency_s",)
