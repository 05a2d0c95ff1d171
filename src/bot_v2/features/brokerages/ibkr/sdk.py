"""The vendor's client, with every number left the text that it is on the wire.

Of ib_async its socket, handshake, framing, and field orders are used: `Client` sends, `Decoder`
takes the longest messages apart. Its `IB` and `Wrapper` are not: they make numbers floats, answer
two questions at once with one, take a warning for the end of an order, and end the waiting of every
connection of the process when one of them drops.

It and `decoder` alone import ib_async, and are imported when a connection is first opened.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

from ib_async.client import Client
from ib_async.contract import ComboLeg, Contract
from ib_async.objects import ExecutionFilter
from ib_async.order import Order

from bot_v2.features.brokerages.ibkr.decoder import LOG, ExactDecoder, Inbox
from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    NativeOrder,
)

SMART: Final = "SMART"
_NO_MODEL: Final = ""
_NO_TICKS: Final = ""
_SECONDS: Final = 2
"""The format of bars whose times are told in seconds since 1970."""


class GatewayClient(Client):
    """The vendor's socket. Wants to be used in the loop that it was opened in."""

    def __init__(self, inbox: Inbox, on_lost: Callable[[], None]) -> None:
        """Tell an inbox what comes, and once when the connection is gone."""
        super().__init__(_Chunks(inbox))  # type: ignore[no-untyped-call] # the vendor annotates none
        self._logger = LOG
        self.decoder = ExactDecoder(inbox)
        # How fast messages leave is watched before they are handed over: what waits in here could
        # leave after its caller was told that it is lost.
        self.MaxRequests = 0
        self._on_lost = on_lost
        # Its methods name no types.
        self._sender: Any = self
        self.conn.disconnected += self._lost

    def _lost(self, _: str) -> None:
        self._on_lost()

    @property
    def socket(self) -> Any:
        """The open socket. None: there is none, or it is being closed."""
        transport = self.conn.transport
        if transport is None or transport.is_closing():
            return None
        return transport.get_extra_info("socket")

    # What is sent about orders.

    def place(self, order_id: int, contract: ContractRow, fields: Mapping[str, object]) -> None:
        """Send an order; what its fields do not say is unset."""
        order = Order()
        for name, value in fields.items():
            setattr(order, name, value)
        self._sender.placeOrder(order_id, _contract_of(contract), order)

    def change(self, order_id: int, native: NativeOrder, fields: Mapping[str, object]) -> None:
        """Send an order as it was told, with some fields changed."""
        contract, order = copy.copy(native.contract), copy.copy(native.order)
        # Of what has no right a question mark is told.
        contract.right = "" if contract.right == "?" else contract.right
        for name, value in fields.items():
            setattr(order, name, value)
        self._sender.placeOrder(order_id, contract, order)

    def cancel(self, order_id: int) -> None:
        """Send a cancel."""
        self._sender.cancelOrder(order_id, "")

    # What is asked of the account.

    def ask_own_orders(self) -> None:
        """Ask for this client's orders that live."""
        self._sender.reqOpenOrders()

    def ask_live_orders(self) -> None:
        """Ask for every client's orders that live."""
        self._sender.reqAllOpenOrders()

    def ask_ended_orders(self) -> None:
        """Ask for every client's orders that ended today."""
        self._sender.reqCompletedOrders(False)

    def ask_executions(self, request_id: int, account: str) -> None:
        """Ask for an account's executions of today."""
        self._sender.reqExecutions(request_id, ExecutionFilter(acctCode=account))

    def ask_values(self, request_id: int, account: str) -> None:
        """Ask for an account's values, and for their changes."""
        self._sender.reqAccountUpdatesMulti(request_id, account, _NO_MODEL, False)

    def end_values(self, request_id: int) -> None:
        """Ask for no more changes."""
        self._sender.cancelAccountUpdatesMulti(request_id)

    def ask_positions(self, request_id: int, account: str) -> None:
        """Ask for an account's positions, and for their changes."""
        self._sender.reqPositionsMulti(request_id, account, _NO_MODEL)

    def end_positions(self, request_id: int) -> None:
        """Ask for no more changes."""
        self._sender.cancelPositionsMulti(request_id)

    def ask_accounts(self) -> None:
        """Ask for the accounts of the login."""
        self._sender.reqManagedAccts()

    def ask_time(self) -> None:
        """Ask for the time."""
        self._sender.reqCurrentTime()

    # What is asked of the market.

    def choose_data(self, kind: int) -> None:
        """Say which kind of prices will do."""
        self._sender.reqMarketDataType(kind)

    def ask_details(self, request_id: int, contract: ContractRow) -> None:
        """Ask for the contracts that fit what is said of one."""
        self._sender.reqContractDetails(request_id, _contract_of(contract))

    def ask_samples(self, request_id: int, text: str) -> None:
        """Ask for the contracts whose name has a text."""
        self._sender.reqMatchingSymbols(request_id, text)

    def ask_rule(self, number: int) -> None:
        """Ask for a rule of price steps."""
        self._sender.reqMarketRule(number)

    def ask_quotes(self, request_id: int, contract: ContractRow, *, is_snapshot: bool) -> None:
        """Ask for the best prices: once, or from now on."""
        self._sender.reqMktData(
            request_id, _contract_of(contract), _NO_TICKS, is_snapshot, False, []
        )

    def end_quotes(self, request_id: int) -> None:
        """Ask for no more prices."""
        self._sender.cancelMktData(request_id)

    def ask_depth(self, request_id: int, contract: ContractRow, rows: int) -> None:
        """Ask for the book, from now on."""
        is_smart = contract.exchange == SMART
        self._sender.reqMktDepth(request_id, _contract_of(contract), rows, is_smart, [])

    def end_depth(self, request_id: int, contract: ContractRow) -> None:
        """Ask for no more of the book."""
        self._sender.cancelMktDepth(request_id, contract.exchange == SMART)

    def ask_bars(
        self, request_id: int, contract: ContractRow, end: str, span: str, size: str, kind: str
    ) -> None:
        """Ask for bars of a span before a moment, whatever the hours."""
        self._sender.reqHistoricalData(
            request_id, _contract_of(contract), end, span, size, kind, False, _SECONDS, False, []
        )

    # The connection.

    def next_id(self) -> int:
        """Return a number for an order or a question."""
        number: int = self._sender.getReqId()
        return number

    def skip_ids(self, least: int) -> None:
        """Give no number below one."""
        self._sender.updateReqId(least)

    async def open(self, host: str, port: int, client_id: int) -> list[str]:
        """Open the connection, and return the accounts of the login."""
        await self._sender.connectAsync(host, port, client_id, None)
        return list(self._sender.getAccounts())

    def close(self) -> None:
        """End the connection at once, whatever still waits to be sent."""
        transport = self.conn.transport
        if transport is not None:
            transport.abort()
        self._sender.disconnect()


class _Chunks:
    """What the vendor's client expects beside its decoder."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def connectAck(self) -> None:  # noqa: N802 - the vendor's name
        """Take in that the versions are agreed on."""

    def setEventsDone(self) -> None:  # noqa: N802 - the vendor's name
        """Take in that the connection is gone."""

    def connectionClosed(self) -> None:  # noqa: N802 - the vendor's name
        """Take in that the connection is gone."""

    def tcpDataProcessed(self) -> None:  # noqa: N802 - the vendor's name
        self._inbox.on_chunk()


def _contract_of(row: ContractRow) -> Any:
    """Return a contract as the vendor's client sends it."""
    native = Contract(
        conId=row.con_id,
        symbol=row.symbol,
        secType=row.sec_type,
        lastTradeDateOrContractMonth=row.expiry,
        right=row.right,
        multiplier=row.multiplier,
        exchange=row.exchange,
        primaryExchange=row.primary,
        currency=row.currency,
        localSymbol=row.local_symbol,
        tradingClass=row.trading_class,
    )
    if row.strike:
        native.strike = row.strike  # type: ignore[assignment] # a text, so that its digits stay
    exchange = row.exchange
    native.comboLegs = [
        ComboLeg(
            conId=leg.con_id,
            ratio=leg.ratio,  # type: ignore[arg-type] # a text, so that its digits stay
            action=leg.action,
            exchange=exchange,
        )
        for leg in row.legs
    ]
    return native
