"""What the brokerages of a desk come to: added up where it makes sense, dated, not guessed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from bot_v2.orchestration.desk.equity import EquityBasis, equity_change
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.desk.totals import Amount, Rate, Total, convert, totals_of
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


@pytest.fixture
def time() -> Time:
    """A clock that stands."""
    return Time()


@pytest.fixture
def manager(time: Time) -> Iterator[MultiBrokerManager]:
    """A manager that watches nobody."""
    settings = DeskSettings(watch_interval_s=None, read_timeout_s=WAIT_S)
    with MultiBrokerManager(settings, clock=time, monotonic=time.monotonic) as made:
        yield made


def test_positions_are_added_up_where_they_are_one_product(manager: MultiBrokerManager) -> None:
    """Shares and pairs are added over brokerages; contracts and native symbols are not."""
    one, other = Account(), Account()
    future, native = "CL-20270319", "@ODD"
    one.positions = [
        position("AAPL", "10"),
        position(future, "2"),
        position(native, "1"),
        position("AAPL", "-3", bucket="day"),
    ]
    other.positions = [position("AAPL", "0.5"), position(future, "5"), position(native, "4")]
    manager.add("one", one)
    manager.add("other", other)
    found = manager.read_positions()
    assert found.missing == ()
    assert found.as_of == NOW
    assert len(found.positions) == 7
    exposures = {(each.symbol, each.brokers): each for each in found.exposures}
    shares = exposures["AAPL", ("one", "other")]
    assert (shares.long_quantity, shares.short_quantity) == (D("10.5"), D(3))
    assert (shares.net_quantity, shares.as_of) == (D("7.5"), NOW)
    assert exposures[future, ("one",)].net_quantity == D(2)
    assert exposures[future, ("other",)].net_quantity == D(5)
    assert exposures[native, ("other",)].net_quantity == D(4)
    assert len(exposures) == 5


def test_who_does_not_answer_is_missing_and_not_zero(manager: MultiBrokerManager) -> None:
    """The others are added up; the one is named, with its error."""
    fine, broken = Account(), Account()
    fine.balances = [Balance(asset="USD", total=D(5), available=D(4))]
    broken.error = BrokenError("down")
    manager.add("fine", fine)
    manager.add("broken", broken)
    found = manager.read_balances()
    (total,) = found.totals
    assert (total.currency, total.amount, total.brokers) == ("USD", D(5), ("fine",))
    assert found.available[0].amount == D(4)
    (missing,) = found.missing
    assert (missing.broker, missing.error, missing.timestamp) == ("broken", broken.error, NOW)
    broken.error = None


def test_what_is_not_said_is_named(manager: MultiBrokerManager) -> None:
    """A sum names whose part is not in it, because the broker does not say; all silent: no sum."""
    one, other = Account(), Account()
    one.balances = [
        Balance(asset="USD", total=D(5), available=D(4)),
        Balance(asset="X", total=D(1)),
    ]
    other.balances = [Balance(asset="USD", total=D(-2))]
    manager.add("one", one)
    manager.add("other", other)
    found = manager.read_balances()
    assert [(each.currency, each.amount) for each in found.totals] == [("USD", D(3)), ("X", D(1))]
    assert found.converted is None
    inclusive = manager.read_balances(currency="USD").converted
    assert inclusive is not None
    assert inclusive.amount == D(3)
    assert [each.total.currency for each in inclusive.unconverted] == ["X"]
    (available,) = found.available
    assert (available.amount, available.brokers, available.unsaid) == (D(4), ("one",), ("other",))


def test_live_orders_are_those_that_have_not_ended(manager: MultiBrokerManager) -> None:
    """An order of unknown status may live, and is told; one that ended is not."""
    account = Account()
    account.orders = [
        Order(
            order_id=status.value,
            client_order_id="c",
            symbol="AAPL",
            side=OrderSide.BUY,
            type=OrderType.LIMIT,
            quantity=D(1),
            price=D(1),
            status=status,
            filled_quantity=D(1) if status is OrderStatus.FILLED else D(0),
            native_status="x",
            time_in_force=TimeInForce.GTC,
            account_id="A",
        )
        for status in (OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.UNKNOWN)
    ]
    manager.add("a", account)
    found = manager.read_open_orders()
    assert [each.order.status for each in found.orders] == [OrderStatus.OPEN, OrderStatus.UNKNOWN]
    assert {(each.broker, each.as_of) for each in found.orders} == {("a", NOW)}
    assert found.as_of == NOW


def test_a_margin_is_kept_for_its_time(manager: MultiBrokerManager, time: Time) -> None:
    """Within its time a margin is not read again, and keeps the time at which it was."""
    account, without = Account(Capability.MARGIN), Account()
    manager.add("a", account)
    manager.add("without", without)
    first = manager.read_margin()
    assert [(each.currency, each.amount) for each in first.initial_margin] == [("USD", D(10))]
    assert first.maintenance_margin == ()
    assert not first.accounts[0].is_cached
    (missing,) = first.missing
    assert isinstance(missing.error, UnsupportedOperationError)
    time.pass_s(4)
    account.margin = Margin(currency="USD", initial_margin=D(99))
    second = manager.read_margin()
    assert second.accounts[0].is_cached
    assert (second.initial_margin[0].amount, second.as_of) == (D(10), NOW)
    time.pass_s(1)
    third = manager.read_margin()
    assert (third.initial_margin[0].amount, third.as_of) == (D(99), time())
    assert account.asked["get_margin"] == 2


def test_what_is_kept_goes_with_the_brokerage(manager: MultiBrokerManager) -> None:
    """Another brokerage under the name of one that was removed is read anew; a failure is too."""
    old, new = Account(Capability.MARGIN), Account(Capability.MARGIN)
    new.margin = Margin(currency="EUR", initial_margin=D(1))
    manager.add("a", old)
    manager.add("b", Account())
    manager.read_margin(["a"])
    manager.remove("a")
    manager.add("a", new)
    new.error = BrokenError("down")
    assert len(manager.read_margin(["a"]).missing) == 1
    new.error = None
    assert manager.read_margin(["a"]).initial_margin[0].currency == "EUR"


def test_equity_is_what_the_broker_says(manager: MultiBrokerManager) -> None:
    """It is dated by the broker where it says when; one that says nothing has no amount."""
    earlier = NOW - timedelta(minutes=2)
    one, other, silent = (Account(Capability.ACCOUNT_SUMMARY) for _ in range(3))
    one.summary = attrs.evolve(one.summary, timestamp=earlier)
    other.summary = AccountSummary(account_id="B", currency="EUR", equity=D(100))
    silent.summary = AccountSummary(account_id="C", currency="EUR")
    for name, account in (("one", one), ("other", other), ("silent", silent)):
        manager.add(name, account)
    found = manager.read_equity()
    assert [(each.broker, each.basis, each.as_of) for each in found.accounts] == [
        ("one", EquityBasis.SUMMARY, earlier),
        ("other", EquityBasis.SUMMARY, NOW),
        ("silent", EquityBasis.SUMMARY, NOW),
    ]
    euros, dollars = found.totals
    assert (euros.amount, euros.unsaid, dollars.amount) == (D(100), ("silent",), D(1000))
    assert (found.converted, found.as_of) == (None, earlier)


def test_equity_of_balances_alone_is_the_balances(manager: MultiBrokerManager) -> None:
    """Where no equity is told and nothing else is held, the balances are it; else it is missing."""
    plain, with_position = Account(), Account()
    plain.balances = [
        Balance(asset="BTC", total=D("0.5")),
        Balance(asset="USD", total=D(7)),
        Balance(asset="USD", total=D(2), wallet="earn"),
    ]
    with_position.positions = [position("AAPL", "1")]
    manager.add("plain", plain)
    manager.add("with_position", with_position)
    found = manager.read_equity(
        currency="USD",
        rates=[Rate(base="BTC", quote="USD", price=D(40000), as_of=NOW, source="me")],
    )
    (account,) = found.accounts
    assert account.basis is EquityBasis.BALANCES
    assert [(each.currency, each.amount) for each in account.amounts] == [
        ("BTC", D("0.5")),
        ("USD", D(9)),
    ]
    assert found.converted is not None
    assert found.converted.amount == D(20009)
    (missing,) = found.missing
    assert missing.broker == "with_position"
    assert isinstance(missing.error, UnsupportedOperationError)


def total(currency: str, amount: str) -> Total:
    """A total of one brokerage."""
    return Total(currency=currency, amount=D(amount), as_of=NOW, brokers=("a",))


def rate(base: str, quote: str, price: str, age_s: float = 0) -> Rate:
    """A price of some age."""
    as_of = NOW - timedelta(seconds=age_s)
    return Rate(base=base, quote=quote, price=D(price), as_of=as_of, source="me")


def test_only_a_stated_price_converts() -> None:
    """A direct price is exact, an inverse one rounded and marked; without one nothing is added."""
    found = convert(
        [total("EUR", "10"), total("JPY", "100"), total("USD", "1"), total("XYZ", "5")],
        "USD",
        [rate("EUR", "USD", "1.1", 30), rate("USD", "JPY", "150", 10), rate("XYZ", "EUR", "1")],
        now=NOW,
        age_max_s=60,
    )
    assert [
        (part.total.currency, part.amount, part.rate_age_s, part.is_rounded) for part in found.parts
    ] == [
        ("EUR", D("11.0"), 30.0, False),
        ("JPY", D("0.66666667"), 10.0, True),
        ("USD", D(1), None, False),
    ]
    assert found.amount == D("12.66666667")
    assert found.as_of == NOW - timedelta(seconds=30)
    (left,) = found.unconverted
    assert (left.total.currency, left.reason) == ("XYZ", "no price of XYZ in USD was given")


def test_an_old_price_converts_nothing() -> None:
    """Of several prices the latest counts; where it is too old its total is left out."""
    rates = [rate("EUR", "USD", "1.1", 90), rate("EUR", "USD", "1.2", 61)]
    found = convert([total("EUR", "10")], "USD", rates, now=NOW, age_max_s=60)
    assert (found.amount, found.parts) == (D(0), ())
    assert found.unconverted[0].reason == "the price of EUR in USD is 0:01:01 old"
    assert convert([total("EUR", "10")], "USD", rates, now=NOW, age_max_s=61).amount == D(12)


@pytest.mark.parametrize("price", [D(0), D(-1), D("Infinity"), 1])
def test_a_price_is_above_zero(price: object) -> None:
    """What is no price is refused."""
    with pytest.raises(InvalidFieldError, match=r"Rate\.price"):
        Rate(base="A", quote="B", price=price, as_of=NOW, source="x")  # type: ignore[arg-type] # on purpose


amounts = st.decimals(
    allow_nan=False, allow_infinity=False, places=8, min_value=-(10**15), max_value=10**15
)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.one_of(st.none(), amounts))))
def test_sums_are_exact(parts: list[tuple[str, D | None]]) -> None:
    """Each currency's sum is the exact sum of what is said, and nothing else."""
    rows = [
        Amount(broker=str(number), currency=currency, amount=amount, as_of=NOW)
        for number, (currency, amount) in enumerate(parts)
    ]
    found = {each.currency: each for each in totals_of(rows)}
    for currency in "ABC":
        said = [amount for name, amount in parts if name == currency and amount is not None]
        assert (currency in found) is bool(said)
        if said:
            expected = D(0)
            for amount in said:
                expected = EXACT.add(expected, amount)
            assert found[currency].amount == expected
            count = len(found[currency].brokers) + len(found[currency].unsaid)
            assert count == len([1 for name, _ in parts if name == currency])


def test_gains_are_in_the_currency_that_pays_them(manager: MultiBrokerManager) -> None:
    """A product says in what profit is paid; one that cannot be read is missing, not added."""
    account = Account()
    account.positions = [
        position("AAPL", "1", unrealized_pnl=D("2.5")),
        position("BTC-USD-PERP", "1", unrealized_pnl=D("-1")),
        position("MSFT", "1"),
        position("GONE", "1", unrealized_pnl=D(7)),
    ]
    account.products = {
        "AAPL": share(),
        "MSFT": share("MSFT"),
        "BTC-USD-PERP": share("BTC-USD-PERP", settle_currency="BTC"),
    }
    manager.add("a", account)
    found = manager.read_gains()
    assert [(each.symbol, each.amount, each.currency) for each in found.positions] == [
        ("AAPL", D("2.5"), "USD"),
        ("BTC-USD-PERP", D("-1"), "BTC"),
        ("MSFT", None, "USD"),
        ("GONE", D(7), None),
    ]
    coins, dollars = found.totals
    assert (coins.amount, dollars.amount, dollars.unsaid) == (D("-1"), D("2.5"), ("a",))
    (missing,) = found.missing
    assert (missing.subject, type(missing.error)) == ("GONE", InvalidSymbolError)
    manager.read_gains()
    # The products are kept; the one that could not be read is asked for again.
    assert account.asked["get_product"] == 5


def test_a_change_of_equity_needs_both_ends(manager: MultiBrokerManager, time: Time) -> None:
    """Accounts that both readings tell of have a change; a gap is no gain."""
    one, gone, silent = (Account(Capability.ACCOUNT_SUMMARY) for _ in range(3))
    silent.summary = AccountSummary(account_id="C", currency="USD")
    for name, account in (("one", one), ("gone", gone), ("silent", silent)):
        manager.add(name, account)
    before = manager.read_equity()
    time.pass_s(60)
    one.summary = attrs.evolve(one.summary, equity=D("990.5"))
    gone.error = BrokenError("down")
    (change,) = equity_change(before, manager.read_equity())
    assert (change.broker, change.currency, change.amount) == ("one", "USD", D("-9.5"))
    assert (change.since, change.as_of) == (NOW, time())
    gone.error = None


def test_a_rate_is_a_quote_with_its_age(manager: MultiBrokerManager) -> None:
    """A brokerage's quote gives a price and its time; without one there is none."""
    quoting, silent = Account(Capability.QUOTES), Account()
    manager.add("silent", silent)
    manager.add("quoting", quoting)
    quoting.offer("EUR-USD", "1.1", "1.2")
    found = manager.read_rate("EUR", "USD", "quoting")
    assert (found.price, found.as_of, found.source) == (D("1.15"), NOW, "quoting")
    with pytest.raises(UnsupportedOperationError, match="without an age"):
        manager.read_rate("EUR", "USD")
    quoting.quotes["EUR-USD"] = attrs.evolve(quoting.quotes["EUR-USD"], bid=None, last=D(3))
    assert manager.read_rate("EUR", "USD", "quoting").price == D(3)
    for change in ({"last": None}, {"delayed": True}):
        quoting.quotes["EUR-USD"] = attrs.evolve(quoting.quotes["EUR-USD"], **change)
        with pytest.raises(MarketDataUnavailableError):
            manager.read_rate("EUR", "USD", "quoting")


def test_a_pair_is_one_product(manager: MultiBrokerManager) -> None:
    """The coin of one brokerage is that of another."""
    for name in ("a", "b"):
        account = Account()
        account.positions = [position(coin().symbol, "1")]
        manager.add(name, account)
    (exposure,) = manager.read_positions().exposures
    assert exposure.net_quantity == D(2)
