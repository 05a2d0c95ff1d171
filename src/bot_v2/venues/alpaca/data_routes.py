"""The addresses of the market data API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from bot_v2.venues.alpaca.data_api import DataApi
from bot_v2.venues.alpaca.data_records import DataWriter
from bot_v2.venues.alpaca.dialect import AlpacaDialect
from bot_v2.venues.alpaca.listings import AssetClass
from bot_v2.venues.requests import ApiRequest, Endpoint

_Answer = Callable[[ApiRequest], object]
_Row = tuple[str, str, _Answer]

CRYPTO: Final = "/v1beta3/crypto"


def data_endpoints(api: DataApi, writer: DataWriter, dialect: AlpacaDialect) -> list[Endpoint]:
    """Return what can be asked; the first that fits decides."""
    rows = (*_stocks(api, writer), *_crypto(api, writer), *_options(api, writer))
    return [
        Endpoint(
            "GET",
            path,
            tuple(names.split()),
            dialect.serving(answer),
            dialect,
            # Prices of coins are for everybody.
            is_public=path.startswith(CRYPTO),
        )
        for path, names, answer in rows
    ]


def _stocks(api: DataApi, writer: DataWriter) -> Iterator[_Row]:
    kind, base = AssetClass.US_EQUITY, "/v2/stocks"
    yield f"{base}/meta/exchanges", "list_exchanges", api.exchanges
    yield f"{base}/meta/conditions/{{kind}}", "list_conditions", api.conditions
    yield f"{base}/snapshots", "get_quote get_price", api.stock_snapshots
    yield f"{base}/{{symbol}}/snapshot", "get_quote get_price", api.stock_snapshots
    latest: tuple[_Row, ...] = (
        ("bars", "list_candles", api.latest(kind, "bars", writer.latest_bar)),
        (
            "quotes",
            "get_quote get_price get_orderbook",
            api.latest(kind, "quotes", writer.latest_quote),
        ),
        ("trades", "get_price get_quote", api.latest(kind, "trades", writer.latest_trade)),
    )
    for what, names, answer in latest:
        yield f"{base}/{what}/latest", names, answer
        yield f"{base}/{{symbol}}/{what}/latest", names, answer
    for what, names, answer in _past(api, kind):
        yield f"{base}/{what}", names, answer
        yield f"{base}/{{symbol}}/{what}", names, answer


def _crypto(api: DataApi, writer: DataWriter) -> Iterator[_Row]:
    kind, base = AssetClass.CRYPTO, f"{CRYPTO}/{{loc}}"
    yield f"{base}/latest/bars", "list_candles", api.latest(kind, "bars", writer.latest_bar)
    yield (
        f"{base}/latest/quotes",
        "get_quote get_price get_orderbook",
        api.latest(kind, "quotes", writer.latest_quote),
    )
    yield (
        f"{base}/latest/trades",
        "get_price get_quote",
        api.latest(kind, "trades", writer.latest_trade),
    )
    yield (
        f"{base}/latest/orderbooks",
        "get_orderbook",
        api.latest(kind, "orderbooks", writer.latest_orderbook),
    )
    yield f"{base}/snapshots", "get_quote get_price", api.crypto_snapshots
    for what, names, answer in _past(api, kind):
        yield f"{base}/{what}", names, answer


def _options(api: DataApi, writer: DataWriter) -> Iterator[_Row]:
    kind, base = AssetClass.US_OPTION, "/v1beta1/options"
    yield f"{base}/meta/exchanges", "list_exchanges", api.exchanges
    yield (
        f"{base}/quotes/latest",
        "get_quote get_price get_orderbook",
        api.latest(kind, "quotes", writer.latest_quote),
    )
    yield (
        f"{base}/trades/latest",
        "get_price get_quote",
        api.latest(kind, "trades", writer.latest_trade),
    )
    yield f"{base}/snapshots", "get_quote list_option_contracts", api.option_snapshots
    yield f"{base}/snapshots/{{underlying}}", "list_option_contracts", api.option_chain
    yield f"{base}/bars", "list_candles", api.bars(kind)
    yield f"{base}/trades", "list_trades", api.trades(kind)


def _past(api: DataApi, kind: AssetClass) -> Iterator[_Row]:
    yield "bars", "list_candles", api.bars(kind)
    yield "trades", "list_trades", api.trades(kind)
    yield "quotes", "list_quotes", api.quotes(kind)
