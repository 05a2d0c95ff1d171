"""`functools.partial` of a model, compiled: what mappings make thousands of objects with."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from bot_v2.features.brokerages.core.fast_init import maker_of
from bot_v2.features.brokerages.core.fields import recipe_of

__all__ = ["partial"]

if TYPE_CHECKING:
    from functools import partial
else:

    def partial(kind: type[Any], /, **bound: object) -> Any:
        """Return `functools.partial(kind, **bound)`, or a function that does the same quicker.

        Type checkers see `functools.partial`, and what it accepts and refuses is accepted and
        refused here. Up to fifteen keywords in a call are cheap: for more, Python makes a mapping
        first, which costs as much as all the rest.

        Args:
            kind: a model.
            bound: fields, by name, that most calls leave as they are here.
        """
        return maker_of(kind, recipe_of(kind), bound) or functools.partial(kind, **bound)
