"""Orders: placed, changed, cancelled, tried out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    CancelRejectedError,
    ErrorContext,
    InvalidRequestError,
    ModifyRejectedError,
    OrderNotFoundError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_changes import OrderModification, OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.account_mapping import margin_of_order, summary_from_native
from bot_v2.features.brokerages.ibkr.contract_mapping import COMBINATION, SMART
from bot_v2.features.brokerages.ibkr.error_table import Sense, row_of
from bot_v2.features.brokerages.ibkr.errors import NativeError
from bot_v2.features.brokerages.ibkr.instruments import Instrument
from bot_v2.features.brokerages.ibkr.order_mapping import (
    ENDS,
    GROUP_CANCELS,
    NATIVE_SIDES,
    change_to_native,
    exits_to_native,
    order_to_native,
)
from bot_v2.features.brokerages.ibkr.order_reads import (
    all_orders,
    one_order,
    orders_of,
    read_ended,
    read_live,
)
from bot_v2.features.brokerages.ibkr.order_writes import Cancel, Change
from bot_v2.features.brokerages.ibkr.reads import (
    IbkrReads,
    account_values,
    not_found,
    perm_id_of,
    position_in,
)
from bot_v2.features.brokerages.ibkr.sending import (
    Outgoing,
    order_of_write,
    place_all,
    preview,
    send_one,
)
from bot_v2.features.brokerages.ibkr.session import Attempt
from bot_v2.features.brokerages.ibkr.terms import refuse_unsupported, refuse_unsupported_change
from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    LegRow,
    MarginRow,
    OrderRow,
    number_or_none,
)

ZERO: Final = Decimal(0)


class IbkrOrders(IbkrReads):
    """Sends orders."""

    idempotency: IdempotencyProfile

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once; a bracket's exits leave with it."""
        ref = order_request.client_order_id or self._ids()
        call = self._call(
            "place_order", is_write=True, symbol=order_request.symbol, client_order_id=ref
        )
        account_id = self._checked(call, order_request, ref)

        async def work(attempt: Attempt) -> OrderResult:
            contract = await self._contract_of(attempt, order_request)
            fields = order_to_native(order_request, ref, account_id)
            exits = exits_to_native(order_request, account_id)
            orders = [Outgoing(contract, fields, is_held=bool(exits))]
            for place, one in enumerate(exits, start=1):
                orders.append(Outgoing(contract, one, is_child=True, is_held=place < len(exits)))
            return await self._place(attempt, orders, ref)

        return self._session.run(call, work)

    def place_oco(
        self, first: OrderRequest, second: OrderRequest
    ) -> tuple[OrderResult, OrderResult]:
        """Send two orders of one group: a fill of either cancels the other."""
        refs = [one.client_order_id or self._ids() for one in (first, second)]
        call = self._call("place_oco", is_write=True, symbol=first.symbol, client_order_id=refs[0])
        account_id = ""
        for request, ref in zip((first, second), refs, strict=True):
            account_id = self._checked(call, request, ref)
            if request.take_profit is not None or request.stop_loss is not None:
                raise UnsupportedOperationError("an order of a pair has no exits", **call.context())
        group = f"oco-{self.idempotency.make_id()}"

        async def work(attempt: Attempt) -> tuple[OrderResult, OrderResult]:
            orders = []
            for request, ref in zip((first, second), refs, strict=True):
                contract = await self._contract_of(attempt, request)
                fields = order_to_native(request, ref, account_id)
                fields |= {"ocaGroup": group, "ocaType": GROUP_CANCELS}
                orders.append(Outgoing(contract, fields))
            one, other = await place_all(attempt, orders)
            return (
                self._result(attempt, one, refs[0]),
                self._result(attempt, other, refs[1]),
            )

        return self._session.run(call, work)

    def close_position(self, symbol: str) -> OrderResult:
        """Send a market order for what is held, less what orders that live would close."""
        ref = self._ids()
        call = self._call("close_position", is_write=True, symbol=symbol, client_order_id=ref)
        account_id = self._session.account_id(call.operation)

        async def work(attempt: Attempt) -> OrderResult:
            instrument = await attempt.instruments.find(symbol, attempt.deadline)
            request = await self._closing(attempt, instrument, account_id)
            fields = order_to_native(request, ref, account_id)
            return await self._place(attempt, [Outgoing(instrument.contract, fields)], ref)

        return self._session.run(call, work)

    def cancel_order(self, order_id: str) -> bool:
        """Ask for a cancel; False when the order had ended."""
        call = self._call("cancel_order", is_write=True, order_id=order_id)
        account_id = self._session.account_id(call.operation)

        async def work(attempt: Attempt) -> bool:
            perm_id = perm_id_of(order_id, call)
            row = await self._living(attempt, perm_id, account_id)
            if row is None:
                return False
            try:
                return await send_one(
                    attempt,
                    Cancel(row.order_id),
                    lambda client: client.cancel(row.order_id),
                    is_urgent=True,
                )
            except NativeError as error:
                known = row_of(error.code)
                if known is None or known.sense is not Sense.NOT_CANCELLED:
                    raise
                return await self._why_not_cancelled(attempt, perm_id, account_id, error)

        return self._session.run(call, work)

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Send a live order again with other terms; it keeps its id."""
        call = self._call("modify_order", is_write=True, order_id=order_id)
        account_id = self._session.account_id(call.operation)
        refuse_unsupported_change(modification, call)

        async def work(attempt: Attempt) -> OrderResult:
            perm_id = perm_id_of(order_id, call)
            async with attempt.gateway.changing:
                return await self._modify(attempt, perm_id, account_id, modification)

        return self._session.run(call, work)

    def preview_order(self, order_request: OrderRequest) -> OrderPreview:
        """Return what would be sent, and what it would cost; nothing is placed."""
        ref = order_request.client_order_id or self._ids()
        call = self._call("preview_order", symbol=order_request.symbol, client_order_id=ref)
        account_id = self._checked(call, order_request, ref)

        async def work(attempt: Attempt) -> OrderPreview:
            contract = await self._contract_of(attempt, order_request)
            fields = order_to_native(order_request, ref, account_id)
            row = await preview(attempt, Outgoing(contract, fields))
            return attempt.read(
                lambda: _preview_of(
                    attrs.evolve(order_request, client_order_id=ref), contract, fields, row
                )
            )

        return self._session.run(call, work)

    def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """Return the account's margin as the order would make it; nothing is placed."""
        ref = order_request.client_order_id or self._ids()
        call = self._call("get_order_margin", symbol=order_request.symbol, client_order_id=ref)
        account_id = self._checked(call, order_request, ref)

        async def work(attempt: Attempt) -> Margin:
            contract = await self._contract_of(attempt, order_request)
            fields = order_to_native(order_request, ref, account_id)
            row = await preview(attempt, Outgoing(contract, fields))
            values = await account_values(attempt, account_id)
            return attempt.read(
                lambda: margin_of_order(row, summary_from_native(values, account_id).currency)
            )

        return self._session.run(call, work)

    # How orders are sent.

    def _checked(self, call: Call, request: OrderRequest, ref: str) -> str:
        """Check what can be told without a contract, and return the account."""
        account_id = self._session.account_id(call.operation)
        self.idempotency.check_id(ref)
        if request.account_id not in (None, account_id):
            raise InvalidRequestError(f"the account is {account_id}", **call.context())
        refuse_unsupported(request, call)
        return account_id

    async def _contract_of(self, attempt: Attempt, request: OrderRequest) -> ContractRow:
        """Return what is traded, once the request fits it."""
        instrument = await attempt.instruments.find(request.symbol, attempt.deadline)
        if not request.legs:
            check_order_request(instrument.product, request)
            return instrument.contract
        legs = [
            (await attempt.instruments.find(leg.symbol, attempt.deadline), leg)
            for leg in request.legs
        ]
        exchanges = {found.contract.exchange for found, _ in legs}
        return ContractRow(
            symbol=instrument.contract.symbol,
            sec_type=COMBINATION,
            exchange=exchanges.pop() if len(exchanges) == 1 else SMART,
            currency=instrument.contract.currency,
            legs=tuple(
                LegRow(
                    con_id=found.contract.con_id,
                    ratio=str(int(leg.ratio)),
                    action=NATIVE_SIDES[leg.side],
                )
                for found, leg in legs
            ),
        )

    async def _place(self, attempt: Attempt, orders: Sequence[Outgoing], ref: str) -> OrderResult:
        writes = await place_all(attempt, orders)
        return self._result(attempt, writes[0], ref)

    def _result(self, attempt: Attempt, write: Any, ref: str) -> OrderResult:
        return OrderResult(
            success=True,
            order_id=str(write.perm_id),
            client_order_id=ref,
            order=order_of_write(attempt, write, self._clock),
            message="; ".join(f"{note.code} {note.text}" for note in write.notes),
        )

    async def _closing(
        self, attempt: Attempt, instrument: Instrument, account_id: str
    ) -> OrderRequest:
        """Return the order that closes what is held and not being closed already."""
        symbol, context = instrument.product.symbol, attempt.call.context()
        context["outcome"] = Outcome.NOT_SENT
        held = await position_in(attempt, instrument, account_id)
        if held is None:
            raise InvalidRequestError(f"there is no position in {symbol}", **context)
        side = OrderSide.SELL if held.side is PositionSide.LONG else OrderSide.BUY
        live = await all_orders(attempt, account_id, self._clock)
        closing = ZERO
        for order in live:
            if order.symbol == symbol and order.side is side and not order.legs:
                rest = ZERO if order.status in ENDED_STATUSES else order.remaining_quantity
                closing = EXACT.add(closing, rest or ZERO)
        quantity = EXACT.subtract(held.quantity, closing)
        if quantity <= 0:
            raise InvalidRequestError(
                f"orders that live would close all of the position in {symbol}: cancel them first",
                **context,
            )
        return OrderRequest(symbol=symbol, side=side, quantity=quantity, type=OrderType.MARKET)

    # Orders that live.

    async def _living(self, attempt: Attempt, perm_id: int, account_id: str) -> OrderRow | None:
        """Return an order of this client that lives, as far as is known. None: it has ended.

        Raises:
            OrderNotFoundError: there is none of that id.
            CancelRejectedError: another client placed it.
        """
        context = attempt.call.context()
        context["outcome"] = Outcome.NOT_SENT
        memory = attempt.gateway.inbox.memory
        row, status = memory.rows.get(perm_id), memory.statuses.get(perm_id)
        native = "" if row is None else row.status if status is None else status.status
        if row is None or native in ENDS:
            row = (await read_live(attempt)).orders.get(perm_id)
        if row is None:
            ended = (await read_ended(attempt)).get(perm_id)
            if ended is None or ended.account != account_id:
                raise OrderNotFoundError(not_found(attempt.call).message, **context)
            return None
        if row.account != account_id:
            raise OrderNotFoundError(not_found(attempt.call).message, **context)
        if row.client_id != self.settings.client_id:
            raise CancelRejectedError(_OF_ANOTHER.format(row.client_id), **context)
        return row

    async def _why_not_cancelled(
        self, attempt: Attempt, perm_id: int, account_id: str, refusal: NativeError
    ) -> bool:
        """Find out what became of an order of which TWS says that it cannot be cancelled."""
        attempt.was_sent = False
        context: ErrorContext = attempt.call.context()
        context["outcome"] = Outcome.REJECTED
        context["code"] = str(refusal.code)
        order = await one_order(attempt, perm_id, account_id, self._clock)
        if order is None:
            raise OrderNotFoundError(refusal.text, **context)
        if order.status in ENDED_STATUSES:
            return False
        if order.status is OrderStatus.PENDING_CANCEL:
            return True
        raise CancelRejectedError(refusal.text, **context)

    async def _modify(
        self, attempt: Attempt, perm_id: int, account_id: str, change: OrderModification
    ) -> OrderResult:
        context = attempt.call.context()
        context["outcome"] = Outcome.NOT_SENT
        live = await read_live(attempt)
        row = live.orders.get(perm_id)
        if row is None or row.account != account_id:
            ended = (await read_ended(attempt)).get(perm_id)
            if ended is None or ended.account != account_id:
                raise OrderNotFoundError(not_found(attempt.call).message, **context)
            raise ModifyRejectedError(f"the order is {ended.status}", **context)
        if row.client_id != self.settings.client_id:
            raise ModifyRejectedError(_OF_ANOTHER.format(row.client_id), **context)
        (order,) = await orders_of(attempt, [row], live.statuses, account_id, self._clock)
        await self._check_change(attempt, order, change)
        fields = change_to_native(row, change)
        native = attempt.gateway.inbox.native[perm_id]
        write = Change(row.order_id, fields)
        await send_one(attempt, write, lambda client: client.change(row.order_id, native, fields))
        return OrderResult(
            success=True,
            order_id=order.order_id,
            client_order_id=order.client_order_id or order.order_id,
            order=order_of_write(attempt, write, self._clock),
        )

    async def _check_change(
        self, attempt: Attempt, order: Order, change: OrderModification
    ) -> None:
        """Check the order as it would be.

        Raises:
            InvalidFieldError: it makes no sense, or does not fit the product.
            UnsupportedOperationError: it is of a type that is not known here.
        """
        if order.type is OrderType.OTHER or order.side is None:
            raise UnsupportedOperationError(
                "an order of a type that is not known here cannot be changed",
                **attempt.call.context(),
            )
        time = change.time_in_force or order.time_in_force
        is_dated = time is TimeInForce.GTD
        trails = order.type is OrderType.TRAILING_STOP
        percent = change.trail_percent or order.metadata.get("trail_percent")
        amount = change.trail_amount or order.metadata.get("trail_amount")
        is_percent = isinstance(percent, Decimal) and change.trail_amount is None
        asked = OrderRequest(
            symbol=order.symbol,
            side=order.side,
            quantity=change.quantity or order.quantity,
            type=order.type,
            price=change.price if change.price is not None else order.price,
            stop_price=change.stop_price
            if change.stop_price is not None or trails
            else order.stop_price,
            trail_percent=percent
            if trails and is_percent and isinstance(percent, Decimal)
            else None,
            trail_amount=amount
            if trails and not is_percent and isinstance(amount, Decimal)
            else None,
            time_in_force=time,
            expires_at=(change.expires_at or order.expires_at) if is_dated else change.expires_at,
        )
        if not order.legs:
            instrument = await attempt.instruments.find(order.symbol, attempt.deadline)
            check_order_request(instrument.product, asked)


_OF_ANOTHER: Final = (
    "the order was placed by client id {}, and TWS lets nobody else cancel or change it: "
    "set IBKR_CLIENT_ID to that"
)


def _preview_of(
    request: OrderRequest, contract: ContractRow, fields: dict[str, object], row: MarginRow
) -> OrderPreview:
    sent = {"conId": contract.con_id, "symbol": contract.symbol, "exchange": contract.exchange}
    value = None
    if request.price is not None and request.quantity is not None and not request.legs:
        multiplier = number_or_none(contract.multiplier) or Decimal(1)
        value = EXACT.multiply(EXACT.multiply(request.quantity, request.price), multiplier)
    return OrderPreview(
        order_request=request,
        native_request=json.dumps({**sent, **fields}),
        estimated_value=value,
        estimated_fee=number_or_none(row.commission),
        warnings=(row.warning,) if row.warning else (),
    )
