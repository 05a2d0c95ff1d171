"""What all gates of a process share: limits on all accounts together, and looks at them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from bot_v2.features.brokerages.core.errors import BrokerUnavailableError, Outcome
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.risk.exposure import AccountState, Reservation
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.standing import Level
from bot_v2.orchestration.risk.store import ReservationStore

Look = Callable[[datetime], AccountState]
"""Returns a look at an account that began at or after a moment."""


class RiskDesk:
    """The accounts that share limits; those of other processes are known by the store.

    Args:
        store: where reservations are kept; the same for all accounts and processes.
        limits: what all accounts together are held to.
    """

    def __init__(self, store: ReservationStore, limits: RiskLimits | None = None) -> None:
        """Know of no account yet."""
        self.store = store
        """Where reservations are kept."""
        self.level = Level(name="all accounts", limits=limits or RiskLimits(), scope=None)
        """The limits on all accounts together."""
        self._looks: dict[Scope, Look] = {}
        self._lock = threading.Lock()

    def join(self, scope: Scope, look: Look) -> None:
        """Count an account of this process in.

        Args:
            scope: the account.
            look: looks at it.
        """
        with self._lock:
            self._looks[scope] = look

    def list_held(self) -> list[Reservation]:
        """Return what is held of all accounts, by whichever process.

        Raises:
            OrderJournalError: the store cannot be read.
        """
        with self.store.turn() as book:
            return book.list_held()

    def give_back(self, reservation: Reservation, at: datetime) -> None:
        """Give a reservation back on a person's word: its journal is lost, and its order is over.

        Args:
            reservation: as `list_held` gave it.
            at: the present moment.

        Raises:
            OrderJournalError: the store cannot be written.
        """
        with self.store.turn() as book:
            book.release(reservation.scope, reservation.client_order_id, at, None)

    def forget_account(self, scope: Scope) -> None:
        """Leave an account out of the limits on all accounts: it is not traded any more.

        Raises:
            OrderJournalError: the store cannot be written.
        """
        with self._lock:
            self._looks.pop(scope, None)
        with self.store.turn() as book:
            book.forget_account(scope)

    def freshen(self, own: Scope, since: datetime) -> None:
        """See to it that the looks at all other accounts began at or after a moment.

        Raises:
            BrokerageError: an account cannot be read.
            BrokerUnavailableError: the process that trades an account has not looked for too long.
        """
        with self._lock:
            looks = {scope: look for scope, look in self._looks.items() if scope != own}
        with self.store.turn() as book:
            known = {state.scope: state for state in book.list_accounts() if state.scope != own}
        for scope in {**known, **looks}:
            state = known.get(scope)
            if state is not None and state.began_at >= since:
                continue
            look = looks.get(scope)
            if look is None:
                at = "never" if state is None else state.began_at.isoformat()
                raise BrokerUnavailableError(
                    f"the limits on all accounts count {scope.account_id} at {scope.broker}, which "
                    f"was last looked at {at}; accepted: exits, until its process looks again, or "
                    "it is left out by RiskDesk.forget_account",
                    outcome=Outcome.NOT_SENT,
                )
            fresh = look(since)
            with self.store.turn() as book:
                book.put_account(fresh)
