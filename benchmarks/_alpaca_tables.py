"""The contestants of the Alpaca benchmark, and its tables. Needs requirements/peers.txt."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import certifi
import msgspec
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide as TheirSide
from alpaca.trading.enums import TimeInForce
from alpaca.trading.requests import LimitOrderRequest

from benchmarks import _alpaca_data as data
from benchmarks._coinbase_tables import OURS, PLACED, ROUNDS, UNTYPED, Bound, Canned, table
from benchmarks._loopback import loopback_server
from benchmarks._rounds import Run, measure, ratio
from bot_v2.features.brokerages.alpaca import order_mapping, order_wire
from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.decoding import decode
from bot_v2.features.brokerages.alpaca.settings import read_settings
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from tests.integration.http.certificates import write_certificate

ccxt: Any = import_module("ccxt")

SDK: Final = "alpaca-py"
KEY: Final = "PK000000000000000000"
SECRET: Final = "made-up"  # noqa: S105 - opens nothing


def forget() -> None:
    """Empty what the mapping remembers, so that every word is read as if for the first time."""
    order_mapping._words_of.cache_clear()
    order_mapping.symbol_from_native.cache_clear()


def ccxt_exchange() -> Any:
    """Return ccxt's Alpaca, with the products in place of what it would ask for."""
    exchange = ccxt.alpaca()
    markets = [
        exchange.safe_market_structure(
            {"id": name, "symbol": f"{name}/USD", "base": name, "quote": "USD", "type": "spot"}
        )
        for name in data.SYMBOLS
    ]
    exchange.set_markets(markets)
    return exchange


def order_readers() -> dict[str, Run]:
    """The ways from bytes to 1,000 orders."""
    body, exchange = data.orders_page(), ccxt_exchange()
    clients = [TradingClient(KEY, SECRET, raw_data=raw) for raw in (False, True)]
    for client in clients:
        client._session.mount("https://", Canned(body))
    modelled, raw_client = clients
    kind = list[order_wire.Order]

    def ours() -> list[Any]:
        return order_mapping.orders_from_natives(decode(body, kind), "account")

    readers: dict[str, Run] = {
        OURS: ours,
        f"{OURS}, the same page again": ours,
        UNTYPED: lambda: msgspec.json.decode(body),
        "json, untyped": lambda: json.loads(body),
        SDK: modelled.get_orders,
        f"{SDK}, raw": raw_client.get_orders,
        "ccxt": lambda: exchange.parse_orders(exchange.parse_json(body.decode())),
    }
    theirs: Any = modelled.get_orders()
    for one, other, raw in zip(ours(), theirs, json.loads(body), strict=True):
        assert one.order_id == str(other.id) == raw["id"]
        assert (one.quantity, one.filled_quantity) == (
            Decimal(raw["qty"]),
            Decimal(raw["filled_qty"]),
        )
    return readers


def placers(url: str) -> dict[str, Run]:
    """The ways to place a limit order on a server of the loopback."""
    given = {"api_key": KEY, "secret_key": SECRET, "api_base": url, "data_base": url}
    # No quota is to hold anybody back.
    broker = AlpacaBrokerage(read_settings({**given, "requests_per_min": "100000000"}, {}))
    broker.connect()
    sdk = TradingClient(KEY, SECRET, url_override=url)
    numbers = itertools.count()
    quantity, price = Decimal(3), Decimal("100.00")

    def ours() -> str:
        request = OrderRequest(
            symbol="AAPL",
            side=OrderSide.BUY,
            type=OrderType.LIMIT,
            quantity=quantity,
            price=price,
            client_order_id=f"o-{next(numbers)}",
        )
        order_id = broker.place_order(request).order_id
        assert order_id is not None
        return order_id

    def by_sdk() -> str:
        placed: Any = sdk.submit_order(
            LimitOrderRequest(
                symbol="AAPL",
                qty=3,
                side=TheirSide.BUY,
                time_in_force=TimeInForce.DAY,
                limit_price=100.0,
                client_order_id=f"o-{next(numbers)}",
            )
        )
        return str(placed.id)

    assert ours() == by_sdk()
    return {OURS: ours, SDK: by_sdk}


def reading() -> list[Bound]:
    """Compare how orders are read."""
    # Nothing waits here: the CPU's time tells the same as the wall's, but for other processes.
    orders = measure(order_readers(), ROUNDS, prepare={OURS: forget})
    table("one of 1,000 orders, from bytes, validated", orders, data.ORDERS, "cpu")
    return [
        Bound("orders: alpaca-py's models / ours", ratio(orders, SDK, OURS, "cpu"), 4.0, 5.5),
        Bound("orders: ccxt's parse / ours", ratio(orders, "ccxt", OURS, "cpu"), 7.0, 8.0),
        Bound(
            "orders: ours / msgspec untyped", ratio(orders, OURS, UNTYPED, "cpu"), 1.35, 1.15, True
        ),
    ]


def sending() -> list[Bound]:
    """Compare how an order is placed."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = write_certificate(Path(folder))
        trusted = Path(folder) / "trusted.pem"
        trusted.write_bytes(Path(certifi.where()).read_bytes() + certificate.read_bytes())
        # Both read from the environment whom to trust.
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(trusted)
        with loopback_server(certificate, key) as url:
            placed = measure(placers(url), ROUNDS, times=PLACED)
    for part in ("wall", "cpu"):
        table(f"place a limit order, TLS, {part}", placed, 1, part)
    return [
        Bound("place: CPU of alpaca-py / ours", ratio(placed, SDK, OURS, "cpu"), 3.0),
        Bound("place: wall of alpaca-py / ours", ratio(placed, SDK, OURS), 2.0),
    ]


def print_tables() -> int:
    """Print every table and every bound; 1 when one is broken."""
    bounds = [*reading(), *sending()]
    print(
        f"\nPython {sys.version.split()[0]}, "
        + ", ".join(f"{name} {version(name)}" for name in (SDK, "ccxt", "msgspec", "requests"))
        + f"; {ROUNDS} rounds, medians, gc on\n"
    )
    for bound in bounds:
        print(bound)
    return int(not all(bound.is_kept for bound in bounds))


if __name__ == "__main__":
    sys.exit(print_tables())
