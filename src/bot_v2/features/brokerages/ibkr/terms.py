"""What TWS does not take, or what is not built, is refused by name before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from bot_v2.features.brokerages.core.errors import InvalidFieldError, UnsupportedOperationError
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderType, TimeInForce
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.order_mapping import NATIVE_TIMES, time_in_force_of

Refusals: TypeAlias = Mapping[str, tuple[Callable[[OrderRequest], bool], str]]
"""By field: whether a request asks for what there is not, and what is taken instead."""

_RESTING: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD})

TIMES: Final = {
    OrderType.MARKET: frozenset(TimeInForce) - {TimeInForce.OTHER, TimeInForce.FOK},
    OrderType.LIMIT: frozenset(TimeInForce) - {TimeInForce.OTHER},
    OrderType.STOP: _RESTING,
    OrderType.STOP_LIMIT: _RESTING,
    OrderType.TRAILING_STOP: _RESTING,
}
"""How long orders of each type may work."""

_PRICED: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_COMBINED: Final = frozenset({OrderType.MARKET, OrderType.LIMIT})
_ENTRIES: Final = frozenset(
    {OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT}
)


def _has_exit(asked: OrderRequest) -> bool:
    return asked.take_profit is not None or asked.stop_loss is not None


def _is_odd_bracket(asked: OrderRequest) -> bool:
    is_entry = asked.type in _ENTRIES and time_in_force_of(asked) in _RESTING
    return _has_exit(asked) and not (is_entry and not asked.legs)


def _is_odd_combination(asked: OrderRequest) -> bool:
    if not asked.legs:
        return False
    fits = asked.type in _COMBINED and time_in_force_of(asked) is not TimeInForce.CLS
    whole = all(leg.ratio == leg.ratio.to_integral_value() for leg in asked.legs)
    return not (fits and whole and len(asked.legs) > 1)


def _ends_within_a_second(asked: OrderRequest) -> bool:
    return asked.expires_at is not None and asked.expires_at.microsecond != 0


REFUSALS: Final[Refusals] = {
    "notional": (lambda asked: asked.notional is not None, "None: give a quantity"),
    "time_in_force": (
        lambda asked: time_in_force_of(asked) not in TIMES[asked.type],
        "DAY (the default), GTC, GTD; of MARKET and LIMIT also IOC, OPG, CLS; of LIMIT also FOK",
    ),
    "expires_at": (_ends_within_a_second, "a whole second"),
    "post_only": (lambda asked: asked.post_only, "False"),
    "reduce_only": (lambda asked: asked.reduce_only, "False"),
    "position_effect": (
        lambda asked: asked.position_effect is not None,
        "None: the broker tells a short sale by what the account holds",
    ),
    "extended_hours": (
        lambda asked: asked.extended_hours and asked.type not in _PRICED,
        "False, but for LIMIT and STOP_LIMIT orders",
    ),
    "legs": (
        _is_odd_combination,
        "two or more legs in whole ratios, of a MARKET or LIMIT order",
    ),
    "take_profit": (
        _is_odd_bracket,
        "exits of a MARKET, LIMIT, STOP or STOP_LIMIT order of one instrument: DAY, GTC, GTD",
    ),
}


def refuse_unsupported(request: OrderRequest, call: Call) -> None:
    """Refuse what cannot be asked for.

    Raises:
        UnsupportedOperationError: names the field, and what is taken.
        InvalidFieldError: an option is given: there are none.
    """
    for name, (is_asked, accepted) in REFUSALS.items():
        if is_asked(request):
            raise UnsupportedOperationError(
                f"{name}={getattr(request, name)!r} is not taken here; accepted: {accepted}",
                **call.context(),
            )
    for name in request.broker_options:
        raise InvalidFieldError("OrderRequest.broker_options", name, "no options", **call.context())
    if any(leg.position_effect is not None for leg in request.legs):
        raise UnsupportedOperationError(
            "position_effect of a leg is not taken here; accepted: None", **call.context()
        )


def refuse_unsupported_change(change: OrderModification, call: Call) -> None:
    """Refuse a change that cannot be asked for.

    Raises:
        UnsupportedOperationError: names the field.
    """
    if change.client_order_id is not None:
        raise UnsupportedOperationError(
            "client_order_id cannot be changed: a changed order stays the same order",
            **call.context(),
        )
    time = change.time_in_force
    if time is not None and (time not in NATIVE_TIMES or time not in _RESTING):
        raise UnsupportedOperationError(
            f"time_in_force cannot be changed to {time.name}; accepted: DAY, GTC, GTD",
            **call.context(),
        )
