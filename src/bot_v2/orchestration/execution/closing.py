"""Closing a position by an order of our own, journalled like any other."""

from __future__ import annotations

from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_to_text
from bot_v2.features.brokerages.core.declarations import CloseGuard, close_guard_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.execution.context import ExecutionContext, failure
from bot_v2.orchestration.execution.fingerprint import ZERO
from bot_v2.orchestration.execution.placing import Placer
from bot_v2.orchestration.execution.reading import read, read_held, signed_quantity, sum_exact


class Closer:
    """Closes positions, and never turns one by a second order of ours.

    Args:
        context: the account.
        placer: places the order.
    """

    def __init__(self, context: ExecutionContext, placer: Placer) -> None:
        """Close nothing yet."""
        self._context = context
        self._placer = placer

    def close(self, symbol: str) -> OrderResult:
        """Close a position; see `OrderExecutor.close_position`."""
        context = self._context
        client_order_id = context.new_id()
        try:
            product = read("get_product", lambda: context.broker.get_product(symbol))
        except BrokerageError as error:
            return failure(client_order_id, error)
        with context.runtime.guard(("close", product.symbol)):
            try:
                position = self._read_position(product.symbol)
                request = self._request(product.symbol, client_order_id, position)
            except BrokerageError as error:
                return failure(client_order_id, error)
            result = self._placer.submit(request, None)
            if request.reduce_only and isinstance(result.error, UnsupportedOperationError):
                # The broker's guard is its own close, which cannot be journalled: ours is the
                # fresh read of a moment ago.
                unguarded = attrs.evolve(
                    request, reduce_only=False, client_order_id=context.new_id()
                )
                return self._placer.submit(unguarded, None)
            return result

    def close_part(
        self,
        symbol: str,
        client_order_id: str,
        *,
        side: OrderSide,
        at_most: Decimal,
        is_guarded: bool,
    ) -> OrderResult:
        """Close part of a position, never more than there is less what live orders close.

        Args:
            symbol: the product, canonical.
            client_order_id: the id to place the order under.
            side: which way to trade; a position that this would not reduce is left alone.
            at_most: how much to close, in order units.
            is_guarded: False: the broker takes no reduce-only orders.
        """
        context = self._context
        with context.runtime.guard(("close", symbol)):
            try:
                product = read("get_product", lambda: context.broker.get_product(symbol))
                position = read_held(context.broker, symbol)
                if position is None:
                    raise InvalidRequestError(f"nobody says what is held of {symbol}")
                request = self._request(product.symbol, client_order_id, position)
                if request.side is not side:
                    raise InvalidRequestError(
                        f"a {side.value} would not reduce the position of "
                        f"{decimal_to_text(position)} {symbol}"
                    )
                # What is held can be less than was bought, by a fee in the asset itself.
                quantity = min(request.quantity or ZERO, at_most)
                quantity = quantize_quantity(product, quantity, Rounding.DOWN)
                if not quantity:
                    raise InvalidRequestError(f"less than one step of {symbol} is left to close")
                request = attrs.evolve(
                    request, quantity=quantity, reduce_only=request.reduce_only and is_guarded
                )
            except BrokerageError as error:
                return failure(client_order_id, error)
            return self._placer.submit(request, None)

    def _read_position(self, symbol: str) -> Decimal:
        # Where there are several buckets the read says so: which one to close is not ours to say.
        held = read("get_position", lambda: self._context.broker.get_position(symbol))
        return ZERO if held is None else signed_quantity(held)

    def _request(self, symbol: str, client_order_id: str, position: Decimal) -> OrderRequest:
        if not position:
            raise InvalidRequestError(f"there is no position in {symbol} to close", symbol=symbol)
        side = OrderSide.SELL if position > ZERO else OrderSide.BUY
        rest = EXACT.subtract(abs(position), self._closing(symbol, side))
        if rest <= ZERO:
            raise InvalidRequestError(
                f"orders that live, or may, already close the {decimal_to_text(abs(position))} of "
                f"{symbol}",
                symbol=symbol,
            )
        return OrderRequest(
            symbol=symbol,
            side=side,
            quantity=rest,
            reduce_only=close_guard_of(self._context.broker) is CloseGuard.ATOMIC,
            client_order_id=client_order_id,
        )

    def _closing(self, symbol: str, side: OrderSide) -> Decimal:
        """Return how much is being sold (or bought back) by orders that live, or may live."""
        context = self._context
        by_group: dict[str, Decimal] = {}
        for order in read("list_orders", context.broker.list_orders):
            if (order.symbol, order.side) != (symbol, side) or order.status not in LIVE_STATUSES:
                continue
            # Of orders that cancel one another, one alone is filled.
            group = order.group_id or order.order_id
            rest = order.remaining_quantity or ZERO
            by_group[group] = max(by_group.get(group, ZERO), rest)
        total = sum_exact(list(by_group.values()))
        for state in context.journal.list_open(context.scope):
            request = state.intent.request
            if not state.is_unsettled or request is None or state.intent.symbol != symbol:
                continue
            if request.side is side:
                total = EXACT.add(total, request.quantity or ZERO)
        return total
