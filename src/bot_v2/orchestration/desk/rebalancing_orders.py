"""The orders of a rebalancing plan, each sent through the executor of its account."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.desk.distribution import derived_id
from bot_v2.orchestration.desk.rebalancing import PlannedTrade, RebalancingPlan
from bot_v2.orchestration.order_executor import OrderExecutor


@attrs.frozen(kw_only=True)
class TradeResult:
    """What came of one order of a plan."""

    trade: PlannedTrade
    """What was planned."""
    result: OrderResult | None = None
    """What the executor says. None: the order was not tried, and nothing was sent."""
    reason: str = ""
    """Why it was not tried, for a person; empty where it was."""


def carry_out(
    plan: RebalancingPlan,
    rebalancing_id: str,
    executor_of: Callable[[str], OrderExecutor],
    profile_of: Callable[[str], IdempotencyProfile],
) -> tuple[TradeResult, ...]:
    """Send the orders of a plan, sales first.

    Args:
        plan: what to send.
        rebalancing_id: from which the orders' ids follow.
        executor_of: returns an account's executor.
        profile_of: returns which ids an account's broker takes.
    """
    stopped: dict[str, str] = {}
    results = []
    for trade in plan.trades:
        if trade.broker in stopped:
            results.append(TradeResult(trade=trade, reason=stopped[trade.broker]))
            continue
        try:
            executor = executor_of(trade.broker)
        except BrokerageError as error:
            stopped[trade.broker] = f"the account cannot be traded: {error}"
            results.append(TradeResult(trade=trade, reason=stopped[trade.broker]))
            continue
        parts = (rebalancing_id, trade.broker, trade.symbol, "rebalance")
        result = executor.submit(
            OrderRequest(
                symbol=trade.symbol,
                side=trade.side,
                quantity=trade.quantity,
                client_order_id=derived_id(profile_of(trade.broker), *parts),
            )
        )
        if not result.success:
            # What comes after may need what this one would have brought.
            stopped[trade.broker] = f"the order of {trade.symbol} before it was not placed"
        results.append(TradeResult(trade=trade, result=result))
    return tuple(results)
