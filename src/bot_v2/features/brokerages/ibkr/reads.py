"""What TWS says of the account: its values, positions, orders and executions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from bot_v2.features.brokerages.core.account_summary import (
    AccountRef,
    AccountSummary,
    Margin,
)
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.errors import InvalidFieldError, OrderNotFoundError
from bot_v2.features.brokerages.core.events import OrderEvent, StreamGap
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.account_mapping import (
    balances_from_native,
    margin_from_native,
    position_from_native,
    summary_from_native,
)
from bot_v2.features.brokerages.ibkr.events import EventStream
from bot_v2.features.brokerages.ibkr.inbox import ACCOUNTS
from bot_v2.features.brokerages.ibkr.instruments import Instrument
from bot_v2.features.brokerages.ibkr.market import IbkrMarket
from bot_v2.features.brokerages.ibkr.order_reads import (
    all_fills,
    all_orders,
    not_found,
    one_order,
    perm_id_of,
)
from bot_v2.features.brokerages.ibkr.session import Attempt
from bot_v2.features.brokerages.ibkr.wire import PositionRow, ValueRow, number_or_none

if TYPE_CHECKING:
    from bot_v2.features.brokerages.ibkr.sdk import GatewayClient

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)


class IbkrReads(IbkrMarket):
    """The account, as TWS tells it."""

    def list_accounts(self) -> list[AccountRef]:
        """Return the accounts of the login."""

        async def work(attempt: Attempt) -> list[AccountRef]:
            reading = await attempt.gateway.ask_alone(
                ACCOUNTS, lambda client: client.ask_accounts(), attempt.deadline
            )
            return [AccountRef(account_id=one) for one in reading.rows]

        return self._session.run(self._call("list_accounts"), work)

    def list_balances(self) -> list[Balance]:
        """Return what the account holds, by currency."""
        return self._balances(self._call("list_balances"))

    def get_balance(self, asset: str) -> Balance:
        """Return one currency's balance; zero where the account has none of it."""
        if not asset:
            raise InvalidFieldError("asset", asset, "a str that is not empty")
        held = self._balances(self._call("get_balance"))
        found = (balance for balance in held if balance.asset == asset)
        return next(found, Balance(asset=asset, total=ZERO))

    def get_account(self) -> AccountSummary:
        """Return the account's totals, in its base currency."""
        call = self._call("get_account")
        account_id = self._session.account_id(call.operation)

        async def work(attempt: Attempt) -> AccountSummary:
            values = await account_values(attempt, account_id)
            return attempt.read(lambda: summary_from_native(values, account_id))

        return self._session.run(call, work)

    def get_margin(self) -> Margin:
        """Return the account's margin as it is."""
        call = self._call("get_margin")
        account_id = self._session.account_id(call.operation)

        async def work(attempt: Attempt) -> Margin:
            values = await account_values(attempt, account_id)
            return attempt.read(lambda: margin_from_native(values))

        return self._session.run(call, work)

    def list_positions(self) -> list[Position]:
        """Return all positions, those in pairs of currencies included."""
        call = self._call("list_positions")
        account_id = self._session.account_id(call.operation)
        return self._session.run(call, lambda attempt: positions_of(attempt, account_id))

    def get_position(self, symbol: str) -> Position | None:
        """Return a position; None when flat."""
        account_id = self._session.account_id("get_position")

        async def work(attempt: Attempt, instrument: Instrument) -> Position | None:
            return await position_in(attempt, instrument, account_id)

        return self._on_instrument("get_position", symbol, work)

    # Orders.

    def get_order(self, order_id: str) -> Order:
        """Return an order that lives, or ended today."""
        call = self._call("get_order", order_id=order_id)
        account_id = self._session.account_id(call.operation)

        async def work(attempt: Attempt) -> Order:
            perm_id = perm_id_of(order_id, call)
            order = await one_order(attempt, perm_id, account_id, self._clock)
            if order is None:
                raise not_found(call)
            return order

        return self._session.run(call, work)

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order of an id of ours; of several, the newest."""
        call = self._call("get_order_by_client_id", client_order_id=client_order_id)
        for order in self._orders(call):
            if order.client_order_id == client_order_id:
                return order
        raise OrderNotFoundError(
            "no order that lives, or ended today, has that client id", **call.context()
        )

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every order that lives, and those that ended today, newest first."""
        orders = self._orders(self._call("list_orders"))
        return [order for order in orders if status is None or order.status is status]

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions of today, oldest first."""
        if since is not None and since.tzinfo is None:
            raise InvalidFieldError("since", since, "an aware datetime")
        call = self._call("list_fills")
        account_id = self._session.account_id(call.operation)
        fills = self._session.run(call, lambda attempt: all_fills(attempt, account_id))
        return [fill for fill in fills if since is None or fill.timestamp >= since]

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Yield each change of an order that this client placed."""
        return self._order_stream()

    @contextmanager
    def _order_stream(self) -> Iterator[Iterator[OrderEvent | StreamGap]]:
        call = self._call("stream_orders")
        account_id = self._session.account_id(call.operation)
        stream: EventStream[OrderEvent] = EventStream(self._clock)

        async def listen(attempt: Attempt) -> None:
            attempt.hub.orders.add(stream, lambda event: event.order.account_id == account_id)
            attempt.hub.watch()

        self._session.run(call, listen)
        core = self._link.core
        self._session.streams.add(stream)
        try:
            yield iter(stream)
        finally:
            self._session.streams.discard(stream)
            stream.close()
            if core is not None:
                core.hub.orders.remove(stream)

    # How it is asked.

    def _orders(self, call: Call) -> list[Order]:
        account_id = self._session.account_id(call.operation)
        return self._session.run(call, lambda attempt: all_orders(attempt, account_id, self._clock))

    def _balances(self, call: Call) -> list[Balance]:
        account_id = self._session.account_id(call.operation)

        async def work(attempt: Attempt) -> list[Balance]:
            values = await account_values(attempt, account_id)
            return attempt.read(lambda: balances_from_native(values))

        return self._session.run(call, work)


async def account_values(attempt: Attempt, account_id: str) -> list[ValueRow]:
    """Ask for an account's values."""
    request_ids: list[int] = []

    def send(client: GatewayClient, request_id: int) -> None:
        request_ids.append(request_id)
        client.ask_values(request_id, account_id)

    values: list[ValueRow] = await attempt.gateway.ask(send, attempt.deadline)
    # TWS would go on to tell each change.
    attempt.gateway.client.end_values(request_ids[0])
    return [one for one in values if one.account == account_id]


async def positions_of(attempt: Attempt, account_id: str) -> list[Position]:
    """Ask for an account's positions."""
    request_ids: list[int] = []

    def send(client: GatewayClient, request_id: int) -> None:
        request_ids.append(request_id)
        client.ask_positions(request_id, account_id)

    rows: list[PositionRow] = await attempt.gateway.ask(send, attempt.deadline)
    attempt.gateway.client.end_positions(request_ids[0])
    own = [row for row in rows if row.account == account_id]
    await attempt.instruments.name_all((row.contract for row in own), attempt.deadline)

    def made(row: PositionRow) -> Position | None:
        multiplier = number_or_none(row.contract.multiplier) or ONE
        return position_from_native(row, multiplier, attempt.instruments.name)

    found = attempt.read(lambda: [made(row) for row in own])
    return [one for one in found if one is not None]


async def position_in(attempt: Attempt, instrument: Instrument, account_id: str) -> Position | None:
    """Ask for an account's position in one product. None: it is flat."""
    held = await positions_of(attempt, account_id)
    return next((one for one in held if one.symbol == instrument.product.symbol), None)
