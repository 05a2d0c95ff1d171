"""The type of each field of each model, exactly: a change of one is an error here.

It is checked, never run.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import assert_type

from bot_v2.features.brokerages.core.interfaces import (
    AccountRef,
    AccountSummary,
    Balance,
    BrokerageError,
    BrokerHealth,
    Candle,
    DuplicateBehaviour,
    EquitySymbol,
    Fee,
    FeeRates,
    Fill,
    FutureSymbol,
    IdempotencyProfile,
    IdempotencyScope,
    Leg,
    Liquidity,
    Margin,
    MarketStatus,
    MarketType,
    NativeSymbol,
    OptionContract,
    OptionRight,
    OptionSymbol,
    Order,
    Orderbook,
    OrderEvent,
    OrderHistory,
    OrderModification,
    OrderPreview,
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    OrderType,
    PairSymbol,
    PerpetualSymbol,
    Position,
    PositionEffect,
    PositionSide,
    PriceBand,
    PriceLevel,
    Product,
    Quote,
    QuoteEvent,
    Retention,
    StopLoss,
    StreamGap,
    TakeProfit,
    TimeInForce,
    Trade,
)
from bot_v2.shared.types import MetadataValue


def account_ref(value: AccountRef) -> None:
    """One of the accounts that a login can see."""
    assert_type(value.account_id, str)
    assert_type(value.name, str | None)
    assert_type(value.currency, str | None)


def account_summary(value: AccountSummary) -> None:
    """The account at a glance, in one currency."""
    assert_type(value.account_id, str)
    assert_type(value.currency, str)
    assert_type(value.equity, Decimal | None)
    assert_type(value.cash, Decimal | None)
    assert_type(value.buying_power, Decimal | None)
    assert_type(value.margin_used, Decimal | None)
    assert_type(value.utilization, Decimal | None)
    assert_type(value.timestamp, datetime | None)


def balance(value: Balance) -> None:
    """What an account holds of one asset."""
    assert_type(value.asset, str)
    assert_type(value.total, Decimal)
    assert_type(value.available, Decimal | None)
    assert_type(value.hold, Decimal | None)
    assert_type(value.wallet, str)
    assert_type(dict(value.metadata), dict[str, MetadataValue])


def broker_health(value: BrokerHealth) -> None:
    """The answer of a health check, which never raises."""
    assert_type(value.connected, bool)
    assert_type(value.api_responsive, bool)
    assert_type(value.last_check_timestamp, float)
    assert_type(value.error_message, str | None)
    assert_type(value.latency_s, float | None)


def candle(value: Candle) -> None:
    """What happened in one interval."""
    assert_type(value.symbol, str)
    assert_type(value.open_time, datetime)
    assert_type(value.interval, timedelta)
    assert_type(value.open, Decimal)
    assert_type(value.high, Decimal)
    assert_type(value.low, Decimal)
    assert_type(value.close, Decimal)
    assert_type(value.volume, Decimal | None)
    assert_type(value.complete, bool)


def equity_symbol(value: EquitySymbol) -> None:
    """A share, an ETF, or another product known by a ticker alone."""
    assert_type(value.ticker, str)
    assert_type(value.exchange, str | None)


def fee(value: Fee) -> None:
    """What was charged, in one currency."""
    assert_type(value.currency, str)
    assert_type(value.amount, Decimal)


def fee_rates(value: FeeRates) -> None:
    """What the account pays to trade."""
    assert_type(value.currency, str | None)
    assert_type(value.maker, Decimal | None)
    assert_type(value.taker, Decimal | None)
    assert_type(value.per_unit, Decimal | None)
    assert_type(value.minimum, Decimal | None)


def fill(value: Fill) -> None:
    """One execution of an order."""
    assert_type(value.trade_id, str)
    assert_type(value.order_id, str)
    assert_type(value.symbol, str)
    assert_type(value.side, OrderSide)
    assert_type(value.quantity, Decimal)
    assert_type(value.price, Decimal)
    assert_type(value.timestamp, datetime)
    assert_type(value.account_id, str)
    assert_type(value.client_order_id, str | None)
    assert_type(value.fee, Decimal | None)
    assert_type(value.fee_currency, str | None)
    assert_type(value.liquidity, Liquidity | None)
    assert_type(value.corrects, str | None)
    assert_type(value.busted, bool)


def future_symbol(value: FutureSymbol) -> None:
    """A future with an expiration date."""
    assert_type(value.root, str)
    assert_type(value.expiry, date)
    assert_type(value.exchange, str | None)


def idempotency_profile(value: IdempotencyProfile) -> None:
    """What a broker does with client order ids."""
    assert_type(value.scope, IdempotencyScope)
    assert_type(value.on_duplicate, DuplicateBehaviour)
    assert_type(value.max_length, int)
    assert_type(value.alphabet, str)
    assert_type(value.visibility_lag_s, float)
    assert_type(value.id_length, int)
    assert_type(value.id_alphabet, str)


def leg(value: Leg) -> None:
    """One leg of a multi-leg order."""
    assert_type(value.symbol, str)
    assert_type(value.side, OrderSide)
    assert_type(value.ratio, Decimal)
    assert_type(value.position_effect, PositionEffect | None)


def margin(value: Margin) -> None:
    """The margin of an account, as it is or as an order would make it; in one currency."""
    assert_type(value.currency, str)
    assert_type(value.initial_margin, Decimal | None)
    assert_type(value.maintenance_margin, Decimal | None)
    assert_type(value.excess, Decimal | None)
    assert_type(value.buying_power, Decimal | None)


def market_status(value: MarketStatus) -> None:
    """Whether a product's market is open."""
    assert_type(value.symbol, str)
    assert_type(value.is_open, bool)
    assert_type(value.next_open, datetime | None)
    assert_type(value.next_close, datetime | None)
    assert_type(value.halted, bool)


def native_symbol(value: NativeSymbol) -> None:
    """A broker's own symbol, for what the grammar cannot name uniquely."""
    assert_type(value.native, str)


def option_contract(value: OptionContract) -> None:
    """One contract of an option chain, with what the chain says of it."""
    assert_type(value.product, Product)
    assert_type(value.bid, Decimal | None)
    assert_type(value.ask, Decimal | None)
    assert_type(value.last, Decimal | None)
    assert_type(value.open_interest, Decimal | None)
    assert_type(value.implied_volatility, Decimal | None)
    assert_type(value.delta, Decimal | None)
    assert_type(value.gamma, Decimal | None)
    assert_type(value.theta, Decimal | None)
    assert_type(value.vega, Decimal | None)


def option_symbol(value: OptionSymbol) -> None:
    """An option."""
    assert_type(value.root, str)
    assert_type(value.expiry, date)
    assert_type(value.strike, Decimal)
    assert_type(value.right, OptionRight)
    assert_type(value.exchange, str | None)


def order(value: Order) -> None:
    """An order as the broker tells it. None means that the broker does not say."""
    assert_type(value.order_id, str)
    assert_type(value.symbol, str)
    assert_type(value.type, OrderType)
    assert_type(value.status, OrderStatus)
    assert_type(value.filled_quantity, Decimal)
    assert_type(value.time_in_force, TimeInForce)
    assert_type(value.account_id, str)
    assert_type(value.client_order_id, str | None)
    assert_type(value.side, OrderSide | None)
    assert_type(value.quantity, Decimal | None)
    assert_type(value.notional, Decimal | None)
    assert_type(value.price, Decimal | None)
    assert_type(value.stop_price, Decimal | None)
    assert_type(value.average_fill_price, Decimal | None)
    assert_type(value.fees, tuple[Fee, ...] | None)
    assert_type(value.timestamp, datetime | None)
    assert_type(value.updated_at, datetime | None)
    assert_type(value.expires_at, datetime | None)
    assert_type(value.position_effect, PositionEffect | None)
    assert_type(value.replaces, str | None)
    assert_type(value.replaced_by, str | None)
    assert_type(value.parent_order_id, str | None)
    assert_type(value.group_id, str | None)
    assert_type(value.legs, tuple[Leg, ...])
    assert_type(value.native_status, str | None)
    assert_type(value.status_reason, str | None)
    assert_type(dict(value.metadata), dict[str, MetadataValue])
    assert_type(value.remaining_quantity, Decimal | None)
    assert_type(value.overfilled_quantity, Decimal | None)


def order_event(value: OrderEvent) -> None:
    """An order changed."""
    assert_type(value.order, Order)
    assert_type(value.fill, Fill | None)


def order_history(value: OrderHistory) -> None:
    """What `list_orders` knows of ended orders."""
    assert_type(value.retention, Retention)
    assert_type(value.days, int | None)
    assert_type(value.session_zone, str | None)
    assert_type(value.session_reset, time | None)
    assert_type(value.per_symbol, bool)
    assert_type(value.staleness_s, float)


def order_modification(value: OrderModification) -> None:
    """What to change of a live order; what is None stays as it is."""
    assert_type(value.quantity, Decimal | None)
    assert_type(value.price, Decimal | None)
    assert_type(value.stop_price, Decimal | None)
    assert_type(value.trail_amount, Decimal | None)
    assert_type(value.trail_percent, Decimal | None)
    assert_type(value.time_in_force, TimeInForce | None)
    assert_type(value.expires_at, datetime | None)
    assert_type(value.client_order_id, str | None)


def order_preview(value: OrderPreview) -> None:
    """What an order would be and cost; nothing was placed."""
    assert_type(value.order_request, OrderRequest)
    assert_type(value.native_request, str)
    assert_type(value.estimated_value, Decimal | None)
    assert_type(value.estimated_fee, Decimal | None)
    assert_type(value.warnings, tuple[str, ...])


def order_request(value: OrderRequest) -> None:
    """What a bot asks for. An incoherent request cannot be constructed."""
    assert_type(value.symbol, str)
    assert_type(value.side, OrderSide)
    assert_type(value.quantity, Decimal | None)
    assert_type(value.notional, Decimal | None)
    assert_type(value.type, OrderType)
    assert_type(value.price, Decimal | None)
    assert_type(value.stop_price, Decimal | None)
    assert_type(value.trail_amount, Decimal | None)
    assert_type(value.trail_percent, Decimal | None)
    assert_type(value.time_in_force, TimeInForce | None)
    assert_type(value.expires_at, datetime | None)
    assert_type(value.client_order_id, str | None)
    assert_type(value.position_effect, PositionEffect | None)
    assert_type(value.post_only, bool)
    assert_type(value.reduce_only, bool)
    assert_type(value.extended_hours, bool)
    assert_type(value.take_profit, TakeProfit | None)
    assert_type(value.stop_loss, StopLoss | None)
    assert_type(value.legs, tuple[Leg, ...])
    assert_type(value.account_id, str | None)
    assert_type(dict(value.broker_options), dict[str, MetadataValue])


def order_result(value: OrderResult) -> None:
    """What placing, modifying or closing came to."""
    assert_type(value.success, bool)
    assert_type(value.client_order_id, str)
    assert_type(value.order_id, str | None)
    assert_type(value.order, Order | None)
    assert_type(value.error, BrokerageError | None)
    assert_type(value.message, str)


def orderbook(value: Orderbook) -> None:
    """Bids and asks of one product."""
    assert_type(value.symbol, str)
    assert_type(value.bids, tuple[PriceLevel, ...])
    assert_type(value.asks, tuple[PriceLevel, ...])
    assert_type(value.timestamp, datetime | None)
    assert_type(value.sequence, int | None)


def pair_symbol(value: PairSymbol) -> None:
    """A currency pair: spot or forex."""
    assert_type(value.base, str)
    assert_type(value.quote, str)


def perpetual_symbol(value: PerpetualSymbol) -> None:
    """A perpetual future."""
    assert_type(value.base, str)
    assert_type(value.quote, str)


def position(value: Position) -> None:
    """An exposure. Unique by (symbol, side, bucket)."""
    assert_type(value.symbol, str)
    assert_type(value.quantity, Decimal)
    assert_type(value.side, PositionSide)
    assert_type(value.account_id, str)
    assert_type(value.bucket, str)
    assert_type(value.entry_price, Decimal | None)
    assert_type(value.current_price, Decimal | None)
    assert_type(value.unrealized_pnl, Decimal | None)
    assert_type(value.market_value, Decimal | None)
    assert_type(dict(value.metadata), dict[str, MetadataValue])


def price_band(value: PriceBand) -> None:
    """A price increment that applies from a price upwards."""
    assert_type(value.lower_price, Decimal)
    assert_type(value.price_increment, Decimal)


def price_level(value: PriceLevel) -> None:
    """A price of a book, and what is offered or sought at it."""
    assert_type(value.price, Decimal)
    assert_type(value.size, Decimal)


def product(value: Product) -> None:
    """An instrument, with the sizes and prices that the broker accepts for it."""
    assert_type(value.symbol, str)
    assert_type(value.market_type, MarketType)
    assert_type(value.quote_currency, str)
    assert_type(value.base_currency, str | None)
    assert_type(value.settle_currency, str | None)
    assert_type(value.min_order_size, Decimal | None)
    assert_type(value.max_order_size, Decimal | None)
    assert_type(value.min_notional, Decimal | None)
    assert_type(value.price_increment, Decimal | None)
    assert_type(value.price_bands, tuple[PriceBand, ...])
    assert_type(value.size_increment, Decimal | None)
    assert_type(value.lot_size, Decimal)
    assert_type(value.multiplier, Decimal)
    assert_type(value.inverse, bool)
    assert_type(value.expiry, date | None)
    assert_type(value.strike, Decimal | None)
    assert_type(value.right, OptionRight | None)
    assert_type(value.underlying, str | None)
    assert_type(value.tradeable, bool)
    assert_type(value.name, str | None)
    assert_type(dict(value.metadata), dict[str, MetadataValue])


def quote(value: Quote) -> None:
    """The best bid and ask, and the latest trade."""
    assert_type(value.symbol, str)
    assert_type(value.timestamp, datetime)
    assert_type(value.bid, Decimal | None)
    assert_type(value.ask, Decimal | None)
    assert_type(value.bid_size, Decimal | None)
    assert_type(value.ask_size, Decimal | None)
    assert_type(value.last, Decimal | None)
    assert_type(value.delayed, bool)


def quote_event(value: QuoteEvent) -> None:
    """The best prices changed."""
    assert_type(value.quote, Quote)


def stop_loss(value: StopLoss) -> None:
    """The protective exit of a bracket: a stop, or a stop-limit where `price` is given."""
    assert_type(value.stop_price, Decimal)
    assert_type(value.price, Decimal | None)


def stream_gap(value: StreamGap) -> None:
    """Events were missed: read what they may have changed before trusting the stream again."""
    assert_type(value.timestamp, datetime)
    assert_type(value.reason, str)
    assert_type(value.missed, int | None)


def take_profit(value: TakeProfit) -> None:
    """The profitable exit of a bracket: a limit order."""
    assert_type(value.price, Decimal)


def trade(value: Trade) -> None:
    """One trade of the market."""
    assert_type(value.symbol, str)
    assert_type(value.price, Decimal)
    assert_type(value.size, Decimal)
    assert_type(value.timestamp, datetime)
    assert_type(value.trade_id, str | None)
    assert_type(value.side, OrderSide | None)
