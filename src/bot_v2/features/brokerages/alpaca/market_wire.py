"""What the market data API sends: the fields that are needed, under the broker's short names."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from bot_v2.features.brokerages.alpaca.decoding import Moment, Wire


class Quote(Wire):
    """The best prices. 0 stands for none."""

    t: Moment
    bp: Decimal | None = None
    bs: Decimal | None = None
    ap: Decimal | None = None
    as_: Decimal | None = msgspec.field(default=None, name="as")


class Trade(Wire):
    """A trade of the market."""

    t: Moment
    p: Decimal
    s: Decimal | None = None
    i: int | str | None = None
    tks: str = ""
    u: str | None = None


class Bar(Wire):
    """A candle."""

    t: Moment
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the broker's name
    c: Decimal
    v: Decimal | None = None


class Greeks(Wire):
    """How an option's price moves."""

    delta: Decimal | None = None
    gamma: Decimal | None = None
    theta: Decimal | None = None
    vega: Decimal | None = None


class Snapshot(Wire):
    """The latest of a product."""

    latest_trade: Trade | None = msgspec.field(default=None, name="latestTrade")
    latest_quote: Quote | None = msgspec.field(default=None, name="latestQuote")
    implied_volatility: Decimal | None = msgspec.field(default=None, name="impliedVolatility")
    greeks: Greeks | None = None


class SnapshotsPage(Wire):
    """The latest of several products: crypto and options."""

    snapshots: dict[str, Snapshot | None] | None = None
    next_page_token: str | None = None


class TradesPage(Wire):
    """A page of trades, by product."""

    trades: dict[str, list[Trade] | None] | None = None
    next_page_token: str | None = None


class BarsPage(Wire):
    """A page of candles, by product."""

    bars: dict[str, list[Bar] | None] | None = None
    next_page_token: str | None = None


class Level(Wire):
    """A price of a book."""

    p: Decimal
    s: Decimal


class Book(Wire):
    """A book of crypto."""

    t: Moment
    b: list[Level] | None = None
    a: list[Level] | None = None


class BooksPage(Wire):
    """Books of crypto, by product."""

    orderbooks: dict[str, Book | None] | None = None
