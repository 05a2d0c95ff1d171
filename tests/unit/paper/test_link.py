"""The in-process wire commits the faults that it is told to, and says what they mean."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    ErrorContext,
    InsufficientFundsError,
    InvalidFieldError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.paper.errors import MEANINGS, error_from_fault
from bot_v2.features.brokerages.paper.link import FAULTS, SKEW, LinkError, PaperLink
from bot_v2.simulation.faults import WIRE_FAULTS, Fault

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CALLS = sorted(MEANINGS)
WITH_EFFECT = {Fault.DROP_AFTER_ACCEPT, Fault.RESET_AFTER, Fault.SERVER_ERROR}


class Ledger:
    """A venue that counts what was done to it."""

    def __init__(self) -> None:
        self.written = 0
        self.waited: list[float] = []
        self.link = PaperLink[list[int]](
            lock=threading.RLock(),
            reach=lambda: [self.written],
            remember=self.remember,
            wait=self.waited.append,
        )

    def remember(self) -> Callable[[], list[int]]:
        """Take note of what was done by now."""
        written = self.written
        return lambda: [written]

    def write(self) -> int:
        """Do one thing."""

        def act(_: list[int]) -> int:
            self.written += 1
            return self.written

        return self.link.call("place_order", True, act)

    def read(self) -> int:
        """Say how many were done."""
        return self.link.call("get_order", False, lambda state: state[0])


@pytest.mark.parametrize("fault", CALLS)
def test_a_fault_of_a_call_has_the_effect_that_it_says(fault: Fault) -> None:
    """A write takes effect if and only if the fault says that the request did."""
    venue = Ledger()
    venue.link.inject(fault, "place_order", 1)
    with pytest.raises(LinkError) as failure:
        venue.write()
    assert failure.value.fault is fault
    assert venue.written == (1 if fault in WITH_EFFECT else 0)
    received = 0 if fault is Fault.RESET_BEFORE else 1
    assert venue.link.requests_received("place_order") == received


@pytest.mark.parametrize("fault", CALLS)
def test_a_failed_write_is_not_sent_rejected_or_unknown(fault: Fault) -> None:
    """Only a call that never left is NOT_SENT; only a refusal before matching is REJECTED."""
    error = error_from_fault(fault, True, None, ErrorContext(operation="place_order"))
    expected = {
        Fault.RESET_BEFORE: Outcome.NOT_SENT,
        Fault.RATE_LIMIT: Outcome.REJECTED,
        Fault.SESSION_EXPIRED: Outcome.REJECTED,
    }.get(fault, Outcome.UNKNOWN)
    assert error.outcome is expected
    assert isinstance(error, OrderOutcomeUnknownError) == (expected is Outcome.UNKNOWN)
    assert error.operation == "place_order"


@pytest.mark.parametrize("fault", CALLS)
def test_a_failed_read_has_no_outcome(fault: Fault) -> None:
    """A read has no effect, so its error says nothing of one."""
    assert error_from_fault(fault, False, None, ErrorContext()).outcome is None


def test_a_refusal_is_lost_with_the_reply() -> None:
    """A reply that is lost is lost whatever it said."""
    venue = Ledger()
    venue.link.inject(Fault.DROP_AFTER_ACCEPT, None, 1)

    def refuse(_: list[int]) -> int:
        raise InsufficientFundsError("no")

    with pytest.raises(LinkError):
        venue.link.call("place_order", True, refuse)
    with pytest.raises(BrokerageError, match="no"):
        venue.link.call("place_order", True, refuse)


def test_a_fault_waits_for_its_operation_and_is_counted_down() -> None:
    """A fault of one operation leaves the others alone, and ends after its number of times."""
    venue = Ledger()
    venue.link.inject(Fault.UNAVAILABLE, "place_order", 2)
    assert venue.read() == 0
    for _ in range(2):
        with pytest.raises(LinkError):
            venue.write()
    assert venue.write() == 1


def test_a_rate_limit_says_how_long_to_wait() -> None:
    """The caller is told when to try again."""
    venue = Ledger()
    venue.link.inject(Fault.RATE_LIMIT, None, 1)
    with pytest.raises(LinkError) as failure:
        venue.read()
    assert failure.value.retry_after_s == 1.0


def test_an_expired_session_refuses_until_it_is_renewed() -> None:
    """Every call is refused, not only the one that met the end."""
    venue = Ledger()
    venue.link.inject(Fault.SESSION_EXPIRED, None, 1)
    for call in (venue.read, venue.write, venue.read):
        with pytest.raises(LinkError) as failure:
            call()
        assert failure.value.fault is Fault.SESSION_EXPIRED
    assert venue.link.call("connect", False, len) == 1
    assert venue.read() == 0


def test_stale_reads_show_the_state_before_the_latest_write() -> None:
    """Reads lag by one write until the fault is cleared; writes do not."""
    venue = Ledger()
    venue.link.keeps_previous = True
    venue.write()
    venue.link.inject(Fault.STALE_READ, None, 1)
    assert (venue.read(), venue.write(), venue.read()) == (0, 2, 1)
    venue.link.clear_faults()
    assert venue.read() == 2


def test_a_skewed_clock_shows_in_the_times_of_replies() -> None:
    """The exchange's stamps are minutes away, also inside lists; the rest stays."""
    venue = Ledger()
    quote = Quote(symbol="BTC-USD", timestamp=NOW, bid=Decimal(1))
    venue.link.inject(Fault.CLOCK_SKEW, None, 1)
    (seen,) = venue.link.call("get_quote", False, lambda _: [quote])
    assert seen == Quote(symbol="BTC-USD", timestamp=NOW + SKEW, bid=Decimal(1))
    assert abs(SKEW) >= timedelta(minutes=1)


def heard(venue: Ledger, *events: int) -> list[int]:
    """What a stream's readers get of some events."""
    seen: list[int] = []
    for event in events:
        venue.link.deliver("stream_orders", event, seen.append)
    return seen


def test_streams_stutter_fall_silent_and_reorder() -> None:
    """Each fault of a stream does what it says, and ends."""
    venue = Ledger()
    venue.link.inject(Fault.DUPLICATE_EVENT, None, 1)
    assert heard(venue, 1, 2) == [1, 1, 2, 2]
    venue.link.clear_faults()
    venue.link.inject(Fault.MUTE_STREAM, None, 1)
    assert heard(venue, 1, 2) == []
    venue.link.clear_faults()
    venue.link.inject(Fault.REORDER_EVENTS, "stream_orders", 1)
    assert heard(venue, 1, 2, 3) == [2, 1, 3]
    assert venue.read() == 0


def test_a_held_event_is_sent_when_faults_are_cleared() -> None:
    """An event that waits to be overtaken is late, never lost."""
    venue = Ledger()
    venue.link.inject(Fault.REORDER_EVENTS, None, 1)
    seen: list[int] = []
    venue.link.deliver("stream_orders", 1, seen.append)
    assert seen == []
    venue.link.clear_faults()
    assert seen == [1]


def test_latency_passes_half_each_way() -> None:
    """A call takes its round trip on the clock that is in use."""
    venue = Ledger()
    venue.link.round_trip_s = 0.2
    venue.read()
    assert venue.waited == [0.1, 0.1]


def test_a_call_with_a_timeout_waits_no_longer() -> None:
    """A round trip that takes too long, or an exchange that is busy, ends in time."""
    venue = Ledger()
    venue.link.round_trip_s = 5
    with pytest.raises(LinkError):
        venue.link.call("check_health", False, len, timeout_s=1)
    assert venue.waited == [1]
    venue.link.round_trip_s = 0
    held, done = threading.Event(), threading.Event()

    def hold(_: list[int]) -> None:
        held.set()
        done.wait(20)

    holder = threading.Thread(target=lambda: venue.link.call("get_order", False, hold))
    holder.start()
    held.wait(20)
    with pytest.raises(LinkError):
        venue.link.call("check_health", False, len, timeout_s=0.01)
    done.set()
    holder.join(20)


@pytest.mark.parametrize("fault", sorted(WIRE_FAULTS))
def test_a_link_without_bytes_garbles_nothing(fault: Fault) -> None:
    """Faults that need a wire are refused, and so is a fault that is to happen no times."""
    venue = Ledger()
    assert fault not in FAULTS
    with pytest.raises(InvalidFieldError):
        venue.link.inject(fault, None, 1)
    with pytest.raises(InvalidFieldError):
        venue.link.inject(Fault.RATE_LIMIT, None, 0)
