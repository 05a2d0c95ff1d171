"""What the account has, may do, and did."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot_v2.venues.alpaca.venue import AlpacaVenue
from tests.unit.venues.alpaca_calls import (
    MONDAY_MORNING,
    StoppedClock,
    call,
    contract,
    market,
    order,
    place,
    read,
    refusal,
    served,
    terms,
)

D = Decimal


def coin(**changed: Any) -> dict[str, Any]:
    """Return a placement of a market order for a tenth of a bitcoin."""
    return {**market(symbol="BTC/USD", qty="0.1"), "time_in_force": "gtc", **changed}


def test_the_account_adds_up(alpaca: AlpacaVenue) -> None:
    """Equity is cash and positions; shares tie up half of their value, options all of it."""
    place(alpaca, market(qty="100"))
    place(alpaca, market(symbol="F", qty="100", side="sell"))
    place(alpaca, market(symbol=contract(alpaca), qty="1"))
    place(alpaca, terms(qty="50", limit_price="100"))
    said = read(alpaca, "/v2/account")
    values = {name: D(said[name]) for name in ("cash", "equity", "long_market_value")}
    short = D(said["short_market_value"])
    assert values["equity"] == values["cash"] + values["long_market_value"] + short
    option = D(read(alpaca, f"/v2/positions/{contract(alpaca)}")["market_value"])
    shares = values["long_market_value"] - option - short
    held = D(50) * D(100)
    assert D(said["initial_margin"]) == (shares + held) / 2 + option
    excess = values["equity"] - D(said["initial_margin"])
    assert D(said["buying_power"]) == 2 * excess
    assert D(said["non_marginable_buying_power"]) <= excess
    assert (said["multiplier"], said["currency"], said["status"]) == ("2", "USD", "ACTIVE")


def test_a_coin_pays_its_fee_in_itself(alpaca: AlpacaVenue) -> None:
    """Less is there than was bought; sales cost dollars; the fees are told a day later."""
    taken = place(alpaca, coin())
    assert order(alpaca, taken["id"])["filled_qty"] == "0.1"
    held = read(alpaca, "/v2/positions/BTCUSD")
    assert held["qty"] == held["qty_available"] == "0.09975"
    status, code, message = refusal(alpaca, coin(side="sell"))
    assert (status, code) == (403, 40310000)
    assert message == "insufficient balance for BTC (requested: 0.1, available: 0.09975)"
    assert [one["activity_type"] for one in read(alpaca, "/v2/account/activities")] == ["FILL"]
    cash = D(read(alpaca, "/v2/account")["cash"])
    place(alpaca, coin(side="sell", qty="0.09975"))
    proceeds = D(read(alpaca, "/v2/account")["cash"]) - cash
    assert proceeds == D("0.09975") * D(59994) * (1 - D("0.0025"))
    alpaca.advance(86400)
    fees = read(alpaca, "/v2/account/activities?activity_types=CFEE&direction=asc")
    assert [(one["qty"], one["net_amount"]) for one in fees] == [
        ("-0.00025", "0"),
        ("0", str(-(D("0.09975") * D(59994) * D("0.0025")).normalize())),
    ]


def test_money_that_is_tied_up_buys_no_coins(alpaca: AlpacaVenue) -> None:
    """Coins are paid in full, from what no other order of the kind holds."""
    body = coin(type="limit", limit_price="50000", qty="1.5")
    place(alpaca, body)
    status, code, message = refusal(alpaca, body)
    assert (status, code) == (403, 40310000)
    assert message == "insufficient balance for USD (requested: 75000, available: 25000)"


def test_a_coin_pays_for_another(alpaca: AlpacaVenue) -> None:
    """A pair of two coins spends the one that the account has."""
    pair = coin(symbol="ETH/BTC", qty="1")
    assert "insufficient balance for BTC" in refusal(alpaca, pair)[2]
    place(alpaca, coin())
    place(alpaca, pair)
    held = {one["symbol"]: one["qty"] for one in read(alpaca, "/v2/positions")}
    assert D(held["BTCUSD"]) == D("0.09975") - D("0.050005")
    assert held["ETHBTC"] == "0.9975"


def test_a_short_is_a_negative_position(alpaca: AlpacaVenue) -> None:
    """It is opened by a sale of what is not there, and closed by buying it back."""
    taken = place(alpaca, market(side="sell"))
    assert order(alpaca, taken["id"])["position_intent"] == "sell_to_open"
    held = read(alpaca, "/v2/positions/AAPL")
    assert (held["qty"], held["side"]) == ("-10", "short")
    assert D(held["market_value"]) < 0
    fills = read(alpaca, "/v2/account/activities/FILL")
    assert fills[0]["side"] == "sell_short"
    closing = call(alpaca, "DELETE", "/v2/positions/AAPL")[1]
    assert (closing["side"], closing["position_intent"]) == ("buy", "buy_to_close")
    assert read(alpaca, "/v2/positions") == []


def test_shorts_are_refused(alpaca: AlpacaVenue) -> None:
    """Of parts, of what cannot be borrowed, by the owner's wish, and by Alpaca's."""
    sale = market(side="sell")
    assert refusal(alpaca, {**sale, "qty": "0.5"})[0] == 422
    assert refusal(alpaca, {**sale, "symbol": "BRK.B"}) == (
        422,
        42210000,
        'asset "BRK.B" cannot be sold short',
    )
    call(alpaca, "PATCH", "/v2/account/configurations", {"no_shorting": True})
    assert refusal(alpaca, sale) == (403, 40310000, "account is not allowed to short")
    assert read(alpaca, "/v2/account")["shorting_enabled"] is False
    call(alpaca, "PATCH", "/v2/account/configurations", {"no_shorting": False})
    alpaca.standing.shorting_enabled = False
    assert refusal(alpaca, sale) == (403, 40310000, "account is not allowed to short")


def test_a_sale_is_of_what_is_free(alpaca: AlpacaVenue) -> None:
    """What another order holds is not; crossing from long to short in one order is not possible."""
    place(alpaca, market())
    resting = place(alpaca, terms(side="sell", qty="6", limit_price="300"))
    status, said = call(alpaca, "POST", "/v2/orders", market(side="sell"))
    assert status == 403
    assert said == {
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 10, available: 4)",
        "available": "4",
        "existing_qty": "10",
        "held_for_orders": "6",
        "symbol": "AAPL",
        "related_orders": [resting["id"]],
    }
    assert read(alpaca, "/v2/positions/AAPL")["qty_available"] == "4"
    assert refusal(alpaca, market(side="sell", qty="11"))[0] == 403


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (terms(), market(side="sell", qty="4"), "potential wash trade detected"),
        (terms(), terms(side="sell", qty="4", limit_price="150"), "potential wash trade"),
        (terms(), terms(side="sell", qty="4", limit_price="160"), None),
        (
            terms(),
            {**terms(side="sell", qty="4"), "type": "trailing_stop", "trail_price": "5"},
            None,
        ),
    ],
)
def test_orders_that_could_trade_with_each_other_are_refused(
    alpaca: AlpacaVenue, first: dict[str, Any], second: dict[str, Any], message: str | None
) -> None:
    """By the published table; the refusal names the order that is there."""
    if second["type"] == "trailing_stop":
        del second["limit_price"]
    place(alpaca, market())
    resting = place(alpaca, first)
    if message is None:
        place(alpaca, second)
        return
    status, said = call(alpaca, "POST", "/v2/orders", second)
    assert (status, said["code"]) == (403, 40310000)
    assert message in said["message"]
    assert said["existing_order_id"] == resting["id"]
    unprotected = AlpacaVenue(protects=False)
    place(unprotected, market())
    place(unprotected, first)
    place(unprotected, second)


def test_long_and_short_are_not_opened_at_once(alpaca: AlpacaVenue) -> None:
    """Whatever their prices."""
    place(alpaca, terms())
    assert refusal(alpaca, terms(side="sell", limit_price="300")) == (
        403,
        40310000,
        "cannot open a short sell while a long buy order is open",
    )


@pytest.mark.parametrize(
    ("flag", "value", "answer"),
    [
        ("account_blocked", True, (403, 40310000)),
        ("trading_blocked", True, (403, 40310000)),
    ],
)
def test_a_blocked_account_takes_no_orders(
    alpaca: AlpacaVenue, flag: str, value: object, answer: tuple[int, int]
) -> None:
    """The account says so, and each order is refused."""
    setattr(alpaca.standing, flag, value)
    assert read(alpaca, "/v2/account")[flag] is True
    assert refusal(alpaca, terms())[:2] == answer


def test_the_owner_can_stop_trading(alpaca: AlpacaVenue) -> None:
    """Orders are refused by his request; cancels are taken."""
    resting = place(alpaca, terms())
    call(alpaca, "PATCH", "/v2/account/configurations", {"suspend_trade": True})
    assert refusal(alpaca, terms())[2] == "new orders are rejected by user request"
    assert read(alpaca, "/v2/account")["trade_suspended_by_user"] is True
    assert call(alpaca, "DELETE", f"/v2/orders/{resting['id']}")[0] == 204
    status, said = call(alpaca, "PATCH", "/v2/account/configurations", {"suspend_trade": "no"})
    assert (status, said["code"]) == (422, 40010001)
    assert read(alpaca, "/v2/account/configurations")["suspend_trade"] is True


def test_parts_and_coins_can_be_switched_off(alpaca: AlpacaVenue) -> None:
    """By the owner, and by Alpaca."""
    call(alpaca, "PATCH", "/v2/account/configurations", {"fractional_trading": False})
    assert refusal(alpaca, market(qty="0.5"))[0] == 403
    alpaca.standing.crypto_status = "INACTIVE"
    assert refusal(alpaca, coin())[0] == 403


def test_options_are_allowed_by_level(alpaca: AlpacaVenue) -> None:
    """None, covered ones, long ones, spreads."""
    name = contract(alpaca)
    alpaca.standing.options_approved_level = 0
    assert refusal(alpaca, market(symbol=name, qty="1"))[2] == (
        "account not authorized to trade options"
    )
    alpaca.standing.options_approved_level = 1
    assert refusal(alpaca, market(symbol=name, qty="1"))[2] == (
        "account not eligible to trade long option contracts"
    )
    assert (
        "covered call (required: 100, available: 0)"
        in (refusal(alpaca, market(symbol=name, qty="1", side="sell"))[2])
    )
    place(alpaca, market(qty="100"))
    sold = place(alpaca, market(symbol=name, qty="1", side="sell"))
    assert order(alpaca, sold["id"])["status"] == "filled"
    put = contract(alpaca, "put")
    assert "cash-secured put" in refusal(alpaca, market(symbol=put, qty="9", side="sell"))[2]
    place(alpaca, market(symbol=put, qty="1", side="sell"))
    said = read(alpaca, "/v2/account")
    assert (said["options_approved_level"], said["options_trading_level"]) == (1, 1)
    call(alpaca, "PATCH", "/v2/account/configurations", {"max_options_trading_level": 0})
    assert read(alpaca, "/v2/account")["options_trading_level"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_in_force": "gtc"}, "order_time_in_force provided not supported"),
        ({"qty": "1.5"}, "qty must be integer for options trading"),
        ({"extended_hours": True}, "extended hours is not supported for options trading"),
        ({"order_class": "bracket"}, "complex orders not supported for options trading"),
        (
            {"type": "trailing_stop", "limit_price": None, "trail_price": "1"},
            "invalid order type for options trading",
        ),
    ],
)
def test_options_are_refused(alpaca: AlpacaVenue, change: dict[str, Any], message: str) -> None:
    """With what is not possible with them."""
    body = {**terms(symbol=contract(alpaca), qty="1", limit_price="1"), **change}
    body = {name: value for name, value in body.items() if value is not None}
    if body.get("order_class"):
        body |= {"take_profit": {"limit_price": "99"}, "stop_loss": {"stop_price": "0.5"}}
    assert message in refusal(alpaca, body)[2]


def test_an_expired_contract_is_not_traded(alpaca: AlpacaVenue) -> None:
    """It is listed as inactive."""
    target = "/v2/options/contracts?status=inactive&expiration_date_lte=2099-01-01&limit=1"
    gone = read(alpaca, target)["option_contracts"][0]
    assert refusal(alpaca, market(symbol=gone["symbol"], qty="1"))[2] == (
        f'contract "{gone["symbol"]}" is expired'
    )


def test_day_trades_are_counted_where_the_rule_holds() -> None:
    """Three are free below 25,000 dollars; the fourth is refused, and the count is told."""
    alpaca = AlpacaVenue(clock=StoppedClock(MONDAY_MORNING), balances={"USD": D(20_000)})
    alpaca.standing.pdt_rule = True
    for symbol in ("AAPL", "F", "MSFT"):
        place(alpaca, market(symbol=symbol, qty="2"))
        place(alpaca, market(symbol=symbol, qty="1", side="sell"))
        place(alpaca, market(symbol=symbol, qty="1", side="sell"))
    assert read(alpaca, "/v2/account")["daytrade_count"] == 3
    place(alpaca, market(symbol="SPY", qty="1"))
    assert refusal(alpaca, market(symbol="SPY", qty="1", side="sell")) == (
        403,
        40310100,
        "trade denied due to pattern day trading protection",
    )
    place(alpaca, coin(qty="0.01"))
    place(alpaca, coin(qty="0.009", side="sell"))
    alpaca.advance(86400)
    place(alpaca, market(symbol="SPY", qty="1", side="sell"))
    alpaca.advance(7 * 86400)
    assert read(alpaca, "/v2/account")["daytrade_count"] == 0


def test_without_the_rule_its_fields_are_gone(alpaca: AlpacaVenue) -> None:
    """As since July 2026."""
    assert "daytrade_count" not in read(alpaca, "/v2/account")
    assert "pdt_check" not in read(alpaca, "/v2/account/configurations")
    alpaca.standing.pdt_rule, alpaca.standing.pattern_day_trader = True, True
    assert read(alpaca, "/v2/account")["pattern_day_trader"] is True
    assert read(alpaca, "/v2/account/configurations")["pdt_check"] == "entry"


# Positions


def test_positions_are_closed_in_part(alpaca: AlpacaVenue) -> None:
    """By quantity or by percentage; whole shares stay whole."""
    place(alpaca, market(qty="7"))
    assert call(alpaca, "DELETE", "/v2/positions/AAPL?percentage=50")[1]["qty"] == "3"
    assert call(alpaca, "DELETE", "/v2/positions/AAPL?qty=1")[1]["qty"] == "1"
    assert read(alpaca, "/v2/positions/AAPL")["qty"] == "3"
    status, said = call(alpaca, "DELETE", "/v2/positions/AAPL?qty=1&percentage=5")
    assert (status, said["code"]) == (422, 40010001)
    assert call(alpaca, "DELETE", "/v2/positions/AAPL?percentage=101")[0] == 422
    place(alpaca, coin())
    closed = call(alpaca, "DELETE", "/v2/positions/BTCUSD?percentage=50")[1]
    assert (closed["qty"], closed["symbol"], closed["time_in_force"]) == (
        "0.049875",
        "BTC/USD",
        "gtc",
    )


def test_what_is_not_held_is_not_there(alpaca: AlpacaVenue) -> None:
    """404 with a code, to reads and to closes."""
    for method in ("GET", "DELETE"):
        status, said = call(alpaca, method, "/v2/positions/AAPL")
        assert (status, said["code"], said["message"]) == (
            404,
            40410000,
            "position does not exist",
        )
        assert call(alpaca, method, "/v2/positions/NOPE")[0] == 404


def test_all_positions_are_closed_each_with_a_status(alpaca: AlpacaVenue) -> None:
    """207; what is held for orders says why it is not closed, unless the orders go first."""
    place(alpaca, market())
    place(alpaca, coin())
    place(alpaca, terms(side="sell", limit_price="300"))
    status, said = call(alpaca, "DELETE", "/v2/positions")
    assert status == 207
    by_symbol = {one["symbol"]: (one["status"], one["body"]) for one in said}
    assert by_symbol["AAPL"][0] == 403
    assert by_symbol["AAPL"][1]["code"] == 40310000
    assert by_symbol["BTCUSD"][1]["symbol"] == "BTC/USD"
    status, said = call(alpaca, "DELETE", "/v2/positions?cancel_orders=true")
    assert [(one["symbol"], one["status"]) for one in said] == [("AAPL", 200)]
    assert read(alpaca, "/v2/positions") == []


# Activities and history


def test_activities_are_paged_by_the_last_id(alpaca: AlpacaVenue) -> None:
    """Newest first, or oldest first; pages do not overlap, and none is left out."""
    for _ in range(5):
        place(alpaca, market(qty="1"))
    whole = [one["id"] for one in read(alpaca, "/v2/account/activities?activity_types=FILL")]
    assert len(whole) == 5
    seen, token = [], ""
    while page := read(alpaca, f"/v2/account/activities/FILL?page_size=2{token}"):
        seen += [one["id"] for one in page]
        token = f"&page_token={page[-1]['id']}"
    assert seen == whole == sorted(whole, reverse=True)
    assert read(alpaca, "/v2/account/activities/DIV") == []
    since = read(alpaca, "/v2/account/activities?direction=asc&page_size=1")[0]
    after = read(alpaca, f"/v2/account/activities?after={since['transaction_time']}")
    assert len(after) == 4
    status, said = call(alpaca, "GET", "/v2/account/activities?page_token=nothing")
    assert (status, said["code"]) == (422, 42210000)


def test_history_starts_at_what_the_account_opened_with(alpaca: AlpacaVenue) -> None:
    """One value for each step, the last of them now."""
    place(alpaca, market(qty="100"))
    said = read(alpaca, "/v2/account/portfolio/history?period=1W&timeframe=1D")
    assert len(said["timestamp"]) == len(said["equity"]) == len(said["profit_loss"]) == 8
    assert said["base_value"] == 100_000
    assert said["equity"][0] == 100_000
    assert said["equity"][-1] == pytest.approx(float(read(alpaca, "/v2/account")["equity"]))
    assert call(alpaca, "GET", "/v2/account/portfolio/history?period=1X")[0] == 422
    assert call(alpaca, "GET", "/v2/account/portfolio/history?timeframe=7Min")[0] == 422


# Keys


def test_a_key_of_the_other_environment_opens_prices_alone(alpaca: AlpacaVenue) -> None:
    """The Trading API answers 401 to it, as to any that it does not know."""
    foreign = alpaca.foreign_api_key
    assert alpaca.api_key.key.startswith("PK")
    assert foreign.key.startswith("AK")
    refused_ = served(alpaca, "GET", "/v2/account", key=foreign)
    assert (refused_.status, refused_.content) == (401, b'{"message":"unauthorized."}')
    quotes = served(alpaca, "GET", "/v2/stocks/quotes/latest?symbols=AAPL", key=foreign)
    assert quotes.status == 200
    live = AlpacaVenue(is_paper=False)
    assert live.api_key == foreign


def test_every_answer_says_where_the_caller_stands() -> None:
    """The limit, what is left of it, and when it starts anew; above it there is a 429."""
    alpaca = AlpacaVenue(rate_limit=3)
    left = []
    for target, status in (("/v2/account", 200), ("/v2/orders/none", 404), ("/v2/nothing", 404)):
        found = served(alpaca, "GET", target)
        left.append(found.headers["x-ratelimit-remaining"])
        assert (found.status, found.headers["x-ratelimit-limit"]) == (status, "3")
        assert len(found.headers["x-request-id"]) == 32
    assert left == ["2", "1", "0"]
    over = served(alpaca, "POST", "/v2/orders", terms())
    assert (over.status, over.content) == (
        429,
        b'{"code":42910000,"message":"rate limit exceeded"}',
    )
    assert alpaca.orders_received() == []


def test_what_is_not_there_says_so(alpaca: AlpacaVenue) -> None:
    """With Alpaca's code, whatever the method."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        status, said = call(alpaca, method, "/v2/wallets")
        assert (status, said["code"]) == (404, 40410000)


def test_watchlists_are_kept(alpaca: AlpacaVenue) -> None:
    """Made, found by id or name, changed, and thrown away."""
    _, made = call(alpaca, "POST", "/v2/watchlists", {"name": "mine", "symbols": ["AAPL"]})
    target = f"/v2/watchlists/{made['id']}"
    call(alpaca, "POST", target, {"symbol": "BTC/USD"})
    named = read(alpaca, "/v2/watchlists:by_name?name=mine")
    assert [one["symbol"] for one in named["assets"]] == ["AAPL", "BTC/USD"]
    assert call(alpaca, "POST", "/v2/watchlists", {"name": "mine"})[0] == 422
    call(alpaca, "PUT", target, {"name": "ours"})
    call(alpaca, "DELETE", f"{target}/AAPL")
    assert [one["symbol"] for one in read(alpaca, target)["assets"]] == ["BTC/USD"]
    assert [one["name"] for one in read(alpaca, "/v2/watchlists")] == ["ours"]
    assert call(alpaca, "DELETE", target)[0] == 204
    assert call(alpaca, "GET", target)[0] == 404
