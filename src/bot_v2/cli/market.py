"""The commands that show the market: quote, candles with a chart, option chains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Final

import typer

from bot_v2.cli import options as given
from bot_v2.cli.desk_status import age
from bot_v2.cli.output import Column, Output, as_text, waiting
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, connected
from bot_v2.features.brokerages.core.capabilities import (
    SupportsCandles,
    SupportsOptionChains,
    SupportsQuotes,
    supports,
)
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    MissingDependencyError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.market_data import Candle, Quote
from bot_v2.simulation.clock import utc_now

UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
"""The units of an interval."""

CHART_SIZE: Final = (100, 24)
"""Columns and lines of a chart where the output is no terminal."""

CHARTED_MIN: Final = 2
"""Fewer candles than these make no chart."""

CANDLES: Final[tuple[Column, ...]] = (
    ("opens", lambda candle: candle.open_time),
    ("open", lambda candle: candle.open),
    ("high", lambda candle: candle.high),
    ("low", lambda candle: candle.low),
    ("close", lambda candle: candle.close),
    ("volume", lambda candle: candle.volume),
    ("complete", lambda candle: None if candle.complete else False),
)
CONTRACTS: Final[tuple[Column, ...]] = (
    ("contract", lambda one: one.product.symbol),
    ("expiry", lambda one: one.product.expiry),
    ("strike", lambda one: one.product.strike),
    ("right", lambda one: one.product.right),
    ("bid", lambda one: one.bid),
    ("ask", lambda one: one.ask),
    ("last", lambda one: one.last),
    ("open interest", lambda one: one.open_interest),
    ("volatility", lambda one: one.implied_volatility),
    ("delta", lambda one: one.delta),
)


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("quote")(quote)
    app.command("candles")(candles)
    app.command("option-chain")(option_chain)


def quote(
    symbol: given.Symbol,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Show the best bid and ask and the latest trade, and how old they are."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output, connected(target) as brokerage:
        if not supports(brokerage, SupportsQuotes):
            raise _unsupported(brokerage, "get_quote", "quotes")
        found = brokerage.get_quote(symbol)
        output.show(found, lambda: _show_quote(output, found))


def _show_quote(output: Output, found: Quote) -> None:
    spread = None
    if found.bid is not None and found.ask is not None:
        spread = EXACT.subtract(found.ask, found.bid)
    output.facts(
        found.symbol,
        [
            ("bid", found.bid),
            ("bid size", found.bid_size),
            ("ask", found.ask),
            ("ask size", found.ask_size),
            ("spread", spread),
            ("last", found.last),
            ("as of", found.timestamp),
            ("age", age(found.timestamp, utc_now())),
            ("delayed", True if found.delayed else None),
        ],
    )


def candles(
    symbol: given.Symbol,
    interval: Annotated[
        str,
        typer.Option("--interval", metavar="SPAN", help="How long one is: 1m, 15m, 1h, 1d."),
    ] = "1m",
    count: Annotated[
        str, typer.Option("--count", metavar="N", help="How many, up to now or --end.")
    ] = "60",
    end: Annotated[
        str | None,
        typer.Option("--end", metavar="TIME", help="Until when; ISO 8601, zoned. Default: now."),
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="Numbers instead of a chart.")] = False,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Draw candles in the terminal; with --table or --json, every number of them."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output:
        from bot_v2.cli.values import moment_of

        span, number = interval_of(interval), _count_of(count)
        until = moment_of("--end", end) or utc_now()
        with connected(target) as brokerage, waiting("asking", is_silent=as_json):
            if not supports(brokerage, SupportsCandles):
                raise _unsupported(brokerage, "list_candles", "candles")
            found = brokerage.list_candles(symbol, span, until - span * number, until)
        output.show(found, lambda: _show_candles(output, symbol, found, is_table=table))


def interval_of(text: str) -> timedelta:
    """Return the span that a text such as 15m names.

    Raises:
        InvalidFieldError: it names none.
    """
    parts = re.fullmatch(r"([0-9]{1,5})([smhd])", text.strip().lower(), re.ASCII)
    if parts is None or not int(parts[1]):
        raise InvalidFieldError("--interval", text, "a number and s, m, h or d, such as 15m")
    return timedelta(**{UNITS[parts[2]]: int(parts[1])})


def _count_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000):
        raise InvalidFieldError("--count", text, "a whole number, 1 to 10000")
    return int(text)


def _show_candles(output: Output, symbol: str, found: Sequence[Candle], *, is_table: bool) -> None:
    if is_table or len(found) < CHARTED_MIN:
        output.table("candles", CANDLES, found)
        return
    output.line(chart(symbol, found))
    last = found[-1]
    output.line(f"latest: {as_text(last.close)}, opened {as_text(last.open_time)}")


def chart(symbol: str, found: Sequence[Candle]) -> str:
    """Return candles as a chart of characters; colours only where somebody looks on.

    Raises:
        MissingDependencyError: plotext is not installed.
    """
    import shutil
    import sys

    try:
        import plotext
    except ImportError as error:
        raise MissingDependencyError(
            "to draw candles: pip install 'bot-v2[cli]'; --table shows numbers", extra="cli"
        ) from error
    times = [f"{one.open_time:%Y-%m-%d %H:%M:%S}" for one in found]
    # What is drawn is as exact as a character is high; every number is in --table.
    prices = {
        name.capitalize(): [float(getattr(one, name)) for one in found]
        for name in ("open", "close", "high", "low")
    }
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.date_form("Y-m-d H:M:S")
    size = shutil.get_terminal_size(CHART_SIZE) if sys.stdout.isatty() else CHART_SIZE
    plotext.limitsize(False)
    plotext.plotsize(size[0], min(size[1], CHART_SIZE[1]))
    plotext.title(f"{symbol}, {len(found)} x {found[0].interval}, UTC")
    plotext.candlestick(times, prices)
    drawn: str = plotext.build()
    return drawn if sys.stdout.isatty() else str(plotext.uncolorize(drawn))


def option_chain(
    underlying: Annotated[
        str, typer.Argument(metavar="UNDERLYING", help="What the options are on, such as AAPL.")
    ],
    expiry: Annotated[
        str | None,
        typer.Option("--expiry", metavar="DATE", help="Only these, such as 2027-01-15."),
    ] = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """List the options on an underlying."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output:
        day = _date_of(expiry)
        with connected(target) as brokerage, waiting("asking", is_silent=as_json):
            if not supports(brokerage, SupportsOptionChains):
                raise _unsupported(brokerage, "list_option_contracts", "option chains")
            found = brokerage.list_option_contracts(underlying, day)
        output.show(found, lambda: output.table("options", CONTRACTS, found))


def _date_of(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError as error:
        raise InvalidFieldError("--expiry", text, "a date, such as 2027-01-15") from error


def _unsupported(broker: object, operation: str, what: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(
        f"{name_of(broker)} tells no {what}", broker=name_of(broker), operation=operation
    )
