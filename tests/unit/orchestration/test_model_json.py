"""Models to and from JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core import errors, interfaces
from bot_v2.features.brokerages.core.interfaces import (
    AccountRef,
    AccountSummary,
    Balance,
    BrokerageError,
    BrokerHealth,
    Candle,
    Fee,
    FeeRates,
    Fill,
    InsufficientFundsError,
    InvalidFieldError,
    Leg,
    Liquidity,
    LoginRequiredError,
    Margin,
    MarketStatus,
    MarketType,
    OptionContract,
    OptionRight,
    Order,
    Orderbook,
    OrderEvent,
    OrderModification,
    OrderOutcomeUnknownError,
    OrderPreview,
    OrderRequest,
    OrderResult,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    Position,
    PositionEffect,
    PositionSide,
    PriceBand,
    PriceLevel,
    Product,
    Quote,
    QuoteEvent,
    StopLoss,
    StreamGap,
    TakeProfit,
    TimeInForce,
    Trade,
)
from bot_v2.orchestration.model_json import from_json, from_plain, to_json, to_plain

texts = st.text(min_size=1, max_size=12)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(
    lambda value: abs(value.adjusted()) < 60
)
positive = decimals.map(abs).filter(bool)
not_negative = decimals.map(abs)
moments = st.datetimes(timezones=st.just(UTC))
spans = st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=9999))
metadata = st.dictionaries(
    texts, st.one_of(texts, st.integers(), st.booleans(), decimals, moments, st.none()), max_size=3
)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The values, or None."""
    return st.none() | values


def build(model: Any, **fields: Any) -> st.SearchStrategy[Any]:
    """Instances of a model, each field drawn from its strategy."""
    return st.builds(model, **fields)


levels = st.lists(st.builds(PriceLevel, decimals, positive), max_size=4)
sides, statuses = st.sampled_from(OrderSide), st.sampled_from(OrderStatus)
legs = st.lists(build(Leg, symbol=texts, side=sides, ratio=positive), max_size=2).map(tuple)

requests = st.one_of(
    build(
        OrderRequest,
        symbol=texts,
        side=sides,
        quantity=positive,
        client_order_id=maybe(texts),
        time_in_force=maybe(st.sampled_from([TimeInForce.DAY, TimeInForce.GTC])),
        position_effect=maybe(st.sampled_from(PositionEffect)),
        reduce_only=st.booleans(),
        legs=legs,
        account_id=maybe(texts),
        broker_options=metadata,
    ),
    build(
        OrderRequest,
        symbol=texts,
        side=st.just(OrderSide.BUY),
        notional=positive,
        type=st.just(OrderType.LIMIT),
        price=st.just(Decimal("10.50")),
        time_in_force=st.just(TimeInForce.GTD),
        expires_at=moments,
        take_profit=st.just(TakeProfit(price=Decimal(11))),
        stop_loss=st.just(StopLoss(stop_price=Decimal(9), price=Decimal("8.90"))),
        post_only=st.booleans(),
    ),
)

orders = build(
    Order,
    order_id=texts,
    symbol=texts,
    type=st.sampled_from(OrderType),
    status=statuses.filter(lambda status: status is not OrderStatus.FILLED),
    filled_quantity=st.just(Decimal(0)),
    time_in_force=st.sampled_from(TimeInForce),
    account_id=texts,
    client_order_id=maybe(texts),
    side=maybe(sides),
    quantity=maybe(positive),
    price=maybe(decimals),
    fees=maybe(st.lists(build(Fee, currency=texts, amount=decimals), max_size=2).map(tuple)),
    timestamp=maybe(moments),
    legs=legs,
    metadata=metadata,
)

context = {
    "broker": maybe(texts),
    "operation": maybe(texts),
    "symbol": maybe(texts),
    "code": maybe(texts),
    "http_status": maybe(st.integers(100, 599)),
    "retry_after_s": maybe(st.floats(0, 1e6)),
}
settled = st.sampled_from([None, Outcome.NOT_SENT, Outcome.REJECTED])
ERROR_KINDS = sorted(
    {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, BrokerageError)
    },
    key=lambda kind: kind.__name__,
)
SPECIAL: dict[type[BrokerageError], st.SearchStrategy[Any]] = {
    OrderOutcomeUnknownError: build(
        OrderOutcomeUnknownError, message=st.text(), client_order_id=texts, **context
    ),
    InvalidFieldError: build(
        InvalidFieldError, field=texts, value=texts, accepted=texts, outcome=settled
    ),
    InsufficientFundsError: build(
        InsufficientFundsError,
        message=st.text(),
        required=maybe(decimals),
        available=maybe(decimals),
        outcome=settled,
    ),
    LoginRequiredError: build(
        LoginRequiredError,
        message=st.text(),
        login_url=maybe(texts),
        fields=st.lists(texts, max_size=3).map(tuple),
    ),
    errors.InvalidSymbolError: build(
        errors.InvalidSymbolError, candidates=st.lists(texts, max_size=3).map(tuple)
    ),
    errors.BrokerAPIError: build(
        errors.BrokerAPIError, details=maybe(st.dictionaries(texts, texts, max_size=2))
    ),
}
failures = st.one_of(
    [
        SPECIAL.get(kind, build(kind, message=st.text(), outcome=settled, **context))
        for kind in ERROR_KINDS
    ]
)

fills = build(
    Fill,
    trade_id=texts,
    order_id=texts,
    symbol=texts,
    side=sides,
    quantity=positive,
    price=decimals,
    timestamp=moments,
    account_id=texts,
    fee=maybe(decimals),
    liquidity=maybe(st.sampled_from(Liquidity)),
    corrects=texts,
    busted=st.booleans(),
)
quotes = build(
    Quote,
    symbol=texts,
    timestamp=moments,
    bid=maybe(decimals),
    ask=maybe(decimals),
    bid_size=maybe(not_negative),
    delayed=st.booleans(),
)
options = build(
    Product,
    symbol=texts,
    market_type=st.just(MarketType.OPTION),
    quote_currency=texts,
    expiry=st.dates(),
    strike=decimals,
    right=st.sampled_from(OptionRight),
    price_bands=st.just(
        (
            PriceBand(lower_price=Decimal(0), price_increment=Decimal("0.01")),
            PriceBand(lower_price=Decimal(3), price_increment=Decimal("0.05")),
        )
    ),
    metadata=metadata,
)

MODELS: dict[Any, st.SearchStrategy[Any]] = {
    AccountRef: build(AccountRef, account_id=texts, name=maybe(texts)),
    AccountSummary: build(
        AccountSummary, account_id=texts, currency=texts, equity=maybe(decimals), timestamp=moments
    ),
    Balance: build(
        Balance, asset=texts, total=decimals, hold=maybe(decimals), wallet=st.text(max_size=3)
    ),
    BrokerHealth: build(
        BrokerHealth,
        connected=st.booleans(),
        api_responsive=st.booleans(),
        last_check_timestamp=st.floats(0, 1e12),
        error_message=maybe(texts),
        latency_s=maybe(st.floats(0, 1e3)),
    ),
    Candle: build(
        Candle,
        symbol=texts,
        open_time=moments,
        interval=spans,
        open=st.just(Decimal("1.0")),
        high=positive.map(lambda more: Decimal("1.0") + Decimal(int(more) + 1)),
        low=st.just(Decimal("-1")),
        close=st.just(Decimal("1.00")),
        volume=maybe(not_negative),
        complete=st.booleans(),
    ),
    Fee: build(Fee, currency=texts, amount=decimals),
    FeeRates: build(FeeRates, currency=maybe(texts), maker=maybe(decimals)),
    Fill: fills,
    Leg: build(Leg, symbol=texts, side=sides, ratio=positive),
    Margin: build(Margin, currency=texts, excess=maybe(decimals)),
    MarketStatus: build(
        MarketStatus, symbol=texts, is_open=st.booleans(), next_open=maybe(moments)
    ),
    OptionContract: build(OptionContract, product=options, delta=maybe(decimals)),
    Order: orders,
    OrderEvent: build(OrderEvent, order=orders, fill=maybe(fills)),
    OrderModification: build(OrderModification, quantity=positive, expires_at=maybe(moments)),
    OrderPreview: build(
        OrderPreview,
        order_request=requests,
        native_request=texts,
        warnings=st.lists(texts, max_size=2).map(tuple),
    ),
    OrderRequest: requests,
    OrderResult: st.one_of(
        build(
            OrderResult,
            success=st.just(True),
            client_order_id=texts,
            order_id=texts,
            order=maybe(orders),
        ),
        build(
            OrderResult,
            success=st.just(False),
            client_order_id=texts,
            error=failures,
            message=st.text(),
        ),
    ),
    Orderbook: build(
        Orderbook,
        symbol=texts,
        bids=levels.map(lambda side: tuple(sorted(side, key=lambda level: -level.price))),
        asks=levels.map(lambda side: tuple(sorted(side, key=lambda level: level.price))),
        timestamp=maybe(moments),
        sequence=maybe(st.integers()),
    ),
    Position: build(
        Position,
        symbol=texts,
        quantity=positive,
        side=st.sampled_from(PositionSide),
        account_id=texts,
        market_value=maybe(decimals),
        metadata=metadata,
    ),
    PriceBand: build(PriceBand, lower_price=decimals, price_increment=positive),
    PriceLevel: st.builds(PriceLevel, decimals, positive),
    Product: options,
    Quote: quotes,
    QuoteEvent: build(QuoteEvent, quote=quotes),
    StopLoss: build(StopLoss, stop_price=decimals, price=maybe(decimals)),
    StreamGap: build(StreamGap, timestamp=moments, reason=texts, missed=maybe(st.integers(0))),
    TakeProfit: build(TakeProfit, price=decimals),
    Trade: build(
        Trade, symbol=texts, price=decimals, size=positive, timestamp=moments, side=maybe(sides)
    ),
}

# What attrs classes the interface exports that are no models: declarations, and parsed symbols.
NO_MODELS = {
    "EquitySymbol",
    "FutureSymbol",
    "IdempotencyProfile",
    "NativeSymbol",
    "OptionSymbol",
    "OrderHistory",
    "PairSymbol",
    "PerpetualSymbol",
}


def facts(error: BrokerageError) -> tuple[object, ...]:
    """What makes two errors the same, which have no == of their own."""
    return type(error), error.args, vars(error)


def test_every_model_is_tried() -> None:
    """The round trip is tried with each model that the contract exports."""
    exported = {
        name
        for name in interfaces.__all__
        if isinstance(kind := getattr(interfaces, name), type) and attrs.has(kind)
    }
    assert exported - NO_MODELS == {model.__name__ for model in MODELS}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@given(data=st.data())
def test_a_model_is_the_same_after_a_round_trip(model: Any, data: st.DataObject) -> None:
    """What is read from a model's JSON equals the model, metadata and trailing zeros included."""
    written = data.draw(MODELS[model])
    text = to_json(written)
    read = from_json(text, model)
    assert to_json(read) == text
    if isinstance(written, OrderResult) and written.error is not None:
        assert read.error is not None
        assert facts(read.error) == facts(written.error)
        # Errors have no == of their own: with the same one, all else can be compared.
        written = attrs.evolve(written, error=read.error)
    assert read == written
    assert getattr(read, "metadata", None) == getattr(written, "metadata", None)


@given(failures)
def test_an_error_is_the_same_after_a_round_trip(error: BrokerageError) -> None:
    """An error keeps its class, message, outcome and every other fact."""
    read = from_json(to_json(error), BrokerageError)
    assert facts(read) == facts(error)
    assert str(read) == str(error)


def test_money_and_time_are_written_as_text() -> None:
    """Decimals keep their zeros and never get an exponent; times end in Z."""
    balance = Balance(asset="BTC", total=Decimal("1E-8"), hold=Decimal("0.10"))
    assert to_plain(balance)["total"] == "0.00000001"
    assert to_plain(balance)["hold"] == "0.10"
    moment = datetime(2026, 3, 2, 15, 30, tzinfo=timezone(timedelta(hours=1)))
    assert to_plain(moment) == "2026-03-02T14:30:00Z"
    assert to_plain(date(2026, 3, 2)) == "2026-03-02"
    assert to_plain(timedelta(seconds=60)) == "60"
    assert to_plain(timedelta(microseconds=1500)) == "0.0015"


def test_an_option_keeps_the_type_of_its_value() -> None:
    """A broker option that is a Decimal or a datetime is one again, and not its text."""
    options = {"limit": Decimal("1.50"), "until": datetime(2026, 1, 1, tzinfo=UTC), "on": True}
    request = OrderRequest(
        symbol="BTC-USD",
        side=OrderSide.BUY,
        quantity=Decimal(1),
        broker_options=options,
    )
    read = from_json(to_json(request), OrderRequest)
    assert {key: repr(value) for key, value in read.broker_options.items()} == {
        key: repr(value) for key, value in options.items()
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"price":"1","size":1.5}', "PriceLevel.size"),
        ('{"price":1,"size":"1"}', "PriceLevel.price"),
        ('{"price":"1","size":"one"}', "PriceLevel.size"),
        ('{"price":"1","size":"NaN"}', "PriceLevel.size"),
        ('{"price":"1","size":NaN}', "NaN is no number"),
        ('{"price":"1","size":null}', "PriceLevel.size"),
        ('{"price":"1"}', "size"),
        ('{"price":"1","size":"1","colour":"red"}', "colour"),
        ("[]", "PriceLevel"),
        ("null", "PriceLevel"),
        ("{", "JSON text"),
        ('{"price":"1","size":true}', "PriceLevel.size"),
    ],
)
def test_what_is_not_exact_or_not_whole_is_refused(text: str, named: str) -> None:
    """A number where a decimal's text belongs, a missing field or a strange one is refused."""
    with pytest.raises(InvalidFieldError, match=named):
        from_json(text, PriceLevel)


def test_a_number_is_no_text() -> None:
    """Nothing is converted on the way in: a number in a text field is refused."""
    with pytest.raises(InvalidFieldError, match=r"Balance\.asset is 1"):
        from_json('{"asset":1,"total":"1"}', Balance)


def test_an_enum_or_a_time_that_nobody_knows_is_refused_by_name() -> None:
    """The refusal of a value says which field it stood in."""
    plain = to_plain(StreamGap(timestamp=datetime(2026, 1, 1, tzinfo=UTC), reason="lost"))
    for value in ("yesterday", "2026-01-01T00:00:00", 3):
        with pytest.raises(InvalidFieldError, match=r"StreamGap\.timestamp"):
            from_plain({**plain, "timestamp": value}, StreamGap)
    leg = to_plain(Leg(symbol="A", side=OrderSide.BUY))
    with pytest.raises(InvalidFieldError, match=r"Leg\.side is 'hold'"):
        from_plain({**leg, "side": "hold"}, Leg)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"error": "NoSuchError"}, "NoSuchError"),
        ({"outcome": "unknown"}, "outcome"),
        ({"outcome": "perhaps"}, "outcome"),
        ({"required": 1.5}, "required"),
        ({"colour": "red"}, "colour"),
        ({"message": None}, "message"),
    ],
)
def test_an_error_that_makes_no_sense_is_refused(changes: dict[str, Any], named: str) -> None:
    """Reading an error checks its class, its outcome and the types of its facts."""
    plain = json.loads(to_json(InsufficientFundsError("too little", required=Decimal(5))))
    with pytest.raises(InvalidFieldError, match=named):
        from_plain({**plain, **changes}, BrokerageError)


def test_an_error_class_of_an_adapter_becomes_the_nearest_of_core() -> None:
    """What catches the error after a round trip is what the contract knows of it."""

    class KiteTokenError(errors.SessionExpiredError):
        """A subclass that core does not know."""

    read = from_json(to_json(KiteTokenError("gone", code="403")), BrokerageError)
    assert type(read) is errors.SessionExpiredError
    assert read.code == "403"


def test_a_refused_value_that_is_no_text_is_shown_as_one() -> None:
    """InvalidFieldError.value can be anything: it is written as what a person would see."""
    error = InvalidFieldError("OrderRequest.quantity", 0.1, "a Decimal")
    read = from_json(to_json(error), BrokerageError)
    assert isinstance(read, InvalidFieldError)
    assert read.value == "0.1"
    assert str(read) == str(error)
