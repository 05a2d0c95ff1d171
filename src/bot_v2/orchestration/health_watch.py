"""How a brokerage is watched: how often, for how long, and what is done when it is down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    InvalidRequestError,
    LoginRequiredError,
    MissingDependencyError,
    PermissionDeniedError,
    SessionExpiredError,
)
from bot_v2.features.brokerages.core.fields import require
from bot_v2.features.brokerages.core.health import BrokerHealth


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


_SECONDS: Final = (
    lambda value: _is_number(value) and value > 0,
    "finite seconds above zero",
)

_RULES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "interval_s": _SECONDS,
    "timeout_s": _SECONDS,
    "initial_s": _SECONDS,
    "maximum_s": _SECONDS,
    "factor": (lambda value: _is_number(value) and value >= 1, "a finite number, 1 or more"),
    "jitter": (lambda value: _is_number(value) and 0 <= value < 1, "a share, 0 to below 1"),
    "down_after": (lambda value: type(value) is int and value >= 1, "a whole number, 1 or more"),
    "name": (lambda value: isinstance(value, str) and value != "", "a str that is not empty"),
}
"""What a field may hold, and how an error says it."""

_WORTH_RETRYING: Final[dict[type[BaseException], bool]] = {
    # Again with the same credentials locks accounts; what a human must mend waits for the human.
    BaseException: True,
    AuthenticationError: False,
    SessionExpiredError: True,
    LoginRequiredError: False,
    PermissionDeniedError: False,
    InvalidRequestError: False,
    MissingDependencyError: False,
}
"""Whether connect() is tried again after an error; the nearest class counts."""


def is_worth_retrying(error: BaseException) -> bool:
    """Return whether connect() may succeed later without a human, after this error."""
    return next(_WORTH_RETRYING[kind] for kind in type(error).__mro__ if kind in _WORTH_RETRYING)


def retry_after_of(error: BaseException) -> float:
    """Return how long a broker asks to be left alone, in seconds; 0 where it does not."""
    asked = error.retry_after_s if isinstance(error, BrokerageError) else None
    return asked or 0.0


def _check(model: object, *names: str) -> None:
    for name in names:
        fits, accepted = _RULES[name]
        if not fits(getattr(model, name)):
            raise require(model, name, accepted)


class Watched(Protocol):
    """What the monitor calls of a brokerage; every IBrokerage fits."""

    def connect(self) -> bool:
        """Start the session; return True or raise."""
        ...

    def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life; never raises, and keeps its timeout."""
        ...


@attrs.frozen(kw_only=True)
class ReconnectPolicy:
    """When connect() is called again on a brokerage that is DOWN.

    The n-th attempt since it went down is made `initial_s * factor ** (n - 1)` seconds, but
    `maximum_s` at most, after the one before it ended; each delay is shortened by a random share
    of up to `jitter`. Where the broker says how long to wait, that is waited at least. An error
    that only a human can mend ends the attempts until a check finds the session alive again.

    Raises:
        InvalidFieldError: a number is out of its range.
    """

    initial_s: float = 1.0
    """The delay before the first attempt, in seconds."""
    maximum_s: float = 60.0
    """The longest delay, in seconds."""
    factor: float = 2.0
    """What each delay is multiplied by for the next one."""
    jitter: float = 0.5
    """The largest share by which chance shortens a delay: many bots do not knock at once."""

    def __attrs_post_init__(self) -> None:
        _check(self, "initial_s", "maximum_s", "factor", "jitter")
        if self.maximum_s < self.initial_s:
            raise require(self, "maximum_s", "initial_s or more")


@attrs.frozen(eq=False)
class Watch:
    """One brokerage to watch, and how.

    Raises:
        InvalidFieldError: a number is out of its range, or the name is empty.
    """

    broker: Watched
    """The brokerage. `check_health` is called on it and, given a policy, `connect`."""
    interval_s: float = attrs.field(default=30.0, kw_only=True)
    """From the start of a check to the start of the next one, in seconds."""
    timeout_s: float = attrs.field(default=10.0, kw_only=True)
    """How long a check may take, in seconds, before the broker counts as not answering."""
    jitter: float = attrs.field(default=0.1, kw_only=True)
    """The largest share by which chance lengthens or shortens an interval."""
    down_after: int = attrs.field(default=1, kw_only=True)
    """How many checks in a row must find it other than healthy before it can be DOWN.

    Until then a check that finds no session leaves the state as it was.
    """
    reconnect: ReconnectPolicy | None = attrs.field(default=None, kw_only=True)
    """What to do when it is DOWN. None: nothing."""
    name: str = attrs.field(
        default=attrs.Factory(lambda watch: name_of(watch.broker), takes_self=True), kw_only=True
    )
    """Its name in the monitor, the brokerage's own where none is given; each watch has another."""

    def __attrs_post_init__(self) -> None:
        _check(self, "interval_s", "timeout_s", "jitter", "down_after", "name")
