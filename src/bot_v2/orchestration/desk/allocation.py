"""Divides a quantity among accounts in each one's steps; what the steps leave is never lost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, decimal_to_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError

_ZERO: Final = Decimal(0)


@attrs.frozen(kw_only=True)
class Taker:
    """An account that can take a part, and in which sizes."""

    broker: str
    """The brokerage's name in the desk."""
    weight: Decimal
    """Its part, beside the weights of the others; 0 or more, and at 0 it takes nothing."""
    step: Decimal
    """The step between quantities that it takes, in order units; above zero."""
    least: Decimal = _ZERO
    """The smallest quantity that it takes, in order units."""
    most: Decimal | None = None
    """The largest quantity that it takes, in order units. None: it does not say."""


@attrs.frozen(kw_only=True)
class Part:
    """What one account takes."""

    broker: str
    """The brokerage's name in the desk."""
    quantity: Decimal
    """All that it takes, in order units; a whole number of its steps."""
    remainder: Decimal
    """How much of that is what the steps and bounds of all left over."""


@attrs.frozen(kw_only=True)
class LeftOut:
    """An account that takes nothing, or less than its part."""

    broker: str
    """The brokerage's name in the desk."""
    reason: str
    """Why, for a person."""


@attrs.frozen(kw_only=True)
class Division:
    """Who takes how much: the parts and `unplaced` are together what was asked for, exactly."""

    parts: tuple[Part, ...]
    """The parts, without those that are nothing, in the order of the accounts."""
    unplaced: Decimal
    """What no account can take, in order units."""
    left_out: tuple[LeftOut, ...]
    """The accounts that do not get their part, and why."""


def divide_quantity(quantity: Decimal, takers: Sequence[Taker]) -> Division:
    """Return who takes how much.

    Each part is cut to the account's step. The remainder goes as a whole to the heaviest account
    that can take it; where none can, in steps to whoever takes some, the coarsest steps first.

    Args:
        quantity: what is to be divided, in order units; above zero.
        takers: the accounts.

    Raises:
        InvalidFieldError: the quantity is not above zero, or no account has a weight above zero.
    """
    if quantity <= 0:
        raise InvalidFieldError("OrderRequest.quantity", quantity, "a Decimal above zero")
    weighing = [taker for taker in takers if taker.weight > 0]
    if not weighing:
        raise InvalidFieldError("weights", [], "an account with a weight above zero")
    whole = sum((Fraction(taker.weight) for taker in weighing), Fraction(0))
    given: dict[str, Decimal] = {}
    left_out: dict[str, str] = {}
    for taker in takers:
        exact = Fraction(quantity) * Fraction(taker.weight) / whole
        part, reason = _part(taker, exact)
        given[taker.broker] = part
        if reason is not None:
            left_out[taker.broker] = reason
    rest = EXACT.subtract(quantity, _total(given))
    extra = _place(rest, weighing, given)
    parts = []
    for taker in takers:
        more = extra.get(taker.broker, _ZERO)
        taken = EXACT.add(given[taker.broker], more)
        if taken:
            parts.append(Part(broker=taker.broker, quantity=taken, remainder=more))
    return Division(
        parts=tuple(parts),
        unplaced=EXACT.subtract(rest, _total(extra)),
        left_out=tuple(
            LeftOut(broker=broker, reason=reason)
            for broker, reason in left_out.items()
            if broker not in extra
        ),
    )


def _part(taker: Taker, exact: Fraction) -> tuple[Decimal, str | None]:
    """Return an account's part in its steps, and why it is not the part that it was to get."""
    if not taker.weight:
        return _ZERO, "its weight is zero"
    part = _whole_steps(exact, taker.step)
    if taker.most is not None and part > taker.most:
        part = _whole_steps(Fraction(taker.most), taker.step)
        return part, f"its part is cut to {_plain(part)}: it takes at most {_plain(taker.most)}"
    if not part:
        return _ZERO, f"its part is below one step, {_plain(taker.step)}"
    if part < taker.least:
        return _ZERO, f"its part, {_plain(part)}, is below the least, {_plain(taker.least)}"
    return part, None


def _place(rest: Decimal, takers: Sequence[Taker], given: dict[str, Decimal]) -> dict[str, Decimal]:
    """Return what of the remainder goes to whom."""
    for taker in sorted(takers, key=lambda one: -one.weight):
        if rest and _takes(taker, given[taker.broker], rest):
            return {taker.broker: rest}
    extra: dict[str, Decimal] = {}
    for taker in sorted(takers, key=lambda one: (-one.step, -one.weight)):
        has = given[taker.broker]
        room = Fraction(rest)
        if taker.most is not None:
            room = min(room, Fraction(taker.most) - Fraction(has))
        more = _whole_steps(room, taker.step)
        if more > 0 and _takes(taker, has, more):
            extra[taker.broker] = more
            rest = EXACT.subtract(rest, more)
    return extra


def _takes(taker: Taker, has: Decimal, more: Decimal) -> bool:
    total = EXACT.add(has, more)
    is_on_step = not EXACT.remainder(total, taker.step)
    return is_on_step and total >= taker.least and (taker.most is None or total <= taker.most)


def _whole_steps(amount: Fraction, step: Decimal) -> Decimal:
    count = amount // Fraction(step)
    return EXACT.multiply(Decimal(count), step)


def _total(parts: dict[str, Decimal]) -> Decimal:
    total = _ZERO
    for part in parts.values():
        total = EXACT.add(total, part)
    return total


def _plain(amount: Decimal) -> str:
    return decimal_to_text(amount)
