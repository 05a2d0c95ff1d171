"""The life of an order: a table in our own engine, the evidence for what brokers report."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.interfaces import (
    ENDED_STATUSES,
    LIVE_STATUSES,
    TRANSITIONS,
    Fee,
    InvalidFieldError,
    Order,
    OrderStatus,
    may_follow,
    order_after_report,
)
from tests.unit.core.model_examples import NOW, order

S = OrderStatus
QUANTITY = D(2)


def test_every_status_is_live_or_ended() -> None:
    """The two published sets part the statuses; UNKNOWN is never an end."""
    assert set(S) == LIVE_STATUSES | ENDED_STATUSES
    assert not LIVE_STATUSES & ENDED_STATUSES
    assert S.UNKNOWN in LIVE_STATUSES
    assert set(TRANSITIONS) == set(S)


@pytest.mark.parametrize("ended", sorted(ENDED_STATUSES))
@pytest.mark.parametrize("status", sorted(S))
def test_an_ended_order_stays_ended(ended: S, status: S) -> None:
    """In our own engine nothing follows an end, not even the same end again."""
    assert not may_follow(ended, status)


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        (S.PENDING, S.OPEN, True),
        (S.PENDING, S.FILLED, True),
        (S.PENDING, S.REJECTED, True),
        (S.OPEN, S.PENDING, False),
        (S.OPEN, S.PARTIALLY_FILLED, True),
        (S.OPEN, S.REJECTED, True),
        (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, True),
        (S.PARTIALLY_FILLED, S.OPEN, False),
        (S.PARTIALLY_FILLED, S.REJECTED, False),
        (S.PENDING_CANCEL, S.OPEN, True),
        (S.PENDING_CANCEL, S.FILLED, True),
        (S.UNKNOWN, S.OPEN, True),
    ],
)
def test_the_table_says_what_may_follow(old: S, new: S, allowed: bool) -> None:
    """Fills overtake cancels, refusals come late, and no acknowledgement is undone."""
    assert may_follow(old, new) is allowed


def report(status: S, filled: str, minutes: int | None = None, quantity: D = QUANTITY) -> Order:
    """Return a report of the order, so many minutes later."""
    some = D(filled)
    return order(
        status=status,
        filled_quantity=some,
        quantity=quantity,
        average_fill_price=D(100) if some else None,
        fees=(Fee(currency="USD", amount=some),) if some else None,
        updated_at=None if minutes is None else NOW + timedelta(minutes=minutes),
        native_status=status.value.upper(),
    )


@pytest.mark.parametrize(
    ("known", "reported", "status", "filled"),
    [
        # a fill after a cancel is booked; the order stays cancelled
        (report(S.CANCELLED, "0", 2), report(S.PARTIALLY_FILLED, "1", 1), S.CANCELLED, "1"),
        (report(S.CANCELLED, "0", 1), report(S.CANCELLED, "0.5", 2), S.CANCELLED, "0.5"),
        # late fills that complete it make it FILLED, whatever was said of its end
        (report(S.CANCELLED, "1", 2), report(S.PARTIALLY_FILLED, "2", 1), S.FILLED, "2"),
        (report(S.FILLED, "2", 1), report(S.CANCELLED, "1", 2), S.FILLED, "2"),
        # and so does what goes beyond it: brokers overfill
        (report(S.CANCELLED, "1", 2), report(S.PARTIALLY_FILLED, "2.5", 1), S.FILLED, "2.5"),
        (report(S.FILLED, "2", 1), report(S.FILLED, "2.5", 2), S.FILLED, "2.5"),
        # what was filled only grows, whatever order the reports arrive in
        (report(S.PARTIALLY_FILLED, "1.5"), report(S.PARTIALLY_FILLED, "1"), None, "1.5"),
        (report(S.PARTIALLY_FILLED, "1"), report(S.PARTIALLY_FILLED, "1.5"), None, "1.5"),
        # an ended order does not come back to life
        (report(S.CANCELLED, "0", 1), report(S.OPEN, "0", 2), S.CANCELLED, "0"),
        (report(S.EXPIRED, "0"), report(S.UNKNOWN, "0"), S.EXPIRED, "0"),
        # the newer of two ends is believed
        (report(S.EXPIRED, "0", 1), report(S.CANCELLED, "0", 2), S.CANCELLED, "0"),
        (report(S.EXPIRED, "0", 2), report(S.CANCELLED, "0", 1), S.EXPIRED, "0"),
        # a refused cancel goes back to working; an acknowledgement is not undone
        (report(S.PENDING_CANCEL, "0", 1), report(S.OPEN, "0", 2), S.OPEN, "0"),
        (report(S.OPEN, "0"), report(S.PENDING, "0"), S.OPEN, "0"),
        (report(S.PARTIALLY_FILLED, "1", 1), report(S.OPEN, "0", 2), S.PARTIALLY_FILLED, "1"),
        (report(S.PENDING_CANCEL, "1", 2), report(S.OPEN, "0", 1), S.PENDING_CANCEL, "1"),
    ],
)
def test_a_report_is_booked_on_the_evidence(
    known: Order, reported: Order, status: S | None, filled: str
) -> None:
    """Late, repeated and reordered reports never lose a fill and never revive an order."""
    merged = order_after_report(known, reported)
    assert merged.status is (status or S.PARTIALLY_FILLED)
    assert merged.filled_quantity == D(filled)
    assert (merged.average_fill_price is None) == (D(filled) == 0)
    assert (merged.fees is None) == (D(filled) == 0)


def test_a_report_from_before_a_reduction_keeps_its_fills() -> None:
    """The order was reduced to 1; a report from before knows of 1.5 filled: both are kept."""
    merged = order_after_report(
        report(S.PARTIALLY_FILLED, "1.5", 1), report(S.PARTIALLY_FILLED, "1", 2, quantity=D(1))
    )
    assert (merged.filled_quantity, merged.quantity) == (D("1.5"), D(2))


def test_a_report_of_another_order_is_refused() -> None:
    """Two orders are never merged into one."""
    with pytest.raises(InvalidFieldError, match="the order that is known"):
        order_after_report(order(), order(order_id="o-2"))


@st.composite
def reports(draw: st.DrawFn) -> Order:
    """Draw any coherent report of the order."""
    filled = draw(st.sampled_from(["0", "0.5", "1", "2", "2.5"]))
    allowed = [status for status in S if status is not S.FILLED or filled != "0"]
    return report(draw(st.sampled_from(allowed)), filled, draw(st.none() | st.integers(0, 3)))


@given(st.lists(reports(), min_size=2, max_size=6))
def test_no_sequence_of_reports_loses_a_fill_or_an_end(sequence: list[Order]) -> None:
    """After any reports, the most that was ever filled is booked, and an end is an end."""
    merged = sequence[0]
    for each in sequence[1:]:
        ended = merged.status in ENDED_STATUSES
        merged = order_after_report(merged, each)
        assert order_after_report(merged, each).filled_quantity == merged.filled_quantity
        assert not ended or merged.status in ENDED_STATUSES
    assert merged.filled_quantity == max(each.filled_quantity for each in sequence)
