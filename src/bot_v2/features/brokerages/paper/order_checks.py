"""Checks what a bot asks for before anything is sent, and says it in the exchange's own terms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.core.symbols import resolve_symbol

AUCTIONS: Final = (TimeInForce.OPG, TimeInForce.CLS)
"""What the simulated market has none of."""


def resolve(symbol: str, products: Collection[str]) -> str:
    """Return the canonical symbol of what a user typed: canonical, `@native`, or bare native.

    The exchange's own name of a product is its canonical one.

    Raises:
        InvalidSymbolError: there is no such product.
    """
    return resolve_symbol(symbol, products, {name.removeprefix("@"): name for name in products})


def check_account(account_id: str | None, bound: str) -> None:
    """Refuse a request for another account.

    Raises:
        InvalidFieldError: it is not the bound one.
    """
    if account_id not in (None, bound):
        raise InvalidFieldError(
            "OrderRequest.account_id", account_id, f"{bound!r}, the account that this is bound to"
        )


def prepare(
    request: OrderRequest, products: Mapping[str, Product], account_id: str
) -> OrderRequest:
    """Return the request under its product's canonical symbol; all else is sent as it was asked.

    Raises:
        InvalidRequestError: it cannot be sent as asked (NOT_SENT).
    """
    check_account(request.account_id, account_id)
    for name in request.broker_options:
        raise InvalidFieldError(
            "OrderRequest.broker_options", name, "no options: the paper brokerage has none"
        )
    if request.legs:
        raise UnsupportedOperationError(
            f"orders of several legs are not supported: see {Capability.MULTI_LEG!r} in "
            "`capabilities`",
            symbol=request.symbol,
        )
    if request.time_in_force in AUCTIONS:
        raise InvalidFieldError(
            "OrderRequest.time_in_force",
            request.time_in_force,
            "any but OPG and CLS: the simulated market has no auctions",
        )
    symbol = resolve(request.symbol, products)
    check_order_request(products[symbol], request)
    return request if symbol == request.symbol else attrs.evolve(request, symbol=symbol)
