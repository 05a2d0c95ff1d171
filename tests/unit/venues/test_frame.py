"""The parts of the frame: plans of faults, clocks, pipes of frames, markets, printed numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.faults import Fault
from bot_v2.venues.clock import VenueClock
from bot_v2.venues.coinbase.listings import ALL_LISTINGS
from bot_v2.venues.coinbase.texts import moment_from_text, moment_text, padded, plain
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from bot_v2.venues.exact_json import object_from_json, to_json
from bot_v2.venues.faults import ON_REQUESTS, ON_STREAMS, FaultPlan
from bot_v2.venues.ids import IdCounter
from bot_v2.venues.market import MovingMarket, ladder, opening_book
from bot_v2.venues.pipe import FramePipe
from bot_v2.venues.tape import draw
from tests.unit.venues.callers import START, call, limit, place

D = Decimal
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


def test_a_fault_is_taken_as_often_as_it_was_planned() -> None:
    """By the operation that it names, or by any where it names none; never by a stream's event."""
    plan = FaultPlan()
    plan.add(Fault.EMPTY, "get_order", 2)
    plan.add(Fault.RATE_LIMIT, None, 1)
    assert plan.take(("place_order",), ON_STREAMS) is None
    taken = [plan.take(("get_order",), ON_REQUESTS) for _ in range(4)]
    assert taken == [Fault.EMPTY, Fault.EMPTY, Fault.RATE_LIMIT, None]


def test_a_lasting_fault_lasts_until_it_is_cleared() -> None:
    """It is taken by nothing."""
    plan = FaultPlan()
    plan.add(Fault.MUTE_STREAM, None, 1)
    assert plan.take(("a",), frozenset(Fault)) is None
    assert plan.lasts(Fault.MUTE_STREAM)
    plan.clear()
    assert not plan.lasts(Fault.MUTE_STREAM)
    with pytest.raises(InvalidFieldError):
        plan.add(Fault.EMPTY, None, 0)


def test_the_clock_moves_on_and_the_caller_stays() -> None:
    """What is added is the venue's alone: signatures are dated by whoever signs."""
    clock = VenueClock(ManualClock(START))
    clock.advance(90)
    assert (clock(), clock.outside()) == (START + timedelta(seconds=90), START)
    for seconds in (-1, float("inf")):
        with pytest.raises(InvalidFieldError):
            clock.advance(seconds)


def _sent(pipe: FramePipe) -> list[bytes | None]:
    return [pipe.frames.get_nowait() for _ in range(pipe.frames.qsize())]


def _push(pipe: FramePipe, *names: str) -> None:
    for name in names:
        pipe.push(("stream_orders",), lambda number, name=name: f"{number}{name}".encode())  # type: ignore[misc]  # mypy infers no type for a default of a lambda


def test_frames_are_numbered_and_a_lost_one_leaves_a_gap() -> None:
    """A mute stream loses what it would have said, and the numbers show it."""
    plan = FaultPlan()
    pipe = FramePipe(plan)
    _push(pipe, "a")
    plan.add(Fault.MUTE_STREAM, None, 1)
    _push(pipe, "b")
    plan.clear()
    _push(pipe, "c")
    assert _sent(pipe) == [b"0a", b"2c"]


def test_frames_can_be_told_twice_or_swapped() -> None:
    """Twice with one number; swapped only the next two; what is held back is told in the end."""
    plan = FaultPlan()
    pipe = FramePipe(plan)
    plan.add(Fault.DUPLICATE_EVENT, None, 1)
    _push(pipe, "a")
    assert _sent(pipe) == [b"0a", b"0a"]
    plan.clear()
    plan.add(Fault.REORDER_EVENTS, "stream_orders", 1)
    _push(pipe, "b", "c", "d")
    assert _sent(pipe) == [b"2c", b"1b", b"3d"]
    plan.add(Fault.REORDER_EVENTS, "stream_orders", 1)
    _push(pipe, "e")
    assert _sent(pipe) == []
    pipe.release()
    assert _sent(pipe) == [b"4e"]


@given(AMOUNTS)
def test_printed_numbers_are_the_numbers(value: Decimal) -> None:
    """Whatever is left out or added at the end, the value is the same, and in plain notation."""
    for text in (plain(value), padded(value, 8)):
        assert Decimal(text) == value
        assert "E" not in text.upper()
    assert not plain(value).endswith(".")


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1000))
def test_printed_moments_are_the_moments(moment: datetime) -> None:
    """To the microsecond."""
    assert moment_from_text(moment_text(moment)) == moment


def test_moments_of_other_forms_are_read() -> None:
    """Zones are converted, nanoseconds cut, and what is no timestamp is refused."""
    assert moment_from_text("2026-03-02T14:00:00+02:00") == START
    assert moment_from_text("2026-03-02T12:00:00.123456789Z") == START + timedelta(
        microseconds=123456
    )
    for text in ("", "2026-03-02", "2026-03-02T12:00:00", "yesterday"):
        with pytest.raises(ValueError, match="timestamp"):
            moment_from_text(text)


@given(AMOUNTS)
def test_json_numbers_are_exact(value: Decimal) -> None:
    """Digits leave as they are and arrive as they are."""
    assert object_from_json(b'{"a":' + format(value, "f").encode() + b"}")["a"] == value
    assert object_from_json(to_json({"a": value}))["a"] == value


def test_books_are_on_the_grid_and_not_crossed() -> None:
    """Of every product, at its first price; deeper levels are never better."""
    for listing in ALL_LISTINGS:
        product = listing.product
        assert product.price_increment is not None
        book = opening_book(product, listing.price, D(1000), START, seed=3)
        assert book.bids[0].price < listing.price < book.asks[0].price
        for level in (*book.bids, *book.asks):
            assert level.price % product.price_increment == 0
        other = ladder(product, book.bids[0].price, book.asks[0].price, D(2), START, seed=3)
        assert other.bids[0].price == book.bids[0].price


def test_draws_and_ids_are_of_the_seed() -> None:
    """The same parts give the same numbers; ids look like random UUIDs and never repeat."""
    assert draw(1, "a", 2) == draw(1, "a", 2) != draw(2, "a", 2)
    ids = IdCounter(5)
    made = [ids() for _ in range(100)]
    assert len(set(made)) == 100
    assert all(one[14] == "4" for one in made)


def test_a_market_that_moves_is_the_same_each_time() -> None:
    """A walk by the venue's clock moves books and prints trades, as the seed says."""
    told = []
    for _ in range(2):
        clock = ManualClock(START)
        venue = CoinbaseVenue(clock=clock)
        state = venue.state
        prices = {one.symbol: state.tape.last(one.symbol).price for one in state.products()}
        market = MovingMarket(state, state.products(), prices, seed=7)
        market.move()
        first = state.book("BTC-USD")
        clock.advance(30)
        market.move()
        trades = state.tape.trades("BTC-USD")
        assert state.book("BTC-USD").bids[0].price != first.bids[0].price
        assert trades[0].timestamp == clock()
        assert len(trades) == 40 + 31
        told.append((state.book("BTC-USD"), trades[0]))
    assert told[0] == told[1]


def test_the_fills_that_are_kept_are_those_of_the_engine() -> None:
    """Market fills, late ones, corrections and busts, in the engine's order."""
    venue = CoinbaseVenue()
    config = {"market_market_ioc": {"base_size": "9"}}
    place(venue, "a", order_configuration=config)
    waits = place(venue, "b", order_configuration=limit())["order_id"]
    call(venue, "POST", "/orders/batch_cancel", {"order_ids": [waits]})
    venue.late_fill(waits, D("0.04"), D(50000))
    account = venue.state.accounts["spot"]
    engine = account.engine
    first = engine.list_fills()[0].trade_id
    venue.state.step(lambda: engine.correct_fill(first, quantity=D(1), price=D(60000)))
    venue.state.step(lambda: engine.bust_fill(engine.list_fills()[1].trade_id))
    assert account.fills() == engine.list_fills()
    assert len(account.fills()) == 5
    assert account.fills_of(waits) == [account.fills()[-3]]
