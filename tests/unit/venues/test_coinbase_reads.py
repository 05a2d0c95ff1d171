"""What the simulated Advanced Trade says: accounts, products, prices, pages and filters."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from coinbase.jwt_generator import build_rest_jwt

from bot_v2.simulation.faults import Fault
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from tests.unit.venues.callers import HOST, call, limit, order_of, place, read, send

D = Decimal


def _pages(venue: CoinbaseVenue, path: str, key: str) -> list[Any]:
    found, cursor = [], ""
    while True:
        joint = "&" if "?" in path else "?"
        said = read(venue, f"{path}{joint}cursor={cursor}" if cursor else path)
        found += said[key]
        cursor = said["cursor"]
        if not cursor:
            return found


def test_accounts_come_in_pages(venue: CoinbaseVenue) -> None:
    """Every page but the last says that there is more; together they are the whole list."""
    whole = read(venue, "/accounts")["accounts"]
    first = read(venue, "/accounts?limit=2")
    assert (len(first["accounts"]), first["has_next"], first["size"]) == (2, True, 2)
    assert _pages(venue, "/accounts?limit=2", "accounts") == whole
    one = read(venue, f"/accounts/{whole[0]['uuid']}")["account"]
    assert one == whole[0]


def test_an_order_holds_what_it_needs(venue: CoinbaseVenue) -> None:
    """Available and hold of the money change by the order's value and its worst fee."""
    place(venue, "a", order_configuration=limit())
    usd = next(one for one in read(venue, "/accounts")["accounts"] if one["currency"] == "USD")
    assert usd["hold"]["value"] == "5040.00"
    assert D(usd["available_balance"]["value"]) == D(1_000_000) - D(5040)


def test_orders_and_fills_come_in_pages(venue: CoinbaseVenue) -> None:
    """Newest first, each once, while new orders arrive between two pages."""
    ids = [place(venue, str(n), order_configuration=limit())["order_id"] for n in range(5)]
    first = read(venue, "/orders/historical/batch?limit=2")
    assert [one["order_id"] for one in first["orders"]] == [ids[4], ids[3]]
    place(venue, "new", order_configuration=limit())
    second = read(venue, f"/orders/historical/batch?limit=2&cursor={first['cursor']}")
    assert [one["order_id"] for one in second["orders"]] == [ids[2], ids[1]]
    for order_id in ids:
        venue.fill(order_id, D("0.1"), D(50000))
    fills = _pages(venue, "/orders/historical/fills?limit=2", "fills")
    assert [one["order_id"] for one in fills] == ids[::-1]


def test_a_venue_with_small_pages_says_so_by_its_cursors() -> None:
    """Whatever limit is asked for, a page has no more than the venue gives."""
    venue = CoinbaseVenue(page_max=2)
    for n in range(5):
        place(venue, str(n), order_configuration=limit())
    assert len(read(venue, "/orders/historical/batch?limit=1000")["orders"]) == 2
    assert len(_pages(venue, "/orders/historical/batch?limit=1000", "orders")) == 5


FILTERS: tuple[tuple[str, list[str]], ...] = (
    # query, the client ids of what is told
    ("order_status=OPEN", ["c", "a"]),
    ("order_status=FILLED", ["b"]),
    ("order_status=FILLED&order_status=CANCELLED", ["b"]),
    ("product_ids=ETH-USD", ["c"]),
    ("product_ids=ETH-USD&product_ids=BTC-USD", ["c", "b", "a"]),
    ("order_side=SELL", []),
    ("order_types=MARKET", ["b"]),
    ("product_type=FUTURE", []),
    ("time_in_forces=IMMEDIATE_OR_CANCEL", ["b"]),
    ("asset_filters=ETH", ["c"]),
    ("start_date=2099-01-01T00:00:00Z", []),
    ("end_date=2099-01-01T00:00:00Z", ["c", "b", "a"]),
)


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_orders_are_filtered(venue: CoinbaseVenue, query: str, expected: list[str]) -> None:
    """Each filter keeps what it says, and several of one kind keep what is of any."""
    place(venue, "a", order_configuration=limit())
    place(venue, "b", order_configuration={"market_market_ioc": {"base_size": "0.1"}})
    place(venue, "c", product_id="ETH-USD", order_configuration=limit("1", "2000"))
    found = read(venue, f"/orders/historical/batch?{query}")["orders"]
    assert [one["client_order_id"] for one in found] == expected


@pytest.mark.parametrize(
    "query",
    [
        "order_status=OPEN&order_status=FILLED",
        "order_status=PENDING&order_status=CANCELLED",
        "order_status=GONE",
        "order_side=UP",
        "limit=x",
        "cursor=never",
        "start_date=yesterday",
    ],
)
def test_a_filter_that_makes_no_sense_is_a_400(venue: CoinbaseVenue, query: str) -> None:
    """INVALID_ARGUMENT, with what is wrong."""
    status, said = call(venue, "GET", f"/orders/historical/batch?{query}")
    assert (status, said["error"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "path",
    [
        "/orders/historical/never",
        "/products/NEVER-USD",
        "/product_book?product_id=NEVER-USD",
        "/products/NEVER-USD/ticker",
        "/accounts/never",
        "/portfolios/never",
        "/intx/positions/never",
        "/cfm/positions/never",
    ],
)
def test_what_does_not_exist_is_a_404(venue: CoinbaseVenue, path: str) -> None:
    """NOT_FOUND, in the API's form."""
    status, said = call(venue, "GET", path)
    assert (status, said["error"], said["message"]) == (404, "NOT_FOUND", said["error_details"])


def test_products_say_their_steps_and_sizes(venue: CoinbaseVenue) -> None:
    """Numbers are texts without needless zeros, and the public list is the private one."""
    said = read(venue, "/products?product_type=SPOT")
    assert said["num_products"] == len(said["products"]) == 7
    btc = said["products"][0]
    assert (btc["base_increment"], btc["price_increment"], btc["base_max_size"]) == (
        "0.00000001",
        "0.01",
        "3400",
    )
    assert read(venue, "/market/products?product_type=SPOT") == said


def test_contracts_say_what_they_are(venue: CoinbaseVenue) -> None:
    """A perpetual and a US future have their details; a spot product has none."""
    perpetual = read(venue, "/products/BTC-PERP-INTX")["future_product_details"]
    future = read(venue, "/products/BIT-29DEC28-CDE")["future_product_details"]
    assert perpetual["contract_expiry_type"] == "PERPETUAL"
    assert (future["contract_size"], future["contract_expiry"]) == ("0.01", "2028-12-29T16:00:00Z")
    assert "future_product_details" not in read(venue, "/products/BTC-USD")


def test_a_book_is_as_deep_as_asked_and_can_be_grouped(venue: CoinbaseVenue) -> None:
    """Best first; grouped levels carry the sum of theirs."""
    book = read(venue, "/product_book?product_id=BTC-USD&limit=3")["pricebook"]
    bids = [D(one["price"]) for one in book["bids"]]
    assert bids == sorted(bids, reverse=True)
    assert len(bids) == 3
    whole = read(venue, "/product_book?product_id=BTC-USD&limit=100")["pricebook"]
    grouped = read(
        venue, "/product_book?product_id=BTC-USD&limit=100&aggregation_price_increment=100"
    )["pricebook"]
    assert sum(D(one["size"]) for one in grouped["asks"]) == sum(
        D(one["size"]) for one in whole["asks"]
    )
    assert all(D(one["price"]) % 100 == 0 for one in grouped["bids"])


def test_trades_are_newest_first_and_no_more_than_asked(venue: CoinbaseVenue) -> None:
    """A fill is a trade of the market."""
    place(venue, "a", order_configuration={"market_market_ioc": {"base_size": "0.1"}})
    trades = read(venue, "/products/BTC-USD/ticker?limit=3")["trades"]
    assert (len(trades), trades[0]["size"], trades[0]["side"]) == (3, "0.1", "BUY")
    times = [one["time"] for one in trades]
    assert times == sorted(times, reverse=True)


def test_candles_are_the_same_each_time_and_join(venue: CoinbaseVenue) -> None:
    """Newest first, on whole intervals; each closes where the next opens; none is of the future."""
    now = int(datetime.now(UTC).timestamp())
    path = "/products/BTC-USD/candles?granularity=FIVE_MINUTE"
    candles = read(venue, f"{path}&start={now - 3600}&end={now + 7200}")["candles"]
    starts = [int(one["start"]) for one in candles]
    assert starts == sorted(starts, reverse=True)
    assert all(start % 300 == 0 and start <= now for start in starts)
    joins = zip(candles[1:], candles, strict=False)
    assert all(older["close"] == newer["open"] for older, newer in joins)
    assert (
        read(CoinbaseVenue(), f"{path}&start={now - 3600}&end={now + 7200}")["candles"] == candles
    )


@pytest.mark.parametrize(
    "query",
    [
        "granularity=FIVE_MINUTE",
        "granularity=NEVER&start=1&end=2",
        "granularity=ONE_MINUTE&start=1700000000&end=1700086400",
        "granularity=ONE_MINUTE&start=x&end=2",
    ],
)
def test_candles_that_cannot_be_given_are_a_400(venue: CoinbaseVenue, query: str) -> None:
    """No span, no such length, too many, no moment."""
    status, said = call(venue, "GET", f"/products/BTC-USD/candles?{query}")
    assert (status, said["error"]) == (400, "INVALID_ARGUMENT")


def test_positions_and_margin_follow_the_trades(venue: CoinbaseVenue) -> None:
    """A perpetual's position, margin and profit are of its price; so are a US future's."""
    config = {"market_market_ioc": {"base_size": "0.5"}}
    place(venue, "a", product_id="BTC-PERP-INTX", order_configuration=config)
    venue.set_market("BTC-USDC-PERP", D(61000), D(61010), D(5))
    portfolio = venue.portfolios["intx"]
    position = read(venue, f"/intx/positions/{portfolio}/BTC-PERP-INTX")["position"]
    assert (position["net_size"], position["position_side"]) == ("0.5", "POSITION_SIDE_LONG")
    profit = D(position["net_size"]) * (
        D(position["mark_price"]["value"]) - D(position["entry_vwap"]["value"])
    )
    assert D(position["unrealized_pnl"]["value"]) == profit > 0
    summary = read(venue, f"/intx/portfolio/{portfolio}")["summary"]
    assert D(summary["unrealized_pnl"]["value"]) == profit

    config = {"market_market_ioc": {"base_size": "3"}}
    place(venue, "b", product_id="BIT-29DEC28-CDE", side="SELL", order_configuration=config)
    futures = read(venue, "/cfm/positions")["positions"]
    assert [(one["side"], one["number_of_contracts"]) for one in futures] == [("SHORT", "3")]
    said = read(venue, "/cfm/balance_summary")["balance_summary"]
    assert D(said["initial_margin"]["value"]) == D("0.1") * 3 * D("0.01") * D(
        futures[0]["current_price"]
    )


def test_fees_and_permissions(venue: CoinbaseVenue) -> None:
    """The fee tier is of the kind of product that is asked about; a key says what it may do."""
    spot = read(venue, "/transaction_summary")["fee_tier"]
    perpetual = read(
        venue, "/transaction_summary?product_type=FUTURE&contract_expiry_type=PERPETUAL"
    )["fee_tier"]
    assert (spot["taker_fee_rate"], perpetual["taker_fee_rate"]) == ("0.008", "0.0005")
    _, said = call(venue, "GET", "/key_permissions", key=venue.view_only_api_key)
    assert (said["can_view"], said["can_trade"]) == (True, False)


def test_portfolios(venue: CoinbaseVenue) -> None:
    """There are two, and the default one is worth its cash at the start."""
    told = read(venue, "/portfolios")["portfolios"]
    assert [one["type"] for one in told] == ["DEFAULT", "INTX"]
    assert read(venue, "/portfolios?portfolio_type=INTX")["portfolios"] == told[1:]
    breakdown = read(venue, f"/portfolios/{told[0]['uuid']}")["breakdown"]
    assert breakdown["portfolio_balances"]["total_balance"]["value"] == "1250000"


def test_reads_can_be_stale(venue: CoinbaseVenue) -> None:
    """They show the account as it was before the latest write, until the fault is cleared."""
    first = place(venue, "a", order_configuration=limit())
    before = read(venue, "/accounts")
    venue.inject(Fault.STALE_READ)
    second = place(venue, "b", order_configuration={"market_market_ioc": {"base_size": "0.1"}})
    listed = read(venue, "/orders/historical/batch")["orders"]
    assert [one["order_id"] for one in listed] == [first["order_id"]]
    status, _ = call(venue, "GET", f"/orders/historical/{second['order_id']}")
    assert status == 404
    assert read(venue, "/orders/historical/fills")["fills"] == []
    assert read(venue, "/accounts") == before
    venue.clear_faults()
    assert order_of(venue, second)["status"] == "FILLED"
    assert len(read(venue, "/orders/historical/batch")["orders"]) == 2


def test_a_skewed_clock_moves_what_is_told_and_nothing_else(venue: CoinbaseVenue) -> None:
    """Times are minutes behind; requests signed by the right time are let in."""
    placed = place(venue, "a", order_configuration=limit())
    before = order_of(venue, placed)["created_time"]
    venue.inject(Fault.CLOCK_SKEW)
    assert order_of(venue, placed)["created_time"] < before
    venue.clear_faults()
    assert order_of(venue, placed)["created_time"] == before


def test_the_same_seed_gives_the_same_venue() -> None:
    """Keys, ids and prices are those of the seed."""
    one, other, third = CoinbaseVenue(seed=1), CoinbaseVenue(seed=1), CoinbaseVenue(seed=2)
    assert one.api_key.secret == other.api_key.secret != third.api_key.secret
    ids = [place(venue, "a", order_configuration=limit())["order_id"] for venue in (one, other)]
    assert ids[0] == ids[1]
    books = [read(venue, "/product_book?product_id=BTC-USD") for venue in (one, other)]
    assert books[0]["pricebook"]["bids"] == books[1]["pricebook"]["bids"]


def test_the_older_accounts_come_in_pages(venue: CoinbaseVenue) -> None:
    """Each page of v2 names the next one; together they hold what the newer endpoint says."""
    found, target = [], "/v2/accounts?limit=2"
    while target:
        path = target.partition("?")[0]
        token = build_rest_jwt(f"GET {HOST}{path}", venue.api_key.name, venue.api_key.secret)
        status, said = send(venue, "GET", target, {"authorization": f"Bearer {token}"}, b"")
        assert status == 200
        found += [(one["currency"]["code"], D(one["balance"]["amount"])) for one in said["data"]]
        target = said["pagination"]["next_uri"]
    newer = read(venue, "/accounts")["accounts"]
    assert dict(found) == {one["currency"]: D(one["available_balance"]["value"]) for one in newer}
    assert len(found) == len(newer)
