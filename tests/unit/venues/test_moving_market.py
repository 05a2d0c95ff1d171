"""Every venue's market can be moved; options move with their shares."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from bot_v2.venues.alpaca.venue import AlpacaVenue
from bot_v2.venues.catalogue import VENUES, open_venue
from tests.unit.venues.alpaca_calls import contract, read

TIMEOUT_S = 60.0
MOVED_S = 60.0
"""How much of its walk a market takes at once."""
MOVE_MIN = 0.1
"""How far a share has to move, to tell a move from prices that were rounded to cents."""


def wait_for(fits: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + TIMEOUT_S
    while not fits():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("name", sorted(VENUES))
def test_every_market_moves(name: str) -> None:
    """As the command line lets it; what it is says so."""
    venue = open_venue(name, 7).venue
    symbols = [one.symbol for one in venue.moving_products()]
    before = {symbol: venue.state.quote(symbol) for symbol in symbols}
    try:
        assert "synthetic" in venue.move_market()
        wait_for(lambda: any(venue.state.quote(one) != before[one] for one in symbols))
    finally:
        venue.close()


def test_options_follow_their_shares() -> None:
    """What a call is worth more than the put of its strike changes by as much as the share."""
    venue = AlpacaVenue(rate_limit=None)
    call, put = contract(venue, "call"), contract(venue, "put")
    assert call[-8:] == put[-8:], "not of one strike"
    first_share, first_call, first_put = quotes(venue, call, put)
    venue.move_market()
    try:
        venue.advance(MOVED_S)
        wait_for(lambda: abs(quotes(venue, call, put)[0] - first_share) > MOVE_MIN)
    finally:
        venue.close()
    share, call_worth, put_worth = quotes(venue, call, put)
    change = (call_worth - put_worth) - (first_call - first_put)
    assert change == pytest.approx(share - first_share, abs=MOVE_MIN / 2)


def quotes(venue: AlpacaVenue, call: str, put: str) -> tuple[float, float, float]:
    """Return the middles of the quotes of the share, the call and the put."""

    def middle(said: Any) -> float:
        return float(said["bp"] + said["ap"]) / 2

    share = read(venue, "/v2/stocks/AAPL/quotes/latest")["quote"]
    options = read(venue, f"/v1beta1/options/quotes/latest?symbols={call},{put}")["quotes"]
    return middle(share), middle(options[call]), middle(options[put])
