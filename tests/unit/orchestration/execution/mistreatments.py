"""What a broker can do to the exits of an entry that it filled."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal as D

import attrs

from bot_v2.features.brokerages.core.interfaces import (
    OrderModification,
    OrderSide,
)
from bot_v2.orchestration.execution.settings import (
    ExitPolicy,
)
from bot_v2.orchestration.journal.watch_records import ExitCause
from tests.unit.orchestration.execution.watch_desk import (
    QUANTITY,
    SYMBOL,
    WatchDesk,
    buy,
    rest,
)

MENDING = (ExitPolicy.CLOSE_POSITION, ExitPolicy.REPLACE_STOP)

# What a broker does to the exits of an entry that it filled


def refuse(desk: WatchDesk) -> None:
    """The stop is refused."""
    desk.bad.refuses_stop = True
    desk.enter()


def drop(desk: WatchDesk) -> None:
    """The stop never appears."""
    desk.bad.drops_stop = True
    desk.enter()


def end_early(desk: WatchDesk) -> None:
    """The stop is cancelled by the broker."""
    desk.enter()
    desk.broker.cancel_order(desk.stop().order_id)


def vanish(desk: WatchDesk) -> None:
    """The stop was there, and is listed no longer."""
    desk.enter()
    desk.look()
    stop = desk.stop().order_id
    desk.broker.cancel_order(stop)
    desk.bad.hidden.add(stop)
    desk.bad.failing.add("get_order")


def shrink(desk: WatchDesk) -> None:
    """The stop covers only part."""
    desk.enter()
    desk.broker.modify_order(desk.stop().order_id, OrderModification(quantity=D("10")))


def fill_both(desk: WatchDesk) -> None:
    """The profit is filled, and the stop as well."""
    desk.enter()
    stop = desk.stop().order_id
    desk.venue.set_market(SYMBOL, D(121), D(122), D(1000))
    desk.venue.late_fill(stop, QUANTITY, D(80))


def overfill(desk: WatchDesk) -> None:
    """One exit, of the broker's own making, sells more than there is."""
    desk.enter(take_profit=None)
    desk.broker.cancel_order(desk.stop().order_id)
    sold = desk.broker.place_order(attrs.evolve(buy("50"), side=OrderSide.SELL))
    desk.bad.parents[sold.order_id or ""] = "o-000001"


def grow(desk: WatchDesk) -> None:
    """An exit is larger than what was filled."""
    desk.enter()
    profit = attrs.evolve(rest("130", client_order_id=None), side=OrderSide.SELL, quantity=D("50"))
    placed = desk.broker.place_order(profit)
    desk.bad.parents[placed.order_id or ""] = "o-000001"


MISTREATMENTS: list[tuple[Callable[[WatchDesk], None], ExitCause, str]] = [
    (refuse, ExitCause.STOP_REFUSED, "30"),
    (drop, ExitCause.STOP_MISSING, "30"),
    (end_early, ExitCause.STOP_ENDED, "30"),
    (vanish, ExitCause.STOP_MISSING, "30"),
    (shrink, ExitCause.EXIT_TOO_SMALL, "20"),
    (fill_both, ExitCause.BOTH_FILLED, "30"),
    (overfill, ExitCause.EXIT_OVERFILLED, "20"),
    (grow, ExitCause.EXIT_TOO_LARGE, "20"),
]
