"""The gate before every order: it judges by the limits and reserves, in one turn of all processes.

    desk = RiskDesk(SqlReservations("sqlite:///risk.sqlite"))
    gate = LimitGate(broker, journal, desk, limits)
    executor = OrderExecutor(broker, journal, gate=gate)

What is reserved is given back when it is known what became of the order, by whichever process has
its journal then. An exit lowers a position and is not larger than it, less what other live orders
may take of it: it is held too, and passes whatever the limits say.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.features.brokerages.core.declarations import (
    idempotency_of,
    name_of,
    order_history_of,
    spot_as_positions_of,
)
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidRequestError,
    Outcome,
)
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.risk.account_reader import AccountReader
from bot_v2.orchestration.risk.admission import Admission, Candidate, reading
from bot_v2.orchestration.risk.checks import check_symbols
from bot_v2.orchestration.risk.conditions import check_market
from bot_v2.orchestration.risk.desk import RiskDesk
from bot_v2.orchestration.risk.exposure import Part, widest
from bot_v2.orchestration.risk.kill_switch import KillSwitch, kill_switch_file
from bot_v2.orchestration.risk.ledger import KnownJournal, ReservationLedger
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.pricing import Scales
from bot_v2.orchestration.risk.settings import GateSettings
from bot_v2.orchestration.risk.standing import Level
from bot_v2.orchestration.risk.stop_loss import check_stop, with_stop
from bot_v2.simulation.clock import utc_now

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage
    from bot_v2.shared.types import Clock

_CHANGES: Final = (
    "quantity",
    "price",
    "stop_price",
    "trail_amount",
    "trail_percent",
    "time_in_force",
    "expires_at",
)
"""What a modification can change of a request."""


class LimitGate:
    """Judges the orders of one account, and holds their risk. Safe between threads and processes.

    Args:
        broker: the brokerage, connected.
        journal: the executor's.
        desk: what all accounts share; its store is that of all processes.
        limits: what this account is held to. None: the desk's limits alone.
        kill_switch: stops new risk everywhere. None: the one that the command line turns.
        settings: how old what is known of accounts may be.
        clock: the present moment.
    """

    def __init__(
        self,
        broker: IBrokerage,
        journal: KnownJournal,
        desk: RiskDesk,
        limits: RiskLimits | None = None,
        *,
        kill_switch: KillSwitch | None = None,
        settings: GateSettings | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Join the desk, and give back what a process of this journal left that came to nothing.

        Raises:
            BrokerageError: the account's id cannot be read.
            OrderJournalError: the store cannot be read or written.
        """
        self._broker = broker
        self._journal = journal
        self._desk = desk
        self._switch = kill_switch or KillSwitch(kill_switch_file(), clock)
        self._scope = Scope(broker=name_of(broker), account_id=broker.get_account_id())
        own = Level(name=self._scope.broker, limits=limits or RiskLimits(), scope=self._scope)
        self._levels = (own, desk.level)
        every = [level.limits for level in self._levels]
        self._has_amounts = any(each.has_amounts for each in every)
        lag = timedelta(
            seconds=idempotency_of(broker).visibility_lag_s + order_history_of(broker).staleness_s
        )
        self._scales = Scales(
            broker,
            spot_as_positions=spot_as_positions_of(broker),
            marks_positions=any(each.needs_positions for each in every),
            price_margin=max(each.price_margin for each in every),
        )
        self._reader = AccountReader(
            broker,
            self._scope,
            desk.store,
            self._scales,
            clock=clock,
            client_id_of=self._client_id_of,
            spot_as_positions=spot_as_positions_of(broker),
            lag=lag,
            needs_account=any(each.needs_equity or each.needs_cash for each in every),
            currency=next((each.currency for each in every if each.currency is not None), None),
        )
        self._ledger = ReservationLedger(
            desk.store,
            journal,
            self._scope,
            clock=clock,
            weigh=self._weigh_parts,
            needs_values=self._has_amounts,
        )
        self._admission = Admission(
            broker,
            self._scope,
            desk,
            self._levels,
            reader=self._reader,
            ledger=self._ledger,
            settings=settings or GateSettings(),
            clock=clock,
        )
        self._ledger.give_back_left_over()
        if desk.level.limits.needs_account:
            desk.join(self._scope, self._reader.look)

    def prepare(self, request: OrderRequest) -> OrderRequest:
        """Return what is to be sent: an entry that brings no stop gets the one that it needs.

        Raises:
            BrokerageError: it cannot have one, or it cannot be told whether it is an exit.
        """
        asking = [
            (level.limits.stop_loss_pct, level)
            for level in self._levels
            if level.limits.stop_loss_pct is not None
        ]
        if not asking or request.stop_loss is not None or self._may_be_exit(request):
            return request
        level = min(asking, key=lambda each: each[0])[1]
        with reading():
            product = self._scales.product(request.symbol)
            return with_stop(
                self._broker, level, request, product, lambda: self._scales.price(product.symbol)
            )

    def reserve(self, request: OrderRequest) -> None:
        """Let an order pass, and hold its risk.

        Raises:
            BrokerageError: a limit does not allow it, or cannot be checked, and it is no exit. It
                names the limit, the value, and what would be accepted.
        """
        try:
            self._reserve_new_risk(request)
        except BrokerageError as refused:
            if not self._reserve_exit(request):
                refused.outcome = Outcome.NOT_SENT
                raise

    def reserve_change(self, request: OrderRequest | None, modification: OrderModification) -> None:
        """Let a change of a live order pass, and hold what it adds; what it takes away stays held.

        Raises:
            BrokerageError: as for `reserve`.
        """
        if request is None:
            raise InvalidRequestError(
                "an order that was not placed here is not changed under limits, as its risk is not "
                "held; accepted: a cancel, and an order of your own"
            )
        client_order_id = request.client_order_id or ""
        with self._desk.store.turn() as book:
            held = book.find(self._scope, client_order_id)
        if held is None or held.released is not None:
            raise InvalidRequestError(
                f"the risk of {client_order_id} is not held, as it has ended for all that is known "
                "here; accepted: an order of its own",
                client_order_id=client_order_id,
            )
        given = {name: getattr(modification, name) for name in _CHANGES}
        changed = attrs.evolve(
            request, **{name: value for name, value in given.items() if value is not None}
        )
        with reading():
            weight = self._scales.weigh(changed)
        parts = widest(held.parts, weight.parts)
        if parts == held.parts:
            return
        candidate = Candidate(
            request=changed,
            parts=parts,
            weight=attrs.evolve(weight, parts=parts),
            changes=held,
        )
        try:
            self._switch.check()
            self._admission.admit(candidate)
        except BrokerageError as refused:
            if not self._admission.admit_exit(candidate):
                refused.outcome = Outcome.NOT_SENT
                raise

    def hold(self, request: OrderRequest) -> None:
        """Hold the risk of an order that an earlier process sent; never refuses."""
        self._ledger.hold(request)

    def release(self, request: OrderRequest, order: Order | None) -> None:
        """Give an order's risk back: what it did is in the positions, or it did nothing."""
        self._ledger.release(request.client_order_id or "", order)

    def _reserve_new_risk(self, request: OrderRequest) -> None:
        self._switch.check()
        self._ledger.settle_debts()
        with reading():
            symbols = self._scales.symbols(request)
        for level in self._levels:
            check_symbols(level, symbols)
        with reading():
            for level in self._levels:
                check_stop(
                    level,
                    request,
                    lambda: self._scales.product(request.symbol),
                    lambda: self._scales.price(symbols[0]),
                )
                check_market(self._broker, level, request)
            weight = self._scales.weigh(request) if self._has_amounts else None
            parts = self._weigh_parts(request) if weight is None else weight.parts
        self._admission.admit(Candidate(request=request, parts=parts, weight=weight))

    def _reserve_exit(self, request: OrderRequest) -> bool:
        """Hold an order if it is an exit; False: it is not known to be one."""
        try:
            parts = self._weigh_parts(request)
        except BrokerageError:
            # Without its products nobody can say what it lowers; the broker's own guard can.
            parts = ()
        return self._admission.admit_exit(Candidate(request=request, parts=parts))

    def _may_be_exit(self, request: OrderRequest) -> bool:
        with reading():
            parts = self._weigh_parts(request)
            return self._admission.may_be_exit(Candidate(request=request, parts=parts))

    def _weigh_parts(self, request: OrderRequest) -> tuple[Part, ...]:
        """Return what an order weighs, without its value where nobody asks for that."""
        if self._has_amounts:
            try:
                return self._scales.weigh(request).parts
            except BrokerageError:
                if request.quantity is None:
                    raise
        if request.quantity is None:
            return self._scales.weigh(request).parts
        return self._scales.weigh_without_price(request)

    def _client_id_of(self, order: Order) -> str | None:
        placement = self._journal.find_by_order(self._scope, order.order_id)
        return None if placement is None else placement.intent.client_order_id
