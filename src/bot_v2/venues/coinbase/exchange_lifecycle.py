"""The life of orders, as the channels `full` and `user` of the Exchange API tell it.

Source: https://docs.cdp.coinbase.com/exchange/websocket-feed/channels#full-channel
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.exchange_orders import DONE_REASONS, ExchangeOrders
from bot_v2.venues.coinbase.sequences import Sequences
from bot_v2.venues.coinbase.texts import moment_text, padded
from bot_v2.venues.ids import seeded_uuid
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
OPPOSITE: Final = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}


@attrs.frozen
class Said:
    """A message about an order."""

    product_id: str
    """The product."""
    record: Record
    """What it says to everybody."""
    private: Record
    """What it says beside that to whom the order is of."""


class Lifecycle:
    """Puts what happens to orders into messages. Its methods want the venue's lock held.

    Args:
        state: the venue.
        account: the account that trades.
        orders: knows what orders were placed with.
        product_ids: the product's id of each symbol.
        sequences: numbers the messages.
        profile_id: the profile that owns everything.
        user_id: whose it is.
        seed: what the ids of the market's own orders are drawn from.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        orders: ExchangeOrders,
        product_ids: Mapping[str, str],
        sequences: Sequences,
        profile_id: str,
        user_id: str,
        seed: int,
    ) -> None:
        """Start with nothing said."""
        self._state = state
        self._account = account
        self._orders = orders
        self._product_ids = product_ids
        self._sequences = sequences
        self._owner: Record = {"profile_id": profile_id, "user_id": user_id}
        self._seed = seed
        self._stage: dict[str, str] = {}

    def said(self, events: Sequence[OrderEvent]) -> list[Said]:
        """Return what there is to say of some events, in order."""
        told: list[Said] = []
        for event in events:
            told += self._event(event)
        # What rests after all of it is on the book now.
        for order_id in dict.fromkeys(event.order.order_id for event in events):
            order = self._account.engine.get_order(order_id)
            is_resting = order.status in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)
            if is_resting and self._stage.get(order_id) == "received":
                told.append(self._open(order))
        return told

    def _event(self, event: OrderEvent) -> list[Said]:
        order, told = event.order, []
        stage = self._stage.get(order.order_id)
        if stage is None and order.status is OrderStatus.PENDING:
            return []
        if stage is None and order.type is OrderType.STOP_LIMIT and event.fill is None:
            if order.status in LIVE_STATUSES:
                self._stage[order.order_id] = "activated"
                return [self._activate(order)]
        elif stage in (None, "activated"):
            self._stage[order.order_id] = "received"
            told.append(self._received(order))
        if event.fill is not None and event.fill.corrects is None:
            told.append(self._match(order, event.fill))
        if order.status in ENDED_STATUSES and self._stage.get(order.order_id) != "done":
            self._stage[order.order_id] = "done"
            told.append(self._done(order))
        return told

    def _message(self, kind: str, order: Order, fields: Record, private: Record) -> Said:
        product_id = self._product_ids[order.symbol]
        record: Record = {
            "type": kind,
            "side": (order.side or OrderSide.BUY).value,
            "product_id": product_id,
            "time": self._now(),
            "sequence": self._sequences.next(product_id),
            **fields,
        }
        return Said(product_id, record, {**self._owner, **private})

    def _received(self, order: Order) -> Said:
        placed = self._orders.placed.get(order.order_id)
        funds = order.notional if placed is None else placed.funds
        fields: Record = {
            "order_id": order.order_id,
            "order_type": "market" if order.type is OrderType.MARKET else "limit",
        }
        if funds is not None:
            fields["funds"] = padded(funds, 8)
        elif order.quantity is not None:
            fields["size"] = padded(order.quantity, 8)
        if order.price is not None:
            fields["price"] = padded(order.price, 8)
        client_oid = None if placed is None else placed.client_oid
        return self._message(
            "received", order, fields, {} if client_oid is None else {"client_oid": client_oid}
        )

    def _open(self, order: Order) -> Said:
        self._stage[order.order_id] = "open"
        fields: Record = {
            "order_id": order.order_id,
            "price": padded(order.price or ZERO, 8),
            "remaining_size": padded(_left(order), 8),
        }
        return self._message("open", order, fields, {})

    def _done(self, order: Order) -> Said:
        reason = DONE_REASONS.get(order.status, "canceled")
        fields: Record = {"order_id": order.order_id, "reason": reason}
        if order.type is not OrderType.MARKET:
            fields |= {
                "price": padded(order.price or ZERO, 8),
                "remaining_size": padded(_left(order), 8),
            }
        is_timed = order.status is OrderStatus.EXPIRED
        private: Record = {"cancel_reason": "101:Time In Force"} if is_timed else {}
        return self._message("done", order, fields, private)

    def _match(self, order: Order, fill: Fill) -> Said:
        product_id, is_maker = self._product_ids[order.symbol], fill.liquidity is Liquidity.MAKER
        other = seeded_uuid(self._seed, "resting", product_id, fill.price)
        role = "maker" if is_maker else "taker"
        rates = self._account.engine.get_fees(order.symbol)
        rate = rates.maker if is_maker else rates.taker
        fields: Record = {
            "trade_id": self._number(fill),
            "maker_order_id": fill.order_id if is_maker else other,
            "taker_order_id": other if is_maker else fill.order_id,
            # The maker's side.
            "side": (fill.side if is_maker else OPPOSITE[fill.side]).value,
            "size": padded(fill.quantity, 8),
            "price": padded(fill.price, 8),
            "time": moment_text(fill.timestamp, self._state.skew),
        }
        private: Record = {
            f"{role}_user_id": self._owner["user_id"],
            f"{role}_profile_id": self._owner["profile_id"],
            f"{role}_fee_rate": padded(rate or ZERO, 4),
        }
        return self._message("match", order, fields, private)

    def _activate(self, order: Order) -> Said:
        product_id, now = self._product_ids[order.symbol], self._state.clock() + self._state.skew
        side = order.side or OrderSide.BUY
        record: Record = {
            "type": "activate",
            "product_id": product_id,
            "timestamp": f"{now.timestamp():.6f}",
            "order_id": order.order_id,
            "stop_type": "entry" if side is OrderSide.BUY else "loss",
            "side": side.value,
            "stop_price": padded(order.stop_price or ZERO, 8),
            "size": padded(order.quantity or ZERO, 8),
            "private": True,
        }
        return Said(product_id, record, dict(self._owner))

    def _number(self, fill: Fill) -> int:
        """Return the id of a trade, as the list of executions has it."""
        fills = self._account.fills()
        return next(number for number in range(len(fills), 0, -1) if fills[number - 1] == fill)

    def _now(self) -> str:
        return moment_text(self._state.clock(), self._state.skew)


def _left(order: Order) -> Decimal:
    return max(EXACT.subtract(order.quantity or ZERO, order.filled_quantity), ZERO)
