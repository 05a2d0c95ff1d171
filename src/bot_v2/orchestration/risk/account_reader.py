"""One look at an account: what lives, what is held, and what it is worth, in an order that is safe.

The count of releases is read first, then the live orders, then the positions. What a reservation
was released for before the look is in the positions that it shows; what is released later counts
on top of them. An order that fills between the reads is counted twice, and never missed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from bot_v2.features.brokerages.core.account_summary import AccountSummary
from bot_v2.features.brokerages.core.capabilities import SupportsAccountSummary, supports
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError, UnsupportedOperationError
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.reading import read, signed_quantity
from bot_v2.orchestration.risk.exposure import ZERO, AccountState, LiveOrder
from bot_v2.orchestration.risk.pricing import Scales
from bot_v2.orchestration.risk.store import ReservationStore

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage
    from bot_v2.orchestration.journal.journal import Scope
    from bot_v2.shared.types import Clock


class AccountReader:
    """Looks at an account, and remembers the latest look.

    Args:
        broker: the brokerage.
        scope: the account.
        store: where the releases are counted.
        scales: weighs what others have ordered.
        clock: the present moment.
        client_id_of: gives the client id of an order of ours that shows none. None: it is not ours.
        spot_as_positions: whether the broker keeps spot assets as positions.
        lag: how far its positions may be behind what it tells of orders.
        needs_account: True: equity and cash are read as well.
        currency: whose balance is the cash where the broker tells no totals. None: no balance is.
    """

    def __init__(
        self,
        broker: IBrokerage,
        scope: Scope,
        store: ReservationStore,
        scales: Scales,
        *,
        clock: Clock,
        client_id_of: Callable[[Order], str | None],
        spot_as_positions: bool,
        lag: timedelta,
        needs_account: bool,
        currency: str | None,
    ) -> None:
        """Look at nothing yet."""
        self._broker = broker
        self._scope = scope
        self._store = store
        self._scales = scales
        self._clock = clock
        self._client_id_of = client_id_of
        self._spot_as_positions = spot_as_positions
        self._lag = lag
        self._needs_account = needs_account
        self._currency = currency
        self._lock = threading.Lock()
        self._latest: AccountState | None = None
        self._failure: tuple[datetime, BrokerageError] | None = None
        self._told_currency: str | None = None

    @property
    def latest(self) -> AccountState | None:
        """The latest look. None: none succeeded yet."""
        return self._latest

    def currency(self) -> str | None:
        """Return the account's currency, read once. None: its broker does not tell.

        Raises:
            BrokerageError: the read failed.
        """
        if self._told_currency is None:
            summary = self._read_summary()
            self._told_currency = None if summary is None else summary.currency
        return self._told_currency

    def look(self, since: datetime) -> AccountState:
        """Return a look that began at or after a moment; one that is at hand, or a new one.

        Raises:
            BrokerageError: a read failed, now or in a look that was waited for.
        """
        asked_at = self._clock()
        with self._lock:
            known = self._latest
            if known is not None and known.began_at >= since:
                return known
            if self._failure is not None and self._failure[0] >= asked_at:
                # Whoever waited for a read that timed out does not wait for another one.
                raise self._failure[1]
            began_at = self._clock()
            try:
                known = self._latest = self._look(began_at)
            except BrokerageError as error:
                self._failure = (self._clock(), error)
                raise
            return known

    def _look(self, began_at: datetime) -> AccountState:
        broker = self._broker
        with self._store.turn() as book:
            releases = book.releases()
            ours = {each.client_order_id for each in book.list_held(self._scope)}
        live = self._read_orders(ours)
        positions: dict[str, Decimal] = {}
        for held in read("list_positions", broker.list_positions):
            before = positions.get(held.symbol, ZERO)
            positions[held.symbol] = EXACT.add(before, signed_quantity(held))
        assets = {} if self._spot_as_positions else self._read_balances()
        state = AccountState(
            scope=self._scope,
            releases=releases,
            began_at=began_at,
            ended_at=began_at,
            spot_as_positions=self._spot_as_positions,
            lag=self._lag,
            positions=positions,
            assets=assets,
            live=live,
        )
        state = self._with_totals(state) if self._needs_account else state
        return attrs.evolve(state, ended_at=self._clock())

    def _read_orders(self, ours: Collection[str]) -> tuple[LiveOrder, ...]:
        orders = {
            order.order_id: order
            for order in read("list_orders", self._broker.list_orders)
            if order.status in LIVE_STATUSES
        }
        found: dict[object, LiveOrder] = {}
        for order in orders.values():
            client_order_id = order.client_order_id
            if client_order_id is None or client_order_id not in ours:
                client_order_id = self._client_id_of(order) or client_order_id
            parent = orders.get(order.parent_order_id or "")
            if parent is not None and not parent.filled_quantity:
                # An exit that waits for its entry to be filled has nothing to take yet.
                continue
            # Of orders of which one cancels the others, one is filled: the largest counts.
            key = order.order_id if order.group_id is None else (order.group_id, order.side)
            each = LiveOrder(client_order_id=client_order_id, parts=self._scales.weigh_order(order))
            known = found.get(key)
            if known is None or known.parts[0].quantity < each.parts[0].quantity:
                found[key] = each
        return tuple(found.values())

    def _read_balances(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        for balance in read("list_balances", self._broker.list_balances):
            found[balance.asset] = EXACT.add(found.get(balance.asset, ZERO), balance.total)
        return found

    def _with_totals(self, state: AccountState) -> AccountState:
        summary = self._read_summary()
        if summary is not None:
            state = attrs.evolve(
                state, currency=summary.currency, equity=summary.equity, cash=summary.cash
            )
        currency = state.currency or self._currency
        if state.cash is None and currency is not None:
            held = self._read_balances() if self._spot_as_positions else state.assets
            state = attrs.evolve(state, currency=currency, cash=held.get(currency, ZERO))
        return state

    def _read_summary(self) -> AccountSummary | None:
        broker = self._broker
        if not supports(broker, SupportsAccountSummary):
            return None
        try:
            return read("get_account", broker.get_account)
        except UnsupportedOperationError:
            return None
