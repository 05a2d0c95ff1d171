"""Account files: exact, exclusive, and refused when they contradict themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.features.brokerages.core.products import MarketType, PriceBand, Product
from bot_v2.features.brokerages.paper.account_file import VERSION, AccountFile
from bot_v2.features.brokerages.paper.errors import (
    AccountFileDamagedError,
    AccountFileError,
    AccountFileInUseError,
    AccountFileVersionError,
)
from bot_v2.features.brokerages.paper.settings import Durability
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.journal import Counters, EngineChange, EngineState
from bot_v2.simulation.records import (
    BalanceRecord,
    FillRecord,
    LedgerEntry,
    MarkRecord,
    OrderRecord,
    PositionRecord,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
LATER = NOW.replace(hour=4, microsecond=0)
ODD = Decimal("1E+3")
LONG = Decimal("0.123456789012345678901234567890123456789000")


def order(number: int, status: OrderStatus = OrderStatus.OPEN) -> OrderRecord:
    """An order with something in each kind of field."""
    return OrderRecord(
        order_id=f"O-{number}",
        client_order_id=None if number % 2 else f"client-{number}",
        number=number,
        symbol="BTC-USD",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        status=status,
        created_at=NOW,
        updated_at=LATER,
        quantity=LONG,
        price=ODD,
        post_only=True,
        hold=Decimal("-0.00"),
        hold_asset="USD",
    )


def fill(number: int) -> FillRecord:
    """An execution."""
    return FillRecord(
        trade_id=f"T-{number}",
        order_id="O-1",
        symbol="BTC-USD",
        side=OrderSide.SELL,
        quantity=LONG,
        price=ODD,
        fee=Decimal("-0.10"),
        liquidity=Liquidity.MAKER,
        timestamp=NOW,
        cost_change=None,
        busted=True,
        corrects="T-0",
    )


def change(step: int, amount: Decimal = LONG) -> EngineChange:
    """A step that moves an amount of cash, and touches every table."""
    total = EXACT.multiply(amount, Decimal(step))
    return EngineChange(
        step=step,
        moment=NOW,
        orders=[order(12), order(step)],
        fills=[fill(12 - step)],
        entries=[
            LedgerEntry(f"T-{step}", "equity", "USD", EXACT.minus(amount)),
            LedgerEntry(f"T-{step}", "cash", "USD", amount),
        ],
        balances=[
            BalanceRecord("equity", "USD", EXACT.minus(total)),
            BalanceRecord("cash", "USD", total),
        ],
        positions=[PositionRecord(asset="BTC", symbol="BTC-USD", quantity=LONG, cost=None)],
        marks=[MarkRecord(symbol="BTC-USD", timestamp=NOW, bid=ODD, halted=True)],
        counters=Counters(steps=step, orders=12, trades=step),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an account file may be made."""
    return tmp_path / "account.sqlite"


@pytest.fixture
def file(path: Path) -> Iterator[AccountFile]:
    """A new account file."""
    opened = AccountFile(path, Durability.PROCESS)
    yield opened
    opened.close()


def reopened(file: AccountFile) -> EngineState:
    """What a file holds once it has been closed and opened again."""
    file.close()
    again = AccountFile(file.path)
    try:
        return again.read_state()
    finally:
        again.close()


def test_a_new_file_holds_nothing(file: AccountFile) -> None:
    """Nothing is made up for an account that has not begun."""
    assert file.read_moment() is None
    assert file.read_state() == EngineState(
        orders=[], fills=[], entries=[], balances=[], positions=[], marks=[]
    )


def test_what_was_committed_is_read_back_exactly(file: AccountFile) -> None:
    """Every field comes back equal, of the same type, and decimals with the same digits."""
    file.commit(change(1))
    state = reopened(file)
    expected = change(1)
    assert state.orders == [order(1), order(12)]
    assert state.fills == expected.fills
    assert state.entries == expected.entries
    assert sorted(state.balances) == sorted(expected.balances)
    assert state.positions == expected.positions
    assert state.marks == expected.marks
    assert state.counters == expected.counters
    first = state.orders[0]
    assert (str(first.price), str(first.quantity)) == (str(ODD), str(LONG))
    assert (type(first.side), type(first.post_only)) == (OrderSide, bool)
    assert first.created_at.utcoffset() is not None


def test_records_replace_or_follow_each_other(file: AccountFile) -> None:
    """A changed order takes the place of what it was; executions keep their order."""
    file.commit(change(1))
    file.commit(change(2))
    ended = change(3)
    assert isinstance(ended.orders, list)
    ended.orders[1] = order(1, OrderStatus.CANCELLED)
    file.commit(ended)
    state = reopened(file)
    assert [(each.number, each.status.value) for each in state.orders] == [
        (1, "cancelled"),
        (2, "open"),
        (12, "open"),
    ]
    assert [each.trade_id for each in state.fills] == ["T-11", "T-10", "T-9"]
    assert (state.counters.steps, len(state.balances)) == (3, 2)


def test_a_step_that_fails_leaves_nothing_behind(file: AccountFile) -> None:
    """A transaction is stored whole or not at all."""
    file.commit(change(1))
    broken = change(2)
    setattr(broken.marks[0], "symbol", None)  # noqa: B010 - what no table takes, and no type
    with pytest.raises(sqlite3.IntegrityError):
        file.commit(broken)
    assert [each.number for each in file.read_state().orders] == [1, 12]
    file.commit(change(2))
    assert reopened(file).counters.steps == 2


def test_a_file_is_open_once(file: AccountFile) -> None:
    """A second user is told so, and can have the file when the first lets go."""
    with pytest.raises(AccountFileInUseError, match="in use"):
        AccountFile(file.path)
    file.close()
    file.close()
    AccountFile(file.path).close()


def test_a_file_of_another_version_is_refused(file: AccountFile) -> None:
    """What a later release wrote is not guessed at."""
    file.close()
    run(file.path, "UPDATE meta SET value = '99' WHERE name = 'version'")
    with pytest.raises(AccountFileVersionError, match=f"99.*version {VERSION}"):
        AccountFile(file.path)


def run(path: Path, statement: str) -> None:
    """Change a file behind the back of its account."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET amount = '7' WHERE place = 1",
        "DELETE FROM entries WHERE place = 2",
        "DELETE FROM entries",
        "UPDATE balances SET amount = '7' WHERE account = 'cash'",
        "DELETE FROM balances WHERE account = 'cash'",
        "UPDATE orders SET status = 'sleeping'",
        "UPDATE orders SET quantity = 'much'",
        "UPDATE fills SET timestamp = 'then'",
        "DROP TABLE fills",
    ],
)
def test_a_file_that_contradicts_itself_is_refused(file: AccountFile, damage: str) -> None:
    """Money that came of nothing, and rows that cannot be read, are not loaded."""
    file.commit(change(1))
    file.close()
    run(file.path, damage)
    damaged = AccountFile(file.path)
    with pytest.raises(AccountFileError) as refusal:
        damaged.read_state()
    damaged.close()
    assert isinstance(refusal.value, AccountFileDamagedError) or "fills" in damage
    assert str(file.path) in str(refusal.value)


def test_what_is_no_account_file_is_refused(path: Path) -> None:
    """Another database and another kind of file are left as they are."""
    path.write_text("time,price\n" * 500)
    with pytest.raises(AccountFileDamagedError):
        AccountFile(path)
    assert path.read_text().startswith("time,price")
    path.unlink()
    run(path, "CREATE TABLE pets (name TEXT)")
    with pytest.raises(AccountFileDamagedError, match="another database"):
        AccountFile(path)
    with pytest.raises(AccountFileError, match="missing"):
        AccountFile(path.parent / "missing" / "account.sqlite")


def test_a_file_is_of_one_account(file: AccountFile) -> None:
    """The settings that make an account what it is cannot change under it."""
    account = AccountSettings(account_id="mine", kind=AccountKind.MARGIN)
    file.check_account(account)
    file.check_account(account)
    for other in (
        AccountSettings(account_id="yours", kind=AccountKind.MARGIN),
        AccountSettings(account_id="mine", kind=AccountKind.CASH),
        AccountSettings(account_id="mine", kind=AccountKind.MARGIN, currency="EUR"),
    ):
        with pytest.raises(InvalidFieldError, match="was made with"):
            file.check_account(other)


def test_products_outlive_the_feed_that_described_them(file: AccountFile) -> None:
    """What was traded is still known when another feed is read, and newer terms win."""
    coin = Product(
        symbol="BTC-USD",
        market_type=MarketType.SPOT,
        quote_currency="USD",
        base_currency="BTC",
        price_bands=(PriceBand(lower_price=Decimal(0), price_increment=Decimal("0.10")),),
    )
    share = Product(symbol="AAPL", market_type=MarketType.EQUITY, quote_currency="USD")
    assert file.keep_products([coin]) == (coin,)
    assert file.keep_products([share]) == (coin, share)
    renamed = Product(
        symbol="AAPL", market_type=MarketType.EQUITY, quote_currency="USD", name="Apple"
    )
    assert set(file.keep_products([renamed])) == {coin, renamed}
