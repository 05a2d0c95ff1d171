"""Runs distributions: each leg through its account's executor, told one by one, never twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bot_v2.features.brokerages.core.declarations import idempotency_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
)
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.desk.distribution import (
    DistributedResult,
    Distribution,
    LegPlan,
    LegRefusal,
    LegResult,
    LegStatus,
    UndoAction,
    UndoResult,
    UndoStep,
    closing_id,
    closing_request,
)
from bot_v2.orchestration.desk.executors import AccountView, Trading
from bot_v2.orchestration.execution.context import result_of
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.shared.types import Clock

SAGA_ID_MAX: Final = 64
"""The longest id of a distribution, in characters."""


class SagaRunner:
    """Sends distributions, and tells what came of them.

    Args:
        trading: the journal, and where distributions are kept.
        executor_of: returns an account's executor, by its name.
        view_of: returns a brokerage, by its name.
        clock: the present moment.
    """

    def __init__(
        self,
        trading: Trading,
        executor_of: Callable[[str], OrderExecutor],
        view_of: Callable[[str], AccountView],
        clock: Clock,
    ) -> None:
        """Run nothing yet."""
        self._trading = trading
        self._executor_of = executor_of
        self._view_of = view_of
        self._clock = clock

    def find(self, saga_id: str) -> Distribution:
        """Return a distribution.

        Raises:
            InvalidRequestError: there is none of that id.
            OrderJournalError: it cannot be read.
        """
        found = self._trading.sagas.find(saga_id)
        if found is None:
            raise InvalidRequestError(f"there is no distribution {saga_id!r} in this journal")
        return found

    def submit(self, distribution: Distribution, *, stop_on_failure: bool) -> DistributedResult:
        """Write a distribution down, and send what of it was not sent yet.

        What was written down under its id before counts, and not what is given, which has to ask
        for the same.

        Raises:
            InvalidFieldError: the id is not one, or another order was distributed under it.
            OrderJournalError: it cannot be written down; nothing was sent.
        """
        saga_id = distribution.saga_id
        if not 0 < len(saga_id) <= SAGA_ID_MAX:
            raise InvalidFieldError("saga_id", saga_id, f"1 to {SAGA_ID_MAX} characters")
        known = self._trading.sagas.open(distribution)
        if known is not None and known.request != distribution.request:
            accepted = "an id that no other order was distributed under"
            raise InvalidFieldError("saga_id", saga_id, accepted)
        return self.run(known or distribution, stop_on_failure=stop_on_failure)

    def run(
        self, distribution: Distribution, *, stop_on_failure: bool = False
    ) -> DistributedResult:
        """Send what was not sent yet of a distribution that is written down."""
        refusals = self._refusals(distribution)
        done: list[LegResult] = []
        failed: LegResult | None = None
        for leg in distribution.legs:
            if failed is not None and stop_on_failure:
                one = self._look(leg, refusals, f"not tried, as {failed.leg.broker} failed")
            else:
                one = self._send(distribution, leg, refusals)
            if one.status is not LegStatus.PLACED:
                failed = failed or one
            done.append(one)
        return self._end(DistributedResult(distribution=distribution, legs=tuple(done)))

    def look(self, distribution: Distribution) -> DistributedResult:
        """Return what came of a distribution so far; nothing is sent.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        refusals = self._refusals(distribution)
        legs = tuple(self._look(leg, refusals, "not tried") for leg in distribution.legs)
        return self._end(DistributedResult(distribution=distribution, legs=legs))

    def undo(self, distribution: Distribution) -> tuple[UndoResult, ...]:
        """Cancel what lives of a distribution, and trade back what filled; again is harmless.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        results: list[UndoResult] = []
        for one in self.look(distribution).legs:
            if one.status is LegStatus.UNKNOWN:
                step = _step(one, UndoAction.LOOK)
                because = "nobody knows yet whether there is an order: recover, then undo again"
                results.append(UndoResult(step=step, done=False, explanation=because))
            elif one.status is LegStatus.PLACED:
                results.extend(self._undo(distribution, one))
        return tuple(results)

    def _refusals(self, distribution: Distribution) -> dict[str, LegRefusal]:
        listed = self._trading.sagas.list_refusals(distribution.saga_id)
        return {one.client_order_id: one for one in listed}

    def _end(self, result: DistributedResult) -> DistributedResult:
        if result.is_settled:
            # Where this cannot be written, it is looked at once more than is needed.
            with suppress(OrderJournalError):
                self._trading.sagas.end(result.distribution.saga_id, self._clock())
        return result

    def _send(
        self, distribution: Distribution, leg: LegPlan, refusals: dict[str, LegRefusal]
    ) -> LegResult:
        if leg.client_order_id in refusals:
            return self._look(leg, refusals, "not tried")
        try:
            executor = self._executor_of(leg.broker)
        except BrokerageError as error:
            return self._look(leg, refusals, f"not tried: {error.message}")
        result = executor.submit(leg.request)
        if result.success or result.error is None:
            return _told(leg, result)
        with suppress(OrderJournalError):
            if executor.find(leg.client_order_id) is None:
                refusal = LegRefusal(
                    client_order_id=leg.client_order_id, error=result.error, at=self._clock()
                )
                self._trading.sagas.refuse(distribution.saga_id, refusal)
        return _told(leg, result)

    def _look(self, leg: LegPlan, refusals: dict[str, LegRefusal], otherwise: str) -> LegResult:
        intent_id = f"{leg.broker}/{leg.account_id}/{leg.client_order_id}"
        state = self._trading.journal.find(intent_id)
        if state is not None:
            return _told(leg, result_of(state))
        refusal = refusals.get(leg.client_order_id)
        if refusal is None:
            return LegResult(leg=leg, status=LegStatus.NOT_TRIED, explanation=otherwise)
        error = refusal.error
        result = OrderResult(
            success=False,
            client_order_id=leg.client_order_id,
            error=error,
            message=error.message,
        )
        return _told(leg, result)

    def _undo(self, distribution: Distribution, one: LegResult) -> list[UndoResult]:
        leg, results = one.leg, []
        action = UndoAction.CANCEL
        try:
            executor, broker = self._executor_of(leg.broker), self._view_of(leg.broker)
            order_id = "" if one.result is None else one.result.order_id or ""
            order = broker.get_order(order_id)
            if order.status not in ENDED_STATUSES:
                cancelled = executor.cancel(order_id)
                results.append(
                    UndoResult(
                        step=_step(one, UndoAction.CANCEL),
                        done=cancelled.success,
                        explanation=cancelled.message,
                    )
                )
                order = broker.get_order(order_id)
            action = UndoAction.CLOSE
            if order.status not in ENDED_STATUSES:
                because = "the order has not ended yet, and may fill: undo again when it has"
                results.append(_undone(one, action, because))
            elif order.filled_quantity:
                made_id = closing_id(idempotency_of(broker), distribution, leg)
                closing = closing_request(distribution, leg, order.filled_quantity, made_id)
                closed = executor.submit(closing)
                step = _step(one, action, request=closing)
                results.append(
                    UndoResult(step=step, done=closed.success, explanation=closed.message)
                )
        except BrokerageError as error:
            results.append(_undone(one, action, error.message))
        return results


def _told(leg: LegPlan, result: OrderResult) -> LegResult:
    if result.success:
        status = LegStatus.PLACED
        explanation = f"order {result.order_id}"
        if result.order is not None:
            explanation = f"{explanation}, {result.order.status.value}"
    elif isinstance(result.error, OrderOutcomeUnknownError):
        status, explanation = LegStatus.UNKNOWN, result.message
    else:
        status, explanation = LegStatus.REFUSED, result.message
    return LegResult(leg=leg, status=status, explanation=explanation, result=result)


def _step(one: LegResult, action: UndoAction, **given: object) -> UndoStep:
    return UndoStep(
        broker=one.leg.broker,
        action=action,
        client_order_id=one.leg.client_order_id,
        order_id=None if one.result is None else one.result.order_id,
        **given,  # type: ignore[arg-type]  # the request of a close
    )


def _undone(one: LegResult, action: UndoAction, because: str) -> UndoResult:
    return UndoResult(step=_step(one, action), done=False, explanation=because)
