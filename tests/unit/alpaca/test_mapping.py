"""Alpaca's words become ours, digit for digit, and come back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.alpaca import (
    mapping,
    market_mapping,
    market_wire,
    order_mapping,
    order_wire,
    wire,
)
from bot_v2.features.brokerages.alpaca.decoding import MalformedError, decode, in_utc
from bot_v2.features.brokerages.alpaca.order_to_native import order_to_native
from bot_v2.features.brokerages.alpaca.symbols import (
    CRYPTO,
    EQUITY,
    OPTION,
    class_of,
    native_of_option,
    natives_of,
    option_of,
    symbol_from_native,
)
from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionEffect,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from bot_v2.features.brokerages.core.products import MarketType, OptionRight
from bot_v2.features.brokerages.core.symbols import OptionSymbol, parse_symbol
from bot_v2.testing.strategies import positive_decimals
from tests.unit.alpaca.natives import ACCOUNT, ASSETS, COIN, CONTRACT, ORDER, POSITION, STOCK

D = Decimal


def read(native: Any) -> order_wire.Order:
    """Decode an order as it comes."""
    return decode(json.dumps(native).encode(), order_wire.Order)


@given(quantity=positive_decimals(), price=positive_decimals(), filled=st.booleans())
def test_an_order_keeps_its_digits(quantity: Decimal, price: Decimal, filled: bool) -> None:
    """Whatever their number, and trailing zeros, too."""
    native = {
        **ORDER,
        "qty": format(quantity, "f"),
        "limit_price": format(price, "f"),
        "filled_qty": format(quantity, "f") if filled else "0",
        "filled_avg_price": format(price, "f") if filled else None,
        "status": "filled" if filled else "new",
    }
    order = order_mapping.order_from_native(read(native), "a")
    assert order.quantity is not None
    assert order.price is not None
    assert order.quantity.as_tuple() == quantity.as_tuple()
    assert order.price.as_tuple() == price.as_tuple()
    assert (order.average_fill_price == price) is filled


@given(
    quantity=positive_decimals(),
    price=positive_decimals(),
    side=st.sampled_from(OrderSide),
    time_in_force=st.sampled_from([TimeInForce.DAY, TimeInForce.GTC]),
)
def test_what_is_asked_for_is_sent_and_read_back(
    quantity: Decimal, price: Decimal, side: OrderSide, time_in_force: TimeInForce
) -> None:
    """The body of a placement, told back as an order, is the request."""
    request = OrderRequest(
        symbol="ACME",
        side=side,
        type=OrderType.LIMIT,
        quantity=quantity,
        price=price,
        time_in_force=time_in_force,
        position_effect=PositionEffect.OPEN,
    )
    body = order_to_native(request, "ACME", MarketType.EQUITY, "mine")
    assert all(isinstance(value, str) for value in body.values())
    order = order_mapping.order_from_native(read({**ORDER, **body}), "a")
    for name in ("symbol", "side", "type", "quantity", "price", "time_in_force", "position_effect"):
        assert getattr(order, name) == getattr(request, name)


def test_exits_and_flags_are_sent_by_their_names() -> None:
    """A bracket with two exits, one with one, and the rest of what can be asked."""
    request = OrderRequest(
        symbol="ACME",
        side=OrderSide.BUY,
        quantity=D(1),
        take_profit=TakeProfit(price=D("3.10")),
        stop_loss=StopLoss(stop_price=D(1), price=D("0.9")),
    )
    body = order_to_native(request, "ACME", MarketType.EQUITY, "mine")
    assert body["order_class"] == "bracket"
    assert body["take_profit"] == {"limit_price": "3.10"}
    assert body["stop_loss"] == {"stop_price": "1", "limit_price": "0.9"}
    one = OrderRequest(
        symbol="ACME", side=OrderSide.BUY, quantity=D(1), stop_loss=StopLoss(stop_price=D(1))
    )
    body = order_to_native(one, "ACME", MarketType.EQUITY, "mine")
    assert (body["order_class"], body["stop_loss"]) == ("oto", {"stop_price": "1"})
    trail = OrderRequest(
        symbol="ACME",
        side=OrderSide.SELL,
        quantity=D(1),
        type=OrderType.TRAILING_STOP,
        trail_percent=D("1.5"),
    )
    body = order_to_native(trail, "ACME", MarketType.EQUITY, "mine")
    assert (body["type"], body["trail_percent"]) == ("trailing_stop", "1.5")
    late = OrderRequest(
        symbol="ACME",
        side=OrderSide.BUY,
        quantity=D(1),
        type=OrderType.LIMIT,
        price=D(1),
        extended_hours=True,
    )
    assert order_to_native(late, "ACME", MarketType.EQUITY, "m")["extended_hours"] is True


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, OrderStatus.OPEN),
        ({"filled_qty": "1", "filled_avg_price": "2"}, OrderStatus.PARTIALLY_FILLED),
        ({"status": "pending_new", "filled_qty": "1"}, OrderStatus.PARTIALLY_FILLED),
        ({"status": "calculated", "filled_qty": "10.50"}, OrderStatus.FILLED),
        ({"status": "done_for_day", "filled_qty": "10.50"}, OrderStatus.FILLED),
        ({"status": "canceled", "filled_qty": "1"}, OrderStatus.CANCELLED),
        ({"status": "replaced", "replaced_by": "n"}, OrderStatus.REPLACED),
        ({"status": "pending_cancel", "filled_qty": "1"}, OrderStatus.PENDING_CANCEL),
        ({"status": "never heard of"}, OrderStatus.UNKNOWN),
    ],
)
def test_what_was_filled_is_part_of_the_status(
    changes: dict[str, Any], expected: OrderStatus
) -> None:
    """An order that works and has a part of it filled says so."""
    order = order_mapping.order_from_native(read({**ORDER, **changes}), "a")
    assert (order.status, order.native_status) == (expected, {**ORDER, **changes}["status"])


def test_what_few_orders_tell_is_told() -> None:
    """Sums, trails, chains, classes and flags."""
    order = order_mapping.order_from_native(
        read(
            {
                **ORDER,
                "qty": None,
                "notional": "100.50",
                "filled_qty": None,
                "type": "trailing_stop",
                "trail_percent": "1.5",
                "hwm": "108.05",
                "stop_price": "106.43",
                "replaces": "old",
                "order_class": "oto",
                "extended_hours": True,
                "submitted_at": "2026-03-04T10:00:00-05:00",
                "updated_at": "2026-03-04T10:00:01-05:00",
                "position_intent": "buy_to_open",
            }
        ),
        "a",
        "parent",
        "group",
    )
    assert (order.quantity, order.notional, order.filled_quantity) == (None, D("100.50"), D(0))
    assert (order.stop_price, order.replaces) == (D("106.43"), "old")
    assert (order.parent_order_id, order.group_id) == ("parent", "group")
    assert order.timestamp == datetime(2026, 3, 4, 15, tzinfo=UTC)
    assert order.position_effect is PositionEffect.OPEN
    assert dict(order.metadata) == {
        "order_class": "oto",
        "trail_percent": D("1.5"),
        "high_water_mark": D("108.05"),
        "extended_hours": True,
    }


def test_the_legs_of_a_group_follow_their_order() -> None:
    """Those of a bracket wait for it, those of an OCO stand beside it."""
    leg = {**ORDER, "id": "leg", "order_class": "bracket"}
    for order_class, parent in (("bracket", ORDER["id"]), ("oco", None)):
        native = read({**ORDER, "order_class": order_class, "legs": [leg]})
        first, second = order_mapping.orders_from_natives([native], "a")
        assert first.group_id == second.group_id == ORDER["id"]
        assert (first.parent_order_id, second.parent_order_id) == (None, parent)


@pytest.mark.parametrize(
    "legs",
    [
        None,
        [{**ORDER, "symbol": "", "side": "buy"}],
        [{**ORDER, "symbol": "ACME", "side": "buy"}],
        [{**ORDER, "symbol": "ACME260417C00152500", "side": "sideways"}],
    ],
)
def test_an_order_without_a_symbol_is_malformed(legs: Any) -> None:
    """Unless its legs are options, whose underlying it is named by."""
    native = read({**ORDER, "symbol": None, "order_class": "mleg", "legs": legs})
    with pytest.raises(MalformedError):
        order_mapping.order_from_native(native, "a")


def test_a_side_of_a_leg_may_be_in_its_intent() -> None:
    """Where it has none of its own."""
    leg = {**ORDER, "symbol": "ACME260417C00152500", "side": "", "position_intent": "sell_to_open"}
    told = order_mapping.leg_from_native(read(leg))
    assert (told.side, told.ratio) == (OrderSide.SELL, D(1))


# Symbols.


@given(
    root=st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True),
    day=st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    thousandths=st.integers(1, 99_999_999),
    right=st.sampled_from(OptionRight),
)
def test_an_option_is_named_there_and_back(
    root: str, day: date, thousandths: int, right: OptionRight
) -> None:
    """Each contract has one name of ours and one of Alpaca's."""
    option = OptionSymbol(root=root, expiry=day, strike=D(thousandths).scaleb(-3), right=right)
    native = native_of_option(option)
    assert native is not None
    assert option_of(native) == option
    assert symbol_from_native(native, OPTION) == str(option)
    assert parse_symbol(symbol_from_native(native, "")) == option


@given(base=st.from_regex(r"[A-Z][A-Z0-9]{1,5}", fullmatch=True))
def test_a_pair_is_named_with_and_without_its_stroke(base: str) -> None:
    """Positions leave it out."""
    assert symbol_from_native(f"{base}/USD", CRYPTO) == f"{base}-USD"
    assert symbol_from_native(f"{base}USD", CRYPTO) == f"{base}-USD"
    assert (CRYPTO, f"{base}/USD") in natives_of(f"{base}-USD")


@pytest.mark.parametrize(
    ("native", "asset_class", "expected"),
    [
        ("ACME", EQUITY, "ACME"),
        ("BRK.B", EQUITY, "BRK.B"),
        ("not a ticker", EQUITY, "@not a ticker"),
        ("ACME", OPTION, "@ACME"),
        ("ACME261399C00152500", OPTION, "@ACME261399C00152500"),
        ("QQQ", CRYPTO, "@QQQ"),
        ("ACME", "something_new", "@ACME"),
        ("XYZ/USD", "", "XYZ-USD"),
    ],
)
def test_what_the_grammar_cannot_name_goes_by_its_own_name(
    native: str, asset_class: str, expected: str
) -> None:
    """After an @, letter for letter."""
    assert symbol_from_native(native, asset_class) == expected


def test_the_class_of_a_symbol_follows_from_its_form() -> None:
    """Where nothing else is told."""
    assert class_of("XYZ/USD") == CRYPTO
    assert class_of("ACME260417C00152500") == OPTION
    assert class_of("ACME") == EQUITY
    fine = OptionSymbol(
        root="ACME", expiry=date(2026, 4, 17), strike=D("0.0005"), right=OptionRight.PUT
    )
    assert native_of_option(fine) is None


# The account and the market.


def test_a_product_says_what_it_is() -> None:
    """A stock in whole shares, a pair with steps of its own, and what nobody knows."""
    whole = mapping.product_from_native(
        msgspec.convert({**STOCK, "fractionable": False}, wire.Asset)
    )
    assert (whole.size_increment, whole.min_order_size) == (D(1), D(1))
    assert [band.price_increment for band in whole.price_bands] == [D("0.0001"), D("0.01")]
    assert whole.metadata["exchange"] == "NASDAQ"
    pair = mapping.product_from_native(decode(json.dumps(COIN).encode(), wire.Asset))
    assert (pair.min_order_size, pair.quote_currency) == (D("0.0001"), "USD")
    strange = mapping.product_from_native(
        msgspec.convert({**STOCK, "class": "crypto_perp", "status": "inactive"}, wire.Asset)
    )
    assert (strange.market_type, strange.tradeable) == (MarketType.OTHER, False)
    assert len(ASSETS) == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"ppind": True}, [D("0.01"), D("0.05")]),
        ({"ppind": False}, [D("0.05"), D("0.10")]),
        ({"ppind": True, "underlying_symbol": "SPY"}, []),
    ],
)
def test_an_option_has_the_steps_of_its_program(
    changes: dict[str, Any], expected: list[Decimal]
) -> None:
    """Cents and fives, fives and tens, or cents at any price."""
    told = decode(json.dumps({**CONTRACT, **changes}).encode(), wire.Contract)
    product = mapping.product_from_contract(told)
    assert [band.price_increment for band in product.price_bands] == expected
    assert product.price_increment == D("0.01")


def test_an_account_of_nothing_has_no_utilization() -> None:
    """A share of nothing is none."""
    told = decode(json.dumps({**ACCOUNT, "equity": "0"}).encode(), wire.Account)
    assert mapping.summary_from_native(told).utilization is None
    bare = decode(b'{"id": "a"}', wire.Account)
    assert mapping.margin_from_native(bare).excess is None


def test_a_position_without_a_side_has_that_of_its_quantity() -> None:
    """Below zero it is short."""
    native = decode(json.dumps({**POSITION, "side": "", "qty": "-2"}).encode(), wire.Position)
    position = mapping.position_from_native(native, "a")
    assert position is not None
    assert (position.side.name, position.quantity) == ("SHORT", D(2))


@pytest.mark.parametrize(
    ("interval", "word"),
    [
        (timedelta(minutes=1), "1Min"),
        (timedelta(minutes=59), "59Min"),
        (timedelta(hours=1), "1Hour"),
        (timedelta(hours=23), "23Hour"),
        (timedelta(days=1), "1Day"),
        (timedelta(weeks=1), "1Week"),
        (timedelta(minutes=61), None),
        (timedelta(days=2), None),
        (timedelta(seconds=30), None),
    ],
)
def test_the_intervals_are_those_that_alpaca_has(interval: timedelta, word: str | None) -> None:
    """Others are none."""
    assert market_mapping.timeframe_of(interval) == word


@given(price=positive_decimals(), size=positive_decimals())
def test_json_numbers_keep_their_digits(price: Decimal, size: Decimal) -> None:
    """Market data is told as numbers, not as texts."""
    raw = f'{{"t": "2026-03-04T15:00:00Z", "bp": {price:f}, "bs": {size:f}, "ap": 0, "as": 0}}'
    quote = market_mapping.best_from_native(
        decode(raw.encode(), market_wire.Quote), "ACME", is_delayed=False
    )
    assert quote.bid is not None
    assert quote.bid.as_tuple() == price.as_tuple()
    assert quote.bid_size == size
    assert (quote.ask, quote.ask_size) == (None, None)


def test_an_infinite_price_is_no_price() -> None:
    """It is an error, and not missing."""
    raw = b'{"t": "2026-03-04T15:00:00Z", "bp": "Infinity"}'
    with pytest.raises(MalformedError):
        market_mapping.best_from_native(decode(raw, market_wire.Quote), "ACME", is_delayed=False)


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[]", b'{"id": 1}', b'{"id": "o", "status": "new", "qty": "1_0_x"}', b"\xff",
     b"[" * 2000],
)  # fmt: skip
def test_what_is_no_order_is_malformed(body: bytes) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(MalformedError):
        decode(body, order_wire.Order)


def test_an_empty_text_is_nothing() -> None:
    """Also where a number or a moment is expected, however deep."""
    native = read({**ORDER, "qty": "", "legs": [{**ORDER, "updated_at": ""}]})
    assert native.qty is None
    assert native.legs
    assert native.legs[0].updated_at is None


def test_a_moment_beyond_the_calendar_is_malformed() -> None:
    """No moment in UTC can hold it."""
    with pytest.raises(MalformedError):
        in_utc(datetime.fromisoformat("9999-12-31T23:59:59-23:59"))


def test_a_model_refuses_what_is_not_finite() -> None:
    """The decoder lets it pass."""
    with pytest.raises(InvalidFieldError):
        order_mapping.order_from_native(read({**ORDER, "qty": "Infinity"}), "a")
