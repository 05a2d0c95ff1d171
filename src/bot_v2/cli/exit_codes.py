"""What the exit code of a command says, and which error gets which."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    InvalidRequestError,
    MissingDependencyError,
    OrderOutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    TimeoutError,
)
from bot_v2.orchestration.credentials.errors import PassphraseMissingError, WrongPassphraseError
from bot_v2.orchestration.journal.records import OrderJournalError


class ExitCode(IntEnum):
    """The exit code of a command."""

    OK = 0
    """Done."""
    REFUSED = 1
    """Not fulfilled: the broker refused, or there is no such order, position or price."""
    USAGE = 2
    """The command cannot be carried out as it was given; nothing was sent."""
    UNAVAILABLE = 3
    """The broker cannot be reached, does not serve, or is not healthy."""
    AUTHENTICATION = 4
    """The credentials are refused, have expired, do not allow this, or cannot be opened."""
    OUTCOME_UNKNOWN = 5
    """An order or a cancel may have taken effect: look before sending it again."""
    NOT_CONFIRMED = 6
    """A live broker would have been written to, and nobody confirmed; nothing was sent."""
    INCOMPLETE = 7
    """Something could not be read: what was found is not all, and nothing is taken for absent."""
    JOURNAL = 8
    """The order journal cannot be opened, read or written, or is damaged."""
    INTERRUPTED = 130
    """Ctrl-C."""


MEANINGS: Final[dict[ExitCode, str]] = {
    ExitCode.OK: "Done.",
    ExitCode.REFUSED: (
        "Not fulfilled: the broker refused, or there is no such order, position or price; "
        "credentials are nowhere, or their file is damaged; "
        "`certify` found violations; `demo` did not reconcile; `test` found something that "
        "does not work, `doctor` a problem; `reconcile` found orders or "
        "positions that nothing here explains."
    ),
    ExitCode.USAGE: (
        "The command cannot be carried out as it was given: a bad option, symbol or value, "
        "something that the brokerage does not do, or a package that is not installed. "
        "Nothing was sent."
    ),
    ExitCode.UNAVAILABLE: "The broker cannot be reached, does not serve, or is not healthy.",
    ExitCode.AUTHENTICATION: (
        "The credentials are refused, have expired, or do not allow this, or the passphrase that "
        "opens them is wrong or missing."
    ),
    ExitCode.OUTCOME_UNKNOWN: (
        "An order or a cancel may have taken effect. The message says how to look; nothing is "
        "ever sent again by itself. `reconcile`: nobody knows yet what became of one."
    ),
    ExitCode.NOT_CONFIRMED: (
        "A live broker would have been written to, or the order journal changed by a person's "
        "word, and nobody confirmed. Nothing was sent or written."
    ),
    ExitCode.INCOMPLETE: (
        "`reconcile` could not read everything: what it found is not all, and nothing that it "
        "could not read is taken for absent or flat."
    ),
    ExitCode.JOURNAL: (
        "The order journal cannot be opened, read or written, or `journal check` found damage."
    ),
    ExitCode.INTERRUPTED: "Ctrl-C, while nothing was being sent.",
}
"""What each code says, for the reference."""

_BY_ERROR: Final[dict[type, ExitCode]] = {
    # The nearest class among an error's ancestors decides.
    BrokerageError: ExitCode.REFUSED,
    InvalidRequestError: ExitCode.USAGE,
    MissingDependencyError: ExitCode.USAGE,
    ConnectionError: ExitCode.UNAVAILABLE,
    TimeoutError: ExitCode.UNAVAILABLE,
    BrokerUnavailableError: ExitCode.UNAVAILABLE,
    RateLimitError: ExitCode.UNAVAILABLE,
    AuthenticationError: ExitCode.AUTHENTICATION,
    PermissionDeniedError: ExitCode.AUTHENTICATION,
    OrderOutcomeUnknownError: ExitCode.OUTCOME_UNKNOWN,
    OrderJournalError: ExitCode.JOURNAL,
    PassphraseMissingError: ExitCode.AUTHENTICATION,
    WrongPassphraseError: ExitCode.AUTHENTICATION,
}


def exit_code_of(error: BrokerageError) -> ExitCode:
    """Return the exit code of a command that ended in an error."""
    return next(_BY_ERROR[kind] for kind in type(error).__mro__ if kind in _BY_ERROR)
