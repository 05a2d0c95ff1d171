"""What bodies of requests hold: numbers, choices, switches, prices on a grid."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.decimals import EXACT, decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.increments import price_increment_at
from bot_v2.venues.alpaca.dialect import bad_parameter, unprocessable
from bot_v2.venues.alpaca.listings import Listing

CLIENT_ID_MAX: Final = 128


def client_order_id(body: Mapping[str, Any]) -> str | None:
    """Return the caller's id. None: there is none.

    Raises:
        RefusedError: 422, it is too long, or no text.
    """
    given = body.get("client_order_id")
    if given in (None, ""):
        return None
    if not isinstance(given, str):
        raise bad_parameter("client_order_id must be a string")
    if len(given) > CLIENT_ID_MAX:
        raise bad_parameter(f"client_order_id must be no more than {CLIENT_ID_MAX} characters")
    return given


def amount(body: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a number, which may come as text. None: it is not there.

    Raises:
        RefusedError: 422, it is no number.
    """
    value = body.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise bad_parameter(f"invalid {name}")
    try:
        return decimal_from_text(str(value), name)
    except InvalidFieldError as error:
        raise bad_parameter(f"invalid {name}") from error


def positive(body: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a number above zero. None: it is not there.

    Raises:
        RefusedError: 422, it is not above zero.
    """
    value = amount(body, name)
    if value is not None and value <= 0:
        raise bad_parameter(f"{name} must be > 0")
    return value


def check_price(listing: Listing, name: str, price: Decimal) -> None:
    """Refuse a price off the grid.

    Raises:
        RefusedError: 422.
    """
    step = price_increment_at(listing.product, price)
    if step is not None and EXACT.remainder(price, step) != 0:
        raise unprocessable(
            f"invalid {name} {price}. sub-penny increment does not fulfill minimum pricing criteria"
        )


def price_on_grid(body: Mapping[str, Any], name: str, listing: Listing) -> Decimal | None:
    """Return a price of a listing. None: it is not there.

    Raises:
        RefusedError: 422, it is not above zero, or off the grid.
    """
    price = positive(body, name)
    if price is not None:
        check_price(listing, name, price)
    return price


def choice(
    body: Mapping[str, Any],
    name: str,
    accepted: tuple[str, ...],
    default: str | None = None,
    message: str = "",
) -> str:
    """Return one of some texts.

    Raises:
        RefusedError: 422, it is none of them, or missing where there is no default.
    """
    value = body.get(name)
    if value in (None, "") and default is not None:
        return default
    if value not in accepted:
        raise bad_parameter(message or f"invalid {name}")
    return str(value)


def flag(body: Mapping[str, Any], name: str) -> bool:
    """Return a switch; off where it is not there.

    Raises:
        RefusedError: 422, it is neither on nor off.
    """
    value = body.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise bad_parameter(f"invalid {name}")
    return value
