"""Whether three accounts add up: what the simulators took, what the journal says, and the cash."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from bot_v2.cli.demo_brokers.telling import plain
from bot_v2.cli.demo_brokers.witnesses import WITNESSES, seen_by_adapter, seen_by_sdk
from bot_v2.cli.reconciliation import Check
from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.capabilities import SupportsFills, supports
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_terms import OrderSide

if TYPE_CHECKING:
    from bot_v2.cli.demo_brokers.stage import Seat, Stage

ZERO: Final = Decimal(0)

CURRENCY: Final = "USD"
"""The currency of the accounts."""


def list_fills(seat: Seat) -> list[Fill]:
    """Return the executions of a broker, oldest first.

    Raises:
        InvalidRequestError: the broker does not tell them.
    """
    if not supports(seat.broker, SupportsFills):
        raise InvalidRequestError(f"{seat.name} tells no executions: nothing can be added up")
    return seat.broker.list_fills()


def each_once(stage: Stage) -> list[Check]:
    """Check that each simulator took exactly what was submitted to it, each once."""
    return [
        Check(
            claim=f"{name} took each order that was submitted, once",
            expected=_counted(stage.placed.get(name, [])),
            found=_counted([one.client_order_id or "" for one in seat.venue.orders_received()]),
        )
        for name, seat in stage.seats.items()
    ]


def _counted(ids: Sequence[str]) -> str:
    return f"{len(ids)}: {', '.join(sorted(ids))}"


def nothing_is_open(stage: Stage) -> list[Check]:
    """Check that no executor is left with anything of which nobody knows what became of it."""
    checks = []
    for name, seat in stage.seats.items():
        # Two looks agree what there was at first; the second one is the report.
        seat.executor.reconcile()
        report = seat.executor.reconcile(explain=True)
        checks.append(
            Check(
                claim=f"{name} and the journal agree, and nothing is left to explain",
                expected="complete, clean",
                found=", ".join(
                    [
                        "complete" if report.is_complete else "INCOMPLETE",
                        "clean" if report.is_clean else "; ".join(report.tell_questions()),
                    ]
                ),
            )
        )
    return checks


def witnesses_agree(stage: Stage) -> list[Check]:
    """Check that each vendor's own SDK sees the orders that the adapter tells."""
    return [
        Check(
            claim=f"{WITNESSES[name].sdk} sees what the adapter of {name} tells",
            expected=_told(seen_by_adapter(seat)),
            found=_told(seen_by_sdk(seat)),
        )
        for name, seat in stage.seats.items()
    ]


def _told(orders: Sequence[object]) -> str:
    return f"{len(orders)} orders: {'; '.join(str(one) for one in orders)}"


def money_adds_up(stage: Stage, start: dict[str, Decimal]) -> list[Check]:
    """Check that holdings and cash follow from the executions, to the last digit.

    Args:
        stage: all of it.
        start: the cash that each account began with, by broker.
    """
    checks = []
    for name, seat in stage.seats.items():
        fills = list_fills(seat)
        checks.append(_holdings_follow(seat, fills))
        checks.append(_cash_follows(seat, fills, start[name]))
    return checks


def _holdings_follow(seat: Seat, fills: Sequence[Fill]) -> Check:
    bought: dict[str, Decimal] = {}
    for fill in fills:
        bought[fill.symbol] = EXACT.add(bought.get(fill.symbol, ZERO), _signed(fill))
    held = {
        one.symbol: one.quantity if one.side is PositionSide.LONG else EXACT.minus(one.quantity)
        for one in seat.broker.list_positions()
    }
    for symbol in bought.keys() - held.keys():
        # A coin of a broker that tells no position of it is a balance.
        base = seat.broker.get_product(symbol).base_currency
        held[symbol] = ZERO if base is None else seat.broker.get_balance(base).total
    return Check(
        claim=f"{seat.name}: held is what was bought less what was sold",
        expected=_amounts(bought),
        found=_amounts(held),
    )


def _cash_follows(seat: Seat, fills: Sequence[Fill], start: Decimal) -> Check:
    cash = start
    for fill in fills:
        value = EXACT.multiply(_signed(fill), fill.price)
        cash = EXACT.subtract(EXACT.subtract(cash, value), fill.fee or ZERO)
    return Check(
        claim=f"{seat.name}: {CURRENCY} at the start - bought + sold - fees",
        expected=plain(cash),
        found=plain(seat.broker.get_balance(CURRENCY).total),
    )


def _signed(fill: Fill) -> Decimal:
    return fill.quantity if fill.side is OrderSide.BUY else EXACT.minus(fill.quantity)


def _amounts(by_symbol: dict[str, Decimal]) -> str:
    return ", ".join(f"{name} {plain(amount)}" for name, amount in sorted(by_symbol.items()))
