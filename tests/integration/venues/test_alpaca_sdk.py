"""The official client, unpatched, on the simulated Alpaca: only its addresses are given."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.historical.option import OptionHistoricalDataClient
from alpaca.data.live import CryptoDataStream, StockDataStream
from alpaca.data.live.option import OptionDataStream
from alpaca.data.models import Bar, Orderbook, Quote, Trade
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoSnapshotRequest,
    OptionBarsRequest,
    OptionChainRequest,
    OptionLatestQuoteRequest,
    OptionLatestTradeRequest,
    OptionSnapshotRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import (
    AssetClass,
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    PositionIntent,
    QueryOrderStatus,
    TimeInForce,
)
from alpaca.trading.models import TradeUpdate
from alpaca.trading.requests import (
    ClosePositionRequest,
    CreateWatchlistRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOptionContractsRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OptionLegRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.stream import TradingStream

from bot_v2.simulation.faults import Fault
from bot_v2.venues.alpaca.venue import AlpacaVenue
from bot_v2.venues.certificates import ThrowawayTls

D = Decimal
TIMEOUT_S = 20.0


@pytest.fixture
def alpaca(tls: ThrowawayTls, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlpacaVenue]:
    """Alpaca on this machine; whoever verifies certificates trusts it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.certificate_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.certificate_file))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # Short pages, so that the client has to follow them.
    venue = AlpacaVenue(data_page_max=7)
    venue.start(tls=tls.context)
    yield venue
    venue.close()


def keys(venue: AlpacaVenue) -> dict[str, Any]:
    """Return what every client is given."""
    return {"api_key": venue.api_key.key, "secret_key": venue.api_key.secret}


@pytest.fixture(params=["plain", "tls"])
def trading(alpaca: AlpacaVenue, request: pytest.FixtureRequest) -> TradingClient:
    """The client of the Trading API, with and without TLS."""
    url = alpaca.url if request.param == "plain" else f"https://{alpaca.secure_authority}"
    return TradingClient(**keys(alpaca), url_override=url)


@pytest.fixture
def trader(alpaca: AlpacaVenue) -> TradingClient:
    """The client of the Trading API."""
    return TradingClient(**keys(alpaca), url_override=alpaca.url)


def limit(**changed: Any) -> LimitOrderRequest:
    """Return a placement that waits."""
    terms: dict[str, Any] = {
        "symbol": "AAPL",
        "qty": 10,
        "side": OrderSide.BUY,
        "time_in_force": TimeInForce.DAY,
        "limit_price": 150,
    }
    return LimitOrderRequest(**{**terms, **changed})


def test_the_official_client_trades(alpaca: AlpacaVenue, trading: TradingClient) -> None:
    """Account, assets, place, find, replace, cancel, positions and closes."""
    account: Any = trading.get_account()
    assert (account.currency, account.cash, account.status.value) == ("USD", "100000", "ACTIVE")
    placed: Any = trading.submit_order(limit(client_order_id="mine"))
    assert placed.status is OrderStatus.PENDING_NEW
    found: Any = trading.get_order_by_client_id("mine")
    assert found.id == placed.id
    alpaca.fill(str(placed.id), D(4), D(150))
    now: Any = trading.get_order_by_id(placed.id)
    assert (now.status, now.filled_qty) == (OrderStatus.PARTIALLY_FILLED, "4")
    replaced: Any = trading.replace_order_by_id(placed.id, ReplaceOrderRequest(limit_price=151))
    assert replaced.replaces == placed.id
    trading.cancel_order_by_id(replaced.id)
    listed: Any = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL))
    statuses = {one.id: one.status for one in listed}
    assert statuses == {placed.id: OrderStatus.REPLACED, replaced.id: OrderStatus.CANCELED}
    position: Any = trading.get_open_position("AAPL")
    assert (position.qty, position.side.value) == ("4", "long")
    trading.close_position("AAPL", ClosePositionRequest(qty="1"))
    held: Any = trading.get_all_positions()
    assert [one.qty for one in held] == ["3"]
    closed: Any = trading.close_all_positions(cancel_orders=True)
    assert [one.status for one in closed] == [200]
    assert trading.get_all_positions() == []


def test_the_official_client_places_every_kind(alpaca: AlpacaVenue, trader: TradingClient) -> None:
    """Each of its requests makes an order."""
    common: dict[str, Any] = {"symbol": "AAPL", "qty": 2, "side": OrderSide.BUY}
    day = {**common, "time_in_force": TimeInForce.DAY}
    gtc = {**common, "time_in_force": TimeInForce.GTC}
    exits = {
        "take_profit": TakeProfitRequest(limit_price=250),
        "stop_loss": StopLossRequest(stop_price=140, limit_price=139),
    }
    waiting = [
        limit(extended_hours=True),
        StopOrderRequest(**gtc, stop_price=250),
        StopLimitOrderRequest(**day, stop_price=250, limit_price=251),
        TrailingStopOrderRequest(**gtc, trail_percent=5),
        limit(order_class=OrderClass.BRACKET, **exits),
        limit(order_class=OrderClass.OTO, stop_loss=exits["stop_loss"]),
    ]
    done = [
        MarketOrderRequest(**{**day, "qty": None, "notional": 500}),
        MarketOrderRequest(**{**day, "qty": 0.5}),
        MarketOrderRequest(**{**day, "time_in_force": TimeInForce.IOC}),
        limit(limit_price=201, time_in_force=TimeInForce.FOK),
        MarketOrderRequest(
            symbol="BTC/USD", qty=0.01, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
        ),
    ]
    for requests, status in ((waiting, OrderStatus.NEW), (done, OrderStatus.FILLED)):
        for request in requests:
            placed: Any = trader.submit_order(request)
            now: Any = trader.get_order_by_id(placed.id)
            assert now.status is status, request
    cancelled: Any = trader.cancel_orders()
    assert {one.status for one in cancelled} == {200}
    pair = limit(
        side=OrderSide.SELL,
        qty=5,
        limit_price=None,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OCO,
        take_profit=TakeProfitRequest(limit_price=260),
        stop_loss=StopLossRequest(stop_price=140),
    )
    placed = trader.submit_order(pair)
    assert [one.type for one in placed.legs] == [OrderType.STOP]
    # The pair is two orders.
    assert len(alpaca.orders_received()) == len(waiting) + len(done) + 2


def test_the_official_client_trades_options(trader: TradingClient) -> None:
    """Contracts, one leg and several."""
    wanted = GetOptionContractsRequest(
        underlying_symbols=["AAPL"], expiration_date_lte="2099-01-01", limit=4
    )
    page: Any = trader.get_option_contracts(wanted)
    assert page.next_page_token
    names = [one.symbol for one in page.option_contracts]
    one: Any = trader.get_option_contract(names[0])
    assert one.symbol == names[0]
    bought: Any = trader.submit_order(
        MarketOrderRequest(
            symbol=names[0], qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY
        )
    )
    held: Any = trader.get_order_by_id(bought.id)
    assert held.position_intent is PositionIntent.BUY_TO_OPEN
    legs = [
        OptionLegRequest(symbol=names[2], ratio_qty=1, position_intent=PositionIntent.BUY_TO_OPEN),
        OptionLegRequest(symbol=names[3], ratio_qty=1, position_intent=PositionIntent.SELL_TO_OPEN),
    ]
    spread: Any = trader.submit_order(
        MarketOrderRequest(
            qty=1, order_class=OrderClass.MLEG, time_in_force=TimeInForce.DAY, legs=legs
        )
    )
    now: Any = trader.get_order_by_id(spread.id)
    assert (now.status, now.symbol) == (OrderStatus.FILLED, None)
    assert [one.status for one in now.legs] == [OrderStatus.FILLED] * 2


def test_the_official_client_reads_the_rest(trader: TradingClient) -> None:
    """Clock, calendar, assets, configurations, history, watchlists."""
    clock: Any = trader.get_clock()
    assert clock.is_open
    calendar: Any = trader.get_calendar(
        GetCalendarRequest(start=date(2026, 11, 23), end=date(2026, 11, 27))
    )
    assert [one.close.hour for one in calendar] == [16, 16, 16, 13]
    coins: Any = trader.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    assert {one.asset_class for one in coins} == {AssetClass.CRYPTO}
    settings: Any = trader.get_account_configurations()
    settings.no_shorting = True
    changed: Any = trader.set_account_configurations(settings)
    assert changed.no_shorting is True
    history: Any = trader.get_portfolio_history(
        GetPortfolioHistoryRequest(period="1D", timeframe="15Min")
    )
    assert history.base_value == 100_000
    made: Any = trader.create_watchlist(CreateWatchlistRequest(name="mine", symbols=["AAPL"]))
    listed: Any = trader.get_watchlists()
    assert [one.name for one in listed] == ["mine"]
    trader.remove_asset_from_watchlist_by_id(made.id, "AAPL")
    trader.delete_watchlist_by_id(made.id)


def test_a_refusal_is_what_the_official_client_expects(
    alpaca: AlpacaVenue, trader: TradingClient
) -> None:
    """Its error has the status, the code and the message."""
    with pytest.raises(APIError) as refused:
        trader.submit_order(limit(qty=100_000))
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)
    assert refused.value.message == "insufficient buying power"
    with pytest.raises(APIError) as gone:
        trader.get_open_position("F")
    assert (gone.value.status_code, gone.value.code) == (404, 40410000)
    foreign = alpaca.foreign_api_key
    stranger = TradingClient(foreign.key, foreign.secret, url_override=alpaca.url)
    with pytest.raises(APIError) as unknown:
        stranger.get_account()
    assert unknown.value.status_code == 401


def test_the_official_client_repeats_what_a_gateway_gave_up_on(
    alpaca: AlpacaVenue, trader: TradingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As shipped it posts the order again; without an id of the caller's there are two orders."""
    monkeypatch.setattr(trader, "_retry_wait", 0)
    alpaca.inject(Fault.SERVER_ERROR, "place_order")
    trader.submit_order(limit())
    assert len(alpaca.orders_received()) == 2
    alpaca.inject(Fault.SERVER_ERROR, "place_order")
    with pytest.raises(APIError, match="client_order_id must be unique"):
        trader.submit_order(limit(client_order_id="once"))
    assert len(alpaca.orders_received()) == 3


def test_the_official_clients_of_prices(alpaca: AlpacaVenue) -> None:
    """Stocks, coins and options; what has several pages is read to the end."""
    now = datetime.now(UTC)
    month = now - timedelta(days=30)
    stocks = StockHistoricalDataClient(**keys(alpaca), url_override=alpaca.url)
    bars: Any = stocks.get_stock_bars(
        StockBarsRequest(symbol_or_symbols=["AAPL", "SPY"], timeframe=TimeFrame.Day, start=month)
    )
    assert len(bars["AAPL"]) == len(bars["SPY"]) > 14
    quarter = TimeFrame(15, TimeFrameUnit.Minute)
    week: Any = stocks.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="AAPL", timeframe=quarter, start=month, limit=20)
    )
    assert len(week["AAPL"]) == 20
    past = now - timedelta(hours=1)
    trades: Any = stocks.get_stock_trades(StockTradesRequest(symbol_or_symbols="AAPL", start=past))
    assert len({one.id for one in trades["AAPL"]}) == len(trades["AAPL"]) == 40
    quotes: Any = stocks.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="AAPL", start=past))
    assert len(quotes["AAPL"]) == 40
    alpaca.set_market("AAPL", D("190.1"), D("190.2"), D(300))
    quote: Any = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))
    assert (quote["AAPL"].bid_price, quote["AAPL"].ask_price) == (190.1, 190.2)
    trade: Any = stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))
    assert trade["AAPL"].price == 190.1
    bar: Any = stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="AAPL"))
    assert bar["AAPL"].close > 0
    snapshot: Any = stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAPL"))
    assert snapshot["AAPL"].latest_quote.bid_price == 190.1

    coins = CryptoHistoricalDataClient(url_override=alpaca.url)
    hours: Any = coins.get_crypto_bars(
        CryptoBarsRequest(
            symbol_or_symbols="BTC/USD",
            timeframe=TimeFrame.Hour,
            start=now - timedelta(days=2),
        )
    )
    assert len(hours["BTC/USD"]) in (48, 49)
    book: Any = coins.get_crypto_latest_orderbook(
        CryptoLatestOrderbookRequest(symbol_or_symbols="BTC/USD")
    )
    assert book["BTC/USD"].bids[0].price < book["BTC/USD"].asks[0].price
    both = ["BTC/USD", "ETH/USD"]
    latest: list[Any] = [
        coins.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=both)),
        coins.get_crypto_latest_trade(CryptoLatestTradeRequest(symbol_or_symbols=both)),
        coins.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=both)),
    ]
    assert [sorted(one) for one in latest] == [both] * 3


def test_the_official_client_of_option_prices(alpaca: AlpacaVenue) -> None:
    """Chains, snapshots with greeks, quotes, trades and bars."""
    options = OptionHistoricalDataClient(**keys(alpaca), url_override=alpaca.url)
    chain: Any = options.get_option_chain(OptionChainRequest(underlying_symbol="AAPL"))
    assert len(chain) == 30
    name = next(iter(chain))
    assert 0 < chain[name].greeks.delta < 1
    snapshot: Any = options.get_option_snapshot(OptionSnapshotRequest(symbol_or_symbols=name))
    assert snapshot[name].latest_quote.bid_price > 0
    quote: Any = options.get_option_latest_quote(OptionLatestQuoteRequest(symbol_or_symbols=name))
    trade: Any = options.get_option_latest_trade(OptionLatestTradeRequest(symbol_or_symbols=name))
    assert quote[name].bid_price < quote[name].ask_price
    assert trade[name].price > 0
    start = datetime.now(UTC) - timedelta(days=10)
    bars: Any = options.get_option_bars(
        OptionBarsRequest(symbol_or_symbols=name, timeframe=TimeFrame.Day, start=start)
    )
    assert len(bars[name]) >= 5
    assert options.get_option_exchange_codes()


# Streams


class Heard:
    """What streams said."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self._changed = threading.Condition()

    async def note(self, message: Any) -> None:
        """Note a message."""
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def wait_for(self, fits: Callable[[Any], bool]) -> Any:
        """Return the first message that fits."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: [one for one in self.messages if fits(one)], TIMEOUT_S
            )
        assert found, self.messages[-3:]
        return found[0]


@pytest.fixture
def listening(alpaca: AlpacaVenue) -> Iterator[Callable[[Any, Callable[[], bool]], None]]:
    """Runs streams, each in a thread of its own, until the test is over."""
    running: list[tuple[Any, threading.Thread]] = []

    def run(stream: Any, is_ready: Callable[[], bool]) -> None:
        thread = threading.Thread(target=stream.run, daemon=True)
        thread.start()
        running.append((stream, thread))
        deadline = time.monotonic() + TIMEOUT_S
        while not is_ready():
            assert time.monotonic() < deadline, "the stream does not listen"
            time.sleep(0.01)

    yield run
    for stream, _ in running:
        stream.stop()
    # A client looks only every few seconds whether it is to stop, unless the connection ends.
    alpaca.close()
    for _, thread in running:
        thread.join(TIMEOUT_S)


def test_the_official_stream_of_orders(
    alpaca: AlpacaVenue,
    trader: TradingClient,
    listening: Callable[[Any, Callable[[], bool]], None],
) -> None:
    """Each step of an order's life, over TLS, in the binary frames of the paper stream."""
    heard = Heard()
    url = f"wss://{alpaca.secure_authority}/stream"
    stream = TradingStream(**keys(alpaca), url_override=url)
    stream.subscribe_trade_updates(heard.note)
    listening(stream, lambda: alpaca.requests_received("stream_orders") > 0)
    placed: Any = trader.submit_order(limit())
    alpaca.fill(str(placed.id), D(4), D(150))
    replaced: Any = trader.replace_order_by_id(placed.id, ReplaceOrderRequest(limit_price=151))
    alpaca.fill(str(replaced.id), D(10), D(151))
    heard.wait_for(lambda one: one.event == "fill")
    told = [
        (one.event, one.order.id, one.order.filled_qty, one.position_qty)
        for one in heard.messages
        if isinstance(one, TradeUpdate)
    ]
    assert told == [
        ("pending_new", placed.id, "0", None),
        ("new", placed.id, "0", None),
        ("partial_fill", placed.id, "4", 4),
        ("replaced", placed.id, "4", None),
        ("new", replaced.id, "0", None),
        ("fill", replaced.id, "10", 14),
    ]
    executions = [one.execution_id for one in heard.messages]
    assert len(set(executions)) == len(executions)


def test_the_official_streams_of_prices(
    alpaca: AlpacaVenue, listening: Callable[[Any, Callable[[], bool]], None]
) -> None:
    """Quotes, trades, bars, halts and books, in MessagePack, on one connection for each feed."""
    heard = Heard()
    subscribed = alpaca.requests_received
    stocks = StockDataStream(**keys(alpaca), url_override=f"{alpaca.stream_url}/v2/iex")
    stocks.subscribe_quotes(heard.note, "AAPL")
    stocks.subscribe_trades(heard.note, "*")
    stocks.subscribe_bars(heard.note, "AAPL")
    stocks.subscribe_daily_bars(heard.note, "AAPL")
    stocks.subscribe_trading_statuses(heard.note, "AAPL")
    listening(stocks, lambda: subscribed("stream_quotes") == 1)
    coins = CryptoDataStream(**keys(alpaca), url_override=f"{alpaca.stream_url}/v1beta3/crypto/us")
    coins.subscribe_orderbooks(heard.note, "BTC/USD")
    listening(coins, lambda: subscribed("stream_quotes") == 2)
    options = OptionDataStream(
        **keys(alpaca), url_override=f"{alpaca.stream_url}/v1beta1/indicative"
    )
    chain = OptionHistoricalDataClient(**keys(alpaca), url_override=alpaca.url)
    name = next(iter(chain.get_option_chain(OptionChainRequest(underlying_symbol="AAPL"))))
    options.subscribe_quotes(heard.note, name)
    listening(options, lambda: subscribed("stream_quotes") == 3)

    heard.wait_for(lambda one: isinstance(one, Orderbook) and one.symbol == "BTC/USD")
    alpaca.set_market("AAPL", D("190.1"), D("190.2"), D(300))
    quote = heard.wait_for(lambda one: isinstance(one, Quote) and one.symbol == "AAPL")
    assert (quote.bid_price, quote.ask_size) == (190.1, 300)
    trade = heard.wait_for(lambda one: isinstance(one, Trade))
    assert (trade.symbol, trade.price) == ("AAPL", 190.1)
    alpaca.set_market("BTC/USD", D(60100), D(60110), D(3))
    heard.wait_for(lambda one: isinstance(one, Orderbook) and one.bids[0].price == 60100)
    alpaca.set_market(name, D("20.1"), D("20.2"), D(3))
    heard.wait_for(lambda one: isinstance(one, Quote) and one.symbol == name)
    alpaca.halt("AAPL")
    heard.wait_for(lambda one: getattr(one, "status_code", "") == "H")
    alpaca.resume("AAPL")
    alpaca.advance(61)
    bar = heard.wait_for(lambda one: isinstance(one, Bar))
    assert (bar.symbol, bar.close) == ("AAPL", 190.1)
