"""Exact decimals: text in, text out, and arithmetic that refuses to round in silence."""

from __future__ import annotations

import re
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from enum import StrEnum
from typing import Final

from bot_v2.features.brokerages.core.errors import InvalidFieldError

EXACT: Final = Context(
    prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow], Emax=999999, Emin=-999999
)
"""Arithmetic on money: a result that does not fit in 200 digits raises, it is never rounded.

The default context of `decimal` rounds to 28 digits without a word.
"""

# Brokers print plain or scientific notation. `Decimal()` itself also takes "NaN", " 1.5 ",
# "1_000" and full-width digits, none of which is a number that a broker may have meant.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)


class Rounding(StrEnum):
    """How to round, named at each call: nothing rounds unless the caller asks by name."""

    DOWN = ROUND_DOWN
    """Towards zero: never more than there was."""
    UP = ROUND_UP
    """Away from zero: never less than there was."""
    FLOOR = ROUND_FLOOR
    """To the next lower: a bid that is never above."""
    CEILING = ROUND_CEILING
    """To the next higher: an ask that is never below."""
    HALF_EVEN = ROUND_HALF_EVEN
    """To the nearest, ties to the even digit."""


def decimal_from_text(text: str, field: str = "decimal") -> Decimal:
    """Return the number exactly as printed, trailing zeros and exponent included.

    Args:
        text: plain or scientific notation, ASCII digits only.
        field: what the number is, for the error.

    Raises:
        InvalidFieldError: the text is empty, NaN, infinite or no number.
    """
    # Most numbers are digits with a point at most: that is seen faster than by the expression, and
    # of such text `Decimal()` refuses what is none ("", ".", "1.2.3").
    if type(text) is str and not text.strip("0123456789."):
        try:
            return Decimal(text)
        except InvalidOperation:
            pass
    if type(text) is not str or _NUMBER.fullmatch(text) is None:
        raise InvalidFieldError(field, text, "the text of a finite number, such as '1.50'")
    return Decimal(text)


def decimal_or_none(text: str | None, field: str = "decimal") -> Decimal | None:
    """Return the number, or None where the broker printed none ('' or null).

    Raises:
        InvalidFieldError: the text is neither empty nor a number.
    """
    return None if text is None or text == "" else decimal_from_text(text, field)


def decimal_to_text(value: Decimal) -> str:
    """Return plain notation for the wire: `str(Decimal('1E-8'))` would send `1E-8`."""
    return format(value, "f")


def rescale(value: Decimal, places: int) -> Decimal:
    """Move the decimal point exactly: paise to rupees is `rescale(value, -2)`."""
    return value.scaleb(places, EXACT)


def round_to_places(value: Decimal, places: int, rounding: Rounding) -> Decimal:
    """Round to a number of decimal places, in the direction named."""
    context = EXACT.copy()
    context.traps[Inexact] = False
    return value.quantize(Decimal(1).scaleb(-places), rounding=rounding.value, context=context)


def divide(value: Decimal, by: Decimal, places: int, rounding: Rounding) -> Decimal:
    """Divide and round to `places` decimal places: no quotient is exact in general.

    Raises:
        decimal.DivisionByZero: `by` is zero.
    """
    context = EXACT.copy()
    context.traps[Inexact] = False
    # The quotient is first cut, not rounded, so that the one rounding is the one asked for. A
    # cut digit beyond 200 could only matter on an exact tie, which a cut quotient is not.
    context.rounding = ROUND_DOWN
    context.clear_flags()
    quotient = context.divide(value, by)
    if context.flags[Inexact]:
        quotient = context.next_plus(quotient) if quotient > 0 else context.next_minus(quotient)
    return round_to_places(quotient, places, rounding)
