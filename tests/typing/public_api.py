"""The type of each public name that is no model (those are in public_models.py), exactly.

It is checked, never run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import assert_type

from bot_v2.features.brokerages.core.interfaces import (
    ALPHANUMERIC,
    ENDED_STATUSES,
    EXACT,
    LEAST_HISTORY,
    LEAST_IDEMPOTENCY,
    LIVE_STATUSES,
    LOWER_ALPHANUMERIC,
    PROTOCOLS,
    TRANSITIONS,
    AccountRef,
    AccountSummary,
    AmbiguousPositionError,
    AuthenticationError,
    Balance,
    BrokerageError,
    BrokerAPIError,
    BrokerConnectionError,
    BrokerHealth,
    BrokerTimeoutError,
    BrokerUnavailableError,
    CancelRejectedError,
    Candle,
    Capability,
    CloseGuard,
    ConnectionError,
    DuplicateBehaviour,
    DuplicateOrderError,
    Environment,
    EquitySymbol,
    ErrorContext,
    FeeRates,
    Fill,
    FutureSymbol,
    IBrokerage,
    IdempotencyProfile,
    IdempotencyScope,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    InvalidSymbolError,
    Liquidity,
    LoginRequiredError,
    Margin,
    MarketClosedError,
    MarketDataUnavailableError,
    MarketStatus,
    MarketType,
    MissingDependencyError,
    ModifyRejectedError,
    NativeSymbol,
    OptionContract,
    OptionRight,
    OptionSymbol,
    Order,
    Orderbook,
    OrderEvent,
    OrderHistory,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderPreview,
    OrderRejectedError,
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    PairSymbol,
    ParsedSymbol,
    PermissionDeniedError,
    PerpetualSymbol,
    Position,
    PositionEffect,
    PositionSide,
    Product,
    Quote,
    QuoteEvent,
    RateLimitError,
    Retention,
    Rounding,
    Secret,
    SessionExpiredError,
    Settings,
    StreamGap,
    SupportsAccounts,
    SupportsAccountSummary,
    SupportsCandles,
    SupportsFees,
    SupportsFills,
    SupportsHoldings,
    SupportsLogin,
    SupportsMargin,
    SupportsMarketStatus,
    SupportsOco,
    SupportsOptionChains,
    SupportsOrderLookup,
    SupportsOrderModification,
    SupportsOrderPreview,
    SupportsOrderStream,
    SupportsQuotes,
    SupportsQuoteStream,
    SupportsSymbolSearch,
    SupportsTrades,
    TimeInForce,
    TimeoutError,
    Trade,
    UnsupportedOperationError,
    balance_identity_of,
    capabilities_of,
    check_order_request,
    close_guard_of,
    decimal_from_text,
    decimal_or_none,
    decimal_to_text,
    divide,
    environment_of,
    format_symbol,
    idempotency_of,
    is_canonical,
    may_follow,
    methods_of,
    name_of,
    order_after_report,
    order_history_of,
    parse_symbol,
    price_increment_at,
    quantize_price,
    quantize_quantity,
    rescale,
    resolve_symbol,
    round_to_places,
    spot_as_positions_of,
    supports,
    unsupported_of,
)


def the_eighteen(broker: IBrokerage, request: OrderRequest) -> None:
    """What each method of a brokerage returns."""
    assert_type(broker.connect(), bool)
    assert_type(broker.is_connected(), bool)
    assert_type(broker.check_health(), BrokerHealth)
    assert_type(broker.get_account_id(), str)
    assert_type(broker.list_balances(), list[Balance])
    assert_type(broker.get_balance("USD"), Balance)
    assert_type(broker.get_products(), list[Product])
    assert_type(broker.get_product("BTC-USD"), Product)
    assert_type(broker.get_price("BTC-USD"), Decimal)
    assert_type(broker.get_orderbook("BTC-USD"), Orderbook)
    assert_type(broker.get_orderbook(symbol="BTC-USD", level=2), Orderbook)
    assert_type(broker.place_order(request), OrderResult)
    assert_type(broker.place_order(order_request=request), OrderResult)
    assert_type(broker.cancel_order(order_id="1"), bool)
    assert_type(broker.get_order(order_id="1"), Order)
    assert_type(broker.list_orders(), list[Order])
    assert_type(broker.list_orders(status=OrderStatus.OPEN), list[Order])
    assert_type(broker.list_orders(None), list[Order])
    assert_type(broker.list_positions(), list[Position])
    assert_type(broker.get_position(symbol="BTC-USD"), Position | None)
    assert_type(broker.close_position(symbol="BTC-USD"), OrderResult)
    broker.disconnect()


def account_capabilities(broker: IBrokerage, request: OrderRequest) -> None:
    """What a brokerage that can tell more of an account returns."""
    if supports(broker, SupportsAccountSummary):
        assert_type(broker.get_account(), AccountSummary)
    if supports(broker, SupportsMargin):
        assert_type(broker.get_margin(), Margin)
        assert_type(broker.get_order_margin(request), Margin)
    if supports(broker, SupportsHoldings):
        assert_type(broker.list_holdings(), list[Position])
    if supports(broker, SupportsAccounts):
        assert_type(broker.list_accounts(), list[AccountRef])
        assert_type(broker.for_account("1"), IBrokerage)
    if supports(broker, SupportsLogin):
        assert_type(broker.login_url(), str)
        broker.complete_login({"code": "123"})
    if supports(broker, SupportsFees):
        assert_type(broker.get_fees("BTC-USD"), FeeRates)


def order_capabilities(
    broker: IBrokerage, request: OrderRequest, change: OrderModification, moment: datetime
) -> None:
    """What a brokerage that can do more with orders returns, and that it is a brokerage still."""
    if supports(broker, SupportsOrderLookup):
        assert_type(broker.get_order_by_client_id("a"), Order)
        assert_type(broker.connect(), bool)
    if supports(broker, SupportsFills):
        assert_type(broker.list_fills(), list[Fill])
        assert_type(broker.list_fills(since=moment), list[Fill])
    if supports(broker, SupportsOrderModification):
        assert_type(broker.modify_order("1", change), OrderResult)
    if supports(broker, SupportsOrderPreview):
        assert_type(broker.preview_order(request), OrderPreview)
    if supports(broker, SupportsOco):
        assert_type(broker.place_oco(request, request), tuple[OrderResult, OrderResult])
    if supports(broker, SupportsOrderStream):
        orders = broker.stream_orders()
        assert_type(orders, AbstractContextManager[Iterator[OrderEvent | StreamGap], bool | None])


def market_capabilities(broker: IBrokerage, moment: datetime) -> None:
    """What a brokerage that can tell more of the market returns."""
    if supports(broker, SupportsQuotes):
        assert_type(broker.get_quote("BTC-USD"), Quote)
    if supports(broker, SupportsTrades):
        assert_type(broker.list_trades("BTC-USD", limit=10), list[Trade])
    if supports(broker, SupportsCandles):
        candles = broker.list_candles("BTC-USD", timedelta(hours=1), moment, moment)
        assert_type(candles, list[Candle])
    if supports(broker, SupportsOptionChains):
        assert_type(broker.list_option_contracts("AAPL"), list[OptionContract])
    if supports(broker, SupportsSymbolSearch):
        assert_type(broker.list_symbol_matches("apple"), list[Product])
    if supports(broker, SupportsMarketStatus):
        assert_type(broker.get_market_status("AAPL"), MarketStatus)
    if supports(broker, SupportsQuoteStream):
        quotes = broker.stream_quotes(["BTC-USD"])
        assert_type(quotes, AbstractContextManager[Iterator[QuoteEvent | StreamGap], bool | None])


def declarations(broker: object, profile: IdempotencyProfile) -> None:
    """What a brokerage says of itself."""
    assert_type(name_of(broker), str)
    assert_type(capabilities_of(broker), frozenset[Capability])
    assert_type(unsupported_of(broker), frozenset[str])
    assert_type(idempotency_of(broker), IdempotencyProfile)
    assert_type(order_history_of(broker), OrderHistory)
    assert_type(close_guard_of(broker), CloseGuard)
    assert_type(environment_of(broker), Environment)
    assert_type(balance_identity_of(broker), bool)
    assert_type(spot_as_positions_of(broker), bool)
    assert_type(methods_of(Capability.MARGIN), tuple[str, ...])
    assert_type(PROTOCOLS, dict[Capability, type | None])
    assert_type(LEAST_HISTORY, OrderHistory)
    assert_type(LEAST_IDEMPOTENCY, IdempotencyProfile)
    assert_type(profile.make_id(), str)
    assert_type((set(LOWER_ALPHANUMERIC), set(ALPHANUMERIC)), tuple[set[str], set[str]])


def statuses(order: Order) -> None:
    """The life of an order."""
    assert_type(LIVE_STATUSES, frozenset[OrderStatus])
    assert_type(ENDED_STATUSES, frozenset[OrderStatus])
    assert_type(TRANSITIONS, dict[OrderStatus, frozenset[OrderStatus]])
    assert_type(may_follow(OrderStatus.PENDING, OrderStatus.OPEN), bool)
    assert_type(order_after_report(order, order), Order)


def money(product: Product, request: OrderRequest) -> None:
    """Exact numbers."""
    one = decimal_from_text("1")
    assert_type(EXACT, Context)
    assert_type(one, Decimal)
    assert_type(decimal_or_none(None), Decimal | None)
    assert_type(decimal_to_text(one), str)
    assert_type(rescale(one, -2), Decimal)
    assert_type(round_to_places(one, 2, Rounding.DOWN), Decimal)
    assert_type(divide(one, by=one, places=2, rounding=Rounding.HALF_EVEN), Decimal)
    assert_type(quantize_price(product, one, Rounding.FLOOR), Decimal)
    assert_type(quantize_quantity(product, one, Rounding.DOWN), Decimal)
    assert_type(price_increment_at(product, one), Decimal | None)
    check_order_request(product, request)


def symbols(parsed: ParsedSymbol) -> None:
    """The canonical grammar."""
    assert_type(
        parse_symbol("BTC-USD"),
        PairSymbol | PerpetualSymbol | EquitySymbol | FutureSymbol | OptionSymbol | NativeSymbol,
    )
    assert_type(format_symbol(parsed), str)
    assert_type(is_canonical("BTC-USD"), bool)
    assert_type(resolve_symbol("BTC-USD", {"BTC-USD"}, {"BTCUSD": "BTC-USD"}), str)


def settings(given: Settings) -> None:
    """What a factory reads."""
    assert_type(given.text("region"), str | None)
    assert_type(given.secret("key"), Secret | None)
    assert_type(given.decimal("balance"), Decimal | None)
    assert_type(given.integer("pages", 1), int)
    assert_type(given.seconds("timeout_s", 1.0), float)
    assert_type(given.boolean("sandbox", True), bool)
    assert_type(given.choice("side", OrderSide, OrderSide.BUY), OrderSide)
    assert_type(given.environment_name("key"), str)
    assert_type(Secret("a").reveal(), str)


def enums() -> None:
    """Each member is its text, and is read from its text."""
    assert_type(Capability("margin"), Capability)
    assert_type(CloseGuard("atomic"), CloseGuard)
    assert_type(Environment("paper"), Environment)
    assert_type(DuplicateBehaviour("rejects"), DuplicateBehaviour)
    assert_type(IdempotencyScope("forever"), IdempotencyScope)
    assert_type(Liquidity("maker"), Liquidity)
    assert_type(MarketType("spot"), MarketType)
    assert_type(OptionRight("call"), OptionRight)
    assert_type(OrderSide("buy"), OrderSide)
    assert_type(OrderStatus("open"), OrderStatus)
    assert_type(OrderType("limit"), OrderType)
    assert_type(Outcome("unknown"), Outcome)
    assert_type(PositionEffect("open"), PositionEffect)
    assert_type(PositionSide("long"), PositionSide)
    assert_type(Retention("days"), Retention)
    assert_type(Rounding("ROUND_DOWN"), Rounding)
    assert_type(TimeInForce("gtc"), TimeInForce)
    text: str = OrderSide.BUY
    assert_type(text.upper(), str)


def facts_of_any_error(error: BrokerageError) -> None:
    """What every error carries."""
    assert_type(error.message, str)
    assert_type(error.broker, str | None)
    assert_type(error.operation, str | None)
    assert_type(error.account_id, str | None)
    assert_type(error.symbol, str | None)
    assert_type(error.order_id, str | None)
    assert_type(error.client_order_id, str | None)
    assert_type(error.code, str | None)
    assert_type(error.http_status, int | None)
    assert_type(error.retry_after_s, float | None)
    assert_type(error.outcome, Outcome | None)


def facts_of_some_errors(error: BrokerageError) -> None:
    """What some errors carry beside."""
    if isinstance(error, InsufficientFundsError):
        assert_type((error.required, error.available), tuple[Decimal | None, Decimal | None])
    elif isinstance(error, LoginRequiredError):
        assert_type((error.login_url, error.fields), tuple[str | None, tuple[str, ...]])
    elif isinstance(error, OrderRejectedError):
        assert_type(error.reason, str | None)
    elif isinstance(error, InvalidFieldError):
        assert_type((error.field, error.value, error.accepted), tuple[str, object, str])
    elif isinstance(error, InvalidSymbolError):
        assert_type(error.candidates, tuple[str, ...])
    elif isinstance(error, AmbiguousPositionError):
        assert_type(error.buckets, tuple[str, ...])
    elif isinstance(error, MissingDependencyError):
        assert_type(error.extra, str | None)


def errors(context: ErrorContext) -> None:
    """Every error is made of a message and the same context, and `except` clauses nest as told."""
    assert_type(context.get("outcome"), Outcome | None)
    plain: tuple[BrokerageError, ...] = (
        BrokerAPIError("message", details={"field": "text"}, **context),
        BrokerConnectionError("message", **context),
        BrokerTimeoutError("message", **context),
        BrokerUnavailableError("message", **context),
        CancelRejectedError("message", **context),
        DuplicateOrderError("message", **context),
        MarketClosedError("message", **context),
        MarketDataUnavailableError("message", **context),
        ModifyRejectedError("message", **context),
        OrderNotFoundError("message", **context),
        OrderOutcomeUnknownError("message", **context),
        PermissionDeniedError("message", **context),
        RateLimitError("message", **context),
    )
    requests: tuple[InvalidRequestError, ...] = (
        AmbiguousPositionError("message", buckets=("a/long",), **context),
        InvalidFieldError("field", "value", "accepted", **context),
        InvalidSymbolError("message", candidates=("A",), **context),
        UnsupportedOperationError("message", **context),
    )
    sessions: tuple[AuthenticationError, ...] = (SessionExpiredError("message", **context),)
    login: SessionExpiredError = LoginRequiredError("message", **context)
    refused: OSError = ConnectionError("message", **context)
    late: OSError = TimeoutError("message", **context)
    missing: ImportError = MissingDependencyError("message", extra="cli", **context)
    assert_type(len((*plain, *requests, *sessions, login, refused, late, missing)), int)
