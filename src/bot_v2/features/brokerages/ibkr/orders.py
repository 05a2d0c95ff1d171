"""Orders: placed, changed, cancelled, tried out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidRequestError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_changes import OrderModification, OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.account_mapping import margin_of_order, summary_from_native
from bot_v2.features.brokerages.ibkr.contract_mapping import COMBINATION, SMART
from bot_v2.features.brokerages.ibkr.error_table import Sense, row_of
from bot_v2.features.brokerages.ibkr.errors import NativeError
from bot_v2.features.brokerages.ibkr.instruments import Instrument
from bot_v2.features.brokerages.ibkr.order_edits import living, modify, why_not_cancelled
from bot_v2.features.brokerages.ibkr.order_mapping import (
    GROUP_CANCELS,
    NATIVE_SIDES,
    exits_to_native,
    order_to_native,
)
from bot_v2.features.brokerages.ibkr.order_reads import (
    all_orders,
    perm_id_of,
)
from bot_v2.features.brokerages.ibkr.order_writes import Cancel
from bot_v2.features.brokerages.ibkr.reads import (
    IbkrReads,
    account_values,
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
            row = await living(attempt, perm_id, account_id)
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
                return await why_not_cancelled(attempt, perm_id, account_id, error, self._clock)

        return self._session.run(call, work)

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Send a live order again with other terms; it keeps its id."""
        call = self._call("modify_order", is_write=True, order_id=order_id)
        account_id = self._session.account_id(call.operation)
        refuse_unsupported_change(modification, call)

        async def work(attempt: Attempt) -> OrderResult:
            perm_id = perm_id_of(order_id, call)
            lock = attempt.gateway.changing
            async with asyncio.timeout_at(attempt.deadline):
                await lock.acquire()
            try:
                return await modify(attempt, perm_id, account_id, modification, self._clock)
            finally:
                lock.release()

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
