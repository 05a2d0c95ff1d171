"""Which recorded bodies are answers of endpoints that the adapter reads, and how each is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot_v2.features.brokerages.coinbase import (
    errors,
    exchange_mapping,
    exchange_stream,
    exchange_stream_wire,
    exchange_wire,
    mapping,
    order_mapping,
    order_wire,
    stream,
    stream_mapping,
    stream_wire,
    wire,
)
from bot_v2.features.brokerages.coinbase.decoding import decode, moment
from bot_v2.features.brokerages.coinbase.error_table import Place
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide
from bot_v2.features.brokerages.http.calls import Call, Reply, Request

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "payloads"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACCOUNT = "the-account"
ASKED = OrderRequest(symbol="BTC-USD", side=OrderSide.BUY, quantity=Decimal(1))

Read = Callable[[bytes], Iterable[object]]
"""Decodes a body and returns the models that it becomes."""


class Listed:
    """Stands for the list of products: every id is a pair, or a perpetual in USDC."""

    def symbol_of(self, product_id: str) -> str:
        """Return the id as a native symbol."""
        return f"@{product_id}"

    def quote_of(self, product_id: str) -> str | None:
        """Return what follows the last hyphen."""
        return "USDC" if product_id.endswith("-INTX") else product_id.rpartition("-")[2]

    def named(self, product_id: str) -> tuple[str, str | None]:
        """Return both."""
        return self.symbol_of(product_id), self.quote_of(product_id)


NAMES = Listed()
REFUSED = Call(broker="coinbase", operation="place_order", is_write=True)
READ = Call(broker="coinbase", operation="list_orders", is_write=False)


def reply(body: bytes, status: int = 200, method: str = "POST") -> Reply:
    """Return a reply as the transport gives it."""
    return Reply(
        status=status,
        reason="",
        headers={},
        body=body,
        elapsed_s=0.0,
        request_id=None,
        retry_after_s=None,
        request=Request(method=method, url="https://api.coinbase.com/", headers={}, body=None),
    )


def one(kind: Any, read: Callable[[Any], object]) -> Read:
    """Read one record."""
    return lambda body: [read(decode(body, kind))]


def many(kind: Any, items: Callable[[Any], Iterable[Any]], read: Callable[[Any], object]) -> Read:
    """Read each record of a list."""
    return lambda body: [read(item) for item in items(decode(body, kind))]


def same(native: Any) -> Any:
    """Return a list that is the body itself."""
    return native


def _placed(native: order_wire.OrderReply) -> object:
    if native.success:
        assert native.success_response
        return native.success_response.order_id
    return errors.error_of_failure(native.error_response, REFUSED, reply(b""))


def _edited(native: order_wire.EditReply) -> object:
    edit = Call(broker="coinbase", operation="modify_order", is_write=True)
    return True if native.success else errors.error_of_edit(native, edit, reply(b""))


def _quoted(body: bytes) -> Iterable[object]:
    """Read a list whose members are answers of two endpoints."""
    for text in split_members(body):
        kind: Any = order_wire.EditReply if b"edit_failure_reason" in text else None
        yield _edited(decode(text, kind)) if kind else _placed(decode(text, order_wire.OrderReply))


def split_members(body: bytes) -> list[bytes]:
    """Return the members of a list, as they are written."""
    import msgspec

    return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]


def _prices(native: wire.MarketTrades) -> list[object]:
    return [*mapping.prices_from_native(native), *map(_trade, native.trades)]


def _trade(native: wire.MarketTrade) -> object:
    return mapping.trade_from_native(native, NAMES)


def _order(native: order_wire.Order) -> object:
    return order_mapping.order_from_native(native, NAMES, ACCOUNT)


def _fill(native: order_wire.Fill) -> object:
    return order_mapping.fill_from_native(native, NAMES, ACCOUNT)


def _candle(native: wire.Candle) -> object:
    return mapping.candle_from_native(native, "BTC-USD", MINUTE, NOW)


def _book(native: wire.PriceBook) -> object:
    return mapping.book_from_native(native, NAMES)


def _streamed(native: stream_wire.UserOrder) -> object:
    return stream_mapping.order_from_update(native, None, NAMES, ACCOUNT)


def _user(body: bytes) -> Iterable[object]:
    message = decode(body, stream_wire.Message)
    for event in decode(message.events, list[stream_wire.UserEvent]):
        yield from map(_streamed, event.orders)


def _streamed_book(body: bytes) -> Iterable[object]:
    """Read a message of books, each on an empty one."""
    message = decode(body, stream_wire.Message)
    for event in decode(message.events, list[stream_wire.BookEvent]):
        book = stream_mapping.BestPrices(stream.SIDES)
        book.start([(it.side, it.price_level, it.new_quantity) for it in event.updates])
        yield book.news(event.product_id, message.timestamp)


def _error(status: int) -> Read:
    return lambda body: [errors.error_of_reply(reply(body, status, "GET"), READ, Place.API)]


ADVANCED: dict[str, Read] = {
    # the end of a file's name: how it is read
    "v3_parse_order__ccxt_fetch_order_fetch_orders_fetch_open_orders_fetch_closed_orders.json": one(
        order_wire.Order, _order
    ),
    "v3_fetch_order__ccxt.json": one(order_wire.OneOrder, lambda it: _order(it.order)),
    "v3_fetch_orders__ccxt.txt": many(order_wire.OrdersPage, lambda it: it.orders, _order),
    "v3_fetch_orders_by_status__ccxt.txt": many(
        order_wire.OrdersPage, lambda it: it.orders, _order
    ),
    "v3_create_order__ccxt_successful_order.json": one(order_wire.OrderReply, _placed),
    "v3_create_order__ccxt_failed_order.json": one(order_wire.OrderReply, _placed),
    "v3_handle_errors__ccxt_or_2.json": one(order_wire.OrderReply, _placed),
    "test_place_order_insufficient_fund__test_coinbase_advanced_trade_exchange.json": one(
        order_wire.OrderReply, _placed
    ),
    "test_place_order_other_error__test_coinbase_advanced_trade_exchange.json": one(
        order_wire.OrderReply, _placed
    ),
    "errors_order_rejected__quoted_live.json": _quoted,
    "v3_parse_order__ccxt_create_order.json": one(order_wire.OrderTaken, lambda it: it.order_id),
    "v3_cancel_orders__ccxt.json": many(
        order_wire.CancelReply, lambda it: it.results, lambda it: it.success
    ),
    "v3_parse_order__ccxt_cancel_order_cancel_orders.json": one(
        order_wire.CancelResult, lambda it: it.success
    ),
    "v3_edit_order__ccxt.json": one(order_wire.EditReply, _edited),
    "v3_fetch_my_trades__ccxt.txt": many(order_wire.FillsPage, lambda it: it.fills, _fill),
    "v3_parse_trade__ccxt_fetch_my_trades.json": one(order_wire.Fill, _fill),
    "v3_parse_spot_market__ccxt.json": one(wire.Product, mapping.product_from_native),
    "v3_parse_contract_market__ccxt_expiring.json": one(wire.Product, mapping.product_from_native),
    "v3_parse_contract_market__ccxt_perpetual.json": one(wire.Product, mapping.product_from_native),
    "v3_fetch_markets_v3__ccxt.txt": many(
        wire.Products, lambda it: it.products, mapping.product_from_native
    ),
    "v3_fetch_tickers_v3__ccxt.txt": many(
        wire.Products, lambda it: it.products, mapping.product_from_native
    ),
    "v3_parse_ticker__ccxt_fetch_tickers_v3.txt": many(
        list[wire.Product], same, mapping.product_from_native
    ),
    "v3_fetch_markets_v3__ccxt.json": one(wire.TransactionSummary, mapping.fees_from_native),
    "v3_fetch_markets_v3__ccxt_2.txt": one(wire.TransactionSummary, mapping.fees_from_native),
    "v3_fetch_trading_fees__ccxt.txt": one(wire.TransactionSummary, mapping.fees_from_native),
    "v3_parse_position__ccxt.json": one(
        wire.PerpetualPosition, lambda it: mapping.position_from_native(it, NAMES, ACCOUNT)
    ),
    "v3_parse_trade__ccxt_fetch_trades.json": one(wire.MarketTrade, _trade),
    "v3_parse_ticker__ccxt_fetch_ticker_v3.json": one(wire.MarketTrade, _trade),
    "v3_fetch_trades__ccxt.txt": lambda body: _prices(decode(body, wire.MarketTrades)),
    "v3_fetch_ticker_v3__ccxt.json": lambda body: _prices(decode(body, wire.MarketTrades)),
    "v3_parse_ticker__ccxt_fetch_bids_asks.json": one(wire.PriceBook, _book),
    "v3_fetch_bids_asks__ccxt.txt": many(wire.PriceBooks, lambda it: it.pricebooks, _book),
    "v3_fetch_order_book__ccxt.txt": one(wire.ProductBook, lambda it: _book(it.pricebook)),
    "hb_snapshot_response_resp__test_coinbase_advanced_trade_api_order_book_data_source.json": one(
        wire.ProductBook, lambda it: _book(it.pricebook)
    ),
    "hb_test_snapshot_message_from_exchange_snapshot_message"
    "__test_coinbase_advanced_trade_order_book.json": one(
        wire.ProductBook, lambda it: _book(it.pricebook)
    ),
    "v3_fetch_ohlcv__ccxt.txt": many(wire.Candles, lambda it: it.candles, _candle),
    "v3_parse_ohlcv__ccxt.txt": many(list[wire.Candle], same, _candle),
    "v3_fetch_accounts_v3__ccxt.txt": many(
        wire.AccountsPage, lambda it: it.accounts, mapping.balance_from_native
    ),
    "v3_parse_account__ccxt_fetch_accounts_v3.json": one(wire.Account, mapping.balance_from_native),
    "ws_parse_ws_order__ccxt.json": one(stream_wire.UserOrder, _streamed),
    "ws_handle_order__ccxt.txt": _user,
    "hb_coinbase_advanced_trade_apiuser_stream_data_source_tests_set_up"
    "__test_coinbase_advanced_trade_api_user_stream_data_source.json": _user,
    "ws_handle_order_book__ccxt.txt": _streamed_book,
    "hb_test_diff_message_from_exchange_diff_msg"
    "__test_coinbase_advanced_trade_order_book.json": _streamed_book,
    "ws_handle_heartbeats__ccxt_there_is_no_clear_way_of_mapping_the_message_back_to_the_s.json": (
        one(stream_wire.Message, lambda it: it.channel)
    ),
    "v3_handle_errors__ccxt.json": _error(400),
    "v3_handle_errors__ccxt_or.json": _error(404),
    "sdk_test_get_api_key_permissions_expected_response__test_data_api.json": one(
        wire.Permissions, lambda it: it.portfolio_uuid
    ),
    **dict.fromkeys(
        (
            "v3_fetch_time__ccxt_2.json",
            "network_status_request_successful_mock_response"
            "__test_coinbase_advanced_trade_exchange.json",
            "test_get_current_server_time_s__test_coinbase_advanced_trade_web_utils.json",
            "test_get_current_server_time_s_mock_response__test_coinbase_advanced_trade_auth.json",
            "test_update_time_synchronizer_successfully_response"
            "__test_coinbase_advanced_trade_exchange.json",
        ),
        one(wire.ServerTime, lambda it: moment(it.iso)),
    ),
}


def _exchange_order(native: exchange_wire.Order) -> object:
    return exchange_mapping.order_from_native(native, NAMES, ACCOUNT)


def _exchange_book(native: exchange_wire.Book) -> object:
    return exchange_mapping.book_from_native(native, "BTC-USD")


def _exchange_quote(native: exchange_wire.Ticker) -> object:
    return exchange_mapping.quote_from_native(native, "BTC-USD", NOW)


def _exchange_trade(native: exchange_wire.Trade) -> object:
    return exchange_mapping.trade_from_native(native, "BTC-USD")


def _received(native: exchange_stream_wire.OrderMessage) -> object:
    return stream_mapping.order_from_received(native, NAMES, ACCOUNT)


def _later(native: exchange_stream_wire.OrderMessage) -> object:
    known = stream_mapping.order_from_received(native, NAMES, ACCOUNT)
    return stream_mapping.order_after_message(native, known)


def _matched(body: bytes) -> Iterable[object]:
    native = decode(body, exchange_stream_wire.OrderMessage)
    return stream_mapping.fills_from_match(native, NAMES, native.profile_id)


def _snapshot(body: bytes) -> Iterable[object]:
    native = decode(body, exchange_stream_wire.Snapshot)
    book = stream_mapping.BestPrices(exchange_stream.SIDES)
    sides = (("buy", native.bids), ("sell", native.asks))
    book.start([(name, *level) for name, levels in sides for level in levels])
    yield book.news(native.product_id, NOW.isoformat())


def _book_update(body: bytes) -> Iterable[object]:
    native = decode(body, exchange_stream_wire.BookUpdate)
    book = stream_mapping.BestPrices(exchange_stream.SIDES)
    book.start(native.changes)
    yield book.news(native.product_id, native.time)


EXCHANGE: dict[str, Read] = {
    "ws_handle_order__ccxt.json": one(exchange_stream_wire.OrderMessage, _received),
    "ws_handle_order__ccxt_order_is_created.json": one(
        exchange_stream_wire.OrderMessage, _received
    ),
    "ws_handle_order__ccxt_order_is_on_the_order_book.json": one(
        exchange_stream_wire.OrderMessage, _later
    ),
    # It says that an order was filled, of which nothing is known: its end alone is read.
    "ws_handle_order__ccxt_order_is_canceled_closed.json": one(
        exchange_stream_wire.OrderMessage, lambda it: exchange_mapping.ENDS[it.reason]
    ),
    "ws_handle_order__ccxt_order_is_partially_or_completely_filled.json": _matched,
    "ws_handle_order_book__ccxt_first_message_snapshot.json": _snapshot,
    "ws_handle_order_book__ccxt_subsequent_updates.json": _book_update,
    "ws_handle_subscription_status__ccxt.json": many(
        exchange_stream_wire.Subscriptions, lambda it: it.channels, lambda it: it.name
    ),
    "fetch_accounts__ccxt.txt": many(
        list[exchange_wire.Account], same, exchange_mapping.balance_from_native
    ),
    "parse_account__ccxt.json": one(exchange_wire.Account, exchange_mapping.balance_from_native),
    "get_accounts_account_id__oas_200_schema_example.json": one(
        exchange_wire.Account, exchange_mapping.balance_from_native
    ),
    "fetch_markets__ccxt.txt": many(
        list[exchange_wire.Product], same, exchange_mapping.product_from_native
    ),
    "get_products_product_id__oas_200_schema_example.json": one(
        exchange_wire.Product, exchange_mapping.product_from_native
    ),
    "fetch_order_book__ccxt.txt": one(exchange_wire.Book, _exchange_book),
    "get_products_product_id_book__oas_200_schema_example.json": one(
        exchange_wire.Book, _exchange_book
    ),
    "get_products_product_id_ticker__oas_200_schema_example.json": one(
        exchange_wire.Ticker, _exchange_quote
    ),
    "parse_ticker__ccxt_public_get_products_id_ticker.json": one(
        exchange_wire.Ticker, _exchange_quote
    ),
    "fetch_time__ccxt.json": one(wire.ServerTime, lambda it: moment(it.iso)),
    "fetch_trades__ccxt.txt": many(list[exchange_wire.Trade], same, _exchange_trade),
    "schema_api_product_trade__oas.json": one(exchange_wire.Trade, _exchange_trade),
    "get_fees__oas_200_schema_example.json": one(
        exchange_wire.Fees, exchange_mapping.fees_from_native
    ),
    "fetch_trading_fees__ccxt.json": one(exchange_wire.Fees, exchange_mapping.fees_from_native),
    "parse_order__ccxt_create_order.json": one(exchange_wire.Order, _exchange_order),
    "post_orders__oas_200_schema_example.json": one(exchange_wire.Order, _exchange_order),
    "schema_api_order_fill__oas.json": one(
        exchange_wire.Fill,
        lambda it: exchange_mapping.fill_from_native(it, NAMES, ACCOUNT),
    ),
}

IN_SCOPE = {"coinbase": ADVANCED, "coinbase_exchange": EXCHANGE, "coinbase_intx": {}}

OUT_OF_SCOPE: dict[str, tuple[tuple[str, str], ...]] = {
    # folder: what a name begins with or holds, and why such a file is not read
    "coinbase": (
        (r"^PROVENANCE", "says where the files are from"),
        (r"^requests_signed", "requests that a client signed, not answers"),
        (r"^errors_exceptions_map", "a client's table of errors, not an answer"),
        (r"^sdk_.*_test_test_", "bodies of requests, from the SDK's tests"),
        (r"^sdk_test_.*_expected_response", "stubs of the SDK's tests, without documented fields"),
        (r"order_creation_request_successful_mock_response", "the terms of an order, no answer"),
        (r"^v3_sign_", "the claims of a token, not an answer"),
        (r"^(v3_create_auth_token|hb_coinbase_advanced_trade_auth_)", "a token or a subscription"),
        (r"^hb_.*user_stream", "what a client's tests take for wrong: orders without their fields"),
        (r"^hb_order_diff", "the rows of a book without their message"),
        (
            r"^(ws_|hb_test_)",
            "channels that are not subscribed to, or messages that are no JSON as they stand",
        ),
        (
            r"_v2_|_v2\.|currencies|currenc|deposit|withdraw|transfer|transaction|ledger"
            r"|my_buys|fetch_time__ccxt\.json|fetch_balance",
            "the v2 API of the Coinbase app, which moves money and does not trade",
        ),
    ),
    "coinbase_exchange": (
        (r"^PROVENANCE", "says where the files are from"),
        (r"^requests_signed|oas_request", "requests, not answers"),
        (r"^errors_exceptions_map", "a client's table of errors, not an answer"),
        (r"^spec_", "the API's description, not an answer"),
        (
            r"^ws_",
            "channels that are not subscribed to, or messages that are no JSON as they stand",
        ),
        (r"^parse_trade__ccxt", "a stream's match and a fill run together: not JSON"),
        (r"stats", "the day's figures: not read"),
        (r"delete_orders", "the answer to cancelling all orders: not called"),
        (r"auction_book", "the auction of a book: not read"),
        (
            r"currenc|deposit|withdraw|transfer|transaction|ledger|report|limits|conversions"
            r"|profiles|addresses|address_book|coinbase_account|payment|hold",
            "accounting and moving money: not called",
        ),
    ),
    "coinbase_intx": (
        (
            r".",
            "the API of Coinbase International Exchange: perpetuals are traded by Advanced Trade",
        ),
    ),
}


def files(folder: str) -> list[Path]:
    """Return the files of a folder; none where it does not lie beside the project."""
    return sorted(path for path in (FOLDER / folder).glob("*") if path.is_file())


def reader_of(folder: str, name: str) -> Read | None:
    """Return how a file is read. None: it is not."""
    table = IN_SCOPE[folder]
    return next((read for end, read in table.items() if name.endswith(end)), None)


def reason_of(folder: str, name: str) -> str | None:
    """Return why a file is not read. None: no reason is known."""
    found = (why for pattern, why in OUT_OF_SCOPE[folder] if re.search(pattern, name))
    return next(found, None)


def json_of(text: str) -> bytes:
    """Return JSON of what a comment in a program shows: no number is touched."""
    text = re.sub(r"(?<!:)//[^\n]*", "", text)
    text = re.sub(r"\.\.\.", "", text)
    text = re.sub(r"'([^'\n]*)'", r'"\1"', text)
    text = re.sub(r"(?m)^(\s*)([A-Za-z_]\w*)\s*:", r'\1"\2":', text)
    text = re.sub(r",(\s*[\]}])", r"\1", text)
    return text.encode()
