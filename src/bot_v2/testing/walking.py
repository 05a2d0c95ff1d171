"""Walking through what a brokerage returns, value by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import capability_reads_of, reads_of

MODELS = "bot_v2.features.brokerages.core."
"""Where the models live."""


def is_model(value: object) -> bool:
    """Return whether a value is an instance of one of core's attrs models."""
    return attrs.has(type(value)) and type(value).__module__.startswith(MODELS)


def values_in(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield a value and everything inside it, with its path, such as `list_orders[0].price`."""
    yield path, value
    kind: Any = type(value)
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from values_in(item, f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from values_in(item, f"{path}[{index}]")
    elif attrs.has(kind):
        for field in attrs.fields(kind):
            yield from values_in(getattr(value, field.name), f"{path}.{field.name}")


def returned_values(ctx: CheckContext) -> Iterator[tuple[str, object]]:
    """Yield every value that the reads return, while one order rests and others ended.

    A read that has nothing to give now is left out; that it should is another card's matter.
    """
    returned: dict[str, object] = {"place_order": ctx.place()}
    order_id = ctx.place_resting()
    if ctx.has_venue:
        ctx.trade()
        ctx.venue.fill(order_id, ctx.market.unit, ctx.market.resting_price())
    cancelled = ctx.place_resting()
    ctx.broker.cancel_order(cancelled)
    calls = {**reads_of(ctx, order_id), **capability_reads_of(ctx)}
    for name, call in calls.items():
        try:
            returned[name] = call()
        except BrokerageError:
            continue
    for name, value in returned.items():
        yield from values_in(value, name)
