"""Which recorded bodies are answers that the adapter reads, told by their shape, and how."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from bot_v2.features.brokerages.alpaca import (
    errors,
    mapping,
    market_mapping,
    market_wire,
    order_mapping,
    order_wire,
    stream_wire,
    wire,
)
from bot_v2.features.brokerages.alpaca.decoding import decode
from bot_v2.features.brokerages.http.calls import Call, Reply, Request
from tests.integration.coinbase.payload_table import json_of

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "payloads" / "alpaca"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACCOUNT = "the-account"
SYMBOL = "ACME"

Read = Callable[[bytes], Iterable[object]]
"""Decodes a body and returns the models that it becomes."""

READ = Call(broker="alpaca", operation="get_order", is_write=False, order_id="it")


def _reply(body: bytes) -> Reply:
    return Reply(
        status=422,
        reason="",
        headers={},
        body=body,
        elapsed_s=0.0,
        request_id=None,
        retry_after_s=None,
        request=Request(method="GET", url="https://api.alpaca.markets/", headers={}, body=None),
    )


def _order(native: order_wire.Order) -> list[object]:
    return list(order_mapping.orders_from_natives([native], ACCOUNT))


def _position(native: wire.Position) -> list[object]:
    return [mapping.position_from_native(native, ACCOUNT)]


def _fill(native: order_wire.Activity) -> list[object]:
    return [order_mapping.fill_from_native(native, "", ACCOUNT)]


def _account(native: wire.Account) -> list[object]:
    return [
        mapping.summary_from_native(native),
        mapping.margin_from_native(native),
        *mapping.balances_from_native(native, []),
    ]


def _clock(native: wire.MarketClock) -> list[object]:
    return [mapping.status_from_native(native, SYMBOL)]


def _asset(native: wire.Asset) -> list[object]:
    return [mapping.product_from_native(native)]


def _contract(native: wire.Contract) -> list[object]:
    return [market_mapping.option_from_native(native, None)]


def _bar(native: market_wire.Bar) -> list[object]:
    return [market_mapping.candle_from_native(native, SYMBOL, MINUTE, NOW)]


def _trade(native: market_wire.Trade) -> list[object]:
    return [market_mapping.trade_from_native(native, SYMBOL)]


def _quote(native: market_wire.Quote) -> list[object]:
    return [market_mapping.best_from_native(native, SYMBOL, is_delayed=False)]


def _snapshot(native: market_wire.Snapshot) -> list[object]:
    told = market_mapping.quote_from_native(native, SYMBOL, is_delayed=False)
    return [] if told is None else [told]


def _book(native: market_wire.Book) -> list[object]:
    return [market_mapping.book_from_native(native, SYMBOL, None)]


def _update(native: stream_wire.TradeUpdate) -> list[object]:
    fill = order_mapping.fill_from_update(native, ACCOUNT)
    return [*_order(native.order), *([fill] if fill else [])]


def _protocol(native: Any) -> list[object]:
    return [native]


RECORDS: dict[str, tuple[Any, Callable[[Any], list[object]]]] = {
    # a record: what it is decoded as, and what it becomes
    "order": (order_wire.Order, _order),
    "position": (wire.Position, _position),
    "fill": (order_wire.Activity, _fill),
    "account": (wire.Account, _account),
    "clock": (wire.MarketClock, _clock),
    "asset": (wire.Asset, _asset),
    "contract": (wire.Contract, _contract),
    "bar": (market_wire.Bar, _bar),
    "trade": (market_wire.Trade, _trade),
    "quote": (market_wire.Quote, _quote),
    "snapshot": (market_wire.Snapshot, _snapshot),
    "book": (market_wire.Book, _book),
    "update": (stream_wire.TradeUpdate, _update),
    "word": (stream_wire.MarketMessage, _protocol),
    "envelope": (stream_wire.Envelope, _protocol),
}

SHAPES: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(keys.split()), record)
    for keys, record in (
        # what a record has for certain, the most telling first: what it is
        ("client_order_id status filled_qty", "order"),
        ("avg_entry_price qty symbol", "position"),
        ("activity_type order_id price", "fill"),
        ("cash buying_power id", "account"),
        ("timestamp is_open next_open", "clock"),
        ("strike_price expiration_date", "contract"),
        ("id symbol tradable status", "asset"),
        ("stream data", "envelope"),
        ("latestTrade", "snapshot"),
        ("latestQuote", "snapshot"),
        ("b a t", "book"),
        ("T S bp ap t", "word"),
        ("o h l c t", "bar"),
        ("bp ap t", "quote"),
        ("p s t", "trade"),
    )
)
HOLDERS = frozenset(
    [
        "snapshots",
        "bars",
        "trades",
        "quotes",
        "orderbooks",
        "option_contracts",
        "bar",
        "trade",
        "quote",
        "body",
        "orders",
    ]
)
"""Fields that hold records, in lists, by symbol, or one."""

WORDS = frozenset({"success", "subscription", "error", "q"})
"""The kinds of messages of market data that are read."""

OUT_OF_SCOPE: dict[str, str] = {
    # what a file's name matches: why it is not read
    r"PROVENANCE|spec_openapi|mock_server_source|errors_exceptions_map|requests_signed": (
        "no answer of an endpoint: tables, specifications and programs"
    ),
    r"__request|postman|docs_(subscribe|unsubscribe|establishment|authentication__real)|docs_(api"
    r"_calls|bracket|oco|oto|trailing|possible_frac|overview__streaming\.|streaming__streaming\."
    r"|authentication__streaming(_5)?\.)": "a request, not an answer",
    r"news|docs_example_response__historical|go_first_resp__rest_test_2": "news",
    r"py_test_position_uuid": "a part of a position: it names neither what it is of nor how much",
    r"py_test_get_orders__": "the word string stands in it for a number",
    r"announcement|corporate": "corporate actions",
    r"watchlist": "watch lists",
    r"configurations": "settings of the account, which are not read",
    r"portfolio_history": "the account's past values",
    r"nontrade|non_trade|crypto_fees__act|transaction|withdraw|deposit": (
        "activities that are no executions, and transfers"
    ),
    r"calendar": "the calendar: the clock tells the hours that a market status has",
    r"movers|most_actives|screener|mover_asset": "the screener",
    r"auctions|go_(first|second)_resp__rest_test\.": "auctions",
    r"xbbo|spreads": "best prices across exchanges, which are not offered any more",
    r"meta_(conditions|exchanges)": "what codes of exchanges and conditions stand for",
    r"perp|treasur|corporates|fixed_income": "perpetuals and bonds, which are not traded here",
    r"docs_(last_|bars__webapi|stream_(bar|quote|trade)__|example_response__index)": (
        "endpoints of the first version, which are gone"
    ),
    r"cancel_order_response|canceled_order|py_test_cancel_orders|go_test_cancel_all": (
        "answers of a cancel of everything, which is not sent"
    ),
    r"docs_example__realtime_[23]|stream_(bar|trade)_v2|ws_handle_(ohlcv|trades|order_book)"
    r"|streaming_real_time_data": "channels of streams that are not listened to",
}


def files() -> list[Path]:
    """Return every recorded file."""
    return sorted(path for path in FOLDER.glob("*") if path.is_file())


def body_of(path: Path) -> bytes:
    """Return a file's JSON; of what a program's comment shows, made such."""
    text = path.read_text("utf-8")
    return balanced(json_of(text).decode()) if path.suffix == ".txt" else text.encode()


def balanced(text: str) -> bytes:
    """Return JSON with the commas and brackets that whoever wrote it down left out."""
    text = re.sub(r'([}\]])(\s*")', r"\1,\2", text)
    closing: list[str] = []
    told: list[str] = []
    for letter in text:
        if letter in "{[":
            closing.append("}" if letter == "{" else "]")
        told.append(closing.pop() if letter in "}]" else letter)
    return "".join([*told, *reversed(closing)]).encode()


def reason_of(path: Path) -> str | None:
    """Return why a file is not read. None: it is."""
    for pattern, reason in OUT_OF_SCOPE.items():
        if re.search(pattern, path.name):
            return reason
    return None


def models_of(body: bytes) -> list[object]:
    """Return the models of every record that a body holds, however deep."""
    try:
        told = msgspec.json.decode(body, type=msgspec.Raw)
        return list(_models(bytes(told)))
    except msgspec.DecodeError as error:
        raise ValueError("no JSON") from error


def _models(raw: bytes) -> Iterable[object]:
    if raw.lstrip().startswith(b"["):
        for item in msgspec.json.decode(raw, type=list[msgspec.Raw]):
            yield from _models(bytes(item))
        return
    fields: dict[str, msgspec.Raw] = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    record = _record_of(fields)
    if record == "error":
        yield errors.error_of_reply(_reply(raw), READ)
    elif record is not None:
        yield from _read(record, raw)
    else:
        for name, value in fields.items():
            is_holder = name in HOLDERS or name.isupper() or "/" in name or name[:1].isdigit()
            if is_holder and bytes(value).lstrip()[:1] in (b"{", b"["):
                yield from _models(bytes(value))


def _read(record: str, raw: bytes) -> list[object]:
    kind, become = RECORDS[record]
    native = decode(raw, kind)
    if record == "envelope" and native.stream == "trade_updates":
        return _update(decode(bytes(native.data), stream_wire.TradeUpdate))
    if record == "word" and native.kind == "q":
        return _quote(decode(raw, market_wire.Quote))
    return become(native)


_ERROR = frozenset(
    {"message", "code", "other_field", "available", "existing_qty", "held_for_orders", "symbol"}
    | {"balance"}
)
"""The fields of an error; no other record has a message and nothing but these."""


def _record_of(fields: dict[str, msgspec.Raw]) -> str | None:
    names = set(fields)
    if "T" in names:
        kind = msgspec.json.decode(fields["T"])
        return "word" if kind in WORDS else None
    if "message" in names and names <= _ERROR:
        return "error"
    return next((record for keys, record in SHAPES if keys <= names), None)
