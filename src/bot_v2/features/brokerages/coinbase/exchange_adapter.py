"""CoinbaseExchangeBrokerage: IBrokerage and its capabilities over the Exchange API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import attrs

from bot_v2.features.brokerages.coinbase import exchange_mapping as mapping
from bot_v2.features.brokerages.coinbase import exchange_wire as wire
from bot_v2.features.brokerages.coinbase import terms
from bot_v2.features.brokerages.coinbase.base import merged, oldest_first, segment
from bot_v2.features.brokerages.coinbase.client import CANCELS
from bot_v2.features.brokerages.coinbase.decoding import MalformedError
from bot_v2.features.brokerages.coinbase.error_table import Place
from bot_v2.features.brokerages.coinbase.exchange_market import ExchangeMarket
from bot_v2.features.brokerages.coinbase.exchange_stream import ExchangeOrders, ExchangeQuotes
from bot_v2.features.brokerages.coinbase.server_time import read_server_time
from bot_v2.features.brokerages.coinbase.session import Opened, Query
from bot_v2.features.brokerages.core.access import Access
from bot_v2.features.brokerages.core.account_summary import FeeRates
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.declarations import CloseGuard, OrderHistory, Retention
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    CancelRejectedError,
    InvalidFieldError,
    InvalidRequestError,
    OrderNotFoundError,
    Outcome,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.idempotency import (
    DuplicateBehaviour,
    IdempotencyProfile,
    IdempotencyScope,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.streaming.feed import Talk
from bot_v2.features.brokerages.streaming.orders import OrderDesk

HEX: Final = "0123456789abcdef"

PAGE_SIZE: Final = "100"
"""How many orders or fills are asked for at once."""

PAGE_HEADER: Final = "CB-AFTER"
"""The header that says where the next, older page is."""

FORGOTTEN: Final = "the broker does not know it any more"
"""What is told of an order that lived and cannot be found: it was cancelled without a fill."""

LIVE: Final = ("open", "pending", "active", "received")
"""The statuses of orders that have not ended."""


class CoinbaseExchangeBrokerage(ExchangeMarket):
    """A profile on the Exchange API; see the README beside this file."""

    capabilities: Final = frozenset(
        {
            Capability.ORDER_LOOKUP,
            Capability.FILLS,
            Capability.QUOTES,
            Capability.TRADES,
            Capability.CANDLES,
            Capability.QUOTE_STREAM,
            Capability.ORDER_STREAM,
            Capability.FEES,
            Capability.FRACTIONAL_QUANTITY,
            Capability.NOTIONAL_ORDERS,
        }
    )
    unsupported: Final = frozenset({"get_orderbook:level>=3"})
    idempotency: IdempotencyProfile = IdempotencyProfile(
        # "We don't enforce or check for unique client_oid", Coinbase's own staff say:
        # https://forums.coinbasecloud.dev/t/requirements-for-client-order-id/870
        scope=IdempotencyScope.TAG_ONLY,
        on_duplicate=DuplicateBehaviour.ACCEPTS,
        max_length=mapping.CLIENT_ID_LENGTH,
        alphabet=HEX,
        id_length=mapping.CLIENT_ID_LENGTH,
        id_alphabet=HEX,
        visibility_lag_s=2.0,
    )
    close_guard: Final = CloseGuard.BEST_EFFORT
    balance_identity: Final = True
    spot_as_positions: Final = False
    place: Place = Place.EXCHANGE

    @property
    def order_history(self) -> OrderHistory:
        """For how many days orders are listed; the broker forgets unfilled cancelled ones."""
        return OrderHistory(retention=Retention.DAYS, days=self.settings.history_days)

    # The account.

    def list_balances(self) -> list[Balance]:
        """Return what the profile holds."""
        return self._balances(self._call("list_balances"))

    def get_balance(self, asset: str) -> Balance:
        """Return one asset's balance; zero where there is none."""
        return self._balance_of(self._balances(self._call("get_balance")), asset)

    def list_positions(self) -> list[Position]:
        """Return nothing: spot is kept as balances, and there is nothing else."""
        self._session.opened("list_positions")
        return []

    def get_position(self, symbol: str) -> Position | None:
        """Refuse: spot is kept as a balance."""
        call = self._call("get_position", symbol=symbol)
        raise self._kept_as_balance(call, self._find(call, symbol)[0])

    def close_position(self, symbol: str) -> OrderResult:
        """Refuse: spot is kept as a balance."""
        call = self._call("close_position", is_write=True, symbol=symbol)
        raise self._kept_as_balance(call, self._find(call, symbol)[0])

    def get_fees(self, symbol: str) -> FeeRates:
        """Return the rates of the profile's tier."""
        call = self._call("get_fees", symbol=symbol)
        self._find(call, symbol)
        return self._session.ask(
            call, "GET", "/fees", wire.Fees, lambda native, _: mapping.fees_from_native(native)
        )

    # Orders.

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Send one order, once."""
        ref = order_request.client_order_id or self._ids()
        call = self._call(
            "place_order", is_write=True, symbol=order_request.symbol, client_order_id=ref
        )
        self._session.opened(call.operation)
        self.idempotency.check_id(ref)
        if len(ref) != mapping.CLIENT_ID_LENGTH:
            accepted = f"{mapping.CLIENT_ID_LENGTH} hexadecimal digits, which make a UUID"
            raise InvalidFieldError("OrderRequest.client_order_id", ref, accepted, **call.context())
        _, product_id = self._prepare(call, order_request, terms.EXCHANGE, ())
        body = mapping.order_to_native(order_request, product_id, ref)
        account_id = self._session.account_id(call.operation)
        order = self._session.ask(
            call,
            "POST",
            "/orders",
            wire.Order,
            lambda native, _: mapping.order_from_native(native, self._instruments, account_id),
            body=body,
        )
        return OrderResult(success=True, order_id=order.order_id, client_order_id=ref, order=order)

    def cancel_order(self, order_id: str) -> bool:
        """Ask for a cancel; False when the order had ended."""
        call = self._call("cancel_order", is_write=True, order_id=order_id, endpoint=CANCELS)
        self._session.opened(call.operation)
        path = f"/orders/{segment('order_id', order_id)}"

        def read(native: str | list[str], _: Reply) -> bool:
            if order_id not in ([native] if isinstance(native, str) else native):
                raise MalformedError("another order was cancelled, or none")
            return True

        kind: type[str | list[str]] = str | list[str]  # type: ignore[assignment]  # a union is no type to mypy, and is one to the decoder
        try:
            return self._session.ask(call, "DELETE", path, kind, read)
        except CancelRejectedError:
            return False
        except OrderNotFoundError as refusal:
            return self._has_not_ended(call, order_id, refusal)

    def get_order(self, order_id: str) -> Order:
        """Return an order that the broker still knows: it forgets unfilled cancelled ones."""
        return self._order(self._call("get_order", order_id=order_id), order_id)

    def get_order_by_client_id(self, client_order_id: str) -> Order:
        """Return the order placed under an id of ours."""
        call = self._call("get_order_by_client_id", client_order_id=client_order_id)
        try:
            self.idempotency.check_id(client_order_id)
            native = mapping.client_id_to_native(client_order_id)
        except ValueError:
            raise OrderNotFoundError(
                "no order can have such a client id", **call.context()
            ) from None
        return self._order(call, f"client:{native}")

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return every live order, and those placed in the window, newest first."""
        orders = self._orders(self._call("list_orders"))
        return [order for order in orders if status is None or order.status is status]

    def list_fills(self, since: datetime | None = None) -> list[Fill]:
        """Return the executions of the orders that `list_orders` sees, oldest first.

        The broker lists them by product only: one request for each product that was traded.
        """
        if since is not None and since.tzinfo is None:
            raise InvalidFieldError("since", since, "an aware datetime")
        call = self._call("list_fills")
        traded = {order.symbol for order in self._orders(call) if order.filled_quantity}
        fills: list[Fill] = []
        for symbol in sorted(traded):
            fills += self._fills_of(call, self._find(call, symbol)[1])
        return [fill for fill in oldest_first(fills) if since is None or fill.timestamp >= since]

    # Streams.

    def _quotes_talk(self, call: Call, symbols: Mapping[str, str]) -> Talk[QuoteEvent]:
        return ExchangeQuotes(call, symbols, self._session.subscription, self._clock)

    def _orders_talk(self, call: Call, desk: OrderDesk) -> Talk[OrderEvent]:
        products = list(self._instruments.current(call).symbols)
        account_id = self._session.account_id(call.operation)
        sign, names = self._session.subscription, self._instruments
        return ExchangeOrders(call, products, sign, desk, names, account_id, self._clock)

    def _order_gone(self, order: Order) -> Order:
        # The broker forgets what was cancelled before anything was filled, and nothing else.
        return attrs.evolve(order, status=OrderStatus.CANCELLED, status_reason=FORGOTTEN)

    # How it is asked.

    def _login(self) -> Opened:
        call = self._call("connect")

        def read(native: list[wire.Account], _: object) -> str:
            if not native:
                raise InvalidRequestError("the key's profile has no accounts", **call.context())
            return native[0].profile_id

        profile = self._session.ask(
            call, "GET", "/accounts", list[wire.Account], read, is_login=True
        )
        return Opened(account_id=profile)

    def _ping(self, call: Call) -> None:
        self._session.ask(
            call, "GET", "/accounts", list[wire.Account], lambda native, _: native, is_login=True
        )

    def get_access(self) -> Access:
        """Return the broker's clock; the Exchange API does not tell what a key may do."""
        call = self._call("get_access")
        return Access(server_time=read_server_time(self._session, call, "/time", self._clock))

    def _balances(self, call: Call) -> list[Balance]:
        return self._session.ask(
            call,
            "GET",
            "/accounts",
            list[wire.Account],
            lambda native, _: [mapping.balance_from_native(one) for one in native],
        )

    def _order(self, call: Call, name: str) -> Order:
        account_id = self._session.account_id(call.operation)
        self._instruments.current(call)
        return self._session.ask(
            call,
            "GET",
            f"/orders/{segment('order_id', name)}",
            wire.Order,
            lambda native, _: mapping.order_from_native(native, self._instruments, account_id),
        )

    def _orders(self, call: Call) -> list[Order]:
        # The live ones first: one that ends meanwhile is then in both, and told as it ended.
        live = self._orders_of(call, {"status": LIVE})
        start = self._window_start().isoformat()
        return merged(live, self._orders_of(call, {"status": "all", "start_date": start}))

    def _orders_of(self, call: Call, query: Query) -> list[Order]:
        account_id = self._session.account_id(call.operation)
        self._instruments.current(call)
        return self._session.ask_all(
            call,
            "/orders",
            list[wire.Order],
            lambda native, reply: (
                [mapping.order_from_native(one, self._instruments, account_id) for one in native],
                _next_page(native, reply),
            ),
            query={"limit": PAGE_SIZE, **query},
            cursor_name="after",
        )

    def _fills_of(self, call: Call, product_id: str) -> list[Fill]:
        account_id = self._session.account_id(call.operation)
        return self._session.ask_all(
            call,
            "/fills",
            list[wire.Fill],
            lambda native, reply: (
                [mapping.fill_from_native(one, self._instruments, account_id) for one in native],
                _next_page(native, reply),
            ),
            query={"limit": PAGE_SIZE, "product_id": product_id},
            cursor_name="after",
        )

    def _has_not_ended(self, call: Call, order_id: str, refusal: OrderNotFoundError) -> bool:
        """Find out why a cancel found no order: it may have ended, or never have been."""
        try:
            order = self._order(attrs.evolve(call, is_write=False, endpoint=""), order_id)
        except OrderNotFoundError as error:
            error.outcome = Outcome.REJECTED
            raise
        except BrokerageError as error:
            raise refusal from error
        if order.status in ENDED_STATUSES:
            return False
        context = call.context()
        context["outcome"] = Outcome.REJECTED
        raise CancelRejectedError("the broker finds no order to cancel, and lists it", **context)


def _next_page(native: Sequence[object], reply: Reply) -> str | None:
    """Return where older items are: the last page names one too, which is empty."""
    return reply.headers.get(PAGE_HEADER) if native else None
