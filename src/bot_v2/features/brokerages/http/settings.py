"""How long to wait, how often to ask again, and how much to take."""

from __future__ import annotations

import math

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError

_MIB = 2**20


@attrs.frozen(kw_only=True)
class HttpSettings:
    """Bounds of every request. None of them can be switched off."""

    connect_timeout_s: float = 5.0
    """How long to wait for a free connection, and how long for one to open, in seconds. A name is
    looked up by the system, which has time-outs of its own."""
    read_timeout_s: float = 10.0
    """How long the broker may say nothing, in seconds."""
    total_timeout_s: float = 20.0
    """How long one exchange may take in all, in seconds, however slowly its bytes drip."""
    read_budget_s: float = 30.0
    """How long a read may take with all its repetitions and waits, in seconds."""
    read_attempts: int = 3
    """How often a read is sent at most."""
    retry_wait_initial_s: float = 0.1
    """The wait before the first repetition, in seconds; it doubles, and is jittered."""
    retry_wait_max_s: float = 1.0
    """The longest wait between two attempts, in seconds, where the broker asks for none."""
    write_hold_s: float = 1.0
    """How long a write may be held back by its quota before it is refused unsent, in seconds."""
    body_max_bytes: int = 32 * _MIB
    """The largest reply that is read, decompressed, in bytes."""
    connections_max: int = 16
    """How many connections to one origin there are at most."""
    idle_max_s: float = 45.0
    """A connection that was idle for so long, in seconds, is not used again: the other side may be
    closing it while a write leaves, and the write's outcome would be unknown."""
    ca_file: str | None = None
    """The certificates to trust, as a PEM file. None: what the environment or the system names."""
    user_agent: str = "bot-v2"
    """What a request calls us that does not say it itself."""

    def __attrs_post_init__(self) -> None:
        """Refuse what would be no bound at all."""
        for field in attrs.fields(HttpSettings):
            value = getattr(self, field.name)
            if not isinstance(value, int | float):
                continue
            least = 0 if field.name == "write_hold_s" else math.nextafter(0, 1)
            if isinstance(value, bool) or not least <= value < math.inf:
                accepted = "zero or more" if least == 0 else "more than zero"
                raise InvalidFieldError(f"HttpSettings.{field.name}", value, accepted)
