"""The journal against the broker's truth: every open intent, execution, order and position."""

from __future__ import annotations

from datetime import datetime

from bot_v2.features.brokerages.core.errors import BrokerageError, OrderNotFoundError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_reports import order_after_report
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, LIVE_STATUSES
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.adopting import adopt_order
from bot_v2.orchestration.execution.bookkeeping import Bookkeeper
from bot_v2.orchestration.execution.changing import Changer
from bot_v2.orchestration.execution.context import ExecutionContext, entry_for_order
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.exit_watch import ExitWatch, Watched
from bot_v2.orchestration.execution.placing import Placer
from bot_v2.orchestration.execution.reading import read
from bot_v2.orchestration.execution.report import FailedRead, ReconciliationReport
from bot_v2.orchestration.journal.records import IntentKind, IntentState, Phase

CHANGES = (IntentKind.CANCEL, IntentKind.MODIFY)


class Reconciler:
    """Brings the journal up to date with the broker; sends nothing but what the exit policy says.

    Args:
        context: the account.
        placer: settles placements.
        changer: settles cancels and changes.
        books: executions and positions.
        watch: entries and their exits.
    """

    def __init__(
        self,
        context: ExecutionContext,
        placer: Placer,
        changer: Changer,
        books: Bookkeeper,
        watch: ExitWatch,
    ) -> None:
        """Read nothing yet."""
        self._context = context
        self._placer = placer
        self._changer = changer
        self._books = books
        self._watch = watch
        self._foreign: set[str] = set()

    def reconcile(self, *, patiently: bool, explain: bool = False) -> ReconciliationReport:
        """Meet the broker's truth.

        Args:
            patiently: True: look for what is unknown until it is known, or the time is over.
            explain: True: tell of each position what it is made of, also of those that agree.
        """
        context = self._context
        at = context.runtime.clock()
        failed: list[FailedRead] = []
        context.journal.take_over(context.scope)
        before = context.journal.list_open(context.scope)
        for state in before:
            if state.intent.request is not None:
                # What another process left behind is a risk of ours from here on.
                context.hold(state.intent.request)
        unsettled = [state for state in before if state.is_unsettled]
        after = [self._settle(state, patiently=patiently) for state in unsettled]
        looked_at, began = context.runtime.clock(), context.runtime.elapsed()
        orders = self._read_orders(failed)
        new_fills = self._books.book(failed) or []
        changed = self._follow(orders, new_fills, failed, looked_at)
        compared = self._books.compare_positions(new_fills, failed, orders)
        # What another process left behind may be closed on purpose by the bot that starts now.
        watched = self._watch.look(
            orders, changed, failed, looked_at=began, may_repair=not patiently
        )
        return ReconciliationReport(
            at=at,
            settled=tuple(state for state in after if not state.is_unsettled),
            unsettled=tuple(state for state in after if state.is_unsettled),
            changed=tuple(changed),
            new_fills=tuple(new_fills),
            foreign_orders=None if orders is None else self._find_foreign(orders),
            differences=None if compared is None else compared.differences,
            failed_reads=tuple(failed),
            positions=compared.tell_all() if explain and compared is not None else None,
            alarms=watched.alarms,
            look_again_at=watched.look_again_at,
        )

    def hear(self, event: OrderEvent) -> Watched:
        """Take up what a stream tells of an order; where it is watched, look at its exits.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        context, order = self._context, event.order
        failed: list[FailedRead] = []
        if event.fill is not None:
            known = context.journal.list_fills(context.scope, event.fill.order_id)
            self._books.keep([event.fill], known)
        state = context.journal.find_by_order(context.scope, order.order_id)
        changed = []
        if state is not None:
            with context.runtime.try_guard(("intent", state.intent.intent_id)) as entered:
                fresh = context.journal.find(state.intent.intent_id) if entered else None
                if fresh is not None and fresh.order_id == order.order_id:
                    news = self._follow_one(fresh, {order.order_id: order}, failed, None)
                    changed += [] if news is None else [news]
        elif order.parent_order_id is not None:
            state = context.journal.find_by_order(context.scope, order.parent_order_id)
        watch = None if state is None else self._watch.watch_of(state)
        if watch is None:
            return Watched()
        began = context.runtime.elapsed()
        return self._watch.look(
            self._read_orders(failed),
            changed,
            failed,
            looked_at=began,
            may_repair=True,
            only=watch.intent.intent_id,
        )

    def _settle(self, state: IntentState, *, patiently: bool) -> IntentState:
        context = self._context
        intent = state.intent
        is_change = intent.kind in CHANGES
        key = ("order", intent.order_id) if is_change else ("intent", intent.intent_id)
        with context.runtime.try_guard(key) as entered:
            if not entered:
                # Somebody is at it in this process, and will find out.
                return context.journal.find(intent.intent_id) or state
            fresh = context.journal.find(intent.intent_id) or state
            if not fresh.is_unsettled:
                return fresh
            if intent.kind is IntentKind.ADOPT:
                return self._adopt_again(fresh)
            party = self._changer if is_change else self._placer
            return party.settle(fresh, patiently=patiently)

    def _adopt_again(self, state: IntentState) -> IntentState:
        """Finish an adoption that was cut short."""
        context, order_id = self._context, state.intent.order_id or ""
        try:
            order = read("get_order", lambda: context.broker.get_order(order_id))
        except BrokerageError:
            return state
        entry = entry_for_order(context, order_id, order, "adopted")
        return context.learn(state, entry, EventKind.ORDER_CHANGED)

    def _read_orders(self, failed: list[FailedRead]) -> dict[str, Order] | None:
        try:
            orders = read("list_orders", self._context.broker.list_orders)
        except BrokerageError as error:
            failed.append(FailedRead(method="list_orders", error=error))
            return None
        return {order.order_id: order for order in orders}

    def _follow(
        self,
        orders: dict[str, Order] | None,
        new_fills: list[Fill],
        failed: list[FailedRead],
        read_at: datetime,
    ) -> list[IntentState]:
        """Take up what became of live orders, and of ended ones that were filled."""
        context = self._context
        states = {
            state.intent.intent_id: state
            for state in context.journal.list_open(context.scope)
            if state.phase is Phase.TAKEN and state.intent.kind is not IntentKind.WATCH
        }
        for order_id in dict.fromkeys(fill.order_id for fill in new_fills):
            state = context.journal.find_by_order(context.scope, order_id)
            if state is not None:
                states.setdefault(state.intent.intent_id, state)
        changed = []
        for state in states.values():
            with context.runtime.try_guard(("intent", state.intent.intent_id)) as entered:
                fresh = context.journal.find(state.intent.intent_id) if entered else None
                news = None if fresh is None else self._follow_one(fresh, orders, failed, read_at)
            if news is not None:
                changed.append(news)
        return changed

    def _follow_one(
        self,
        state: IntentState,
        orders: dict[str, Order] | None,
        failed: list[FailedRead],
        read_at: datetime | None,
    ) -> IntentState | None:
        context = self._context
        order_id = state.order_id or ""
        order = (orders or {}).get(order_id)
        if order is None:
            read_at = context.runtime.clock()
            try:
                order = read("get_order", lambda: context.broker.get_order(order_id))
            except OrderNotFoundError as error:
                # Not an end: a read may lag, and a broker may forget. It stays as it was.
                failed.append(FailedRead(method="get_order", error=error))
                return None
            except BrokerageError as error:
                failed.append(FailedRead(method="get_order", error=error))
                return None
        is_old_news = False
        if state.order is not None and state.order.order_id == order.order_id:
            both_over = {state.order.status, order.status} <= ENDED_STATUSES
            is_later = (
                read_at is not None
                and state.changed_at is not None
                and state.changed_at + context.lag <= read_at
            )
            is_old_news = both_over and is_later
            # A read can be older than what is known: an end is not undone by it.
            order = order_after_report(state.order, order)
        entry = entry_for_order(context, order_id, order, "", is_old_news=is_old_news)
        after = state.after(entry)
        if (after.phase, after.order_id, after.order) == (state.phase, state.order_id, state.order):
            return None
        kind = EventKind.ORDER_ENDED if after.is_final else EventKind.ORDER_CHANGED
        return context.learn(state, entry, kind)

    def _find_foreign(self, orders: dict[str, Order]) -> tuple[Order, ...]:
        """Return live orders that came of no intent; each is told once."""
        context = self._context
        foreign = []
        for order in orders.values():
            if order.status not in LIVE_STATUSES:
                continue
            if self._is_ours(order):
                continue
            foreign.append(order)
            if order.order_id not in self._foreign:
                self._foreign.add(order.order_id)
                context.tell(EventKind.FOREIGN_ORDER, order_id=order.order_id, order=order)
        return tuple(foreign)

    def _is_ours(self, order: Order) -> bool:
        """Whether an order, the one that it replaces, or its parent, came of an intent."""
        context = self._context
        for order_id in (order.order_id, order.replaces, order.parent_order_id):
            if order_id is None:
                continue
            if context.journal.find_by_order(context.scope, order_id) is not None:
                return True
        if order.client_order_id is None:
            return False
        known = context.journal.find(context.intent_id(order.client_order_id))
        return known is not None and known.is_unsettled

    def adopt(self, order: Order) -> IntentState:
        """Follow an order that was not placed here, from now on; watch it where it is a pair's.

        Raises:
            OrderJournalError: it cannot be written down.
        """
        state = adopt_order(self._context, order)
        self._watch.watch_pair(order)
        return state
