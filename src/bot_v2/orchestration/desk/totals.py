"""Sums over brokerages, in one currency each; and what they are in another, by a stated price."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import InvalidFieldError

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)


@attrs.frozen(kw_only=True)
class Amount:
    """What one brokerage says of one currency."""

    broker: str
    """The brokerage's name in the desk."""
    currency: str
    """The currency."""
    amount: Decimal | None
    """How much. None: the brokerage answered, and does not say."""
    as_of: datetime
    """As of when."""


@attrs.frozen(kw_only=True)
class Total:
    """A sum over brokerages, in one currency."""

    currency: str
    """The currency."""
    amount: Decimal
    """The sum of what is said."""
    as_of: datetime
    """As of when its oldest part is."""
    brokers: tuple[str, ...]
    """Whose amounts are in it."""
    unsaid: tuple[str, ...] = ()
    """Who answered, and does not say: the sum is without theirs."""


def totals_of(amounts: Iterable[Amount]) -> tuple[Total, ...]:
    """Return the sum of each currency, by its name; a currency that nobody says has none."""
    by_currency: dict[str, list[Amount]] = {}
    for one in amounts:
        by_currency.setdefault(one.currency, []).append(one)
    totals = []
    for currency, parts in sorted(by_currency.items()):
        said = [(one, one.amount) for one in parts if one.amount is not None]
        if not said:
            continue
        amount = _ZERO
        for _, value in said:
            amount = EXACT.add(amount, value)
        totals.append(
            Total(
                currency=currency,
                amount=amount,
                as_of=min(one.as_of for one, _ in said),
                brokers=names(one.broker for one, _ in said),
                unsaid=names(one.broker for one in parts if one.amount is None),
            )
        )
    return tuple(totals)


def names(brokers: Iterable[str]) -> tuple[str, ...]:
    """Return each name once, in the order in which they come."""
    return tuple(dict.fromkeys(brokers))


@attrs.frozen(kw_only=True)
class Rate:
    """The price of one currency in another, as somebody said it at a time.

    Raises:
        InvalidFieldError: the price is not above zero.
    """

    base: str
    """What is priced."""
    quote: str
    """What the price is in."""
    price: Decimal
    """How much of `quote` one of `base` costs."""
    as_of: datetime
    """As of when."""
    source: str
    """Who says so: a brokerage's name, or the caller's own word."""

    def __attrs_post_init__(self) -> None:
        if type(self.price) is not Decimal or not self.price.is_finite() or self.price <= 0:
            raise InvalidFieldError("Rate.price", self.price, "a finite Decimal above zero")


@attrs.frozen(kw_only=True)
class ConvertedPart:
    """One currency's total, in another currency."""

    total: Total
    """What is converted."""
    amount: Decimal
    """What it is in the other currency."""
    rate: Rate | None
    """The price that it was converted by. None: it is in that currency already."""
    rate_age_s: float | None
    """How old the price was, in seconds. None: there is none."""
    is_rounded: bool
    """True: the price is of the other currency in this one, and the quotient was rounded."""


@attrs.frozen(kw_only=True)
class Unconverted:
    """A total that is not in the sum."""

    total: Total
    """What is left out."""
    reason: str
    """Why."""


@attrs.frozen(kw_only=True)
class Conversion:
    """Totals of several currencies as one amount, and what could not be part of it."""

    currency: str
    """The currency of the amount."""
    amount: Decimal
    """The sum of the parts."""
    parts: tuple[ConvertedPart, ...]
    """What it is made of."""
    unconverted: tuple[Unconverted, ...]
    """What it is without."""
    as_of: datetime | None
    """As of when its oldest amount or price is. None: it has no part."""


def convert(
    totals: Sequence[Total],
    currency: str,
    rates: Sequence[Rate],
    *,
    now: datetime,
    age_max_s: float,
    places: int = 8,
) -> Conversion:
    """Return totals in one currency; no price is assumed, and none is chained from two.

    Args:
        totals: what to convert.
        currency: the currency to convert to.
        rates: the prices that may be used. A direct one is exact; the inverse of one is rounded
            half to even. Of several the latest counts.
        now: the present moment.
        age_max_s: how old a price may be, in seconds.
        places: how many decimal places a quotient has.
    """
    parts: list[ConvertedPart] = []
    left: list[Unconverted] = []
    amount = _ZERO
    for total in totals:
        if total.currency == currency:
            part = ConvertedPart(
                total=total, amount=total.amount, rate=None, rate_age_s=None, is_rounded=False
            )
        else:
            rate = rate_between(total.currency, currency, rates)
            if rate is None:
                why = f"no price of {total.currency} in {currency} was given"
                left.append(Unconverted(total=total, reason=why))
                continue
            age = now - rate.as_of
            if age > timedelta(seconds=age_max_s):
                why = f"the price of {total.currency} in {currency} is {age} old"
                left.append(Unconverted(total=total, reason=why))
                continue
            is_direct = rate.base == total.currency
            part = ConvertedPart(
                total=total,
                amount=(
                    EXACT.multiply(total.amount, rate.price)
                    if is_direct
                    else divide(total.amount, rate.price, places, Rounding.HALF_EVEN)
                ),
                rate=rate,
                rate_age_s=age.total_seconds(),
                is_rounded=not is_direct,
            )
        parts.append(part)
        amount = EXACT.add(amount, part.amount)
    moments = [part.total.as_of for part in parts]
    moments += [part.rate.as_of for part in parts if part.rate is not None]
    return Conversion(
        currency=currency,
        amount=amount,
        parts=tuple(parts),
        unconverted=tuple(left),
        as_of=min(moments, default=None),
    )


def rate_between(base: str, quote: str, rates: Iterable[Rate]) -> Rate | None:
    """Return the latest price of one currency in another, direct before inverse. None: none."""
    fits: list[Callable[[Rate], bool]] = [
        lambda rate: (rate.base, rate.quote) == (base, quote),
        lambda rate: (rate.base, rate.quote) == (quote, base),
    ]
    known = list(rates)
    for fit in fits:
        found = [rate for rate in known if fit(rate)]
        if found:
            return max(found, key=lambda rate: rate.as_of)
    return None


def rate_for(currency: str, into: str, rates: Iterable[Rate]) -> Decimal | None:
    """Return an exact factor from one currency into another. None: no direct price is given."""
    if currency == into:
        return _ONE
    rate = rate_between(currency, into, rates)
    return rate.price if rate is not None and rate.base == currency else None
