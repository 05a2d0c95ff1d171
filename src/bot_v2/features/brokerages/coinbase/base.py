"""What both of Coinbase's APIs have in common: the session, products, and how a call is made."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar
from urllib.parse import quote

import attrs

from bot_v2.features.brokerages.coinbase.client import CoinbaseClient
from bot_v2.features.brokerages.coinbase.error_table import Place
from bot_v2.features.brokerages.coinbase.errors import NAME
from bot_v2.features.brokerages.coinbase.instruments import Instruments
from bot_v2.features.brokerages.coinbase.session import CoinbaseSession, Opened
from bot_v2.features.brokerages.coinbase.settings import CoinbaseSettings
from bot_v2.features.brokerages.coinbase.terms import Refusals, refuse_unsupported
from bot_v2.features.brokerages.core.accounts import Balance
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerAPIError,
    InvalidFieldError,
    InvalidRequestError,
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.features.brokerages.streaming.feed import Address, Talk
from bot_v2.features.brokerages.streaming.orders import KnownOrders, OrderAudit, OrderDesk
from bot_v2.features.brokerages.streaming.settings import StreamSettings
from bot_v2.features.brokerages.streaming.streams import Streams
from bot_v2.shared.types import Clock, IdSource

_T = TypeVar("_T")

HALF: Final = Decimal("0.5")
ZERO: Final = Decimal(0)


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class CoinbaseBase(ABC):
    """The session and the products of an account, whichever the API.

    Args:
        settings: where the API is, and the credentials.
        clock: the present moment: dates tokens, windows and health checks.
        ids: makes client order ids where a request has none. None: random ones.
        nonces: makes the nonces of tokens. None: random ones.
        transport: sends the bytes. None: one of its own.

    Raises:
        InvalidFieldError: a credential cannot be read.
    """

    name: Final = NAME
    idempotency: IdempotencyProfile
    place: Place

    def __init__(
        self,
        settings: CoinbaseSettings,
        *,
        clock: Clock = utc_now,
        ids: IdSource | None = None,
        nonces: IdSource | None = None,
        transport: HttpTransport | None = None,
    ) -> None:
        """Read the credentials; nothing is sent before `connect`."""
        self.settings = settings
        """How it is set up."""
        self.environment = settings.environment
        """What is talked to: `live`, `sandbox` or `simulator`."""
        self._clock = clock
        self._ids = ids or self.idempotency.make_id
        client = CoinbaseClient(settings, clock, nonces, transport)
        self._client = client
        self._session = CoinbaseSession(client, self.place, settings.page_max)
        self._streams = Streams(StreamSettings(silence_max_s=settings.stream_silence_s), clock)
        self._instruments = Instruments(
            self._read_products,
            settings.products_lifetime_s,
            has_perpetuals=settings.enable_derivatives,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(environment={self.environment!r})"

    # What the APIs do each in their way.

    @abstractmethod
    def _login(self) -> Opened:
        """Ask whether the credentials are good, and which account they open."""

    @abstractmethod
    def _ping(self, call: Call) -> None:
        """Ask for a sign of life that the credentials are needed for."""

    @abstractmethod
    def _orders(self, call: Call) -> list[Order]:
        """Read every live order, and those placed in the window, newest first."""

    @abstractmethod
    def _order(self, call: Call, order_id: str) -> Order:
        """Read one order."""

    @abstractmethod
    def _read_products(self, call: Call) -> Sequence[tuple[str, Product]]:
        """Read all products, with the broker's ids."""

    # The session.

    def connect(self) -> bool:
        """Check the credentials, and bind the account."""
        self._session.open(self._login)
        return True

    def disconnect(self) -> None:
        """End the session and its streams, and close the connections."""
        self._streams.close()
        self._session.close()

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead."""
        return self._session.is_open

    def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life, within the timeout of the settings."""
        started = time.perf_counter()
        problem = latency_s = None
        try:
            self._session.opened("check_health")
            self._ping(self._call("check_health"))
            latency_s = time.perf_counter() - started
        except BrokerageError as error:
            problem = error.message or type(error).__name__
        return BrokerHealth(
            connected=self.is_connected(),
            api_responsive=problem is None,
            last_check_timestamp=self._clock().timestamp(),
            error_message=problem,
            latency_s=latency_s,
        )

    def get_account_id(self) -> str:
        """Return the account that the key is bound to."""
        return self._session.account_id("get_account_id")

    # Products.

    def get_products(self) -> list[Product]:
        """Return everything that can be traded, read anew."""
        self._session.opened("get_products")
        return list(self._instruments.refresh(self._call("get_products")).products.values())

    def get_product(self, symbol: str) -> Product:
        """Return one product of the list as it was last read."""
        return self._find(self._call("get_product", symbol=symbol), symbol)[0]

    # Streams.

    @abstractmethod
    def _quotes_talk(self, call: Call, symbols: Mapping[str, str]) -> Talk[QuoteEvent]:
        """Return what is said on a connection for the best prices of products, by their ids."""

    @abstractmethod
    def _orders_talk(self, call: Call, desk: OrderDesk) -> Talk[OrderEvent]:
        """Return what is said on a connection for the account's orders."""

    _order_gone: Callable[[Order], Order] | None = None
    """Returns what it means that an order that lived is not to be found. None: nothing."""

    def stream_quotes(
        self, symbols: Sequence[str]
    ) -> AbstractContextManager[Iterator[QuoteEvent | StreamGap]]:
        """Yield the best prices of some products, and each change of them.

        The connection is opened on entering. After a gap the prices are told anew.
        """
        call = self._call("stream_quotes")
        self._session.opened(call.operation)
        if isinstance(symbols, str) or not symbols:
            raise InvalidFieldError("symbols", symbols, "a sequence of one symbol or more")
        found = [self._find(call, symbol) for symbol in symbols]
        wanted = {product_id: product.symbol for product, product_id in found}
        address = Address(url=self.settings.ws_url, tls=self._session.tls)
        return self._streams.stream(call, address, lambda: self._quotes_talk(call, wanted))

    def stream_orders(self) -> AbstractContextManager[Iterator[OrderEvent | StreamGap]]:
        """Yield each change of the account's orders from now on.

        The connection is opened on entering; all streams of orders of this object share one.
        After a gap, what has changed meanwhile is read and told.
        """
        call = self._call("stream_orders")
        self._session.opened(call.operation)
        known = KnownOrders()

        def read(order_id: str) -> Order:
            return self._order(call, order_id)

        audit = OrderAudit(
            known,
            lambda: self._orders(call),
            self.settings.stream_audit_s,
            find=read,
            gone=self._order_gone,
        )
        desk = OrderDesk(known, audit, read)
        address = Address(url=self.settings.ws_user_url, tls=self._session.tls)
        return self._streams.stream(
            call, address, lambda: self._orders_talk(call, desk), shared=call.operation
        )

    # How the adapters work.

    def _call(
        self,
        operation: str,
        *,
        is_write: bool = False,
        before_write: bool = False,
        symbol: str | None = None,
        order_id: str | None = None,
        client_order_id: str | None = None,
        endpoint: str = "",
    ) -> Call:
        account_id = self._session.account_id(operation) if self._session.is_open else None
        return Call(
            broker=NAME,
            operation=operation,
            is_write=is_write,
            before_write=before_write,
            account_id=account_id,
            symbol=symbol,
            order_id=order_id,
            client_order_id=client_order_id,
            endpoint=endpoint,
        )

    def _find(self, call: Call, symbol: str) -> tuple[Product, str]:
        self._session.opened(call.operation)
        return self._instruments.find(read_for(call), symbol)

    def _prepare(
        self, call: Call, request: OrderRequest, refusals: Refusals, options: Sequence[str]
    ) -> tuple[Product, str]:
        """Check a request against everything that is known, and return its product and id.

        Raises:
            InvalidRequestError: it cannot be sent as asked.
        """
        account_id = self._session.account_id(call.operation)
        if request.account_id not in (None, account_id):
            raise InvalidRequestError(f"the account is {account_id}", **call.context())
        refuse_unsupported(request, refusals, options, call)
        product, product_id = self._find(call, request.symbol)
        check_order_request(product, request)
        return product, product_id

    def _balance_of(self, balances: Sequence[Balance], asset: str) -> Balance:
        """Return one asset's balance; of several wallets, the main one."""
        if not asset:
            raise InvalidFieldError("asset", asset, "a str that is not empty")
        found = [balance for balance in balances if balance.asset == asset]
        main = (balance for balance in found if balance.wallet == "")
        nothing = Balance(asset=asset, total=ZERO, available=ZERO, hold=ZERO)
        return next(main, found[0] if found else nothing)

    def _mid(self, bid: Decimal | None, ask: Decimal | None, call: Call) -> Decimal:
        if bid is None or ask is None:
            raise MarketDataUnavailableError(
                "neither a trade nor both sides of the book", **call.context()
            )
        return self._exactly(call, lambda: EXACT.multiply(EXACT.add(bid, ask), HALF))

    def _exactly(self, call: Call, work: Callable[[], _T]) -> _T:
        """Return what is worked out of several answers.

        Raises:
            BrokerAPIError: the numbers are too far apart for an exact result: they are no money.
        """
        try:
            return work()
        except ArithmeticError as error:
            context = call.context()
            context.setdefault("outcome", None)
            raise BrokerAPIError(f"no exact result of what was told: {error}", **context) from error

    def _require_limit(self, limit: int) -> None:
        if type(limit) is not int or limit < 1:
            raise InvalidFieldError("limit", limit, "a whole number from 1")

    def _refuse_level(self, level: int, accepted: Sequence[int], call: Call) -> None:
        if level in accepted:
            return
        told = ", ".join(str(one) for one in accepted)
        kind = UnsupportedOperationError if level == 3 else InvalidRequestError
        raise kind(f"there is no book of level {level}; accepted: {told}", **call.context())

    def _kept_as_balance(self, call: Call, product: Product) -> UnsupportedOperationError:
        currency = product.base_currency
        return UnsupportedOperationError(
            f"{product.symbol} is spot, and is kept as a balance: use get_balance({currency!r})",
            **call.context(),
        )

    def _window_start(self) -> datetime:
        return self._clock() - timedelta(days=self.settings.history_days)


def read_for(call: Call) -> Call:
    """Return the call of a read that another call needs first."""
    return attrs.evolve(call, is_write=False, before_write=True) if call.is_write else call


def newest_first(orders: Sequence[Order]) -> list[Order]:
    """Return orders by when they were taken, newest first; equal ones as they are."""
    floor = datetime.min.replace(tzinfo=UTC)
    return sorted(orders, key=lambda order: order.timestamp or floor, reverse=True)


def oldest_first(fills: Sequence[Fill]) -> list[Fill]:
    """Return executions that were listed newest first by their time, and so those of one moment.

    Each is there once: a page may repeat what moved down from the one before.
    """
    turned = list(
        {(fill.symbol, fill.order_id, fill.trade_id): fill for fill in reversed(fills)}.values()
    )
    turned.sort(key=lambda fill: fill.timestamp)
    return turned


def merged(read_first: Sequence[Order], read_last: Sequence[Order]) -> list[Order]:
    """Return the orders of two reads, each once and as it was read last, newest first."""
    last = {order.order_id: order for order in read_last}
    others = {order.order_id: order for order in read_first if order.order_id not in last}
    return newest_first([*last.values(), *others.values()])


def segment(field: str, text: str) -> str:
    """Return a text as one segment of a path.

    Raises:
        InvalidFieldError: it is empty, which would ask for something else.
    """
    if text.strip() in ("", ".", ".."):
        raise InvalidFieldError(field, text, "an id: a str that is not blank")
    return quote(text, safe="")


def candle_spans(
    interval: timedelta,
    start: datetime,
    end: datetime,
    accepted: Sequence[timedelta],
    most: int,
) -> list[tuple[datetime, datetime]]:
    """Return the spans to ask for, each of at most `most` candles.

    Raises:
        InvalidFieldError: a moment is naive, or there are no candles of that interval.
    """
    for name, moment in (("start", start), ("end", end)):
        if moment.tzinfo is None:
            raise InvalidFieldError(name, moment, "an aware datetime")
    if interval not in accepted:
        told = ", ".join(str(one) for one in accepted)
        raise InvalidFieldError("interval", interval, f"one of {told}")
    spans: list[tuple[datetime, datetime]] = []
    while start < end:
        until = min(end, start + interval * most)
        spans.append((start, until))
        start = until
    return spans
