"""One send, and what its failure means: the law of outcomes, and the waits between retries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerConnectionError,
    BrokerTimeoutError,
    BrokerUnavailableError,
    OrderOutcomeUnknownError,
    Outcome,
    RateLimitError,
)
from bot_v2.orchestration.execution.settings import ExecutorSettings

_T = TypeVar("_T")

PASSING: Final = (
    BrokerConnectionError,
    BrokerTimeoutError,
    BrokerUnavailableError,
    RateLimitError,
)
"""What may go otherwise a moment later. A request that makes no sense stays so."""


@attrs.frozen(kw_only=True)
class Sent(Generic[_T]):
    """What a send came to."""

    reply: _T | None = None
    """What the broker answered. None: it failed."""
    error: BrokerageError | None = None
    """Why it failed. None: it did not."""

    @property
    def outcome(self) -> Outcome | None:
        """Whether the failed send took effect; what does not say is unknown. None: it is done."""
        if self.error is None:
            return None
        return self.error.outcome or Outcome.UNKNOWN


def send_once(call: Callable[[], _T]) -> Sent[_T]:
    """Call once; a failure of any kind is returned, and what is no BrokerageError is unknown."""
    try:
        return Sent(reply=call())
    except BrokerageError as error:
        return Sent(error=error)
    except Exception as error:  # noqa: BLE001 - whatever else fails may have failed after the send
        unknown = OrderOutcomeUnknownError(f"the brokerage failed: {type(error).__name__}: {error}")
        unknown.__cause__ = error
        return Sent(error=unknown)


def may_retry(settings: ExecutorSettings, error: BrokerageError, retries: int) -> bool:
    """Return whether to send again what has not left.

    Args:
        settings: how often.
        error: why it did not leave.
        retries: how often it was tried again by now.
    """
    is_passing = isinstance(error, PASSING) and error.outcome is Outcome.NOT_SENT
    return settings.retry_enabled and is_passing and retries < settings.max_retries


def retry_wait_s(
    settings: ExecutorSettings, error: BrokerageError, retries: int, jitter: float
) -> float:
    """Return how long to wait before a retry, in seconds.

    Twice as long each time, spread by up to a quarter; never shorter than the broker asks.

    Args:
        settings: the first wait, and the longest.
        error: why the last send did not leave.
        retries: how often it was tried again by now.
        jitter: between 0 and 1.
    """
    wait_s: float = min(settings.retry_delay_s * 2**retries, settings.max_retry_delay_s)
    return max(wait_s * (1 + jitter / 4), error.retry_after_s or 0.0)
