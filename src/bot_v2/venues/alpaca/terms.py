"""What an order asks for: the body of a placement, read and checked by itself.

Sources: https://docs.alpaca.markets/reference/postorder (fields), .../docs/orders-at-alpaca (which
types, times in force and classes go together). Messages are those of the live API where public bug
reports quote them; the codes are documented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.venues.alpaca.bodies import amount, choice, flag, positive, price_on_grid
from bot_v2.venues.alpaca.dialect import bad_parameter, forbidden, unprocessable
from bot_v2.venues.alpaca.listings import Listing

ZERO: Final = Decimal(0)

SIDES: Final = ("buy", "sell")
TYPES: Final = ("market", "limit", "stop", "stop_limit", "trailing_stop")
TIMES: Final = ("day", "gtc", "opg", "cls", "ioc", "fok")
CLASSES: Final = ("", "simple", "bracket", "oco", "oto", "mleg")
INTENTS: Final = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")

CRYPTO_TYPES: Final = ("market", "limit", "stop_limit")
CRYPTO_TIMES: Final = ("gtc", "ioc")
OPTION_TYPES: Final = ("market", "limit", "stop", "stop_limit")
AUCTIONS: Final = ("opg", "cls")
LIMITS: Final = ("limit", "stop_limit")
STOPS: Final = ("stop", "stop_limit")

LEGS_MIN, LEGS_MAX = 2, 4
QTY_PLACES: Final = 9


@attrs.frozen(kw_only=True)
class LegTerms:
    """One leg of an order with several."""

    listing: Listing
    """What it trades."""
    side: str
    """buy or sell."""
    ratio: Decimal
    """Units of it in one unit of the whole."""
    intent: str
    """Whether it opens or closes."""


@attrs.frozen(kw_only=True)
class Exit:
    """An exit of a bracket, an OCO or an OTO."""

    limit_price: Decimal | None
    """Its limit. None: a stop."""
    stop_price: Decimal | None
    """Its trigger. None: a limit order."""

    @property
    def type(self) -> str:
        """What kind of order it is."""
        if self.stop_price is None:
            return "limit"
        return "stop" if self.limit_price is None else "stop_limit"


@attrs.frozen(kw_only=True)
class Terms:
    """What an order asks for."""

    listing: Listing | None
    """What it trades. None: it has several legs."""
    side: str
    """buy or sell; empty: several legs."""
    type: str
    """market, limit …"""
    time_in_force: str
    """day, gtc …"""
    qty: Decimal | None = None
    """How much. None: `notional` says it."""
    notional: Decimal | None = None
    """For how much money. None: `qty` says it."""
    limit_price: Decimal | None = None
    """The limit. None: none."""
    stop_price: Decimal | None = None
    """The trigger. None: none."""
    trail_price: Decimal | None = None
    """How far it trails, in money. None: in percent, or not at all."""
    trail_percent: Decimal | None = None
    """How far it trails, in percent. None: in money, or not at all."""
    extended_hours: bool = False
    """Whether it works in extended hours, too."""
    order_class: str = ""
    """simple, bracket …; empty: simple."""
    intent: str | None = None
    """What the caller says that it does. None: nothing."""
    take_profit: Exit | None = None
    """The profitable exit. None: none."""
    stop_loss: Exit | None = None
    """The protective exit. None: none."""
    legs: tuple[LegTerms, ...] = ()
    """The legs; empty: one instrument."""

    @property
    def is_complex(self) -> bool:
        """Whether it has exits or legs."""
        return self.order_class in ("bracket", "oco", "oto", "mleg")

    @property
    def is_fractional(self) -> bool:
        """Whether it asks for a part of a unit."""
        return self.notional is not None or (self.qty is not None and self.qty % 1 != 0)


def read_terms(body: Mapping[str, Any], find: Callable[[str], Listing | None]) -> Terms:
    """Return what the body of a placement asks for.

    Raises:
        RefusedError: 422, it makes no sense.
    """
    order_class = choice(body, "order_class", CLASSES, default="")
    if order_class == "mleg":
        return _read_legs(body, find)
    listing = _listing(body, find)
    terms = Terms(
        listing=listing,
        side=choice(body, "side", SIDES),
        type=choice(body, "type", TYPES, message="invalid order type"),
        time_in_force=choice(body, "time_in_force", TIMES),
        qty=positive(body, "qty"),
        notional=positive(body, "notional"),
        limit_price=price_on_grid(body, "limit_price", listing),
        stop_price=price_on_grid(body, "stop_price", listing),
        trail_price=positive(body, "trail_price"),
        trail_percent=positive(body, "trail_percent"),
        extended_hours=flag(body, "extended_hours"),
        order_class=order_class,
        intent=choice(body, "position_intent", INTENTS, default="") or None,
        take_profit=_exit(body, "take_profit", listing),
        stop_loss=_exit(body, "stop_loss", listing),
    )
    _check_amount(terms)
    _check_prices(terms)
    check_kind(terms)
    _check_class(terms)
    return terms


def _listing(body: Mapping[str, Any], find: Callable[[str], Listing | None]) -> Listing:
    symbol = body.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise bad_parameter("symbol is required")
    listing = find(symbol)
    if listing is None:
        raise unprocessable(f'asset "{symbol}" not found')
    if listing.is_option and not listing.is_active:
        raise unprocessable(f'contract "{symbol}" is expired')
    if not listing.is_active:
        raise bad_parameter(f"asset {symbol} is not active")
    if not listing.is_tradable:
        raise unprocessable(f'asset "{symbol}" is not tradable')
    return listing


def _exit(body: Mapping[str, Any], name: str, listing: Listing) -> Exit | None:
    given = body.get(name)
    if given is None:
        return None
    if not isinstance(given, dict):
        raise bad_parameter(f"invalid {name}")
    found = Exit(
        limit_price=price_on_grid(given, "limit_price", listing),
        stop_price=price_on_grid(given, "stop_price", listing),
    )
    needed = "limit_price" if name == "take_profit" else "stop_price"
    if getattr(found, needed) is None:
        raise bad_parameter(f"{name}.{needed} is required")
    return found


def _check_amount(terms: Terms) -> None:
    if terms.qty is None and terms.notional is None:
        raise bad_parameter("qty or notional is required")
    if terms.qty is not None and terms.notional is not None:
        raise bad_parameter("only one of qty or notional is accepted")
    for value in (terms.qty, terms.notional):
        if value is not None and int(value.normalize(EXACT).as_tuple().exponent) < -QTY_PLACES:
            raise unprocessable(f"qty increment must be {QTY_PLACES} decimal places at most")


def _check_prices(terms: Terms) -> None:
    if terms.type in LIMITS and terms.limit_price is None:
        if terms.order_class != "oco":
            raise bad_parameter("limit orders require a limit price")
    elif terms.type not in LIMITS and terms.limit_price is not None:
        raise bad_parameter(f"{terms.type} orders must not have limit price")
    if terms.type in STOPS and terms.stop_price is None:
        raise bad_parameter("stop orders require a stop price")
    if terms.type not in STOPS and terms.stop_price is not None:
        raise bad_parameter(f"{terms.type} orders must not have stop price")
    trails = (terms.trail_price is not None) + (terms.trail_percent is not None)
    if trails != (terms.type == "trailing_stop"):
        raise bad_parameter("trailing stop orders must specify one of trail_price or trail_percent")
    hundred = Decimal(100)
    if terms.trail_percent is not None and terms.trail_percent >= hundred:
        raise bad_parameter("trail_percent must be < 100")
    if terms.extended_hours and not (
        terms.type == "limit" and terms.time_in_force in ("day", "gtc")
    ):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")


def check_kind(terms: Terms) -> None:
    """Refuse what the asset's kind does not allow.

    Raises:
        RefusedError: 403 or 422.
    """
    listing = terms.listing
    if listing is None:
        return
    if listing.is_crypto:
        _check_crypto(terms)
    elif listing.is_option:
        _check_option(terms)
    else:
        _check_share(terms, listing)


def _check_crypto(terms: Terms) -> None:
    if terms.type not in CRYPTO_TYPES:
        raise bad_parameter("invalid order type for crypto order")
    if terms.time_in_force not in CRYPTO_TIMES:
        raise bad_parameter("invalid crypto time_in_force")
    if terms.is_complex:
        raise unprocessable(
            "crypto orders not allowed for advanced order_class: " + terms.order_class
        )


def _check_option(terms: Terms) -> None:
    if terms.is_complex:
        raise unprocessable("complex orders not supported for options trading")
    if terms.extended_hours:
        raise unprocessable("extended hours is not supported for options trading")
    if terms.notional is not None:
        raise unprocessable("notional orders are not supported for options trading")
    if terms.is_fractional:
        raise unprocessable("qty must be integer for options trading")
    if terms.type not in OPTION_TYPES:
        raise unprocessable("invalid order type for options trading")
    if terms.time_in_force != "day":
        raise unprocessable("order_time_in_force provided not supported for options trading")


def _check_share(terms: Terms, listing: Listing) -> None:
    if terms.time_in_force in AUCTIONS and terms.type not in ("market", "limit"):
        raise unprocessable(f"{terms.time_in_force} orders must be market or limit orders")
    if terms.type == "trailing_stop" and terms.time_in_force not in ("day", "gtc"):
        raise unprocessable("trailing stop orders must be DAY or GTC orders")
    if not terms.is_fractional:
        return
    if not listing.is_fractionable:
        raise forbidden(f'asset "{listing.symbol}" is not fractionable')
    if terms.is_complex:
        raise unprocessable("fractional orders must be simple orders")
    if terms.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")


def _check_class(terms: Terms) -> None:
    profit, stop = terms.take_profit, terms.stop_loss
    if terms.order_class in ("", "simple"):
        if profit is not None or stop is not None:
            raise unprocessable("take_profit and stop_loss need a complex order_class")
        return
    if terms.time_in_force not in ("day", "gtc"):
        raise unprocessable("complex orders must be DAY or GTC orders")
    if terms.order_class == "bracket" and (profit is None or stop is None):
        raise bad_parameter("bracket orders require take_profit and stop_loss")
    if terms.order_class == "oto" and (profit is None) is (stop is None):
        raise bad_parameter("oto orders require either take_profit or stop_loss")
    if terms.order_class == "oco":
        _check_oco(terms)
    if profit is not None and stop is not None:
        _check_exits(profit, stop, is_buy=(terms.side == "buy") is (terms.order_class != "oco"))


def _check_oco(terms: Terms) -> None:
    if terms.type != "limit":
        raise unprocessable("oco orders must be limit orders")
    if terms.stop_loss is None:
        raise bad_parameter("oco orders require stop_loss.stop_price")
    if terms.limit_price is None and terms.take_profit is None:
        raise bad_parameter("oco orders require take_profit.limit_price")


def _check_exits(profit: Exit, stop: Exit, *, is_buy: bool) -> None:
    """Refuse exits of which the stop is on the profit's side; `is_buy` is the entry's side."""
    high, low = profit.limit_price or ZERO, stop.stop_price or ZERO
    if is_buy and high <= low:
        raise unprocessable("take_profit.limit_price must be > stop_loss.stop_price")
    if not is_buy and high >= low:
        raise unprocessable("take_profit.limit_price must be < stop_loss.stop_price")


def _read_legs(body: Mapping[str, Any], find: Callable[[str], Listing | None]) -> Terms:
    given = body.get("legs")
    if body.get("symbol") not in (None, ""):
        raise bad_parameter("symbol is not allowed for mleg order")
    if not isinstance(given, list) or not LEGS_MIN <= len(given) <= LEGS_MAX:
        raise unprocessable(
            f"mleg orders must have at least {LEGS_MIN} legs and at most {LEGS_MAX} legs"
        )
    legs = tuple(_leg(one, find) for one in given)
    if len({leg.listing.symbol for leg in legs}) < len(legs):
        raise unprocessable("mleg orders must have different legs")
    if len({leg.listing.underlying for leg in legs}) > 1:
        raise unprocessable("underlying asset mismatch")
    # What is paid in all; a limit below zero is what is at least to be received.
    limit = amount(body, "limit_price")
    kind = choice(body, "type", ("market", "limit"), message="invalid order type")
    if kind == "limit" and limit is None:
        raise unprocessable("limit price is required for limit orders")
    if kind == "market" and limit is not None:
        raise unprocessable("limit price is only valid for limit orders")
    terms = Terms(
        listing=None,
        side="",
        type=kind,
        time_in_force=choice(body, "time_in_force", TIMES),
        qty=positive(body, "qty"),
        limit_price=limit,
        order_class="mleg",
        legs=legs,
    )
    if terms.time_in_force != "day":
        raise unprocessable("invalid time in force")
    if terms.qty is None:
        raise bad_parameter("qty is required")
    if terms.is_fractional:
        raise unprocessable("qty must be integer for options trading")
    return terms


def _leg(given: object, find: Callable[[str], Listing | None]) -> LegTerms:
    if not isinstance(given, dict):
        raise bad_parameter("invalid legs")
    listing = _listing(given, find)
    if not listing.is_option:
        raise unprocessable(
            "equity legs are allowed only with a corresponding amount of call contracts"
        )
    intent = choice(given, "position_intent", INTENTS, default="")
    side = choice(given, "side", SIDES, default=intent.partition("_")[0])
    if not side:
        raise bad_parameter("leg side is required")
    ratio = positive(given, "ratio_qty")
    if ratio is None or ratio % 1 != 0:
        raise bad_parameter("leg ratio_qty must be a positive integer")
    return LegTerms(listing=listing, side=side, ratio=ratio, intent=intent)
