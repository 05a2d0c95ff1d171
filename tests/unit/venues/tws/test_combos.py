"""Combinations: when they trade, when they wait, and what is left of those that cannot be paid."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.venues.tws.venue import TwsVenue
from tests.unit.venues.tws.client import Client

D = Decimal
NOW = datetime(2026, 7, 10, 15, tzinfo=UTC)
BOUGHT, SOLD = "AAPL-20280121-165-C", "AAPL-20280121-170-C"
OTHER = "AAPL-20280121-180-C"


def legs(venue: TwsVenue, ratio: int = 1) -> list[dict[str, object]]:
    """A contract that is bought, and others that are sold."""
    ids = {one.product.symbol: one.con_id for one in venue.contracts.listings}
    return [
        {"conId": ids[BOUGHT], "ratio": 1, "action": "BUY", "exchange": "SMART"},
        {"conId": ids[SOLD], "ratio": ratio, "action": "SELL", "exchange": "SMART"},
    ]


def combo(client: Client, ratio: int = 1, **changes: object) -> int:
    """Place a combination of two."""
    terms: dict[str, object] = {"conId": 0, "symbol": "AAPL", "secType": "BAG", "currency": "USD"}
    terms |= {"comboLegs": legs(client.venue, ratio), "totalQuantity": D(2)}
    return client.place(**{**terms, **changes})


def show(venue: TwsVenue, bought: str, sold: str, size: int = 100) -> None:
    """Have the legs traded at a price, two ticks wide."""
    for symbol, price in ((BOUGHT, bought), (SOLD, sold)):
        venue.set_market(symbol, D(price), D(price) + D("0.2"), D(size))


def empty(venue: TwsVenue, symbol: str) -> None:
    """Have nothing on offer of a contract."""
    book = Orderbook(symbol=symbol, bids=(), asks=(), timestamp=NOW)
    venue.state.show([book])


def filled(client: Client, order: int) -> tuple[str, str]:
    """How an order is, and how much of it was filled."""
    status = client.status(order)
    return status.text("status"), status.text("filled")


def test_a_combination_is_bought_at_its_net_price(venue: TwsVenue, client: Client) -> None:
    """It trades once what its legs cost, less what they bring, is at its limit, not before."""
    show(venue, "10.00", "7.00")
    order = combo(client, lmtPrice=D(3))
    assert filled(client, order) == ("Submitted", "0")
    venue.set_market(SOLD, D("7.2"), D("7.4"), D(100))
    assert filled(client, order) == ("Filled", "2")
    assert client.status(order).number("avgFillPrice") == 3


def test_a_combination_is_sold_at_its_net_price(venue: TwsVenue, client: Client) -> None:
    """What is sold is sold at its limit or above: each leg on its other side."""
    show(venue, "10.00", "7.00")
    order = combo(client, action="SELL", lmtPrice=D(3))
    assert filled(client, order) == ("Submitted", "0")
    venue.set_market(BOUGHT, D("10.2"), D("10.4"), D(100))
    assert filled(client, order) == ("Filled", "2")
    sides = {one.text("localSymbol"): one.text("side") for one in client.all("execDetails")[1:]}
    assert sorted(sides.values()) == ["BOT", "SLD"]


@pytest.mark.parametrize(("limit", "end"), [(D("3.1"), "Cancelled"), (D("3.2"), "Filled")])
@pytest.mark.parametrize("time", ["IOC", "FOK"])
def test_an_immediate_combination(
    venue: TwsVenue, client: Client, time: str, limit: Decimal, end: str
) -> None:
    """It trades at once, or ends at once without a fill."""
    show(venue, "10.00", "7.00")
    order = combo(client, lmtPrice=limit, tif=time)
    assert filled(client, order) == (end, "2" if end == "Filled" else "0")
    show(venue, "10.00", "9.00")
    assert filled(client, order)[0] == end


def test_a_combination_of_which_there_is_not_enough(venue: TwsVenue, client: Client) -> None:
    """The leg of which there is the least decides, by its ratio: of less than one none trades."""
    show(venue, "10.00", "2.00", size=1)
    order = combo(client, ratio=2, lmtPrice=D(7))
    assert filled(client, order) == ("Submitted", "0")
    show(venue, "10.00", "2.00", size=100)
    assert filled(client, order) == ("Filled", "2")


def test_a_combination_of_which_a_leg_is_not_on_offer(venue: TwsVenue, client: Client) -> None:
    """Nothing of it trades, also at the market, until each leg is on offer."""
    show(venue, "10.00", "7.00")
    empty(venue, SOLD)
    order = combo(client, orderType="MKT", lmtPrice=None)
    assert filled(client, order) == ("Submitted", "0")
    venue.set_market(OTHER, D(1), D("1.05"), D(100))
    assert filled(client, order) == ("Submitted", "0")
    venue.set_market(SOLD, D(7), D("7.1"), D(100))
    assert filled(client, order) == ("Filled", "2")


def test_a_combination_of_which_a_leg_is_halted(venue: TwsVenue, client: Client) -> None:
    """Nothing of it trades while a leg is halted, unless it is filled at will; it stays halted."""
    show(venue, "10.00", "7.00")
    venue.halt(SOLD)
    order = combo(client, orderType="MKT", lmtPrice=None)
    assert filled(client, order) == ("Submitted", "0")
    venue.fill(client.perm_id(order), D(1), D(3))
    assert filled(client, order) == ("Submitted", "1")
    single = client.place(**legs_alone(venue, SOLD))
    assert client.codes(single) == [201]
    venue.resume(SOLD)
    show(venue, "10.00", "7.00")
    assert filled(client, order) == ("Filled", "2")


def legs_alone(venue: TwsVenue, symbol: str) -> dict[str, object]:
    """A contract by itself, to be bought at the market."""
    (con_id,) = [one.con_id for one in venue.contracts.listings if one.product.symbol == symbol]
    return {"conId": con_id, "orderType": "MKT", "lmtPrice": None, "totalQuantity": D(1)}


def test_a_combination_is_filled_at_will_without_a_mid(venue: TwsVenue, client: Client) -> None:
    """Where a leg has no mid the price that it starts with does; the first makes up the rest."""
    prices = {one.product.symbol: one.price for one in venue.contracts.listings}
    for symbol in (BOUGHT, SOLD):
        asks = (PriceLevel(D(12), D(1)),)
        venue.state.show([Orderbook(symbol=symbol, bids=(), asks=asks, timestamp=NOW)])
    order = combo(client, lmtPrice=D(1))
    net = prices[BOUGHT] - prices[SOLD] + D("0.2")
    venue.fill(client.perm_id(order), D(2), net)
    assert filled(client, order) == ("Filled", "2")
    whole, first, second = (one.number("price") for one in client.all("execDetails"))
    assert (whole, first, second) == (net, prices[BOUGHT] + D("0.2"), prices[SOLD])


@pytest.mark.parametrize("quantity", [D(0), D(-1), D(3)])
def test_no_more_of_a_combination_is_filled_than_is_left(
    venue: TwsVenue, client: Client, quantity: Decimal
) -> None:
    """More than is left of it, or nothing, is refused, and trades nothing."""
    show(venue, "10.00", "7.00")
    order = combo(client, lmtPrice=D(1))
    with pytest.raises(InvalidFieldError, match="at most 2"):
        venue.fill(client.perm_id(order), quantity, D(1))
    assert filled(client, order) == ("Submitted", "0")
    assert client.all("execDetails") == []


def test_a_combination_that_cannot_be_paid() -> None:
    """It is refused with the reason, and no execution is told of it."""
    venue = TwsVenue(balances={"USD": D(500)})
    client = Client(venue)
    client.forget()
    show(venue, "10.00", "7.00")
    order = combo(client, orderType="MKT", lmtPrice=None)
    assert client.codes(order) == [201]
    assert client.all("execDetails") == []
    client.forget()
    client.send("reqAllOpenOrders")
    assert client.all("openOrder") == []


def test_a_combination_that_ended_meets_no_market(venue: TwsVenue, client: Client) -> None:
    """What was cancelled does not trade when its price comes."""
    show(venue, "10.00", "7.00")
    order = combo(client, lmtPrice=D(1))
    client.send("cancelOrder", orderId=order)
    assert filled(client, order) == ("Cancelled", "0")
    for _ in range(2):
        show(venue, "10.00", "9.50")
    assert filled(client, order) == ("Cancelled", "0")
