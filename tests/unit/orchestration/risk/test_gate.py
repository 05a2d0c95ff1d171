"""The gate, one limit at a time: what it refuses, in which words, and what passes all the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    MarketClosedError,
    OrderModification,
    OrderOutcomeUnknownError,
    OrderSide,
    OrderType,
    Outcome,
    PermissionDeniedError,
    PositionEffect,
    RateLimitError,
    StopLoss,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.market_data import MarketStatus
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import Phase
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.risk.limits import ConditionCheck, RiskLimits, risk_limits
from bot_v2.orchestration.risk.sql_store import SqlReservations
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.risk.bench import SYMBOL, Bench, Broker, market, order

THREADS = 8
SELL = OrderSide.SELL
OPEN: dict[str, Any] = {"position_effect": PositionEffect.OPEN}


def refused(error: Any, kind: type[BrokerageError], *words: str) -> None:
    """It is of a kind, says that nothing was sent, and names what it is about."""
    assert type(error) is kind, error
    assert error.outcome is Outcome.NOT_SENT
    for word in (*words, "accepted"):
        assert word in str(error), error


def test_without_limits_orders_pass_and_are_held(tmp_path: Path) -> None:
    """An order that lives is held, and given back when its end is known."""
    bench = Bench(tmp_path)
    assert bench.submit("1", price=D(50), client_order_id="rests") is None
    assert bench.held == ["rests"]
    (living,) = bench.executor.list_open()
    bench.executor.cancel(living.order_id or "")
    assert bench.held == ["rests"]
    bench.executor.reconcile()
    assert bench.held == []


def test_an_order_may_not_be_worth_too_much(tmp_path: Path) -> None:
    """Up to the limit it passes; above, it is told how much would."""
    bench = Bench(tmp_path, RiskLimits(max_order_value=D(1000)))
    assert bench.submit("10") is None
    refused(
        bench.submit("10.5"),
        InvalidFieldError,
        "10.5",
        "max_order_value",
        "1000 USD",
        "at most 10:",
    )
    assert bench.submit("", notional=D(1000)) is None
    refused(bench.submit("", notional=D(1001)), InvalidFieldError, "OrderRequest.notional", "1001")


def test_an_order_at_the_markets_price_counts_with_a_margin(tmp_path: Path) -> None:
    """What may be paid is more than the latest price, by the stated fraction."""
    bench = Bench(tmp_path, RiskLimits(max_order_value=D(1000), price_margin=D("0.25")))
    assert bench.executor.submit(market("8")).success
    refused(bench.executor.submit(market("8.1")).error, InvalidFieldError, "1012.5 USD")
    stop = order("6.7", type=OrderType.STOP, price=None, stop_price=D(120))
    refused(bench.executor.submit(stop).error, InvalidFieldError, "1005 USD")


@pytest.mark.parametrize(
    "limits",
    [RiskLimits(max_position_value=D(1000)), RiskLimits(max_position_size=D("0.01"))],
)
def test_a_position_may_not_grow_too_large(tmp_path: Path, limits: RiskLimits) -> None:
    """What is held, what is ordered, and what others have ordered is counted together."""
    bench = Bench(tmp_path, limits)
    assert bench.submit("4") is None
    assert bench.submit("3", price=D(50)) is None
    foreign = bench.broker.place_order(order("2", price=D(60)))
    assert foreign.success
    bench.clock.now += timedelta(seconds=2)
    refused(bench.submit("2"), InvalidFieldError, "at most 1 of BTC-USD", "position")
    assert bench.submit("1") is None
    refused(bench.submit("0.1"), InvalidFieldError, "at most 0 of")
    assert bench.submit("2", SELL) is None, "it lowers"


def test_a_short_position_is_limited_as_well(tmp_path: Path) -> None:
    """Selling more than is held is new risk, up to the limit."""
    bench = Bench(tmp_path, RiskLimits(max_position_value=D(1010)))
    assert bench.submit("2") is None
    refused(bench.submit("12.1", SELL), InvalidFieldError, "12.1")
    assert bench.submit("2", SELL) is None
    assert bench.submit("10", SELL, **OPEN) is None
    assert bench.position() == -10
    refused(bench.submit("1", SELL, **OPEN), InvalidFieldError)
    assert bench.submit("10") is None
    assert bench.position() == 0


def test_a_fraction_needs_the_equity(tmp_path: Path) -> None:
    """A broker that tells no equity cannot be held to a fraction of it, and it is said so."""
    limits = RiskLimits(max_position_size=D("0.5"), currency="USD")
    bench = Bench(tmp_path, limits, lacks=(Capability.ACCOUNT_SUMMARY,))
    refused(bench.submit("1"), InvalidRequestError, "max_position_size", "equity")


def test_cash_has_to_be_left(tmp_path: Path) -> None:
    """What is being bought is spoken for, whether it is filled or not."""
    bench = Bench(tmp_path, RiskLimits(min_cash_balance=D(99_000)))
    assert bench.submit("4") is None
    assert bench.submit("10", price=D(50)) is None
    error = bench.submit("2")
    refused(error, InsufficientFundsError, "min_cash_balance", "99000 USD", "100 USD")
    assert (error.required, error.available) == (D(200), D(100))
    assert bench.submit("1") is None
    assert bench.submit("5", SELL) is None, "a sale costs no cash"


def test_cash_is_a_balance_where_there_are_no_totals(tmp_path: Path) -> None:
    """The currency that the limits name says which balance; without one nothing is guessed."""
    lacks = (Capability.ACCOUNT_SUMMARY,)
    limits = RiskLimits(min_cash_balance=D(99_900), currency="USD")
    bench = Bench(tmp_path, limits, lacks=lacks)
    assert bench.submit("1") is None
    refused(bench.submit("1"), InsufficientFundsError)
    nameless = Bench(tmp_path, attrs.evolve(limits, currency=None), lacks=lacks)
    refused(nameless.submit("1"), InvalidRequestError, "RiskLimits.currency")


def test_the_days_loss_stops_new_risk_until_the_day_is_over(tmp_path: Path) -> None:
    """Open losses count; exits pass; the next day begins anew."""
    bench = Bench(tmp_path, RiskLimits(max_daily_loss=D("0.01")))
    assert bench.submit("100") is None
    bench.broker.market(D(91))
    bench.clock.now += timedelta(seconds=2)
    assert bench.submit("1") is None
    bench.broker.market(D(89))
    bench.clock.now += timedelta(seconds=2)
    error = bench.submit("1", price=D(89))
    refused(error, PermissionDeniedError, "max_daily_loss", "0.01", "1000 USD", "midnight in UTC")
    assert bench.submit("50", SELL, price=D(80)) is None
    bench.clock.now += timedelta(days=1)
    assert bench.submit("1", price=D(89)) is None


def test_orders_may_not_come_too_fast(tmp_path: Path) -> None:
    """The rate counts every order; an exit is never refused, and room comes with time."""
    bench = Bench(tmp_path, RiskLimits(max_orders_per_minute=3))
    assert bench.submit("2") is None
    bench.clock.now += timedelta(seconds=20)
    assert bench.submit("1", SELL) is None
    assert bench.submit("1") is None
    error = bench.submit("1")
    refused(error, RateLimitError, "max_orders_per_minute", "3")
    assert error.retry_after_s == pytest.approx(40, abs=0.1)
    assert bench.submit("1", SELL) is None
    bench.clock.now += timedelta(seconds=61)
    assert bench.submit("1") is None


def test_only_allowed_symbols_are_traded(tmp_path: Path) -> None:
    """By their canonical names, however they were spelt."""
    bench = Bench(tmp_path, RiskLimits(allowed_symbols=(SYMBOL,)))
    assert bench.submit("1", symbol="@BTC-USD") is None
    refused(bench.submit("1", symbol="ETH-USD"), InvalidFieldError, "ETH-USD", "BTC-USD")
    nothing = Bench(tmp_path, RiskLimits(allowed_symbols=()))
    refused(nothing.submit("1"), InvalidFieldError, "none")


def test_the_kill_switch_lets_exits_pass_alone(tmp_path: Path) -> None:
    """An exit lowers a position and is not larger than it, less what other orders may take."""
    bench = Bench(tmp_path)
    assert bench.submit("10") is None
    bench.switch.turn_on("drill")
    refused(bench.submit("1"), PermissionDeniedError, "drill", "kill switch")
    assert bench.submit("4", SELL, price=D(150), client_order_id="waits") is None
    refused(bench.submit("7", SELL), PermissionDeniedError)
    assert bench.submit("6", SELL) is None
    refused(bench.submit("1", SELL), PermissionDeniedError)
    assert bench.executor.close_position(SYMBOL).error is not None, "what waits takes the rest"
    (waits,) = bench.executor.list_open()
    bench.executor.cancel(waits.order_id or "")
    refused(bench.submit("4", SELL), PermissionDeniedError)
    bench.executor.reconcile()
    assert bench.submit("1", SELL) is None, "and is not live any more"
    assert bench.executor.close_position(SYMBOL).success
    assert bench.position() == 0
    bench.switch.turn_off()
    assert bench.submit("1") is None


def test_an_exit_of_a_short_position_is_a_buy(tmp_path: Path) -> None:
    """A short position is lowered by buying."""
    bench = Bench(tmp_path)
    assert bench.submit("3", SELL, **OPEN) is None
    bench.switch.turn_on()
    refused(bench.submit("1", SELL, **OPEN), PermissionDeniedError, "no reason given")
    refused(bench.submit("4"), PermissionDeniedError)
    assert bench.submit("3") is None


def test_a_notional_exit_counts_with_the_most_that_it_can_come_to(tmp_path: Path) -> None:
    """Nobody knows its quantity before it is filled, so that it has to stay below the position."""
    bench = Bench(tmp_path)
    assert bench.submit("10") is None
    bench.switch.turn_on()
    refused(bench.executor.submit(market("", SELL, notional=D(995))).error, PermissionDeniedError)
    assert bench.executor.submit(market("", SELL, notional=D(900))).success


@pytest.mark.parametrize("read", ["list_positions", "list_orders", "get_account"])
def test_a_read_that_fails_refuses_new_risk_alone(tmp_path: Path, read: str) -> None:
    """An exit is known by the latest look, less all that was ordered since."""
    bench = Bench(tmp_path, RiskLimits(max_position_size=D("0.5")))
    assert bench.submit("10") is None
    assert bench.submit("1", SELL) is None
    bench.broker.failing = {read}
    bench.clock.now += timedelta(hours=1)
    error = bench.submit("1")
    assert error.outcome is Outcome.NOT_SENT
    assert "the risk limits cannot be checked" in str(error)
    assert bench.submit("5", SELL) is None
    assert bench.submit("5", SELL) is not None, "nine were held, and five are sold"
    assert bench.submit("4", SELL) is None
    bench.clock.now += timedelta(days=2)
    assert bench.submit("0.1", SELL) is not None, "the look is too old"


def test_without_any_look_only_what_the_broker_guards_is_an_exit(tmp_path: Path) -> None:
    """Reduce-only does nothing but lower a position, by the broker's own word."""
    bench = Bench(tmp_path, RiskLimits(max_position_value=D(1000)))
    bench.broker.place_order(order("5"))
    bench.broker.failing = {"list_positions"}
    assert bench.submit("1", SELL) is not None
    assert bench.submit("1", SELL, reduce_only=True, client_order_id="guarded") is None
    bench.broker.failing = {"get_price"}
    assert bench.executor.submit(market("1")).error is not None
    assert bench.executor.submit(market("1", SELL)).success, "its quantity says enough"


def test_another_process_leaves_its_looks_behind(tmp_path: Path) -> None:
    """A process that could never read the account recognises exits by what others saw."""
    bench = Bench(tmp_path, RiskLimits(max_position_value=D(10_000)))
    assert bench.submit("10") is None
    assert bench.submit("1") is None, "so that the position is in a look"
    bench.broker.failing = {"list_positions"}
    _, executor = bench.open(bench.broker, MemoryJournal())
    assert executor.submit(order("12", SELL)).error is not None
    assert executor.submit(order("10", SELL)).success


def test_a_price_that_cannot_be_read_refuses_what_needs_it(tmp_path: Path) -> None:
    """A limit order to buy says itself what it can cost; a market order does not."""
    bench = Bench(tmp_path, RiskLimits(max_order_value=D(1000)))
    bench.broker.failing = {"get_price"}
    assert bench.submit("1") is None
    error = bench.executor.submit(market("1")).error
    assert error is not None
    assert "the risk limits cannot be checked: get_price" in str(error)


class Status:
    """A market status of a test's choice."""

    def __init__(self, bench: Bench, *, is_open: bool, halted: bool = False) -> None:
        self.status = MarketStatus(symbol=SYMBOL, is_open=is_open, halted=halted)
        bench.broker.get_market_status = lambda symbol: self.status  # type: ignore[method-assign]  # as the test says


def test_the_market_has_to_be_open(tmp_path: Path) -> None:
    """A closed market is no place for new risk, but by orders for its other hours; exits pass."""
    bench = Bench(tmp_path, RiskLimits(market_hours=ConditionCheck.REFUSE))
    assert bench.submit("2") is None
    Status(bench, is_open=False)
    refused(bench.submit("1"), MarketClosedError, "closed", "market_hours")
    assert bench.submit("1", extended_hours=True) is None
    assert bench.submit("1", SELL) is None
    Status(bench, is_open=True, halted=True)
    refused(bench.submit("1", extended_hours=True), MarketClosedError, "halted")


@pytest.mark.parametrize("name", ["market_hours", "margin"])
def test_what_a_broker_does_not_tell_is_skipped_or_refused(tmp_path: Path, name: str) -> None:
    """The setting says which; off asks nothing."""
    lacks = (Capability.MARKET_STATUS, Capability.MARGIN)
    for check in ("off", "skip"):
        assert Bench(tmp_path, risk_limits({name: check}), lacks=lacks).submit("1") is None
    bench = Bench(tmp_path, risk_limits({name: "refuse"}), lacks=lacks)
    refused(bench.submit("1"), UnsupportedOperationError, name, "paper")


def margin_of(bench: Bench, **amounts: D) -> None:
    """Let the broker tell a margin."""
    told = Margin(currency="USD", **amounts)
    bench.broker.get_order_margin = lambda order_request: told  # type: ignore[method-assign]  # as the test says
    bench.broker.capabilities |= {Capability.MARGIN}  # type: ignore[misc]  # as the test says


def test_the_margin_has_to_suffice(tmp_path: Path) -> None:
    """What is under way and not seen by the broker yet is taken off what it says is left."""
    bench = Bench(tmp_path, RiskLimits(margin=ConditionCheck.SKIP, max_order_value=D(10_000)))
    margin_of(bench, buying_power=D(100))
    bench.gate.hold(order("1", client_order_id="under-way"))
    assert bench.submit("1") is None
    bench.gate.hold(order("1", client_order_id="one-more"))
    refused(bench.submit("1"), InsufficientFundsError, "margin", "-100 USD")
    margin_of(bench, excess=D(-1), buying_power=D(500))
    refused(bench.submit("1"), InsufficientFundsError)
    margin_of(bench)
    refused(bench.submit("1"), InvalidRequestError, "neither")


def test_every_entry_gets_its_stop(tmp_path: Path) -> None:
    """An entry without one gets it as a bracket; the same request again is still the same."""
    bench = Bench(tmp_path, RiskLimits(stop_loss_pct=D("0.05")))
    entry = order("1", client_order_id="entry")
    result = bench.executor.submit(entry)
    assert result.success
    state = bench.executor.find("entry")
    assert state is not None
    assert state.intent.request is not None
    assert state.intent.request.stop_loss == StopLoss(stop_price=D("95.00"))
    assert state.intent.asked == entry
    again = bench.executor.submit(entry)
    assert (again.order_id, again.success) == (result.order_id, True)
    other = bench.executor.submit(attrs.evolve(entry, quantity=D(2)))
    assert isinstance(other.error, InvalidFieldError)
    short = bench.executor.submit(order("5", SELL, price=D("99.99"), **OPEN))
    assert short.success
    (stop,) = [
        each.stop_price
        for each in bench.broker.list_orders()
        if each.stop_price is not None and each.side is OrderSide.BUY
    ]
    assert stop == D("104.98"), "never further away than the fraction"


def test_a_stop_that_is_too_far_is_refused(tmp_path: Path) -> None:
    """A stop that the order brings is left as it is, and has to be near enough."""
    bench = Bench(tmp_path, RiskLimits(stop_loss_pct=D("0.05")))
    assert bench.submit("1", stop_loss=StopLoss(stop_price=D(96))) is None
    error = bench.submit("1", stop_loss=StopLoss(stop_price=D(94)))
    refused(error, InvalidFieldError, "94", "at least 95", "stop_loss_pct")
    error = bench.submit("1", SELL, stop_loss=StopLoss(stop_price=D(106)))
    refused(error, InvalidFieldError, "at most 105")
    at_market = bench.executor.submit(market("1"))
    assert at_market.success, "counted from the latest price"


def test_an_exit_gets_no_stop(tmp_path: Path) -> None:
    """What lowers a position is sent as it was asked for."""
    bench = Bench(tmp_path, RiskLimits(stop_loss_pct=D("0.05")))
    bench.broker.place_order(order("5"))
    assert bench.submit("5", SELL, client_order_id="exit") is None
    state = bench.executor.find("exit")
    assert state is not None
    assert state.intent.request is not None
    assert state.intent.request.stop_loss is None
    bench.broker.failing = {"list_positions"}
    assert bench.submit("1", SELL, reduce_only=True) is not None, "the broker holds nothing"


def test_where_the_broker_takes_no_brackets_entries_are_refused(tmp_path: Path) -> None:
    """With the reason, and exits pass."""
    limits = RiskLimits(stop_loss_pct=D("0.05"))
    bench = Bench(tmp_path, limits, lacks=(Capability.BRACKET,))
    refused(bench.submit("1"), UnsupportedOperationError, "stop_loss_pct", "brackets")
    bench.broker.place_order(order("5"))
    assert bench.submit("5", SELL) is None
    tiny = Bench(tmp_path, RiskLimits(stop_loss_pct=D("0.00001")))
    refused(tiny.submit("1"), InvalidFieldError, "stop_loss_pct")


def test_a_change_that_adds_risk_is_judged(tmp_path: Path) -> None:
    """More, or dearer, has to fit the limits; less passes, and stays held until the end."""
    bench = Bench(tmp_path, RiskLimits(max_position_value=D(1000)))
    assert bench.submit("4", price=D(50), client_order_id="rests") is None
    (living,) = bench.executor.list_open()
    order_id = living.order_id or ""
    more = bench.executor.modify(order_id, OrderModification(quantity=D(30)))
    refused(more.error, InvalidFieldError, "max_position_value")
    assert bench.executor.modify(order_id, OrderModification(quantity=D(10))).success
    refused(bench.submit("6"), InvalidFieldError)
    assert bench.executor.modify(order_id, OrderModification(quantity=D(2))).success
    refused(bench.submit("6"), InvalidFieldError)
    bench.switch.turn_on()
    refused(
        bench.executor.modify(order_id, OrderModification(quantity=D(11))).error,
        PermissionDeniedError,
    )
    bench.switch.turn_off()
    bench.executor.cancel(order_id)
    bench.executor.reconcile()
    late = bench.executor.modify(order_id, OrderModification(quantity=D(3)))
    refused(late.error, InvalidRequestError, "rests")


def test_an_exit_may_be_enlarged_to_the_position(tmp_path: Path) -> None:
    """A change of an exit that leaves it one passes, whatever the limits say."""
    bench = Bench(tmp_path)
    assert bench.submit("10") is None
    assert bench.submit("4", SELL, price=D(150), client_order_id="exit") is None
    (living,) = bench.executor.list_open()
    bench.switch.turn_on()
    larger = bench.executor.modify(living.order_id or "", OrderModification(quantity=D(10)))
    assert larger.success
    too_large = bench.executor.modify(larger.order_id or "", OrderModification(quantity=D(11)))
    refused(too_large.error, PermissionDeniedError)


def test_orders_of_others_are_not_changed_under_limits(tmp_path: Path) -> None:
    """Their risk is not held, so that nobody can say what a change adds."""
    bench = Bench(tmp_path)
    foreign = bench.broker.place_order(order("1", price=D(50)))
    result = bench.executor.modify(foreign.order_id or "", OrderModification(quantity=D(2)))
    refused(result.error, InvalidRequestError, "cancel")


def test_limits_over_all_accounts_count_all_of_them(tmp_path: Path) -> None:
    """Positions, orders, losses and rates of every account add up."""
    overall = RiskLimits(max_position_value=D(1000), max_daily_loss=D("0.5"))
    bench = Bench(tmp_path, None, overall)
    second = Broker(bench.clock, name="second")
    _, beside = bench.open(second, MemoryJournal())
    assert bench.submit("4") is None
    assert beside.submit(order("3", price=D(50))).success
    refused(bench.submit("4"), InvalidFieldError, "all accounts", "at most 3 of")
    assert beside.submit(order("3")).success
    refused(bench.submit("1"), InvalidFieldError)
    assert bench.submit("4", SELL) is None


def test_an_account_that_nobody_looks_at_any_more_stops_the_others(tmp_path: Path) -> None:
    """Its last look is too old to count on, until it is left out by name."""
    overall = RiskLimits(max_position_value=D(1000))
    bench = Bench(tmp_path, None, overall)
    second = Broker(bench.clock, name="second")
    assert bench.open(second, MemoryJournal())[1].submit(order("9")).success
    bench.desk._looks.clear()
    bench.clock.now += timedelta(minutes=5)
    error = bench.submit("1")
    assert "second at paper" in str(error)
    assert bench.submit("1", SELL, reduce_only=True) is not None
    with bench.store.turn() as book:
        gone = {state.scope.account_id: state.scope for state in book.list_accounts()}["second"]
    bench.desk.forget_account(gone)
    assert bench.submit("1") is None


def test_amounts_of_other_currencies_need_a_rate(tmp_path: Path) -> None:
    """Nothing is converted at a price that nobody stated."""
    limits = RiskLimits(max_order_value=D(100), currency="EUR")
    refused(Bench(tmp_path, limits).submit("1"), InvalidRequestError, "EUR", "USD", "rate")
    rated = attrs.evolve(limits, currency_rates={"USD": D("0.5")})
    bench = Bench(tmp_path, rated)
    assert bench.submit("2") is None
    refused(bench.submit("2.1"), InvalidFieldError, "105 EUR")


def interrupted(bench: Bench, act: Callable[[], object]) -> None:
    """Let something happen between the read of the positions and its answer, once."""
    real = bench.broker.list_positions

    def list_positions() -> Any:
        bench.broker.list_positions = real  # type: ignore[method-assign]  # it happens once
        shown = real()
        act()
        return shown

    bench.broker.list_positions = list_positions  # type: ignore[method-assign]  # in between


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("wait_s", [0, 60])
def test_what_is_filled_and_given_back_during_a_look_is_counted(
    tmp_path: Path, wait_s: int, is_shared: bool
) -> None:
    """Neither the positions that were read nor what is held shows it, however long they took."""
    store = SqlReservations(f"sqlite:///{tmp_path / 'risk.sqlite'}") if is_shared else None
    bench = Bench(tmp_path, RiskLimits(max_position_value=D(1000)), store=store)
    _, other = bench.open(bench.broker, MemoryJournal())

    def buy_meanwhile() -> None:
        assert other.submit(order("7")).success
        for _ in range(2):
            # The store forgets what was given back long ago, when somebody looks.
            bench.clock.now += timedelta(seconds=wait_s)
            assert other.submit(order("1")).success

    interrupted(bench, buy_meanwhile)
    assert bench.submit("2") is not None
    assert bench.position() == 9
    assert bench.submit("1") is None
    assert bench.submit("1") is not None
    bench.store.close()


def test_what_nobody_knows_of_stays_held(tmp_path: Path) -> None:
    """An order whose outcome is unknown, and one that is quarantined, until evidence settles it."""
    bench = Bench(tmp_path, RiskLimits(max_position_value=D(1000)))
    quick = ExecutorSettings(probe_delays_s=(0.001,), resolve_timeout_s=0.0)
    gate, _ = bench.open(bench.broker, bench.journal)
    executor = OrderExecutor(bench.broker, bench.journal, gate=gate, settings=quick)
    bench.broker.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    real = bench.broker.get_order_by_client_id

    def fail(client_order_id: str) -> Any:
        # From here on nothing that would show the order can be read.
        bench.broker.failing = {"list_orders"}
        raise BrokerageError("the lookup does not answer")

    bench.broker.get_order_by_client_id = fail  # type: ignore[method-assign]  # it cannot be read
    result = executor.submit(order("6", client_order_id="vanished"))
    assert isinstance(result.error, OrderOutcomeUnknownError)
    state = executor.find("vanished")
    assert state is not None
    assert state.phase is Phase.QUARANTINED
    assert bench.held == ["vanished"]
    bench.broker.failing = set()
    bench.clock.now += timedelta(seconds=2)
    assert not executor.submit(order("5")).success
    bench.broker.get_order_by_client_id = real  # type: ignore[method-assign]  # it can be again
    executor.reconcile()
    assert bench.held == []
    assert bench.position() == 6
    assert executor.submit(order("4")).success


def test_nobody_waits_for_a_read_that_has_just_failed(tmp_path: Path) -> None:
    """Threads that waited for a look that timed out are told so, and do not look one by one."""
    bench = Bench(tmp_path, RiskLimits(max_position_value=D(1000)))
    reader, asked, looks = bench.gate._reader, threading.Semaphore(0), []
    real = reader._clock

    def clock() -> Any:
        asked.release()
        return real()

    def list_orders(status: Any = None) -> Any:
        looks.append(status)
        for _ in range(THREADS + 1):
            assert asked.acquire(timeout=30)
        raise BrokerageError("no answer in time")

    reader._clock = clock
    bench.broker.list_orders = list_orders  # type: ignore[method-assign]  # it hangs until all ask
    with ThreadPoolExecutor(THREADS) as pool:
        asking = [pool.submit(reader.look, bench.clock.now) for _ in range(THREADS)]
        errors = [each.exception() for each in asking]
    assert len(looks) == 1
    assert {str(error) for error in errors} == {"no answer in time"}
    del bench.broker.list_orders
    assert bench.submit("1") is None
