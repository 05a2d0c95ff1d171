"""What the paper brokerage can be asked: the account, the market and the orders."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from bot_v2.features.brokerages.core.account_summary import AccountSummary, FeeRates, Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.errors import InvalidFieldError, UnsupportedOperationError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Candle, MarketStatus, Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.paper.exchange import PaperExchange
from bot_v2.features.brokerages.paper.order_checks import prepare, resolve
from bot_v2.features.brokerages.paper.session import NAME, PaperSession


class PaperReads:
    """The reading half of a paper brokerage: each method is one call, and changes nothing.

    Args:
        session: the connection to the exchange.
    """

    def __init__(self, session: PaperSession) -> None:
        """Read through a session."""
        self.session = session
        """The connection to the exchange, on which faults can be committed: see `venue`."""

    @property
    def native(self) -> PaperExchange:
        """The exchange itself; using it voids the contract."""
        return self.session.exchange

    # The account

    def get_account_id(self) -> str:
        """Return the account that this brokerage is bound to."""
        return self.session.read("get_account_id", lambda _: self.session.account_id)

    def list_balances(self) -> list[Balance]:
        """Return what the account holds, by asset."""
        return self.session.read("list_balances", lambda engine: engine.list_balances())

    def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; zero where the account does not hold it.

        Raises:
            InvalidFieldError: the asset is no name of one.
        """
        if type(asset) is not str or not asset:
            raise InvalidFieldError("asset", asset, "the code of an asset, such as USD")
        return self.session.read("get_balance", lambda engine: engine.get_balance(asset))

    def get_account(self) -> AccountSummary:
        """Return equity, cash, buying power and margin used."""
        return self.session.read("get_account", lambda engine: engine.get_account())

    def get_margin(self) -> Margin:
        """Return the margin of the account as it is."""
        return self.session.read("get_margin", lambda engine: engine.get_margin())

    def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """Return the margin of the account as the order would make it; nothing is placed.

        Raises:
            InvalidRequestError: it could not be placed as asked.
        """
        request = self._prepare("get_order_margin", order_request)
        return self.session.read(
            "get_order_margin",
            lambda engine: engine.get_order_margin(request),
            symbol=request.symbol,
        )

    def get_fees(self, symbol: str) -> FeeRates:
        """Return what the account pays to trade a product."""
        name = self._resolve("get_fees", symbol)
        return self.session.read("get_fees", lambda engine: engine.get_fees(name), symbol=name)

    def list_positions(self) -> list[Position]:
        """Return all exposure; coins are positions too, cash is not."""
        return self.session.read("list_positions", lambda engine: engine.list_positions())

    def get_position(self, symbol: str) -> Position | None:
        """Return one position; None when flat."""
        name = self._resolve("get_position", symbol)
        return self.session.read(
            "get_position", lambda engine: engine.get_position(name), symbol=name
        )

    # The market

    def get_products(self) -> list[Product]:
        """Return everything that can be traded."""
        return self.session.read("get_products", lambda engine: list(engine.products))

    def get_product(self, symbol: str) -> Product:
        """Return one product.

        Raises:
            InvalidSymbolError: there is none of that symbol.
        """
        name = self._resolve("get_product", symbol)
        return self.session.read(
            "get_product", lambda engine: engine.get_product(name), symbol=name
        )

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid, in quote currency per unit.

        Raises:
            MarketDataUnavailableError: there is neither, or the feed has failed.
        """
        name = self._resolve("get_price", symbol)
        return self.session.read_market("get_price", name, lambda engine: engine.get_price(name))

    def get_quote(self, symbol: str) -> Quote:
        """Return the best bid and ask and the latest trade, with their time.

        Raises:
            MarketDataUnavailableError: there is none now.
        """
        name = self._resolve("get_quote", symbol)
        return self.session.read_market("get_quote", name, lambda engine: engine.get_quote(name))

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book: level 1 best bid and ask, 2 aggregated.

        Raises:
            UnsupportedOperationError: level 3; the simulated market has no single orders.
            MarketDataUnavailableError: there is no book now.
        """
        name = self._resolve("get_orderbook", symbol)
        if type(level) is not int or level < 1:
            raise InvalidFieldError("level", level, "1 (best) or 2 (aggregated)")
        if level > 2:
            raise UnsupportedOperationError(
                "the simulated market has no single orders: level 1 or 2",
                broker=NAME,
                operation="get_orderbook",
                symbol=name,
            )
        return self.session.read_market(
            "get_orderbook", name, lambda engine: engine.get_orderbook(name, level)
        )

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return the candles that open in [start, end), oldest first.

        They are gathered from what the market has shown since `connect`: the feed's own bars, else
        its trades, else its quotes, by the minute; the last 10,000 of each are kept.

        Raises:
            MarketDataUnavailableError: there are none of that interval, or `start` is before what
                is kept.
        """
        name = self._resolve("list_candles", symbol)
        return self.session.read_market(
            "list_candles",
            name,
            lambda _: self.native.history.list_candles(
                name, interval, start, end, self.native.now()
            ),
        )

    def get_market_status(self, symbol: str) -> MarketStatus:
        """Return whether a product can trade now, and when that next changes."""
        name = self._resolve("get_market_status", symbol)
        return self.session.read(
            "get_market_status", lambda engine: engine.get_market_status(name), symbol=name
        )

    # Orders

    def get_order(self, order_id: str) -> Order:
        """Return any order that was ever placed.

        Raises:
            OrderNotFoundError: there is none of that id.
        """
        return self.session.read(
            "get_order", lambda engine: engine.get_order(order_id), order_id=order_id
        )

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order placed under that id.

        Raises:
            OrderNotFoundError: there is none.
        """
        return self.session.read(
            "get_order_by_client_id",
            lambda engine: engine.get_order_by_client_id(client_order_id),
            client_order_id=client_order_id,
        )

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every order that was ever placed, or those in exactly one status; newest first."""
        return self.session.read("list_orders", lambda engine: engine.list_orders(status))

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions, oldest first, corrections included."""
        # The exchange compares with its own clock's times, which are not ours while it is off.
        return self.session.read(
            "list_fills",
            lambda engine: engine.list_fills(
                since if since is None else since - self.session.link.skew
            ),
        )

    def _resolve(self, operation: str, symbol: str) -> str:
        self.session.require_connected(operation)
        return resolve(symbol, self.session.products)

    def _prepare(self, operation: str, request: OrderRequest) -> OrderRequest:
        self.session.require_connected(operation)
        return prepare(request, self.session.products, self.session.account_id)
