"""Admitting one order: judged and reserved in one turn, by a look that cannot hide an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    InvalidRequestError,
    Outcome,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.risk.account_reader import AccountReader
from bot_v2.orchestration.risk.checks import check_new_risk
from bot_v2.orchestration.risk.conditions import check_margin, read_margin
from bot_v2.orchestration.risk.desk import RiskDesk
from bot_v2.orchestration.risk.exposure import (
    ZERO,
    AccountState,
    Part,
    Reservation,
    is_exit,
    settled_since,
)
from bot_v2.orchestration.risk.ledger import ReservationLedger
from bot_v2.orchestration.risk.limits import ConditionCheck
from bot_v2.orchestration.risk.pricing import Weight
from bot_v2.orchestration.risk.settings import GateSettings
from bot_v2.orchestration.risk.standing import Level, parts_of, stand, unseen
from bot_v2.orchestration.risk.store import RiskBook

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage
    from bot_v2.shared.types import Clock


EXIT_LOOKS: Final = 5
"""How many looks an exit gets while orders that end meanwhile may be counted twice."""


@attrs.frozen(kw_only=True)
class Candidate:
    """An order, or a change of one, that asks for admission."""

    request: OrderRequest
    """What is to be sent; of a change, the order as it would be."""
    parts: tuple[Part, ...]
    """What is to be held. Empty: it could not be read."""
    weight: Weight | None = None
    """The same with its prices. None: no limit asks for them."""
    changes: Reservation | None = None
    """What is held of it already. None: it is not sent yet."""

    @property
    def client_order_id(self) -> str:
        """The order."""
        return self.request.client_order_id or ""


class Admission:
    """Admits orders of one account.

    Args:
        broker: the brokerage.
        scope: the account.
        desk: what all accounts share.
        levels: the limits.
        reader: looks at the account.
        ledger: what this process holds.
        settings: how old a look may be.
        clock: the present moment.
    """

    def __init__(
        self,
        broker: IBrokerage,
        scope: Scope,
        desk: RiskDesk,
        levels: Sequence[Level],
        *,
        reader: AccountReader,
        ledger: ReservationLedger,
        settings: GateSettings,
        clock: Clock,
    ) -> None:
        """Admit nothing yet."""
        self._broker = broker
        self._scope = scope
        self._desk = desk
        self._levels = levels
        self._reader = reader
        self._ledger = ledger
        self._settings = settings
        self._clock = clock
        self._needs_look = any(
            level.limits.needs_account or level.limits.margin is not ConditionCheck.OFF
            for level in levels
        )

        self._needs_currency = any(
            level.limits.has_amounts and level.limits.currency is None for level in levels
        )
        self._currency: str | None = None

    def admit(self, candidate: Candidate) -> None:
        """Judge by the look that is at hand; where that refuses, by a new one; and hold.

        Raises:
            BrokerageError: a limit does not allow it, or cannot be checked.
        """
        now = self._clock()
        state = None
        if self._needs_currency and self._currency is None:
            with reading():
                self._currency = self._reader.currency()
        if self._needs_look:
            with reading():
                state = self._reader.look(now - self._settings.look_age)
        if self._desk.level.limits.needs_account:
            with reading():
                self._desk.freshen(self._scope, now - self._settings.other_look_age)
        margins = self._read_margins(candidate)
        try:
            self._commit(candidate, state, margins)
        except BrokerageError:
            now = self._clock()
            left_over = self._ledger.give_back_left_over()
            if state is None and not left_over:
                raise
            if state is not None:
                is_late = left_over > 0 or self._has_late(state)
                if not is_late and state.began_at >= now - self._settings.refusing_look_age:
                    raise
                with reading():
                    state = self._reader.look(
                        now if is_late else now - self._settings.refusing_look_age
                    )
                margins = self._read_margins(candidate)
            self._commit(candidate, state, margins)

    def admit_exit(self, candidate: Candidate) -> bool:
        """Hold an order if it is an exit; False: it is not known to be one.

        Where the account cannot be read, the latest look serves, less all that was ordered since.
        Where there is none, or the order's products cannot be read, an exit is what the broker
        itself lets do nothing else: reduce-only.
        """
        try:
            age = self._settings.refusing_look_age
            for _ in range(EXIT_LOOKS):
                state = self._exit_basis(self._clock() - age)
                age = timedelta(0)
                with self._desk.store.turn() as book:
                    passes = self._lowers(book, candidate, state)
                    if passes:
                        self._put(book, candidate, self._clock())
                        return True
                    if state is None or not _lowers_alone(candidate, state):
                        return False
        except OrderJournalError:
            if candidate.request.reduce_only and candidate.changes is None:
                # The store is told when it can be.
                self._ledger.hold(candidate.request)
                return True
        return False

    def may_be_exit(self, candidate: Candidate) -> bool:
        """Return whether an order lowers a position, whatever others take of it.

        Raises:
            OrderJournalError: the store cannot be read.
        """
        state = self._exit_basis(self._clock())
        if state is None:
            return candidate.request.reduce_only
        return _lowers_alone(candidate, state)

    def _has_late(self, state: AccountState) -> bool:
        """Whether orders ended around a look, so that they may count twice."""
        with self._desk.store.turn() as book:
            return any(each.released is not None for each in book.list_counting(state))

    def _read_margins(self, candidate: Candidate) -> list[tuple[Level, Margin]]:
        with reading():
            read = [
                (level, read_margin(self._broker, level, candidate.request))
                for level in self._levels
            ]
        return [(level, margin) for level, margin in read if margin is not None]

    def _commit(
        self,
        candidate: Candidate,
        state: AccountState | None,
        margins: list[tuple[Level, Margin]],
    ) -> None:
        """Judge and hold within one turn; what was learnt of the account stays in any case."""
        now = self._clock()
        refused: BrokerageError | None = None
        with self._desk.store.turn() as book:
            try:
                self._keep(book, state, now)
                self._judge(book, candidate, state, margins, now)
                self._put(book, candidate, now)
            except OrderJournalError:
                raise
            except BrokerageError as error:
                refused = error
        if refused is not None:
            raise refused

    def _keep(self, book: RiskBook, state: AccountState | None, now: datetime) -> None:
        if state is None:
            book.forget_released(self._scope, book.releases(), now - self._settings.remembered_for)
            return
        if book.forgotten(self._scope) > state.releases:
            raise BrokerUnavailableError(
                "the limits cannot be checked: reading the account took too long; accepted: exits",
                outcome=Outcome.NOT_SENT,
            )
        kept = book.looked_at(self._scope)
        if kept is None or kept < state.began_at - self._settings.look_age:
            # Not at every order: each write waits for the disk.
            book.put_account(state)
            until = state.began_at - max(state.lag, self._settings.late_looks)
            book.forget_released(self._scope, state.releases, until)

    def _judge(
        self,
        book: RiskBook,
        candidate: Candidate,
        state: AccountState | None,
        margins: list[tuple[Level, Margin]],
        now: datetime,
    ) -> None:
        but = candidate.client_order_id
        for level in self._levels:
            states = [state] if state is not None and level.limits.needs_account else []
            if states and level.scope is None:
                states += [each for each in book.list_accounts() if each.scope != self._scope]
            currency = self._currency if level.limits.has_amounts else None
            standing = stand(
                book, level, states, but=but, own=self._scope, currency=currency, now=now
            )
            check_new_risk(level, candidate.request, candidate.weight, standing)
        for level, margin in margins:
            if state is not None:
                rows = [each for each in book.list_counting(state) if each.client_order_id != but]
                check_margin(level, margin, unseen(rows, state), candidate.request)

    def _put(self, book: RiskBook, candidate: Candidate, now: datetime) -> None:
        held = candidate.changes
        reserved_at = now if held is None else held.reserved_at
        book.put(self._ledger.reservation(candidate.client_order_id, candidate.parts, reserved_at))
        if held is None:
            book.add_order(self._scope, now)

    def _lowers(self, book: RiskBook, candidate: Candidate, state: AccountState | None) -> bool:
        is_outdated = state is not None and book.forgotten(self._scope) > state.releases
        if state is None or is_outdated or not candidate.parts:
            return candidate.request.reduce_only
        rows = book.list_counting(state)
        changes, open_rows = settled_since(rows, state)
        positions = {
            part.exposure: EXACT.add(
                state.position(part.exposure), changes.get(part.exposure, ZERO)
            )
            for part in candidate.parts
        }
        others = parts_of(open_rows, rows, state, candidate.client_order_id)
        return is_exit(candidate.parts, positions, others)

    def _exit_basis(self, since: datetime) -> AccountState | None:
        """Return a look since a moment; else the latest that anybody had, if recent enough."""
        now = self._clock()
        try:
            return self._reader.look(since)
        except OrderJournalError:
            raise
        except BrokerageError:
            with self._desk.store.turn() as book:
                told = [each for each in book.list_accounts() if each.scope == self._scope]
            known = [each for each in (self._reader.latest, *told) if each is not None]
            recent = [
                each for each in known if each.began_at >= now - self._settings.remembered_for
            ]
            return max(recent, key=lambda each: each.order, default=None)


def _lowers_alone(candidate: Candidate, state: AccountState) -> bool:
    """Whether it would be an exit if no other order took anything of the position."""
    positions = {part.exposure: state.position(part.exposure) for part in candidate.parts}
    return is_exit(candidate.parts, positions, ())


@contextmanager
def reading() -> Iterator[None]:
    """Say of a read that fails that the limits could not be checked."""
    try:
        yield
    except InvalidRequestError:
        raise
    except BrokerageError as error:
        if error.outcome is None:
            error.message = f"the risk limits cannot be checked: {error.message}; accepted: exits"
            error.outcome = Outcome.NOT_SENT
        raise
