"""The strategies draw what the contract allows."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given

from bot_v2.features.brokerages.core.accounts import Balance
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.core.symbols import ParsedSymbol, format_symbol, parse_symbol
from bot_v2.testing import strategies as drawn


@given(drawn.decimals())
def test_money_is_finite_and_not_negative(value: Decimal) -> None:
    """So that it can be a quantity."""
    assert value.is_finite()
    assert value >= 0


@given(drawn.parsed_symbols())
def test_symbols_are_canonical(parsed: ParsedSymbol) -> None:
    """Each is read back as it was."""
    assert parse_symbol(format_symbol(parsed)) == parsed


@given(drawn.balances())
def test_balances_add_up(balance: Balance) -> None:
    """Total is what is available and what is held."""
    assert balance.available is not None
    assert balance.hold is not None
    assert balance.total == EXACT.add(balance.available, balance.hold)


@given(drawn.orderbooks())
def test_books_are_not_crossed(book: Orderbook) -> None:
    """Prices fall from the best ask to the worst bid."""
    prices = [level.price for level in (*reversed(book.asks), *book.bids)]
    assert all(higher > lower for higher, lower in pairwise(prices))


@given(drawn.quotes())
def test_quotes_are_not_crossed(quote: Quote) -> None:
    """The bid is below the ask, where both are there."""
    assert quote.bid is None or quote.ask is None or quote.bid < quote.ask


@given(drawn.orders())
def test_orders_are_filled_as_their_status_says(order: Order) -> None:
    """A filled order is filled in full, and none is filled beyond."""
    assert order.quantity is not None
    assert order.filled_quantity <= order.quantity
    if order.status is OrderStatus.FILLED:
        assert order.filled_quantity == order.quantity


@given(drawn.products())
def test_products_have_steps_that_fit(product: Product) -> None:
    """The smallest order is a whole number of steps."""
    assert product.min_order_size is not None
    assert product.size_increment is not None
    assert EXACT.remainder(product.min_order_size, product.size_increment) == 0


@given(drawn.order_requests(), drawn.fills())
def test_requests_and_fills_can_be_built(request: OrderRequest, fill: Fill) -> None:
    """The models refuse nothing that is drawn."""
    assert (request.quantity is None) != (request.notional is None)
    assert fill.quantity > 0
