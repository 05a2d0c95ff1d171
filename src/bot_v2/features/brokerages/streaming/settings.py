"""How long a stream waits, how often it tries again, and how much it holds."""

from __future__ import annotations

import math
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.streaming.events import QUEUE_MAX

_MIB = 2**20

_OPTIONAL: Final = frozenset({"silence_max_s", "ping_interval_s"})


@attrs.frozen(kw_only=True)
class StreamSettings:
    """Bounds of every stream."""

    open_timeout_s: float = 10.0
    """How long a connection may take to open, handshakes included, in seconds."""
    ready_timeout_s: float = 10.0
    """How long the broker may take from there to what was asked for, in seconds."""
    silence_max_s: float | None = 10.0
    """How long no message may come before the connection is given up, in seconds. None: the broker
    has nothing that comes regularly, and silence proves nothing."""
    ping_interval_s: float | None = None
    """How often the other side is pinged, in seconds; two pings without any byte from it are the
    end. None: never, where messages come regularly."""
    backoff_initial_s: float = 0.5
    """The longest wait before the first attempt to connect again, in seconds; it doubles with each
    attempt, and is jittered down to its half."""
    backoff_max_s: float = 30.0
    """The longest wait between two attempts, in seconds, where the broker asks for none."""
    steady_s: float = 10.0
    """How long a connection must have been of use for the waits to start from the first again, in
    seconds."""
    close_timeout_s: float = 2.0
    """How long whoever closes a stream waits for its thread, in seconds. A thread that is reading
    over HTTP ends after that by itself."""
    queue_max: int = QUEUE_MAX
    """How many events may wait for a slow reader; those beyond are a gap."""
    message_max_bytes: int = 32 * _MIB
    """The largest message that is taken, in bytes."""

    def __attrs_post_init__(self) -> None:
        """Refuse what would be no bound at all."""
        for field in attrs.fields(StreamSettings):
            value = getattr(self, field.name)
            if value is None and field.name in _OPTIONAL:
                continue
            if isinstance(value, bool) or not 0 < value < math.inf:
                raise InvalidFieldError(f"StreamSettings.{field.name}", value, "more than zero")
