"""The engine behind the account: what it starts with, and when what trades."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.fields import FrozenMapping
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.shared.types import Clock, IdSource
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.fees import NoFees
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.conditions import Conditions
from bot_v2.venues.alpaca.fees import AlpacaFees
from bot_v2.venues.alpaca.hours import MarketHours
from bot_v2.venues.alpaca.money import CURRENCY, HALF, MAINTENANCE

ACCOUNT: Final = "alpaca"
BALANCES: Final[Mapping[str, Decimal]] = {CURRENCY: Decimal(100_000)}
"""What a new paper account starts with."""

OPENING_VALUE: Final = Decimal(250_000)
"""What the best bid and the best ask of each asset are worth at the start."""

OPTION_LEVELS: Final = 3
"""How many prices the book of an option has on each side at the start."""

ALWAYS: Final = frozenset({MarketType.SPOT})
"""What trades at any time: coins."""


def open_engine(
    catalogue: Catalogue,
    hours: MarketHours,
    balances: Mapping[str, Decimal],
    clock: Clock,
    ids: IdSource,
    conditions: Conditions,
) -> MatchingEngine:
    """Return the engine of the account: a margin account under Regulation T."""
    return MatchingEngine(
        account=AccountSettings(
            account_id=ACCOUNT,
            kind=AccountKind.MARGIN,
            currency=CURRENCY,
            initial_balances=FrozenMapping(balances),
            initial_margin_rate=HALF,
            maintenance_margin_rate=MAINTENANCE,
        ),
        products=[one.product for one in catalogue.listings],
        clock=clock,
        fees=AlpacaFees() if conditions.has_fees else NoFees(),
        fees_in_kind=True,
        calendar=hours.regular,
        extended_calendar=hours.extended,
        always_open=ALWAYS,
        latency_s=conditions.latency_s,
        ids=ids,
    )
