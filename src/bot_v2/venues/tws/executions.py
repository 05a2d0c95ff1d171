"""Executions: their ids, and the profit that those make which close something."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.simulation.accounting import without_zeros
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.tickets import Execution, Ticket, TicketBook

ZERO: Final = Decimal(0)
PLACES: Final = 24
"""Decimal places of a mean that no decimal states exactly."""


def mean(value: Decimal, quantity: Decimal) -> Decimal:
    """Return value over quantity: exactly where that is possible, else to 24 places."""
    if not quantity:
        return ZERO
    return without_zeros(divide(value, quantity, PLACES, Rounding.HALF_EVEN))


class Executions:
    """Makes the broker's executions of the engine's fills.

    Args:
        tickets: where they are kept.
        prefix: what their ids begin with.
    """

    def __init__(self, tickets: TicketBook, prefix: str) -> None:
        """Start with the first id."""
        self._tickets = tickets
        self._prefix = prefix
        self._count = 0
        self._by_trade: dict[str, Execution] = {}
        self._held: dict[tuple[str, int], tuple[Decimal, Decimal]] = {}
        self._parts: dict[Ticket, dict[str, tuple[Decimal, Decimal]]] = {}

    def cost_of(self, account: str, listing: Listing) -> Decimal | None:
        """Return what a unit that an account holds has cost on average. None: it holds none."""
        held, cost = self._held.get((account, listing.con_id), (ZERO, ZERO))
        return mean(cost, held) if held else None

    def average_of(self, ticket: Ticket, fill: Fill) -> Decimal:
        """Return the mean price of an order's fills, with one that is new or corrects another."""
        parts = self._parts.setdefault(ticket, {})
        parts.pop(fill.corrects or "", None)
        parts[fill.trade_id] = (fill.quantity, fill.price)
        total = value = ZERO
        for quantity, price in parts.values():
            total = EXACT.add(total, quantity)
            value = EXACT.add(value, EXACT.multiply(quantity, price))
        return mean(value, total)

    def next_base(self) -> str:
        """Return what the ids of the executions of one trade begin with."""
        self._count += 1
        return f"{self._prefix}.{self._count:08x}"

    def of_fill(
        self, ticket: Ticket, listing: Listing, fill: Fill, total: Decimal, average: Decimal
    ) -> Execution:
        """Return the execution of a fill, or of what corrects one; it is kept."""
        replaced = self._by_trade.get(fill.corrects or "")
        exec_id = f"{self.next_base()}.01.01" if replaced is None else _next_id(replaced.exec_id)
        return self.keep(
            self._make(ticket, listing, fill, exec_id, total, average, replaced),
            fill.trade_id,
        )

    def of_leg(
        self, ticket: Ticket, listing: Listing, fill: Fill, base: str, number: int
    ) -> Execution:
        """Return the execution of a leg of a combination; it is kept."""
        exec_id = f"{base}.{number + 1:02d}.01"
        made = self._make(ticket, listing, fill, exec_id, fill.quantity, fill.price)
        return self.keep(made, fill.trade_id)

    def keep(self, execution: Execution, trade_id: str = "") -> Execution:
        """Keep an execution."""
        self._tickets.executions.append(execution)
        if trade_id:
            self._by_trade[trade_id] = execution
        return execution

    def trade_of(self, exec_id: str) -> str | None:
        """Return the engine's id of an execution. None: there is none, or it was replaced."""
        for trade_id, one in self._by_trade.items():
            if one.exec_id == exec_id:
                return trade_id
        return None

    def _make(
        self,
        ticket: Ticket,
        listing: Listing,
        fill: Fill,
        exec_id: str,
        total: Decimal,
        average: Decimal,
        replaced: Execution | None = None,
    ) -> Execution:
        gain = self._settle(ticket.account, listing, fill) if replaced is None else None
        if replaced is not None:
            self._replace(ticket.account, listing, replaced, fill)
        fee = fill.fee or ZERO
        return Execution(
            exec_id=exec_id,
            ticket=ticket,
            listing=listing,
            moment=fill.timestamp,
            buys=fill.side is OrderSide.BUY,
            shares=fill.quantity,
            price=fill.price,
            total=total,
            average=average,
            liquidity=fill.liquidity,
            commission=fee,
            currency=fill.fee_currency or listing.currency,
            realized=None if gain is None else EXACT.subtract(gain, fee),
        )

    def _replace(self, account: str, listing: Listing, replaced: Execution, fill: Fill) -> None:
        """Let a correction stand in the position and its cost instead of what it corrects."""
        held, cost = self._held.get((account, listing.con_id), (ZERO, ZERO))
        sign = Decimal(1) if replaced.buys else Decimal(-1)
        before = EXACT.multiply(replaced.shares, replaced.price)
        more = EXACT.subtract(EXACT.multiply(fill.quantity, fill.price), before)
        moved = EXACT.subtract(fill.quantity, replaced.shares)
        self._held[(account, listing.con_id)] = (
            EXACT.add(held, EXACT.multiply(sign, moved)),
            EXACT.add(cost, EXACT.multiply(sign, more)),
        )

    def _settle(self, account: str, listing: Listing, fill: Fill) -> Decimal | None:
        """Move the position and its cost; return the profit before fees. None: it only opened."""
        key = (account, listing.con_id)
        held, cost = self._held.get(key, (ZERO, ZERO))
        signed = fill.quantity if fill.side is OrderSide.BUY else fill.quantity.copy_negate()
        if not held or (held > 0) is (signed > 0):
            worth = EXACT.multiply(signed, fill.price)
            self._held[key] = (EXACT.add(held, signed), EXACT.add(cost, worth))
            return None
        closed = min(held.copy_abs(), signed.copy_abs())
        part = divide(EXACT.multiply(cost, closed), held.copy_abs(), PLACES, Rounding.HALF_EVEN)
        worth = EXACT.multiply(closed if held > 0 else closed.copy_negate(), fill.price)
        rest = EXACT.add(held, signed)
        if rest and (rest > 0) is (held > 0):
            self._held[key] = (rest, EXACT.subtract(cost, part))
        else:
            self._held[key] = (rest, EXACT.multiply(rest, fill.price))
        gain = EXACT.multiply(EXACT.subtract(worth, part), listing.product.multiplier)
        return gain.normalize(EXACT)


def combo_execution(
    ticket: Ticket, base: str, legs: list[Execution], units: Decimal, price: Decimal
) -> Execution:
    """Return the execution of a combination as a whole; nothing is charged for it."""
    view = ticket.view
    total = EXACT.add(view.filled, units)
    value = EXACT.add(EXACT.multiply(view.filled, view.average), EXACT.multiply(units, price))
    return Execution(
        exec_id=f"{base}.01.01",
        ticket=ticket,
        listing=None,
        moment=legs[0].moment,
        buys=ticket.text("action").upper() == "BUY",
        shares=units,
        price=price,
        total=total,
        average=mean(value, total),
        liquidity=None,
    )


def _next_id(exec_id: str) -> str:
    base, _, last = exec_id.rpartition(".")
    return f"{base}.{int(last) + 1:02d}"
