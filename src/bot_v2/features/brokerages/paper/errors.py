"""What a failure on the way means for the caller: one table, after the law of outcomes.

A read that fails is an error and no more. A write is NOT_SENT when the call provably never left,
REJECTED when the exchange is known to refuse before it matches anything, and else unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    ErrorContext,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    Outcome,
    RateLimitError,
    SessionExpiredError,
    TimeoutError,
)
from bot_v2.simulation.faults import Fault


class AccountFileError(BrokerUnavailableError):
    """The account file cannot be used. Nothing in it was changed."""


class AccountFileInUseError(AccountFileError):
    """Another brokerage, here or in another process, has the file open."""


class AccountFileDamagedError(AccountFileError):
    """The file is no account file, or its contents contradict each other."""


class AccountFileVersionError(AccountFileError):
    """The file was written by another version, whose form this one does not know."""


@attrs.frozen
class Meaning:
    """What a caller can know of a fault."""

    message: str
    """What happened, for a person."""
    on_read: type[BrokerageError]
    """The error of a read."""
    on_write: type[BrokerageError]
    """The error of a write."""
    write_outcome: Outcome
    """Whether the write took effect."""


_UNKNOWN: Final = (OrderOutcomeUnknownError, Outcome.UNKNOWN)

MEANINGS: Final[dict[Fault, Meaning]] = {
    # fault: message, error of a read, error of a write, outcome of the write
    Fault.RESET_BEFORE: Meaning(
        "the exchange could not be reached", ConnectionError, ConnectionError, Outcome.NOT_SENT
    ),
    Fault.DROP_AFTER_ACCEPT: Meaning("the exchange did not answer", TimeoutError, *_UNKNOWN),
    Fault.DROP_BEFORE_ACCEPT: Meaning("the exchange did not answer", TimeoutError, *_UNKNOWN),
    Fault.RESET_AFTER: Meaning("the connection was reset", ConnectionError, *_UNKNOWN),
    Fault.SERVER_ERROR: Meaning("the exchange failed", BrokerUnavailableError, *_UNKNOWN),
    Fault.UNAVAILABLE: Meaning("the exchange is not serving", BrokerUnavailableError, *_UNKNOWN),
    # The exchange refuses these two before it looks at what was asked: nothing took effect.
    Fault.RATE_LIMIT: Meaning("too many calls", RateLimitError, RateLimitError, Outcome.REJECTED),
    Fault.SESSION_EXPIRED: Meaning(
        "the session has ended: connect again",
        SessionExpiredError,
        SessionExpiredError,
        Outcome.REJECTED,
    ),
}
"""What each fault of a call means."""


def error_from_fault(
    fault: Fault, is_write: bool, retry_after_s: float | None, context: ErrorContext
) -> BrokerageError:
    """Return the error that a caller gets for a failure on the way."""
    meaning = MEANINGS[fault]
    build: Callable[..., BrokerageError] = meaning.on_write if is_write else meaning.on_read
    outcome = meaning.write_outcome if is_write else None
    return build(
        meaning.message,
        **context,
        code=fault.value,
        outcome=outcome,
        retry_after_s=retry_after_s,
    )


def complete_error(error: BrokerageError, is_write: bool, context: ErrorContext) -> None:
    """Add to an answer of the exchange what only the caller's side knows.

    What the exchange refuses it has not done: a write that it answers with an error is REJECTED. An
    InvalidRequestError of the engine's own says NOT_SENT, as nobody told it that it was sent.
    """
    for name, value in context.items():
        if getattr(error, name) is None:
            setattr(error, name, value)
    if not is_write:
        error.outcome = None
    elif error.outcome is None or isinstance(error, InvalidRequestError):
        error.outcome = Outcome.REJECTED
