"""What orders came to: average price, fees, slippage against the arrival price, latency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.orchestration.execution.bookkeeping import effective_fills
from bot_v2.orchestration.execution.fingerprint import ZERO
from bot_v2.orchestration.journal.records import IntentState

PLACES = 12
"""Digits after the point in an average price: an average need not have an end."""


@attrs.frozen(kw_only=True)
class ExecutionStatistics:
    """What one order came to."""

    filled_quantity: Decimal
    """How much was filled, in order units."""
    average_price: Decimal | None
    """The mean price of the executions, in quote currency, to 12 places. None: there are none."""
    fees: dict[str, Decimal]
    """What was charged, by currency; without a name, where the broker does not say which."""
    slippage: Decimal | None
    """How much worse the average is than the arrival price, in quote currency per unit; below zero
    is better. None: there is no arrival price, or nothing was filled."""
    time_to_first_fill: timedelta | None
    """From the journalled intent to the first execution, by two clocks. None: there is none."""


def statistics_of(state: IntentState, fills: Iterable[Fill]) -> ExecutionStatistics:
    """Return what an order came to, by its executions; by the order itself where none are listed.

    Args:
        state: the order's intent.
        fills: the executions of the order, corrections included.
    """
    listed = list(fills)
    held = effective_fills(listed)
    request = state.intent.request
    quantity, average = _mean(held)
    fees: dict[str, Decimal] = {}
    for fill in held:
        if fill.fee is not None:
            currency = fill.fee_currency or ""
            fees[currency] = EXACT.add(fees.get(currency, ZERO), fill.fee)
    if not listed and state.order is not None:
        quantity, average = state.order.filled_quantity, state.order.average_fill_price
        fees = {fee.currency: fee.amount for fee in state.order.fees or ()}
    slippage = None
    if average is not None and state.intent.arrival_price is not None and request is not None:
        worse = EXACT.subtract(average, state.intent.arrival_price)
        slippage = worse if request.side is OrderSide.BUY else EXACT.minus(worse)
    first = min((fill.timestamp for fill in held), default=None)
    return ExecutionStatistics(
        filled_quantity=quantity,
        average_price=average,
        fees=fees,
        slippage=slippage,
        time_to_first_fill=None if first is None else first - state.intent.created_at,
    )


def _mean(fills: Sequence[Fill]) -> tuple[Decimal, Decimal | None]:
    quantity = value = ZERO
    for fill in fills:
        quantity = EXACT.add(quantity, fill.quantity)
        value = EXACT.add(value, EXACT.multiply(fill.quantity, fill.price))
    if not quantity:
        return ZERO, None
    return quantity, divide(value, quantity, PLACES, Rounding.HALF_EVEN)


@attrs.frozen(kw_only=True)
class ExecutorTotals:
    """What the executor did since it began."""

    succeeded: int
    """How many submits gave an order."""
    failed: int
    """How many did not, whatever the reason."""
    latencies_s: tuple[float, ...]
    """How long the latest submits took, in seconds, oldest first."""

    def latency_s(self, share: float) -> float | None:
        """Return in how many seconds a share of submits, as 0.99, came back. None: none."""
        if not self.latencies_s:
            return None
        ordered = sorted(self.latencies_s)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def totals_of(results: Mapping[bool, int], latencies_s: Iterable[float]) -> ExecutorTotals:
    """Return totals, frozen as they are now."""
    return ExecutorTotals(
        succeeded=results.get(True, 0),
        failed=results.get(False, 0),
        latencies_s=tuple(latencies_s),
    )
