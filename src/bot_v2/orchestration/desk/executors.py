"""An order executor for each account of a desk, over one journal; made when first needed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.orchestration.desk.members import Member
from bot_v2.orchestration.desk.routing import Route
from bot_v2.orchestration.desk.saga_store import SagaStore
from bot_v2.orchestration.desk.view import BrokerView
from bot_v2.orchestration.execution.report import ReconciliationReport
from bot_v2.orchestration.execution.risk_gate import RiskGate
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.journal import OrderJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.shared.types import IdSource


def _random_id() -> str:
    return uuid.uuid4().hex


def _nothing() -> None:
    pass


@attrs.frozen(kw_only=True)
class Trading:
    """What a desk needs to send orders."""

    journal: OrderJournal
    """Where the intents of all accounts are kept: under the accounts' names in the desk."""
    sagas: SagaStore
    """Where distributions are kept; `sagas_beside(journal)` is as durable as the journal."""
    gate_of: Callable[[str, IBrokerage], RiskGate] | None = None
    """Returns what may refuse an account's orders, by its name. None: nothing may."""
    executor: ExecutorSettings | None = None
    """How to retry, and how long to look. None: as the environment says."""
    routes: tuple[Route, ...] = ()
    """Where orders go that name no brokerage."""
    ids: IdSource = _random_id
    """Makes the ids of distributions."""
    on_close: Callable[[], None] = _nothing
    """Lets go of journal and stores when the desk closes, where they are the desk's own."""


class AccountView(BrokerView):
    """A brokerage under its name in the desk: two accounts at one broker are told apart by it."""

    @property
    def name(self) -> str:
        """What it is called in the desk."""
        return self._view_name


class Executors:
    """The executors, each made once, and recovered before it is given out.

    Args:
        trading: journal, limits and settings.
        view_of: returns a brokerage under its name.
    """

    def __init__(self, trading: Trading, view_of: Callable[[Member], AccountView]) -> None:
        """Make none yet."""
        self._trading = trading
        self._view_of = view_of
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._made: dict[str, tuple[Member, OrderExecutor, ReconciliationReport]] = {}

    def get(self, member: Member) -> OrderExecutor:
        """Return an account's executor; the first time, what an earlier process left is taken up.

        Raises:
            BrokerageError: the account's id cannot be read.
            OrderJournalError: the journal cannot be read.
        """
        return self._get(member)[0]

    def recover(self, member: Member) -> ReconciliationReport:
        """Return what became of what an earlier process left; later on, what is news.

        Raises:
            BrokerageError: the account's id cannot be read.
            OrderJournalError: the journal cannot be read.
        """
        executor, report = self._get(member)
        return executor.reconcile() if report is None else report

    def drop(self, name: str) -> None:
        """Forget the executor of an account that is not of the desk any more."""
        with self._lock:
            self._made.pop(name, None)

    def _get(self, member: Member) -> tuple[OrderExecutor, ReconciliationReport | None]:
        with self._lock:
            turn = self._turns.setdefault(member.name, threading.Lock())
        # Recovery takes its time: the others do not wait for it.
        with turn:
            known = self._made.get(member.name)
            if known is not None and known[0] is member:
                return known[1], None
            executor = self._make(self._view_of(member))
            report = executor.recover()
            self._made[member.name] = (member, executor, report)
            return executor, report

    def _make(self, view: Any) -> OrderExecutor:
        trading = self._trading
        gate = None if trading.gate_of is None else trading.gate_of(view.name, view)
        return OrderExecutor(view, trading.journal, settings=trading.executor, gate=gate)
