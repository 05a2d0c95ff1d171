"""What each native code and message means: one row each, with where it is told. Pure.

Alpaca's codes are few, and say little more than the HTTP status; the message says the rest. The
first row counts that has the code, or names none, and whose words are in the message. A write
that is answered with one of them did nothing; what no row knows leaves a write's outcome unknown.
"""

from __future__ import annotations

from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    DuplicateOrderError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketClosedError,
    OrderNotFoundError,
    OrderRejectedError,
    PermissionDeniedError,
    RateLimitError,
)

ORDERS: Final = "https://docs.alpaca.markets/reference/postorder"
REPLACE: Final = "https://docs.alpaca.markets/reference/replaceorderforaccount"
USER_PROTECTION: Final = "https://docs.alpaca.markets/docs/user-protection"
ABOUT_ORDERS: Final = "https://docs.alpaca.markets/docs/orders-at-alpaca"
MARKET_DATA: Final = "https://docs.alpaca.markets/docs/historical-stock-data-1"
FRACTIONAL: Final = "https://docs.alpaca.markets/docs/fractional-trading"
AUTHENTICATION: Final = "https://docs.alpaca.markets/docs/authentication-1"
CCXT: Final = "https://github.com/ccxt/ccxt/blob/master/ts/src/alpaca.ts"
_ISSUES: Final = "https://github.com/alpacahq"
UNIQUE_ID: Final = f"{_ISSUES}/alpaca-py/issues/260"
BUYING_POWER: Final = f"{_ISSUES}/alpaca-py/issues/225"
DAY_TRADING: Final = f"{_ISSUES}/Alpaca-API/issues/98"
COVERED_CALL: Final = f"{_ISSUES}/Alpaca-API/issues/271"
WASH_TRADE: Final = "https://github.com/Petersoj/alpaca-java/issues/145"
NOT_ALLOWED: Final = "https://github.com/Petersoj/alpaca-java/issues/147"
SUSPENDED: Final = "https://github.com/Lumiwealth/lumibot/issues/373"
REPLACED: Final = (
    "https://forum.alpaca.markets/t/how-to-update-replace-existing-order-multiple-times/945"
)

BAD_REQUEST: Final = 40010000
UNPROCESSABLE: Final = 40010001
UNAUTHORIZED: Final = 40110000
FORBIDDEN: Final = 40310000
PATTERN_DAY_TRADER: Final = 40310100
NOT_FOUND: Final = 40410000
UNPROCESSABLE_ORDER: Final = 42210000
TOO_MANY: Final = 42910000
INTERNAL: Final = 50010000


@attrs.frozen
class Row:
    """What a code and some words of its message mean."""

    code: int | None
    """The code in the body. None: any, or none."""
    words: str
    """What the message holds, in small letters. Empty: anything."""
    kind: type[BrokerageError]
    """The error."""
    is_refusal: bool
    """True: a write that is answered so did nothing. False: it may have."""
    source: str
    """Where it is told."""


ROWS: Final = (
    # code, words, error, is a refusal, source
    Row(None, "client_order_id must be unique", DuplicateOrderError, True, UNIQUE_ID),
    Row(None, "insufficient", InsufficientFundsError, True, BUYING_POWER),
    Row(None, "rejected by user request", PermissionDeniedError, True, SUSPENDED),
    Row(None, "not allowed for account", PermissionDeniedError, True, NOT_ALLOWED),
    Row(None, "not allowed to short", PermissionDeniedError, True, USER_PROTECTION),
    Row(None, "cannot be sold short", OrderRejectedError, True, USER_PROTECTION),
    Row(None, "pattern day trading", OrderRejectedError, True, USER_PROTECTION),
    Row(None, "wash trade", OrderRejectedError, True, WASH_TRADE),
    Row(None, "cost basis must be", InvalidRequestError, True, CCXT),
    Row(FORBIDDEN, "account is", PermissionDeniedError, True, USER_PROTECTION),
    Row(FORBIDDEN, "blocked", PermissionDeniedError, True, USER_PROTECTION),
    Row(FORBIDDEN, "restricted", PermissionDeniedError, True, USER_PROTECTION),
    Row(FORBIDDEN, "not authorized", PermissionDeniedError, True, AUTHENTICATION),
    Row(FORBIDDEN, "market is closed", MarketClosedError, True, ABOUT_ORDERS),
    Row(UNPROCESSABLE_ORDER, "market is closed", MarketClosedError, True, ABOUT_ORDERS),
    Row(UNPROCESSABLE_ORDER, "market hours", MarketClosedError, True, ABOUT_ORDERS),
    Row(None, "could not find asset", InvalidSymbolError, True, ORDERS),
    Row(None, "asset not found", InvalidSymbolError, True, ORDERS),
    Row(None, "invalid symbol", InvalidSymbolError, True, CCXT),
    Row(UNPROCESSABLE_ORDER, "not tradable", OrderRejectedError, True, ORDERS),
    Row(UNPROCESSABLE_ORDER, "not active", OrderRejectedError, True, ORDERS),
    Row(None, "subscription does not permit", PermissionDeniedError, True, MARKET_DATA),
    # What a code alone says.
    Row(BAD_REQUEST, "", InvalidRequestError, True, ORDERS),
    Row(UNPROCESSABLE, "", InvalidRequestError, True, CCXT),
    Row(UNAUTHORIZED, "", AuthenticationError, True, CCXT),
    Row(FORBIDDEN, "", OrderRejectedError, True, ORDERS),
    Row(PATTERN_DAY_TRADER, "", OrderRejectedError, True, USER_PROTECTION),
    Row(NOT_FOUND, "", OrderNotFoundError, True, CCXT),
    Row(UNPROCESSABLE_ORDER, "", OrderRejectedError, True, CCXT),
    Row(TOO_MANY, "", RateLimitError, True, CCXT),
    Row(INTERNAL, "", BrokerUnavailableError, False, ORDERS),
    # What comes without a code.
    Row(None, "unauthorized", AuthenticationError, True, AUTHENTICATION),
    Row(None, "not authorized", AuthenticationError, True, AUTHENTICATION),
    Row(None, "forbidden", AuthenticationError, True, CCXT),
    Row(None, "too many requests", RateLimitError, True, MARKET_DATA),
    Row(None, "rate limit exceeded", RateLimitError, True, CCXT),
)
"""The table."""
