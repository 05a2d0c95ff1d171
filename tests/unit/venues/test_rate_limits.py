"""Rate limits of a venue: token buckets by class of requests and by key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.simulation.clock import ManualClock
from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from bot_v2.venues.rate_limits import RateLimit
from bot_v2.venues.venue import Venue
from tests.unit.venues.callers import API, call, exchange_call, limit, send

TOO_MANY = 429


def still() -> ManualClock:
    """Return a clock that stands at the present moment: tokens are signed by the real one."""
    return ManualClock(datetime.now(UTC))


@pytest.fixture
def venue() -> CoinbaseVenue:
    """Advanced Trade, whose time stands still."""
    return CoinbaseVenue(clock=still())


@pytest.fixture
def exchange() -> CoinbaseExchangeVenue:
    """The Exchange API, whose time stands still."""
    return CoinbaseExchangeVenue(clock=still())


def admitted(ask: Callable[[], tuple[int, Any]], tries: int) -> int:
    """Return how many of some requests were let in."""
    return sum(ask()[0] != TOO_MANY for _ in range(tries))


def test_nothing_is_limited_before_it_is_asked_for(venue: CoinbaseVenue) -> None:
    """A hundred requests in no time are answered."""
    assert admitted(lambda: call(venue, "GET", "/accounts"), 100) == 100
    assert venue.rate_limits() == {}


def test_a_key_has_the_documented_requests_a_second(venue: CoinbaseVenue) -> None:
    """Then the broker's 429; time gives some back, and another key has its own."""
    venue.limit_rates()
    assert admitted(lambda: call(venue, "GET", "/accounts"), 40) == 30
    assert call(venue, "GET", "/accounts")[1]["error_details"] == "Too many requests"
    other = venue.ed25519_api_key
    assert call(venue, "GET", "/accounts", key=other)[0] == 200
    venue.advance(0.1)
    assert admitted(lambda: call(venue, "GET", "/accounts"), 10) == 3


def test_what_was_too_much_has_no_effect(venue: CoinbaseVenue) -> None:
    """A placement that is refused so makes no order, and counts as received."""
    venue.limit_rates({"private": RateLimit(1, 1)})
    body = {
        "client_order_id": "one",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": limit(),
    }
    statuses = [call(venue, "POST", "/orders", body)[0] for _ in range(2)]
    assert statuses == [200, TOO_MANY]
    body["client_order_id"] = "two"
    assert call(venue, "POST", "/orders", body)[0] == TOO_MANY
    assert [one.client_order_id for one in venue.orders_received()] == ["one"]
    assert venue.requests_received("place_order") == 3
    assert [one.status for one in venue.request_log()] == [200, TOO_MANY, TOO_MANY]


def test_public_requests_are_counted_apart(venue: CoinbaseVenue) -> None:
    """By address, of which there is one here, whoever signs."""
    venue.limit_rates()
    assert admitted(lambda: send(venue, "GET", f"{API}/time", {}, b""), 15) == 10
    assert call(venue, "GET", "/time")[0] == TOO_MANY
    assert call(venue, "GET", "/accounts")[0] == 200


def test_who_may_not_ask_uses_nothing_up(venue: CoinbaseVenue) -> None:
    """A request with no good token is a 401, however many there are."""
    venue.limit_rates({"private": RateLimit(1, 1)})
    unsigned = [send(venue, "GET", f"{API}/accounts", {}, b"")[0] for _ in range(5)]
    assert unsigned == [401] * 5
    assert call(venue, "GET", "/accounts")[0] == 200


def test_executions_have_a_limit_of_their_own(exchange: CoinbaseExchangeVenue) -> None:
    """On the Exchange API, where bursts are documented, too."""
    exchange.limit_rates()
    fills = "/fills?product_id=BTC-USD"
    assert admitted(lambda: exchange_call(exchange, "GET", fills), 40) == 20
    assert admitted(lambda: exchange_call(exchange, "GET", "/accounts"), 40) == 30
    assert admitted(lambda: send(exchange, "GET", "/time", {}, b""), 40) == 15
    exchange.advance(1)
    assert admitted(lambda: exchange_call(exchange, "GET", fills), 40) == 10
    exchange.advance(3600)
    assert admitted(lambda: exchange_call(exchange, "GET", fills), 40) == 20


def test_limits_are_lifted(venue: CoinbaseVenue) -> None:
    """By an empty table; a fault that is cleared leaves them on."""
    venue.limit_rates({"private": RateLimit(0.5, 1)})
    assert venue.rate_limits() == {"private": {"per_s": 0.5, "burst": 1}}
    assert admitted(lambda: call(venue, "GET", "/accounts"), 3) == 1
    venue.clear_faults()
    assert admitted(lambda: call(venue, "GET", "/accounts"), 3) == 0
    venue.limit_rates({})
    assert admitted(lambda: call(venue, "GET", "/accounts"), 3) == 3


def test_a_class_that_there_is_not_is_refused(venue: CoinbaseVenue) -> None:
    """With those that there are; and so is a broker that documents none."""
    with pytest.raises(InvalidFieldError, match="public, private"):
        venue.limit_rates({"fills": RateLimit(1, 1)})
    with pytest.raises(InvalidFieldError, match="documents none"):
        Undocumented().limit_rates()


class Undocumented(CoinbaseVenue):
    """A broker that keeps its limits to itself."""

    documented_limits = Venue.documented_limits


@pytest.mark.parametrize(
    ("per_s", "burst"), [(0, 1), (-1, 1), (float("inf"), 1), (True, 1), (1, 0), (1, 1.5), (1, True)]
)
def test_a_limit_lets_somebody_in(per_s: Any, burst: Any) -> None:
    """And not everybody."""
    with pytest.raises(InvalidFieldError, match=r"RateLimit\."):
        RateLimit(per_s, burst)
