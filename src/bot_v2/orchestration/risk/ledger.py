"""What one process holds of an account's risk, and what it takes over from processes that ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import IntentState, OrderJournalError
from bot_v2.orchestration.risk.exposure import UNWEIGHED, ZERO, Part, Reservation
from bot_v2.orchestration.risk.store import ReservationStore

if TYPE_CHECKING:
    from bot_v2.shared.types import Clock

_LOG: Final = logging.getLogger("bot_v2.orchestration.risk")


class KnownJournal(Protocol):
    """What the gate asks of an order journal, beside which it works."""

    journal_id: str
    """What tells the journal from others, wherever it is opened."""
    owner: str
    """This process's name in it."""

    def find(self, intent_id: str) -> IntentState | None:
        """Return an intent's state. None: there is no such intent."""
        ...

    def find_by_order(self, scope: Scope, order_id: str) -> IntentState | None:
        """Return the placement that an order came of. None: of none in the journal."""
        ...

    def is_gone(self, owner: str) -> bool:
        """Return whether the process of a name, which once had this journal open, has ended."""
        ...


@attrs.frozen
class _Ended:
    """An order that is to be given back."""

    filled: Decimal


class ReservationLedger:
    """Holds and gives back; what the store could not be told is told it later.

    Args:
        store: where reservations are kept.
        journal: which knows what becomes of this process's orders.
        scope: the account.
        clock: the present moment.
        weigh: gives what an order weighs.
        needs_values: whether a limit asks what orders are worth.
    """

    def __init__(
        self,
        store: ReservationStore,
        journal: KnownJournal,
        scope: Scope,
        *,
        clock: Clock,
        weigh: Callable[[OrderRequest], tuple[Part, ...]],
        needs_values: bool,
    ) -> None:
        """Hold nothing yet."""
        self._store = store
        self._journal = journal
        self._scope = scope
        self._clock = clock
        self._weigh = weigh
        self._needs_values = needs_values
        self._lock = threading.Lock()
        self._owed: dict[str, OrderRequest | _Ended] = {}

    def reservation(
        self, client_order_id: str, parts: tuple[Part, ...], reserved_at: datetime | None
    ) -> Reservation:
        """Return the reservation of an order of this process."""
        return Reservation(
            scope=self._scope,
            client_order_id=client_order_id,
            journal_id=self._journal.journal_id,
            owner=self._journal.owner,
            parts=parts,
            reserved_at=reserved_at,
        )

    def hold(self, request: OrderRequest) -> None:
        """Hold an order that may be at the broker. What cannot be written now is written later."""
        self._do(request.client_order_id or "", request)

    def release(self, client_order_id: str, order: Order | None) -> None:
        """Give an order's risk back. What cannot be written now is written later.

        Args:
            client_order_id: the order.
            order: what became of it. None: it is known that there is none.
        """
        self._do(client_order_id, _Ended(ZERO if order is None else order.filled_quantity))

    def settle_debts(self) -> None:
        """Write what could not be written, and weigh what could not be weighed.

        Raises:
            OrderJournalError: the store still cannot be written.
        """
        with self._lock:
            owed = list(self._owed.items())
        for client_order_id, what in owed:
            done = self._write(client_order_id, what)
            with self._lock:
                if done and self._owed.get(client_order_id) is what:
                    del self._owed[client_order_id]

    def give_back_left_over(self) -> int:
        """Give back what processes held that have ended, and of which nothing is at the broker.

        Such an order was settled, or was never written down, so that it was never sent. All others
        stay held, and are this process's once it has recovered its journal.

        Returns:
            How many there were.

        Raises:
            OrderJournalError: the store cannot be read or written.
        """
        with self._store.turn() as book:
            left = [
                each
                for each in book.list_held(self._scope)
                if each.journal_id == self._journal.journal_id and each.owner != self._journal.owner
            ]
        over = [each for each in left if self._is_over(each)]
        if not over:
            return 0
        with self._store.turn() as book:
            for each in over:
                known = book.find(self._scope, each.client_order_id)
                if known is not None and known.owner == each.owner:
                    book.release(self._scope, each.client_order_id, self._clock(), None)
        return len(over)

    def _is_over(self, left: Reservation) -> bool:
        # Asked first: while its process lives, the order may still be written down and sent.
        intent_id = f"{self._scope.broker}/{self._scope.account_id}/{left.client_order_id}"
        try:
            is_gone = self._journal.is_gone(left.owner)
            state = self._journal.find(intent_id)
        except OrderJournalError as error:
            _LOG.warning("what became of %s cannot be read: %s", left.client_order_id, error)
            return False
        return is_gone if state is None else state.is_final

    def _do(self, client_order_id: str, what: OrderRequest | _Ended) -> None:
        try:
            done = self._write(client_order_id, what)
        except OrderJournalError as error:
            _LOG.warning("the risk of %s will be written later: %s", client_order_id, error)
            done = False
        with self._lock:
            if done:
                self._owed.pop(client_order_id, None)
            else:
                self._owed[client_order_id] = what

    def _write(self, client_order_id: str, what: OrderRequest | _Ended) -> bool:
        """Hold an order, or give an ended one back; False: it is not weighed yet."""
        if isinstance(what, _Ended):
            with self._store.turn() as book:
                book.release(self._scope, client_order_id, self._clock(), what.filled)
            return True
        if self._adopt(client_order_id):
            return True
        try:
            parts = self._weigh(what)
        except BrokerageError as error:
            _LOG.warning("what %s weighs cannot be read yet: %s", client_order_id, error)
            parts = (_unweighed(what),)
        with self._store.turn() as book:
            book.put(self.reservation(client_order_id, parts, None))
        return self._is_weighed(parts)

    def _is_weighed(self, parts: tuple[Part, ...]) -> bool:
        return not any(
            part.exposure == UNWEIGHED or (part.value is None and self._needs_values)
            for part in parts
        )

    def _adopt(self, client_order_id: str) -> bool:
        """Make a reservation that is known, and weighed, this process's; False: there is none."""
        with self._store.turn() as book:
            known = book.find(self._scope, client_order_id)
            if known is None or not self._is_weighed(known.parts):
                return False
            book.put(self.reservation(client_order_id, known.parts, known.reserved_at))
            return True


def _unweighed(request: OrderRequest) -> Part:
    return Part(
        symbol=request.symbol,
        exposure=UNWEIGHED,
        side=request.side,
        quantity=request.quantity or ZERO,
        value=None,
        currency="",
        takes_cash=True,
    )
