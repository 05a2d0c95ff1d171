"""Native records become models, and lose nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from bot_v2.features.brokerages.coinbase import mapping, order_mapping, order_wire, wire
from bot_v2.features.brokerages.coinbase.decoding import MalformedError, decode
from bot_v2.features.brokerages.core.interfaces import (
    Fee,
    InvalidFieldError,
    Liquidity,
    MarketType,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionSide,
    TimeInForce,
)
from tests.unit.coinbase.natives import FILL, ORDER, PERPETUAL, SPOT


class Names:
    """Knows two products."""

    def symbol_of(self, product_id: str) -> str:
        """Return the symbol."""
        return {"BTC-USD": "BTC-USD", "ETH-PERP-INTX": "ETH-USDC-PERP"}.get(
            product_id, f"@{product_id}"
        )

    def quote_of(self, product_id: str) -> str | None:
        """Return the currency."""
        return {"BTC-USD": "USD", "ETH-PERP-INTX": "USDC"}.get(product_id)

    def named(self, product_id: str) -> tuple[str, str | None]:
        """Return both."""
        return self.symbol_of(product_id), self.quote_of(product_id)


def _order(**changes: Any) -> Order:
    native = decode(json.dumps({**ORDER, **changes}).encode(), order_wire.Order)
    return order_mapping.order_from_native(native, Names(), "acc")


def _product(body: dict[str, Any]) -> Any:
    return mapping.product_from_native(decode(json.dumps(body).encode(), wire.Product))


def test_an_order_is_told_as_it_stands() -> None:
    """Ids, terms, fees and moments are those of the record."""
    order = _order()
    assert order.order_id == ORDER["order_id"]
    assert order.client_order_id == "mine-1"
    assert (order.symbol, order.side, order.type) == ("BTC-USD", OrderSide.BUY, OrderType.LIMIT)
    assert (str(order.quantity), str(order.price)) == ("0.5", "41000.10")
    assert order.time_in_force is TimeInForce.GTC
    assert order.fees == (Fee(currency="USD", amount=D(0)),)
    assert order.timestamp == datetime(2026, 3, 4, 5, 0, 0, 123457, tzinfo=UTC)
    assert order.average_fill_price is None
    assert order.status_reason is None
    assert not order.metadata


@pytest.mark.parametrize(
    ("native", "filled", "pending", "expected"),
    [
        ("PENDING", "0", False, OrderStatus.PENDING),
        ("OPEN", "0", False, OrderStatus.OPEN),
        ("OPEN", "0.1", False, OrderStatus.PARTIALLY_FILLED),
        ("OPEN", "0.1", True, OrderStatus.PENDING_CANCEL),
        ("QUEUED", "0", False, OrderStatus.OPEN),
        ("EDIT_QUEUED", "0", False, OrderStatus.OPEN),
        ("CANCEL_QUEUED", "0", False, OrderStatus.PENDING_CANCEL),
        ("FILLED", "0.5", False, OrderStatus.FILLED),
        ("CANCELLED", "0.1", True, OrderStatus.CANCELLED),
        ("EXPIRED", "0", False, OrderStatus.EXPIRED),
        ("FAILED", "0", False, OrderStatus.REJECTED),
        ("UNKNOWN_ORDER_STATUS", "0", False, OrderStatus.UNKNOWN),
        ("A_STATUS_OF_TOMORROW", "0", True, OrderStatus.UNKNOWN),
    ],
)
def test_a_status_is_one_of_ours(
    native: str, filled: str, pending: bool, expected: OrderStatus
) -> None:
    """One that nobody has seen is UNKNOWN with its text, and never an end."""
    order = _order(status=native, filled_size=filled, pending_cancel=pending)
    assert order.status is expected
    assert order.native_status == native


@pytest.mark.parametrize("name", order_mapping.FORMS)
def test_a_configuration_says_type_and_time(name: str) -> None:
    """Each configuration that the API has is told in our words."""
    terms = {"base_size": "2", "limit_price": "3", "stop_price": "4"}
    order = _order(order_configuration={name: terms})
    form = order_mapping.FORMS[name]
    assert (order.type, order.time_in_force) == (form.type, form.time_in_force)
    assert (order.quantity, order.price, order.stop_price) == (D(2), D(3), D(4))
    assert dict(order.metadata) == ({"configuration": name} if form.type is OrderType.OTHER else {})


def test_a_configuration_of_tomorrow_keeps_its_name() -> None:
    """Its type is OTHER, and what can be read of its terms is."""
    order = _order(order_configuration={"twap_limit_gtd": {"quote_size": "9", "x": 1}})
    assert order.type is OrderType.OTHER
    assert order.metadata["configuration"] == "twap_limit_gtd"
    assert (order.quantity, order.notional) == (None, D(9))


def test_an_order_without_its_terms_is_told_by_its_type() -> None:
    """Where the configuration is null, the order's own words are all there is."""
    order = _order(order_configuration=None, order_type="MARKET", time_in_force="FILL_OR_KILL")
    assert (order.type, order.time_in_force) == (OrderType.MARKET, TimeInForce.FOK)
    assert (order.quantity, order.price) == (None, None)


def test_a_filled_order_tells_price_and_fees() -> None:
    """To the last digit, and in the currency of the price."""
    order = _order(
        status="FILLED",
        filled_size="0.5",
        average_filled_price="21220.6399999973697697",
        total_fees="0.0379324055666004",
    )
    assert str(order.average_fill_price) == "21220.6399999973697697"
    assert order.fees == (Fee(currency="USD", amount=D("0.0379324055666004")),)


def test_an_order_of_an_unlisted_product_is_told_by_its_id() -> None:
    """Of fees in a currency that is not known nothing is said."""
    order = _order(product_id="OLD-COIN")
    assert order.symbol == "@OLD-COIN"
    assert order.fees is None


def test_the_exit_of_a_bracket_names_its_entry() -> None:
    """Entry and exit share a group."""
    entry = _order(attached_order_id="exit")
    leg = _order(order_id="exit", originating_order_id=entry.order_id)
    assert leg.parent_order_id == entry.order_id
    assert leg.group_id == entry.group_id == entry.order_id


@pytest.mark.parametrize("number", ["NaN", "sNaN", "abc", "1,5", "Infinity"])
@pytest.mark.parametrize("field", ["filled_size", "average_filled_price", "total_fees"])
def test_a_number_that_is_none_is_an_error(field: str, number: str) -> None:
    """It is not taken for a number, and not for nothing."""
    with pytest.raises((InvalidFieldError, MalformedError)):
        _order(**{"filled_size": "0.1", field: number})


def test_an_empty_text_is_no_number() -> None:
    """Where Coinbase prints an empty text there is nothing, and all else is read as ever."""
    order = _order(filled_size="", average_filled_price="", total_fees="", created_time="")
    assert (order.filled_quantity, order.average_fill_price) == (D(0), None)
    assert (order.fees, order.timestamp) == (None, None)
    assert (str(order.quantity), str(order.price)) == ("0.5", "41000.10")


def test_a_number_that_is_printed_as_one_is_read_as_printed() -> None:
    """A JSON number is no float on its way, next to an empty text neither."""
    for fee in ("0.1", ""):
        told = json.dumps({**ORDER, "filled_size": "0.1", "total_fees": fee})
        body = told.replace(
            '"filled_size": "0.1"', '"filled_size": 0.12345678901234567890'
        ).encode()
        order = order_mapping.order_from_native(decode(body, order_wire.Order), Names(), "acc")
        assert str(order.filled_quantity) == "0.12345678901234567890"


def test_a_moment_is_told_in_utc() -> None:
    """One of another zone is turned to UTC, and the year one stands for none."""
    order = _order(
        created_time="2026-03-04T07:00:00+02:00", last_update_time="0001-01-01T00:00:00Z"
    )
    assert order.timestamp == datetime(2026, 3, 4, 5, tzinfo=UTC)
    assert order.timestamp is not None
    assert order.timestamp.tzinfo is UTC
    assert order.updated_at is None
    for odd in ("2026-03-04T07:00:00", "9999-12-31T23:59:59-23:59"):
        with pytest.raises(MalformedError):
            _order(created_time=odd)


# Products.


def test_a_spot_product_is_called_by_its_currencies() -> None:
    """Its steps and bounds are as printed."""
    product = _product(SPOT)
    assert (product.symbol, product.market_type) == ("BTC-USD", MarketType.SPOT)
    assert (product.base_currency, product.quote_currency) == ("BTC", "USD")
    assert format(product.size_increment, "f") == "0.00000001"
    assert product.max_order_size == D(3400)
    assert product.tradeable


@pytest.mark.parametrize(
    "flag",
    [
        {"is_disabled": True},
        {"trading_disabled": True},
        {"view_only": True},
        {"cancel_only": True},
        {"status": "delisted"},
    ],
)
def test_a_product_that_takes_no_orders_says_so(flag: dict[str, Any]) -> None:
    """Each of the flags closes it."""
    assert not _product({**SPOT, **flag}).tradeable


def test_a_perpetual_is_called_by_coin_and_currency() -> None:
    """The broker's id names no currency of the price; the details do."""
    product = _product(PERPETUAL)
    assert (product.symbol, product.market_type) == ("ETH-USDC-PERP", MarketType.PERPETUAL)
    assert product.settle_currency == "USDC"
    assert product.metadata["venue"] == "INTX"


def test_a_future_is_called_by_its_date() -> None:
    """Value is quantity, price and the contract's size multiplied."""
    details = {
        "contract_code": "BIT",
        "contract_expiry": "2026-04-26T15:00:00Z",
        "contract_size": "0.01",
        "contract_root_unit": "BTC",
        "contract_expiry_type": "EXPIRING",
    }
    product = _product(
        {**PERPETUAL, "product_id": "BIT-26APR26-CDE", "future_product_details": details}
    )
    assert (product.symbol, product.market_type) == ("BIT-20260426", MarketType.FUTURES)
    assert (product.expiry, product.multiplier) == (date(2026, 4, 26), D("0.01"))


@pytest.mark.parametrize(
    "odd",
    [
        {"product_type": "EQUITY"},
        {"base_currency_id": "b t c"},
        {"product_type": "FUTURE", "future_product_details": None},
    ],
)
def test_what_the_grammar_cannot_name_is_called_by_its_id(odd: dict[str, Any]) -> None:
    """It is told all the same."""
    assert _product({**SPOT, **odd}).symbol == "@BTC-USD"


# The account and the market.


def _account(currency: str, available: str, hold: str, kind: str = "ACCOUNT_TYPE_CRYPTO") -> Any:
    body = {
        "uuid": "u",
        "currency": currency,
        "available_balance": {"value": available, "currency": currency},
        "hold": {"value": hold, "currency": currency},
        "type": kind,
    }
    return mapping.balance_from_native(decode(json.dumps(body).encode(), wire.Account))


def test_balances_add_up_by_wallet() -> None:
    """Two accounts of a currency are one balance; a vault is a wallet of its own."""
    one, other = _account("BTC", "1.5", "0.5"), _account("BTC", "2", "0")
    vault = _account("BTC", "7", "0", "ACCOUNT_TYPE_VAULT")
    found = mapping.balances_by_wallet([one, other, vault])
    assert [(each.wallet, each.total, each.available, each.hold) for each in found] == [
        ("", D("4.0"), D("3.5"), D("0.5")),
        ("vault", D(7), D(7), D(0)),
    ]


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ("20", "POSITION_SIDE_LONG", PositionSide.LONG),
        ("-20", "POSITION_SIDE_SHORT", PositionSide.SHORT),
        ("20", "POSITION_SIDE_SHORT", PositionSide.SHORT),
        ("-20", "", PositionSide.SHORT),
    ],
)
def test_a_position_has_a_side_and_a_quantity(size: str, side: str, expected: PositionSide) -> None:
    """The quantity is above zero, and a short one's value is below it."""
    body = {
        "symbol": "ETH-PERP-INTX",
        "net_size": size,
        "position_side": side,
        "entry_vwap": {"value": "3000.5", "currency": "USDC"},
        "mark_price": {"value": "3100", "currency": "USDC"},
        "unrealized_pnl": {"value": "-5", "currency": "USDC"},
        "position_notional": {"value": "62000", "currency": "USDC"},
        "liquidation_price": {"value": "0", "currency": "USDC"},
        "leverage": "",
    }
    native = decode(json.dumps(body).encode(), wire.PerpetualPosition)
    position = mapping.position_from_native(native, Names(), "acc")
    assert position is not None
    assert (position.symbol, position.side, position.quantity) == ("ETH-USDC-PERP", expected, D(20))
    assert (position.entry_price, position.unrealized_pnl) == (D("3000.5"), D(-5))
    assert position.market_value == (D(-62000) if expected is PositionSide.SHORT else D(62000))
    assert position.metadata["liquidation_price"] is None
    assert "leverage" not in position.metadata


def test_a_flat_position_is_none() -> None:
    """The API lists a product whose position was closed."""
    native = decode(b'{"symbol": "ETH-PERP-INTX", "net_size": "0.000"}', wire.PerpetualPosition)
    assert mapping.position_from_native(native, Names(), "acc") is None


def test_a_candle_that_still_forms_says_so() -> None:
    """It is complete once its interval has ended."""
    body = b'{"start":"60","low":"1","high":"4","open":"2","close":"3","volume":"5"}'
    native = decode(body, wire.Candle)
    ended = datetime(1970, 1, 1, 0, 2, tzinfo=UTC)
    for now, complete in ((ended, True), (ended - timedelta(seconds=1), False)):
        candle = mapping.candle_from_native(native, "BTC-USD", timedelta(minutes=1), now)
        assert candle.complete is complete
        assert (candle.open, candle.high, candle.low, candle.close) == (D(2), D(4), D(1), D(3))


# Fills.


def _fill(**changes: Any) -> Any:
    native = decode(json.dumps({**FILL, **changes}).encode(), order_wire.Fill)
    return order_mapping.fill_from_native(native, Names(), "acc")


def test_a_fill_is_told_with_its_fee() -> None:
    """In the currency of the price; the moment is cut to the microsecond."""
    fill = _fill()
    assert (fill.trade_id, fill.quantity, fill.price) == ("trade-1", D("0.25"), D("41000.10"))
    assert (fill.fee, fill.fee_currency) == (D("61.50"), "USD")
    assert fill.liquidity is Liquidity.MAKER
    assert fill.timestamp.microsecond == 999_999


def test_a_fill_told_as_a_sum_is_divided_by_its_price() -> None:
    """To eighteen places: in most cases there is no exact quantity."""
    assert _fill(size="10", price="4", size_in_quote=True).quantity == D("2.5")
    assert _fill(size="1", price="3", size_in_quote=True).quantity == D("0." + "3" * 18)


@pytest.mark.parametrize(("kind", "busted"), [("REVERSAL", True), ("CORRECTION", False)])
def test_what_undoes_a_fill_names_it(kind: str, busted: bool) -> None:
    """It has an id of its own, and the id of the execution that it is about."""
    fill = _fill(trade_type=kind)
    assert (fill.trade_id, fill.corrects, fill.busted) == ("entry-1", "trade-1", busted)


def test_a_fill_of_no_side_is_malformed() -> None:
    """An execution without a side cannot be booked."""
    with pytest.raises(MalformedError, match="side"):
        _fill(side="UNKNOWN_ORDER_SIDE")


def test_a_fill_at_no_price_is_no_quantity() -> None:
    """A sum at a price of zero is not divided in silence."""
    with pytest.raises(ArithmeticError):
        _fill(size="1", price="0", size_in_quote=True)
