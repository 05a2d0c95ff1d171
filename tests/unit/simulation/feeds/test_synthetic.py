from __future__ import annotations

import hashlib
import statistics
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.market_data import Quote, Trade
from bot_v2.features.brokerages.core.products import MarketType, PriceBand, Product
from bot_v2.simulation.clock import ManualClock
from bot_v2.simulation.default_products import product_for_symbol
from bot_v2.simulation.feeds.pump import FeedPump
from bot_v2.simulation.feeds.synthetic import CATCH_UP_STEPS_MAX, SyntheticWalk
from bot_v2.simulation.market import MarketEvent, event_time

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BTC = product_for_symbol("BTC-USD", price_increment=Decimal("0.01"))
ES = product_for_symbol("ES-20270319", price_increment=Decimal("0.25"), multiplier=Decimal(50))
PRICES = {"BTC-USD": Decimal(60_000), "ES-20270319": Decimal(5_000)}


def walk(seed: int = 7, **changes: Any) -> SyntheticWalk:
    """A walk of a coin and a future, from noon, with some terms changed."""
    terms = {"products": [BTC, ES], "start": NOON, "prices": PRICES, **changes}
    return SyntheticWalk(terms.pop("products"), seed=seed, **terms)


def take(source: SyntheticWalk, count: int) -> list[MarketEvent]:
    """The next events of a walk."""
    return list(islice(source.events(), count))


def test_a_walk_says_that_it_is_synthetic() -> None:
    """Nobody can take a walk for a market."""
    assert walk().is_synthetic
    assert walk(seed=42).description == "synthetic, seed 42: no real market"


def test_a_walk_is_the_same_on_every_machine() -> None:
    """The digits of a thousand steps are the ones that were once drawn, whatever the platform."""
    lines = []
    for event in take(walk(), 4_000):
        if isinstance(event, Quote):
            lines.append(f"{event.bid} {event.bid_size} {event.ask} {event.ask_size}")
        elif isinstance(event, Trade):
            lines.append(f"{event.side} {event.size} at {event.price}")
    assert lines[:2] == ["60001.47 0.50855018 60013.49 0.93556502", "sell 0.05836966 at 60001.47"]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == "7c90bbdeffb699cb"


@given(seed=st.integers(), other=st.integers())
def test_the_seed_is_all_that_matters(seed: int, other: int) -> None:
    """The same seed draws the same market, another one another."""
    first = take(walk(seed), 40)
    assert first == take(walk(seed), 40)
    assert (first == take(walk(other), 40)) == (seed == other)


def test_each_step_is_a_quote_and_a_trade_of_each_product() -> None:
    """Steps are `step_s` apart, from the start; products keep their order."""
    events = take(walk(step_s=0.5), 8)
    assert [type(event) for event in events] == [Quote, Trade] * 4
    assert [event.symbol for event in events] == ["BTC-USD"] * 2 + ["ES-20270319"] * 2 + [
        "BTC-USD"
    ] * 2 + ["ES-20270319"] * 2
    assert [event_time(event) for event in events] == [NOON] * 4 + [NOON + SECOND / 2] * 4


banded = Product(
    symbol="NSE:X",
    market_type=MarketType.EQUITY,
    quote_currency="INR",
    price_bands=(
        PriceBand(lower_price=Decimal(0), price_increment=Decimal("0.01")),
        PriceBand(lower_price=Decimal(250), price_increment=Decimal("0.05")),
    ),
    size_increment=Decimal(1),
)


@given(
    seed=st.integers(0, 10**6),
    price=st.decimals(Decimal(1), Decimal(100_000), places=2),
    increment=st.sampled_from(["0.01", "0.05", "0.25", "0.00000001", "1E+1"]),
    volatility=st.integers(0, 500),
    spread=st.integers(1, 9_999),
)
def test_prices_are_on_the_grid_and_never_cross(
    seed: int, price: Decimal, increment: str, volatility: int, spread: int
) -> None:
    """However wild the walk, bids are below asks, above zero, and on the product's grid."""
    step = Decimal(increment)
    coin = product_for_symbol("BTC-USD", price_increment=step)
    source = SyntheticWalk(
        [coin, banded],
        seed=seed,
        start=NOON,
        prices={"BTC-USD": max(price, 10 * step), "NSE:X": Decimal(250)},
        volatility_bps=Decimal(volatility),
        spread_bps=Decimal(spread),
    )
    quote = None
    for event in take(source, 80):
        grid = step if event.symbol == "BTC-USD" else Decimal("0.01")
        if isinstance(event, Quote):
            quote = event
            assert quote.bid is not None
            assert quote.ask is not None
            assert quote.bid_size is not None
            assert quote.ask_size is not None
            assert 0 < quote.bid < quote.ask
            assert quote.bid % grid == quote.ask % grid == 0
            assert quote.bid_size > 0
            assert quote.ask_size > 0
        elif isinstance(event, Trade):
            assert quote is not None
            assert event.price in (quote.bid, quote.ask)
            assert event.size % (Decimal("1E-8") if event.symbol == "BTC-USD" else 1) == 0


def test_a_walk_moves_as_much_as_it_is_told_to() -> None:
    """Over a thousand steps the deviation of one step is the volatility, give or take a tenth."""
    source = walk(products=[BTC], volatility_bps=Decimal(10))
    mids = [
        (event.bid + event.ask) / 2
        for event in take(source, 2_000)
        if isinstance(event, Quote) and event.bid is not None and event.ask is not None
    ]
    changes = [(after - before) / before * 10_000 for before, after in pairwise(mids)]
    deviation, mean = statistics.stdev(changes), statistics.mean(changes)
    assert Decimal(9) < deviation < Decimal(11)
    assert abs(mean) < 1


def test_a_walk_does_not_fall_to_nothing() -> None:
    """Below ten price increments the walk does not go: a quote always has a bid."""
    lowest = Decimal("0.10")
    source = walk(products=[BTC], prices={"BTC-USD": lowest}, volatility_bps=Decimal(500))
    quotes = [event for event in take(source, 400) if isinstance(event, Quote)]
    assert min(price for _, price in source.state.prices) >= lowest
    assert min(event.bid for event in quotes if event.bid is not None) == Decimal("0.09")
    assert max(event.ask for event in quotes if event.ask is not None) > lowest


def test_a_slow_walk_does_not_stand_still() -> None:
    """Steps much smaller than the price increment add up: they are not rounded away."""
    source = walk(products=[ES], volatility_bps=Decimal("0.05"))
    bids = {event.bid for event in take(source, 4_000) if isinstance(event, Quote)}
    assert len(bids) > 3


@given(stop=st.integers(0, 60))
def test_a_walk_goes_on_where_it_stood(stop: int) -> None:
    """From its state another process walks the same steps, as if there had been no stop."""
    whole = take(walk(), 100)
    first = walk()
    take(first, stop)
    state = first.state
    again = walk(state=state, start=NOON - SECOND, prices={})
    # A step of which an event was not asked for beyond is walked again from its first event.
    resumed = take(again, 40)
    assert state.steps == max(0, stop - 1) // 4
    assert resumed == whole[state.steps * 4 : state.steps * 4 + 40]


def test_events_continue_and_do_not_start_anew() -> None:
    """A second call of events goes on from the state, which moved with the first."""
    source = walk()
    first = take(source, 5)
    assert source.state.steps == 1
    assert take(source, 4) == take(walk(), 8)[4:]
    assert first == take(walk(), 5)


def test_a_state_of_another_walk_is_refused() -> None:
    """A state fits its seed and its products in their order, and no others."""
    state = walk().state
    for wrong in ({"seed": 8}, {"products": [BTC]}, {"products": [ES, BTC]}):
        with pytest.raises(InvalidFieldError, match="a state of seed"):
            walk(state=state, **wrong)


def test_catching_up_is_bounded() -> None:
    """After a long time when nobody asked, only the latest steps are walked, in full."""
    clock = ManualClock(NOON)
    source = walk(products=[BTC], clock=clock)
    pump = FeedPump(source, clock)
    assert len(list(pump.due())) == 2
    clock.advance(timedelta(days=30))
    late = list(pump.due())
    # One step was looked at before the clock moved; the others are the latest, up to now.
    assert 2 * CATCH_UP_STEPS_MAX <= len(late) <= 2 * (CATCH_UP_STEPS_MAX + 2)
    assert event_time(late[-1]) == clock()
    prices = [event.bid for event in late if isinstance(event, Quote) and event.bid is not None]
    assert all(abs(after - before) < 60 for before, after in pairwise(prices))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"products": []}, "products"),
        ({"prices": {"BTC-USD": Decimal(1)}}, r"prices\['ES-20270319'\]"),
        ({"prices": {**PRICES, "BTC-USD": Decimal("0.09")}}, r"prices\['BTC-USD'\]"),
        ({"prices": {**PRICES, "BTC-USD": 1.5}}, r"prices\['BTC-USD'\]"),
        ({"products": [product_for_symbol("BTC-USD"), ES]}, r"Product\.price_increment"),
        ({"start": NOON.replace(tzinfo=None)}, "start"),
        ({"step_s": 0}, "step_s"),
        ({"volatility_bps": Decimal(-1)}, "volatility_bps"),
        ({"spread_bps": Decimal(0)}, "spread_bps"),
        ({"spread_bps": Decimal(10_000)}, "spread_bps"),
        ({"depth": Decimal(0)}, "depth"),
    ],
)
def test_terms_that_make_no_market_are_refused(change: dict[str, Any], field: str) -> None:
    """Each term that will not do is refused by its name."""
    with pytest.raises(InvalidFieldError, match=rf"^{field} is"):
        walk(**change)
