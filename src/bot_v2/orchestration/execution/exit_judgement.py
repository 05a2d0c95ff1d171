"""What a look at an entry and its exits means, once the position is known as well."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.orchestration.execution.exit_group import (
    EXCESSIVE,
    UNPROTECTED,
    Danger,
    find_dangers,
)
from bot_v2.orchestration.execution.exit_reading import Look
from bot_v2.orchestration.execution.fingerprint import ZERO
from bot_v2.orchestration.execution.reading import read, read_held
from bot_v2.orchestration.execution.report import FailedRead

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage


@attrs.frozen(kw_only=True)
class Judgement:
    """What a look means."""

    dangers: tuple[Danger, ...]
    """What is wrong by this look."""
    position: Decimal | None
    """The signed position. None: it was not needed, or the broker does not say."""
    is_over: bool
    """Whether nothing is left to watch."""


def judge(broker: IBrokerage, look: Look, failed: list[FailedRead]) -> Judgement | None:
    """Return what a look means. None: a read failed, so that it means nothing.

    Args:
        broker: tells the position, where something is wrong.
        look: what is shown.
        failed: takes the reads that failed.
    """
    group = look.group
    found = find_dangers(group)
    position = held = step = None
    if any(each.cause in UNPROTECTED | EXCESSIVE for each in found):
        try:
            position = read_held(broker, group.symbol)
            product = read("get_product", lambda: broker.get_product(group.symbol))
        except BrokerageError as error:
            failed.append(FailedRead(method="get_position", error=error))
            return None
        held = None if position is None else group.held(position)
        # What is left of a fee in the asset itself can be less than any order can be for.
        step = product.size_increment
    dangers = []
    is_flat = True
    for danger in found:
        if danger.cause in UNPROTECTED and held is not None:
            # Whoever closed it, or protects it by a stop of another kind: then all is well.
            stops = EXACT.add(group.covered, look.stops_of_others)
            bare = min(danger.quantity, EXACT.subtract(held, stops))
            is_flat &= _is_none(held, step)
            if not _is_none(bare, step):
                dangers.append(attrs.evolve(danger, quantity=bare))
        elif danger.cause in EXCESSIVE and held is not None:
            is_flat &= held >= ZERO
            dangers.append(danger)
        else:
            is_flat = False
            dangers.append(danger)
    return Judgement(
        dangers=tuple(dangers),
        position=position,
        is_over=group.has_ended and not look.is_pending and is_flat,
    )


def _is_none(quantity: Decimal, step: Decimal | None) -> bool:
    """Return whether a quantity is less than any order can be for."""
    return quantity <= ZERO or (step is not None and quantity < step)
