"""What is known of orders: each change told once, in any order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    ConnectionError,
    Fill,
    InvalidFieldError,
    Order,
    OrderNotFoundError,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from bot_v2.features.brokerages.streaming.orders import (
    ABSENCE_S,
    RETRY_MAX_S,
    KnownOrders,
    OrderAudit,
)
from bot_v2.features.brokerages.streaming.settings import StreamSettings

D = Decimal
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ORDER = Order(
    order_id="1",
    symbol="BTC-USD",
    side=OrderSide.BUY,
    type=OrderType.LIMIT,
    quantity=D(1),
    price=D(50),
    time_in_force=TimeInForce.GTC,
    status=OrderStatus.OPEN,
    filled_quantity=D(0),
    timestamp=NOW,
    account_id="A",
)
FILL = Fill(
    trade_id="t1",
    order_id="1",
    symbol="BTC-USD",
    side=OrderSide.BUY,
    quantity=D("0.4"),
    price=D(50),
    timestamp=NOW,
    account_id="A",
)


def filled(amount: str, **changes: Any) -> Order:
    """The order with so much filled."""
    is_whole = D(amount) == 1
    status = OrderStatus.FILLED if is_whole else OrderStatus.PARTIALLY_FILLED
    given: dict[str, Any] = {
        "status": status,
        "filled_quantity": D(amount),
        "average_fill_price": D(50),
    }
    return attrs.evolve(ORDER, **{**given, **changes})


def told(known: KnownOrders, *reports: Order) -> list[Decimal]:
    """What was filled, as the events of some reports tell it."""
    return [one.order.filled_quantity for report in reports for one in known.report(report)]


def test_a_report_that_changes_nothing_is_no_event() -> None:
    """Twice the same, an older one, and one that only says more of the same, are none."""
    known = KnownOrders()
    assert told(known, ORDER, ORDER) == [D(0)]
    assert told(known, filled("0.4"), filled("0.4"), filled("0.2")) == [D("0.4")]
    assert told(known, filled("0.4", updated_at=NOW, status_reason="why")) == []
    known_order = known.get("1")
    assert known_order is not None
    assert known_order.status_reason == "why"
    assert known.live_ids() == ["1"]
    assert told(known, filled("1")) == [D(1)]
    assert told(known, filled("0.4")) == []
    assert known.live_ids() == []


def test_an_execution_is_told_once() -> None:
    """It comes with the order; again without a change of it, and never twice."""
    known = KnownOrders()
    other = attrs.evolve(FILL, trade_id="t2")
    events = [*known.report(filled("0.8"), FILL), *known.report(filled("0.8"), other)]
    assert [one.fill for one in events] == [FILL, other]
    assert list(known.report(filled("0.8"), FILL)) == []
    (last,) = known.report(filled("1"), FILL)
    assert last.fill is None


def test_a_report_with_executions_is_an_event_for_each() -> None:
    """Without any that is news, it is the event of the report, where that is news."""
    known = KnownOrders()
    other = attrs.evolve(FILL, trade_id="t2")
    events = list(known.report_with(filled("0.8"), [FILL, other]))
    assert [one.fill for one in events] == [FILL, other]
    assert list(known.report_with(filled("0.8"), [FILL])) == []
    assert [one.fill for one in known.report_with(filled("1"), [FILL])] == [None]
    assert [one.fill for one in known.report_with(filled("1"), [])] == []


def test_what_is_learnt_is_no_event() -> None:
    """The orders that there are when a stream begins are known, and not told."""
    known = KnownOrders()
    known.learn([ORDER, filled("1", order_id="2")])
    assert told(known, ORDER, filled("1", order_id="2")) == []


def test_a_whole_reading_is_told_oldest_first() -> None:
    """It is listed newest first; one that contradicts what is known takes its place."""
    known = KnownOrders()
    second = attrs.evolve(ORDER, order_id="2")
    assert [one.order.order_id for one in known.report_all([second, ORDER])] == ["1", "2"]
    known.learn([filled("0.8")])
    smaller = filled("0.5", quantity=D("0.6"))
    # Less is ordered now than was filled as far as is known: both cannot be true.
    with pytest.MonkeyPatch.context() as patch:

        def refuse(known: Order, reported: Order) -> Order:
            raise InvalidFieldError("Order.quantity", reported.quantity, "at least what is filled")

        patch.setattr("bot_v2.features.brokerages.streaming.orders.order_after_report", refuse)
        (event,) = known.report_all([smaller])
    assert event.order == smaller


def test_what_has_ended_is_forgotten_in_time() -> None:
    """The first that ended goes first; what lives stays."""
    known = KnownOrders(ended_max=2)
    known.learn([ORDER, *(filled("1", order_id=str(number)) for number in range(2, 6))])
    assert [number for number in range(1, 6) if known.get(str(number))] == [1, 4, 5]


def test_executions_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many are remembered, and no more."""
    monkeypatch.setattr("bot_v2.features.brokerages.streaming.orders.FILLS_MAX", 1)
    known = KnownOrders()
    other = attrs.evolve(FILL, trade_id="t2")
    for fill in (FILL, other, FILL):
        (event,) = known.report(filled("0.4"), fill)
        assert event.fill == fill


class Books:
    """What an audit reads, and its clock."""

    def __init__(self) -> None:
        """Begin with one order."""
        self.orders = [ORDER]
        self.fails = False
        self.reads = 0
        self.now = 100.0

    def read(self) -> list[Order]:
        """Read the orders."""
        self.reads += 1
        if self.fails:
            raise ConnectionError("no")
        return self.orders


def test_an_audit_reads_at_first_when_missed_and_in_time() -> None:
    """The first reading is silent; the others tell what is news."""
    books, known = Books(), KnownOrders()
    audit = OrderAudit(known, books.read, 60.0, lambda: books.now)
    assert not audit.is_whole
    assert list(audit.due()) == []
    assert (audit.is_whole, audit.has_learnt, books.reads) == (True, True, 1)
    assert list(audit.due()) == []
    assert books.reads == 1
    books.orders = [filled("0.4")]
    audit.miss()
    audit.miss()
    assert not audit.is_whole
    assert [one.order.filled_quantity for one in audit.due()] == [D("0.4")]
    books.orders = [filled("1")]
    books.now += 59
    assert list(audit.due()) == []
    books.now += 2
    assert [one.order.filled_quantity for one in audit.due()] == [D(1)]
    assert books.reads == 3


def test_an_audit_that_fails_is_tried_again_later_each_time() -> None:
    """Before the first reading its error is raised; afterwards it waits, and a restart does not."""
    books, known = Books(), KnownOrders()
    audit = OrderAudit(known, books.read, 60.0, lambda: books.now)
    books.fails = True
    with pytest.raises(ConnectionError):
        list(audit.due())
    audit.restart()
    books.fails = False
    list(audit.due())
    books.fails = True
    audit.miss()
    waits = []
    for _ in range(8):
        began = books.now
        reads = books.reads
        while books.reads == reads:
            assert list(audit.due()) == []
            books.now += 0.5
        waits.append(books.now - began)
        audit.miss()
    assert waits[1:4] == [1.0, 2.0, 4.0]
    assert max(waits) <= RETRY_MAX_S + 1
    books.fails = False
    audit.restart()
    list(audit.due())
    assert audit.is_whole


def test_what_lived_and_is_listed_no_more_is_looked_for() -> None:
    """Found, it is told as it stands; not found, it is gone after a while."""
    books, known = Books(), KnownOrders()
    found: dict[str, Order] = {}

    def find(order_id: str) -> Order:
        if books.fails:
            raise ConnectionError("no")
        if order_id not in found:
            raise OrderNotFoundError("no such order")
        return found[order_id]

    def gone(order: Order) -> Order:
        return attrs.evolve(order, status=OrderStatus.CANCELLED)

    audit = OrderAudit(known, books.read, 60.0, lambda: books.now, find=find, gone=gone)
    list(audit.due())
    books.orders = []
    audit.miss()
    assert list(audit.due()) == []
    books.now += ABSENCE_S - 1
    assert list(audit.due()) == []
    books.now += 1
    assert [one.order.status for one in audit.due()] == [OrderStatus.CANCELLED]
    second = attrs.evolve(ORDER, order_id="2")
    known.learn([second])
    found["2"] = attrs.evolve(second, status=OrderStatus.EXPIRED)
    audit.miss()
    assert [one.order.status for one in audit.due()] == [OrderStatus.EXPIRED]
    known.learn([attrs.evolve(ORDER, order_id="3")])
    audit.miss()
    found_again = attrs.evolve(ORDER, order_id="3")
    assert list(audit.due()) == []
    books.now += ABSENCE_S
    books.orders = [found_again]
    assert list(audit.due()) == []
    assert known.live_ids() == ["3"]


def test_a_search_that_fails_is_made_again() -> None:
    """An order that cannot be read is not gone; nor is one where nothing is known to mean that."""
    books, known = Books(), KnownOrders()

    def find(order_id: str) -> Order:
        raise ConnectionError("no") if books.fails else OrderNotFoundError("none")

    audit = OrderAudit(known, books.read, 60.0, lambda: books.now, find=find)
    list(audit.due())
    books.orders = []
    known.learn([ORDER])
    audit.miss()
    assert list(audit.due()) == []
    books.now += 10 * ABSENCE_S
    assert list(audit.due()) == []
    assert audit.is_whole

    def fail(order_id: str) -> Order:
        raise ConnectionError("no")

    other = OrderAudit(known, books.read, 60.0, lambda: books.now, find=fail)
    other.has_learnt = True
    assert list(other.due()) == []
    assert not other.is_whole
    blind = OrderAudit(known, books.read, 60.0, lambda: books.now)
    blind.has_learnt = True
    assert list(blind.due()) == []
    assert known.live_ids() == ["1"]


@pytest.mark.parametrize("value", [0, -1, True, float("inf")])
def test_bounds_are_bounds(value: float) -> None:
    """None of them can be switched off, but for those that say so."""
    with pytest.raises(InvalidFieldError, match="StreamSettings"):
        StreamSettings(open_timeout_s=value)
    assert StreamSettings(silence_max_s=None, ping_interval_s=1).silence_max_s is None
    with pytest.raises(InvalidFieldError):
        StreamSettings(silence_max_s=value)
