"""One valid example of every model, for the tests that hold for all of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal as D
from typing import Any

from bot_v2.features.brokerages.core import interfaces as api

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)

REQUEST = api.OrderRequest(symbol="BTC-USD", side=api.OrderSide.BUY, quantity=D("0.5"))

ORDER_FIELDS: dict[str, Any] = {
    "order_id": "o-1",
    "symbol": "BTC-USD",
    "type": api.OrderType.LIMIT,
    "status": api.OrderStatus.OPEN,
    "filled_quantity": D(0),
    "time_in_force": api.TimeInForce.GTC,
    "account_id": "a-1",
    "side": api.OrderSide.BUY,
    "quantity": D("2"),
    "price": D("100.50"),
    "timestamp": NOW,
    "metadata": {"native_type": "LMT", "leverage": D(2)},
}


def order(**changes: Any) -> api.Order:
    """Return a live limit order for 2 BTC, with changes."""
    return api.Order(**{**ORDER_FIELDS, **changes})


OPTION = api.Product(
    symbol="AAPL-20270115-152.5-C",
    market_type=api.MarketType.OPTION,
    quote_currency="USD",
    multiplier=D(100),
    expiry=date(2027, 1, 15),
    strike=D("152.5"),
    right=api.OptionRight.CALL,
    underlying="AAPL",
)
PRODUCT = api.Product(
    symbol="BTC-USD",
    market_type=api.MarketType.SPOT,
    base_currency="BTC",
    quote_currency="USD",
    min_order_size=D("0.001"),
    max_order_size=D("50"),
    min_notional=D("10"),
    price_increment=D("0.01"),
    size_increment=D("0.0001"),
)
FILL = api.Fill(
    trade_id="t-1",
    order_id="o-1",
    symbol="BTC-USD",
    side=api.OrderSide.BUY,
    quantity=D("0.1"),
    price=D("100.50"),
    timestamp=NOW,
    account_id="a-1",
    fee=D("-0.01"),
    fee_currency="USD",
    liquidity=api.Liquidity.MAKER,
)
QUOTE = api.Quote(symbol="BTC-USD", timestamp=NOW, bid=D("100"), ask=D("101"), bid_size=D(1))

EXAMPLES: tuple[Any, ...] = (
    REQUEST,
    order(),
    FILL,
    QUOTE,
    OPTION,
    PRODUCT,
    api.AccountRef(account_id="a-1", name="Main"),
    api.AccountSummary(account_id="a-1", currency="USD", equity=D("1000.10"), timestamp=NOW),
    api.Balance(asset="USD", total=D("-5"), available=D("-5"), hold=D(0)),
    api.BrokerHealth(connected=True, api_responsive=True, last_check_timestamp=1.5, latency_s=0.01),
    api.Candle(
        symbol="BTC-USD",
        open_time=NOW,
        interval=timedelta(minutes=1),
        open=D(10),
        high=D(12),
        low=D(9),
        close=D(11),
        volume=D("3.5"),
    ),
    api.Fee(currency="USD", amount=D("0.10")),
    api.FeeRates(maker=D("0.001"), taker=D("0.002")),
    api.IdempotencyProfile(
        scope=api.IdempotencyScope.FOREVER,
        on_duplicate=api.DuplicateBehaviour.REJECTS,
        max_length=36,
    ),
    api.Leg(symbol="AAPL", side=api.OrderSide.BUY, ratio=D(2)),
    api.Margin(currency="USD", initial_margin=D(10)),
    api.MarketStatus(symbol="AAPL", is_open=False, next_open=NOW),
    api.OptionContract(product=OPTION, bid=D("1.05"), delta=D("0.5")),
    api.OrderEvent(order=order(), fill=FILL),
    api.OrderHistory(
        retention=api.Retention.SESSION, session_zone="Asia/Kolkata", session_reset=time(6)
    ),
    api.OrderModification(price=D("101")),
    api.OrderPreview(order_request=REQUEST, native_request="{}", warnings=("wide market",)),
    api.OrderResult(success=True, client_order_id="c-1", order_id="o-1", order=order()),
    api.Orderbook(
        symbol="BTC-USD",
        bids=(api.PriceLevel(price=D(100), size=D(1)), api.PriceLevel(price=D(99), size=D(2))),
        asks=(api.PriceLevel(price=D(101), size=D(1)),),
        timestamp=NOW,
        sequence=7,
    ),
    api.Position(
        symbol="BTC-USD", quantity=D("0.5"), side=api.PositionSide.SHORT, account_id="a-1"
    ),
    api.PriceBand(lower_price=D(1), price_increment=D("0.01")),
    api.PriceLevel(price=D("-3.5"), size=D(1)),
    api.QuoteEvent(quote=QUOTE),
    api.StopLoss(stop_price=D(90), price=D(89)),
    api.StreamGap(timestamp=NOW, reason="the queue overflowed", missed=3),
    api.TakeProfit(price=D(120)),
    api.Trade(symbol="BTC-USD", price=D(100), size=D("0.1"), timestamp=NOW),
    api.PairSymbol(base="BTC", quote="USD"),
    api.PerpetualSymbol(base="BTC", quote="USDC"),
    api.EquitySymbol(ticker="RELIANCE", exchange="NSE"),
    api.FutureSymbol(root="CL", expiry=date(2027, 3, 19)),
    api.OptionSymbol(
        root="AAPL", expiry=date(2027, 1, 15), strike=D("152.5"), right=api.OptionRight.PUT
    ),
    api.NativeSymbol(native="XBT/USD"),
)
