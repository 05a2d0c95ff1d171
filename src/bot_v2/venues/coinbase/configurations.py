"""Order configurations of Advanced Trade, read strictly: the terms, and what the engine is asked.

Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/create-order
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_from_text, divide
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from bot_v2.venues.coinbase import refusals
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.coinbase.refusals import OrderRefusedError, Refusal
from bot_v2.venues.coinbase.texts import moment_from_text

STOP_LIMIT: Final = "STOP_LIMIT"
BRACKET: Final = "BRACKET"

SIDES: Final = {"BUY": OrderSide.BUY, "SELL": OrderSide.SELL}
DIRECTIONS: Final = {
    # The direction in which the engine's stops of a side trigger.
    "STOP_DIRECTION_STOP_UP": OrderSide.BUY,
    "STOP_DIRECTION_STOP_DOWN": OrderSide.SELL,
}
TIF_WORDS: Final = {
    TimeInForce.GTC: "GOOD_UNTIL_CANCELLED",
    TimeInForce.GTD: "GOOD_UNTIL_DATE_TIME",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}


@attrs.frozen
class Shape:
    """What one kind of configuration is."""

    order_type: str
    """The API's order_type."""
    tif: TimeInForce
    """How long it works."""
    needed: frozenset[str]
    """The fields that it must have."""
    optional: frozenset[str] = frozenset()
    """The fields that it may have."""


def _shape(order_type: str, tif: TimeInForce, needed: str, optional: str = "") -> Shape:
    more = {*optional.split(), "reduce_only", "rfq_disabled", "rfq_enabled"}
    return Shape(order_type, tif, frozenset(needed.split()), frozenset(more))


_MARKET: Final = "base_size quote_size"
_STOP: Final = "base_size limit_price stop_price stop_direction"
_EXITS: Final = "limit_price stop_trigger_price"

SHAPES: Final[dict[str, Shape]] = {
    "market_market_ioc": _shape("MARKET", TimeInForce.IOC, "", _MARKET),
    "market_market_fok": _shape("MARKET", TimeInForce.FOK, "", _MARKET),
    "sor_limit_ioc": _shape("LIMIT", TimeInForce.IOC, "base_size limit_price"),
    "limit_limit_gtc": _shape("LIMIT", TimeInForce.GTC, "base_size limit_price", "post_only"),
    "limit_limit_gtd": _shape(
        "LIMIT", TimeInForce.GTD, "base_size limit_price end_time", "post_only"
    ),
    "limit_limit_fok": _shape("LIMIT", TimeInForce.FOK, "base_size limit_price"),
    "stop_limit_stop_limit_gtc": _shape(STOP_LIMIT, TimeInForce.GTC, _STOP),
    "stop_limit_stop_limit_gtd": _shape(STOP_LIMIT, TimeInForce.GTD, f"{_STOP} end_time"),
    "trigger_bracket_gtc": _shape(BRACKET, TimeInForce.GTC, f"base_size {_EXITS}"),
    "trigger_bracket_gtd": _shape(BRACKET, TimeInForce.GTD, f"base_size {_EXITS} end_time"),
}


@attrs.frozen(kw_only=True)
class Terms:
    """An order as it was asked for."""

    listing: Listing
    """The product."""
    side: OrderSide
    """Buy or sell."""
    kind: str
    """The configuration's name."""
    configuration: Mapping[str, Any]
    """Its fields, as they were sent."""
    shape: Shape
    """What it is."""
    base_size: Decimal | None = None
    """How much, in order units. None: `quote_size` says it."""
    quote_size: Decimal | None = None
    """How much, in quote currency, the fee included. None: `base_size` says it."""
    limit_price: Decimal | None = None
    """The limit; of a bracket, the profitable exit's. None: a market order."""
    stop_price: Decimal | None = None
    """The trigger. None: it has none."""
    end_time: datetime | None = None
    """When it ends. None: it does not by itself."""
    post_only: bool = False
    """Rather be refused than take liquidity."""
    reduce_only: bool = False
    """Never open or turn a position."""
    take_profit: Decimal | None = None
    """The limit of an attached bracket. None: none is attached."""
    stop_loss: Decimal | None = None
    """The trigger of an attached bracket. None: none is attached."""

    @property
    def as_sent(self) -> dict[str, object]:
        """The configuration as it is told."""
        return {self.kind: dict(self.configuration)}

    @property
    def waits_for_return(self) -> bool:
        """Whether its trigger is where a price comes back to: below for a buy, above for a sale."""
        if self.shape.order_type != STOP_LIMIT:
            return False
        return DIRECTIONS.get(str(self.configuration.get("stop_direction"))) is not self.side

    @property
    def first_price(self) -> Decimal | None:
        """The limit until its trigger is reached, for one that waits for a price to come back.

        A limit order at the trigger, or at the limit where that is better, trades at no price at
        which the trigger was not reached.
        """
        stop, limit = self.stop_price, self.limit_price
        if not self.waits_for_return or stop is None or limit is None:
            return limit
        return min(stop, limit) if self.side is OrderSide.BUY else max(stop, limit)

    def requests(self, taker_rate: Decimal) -> tuple[OrderRequest, ...]:
        """Return what the engine is asked: one order, or the two exits of a bracket.

        Raises:
            InvalidFieldError: the terms make no sense together.
        """
        tif = self.shape.tif
        shared: dict[str, Any] = {
            "symbol": self.listing.product.symbol,
            "side": self.side,
            "time_in_force": tif,
            "expires_at": self.end_time,
            "reduce_only": self.reduce_only,
        }
        if self.shape.order_type == "MARKET":
            return (OrderRequest(**shared, **self._amount(taker_rate), **self._exits()),)
        shared["quantity"] = self.base_size
        if self.shape.order_type == STOP_LIMIT and not self.waits_for_return:
            stop: dict[str, Any] = {"price": self.limit_price, "stop_price": self.stop_price}
            return (OrderRequest(**shared, **stop, type=OrderType.STOP_LIMIT),)
        if self.shape.order_type == BRACKET:
            return (
                OrderRequest(**shared, type=OrderType.LIMIT, price=self.limit_price),
                OrderRequest(**shared, type=OrderType.STOP, stop_price=self.stop_price),
            )
        limit: dict[str, Any] = {"price": self.first_price, "post_only": self.post_only}
        return (OrderRequest(**shared, **limit, **self._exits(), type=OrderType.LIMIT),)

    def _amount(self, taker_rate: Decimal) -> dict[str, Any]:
        if self.quote_size is None:
            return {"quantity": self.base_size}
        # What is spent includes the fee: the value is what is left of it.
        whole = EXACT.add(Decimal(1), taker_rate)
        return {"notional": divide(self.quote_size, whole, 8, Rounding.DOWN)}

    def _exits(self) -> dict[str, Any]:
        exits: dict[str, Any] = {}
        if self.take_profit is not None:
            exits["take_profit"] = TakeProfit(price=self.take_profit)
        if self.stop_loss is not None:
            exits["stop_loss"] = StopLoss(stop_price=self.stop_loss)
        return exits


def read_terms(body: Mapping[str, Any], listing: Listing) -> Terms:
    """Return what the body of a placement or of a preview asks for.

    Raises:
        ValueError: it cannot be understood (a 400).
        OrderRefusedError: it can, and is refused inside a 200.
    """
    side = SIDES.get(str(body.get("side")))
    if side is None:
        raise OrderRefusedError(refusals.SIDE)
    kind, fields = _only(body.get("order_configuration"), "order_configuration")
    if kind not in SHAPES:
        raise OrderRefusedError(refusals.UNSUPPORTED)
    shape = SHAPES[kind]
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    if shape.order_type == "MARKET" and len({"base_size", "quote_size"} & set(given)) != 1:
        raise OrderRefusedError(refusals.EMPTY_SIZE)
    if missing := sorted(shape.needed - set(given)):
        raise ValueError(f"order_configuration.{kind}: {', '.join(missing)} is needed")
    if strange := sorted(set(given) - shape.needed - shape.optional):
        raise ValueError(f"order_configuration.{kind}: there is no {', '.join(strange)}")
    terms = Terms(
        listing=listing,
        side=side,
        kind=kind,
        configuration=fields,
        shape=shape,
        base_size=_amount(given, "base_size"),
        quote_size=_amount(given, "quote_size"),
        limit_price=_amount(given, "limit_price"),
        stop_price=_amount(given, "stop_price") or _amount(given, "stop_trigger_price"),
        end_time=moment_from_text(str(given["end_time"])) if "end_time" in given else None,
        post_only=_flag(given, "post_only"),
        reduce_only=_flag(given, "reduce_only"),
        **_attached(body),
    )
    _check_amounts(terms)
    return terms


def _attached(body: Mapping[str, Any]) -> dict[str, Decimal | None]:
    given = body.get("attached_order_configuration")
    if not given:
        return {}
    kind, fields = _only(given, "attached_order_configuration")
    if kind not in ("trigger_bracket_gtc", "trigger_bracket_gtd"):
        raise OrderRefusedError(refusals.UNSUPPORTED)
    return {
        "take_profit": _amount(fields, "limit_price"),
        "stop_loss": _amount(fields, "stop_trigger_price"),
    }


def _only(value: object, name: str) -> tuple[str, Mapping[str, Any]]:
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"{name} has exactly one configuration")
    kind, fields = next(iter(value.items()))
    if not isinstance(fields, dict):
        raise ValueError(f"{name}.{kind} is an object")
    return str(kind), fields


def _amount(fields: Mapping[str, Any], name: str) -> Decimal | None:
    text = fields.get(name)
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise ValueError(f"{name} is {text!r}: a number in a string is needed")
    amount = decimal_from_text(text, name)
    if amount <= 0:
        raise ValueError(f"{name} is {text}: it has to be above zero")
    return amount


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}: true or false is needed")
    return value


def _check_amounts(terms: Terms) -> None:
    """Refuse what is off the product's steps or out of its bounds, in the API's order."""
    product, listing = terms.listing.product, terms.listing
    size, quote = terms.base_size, terms.quote_size
    prices = (terms.limit_price, terms.stop_price, terms.take_profit, terms.stop_loss)
    price = terms.limit_price or terms.stop_price
    value = None
    if size is not None and price is not None:
        value = EXACT.multiply(EXACT.multiply(size, price), product.multiplier)
    least, most = product.min_order_size or Decimal(0), product.max_order_size
    checks: tuple[tuple[bool, Refusal], ...] = (
        (size is not None and size < least, refusals.BASE_TOO_SMALL),
        (size is not None and most is not None and size > most, refusals.BASE_TOO_LARGE),
        (_is_off(size, product.size_increment), refusals.SIZE_PRECISION),
        (any(_is_off(one, product.price_increment) for one in prices), refusals.PRICE_PRECISION),
        (_is_off(quote, product.price_increment), refusals.QUOTE_PRECISION),
        (quote is not None and terms.side is OrderSide.SELL, refusals.UNSUPPORTED),
        (_is_below(quote, product.min_notional), refusals.QUOTE_TOO_SMALL),
        (_is_below(value, product.min_notional), refusals.QUOTE_TOO_SMALL),
        (quote is not None and quote > listing.quote_max, refusals.QUOTE_TOO_LARGE),
    )
    for fails, refusal in checks:
        if fails:
            raise OrderRefusedError(refusal)


def check_stop(terms: Terms, last: Decimal) -> None:
    """Refuse a trigger on the wrong side of the last trade, or of its own limit.

    Raises:
        OrderRefusedError: it is.
    """
    stop, limit, up = terms.stop_price, terms.limit_price, terms.side is OrderSide.BUY
    if stop is None or limit is None:
        return
    if terms.shape.order_type == BRACKET:
        if (limit > last) is up:
            raise OrderRefusedError(refusals.LIMIT_PRICE)
        if (stop < last) is up:
            raise OrderRefusedError(refusals.STOP_PRICE)
        return
    _check_trigger(terms, stop, limit, last)


def _check_trigger(terms: Terms, stop: Decimal, limit: Decimal, last: Decimal) -> None:
    # The direction says on which side of the last trade the trigger is, whatever the side.
    direction = DIRECTIONS.get(str(terms.configuration.get("stop_direction")))
    if direction is OrderSide.BUY and stop <= last:
        raise OrderRefusedError(refusals.STOP_BELOW_LAST)
    if direction is OrderSide.SELL and stop >= last:
        raise OrderRefusedError(refusals.STOP_ABOVE_LAST)
    if terms.waits_for_return:
        return
    if terms.side is OrderSide.BUY and limit < stop:
        raise OrderRefusedError(refusals.STOP_ABOVE_LIMIT)
    if terms.side is OrderSide.SELL and limit > stop:
        raise OrderRefusedError(refusals.STOP_BELOW_LIMIT)


def _is_off(value: Decimal | None, step: Decimal | None) -> bool:
    return value is not None and step is not None and EXACT.remainder(value, step) != 0


def _is_below(value: Decimal | None, least: Decimal | None) -> bool:
    return value is not None and least is not None and value < least
