"""Plans: what would bring accounts to their targets, exact, in whole steps, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.account_summary import AccountSummary
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError, UnsupportedOperationError
from bot_v2.features.brokerages.core.interfaces import Balance, OrderSide
from bot_v2.orchestration.desk.reading import Answers, Reading
from bot_v2.orchestration.desk.rebalancing import AccountState, Holding, plan
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.desk.totals import Rate
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from tests.unit.orchestration.desk.accounts import (
    NOW,
    WAIT_S,
    Account,
    BrokenError,
    D,
    Time,
    coin,
    position,
    share,
)

SUMMARY = (Capability.ACCOUNT_SUMMARY, Capability.QUOTES)


@pytest.fixture
def manager() -> Iterator[MultiBrokerManager]:
    """A manager that watches nobody, at a time that stands."""
    settings = DeskSettings(watch_interval_s=None, read_timeout_s=WAIT_S)
    with MultiBrokerManager(settings, clock=Time()) as made:
        yield made


@pytest.fixture
def account(manager: MultiBrokerManager) -> Account:
    """An account of 1000 dollars, with shares of three companies."""
    made = Account(*SUMMARY)
    made.products = {name: share(name) for name in ("AAPL", "MSFT", "TSLA")}
    made.positions = [position("AAPL", "6"), position("TSLA", "1")]
    earlier = NOW - timedelta(seconds=9)
    made.offer("AAPL", "99", "101", when=earlier)
    made.offer("MSFT", "29", "31")
    made.offer("TSLA", "200", "200")
    manager.add("a", made)
    return made


def test_a_plan_sells_first_and_says_what_is_left(
    manager: MultiBrokerManager, account: Account
) -> None:
    """Quantities are rounded down to steps; what the target still lacks is said to the digit."""
    found = manager.plan_rebalancing({"MSFT": D("0.4"), "AAPL": D("0.25")})
    sale, purchase = found.trades
    assert (sale.side, sale.symbol, sale.quantity) == (OrderSide.SELL, "AAPL", D(3))
    assert (sale.value, sale.remainder, sale.held_quantity) == (D(300), D(50), D(6))
    assert (sale.price, sale.price_as_of) == (D(100), NOW - timedelta(seconds=9))
    assert (purchase.side, purchase.symbol, purchase.quantity) == (OrderSide.BUY, "MSFT", D(13))
    assert (purchase.value, purchase.remainder) == (D(390), D(10))
    assert (purchase.currency, purchase.target_weight) == ("USD", D("0.4"))
    assert (found.unplanned, found.missing, found.as_of) == ((), (), NOW)
    assert sale.as_of == purchase.as_of == NOW


def test_others_are_sold_when_asked(manager: MultiBrokerManager, account: Account) -> None:
    """A position that is no target stays, unless it is to go."""
    targets = {"AAPL": D("0.6")}
    assert manager.plan_rebalancing(targets).trades == ()
    (sale,) = manager.plan_rebalancing(targets, sells_others=True).trades
    assert (sale.symbol, sale.quantity, sale.remainder) == ("TSLA", D(1), D(0))


def test_a_short_is_bought_back(manager: MultiBrokerManager, account: Account) -> None:
    """What is short counts below zero; buckets are added up."""
    account.positions = [position("AAPL", "-2"), position("AAPL", "-1", bucket="day")]
    (trade,) = manager.plan_rebalancing({"AAPL": D("0.1")}).trades
    assert (trade.side, trade.quantity, trade.held_quantity) == (OrderSide.BUY, D(4), D(-3))


@pytest.mark.parametrize(
    ("terms", "quantity", "remainder", "reason"),
    [
        ({"min_order_size": D(5)}, None, D(400), "less than the smallest order (5)"),
        ({"min_notional": D(401)}, None, D(400), "less than the smallest value of an order (401)"),
        ({"max_order_size": D(3)}, D(3), D(100), "more than the largest order (3)"),
        ({"size_increment": D(50)}, None, D(400), "less than one step of the product"),
        ({"tradeable": False}, None, D(400), "it takes no orders now"),
        (
            {"inverse": True},
            None,
            None,
            "its price does not value it: it is inverse, or not above zero",
        ),
        ({"quote_currency": "EUR"}, None, None, "no price of EUR in USD was given"),
    ],
)
def test_what_is_not_reached_says_why(
    manager: MultiBrokerManager,
    account: Account,
    terms: dict[str, object],
    quantity: Decimal | None,
    remainder: Decimal | None,
    reason: str,
) -> None:
    """A target without an order, or with a smaller one, has a reason and what it lacks."""
    account.positions = []
    account.products["AAPL"] = share("AAPL", **terms)
    found = manager.plan_rebalancing({"AAPL": D("0.4")})
    assert [trade.quantity for trade in found.trades] == ([quantity] if quantity else [])
    (left,) = found.unplanned
    assert (left.symbol, left.remainder, left.reason) == ("AAPL", remainder, reason)


def test_a_product_that_cannot_be_read_is_unplanned(
    manager: MultiBrokerManager, account: Account
) -> None:
    """The other targets are planned."""
    found = manager.plan_rebalancing({"GONE": D("0.1"), "MSFT": D("0.3")})
    (left,) = found.unplanned
    assert (left.symbol, left.remainder) == ("GONE", None)
    assert [trade.symbol for trade in found.trades] == ["MSFT"]


def test_another_currency_needs_a_price(manager: MultiBrokerManager, account: Account) -> None:
    """A product in another currency is valued by a direct price that is given."""
    account.positions = []
    account.products["AAPL"] = share(quote_currency="EUR")
    rate = Rate(base="EUR", quote="USD", price=D("1.25"), as_of=NOW, source="me")
    (trade,) = manager.plan_rebalancing({"AAPL": D("0.4")}, rates=[rate]).trades
    assert (trade.quantity, trade.value, trade.remainder) == (D(3), D(375), D(25))
    inverse = Rate(base="USD", quote="EUR", price=D("0.8"), as_of=NOW, source="me")
    assert manager.plan_rebalancing({"AAPL": D("0.4")}, rates=[inverse]).trades == ()


def test_spot_is_planned_from_balances(manager: MultiBrokerManager) -> None:
    """Where coins are balances they are what is held, and with the cash the equity."""
    account = Account()
    account.spot_as_positions = False
    account.products = {"BTC-USD": coin()}
    account.prices = {"BTC-USD": D(1000)}
    account.balances = [
        Balance(asset="USD", total=D(500)),
        Balance(asset="BTC", total=D("0.4")),
        Balance(asset="BTC", total=D("0.1"), wallet="earn"),
        Balance(asset="ETH", total=D(0)),
    ]
    manager.add("coins", account)
    (trade,) = manager.plan_rebalancing({"BTC-USD": D("0.2502")}).trades
    assert (trade.side, trade.quantity) == (OrderSide.SELL, D("0.249"))
    assert (trade.remainder, trade.price_as_of) == (D("0.8"), NOW)
    account.balances.append(Balance(asset="ETH", total=D(1)))
    (missing,) = manager.plan_rebalancing({"BTC-USD": D("0.25")}).missing
    assert isinstance(missing.error, UnsupportedOperationError)
    assert "these are not among the targets: ETH" in missing.error.message


def test_an_account_of_unknown_worth_is_missing(
    manager: MultiBrokerManager, account: Account
) -> None:
    """Nothing is planned for an account whose equity cannot be said; a failure is told."""
    account.summary = AccountSummary(account_id="A", currency="USD")
    (missing,) = manager.plan_rebalancing({"AAPL": D("0.1")}).missing
    assert "it has positions" in missing.error.message
    account.error = BrokenError("down")
    found = manager.plan_rebalancing({"AAPL": D("0.1")})
    assert (found.missing[0].error, found.as_of) == (account.error, None)
    account.error = None


def test_a_price_may_be_the_last_one(manager: MultiBrokerManager, account: Account) -> None:
    """The latest trade comes before the middle; a quote with neither leads to the plain price."""
    account.positions = []
    account.quotes["AAPL"] = attrs.evolve(account.quotes["AAPL"], last=D(80), timestamp=NOW)
    (trade,) = manager.plan_rebalancing({"AAPL": D("0.4")}).trades
    assert (trade.price, trade.quantity) == (D(80), D(5))
    account.quotes["AAPL"] = attrs.evolve(account.quotes["AAPL"], last=None, ask=None)
    account.prices["AAPL"] = D(50)
    (trade,) = manager.plan_rebalancing({"AAPL": D("0.4")}).trades
    assert (trade.price, trade.quantity) == (D(50), D(8))
    account.prices["AAPL"] = D(0)
    assert manager.plan_rebalancing({"AAPL": D("0.4")}).trades == ()


@pytest.mark.parametrize("weights", [["1.1"], ["-0.1"], ["0.6", "0.5"], ["NaN"]])
def test_weights_that_cannot_be_reached_are_refused(
    manager: MultiBrokerManager, weights: list[str]
) -> None:
    """Each is from 0 to 1, and all together 1 at most."""
    targets = {f"S{number}": D(weight) for number, weight in enumerate(weights)}
    with pytest.raises(InvalidFieldError, match="targets"):
        manager.plan_rebalancing(targets)


money = st.decimals(min_value="0.01", max_value=10**9, places=6)


@given(
    equity=money,
    price=money,
    held=st.decimals(min_value=-(10**6), max_value=10**6, places=4),
    weight=st.decimals(min_value=0, max_value=1, places=4),
    step=st.sampled_from([None, D(1), D("0.001"), D("0.25"), D(7)]),
    multiplier=st.sampled_from([D(1), D(100), D("0.1")]),
)
def test_value_and_remainder_are_the_whole_lack(
    equity: Decimal,
    price: Decimal,
    held: Decimal,
    weight: Decimal,
    step: Decimal | None,
    multiplier: Decimal,
) -> None:
    """To the last digit, and what is left is less than one step is worth."""
    product = share(size_increment=step, multiplier=multiplier)
    holding = Holding(product=product, quantity=held, price=price, price_as_of=NOW)
    state = AccountState(equity=equity, currency="USD", holdings={"AAPL": holding}, problems={})
    answers = Answers((Reading(broker="a", value=state, as_of=NOW),), ())
    found = plan(answers, {"AAPL": weight}, rates=())
    unit = EXACT.multiply(price, multiplier)
    lack = EXACT.subtract(EXACT.multiply(weight, equity), EXACT.multiply(held, unit))
    worth = EXACT.multiply(unit, step or D("1E-18"))
    for trade in found.trades:
        assert EXACT.add(trade.value, trade.remainder) == abs(lack)
        assert D(0) <= trade.remainder < worth
        assert (trade.side is OrderSide.BUY) is (lack > 0)
        assert step is None or trade.quantity % step == 0
    if not found.trades:
        assert abs(lack) < worth
        assert [left.remainder for left in found.unplanned] == ([abs(lack)] if lack else [])
