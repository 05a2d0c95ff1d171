"""Steps that two brokerages share."""

from __future__ import annotations

import math
from decimal import Decimal

from bot_v2.features.brokerages.core.decimals import EXACT


def common_multiple(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """Return the smallest step that is a whole number of both steps; exact.

    None stands for a step that is not stated, which fits every other.
    """
    if one is None or other is None:
        return other if one is None else one
    places = min(_exponent(one), _exponent(other), 0)
    scaled = [int(step.scaleb(-places, EXACT)) for step in (one, other)]
    return Decimal(math.lcm(*scaled)).scaleb(places, EXACT)


def _exponent(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    # A step is finite: only NaN and infinity have letters for an exponent.
    return exponent if isinstance(exponent, int) else 0
