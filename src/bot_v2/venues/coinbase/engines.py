"""The engines behind the venue's accounts: what they start with, and what trades cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.fields import FrozenMapping
from bot_v2.shared.types import Clock
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.fees import MakerTakerFees
from bot_v2.venues.coinbase.listings import CFM, INTX, SPOT, Listing

D = Decimal

OPENING_VALUE: Final = D(250_000)
"""What the best bid and the best ask of each product are worth at the start."""

BALANCES: Final[Mapping[str, Mapping[str, Decimal]]] = {
    SPOT: {"USD": D(1_000_000), "USDC": D(250_000)},
    INTX: {"USDC": D(250_000)},
    CFM: {"USD": D(100_000)},
}
"""What the accounts start with, by account and asset."""

FEES: Final = {
    SPOT: MakerTakerFees(maker=D("0.006"), taker=D("0.008")),
    INTX: MakerTakerFees(maker=D("0.0002"), taker=D("0.0005")),
    CFM: MakerTakerFees(maker=D("0.0002"), taker=D("0.0003")),
}
"""What trades cost, by account."""


def open_engine(
    name: str,
    listings: Iterable[Listing],
    balances: Mapping[str, Decimal],
    fees: MakerTakerFees,
    clock: Clock,
    ids: Callable[[], str],
) -> MatchingEngine:
    """Return the engine of one of the venue's accounts, with its balances."""
    is_spot = name == SPOT
    settings = AccountSettings(
        account_id=name,
        kind=AccountKind.CASH if is_spot else AccountKind.MARGIN,
        currency="USDC" if name == INTX else "USD",
        initial_balances=FrozenMapping(balances),
        initial_margin_rate=D(1) if is_spot else D("0.1"),
        maintenance_margin_rate=D(1) if is_spot else D("0.066"),
    )
    return MatchingEngine(
        account=settings,
        products=[one.product for one in listings if one.account == name],
        clock=clock,
        fees=fees,
        ids=ids,
    )
