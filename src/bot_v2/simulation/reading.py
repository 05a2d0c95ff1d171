"""What can be read of an engine: orders, fills, balances, positions, prices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from bot_v2.features.brokerages.core.account_summary import AccountSummary, FeeRates, Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.errors import InvalidSymbolError, OrderNotFoundError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import MarketStatus, Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.acceptance import Acceptance
from bot_v2.simulation.desk import Desk
from bot_v2.simulation.fees import FeeModel
from bot_v2.simulation.instruments import Instrument
from bot_v2.simulation.reports import Reports


class Reading:
    """The reads of `MatchingEngine`. They show what is, as of the latest step; nothing is due."""

    _desk: Desk
    _instruments: dict[str, Instrument]
    _reports: Reports
    _acceptance: Acceptance
    _fees: FeeModel

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise InvalidSymbolError(f"there is no product {symbol!r}", symbol=symbol)
        return instrument

    def get_order(self, order_id: str) -> Order:
        """Return an order, live or ended.

        Raises:
            OrderNotFoundError: there is none of that id.
        """
        return self._desk.show(self._desk.find(order_id))

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order that was placed under an id.

        Raises:
            OrderNotFoundError: none was.
        """
        record = self._desk.by_client.get(client_order_id)
        if record is None:
            raise OrderNotFoundError(
                f"no order was placed under {client_order_id!r}", client_order_id=client_order_id
            )
        return self._desk.show(record)

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every order, newest first; only those in exactly one status where one is given."""
        ended = status is None or status in ENDED_STATUSES
        records = self._desk.orders if ended else self._desk.live
        return [
            self._desk.show(record)
            for record in reversed(records.values())
            if status is None or record.status is status
        ]

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return every execution, oldest first; only those at or after a moment if one is given."""
        return [
            self._desk.show_fill(fill)
            for fill in self._desk.fills
            if since is None or fill.timestamp >= since
        ]

    def list_balances(self) -> list[Balance]:
        """Return what the account holds of each currency and coin."""
        return self._reports.list_balances()

    def get_balance(self, asset: str) -> Balance:
        """Return what the account holds of an asset; zero for one that it does not have."""
        return self._reports.get_balance(asset)

    def list_positions(self) -> list[Position]:
        """Return all exposure; a coin is a position of the product by which it was opened."""
        return self._reports.list_positions()

    def get_position(self, symbol: str) -> Position | None:
        """Return one product's position. None: flat.

        Raises:
            InvalidSymbolError: no product has that symbol.
        """
        return self._reports.get_position(self._instrument(symbol))

    def get_account(self) -> AccountSummary:
        """Return the account's totals by the latest prices; None where something has no price."""
        return self._reports.get_account()

    def get_margin(self) -> Margin:
        """Return the account's margin as it is."""
        return self._reports.get_margin()

    def get_order_margin(self, request: OrderRequest) -> Margin:
        """Return the account's margin as an order would make it; nothing is placed.

        Raises:
            InvalidSymbolError, InvalidFieldError, OrderRejectedError: it could not be placed.
        """
        instrument = self._instrument(request.symbol)
        return self._reports.get_margin(self._acceptance.cost_of(instrument, request))

    def get_fees(self, symbol: str) -> FeeRates:
        """Return what trading a product costs.

        Raises:
            InvalidSymbolError: no product has that symbol.
        """
        return self._fees.rates(self._instrument(symbol).product)

    @property
    def products(self) -> list[Product]:
        """Everything that can be traded."""
        return [instrument.product for instrument in self._instruments.values()]

    def get_product(self, symbol: str) -> Product:
        """Return one product.

        Raises:
            InvalidSymbolError: there is none of that symbol.
        """
        return self._instrument(symbol).product

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid.

        Raises:
            InvalidSymbolError: no product has that symbol.
            MarketDataUnavailableError: there is neither.
        """
        return self._reports.get_price(self._instrument(symbol))

    def get_quote(self, symbol: str) -> Quote:
        """Return the best bid and ask, less what was taken of them, and the latest trade.

        Raises:
            InvalidSymbolError: no product has that symbol.
            MarketDataUnavailableError: nothing was heard of it yet.
        """
        return self._reports.get_quote(self._instrument(symbol))

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book, less what was taken of it: level 1 the best, 2 all levels.

        Raises:
            InvalidSymbolError: no product has that symbol.
            UnsupportedOperationError: the level is neither 1 nor 2.
            MarketDataUnavailableError: the market gives no quotes, or no sizes.
        """
        return self._reports.get_orderbook(self._instrument(symbol), level)

    def get_market_status(self, symbol: str) -> MarketStatus:
        """Return whether a product can trade, as of the latest step.

        Raises:
            InvalidSymbolError: no product has that symbol.
        """
        return self._reports.get_market_status(self._instrument(symbol))
