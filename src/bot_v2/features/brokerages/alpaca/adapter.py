"""AlpacaBrokerage: IBrokerage and its capabilities over Alpaca's trading and market data APIs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from bot_v2.features.brokerages.alpaca import order_mapping, order_to_native, order_wire, terms
from bot_v2.features.brokerages.alpaca.base import ORDERS, POSITIONS, read_for, segment
from bot_v2.features.brokerages.alpaca.client import CANCELS
from bot_v2.features.brokerages.alpaca.decoding import ZERO, MalformedError, decode
from bot_v2.features.brokerages.alpaca.instruments import asset_id_of, class_and_native
from bot_v2.features.brokerages.alpaca.margin import margin_with
from bot_v2.features.brokerages.alpaca.streams import AlpacaStreams
from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.declarations import CloseGuard, OrderHistory, Retention
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    CancelRejectedError,
    InvalidRequestError,
    OrderNotFoundError,
    OrderRejectedError,
    Outcome,
)
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderType
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.http.calls import Call, Reply

NO_CONTENT: Final = 204
"""The status of a cancel that was taken."""


class AlpacaBrokerage(AlpacaStreams):
    """An account at Alpaca; see the README beside this file."""

    capabilities: Final = frozenset(
        {
            Capability.ORDER_LOOKUP,
            Capability.FILLS,
            Capability.ACCOUNT_SUMMARY,
            Capability.MARGIN,
            Capability.ORDER_MODIFICATION,
            Capability.QUOTES,
            Capability.TRADES,
            Capability.CANDLES,
            Capability.OPTION_CHAINS,
            Capability.SYMBOL_SEARCH,
            Capability.MARKET_STATUS,
            Capability.ORDER_STREAM,
            Capability.QUOTE_STREAM,
            Capability.OCO,
            Capability.BRACKET,
            Capability.TRAILING_STOP,
            Capability.MULTI_LEG,
            Capability.EXTENDED_HOURS,
            Capability.FRACTIONAL_QUANTITY,
            Capability.NOTIONAL_ORDERS,
        }
    )
    unsupported: Final = frozenset({"get_orderbook:level>=3"})
    close_guard: Final = CloseGuard.ATOMIC
    balance_identity: Final = False
    spot_as_positions: Final = True

    @property
    def order_history(self) -> OrderHistory:
        """For how many days orders are listed; the broker keeps them for longer."""
        return OrderHistory(retention=Retention.DAYS, days=self.settings.history_days)

    # Orders.

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once."""
        ref = order_request.client_order_id or self._ids()
        call = self._call(
            "place_order", is_write=True, symbol=order_request.symbol, client_order_id=ref
        )
        body = self._body_of(call, order_request, ref)
        return self._place(call, "POST", ORDERS, body, ref)

    def place_oco(
        self, first: OrderRequest, second: OrderRequest
    ) -> tuple[OrderResult, OrderResult]:
        """Place the two exits of a position as one write: a fill of either cancels the other.

        One is a LIMIT order, and has our client id; the other a STOP or STOP_LIMIT, whose client
        id Alpaca makes. Their results come in the order of the arguments.
        """
        limit_id = first if first.type is OrderType.LIMIT else second
        ref = limit_id.client_order_id or self._ids()
        call = self._call("place_oco", is_write=True, symbol=first.symbol, client_order_id=ref)
        account_id = self._require_account(call, first, second)
        profit, stop = terms.exits_of(first, second, call)
        self.idempotency.check_id(ref)
        product = self._find(call, profit.symbol)
        other = self._find(call, stop.symbol)
        if other.symbol != product.symbol:
            raise InvalidRequestError(
                f"{product.symbol} and {other.symbol}: Alpaca links exits of one position only",
                **call.context(),
            )
        for one in (profit, stop):
            self._check(call, one, product)
            terms.refuse_unlinkable_time(one, product.market_type, call)
        body = order_to_native.oco_to_native(profit, stop, class_and_native(product)[1], ref)

        def read(reply: Reply) -> tuple[OrderResult, OrderResult]:
            native = decode(reply.body, order_wire.Order)
            orders = order_mapping.orders_from_natives([native], account_id)
            _refuse_rejected(orders, call, reply)
            if len(orders) != 2:
                raise MalformedError(f"{len(orders)} orders instead of two")
            taken, held = (_result_of(one) for one in orders)
            return (taken, held) if profit is first else (held, taken)

        return self._session.ask(call, "POST", ORDERS, read, body=body)

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Replace a live order by a new one, whose id the result tells.

        Alpaca takes the request first and replaces then: until it has, the old order is live and
        may be filled, and the new one is rejected if it was. The new one is for the whole of the
        quantity that it asks for, whatever the old one has filled, so that part is left out here;
        what is filled between the read of it and the change is not known to either.
        """
        ref = modification.client_order_id or self._ids()
        call = self._call("modify_order", is_write=True, order_id=order_id, client_order_id=ref)
        account_id = self._session.account_id(call.operation)
        self.idempotency.check_id(ref)
        terms.refuse_unsupported_change(modification, call)
        order = self._order(read_for(call), order_id)
        self._check_change(call, order, modification)
        quantity = terms.quantity_to_ask(order, modification, call)
        body = order_to_native.change_to_native(modification, quantity, ref)

        def read(reply: Reply) -> OrderResult:
            native = decode(reply.body, order_wire.Order)
            return _result_of(order_mapping.order_from_native(native, account_id))

        path = f"{ORDERS}/{segment('order_id', order_id)}"
        return self._session.ask(call, "PATCH", path, read, body=body)

    def cancel_order(self, order_id: str) -> bool:
        """Ask for a cancel; False when the order had ended."""
        call = self._call("cancel_order", is_write=True, order_id=order_id, endpoint=CANCELS)
        path = f"{ORDERS}/{segment('order_id', order_id)}"
        try:
            return self._session.ask(call, "DELETE", path, _require_nothing)
        except CancelRejectedError as refusal:
            return self._is_pending_cancel(call, order_id, refusal)

    def close_position(self, symbol: str) -> OrderResult:
        """Have the broker close a position, with an order of its own."""
        call = self._call("close_position", is_write=True, symbol=symbol)
        product = self._find(call, symbol)
        if self._position_in(read_for(call), product) is None:
            raise InvalidRequestError(f"there is no position in {symbol}", **call.context())
        path = f"{POSITIONS}/{segment('symbol', asset_id_of(product))}"
        return self._place(call, "DELETE", path, None, None)

    def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """Return the margin of the account as the order would make it: an estimate by the rules."""
        call = self._call("get_order_margin", symbol=order_request.symbol)
        self._require_account(call, order_request)
        if order_request.legs:
            raise InvalidRequestError(
                "the margin of several legs is not one of their sum: Alpaca tells none",
                **call.context(),
            )
        product = self._find(call, order_request.symbol)
        self._check(call, order_request, product)
        margin = self.get_margin()
        position = self._position_in(call, product)
        held = ZERO if position is None else position.quantity
        if position is not None and position.side is PositionSide.SHORT:
            held = -held
        price = order_request.price
        if price is None:
            price = self.get_price(order_request.symbol)
        at = price
        return self._exactly(call, lambda: margin_with(margin, product, order_request, at, held))

    # How orders are checked, sent and read.

    def _require_account(self, call: Call, *requests: OrderRequest) -> str:
        account_id = self._session.account_id(call.operation)
        for request in requests:
            if request.account_id not in (None, account_id):
                raise InvalidRequestError(f"the account is {account_id}", **call.context())
        return account_id

    def _check(self, call: Call, request: OrderRequest, product: Product) -> None:
        terms.refuse_unsupported(request, product.market_type, terms.REFUSALS, call)
        check_order_request(product, request)

    def _body_of(self, call: Call, request: OrderRequest, ref: str) -> Mapping[str, object]:
        """Return the body of a request that everything known was checked of."""
        self._require_account(call, request)
        self.idempotency.check_id(ref)
        if not request.legs:
            product = self._find(call, request.symbol)
            self._check(call, request, product)
            native = class_and_native(product)[1]
            return order_to_native.order_to_native(request, native, product.market_type, ref)
        terms.refuse_unsupported(request, MarketType.OPTION, terms.LEG_REFUSALS, call)
        natives = []
        for leg in request.legs:
            product = self._find(call, leg.symbol)
            if product.market_type is not MarketType.OPTION:
                raise InvalidRequestError(f"{leg.symbol} is no option", **call.context())
            natives.append(class_and_native(product)[1])
        return order_to_native.legs_to_native(request, tuple(natives), ref)

    def _check_change(self, call: Call, order: Order, change: OrderModification) -> None:
        """Check new prices and a new quantity against the steps of what is traded."""
        if change.price is None and change.stop_price is None and change.quantity is None:
            return
        if order.legs or order.side is None or order.type is OrderType.OTHER:
            return
        product = self._find(call, order.symbol)
        whole = change.quantity or order.quantity
        asked = OrderRequest(
            symbol=order.symbol,
            side=order.side,
            type=_KINDS[change.price is not None, change.stop_price is not None],
            quantity=whole,
            notional=order.notional if whole is None else None,
            price=change.price,
            stop_price=change.stop_price,
        )
        check_order_request(product, asked)

    def _place(
        self,
        call: Call,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        ref: str | None,
    ) -> OrderResult:
        account_id = self._session.account_id(call.operation)

        def read(reply: Reply) -> OrderResult:
            try:
                native = decode(reply.body, order_wire.Order)
                order = order_mapping.order_from_native(native, account_id)
            except (ValueError, ArithmeticError):
                # The order was taken, if its id is told; what else is told can be read later.
                taken = decode(reply.body, order_wire.Taken)
                if not taken.id:
                    raise
                result = taken.client_order_id or ref or taken.id
                return OrderResult(success=True, order_id=taken.id, client_order_id=result)
            _refuse_rejected([order], call, reply)
            return _result_of(order, ref)

        return self._session.ask(call, method, path, read, body=body)

    def _is_pending_cancel(self, call: Call, order_id: str, refusal: BrokerageError) -> bool:
        """Find out why a cancel was refused: one code means "ended" and "not now"."""
        try:
            order = self._order(attrs.evolve(call, is_write=False, endpoint=""), order_id)
        except OrderNotFoundError as error:
            error.outcome = Outcome.REJECTED
            raise
        except BrokerageError as error:
            raise refusal from error
        if order.status in ENDED_STATUSES:
            return False
        if order.status is OrderStatus.PENDING_CANCEL:
            return True
        raise refusal


_KINDS: Final = {
    # whether there is a new price, whether there is a new trigger: a type that has just these
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}


def _require_nothing(reply: Reply) -> bool:
    """Return True: the cancel was taken, which is told by one status alone.

    Raises:
        MalformedError: it is some other page.
    """
    if reply.status != NO_CONTENT:
        raise MalformedError(f"a cancel that is taken is answered by a {NO_CONTENT}")
    return True


def _result_of(order: Order, ref: str | None = None) -> OrderResult:
    client_id = order.client_order_id or ref or order.order_id
    return OrderResult(
        success=True, order_id=order.order_id, client_order_id=client_id, order=order
    )


def _refuse_rejected(orders: list[Order], call: Call, reply: Reply) -> None:
    """Raise where a 2xx tells an order that was refused already."""
    for order in orders:
        if order.status is OrderStatus.REJECTED:
            context = call.context()
            context["order_id"] = order.order_id
            context["http_status"] = reply.status
            context["code"] = order.native_status
            message = f"Alpaca took the order {order.order_id}, and rejected it"
            raise OrderRejectedError(message, reason=message, **context)
