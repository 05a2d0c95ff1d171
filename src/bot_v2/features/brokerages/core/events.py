"""What streams yield: typed events, and a gap where one was missed."""

from __future__ import annotations

from datetime import datetime

import attrs

from bot_v2.features.brokerages.core.fields import Model
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.orders import Order


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OrderEvent(Model):
    """An order changed."""

    order: Order
    """The order after the change."""
    fill: Fill | None = None
    """The execution that changed it. None: it was not one, or the broker's stream tells none."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class QuoteEvent(Model):
    """The best prices changed."""

    quote: Quote
    """The quote after the change."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class StreamGap(Model):
    """Events were missed: read what they may have changed before trusting the stream again."""

    timestamp: datetime
    """When the gap was found."""
    reason: str
    """Why: the queue overflowed, the connection was lost, a sequence number is missing."""
    missed: int | None = None
    """How many events. None: nobody can know."""
