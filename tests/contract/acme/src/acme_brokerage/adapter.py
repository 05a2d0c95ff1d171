"""AcmeBrokerage: the 18 methods and the capabilities, each one request to Acme."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar
from urllib.parse import quote

from acme_brokerage import mapping
from acme_brokerage.client import AcmeClient
from acme_brokerage.errors import NAME, Call
from acme_brokerage.instruments import Instruments
from acme_brokerage.session import AcmeSession
from acme_brokerage.settings import AcmeSettings
from acme_brokerage.stream import POLL_S, OrderStream
from acme_brokerage.terms import refuse_unsupported, refuse_unsupported_change
from acme_brokerage.wire import EPOCH, MICROSECOND, Fields
from bot_v2.features.brokerages.core.interfaces import (
    EXACT,
    AccountSummary,
    Balance,
    BrokerageError,
    BrokerHealth,
    CancelRejectedError,
    Capability,
    CloseGuard,
    DuplicateBehaviour,
    Fill,
    IdempotencyProfile,
    IdempotencyScope,
    InvalidFieldError,
    InvalidRequestError,
    MarketDataUnavailableError,
    Order,
    Orderbook,
    OrderEvent,
    OrderHistory,
    OrderModification,
    OrderRequest,
    OrderResult,
    OrderStatus,
    Position,
    Product,
    Quote,
    Retention,
    StreamGap,
    UnsupportedOperationError,
    check_order_request,
)
from bot_v2.shared.types import Clock, IdSource

_T = TypeVar("_T")

HALF = Decimal("0.5")
BOOK_DEPTHS = {1: 1, 2: 50}
"""How many levels are asked for, by the contract's level."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class AcmeBrokerage:
    """An account at Acme.

    Args:
        settings: where the broker is, and the credential.
        clock: stamps health checks and gaps of streams.
        make_id: makes client order ids. None: at random.
    """

    name = NAME
    capabilities = frozenset(
        {
            Capability.ORDER_LOOKUP,
            Capability.FILLS,
            Capability.ACCOUNT_SUMMARY,
            Capability.ORDER_MODIFICATION,
            Capability.QUOTES,
            Capability.ORDER_STREAM,
        }
    )
    unsupported = frozenset({"get_orderbook:level>=3"})
    idempotency = IdempotencyProfile(
        scope=IdempotencyScope.FOREVER, on_duplicate=DuplicateBehaviour.REJECTS, max_length=32
    )
    order_history = OrderHistory(retention=Retention.FOREVER)
    close_guard = CloseGuard.ATOMIC
    balance_identity = True
    spot_as_positions = True

    def __init__(
        self, settings: AcmeSettings, clock: Clock = utc_now, make_id: IdSource | None = None
    ) -> None:
        """Prepare; nothing is sent before `connect`."""
        self._settings = settings
        self._clock = clock
        self._make_id = make_id or self.idempotency.make_id
        client = AcmeClient(settings.url, settings.timeout_s)
        self._session = AcmeSession(client, settings.api_key, settings.account, settings.page_max)
        self._instruments = Instruments(self._read_products, settings.instruments_lifetime_s)
        self._streams: weakref.WeakSet[OrderStream] = weakref.WeakSet()

    # The session.

    def connect(self) -> bool:
        """Log in."""
        self._session.open()
        return True

    def disconnect(self) -> None:
        """Log out, and end the streams."""
        for stream in list(self._streams):
            stream.close()
        self._session.close()

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead."""
        return self._session.is_open

    def check_health(self) -> BrokerHealth:
        """Ping the broker."""
        started = time.perf_counter()
        problem = latency_s = None
        try:
            call = Call(operation="check_health")
            self._session.ask(call, "GET", "/v1/ping", lambda native: native.moment("time_us"))
            latency_s = time.perf_counter() - started
        except BrokerageError as error:
            problem = error.message
        return BrokerHealth(
            connected=self.is_connected(),
            api_responsive=problem is None,
            last_check_timestamp=self._clock().timestamp(),
            error_message=problem,
            latency_s=latency_s,
        )

    def get_account_id(self) -> str:
        """Return the account that the session is bound to."""
        return self._session.account_id("get_account_id")

    # The account.

    def list_balances(self) -> list[Balance]:
        """Return what the account holds."""
        return self._list("list_balances", "/v1/balances", mapping.balance_from_native)

    def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; Acme itself answers zero for what is not held."""
        path = f"/v1/balances/{_segment('asset', asset)}"
        return self._get("get_balance", path, mapping.balance_from_native)

    def get_account(self) -> AccountSummary:
        """Return the account's totals."""
        return self._get("get_account", "/v1/account", mapping.account_from_native)

    def list_positions(self) -> list[Position]:
        """Return all exposure; coins are positions, too."""
        self._instruments.current("list_positions")
        found = self._list("list_positions", "/v1/positions", self._position)
        return [position for position in found if position is not None]

    def get_position(self, symbol: str) -> Position | None:
        """Return one position."""
        return self._position_of("get_position", symbol)

    # The market.

    def get_products(self) -> list[Product]:
        """Return all instruments, read anew."""
        return list(self._instruments.refresh("get_products").products.values())

    def get_product(self, symbol: str) -> Product:
        """Return one instrument of the list as it was last read."""
        return self._find("get_product", symbol)[0]

    def get_quote(self, symbol: str) -> Quote:
        """Return the best prices."""
        return self._quote_of("get_quote", symbol)

    def get_price(self, symbol: str) -> Decimal:
        """Return the latest trade's price, else the mid."""
        quote_now = self._quote_of("get_price", symbol)
        if quote_now.last is not None:
            return quote_now.last
        if quote_now.bid is None or quote_now.ask is None:
            raise MarketDataUnavailableError(
                "neither a trade nor both sides of the book",
                **Call(operation="get_price", symbol=symbol).context(),
            )
        return EXACT.multiply(EXACT.add(quote_now.bid, quote_now.ask), HALF)

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return the book, aggregated by price."""
        call = Call(operation="get_orderbook", symbol=symbol)
        if level not in BOOK_DEPTHS:
            raise UnsupportedOperationError(
                f"Acme has no book of level {level}; accepted: 1, 2", **call.context()
            )
        _, code = self._find(call.operation, symbol)
        return self._session.ask(
            call,
            "GET",
            f"/v1/book/{_segment('symbol', code)}",
            lambda native: mapping.book_from_native(native, self._instruments.symbol_of),
            query={"depth": str(BOOK_DEPTHS[level])},
        )

    # Orders.

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once."""
        account_id = self._session.account_id("place_order")
        ref = order_request.client_order_id or self._make_id()
        call = Call(
            operation="place_order",
            is_write=True,
            account_id=account_id,
            symbol=order_request.symbol,
            client_order_id=ref,
        )
        if order_request.account_id not in (None, account_id):
            raise InvalidRequestError(f"the account is {account_id}", **call.context())
        self.idempotency.check_id(ref)
        refuse_unsupported(order_request, call)
        product, code = self._find(call.operation, order_request.symbol)
        check_order_request(product, order_request)
        body = mapping.order_to_native(order_request, code, ref)
        order = self._session.ask(call, "POST", "/v1/orders", self._order, body=body)
        return _taken(order, ref)

    def modify_order(self, order_id: str, modification: OrderModification) -> OrderResult:
        """Change an order in place: it keeps its id."""
        call = self._write_call("modify_order", order_id)
        refuse_unsupported_change(modification, call)
        self._instruments.current(call.operation)
        path = f"/v1/orders/{_segment('order_id', order_id)}"
        body = mapping.modification_to_native(modification)
        order = self._session.ask(call, "PUT", path, self._order, body=body)
        return _taken(order, order.client_order_id or order_id)

    def cancel_order(self, order_id: str) -> bool:
        """Ask for a cancel; False when the order had ended."""
        call = self._write_call("cancel_order", order_id)
        path = f"/v1/orders/{_segment('order_id', order_id)}"
        try:
            self._session.ask(call, "DELETE", path, lambda native: native.text("id"))
        except CancelRejectedError as error:
            if error.code == "order_ended":
                return False
            raise
        return True

    def get_order(self, order_id: str) -> Order:
        """Return an order, however old."""
        call = Call(operation="get_order", order_id=order_id)
        self._instruments.current(call.operation)
        path = f"/v1/orders/{_segment('order_id', order_id)}"
        return self._session.ask(call, "GET", path, self._order)

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order placed under an id of ours."""
        call = Call(operation="get_order_by_client_id", client_order_id=client_order_id)
        self._instruments.current(call.operation)
        path = f"/v1/orders/by-ref/{_segment('client_order_id', client_order_id)}"
        return self._session.ask(call, "GET", path, self._order)

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every order there ever was, newest first."""
        self._instruments.current("list_orders")
        if status is OrderStatus.UNKNOWN:
            # A state that we have no word for cannot be asked for by name.
            orders = self._list("list_orders", "/v1/orders", self._order)
            return [order for order in orders if order.status is status]
        query = {} if status is None else {"state": mapping.NATIVE_STATES[status]}
        return self._list("list_orders", "/v1/orders", self._order, query)

    def close_position(self, symbol: str) -> OrderResult:
        """Have Acme close a position: its order can only reduce."""
        position = self._position_of("close_position", symbol)
        if position is None:
            call = Call(operation="close_position", symbol=symbol)
            raise InvalidRequestError(f"there is no position in {symbol}", **call.context())
        ref = self._make_id()
        call = Call(
            operation="close_position",
            is_write=True,
            account_id=position.account_id,
            symbol=position.symbol,
            client_order_id=ref,
        )
        _, code = self._find(call.operation, position.symbol)
        path = f"/v1/positions/{_segment('symbol', code)}/close"
        order = self._session.ask(call, "POST", path, self._order, body={"ref": ref})
        return _taken(order, ref)

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the account's executions, oldest first."""
        if since is not None and since.tzinfo is None:
            raise InvalidFieldError("since", since, "an aware datetime")
        query = {} if since is None else {"since_us": str((since - EPOCH) // MICROSECOND)}
        self._instruments.current("list_fills")
        return self._list("list_fills", "/v1/fills", self._fill, query)

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Yield each change of an order."""
        self._instruments.current("stream_orders")
        client = AcmeClient(self._settings.url, self._settings.timeout_s + POLL_S)
        stream = OrderStream(self._session, client, self._event, self._clock)
        self._streams.add(stream)
        return stream

    # How native records are read: with the account and the instruments of this session.

    def _order(self, native: Fields) -> Order:
        return mapping.order_from_native(native, self._instruments.symbol_of, self._account())

    def _fill(self, native: Fields) -> Fill:
        return mapping.fill_from_native(native, self._instruments.symbol_of, self._account())

    def _event(self, native: Fields) -> OrderEvent:
        return mapping.event_from_native(native, self._instruments.symbol_of, self._account())

    def _position(self, native: Fields) -> Position | None:
        return mapping.position_from_native(native, self._instruments.symbol_of, self._account())

    def _account(self) -> str:
        return self._session.account_id("read")

    def _write_call(self, operation: str, order_id: str) -> Call:
        account_id = self._session.account_id(operation)
        return Call(operation=operation, is_write=True, account_id=account_id, order_id=order_id)

    def _position_of(self, operation: str, symbol: str) -> Position | None:
        _, code = self._find(operation, symbol)
        return self._get(
            operation, f"/v1/positions/{_segment('symbol', code)}", self._position, symbol
        )

    def _quote_of(self, operation: str, symbol: str) -> Quote:
        _, code = self._find(operation, symbol)
        return self._get(
            operation,
            f"/v1/ticker/{_segment('symbol', code)}",
            lambda native: mapping.quote_from_native(native, self._instruments.symbol_of),
            symbol,
        )

    def _find(self, operation: str, symbol: str) -> tuple[Product, str]:
        self._session.require_open(operation)
        return self._instruments.find(operation, symbol)

    def _read_products(self, operation: str) -> Sequence[tuple[str, Product]]:
        return self._list(
            operation,
            "/v1/instruments",
            lambda native: (native.text("code"), mapping.product_from_native(native)),
        )

    def _get(
        self, operation: str, path: str, read: Callable[[Fields], _T], symbol: str | None = None
    ) -> _T:
        return self._session.ask(Call(operation=operation, symbol=symbol), "GET", path, read)

    def _list(
        self,
        operation: str,
        path: str,
        read: Callable[[Fields], _T],
        query: Mapping[str, str] | None = None,
    ) -> list[_T]:
        return self._session.ask_all(Call(operation=operation), path, read, query)


def _taken(order: Order, client_order_id: str) -> OrderResult:
    return OrderResult(
        success=True, order_id=order.order_id, client_order_id=client_order_id, order=order
    )


def _segment(field: str, text: str) -> str:
    """Return a text as one segment of a path: an id may hold a slash.

    Raises:
        InvalidFieldError: it is empty, which would ask for something else.
    """
    if not text:
        raise InvalidFieldError(field, text, "a str that is not empty")
    return quote(text, safe="")
