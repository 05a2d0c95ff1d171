"""What the streams say and our words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from heapq import heapify, heappop, heappush
from typing import Final

import attrs

from bot_v2.features.brokerages.coinbase import exchange_mapping, stream_wire
from bot_v2.features.brokerages.coinbase import exchange_stream_wire as exchange
from bot_v2.features.brokerages.coinbase.decoding import (
    ZERO,
    MalformedError,
    moment,
    moment_or_none,
    number,
    number_or_none,
    number_or_zero,
    positive_or_none,
)
from bot_v2.features.brokerages.coinbase.mapping import Names
from bot_v2.features.brokerages.coinbase.order_mapping import (
    SIDES,
    TIMES_IN_FORCE,
    TYPES,
    status_from_native,
)
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.orders import Fee, Order

SPARE_MAX: Final = 1024
"""How many prices that are gone a side of a book may hold on to, beside as many as it has."""


# Orders of Advanced Trade.


def order_from_update(
    native: stream_wire.UserOrder, known: Order | None, names: Names, account_id: str
) -> Order:
    """Return an order as a message tells it; what the message leaves out is as it was known.

    The stream says neither when an order changed nor what it was placed as. What remains of it is
    told in the currency that it was placed in, so it is a quantity only where that is known.
    """
    base = known or _unknown_order(native, names, account_id)
    filled = number_or_zero(native.cumulative_quantity)
    status = status_from_native(native.status, filled)
    currency = names.quote_of(native.product_id)
    fee = number_or_none(native.total_fees)
    return attrs.evolve(
        base,
        status=status,
        native_status=native.status,
        status_reason=native.cancel_reason or native.reject_reason or base.status_reason,
        quantity=_quantity_of(native, base, filled, status),
        price=positive_or_none(native.limit_price) or base.price,
        stop_price=positive_or_none(native.stop_price) or base.stop_price,
        filled_quantity=filled,
        average_fill_price=positive_or_none(native.avg_price) if filled else None,
        fees=None if fee is None or currency is None else (Fee(currency=currency, amount=fee),),
        updated_at=None,
    )


def _quantity_of(
    native: stream_wire.UserOrder, base: Order, filled: Decimal, status: OrderStatus
) -> Decimal | None:
    left = number_or_none(native.leaves_quantity)
    is_live = status in LIVE_STATUSES and status is not OrderStatus.UNKNOWN
    # A change of the order shows in what is left of it; an end leaves nothing, whatever was asked.
    if base.quantity is not None and is_live and left:
        return EXACT.add(filled, left)
    return base.quantity


def _unknown_order(native: stream_wire.UserOrder, names: Names, account_id: str) -> Order:
    kind = TYPES.get(native.order_type.upper().replace(" ", "_"), OrderType.OTHER)
    filled, left = (
        number_or_zero(native.cumulative_quantity),
        number_or_zero(native.leaves_quantity),
    )
    # A limit order is placed in the base currency, a market order in either.
    is_sized = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    total = EXACT.add(filled, left) if is_sized else ZERO
    is_whole = left > 0 or native.status == "FILLED"
    time_in_force = TIMES_IN_FORCE.get(native.time_in_force, TimeInForce.OTHER)
    extras = {}
    if kind is OrderType.OTHER:
        extras["configuration"] = native.order_type
    if time_in_force is TimeInForce.OTHER:
        extras["time_in_force"] = native.time_in_force
    return Order(
        order_id=native.order_id,
        client_order_id=native.client_order_id or None,
        symbol=names.symbol_of(native.product_id),
        side=SIDES.get(native.order_side),
        type=kind,
        status=OrderStatus.UNKNOWN,
        native_status=native.status,
        quantity=total if total > 0 and is_whole else None,
        time_in_force=time_in_force,
        expires_at=moment_or_none(native.end_time),
        filled_quantity=ZERO,
        timestamp=moment_or_none(native.creation_time),
        account_id=account_id,
        metadata=extras,
    )


# Orders of the Exchange API.


def order_from_received(native: exchange.OrderMessage, names: Names, account_id: str) -> Order:
    """Return an order that was just taken, by the message that says so."""
    kind = exchange_mapping.TYPES.get(native.order_type, OrderType.OTHER)
    return Order(
        order_id=native.order_id,
        client_order_id=exchange_mapping.client_id_from_native(native.client_oid),
        symbol=names.symbol_of(native.product_id),
        side=exchange_mapping.SIDES.get(native.side),
        type=kind,
        status=OrderStatus.PENDING,
        native_status=native.type,
        quantity=positive_or_none(native.size),
        notional=None if native.size else positive_or_none(native.funds),
        price=None if kind is OrderType.MARKET else positive_or_none(native.price),
        time_in_force=TimeInForce.IOC if kind is OrderType.MARKET else TimeInForce.OTHER,
        filled_quantity=ZERO,
        timestamp=moment_or_none(native.time),
        account_id=account_id,
        metadata={"type": native.order_type} if kind is OrderType.OTHER else {},
    )


def order_after_message(native: exchange.OrderMessage, known: Order) -> Order:
    """Return an order after the message that it is open or done, which the broker forgets then."""
    if native.type == "done":
        status = exchange_mapping.ENDS.get(native.reason, OrderStatus.UNKNOWN)
        return attrs.evolve(
            known,
            status=status,
            native_status=native.type,
            status_reason=native.reason or None,
            updated_at=moment_or_none(native.time),
        )
    if native.type == "open":
        live = OrderStatus.PARTIALLY_FILLED if known.filled_quantity else OrderStatus.OPEN
        return attrs.evolve(known, status=live, native_status=native.type)
    return known


def fills_from_match(native: exchange.OrderMessage, names: Names, account_id: str) -> list[Fill]:
    """Return our part of a trade: both, where both orders were ours.

    Raises:
        MalformedError: its side is neither.
    """
    maker = exchange_mapping.SIDES.get(native.side)
    if maker is None:
        raise MalformedError(f"side is {native.side!r}, not one of {', '.join(SIDES)}")
    taker = OrderSide.SELL if maker is OrderSide.BUY else OrderSide.BUY
    parts = (
        (native.maker_profile_id, native.maker_order_id, maker, Liquidity.MAKER),
        (native.taker_profile_id, native.taker_order_id, taker, Liquidity.TAKER),
    )
    return [
        Fill(
            trade_id=str(native.trade_id),
            order_id=order_id,
            symbol=names.symbol_of(native.product_id),
            side=side,
            quantity=number(native.size),
            price=number(native.price or ""),
            liquidity=liquidity,
            timestamp=moment(native.time),
            account_id=account_id,
        )
        for profile_id, order_id, side, liquidity in parts
        if profile_id == account_id and order_id
    ]


# Best prices.


class BookSide:
    """The sizes at the prices of one side of a book, and the best of them.

    Args:
        is_bid: whether the highest price is the best one.
    """

    def __init__(self, *, is_bid: bool) -> None:
        """Start empty."""
        self._is_bid = is_bid
        self._sizes: dict[Decimal, Decimal] = {}
        # Prices by their goodness; those that are gone are passed over when they come to the top.
        self._heap: list[Decimal] = []

    def set(self, price: Decimal, size: Decimal) -> None:
        """Set what is on offer at a price; zero: nothing."""
        if size <= 0:
            self._sizes.pop(price, None)
            return
        if price not in self._sizes:
            heappush(self._heap, self._turned(price))
        self._sizes[price] = size
        if len(self._heap) > 2 * len(self._sizes) + SPARE_MAX:
            self._heap = [self._turned(one) for one in self._sizes]
            heapify(self._heap)

    def best(self) -> tuple[Decimal | None, Decimal | None]:
        """Return the best price and its size. None, None: there is nothing."""
        while self._heap:
            price = self._turned(self._heap[0])
            if price in self._sizes:
                return price, self._sizes[price]
            heappop(self._heap)
        return None, None

    def _turned(self, price: Decimal) -> Decimal:
        # Not by arithmetic, which would round.
        return price.copy_negate() if self._is_bid else price


Changes = Iterable[tuple[str, str, str]]
"""Side, price and size of each price that changed, in the broker's words."""


class BestPrices:
    """The best prices of one product, out of its streamed book.

    Args:
        sides: what the two sides are called: True for bids.
    """

    def __init__(self, sides: Mapping[str, bool]) -> None:
        """Start without a book."""
        self._names = sides
        self._sides: dict[bool, BookSide] | None = None
        self._told: tuple[Decimal | None, ...] | None = None

    @property
    def has_book(self) -> bool:
        """Whether a whole book came."""
        return self._sides is not None

    def start(self, changes: Changes) -> None:
        """Take a whole book."""
        self._sides = {True: BookSide(is_bid=True), False: BookSide(is_bid=False)}
        self.change(changes)

    def change(self, changes: Changes) -> None:
        """Take what changed of it.

        Raises:
            MalformedError: there is no book yet, or no such side.
        """
        if self._sides is None:
            raise MalformedError("a change of a book that was not told")
        for side, price, size in changes:
            is_bid = self._names.get(side)
            if is_bid is None:
                raise MalformedError(f"side is {side!r}, not one of {', '.join(self._names)}")
            self._sides[is_bid].set(number(price), number(size))

    def news(self, symbol: str, time: str) -> Quote | None:
        """Return the best prices as of a moment. None: they are as they were told last.

        Raises:
            MalformedError: the moment cannot be read, or bid and ask cross.
        """
        if self._sides is None:
            return None
        told = (*self._sides[True].best(), *self._sides[False].best())
        if told == self._told:
            return None
        bid, bid_size, ask, ask_size = told
        if bid is not None and ask is not None and bid > ask:
            raise MalformedError(f"the bid {bid} is above the ask {ask}")
        quote = Quote(
            symbol=symbol,
            timestamp=moment(time),
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
        )
        self._told = told
        return quote
