"""Acme's words and ours. Pure: nothing here asks for the time, the network or a random number."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from acme_brokerage.wire import EPOCH, MICROSECOND, Fields, MalformedError
from bot_v2.features.brokerages.core.interfaces import (
    AccountSummary,
    Balance,
    Fee,
    Fill,
    Liquidity,
    MarketType,
    Order,
    Orderbook,
    OrderEvent,
    OrderModification,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    PriceLevel,
    Product,
    Quote,
    TimeInForce,
    decimal_to_text,
)

SymbolOf = Callable[[str], str]
"""Returns the canonical symbol of one of Acme's codes."""

SIDES = {"B": OrderSide.BUY, "S": OrderSide.SELL}

KINDS = {
    "MKT": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "STP": OrderType.STOP,
    "STL": OrderType.STOP_LIMIT,
}

TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "DAY": TimeInForce.DAY,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
    "GTD": TimeInForce.GTD,
}

STATES = {
    "new": OrderStatus.PENDING,
    "working": OrderStatus.OPEN,
    "partial": OrderStatus.PARTIALLY_FILLED,
    "cancelling": OrderStatus.PENDING_CANCEL,
    "done": OrderStatus.FILLED,
    "cancelled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    "replaced": OrderStatus.REPLACED,
}

MARKET_TYPES = {"spot": MarketType.SPOT, "stock": MarketType.EQUITY}

ROLES = {"maker": Liquidity.MAKER, "taker": Liquidity.TAKER}

NATIVE_SIDES = {side: native for native, side in SIDES.items()}
NATIVE_KINDS = {kind: native for native, kind in KINDS.items()}
NATIVE_TIMES_IN_FORCE = {time: native for native, time in TIMES_IN_FORCE.items()}
NATIVE_STATES = {status: native for native, status in STATES.items()}


def product_from_native(native: Fields) -> Product:
    """Return a product; a pair is called by its currencies, a stock by its code."""
    kind = native.text("kind")
    base, quote = native.text_or_none("base"), native.text("quote")
    market_type = MARKET_TYPES.get(kind, MarketType.OTHER)
    code = native.text("code")
    symbols = {MarketType.SPOT: f"{base}-{quote}", MarketType.EQUITY: code}
    return Product(
        symbol=symbols.get(market_type, f"@{code}"),
        market_type=market_type,
        base_currency=base,
        quote_currency=quote,
        price_increment=native.decimal("tick"),
        size_increment=native.decimal("step"),
        min_order_size=native.decimal("min_size"),
        max_order_size=native.decimal_or_none("max_size"),
        min_notional=native.decimal_or_none("min_value"),
        tradeable=native.boolean("tradeable"),
        metadata={"kind": kind} if market_type is MarketType.OTHER else {},
    )


def order_from_native(native: Fields, symbol_of: SymbolOf, account_id: str) -> Order:
    """Return an order; a word that no table has becomes OTHER or UNKNOWN, with the word kept."""
    kind, time_in_force = native.text("kind"), native.text("tif")
    words = {"kind": kind, "tif": time_in_force}
    known = {"kind": kind in KINDS, "tif": time_in_force in TIMES_IN_FORCE}
    fee, fee_currency = native.decimal_or_none("fee"), native.text_or_none("fee_currency")
    fees = (
        None if fee is None or fee_currency is None else (Fee(currency=fee_currency, amount=fee),)
    )
    state = native.text("state")
    return Order(
        order_id=native.text("id"),
        client_order_id=native.text_or_none("ref"),
        symbol=symbol_of(native.text("code")),
        side=SIDES.get(native.text("side")),
        type=KINDS.get(kind, OrderType.OTHER),
        status=STATES.get(state, OrderStatus.UNKNOWN),
        native_status=state,
        status_reason=native.text_or_none("reason"),
        quantity=native.decimal_or_none("size"),
        filled_quantity=native.decimal("filled"),
        average_fill_price=native.decimal_or_none("average"),
        price=native.decimal_or_none("limit"),
        stop_price=native.decimal_or_none("stop"),
        time_in_force=TIMES_IN_FORCE.get(time_in_force, TimeInForce.OTHER),
        expires_at=None if native.is_null("until_us") else native.moment("until_us"),
        fees=fees,
        timestamp=native.moment("created_us"),
        updated_at=native.moment("updated_us"),
        account_id=account_id,
        metadata={name: words[name] for name in words if not known[name]},
    )


def order_to_native(request: OrderRequest, code: str, ref: str) -> dict[str, object]:
    """Return the body that places an order; what is not asked for is not sent."""
    body: dict[str, object] = {
        "code": code,
        "ref": ref,
        "side": NATIVE_SIDES[request.side],
        "kind": NATIVE_KINDS[request.type],
        "tif": NATIVE_TIMES_IN_FORCE[request.time_in_force or TimeInForce.GTC],
        "size": _number(request.quantity),
        "limit": _number(request.price),
        "stop": _number(request.stop_price),
        "post_only": request.post_only or None,
        "reduce_only": request.reduce_only or None,
    }
    if request.expires_at is not None:
        body["until_us"] = (request.expires_at - EPOCH) // MICROSECOND
    return {name: value for name, value in body.items() if value is not None}


def modification_to_native(change: OrderModification) -> dict[str, object]:
    """Return the body that changes an order."""
    body = {
        "size": _number(change.quantity),
        "limit": _number(change.price),
        "stop": _number(change.stop_price),
    }
    return {name: value for name, value in body.items() if value is not None}


def _number(value: Decimal | None) -> str | None:
    return None if value is None else decimal_to_text(value)


def fill_from_native(native: Fields, symbol_of: SymbolOf, account_id: str) -> Fill:
    """Return an execution, or a correction of one."""
    return Fill(
        trade_id=native.text("id"),
        order_id=native.text("order"),
        client_order_id=native.text_or_none("ref"),
        symbol=symbol_of(native.text("code")),
        side=_side(native),
        quantity=native.decimal("size"),
        price=native.decimal("price"),
        fee=native.decimal_or_none("fee"),
        fee_currency=native.text_or_none("fee_currency"),
        liquidity=ROLES.get(native.text_or_none("role") or ""),
        timestamp=native.moment("time_us"),
        account_id=account_id,
        corrects=native.text_or_none("corrects"),
        busted=native.boolean("busted"),
    )


def _side(native: Fields) -> OrderSide:
    word = native.text("side")
    if word not in SIDES:
        raise MalformedError(f"side is {word!r}, not one of {', '.join(SIDES)}")
    return SIDES[word]


def event_from_native(native: Fields, symbol_of: SymbolOf, account_id: str) -> OrderEvent:
    """Return one event of the order stream."""
    order = order_from_native(native.nested("order"), symbol_of, account_id)
    if native.is_null("fill"):
        return OrderEvent(order=order)
    return OrderEvent(
        order=order, fill=fill_from_native(native.nested("fill"), symbol_of, account_id)
    )


def balance_from_native(native: Fields) -> Balance:
    """Return what the account holds of one asset."""
    return Balance(
        asset=native.text("asset"),
        total=native.decimal("total"),
        available=native.decimal("free"),
        hold=native.decimal("locked"),
    )


def position_from_native(native: Fields, symbol_of: SymbolOf, account_id: str) -> Position | None:
    """Return a position. None: it is flat."""
    size = native.decimal("size")
    if size == 0:
        return None
    return Position(
        symbol=symbol_of(native.text("code")),
        side=PositionSide.LONG if size > 0 else PositionSide.SHORT,
        quantity=size.copy_abs(),
        entry_price=native.decimal_or_none("entry"),
        current_price=native.decimal_or_none("mark"),
        unrealized_pnl=native.decimal_or_none("profit"),
        market_value=native.decimal_or_none("value"),
        account_id=account_id,
    )


def account_from_native(native: Fields) -> AccountSummary:
    """Return the account's totals."""
    return AccountSummary(
        account_id=native.text("account"),
        currency=native.text("currency"),
        equity=native.decimal_or_none("equity"),
        cash=native.decimal_or_none("cash"),
        buying_power=native.decimal_or_none("buying_power"),
        margin_used=native.decimal_or_none("margin_used"),
        timestamp=native.moment("time_us"),
    )


def quote_from_native(native: Fields, symbol_of: SymbolOf) -> Quote:
    """Return the best prices."""
    return Quote(
        symbol=symbol_of(native.text("code")),
        timestamp=native.moment("time_us"),
        bid=native.decimal_or_none("bid"),
        bid_size=native.decimal_or_none("bid_size"),
        ask=native.decimal_or_none("ask"),
        ask_size=native.decimal_or_none("ask_size"),
        last=native.decimal_or_none("last"),
    )


def book_from_native(native: Fields, symbol_of: SymbolOf) -> Orderbook:
    """Return the book."""
    return Orderbook(
        symbol=symbol_of(native.text("code")),
        bids=_levels(native, "bids"),
        asks=_levels(native, "asks"),
        timestamp=native.moment("time_us"),
    )


def _levels(native: Fields, name: str) -> tuple[PriceLevel, ...]:
    levels = (Fields({"price": pair[0], "size": pair[1]}) for pair in native.pairs(name))
    return tuple(PriceLevel(level.decimal("price"), level.decimal("size")) for level in levels)
