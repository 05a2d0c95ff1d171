"""What the engine keeps of orders, fills, positions and prices: flat, mutable and small.

A core model checks every field whenever it is built; the engine changes an order many times and
shows it now and then. Records hold plain values only (text, Decimal, datetime, enum, bool, None),
so that a journal can write each as one row.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

import attrs

from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)

ZERO: Final = Decimal(0)


@attrs.define(kw_only=True, weakref_slot=False)
class OrderRecord:
    """An order as the engine keeps it; every field is persisted."""

    order_id: str
    """The engine's id."""
    client_order_id: str | None
    """The caller's id. None: an exit of a bracket, which the engine placed."""
    number: int
    """The order's place in the account, counted from 1: larger is newer."""
    symbol: str
    """The product."""
    side: OrderSide
    """Buy or sell."""
    type: OrderType
    """How it finds its price."""
    time_in_force: TimeInForce
    """How long it works."""
    status: OrderStatus
    """Where it is in its life."""
    created_at: datetime
    """When it was placed."""
    updated_at: datetime
    """When it last changed."""
    quantity: Decimal | None = None
    """How much was ordered, in order units. None: a notional order that is not complete."""
    notional: Decimal | None = None
    """How much was ordered, in quote currency. None: `quantity` says it."""
    price: Decimal | None = None
    """The limit. None: it has none."""
    stop_price: Decimal | None = None
    """The trigger as it stands now. None: it has none, or a trail that has seen no price."""
    trail_amount: Decimal | None = None
    """How far the trigger follows, in quote currency. None: it does not, or by percent."""
    trail_percent: Decimal | None = None
    """How far the trigger follows, in percent. None: it does not, or by an amount."""
    trail_extreme: Decimal | None = None
    """The best price that the trail has seen. None: no trail, or no price yet."""
    expires_at: datetime | None = None
    """When it ends by time (GTD, or the session's end for DAY). None: never."""
    position_effect: PositionEffect | None = None
    """Whether it opens or closes. None: not said."""
    post_only: bool = False
    """True: it never takes liquidity."""
    reduce_only: bool = False
    """True: it never opens or turns a position."""
    extended_hours: bool = False
    """True: it also works outside the session."""
    take_profit_price: Decimal | None = None
    """The limit of the profitable exit that its fill brings to life. None: no such exit."""
    stop_loss_price: Decimal | None = None
    """The trigger of the protective exit that its fill brings to life. None: no such exit."""
    stop_loss_limit: Decimal | None = None
    """The limit of the protective exit. None: none, or a market order once triggered."""
    parent_order_id: str | None = None
    """The order whose fill brought it to life. None: it stands alone."""
    group_id: str | None = None
    """What it shares with the order that one-cancels-other ties it to. None: with none."""
    status_reason: str | None = None
    """Why it ended as it did. None: nothing to say."""
    filled_quantity: Decimal = ZERO
    """How much was filled, in order units."""
    filled_value: Decimal = ZERO
    """The sum of quantity x price over its fills: the mean price is this over the quantity."""
    fees: Decimal = ZERO
    """What was charged so far, in the product's fee currency."""
    fees_before_minimum: Decimal = ZERO
    """What would have been charged so far without the least charge of an order."""
    hold: Decimal = ZERO
    """What is set aside for it, in units of `hold_asset`."""
    hold_asset: str = ""
    """The asset that is set aside; a security's own symbol when the security is."""
    arrived_at: datetime | None = None
    """When it reached the market. None: it is on its way."""
    due_at: datetime | None = None
    """When it reaches the market. None: it did."""
    cancel_at: datetime | None = None
    """When its cancel reaches the market. None: no cancel is on its way."""
    triggered: bool = False
    """True: its stop price was reached, and it now is a market or a limit order."""
    priority: int = 0
    """Its place in the queue of its price: smaller is earlier. 0: it waits in no queue."""


@attrs.define(kw_only=True, weakref_slot=False)
class FillRecord:
    """An execution as the engine keeps it; never changed once booked."""

    trade_id: str
    """The engine's id of the execution, and of its transaction in the ledger."""
    order_id: str
    """The order that was filled."""
    symbol: str
    """The product."""
    side: OrderSide
    """Which way the account traded."""
    quantity: Decimal
    """How much, in order units."""
    price: Decimal
    """At what price, in quote currency per unit."""
    fee: Decimal
    """What was charged, in the product's fee currency; negative is a rebate."""
    liquidity: Liquidity
    """Whether the order waited in the book."""
    timestamp: datetime
    """When it was executed."""
    cost_change: Decimal | None
    """What it changed of the position's cost. None: the position's cost is not known."""
    corrects: str | None = None
    """The trade_id whose place this takes. None: it is no correction."""
    busted: bool = False
    """True: the execution named by `corrects` was cancelled; nothing replaces it."""


@attrs.define(kw_only=True, weakref_slot=False)
class PositionRecord:
    """An exposure as the engine keeps it, one per asset of the ledger that is no cash."""

    asset: str
    """The coin of a pair, or the symbol of a security or a derivative."""
    symbol: str
    """The product that it is shown under: a coin's is the one by which it was opened."""
    quantity: Decimal = ZERO
    """How much, in order units; negative is short, zero is flat."""
    cost: Decimal | None = ZERO
    """What it cost, in the currency of the symbol's value; negative when short. None: not known."""


@attrs.define(kw_only=True, weakref_slot=False)
class MarkRecord:
    """The latest prices of a product."""

    symbol: str
    """The product."""
    timestamp: datetime
    """As of when."""
    bid: Decimal | None = None
    """The best bid. None: none known."""
    ask: Decimal | None = None
    """The best ask. None: none known."""
    last: Decimal | None = None
    """The latest trade's price. None: none known."""
    halted: bool = False
    """True: trading in the product is suspended."""


class LedgerEntry(NamedTuple):
    """One side of a transaction; the entries of a transaction sum to zero for each asset."""

    transaction: str
    """The trade_id of the fill, or what else moved the money."""
    account: str
    """Whose: see `ledger`."""
    asset: str
    """Of what."""
    amount: Decimal
    """How much; negative leaves the account."""


class BalanceRecord(NamedTuple):
    """What an account of the ledger has of an asset: the sum of its entries."""

    account: str
    """Whose: see `ledger`."""
    asset: str
    """Of what."""
    amount: Decimal
    """How much."""
