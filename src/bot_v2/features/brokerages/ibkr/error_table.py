"""What each code of TWS means: one row each, with where it is said. Pure.

A code alone says neither that something failed nor that it had no effect: warnings, news and
refusals come in the same message. Only a row of sense REFUSAL counts as a documented refusal.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    ConnectionError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    OrderNotFoundError,
    OrderRejectedError,
    PermissionDeniedError,
    RateLimitError,
)


class Sense(StrEnum):
    """What a code says of the request that it answers."""

    REFUSAL = "refusal"
    """It was refused, and did nothing."""
    CANCELLED = "cancelled"
    """An order was cancelled."""
    NOT_CANCELLED = "not_cancelled"
    """A cancel did nothing: the order has ended, never was, or cannot be cancelled."""
    FAILURE = "failure"
    """It failed, and nothing is said of whether it took effect."""
    WARNING = "warning"
    """It goes on, whatever else is said."""
    LINK = "link"
    """TWS lost or found the broker's servers."""


MESSAGE_CODES: Final = "https://interactivebrokers.github.io/tws-api/message_codes.html"
ERROR_HANDLING: Final = (
    "https://www.interactivebrokers.com/campus/ibkr-api-page/twsapi-doc/#api-error-codes"
)
IB_ASYNC: Final = "https://github.com/ib-api-reloaded/ib_async/blob/main/ib_async/wrapper.py"
IBKR_GO: Final = "https://github.com/ThomasMarcelis/ibkr-go/tree/main/testdata/transcripts"
NAUTILUS: Final = (
    "https://github.com/nautechsystems/nautilus_trader/tree/develop/nautilus_trader/adapters/"
    "interactive_brokers"
)


@attrs.frozen
class Row:
    """What one code means."""

    code: int
    """The code."""
    sense: Sense
    """What it says of the request."""
    kind: type[BrokerageError]
    """The error that it becomes where it is one."""
    source: str
    """Where that is said."""


_REFUSALS: Final[dict[type[BrokerageError], tuple[int, ...]]] = {
    # What an order, its change or a question is refused with, by MESSAGE_CODES.
    OrderRejectedError: (
        103,  # duplicate order id
        104,  # cannot modify a filled order
        105,  # the changed order does not match the original
        106,  # cannot transmit the order id
        107,  # cannot transmit an incomplete order
        116,  # dead exchange
        154,  # halted security
        201,  # rejected, with the reason in words
        329,  # the type cannot be changed so
        363,  # adjusted order not allowed
        388,  # smaller than the smallest order
        439,  # the order does not meet the exchange's requirements
        10006,  # the parent is missing
    ),
    InvalidRequestError: (
        109,  # price out of the range of the presets
        110,  # price is on no tick
        111,  # time in force and type do not go together
        113,  # time in force of an order at the close
        145,  # entry fields
        158,  # no offset
        160,  # size zero
        163,  # violates the percentage constraint
        312,  # combination
        313,  # leg of a combination
        314,  # combination without legs
        321,  # the request does not validate
        328,  # trailing attached to another type
        334,  # good-till date
        336,  # time
        337,  # time
        343,  # date or zone
        355,  # size does not conform to the market rule
        361,  # trigger price
        382,  # price
        383,  # size
        387,  # type is not supported there
        391,  # time
        391 + 1,  # time
        434,  # size zero
        435,  # no account
        10052,  # time in force
        10243,  # fractions
        10244,  # cash quantity
        10318,  # fractions
    ),
    InvalidSymbolError: (200,),
    PermissionDeniedError: (203, 412, 460, 10289),
}

_ROWS: Final[dict[Sense, dict[str, dict[type[BrokerageError], tuple[int, ...]]]]] = {
    Sense.REFUSAL: {MESSAGE_CODES: _REFUSALS},
    Sense.CANCELLED: {MESSAGE_CODES: {BrokerAPIError: (202,)}},
    Sense.NOT_CANCELLED: {
        MESSAGE_CODES: {OrderNotFoundError: (135, 136, 161)},
        IBKR_GO: {OrderNotFoundError: (10147, 10148)},
    },
    Sense.FAILURE: {
        MESSAGE_CODES: {
            RateLimitError: (100, 101, 420),
            BrokerUnavailableError: (320, 322, 323, 504, 531, 10182),
            ConnectionError: (326,),
            MarketDataUnavailableError: (162, 354, 366, 10090, 10092, 10168, 10186, 10190, 10197),
        },
        IBKR_GO: {MarketDataUnavailableError: (10089, 10189)},
    },
    Sense.WARNING: {
        MESSAGE_CODES: {BrokerAPIError: (165, 404, 481, 492, 10167)},
        IBKR_GO: {BrokerAPIError: (399,)},
        IB_ASYNC: {BrokerAPIError: (10349,)},
        ERROR_HANDLING: {BrokerAPIError: tuple(range(2100, 2170))},
    },
    Sense.LINK: {MESSAGE_CODES: {BrokerUnavailableError: (1100, 1101, 1102)}},
}

LINK_LOST: Final = 1100
DATA_LOST: Final = 1101
LINK_BACK: Final = 1102
CLIENT_ID_IN_USE: Final = 326
HISTORY: Final = 162
REJECTED: Final = 201
RATE: Final = 100

ROWS: Final = {
    code: Row(code, sense, kind, source)
    for sense, by_source in _ROWS.items()
    for source, kinds in by_source.items()
    for kind, codes in kinds.items()
    for code in codes
}
"""Every code that is known."""

FUNDS: Final = (
    "insufficient",
    "exceeds your",
    "margin",
    "buying power",
    "cash available",
    "equity",
)
"""What a rejection (201) says in words where the account cannot pay."""

NO_DATA: Final = ("no data", "no historical market data", "not returned")
"""What an answer about history (162) says in words where there is nothing."""

PACING: Final = "pacing"
"""What it says where too much was asked for."""


def row_of(code: int) -> Row | None:
    """Return what a code means. None: no table knows it."""
    return ROWS.get(code)


def kind_of_refusal(row: Row, text: str) -> type[BrokerageError]:
    """Return the error of a refusal; a rejection says why in words alone."""
    if row.code != REJECTED:
        return row.kind
    said = text.lower()
    return InsufficientFundsError if any(word in said for word in FUNDS) else row.kind
