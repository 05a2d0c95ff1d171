"""The contestants of the Coinbase benchmark, and its tables. Needs requirements/peers.txt."""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import attrs
import certifi
import msgspec
import requests
from coinbase.rest import RESTClient
from coinbase.rest.types.orders_types import ListOrdersResponse
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from requests.adapters import HTTPAdapter

from benchmarks import _coinbase_data as data
from benchmarks import http
from benchmarks._loopback import loopback_server
from benchmarks._rounds import Costs, Run, cost_of, measure, ratio
from bot_v2.features.brokerages.coinbase import decoding, mapping, order_mapping, order_wire, wire
from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.instruments import Instruments
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.http.calls import Call
from tests.integration.http.certificates import write_certificate

ccxt: Any = import_module("ccxt")

ROUNDS: Final = 21
PLACED: Final = 50
RECONNECTS: Final = 5
OURS: Final = "bot_v2"
SDK: Final = "coinbase-advanced-py"
UNTYPED: Final = "msgspec, untyped"
READ: Final = Call(broker="coinbase", operation="list_orders", is_write=False)
KEY_NAME: Final = "organizations/0000/apiKeys/0000"


@attrs.frozen
class Bound:
    """What a ratio has to be, and what it is."""

    says: str
    is_ratio: float
    bound: float
    goal: float | None = None
    is_upper: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether the ratio is on the right side of the bound."""
        return self.is_ratio <= self.bound if self.is_upper else self.is_ratio >= self.bound

    def __str__(self) -> str:
        sign = "at most" if self.is_upper else "at least"
        goal = "" if self.goal is None else f", goal {self.goal:g}"
        verdict = "kept" if self.is_kept else "BROKEN"
        return f"{self.says:<58}{self.is_ratio:>7.2f}   {sign} {self.bound:g}{goal}: {verdict}"


# What the contestants read.


class Canned(HTTPAdapter):
    """Answers every request of a `requests` session with the same bytes."""

    def __init__(self, body: bytes) -> None:
        """Keep the bytes."""
        super().__init__()
        self._body = body

    def send(self, request: Any, **_: Any) -> requests.Response:  # type: ignore[override]  # as asked
        """Answer."""
        response = requests.Response()
        response.status_code = 200
        response.request = request
        response._content = self._body
        return response


def private_key() -> str:
    """Return a private key on P-256, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoded = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return encoded.decode()


def sdk_answered_with(body: bytes) -> RESTClient:
    """Return the SDK's client with the network left out."""
    client = RESTClient(api_key=KEY_NAME, api_secret=private_key())
    client.session.mount("https://", Canned(body))
    return client


def ccxt_exchange() -> Any:
    """Return ccxt's Coinbase, with the products in place of what it would ask for."""
    exchange = ccxt.coinbase()
    markets = []
    for name in data.PRODUCTS:
        base, quote = name.split("-")
        market: dict[str, object] = {
            "id": name,
            "symbol": f"{base}/{quote}",
            "base": base,
            "quote": quote,
        }
        market |= {"baseId": base, "quoteId": quote, "type": "spot", "spot": True}
        markets.append(exchange.safe_market_structure(market))
    exchange.set_markets(markets)
    return exchange


def our_instruments() -> Instruments:
    """Return our products, read from a page of them."""
    listed = decoding.decode(data.products_page(), wire.Products).products
    found = [(one.product_id, mapping.product_from_native(one)) for one in listed]
    instruments = Instruments(lambda _: found, 3600.0, has_perpetuals=False)
    instruments.refresh(READ)
    return instruments


def forget() -> None:
    """Empty what the decoders remember, so that every number is read as if for the first time."""
    for module in (decoding, order_mapping):
        for value in list(vars(module).values()):
            if hasattr(value, "cache_clear") and value is not decoding._decoder:
                value.cache_clear()


def order_readers() -> dict[str, Run]:
    """The ways from bytes to 1,000 orders."""
    body, names, exchange = data.orders_page(), our_instruments(), ccxt_exchange()
    sdk = sdk_answered_with(body)

    def ours() -> list[Any]:
        page = decoding.decode(body, order_wire.OrdersPage)
        return [order_mapping.order_from_native(one, names, "account") for one in page.orders]

    readers: dict[str, Run] = {
        OURS: ours,
        f"{OURS}, the same page again": ours,
        UNTYPED: lambda: msgspec.json.decode(body)["orders"],
        "json, untyped": lambda: json.loads(body)["orders"],
        SDK: lambda: sdk.list_orders().orders,
        f"{SDK}, objects alone": lambda: ListOrdersResponse(json.loads(body)).orders,
        "ccxt": lambda: exchange.parse_orders(exchange.parse_json(body.decode())["orders"]),
    }
    told = json.loads(body)["orders"]
    for one, theirs, raw in zip(ours(), sdk.list_orders().orders, told, strict=True):
        (terms,) = raw["order_configuration"].values()
        assert one.order_id == theirs.order_id == raw["order_id"]
        assert (one.quantity, one.filled_quantity) == (
            Decimal(terms["base_size"]),
            Decimal(raw["filled_size"]),
        )
    return readers


def book_readers() -> dict[str, Run]:
    """The ways from bytes to a book of 1,000 prices."""
    body, names, exchange = data.product_book(), our_instruments(), ccxt_exchange()
    sdk = sdk_answered_with(body)

    def by_ccxt() -> object:
        book = exchange.parse_json(body.decode())["pricebook"]
        moment = exchange.parse8601(book["time"])
        return exchange.parse_order_book(book, "BTC/USD", moment, "bids", "asks", "price", "size")

    def ours() -> Any:
        return mapping.book_from_native(decoding.decode(body, wire.ProductBook).pricebook, names)

    assert len(ours().bids) == len(ours().asks) == data.LEVELS
    return {
        OURS: ours,
        f"{OURS}, the same book again": ours,
        UNTYPED: lambda: msgspec.json.decode(body),
        SDK: lambda: sdk.get_product_book("BTC-USD"),
        "ccxt": by_ccxt,
    }


def placers(url: str) -> dict[str, Run]:
    """The ways to place a limit order on a server of the loopback."""
    pem = private_key()
    given = {"cdp_api_key": KEY_NAME, "cdp_private_key": pem, "api_base": url}
    # No quota is to hold anybody back.
    given["requests_per_s"] = "1000000"
    broker = CoinbaseBrokerage(read_settings(given, {}))
    broker.connect()
    sdk = RESTClient(api_key=KEY_NAME, api_secret=pem, base_url=url.removeprefix("https://"))
    numbers = itertools.count()
    quantity, price = Decimal("0.001"), Decimal("10000.00")

    def ours() -> str:
        request = OrderRequest(
            symbol="BTC-USD",
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
        placed = sdk.limit_order_gtc_buy(f"o-{next(numbers)}", "BTC-USD", "0.001", "10000.00")
        order_id: str = placed.success_response["order_id"]
        return order_id

    assert ours() == by_sdk()
    return {OURS: ours, SDK: by_sdk}


def bytes_kept(read: Callable[[], Any]) -> float:
    """Return how many bytes one of 1,000 orders keeps."""
    forget()
    read()
    forget()
    gc.collect()
    tracemalloc.start()
    kept = read()
    forget()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(kept)


# The tables.


def table(title: str, costs: Costs, unit: float, part: str = "wall") -> None:
    """Print what each contestant costs, and how often that is ours."""
    print(f"\n{title:<44}{'us':>10}{'x bot_v2':>10}")
    for name in costs:
        cost = cost_of(costs, name, part) * 1e6 / unit
        print(f"{name:<44}{cost:>10.2f}{ratio(costs, name, OURS, part):>10.2f}")


def reading() -> list[Bound]:
    """Compare how orders and books are read."""
    first: Mapping[str, Callable[[], None]] = {OURS: forget}
    # Nothing waits here: the CPU's time tells the same as the wall's, but for other processes.
    orders = measure(order_readers(), ROUNDS, prepare=first)
    books = measure(book_readers(), ROUNDS, prepare=first)
    table("one of 1,000 orders, from bytes, validated", orders, data.ORDERS, "cpu")
    table("a book of 1,000 prices, from bytes", books, 1, "cpu")
    return [
        Bound("orders: the SDK's list_orders / ours", ratio(orders, SDK, OURS, "cpu"), 4.5, 6.0),
        Bound("orders: ccxt's parse / ours", ratio(orders, "ccxt", OURS, "cpu"), 7.0, 8.0),
        Bound(
            "orders: ours / msgspec untyped", ratio(orders, OURS, UNTYPED, "cpu"), 1.35, 1.15, True
        ),
        Bound("book: ccxt's parse / ours", ratio(books, "ccxt", OURS, "cpu"), 2.0),
    ]


def keeping() -> list[Bound]:
    """Compare what a list of orders holds in memory."""
    readers = order_readers()
    names = [OURS, UNTYPED, f"{SDK}, objects alone", "ccxt"]
    kept = {name: bytes_kept(readers[name]) for name in names}
    print(f"\n{'one of 1,000 orders, kept':<44}{'bytes':>10}{'x bot_v2':>10}")
    for name, size in kept.items():
        print(f"{name:<44}{size:>10.0f}{size / kept[OURS]:>10.2f}")
    return [Bound("bytes kept: the SDK's / ours", kept[f"{SDK}, objects alone"] / kept[OURS], 3.0)]


def sending() -> list[Bound]:
    """Compare how an order is placed, and a connection opened again."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = write_certificate(Path(folder))
        trusted = Path(folder) / "trusted.pem"
        trusted.write_bytes(Path(certifi.where()).read_bytes() + certificate.read_bytes())
        # Both read from the environment whom to trust.
        os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(trusted)
        with loopback_server(certificate, key) as url:
            placed = measure(placers(url), ROUNDS, times=PLACED)
            opened = measure(http.reconnecting(url, trusted), ROUNDS, times=RECONNECTS)
    placed = {name: placed[name] for name in placed}
    reopened = {OURS: opened[http.OURS], "requests.Session": opened["requests.Session"]}
    for part in ("wall", "cpu"):
        table(f"place a limit order, TLS, {part}", placed, 1, part)
        table(f"open a TLS connection again, {part}", reopened, 1, part)
    return [
        Bound("place: CPU of the SDK / ours", ratio(placed, SDK, OURS, "cpu"), 3.0),
        Bound("place: wall of the SDK / ours", ratio(placed, SDK, OURS), 2.0),
        Bound(
            "reconnect: CPU of requests / ours",
            ratio(reopened, "requests.Session", OURS, "cpu"),
            10.0,
        ),
    ]


def print_tables() -> int:
    """Print every table and every bound; 1 when one is broken."""
    bounds = [*reading(), *keeping(), *sending()]
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
