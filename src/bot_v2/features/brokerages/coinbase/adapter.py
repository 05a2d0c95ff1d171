"""CoinbaseBrokerage: IBrokerage and its capabilities over Advanced Trade v3."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from bot_v2.features.brokerages.coinbase import mapping, order_mapping, order_wire, terms
from bot_v2.features.brokerages.coinbase.base import read_for
from bot_v2.features.brokerages.coinbase.client import CANCELS
from bot_v2.features.brokerages.coinbase.decoding import MalformedError
from bot_v2.features.brokerages.coinbase.error_table import Place
from bot_v2.features.brokerages.coinbase.errors import (
    error_of_cancel,
    error_of_edit,
    error_of_failure,
    error_of_words,
)
from bot_v2.features.brokerages.coinbase.market import API
from bot_v2.features.brokerages.coinbase.reads import AdvancedReads
from bot_v2.features.brokerages.coinbase.stream import AdvancedOrders, AdvancedQuotes
from bot_v2.features.brokerages.core.account_summary import AccountRef
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.declarations import CloseGuard, OrderHistory, Retention
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    CancelRejectedError,
    InvalidRequestError,
    ModifyRejectedError,
    OrderNotFoundError,
    Outcome,
    PermissionDeniedError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.idempotency import (
    DuplicateBehaviour,
    IdempotencyProfile,
    IdempotencyScope,
)
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_changes import OrderModification, OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.streaming.feed import Talk
from bot_v2.features.brokerages.streaming.orders import OrderDesk

if TYPE_CHECKING:
    from coinbase.rest import RESTClient

_T = TypeVar("_T")


class CoinbaseBrokerage(AdvancedReads):
    """An account on Advanced Trade; see the README beside this file."""

    capabilities: frozenset[Capability] = frozenset(
        {
            Capability.ORDER_LOOKUP,
            Capability.FILLS,
            Capability.ACCOUNT_SUMMARY,
            Capability.ORDER_MODIFICATION,
            Capability.ORDER_PREVIEW,
            Capability.QUOTES,
            Capability.TRADES,
            Capability.CANDLES,
            Capability.QUOTE_STREAM,
            Capability.ORDER_STREAM,
            Capability.ACCOUNTS,
            Capability.FEES,
            Capability.BRACKET,
            Capability.FRACTIONAL_QUANTITY,
            Capability.NOTIONAL_ORDERS,
        }
    )
    unsupported: Final = frozenset({"get_orderbook:level>=3"})
    idempotency: IdempotencyProfile = IdempotencyProfile(
        scope=IdempotencyScope.FOREVER,
        on_duplicate=DuplicateBehaviour.RETURNS_ORIGINAL,
        max_length=128,
        visibility_lag_s=2.0,
    )
    close_guard: Final = CloseGuard.ATOMIC
    balance_identity: Final = True
    spot_as_positions: Final = False
    place: Place = Place.API

    @property
    def order_history(self) -> OrderHistory:
        """For how many days orders are listed; the broker keeps them for longer."""
        return OrderHistory(retention=Retention.DAYS, days=self.settings.history_days)

    @property
    def native(self) -> RESTClient:
        """The vendor's client, for what is not covered here; using it voids what is promised.

        It signs and addresses by itself, speaks https alone, and sends by the transport of this
        brokerage: it verifies, keeps its time-outs, and sends no write twice.
        """
        return self._client.native()

    # Accounts.

    def list_accounts(self) -> list[AccountRef]:
        """Return the portfolio that the key is bound to: a key opens one only."""
        call = self._call("list_accounts")
        bound = self._session.account_id(call.operation)
        listed = self._portfolios(call)
        return [mapping.account_from_native(one) for one in listed if one.uuid == bound]

    def for_account(self, account_id: str) -> IBrokerage:
        """Return another brokerage of the bound portfolio; any other needs a key of its own."""
        call = self._call("for_account")
        if account_id != self._session.account_id(call.operation):
            raise PermissionDeniedError(
                f"the key is bound to one portfolio, which is not {account_id!r}: "
                "make a key of that portfolio",
                **call.context(),
            )
        return type(self)(self.settings, clock=self._clock, ids=self._ids)

    # Orders.

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once."""
        ref = order_request.client_order_id or self._ids()
        call = self._call(
            "place_order", is_write=True, symbol=order_request.symbol, client_order_id=ref
        )
        self._session.opened(call.operation)
        self.idempotency.check_id(ref)
        _, product_id = self._prepare(call, order_request, terms.ADVANCED, terms.ADVANCED_OPTIONS)
        body = order_mapping.order_to_native(order_request, product_id, ref)
        return self._send_order(call, f"{API}/orders", body, ref)

    def preview_order(self, order_request: OrderRequest) -> OrderPreview:
        """Return what would be sent, and what it would cost; nothing is placed."""
        ref = order_request.client_order_id or self._ids()
        call = self._call("preview_order", symbol=order_request.symbol, client_order_id=ref)
        self._session.opened(call.operation)
        asked = attrs.evolve(order_request, client_order_id=ref)
        return self._preview(
            call,
            asked,
            ref,
            lambda native, sent: order_mapping.preview_from_native(native, asked, sent),
        )

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change price or quantity of a limit order GTC; it keeps its id."""
        call = self._call("modify_order", is_write=True, order_id=order_id)
        self._session.opened(call.operation)
        terms.refuse_unsupported_change(modification, call)
        order = self._order(read_for(call), order_id)
        changed = self._changed(order, modification, call)
        body = order_mapping.edit_to_native(order_id, *changed)

        def read(native: order_wire.EditReply, reply: Reply) -> OrderResult:
            if not native.success:
                raise error_of_edit(native, call, reply)
            return OrderResult(
                success=True,
                order_id=order_id,
                client_order_id=order.client_order_id or order_id,
            )

        return self._session.ask(
            call, "POST", f"{API}/orders/edit", order_wire.EditReply, read, body=body
        )

    def cancel_order(self, order_id: str) -> bool:
        """Ask for a cancel; False when the order had ended."""
        call = self._call("cancel_order", is_write=True, order_id=order_id, endpoint=CANCELS)
        self._session.opened(call.operation)
        if not order_id.strip():
            raise InvalidRequestError("order_id is blank", **call.context())

        def read(native: order_wire.CancelReply, reply: Reply) -> BrokerageError | None:
            found = [one for one in native.results if one.order_id == order_id]
            if not found:
                raise MalformedError("the order is not among the results")
            return None if found[0].success else error_of_cancel(found[0], call, reply)

        refusal = self._session.ask(
            call,
            "POST",
            f"{API}/orders/batch_cancel",
            order_wire.CancelReply,
            read,
            body={"order_ids": [order_id]},
        )
        return refusal is None or self._is_pending_cancel(call, order_id, refusal)

    def close_position(self, symbol: str) -> OrderResult:
        """Have the broker close a perpetual position, with an order of its own."""
        ref = self._ids()
        call = self._call("close_position", is_write=True, symbol=symbol, client_order_id=ref)
        product, product_id = self._find(call, symbol)
        if self._position_in(read_for(call), product) is None:
            raise InvalidRequestError(f"there is no position in {symbol}", **call.context())
        body = {"client_order_id": ref, "product_id": product_id}
        return self._send_order(call, f"{API}/orders/close_position", body, ref)

    # Streams.

    def _quotes_talk(self, call: Call, symbols: Mapping[str, str]) -> Talk[QuoteEvent]:
        return AdvancedQuotes(call, symbols, self._clock)

    def _orders_talk(self, call: Call, desk: OrderDesk) -> Talk[OrderEvent]:
        self._instruments.current(call)
        account_id = self._session.account_id(call.operation)
        sign = self._session.subscription
        return AdvancedOrders(call, sign, desk, self._instruments, account_id, self._clock)

    # How orders are sent and read.

    def _preview(
        self,
        call: Call,
        order_request: OrderRequest,
        ref: str,
        take: Callable[[order_wire.Preview, str], _T],
    ) -> _T:
        """Have the broker look at an order; return what is made of its word, and what is sent."""
        _, product_id = self._prepare(call, order_request, terms.ADVANCED, terms.ADVANCED_OPTIONS)
        body = order_mapping.order_to_native(order_request, product_id, ref)

        def read(native: order_wire.Preview, reply: Reply) -> _T:
            if native.errs:
                message = f"the preview refuses: {', '.join(native.errs)}"
                raise error_of_words(Place.PLACEMENT, native.errs, message, call, reply)
            return take(native, json.dumps(body))

        previewed = {name: value for name, value in body.items() if name != "client_order_id"}
        return self._session.ask(
            call, "POST", f"{API}/orders/preview", order_wire.Preview, read, body=previewed
        )

    def _send_order(
        self, call: Call, path: str, body: Mapping[str, object], ref: str
    ) -> OrderResult:
        def read(native: order_wire.OrderReply, reply: Reply) -> OrderResult:
            if not native.success:
                raise error_of_failure(native.error_response, call, reply)
            taken = native.success_response
            order_id = (taken.order_id if taken else "") or native.order_id
            if not order_id:
                raise MalformedError("a success without an order id")
            return OrderResult(success=True, order_id=order_id, client_order_id=ref)

        return self._session.ask(call, "POST", path, order_wire.OrderReply, read, body=body)

    def _is_pending_cancel(self, call: Call, order_id: str, refusal: BrokerageError) -> bool:
        """Find out why a cancel was refused: one code means both "ended" and "never was"."""
        if not isinstance(refusal, CancelRejectedError):
            raise refusal
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

    def _changed(
        self, order: Order, change: OrderModification, call: Call
    ) -> tuple[Decimal, Decimal]:
        """Return the quantity and the price that an order is to have."""
        context = call.context()
        if order.status in ENDED_STATUSES:
            context["outcome"] = Outcome.NOT_SENT
            raise ModifyRejectedError(f"the order is {order.status.name}", **context)
        quantity = change.quantity or order.quantity
        price = change.price if change.price is not None else order.price
        is_limit = order.type is OrderType.LIMIT and order.time_in_force is TimeInForce.GTC
        if not is_limit or order.side is None or quantity is None or price is None:
            raise UnsupportedOperationError(
                "only a LIMIT order that works until cancelled can be changed", **context
            )
        product, _ = self._find(call, order.symbol)
        if product.market_type is not MarketType.SPOT:
            raise UnsupportedOperationError("Coinbase changes no orders of contracts", **context)
        asked = OrderRequest(
            symbol=order.symbol,
            side=order.side,
            type=OrderType.LIMIT,
            quantity=quantity,
            price=price,
        )
        check_order_request(product, asked)
        return quantity, price
