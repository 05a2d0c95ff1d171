"""Changing a live order, and seeing an order before it is placed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fields import Model, check_fields, require_positive
from bot_v2.features.brokerages.core.order_request import OrderRequest, to_utc
from bot_v2.features.brokerages.core.order_terms import TimeInForce


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OrderModification(Model):
    """What to change of a live order; what is None stays as it is."""

    is_request: ClassVar[bool] = True
    """What cannot be constructed was not sent: the error says so."""

    quantity: Decimal | None = None
    """The new whole quantity, filled part included. None: unchanged."""
    price: Decimal | None = None
    """The new limit. None: unchanged."""
    stop_price: Decimal | None = None
    """The new trigger. None: unchanged."""
    trail_amount: Decimal | None = None
    """The new trail, in quote currency. None: unchanged."""
    trail_percent: Decimal | None = None
    """The new trail, in percent. None: unchanged."""
    time_in_force: TimeInForce | None = None
    """How long it is to work. None: unchanged."""
    expires_at: datetime | None = None
    """The new end of a GTD order. None: unchanged."""
    client_order_id: str | None = None
    """The caller's id of the replacement. None: the adapter makes one where one is needed."""

    def __attrs_post_init__(self) -> None:
        if self.expires_at is not None:
            object.__setattr__(self, "expires_at", to_utc(self.expires_at))
        check_fields(self)
        require_positive(self, "quantity", "trail_amount", "trail_percent")
        changes = attrs.asdict(self, filter=lambda field, _: field.name != "client_order_id")
        if all(value is None for value in changes.values()):
            raise InvalidFieldError("OrderModification", "empty", "at least one change")


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OrderPreview(Model):
    """What an order would be and cost; nothing was placed."""

    order_request: OrderRequest
    """The request, as the adapter would send it."""
    native_request: str
    """The exact message that would leave, secrets removed."""
    estimated_value: Decimal | None = None
    """What it would cost or bring, in quote currency. None: not said."""
    estimated_fee: Decimal | None = None
    """What would be charged, in quote currency. None: not said."""
    warnings: tuple[str, ...] = ()
    """What the broker warns of, in its words."""
