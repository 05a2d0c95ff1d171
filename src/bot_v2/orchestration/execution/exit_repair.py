"""What the exit policy does about an alarm: one thing at a time, written down before it is sent.

An exit that would turn the position is made smaller, or cancelled. Before a stop is replaced or the
rest is closed, the exits without a stop are cancelled: nobody would tie them to what is sent, so
that both could be filled, and brokers set aside for them what is to be sold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_to_text
from bot_v2.features.brokerages.core.declarations import CloseGuard, close_guard_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.execution.changing import Changer
from bot_v2.orchestration.execution.closing import Closer
from bot_v2.orchestration.execution.context import ExecutionContext, failure, result_of
from bot_v2.orchestration.execution.events import EventKind, ExitAlarm
from bot_v2.orchestration.execution.exit_group import (
    EXCESSIVE,
    OPPOSITE,
    UNPROTECTED,
    is_stop,
    stop_terms,
)
from bot_v2.orchestration.execution.exit_reading import NEVER_SENT, Look
from bot_v2.orchestration.execution.exit_waits import Waits, grace_of, lag_of
from bot_v2.orchestration.execution.fingerprint import ZERO
from bot_v2.orchestration.execution.placing import Placer
from bot_v2.orchestration.execution.reading import read
from bot_v2.orchestration.execution.sending import PASSING
from bot_v2.orchestration.execution.settings import ExitPolicy
from bot_v2.orchestration.journal.records import Entry, IntentState, Phase
from bot_v2.orchestration.journal.watch_records import (
    ExitCause,
    Repair,
    RepairKind,
    WatchRecord,
)

_ORDER: Final = (EXCESSIVE, frozenset({ExitCause.EXIT_TOO_LARGE}), UNPROTECTED)
"""What is mended first."""


@attrs.frozen(kw_only=True)
class _Plan:
    """What is to be done next, and how."""

    repair: Repair
    """What is written down before it is sent."""
    what: str
    """The same, for a person."""
    send: Callable[[], OrderResult]
    """Does it."""


class ExitRepairer:
    """Does what the exit policy says.

    Args:
        context: the account.
        placer: places stops.
        changer: cancels exits, and makes them smaller.
        closer: closes.
        waits: what has lasted long enough.
    """

    def __init__(
        self,
        context: ExecutionContext,
        placer: Placer,
        changer: Changer,
        closer: Closer,
        waits: Waits,
    ) -> None:
        """Do nothing yet."""
        self._context = context
        self._placer = placer
        self._changer = changer
        self._closer = closer
        self._lag = lag_of(context)
        self._grace = grace_of(context)
        self._waits = waits

    def take_up_failures(self, watch: IntentState) -> WatchRecord:
        """Return what is known, with what became known of repairs; each failure is told once.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        record = watch.watch
        repairs = []
        for repair in record.repairs:
            client_order_id = repair.client_order_id
            if client_order_id is None or repair.failure:
                repairs.append(repair)
                continue
            state = self._find(repair)
            failure = ""
            if state is None:
                # Its process died before it was journalled as an order, and so before the send.
                failure = NEVER_SENT
            elif state.phase in (Phase.REJECTED, Phase.NOT_SENT, Phase.ABSENT):
                error = result_of(state).error or BrokerageError(state.phase.value)
                failure = error.message
                self._tell_failure(watch, repair, error)
            repairs.append(attrs.evolve(repair, failure=failure))
        return attrs.evolve(record, repairs=tuple(repairs))

    def repair(
        self,
        watch: IntentState,
        look: Look,
        alarms: Sequence[ExitAlarm],
        position: Decimal | None,
    ) -> bool:
        """Take the next step; return whether one was taken.

        Args:
            watch: what is watched, as it is in the journal.
            look: what the broker shows.
            alarms: what is confirmed to be wrong.
            position: the signed position. None: the broker does not say, or nobody asked.

        Raises:
            OrderJournalError: it cannot be written down; nothing is sent.
        """
        context = self._context
        if context.settings.exit_policy is ExitPolicy.ALARM_ONLY:
            return False
        if look.group.entry_is_live or look.is_pending or not self._is_settled(watch, look):
            # More of it can be filled, or the last step is not seen yet.
            return False
        plan = next(self._plans(watch, look, alarms, position), None)
        if plan is None:
            return False
        record = watch.watch
        written = attrs.evolve(record, repairs=(*record.repairs, plan.repair))
        self._write(watch, written)
        for what, span in (("a step", self._lag), ("a cancel", self._grace)):
            self._waits.start(watch.intent.intent_id, what, plan.repair.at, span)
        self._publish(EventKind.EXIT_REPAIR, watch, plan.repair, plan.what)
        error = plan.send().error
        if error is not None and error.outcome is not Outcome.UNKNOWN:
            self._note_failure(watch, written, plan.repair, error)
        return True

    def _is_settled(self, watch: IntentState, look: Look) -> bool:
        """Whether the look shows what the last step did."""
        moments = [repair.at for repair in watch.watch.repairs if repair.failure != NEVER_SENT]
        moments += [
            each.state.changed_at
            for each in look.sent
            if each.state is not None and each.state.changed_at is not None
        ]
        watch_id = watch.intent.intent_id
        return all(
            self._waits.is_over(watch_id, "a step", moment, self._lag, look.looked_at)
            for moment in moments
        )

    def _plans(
        self,
        watch: IntentState,
        look: Look,
        alarms: Sequence[ExitAlarm],
        position: Decimal | None,
    ) -> Iterator[_Plan]:
        for causes in _ORDER:
            for alarm in alarms:
                if alarm.cause not in causes:
                    continue
                if causes is EXCESSIVE:
                    plan = self._plan_excess(look, alarm, position)
                elif causes is UNPROTECTED:
                    plan = self._plan_protection(watch, look, alarm)
                else:
                    plan = self._plan_smaller(watch, look, alarm)
                if plan is not None:
                    yield plan

    # What can be done

    def _plan_excess(self, look: Look, alarm: ExitAlarm, position: Decimal | None) -> _Plan | None:
        side = OPPOSITE[look.group.exit_side]
        turned = ZERO if position is None else EXACT.minus(look.group.held(position))
        quantity = min(alarm.quantity, max(turned, ZERO))
        # Where the position is not turned there is nothing that closing would mend.
        return self._plan_close(look, alarm, side, quantity) if quantity else None

    def _plan_smaller(self, watch: IntentState, look: Look, alarm: ExitAlarm) -> _Plan | None:
        member = look.group.find(alarm.order_ids)
        if member is None or member.order.quantity is None:
            return None
        order = member.order
        rest = EXACT.subtract(member.rest(ZERO), alarm.quantity)
        can_change = self._context.modification is not None and not any(
            (each.kind, each.order_id) == (RepairKind.RESIZE, order.order_id)
            for each in watch.watch.repairs
        )
        if rest > ZERO and can_change:
            quantity = EXACT.add(rest, order.filled_quantity)
            change = OrderModification(quantity=quantity)
            return _Plan(
                repair=self._decide(alarm, RepairKind.RESIZE, order_id=order.order_id),
                what=f"order {order.order_id} is made smaller: {decimal_to_text(quantity)}",
                send=lambda: self._changer.modify(order.order_id, change),
            )
        return self._plan_cancel(watch, look, alarm, order)

    def _plan_protection(self, watch: IntentState, look: Look, alarm: ExitAlarm) -> _Plan | None:
        group = look.group
        for member in group.exits:
            if member.is_live and not is_stop(member.order):
                # Nothing is sent before it has ended.
                return self._plan_cancel(watch, look, alarm, member.order)
        if self._context.settings.exit_policy is ExitPolicy.CLOSE_POSITION:
            return self._plan_close(look, alarm, group.exit_side, alarm.quantity)
        return self._plan_stop(look, alarm)

    def _plan_cancel(
        self, watch: IntentState, look: Look, alarm: ExitAlarm, order: Order
    ) -> _Plan | None:
        tries = [
            each
            for each in watch.watch.repairs
            if (each.kind, each.order_id) == (RepairKind.CANCEL, order.order_id)
        ]
        watch_id = watch.intent.intent_id
        is_late = all(
            self._waits.is_over(watch_id, "a cancel", each.at, self._grace, look.looked_at)
            for each in tries
        )
        if not is_late or len(tries) >= self._context.settings.max_repairs:
            return None
        return _Plan(
            repair=self._decide(alarm, RepairKind.CANCEL, order_id=order.order_id),
            what=f"order {order.order_id} is cancelled",
            send=lambda: self._changer.cancel(order.order_id),
        )

    def _plan_close(
        self, look: Look, alarm: ExitAlarm, side: OrderSide, quantity: Decimal
    ) -> _Plan | None:
        if not self._may_place(look, alarm, RepairKind.CLOSE):
            return None
        client_order_id = self._context.new_id()
        return _Plan(
            repair=self._decide(alarm, RepairKind.CLOSE, client_order_id=client_order_id),
            what=f"{side.value} {decimal_to_text(quantity)} {alarm.symbol} to close it",
            send=lambda: self._closer.close_part(
                alarm.symbol,
                client_order_id,
                side=side,
                at_most=quantity,
                is_guarded=_takes_guard(look),
            ),
        )

    def _plan_stop(self, look: Look, alarm: ExitAlarm) -> _Plan | None:
        terms = stop_terms(look.group)
        if terms is None or not self._may_place(look, alarm, RepairKind.STOP):
            return None
        guard = close_guard_of(self._context.broker) is CloseGuard.ATOMIC and _takes_guard(look)
        client_order_id = self._context.new_id()

        def send() -> OrderResult:
            broker = self._context.broker
            try:
                product = read("get_product", lambda: broker.get_product(alarm.symbol))
                quantity = quantize_quantity(product, alarm.quantity, Rounding.DOWN)
                request = OrderRequest(
                    symbol=alarm.symbol,
                    side=look.group.exit_side,
                    quantity=quantity,
                    client_order_id=client_order_id,
                    reduce_only=guard,
                    **terms,
                )
            except BrokerageError as error:
                return failure(client_order_id, error)
            return self._placer.submit(request, None)

        return _Plan(
            repair=self._decide(alarm, RepairKind.STOP, client_order_id=client_order_id),
            what=f"a stop at {terms['stop_price']} for {decimal_to_text(alarm.quantity)} "
            f"{alarm.symbol} is sent again",
            send=send,
        )

    def _decide(
        self,
        alarm: ExitAlarm,
        kind: RepairKind,
        *,
        client_order_id: str | None = None,
        order_id: str | None = None,
    ) -> Repair:
        return Repair(
            key=alarm.key,
            kind=kind,
            at=self._context.runtime.clock(),
            client_order_id=client_order_id,
            order_id=order_id,
        )

    def _may_place(self, look: Look, alarm: ExitAlarm, kind: RepairKind) -> bool:
        """Whether one more order may be placed: few in all, and none that was refused for good."""
        placed = [
            each
            for each in look.sent
            if each.repair.failure != NEVER_SENT and not _wants_no_guard(each.state)
        ]
        refused = {
            (each.repair.key, each.repair.kind)
            for each in look.sent
            if each.state is not None and _is_for_good(each.state)
        }
        few = len(placed) < self._context.settings.max_repairs
        return few and (alarm.key, kind) not in refused

    # What is told and written down

    def _note_failure(
        self, watch: IntentState, record: WatchRecord, repair: Repair, error: BrokerageError
    ) -> None:
        failed = attrs.evolve(repair, failure=error.message)
        # An exit that cannot be made smaller is cancelled; an order goes without its guard.
        if repair.kind is not RepairKind.RESIZE and not _wants_no_guard(self._find(repair)):
            self._tell_failure(watch, repair, error)
        self._write(watch, attrs.evolve(record, repairs=(*record.repairs[:-1], failed)))

    def _find(self, repair: Repair) -> IntentState | None:
        client_order_id = repair.client_order_id
        if client_order_id is None:
            return None
        return self._context.journal.find(self._context.intent_id(client_order_id))

    def _tell_failure(self, watch: IntentState, repair: Repair, error: BrokerageError) -> None:
        what = f"{ExitCause.REPAIR_FAILED.value}: {repair.kind.value} for {repair.key}"
        self._publish(EventKind.EXIT_ALARM, watch, repair, f"{what}: {error.message}", error)

    def _publish(
        self,
        kind: EventKind,
        watch: IntentState,
        repair: Repair,
        message: str,
        error: BrokerageError | None = None,
    ) -> None:
        entry = f"of {watch.intent.client_order_id}"
        self._context.tell(
            kind,
            client_order_id=repair.client_order_id or watch.intent.client_order_id,
            order_id=repair.order_id,
            error=error,
            message=f"{message} ({entry})",
        )

    def _write(self, watch: IntentState, record: WatchRecord) -> None:
        entry = Entry(phase=Phase.TAKEN, at=self._context.runtime.clock(), watch=record)
        self._context.journal.append(watch.intent.intent_id, entry)


def _is_for_good(state: IntentState) -> bool:
    """Whether another order like this one would have no effect either."""
    is_over = state.phase in (Phase.REJECTED, Phase.NOT_SENT)
    return is_over and not (isinstance(state.error, PASSING) or _wants_no_guard(state))


def _wants_no_guard(state: IntentState | None) -> bool:
    """Whether the broker has refused an order because it was reduce-only, before it was sent."""
    request = None if state is None else state.intent.request
    is_guarded = request is not None and request.reduce_only
    return is_guarded and state is not None and isinstance(state.error, UnsupportedOperationError)


def _takes_guard(look: Look) -> bool:
    """Whether the broker has not refused a reduce-only order of ours so far."""
    return not any(_wants_no_guard(each.state) for each in look.sent)
