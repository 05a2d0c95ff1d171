"""What Acme does not take is refused here, by name, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable

from acme_brokerage.errors import Call
from acme_brokerage.mapping import NATIVE_KINDS, NATIVE_TIMES_IN_FORCE
from bot_v2.features.brokerages.core.interfaces import (
    OrderModification,
    OrderRequest,
    UnsupportedOperationError,
)

UNSUPPORTED_TERMS: dict[str, Callable[[OrderRequest], bool]] = {
    "type": lambda request: request.type not in NATIVE_KINDS,
    "time_in_force": lambda request: (
        request.time_in_force is not None and request.time_in_force not in NATIVE_TIMES_IN_FORCE
    ),
    "notional": lambda request: request.notional is not None,
    "position_effect": lambda request: request.position_effect is not None,
    "extended_hours": lambda request: request.extended_hours,
    "take_profit": lambda request: request.take_profit is not None,
    "stop_loss": lambda request: request.stop_loss is not None,
    "legs": lambda request: bool(request.legs),
    "broker_options": lambda request: bool(request.broker_options),
}

UNSUPPORTED_CHANGES = (
    "trail_amount",
    "trail_percent",
    "time_in_force",
    "expires_at",
    "client_order_id",
)


def refuse_unsupported(request: OrderRequest, call: Call) -> None:
    """Refuse what Acme has no word for.

    Raises:
        UnsupportedOperationError: names the field.
    """
    for name, is_asked in UNSUPPORTED_TERMS.items():
        if is_asked(request):
            value = getattr(request, name)
            raise UnsupportedOperationError(f"Acme takes no {name}={value!r}", **call.context())


def refuse_unsupported_change(change: OrderModification, call: Call) -> None:
    """Refuse a change that Acme has no word for.

    Raises:
        UnsupportedOperationError: names the field.
    """
    for name in UNSUPPORTED_CHANGES:
        if getattr(change, name) is not None:
            raise UnsupportedOperationError(f"Acme cannot change {name}", **call.context())
