"""Hypothesis strategies for money, symbols and models: any value that the contract allows.

@given(orders())
def test_an_order_survives_json(order): ...
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.idempotency import LOWER_ALPHANUMERIC
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.orders import Fee, Order
from bot_v2.features.brokerages.core.products import MarketType, OptionRight, Product
from bot_v2.features.brokerages.core.symbols import (
    EquitySymbol,
    FutureSymbol,
    OptionSymbol,
    PairSymbol,
    ParsedSymbol,
    PerpetualSymbol,
)

PLACES_MAX: Final = 12
"""How many decimal places money has at most: more than any broker prints."""

DIGITS_MAX: Final = 10**15
"""How large a number is at most, without its decimal point."""

_CODE: Final = st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True)


def decimals(
    least: int = 0, most: int = DIGITS_MAX, places: int = PLACES_MAX
) -> SearchStrategy[Decimal]:
    """Return finite numbers of money, trailing zeros included.

    Args:
        least: the smallest, without its decimal point.
        most: the largest, without its decimal point.
        places: how many decimal places there may be.
    """
    digits = st.integers(least, most)
    return st.builds(
        lambda number, shift: Decimal(number).scaleb(-shift), digits, st.integers(0, places)
    )


def positive_decimals() -> SearchStrategy[Decimal]:
    """Return prices and quantities: above zero."""
    return decimals(least=1)


def signed_decimals() -> SearchStrategy[Decimal]:
    """Return amounts that may be negative."""
    return decimals(least=-DIGITS_MAX)


def moments() -> SearchStrategy[datetime]:
    """Return aware UTC datetimes, from 2000 to 2100."""
    return st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


def dates() -> SearchStrategy[date]:
    """Return dates, from 2000 to 2100."""
    return st.dates(date(2000, 1, 1), date(2100, 1, 1))


def identifiers() -> SearchStrategy[str]:
    """Return ids that every broker takes."""
    return st.text(LOWER_ALPHANUMERIC, min_size=1, max_size=18)


def currencies() -> SearchStrategy[str]:
    """Return codes of currencies and coins."""
    return _CODE


def parsed_symbols() -> SearchStrategy[ParsedSymbol]:
    """Return every kind of canonical symbol, in its parts."""
    right = st.sampled_from(OptionRight)
    exchange = st.none() | _CODE
    strike = decimals(1, 10**7, 4)
    return st.one_of(
        st.builds(PairSymbol, base=_CODE, quote=_CODE),
        st.builds(PerpetualSymbol, base=_CODE, quote=_CODE),
        st.builds(EquitySymbol, ticker=_CODE, exchange=exchange),
        st.builds(FutureSymbol, root=_CODE, expiry=dates(), exchange=exchange),
        st.builds(
            OptionSymbol, root=_CODE, expiry=dates(), strike=strike, right=right, exchange=exchange
        ),
    )


def symbols() -> SearchStrategy[str]:
    """Return canonical symbols."""
    return parsed_symbols().map(str)


def balances() -> SearchStrategy[Balance]:
    """Return balances whose total is what is available and what is held."""

    def build(asset: str, available: Decimal, hold: Decimal) -> Balance:
        total = EXACT.add(available, hold)
        return Balance(asset=asset, total=total, available=available, hold=hold)

    return st.builds(build, currencies(), signed_decimals(), decimals())


def positions() -> SearchStrategy[Position]:
    """Return positions, long and short."""
    return st.builds(
        Position,
        symbol=symbols(),
        quantity=positive_decimals(),
        side=st.sampled_from(PositionSide),
        account_id=identifiers(),
        entry_price=st.none() | positive_decimals(),
        current_price=st.none() | positive_decimals(),
        unrealized_pnl=st.none() | signed_decimals(),
        market_value=st.none() | signed_decimals(),
    )


def products() -> SearchStrategy[Product]:
    """Return spot products with sizes and steps."""

    def build(base: str, quote: str, step: Decimal, tick: Decimal, times: int) -> Product:
        return Product(
            symbol=f"{base}-{quote}",
            market_type=MarketType.SPOT,
            base_currency=base,
            quote_currency=quote,
            size_increment=step,
            min_order_size=EXACT.multiply(step, Decimal(times)),
            price_increment=tick,
        )

    steps = st.integers(0, 8).map(lambda places: Decimal(1).scaleb(-places))
    return st.builds(build, currencies(), currencies(), steps, steps, st.integers(1, 100))


@st.composite
def orderbooks(draw: DrawFn, depth_max: int = 5) -> Orderbook:
    """Return books that are sorted and not crossed.

    Args:
        draw: Hypothesis's own.
        depth_max: how many prices a side has at most.
    """
    prices = sorted(draw(st.sets(positive_decimals(), min_size=2, max_size=2 * depth_max)))
    middle = draw(st.integers(0, len(prices)))
    levels = [PriceLevel(price, draw(positive_decimals())) for price in prices]
    return Orderbook(
        symbol=draw(symbols()),
        bids=tuple(reversed(levels[:middle])),
        asks=tuple(levels[middle:]),
        timestamp=draw(st.none() | moments()),
    )


@st.composite
def quotes(draw: DrawFn) -> Quote:
    """Return quotes that are not crossed."""
    bid, ask = sorted(draw(st.sets(positive_decimals(), min_size=2, max_size=2)))
    return Quote(
        symbol=draw(symbols()),
        timestamp=draw(moments()),
        bid=draw(st.none() | st.just(bid)),
        ask=draw(st.none() | st.just(ask)),
        last=draw(st.none() | positive_decimals()),
    )


_PRICES: Final[dict[OrderType, tuple[str, ...]]] = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("price", "stop_price"),
}


@st.composite
def order_requests(draw: DrawFn) -> OrderRequest:
    """Return requests of every plain type, by quantity or by notional."""
    kind = draw(st.sampled_from(sorted(_PRICES)))
    amount = draw(st.sampled_from(["quantity", "notional"]))
    terms: dict[str, Any] = {name: draw(positive_decimals()) for name in (amount, *_PRICES[kind])}
    lasting = draw(st.none() | st.sampled_from([TimeInForce.GTC, TimeInForce.DAY, TimeInForce.IOC]))
    return OrderRequest(
        symbol=draw(symbols()),
        side=draw(st.sampled_from(OrderSide)),
        type=kind,
        time_in_force=lasting,
        client_order_id=draw(st.none() | identifiers()),
        **terms,
    )


@st.composite
def orders(draw: DrawFn) -> Order:
    """Return orders at every point of their lives, with fills that fit their status."""
    request = draw(order_requests().filter(lambda one: one.quantity is not None))
    quantity = request.quantity or Decimal(1)
    status = draw(st.sampled_from(OrderStatus))
    share = Decimal(draw(st.integers(0, 4))) / 4
    if status is OrderStatus.FILLED:
        share = Decimal(1)
    filled = EXACT.multiply(quantity, share)
    fee = st.builds(Fee, currency=currencies(), amount=signed_decimals())
    return Order(
        order_id=draw(identifiers()),
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        status=status,
        quantity=quantity,
        filled_quantity=filled,
        average_fill_price=draw(st.none() | positive_decimals()) if filled else None,
        price=request.price,
        stop_price=request.stop_price,
        time_in_force=request.time_in_force or TimeInForce.GTC,
        account_id=draw(identifiers()),
        fees=draw(st.none() | st.lists(fee, max_size=2).map(tuple)),
        timestamp=draw(st.none() | moments()),
    )


def fills() -> SearchStrategy[Fill]:
    """Return executions."""
    return st.builds(
        Fill,
        trade_id=identifiers(),
        order_id=identifiers(),
        symbol=symbols(),
        side=st.sampled_from(OrderSide),
        quantity=positive_decimals(),
        price=positive_decimals(),
        timestamp=moments(),
        account_id=identifiers(),
        fee=st.none() | signed_decimals(),
        fee_currency=st.none() | currencies(),
        liquidity=st.none() | st.sampled_from(Liquidity),
    )
