"""How the executor retries, how long it looks for an outcome, and when it sends again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from math import inf

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.settings import Settings


class ExitPolicy(StrEnum):
    """What is done when the exits of an entry are not what they should be."""

    ALARM_ONLY = "alarm_only"
    """Tell; send nothing."""
    CLOSE_POSITION = "close_position"
    """Tell, and close what has no stop, by a market order."""
    REPLACE_STOP = "replace_stop"
    """Tell, and send the missing stop again."""


@attrs.frozen(kw_only=True)
class ExecutorSettings:
    """The executor's settings. Retries are for sends of which no byte left, and for those alone."""

    retry_enabled: bool = True
    """Whether a send of which no byte left is tried again. ORDER_RETRY_ENABLED."""
    max_retries: int = 3
    """How often it is tried again at most. ORDER_MAX_RETRIES."""
    retry_delay_s: float = 1.0
    """How long to wait before the first retry, in seconds; each next wait is twice as long.
    ORDER_RETRY_DELAY."""
    max_retry_delay_s: float = 30.0
    """The longest wait before a retry, in seconds, unless the broker asks for a longer one."""
    probe_delays_s: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
    """How long to wait between looks for an order whose outcome is unknown, in seconds; the last
    one repeats."""
    resolve_timeout_s: float = 30.0
    """How long `submit` goes on looking once reads can prove that the order is absent, in seconds.
    Then the order is put into quarantine; `reconcile` goes on looking."""
    max_resends: int = 1
    """How often an order that is proven absent is sent again, where the broker's client ids make
    that safe; and a cancel, which a second one cannot harm, anywhere. 0: never."""
    resend_within_s: float = 60.0
    """How old an order may be to be sent again, in seconds: prices move."""
    clock_margin_s: float = 3600.0
    """How far the broker's clock may be off, in seconds. Searches by time begin that much early."""
    exit_policy: ExitPolicy = ExitPolicy.ALARM_ONLY
    """What is done when an entry is filled and its stop is not there, or when exits closed, or
    would close, too much. ORDER_EXIT_POLICY."""
    exit_grace_s: float = 10.0
    """How long that has to last before it is told, in seconds; the broker's visibility lag, where
    that is longer. ORDER_EXIT_GRACE."""
    max_repairs: int = 3
    """How many orders are placed at most for one entry by the exit policy."""

    def __attrs_post_init__(self) -> None:
        for name in ("max_retries", "max_resends", "max_repairs"):
            if getattr(self, name) < 0:
                raise InvalidFieldError(
                    f"ExecutorSettings.{name}", getattr(self, name), "0 or more"
                )
        durations = ("retry_delay_s", "max_retry_delay_s", "resolve_timeout_s", "resend_within_s")
        for name in (*durations, "clock_margin_s", "exit_grace_s"):
            if not 0 <= getattr(self, name) < inf:
                accepted = "finite seconds, zero or more"
                raise InvalidFieldError(f"ExecutorSettings.{name}", getattr(self, name), accepted)
        if not self.probe_delays_s or min(self.probe_delays_s) <= 0:
            accepted = "one or more waits, each above zero seconds"
            raise InvalidFieldError(
                "ExecutorSettings.probe_delays_s", self.probe_delays_s, accepted
            )

    @property
    def clock_margin(self) -> timedelta:
        """How far the broker's clock may be off."""
        return timedelta(seconds=self.clock_margin_s)

    def probe_delay_s(self, probe: int) -> float:
        """Return how long to wait after a look, in seconds; the first look is number 0."""
        return self.probe_delays_s[min(probe, len(self.probe_delays_s) - 1)]


def executor_settings(
    given: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> ExecutorSettings:
    """Return the settings, from arguments first, then from the environment.

    ORDER_RETRY_ENABLED, ORDER_MAX_RETRIES and ORDER_RETRY_DELAY (seconds) are read; what they say
    holds for sends of which no byte left. So are ORDER_EXIT_POLICY and ORDER_EXIT_GRACE (seconds).

    Raises:
        InvalidFieldError: a value is not what its setting takes, or an argument is unknown.
    """
    settings = Settings("ORDER", given, environ)
    default = ExecutorSettings()
    read = ExecutorSettings(
        retry_enabled=settings.boolean("retry_enabled", default.retry_enabled),
        max_retries=settings.integer("max_retries", default.max_retries),
        retry_delay_s=settings.seconds("retry_delay", default.retry_delay_s),
        exit_policy=settings.choice("exit_policy", ExitPolicy, default.exit_policy),
        exit_grace_s=settings.seconds("exit_grace", default.exit_grace_s),
    )
    settings.refuse_unknown()
    return read
