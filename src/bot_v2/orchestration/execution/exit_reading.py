"""An entry and its exits as one look shows them: by the journal, and by what the broker lists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.order_reports import order_after_report
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, TimeInForce
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.adopting import adopt_order
from bot_v2.orchestration.execution.bookkeeping import effective_fills
from bot_v2.orchestration.execution.context import ExecutionContext
from bot_v2.orchestration.execution.exit_group import OPPOSITE, ExitGroup, Member, is_stop
from bot_v2.orchestration.execution.exit_waits import Waits, grace_of
from bot_v2.orchestration.execution.fingerprint import ZERO
from bot_v2.orchestration.execution.reading import read, sum_exact
from bot_v2.orchestration.journal.records import IntentState
from bot_v2.orchestration.journal.watch_records import Repair, RepairKind, WatchRecord

NEVER_SENT = "it was decided, and never sent"
"""Why nothing came of a repair that a process wrote down before it died."""


@attrs.frozen(kw_only=True)
class Sent:
    """An order that the exit policy placed, and what became of it."""

    repair: Repair
    """Why it was placed."""
    state: IntentState | None
    """What is known of it. None: it was not sent."""

    @property
    def is_pending(self) -> bool:
        """Whether what it does is not over: nothing more is sent meanwhile."""
        if self.state is None or self.state.is_final:
            return False
        return self.state.is_unsettled or self.repair.kind is RepairKind.CLOSE


@attrs.frozen(kw_only=True)
class Look:
    """What one look shows of a watch."""

    group: ExitGroup
    """The entry and its exits."""
    sent: tuple[Sent, ...]
    """What the exit policy placed, oldest first."""
    orders: Mapping[str, Order]
    """All orders that the broker lists, by order id."""
    looked_at: timedelta
    """When the look began, by `Runtime.elapsed`: it shows nothing older, but for the lag."""

    @property
    def is_pending(self) -> bool:
        """Whether an order of the exit policy is under way."""
        return any(each.is_pending for each in self.sent)

    @property
    def stops_of_others(self) -> Decimal:
        """How much stops cover that are none of the group's: a person's, or the bot's own."""
        group = self.group
        ours = {member.order.order_id for member in group.members}
        return sum_exact(
            [
                order.remaining_quantity or ZERO
                for order in self.orders.values()
                if (order.symbol, order.side) == (group.symbol, group.exit_side)
                and order.status in LIVE_STATUSES
                and order.order_id not in ours
                and is_stop(order)
            ]
        )


class ExitReader:
    """Reads what is watched.

    Args:
        context: the account.
        waits: what has lasted long enough.
    """

    def __init__(self, context: ExecutionContext, waits: Waits) -> None:
        """Read nothing yet."""
        self._context = context
        self._waits = waits
        self._grace = grace_of(context)

    def take_up_exits(self, watch: IntentState, orders: Mapping[str, Order]) -> WatchRecord:
        """Follow the exits that the broker lists, and return what is known with them.

        Raises:
            OrderJournalError: they cannot be written down.
        """
        context, record = self._context, watch.watch
        entry = self._entry_of(watch)
        parents: set[str] = set()
        group_id = None if watch.intent.belongs_to else watch.intent.client_order_id
        if entry is not None:
            parents = set(context.journal.list_order_ids(entry.intent.intent_id))
            group_id = entry.order.group_id if entry.order is not None else None
        known = set(record.exits)
        new = []
        for order in reversed(list(orders.values())):
            is_one = order.parent_order_id in parents or (
                group_id is not None and order.group_id == group_id
            )
            if not is_one or order.order_id in parents | known:
                continue
            state = adopt_order(context, order, note="an exit", belongs_to=watch.intent.intent_id)
            ids = context.journal.list_order_ids(state.intent.intent_id)
            if known.isdisjoint(ids):
                new.append(order.order_id)
        return attrs.evolve(record, exits=(*record.exits, *new)) if new else record

    def _entry_of(self, watch: IntentState) -> IntentState | None:
        entry_id = watch.intent.belongs_to
        return None if entry_id is None else self._context.journal.find(entry_id)

    def look(
        self,
        watch: IntentState,
        record: WatchRecord,
        orders: Mapping[str, Order],
        looked_at: timedelta,
    ) -> Look | None:
        """Return what is shown of a watch. None: it is not known yet what became of its entry.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        entry = self._entry_of(watch)
        sent = tuple(
            Sent(repair=each, state=self._find_sent(each))
            for each in record.repairs
            if each.client_order_id is not None
        )
        exits = [self._member(order_id, orders) for order_id in record.exits]
        members = [each for each in exits if each is not None]
        members += [
            member
            for each in sent
            if (member := self._sent_member(watch, each, orders, looked_at)) is not None
        ]
        members.sort(key=_age)
        if entry is None:
            group = self._group_of_pair(watch, tuple(members))
        else:
            group = self._group_of_entry(watch, entry, tuple(members), orders)
        if group is None:
            return None
        return Look(group=group, sent=sent, orders=orders, looked_at=looked_at)

    def _find_sent(self, repair: Repair) -> IntentState | None:
        context = self._context
        return context.journal.find(context.intent_id(repair.client_order_id or ""))

    def _group_of_entry(
        self,
        watch: IntentState,
        entry: IntentState,
        members: tuple[Member, ...],
        orders: Mapping[str, Order],
    ) -> ExitGroup | None:
        request = entry.intent.request
        order = _merged(entry, orders)
        if request is None or entry.is_unsettled or (order is None and not entry.is_final):
            return None
        return ExitGroup(
            symbol=watch.intent.symbol or request.symbol,
            exit_side=OPPOSITE[request.side],
            filled=self._filled_of(entry, order),
            members=members,
            wants_stop=request.stop_loss is not None,
            entry=order,
            entry_is_live=not entry.is_final
            and order is not None
            and order.status in LIVE_STATUSES,
            request=request,
        )

    def _group_of_pair(self, watch: IntentState, members: tuple[Member, ...]) -> ExitGroup | None:
        """Return what was adopted: a pair of exits, or an entry with its exits."""
        parents = {each.order.parent_order_id for each in members}
        entry = next((each for each in members if each.order.order_id in parents), None)
        exits = [each for each in members if each is not entry and not each.is_repair]
        sides = [each.order.side for each in exits if each.order.side is not None]
        sizes = [each.order.quantity for each in exits if each.order.quantity is not None]
        known = entry is not None or bool(sizes)
        if not known and any(each.is_live for each in members):
            return None
        closing = tuple(each for each in members if each is not entry)
        return ExitGroup(
            symbol=watch.intent.symbol or members[0].order.symbol,
            exit_side=next(iter(sides), OrderSide.SELL),
            filled=max(sizes, default=ZERO) if entry is None else entry.filled,
            # Of what nobody knows the size of, and has ended, there is nothing to say.
            members=closing if known else (),
            wants_stop=known and any(is_stop(each.order) for each in exits),
            entry=None if entry is None else entry.order,
            entry_is_live=entry is not None and entry.is_live,
        )

    def _member(self, order_id: str, orders: Mapping[str, Order]) -> Member | None:
        context = self._context
        state = context.journal.find_by_order(context.scope, order_id)
        order = None if state is None else _merged(state, orders)
        if state is None or order is None:
            return None
        if order.status in LIVE_STATUSES and not _is_listed(order.order_id, orders):
            order, is_live = self._read_again(order)
        else:
            is_live = order.status in LIVE_STATUSES
        return Member(order=order, filled=self._filled_of(state, order), is_live=is_live)

    def _read_again(self, order: Order) -> tuple[Order, bool]:
        """Return an exit that the lists do not show, and whether it lives all the same."""
        broker = self._context.broker
        try:
            shown = read("get_order", lambda: broker.get_order(order.order_id))
        except BrokerageError:
            # The lists are complete: by them it does not live.
            return order, False
        order = order_after_report(order, shown)
        return order, order.status in LIVE_STATUSES

    def _sent_member(
        self,
        watch: IntentState,
        sent: Sent,
        orders: Mapping[str, Order],
        looked_at: timedelta,
    ) -> Member | None:
        state = sent.state
        if state is None or state.order_id is None:
            return None
        order = _merged(state, orders) or _as_sent(state)
        if order is None:
            return None
        # It was taken a moment ago, and may not be listed yet.
        taken_at = state.changed_at or sent.repair.at
        is_old = self._waits.is_over(
            watch.intent.intent_id, "a stop", taken_at, self._grace, looked_at
        )
        is_shown = sent.is_pending or not is_old or _is_listed(order.order_id, orders)
        is_live = order.status in LIVE_STATUSES and is_shown
        filled = self._filled_of(state, order)
        return Member(order=order, filled=filled, is_live=is_live, is_repair=True)

    def _filled_of(self, state: IntentState, order: Order | None) -> Decimal:
        """Return how much was filled, by the order or by its executions: either can be behind."""
        journal, scope = self._context.journal, self._context.scope
        fills = [
            fill
            for order_id in journal.list_order_ids(state.intent.intent_id)
            for fill in journal.list_fills(scope, order_id)
        ]
        booked = sum_exact([fill.quantity for fill in effective_fills(fills)])
        if order is None or any(fill.corrects is not None for fill in fills):
            # What an order says of itself only grows, whatever the broker takes back.
            return booked
        return max(booked, order.filled_quantity)


def _merged(state: IntentState, orders: Mapping[str, Order]) -> Order | None:
    known, listed = state.order, orders.get(state.order_id or "")
    if known is None or listed is None or known.order_id != listed.order_id:
        return listed or known
    return order_after_report(known, listed)


def _is_listed(order_id: str, orders: Mapping[str, Order]) -> bool:
    return order_id in orders and orders[order_id].status in LIVE_STATUSES


def _as_sent(state: IntentState) -> Order | None:
    """Return an order that was taken and never shown, as it was asked for."""
    request = state.intent.request
    if request is None or state.order_id is None:
        return None
    return Order(
        order_id=state.order_id,
        client_order_id=request.client_order_id,
        symbol=state.intent.symbol or request.symbol,
        side=request.side,
        type=request.type,
        status=OrderStatus.PENDING,
        quantity=request.quantity,
        filled_quantity=ZERO,
        price=request.price,
        stop_price=request.stop_price,
        time_in_force=request.time_in_force or TimeInForce.OTHER,
        account_id=state.intent.account_id,
    )


def _age(member: Member) -> tuple[bool, str, str]:
    order = member.order
    at = "" if order.timestamp is None else order.timestamp.isoformat()
    return (member.is_repair, at, order.order_id)
