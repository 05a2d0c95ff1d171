"""The commands that read: products, price, book, orders, order, positions, balances."""

from __future__ import annotations

from typing import Annotated

import typer

from bot_v2.cli import options as given
from bot_v2.cli import views
from bot_v2.cli.output import as_text
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, connected
from bot_v2.cli.values import choice_of
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import SupportsOrderLookup, supports
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError, OrderNotFoundError
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orders import Order

OptionalSymbol = Annotated[
    str | None, typer.Argument(metavar="SYMBOL", help="Only this one. Default: all.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    for command in (products, price, book, orders, order, positions, balances):
        app.command(command.__name__)(command)


def products(
    symbol: OptionalSymbol = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """List what can be traded, and in which steps."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output, connected(target) as brokerage:
        found = brokerage.get_products() if symbol is None else [brokerage.get_product(symbol)]
        output.show(found, lambda: output.table("products", views.PRODUCTS, found))


def price(
    symbol: given.Symbol,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Print the latest trade's price, else the mid."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output, connected(target) as brokerage:
        latest = brokerage.get_price(symbol)
        document = {"symbol": symbol, "price": latest}
        output.show(document, lambda: output.line(as_text(latest)))


def book(
    symbol: given.Symbol,
    level: Annotated[
        str,
        typer.Option(
            "--level", metavar="LEVEL", help="1 best bid and ask, 2 aggregated, 3 single orders."
        ),
    ] = "1",
    depth: Annotated[
        str, typer.Option("--depth", metavar="N", help="How many rows of each side to show.")
    ] = "10",
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Print the order book; as JSON, all of it."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output:
        if level not in ("1", "2", "3"):
            raise InvalidFieldError("--level", level, "1, 2 or 3")
        if not (depth.isascii() and depth.isdigit() and int(depth)):
            raise InvalidFieldError("--depth", depth, "a whole number above zero")
        with connected(target) as brokerage:
            read = brokerage.get_orderbook(symbol, int(level))
            output.show(read, lambda: views.show_book(output, read, int(depth)))


def orders(
    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help=f"Only those in it. One of {', '.join(OrderStatus)}.",
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Only those that may still trade.")] = False,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """List every live order, and those that ended lately; newest first."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output:
        wanted = choice_of("--status", status, OrderStatus)
        with connected(target) as brokerage:
            listed = brokerage.list_orders(wanted)
        if live:
            listed = [one for one in listed if one.status in LIVE_STATUSES]
        output.show(listed, lambda: output.table("orders", views.ORDERS, listed))


def order(
    order_id: Annotated[
        str | None, typer.Argument(metavar="ORDER_ID", help="The broker's order id.")
    ] = None,
    client_id: Annotated[
        str | None,
        typer.Option("--client-id", metavar="ID", help="Your own id of it, instead."),
    ] = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """Look one order up, by the broker's id or by yours."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output:
        if (order_id is None) == (client_id is None):
            raise InvalidFieldError(
                "ORDER_ID", order_id, "an order id or a --client-id, exactly one of the two"
            )
        with connected(target) as brokerage:
            if client_id is not None:
                found = _order_by_client_id(brokerage, client_id)
            else:
                found = brokerage.get_order(str(order_id))
        output.show(found, lambda: views.show_order(output, found))


def _order_by_client_id(broker: IBrokerage, client_order_id: str) -> Order:
    if supports(broker, SupportsOrderLookup):
        return broker.get_order_by_client_id(client_order_id)
    for listed in broker.list_orders():
        if listed.client_order_id == client_order_id:
            return listed
    raise OrderNotFoundError(
        f"{name_of(broker)} lists no order with this client id. It looks no further back than it "
        "lists, so this does not prove that there is none",
        broker=name_of(broker),
        client_order_id=client_order_id,
    )


def positions(
    symbol: OptionalSymbol = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """List positions."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output, connected(target) as brokerage:
        if symbol is None:
            held = brokerage.list_positions()
        else:
            one = brokerage.get_position(symbol)
            held = [] if one is None else [one]
        output.show(held, lambda: output.table("positions", views.POSITIONS, held))


def balances(
    asset: Annotated[
        str | None, typer.Argument(metavar="ASSET", help="Only this one. Default: all.")
    ] = None,
    broker: given.Broker = None,
    account: given.Account = None,
    as_json: given.Json = False,
) -> None:
    """List what the account holds, by asset."""
    target = Target(broker=broker, account=account)
    with reporting(as_json, target) as output, connected(target) as brokerage:
        held = brokerage.list_balances() if asset is None else [brokerage.get_balance(asset)]
        output.show(held, lambda: output.table("balances", views.BALANCES, held))
