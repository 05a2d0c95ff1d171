"""The tables of the journal, and the version that they carry."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 1
"""Raised by one with each change of the tables; a journal of another version is not opened."""

METADATA: Final = MetaData()

FACTS: Final = Table(
    "journal_facts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""The schema's version."""

INTENTS: Final = Table(
    "journal_intents",
    METADATA,
    Column("intent_id", String(255), primary_key=True),
    Column("broker", String(64), nullable=False),
    Column("account_id", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("payload", Text, nullable=True),
    Column("checksum", String(64), nullable=False),
)
"""Never changed, but that retention takes the payload of what is long settled."""

# SQLite numbers rows by itself only where the key is declared INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

ENTRIES: Final = Table(
    "journal_entries",
    METADATA,
    Column("sequence", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("intent_id", ForeignKey(INTENTS.c.intent_id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("checksum", String(64), nullable=False),
    UniqueConstraint("intent_id", "number"),
)
"""What happened to an intent. Each checksum covers the one before it."""

OPEN: Final = Table(
    "journal_open",
    METADATA,
    Column("intent_id", ForeignKey(INTENTS.c.intent_id), primary_key=True),
    Column("owner", String(64), nullable=False),
)
"""The intents that are not settled, and the process that may act on each: a claim, not history."""

ORDERS: Final = Table(
    "journal_orders",
    METADATA,
    Column("broker", String(64), primary_key=True),
    Column("account_id", String(128), primary_key=True),
    Column("order_id", String(255), primary_key=True),
    Column("intent_id", ForeignKey(INTENTS.c.intent_id), nullable=False, index=True),
)
"""Which intent an order came of: of one, and only one."""

FILLS: Final = Table(
    "journal_fills",
    METADATA,
    Column("broker", String(64), primary_key=True),
    Column("account_id", String(128), primary_key=True),
    Column("symbol", String(128), primary_key=True),
    Column("trade_id", String(255), primary_key=True),
    Column("order_id", String(255), nullable=False),
    Column("payload", Text, nullable=False),
    Index("journal_fills_by_order", "broker", "account_id", "order_id"),
)
"""Executions, each once."""

OPENINGS: Final = Table(
    "journal_openings",
    METADATA,
    Column("broker", String(64), primary_key=True),
    Column("account_id", String(128), primary_key=True),
    Column("payload", Text, nullable=False),
)
"""What each account held at first."""
