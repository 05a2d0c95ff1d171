"""The parts of the demonstration with three brokers: what they must not let pass."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.cli.demo_brokers import checks as proofs
from bot_v2.cli.demo_brokers.portfolio import read_portfolio, show_whole
from bot_v2.cli.demo_brokers.telling import Teller, plain, shown
from bot_v2.features.brokerages.core.interfaces import (
    AccountSummary,
    Balance,
    Capability,
    ConnectionError,
    Fill,
    InvalidRequestError,
    MarketType,
    OrderSide,
    Position,
    PositionSide,
    Product,
)
from bot_v2.simulation.received import ReceivedOrder

D = Decimal
CASH = D("1000.50")
NOTHING = D(0)
NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)


@attrs.define
class Account:
    """A broker of which every number is known."""

    positions: list[Position] = attrs.field(factory=list)
    cash: Decimal = CASH
    coin: Decimal = NOTHING
    fills: list[Fill] = attrs.field(factory=list)
    is_down: bool = False
    capabilities: frozenset[Capability] = frozenset({Capability.ACCOUNT_SUMMARY, Capability.FILLS})

    def list_positions(self) -> list[Position]:
        """Return them, or fail."""
        if self.is_down:
            raise ConnectionError("down")
        return self.positions

    def list_balances(self) -> list[Balance]:
        """Return cash, and a coin."""
        return [self.get_balance("USD"), self.get_balance("BTC")]

    def get_balance(self, asset: str) -> Balance:
        """Return one of the two."""
        return Balance(asset=asset, total=self.cash if asset == "USD" else self.coin)

    def get_account(self) -> AccountSummary:
        """Return what it is worth."""
        return AccountSummary(account_id="a", currency="USD", equity=self.cash)

    def get_product(self, symbol: str) -> Product:
        """Return a product of a hundred units each, or a coin."""
        base = symbol.partition("-")[0] if "-" in symbol else None
        return Product(
            symbol=symbol,
            market_type=MarketType.SPOT if base else MarketType.EQUITY,
            base_currency=base,
            quote_currency="USD",
            multiplier=D(100) if base is None else D(1),
        )

    def get_price(self, symbol: str) -> Decimal:
        """Return the price of everything."""
        return D("12.5")

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the executions."""
        return self.fills


def short_position() -> Position:
    """A short position of which the broker tells no value."""
    return Position(
        symbol="XYZ", quantity=D(3), side=PositionSide.SHORT, entry_price=D(13), account_id="a"
    )


def test_a_broker_that_is_down_is_missing_and_not_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """The others are added up without it, and the sum says of how many it is."""
    brokers: Any = {"up": Account(positions=[short_position()]), "down": Account(is_down=True)}
    found = read_portfolio(brokers)
    assert found.missing == ("down",)
    assert [(one.equity, one.error) for one in found.equities] == [
        (D("1000.50"), None),
        (None, "ConnectionError"),
    ]
    assert found.total("USD") == D("1000.50")
    assert {one.broker for one in found.balances} == {"up"}
    (held,) = found.positions
    assert (held.quantity, held.price, held.value) == (D(-3), D("12.5"), D(-3750))
    assert held.profit == D(150)
    show_whole(Teller(is_silent=False), found, "USD")
    printed = capsys.readouterr().out
    assert "together 1000.50 USD in 1 of 2 accounts; down is missing, not zero" in printed


def test_zero_balances_are_left_out() -> None:
    """What the account does not hold is not shown as held."""
    brokers: Any = {"up": Account()}
    assert [one.asset for one in read_portfolio(brokers).balances] == ["USD"]


@attrs.define
class Venue:
    """What a simulator took."""

    received: list[ReceivedOrder]

    def orders_received(self) -> list[ReceivedOrder]:
        """Return it."""
        return self.received


@attrs.define
class Seat:
    """A broker from both ends."""

    name: str
    broker: Account
    venue: Venue


@attrs.define
class Stage:
    """One of them."""

    seats: dict[str, Seat]
    placed: dict[str, list[str]]


def stage(account: Account, *ids: str) -> Any:
    """Return a stage with one broker, that was sent x-1 and took some orders."""
    received = [
        ReceivedOrder(client_order_id=name, order_id=f"{number}", symbol="XYZ")
        for number, name in enumerate(ids)
    ]
    return Stage({"x": Seat("x", account, Venue(received))}, {"x": ["x-1"]})


def test_an_order_that_was_taken_twice_or_never_does_not_add_up() -> None:
    """Only each once does."""
    assert [one.holds for one in proofs.each_once(stage(Account(), "x-1"))] == [True]
    assert [one.holds for one in proofs.each_once(stage(Account(), "x-1", "x-1"))] == [False]
    assert [one.holds for one in proofs.each_once(stage(Account()))] == [False]


def bought(symbol: str, quantity: str, fee: str | None) -> Fill:
    """Return an execution at 10."""
    return Fill(
        trade_id="t-1",
        order_id="o-1",
        symbol=symbol,
        side=OrderSide.BUY,
        quantity=D(quantity),
        price=D(10),
        fee=None if fee is None else D(fee),
        fee_currency=None if fee is None else "USD",
        timestamp=NOW,
        account_id="a",
    )


@pytest.mark.parametrize(
    ("cash", "coin", "expected"),
    [("979.9", "2", [True, True]), ("980", "2", [True, False]), ("979.9", "1", [False, True])],
)
def test_money_follows_from_the_executions(cash: str, coin: str, expected: list[bool]) -> None:
    """Two coins at 10 and a fee of 0.1 leave 979.9 of 1000, and nothing else."""
    account = Account(cash=D(cash), coin=D(coin), fills=[bought("BTC-USD", "2", "0.1")])
    found = proofs.money_adds_up(stage(account), {"x": D(1000)})
    assert [one.holds for one in found] == expected


def test_what_a_position_lacks_does_not_add_up() -> None:
    """A product that was bought and is no longer held is found."""
    account = Account(cash=D(980), fills=[bought("BTC-USD", "2", None)], coin=D(0))
    holdings, cash = proofs.money_adds_up(stage(account), {"x": D(1000)})
    assert not holdings.holds
    assert (holdings.expected, holdings.found) == ("BTC-USD 2", "BTC-USD 0")
    assert cash.holds


def test_without_executions_nothing_is_claimed() -> None:
    """A broker that tells none is refused, and not taken for one that had none."""
    account = Account(capabilities=frozenset())
    with pytest.raises(InvalidRequestError):
        proofs.money_adds_up(stage(account), {"x": D(1000)})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (D("0E-16"), "0"),
        (D("0.3500000000000000"), "0.35"),
        (D("4060.2"), "4060.20"),
        (D("1E+3"), "1000"),
        (D("1.08455"), "1.08455"),
        (None, "-"),
        (NOW, "14:30:00Z"),
        (OrderSide.BUY, "buy"),
    ],
)
def test_numbers_are_shown_exactly(value: object, text: str) -> None:
    """Superfluous zeros go, digits stay."""
    assert shown(value) == text
    assert plain(D("-2.5")) == "-2.50"
