"""What Alpaca says of the account: balances, positions, margin, orders and executions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from bot_v2.features.brokerages.alpaca import mapping, order_mapping, order_wire, wire
from bot_v2.features.brokerages.alpaca.base import ACCOUNT, ORDERS, POSITIONS, read_for, segment
from bot_v2.features.brokerages.alpaca.decoding import ZERO, MalformedError, decode, in_utc
from bot_v2.features.brokerages.alpaca.instruments import asset_id_of, class_and_native
from bot_v2.features.brokerages.alpaca.market import CLOCK, AlpacaMarket, moment_to_native
from bot_v2.features.brokerages.core.access import Access, ServerTime
from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.http.calls import Call, Reply

BY_CLIENT_ID: Final = "/v2/orders:by_client_order_id"
FILLS: Final = "/v2/account/activities/FILL"

FILLS_PAGE: Final = 100
"""How many executions the broker lists at once at most."""

TICK: Final = timedelta(microseconds=1)
"""The smallest step between two moments that we can tell apart."""

FAMILY_WITHIN: Final = timedelta(seconds=2)
"""How far apart an order and what it is grouped with are submitted at most."""


class AlpacaReads(AlpacaMarket):
    """The account, as Alpaca tells it."""

    # The account.

    def list_balances(self) -> list[Balance]:
        """Return the cash, and what is held of each coin."""
        call = self._call("list_balances")
        account = self._read_account(call)
        held = self._native_positions(call)
        return self._exactly(call, lambda: mapping.balances_from_native(account, held))

    def get_balance(self, asset: str) -> Balance:
        """Return the cash or what is held of a coin; zero where there is none."""
        if not asset:
            raise InvalidFieldError("asset", asset, "a str that is not empty")
        call = self._call("get_balance")
        account = self._read_account(call)
        held = [] if asset == account.currency else self._native_positions(call)
        balances = self._exactly(call, lambda: mapping.balances_from_native(account, held))
        found = [balance for balance in balances if balance.asset == asset]
        if len(found) > 1:
            return self._exactly(call, lambda: _added(found))
        zero = ZERO
        return found[0] if found else Balance(asset=asset, total=zero, available=zero, hold=zero)

    def get_account(self) -> AccountSummary:
        """Return the account's totals."""
        return self._session.ask(
            self._call("get_account"),
            "GET",
            ACCOUNT,
            lambda reply: mapping.summary_from_native(decode(reply.body, wire.Account)),
        )

    def get_access(self) -> Access:
        """Return whether the account may trade, what restricts it, and the broker's clock."""
        call = self._call("get_access")
        account = self._read_account(call)
        asked_at = self._clock()
        told = self._session.ask(
            call,
            "GET",
            CLOCK,
            lambda reply: in_utc(decode(reply.body, wire.MarketClock).timestamp),
        )
        clock = ServerTime(told=told, asked_at=asked_at, heard_at=self._clock(), step_s=0.0)
        return mapping.access_from_native(account, clock)

    def get_margin(self) -> Margin:
        """Return the account's margin as it is."""
        return self._session.ask(
            self._call("get_margin"),
            "GET",
            ACCOUNT,
            lambda reply: mapping.margin_from_native(decode(reply.body, wire.Account)),
        )

    def list_positions(self) -> list[Position]:
        """Return every position: stocks, options and coins."""
        call = self._call("list_positions")
        account_id = self._session.account_id(call.operation)

        def read(reply: Reply) -> list[Position]:
            listed = decode(reply.body, list[wire.Position])
            held = (mapping.position_from_native(one, account_id) for one in listed)
            return [one for one in held if one is not None]

        return self._session.ask(call, "GET", POSITIONS, read)

    def get_position(self, symbol: str) -> Position | None:
        """Return a position; None when flat."""
        call = self._call("get_position", symbol=symbol)
        return self._position_in(call, self._find(call, symbol))

    def _native_positions(self, call: Call) -> list[wire.Position]:
        return self._session.ask(
            call, "GET", POSITIONS, lambda reply: decode(reply.body, list[wire.Position])
        )

    def _position_in(self, call: Call, product: Product) -> Position | None:
        """Return a product's position, from the list of all: absence is then no error."""
        account_id = self._session.account_id(call.operation)
        asset_id = asset_id_of(product)
        native = class_and_native(product)[1].replace("/", "")

        def read(reply: Reply) -> Position | None:
            for one in decode(reply.body, list[wire.Position]):
                if one.asset_id == asset_id or one.symbol.replace("/", "") == native:
                    return mapping.position_from_native(one, account_id)
            return None

        return self._session.ask(call, "GET", POSITIONS, read)

    # Orders.

    def get_order(self, order_id: str) -> Order:
        """Return an order, however old."""
        return self._order(self._call("get_order", order_id=order_id), order_id)

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order that was placed under an id of ours."""
        call = self._call("get_order_by_client_id", client_order_id=client_order_id)
        if not client_order_id.strip():
            raise InvalidFieldError("client_order_id", client_order_id, "an id that is not blank")

        def check(native: order_wire.Order) -> None:
            if native.client_order_id != client_order_id:
                raise MalformedError(f"another order came: {native.client_order_id!r}")

        return self._one(call, BY_CLIENT_ID, {"client_order_id": client_order_id}, check)

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every live order, and those submitted in the window, newest first."""
        call = self._call("list_orders")
        # The live ones first: one that ends meanwhile is then in both, and told as it ended.
        found = self._orders_of(call, {"status": "open"}, None)
        for order in self._orders_of(call, {"status": "all"}, self._window_start()).values():
            found[order.order_id] = _joined(order, found.get(order.order_id))
        orders = [one for one in found.values() if status is None or one.status is status]
        return sorted(orders, key=_submitted, reverse=True)

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions, oldest first."""
        if since is not None and since.tzinfo is None:
            raise InvalidFieldError("since", since, "an aware datetime")
        call = self._call("list_fills")
        account_id = self._session.account_id(call.operation)
        size = min(self.settings.page_size, FILLS_PAGE)
        query = {"direction": "asc", "page_size": str(size)}
        if since is not None:
            # The broker leaves out the moment itself.
            query["after"] = moment_to_native(since - TICK)

        def read(reply: Reply) -> tuple[list[Fill], str | None]:
            listed = decode(reply.body, list[order_wire.Activity])
            fills = [
                order_mapping.fill_from_native(
                    one, self._instruments.class_of(call, one.symbol), account_id
                )
                for one in listed
            ]
            # The next page begins after the last one's id.
            return fills, listed[-1].id if len(listed) >= size else None

        fills = self._session.ask_all(call, FILLS, read, query=query)
        once = {fill.trade_id: fill for fill in fills}.values()
        return sorted(
            (fill for fill in once if since is None or fill.timestamp >= since),
            key=lambda fill: fill.timestamp,
        )

    def _order(self, call: Call, order_id: str) -> Order:
        def check(native: order_wire.Order) -> None:
            if native.id != order_id:
                raise MalformedError(f"another order came: {native.id!r}")

        path = f"{ORDERS}/{segment('order_id', order_id)}"
        return self._one(call, path, {"nested": "true"}, check)

    def _one(
        self,
        call: Call,
        path: str,
        query: dict[str, str],
        check: Callable[[order_wire.Order], None],
    ) -> Order:
        account_id = self._session.account_id(call.operation)

        def read(reply: Reply) -> tuple[order_wire.Order, Order]:
            native = decode(reply.body, order_wire.Order)
            check(native)
            return native, order_mapping.order_from_native(native, account_id)

        native, order = self._session.ask(call, "GET", path, read, query=query)
        return self._with_family(call, native, order)

    def _with_family(self, call: Call, native: order_wire.Order, order: Order) -> Order:
        """Return an order with what it belongs to, which an exit alone does not tell."""
        if order.timestamp is None or not order_mapping.is_alone(native):
            return order
        after, until = order.timestamp - FAMILY_WITHIN, order.timestamp + FAMILY_WITHIN
        family = self._orders_between(call, native.symbol or "", after, until)
        return _joined(order, family.get(order.order_id))

    def _orders_between(
        self, call: Call, native_symbol: str, after: datetime, until: datetime
    ) -> dict[str, Order]:
        query = {
            "status": "all",
            "symbols": native_symbol,
            "until": moment_to_native(until),
        }
        return self._orders_of(read_for(call), query, after)

    def _orders_of(
        self, call: Call, query: dict[str, str], after: datetime | None
    ) -> dict[str, Order]:
        """Return the orders of a query by their ids, page by page from the newest to the oldest."""
        account_id = self._session.account_id(call.operation)
        size = self.settings.page_size
        asked = {**query, "limit": str(size), "nested": "true", "direction": "desc"}
        if after is not None:
            asked["after"] = moment_to_native(after)

        def read(reply: Reply) -> tuple[list[Order], int, datetime | None]:
            listed = decode(reply.body, list[order_wire.Order])
            oldest = listed[-1].submitted_at if listed else None
            return order_mapping.orders_from_natives(listed, account_id), len(listed), oldest

        found: dict[str, Order] = {}
        for _ in range(self.settings.page_max):
            orders, count, oldest = self._session.ask(call, "GET", ORDERS, read, query=asked)
            known = len(found)
            for order in orders:
                found[order.order_id] = _joined(order, found.get(order.order_id))
            if count < size:
                return found
            if oldest is None or len(found) == known:
                raise self._session.unended(
                    call, f"more than {size} orders of one moment: they cannot be told apart"
                )
            # The broker leaves out the moment itself, at which there may be more.
            asked["until"] = moment_to_native(in_utc(oldest) + TICK)
        raise self._session.too_many_pages(call)


def _joined(order: Order, other: Order | None) -> Order:
    """Return an order with what it belongs to, where only another read of it told that."""
    if other is None or other.group_id is None or order.group_id is not None:
        return order
    return attrs.evolve(order, parent_order_id=other.parent_order_id, group_id=other.group_id)


def _submitted(order: Order) -> datetime:
    return order.timestamp or datetime.min.replace(tzinfo=UTC)


def _added(balances: Sequence[Balance]) -> Balance:
    """Return one coin's balance, which several pairs hold."""
    total = available = ZERO
    for one in balances:
        total = EXACT.add(total, one.total)
        available = EXACT.add(available, one.available or ZERO)
    return Balance(
        asset=balances[0].asset,
        total=total,
        available=available,
        hold=EXACT.subtract(total, available),
    )
