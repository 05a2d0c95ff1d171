"""Faults of the catalogue of the venue and of the session with it: V01 to V14."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    InsufficientFundsError,
    InvalidFieldError,
    MarketClosedError,
    OrderNotFoundError,
    OrderRejectedError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
)
from bot_v2.features.brokerages.http.quotas import Quota, Quotas
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.simulation.faults import Fault
from tests.integration.alpaca.faults.conftest import (
    BOUNDS,
    REF,
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
    broker: AlpacaBrokerage, kind: type[BrokerageError], request: OrderRequest = RESTING
) -> BrokerageError:
    """Return the error of a placement that the venue documents to have refused."""
    with pytest.raises(kind) as caught:
        broker.place_order(request)
    assert caught.value.outcome is Outcome.REJECTED
    return caught.value


def test_v01_the_session_expires_at_the_order(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V01: a 401 comes before matching: the order is refused, is not sent again, and is absent."""
    bench.venue.inject(Fault.SESSION_EXPIRED, "place_order")
    refused(broker, AuthenticationError)
    assert bench.placements == 1
    assert not broker.is_connected()
    assert broker.connect()
    assert bench.is_absent(broker)
    assert broker.place_order(RESTING).success


@pytest.mark.parametrize("headers", [["Retry-After: 1"], []])
def test_v06_too_many_requests(bench: Bench, broker: AlpacaBrokerage, headers: list[str]) -> None:
    """V06: a documented 429 refuses the order; it is not sent again, and says how long to wait."""
    words = b'{"code":42910000,"message":"rate limit exceeded"}'
    bench.front.answer("POST", "/orders", reply(words, 429, headers))
    error = refused(broker, RateLimitError)
    assert error.retry_after_s == (1.0 if headers else None)
    assert bench.placements == 1
    assert broker.place_order(RESTING).success


def test_v06_our_own_limit_leaves_room_for_cancels(bench: Bench) -> None:
    """V06: past our own limit an order does not leave; cancels have a share of their own."""
    settings = read_settings(bench.settings(), {})
    quotas = Quotas({"": [Quota(5, 60)], "cancels": [Quota(1, 60)]}, scope="catalogue")
    transport = HttpTransport(attrs.evolve(BOUNDS, write_hold_s=0), quotas=quotas)
    broker = AlpacaBrokerage(settings, transport=transport)
    bench.closing += [broker.disconnect, transport.close]
    broker.connect()
    order_id = place(broker)
    # Signing in, the stock and the order were three of five.
    broker.check_health()
    broker.check_health()
    with pytest.raises(RateLimitError) as caught:
        broker.place_order(attrs.evolve(RESTING, client_order_id="catalogue-2"))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert broker.cancel_order(order_id)


@pytest.mark.parametrize("off", [timedelta(minutes=-10), timedelta(minutes=10)])
def test_v07_our_clock_is_off(bench: Bench, off: timedelta) -> None:
    """V07: nothing that is sent is dated by our clock, so a clock that is off is no obstacle."""
    broker = bench.open(clock=lambda: utc_now() + off)
    assert place(broker) == bench.the_order(broker).order_id
    assert [one.client_order_id for one in broker.list_orders()] == [REF]


def test_v07_the_venues_clock_is_off(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V07: what the venue dates minutes away is told by its dates, and is found."""
    bench.venue.inject(Fault.CLOCK_SKEW)
    order_id = place(broker)
    assert bench.the_order(broker).order_id == order_id


def test_v08_maintenance(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V08: of a venue that does not serve nobody knows whether the order arrived."""
    bench.venue.inject(Fault.UNAVAILABLE, "place_order")
    bench.place_unknown(broker)
    bench.venue.inject(Fault.UNAVAILABLE, "get_order_by_client_id", times=BOUNDS.read_attempts)
    with pytest.raises(BrokerUnavailableError):
        broker.get_order_by_client_id(REF)
    assert bench.is_absent(broker)


def test_v08_a_halted_stock(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V08: an order in a halted stock is refused by name, and goes through when it trades."""
    bench.venue.halt(SYMBOL)
    refused(broker, MarketClosedError, TAKING)
    bench.venue.resume(SYMBOL)
    assert broker.place_order(TAKING).success


def test_v09_an_order_that_is_taken_and_never_seen(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V09: an order that is acknowledged and then dropped is absent by id, client id and list."""
    said = b'{"id":"0f0f0f0f-0000-4000-8000-000000000000","status":"accepted"}'
    bench.front.answer("POST", "/orders", reply(said))
    order_id = place(broker)
    with pytest.raises(OrderNotFoundError):
        broker.get_order(order_id)
    assert bench.is_absent(broker)
    assert broker.list_orders() == []


def test_v10_paper_and_live_are_told_apart(bench: Bench) -> None:
    """V10: a key of the other account is named; live trading has to be asked for in words."""
    other = bench.venue.foreign_api_key
    given = {**bench.settings(), "api_key": other.key, "secret_key": other.secret}
    broker = AlpacaBrokerage(read_settings(given, {}))
    bench.closing.append(broker.disconnect)
    with pytest.raises(AuthenticationError):
        broker.connect()
    assert not broker.is_connected()
    live = {**bench.settings(), "api_base": "https://api.alpaca.markets"}
    with pytest.raises(InvalidFieldError, match="ALPACA_PAPER_TRADING=false"):
        read_settings(live, {})
    assert read_settings({**live, "paper_trading": False}, {}).environment == "live"


def test_v11_a_broken_reading_of_the_products(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V11: a reading of the products that breaks leaves those there were."""
    before = broker.get_product(SYMBOL)
    bench.front.answer("GET", "/assets", reply(b'[{"id": "x", "symbol": "AAP'))
    with pytest.raises(BrokerageError):
        broker.get_products()
    assert broker.get_product(SYMBOL) == before
    assert broker.place_order(RESTING).success


def test_v12_positions_that_cannot_be_read(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V12: positions that cannot be read are an error, and never flat."""
    broker.place_order(TAKING)
    bench.venue.inject(Fault.SERVER_ERROR, "list_positions", times=2 * BOUNDS.read_attempts)
    for read in (broker.list_positions, lambda: broker.get_position(SYMBOL)):
        with pytest.raises(BrokerUnavailableError):
            read()
    bench.venue.inject(Fault.EMPTY, "list_positions")
    with pytest.raises(BrokerageError, match="not as documented"):
        broker.close_position(SYMBOL)
    assert not any(one.method == "DELETE" for one in bench.front.received)
    assert [one.quantity for one in broker.list_positions()] == [TAKING.quantity]


def test_v13_orders_of_somebody_else(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V13: what a person or another bot does in the account is seen, and can be ended."""
    somebody = bench.open(direct=True)
    theirs = place(somebody, attrs.evolve(RESTING, client_order_id="somebody-else"))
    (seen,) = broker.list_orders(OrderStatus.OPEN)
    assert (seen.order_id, seen.client_order_id) == (theirs, "somebody-else")
    assert broker.cancel_order(theirs)


def test_v14_an_account_that_may_not_trade(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V14: an account that is blocked or suspended is refused each order, and says so itself."""
    bench.venue.standing.trading_blocked = True
    refused(broker, PermissionDeniedError)
    assert "trading is blocked" in broker.list_restrictions()
    assert "trading is blocked" in str(broker.check_health().error_message)
    bench.venue.standing.trading_blocked = False
    bench.venue.configurations.suspend_trade = True
    refused(broker, PermissionDeniedError)
    assert bench.placements == 2


def test_v14_shorting_and_funds(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V14: a short sale that may not be, and an order that cannot be paid, are refused by name."""
    bench.venue.configurations.no_shorting = True
    short = attrs.evolve(RESTING, side=OrderSide.SELL, price=D(300))
    with pytest.raises((PermissionDeniedError, OrderRejectedError)) as caught:
        broker.place_order(short)
    assert caught.value.outcome is Outcome.REJECTED
    error = refused(broker, InsufficientFundsError, attrs.evolve(RESTING, quantity=D(1_000_000)))
    assert isinstance(error, InsufficientFundsError)
    assert error.available is not None


def test_v14_day_trades(bench: Bench, broker: AlpacaBrokerage) -> None:
    """V14: a day trade that the rule for pattern day traders forbids is a refused order."""
    words = b'{"code":40310100,"message":"trade denied due to pattern day trading protection"}'
    bench.front.answer("POST", "/orders", reply(words, 403))
    error = refused(broker, OrderRejectedError)
    assert error.code == "40310100"
    assert bench.is_absent(broker)
