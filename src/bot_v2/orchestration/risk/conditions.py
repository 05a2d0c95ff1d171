"""What only the broker can say: whether the market is open, and whether the margin suffices."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.capabilities import (
    SupportsMargin,
    SupportsMarketStatus,
    supports,
)
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import (
    InsufficientFundsError,
    InvalidRequestError,
    MarketClosedError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.orchestration.execution.reading import read
from bot_v2.orchestration.risk.exposure import ZERO, Part, total
from bot_v2.orchestration.risk.limits import ConditionCheck
from bot_v2.orchestration.risk.standing import Level, convert

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage


def check_market(broker: IBrokerage, level: Level, request: OrderRequest) -> None:
    """Refuse an order whose market is closed or halted.

    An order for extended hours, or for an auction, needs no open session; a halt stops it as well.

    Raises:
        MarketClosedError: it is.
        UnsupportedOperationError: the broker does not say, and the setting refuses then.
        BrokerageError: the read failed.
    """
    if level.limits.market_hours is ConditionCheck.OFF:
        return
    if not supports(broker, SupportsMarketStatus):
        if level.limits.market_hours is ConditionCheck.REFUSE:
            raise _undeclared(broker, level, "market_hours", "whether a market is open")
        return
    symbols = [leg.symbol for leg in request.legs] or [request.symbol]
    waits = request.extended_hours or request.time_in_force in (TimeInForce.OPG, TimeInForce.CLS)
    for symbol in symbols:
        status = read("get_market_status", partial(broker.get_market_status, symbol))
        if status.halted or not (status.is_open or waits):
            opens = status.next_open.isoformat() if status.next_open else "a time it does not tell"
            what = "halted" if status.halted else f"closed until {opens}"
            raise MarketClosedError(
                f"the market of {status.symbol} is {what}, and market_hours of {level.name} is "
                f"{level.limits.market_hours.value}; accepted: exits, and others when it is open",
                symbol=status.symbol,
                outcome=Outcome.NOT_SENT,
            )


def read_margin(broker: IBrokerage, level: Level, request: OrderRequest) -> Margin | None:
    """Return the margin as an order would make it. None: no limit asks for it, or no broker says.

    Raises:
        UnsupportedOperationError: the broker does not say, and the setting refuses then.
        BrokerageError: the read failed.
    """
    if level.limits.margin is ConditionCheck.OFF:
        return None
    if not supports(broker, SupportsMargin):
        if level.limits.margin is ConditionCheck.REFUSE:
            raise _undeclared(broker, level, "margin", "the margin of an order")
        return None
    return read("get_order_margin", lambda: broker.get_order_margin(request))


def check_margin(level: Level, margin: Margin, unseen: list[Part], request: OrderRequest) -> None:
    """Refuse an order for which the margin does not suffice.

    Args:
        level: the limits.
        margin: as the order would make it, by the broker's word.
        unseen: what is reserved and has not reached the broker yet, as far as the broker showed.
        request: what is to be sent.

    Raises:
        InsufficientFundsError: it does not.
        InvalidRequestError: the broker tells neither the excess nor the buying power.
    """
    left = [each for each in (margin.excess, margin.buying_power) if each is not None]
    if not left:
        raise InvalidRequestError(
            f"margin of {level.name} cannot be checked: the broker tells neither excess nor buying "
            "power; accepted: margin = skip or off, where that is meant",
            symbol=request.symbol,
        )
    taken: list[Decimal] = []
    for part in unseen:
        if part.value is None:
            raise InvalidRequestError(
                f"margin of {level.name} cannot be checked while it is not known what an order in "
                f"{part.symbol} takes; accepted: exits",
                symbol=request.symbol,
            )
        taken.append(convert(part.value, part.currency, level, margin.currency))
    rest = EXACT.subtract(min(left), total(taken))
    if rest < ZERO:
        raise InsufficientFundsError(
            f"the margin does not suffice: with the order and those under way {rest} "
            f"{margin.currency} would be left; accepted by margin of {level.name}: 0 or more",
            required=total(taken),
            available=min(left),
            symbol=request.symbol,
            outcome=Outcome.NOT_SENT,
        )


def _undeclared(
    broker: IBrokerage, level: Level, name: str, what: str
) -> UnsupportedOperationError:
    return UnsupportedOperationError(
        f"{name} of {level.name} is refuse, and {name_of(broker)} does not declare that it tells "
        f"{what}; accepted: exits, or {name} = skip"
    )
