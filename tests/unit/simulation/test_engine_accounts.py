"""What orders cost and set aside: cash and margin, short sales, futures, fees, slippage."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.fees import FeeModel, MakerTakerFees, NoFees, PerUnitFees
from bot_v2.simulation.slippage import (
    FixedSlippage,
    NoSlippage,
    PercentSlippage,
    SlippageModel,
    VolumeSlippage,
)
from tests.unit.simulation.markets import BTC, BUY, FUTURE, INVERSE, SELL, SHARE, Bench

MARGIN = AccountKind.MARGIN
OPENS = api.PositionEffect.OPEN


def test_an_open_purchase_sets_aside_its_value_and_worst_fee() -> None:
    """Price x quantity and the higher of the two fees; what was better than feared is freed."""
    bench = Bench(fees=MakerTakerFees(maker=D("0.001"), taker=D("0.002")))
    bench.quote("99", "101", "3")
    order = bench.place(BUY, "10", price="102")
    assert order.filled_quantity == 3
    assert bench.hold() == 7 * 102 * D("1.002")
    assert bench.total() == 100_000 - 303 * D("1.002")
    bench.quote("99", "102")
    assert bench.hold() == 0
    assert bench.total() == 100_000 - 303 * D("1.002") - 714 * D("1.001")
    bench.engine.verify()


def test_an_order_cannot_spend_what_another_holds() -> None:
    """The refusal says what is needed and what there is."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(2)})
    bench.quote("99", "101")
    bench.place(BUY, "6", price="100")
    bench.place(SELL, "2", price="120")
    with pytest.raises(api.InsufficientFundsError) as refused:
        bench.place(BUY, "5", price="100")
    assert (refused.value.required, refused.value.available) == (D(500), D(400))
    assert refused.value.outcome is api.Outcome.REJECTED
    with pytest.raises(api.InsufficientFundsError) as refused:
        bench.place(SELL, "0.001")
    assert (refused.value.required, refused.value.available) == (D("0.001"), D(0))


def test_a_market_order_costs_what_it_would_take() -> None:
    """Not the best price times all: the levels that it would walk through."""
    bench = Bench(balances={"USD": D(304)})
    book = api.Orderbook(
        symbol="BTC-USD",
        bids=(),
        asks=(api.PriceLevel(D(100), D(1)), api.PriceLevel(D(102), D(5))),
        timestamp=bench.clock(),
    )
    bench.engine.on_market(book)
    with pytest.raises(api.InsufficientFundsError) as refused:
        bench.place(BUY, "3.001")
    assert refused.value.required == D("304.102")
    assert bench.place(BUY, "3").status is api.OrderStatus.FILLED
    assert bench.total() == 0


def test_a_cash_account_sells_only_what_it_has() -> None:
    """No short sale, no futures."""
    bench = Bench()
    bench.quote("99", "101", symbol="ACME")
    bench.quote("99", "101", symbol="CL-20270319")
    with pytest.raises(api.InsufficientFundsError):
        bench.place(SELL, "1", symbol="ACME")
    for terms in ({"symbol": "ACME", "position_effect": OPENS}, {"symbol": "CL-20270319"}):
        with pytest.raises(api.OrderRejectedError) as refused:
            bench.place(SELL, "1", **terms)
        assert refused.value.reason == "margin_account_needed"


@pytest.mark.parametrize(
    ("model", "quantity", "taker_fee"),
    [
        (NoFees(), "4", "0"),
        (MakerTakerFees(maker=D("-0.001"), taker=D("0.002")), "4", "0.8"),
        (MakerTakerFees(maker=D("-0.001"), taker=D("0.002"), least=D(1)), "4", "1"),
        (PerUnitFees(per_unit=D("0.005"), least=D(1)), "4", "1"),
        (PerUnitFees(per_unit=D("0.5"), least=D(1)), "4", "2.0"),
        (PerUnitFees(per_unit=D("5"), maximum_rate=D("0.01")), "4", "4.00"),
    ],
)
def test_what_an_order_is_charged(model: FeeModel, quantity: str, taker_fee: str) -> None:
    """The fee leaves the wallet, and is on the order and on the fill."""
    bench = Bench(fees=model)
    bench.quote("99", "100", symbol="ACME")
    order = bench.place(BUY, quantity, symbol="ACME")
    assert bench.total() == 100_000 - 400 - D(taker_fee)
    assert sum(fee.amount for fee in order.fees or ()) == D(taker_fee)
    assert bench.engine.list_fills()[0].fee == D(taker_fee)


def test_the_least_charge_is_of_the_order_not_of_each_fill() -> None:
    """The first fill pays up to it, later ones pay what goes beyond."""
    bench = Bench(fees=PerUnitFees(per_unit=D("0.1"), least=D(1)))
    bench.quote("99", "100", "4", symbol="ACME")
    bench.place(BUY, "20", symbol="ACME", price="100")
    for _ in range(4):
        bench.quote("99", "100", "4", symbol="ACME")
    assert [fill.fee for fill in bench.engine.list_fills()] == [1, 0, D("0.2"), D("0.4"), D("0.4")]


def test_a_sale_never_makes_a_cash_account_owe_its_fee() -> None:
    """A fee above what the sale brings and what is free is charged as far as it goes."""
    bench = Bench(balances={"BTC": D(1)}, fees=MakerTakerFees(maker=D(0), taker=D(0), least=D(5)))
    bench.quote("3", "4", "0.5")
    bench.place(SELL, "1")
    assert bench.total() == 0
    bench.quote("100", "101")
    assert bench.total() == D("46.5")
    assert [fill.fee for fill in bench.engine.list_fills()] == [D("1.5"), D("3.5")]


@pytest.mark.parametrize(
    ("model", "bought", "sold"),
    [
        (NoSlippage(), "101", "99"),
        (FixedSlippage(amount=D("0.25")), "101.25", "98.75"),
        (PercentSlippage(bps=D(10)), "101.11", "98.90"),
        (VolumeSlippage(bps=D(100)), "101.51", "98.50"),
    ],
)
def test_market_orders_slip_to_their_disadvantage(
    model: SlippageModel, bought: str, sold: str
) -> None:
    """The price is on the grid, away from the market."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(5)}, slippage=model)
    bench.quote("99", "101", "2")
    assert bench.place(BUY, "1").average_fill_price == D(bought)
    assert bench.place(SELL, "1").average_fill_price == D(sold)


def test_limit_orders_do_not_slip() -> None:
    """An order with a limit gets the price that is on offer."""
    bench = Bench(slippage=PercentSlippage(bps=D(100)))
    bench.quote("99", "101")
    assert bench.place(BUY, "1", price="101").average_fill_price == D(101)


def test_a_coin_is_a_balance_and_a_position() -> None:
    """The position's entry is the mean of what was paid, by average cost."""
    bench = Bench()
    bench.quote("99", "100")
    bench.place(BUY, "1")
    bench.quote("109", "112")
    bench.place(BUY, "2")
    bench.place(SELL, "1.5")
    (position,) = bench.engine.list_positions()
    assert position == bench.engine.get_position("BTC-USD")
    assert (position.quantity, position.side) == (D("1.5"), api.PositionSide.LONG)
    assert (position.entry_price, position.current_price) == (D(108), D("110.5"))
    assert (position.unrealized_pnl, position.market_value) == (D("3.75"), D("165.75"))
    assert bench.engine.get_balance("BTC").total == D("1.5")
    bench.place(SELL, "1.5")
    assert bench.engine.get_position("BTC-USD") is None


def test_a_coin_of_unknown_cost_has_no_entry_price() -> None:
    """What the account started with was not bought at any price that is known."""
    bench = Bench(balances={"USD": D(1000), "BTC": D(2)})
    bench.quote("99", "101")
    bench.place(BUY, "1")
    (position,) = bench.engine.list_positions()
    assert (position.quantity, position.entry_price, position.unrealized_pnl) == (D(3), None, None)


def test_shares_are_a_position_and_no_balance() -> None:
    """Cash pays for them; the balances list money alone."""
    bench = Bench()
    bench.quote("99", "101", symbol="ACME")
    bench.place(BUY, "10", symbol="ACME")
    assert [balance.asset for balance in bench.engine.list_balances()] == ["USD"]
    assert bench.total() == 100_000 - 1010
    assert bench.engine.get_account().equity == 100_000 - 1010 + 1000


def test_a_short_sale_is_cash_and_a_debt_of_shares() -> None:
    """It says OPEN; without it, a sale beyond what is held is refused."""
    bench = Bench(kind=MARGIN, balances={"USD": D(1000)})
    bench.quote("100", "100", symbol="ACME")
    with pytest.raises(api.OrderRejectedError) as refused:
        bench.place(SELL, "5", symbol="ACME")
    assert refused.value.reason == "short_sale_needs_open"
    bench.place(SELL, "15", symbol="ACME", position_effect=OPENS)
    (position,) = bench.engine.list_positions()
    assert (position.side, position.quantity) == (api.PositionSide.SHORT, D(15))
    assert (position.entry_price, position.market_value) == (D(100), D(-1500))
    account = bench.engine.get_account()
    assert (account.equity, account.cash, account.margin_used) == (D(1000), D(2500), D(750))
    assert (account.buying_power, account.utilization) == (D(500), D("0.75"))
    bench.quote("90", "90", symbol="ACME")
    bench.place(BUY, "15", symbol="ACME")
    assert bench.engine.list_positions() == []
    assert bench.total() == 1150


def test_margin_bounds_what_is_opened_and_never_what_is_closed() -> None:
    """Initial margin is checked for what opens; a close goes through below maintenance."""
    bench = Bench(kind=MARGIN, balances={"USD": D(1000)})
    bench.quote("100", "100", symbol="ACME")
    with pytest.raises(api.InsufficientFundsError):
        bench.place(BUY, "21", symbol="ACME")
    bench.place(BUY, "20", symbol="ACME")
    assert bench.total() == -1000
    bench.quote("60", "60", symbol="ACME")
    margin = bench.engine.get_margin()
    assert (margin.initial_margin, margin.maintenance_margin) == (D(600), D(300))
    assert (margin.excess, margin.buying_power) == (D(-100), D(0))
    with pytest.raises(api.InsufficientFundsError):
        bench.place(BUY, "1", symbol="ACME")
    assert bench.place(SELL, "20", symbol="ACME").status is api.OrderStatus.FILLED
    assert bench.total() == 200


def test_orders_that_were_to_close_do_not_open_without_margin() -> None:
    """Of several that could each close the position, the later ones need margin when filled."""
    bench = Bench(kind=MARGIN, balances={"USD": D(1000)})
    bench.quote("100", "101", symbol="ACME")
    bench.place(SELL, "20", symbol="ACME", position_effect=OPENS)
    orders = [bench.place(BUY, "20", symbol="ACME", price="100") for _ in range(3)]
    assert bench.hold() == 0
    bench.quote("99", "100", symbol="ACME")
    ended = [bench.order(one) for one in orders]
    rejected = api.OrderStatus.REJECTED
    assert [one.filled_quantity for one in ended] == [20, 20, 0]
    assert (ended[2].status, ended[2].status_reason) == (rejected, "insufficient_funds")


def test_futures_settle_profit_and_loss_in_cash() -> None:
    """No cash moves at the entry; the multiplier counts; a close posts what was made."""
    bench = Bench(kind=MARGIN)
    symbol = "CL-20270319"
    bench.quote("70", "70", symbol=symbol)
    bench.place(BUY, "3", symbol=symbol)
    assert bench.total() == 100_000
    bench.quote("72", "72", symbol=symbol)
    (position,) = bench.engine.list_positions()
    assert (position.entry_price, position.unrealized_pnl) == (D(70), D(60))
    assert bench.engine.get_account().equity == 100_060
    bench.place(SELL, "5", symbol=symbol)
    assert bench.total() == 100_060
    (position,) = bench.engine.list_positions()
    assert (position.side, position.quantity, position.entry_price) == (
        api.PositionSide.SHORT,
        D(2),
        D(72),
    )
    bench.quote("75", "75", symbol=symbol)
    bench.place(BUY, "2", symbol=symbol)
    assert bench.total() == 100_000
    posted = [one for one in bench.engine.snapshot().entries if one.account == "settlement"]
    assert [entry.amount for entry in posted] == [-60, 60]


def test_partial_closes_lose_nothing_to_rounding() -> None:
    """A cost that does not divide is rounded in parts, and whole in the end."""
    bench = Bench(kind=MARGIN)
    symbol = "CL-20270319"
    for price in ("70.01", "70.02", "70.02"):
        bench.quote(price, price, symbol=symbol)
        bench.place(BUY, "1", symbol=symbol)
    for _ in range(3):
        bench.place(SELL, "1", symbol=symbol)
    assert bench.total() == 100_000 + D("0.1")
    bench.engine.verify()


def test_an_inverse_contract_settles_in_its_coin() -> None:
    """It is worth a fixed amount of quote currency: 100 USD a contract, gained in BTC."""
    bench = Bench(kind=MARGIN, products=(INVERSE, BTC), balances={"BTC": D(10)})
    account = AccountSettings(kind=MARGIN)
    assert account.currency == "USD"
    for symbol in ("BTC-USD", "BTC-USD-PERP"):
        bench.quote("50000", "50000", symbol=symbol)
    bench.place(BUY, "1000", symbol="BTC-USD-PERP")
    for symbol in ("BTC-USD", "BTC-USD-PERP"):
        bench.quote("62500", "62500", symbol=symbol)
    position = bench.engine.get_position("BTC-USD-PERP")
    assert position is not None
    assert (position.entry_price, position.unrealized_pnl) == (D(50_000), D("0.4"))
    assert position.market_value == 100_000
    bench.place(SELL, "1000", symbol="BTC-USD-PERP")
    assert bench.total("BTC") == D("10.4")
    bench.engine.verify()


def test_a_contract_that_settles_elsewhere_is_refused_by_name() -> None:
    """Profit in a third currency is not simulated, and never silently wrong."""
    quanto = api.Product(
        symbol="NKD-20270319",
        market_type=api.MarketType.FUTURES,
        quote_currency="JPY",
        settle_currency="USD",
    )
    bench = Bench(kind=MARGIN, products=(quanto,))
    bench.quote("99", "101", symbol="NKD-20270319")
    with pytest.raises(api.UnsupportedOperationError, match="settles in USD"):
        bench.place(BUY, "1", symbol="NKD-20270319")


def test_order_margin_tells_what_an_order_would_need() -> None:
    """Half of the value on margin, all of it in cash; nothing is placed."""
    request = api.OrderRequest(symbol="ACME", side=BUY, quantity=D(10))
    for kind, more, power in ((MARGIN, 505, D(198_990)), (AccountKind.CASH, 1010, D(98_990))):
        bench = Bench(kind=kind)
        bench.quote("99", "101", symbol="ACME")
        margin = bench.engine.get_order_margin(request)
        assert margin.initial_margin == more
        assert margin.buying_power == power
        assert bench.engine.list_orders() == []


@pytest.mark.parametrize(
    "terms",
    [
        {"initial_balances": {"USD": D(-1)}},
        {"initial_balances": {"USD": 5}},
        {"initial_margin_rate": D(0)},
        {"initial_margin_rate": D("0.2")},
        {"maintenance_margin_rate": D("0.6")},
    ],
)
def test_an_account_that_makes_no_sense_is_refused(terms: dict[str, Any]) -> None:
    """Debts at the start, and rates that are none."""
    with pytest.raises(api.InvalidFieldError):
        AccountSettings(**terms)


def test_products_and_fees_are_told() -> None:
    """The engine shows what it trades, and what that costs."""
    bench = Bench(fees=PerUnitFees(per_unit=D("0.01"), least=D(1)))
    assert bench.engine.products == [BTC, SHARE, FUTURE]
    assert bench.engine.get_product("ACME") is SHARE
    fees = bench.engine.get_fees("ACME")
    assert (fees.per_unit, fees.minimum, fees.currency) == (D("0.01"), D(1), "USD")
