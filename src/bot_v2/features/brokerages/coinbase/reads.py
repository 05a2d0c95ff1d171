"""What Advanced Trade says of the account: balances, positions, orders and fills."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from bot_v2.features.brokerages.coinbase import (
    mapping,
    margin_mapping,
    order_mapping,
    order_wire,
    wire,
)
from bot_v2.features.brokerages.coinbase.base import merged, oldest_first, segment
from bot_v2.features.brokerages.coinbase.decoding import MalformedError
from bot_v2.features.brokerages.coinbase.instruments import PERPETUALS_MOVED
from bot_v2.features.brokerages.coinbase.market import API, AdvancedMarket
from bot_v2.features.brokerages.coinbase.server_time import read_server_time
from bot_v2.features.brokerages.coinbase.session import Opened
from bot_v2.features.brokerages.core.access import Access
from bot_v2.features.brokerages.core.account_summary import AccountSummary, FeeRates
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidRequestError,
    OrderNotFoundError,
    PermissionDeniedError,
)
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.http.calls import Call

PAGE_SIZE: Final = "100"
"""How many orders, fills or accounts are asked for at once."""


class AdvancedReads(AdvancedMarket):
    """The account, as Advanced Trade tells it."""

    # The session.

    def _login(self) -> Opened:
        call = self._call("connect")
        permissions = self._permissions(call)
        if not permissions.can_view:
            raise PermissionDeniedError("the key may not read: allow it to view", **call.context())
        if not permissions.portfolio_uuid:
            raise InvalidRequestError("the key is bound to no portfolio", **call.context())
        perpetuals = None
        if self.settings.enable_derivatives:
            perpetuals = self._perpetuals_of(call, permissions)
        return Opened(account_id=permissions.portfolio_uuid, perpetuals_id=perpetuals)

    def _permissions(self, call: Call) -> wire.Permissions:
        return self._session.ask(
            call,
            "GET",
            f"{API}/key_permissions",
            wire.Permissions,
            lambda native, _: native,
            is_login=True,
        )

    def _perpetuals_of(self, call: Call, permissions: wire.Permissions) -> str:
        wanted = self.settings.perpetuals_portfolio
        if permissions.portfolio_type == mapping.INTX:
            found = [permissions.portfolio_uuid]
        else:
            found = [one.uuid for one in self._portfolios(call) if one.type == mapping.INTX]
        if wanted in found:
            return wanted
        if len(found) > 1 or (wanted is not None and found):
            raise InvalidRequestError(
                "set COINBASE_PERPETUALS_PORTFOLIO to one of the perpetuals portfolios that the "
                f"key sees: {', '.join(sorted(found))}",
                **call.context(),
            )
        if not found:
            raise InvalidRequestError(
                "COINBASE_ENABLE_DERIVATIVES is set, and the key sees no perpetuals portfolio: "
                f"open one at Coinbase, or unset it; {PERPETUALS_MOVED}",
                **call.context(),
            )
        return found[0]

    def _portfolios(self, call: Call) -> list[wire.Portfolio]:
        return self._session.ask(
            call,
            "GET",
            f"{API}/portfolios",
            wire.Portfolios,
            lambda native, _: [one for one in native.portfolios if not one.deleted],
            is_login=True,
        )

    def _ping(self, call: Call) -> None:
        self._permissions(call)

    def get_access(self) -> Access:
        """Return what the key may do, and the broker's clock."""
        call = self._call("get_access")
        self._session.opened(call.operation)
        permissions = self._permissions(call)
        clock = read_server_time(self._session, call, f"{API}/time", self._clock)
        return mapping.access_from_native(permissions, clock)

    # The account.

    def list_balances(self) -> list[Balance]:
        """Return what the portfolio holds, and what it holds as collateral of perpetuals."""
        return self._balances(self._call("list_balances"))

    def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; zero where all pages show none."""
        return self._balance_of(self._balances(self._call("get_balance")), asset)

    def get_account(self) -> AccountSummary:
        """Return what the portfolio is worth; Coinbase tells no more of a portfolio of spot."""
        call = self._call("get_account")
        account_id = self._session.account_id(call.operation)
        return self._session.ask(
            call,
            "GET",
            f"{API}/portfolios/{segment('portfolio', account_id)}",
            wire.PortfolioReply,
            lambda native, _: margin_mapping.summary_from_native(native),
        )

    def list_positions(self) -> list[Position]:
        """Return the perpetual positions; none where perpetuals are not enabled."""
        return self._positions(self._call("list_positions"))

    def get_position(self, symbol: str) -> Position | None:
        """Return a perpetual position; None when flat."""
        call = self._call("get_position", symbol=symbol)
        product, _ = self._find(call, symbol)
        return self._position_in(call, product)

    def get_fees(self, symbol: str) -> FeeRates:
        """Return the rates of the account's tier."""
        call = self._call("get_fees", symbol=symbol)
        product, _ = self._find(call, symbol)
        query = {"product_type": "SPOT"}
        if product.market_type is not MarketType.SPOT:
            query = {
                "product_type": "FUTURE",
                "contract_expiry_type": "PERPETUAL",
                "product_venue": mapping.INTX,
            }
        return self._session.ask(
            call,
            "GET",
            f"{API}/transaction_summary",
            wire.TransactionSummary,
            lambda native, _: mapping.fees_from_native(native),
            query=query,
        )

    def _balances(self, call: Call) -> list[Balance]:
        portfolio = self._session.opened(call.operation).perpetuals_id
        held = self._session.ask_all(
            call,
            f"{API}/accounts",
            wire.AccountsPage,
            lambda native, _: (
                [mapping.balance_from_native(one) for one in native.accounts],
                native.cursor if native.has_next else None,
            ),
            query={"limit": "250"},
        )
        balances = self._exactly(call, lambda: mapping.balances_by_wallet(held))
        if portfolio is not None:
            balances += self._session.ask(
                call,
                "GET",
                f"{API}/intx/balances/{segment('portfolio', portfolio)}",
                wire.PerpetualBalances,
                lambda native, _: [
                    mapping.balance_from_perpetual(balance)
                    for one in native.portfolio_balances
                    if one.portfolio_uuid == portfolio
                    for balance in one.balances
                ],
            )
        return balances

    def _positions(self, call: Call) -> list[Position]:
        opened = self._session.opened(call.operation)
        if opened.perpetuals_id is None:
            return []
        self._instruments.current(call)
        return self._session.ask(
            call,
            "GET",
            f"{API}/intx/positions/{segment('portfolio', opened.perpetuals_id)}",
            wire.PerpetualPositions,
            lambda native, _: [
                position
                for one in native.positions
                if (
                    position := mapping.position_from_native(
                        one, self._instruments, opened.account_id
                    )
                )
            ],
        )

    def _position_in(self, call: Call, product: Product) -> Position | None:
        if product.market_type is MarketType.SPOT:
            raise self._kept_as_balance(call, product)
        held = self._positions(call)
        return next((one for one in held if one.symbol == product.symbol), None)

    # Orders.

    def get_order(self, order_id: str) -> Order:
        """Return an order, however old."""
        return self._order(self._call("get_order", order_id=order_id), order_id)

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order of an id of ours, from all that `list_orders` sees."""
        call = self._call("get_order_by_client_id", client_order_id=client_order_id)
        for order in self._orders(call):
            if order.client_order_id == client_order_id:
                return order
        raise OrderNotFoundError(
            f"no order of the last {self.settings.history_days} days has that client id",
            **call.context(),
        )

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every live order, and those placed in the window, newest first."""
        orders = self._orders(self._call("list_orders"))
        return [order for order in orders if status is None or order.status is status]

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions, oldest first."""
        if since is not None and since.tzinfo is None:
            raise InvalidFieldError("since", since, "an aware datetime")
        call = self._call("list_fills")
        account_id = self._session.account_id(call.operation)
        self._instruments.current(call)
        query = {"limit": PAGE_SIZE}
        if since is not None:
            start = order_mapping.moment_to_native(since.astimezone(UTC))
            query["start_sequence_timestamp"] = start
        fills = self._session.ask_all(
            call,
            f"{API}/orders/historical/fills",
            order_wire.FillsPage,
            lambda native, _: (
                [
                    order_mapping.fill_from_native(one, self._instruments, account_id)
                    for one in native.fills
                ],
                # A cursor also comes with the last page: an empty one ends the list.
                native.cursor if native.fills else None,
            ),
            query=query,
        )
        return [fill for fill in oldest_first(fills) if since is None or fill.timestamp >= since]

    def _order(self, call: Call, order_id: str) -> Order:
        account_id = self._session.account_id(call.operation)
        self._instruments.current(call)

        def read(native: order_wire.OneOrder, _: object) -> Order:
            if native.order.order_id != order_id:
                raise MalformedError(f"another order came: {native.order.order_id!r}")
            return order_mapping.order_from_native(native.order, self._instruments, account_id)

        path = f"{API}/orders/historical/{segment('order_id', order_id)}"
        return self._session.ask(call, "GET", path, order_wire.OneOrder, read)

    def _orders(self, call: Call) -> list[Order]:
        # The live ones first: one that ends meanwhile is then in both, and told as it ended.
        live = self._orders_of(call, {"order_status": "OPEN"})
        start = order_mapping.moment_to_native(self._window_start())
        return merged(live, self._orders_of(call, {"start_date": start}))

    def _orders_of(self, call: Call, query: dict[str, str]) -> list[Order]:
        account_id = self._session.account_id(call.operation)
        self._instruments.current(call)
        return self._session.ask_all(
            call,
            f"{API}/orders/historical/batch",
            order_wire.OrdersPage,
            lambda native, _: (
                [
                    order_mapping.order_from_native(one, self._instruments, account_id)
                    for one in native.orders
                ],
                native.cursor if native.has_next else None,
            ),
            query={"limit": PAGE_SIZE, **query},
        )
