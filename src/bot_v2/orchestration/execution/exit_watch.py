"""Watching that what was filled is protected, and that exits close no more than there is.

A danger is believed when two looks show it, the second one begun later than the first by the grace,
which is never shorter than the broker's visibility lag. It is told once, and then the exit policy
is applied. What is watched, suspected, told and sent is in the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.execution.context import ExecutionContext
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent, ExitAlarm
from bot_v2.orchestration.execution.exit_group import (
    Danger,
    ExitGroup,
    describe,
)
from bot_v2.orchestration.execution.exit_judgement import Judgement, judge
from bot_v2.orchestration.execution.exit_reading import ExitReader, Look
from bot_v2.orchestration.execution.exit_repair import ExitRepairer
from bot_v2.orchestration.execution.exit_waits import Waits, grace_of, lag_of
from bot_v2.orchestration.execution.reading import read
from bot_v2.orchestration.execution.report import FailedRead
from bot_v2.orchestration.journal.records import (
    Entry,
    Intent,
    IntentKind,
    IntentState,
    OrderJournalError,
    Phase,
)
from bot_v2.orchestration.journal.watch_records import Suspicion, WatchRecord

STEPS_MAX: Final = 6
"""How many steps of a repair are taken in one go at most."""

LOOKS: Final = 2
"""How many looks have to show something."""

_OVER: Final = "over"
"""The key under which it is kept since when nothing is left to watch."""


@attrs.frozen(kw_only=True)
class Watched:
    """What looking at all watches showed."""

    alarms: tuple[ExitAlarm, ...] = ()
    """What is confirmed to be wrong now, told before or not."""
    look_again_at: datetime | None = None
    """When what is suspected can be confirmed. None: nothing is."""


class ExitWatch:
    """Watches entries with exits, and pairs of exits.

    Args:
        context: the account.
        repairer: does what the exit policy says.
        waits: what has lasted long enough.
    """

    def __init__(self, context: ExecutionContext, repairer: ExitRepairer, waits: Waits) -> None:
        """Watch nothing yet."""
        self._context = context
        self._repairer = repairer
        self._lag = lag_of(context)
        self._grace = grace_of(context)
        self._waits = waits
        self._reader = ExitReader(context, waits)
        self._told: set[tuple[str, str]] = set()

    def look(
        self,
        orders: Mapping[str, Order] | None,
        changed: Iterable[IntentState],
        failed: list[FailedRead],
        *,
        looked_at: timedelta,
        may_repair: bool,
        only: str | None = None,
    ) -> Watched:
        """Look at everything that is watched.

        Args:
            orders: what the broker lists, by order id. None: that is not known, and nothing is
                concluded.
            changed: orders of which there is news: a watch that was over is taken up again.
            failed: takes the reads that failed.
            looked_at: when the reading of the orders began, by `Runtime.elapsed`.
            may_repair: False: alarms are told, and nothing is sent.
            only: the one watch to look at, by its id. None: all.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        if orders is None:
            return Watched()
        context = self._context
        alarms: list[ExitAlarm] = []
        again: list[datetime] = []
        for state in changed:
            self._reopen(state)
        for watch in context.journal.list_open(context.scope):
            watch_id = watch.intent.intent_id
            if watch.intent.kind is not IntentKind.WATCH or only not in (None, watch_id):
                continue
            with context.runtime.try_guard(("watch", watch_id)) as entered:
                if not entered:
                    continue
                try:
                    found = self._look_at(watch_id, orders, failed, looked_at, may_repair)
                except OrderJournalError as error:
                    context.tell(
                        EventKind.JOURNAL_FAILED, error=error, message=f"{watch_id}: {error}"
                    )
                    continue
            alarms += found.alarms
            if found.look_again_at is not None:
                again.append(found.look_again_at)
        return Watched(alarms=tuple(alarms), look_again_at=min(again, default=None))

    def with_alarms(self, result: OrderResult) -> OrderResult:
        """Return the result for an entry with what is known to be wrong with its exits."""
        context = self._context
        try:
            watch = context.journal.find(context.watch_id(result.client_order_id))
        except OrderJournalError:
            # The result is not less true for that.
            return result
        if watch is None or watch.is_final:
            return result
        standing = [key for key in watch.watch.told if watch.watch.find(key) is not None]
        if not standing:
            return result
        return attrs.evolve(result, message=f"{result.message}; ALARM: {', '.join(standing)}")

    def watch_pair(self, order: Order) -> None:
        """Watch the pair of which an adopted order is one, unless its entry is watched already.

        Raises:
            OrderJournalError: it cannot be written down.
        """
        context = self._context
        parent, group_id = order.parent_order_id, order.group_id
        if group_id is None:
            return
        if parent and context.journal.find_by_order(context.scope, parent) is not None:
            return
        watch = Intent(
            intent_id=context.watch_id(group_id),
            kind=IntentKind.WATCH,
            broker=context.scope.broker,
            account_id=context.scope.account_id,
            client_order_id=group_id,
            created_at=context.runtime.clock(),
            symbol=order.symbol,
        )
        taken = context.journal.open_intent(watch) or IntentState(intent=watch)
        if order.order_id not in taken.watch.exits:
            exits = (*taken.watch.exits, order.order_id)
            self._write(taken, attrs.evolve(taken.watch, exits=exits), "adopted")

    def dismiss(self, watch: IntentState, because: str) -> None:
        """Watch an entry no longer, on an operator's word.

        Raises:
            OrderJournalError: it cannot be written down.
        """
        record = attrs.evolve(watch.watch, suspicions=(), is_dismissed=True)
        self._write(watch, record, f"the operator says so: {because}", phase=Phase.ENDED)

    def watch_of(self, state: IntentState) -> IntentState | None:
        """Return the watch that an order belongs to. None: it is not watched.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        context, intent = self._context, state.intent
        if intent.kind is IntentKind.PLACE:
            return context.journal.find(context.watch_id(intent.client_order_id))
        return None if intent.belongs_to is None else context.journal.find(intent.belongs_to)

    def expect(self, fills: Iterable[Fill]) -> None:
        """Take up the watches of executions that are about to be booked.

        In this order a process that dies in between leaves a watch that looks for them.
        """
        context = self._context
        for order_id in dict.fromkeys(fill.order_id for fill in fills):
            state = context.journal.find_by_order(context.scope, order_id)
            if state is not None:
                self._reopen(state)

    def _reopen(self, state: IntentState) -> None:
        """Take up a watch that was over, as something more was filled since."""
        try:
            watch = self.watch_of(state)
            if watch is not None and watch.is_final and not watch.watch.is_dismissed:
                record = attrs.evolve(watch.watch, suspicions=())
                self._write(watch, record, "there is news of an order that had ended")
        except OrderJournalError as error:
            self._context.tell(EventKind.JOURNAL_FAILED, error=error, message=error.message)

    def _look_at(
        self,
        watch_id: str,
        orders: Mapping[str, Order],
        failed: list[FailedRead],
        looked_at: timedelta,
        may_repair: bool,
    ) -> Watched:
        context = self._context
        told = Watched()
        for _ in range(STEPS_MAX):
            watch = context.journal.find(watch_id)
            if watch is None or watch.is_final:
                return told
            record = self._repairer.take_up_failures(watch)
            record = self._reader.take_up_exits(attrs.evolve(watch, watch=record), orders)
            look = self._reader.look(watch, record, orders, looked_at)
            judgement = None if look is None else judge(context.broker, look, failed)
            if look is None or judgement is None:
                self._keep(watch, record)
                return told
            record, alarms = self._weigh(watch, record, look, judgement)
            over = record.find(_OVER)
            # What is suspected, and not known yet, keeps it going.
            is_settled = len(alarms) == len(judgement.dangers)
            if is_settled and over is not None and self._is_confirmed(watch, over, looked_at):
                self._waits.forget(watch_id)
                self._write(watch, record, "nothing is left to watch", phase=Phase.ENDED)
                return Watched(alarms=(*told.alarms, *alarms))
            self._keep(watch, record)
            # What is mended by the next step was wrong nevertheless.
            seen = {alarm.key: alarm for alarm in (*told.alarms, *alarms)}
            again_at = self._look_again_at(watch, record, looked_at)
            told = Watched(alarms=tuple(seen.values()), look_again_at=again_at)
            if not may_repair or not alarms:
                return told
            has_acted = self._repairer.repair(
                attrs.evolve(watch, watch=record), look, alarms, judgement.position
            )
            if not has_acted or self._lag:
                # What was done is seen when the broker shows it: at a later look.
                return told
            looked_at = context.runtime.elapsed()
            try:
                listed = read("list_orders", context.broker.list_orders)
            except BrokerageError as error:
                failed.append(FailedRead(method="list_orders", error=error))
                return told
            orders = {order.order_id: order for order in listed}
        return told

    def _weigh(
        self, watch: IntentState, record: WatchRecord, look: Look, judgement: Judgement
    ) -> tuple[WatchRecord, tuple[ExitAlarm, ...]]:
        """Return what is known by now, and what is confirmed; what is news of that is told."""
        keys = [danger.key for danger in judgement.dangers]
        if judgement.is_over:
            keys.append(_OVER)
        suspicions = [self._suspect(watch, record, key, look.looked_at) for key in keys]
        record = attrs.evolve(record, suspicions=tuple(suspicions))
        alarms = []
        for danger, suspicion in zip(judgement.dangers, suspicions, strict=False):
            if not self._is_confirmed(watch, suspicion, look.looked_at):
                continue
            alarm = self._alarm(watch, danger, look.group, judgement.position, suspicion.since)
            alarms.append(alarm)
            self._tell(watch, record, alarm)
        told = dict.fromkeys((*record.told, *(alarm.key for alarm in alarms)))
        return attrs.evolve(record, told=tuple(told)), tuple(alarms)

    def _alarm(
        self,
        watch: IntentState,
        danger: Danger,
        group: ExitGroup,
        position: Decimal | None,
        since: datetime,
    ) -> ExitAlarm:
        policy = self._context.settings.exit_policy
        return ExitAlarm(
            cause=danger.cause,
            key=danger.key,
            client_order_id=watch.intent.client_order_id,
            symbol=group.symbol,
            quantity=danger.quantity,
            entry=group.entry,
            order_ids=tuple(order.order_id for order in danger.orders),
            exits=tuple(member.order for member in group.members),
            filled=group.filled,
            closed=group.closed,
            covered=group.covered,
            position=position,
            policy=policy,
            since=since,
            at=self._context.runtime.clock(),
            message=describe(danger, group, position),
        )

    def _tell(self, watch: IntentState, record: WatchRecord, alarm: ExitAlarm) -> None:
        """Tell an alarm, before it is written down that it was told: better twice than never."""
        key = (watch.intent.intent_id, alarm.key)
        if alarm.key in record.told or key in self._told:
            return
        self._told.add(key)
        self._context.board.publish(
            ExecutionEvent(
                kind=EventKind.EXIT_ALARM,
                at=alarm.at,
                client_order_id=alarm.client_order_id,
                order_id=None if alarm.entry is None else alarm.entry.order_id,
                order=alarm.entry,
                alarm=alarm,
                message=f"{alarm.cause.value}: {alarm.message}",
            )
        )

    def _suspect(
        self, watch: IntentState, record: WatchRecord, key: str, looked_at: timedelta
    ) -> Suspicion:
        """Return what is suspected after a look that shows it."""
        known, watch_id, shown = record.find(key), watch.intent.intent_id, f"{key} is shown"
        if known is None:
            # Where the broker shows things late, the first look can be behind what it is about.
            now = self._context.runtime.clock()
            self._waits.start(watch_id, shown, now, self._lag)
            return Suspicion(key=key, since=now, looks=0 if self._lag else 1)
        is_late = self._waits.is_over(watch_id, shown, known.since, self._lag, looked_at)
        if known.looks >= LOOKS or not is_late:
            return known
        return attrs.evolve(known, looks=known.looks + 1)

    def _is_confirmed(self, watch: IntentState, suspicion: Suspicion, looked_at: timedelta) -> bool:
        watch_id = watch.intent.intent_id
        lasted = self._waits.is_over(
            watch_id, suspicion.key, suspicion.since, self._grace, looked_at
        )
        return lasted and suspicion.looks >= LOOKS

    def _look_again_at(
        self, watch: IntentState, record: WatchRecord, looked_at: timedelta
    ) -> datetime | None:
        """Return when something can be confirmed that is not yet. None: nothing is suspected."""
        runtime, watch_id = self._context.runtime, watch.intent.intent_id
        ends = [
            self._waits.start(watch_id, each.key, each.since, self._grace)
            for each in record.suspicions
        ]
        due = min((end for end in ends if end > looked_at), default=None)
        return None if due is None else runtime.clock() + (due - runtime.elapsed())

    def _keep(self, watch: IntentState, record: WatchRecord) -> None:
        if record != watch.watch:
            self._write(watch, record)

    def _write(
        self,
        watch: IntentState,
        record: WatchRecord,
        note: str = "",
        *,
        phase: Phase = Phase.TAKEN,
    ) -> None:
        entry = Entry(phase=phase, at=self._context.runtime.clock(), note=note, watch=record)
        self._context.journal.append(watch.intent.intent_id, entry)
