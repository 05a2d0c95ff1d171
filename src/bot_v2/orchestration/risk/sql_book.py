"""The statements of the reservations' store, within one transaction of the caller's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs
from sqlalchemy import Connection, Row, Table, delete, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite

from bot_v2.features.brokerages.core.decimals import (
    decimal_from_text,
    decimal_or_none,
    decimal_to_text,
)
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.journal.texts import record_from_text, record_to_text
from bot_v2.orchestration.risk.exposure import AccountState, PartList, Reservation
from bot_v2.orchestration.risk.schema import (
    ACCOUNTS,
    EQUITIES,
    FACTS,
    METADATA,
    ORDERS,
    RESERVATIONS,
    SCHEMA_VERSION,
)
from bot_v2.orchestration.risk.store import RATE_KEPT

_TURN: Final = 4_714_202
"""The advisory lock under which PostgreSQL gives turns, to all processes one after another."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def take_turn(connection: Connection) -> None:
    """Wait for the turn, which ends with the transaction; SQLite has given it already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_TURN})"))


def prepare(connection: Connection) -> None:
    """Make the tables where there are none, and refuse those of another version.

    Raises:
        OrderJournalError: the store is of another version.
    """
    METADATA.create_all(connection)
    _insert(connection, FACTS, {"name": "schema_version", "number": SCHEMA_VERSION})
    version = _fact(connection, "schema_version")
    if version != SCHEMA_VERSION:
        raise OrderJournalError(
            f"the reservations are of schema version {version}; this is version {SCHEMA_VERSION}"
        )


class SqlBook:
    """The book of one turn.

    Args:
        connection: within a transaction that has the turn.
    """

    def __init__(self, connection: Connection) -> None:
        """Read nothing yet."""
        self._connection = connection

    def releases(self) -> int:
        """Return how many releases there have been."""
        return _fact(self._connection, "releases")

    def list_held(self, scope: Scope | None = None) -> list[Reservation]:
        """Return what is held, of an account or of all."""
        query = select(RESERVATIONS).where(RESERVATIONS.c.released.is_(None))
        if scope is not None:
            query = query.where(*_is(RESERVATIONS, scope))
        return [_reservation(row) for row in self._connection.execute(query)]

    def list_counting(self, state: AccountState) -> list[Reservation]:
        """Return what counts beside a look at an account: what is held, or was given back late."""
        late = or_(
            RESERVATIONS.c.released.is_(None),
            RESERVATIONS.c.released > state.releases,
            RESERVATIONS.c.released_at > _to_number(state.began_at - state.lag),
        )
        query = select(RESERVATIONS).where(*_is(RESERVATIONS, state.scope), late)
        return [_reservation(row) for row in self._connection.execute(query)]

    def find(self, scope: Scope, client_order_id: str) -> Reservation | None:
        """Return the reservation of an order. None: there is none, and none was a moment ago."""
        query = select(RESERVATIONS).where(
            *_is(RESERVATIONS, scope), RESERVATIONS.c.client_order_id == client_order_id
        )
        row = self._connection.execute(query).first()
        return None if row is None else _reservation(row)

    def put(self, reservation: Reservation) -> None:
        """Keep a reservation, in place of what the order had."""
        key = {**_key(reservation.scope), "client_order_id": reservation.client_order_id}
        filled = reservation.filled
        content = {
            "journal_id": reservation.journal_id,
            "owner": reservation.owner,
            "parts": record_to_text(PartList(parts=reservation.parts)),
            "reserved_at": _to_number_or_none(reservation.reserved_at),
            "filled": None if filled is None else decimal_to_text(filled),
            "released": reservation.released,
            "released_at": _to_number_or_none(reservation.released_at),
        }
        _insert(self._connection, RESERVATIONS, key, content)

    def release(
        self, scope: Scope, client_order_id: str, at: datetime, filled: Decimal | None
    ) -> None:
        """Give a reservation back; what is not held is left alone."""
        known = self.find(scope, client_order_id)
        if known is None or known.released is not None:
            return
        number = self.releases() + 1
        self.put(attrs.evolve(known, released=number, released_at=at, filled=filled))
        _insert(self._connection, FACTS, {"name": "releases"}, {"number": number})

    def forget_released(self, scope: Scope, releases: int, until: datetime) -> None:
        """Drop what was given back both among the first `releases` and by a moment."""
        old = (
            *_is(RESERVATIONS, scope),
            RESERVATIONS.c.released <= releases,
            RESERVATIONS.c.released_at <= _to_number(until),
        )
        query = select(RESERVATIONS.c.released).where(*old)
        latest = max(self._connection.execute(query).scalars(), default=None)
        if latest is not None:
            self._connection.execute(delete(RESERVATIONS).where(*old))
            number = max(latest, self.forgotten(scope))
            _insert(self._connection, FACTS, {"name": _forgotten(scope)}, {"number": number})

    def forgotten(self, scope: Scope) -> int:
        """Return up to which release of an account some may have been dropped."""
        return _fact(self._connection, _forgotten(scope))

    def list_accounts(self) -> list[AccountState]:
        """Return the latest look at each account."""
        rows = self._connection.execute(select(ACCOUNTS.c.payload)).scalars()
        return [record_from_text(row, AccountState, "an account's state") for row in rows]

    def put_account(self, state: AccountState) -> None:
        """Keep a look at an account, unless a later one is kept."""
        query = select(ACCOUNTS.c.payload).where(*_is(ACCOUNTS, state.scope))
        known = self._connection.execute(query).scalar()
        if known is not None:
            kept = record_from_text(known, AccountState, "an account's state")
            if kept.order > state.order:
                return
        content = {"began_at": _to_number(state.began_at), "payload": record_to_text(state)}
        _insert(self._connection, ACCOUNTS, _key(state.scope), content)

    def looked_at(self, scope: Scope) -> datetime | None:
        """Return when the kept look at an account began. None: none is kept."""
        query = select(ACCOUNTS.c.began_at).where(*_is(ACCOUNTS, scope))
        known = self._connection.execute(query).scalar()
        return None if known is None else _to_moment(known)

    def forget_account(self, scope: Scope) -> None:
        """Drop the look at an account that is not traded any more."""
        self._connection.execute(delete(ACCOUNTS).where(*_is(ACCOUNTS, scope)))

    def first_equity(self, scope: Scope, day: str) -> Decimal | None:
        """Return an account's first equity of a day. None: nobody has looked on that day."""
        query = select(EQUITIES.c.equity).where(*_is(EQUITIES, scope), EQUITIES.c.day == day)
        known = self._connection.execute(query).scalar()
        return None if known is None else decimal_from_text(known, "equity")

    def put_first_equity(self, scope: Scope, day: str, equity: Decimal) -> None:
        """Keep an account's first equity of a day; a later one of the same day changes nothing."""
        row = {**_key(scope), "day": day, "equity": decimal_to_text(equity)}
        _insert(self._connection, EQUITIES, row)

    def add_order(self, scope: Scope, at: datetime) -> None:
        """Count an order."""
        old = ORDERS.c.at < _to_number(at - RATE_KEPT)
        self._connection.execute(delete(ORDERS).where(old))
        self._connection.execute(ORDERS.insert(), {**_key(scope), "at": _to_number(at)})

    def list_orders_since(self, scope: Scope | None, since: datetime) -> list[datetime]:
        """Return when orders were counted after a moment, oldest first; of an account, or all."""
        query = select(ORDERS.c.at).where(ORDERS.c.at > _to_number(since)).order_by(ORDERS.c.at)
        if scope is not None:
            query = query.where(*_is(ORDERS, scope))
        return [_to_moment(at) for at in self._connection.execute(query).scalars()]


def _insert(
    connection: Connection,
    table: Table,
    key: dict[str, Any],
    content: dict[str, Any] | None = None,
) -> None:
    """Insert a row. Where its key is taken: set its content, or leave it where there is none."""
    of = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    adding = of(table).values({**key, **(content or {})})
    if content is None:
        connection.execute(adding.on_conflict_do_nothing())
        return
    keys = [column.name for column in table.primary_key]
    connection.execute(adding.on_conflict_do_update(index_elements=keys, set_=content))


def _fact(connection: Connection, name: str) -> int:
    found = connection.execute(select(FACTS.c.number).where(FACTS.c.name == name)).scalar()
    return 0 if found is None else int(found)


def _forgotten(scope: Scope) -> str:
    return f"forgotten/{scope.broker}/{scope.account_id}"


def _key(scope: Scope) -> dict[str, Any]:
    return {"broker": scope.broker, "account_id": scope.account_id}


def _is(table: Table, scope: Scope) -> tuple[Any, Any]:
    return table.c.broker == scope.broker, table.c.account_id == scope.account_id


def _reservation(row: Row[Any]) -> Reservation:
    where = f"the reservation of {row.client_order_id!r}"
    return Reservation(
        scope=Scope(broker=row.broker, account_id=row.account_id),
        client_order_id=row.client_order_id,
        journal_id=row.journal_id,
        owner=row.owner,
        parts=record_from_text(row.parts, PartList, where).parts,
        reserved_at=_to_moment_or_none(row.reserved_at),
        filled=decimal_or_none(row.filled, "filled"),
        released=row.released,
        released_at=_to_moment_or_none(row.released_at),
    )


def _to_number(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _to_moment(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND


def _to_number_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else _to_number(moment)


def _to_moment_or_none(number: int | None) -> datetime | None:
    return None if number is None else _to_moment(number)
