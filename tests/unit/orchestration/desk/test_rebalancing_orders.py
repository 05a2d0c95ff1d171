"""A plan that was confirmed is sent: each order once, and none after one that failed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal as D

import pytest

from bot_v2.features.brokerages.core.errors import InvalidRequestError, OrderOutcomeUnknownError
from bot_v2.features.brokerages.core.interfaces import OrderSide
from bot_v2.orchestration.desk.rebalancing import RebalancingPlan
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from tests.unit.orchestration.desk.papers import REFUSED, UNKNOWN, PaperAccount, buy, desk

TARGETS = {"ETH-USD": D("0.3"), "AAPL": D("0.2")}


@pytest.fixture
def account() -> PaperAccount:
    """An account that can fail."""
    return PaperAccount()


@pytest.fixture
def manager(account: PaperAccount) -> Iterator[MultiBrokerManager]:
    """A desk of that account, which holds coins that are to be sold, and of an empty one."""
    with desk(a=account, b=PaperAccount()) as made:
        made.submit(buy("0.5"), "a")
        yield made


@pytest.fixture
def plan(manager: MultiBrokerManager) -> RebalancingPlan:
    """Coins are sold, and two other products bought."""
    made = manager.plan_rebalancing(TARGETS, ["a"], sells_others=True)
    sides = [trade.side for trade in made.trades]
    assert sides == [OrderSide.SELL, OrderSide.BUY, OrderSide.BUY]
    return made


def test_each_order_is_sent_once(
    manager: MultiBrokerManager, account: PaperAccount, plan: RebalancingPlan
) -> None:
    """The account holds what was planned, and the same id sends nothing more."""
    before = account.placed
    first = manager.rebalance(plan, "monday")
    assert [one.result is not None and one.result.success for one in first] == [True] * 3
    assert account.placed == before + 3
    held = {one.symbol: one.quantity for one in account.list_positions()}
    bought = {one.symbol: one.quantity for one in plan.trades if one.side is OrderSide.BUY}
    assert held == bought
    again = manager.rebalance(plan, "monday")
    ids = [[one.result.order_id for one in some if one.result] for some in (first, again)]
    assert ids[0] == ids[1]
    assert account.placed == before + 3


@pytest.mark.parametrize("error", [REFUSED, UNKNOWN])
def test_what_comes_after_a_failure_is_not_tried(
    manager: MultiBrokerManager,
    account: PaperAccount,
    plan: RebalancingPlan,
    error: Exception,
) -> None:
    """Purchases that wait for the money of a sale are not sent without it, and say so."""
    account.error = error  # type: ignore[assignment]  # one of the errors of a placement
    account.is_blind = isinstance(error, OrderOutcomeUnknownError)
    sale, *others = manager.rebalance(plan, "monday")
    assert sale.result is not None
    assert not sale.result.success
    assert [one.result for one in others] == [None, None]
    assert all(sale.trade.symbol in one.reason for one in others)


def test_an_account_that_is_gone_is_told(
    manager: MultiBrokerManager, plan: RebalancingPlan
) -> None:
    """Its orders are not tried, each with the reason."""
    manager.remove("a")
    results = manager.rebalance(plan, "monday")
    assert [one.result for one in results] == [None] * 3
    assert all("cannot be traded" in one.reason for one in results)


def test_without_a_journal_nothing_is_sent(plan: RebalancingPlan) -> None:
    """A manager that cannot write orders down sends none."""
    with MultiBrokerManager() as manager, pytest.raises(InvalidRequestError):
        manager.rebalance(plan, "monday")
