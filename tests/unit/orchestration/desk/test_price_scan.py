"""Differences of prices: net of fees, in steps that both take, and said why not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.orchestration.desk.increments import common_multiple
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from tests.unit.orchestration.desk.accounts import (
    NOW,
    WAIT_S,
    Account,
    D,
    Time,
    book,
    coin,
)

SYMBOL = "BTC-USD"
ABLE = (Capability.QUOTES, Capability.FEES)


@pytest.fixture
def manager() -> Iterator[MultiBrokerManager]:
    """A manager that watches nobody, at a time that stands."""
    time = Time()
    settings = DeskSettings(watch_interval_s=None, read_timeout_s=WAIT_S)
    with MultiBrokerManager(settings, clock=time, monotonic=time.monotonic) as made:
        yield made


@pytest.fixture
def cheap(manager: MultiBrokerManager) -> Account:
    """Sells at 100."""
    account = Account(*ABLE)
    account.products = {SYMBOL: coin(size_increment=D("0.3"))}
    account.offer(SYMBOL, "99", "100", size="2")
    manager.add("cheap", account)
    return account


@pytest.fixture
def dear(manager: MultiBrokerManager, cheap: Account) -> Account:
    """Buys at 103."""
    account = Account(*ABLE)
    account.products = {SYMBOL: coin(size_increment=D("0.2"))}
    account.offer(SYMBOL, "103", "104", size="5")
    manager.add("dear", account)
    return account


def test_a_difference_is_net_of_both_fees(
    manager: MultiBrokerManager, cheap: Account, dear: Account
) -> None:
    """What is bought at the one and sold at the other, less what both take, in common steps."""
    cheap.fees = FeeRates(taker=D("0.001"), maker=D(0))
    dear.fees = FeeRates(currency="USD", taker=D("0.002"), per_unit=D("0.5"), minimum=D(3))
    found = manager.scan_prices([SYMBOL])
    (one,) = found.differences
    assert (one.buy_at, one.sell_at, one.ask, one.bid) == ("cheap", "dear", D(100), D(103))
    assert one.quantity == D("1.8")
    assert one.gross == D("5.4")
    assert one.fees == D("180") * D("0.001") + D(3)
    assert one.net == one.gross - one.fees == D("2.22")
    assert (one.currency, one.ask_as_of, one.bid_as_of) == ("USD", NOW, NOW)
    assert (found.skipped, found.missing, found.as_of) == ((), (), NOW)
    dear.fees = FeeRates(currency="USD", taker=D("0.01"), per_unit=D("0.5"))
    manager.remove("dear")
    manager.add("dear", dear)
    (one,) = manager.scan_prices([SYMBOL]).differences
    assert one.fees == D("0.18") + D("1.854") + D("0.9")


def test_the_best_comes_first(manager: MultiBrokerManager, cheap: Account, dear: Account) -> None:
    """Differences are in the order of what is left of them, losses last."""
    third = Account(*ABLE)
    third.products = {SYMBOL: coin(size_increment=None)}
    third.offer(SYMBOL, "100.1", "104")
    manager.add("third", third)
    nets = [(one.sell_at, one.net > 0) for one in manager.scan_prices([SYMBOL]).differences]
    assert nets == [("dear", True), ("third", False)]


def test_a_quantity_bounds_the_trade(
    manager: MultiBrokerManager, cheap: Account, dear: Account
) -> None:
    """No more than is wanted; it stands in where a size is not said, and is needed then."""
    (one,) = manager.scan_prices([SYMBOL], quantity_max=D(1)).differences
    assert one.quantity == D("0.6")
    dear.offer(SYMBOL, "103", "104", size=None)
    found = manager.scan_prices([SYMBOL])
    assert found.differences == ()
    assert found.skipped[0].reason == "one does not say how much it offers: give a quantity"
    (one,) = manager.scan_prices([SYMBOL], quantity_max=D("0.7")).differences
    assert one.quantity == D("0.6")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote_currency": "EUR"}, "the prices are in different currencies"),
        ({"multiplier": D(10)}, "a unit is not the same at both"),
        ({"inverse": True}, "an inverse contract is not valued by its price"),
        ({"tradeable": False}, "one of them takes no orders now"),
        ({"min_order_size": D(3)}, "what both offer is less than an order may be"),
        ({"size_increment": D(10)}, "what both offer is less than an order may be"),
    ],
)
def test_what_cannot_be_compared_says_why(
    manager: MultiBrokerManager,
    cheap: Account,
    dear: Account,
    change: dict[str, object],
    reason: str,
) -> None:
    """A pair that differs in price alone counts; another is skipped, with the reason."""
    dear.products = {SYMBOL: coin(SYMBOL, **change)}
    found = manager.scan_prices([SYMBOL])
    assert found.differences == ()
    (skipped,) = found.skipped
    assert (skipped.buy_at, skipped.sell_at, skipped.reason) == ("cheap", "dear", reason)


def test_an_order_is_no_larger_than_it_may_be(
    manager: MultiBrokerManager, cheap: Account, dear: Account
) -> None:
    """The largest order of either bounds the trade."""
    dear.products = {SYMBOL: coin(max_order_size=D("0.7"), size_increment=D("0.1"))}
    (one,) = manager.scan_prices([SYMBOL]).differences
    assert one.quantity == D("0.6")


def test_an_old_price_is_no_price(
    manager: MultiBrokerManager, cheap: Account, dear: Account
) -> None:
    """A price beyond the age that is allowed is not compared."""
    old = NOW - timedelta(seconds=6)
    dear.offer(SYMBOL, "103", "104", when=old)
    found = manager.scan_prices([SYMBOL])
    assert (found.differences, found.skipped[0].reason) == ((), "a price is too old")
    assert found.as_of == old
    assert len(manager.scan_prices([SYMBOL], age_max_s=6).differences) == 1


@pytest.mark.parametrize(
    "fees",
    [FeeRates(maker=D(0)), FeeRates(currency="EUR", taker=D(0), minimum=D(1))],
)
def test_fees_that_are_not_known_are_not_nothing(
    manager: MultiBrokerManager, cheap: Account, dear: Account, fees: FeeRates
) -> None:
    """Without a rate for takers, or with an amount in another currency, nothing is net."""
    dear.fees = fees
    found = manager.scan_prices([SYMBOL])
    assert "the fees of one are not known" in found.skipped[0].reason


def test_fees_can_be_given(manager: MultiBrokerManager, cheap: Account) -> None:
    """A broker that tells no fees is missing, unless they are given; a book does for a quote."""
    silent = Account()
    silent.products = {SYMBOL: coin()}
    silent.books = {SYMBOL: book(SYMBOL, "103", None, None)}
    manager.add("silent", silent)
    (missing,) = manager.scan_prices([SYMBOL]).missing
    assert (missing.broker, missing.subject) == ("silent", SYMBOL)
    assert isinstance(missing.error, UnsupportedOperationError)
    found = manager.scan_prices([SYMBOL], fees={"silent": FeeRates(taker=D(0))})
    (one,) = found.differences
    # The book does not say when: it is as of when it was asked for.
    assert (one.sell_at, one.bid_as_of, one.quantity) == ("silent", NOW, D("1.8"))
    silent.books = {SYMBOL: book(SYMBOL, None, "99", NOW)}
    assert manager.scan_prices([SYMBOL], fees={"silent": FeeRates(taker=D(0))}).differences == ()


def test_delayed_prices_are_missing(
    manager: MultiBrokerManager, cheap: Account, dear: Account
) -> None:
    """A delayed quote is no price to compare."""
    dear.quotes[SYMBOL] = attrs.evolve(dear.quotes[SYMBOL], delayed=True)
    (missing,) = manager.scan_prices([SYMBOL]).missing
    assert isinstance(missing.error, MarketDataUnavailableError)


def test_products_and_fees_are_kept(
    manager: MultiBrokerManager, cheap: Account, dear: Account
) -> None:
    """Prices are read each time, products and fees within their time once."""
    for _ in range(3):
        manager.scan_prices([SYMBOL, SYMBOL])
    assert cheap.asked["get_quote"] == 3
    assert cheap.asked["get_product"] == cheap.asked["get_fees"] == 1


steps = st.decimals(min_value="0.00000001", max_value=1000, places=8).map(Decimal.normalize)


@given(steps, steps)
def test_a_common_step_is_the_smallest(one: Decimal, other: Decimal) -> None:
    """It is a whole number of both steps, and no smaller whole number of one is of the other."""
    step = common_multiple(one, other)
    assert step is not None
    whole = [EXACT.divide(step, one), EXACT.divide(step, other)]
    assert [number % 1 for number in whole] == [0, 0]
    assert math.gcd(*map(int, whole)) == 1


def test_a_step_that_is_not_stated_fits_all() -> None:
    """Where one product states no step, the other's counts."""
    assert common_multiple(None, D(3)) == common_multiple(D(3), None) == D(3)
    assert common_multiple(None, None) is None
    assert common_multiple(D("1E+2"), D("0.3")) == D(300)
