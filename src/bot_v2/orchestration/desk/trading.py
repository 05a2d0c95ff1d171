"""The brokerages of a desk, traded through one executor each: one order, or one over several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import attrs

from bot_v2.features.brokerages.core.capabilities import capabilities_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.desk.asking import AskingPool
from bot_v2.orchestration.desk.distribution import (
    DistributedResult,
    Distribution,
    UndoResult,
    Weighting,
)
from bot_v2.orchestration.desk.executors import AccountView, Executors, Trading
from bot_v2.orchestration.desk.members import Member
from bot_v2.orchestration.desk.planning import (
    AccountFacts,
    check_divisible,
    plan_distribution,
    read_facts,
    read_power,
)
from bot_v2.orchestration.desk.reading import Job, Missing
from bot_v2.orchestration.desk.routing import (
    Choice,
    Power,
    choose_by_margin,
    choose_by_rules,
    needs_of,
)
from bot_v2.orchestration.desk.sagas import SagaRunner
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.execution.report import ReconciliationReport
from bot_v2.orchestration.health_monitor import HealthChange
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now

RECOVERY_TIMEOUT_S: Final = 120.0
"""How long `recover` waits for an account, in seconds: proof takes its time."""


@attrs.frozen(kw_only=True)
class RoutedResult:
    """What came of an order, and where it went."""

    broker: str
    """The brokerage's name in the desk."""
    reason: str
    """Why it went there, for a person."""
    result: OrderResult
    """What the executor says of it."""


@attrs.frozen(kw_only=True)
class DeskRecovery:
    """What became of what an earlier process left."""

    reports: Mapping[str, ReconciliationReport]
    """What each account's executor found, by the account's name."""
    missing: tuple[Missing, ...]
    """The accounts that could not be looked at: of them nothing is known."""
    distributions: tuple[DistributedResult, ...]
    """The distributions that had not ended, leg by leg."""


class TradingPool(AskingPool):
    """Brokerages that orders are sent to, each through its own executor over one journal.

    Args:
        settings: how they are read and watched. None: the defaults.
        trading: the journal, limits and routes. None: nothing can be sent.
        on_change: called with each change of a brokerage's health.
        clock: dates every number.
        monotonic: the time that is waited by, in seconds.
    """

    def __init__(
        self,
        settings: DeskSettings | None = None,
        *,
        trading: Trading | None = None,
        on_change: Callable[[HealthChange], None] | None = None,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without any brokerage."""
        super().__init__(settings, on_change=on_change, clock=clock, monotonic=monotonic)
        self._desk: tuple[Trading, Executors, SagaRunner] | None = None
        if trading is not None:
            executors = Executors(trading, self._view)
            runner = SagaRunner(
                trading,
                lambda name: executors.get(self._roster.get(name)),
                lambda name: self._view(self._roster.get(name)),
                clock,
            )
            self._desk = (trading, executors, runner)

    def executor(self, name: str | None = None) -> OrderExecutor:
        """Return an account's executor, which has taken up what an earlier process left.

        Args:
            name: which account's. None: the default's.

        Raises:
            InvalidFieldError: there is none of that name.
            InvalidRequestError: the manager has no journal.
            BrokerageError: the account's id, or the journal, cannot be read.
        """
        member = self._roster.get(name)
        return self._trading()[1].get(member)

    def submit(
        self, request: OrderRequest, broker: str | None = None, *, by_margin: bool = False
    ) -> RoutedResult:
        """Place an order at one brokerage, through its executor.

        Args:
            request: what to place.
            broker: where, by its name. None: where the routing table says, else the default.
            by_margin: True: where there is most to buy it with, as the brokers say now.

        Raises:
            InvalidFieldError: there is no such brokerage, or both ways of choosing are given.
            UnsupportedOperationError: which account has the most margin cannot be said.
            BrokerageError: it cannot be told where it goes, or the account's id cannot be read;
                nothing was sent.
        """
        trading, executors, _ = self._trading()
        if broker is not None and by_margin:
            raise InvalidFieldError("broker", broker, "None: the account is chosen by its margin")
        if by_margin:
            choice = self._by_margin(request)
        elif broker is not None:
            choice = Choice(member=self._roster.get(broker), reason="it was named")
        else:
            choice = choose_by_rules(request, trading.routes, self._roster.get, self._product)
        result = executors.get(choice.member).submit(request)
        return RoutedResult(broker=choice.member.name, reason=choice.reason, result=result)

    def plan_distributed(
        self,
        request: OrderRequest,
        brokers: Iterable[str] | None = None,
        *,
        by: Weighting = Weighting.WEIGHT,
        saga_id: str | None = None,
    ) -> Distribution:
        """Return who would be sent how much of an order; nothing is sent.

        Args:
            request: the whole, by its quantity and without a client id.
            brokers: among which accounts. None: all.
            by: by what it is divided.
            saga_id: the id of the whole, unlike any other's. None: a random one.

        Raises:
            InvalidFieldError: the order cannot be divided.
            InvalidRequestError: no account can be asked, or their products are not the same.
        """
        trading = self._trading()[0]
        check_divisible(request)
        members = self._roster.choose(brokers)
        answers = self._ask_all("plan", partial(self._facts, request, by), members)
        made = saga_id or trading.ids()
        return plan_distribution(request, by, answers, saga_id=made, now=self._clock())

    def submit_distributed(
        self,
        request: OrderRequest | Distribution,
        brokers: Iterable[str] | None = None,
        *,
        by: Weighting = Weighting.WEIGHT,
        saga_id: str | None = None,
        stop_on_failure: bool = False,
    ) -> DistributedResult:
        """Place one order over several accounts; what came of each leg is told, one by one.

        All legs are written down before the first is sent. Under the same `saga_id` no leg is sent
        a second time: what was planned first counts, and what was not tried is sent now.

        Args:
            request: the whole; or a plan of `plan_distributed`, with which the rest is not used.
            brokers: among which accounts. None: all.
            by: by what it is divided.
            saga_id: the id of the whole, unlike any other's. None: a random one.
            stop_on_failure: True: after a leg that is not placed, the others are not tried.

        Raises:
            InvalidFieldError: the order cannot be divided, or another has that id.
            InvalidRequestError: no account can be asked, or their products are not the same.
            OrderJournalError: it cannot be written down; nothing was sent.
        """
        trading, _, runner = self._trading()
        if isinstance(request, Distribution):
            return runner.submit(request, stop_on_failure=stop_on_failure)
        known = None if saga_id is None else trading.sagas.find(saga_id)
        if known is not None:
            # Planned anew it could come out otherwise: accounts have changed since.
            known = attrs.evolve(known, request=request)
        plan = known or self.plan_distributed(request, brokers, by=by, saga_id=saga_id)
        return runner.submit(plan, stop_on_failure=stop_on_failure)

    def find_distribution(self, saga_id: str) -> Distribution | None:
        """Return what was written down under an id. None: nothing was.

        Raises:
            OrderJournalError: the journal cannot be read.
        """
        return self._trading()[0].sagas.find(saga_id)

    def distributed(self, saga_id: str) -> DistributedResult:
        """Return what came of a distribution so far; nothing is sent.

        Raises:
            InvalidRequestError: there is none of that id.
            OrderJournalError: the journal cannot be read.
        """
        runner = self._trading()[2]
        return runner.look(runner.find(saga_id))

    def undo(self, saga_id: str) -> tuple[UndoResult, ...]:
        """Cancel what lives of a distribution, and trade back what filled; again is harmless.

        Raises:
            InvalidRequestError: there is none of that id.
            OrderJournalError: the journal cannot be read.
        """
        runner = self._trading()[2]
        return runner.undo(runner.find(saga_id))

    def recover(self, *, finish: bool = False) -> DeskRecovery:
        """Find out what became of what an earlier process left; call it at start.

        Args:
            finish: True: legs that were never tried are sent now. False: they are told, and
                nothing is sent.

        Raises:
            InvalidRequestError: the manager has no journal.
            OrderJournalError: the journal cannot be read.
        """
        trading, executors, runner = self._trading()
        jobs = [
            Job(member=member, operation="recover", call=partial(executors.recover, member))
            for member in self._roster.choose(None)
        ]
        answers = self._reader.read(jobs, RECOVERY_TIMEOUT_S)
        look = runner.run if finish else runner.look
        return DeskRecovery(
            reports={reading.broker: reading.value for reading in answers.readings},
            missing=answers.missing,
            distributions=tuple(look(one) for one in trading.sagas.list_open()),
        )

    def remove(self, name: str) -> tuple[Missing, ...]:
        """Leave a brokerage out from now on, and disconnect it; see `BrokerPool.remove`."""
        failed = super().remove(name)
        if self._desk is not None:
            self._desk[1].drop(name)
        return failed

    def close(self) -> tuple[Missing, ...]:
        """Disconnect all brokerages, and let go of what is the desk's own; twice is harmless."""
        was_closed = self._is_closed
        failed = super().close()
        if self._desk is not None and not was_closed:
            self._desk[0].on_close()
        return failed

    def _trading(self) -> tuple[Trading, Executors, SagaRunner]:
        self._check_open()
        if self._desk is None:
            raise InvalidRequestError(
                "this manager sends nothing: it was made without a journal; accepted: "
                "MultiBrokerManager(trading=Trading(journal=..., sagas=...))"
            )
        return self._desk

    def _view(self, member: Member) -> AccountView:
        return AccountView(member.name, member.broker, lambda: self.is_wanted(member), self._clock)

    def _facts(self, request: OrderRequest, by: Weighting, member: Member) -> AccountFacts:
        return read_facts(member, request, by, self._product(member, request.symbol))

    def _by_margin(self, request: OrderRequest) -> Choice:
        needed = needs_of(request)
        members = [
            member
            for member in self._roster.choose(None)
            if needed <= capabilities_of(member.broker)
        ]

        def power_of(member: Member) -> tuple[Member, Power]:
            product = self._product(member, request.symbol)
            return member, read_power(member.broker, member.name, product)

        answers = self._ask_all("get_margin", power_of, members)
        candidates = [reading.value for reading in answers.readings]
        return choose_by_margin(candidates, [one.error for one in answers.missing])
