"""Broken capabilities: figures and lists beyond the 18 methods."""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.account_summary import FeeRates, Margin
from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketClosedError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import MarketStatus, Trade
from bot_v2.features.brokerages.core.order_changes import OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.simulation.clock import utc_now
from tests.contract.broken.alterations import (
    always,
    each,
    each_with,
    forged,
    on_error,
    raised,
    returned,
    swallowed,
    told_with,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER, RICH, SECRET

HUNDRED: Final = Decimal(100)


def _live_only(broker: Any, real: Any, client_order_id: str) -> Any:
    order = real(client_order_id)
    if order.status not in LIVE_STATUSES:
        raise OrderNotFoundError("it does not work any more")
    return order


def _exclusive(_: Any, real: Any, since: Any = None) -> Any:
    return [fill for fill in real(since) if since is None or fill.timestamp > since]


def _since_ignored(_: Any, real: Any, since: Any = None) -> Any:
    return real()


def _of_live_orders(broker: Any, real: Any, since: Any = None) -> Any:
    gone = (OrderStatus.CANCELLED, OrderStatus.EXPIRED)
    ended = {one.order_id for one in broker.list_orders() if one.status in gone}
    return [fill for fill in real(since) if fill.order_id not in ended]


def _with_acknowledged(broker: Any, real: Any, since: Any = None) -> Any:
    taken = [
        Fill(
            trade_id=f"t-{order.order_id}",
            order_id=order.order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            price=order.price,
            timestamp=order.timestamp,
            account_id=order.account_id,
        )
        for order in broker.list_orders()
        if order.status is OrderStatus.OPEN
    ]
    return real(since) + taken


def _half_fee(fill: Any) -> Any:
    return forged(fill, fee=fill.fee and fill.fee / 2)


def _power_with_orders(broker: Any, real: Any) -> Any:
    summary = real()
    more = len(broker.list_orders()) * HUNDRED
    return forged(summary, buying_power=summary.buying_power + more)


def _swapped(margin: Any) -> Any:
    low, high = margin.maintenance_margin, margin.initial_margin
    return forged(margin, maintenance_margin=high + 1, initial_margin=low)


def _tries_it(broker: Any, real: Any, request: Any) -> Any:
    broker.cancel_order(broker.place_order(request).order_id)
    return real(request)


def _does_nothing(broker: Any, _: Any, order_id: str, change: Any) -> Any:
    broker.get_order(order_id)
    return OrderResult(success=True, order_id=order_id, client_order_id=order_id)


def _adds_quantity(broker: Any, real: Any, order_id: str, change: Any) -> Any:
    if change.quantity is None:
        return real(order_id, change)
    whole = broker.get_order(order_id).quantity + change.quantity
    return real(order_id, attrs.evolve(change, quantity=whole))


def _halves_rest(broker: Any, real: Any, order_id: str, change: Any) -> Any:
    unit = broker.get_product(broker.get_order(order_id).symbol).size_increment
    return real(
        order_id,
        attrs.evolve(change, quantity=broker.get_order(order_id).quantity - unit),
    )


def _places_another(broker: Any, _: Any, order_id: str, change: Any) -> Any:
    """Place the changed order anew, and leave the first where it is."""
    old = broker.get_order(order_id)
    return broker.place_order(
        OrderRequest(
            symbol=old.symbol,
            side=old.side,
            type=old.type,
            quantity=old.quantity,
            price=change.price,
        )
    )


def _price_rounded(_: Any, real: Any, order_id: str, change: Any) -> Any:
    price = change.price and change.price.quantize(Decimal("0.01"))
    return real(order_id, attrs.evolve(change, price=price))


def _previews_by_placing(broker: Any, real: Any, request: Any) -> Any:
    broker.cancel_order(broker.place_order(request).order_id)
    return real(request)


def _previews_anything(broker: Any, real: Any, request: Any) -> Any:
    return OrderPreview(order_request=request, native_request=repr(request))


def _first_quote(broker: Any, real: Any, symbol: str) -> Any:
    if not hasattr(broker, "quote"):
        broker.quote = real(symbol)
    return broker.quote


def _mid_for_both(quote: Any) -> Any:
    mid = (quote.bid + quote.ask) / 2
    return forged(quote, bid=mid, ask=mid)


def _whole_prices(quote: Any) -> Any:
    return forged(quote, bid=round(quote.bid, 0) - 1, ask=round(quote.ask, 0) + 1)


def _no_limit(_: Any, real: Any, symbol: str, limit: int = 100) -> Any:
    return real(symbol)


def _of_all(_: Any, real: Any, symbol: str, limit: int = 100) -> Any:
    other = Trade(symbol="AAPL", price=HUNDRED, size=Decimal(1), timestamp=utc_now())
    return [*real(symbol, limit), other]


def _end_included(_: Any, real: Any, symbol: str, interval: Any, start: Any, end: Any) -> Any:
    return real(symbol, interval, start, end + timedelta(microseconds=1))


def _by_the_hour(_: Any, real: Any, symbol: str, interval: Any, start: Any, end: Any) -> Any:
    return real(symbol, timedelta(hours=1), start, end)


def _zone_added(_: Any, real: Any, symbol: str, interval: Any, start: Any, end: Any) -> Any:
    if end < start:
        return []
    return real(symbol, interval, start.replace(tzinfo=UTC), end.replace(tzinfo=UTC))


def _scaled_strike(contract: Any) -> Any:
    product = contract.product
    return forged(contract, product=forged(product, strike=product.strike * 1000))


def _expiry_ignored(_: Any, real: Any, underlying: str, expiry: Any = None) -> Any:
    return real(underlying)


def _open_anywhere(_: Any, real: Any, symbol: str) -> Any:
    try:
        return real(symbol)
    except InvalidSymbolError:
        return MarketStatus(symbol=symbol, is_open=True)


def _yesterday(status: Any) -> Any:
    return forged(status, next_open=utc_now() - timedelta(days=1))


def _not_in_positions(broker: Any, real: Any) -> Any:
    kept = Position(symbol="AAPL", side=PositionSide.LONG, quantity=Decimal(10), account_id="paper")
    return [*real(), kept]


def _repeats_fields(_: Any, real: Any, fields: Any) -> Any:
    raise AuthenticationError(f"refused: {dict(fields)}")


def _itself(broker: Any, real: Any, account_id: str) -> Any:
    real(account_id)
    return broker


def _any_account(broker: Any, _: Any, account_id: str) -> Any:
    return type(broker)(attrs.evolve(broker.settings, account_id=account_id), feed=None)


def _current_margin(broker: Any, real: Any, request: Any) -> Any:
    try:
        return real(request)
    except BrokerageError:
        return broker.get_margin()


BROKEN: Final = (
    Broken(
        name="looked up without its id",
        fault="An order that is looked up does not carry the id that it was looked up by.",
        on=PAPER,
        alter={"get_order_by_client_id": told_with(client_order_id=None)},
        caught_by={"BC-LK010": "the order that is looked up to be"},
    ),
    Broken(
        name="no order is None",
        fault="get_order_by_client_id() of an unused id returns None.",
        on=PAPER,
        alter={"get_order_by_client_id": on_error(OrderNotFoundError, lambda _: None)},
        caught_by={"BC-LK020": "OrderNotFoundError from get_order_by_client_id of an unused id"},
    ),
    Broken(
        name="looked up among live orders",
        fault="get_order_by_client_id() does not find an order that ended.",
        on=PAPER,
        alter={"get_order_by_client_id": _live_only},
        caught_by={"BC-LK030": "Unexpected OrderNotFoundError: it does not work any more"},
        catalogue=("S09",),
    ),
    Broken(
        name="a failed look-up is not found",
        fault="get_order_by_client_id() raises OrderNotFoundError where the broker cannot be read.",
        on=PAPER,
        alter={
            "get_order_by_client_id": on_error(BrokerageError, lambda _: OrderNotFoundError("no"))
        },
        caught_by={"BC-LK040": "another error than not found"},
        catalogue=("S09", "V12"),
    ),
    Broken(
        name="a fill missing",
        fault="list_fills() leaves out the first execution.",
        on=PAPER,
        alter={"list_fills": returned(lambda fills: fills[1:])},
        caught_by={"BC-FI010": "fills that add up to 0.5716"},
        catalogue=("P04",),
    ),
    Broken(
        name="fills at the wrong price",
        fault="The price of a fill is rounded to whole units.",
        on=PAPER,
        alter={"list_fills": each(lambda fill: forged(fill, price=round(fill.price, 0) + 1))},
        caught_by={"BC-FI010": "what the fills cost to be"},
    ),
    Broken(
        name="fills of the other side",
        fault="Fills tell the side of the counterparty.",
        on=PAPER,
        alter={"list_fills": each_with(side=OrderSide.SELL)},
        caught_by={"BC-FI020": "the fill's side to be"},
    ),
    Broken(
        name="fills newest first",
        fault="list_fills() returns the newest execution first.",
        on=PAPER,
        alter={"list_fills": returned(lambda fills: fills[::-1])},
        caught_by={"BC-FI030": "rising times"},
    ),
    Broken(
        name="one trade id",
        fault="All fills have the same trade id.",
        on=PAPER,
        alter={"list_fills": each_with(trade_id="t-1")},
        caught_by={"BC-FI040": "each trade id once"},
        catalogue=("P01",),
    ),
    Broken(
        name="since ignored",
        fault="list_fills() returns everything, whatever `since` is.",
        on=PAPER,
        alter={"list_fills": _since_ignored},
        caught_by={"BC-FI050": "the fills since a moment to be"},
    ),
    Broken(
        name="since excludes",
        fault="list_fills() leaves out what happened at `since` itself.",
        on=PAPER,
        alter={"list_fills": _exclusive},
        caught_by={"BC-FI050": "the fills since a moment to be"},
    ),
    Broken(
        name="half of the fee",
        fault="A fill tells half of what was charged.",
        on=PAPER,
        alter={"list_fills": each(_half_fee)},
        caught_by={"BC-FI060": "the fees by currency to be"},
        catalogue=("S11",),
    ),
    Broken(
        name="a fee without its currency",
        fault="A fill tells a fee, and not in which currency.",
        on=PAPER,
        alter={"list_fills": each_with(fee_currency=None)},
        caught_by={"BC-FI060": "the fees by currency to be"},
    ),
    Broken(
        name="a late fill not listed",
        fault="list_fills() leaves out the fills of orders that were cancelled.",
        on=PAPER,
        alter={"list_fills": _of_live_orders},
        caught_by={"BC-FI070": "fills that add up to 0.1429"},
        catalogue=("P03",),
    ),
    Broken(
        name="taken for filled",
        fault="An order that was taken is listed as filled.",
        on=PAPER,
        alter={"list_fills": _with_acknowledged},
        caught_by={"BC-FI080": "no fills of orders that rest"},
    ),
    Broken(
        name="another account's summary",
        fault="get_account() carries another account's id.",
        on=PAPER,
        alter={"get_account": told_with(account_id="another")},
        caught_by={"BC-AS010": "the account id to be"},
        catalogue=("O02",),
    ),
    Broken(
        name="utilization in percent",
        fault="Utilization is told in percent.",
        on=PAPER,
        alter={"get_account": told_with(utilization=Decimal(25))},
        caught_by={"BC-AS020": "utilization to be margin_used over equity"},
        catalogue=("P16",),
    ),
    Broken(
        name="equity is cash",
        fault="Equity leaves out what is held.",
        on=PAPER,
        alter={"get_account": returned(lambda one: forged(one, equity=one.cash))},
        caught_by={"BC-AS030": "an equity of 99999.8569856800"},
    ),
    Broken(
        name="power that grows",
        fault="Each order makes more buying power.",
        on=PAPER,
        alter={"get_account": _power_with_orders},
        caught_by={"BC-AS040": "no more buying power"},
    ),
    Broken(
        name="cash is what is left",
        fault="Cash is told less a reserve.",
        on=PAPER,
        alter={"get_account": returned(lambda one: forged(one, cash=one.cash - HUNDRED))},
        caught_by={"BC-AS050": "the cash to be"},
    ),
    Broken(
        name="a margin without figures",
        fault="get_margin() tells nothing but the currency.",
        on=PAPER,
        alter={"get_margin": always(Margin(currency="USD"))},
        caught_by={"BC-MG010": "at least one figure"},
    ),
    Broken(
        name="margins swapped",
        fault="Initial and maintenance margin are taken for one another.",
        on=PAPER,
        alter={"get_margin": returned(_swapped)},
        caught_by={"BC-MG020": "initial >= maintenance >= 0"},
    ),
    Broken(
        name="margin by trying",
        fault="get_order_margin() places the order and cancels it.",
        on=PAPER,
        alter={"get_order_margin": _tries_it},
        caught_by={"BC-MG030": "no request of place_order to reach the venue"},
    ),
    Broken(
        name="an order that lessens margin",
        fault="The margin with an order is less than without it.",
        on=PAPER,
        alter={"get_order_margin": returned(lambda one: forged(one, initial_margin=Decimal(-1)))},
        caught_by={"BC-MG040": "at least 0; saw Margin("},
    ),
    Broken(
        name="margin of anything",
        fault="The margin of an order that cannot be is that of the account.",
        on=PAPER,
        alter={"get_order_margin": _current_margin},
        caught_by={"BC-MG050": "InvalidRequestError from get_order_margin of an unknown symbol"},
    ),
    Broken(
        name="a change not made",
        fault="modify_order() returns success, and sends nothing.",
        on=PAPER,
        alter={"modify_order": _does_nothing},
        caught_by={
            "BC-MO010": "the price to be",
            "BC-MO020": "the quantity to be",
            "BC-MO060": "ModifyRejectedError from modifying an ended order",
        },
    ),
    Broken(
        name="a quantity added",
        fault="A new quantity is added to the old one.",
        on=PAPER,
        alter={"modify_order": _adds_quantity},
        caught_by={"BC-MO020": "the quantity to be"},
        catalogue=("S05",),
    ),
    Broken(
        name="a change of something else",
        fault="A new price takes a step off the quantity.",
        on=PAPER,
        alter={"modify_order": _halves_rest},
        caught_by={"BC-MO030": "the order's quantity to be", "BC-MO050": "what remains to be"},
    ),
    Broken(
        name="a second live order",
        fault="A modification places a new order, and leaves the old one alive.",
        on=PAPER,
        alter={"modify_order": _places_another},
        caught_by={
            "BC-MO040": "the order to be REPLACED",
            "BC-MO050": "what remains to be",
            "BC-MO060": "ModifyRejectedError from modifying an ended order",
        },
        catalogue=("S04", "S05"),
    ),
    Broken(
        name="an unknown order is a refusal",
        fault="Modifying an order that never was is ModifyRejectedError.",
        on=PAPER,
        alter={"modify_order": on_error(OrderNotFoundError, lambda _: InvalidRequestError("no"))},
        caught_by={"BC-MO070": "OrderNotFoundError from modify_order"},
    ),
    Broken(
        name="a change rounded",
        fault="A new price off the grid is rounded to it.",
        on=PAPER,
        alter={"modify_order": _price_rounded},
        caught_by={
            "BC-MO080": "InvalidRequestError or ModifyRejectedError from a new price of 70.005"
        },
        catalogue=("S17",),
    ),
    Broken(
        name="preview by placing",
        fault="preview_order() places the order and cancels it.",
        on=RICH,
        alter={"preview_order": _previews_by_placing},
        caught_by={"BC-PV010": "no request of place_order to reach the venue"},
    ),
    Broken(
        name="a preview with the key",
        fault="The native request of a preview shows the key.",
        on=RICH,
        alter={"preview_order": told_with(native_request=f"key={SECRET}")},
        caught_by={"BC-PV020": "no secret in the preview"},
        catalogue=("O10",),
    ),
    Broken(
        name="a preview of anything",
        fault="preview_order() checks nothing.",
        on=RICH,
        alter={"preview_order": _previews_anything},
        caught_by={"BC-PV030": "InvalidRequestError from a preview of an unknown symbol"},
    ),
    Broken(
        name="a quote without a spread",
        fault="Bid and ask of a quote are both the mid.",
        on=PAPER,
        alter={"get_quote": returned(_mid_for_both)},
        caught_by={
            "BC-QU010": "bid below ask",
            "BC-QU030": "a quote of 110.0 to 120.0",
            "BC-QU050": "bid and ask of the quote to be",
        },
    ),
    Broken(
        name="a quote in whole units",
        fault="Prices of a quote are rounded outwards.",
        on=PAPER,
        alter={"get_quote": returned(_whole_prices)},
        caught_by={
            "BC-QU030": "a quote of 110.0 to 120.0",
            "BC-QU050": "bid and ask of the quote to be",
        },
    ),
    Broken(
        name="the first quote for ever",
        fault="get_quote() remembers its first answer, whatever symbol is asked for.",
        on=PAPER,
        alter={"get_quote": _first_quote},
        caught_by={"BC-QU030": "a quote of 110.0 to 120.0"},
    ),
    Broken(
        name="a quote of nothing",
        fault="get_quote() of an unknown symbol is None.",
        on=PAPER,
        alter={"get_quote": on_error(InvalidSymbolError, lambda _: None)},
        caught_by={"BC-QU040": "InvalidSymbolError from get_quote of an unknown symbol"},
    ),
    Broken(
        name="trades oldest first",
        fault="list_trades() returns the oldest trade first.",
        on=RICH,
        alter={"list_trades": returned(lambda trades: trades[::-1])},
        caught_by={"BC-TR010": "falling times"},
    ),
    Broken(
        name="a limit ignored",
        fault="list_trades() returns every trade, whatever the limit.",
        on=RICH,
        alter={"list_trades": _no_limit},
        caught_by={"BC-TR010": "at most two; saw [Trade("},
    ),
    Broken(
        name="no trades of nothing",
        fault="list_trades() of an unknown symbol is empty.",
        on=RICH,
        alter={"list_trades": swallowed([])},
        caught_by={"BC-TR020": "InvalidSymbolError from list_trades of an unknown symbol"},
    ),
    Broken(
        name="everybody's trades",
        fault="list_trades() has trades of another product.",
        on=RICH,
        alter={"list_trades": _of_all},
        caught_by={"BC-TR030": "a trade of BTC-USD"},
    ),
    Broken(
        name="candles newest first",
        fault="list_candles() returns the newest candle first.",
        on=RICH,
        alter={"list_candles": returned(lambda candles: candles[::-1])},
        caught_by={"BC-CA010": "rising open times"},
        catalogue=("P18",),
    ),
    Broken(
        name="candles at the seam",
        fault="A candle at the seam of two pages is listed twice.",
        on=RICH,
        alter={"list_candles": returned(lambda candles: candles[:1] + candles)},
        caught_by={"BC-CA010": "rising open times"},
        catalogue=("P10", "P18"),
    ),
    Broken(
        name="the end included",
        fault="list_candles() has the candle that opens at the end.",
        on=RICH,
        alter={"list_candles": _end_included},
        caught_by={"BC-CA020": "the open times in the span to be"},
    ),
    Broken(
        name="another interval",
        fault="list_candles() returns hours, whatever interval is asked for.",
        on=RICH,
        alter={"list_candles": _by_the_hour},
        caught_by={"BC-CA030": "symbol and interval to be"},
        catalogue=("S16",),
    ),
    Broken(
        name="a forming candle said to be complete",
        fault="The candle that still forms is said to be complete.",
        on=RICH,
        alter={"list_candles": each_with(complete=True)},
        caught_by={"BC-CA040": "complete=False on a candle that still forms"},
        catalogue=("P18",),
    ),
    Broken(
        name="a zone added",
        fault="Naive times are taken for UTC, and a span that runs backwards for an empty one.",
        on=RICH,
        alter={"list_candles": _zone_added},
        caught_by={"BC-CA050": "InvalidRequestError from candles from"},
        catalogue=("P15",),
    ),
    Broken(
        name="candles of nothing",
        fault="list_candles() of an unknown symbol is empty.",
        on=RICH,
        alter={"list_candles": on_error(InvalidSymbolError, lambda _: [])},
        caught_by={"BC-CA060": "InvalidSymbolError from list_candles of an unknown symbol"},
    ),
    Broken(
        name="a strike in thousandths",
        fault="The strike of an option is told in thousandths.",
        on=RICH,
        alter={"list_option_contracts": each(_scaled_strike)},
        caught_by={"BC-OC010": "the terms of AAPL-20270115-150-C to be"},
        catalogue=("P16",),
    ),
    Broken(
        name="every expiry",
        fault="list_option_contracts() returns every expiry, whatever is asked for.",
        on=RICH,
        alter={"list_option_contracts": _expiry_ignored},
        caught_by={"BC-OC020": "the contracts to be"},
    ),
    Broken(
        name="not found by its name",
        fault="list_symbol_matches() leaves out the product of that very symbol.",
        on=RICH,
        alter={
            "list_symbol_matches": lambda _, real, text: [
                one for one in real(text) if one.symbol != text
            ]
        },
        caught_by={"BC-SY010": "the matches of the symbol itself to be"},
    ),
    Broken(
        name="everything matches",
        fault="list_symbol_matches() returns all products where none matches.",
        on=RICH,
        alter={
            "list_symbol_matches": lambda broker, real, text: real(text) or broker.get_products()
        },
        caught_by={"BC-SY020": "the matches of a made-up name to be"},
    ),
    Broken(
        name="opened yesterday",
        fault="The next opening of a market is in the past.",
        on=PAPER,
        alter={"get_market_status": returned(_yesterday)},
        caught_by={"BC-MS010": "a time ahead; saw MarketStatus("},
        catalogue=("P15",),
    ),
    Broken(
        name="halted and open",
        fault="A market that is halted is said to be open.",
        on=PAPER,
        alter={"get_market_status": told_with(is_open=True, halted=True)},
        caught_by={"BC-MS010": "no market both halted and open"},
        catalogue=("V08",),
    ),
    Broken(
        name="an unknown market is open",
        fault="get_market_status() of an unknown symbol says that it is open.",
        on=PAPER,
        alter={"get_market_status": _open_anywhere},
        caught_by={"BC-MS020": "InvalidSymbolError from get_market_status of an unknown symbol"},
    ),
    Broken(
        name="open and closed",
        fault="A market is said to be open, and its orders are refused as closed.",
        on=PAPER,
        alter={"place_order": raised(lambda: MarketClosedError("closed"))},
        caught_by={"BC-MS030": "Unexpected MarketClosedError: closed"},
        catalogue=("V08",),
    ),
    Broken(
        name="holdings beside the positions",
        fault="list_holdings() has what list_positions() leaves out.",
        on=RICH,
        alter={"list_holdings": _not_in_positions},
        caught_by={"BC-HO010": "positions of at least 10"},
    ),
    Broken(
        name="the others only",
        fault="list_accounts() leaves out the bound account.",
        on=RICH,
        alter={"list_accounts": returned(lambda accounts: accounts[1:])},
        caught_by={"BC-AC010": "the bound account once"},
    ),
    Broken(
        name="the same account again",
        fault="for_account() returns the brokerage itself.",
        on=RICH,
        alter={"for_account": _itself},
        caught_by={"BC-AC020": "the account id to be", "BC-AC040": "no order of paper in another"},
        catalogue=("O02",),
    ),
    Broken(
        name="any account",
        fault="for_account() takes an account that the login cannot see.",
        on=RICH,
        alter={"for_account": _any_account},
        caught_by={"BC-AC030": "InvalidRequestError or PermissionDeniedError from for_account"},
    ),
    Broken(
        name="a login in the clear",
        fault="The login page has no https, and the key in its address.",
        on=RICH,
        alter={"login_url": always(f"http://login.example/?key={SECRET}")},
        caught_by={"BC-LO010": "an https address"},
        catalogue=("O10",),
    ),
    Broken(
        name="a token repeated",
        fault="The error of a refused login repeats what was given.",
        on=RICH,
        alter={"complete_login": _repeats_fields},
        caught_by={"BC-LO020": "no token in the error"},
        catalogue=("O10",),
    ),
    Broken(
        name="rates in percent",
        fault="Fee rates are told in percent.",
        on=PAPER,
        alter={
            "get_fees": returned(
                lambda rates: FeeRates(maker=rates.maker * HUNDRED, taker=rates.taker * HUNDRED)
            )
        },
        caught_by={"BC-FE010": "a fraction; saw FeeRates("},
        catalogue=("P16",),
    ),
    Broken(
        name="half of the rate",
        fault="The taker's rate is told at a half of what is charged.",
        on=PAPER,
        alter={"get_fees": returned(lambda rates: forged(rates, taker=rates.taker / 2))},
        caught_by={"BC-FE020": "a fee of 0.05721716"},
    ),
)
