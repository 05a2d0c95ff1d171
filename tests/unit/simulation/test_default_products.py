from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidSymbolError
from bot_v2.features.brokerages.core.products import MarketType, OptionRight, Product
from bot_v2.simulation.default_products import product_for_symbol

COIN = Decimal("0.00000001")
ONE = Decimal(1)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        (
            "BTC-EUR",
            Product(
                symbol="BTC-EUR",
                market_type=MarketType.SPOT,
                base_currency="BTC",
                quote_currency="EUR",
                size_increment=COIN,
            ),
        ),
        (
            "BTC-USDC-PERP",
            Product(
                symbol="BTC-USDC-PERP",
                market_type=MarketType.PERPETUAL,
                base_currency="BTC",
                quote_currency="USDC",
                settle_currency="USDC",
                size_increment=COIN,
            ),
        ),
        (
            "BRK.B",
            Product(
                symbol="BRK.B",
                market_type=MarketType.EQUITY,
                quote_currency="USD",
                size_increment=ONE,
            ),
        ),
    ],
)
def test_a_symbol_says_what_its_product_is(symbol: str, expected: Product) -> None:
    """What the grammar tells is in the product; what it does not is left unsaid."""
    assert expected == product_for_symbol(symbol)


def test_a_caller_may_know_more() -> None:
    """Currency and increments that are given are taken as they are."""
    product = product_for_symbol(
        "NSE:RELIANCE",
        currency="INR",
        price_increment=Decimal("0.05"),
        size_increment=Decimal("0.001"),
    )
    assert product.quote_currency == "INR"
    assert product.price_increment == Decimal("0.05")
    assert product.size_increment == Decimal("0.001")


def test_a_derivative_needs_its_multiplier() -> None:
    """No symbol tells what a contract is worth; guessing would falsify every profit."""
    for symbol in ("CL-20270319", "AAPL-20270115-152.5-C"):
        with pytest.raises(InvalidFieldError, match=f"the multiplier of {symbol}"):
            product_for_symbol(symbol)
    future = product_for_symbol("BTC-EUR-20260626", multiplier=Decimal("0.01"))
    assert future.quote_currency == "EUR"
    assert future.expiry == date(2026, 6, 26)
    assert future.size_increment == ONE
    option = product_for_symbol("AAPL-20270115-152.5-C", multiplier=Decimal(100))
    assert (option.strike, option.right) == (Decimal("152.5"), OptionRight.CALL)
    assert (option.underlying, option.multiplier) == ("AAPL", Decimal(100))


def test_a_brokers_own_symbol_says_nothing() -> None:
    """Neither `@native` nor a misspelt symbol becomes a product."""
    with pytest.raises(InvalidFieldError, match="give the Product"):
        product_for_symbol("@XXBTZUSD")
    with pytest.raises(InvalidSymbolError):
        product_for_symbol("btc-usd")
