"""Steps are stored before anyone learns of them, and an engine is rebuilt from what was stored."""

from __future__ import annotations

from decimal import Decimal as D

import attrs
import pytest

from bot_v2.features.brokerages.core import interfaces as api
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.journal import Counters, EngineChange, EngineState
from bot_v2.simulation.ledger import LedgerError
from tests.unit.simulation.markets import BUY, SELL, Bench


class Memory:
    """A journal that keeps the sum of all changes, as a file would."""

    def __init__(self) -> None:
        """Start empty."""
        self.steps: list[int] = []
        self.fails = False
        self.state = EngineState()

    def commit(self, change: EngineChange) -> None:
        """Copy what changed, or fail as a full disk does."""
        if self.fails:
            raise OSError("no space left")
        old = self.state
        orders = {one.order_id: one for one in old.orders}
        orders |= {one.order_id: attrs.evolve(one) for one in change.orders}
        balances = {(one.account, one.asset): one for one in old.balances}
        balances |= {(one.account, one.asset): one for one in change.balances}
        positions = {one.asset: one for one in old.positions}
        positions |= {one.asset: attrs.evolve(one) for one in change.positions}
        marks = {one.symbol: one for one in old.marks} | {one.symbol: one for one in change.marks}
        self.state = EngineState(
            orders=sorted(orders.values(), key=lambda one: one.number),
            fills=[*old.fills, *change.fills],
            entries=[*old.entries, *change.entries],
            balances=list(balances.values()),
            positions=list(positions.values()),
            marks=list(marks.values()),
            counters=attrs.evolve(change.counters),
        )
        self.steps.append(change.step)


def busy_bench(journal: Memory) -> Bench:
    """Return an engine with orders of all sorts, some of them ended."""
    bench = Bench(journal=journal, balances={"USD": D(10_000), "BTC": D(9)})
    bench.quote("99", "101", "5", last="100")
    bench.place(BUY, "3", stop_loss=api.StopLoss(stop_price=D(90)))
    bench.place(BUY, "9")
    bench.place(SELL, "1", trail_amount="4")
    bench.place(BUY, "2", price="98", time_in_force=api.TimeInForce.DAY)
    bench.engine.cancel(bench.place(BUY, "2", price="97").order_id)
    return bench


def test_every_step_is_stored_and_numbered() -> None:
    """What was stored is what the engine is, and steps have no gaps."""
    journal = Memory()
    bench = busy_bench(journal)
    assert journal.steps == list(range(1, len(journal.steps) + 1))
    assert journal.state.orders == bench.engine.snapshot().orders
    assert journal.state.fills == bench.engine.snapshot().fills
    assert journal.state.entries == bench.engine.snapshot().entries
    assert journal.state.positions == bench.engine.snapshot().positions
    assert journal.state.counters == bench.engine.snapshot().counters


def test_a_market_event_that_changes_no_order_is_no_step() -> None:
    """Prices alone are not worth a commit: they go with the next step."""
    journal = Memory()
    bench = Bench(journal=journal)
    steps = len(journal.steps)
    bench.quote("99", "101")
    assert len(journal.steps) == steps
    bench.place(BUY, "1")
    assert [mark.symbol for mark in journal.state.marks] == ["BTC-USD"]


def test_a_rebuilt_engine_goes_on_as_the_first_would_have() -> None:
    """Queues, triggers, holds, expiries and counters come back; offers do not."""
    journal = Memory()
    bench = busy_bench(journal)
    again = MatchingEngine.restore(
        journal.state, account=bench.account, products=bench.products, clock=bench.clock
    )
    assert again.snapshot() == bench.engine.snapshot()
    first = bench.engine
    for engine in (first, again):
        bench.engine = engine
        bench.quote("99", "101", "4", last="100")
        bench.trade("97.5", "1")
        bench.trade("94", "9")
    assert again.list_orders() == first.list_orders()
    assert again.list_fills() == first.list_fills()
    bench.clock.advance(200_000)
    for engine in (first, again):
        bench.engine = engine
        bench.engine.on_time()
        bench.quote("89", "90", last="89")
        assert bench.place(BUY, "1", price="1").order_id == "o-000007"
        bench.placed -= 1
    assert again.snapshot() == first.snapshot()


def test_a_failed_journal_stops_the_engine() -> None:
    """The write's outcome is unknown, nobody is told of it, and nothing goes on."""
    journal = Memory()
    bench = busy_bench(journal)
    told: list[api.OrderEvent] = []
    bench.engine.subscribe(told.append)
    journal.fails = True
    with pytest.raises(api.OrderOutcomeUnknownError) as failed:
        bench.place(BUY, "1", price="90")
    assert isinstance(failed.value.__cause__, OSError)
    assert told == []
    journal.fails = False
    for action in (
        lambda: bench.place(BUY, "1", price="90"),
        lambda: bench.engine.cancel("o-000001"),
        lambda: bench.quote("99", "101"),
        bench.engine.on_time,
    ):
        with pytest.raises(api.BrokerUnavailableError) as stopped:
            action()
        assert stopped.value.outcome is api.Outcome.NOT_SENT


def test_listeners_hear_of_a_step_once_it_is_stored() -> None:
    """Each change of an order, in order, with the fill that made it."""
    journal = Memory()
    bench = Bench(journal=journal)
    bench.quote("99", "101", "2")
    heard: list[tuple[api.OrderStatus, D | None, bool]] = []

    def hear(event: api.OrderEvent) -> None:
        stored = [one.order_id for one in journal.state.orders]
        fill = None if event.fill is None else event.fill.quantity
        heard.append((event.order.status, fill, event.order.order_id in stored))

    stop = bench.engine.subscribe(hear)
    order = bench.place(BUY, "3", price="101")
    bench.engine.cancel(order.order_id)
    stop()
    bench.place(BUY, "1")
    status = api.OrderStatus
    assert heard == [
        (status.PENDING, None, True),
        (status.OPEN, None, True),
        (status.PARTIALLY_FILLED, 2, True),
        (status.CANCELLED, None, True),
    ]


def broken(state: EngineState, what: str) -> EngineState:
    """Return a state that does not add up."""
    entries, balances, orders = list(state.entries), list(state.balances), list(state.orders)
    if what == "an amount":
        entries[3] = entries[3]._replace(amount=entries[3].amount + 1)
    elif what == "an entry":
        del entries[-2:]
    elif what == "half a pair":
        del entries[-1]
    elif what == "a balance":
        balances[0] = balances[0]._replace(amount=D(10**6))
    elif what == "a balance of nothing":
        balances.append(balances[0]._replace(asset="EUR"))
    elif what == "an order":
        del orders[1]
    elif what == "a fill":
        orders[0] = attrs.evolve(orders[0], filled_quantity=D(2))
    elif what == "a position":
        share = attrs.evolve(state.positions[0], asset="ACME", symbol="ACME")
        return attrs.evolve(state, positions=[*state.positions, share])
    elif what == "an unknown account":
        entries[0] = entries[0]._replace(account="elsewhere")
    else:
        orders[0] = attrs.evolve(orders[0], symbol="NONE-USD")
    return attrs.evolve(state, entries=entries, balances=balances, orders=orders)


@pytest.mark.parametrize(
    "what",
    [
        "an amount",
        "an entry",
        "half a pair",
        "a balance",
        "a balance of nothing",
        "an order",
        "an unknown account",
        "a product",
        "a fill",
        "a position",
    ],
)
def test_a_state_that_does_not_add_up_is_refused(what: str) -> None:
    """Nothing is built on books that were tampered with or torn."""
    bench = busy_bench(Memory())
    state = bench.engine.snapshot()
    with pytest.raises(LedgerError):
        MatchingEngine.restore(
            broken(state, what), account=bench.account, products=bench.products, clock=bench.clock
        )


def test_ids_can_be_injected() -> None:
    """Order and trade ids come from the source, in order."""
    made = iter(f"id-{number}" for number in range(9))
    bench = Bench(ids=lambda: next(made))
    bench.quote("99", "101")
    assert bench.place(BUY, "1").order_id == "id-0"
    assert bench.engine.list_fills()[0].trade_id == "id-1"


def test_counters_start_at_nothing() -> None:
    """A new account has made one step: its opening."""
    assert Bench().engine.snapshot().counters == Counters(steps=1)
