"""The conditions that an engine trades under, beside its account, its products and its clock."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypedDict

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.shared.types import IdSource
from bot_v2.simulation.fees import FeeModel, NoFees
from bot_v2.simulation.journal import EngineJournal
from bot_v2.simulation.sessions import AlwaysOpen, TradingCalendar
from bot_v2.simulation.slippage import NoSlippage, SlippageModel

ONE: Final = Decimal(1)
MOST_LATENCY_S: Final = 86_400


class EngineOptions(TypedDict, total=False):
    """The options of an engine; what they mean is said in `Conditions`."""

    fees: FeeModel
    fees_in_kind: bool
    slippage: SlippageModel
    calendar: TradingCalendar
    extended_calendar: TradingCalendar | None
    always_open: frozenset[MarketType]
    latency_s: float
    participation_rate: Decimal
    ids: IdSource | None
    journal: EngineJournal | None


@attrs.frozen(kw_only=True, weakref_slot=False)
class Conditions:
    """The conditions that an engine trades under."""

    fees: FeeModel = attrs.field(factory=NoFees)
    """What trading costs."""
    fees_in_kind: bool = False
    """Who buys a coin pays the fee in that coin, out of what was bought; sales cost money."""
    slippage: SlippageModel = attrs.field(factory=NoSlippage)
    """How much worse than the market fill orders that take any price."""
    calendar: TradingCalendar = attrs.field(factory=AlwaysOpen)
    """When the market is open."""
    extended_calendar: TradingCalendar | None = None
    """When it takes orders that ask for extended hours, the regular ones included. None: always."""
    always_open: frozenset[MarketType] = frozenset()
    """Kinds of products that trade at any time, whatever the calendar says."""
    latency_s: float = 0.0
    """How long an order, or a cancel, is on its way to the market, in seconds."""
    participation_rate: Decimal = ONE
    """The part of a candle's volume that is on offer; above zero, at most 1."""
    ids: IdSource | None = None
    """Makes the ids of orders and executions. None: they are counted, the same each time."""
    journal: EngineJournal | None = None
    """Where steps are made durable. None: nowhere."""

    def __attrs_post_init__(self) -> None:
        if not 0 < self.participation_rate <= ONE:
            raise InvalidFieldError(
                "participation_rate", self.participation_rate, "above zero and at most 1"
            )
        if not 0 <= self.latency_s < MOST_LATENCY_S:
            raise InvalidFieldError(
                "latency_s", self.latency_s, f"seconds from zero to {MOST_LATENCY_S}"
            )
