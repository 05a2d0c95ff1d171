"""What can go wrong between a bot and its broker, by name."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """A fault that a simulated venue can be told to commit."""

    RESET_BEFORE = "reset_before"
    """The connection fails before a byte of the request leaves."""
    DROP_AFTER_ACCEPT = "drop_after_accept"
    """The request takes effect, and the response never arrives: the caller times out."""
    DROP_BEFORE_ACCEPT = "drop_before_accept"
    """The request leaves, has no effect, and is never answered: the caller times out."""
    RESET_AFTER = "reset_after"
    """The request takes effect, and the connection is reset during the response."""
    RATE_LIMIT = "rate_limit"
    """Refused for too many calls (HTTP 429 with Retry-After), without effect."""
    SERVER_ERROR = "server_error"
    """A 5xx after the request took effect: it says nothing of whether it did."""
    UNAVAILABLE = "unavailable"
    """A 503 without effect; a reader cannot tell it from one with."""
    MALFORMED = "malformed"
    """The request takes effect; the body of the response is not what the broker documents."""
    EMPTY = "empty"
    """The request takes effect; the body of the response is empty."""
    TRUNCATED = "truncated"
    """The request takes effect; the body of the response ends in the middle."""
    STALE_READ = "stale_read"
    """Reads show the state from before the latest write, until the fault is cleared."""
    DUPLICATE_EVENT = "duplicate_event"
    """The stream says everything twice."""
    REORDER_EVENTS = "reorder_events"
    """The stream says the next two events in the other order."""
    MUTE_STREAM = "mute_stream"
    """The stream stays connected and says nothing; its events are lost."""
    SESSION_EXPIRED = "session_expired"
    """The session ends: every call is refused until the next connect."""
    CLOCK_SKEW = "clock_skew"
    """The venue's clock is not ours: its times are minutes away."""


WIRE_FAULTS = frozenset({Fault.MALFORMED, Fault.EMPTY, Fault.TRUNCATED})
"""Faults that only a venue with a wire can commit: without bytes there is nothing to garble."""
