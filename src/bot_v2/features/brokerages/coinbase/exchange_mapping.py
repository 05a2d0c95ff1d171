"""The Exchange API's words and ours. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from bot_v2.features.brokerages.coinbase import exchange_wire as wire
from bot_v2.features.brokerages.coinbase.decoding import (
    MalformedError,
    moment,
    moment_of_seconds,
    moment_or_none,
    number,
    number_or_none,
    number_or_zero,
    positive_or_none,
)
from bot_v2.features.brokerages.coinbase.mapping import Names
from bot_v2.features.brokerages.coinbase.order_mapping import time_in_force_of
from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.accounts import Balance
from bot_v2.features.brokerages.core.decimals import Rounding, decimal_to_text, divide
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.orders import Fee, Order
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.core.symbols import PairSymbol, format_symbol

SIDES: Final[dict[str, OrderSide]] = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
NATIVE_SIDES: Final = {side: native for native, side in SIDES.items()}
TAKER_SIDES: Final = {"buy": OrderSide.SELL, "sell": OrderSide.BUY}
"""Which side took liquidity, by the maker's, which is what a trade tells."""

STATUSES: Final[dict[str, OrderStatus]] = {
    "pending": OrderStatus.PENDING,
    "received": OrderStatus.PENDING,
    "open": OrderStatus.OPEN,
    "active": OrderStatus.OPEN,
    "rejected": OrderStatus.REJECTED,
}
"""What each native status but `done` means; any other is UNKNOWN, with its text kept."""

ENDS: Final[dict[str, OrderStatus]] = {
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "cancelled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
"""How an order is done, by its reason."""

DONE: Final = frozenset({"done", "settled"})

TYPES: Final = {"limit": OrderType.LIMIT, "market": OrderType.MARKET}
NATIVE_TYPES: Final = {
    OrderType.LIMIT: "limit",
    OrderType.MARKET: "market",
    OrderType.STOP_LIMIT: "limit",
}

TIMES_IN_FORCE: Final[dict[str, TimeInForce]] = {
    "GTC": TimeInForce.GTC,
    "GTT": TimeInForce.GTD,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}
NATIVE_TIMES: Final = {time: native for native, time in TIMES_IN_FORCE.items()}

STOPS: Final = {OrderSide.BUY: "entry", OrderSide.SELL: "loss"}

LIQUIDITIES: Final = {"M": Liquidity.MAKER, "T": Liquidity.TAKER}

INTERVALS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (60, 300, 900, 3600, 21_600, 86_400)
)
"""The intervals that there are candles of."""

PRICE_PLACES: Final = 18
"""To how many places a mean price is told that is no whole number of them."""

CLIENT_ID_LENGTH: Final = 32
"""How many hexadecimal digits a client order id has: a UUID, told with or without its hyphens."""


def client_id_from_native(native: str) -> str | None:
    """Return a client order id as it was given to us. None: there is none."""
    return native.replace("-", "") or None


def client_id_to_native(client_order_id: str) -> str:
    """Return a client order id in the form that the broker takes and shows: a UUID's, with hyphens.

    Raises:
        InvalidFieldError: it has another length.
    """
    if len(client_order_id) != CLIENT_ID_LENGTH:
        accepted = f"{CLIENT_ID_LENGTH} hexadecimal digits"
        raise InvalidFieldError("OrderRequest.client_order_id", client_order_id, accepted)
    ends = (0, 8, 12, 16, 20, CLIENT_ID_LENGTH)
    return "-".join(client_order_id[start:end] for start, end in pairwise(ends))


def balance_from_native(native: wire.Account) -> Balance:
    """Return what a profile holds of one currency."""
    return Balance(
        asset=native.currency,
        total=number(native.balance),
        available=number(native.available),
        hold=number(native.hold),
    )


def product_from_native(native: wire.Product) -> Product:
    """Return a product; one that the grammar cannot name is called by its id."""
    base, quote = native.base_currency, native.quote_currency
    try:
        symbol = format_symbol(PairSymbol(base=base, quote=quote))
    except InvalidFieldError:
        symbol = f"@{native.id}"
    # An auction of a pair is a product of its own, which the pair's name would not tell apart.
    if native.id != symbol:
        symbol = f"@{native.id}"
    flags = {"limit_only": native.limit_only, "post_only": native.post_only}
    step = positive_or_none(native.base_increment)
    return Product(
        symbol=symbol,
        market_type=MarketType.SPOT,
        base_currency=base,
        quote_currency=quote,
        min_order_size=positive_or_none(native.base_min_size) or step,
        max_order_size=positive_or_none(native.base_max_size),
        min_notional=positive_or_none(native.min_market_funds),
        price_increment=positive_or_none(native.quote_increment),
        size_increment=step,
        tradeable=native.status == "online" and not (native.trading_disabled or native.cancel_only),
        name=native.display_name or None,
        metadata={name: True for name, is_set in flags.items() if is_set},
    )


def fees_from_native(native: wire.Fees) -> FeeRates:
    """Return what trading costs."""
    return FeeRates(maker=number(native.maker_fee_rate), taker=number(native.taker_fee_rate))


# The market.


def book_from_native(native: wire.Book, symbol: str) -> Orderbook:
    """Return a book."""
    return Orderbook(
        symbol=symbol,
        bids=tuple(PriceLevel(number(one[0]), number(one[1])) for one in native.bids),
        asks=tuple(PriceLevel(number(one[0]), number(one[1])) for one in native.asks),
        timestamp=moment_or_none(native.time),
        sequence=native.sequence,
    )


def quote_from_native(native: wire.Ticker, symbol: str, now: datetime) -> Quote:
    """Return the best prices; `now` stands for the time of a product that has no trade yet."""
    return Quote(
        symbol=symbol,
        timestamp=moment_or_none(native.time) or now,
        bid=positive_or_none(native.bid),
        ask=positive_or_none(native.ask),
        last=positive_or_none(native.price),
    )


def trade_from_native(native: wire.Trade, symbol: str) -> Trade:
    """Return a trade of the market."""
    return Trade(
        symbol=symbol,
        trade_id=str(native.trade_id),
        price=number(native.price),
        size=number(native.size),
        timestamp=moment(native.time),
        side=TAKER_SIDES.get(native.side),
    )


def candle_from_native(
    native: wire.NativeCandle, symbol: str, interval: timedelta, now: datetime
) -> Candle:
    """Return a candle; one whose interval has not ended by `now` still forms."""
    seconds, low, high, first, last, volume = native
    open_time = moment_of_seconds(seconds)
    return Candle(
        symbol=symbol,
        open_time=open_time,
        interval=interval,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=volume,
        complete=open_time + interval <= now,
    )


# Orders.


def order_from_native(native: wire.Order, names: Names, account_id: str) -> Order:
    """Return an order; a word that no table has becomes OTHER or UNKNOWN, with the word kept."""
    filled = number_or_zero(native.filled_size)
    quantity = positive_or_none(native.size)
    funds = positive_or_none(native.specified_funds) or positive_or_none(native.funds)
    kind = _type_of(native)
    is_market = kind is OrderType.MARKET
    time_in_force = TIMES_IN_FORCE.get(native.time_in_force, TimeInForce.OTHER)
    currency = names.quote_of(native.product_id)
    fee = number_or_none(native.fill_fees)
    return Order(
        order_id=native.id,
        client_order_id=client_id_from_native(native.client_oid),
        symbol=names.symbol_of(native.product_id),
        side=SIDES.get(native.side),
        type=kind,
        status=_status_of(native, filled, quantity),
        native_status=native.status,
        status_reason=native.reject_reason or native.done_reason or None,
        quantity=quantity,
        notional=funds if quantity is None else None,
        price=None if is_market else positive_or_none(native.price),
        stop_price=positive_or_none(native.stop_price),
        time_in_force=TimeInForce.IOC if is_market else time_in_force,
        expires_at=moment_or_none(native.expire_time),
        filled_quantity=filled,
        average_fill_price=_average_of(native, filled),
        fees=None if fee is None or currency is None else (Fee(currency=currency, amount=fee),),
        timestamp=moment_or_none(native.created_at),
        updated_at=moment_or_none(native.done_at),
        account_id=account_id,
        metadata={"type": native.type} if kind is OrderType.OTHER else {},
    )


def _type_of(native: wire.Order) -> OrderType:
    kind = TYPES.get(native.type, OrderType.OTHER)
    if native.stop in STOPS.values() and kind is OrderType.LIMIT:
        return OrderType.STOP_LIMIT
    return kind


def _status_of(native: wire.Order, filled: Decimal, quantity: Decimal | None) -> OrderStatus:
    if native.status in DONE:
        if native.done_reason:
            return ENDS.get(native.done_reason, OrderStatus.UNKNOWN)
        whole = quantity is not None and filled >= quantity
        return OrderStatus.FILLED if whole else OrderStatus.UNKNOWN
    status = STATUSES.get(native.status, OrderStatus.UNKNOWN)
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled else status


def _average_of(native: wire.Order, filled: Decimal) -> Decimal | None:
    value = positive_or_none(native.executed_value)
    if not filled or value is None:
        return None
    return divide(value, filled, PRICE_PLACES, Rounding.HALF_EVEN)


def order_to_native(
    request: OrderRequest, product_id: str, client_order_id: str
) -> dict[str, object]:
    """Return the body that places an order; what is not asked for is not sent."""
    body: dict[str, object] = {
        "client_oid": client_id_to_native(client_order_id),
        "product_id": product_id,
        "side": NATIVE_SIDES[request.side],
        "type": NATIVE_TYPES[request.type],
    }
    numbers = {
        "size": request.quantity,
        "funds": request.notional,
        "price": request.price,
        "stop_price": request.stop_price,
    }
    body |= {name: decimal_to_text(value) for name, value in numbers.items() if value is not None}
    if request.stop_price is not None:
        body["stop"] = STOPS[request.side]
    if request.type is not OrderType.MARKET:
        body["time_in_force"] = NATIVE_TIMES[time_in_force_of(request)]
    if request.post_only:
        body["post_only"] = True
    return body


def fill_from_native(native: wire.Fill, names: Names, account_id: str) -> Fill:
    """Return an execution."""
    side = SIDES.get(native.side)
    if side is None:
        raise MalformedError(f"side is {native.side!r}, not one of {', '.join(SIDES)}")
    fee = number_or_none(native.fee)
    return Fill(
        trade_id=str(native.trade_id),
        order_id=native.order_id,
        symbol=names.symbol_of(native.product_id),
        side=side,
        quantity=number(native.size),
        price=number(native.price),
        fee=fee,
        fee_currency=None if fee is None else names.quote_of(native.product_id),
        liquidity=LIQUIDITIES.get(native.liquidity),
        timestamp=moment(native.created_at),
        account_id=account_id,
    )
