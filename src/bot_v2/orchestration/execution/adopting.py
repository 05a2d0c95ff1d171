"""Following an order that was not placed by itself here: one of others, or an exit of ours."""

from __future__ import annotations

from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.context import ExecutionContext, entry_for_order
from bot_v2.orchestration.journal.records import Intent, IntentKind, IntentState


def adopt_order(
    context: ExecutionContext, order: Order, *, note: str = "adopted", belongs_to: str | None = None
) -> IntentState:
    """Follow an order from now on, unless it is followed already.

    Args:
        context: the account.
        order: the order, as it was seen.
        note: why, for a person.
        belongs_to: the watch of which it is an exit. None: of none.

    Raises:
        OrderJournalError: it cannot be written down.
    """
    known = context.journal.find_by_order(context.scope, order.order_id)
    if known is not None:
        return known
    intent = Intent(
        intent_id=context.intent_id(f"adopt/{order.order_id}"),
        kind=IntentKind.ADOPT,
        broker=context.scope.broker,
        account_id=context.scope.account_id,
        client_order_id=order.client_order_id or order.order_id,
        created_at=context.runtime.clock(),
        symbol=order.symbol,
        order_id=order.order_id,
        belongs_to=belongs_to,
    )
    taken = context.journal.open_intent(intent)
    entry = entry_for_order(context, order.order_id, order, note)
    return context.journal.append((taken or IntentState(intent=intent)).intent.intent_id, entry)
