"""The times that an exchange whose clock is off would report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, cast

import attrs

from bot_v2.features.brokerages.core.account_summary import AccountSummary
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order

_T = TypeVar("_T")

_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    # model: what the exchange's clock stamped, or what holds a model that it did
    Order: ("timestamp", "updated_at"),
    Fill: ("timestamp",),
    Quote: ("timestamp",),
    Orderbook: ("timestamp",),
    AccountSummary: ("timestamp",),
    OrderEvent: ("order", "fill"),
    QuoteEvent: ("quote",),
}


def shift_times(value: _T, skew: timedelta) -> _T:
    """Return a reply or an event as an exchange whose clock is ahead by `skew` would send it."""
    if not skew:
        return value
    return cast("_T", _shift(value, skew))


def _shift(value: object, skew: timedelta) -> object:
    if isinstance(value, datetime):
        return value + skew
    if isinstance(value, list):
        return [_shift(item, skew) for item in value]
    if isinstance(value, tuple):
        return tuple(_shift(item, skew) for item in value)
    fields = _FIELDS.get(type(value))
    if fields is None:
        return value
    changes = {name: _shift(getattr(value, name), skew) for name in fields}
    stamped: Any = value
    return attrs.evolve(stamped, **changes)
