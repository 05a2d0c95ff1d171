"""Seeded runs of all at once: mistreated exits, faults, reads that fail or lag, and crashes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal as D

import attrs
import pytest

from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    Order,
    OrderModification,
    OrderType,
    StopLoss,
    TakeProfit,
)
from bot_v2.orchestration.execution.settings import ExitPolicy
from bot_v2.simulation.faults import Fault
from tests.unit.orchestration.execution.mistreatments import MENDING
from tests.unit.orchestration.execution.watch_desk import GRACE_S, SYMBOL, WatchDesk

SEEDS = range(150)
REPAIRS_MAX = 8
FAULTS = (
    Fault.DROP_AFTER_ACCEPT,
    Fault.DROP_BEFORE_ACCEPT,
    Fault.RESET_AFTER,
    Fault.RESET_BEFORE,
    Fault.SERVER_ERROR,
    Fault.RATE_LIMIT,
)


class Soak:
    """One run: everything in it comes of its seed."""

    def __init__(self, seed: int, policy: ExitPolicy) -> None:
        self.chance = random.Random(seed)
        self.is_gentle = self.chance.random() < 0.3
        self.desk = WatchDesk(policy, max_repairs=REPAIRS_MAX)
        lag_s = self.chance.choice((0.0, 0.0, 3.0, 20.0))
        slow = attrs.evolve(self.desk.broker.idempotency, visibility_lag_s=lag_s)
        self.desk.broker.idempotency = slow  # type: ignore[misc]  # another kind of broker
        self.span_s = max(GRACE_S, lag_s)
        self.desk.start()
        self.desk.bad.now = self.desk.world.clock
        self.desk.bad.behind = lambda: timedelta(seconds=lag_s * self.chance.random())
        self.desk.bad.remember(SYMBOL)
        self.is_mistreated = self.has_hidden = False
        self.crashes = 0
        crashes = [self.chance.randrange(1, 120) for _ in range(self.chance.choice((0, 0, 1, 2)))]
        self.desk.world._crashes = frozenset(crashes)
        self.todo = self._plan()

    def _plan(self) -> list[Callable[[], object]]:
        acts = (
            (self.look, 6),
            (self.move, 3),
            (self.cancel_exit, 2),
            (self.fill_late, 1),
            (self.resize_exit, 1),
            (self.hide, 1),
            (self.fail_reads, 1),
            (self.inject, 2),
            (self.restart, 1),
            (self.hear, 2),
        )
        meddling = (self.cancel_exit, self.fill_late, self.resize_exit)
        kinds, weights = zip(
            *(each for each in acts if not (self.is_gentle and each[0] in meddling)), strict=True
        )
        return [self.enter, *self.chance.choices(kinds, weights, k=14)]

    def run(self) -> None:
        """Play everything, with another process after each crash, and then be calm."""
        while self.desk.world.run([self._play]):
            self.crashes += 1
            self.desk.start()
            self.todo.insert(0, self.desk.executor.recover)
        self.desk.world._crashes = frozenset()
        self.desk.venue.clear_faults()
        self.desk.bad.hidden.clear()
        self.desk.bad.failing.clear()
        self.desk.venue.set_market(SYMBOL, D(99), D(100), D(1000))
        self.desk.executor.cancel("o-000001")
        self.desk.bad.remember(SYMBOL)
        for _ in range(12):
            self.desk.look(self.span_s)
            self.desk.bad.remember(SYMBOL)

    def _play(self) -> None:
        while self.todo:
            try:
                self.todo.pop(0)()
            finally:
                self.desk.bad.remember(SYMBOL)

    # What happens

    def enter(self) -> None:
        """Buy, at once or bit by bit, with a stop that the broker may lose."""
        chance, desk = self.chance, self.desk
        desk.bad.drops_stop = not self.is_gentle and chance.random() < 0.3
        desk.bad.refuses_stop = not self.is_gentle and chance.random() < 0.2
        desk.bad.is_terse = chance.random() < 0.2
        size = chance.choice((D(1000), D(10)))
        desk.venue.set_market(SYMBOL, D(99), D(100), size)
        limit = {"type": OrderType.LIMIT, "price": D(100)} if chance.random() < 0.5 else {}
        stop = StopLoss(stop_price=D(80), price=chance.choice((None, D(75))))
        profit = chance.choice((None, TakeProfit(price=D(120))))
        self.is_mistreated = desk.bad.drops_stop or desk.bad.refuses_stop
        desk.enter(**{**limit, "stop_loss": stop, "take_profit": profit})

    def look(self) -> None:
        """Reconcile."""
        self.desk.look(self.chance.choice((0.0, 1.0, 5.0, self.span_s)))

    def move(self) -> None:
        """Let the market go somewhere."""
        price, size = self.chance.choice((78, 90, 100, 110, 121)), self.chance.choice((5, 1000))
        self.desk.venue.set_market(SYMBOL, D(price), D(price + 1), D(size))

    def _exit(self) -> Order | None:
        exits = [each for each in self.desk.broker.list_orders() if each.parent_order_id]
        return self.chance.choice(exits) if exits else None

    def _meddle(self, meddle: Callable[[Order], object]) -> None:
        order = self._exit()
        if order is None:
            return
        self.is_mistreated = True
        try:
            meddle(order)
        except BrokerageError:
            # The exchange itself does not allow that now.
            return

    def cancel_exit(self) -> None:
        """The broker ends an exit."""
        self._meddle(lambda order: self.desk.broker.cancel_order(order.order_id))

    def resize_exit(self) -> None:
        """The broker changes an exit's size."""
        quantity = D(self.chance.choice((5, 20, 40)))
        change = OrderModification(quantity=quantity)
        self._meddle(lambda order: self.desk.broker.modify_order(order.order_id, change))

    def fill_late(self) -> None:
        """An exit that had ended was filled before."""
        self._meddle(
            lambda order: self.desk.venue.late_fill(
                order.order_id, order.remaining_quantity or D(1), D(100)
            )
        )

    def hide(self) -> None:
        """One look does not show an exit."""
        order = self._exit()
        if order is None or self.has_hidden:
            # Two such looks would be a broker's breach, which no reader can see.
            return
        self.has_hidden = self.desk.bad.lists_only = True
        self.desk.bad.hidden.add(order.order_id)
        self.todo[0:0] = [self.look, self.desk.bad.hidden.clear]

    def fail_reads(self) -> None:
        """One look cannot read something."""
        name = self.chance.choice(("list_orders", "get_order", "get_position", "list_positions"))
        self.desk.bad.failing.add(name)
        self.todo[0:0] = [self.look, self.desk.bad.failing.clear]

    def inject(self) -> None:
        """The next write goes wrong."""
        what = self.chance.choice(("place_order", "cancel_order", "modify_order"))
        self.desk.venue.inject(self.chance.choice(FAULTS), what)

    def restart(self) -> None:
        """Another process goes on."""
        self.desk.start()
        self.desk.executor.recover()

    def hear(self) -> None:
        """The stream tells of an order."""
        orders = self.desk.broker.list_orders()
        if orders:
            self.desk.executor.take_event(OrderEvent(order=self.chance.choice(orders)))


def check(soak: Soak) -> None:
    """Nothing is unprotected or turned, unless it stands in the report and was given up."""
    desk = soak.desk
    report = desk.executor.reconcile()
    names = Counter(each.client_order_id for each in desk.venue.orders_received())
    assert max(names.values(), default=1) == 1
    told = Counter(alarm.key for alarm in desk.alarms)
    assert max(told.values(), default=1) <= 1 + soak.crashes
    if not soak.is_mistreated:
        assert (desk.alarms, desk.sent) == ([], [])
    placed = {each.client_order_id for each in desk.sent}
    assert len(placed) <= REPAIRS_MAX
    if len(placed) == REPAIRS_MAX:
        return
    assert report.alarms == ()
    position = desk.position
    stops = [each for each in desk.live if each.stop_price is not None]
    covered = sum((each.remaining_quantity or D(0) for each in stops), D(0))
    assert position == covered
    assert all((each.remaining_quantity or D(0)) <= position for each in desk.live)
    assert desk.is_watched() is (position > 0)


@pytest.mark.parametrize("policy", MENDING)
def test_in_the_end_nothing_is_unprotected(policy: ExitPolicy) -> None:
    """Whatever a broker, the wire and the machine do: it is told, and mended once."""
    alarms = repairs = crashes = gentle = 0
    for seed in SEEDS:
        soak = Soak(seed, policy)
        try:
            soak.run()
            check(soak)
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken
        alarms += len(soak.desk.alarms)
        repairs += len(soak.desk.sent)
        crashes += soak.crashes
        gentle += not soak.is_mistreated
    print(
        f"{len(SEEDS)} runs, {gentle} of them with nothing wrong: {alarms} alarms, "
        f"{repairs} orders sent, {crashes} crashes"
    )
    assert min(alarms, repairs, crashes, gentle) > 20
