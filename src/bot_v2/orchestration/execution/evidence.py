"""What the broker shows of an order whose outcome is unknown: one look at everything it can tell.

By its client id where the broker finds orders by it; else among all orders by the id that they
carry; else, where the broker keeps no id, by what it looks like. Orders that came of another intent
are never taken for this one's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from bot_v2.features.brokerages.core.declarations import OrderHistory, Retention
from bot_v2.features.brokerages.core.errors import BrokerageError, OrderNotFoundError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.idempotency import IdempotencyScope
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.context import ExecutionContext
from bot_v2.orchestration.execution.fingerprint import (
    expected_position,
    fill_looks_the_same,
    is_tagged,
    looks_the_same,
)
from bot_v2.orchestration.execution.reading import read, read_position
from bot_v2.orchestration.journal.records import Baseline, Intent

BASELINE_TRIES: Final = 3
"""How often the position is read between two reads of the orders that have to agree."""

_DAY: Final = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Sighting:
    """What one look showed."""

    started_at: timedelta
    """When it began, by `Runtime.elapsed`: what it shows is no older, but for the broker's lag."""
    candidates: dict[str, Order | None]
    """The orders that can be the intent's, by order id. None: only an execution of it was seen."""
    failures: tuple[BrokerageError, ...] = ()
    """The reads that failed."""
    doubt: str | None = None
    """What speaks against absence though no order was seen. None: nothing does."""

    @property
    def proves_absence(self) -> bool:
        """Whether every read was complete, and shows nothing."""
        return not (self.candidates or self.failures or self.doubt)


class EvidenceReader:
    """Looks for an intent's order.

    Args:
        context: the account.
    """

    def __init__(self, context: ExecutionContext) -> None:
        """Look at an account."""
        self._context = context
        self._margin = context.settings.clock_margin

    def look_by_id(self, intent: Intent) -> Sighting:
        """Return what the look-up by client id shows: cheap, and it never proves absence alone."""
        started_at = self._context.runtime.elapsed()
        candidates: dict[str, Order | None] = {}
        failures: list[BrokerageError] = []
        self._look_up(intent, candidates, failures, [])
        return Sighting(
            started_at=started_at,
            candidates=candidates,
            failures=tuple(failures),
            doubt=None if candidates else "only the look-up by client id was made",
        )

    def look_everywhere(self, intent: Intent) -> Sighting:
        """Return what all reads show together."""
        context = self._context
        started_at = context.runtime.elapsed()
        candidates: dict[str, Order | None] = {}
        failures: list[BrokerageError] = []
        orders: list[Order] = []
        others: list[str] = []
        self._look_up(intent, candidates, failures, others)
        try:
            orders = read("list_orders", context.broker.list_orders)
        except BrokerageError as error:
            failures.append(error)
        for order in orders:
            if self._is_the_order(intent, order, others):
                candidates[order.order_id] = order
        listed = {order.order_id for order in orders}
        self._look_at_fills(intent, listed, candidates, failures)
        doubt = None
        if others:
            doubt = f"order {others[0]} is under its id, and came of something else here"
        elif not (candidates or failures):
            doubt = self._look_at_position(intent, orders, failures)
        return Sighting(
            started_at=started_at,
            candidates=candidates,
            failures=tuple(failures),
            doubt=doubt,
        )

    @property
    def can_look_up(self) -> bool:
        """Whether the broker finds an order by our id."""
        keeps_ids = self._context.profile.scope is not IdempotencyScope.NONE
        return keeps_ids and self._context.lookup is not None

    def _look_up(
        self,
        intent: Intent,
        candidates: dict[str, Order | None],
        failures: list[BrokerageError],
        others: list[str],
    ) -> None:
        lookup = self._context.lookup
        if lookup is None or not self.can_look_up:
            return
        try:
            order = read(
                "get_order_by_client_id",
                lambda: lookup.get_order_by_client_id(intent.client_order_id),
            )
        except OrderNotFoundError:
            return
        except BrokerageError as error:
            failures.append(error)
            return
        if self._is_free(intent, order.order_id):
            candidates[order.order_id] = order
        else:
            others.append(order.order_id)

    def _is_the_order(self, intent: Intent, order: Order, others: list[str]) -> bool:
        tagged = is_tagged(intent, self._context.profile.scope, order.client_order_id)
        is_alike = looks_the_same(intent, order, self._margin) if tagged is None else tagged
        if not is_alike:
            return False
        is_free = self._is_free(intent, order.order_id)
        if tagged and not is_free:
            # Adopted, or the broker gave an order id twice: it is no proof that there is none.
            others.append(order.order_id)
        return is_free

    def _is_free(self, intent: Intent, order_id: str) -> bool:
        state = self._context.journal.find_by_order(self._context.scope, order_id)
        return state is None or state.intent.intent_id == intent.intent_id

    def _look_at_fills(
        self,
        intent: Intent,
        listed: Collection[str],
        candidates: dict[str, Order | None],
        failures: list[BrokerageError],
    ) -> None:
        source = self._context.fills
        if source is None:
            return
        since = intent.created_at - self._margin
        try:
            fills = read("list_fills", lambda: source.list_fills(since))
        except BrokerageError as error:
            failures.append(error)
            return
        for order_id, has_tag in self._orders_of(intent, fills).items():
            # What an order shows of itself was judged by it, not by its executions.
            if order_id in candidates or (order_id in listed and not has_tag):
                continue
            try:
                order = read("get_order", lambda: self._context.broker.get_order(order_id))  # noqa: B023
            except BrokerageError as error:
                if has_tag:
                    # The execution is evidence enough, whether its order is shown or not.
                    candidates[order_id] = None
                else:
                    # It can be of any order of that side: nobody knows of which.
                    failures.append(error)
                continue
            if has_tag or looks_the_same(intent, order, self._margin):
                candidates[order_id] = order

    def _orders_of(self, intent: Intent, fills: Iterable[Fill]) -> dict[str, bool]:
        """Return the orders whose executions can be of the intent, and whether an id says so."""
        found: dict[str, bool] = {}
        for fill in fills:
            tagged = is_tagged(intent, self._context.profile.scope, fill.client_order_id)
            is_alike = fill_looks_the_same(intent, fill, self._margin) if tagged is None else tagged
            if is_alike and self._is_free(intent, fill.order_id):
                found[fill.order_id] = bool(tagged) or found.get(fill.order_id, False)
        return found

    def _look_at_position(
        self, intent: Intent, orders: list[Order], failures: list[BrokerageError]
    ) -> str | None:
        baseline, symbol = intent.baseline, intent.symbol
        if baseline is None or symbol is None or baseline.position is None:
            return None
        expected = expected_position(baseline, symbol, orders)
        try:
            found = read_position(self._context.broker, symbol)
        except BrokerageError as error:
            failures.append(error)
            return None
        if expected is None or found == expected:
            return None
        return f"the position is {found}, and the orders that are shown make it {expected}"


def read_baseline(context: ExecutionContext, symbol: str) -> Baseline:
    """Return what the account shows of a product, before an order that cannot be tagged is sent.

    Raises:
        BrokerageError: a read failed.
    """
    filled = _read_filled(context, symbol)
    for _ in range(BASELINE_TRIES):
        position = read_position(context.broker, symbol)
        before, filled = filled, _read_filled(context, symbol)
        if filled == before:
            return Baseline(filled_by_order=filled, position=position)
    # Orders are filled all the time: no position belongs to what is known of them.
    return Baseline(filled_by_order=filled, position=None)


def _read_filled(context: ExecutionContext, symbol: str) -> dict[str, Decimal]:
    orders = read("list_orders", context.broker.list_orders)
    return {order.order_id: order.filled_quantity for order in orders if order.symbol == symbol}


def still_remembers(history: OrderHistory, sent_at: datetime, now: datetime) -> bool:
    """Return whether a broker that was sent an order at a moment would still show it.

    Args:
        history: what the broker declares.
        sent_at: the moment, or an earlier one.
        now: the moment of the read.
    """
    if history.retention is Retention.FOREVER:
        return True
    if history.retention is Retention.DAYS:
        return now - sent_at < (history.days or 0) * _DAY
    zone = ZoneInfo(history.session_zone or "UTC")
    local = now.astimezone(zone)
    reset = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if history.session_reset is not None:
        reset = datetime.combine(local.date(), history.session_reset, tzinfo=zone)
    if reset > local:
        reset -= _DAY
    return sent_at > reset.astimezone(UTC)
