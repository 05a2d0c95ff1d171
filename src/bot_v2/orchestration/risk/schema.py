"""The tables of the reservations' store, and the version that they carry."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text

SCHEMA_VERSION: Final = 1
"""Raised by one with each change of the tables; a store of another version is not opened."""

METADATA: Final = MetaData()

FACTS: Final = Table(
    "risk_facts",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""The schema's version, how many releases there were, and which are forgotten."""

RESERVATIONS: Final = Table(
    "risk_reservations",
    METADATA,
    Column("broker", String(64), primary_key=True),
    Column("account_id", String(128), primary_key=True),
    Column("client_order_id", String(128), primary_key=True),
    Column("journal_id", String(64), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("parts", Text, nullable=False),
    Column("reserved_at", BigInteger, nullable=True),
    Column("filled", Text, nullable=True),
    Column("released", BigInteger, nullable=True),
    Column("released_at", BigInteger, nullable=True),
)
"""Orders whose risk is held, or was until a moment ago; moments are microseconds of Unix time."""

ACCOUNTS: Final = Table(
    "risk_accounts",
    METADATA,
    Column("broker", String(64), primary_key=True),
    Column("account_id", String(128), primary_key=True),
    Column("began_at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
)
"""The latest look at each account."""

EQUITIES: Final = Table(
    "risk_equities",
    METADATA,
    Column("broker", String(64), primary_key=True),
    Column("account_id", String(128), primary_key=True),
    Column("day", String(64), primary_key=True),
    Column("equity", Text, nullable=False),
)
"""The first equity of each account on each day."""

# SQLite numbers rows by itself only where the key is declared INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

ORDERS: Final = Table(
    "risk_orders",
    METADATA,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("broker", String(64), nullable=False),
    Column("account_id", String(128), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("risk_orders_by_time", "at"),
)
"""When orders were counted, for as long as a rate looks back."""
