"""What a position is made of: what there was at first, and each order's executions since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, decimal_to_text
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.fingerprint import ZERO, signed
from bot_v2.orchestration.execution.reading import sum_exact
from bot_v2.orchestration.journal.journal import Opening, OrderJournal, Scope


class PartSource(StrEnum):
    """What a part of a position came of."""

    OPENING = "opening"
    """It was there when the journal began to follow the account, or was accepted since."""
    OURS = "ours"
    """Executions of an order that was placed or adopted here."""
    FOREIGN = "foreign"
    """Executions of an order that was placed by somebody else."""
    UNLISTED = "unlisted"
    """An order shows that it was filled, and the broker lists no execution of it yet."""


@attrs.frozen(kw_only=True)
class PositionPart:
    """One part of a position."""

    source: PartSource
    """What it came of."""
    quantity: Decimal
    """How much it changed the position, signed, in order units."""
    order_id: str | None = None
    """The order. None: it came of none."""
    client_order_id: str | None = None
    """The caller's id of the order. None: it has none, or the broker does not say."""
    trade_ids: tuple[str, ...] = ()
    """The executions, oldest first."""

    def describe(self) -> str:
        """Return what the part came of, for a person."""
        if self.order_id is None:
            return "held when the journal began to follow it"
        named = "" if self.client_order_id is None else f" (client id {self.client_order_id})"
        said = f"order {self.order_id}{named}"
        if self.source is PartSource.UNLISTED:
            return f"{said} says so, and no execution is listed yet"
        owner = "" if self.source is PartSource.OURS else ", not placed here"
        word = "fill" if len(self.trade_ids) == 1 else "fills"
        return f"{said}{owner}: {word} {', '.join(self.trade_ids)}"


@attrs.frozen(kw_only=True)
class PositionStory:
    """A position, and what it is made of."""

    symbol: str
    """The product."""
    found: Decimal
    """What the broker says, signed, in order units."""
    expected: Decimal
    """What the opening and the listed executions make, signed, in order units."""
    unexplained: Decimal
    """What is left once every part is counted, signed, in order units."""
    opened_at: datetime
    """When the journal began to follow the account, or its positions were last accepted."""
    parts: tuple[PositionPart, ...]
    """What it is made of."""

    def tell(self) -> list[str]:
        """Return a line for each part, for a person."""
        counted = [part for part in self.parts if part.quantity] or self.parts[:1]
        amounts = [_plus(part.quantity) for part in counted]
        told = [part.describe() for part in counted]
        if self.unexplained:
            amounts.append(_plus(self.unexplained))
            told.append(UNEXPLAINED)
        width = max((len(amount) for amount in amounts), default=0)
        return [f"{amount:>{width}}  {said}" for amount, said in zip(amounts, told, strict=True)]


UNEXPLAINED = (
    "of no order or execution that the broker lists: a transfer, a split, an exercise, or "
    "executions still to appear"
)
"""What a rest can be."""


def tell_position(
    journal: OrderJournal,
    scope: Scope,
    opening: Opening,
    symbol: str,
    *,
    found: Decimal,
    fills: Iterable[Fill],
    orders: Iterable[Order],
) -> PositionStory:
    """Return what a position is made of.

    Args:
        journal: says whose the orders are.
        scope: the account.
        opening: what there was at first.
        symbol: the product.
        found: what the broker says of it.
        fills: the executions that hold, of any product, oldest first.
        orders: the orders that the broker lists, of any product.

    Raises:
        OrderJournalError: the journal cannot be read.
    """
    start = opening.positions.get(symbol, ZERO)
    parts = [PositionPart(source=PartSource.OPENING, quantity=start)]
    by_order: dict[str, list[Fill]] = {}
    for fill in fills:
        if fill.symbol == symbol:
            by_order.setdefault(fill.order_id, []).append(fill)
    for order_id, own in by_order.items():
        parts.append(_part_of_fills(journal, scope, order_id, own))
    expected = sum_exact([part.quantity for part in parts])
    if expected != found:
        parts += [
            part
            for order in orders
            if order.symbol == symbol and _counts_since(order, opening.at)
            for part in _part_unlisted(order, by_order)
        ]
    return PositionStory(
        symbol=symbol,
        found=found,
        expected=expected,
        unexplained=EXACT.subtract(found, sum_exact([part.quantity for part in parts])),
        opened_at=opening.at,
        parts=tuple(parts),
    )


def _part_of_fills(
    journal: OrderJournal, scope: Scope, order_id: str, fills: list[Fill]
) -> PositionPart:
    state = journal.find_by_order(scope, order_id)
    named = next((fill.client_order_id for fill in fills if fill.client_order_id), None)
    return PositionPart(
        source=PartSource.FOREIGN if state is None else PartSource.OURS,
        quantity=sum_exact([signed(fill.side, fill.quantity) for fill in fills]),
        order_id=order_id,
        client_order_id=named if state is None else state.intent.client_order_id,
        trade_ids=tuple(fill.trade_id for fill in fills),
    )


def _counts_since(order: Order, moment: datetime) -> bool:
    """Whether an order can have been filled after a moment."""
    latest = order.updated_at or order.timestamp
    return latest is None or latest >= moment or order.status in LIVE_STATUSES


def _part_unlisted(order: Order, by_order: Mapping[str, list[Fill]]) -> list[PositionPart]:
    """Return what an order was filled beyond its listed executions; nothing where that is none."""
    listed = sum_exact([fill.quantity for fill in by_order.get(order.order_id, ())])
    beyond = EXACT.subtract(order.filled_quantity, listed)
    if beyond <= ZERO or order.side is None or order.legs:
        return []
    return [
        PositionPart(
            source=PartSource.UNLISTED,
            quantity=signed(order.side, beyond),
            order_id=order.order_id,
            client_order_id=order.client_order_id,
        )
    ]


def _plus(amount: Decimal) -> str:
    text = decimal_to_text(amount)
    return f"+{text}" if amount > ZERO else text
