"""IbkrBrokerage: IBrokerage and its capabilities over TWS or IB Gateway."""

from __future__ import annotations

from datetime import time
from typing import Final

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.declarations import CloseGuard, OrderHistory, Retention
from bot_v2.features.brokerages.core.idempotency import (
    ALPHANUMERIC,
    DuplicateBehaviour,
    IdempotencyProfile,
    IdempotencyScope,
)
from bot_v2.features.brokerages.ibkr.base import utc_now
from bot_v2.features.brokerages.ibkr.orders import IbkrOrders
from bot_v2.features.brokerages.ibkr.session import Link
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings
from bot_v2.shared.types import Clock, IdSource

IDEMPOTENCY: Final = IdempotencyProfile(
    scope=IdempotencyScope.TAG_ONLY,
    on_duplicate=DuplicateBehaviour.ACCEPTS,
    max_length=40,
    alphabet=ALPHANUMERIC + "-_.:",
    visibility_lag_s=1.0,
)
"""An id is a label (orderRef): it is told back, and keeps from nothing."""


class IbkrBrokerage(IbkrOrders):
    """An account at Interactive Brokers; see the README beside this file.

    Args:
        settings: where TWS is, and who this client is.
        clock: the present moment: dates quotes and gaps.
        ids: makes client order ids where a request has none. None: random ones.
        link: the login's connection, where another brokerage has it already. None: one of its own.
    """

    capabilities: Final = frozenset(
        {
            Capability.ORDER_LOOKUP,
            Capability.FILLS,
            Capability.ACCOUNT_SUMMARY,
            Capability.MARGIN,
            Capability.ORDER_MODIFICATION,
            Capability.ORDER_PREVIEW,
            Capability.QUOTES,
            Capability.CANDLES,
            Capability.OPTION_CHAINS,
            Capability.SYMBOL_SEARCH,
            Capability.MARKET_STATUS,
            Capability.ACCOUNTS,
            Capability.QUOTE_STREAM,
            Capability.ORDER_STREAM,
            Capability.OCO,
            Capability.BRACKET,
            Capability.TRAILING_STOP,
            Capability.MULTI_LEG,
            Capability.EXTENDED_HOURS,
            Capability.FRACTIONAL_QUANTITY,
        }
    )
    unsupported: Final = frozenset({"get_products", "get_orderbook:level>=3"})
    idempotency: IdempotencyProfile = IDEMPOTENCY
    order_history: Final = OrderHistory(
        retention=Retention.SESSION,
        session_zone="America/New_York",
        session_reset=time(0),
    )
    close_guard: Final = CloseGuard.BEST_EFFORT
    balance_identity: Final = False
    spot_as_positions: Final = True

    def __init__(
        self,
        settings: IbkrSettings,
        *,
        clock: Clock = utc_now,
        ids: IdSource | None = None,
        link: Link | None = None,
    ) -> None:
        """Open nothing before `connect`."""
        super().__init__(settings, clock=clock, ids=ids or self.idempotency.make_id, link=link)

    def for_account(self, account_id: str) -> IBrokerage:
        """Return a brokerage of another account of the login, on the same connection."""
        self._session.account_id("for_account")
        settings = attrs.evolve(self.settings, account_id=account_id)
        return IbkrBrokerage(settings, clock=self._clock, ids=self._ids, link=self._link)
