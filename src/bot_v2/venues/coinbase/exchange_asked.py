"""What a placement on the Exchange API asks for.

Sources: https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/orders/create-new-order;
that a client_oid is a UUID: https://github.com/coinbase/coinbase-pro-node/issues/345
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_from_text, divide
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType, TimeInForce
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.exchange_dialect import refused
from bot_v2.venues.coinbase.listings import Listing

ZERO: Final = Decimal(0)

SIDES: Final = {"buy": OrderSide.BUY, "sell": OrderSide.SELL}
STOP_SIDES: Final = {"loss": OrderSide.SELL, "entry": OrderSide.BUY}
TIFS: Final = {
    "GTC": TimeInForce.GTC,
    "GTT": TimeInForce.GTD,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}
CANCEL_AFTER: Final = {
    "min": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


def asked_in(
    body: Mapping[str, Any], listing: Listing, now: datetime, account: VenueAccount
) -> tuple[OrderRequest, Decimal | None]:
    """Return the order that a body asks for, and what it is to spend, fees included.

    Raises:
        RefusedError: it is none, or the product's sizes forbid it.
    """
    side = SIDES.get(str(body.get("side")))
    kind = str(body.get("type") or "limit")
    if side is None:
        raise refused(400, "invalid side")
    if kind not in ("limit", "market", "stop"):
        raise refused(400, "invalid type")
    size, funds = _amount(body, "size"), _amount(body, "funds")
    price, stop = _amount(body, "price"), _amount(body, "stop_price")
    _check(listing, size, funds, (price, stop))
    terms: dict[str, Any] = {"symbol": listing.product.symbol, "side": side}
    if kind == "market":
        return _market(terms, size, funds, account)
    if size is None or price is None:
        raise refused(400, "size and price are required")
    word = str(body.get("time_in_force") or "GTC")
    if word not in TIFS:
        raise refused(400, "invalid time_in_force")
    terms |= {"quantity": size, "price": price, "time_in_force": TIFS[word]}
    if word == "GTT":
        after = CANCEL_AFTER.get(str(body.get("cancel_after") or "min"))
        if after is None:
            raise refused(400, "invalid cancel_after")
        terms["expires_at"] = now + after
    if stop is None:
        post_only = body.get("post_only") is True
        return OrderRequest(**terms, type=OrderType.LIMIT, post_only=post_only), None
    asked = body.get("stop")
    if asked is not None and STOP_SIDES.get(str(asked)) is not side:
        raise refused(400, "stop loss orders sell, and stop entry orders buy")
    return OrderRequest(**terms, type=OrderType.STOP_LIMIT, stop_price=stop), None


def _market(
    terms: dict[str, Any], size: Decimal | None, funds: Decimal | None, account: VenueAccount
) -> tuple[OrderRequest, Decimal | None]:
    ioc = {**terms, "time_in_force": TimeInForce.IOC}
    if (size is None) == (funds is None):
        raise refused(400, "size or funds is required")
    if funds is None:
        return OrderRequest(**ioc, quantity=size), None
    # What is spent includes the fee: the value is what is left of it.
    rate = account.engine.get_fees(terms["symbol"]).taker or ZERO
    value = divide(funds, EXACT.add(Decimal(1), rate), 8, Rounding.DOWN)
    return OrderRequest(**ioc, notional=value), funds


def _check(
    listing: Listing,
    size: Decimal | None,
    funds: Decimal | None,
    prices: tuple[Decimal | None, ...],
) -> None:
    product = listing.product
    least, most = product.min_order_size or ZERO, product.max_order_size
    step, tick = product.size_increment, product.price_increment
    if size is not None and size < least:
        raise refused(400, f"size is too small. Minimum size is {least}")
    if size is not None and most is not None and size > most:
        raise refused(400, f"size is too large. Maximum size is {most}")
    if size is not None and step is not None and EXACT.remainder(size, step):
        raise refused(400, "size too precise")
    if any(one is not None and tick and EXACT.remainder(one, tick) for one in prices):
        raise refused(400, "price too precise")
    price = prices[0]
    value = funds if size is None or price is None else EXACT.multiply(size, price)
    if value is not None and value < (product.min_notional or ZERO):
        raise refused(400, "funds is too small")


def _amount(body: Mapping[str, Any], name: str) -> Decimal | None:
    value = body.get(name)
    if value in (None, ""):
        return None
    # The API takes numbers in strings and as such; a JSON number is read exactly.
    amount = decimal_from_text(str(value), name)
    if amount <= 0:
        raise refused(400, f"{name} is too small")
    return amount


def uuid_from_text(text: str) -> UUID | None:
    """Return the UUID that a text is, with hyphens or without. None: it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def client_oid_in(body: Mapping[str, Any]) -> UUID | None:
    """Return the tag that a body gives an order. None: it gives none.

    Raises:
        RefusedError: it is no UUID.
    """
    said = body.get("client_oid")
    if said is None:
        return None
    client_oid = uuid_from_text(said) if isinstance(said, str) else None
    if client_oid is None:
        raise refused(400, "Invalid client_oid")
    return client_oid
