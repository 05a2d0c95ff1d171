"""Faults of the catalogue of the venue and of the session with it: V01 to V14."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.exchange_adapter import CoinbaseExchangeBrokerage
from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    InvalidSymbolError,
    MarketClosedError,
    OrderModification,
    OrderNotFoundError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
    TimeInForce,
    UnsupportedOperationError,
    capabilities_of,
)
from bot_v2.features.brokerages.http.quotas import Quota, Quotas
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.simulation.faults import Fault
from bot_v2.venues.coinbase.exchange_venue import CoinbaseExchangeVenue
from tests.integration.coinbase.faults.conftest import (
    BOUNDS,
    PERPETUAL,
    RESTING,
    SYMBOL,
    TAKING,
    Bench,
    place,
    utc_now,
)
from tests.integration.http.wire_server import reply

D = Decimal


def refused(
    broker: CoinbaseBrokerage, kind: type[BrokerageError], request: OrderRequest = RESTING
) -> BrokerageError:
    """Return the error of a placement that the venue documents to have refused."""
    with pytest.raises(kind) as caught:
        broker.place_order(request)
    assert caught.value.outcome is Outcome.REJECTED
    return caught.value


def test_v01_the_session_expires_at_the_order(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V01: a 401 comes before matching: the order is refused, is not sent again, and is absent."""
    bench.venue.inject(Fault.SESSION_EXPIRED, "place_order")
    refused(broker, AuthenticationError)
    assert bench.placements == 1
    assert not broker.is_connected()
    assert broker.connect()
    assert bench.is_absent(broker)
    assert broker.place_order(RESTING).success


@pytest.mark.parametrize("headers", [["Retry-After: 1"], []])
def test_v06_too_many_requests(bench: Bench, broker: CoinbaseBrokerage, headers: list[str]) -> None:
    """V06: a documented 429 refuses the order; it is not sent again, and says how long to wait."""
    words = b'{"error":"rate_limit_exceeded","message":"Too many requests"}'
    bench.front.answer("POST", "/orders", reply(words, 429, headers))
    error = refused(broker, RateLimitError)
    assert error.retry_after_s == (1.0 if headers else None)
    assert bench.placements == 1
    assert broker.place_order(RESTING).success


def test_v06_our_own_limit_leaves_room_for_cancels(bench: Bench) -> None:
    """V06: past our own limit an order does not leave; cancels have a share of their own."""
    key = bench.venue.api_key
    given = {"cdp_api_key": key.name, "cdp_private_key": key.secret, "api_base": bench.front.url}
    settings = read_settings({**given, "requests_per_s": 10}, {})
    quotas = Quotas({"": [Quota(5, 60)], "cancels": [Quota(1, 60)]}, scope="catalogue")
    transport = HttpTransport(attrs.evolve(BOUNDS, write_hold_s=0), quotas=quotas)
    broker = CoinbaseBrokerage(settings, transport=transport)
    bench.closing += [broker.disconnect, transport.close]
    broker.connect()
    order_id = place(broker)
    # Signing in, the products and the order were three of five.
    broker.check_health()
    broker.check_health()
    with pytest.raises(RateLimitError) as caught:
        broker.place_order(attrs.evolve(RESTING, client_order_id="catalogue-2"))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert broker.cancel_order(order_id)


@pytest.mark.parametrize("off", [timedelta(minutes=-10), timedelta(minutes=10)])
def test_v07_our_clock_is_off(bench: Bench, off: timedelta) -> None:
    """V07: a clock that is minutes off is found out, and what is signed is dated by the venue's."""
    shift = [timedelta(0)]
    broker = bench.open(clock=lambda: utc_now() + shift[0])
    shift[0] = off
    # A write that was refused for its date is not sent again by itself.
    refused(broker, AuthenticationError)
    assert bench.placements == 1
    assert place(broker) == bench.the_order(broker).order_id


def test_v07_the_venues_clock_is_off(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V07: what the venue dates minutes away is told by its dates, and is found."""
    bench.venue.inject(Fault.CLOCK_SKEW)
    order_id = place(broker)
    assert bench.the_order(broker).order_id == order_id


def test_v08_a_halted_product(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V08: an order in a halted product is refused by name, and goes through when it trades."""
    bench.venue.halt(SYMBOL)
    refused(broker, MarketClosedError, TAKING)
    bench.venue.resume(SYMBOL)
    assert broker.place_order(TAKING).success


def test_v08_maintenance(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V08: of a venue that does not serve nobody knows whether the order arrived."""
    bench.venue.inject(Fault.UNAVAILABLE, "place_order")
    bench.place_unknown(broker)
    bench.venue.inject(Fault.UNAVAILABLE, "get_order_by_client_id", times=BOUNDS.read_attempts)
    with pytest.raises(BrokerUnavailableError):
        broker.get_order_by_client_id("catalogue-1")
    assert bench.is_absent(broker)


def test_v09_an_order_that_is_taken_and_never_seen(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V09: an order that is acknowledged and then dropped is absent by id, client id and list."""
    said = (
        b'{"success":true,"success_response":{"order_id":"0f0f0f0f-0000-4000-8000-000000000000"}}'
    )
    bench.front.answer("POST", "/orders", reply(said))
    order_id = place(broker)
    with pytest.raises(OrderNotFoundError):
        broker.get_order(order_id)
    assert bench.is_absent(broker)
    assert broker.list_orders() == []


@pytest.fixture
def sandbox() -> Iterator[tuple[CoinbaseExchangeVenue, CoinbaseExchangeBrokerage]]:
    """What the sandbox is like: the Exchange API."""
    with CoinbaseExchangeVenue() as venue:
        given = {
            "api_mode": "exchange",
            "api_key": venue.api_key.key,
            "api_secret": venue.api_key.secret,
            "api_passphrase": venue.api_key.passphrase,
            "api_base": venue.url,
        }
        transport = HttpTransport(BOUNDS)
        broker = CoinbaseExchangeBrokerage(read_settings(given, {}), transport=transport)
        broker.connect()
        yield venue, broker
        broker.disconnect()
        transport.close()


def test_v10_the_sandbox_differs(
    bench: Bench,
    broker: CoinbaseBrokerage,
    sandbox: tuple[CoinbaseExchangeVenue, CoinbaseExchangeBrokerage],
) -> None:
    """V10: what the sandbox's API has not is declared so, and refused before it is sent."""
    venue, other = sandbox
    missing = capabilities_of(broker) - capabilities_of(other)
    assert {"order_modification", "order_preview", "bracket"} <= {str(one) for one in missing}
    assert not hasattr(other, "modify_order")
    ref = "00000000000040008000000000000001"
    asked = attrs.evolve(RESTING, client_order_id=ref)
    with pytest.raises(UnsupportedOperationError) as caught:
        other.place_order(
            attrs.evolve(
                asked, time_in_force=TimeInForce.GTD, expires_at=utc_now() + timedelta(days=1)
            )
        )
    assert caught.value.outcome is Outcome.NOT_SENT
    assert venue.requests_received("place_order") == 0
    order_id = other.place_order(asked).order_id
    assert other.get_order_by_client_id(ref).order_id == order_id
    assert len(venue.orders_received()) == 1


def test_v11_a_broken_reading_of_the_products(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V11: the products are swapped as a whole: a reading that breaks leaves those there were."""
    before = broker.get_product(SYMBOL)
    bench.front.answer("GET", "/products", reply(b'{"products": [{"product_id": "BTC-U'))
    with pytest.raises(BrokerageError):
        broker.get_products()
    assert broker.get_product(SYMBOL) == before
    assert broker.place_order(RESTING).success


def test_v11_a_product_that_is_gone(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V11: an order in a product that is not listed any more is read, under the venue's own id."""
    order_id = place(broker)

    def without(said: Any) -> Any:
        return {"products": [one for one in said["products"] if one["product_id"] != SYMBOL]}

    bench.front.edit("GET", "/products", without)
    broker.get_products()
    assert broker.get_order(order_id).symbol == f"@{SYMBOL}"
    with pytest.raises(InvalidSymbolError):
        broker.place_order(attrs.evolve(RESTING, client_order_id="catalogue-2"))
    assert bench.placements == 1


def test_v12_positions_that_cannot_be_read(bench: Bench) -> None:
    """V12: positions that cannot be read are an error, and never flat."""
    broker = bench.open(enable_derivatives=True)
    broker.place_order(attrs.evolve(TAKING, symbol=PERPETUAL))
    bench.venue.inject(Fault.SERVER_ERROR, "list_positions", times=2 * BOUNDS.read_attempts)
    for read in (broker.list_positions, lambda: broker.get_position(PERPETUAL)):
        with pytest.raises(BrokerUnavailableError):
            read()
    bench.venue.inject(Fault.EMPTY, "list_positions")
    with pytest.raises(BrokerageError, match="not as documented"):
        broker.close_position(PERPETUAL)
    assert bench.front.count("POST", "/close_position") == 0
    assert [one.quantity for one in broker.list_positions()] == [TAKING.quantity]


def test_v13_orders_of_somebody_else(bench: Bench, broker: CoinbaseBrokerage) -> None:
    """V13: what a person or another bot does in the account is seen, and can be ended."""
    somebody = bench.open(direct=True, key=bench.venue.ed25519_api_key)
    theirs = place(somebody, attrs.evolve(RESTING, client_order_id="somebody-else"))
    (seen,) = broker.list_orders(OrderStatus.OPEN)
    assert (seen.order_id, seen.client_order_id) == (theirs, "somebody-else")
    assert broker.get_balance("USD").hold
    assert broker.cancel_order(theirs)


def test_v14_a_key_that_may_not_trade(bench: Bench) -> None:
    """V14: a key that may only look is refused each write, once and with the reason."""
    broker = bench.open(key=bench.venue.view_only_api_key)
    error = refused(broker, PermissionDeniedError)
    assert "Missing required scopes" in str(error)
    assert bench.placements == 1
    order_id = place(bench.open(direct=True))
    with pytest.raises(PermissionDeniedError):
        broker.cancel_order(order_id)
    with pytest.raises(PermissionDeniedError):
        broker.modify_order(order_id, OrderModification(price=D(49_000)))
    assert bench.the_order(broker).status is OrderStatus.OPEN
    assert bench.the_order(broker).side is OrderSide.BUY
