"""The limits, one check each: what refuses new risk, in which words, and what would be accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, decimal_to_text, divide
from bot_v2.features.brokerages.core.errors import (
    BrokerUnavailableError,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.orchestration.risk.exposure import UNWEIGHED, ZERO, Part, total, worst_position
from bot_v2.orchestration.risk.pricing import Weight
from bot_v2.orchestration.risk.standing import MINUTE, Level, Standing, convert

_PLACES: Final = 8
"""To how many decimal places what would be accepted is said, downwards."""


def check_symbols(level: Level, symbols: Sequence[str]) -> None:
    """Refuse a symbol that is not allowed.

    Raises:
        InvalidFieldError: it is not.
    """
    allowed = level.limits.allowed_symbols
    for symbol in symbols:
        if allowed is not None and symbol not in allowed:
            accepted = f"allowed_symbols of {level.name}: {', '.join(allowed) or 'none'}"
            raise InvalidFieldError("OrderRequest.symbol", symbol, accepted, symbol=symbol)


def check_new_risk(
    level: Level, request: OrderRequest, weight: Weight | None, standing: Standing
) -> None:
    """Refuse an order that a limit does not allow.

    Args:
        level: the limits.
        request: what is to be sent.
        weight: what it weighs. None: no limit asks for that.
        standing: where the account, or all accounts, stand.

    Raises:
        BrokerageError: it is not allowed; nothing was sent.
    """
    _check_rate(level, standing)
    if weight is None:
        return
    for check in _CHECKS:
        check(level, request, weight, standing)


def _check_rate(level: Level, standing: Standing) -> None:
    most = level.limits.max_orders_per_minute
    if most is None or len(standing.orders) < most:
        return
    # The one whose minute has to end before there is room.
    oldest = standing.orders[len(standing.orders) - most]
    wait = oldest + MINUTE - standing.now
    raise RateLimitError(
        f"max_orders_per_minute of {level.name} is {most}, and {len(standing.orders)} were sent in "
        "the last 60 s; accepted: exits, and others when a minute has gone by",
        retry_after_s=wait.total_seconds(),
        outcome=Outcome.NOT_SENT,
    )


def _check_order_value(
    level: Level, request: OrderRequest, weight: Weight, standing: Standing
) -> None:
    limits = level.limits
    if limits.max_order_value is None and limits.max_order_size is None:
        return
    named = {"max_order_value": limits.max_order_value}
    if limits.max_order_size is not None:
        named.update([_of_equity(level, "max_order_size", limits.max_order_size, standing)])
    value = total(
        convert(part.value or ZERO, part.currency, level, standing.currency)
        for part in weight.parts
    )
    for name, most in named.items():
        if most is None or value <= most:
            continue
        room = _share(_size(request), most, value)
        raise _too_much(
            request,
            f"at most {room}: it is worth {_amount(value, standing)}, and {name} of "
            f"{level.name} is {_amount(most, standing)}",
        )


def _check_position(
    level: Level, request: OrderRequest, weight: Weight, standing: Standing
) -> None:
    limits = level.limits
    if not limits.needs_positions:
        return
    named = {"max_position_value": limits.max_position_value}
    if limits.max_position_size is not None:
        named.update([_of_equity(level, "max_position_size", limits.max_position_size, standing)])
    _refuse_unweighed(standing)
    for part, unit in zip(weight.parts, weight.unit_values, strict=True):
        worth = convert(unit, part.currency, level, standing.currency)
        position = standing.position(part.exposure)
        ahead = (*standing.ahead, *weight.parts)
        worst = worst_position(position, ahead, part.exposure, part.side)
        value = EXACT.multiply(worst, worth)
        for name, most in named.items():
            if most is None or value <= most:
                continue
            rest = EXACT.subtract(divide(most, worth, _PLACES, Rounding.DOWN), worst)
            room = max(EXACT.add(rest, part.quantity), ZERO)
            raise _too_much(
                request,
                f"at most {_plain(room)} of {part.symbol}: with all that is ordered "
                f"{_plain(worst)} could be held, worth {_amount(value, standing)}, and "
                f"{name} of {level.name} is {_amount(most, standing)}",
            )


def _check_cash(level: Level, request: OrderRequest, weight: Weight, standing: Standing) -> None:
    limits, name, least = level.limits, "min_cash_balance", level.limits.min_cash_balance
    if limits.min_cash_share is not None:
        share = _of_equity(level, "min_cash_share", limits.min_cash_share, standing)
        name, least = share if least is None or share[1] > least else (name, least)
    if least is None:
        return
    required = total(_costs(level, weight.parts, standing))
    if not required:
        return
    if standing.cash is None:
        raise InvalidRequestError(
            f"{name} of {level.name} cannot be checked: a broker does not tell the cash; "
            "accepted: RiskLimits.currency, whose balance it then is",
        )
    _refuse_unweighed(standing)
    spoken_for = total(_costs(level, standing.ahead, standing))
    available = EXACT.subtract(EXACT.subtract(standing.cash, spoken_for), least)
    if required > available:
        raise InsufficientFundsError(
            f"OrderRequest.{_size_name(request)} is {_size(request)}, which costs "
            f"{_amount(required, standing)}; accepted: at most {_amount(available, standing)}, for "
            f"{name} of {level.name} is {_amount(least, standing)}, and "
            f"{_amount(spoken_for, standing)} of {_amount(standing.cash, standing)} are spoken for",
            required=required,
            available=available,
            symbol=request.symbol,
            outcome=Outcome.NOT_SENT,
        )


def _check_loss(level: Level, _: OrderRequest, __: Weight, standing: Standing) -> None:
    most = level.limits.max_daily_loss
    if most is None:
        return
    equity = _require_equity(level, "max_daily_loss", standing)
    first = equity if standing.first_equity is None else standing.first_equity
    allowed, lost = EXACT.multiply(most, first), EXACT.subtract(first, equity)
    if lost >= allowed and (lost > ZERO or first <= ZERO):
        raise PermissionDeniedError(
            f"max_daily_loss of {level.name} is {most} of the day's first equity, "
            f"{_amount(first, standing)}: {_amount(allowed, standing)}, and "
            f"{_amount(lost, standing)} are lost; accepted: exits alone, until the day ends at "
            f"midnight in {level.limits.day_zone}",
            outcome=Outcome.NOT_SENT,
        )


_CHECKS: Final[tuple[Callable[[Level, OrderRequest, Weight, Standing], None], ...]] = (
    _check_order_value,
    _check_loss,
    _check_position,
    _check_cash,
)


def _costs(level: Level, parts: Sequence[Part], standing: Standing) -> list[Decimal]:
    costs = []
    for part in parts:
        if part.cost is None:
            raise BrokerUnavailableError(
                f"what a live order in {part.symbol} costs is not known, so that min_cash_balance "
                f"of {level.name} cannot be checked; accepted: exits alone, while it lives",
                outcome=Outcome.NOT_SENT,
            )
        if part.cost:
            costs.append(convert(part.cost, part.currency, level, standing.currency))
    return costs


def _of_equity(
    level: Level, name: str, fraction: Decimal, standing: Standing
) -> tuple[str, Decimal]:
    """Return a limit that is a fraction, as it is called for people, and the amount that it is."""
    equity = _require_equity(level, name, standing)
    return f"{name} ({fraction} of {equity})", EXACT.multiply(fraction, max(equity, ZERO))


def _require_equity(level: Level, name: str, standing: Standing) -> Decimal:
    if standing.equity is None:
        raise InvalidRequestError(
            f"{name} of {level.name} is a fraction of equity, which a broker does not tell; "
            "accepted: limits that are amounts, such as max_position_value"
        )
    return standing.equity


def _refuse_unweighed(standing: Standing) -> None:
    if any(part.exposure == UNWEIGHED for part in standing.ahead):
        raise BrokerUnavailableError(
            "what an earlier order weighs could not be read yet; accepted: exits, until it is",
            outcome=Outcome.NOT_SENT,
        )


def _size_name(request: OrderRequest) -> str:
    return "quantity" if request.quantity is not None else "notional"


def _size(request: OrderRequest) -> Decimal:
    return request.quantity or request.notional or ZERO


def _share(size: Decimal, most: Decimal, value: Decimal) -> str:
    return _plain(divide(EXACT.multiply(size, most), value, _PLACES, Rounding.DOWN))


def _plain(amount: Decimal) -> str:
    return decimal_to_text(amount.normalize(EXACT)) if amount else "0"


def _amount(amount: Decimal, standing: Standing) -> str:
    return f"{_plain(amount)} {standing.currency}" if standing.currency else _plain(amount)


def _too_much(request: OrderRequest, accepted: str) -> InvalidFieldError:
    return InvalidFieldError(
        f"OrderRequest.{_size_name(request)}",
        _size(request),
        accepted,
        symbol=request.symbol,
        client_order_id=request.client_order_id,
    )
