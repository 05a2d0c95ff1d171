"""The addresses of the Trading API."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bot_v2.venues.alpaca.account_api import AccountApi
from bot_v2.venues.alpaca.assets_api import AssetsApi
from bot_v2.venues.alpaca.dialect import NOT_FOUND, AlpacaDialect, refused
from bot_v2.venues.alpaca.orders_api import OrdersApi
from bot_v2.venues.alpaca.positions_api import PositionsApi
from bot_v2.venues.alpaca.watchlists_api import WatchlistsApi
from bot_v2.venues.requests import ApiRequest, Endpoint

_Answer = Callable[[ApiRequest], object]
_Row = tuple[str, str, str, _Answer]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def trading_endpoints(
    orders: OrdersApi,
    positions: PositionsApi,
    account: AccountApi,
    assets: AssetsApi,
    watchlists: WatchlistsApi,
    dialect: AlpacaDialect,
) -> list[Endpoint]:
    """Return what can be asked; the first that fits decides."""
    rows = (
        *_account(account),
        *_orders(orders),
        *_positions(positions),
        *_assets(assets),
        *_watchlists(watchlists),
    )
    return [
        Endpoint(method, path, tuple(names.split()), dialect.serving(answer), dialect)
        for method, path, names, answer in rows
    ]


def endpoints_of_nothing(dialect: AlpacaDialect) -> list[Endpoint]:
    """Return what answers where nothing else does."""
    answer = dialect.serving(_nothing)
    return [Endpoint(method, "/{path:path}", (), answer, dialect, True) for method in METHODS]


def _nothing(request: ApiRequest) -> object:
    raise refused(404, NOT_FOUND, f"endpoint not found: {request.method} {request.path}")


def _account(api: AccountApi) -> Iterator[_Row]:
    read = (
        "connect check_health get_account_id get_account get_margin get_order_margin "
        "list_balances get_balance"
    )
    yield "GET", "/v2/account", read, api.get
    yield "GET", "/v2/account/configurations", "get_configurations", api.configurations
    yield "PATCH", "/v2/account/configurations", "set_configurations", api.configure
    yield "GET", "/v2/account/activities", "list_fills", api.activities
    yield "GET", "/v2/account/activities/{activity_type}", "list_fills", api.activities
    yield "GET", "/v2/account/portfolio/history", "get_history", api.history


def _orders(api: OrdersApi) -> Iterator[_Row]:
    yield "POST", "/v2/orders", "place_order place_oco", api.place
    yield "GET", "/v2/orders", "list_orders", api.list_orders
    yield "DELETE", "/v2/orders", "cancel_all_orders", api.cancel_all
    yield (
        "GET",
        "/v2/orders:by_client_order_id",
        "get_order_by_client_id",
        api.get_by_client_id,
    )
    yield "GET", "/v2/orders/{order_id}", "get_order", api.get
    yield "PATCH", "/v2/orders/{order_id}", "modify_order", api.replace
    yield "DELETE", "/v2/orders/{order_id}", "cancel_order", api.cancel


def _positions(api: PositionsApi) -> Iterator[_Row]:
    yield "GET", "/v2/positions", "list_positions get_position", api.list_positions
    yield "DELETE", "/v2/positions", "close_all_positions", api.close_all
    yield "GET", "/v2/positions/{symbol:path}", "get_position", api.get
    yield "DELETE", "/v2/positions/{symbol:path}", "close_position", api.close


def _assets(api: AssetsApi) -> Iterator[_Row]:
    products = "get_products get_product list_symbol_matches"
    yield "GET", "/v2/assets", products, api.list_assets
    yield "GET", "/v2/assets/{symbol:path}", "get_products get_product", api.asset
    contracts = "list_option_contracts get_products get_product"
    yield "GET", "/v2/options/contracts", contracts, api.list_contracts
    yield "GET", "/v2/options/contracts/{symbol}", "list_option_contracts get_product", api.contract
    yield "GET", "/v2/clock", "get_market_status", api.clock
    yield "GET", "/v2/calendar", "get_market_status", api.calendar


def _watchlists(api: WatchlistsApi) -> Iterator[_Row]:
    names = "watchlists"
    yield "GET", "/v2/watchlists", names, api.list_all
    yield "POST", "/v2/watchlists", names, api.create
    for path in ("/v2/watchlists/{watchlist_id}", "/v2/watchlists:by_name"):
        yield "GET", path, names, api.get
        yield "PUT", path, names, api.update
        yield "POST", path, names, api.add
        yield "DELETE", path, names, api.delete
    yield "DELETE", "/v2/watchlists/{watchlist_id}/{symbol:path}", names, api.remove
