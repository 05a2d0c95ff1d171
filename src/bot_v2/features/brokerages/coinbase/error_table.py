"""What each native code and message means: one row each, with where Coinbase says so. Pure.

A row whose effect is REJECTED is a documented refusal: a write that is answered with it did
nothing. A row without an effect says what went wrong, and nothing of whether a write took effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    CancelRejectedError,
    ConnectionError,
    DuplicateOrderError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketClosedError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderRejectedError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
)


class Place(StrEnum):
    """In what a word was said: the same word may mean another thing elsewhere."""

    PLACEMENT = "placement"
    """The reply to a placement or a close that was refused, or a preview."""
    CANCEL = "cancel"
    """One result of a batch of cancels."""
    EDIT = "edit"
    """The reply to a change that was refused."""
    API = "api"
    """An HTTP error of Advanced Trade."""
    EXCHANGE = "exchange"
    """The message of an HTTP error of the Exchange API; a part of it is enough."""
    STREAM = "stream"
    """The message or the reason of an error on a WebSocket of either API; a part is enough."""


_REFERENCE: Final = "https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders"
CREATE_ORDER: Final = f"{_REFERENCE}/create-order"
CANCEL_ORDER: Final = f"{_REFERENCE}/cancel-order"
EDIT_ORDER: Final = f"{_REFERENCE}/edit-order"
_APP: Final = "https://docs.cdp.coinbase.com/coinbase-app/api-architecture"
ERROR_MESSAGES: Final = f"{_APP}/error-messages"
STATUS_CODES: Final = f"{_APP}/status-codes"
RATE_LIMITING: Final = f"{_APP}/rate-limiting"
GRPC_CODES: Final = "https://grpc.io/docs/guides/status-codes/"
_EXCHANGE: Final = "https://docs.cdp.coinbase.com/exchange/rest-api"
EXCHANGE_ERRORS: Final = f"{_EXCHANGE}/requests"
EXCHANGE_LIMITS: Final = f"{_EXCHANGE}/rate-limits"
ALTRADY: Final = "https://support.altrady.com/en/article/common-coinbase-error-messages-18gqfgc/"
POST_ONLY: Final = "https://github.com/askmike/gekko/issues/2856"
CLIENT_OID: Final = "https://github.com/coinbase/coinbase-pro-node/issues/345"
CCXT: Final = "https://github.com/ccxt/ccxt/blob/master/js/src/coinbase.js"
SUBSCRIBING: Final = "https://github.com/thrasher-corp/gocryptotrader/pull/1421"
NEEDS_KEY: Final = "https://github.com/ccxt/ccxt/issues/19176"
SUBSCRIBING_OLD: Final = "https://github.com/coinbase/coinbase-pro-node/issues/174"
SIGNING_OLD: Final = "https://github.com/coinbase/coinbase-pro-node/pull/110"
FEED_PRACTICES: Final = "https://docs.cdp.coinbase.com/exchange/websocket-feed/best-practices"
STREAM_LIMITS: Final = (
    "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-rate-limits"
)
STREAM_ERRORS: Final = (
    "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview"
)
CCXT_EXCHANGE: Final = "https://github.com/ccxt/ccxt/blob/master/js/src/coinbaseexchange.js"


@attrs.frozen
class Row:
    """What one word means."""

    place: Place
    """Where it is said."""
    word: str
    """The code, or the message, in capitals as Coinbase writes it."""
    kind: type[BrokerageError]
    """The error that it becomes."""
    effect: Outcome | None
    """REJECTED: a write that is answered so did nothing. None: it says nothing of that."""
    source: str
    """Where Coinbase, or the code of a well-known client, says so."""


_REJECTED: Final = Outcome.REJECTED

_PLACEMENTS: Final[dict[type[BrokerageError], tuple[str, ...]]] = {
    InsufficientFundsError: (
        "INSUFFICIENT_FUND",
        "INSUFFICIENT_FUNDS",
        "INSUFFICIENT_LEDGER_BALANCE",
        "INSUFFICIENT_FUNDS_FOR_FUTURES",
        "INVALID_MARGIN_HEALTH",
    ),
    InvalidSymbolError: ("INVALID_PRODUCT_ID", "INVALID_UNSUPPORTED_INSTRUMENT"),
    PermissionDeniedError: (
        "GEOFENCING_RESTRICTION",
        "COMPLIANCE_PURCHASE_LIMIT_EXCEEDED",
        "UNTRADABLE_FCM_ACCOUNT_STATUS",
        "INELIGIBLE_PAIR",
    ),
    MarketClosedError: (
        "ORDER_ENTRY_DISABLED",
        "UNTRADABLE_PRODUCT",
        "INVALID_FCM_TRADING_SESSION",
        "NOT_ALLOWED_BY_MARKET_STATE",
        "PRODUCT_TRADING_HALTED",
        "TRADING_DISABLED",
    ),
    DuplicateOrderError: ("DUPLICATE_CLIENT_ORDER_ID",),
    InvalidRequestError: (
        "UNSUPPORTED_ORDER_CONFIGURATION",
        "INVALID_ORDER_CONFIG",
        "INVALID_SIDE",
        "INVALID_SIZE_PRECISION",
        "INVALID_PRICE_PRECISION",
        "INVALID_STOP_PRICE_PRECISION",
        "INVALID_LIMIT_PRICE_PRECISION",
        "INVALID_QUOTE_SIZE_PRECISION",
        "INVALID_BASE_SIZE_TOO_LARGE",
        "INVALID_BASE_SIZE_TOO_SMALL",
        "INVALID_QUOTE_SIZE_TOO_LARGE",
        "INVALID_QUOTE_SIZE_TOO_SMALL",
        "INVALID_PRICE_TOO_LARGE",
        "INVALID_REQUEST",
        "INVALID_MARGIN_TYPE",
        "INVALID_LEVERAGE",
        "INVALID_END_TIME",
        "INVALID_INTX_CLIENT_ORDER_ID",
        "NON_NUMERIC_ORDER_SIZE",
        "END_TIME_IS_IN_THE_PAST",
        "END_TIME_TOO_FAR_IN_FUTURE",
        "GTD_ORDERS_MUST_HAVE_END_TIME",
        "FOK_DISABLED",
        "FOK_ONLY_ALLOWED_ON_LIMIT_ORDERS",
        "INTX_FOK_ONLY_ALLOWED_ON_LIMIT_AND_MARKET_ORDERS",
        "POST_ONLY_NOT_ALLOWED_WITH_FOK",
        "PRICE_NOT_ALLOWED_FOR_MARKET_ORDERS",
        "QUOTE_ORDERS_NOT_ALLOWED_FOR_PRODUCT",
        "QUOTE_SIZE_NOT_ALLOWED_FOR_BRACKET",
        "BRACKET_ORDER_NOT_SUPPORTED",
        "INVALID_BRACKET_PRICES",
        "INVALID_BRACKET_LIMIT_PRICE",
        "INVALID_BRACKET_STOP_TRIGGER_PRICE",
        "INVALID_BRACKET_ORDER_SIDE",
        "INVALID_ORDER_TYPE_FOR_ATTACHED",
        "ATTACHED_ORDERS_ONLY_ALLOWED_ON_MARKET_LIMIT",
        "ATTACHED_ORDER_SIZE_MUST_BE_NIL",
        "ATTACHED_ORDER_MUST_HAVE_POSITIVE_PRICES",
        "SINGLE_LEGGED_TPSL_NOT_ALLOWED",
        "INVALID_ATTACHED_TAKE_PROFIT_PRICE",
        "INVALID_ATTACHED_STOP_LOSS_PRICE",
        "REDUCE_ONLY_NOT_ALLOWED_ON_VENUE",
        "REDUCE_ONLY_NOT_ALLOWED_ON_SPOT_PRODUCTS",
        "CANNOT_CLOSE_ZERO_POSITION",
    ),
    OrderRejectedError: (
        "INVALID_LEDGER_BALANCE",
        "INVALID_LIMIT_PRICE_POST_ONLY",
        "INVALID_LIMIT_PRICE",
        "INVALID_STOP_PRICE",
        "INVALID_NO_LIQUIDITY",
        "COMMANDER_REJECTED_NEW_ORDER",
        "IN_LIQUIDATION",
        "LIMIT_PRICE_TOO_FAR_FROM_MARKET",
        "STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
        "STOP_PRICE_BELOW_LAST_TRADE_PRICE",
        "STOP_PRICE_ABOVE_LIMIT_PRICE",
        "STOP_PRICE_BELOW_LIMIT_PRICE",
        "STOP_TRIGGERED",
        "STOP_ALREADY_TRIGGERED",
        "BRACKET_LIMIT_PRICE_OUT_OF_BOUNDS",
        "STOP_TRIGGER_PRICE_OUT_OF_BOUNDS",
        "OPEN_BRACKET_ORDERS",
        "BREACHED_PRICE_LIMIT",
        "BREACHED_RISK_LIMIT",
        "BREACHED_ACCOUNT_POSITION_LIMIT",
        "BREACHED_COMPANY_POSITION_LIMIT",
        "BREACHED_OPEN_INTEREST_LIMIT",
        "CLOSE_ONLY_FAILURE",
        "OPPOSITE_MARGIN_TYPE_EXISTS",
        "POSITION_SIZE_INCREASE_REJECT",
        "ASSET_BALANCE_INCREASE_REJECT",
        "REDUCE_ONLY_INCREASED_POSITION_SIZE",
        "LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_BUY",
        "LIMIT_ORDER_PRICE_EXCEEDS_PRICE_BAND_ON_SELL",
        "MISSING_MARKET_TRADE_DATA",
        "MISSING_PRODUCT_PRICE_BOOK",
        # Said with UNKNOWN_FAILURE_REASON, in the reference's own example of a refusal.
        "THE ORDER CONFIGURATION WAS INVALID",
    ),
}
"""The reasons of a refused placement; a preview says the same ones after PREVIEW_."""

_CANCELS: Final = (
    # An ended order and one that never was get the same of these: the order is then read once.
    "UNKNOWN_CANCEL_ORDER",
    "INVALID_CANCEL_REQUEST",
    "DUPLICATE_CANCEL_REQUEST",
    "COMMANDER_REJECTED_CANCEL_ORDER",
    "INVALID_CANCEL_PRODUCT_ID",
    "INVALID_CANCEL_FCM_TRADING_SESSION",
    "NOT_ALLOWED_TO_CANCEL",
    "ORDER_IS_FULLY_FILLED",
    "ORDER_IS_BEING_REPLACED",
)

_EDITS: Final = (
    "COMMANDER_REJECTED_EDIT_ORDER",
    "CANNOT_EDIT_TO_BELOW_FILLED_SIZE",
    "CALLER_ID_MISMATCH",
    "ONLY_LIMIT_ORDER_EDITS_SUPPORTED",
    "INVALID_EDITED_SIZE",
    "INVALID_EDITED_PRICE",
    "INVALID_ORIGINAL_SIZE",
    "INVALID_ORIGINAL_PRICE",
    "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST",
    "ONLY_OPEN_ORDERS_CAN_BE_EDITED",
    "SIZE_IN_QUOTE_EDITS_NOT_ALLOWED",
    "ORDER_IS_ALREADY_BEING_REPLACED",
    "PORTFOLIO_NOT_ALLOWED_FOR_EDITS",
    "STRATEGY_NOT_SUPPORTED",
    "CANNOT_EDIT_FUTURES_ORDER",
    "EXCEEDED_MAX_ALLOWED_EDIT_REQUEST_COUNT",
)

_API: Final[tuple[tuple[str, type[BrokerageError], Outcome | None, str], ...]] = (
    # word, error, effect, source
    ("UNAUTHORIZED", AuthenticationError, _REJECTED, STATUS_CODES),
    ("UNAUTHENTICATED", AuthenticationError, _REJECTED, GRPC_CODES),
    ("AUTHENTICATION_ERROR", AuthenticationError, _REJECTED, ERROR_MESSAGES),
    ("INVALID_TOKEN", AuthenticationError, _REJECTED, ERROR_MESSAGES),
    ("EXPIRED_TOKEN", AuthenticationError, _REJECTED, ERROR_MESSAGES),
    ("REVOKED_TOKEN", AuthenticationError, _REJECTED, ERROR_MESSAGES),
    ("PERMISSION_DENIED", PermissionDeniedError, _REJECTED, CCXT),
    ("INVALID_SCOPE", PermissionDeniedError, _REJECTED, ERROR_MESSAGES),
    ("INVALID_ARGUMENT", InvalidRequestError, _REJECTED, CCXT),
    ("INVALID_REQUEST", InvalidRequestError, _REJECTED, ERROR_MESSAGES),
    ("VALIDATION_ERROR", InvalidRequestError, _REJECTED, ERROR_MESSAGES),
    ("PARAM_REQUIRED", InvalidRequestError, _REJECTED, ERROR_MESSAGES),
    ("NOT_FOUND", OrderNotFoundError, _REJECTED, ERROR_MESSAGES),
    ("ORDER WITH THIS ORDERID WAS NOT FOUND", OrderNotFoundError, _REJECTED, CCXT),
    ("RATE_LIMIT_EXCEEDED", RateLimitError, _REJECTED, RATE_LIMITING),
    ("RESOURCE_EXHAUSTED", RateLimitError, _REJECTED, CCXT),
    ("INSUFFICIENT_FUND", InsufficientFundsError, _REJECTED, CCXT),
    ("INTERNAL", BrokerUnavailableError, None, GRPC_CODES),
    ("INTERNAL_SERVER_ERROR", BrokerUnavailableError, None, ERROR_MESSAGES),
    ("UNAVAILABLE", BrokerUnavailableError, None, GRPC_CODES),
    ("DEADLINE_EXCEEDED", BrokerUnavailableError, None, GRPC_CODES),
)

_EXCHANGES: Final[tuple[tuple[str, type[BrokerageError], Outcome | None, str], ...]] = (
    # word, error, effect, source; the first that is in the message counts
    ("INSUFFICIENT FUNDS", InsufficientFundsError, _REJECTED, CCXT_EXCHANGE),
    ("ORDER ALREADY DONE", CancelRejectedError, _REJECTED, CCXT_EXCHANGE),
    ("ORDER NOT FOUND", OrderNotFoundError, _REJECTED, CCXT_EXCHANGE),
    ("INVALID ORDER ID", OrderNotFoundError, _REJECTED, CCXT_EXCHANGE),
    ("PRODUCT NOT FOUND", InvalidSymbolError, _REJECTED, CCXT_EXCHANGE),
    ("NOTFOUND", OrderNotFoundError, _REJECTED, CCXT_EXCHANGE),
    ("NOT FOUND", OrderNotFoundError, _REJECTED, EXCHANGE_ERRORS),
    ("INVALID API KEY", AuthenticationError, _REJECTED, EXCHANGE_ERRORS),
    ("INVALID SIGNATURE", AuthenticationError, _REJECTED, CCXT_EXCHANGE),
    ("INVALID PASSPHRASE", AuthenticationError, _REJECTED, CCXT_EXCHANGE),
    ("TIMESTAMP EXPIRED", AuthenticationError, _REJECTED, CCXT),
    ("UNAUTHORIZED", AuthenticationError, _REJECTED, EXCHANGE_ERRORS),
    ("RATE LIMIT EXCEEDED", RateLimitError, _REJECTED, EXCHANGE_LIMITS),
    ("TRADING PAIR NOT AVAILABLE", PermissionDeniedError, _REJECTED, CCXT_EXCHANGE),
    ("FORBIDDEN", PermissionDeniedError, _REJECTED, EXCHANGE_ERRORS),
    ("PRICE TOO SMALL", InvalidRequestError, _REJECTED, CCXT_EXCHANGE),
    ("PRICE TOO PRECISE", InvalidRequestError, _REJECTED, CCXT_EXCHANGE),
    ("SIZE IS TOO SMALL", InvalidRequestError, _REJECTED, CCXT_EXCHANGE),
    ("SIZE IS TOO LARGE", InvalidRequestError, _REJECTED, CCXT_EXCHANGE),
    ("LIMIT ONLY MODE", MarketClosedError, _REJECTED, ALTRADY),
    ("BAD REQUEST", InvalidRequestError, _REJECTED, EXCHANGE_ERRORS),
    ("INVALID PRICE", InvalidRequestError, _REJECTED, EXCHANGE_ERRORS),
    ("INVALID CLIENT_OID", InvalidRequestError, _REJECTED, CLIENT_OID),
    ("POST ONLY MODE", OrderRejectedError, _REJECTED, POST_ONLY),
    ("CANCEL ONLY MODE", MarketClosedError, _REJECTED, CCXT_EXCHANGE),
    ("UNDER MAINTENANCE", BrokerUnavailableError, None, CCXT_EXCHANGE),
    ("INTERNAL SERVER ERROR", BrokerUnavailableError, None, EXCHANGE_ERRORS),
)

_STREAMS: Final[tuple[tuple[str, type[BrokerageError], Outcome | None, str], ...]] = (
    # Advanced Trade also calls a channel that it does not know a failure of authentication.
    ("AUTHENTICATION FAILURE", AuthenticationError, _REJECTED, STREAM_ERRORS),
    ("AUTHENTICATION FAILED", AuthenticationError, _REJECTED, CCXT_EXCHANGE),
    ("COULD NOT BE AUTHENTICATED", AuthenticationError, _REJECTED, SIGNING_OLD),
    ("REQUIRE AUTHENTICATION", AuthenticationError, _REJECTED, NEEDS_KEY),
    ("NOT A VALID PRODUCT", InvalidSymbolError, _REJECTED, SUBSCRIBING),
    ("INVALID PRODUCT ID", InvalidSymbolError, _REJECTED, SUBSCRIBING_OLD),
    ("RATE LIMIT", RateLimitError, _REJECTED, STREAM_LIMITS),
    ("ERRSLOWREAD", RateLimitError, _REJECTED, FEED_PRACTICES),
    ("ERRSLOWCONSUME", ConnectionError, _REJECTED, FEED_PRACTICES),
    ("MESSAGE TOO BIG", InvalidRequestError, _REJECTED, FEED_PRACTICES),
)


def _rows() -> Iterator[Row]:
    for kind, words in _PLACEMENTS.items():
        for word in words:
            yield Row(Place.PLACEMENT, word, kind, _REJECTED, CREATE_ORDER)
    for word in _CANCELS:
        yield Row(Place.CANCEL, word, CancelRejectedError, _REJECTED, CANCEL_ORDER)
    yield Row(Place.EDIT, "ORDER_NOT_FOUND", OrderNotFoundError, _REJECTED, EDIT_ORDER)
    for word in _EDITS:
        yield Row(Place.EDIT, word, ModifyRejectedError, _REJECTED, EDIT_ORDER)
    tables = ((Place.API, _API), (Place.EXCHANGE, _EXCHANGES), (Place.STREAM, _STREAMS))
    for place, table in tables:
        for word, kind, effect, source in table:
            yield Row(place, word, kind, effect, source)


ROWS: Final = tuple(_rows())
"""The table."""
