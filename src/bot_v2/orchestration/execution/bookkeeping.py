"""Executions, each booked once, and positions compared with what the executions make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.accounts import Position
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.declarations import spot_as_positions_of
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.orchestration.execution.context import ExecutionContext
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent
from bot_v2.orchestration.execution.fingerprint import ZERO, signed
from bot_v2.orchestration.execution.position_stories import PositionStory, tell_position
from bot_v2.orchestration.execution.reading import read, signed_quantity, sum_exact
from bot_v2.orchestration.execution.report import FailedRead, PositionDifference
from bot_v2.orchestration.journal.journal import Opening
from bot_v2.orchestration.journal.records import Entry, Phase

TRIES = 3
"""How often positions are read between two reads of executions that have to agree."""


def effective_fills(fills: Iterable[Fill]) -> list[Fill]:
    """Return the executions that hold: not those that were corrected or cancelled by the broker."""
    fills = list(fills)
    replaced = {(fill.symbol, fill.corrects) for fill in fills if fill.corrects is not None}
    return [
        fill for fill in fills if not fill.busted and (fill.symbol, fill.trade_id) not in replaced
    ]


def position_changes(fills: Iterable[Fill]) -> dict[str, Decimal]:
    """Return what executions did to each product's position, signed, in order units."""
    changes: dict[str, Decimal] = {}
    for fill in effective_fills(fills):
        before = changes.get(fill.symbol, ZERO)
        changes[fill.symbol] = EXACT.add(before, signed(fill.side, fill.quantity))
    return changes


def _by_symbol(positions: Iterable[Position]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for position in positions:
        before = found.get(position.symbol, ZERO)
        found[position.symbol] = EXACT.add(before, signed_quantity(position))
    return found


@attrs.frozen(kw_only=True)
class Comparison:
    """Positions, compared."""

    differences: tuple[PositionDifference, ...] = ()
    """Those that are not what the executions make of them."""
    tell_all: Callable[[], tuple[PositionStory, ...] | None] = lambda: None
    """Returns what each that was compared is made of. None: it is not agreed yet what there was at
    first, so that there was nothing to compare with."""


class Bookkeeper:
    """Books executions, and compares positions with them.

    Args:
        context: the account.
        before: told of executions that are about to be kept.
    """

    def __init__(self, context: ExecutionContext, before: Callable[[list[Fill]], object]) -> None:
        """Book nothing yet."""
        self._context = context
        self._before = before
        self._candidate: dict[str, Decimal] | None = None

    def book(self, failed: list[FailedRead]) -> list[Fill] | None:
        """Book the executions that are new. None: the broker lists none, or the read failed.

        The search begins before the latest one that is known by the margin of the clocks, since
        executions can appear late; what is known already is passed over by its trade id.
        """
        context = self._context
        source = context.fills
        if source is None:
            return None
        known = context.journal.list_fills(context.scope)
        since: datetime | None = None
        if known:
            since = known[-1].timestamp - context.settings.clock_margin
        try:
            fills = read("list_fills", lambda: source.list_fills(since))
        except BrokerageError as error:
            failed.append(FailedRead(method="list_fills", error=error))
            return None
        return self.keep(fills, known)

    def keep(self, fills: list[Fill], known: Iterable[Fill]) -> list[Fill]:
        """Keep executions, tell those that are new, and return them.

        Args:
            fills: what the broker tells.
            known: what is kept already, of their orders at least.
        """
        context = self._context
        keys = {(fill.symbol, fill.trade_id) for fill in known}
        news = [fill for fill in fills if (fill.symbol, fill.trade_id) not in keys]
        self._before(news)
        self._reopen_orders(news)
        new = context.journal.book_fills(context.scope, fills)
        for fill in new:
            context.board.publish(
                ExecutionEvent(
                    kind=EventKind.FILL,
                    at=context.runtime.clock(),
                    client_order_id=fill.client_order_id,
                    order_id=fill.order_id,
                    fill=fill,
                )
            )
        return new

    def _reopen_orders(self, news: list[Fill]) -> None:
        """Follow an order again that had ended with less than its executions come to now.

        Before they are booked: a process that dies in between leaves an order that is followed.
        """
        journal, scope = self._context.journal, self._context.scope
        for order_id in dict.fromkeys(fill.order_id for fill in news):
            state = journal.find_by_order(scope, order_id)
            if state is None or not state.is_final or state.order is None:
                continue
            new = [fill for fill in news if fill.order_id == order_id]
            listed = effective_fills([*journal.list_fills(scope, order_id), *new])
            filled = sum_exact([fill.quantity for fill in listed])
            if state.order.order_id == order_id and filled > state.order.filled_quantity:
                at, note = self._context.runtime.clock(), "an execution was heard of after its end"
                journal.append(state.intent.intent_id, Entry(phase=Phase.TAKEN, at=at, note=note))

    def compare_positions(
        self,
        new_fills: list[Fill],
        failed: list[FailedRead],
        orders: Mapping[str, Order] | None = None,
    ) -> Comparison | None:
        """Compare positions with what the executions make of them. None: they cannot be compared.

        Args:
            new_fills: takes the executions that were booked meanwhile.
            failed: takes the reads that failed.
            orders: what the broker lists, by order id. None: that is not known.
        """
        context = self._context
        if context.fills is None:
            return None
        for _ in range(TRIES):
            try:
                positions = read("list_positions", context.broker.list_positions)
            except BrokerageError as error:
                failed.append(FailedRead(method="list_positions", error=error))
                return None
            booked = self.book(failed)
            if booked is None:
                return None
            new_fills.extend(booked)
            if not booked:
                return self._compare(_by_symbol(positions), orders or {})
        return None

    def accept_positions(self) -> None:
        """Take the positions as they are for right: differences are counted from here on.

        Raises:
            BrokerageError: a read failed.
        """
        context = self._context
        positions = read("list_positions", context.broker.list_positions)
        self._context.journal.keep_opening(
            self._context.scope, self._opening(_by_symbol(positions))
        )

    def _opening(self, found: dict[str, Decimal]) -> Opening:
        context = self._context
        changes = position_changes(context.journal.list_fills(context.scope))
        symbols = sorted(found.keys() | changes.keys())
        return Opening(
            at=context.runtime.clock(),
            positions={
                symbol: EXACT.subtract(found.get(symbol, ZERO), changes.get(symbol, ZERO))
                for symbol in symbols
            },
        )

    def _agreed_opening(self, found: dict[str, Decimal]) -> Opening | None:
        """Return what the account held at first. None: one look has told, and another has to agree.

        A single look that was behind would otherwise be wrong for ever.
        """
        context = self._context
        known = context.journal.read_opening(context.scope)
        if known is not None:
            return known
        opening = self._opening(found)
        held = {symbol: amount for symbol, amount in opening.positions.items() if amount}
        agreed, self._candidate = held == self._candidate, held
        if not agreed:
            return None
        context.journal.keep_opening(context.scope, opening)
        return opening

    def _compare(self, found: dict[str, Decimal], orders: Mapping[str, Order]) -> Comparison:
        context = self._context
        opening = self._agreed_opening(found)
        if opening is None:
            return Comparison()
        fills = effective_fills(context.journal.list_fills(context.scope))
        changes = position_changes(fills)

        def tell(symbol: str) -> PositionStory:
            return tell_position(
                context.journal,
                context.scope,
                opening,
                symbol,
                found=found.get(symbol, ZERO),
                fills=fills,
                orders=orders.values(),
            )

        differences = []
        compared = []
        for symbol in sorted(found.keys() | changes.keys() | opening.positions.keys()):
            if symbol not in found and self._is_balance(symbol):
                continue
            start = opening.positions.get(symbol, ZERO)
            expected = EXACT.add(start, changes.get(symbol, ZERO))
            shown = found.get(symbol, ZERO)
            compared.append(symbol)
            if shown == expected:
                continue
            story = tell(symbol)
            difference = PositionDifference(
                symbol=symbol,
                expected=expected,
                found=shown,
                explanation="; ".join(story.tell()),
                story=story,
            )
            context.tell(EventKind.POSITION_DIFFERS, message=f"{symbol}: {difference.explanation}")
            differences.append(difference)
        stories = tuple(compared)
        return Comparison(
            differences=tuple(differences), tell_all=lambda: tuple(map(tell, stories))
        )

    def _is_balance(self, symbol: str) -> bool:
        """Whether a product is kept as a balance, of which there is never a position."""
        broker = self._context.broker
        if spot_as_positions_of(broker):
            return False
        try:
            product = read("get_product", lambda: broker.get_product(symbol))
        except BrokerageError:
            return False
        return product.market_type is MarketType.SPOT
