"""Contracts and symbols, in both directions."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    MarketType,
    OptionRight,
    PriceBand,
)
from bot_v2.features.brokerages.ibkr import contract_mapping as mapping
from tests.unit.ibkr.natives import details_row

D = Decimal

FUTURE: dict[str, Any] = {
    "secType": "FUT",
    "symbol": "ES",
    "tradingClass": "ES",
    "exchange": "CME",
    "validExchanges": "CME",
    "marketRuleIds": "67",
    "primaryExchange": "",
    "lastTradeDateOrContractMonth": "20280317",
    "realExpirationDate": "20280317",
    "multiplier": "50",
    "localSymbol": "ESH8",
}
OPTION: dict[str, Any] = {
    "secType": "OPT",
    "tradingClass": "AAPL",
    "primaryExchange": "",
    "lastTradeDateOrContractMonth": "20280121",
    "realExpirationDate": "20280121",
    "strike": D("172.5"),
    "right": "C",
    "multiplier": "100",
    "underSymbol": "AAPL",
}
PAIR: dict[str, Any] = {
    "secType": "CASH",
    "symbol": "EUR",
    "exchange": "IDEALPRO",
    "validExchanges": "IDEALPRO",
    "marketRuleIds": "239",
    "primaryExchange": "",
    "localSymbol": "EUR.USD",
}

SYMBOLS: list[tuple[dict[str, Any], str, MarketType]] = [
    ({}, "AAPL", MarketType.EQUITY),
    ({"symbol": "BRK B", "primaryExchange": "NYSE"}, "BRK.B", MarketType.EQUITY),
    ({"primaryExchange": "NASDAQ.NMS"}, "AAPL", MarketType.EQUITY),
    ({"symbol": "BHP", "primaryExchange": "ASX", "currency": "AUD"}, "ASX:BHP", MarketType.EQUITY),
    ({"symbol": "VOD", "primaryExchange": "LSE"}, "LSE:VOD", MarketType.EQUITY),
    ({"symbol": "A-B"}, "A_B", MarketType.EQUITY),
    ({"symbol": "brk/b"}, "@265598", MarketType.OTHER),
    (FUTURE, "ES-20280317", MarketType.FUTURES),
    (
        {**FUTURE, "exchange": "EUREX", "tradingClass": "FDAX"},
        "EUREX:FDAX-20280317",
        MarketType.FUTURES,
    ),
    (OPTION, "AAPL-20280121-172.5-C", MarketType.OPTION),
    ({**OPTION, "right": "PUT", "strike": D("170.0")}, "AAPL-20280121-170-P", MarketType.OPTION),
    (PAIR, "EUR-USD", MarketType.FOREX),
    ({"secType": "IND", "symbol": "SPX"}, "@265598", MarketType.OTHER),
    ({"secType": "CMDTY", "symbol": "XAUUSD"}, "@265598", MarketType.OTHER),
]


@pytest.mark.parametrize(("changes", "symbol", "kind"), SYMBOLS)
def test_symbols(changes: dict[str, Any], symbol: str, kind: MarketType) -> None:
    """Each contract has one canonical symbol, or its contract id after an @."""
    details = details_row(**changes)
    assert mapping.symbol_of(details) == symbol
    product = mapping.product_of(details, [("0", "0.01")])
    assert (product.symbol, product.market_type) == (symbol, kind)


def test_an_option() -> None:
    """An option has its terms, its contract's size, and steps that depend on the price."""
    product = mapping.product_of(details_row(**OPTION), [("0", "0.05"), ("3", "0.1")])
    assert (product.expiry, product.strike) == (date(2028, 1, 21), D("172.5"))
    assert (product.right, product.multiplier) == (OptionRight.CALL, D(100))
    assert product.underlying == "AAPL"
    assert product.price_bands == (
        PriceBand(lower_price=D(0), price_increment=D("0.05")),
        PriceBand(lower_price=D(3), price_increment=D("0.1")),
    )


def test_a_stock() -> None:
    """A stock has its least size and steps, and what the broker calls it."""
    product = mapping.product_of(details_row(), [("0", "0.01")])
    assert (product.price_increment, product.price_bands) == (D("0.01"), ())
    assert (product.min_order_size, product.size_increment) == (D("0.0001"), D("0.0001"))
    assert product.metadata["con_id"] == 265598
    assert product.name == "APPLE INC"
    assert mapping.product_of(details_row(), []).price_increment == D("0.01")


def test_prices_in_pence() -> None:
    """Where prices are told in a smaller unit than the currency, a unit is worth the less."""
    product = mapping.product_of(details_row(priceMagnifier=100, currency="GBP"), [])
    assert (product.multiplier, product.metadata["price_magnifier"]) == (D("0.01"), 100)


def test_where_it_is_traded() -> None:
    """Stocks and options are sent where TWS finds the best price, futures to their exchange."""
    assert mapping.tradeable_row(details_row(exchange="NASDAQ")).exchange == "SMART"
    assert mapping.tradeable_row(details_row(**FUTURE)).exchange == "CME"
    assert mapping.tradeable_row(details_row(**PAIR)).exchange == "IDEALPRO"
    assert mapping.rule_id_of(details_row(), "NASDAQ") == 26
    rules = details_row(validExchanges="SMART,ARCA", marketRuleIds="26,109")
    assert mapping.rule_id_of(rules, "ARCA") == 109
    assert mapping.rule_id_of(details_row(marketRuleIds="26"), "SMART") is None


READ: list[tuple[str, list[dict[str, Any]]]] = [
    # what a user types: what the first question of each reading asks for
    ("AAPL", [{"sec_type": "STK", "symbol": "AAPL", "currency": "USD", "exchange": "SMART"}]),
    ("BRK.B", [{"symbol": "BRK B"}, {"local_symbol": "BRK.B"}]),
    ("ASX:BHP", [{"symbol": "BHP", "primary": "ASX"}, {"local_symbol": "ASX:BHP"}]),
    ("EUR-USD", [{"sec_type": "CASH", "symbol": "EUR", "currency": "USD"}, {}]),
    ("EUR.USD", [{"symbol": "EUR USD"}, {"sec_type": "CASH", "local_symbol": "EUR.USD"}]),
    ("ES-20280317", [{"sec_type": "FUT", "symbol": "ES", "expiry": "20280317"}, {}]),
    ("ESH8", [{"symbol": "ESH8"}, {"sec_type": "FUT", "local_symbol": "ESH8"}]),
    (
        "AAPL-20280121-172.5-C",
        [{"sec_type": "OPT", "strike": "172.5", "right": "C", "expiry": "20280121"}, {}],
    ),
    ("@265598", [{"con_id": 265598}, {"sec_type": "FUT", "local_symbol": "265598"}]),
    ("AAPL  280121C00172500", [{"sec_type": "OPT", "local_symbol": "AAPL  280121C00172500"}]),
    ("no such thing", [{"sec_type": "STK", "local_symbol": "no such thing"}]),
]


@pytest.mark.parametrize(("text", "asked"), READ)
def test_readings(text: str, asked: list[dict[str, Any]]) -> None:
    """What a user types is read in each way that it can be, and none is decided by its shape."""
    readings = mapping.readings_of(text)
    assert len(readings) == len(asked)
    for reading, fields in zip(readings, asked, strict=True):
        contract = reading.queries[0].contract
        assert {name: getattr(contract, name) for name in fields} == fields


@pytest.mark.parametrize("text", [" ", "@", "\x00", "A\x00B", "ÄÖÜ", "AAPL\n", " AAPL", "x" * 65])
def test_what_cannot_be_a_symbol(text: str) -> None:
    """What TWS could not even be asked for has no reading: nothing of it reaches the socket."""
    assert mapping.readings_of(text) == []


def test_no_symbol() -> None:
    """An empty text is refused by name."""
    with pytest.raises(InvalidFieldError):
        mapping.readings_of("")


def test_what_is_accepted_is_what_was_meant() -> None:
    """Of what TWS answers only the contract with the terms that were asked for counts."""
    (future, *_), (option, *_) = (
        mapping.readings_of(text) for text in ("ES-20280317", "AAPL-20280121-172.5-C")
    )
    accepts = future.queries[0].accepts
    assert accepts(details_row(**FUTURE))
    assert not accepts(details_row(**{**FUTURE, "tradingClass": "MES"}))
    assert not accepts(details_row(**{**FUTURE, "realExpirationDate": "20280318"}))
    assert not accepts(details_row(**{**FUTURE, "exchange": "EUREX"}))
    accepts = option.queries[0].accepts
    assert accepts(details_row(**OPTION))
    assert not accepts(details_row(**{**OPTION, "right": "P"}))
    assert not accepts(details_row(**{**OPTION, "strike": D(172)}))
