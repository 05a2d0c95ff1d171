"""Where reservations are kept: a book that one thread of one process at a time may write in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

import attrs

from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.risk.exposure import AccountState, Reservation

RATE_KEPT: Final = timedelta(minutes=10)
"""How long it is remembered that an order was counted."""


class RiskBook(Protocol):
    """What is read and written within one turn at the store."""

    def releases(self) -> int:
        """Return how many releases there have been."""
        ...

    def list_held(self, scope: Scope | None = None) -> list[Reservation]:
        """Return what is held, of an account or of all."""
        ...

    def list_counting(self, state: AccountState) -> list[Reservation]:
        """Return what counts beside a look at an account: what is held, or was given back late.

        What was given back after the look began, or earlier by the account's lag, can be missing in
        it.
        """
        ...

    def find(self, scope: Scope, client_order_id: str) -> Reservation | None:
        """Return the reservation of an order. None: there is none, and none was a moment ago."""
        ...

    def put(self, reservation: Reservation) -> None:
        """Keep a reservation, in place of what the order had."""
        ...

    def release(
        self, scope: Scope, client_order_id: str, at: datetime, filled: Decimal | None
    ) -> None:
        """Give a reservation back; what is not held is left alone.

        Args:
            scope: the account.
            client_order_id: the order.
            at: the present moment.
            filled: how much of it was filled, in order units. None: not said.
        """
        ...

    def forget_released(self, scope: Scope, releases: int, until: datetime) -> None:
        """Drop what was given back both among the first `releases` and by a moment."""
        ...

    def forgotten(self, scope: Scope) -> int:
        """Return up to which release of an account some may have been dropped."""
        ...

    def list_accounts(self) -> list[AccountState]:
        """Return the latest look at each account."""
        ...

    def put_account(self, state: AccountState) -> None:
        """Keep a look at an account, unless a later one is kept."""
        ...

    def looked_at(self, scope: Scope) -> datetime | None:
        """Return when the kept look at an account began. None: none is kept."""
        ...

    def forget_account(self, scope: Scope) -> None:
        """Drop the look at an account that is not traded any more."""
        ...

    def first_equity(self, scope: Scope, day: str) -> Decimal | None:
        """Return an account's first equity of a day. None: nobody has looked on that day."""
        ...

    def put_first_equity(self, scope: Scope, day: str, equity: Decimal) -> None:
        """Keep an account's first equity of a day; a later one of the same day changes nothing."""
        ...

    def add_order(self, scope: Scope, at: datetime) -> None:
        """Count an order."""
        ...

    def list_orders_since(self, scope: Scope | None, since: datetime) -> list[datetime]:
        """Return when orders were counted after a moment, oldest first; of an account, or all."""
        ...


class ReservationStore(Protocol):
    """Keeps reservations between threads, and between processes where it is shared."""

    def turn(self) -> AbstractContextManager[RiskBook]:
        """Give the book to one caller at a time, among all processes.

        What is written outlives the process when the block ends; where it raises, nothing is.

        Raises:
            OrderJournalError: the store cannot be read or written.
        """
        ...

    def close(self) -> None:
        """Let go of it. Twice is harmless."""
        ...


class MemoryReservations:
    """Reservations of one process, which end with it: for a journal in memory, and for tests."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._book = _MemoryBook()

    @contextmanager
    def turn(self) -> Iterator[RiskBook]:
        """Give the book to one caller at a time; where the block raises, nothing was written."""
        with self._lock:
            book = self._book.copy()
            yield book
            self._book = book

    def close(self) -> None:
        """Nothing is held."""


@attrs.define
class _MemoryBook:
    count: int = 0
    reservations: dict[tuple[Scope, str], Reservation] = attrs.field(factory=dict)
    accounts: dict[Scope, AccountState] = attrs.field(factory=dict)
    equities: dict[tuple[Scope, str], Decimal] = attrs.field(factory=dict)
    dropped: dict[Scope, int] = attrs.field(factory=dict)
    orders: tuple[tuple[datetime, Scope], ...] = ()

    def copy(self) -> _MemoryBook:
        return _MemoryBook(
            count=self.count,
            reservations=dict(self.reservations),
            accounts=dict(self.accounts),
            equities=dict(self.equities),
            dropped=dict(self.dropped),
            orders=self.orders,
        )

    def releases(self) -> int:
        return self.count

    def list_held(self, scope: Scope | None = None) -> list[Reservation]:
        held = (each for each in self.reservations.values() if each.released is None)
        return [each for each in held if scope in (None, each.scope)]

    def list_counting(self, state: AccountState) -> list[Reservation]:
        since = state.began_at - state.lag
        return [
            each
            for each in self.reservations.values()
            if each.scope == state.scope
            and (
                each.released is None
                or each.released > state.releases
                or (each.released_at is not None and each.released_at > since)
            )
        ]

    def find(self, scope: Scope, client_order_id: str) -> Reservation | None:
        return self.reservations.get((scope, client_order_id))

    def put(self, reservation: Reservation) -> None:
        self.reservations[reservation.scope, reservation.client_order_id] = reservation

    def release(
        self, scope: Scope, client_order_id: str, at: datetime, filled: Decimal | None
    ) -> None:
        known = self.find(scope, client_order_id)
        if known is not None and known.released is None:
            self.count += 1
            self.put(attrs.evolve(known, released=self.count, released_at=at, filled=filled))

    def forget_released(self, scope: Scope, releases: int, until: datetime) -> None:
        for each in list(self.reservations.values()):
            if each.scope != scope or each.released is None or each.released_at is None:
                continue
            if each.released <= releases and each.released_at <= until:
                del self.reservations[scope, each.client_order_id]
                self.dropped[scope] = max(self.forgotten(scope), each.released)

    def forgotten(self, scope: Scope) -> int:
        return self.dropped.get(scope, 0)

    def list_accounts(self) -> list[AccountState]:
        return list(self.accounts.values())

    def put_account(self, state: AccountState) -> None:
        known = self.accounts.get(state.scope)
        if known is None or known.order <= state.order:
            self.accounts[state.scope] = state

    def looked_at(self, scope: Scope) -> datetime | None:
        known = self.accounts.get(scope)
        return None if known is None else known.began_at

    def forget_account(self, scope: Scope) -> None:
        self.accounts.pop(scope, None)

    def first_equity(self, scope: Scope, day: str) -> Decimal | None:
        return self.equities.get((scope, day))

    def put_first_equity(self, scope: Scope, day: str, equity: Decimal) -> None:
        self.equities.setdefault((scope, day), equity)

    def add_order(self, scope: Scope, at: datetime) -> None:
        self.orders = (*(each for each in self.orders if at - each[0] <= RATE_KEPT), (at, scope))

    def list_orders_since(self, scope: Scope | None, since: datetime) -> list[datetime]:
        return sorted(at for at, of in self.orders if scope in (None, of) and at > since)
