"""Orders of the Exchange API: place, cancel, read, and their executions.

Sources: https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/orders; that nobody looks
whether a client_oid was used: https://forums.coinbasecloud.dev/t/requirements-for-client-order-id/870
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.shared.types import IdSource
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.exchange_asked import (
    TIFS,
    asked_in,
    client_oid_in,
    uuid_from_text,
)
from bot_v2.venues.coinbase.exchange_dialect import refused
from bot_v2.venues.coinbase.exchange_paging import page_of
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.coinbase.texts import moment_from_text, moment_text, padded
from bot_v2.venues.requests import ApiAnswer, ApiRequest, JsonText, Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CLIENT: Final = "client:"
"""What a client_oid is preceded by where an order's id is expected."""

TIF_WORDS: Final = {tif: word for word, tif in TIFS.items()}
STATUS_WORDS: Final = {
    # apiOrderStatus of the API's own description; an untriggered stop is "active".
    OrderStatus.PENDING: "pending",
    OrderStatus.OPEN: "open",
    OrderStatus.PARTIALLY_FILLED: "open",
    OrderStatus.PENDING_CANCEL: "open",
    OrderStatus.FILLED: "done",
    OrderStatus.CANCELLED: "done",
    OrderStatus.EXPIRED: "done",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.REPLACED: "done",
}
DONE_REASONS: Final = {
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELLED: "canceled",
    OrderStatus.EXPIRED: "canceled",
    OrderStatus.REPLACED: "canceled",
}
DEFAULT_STATUSES: Final = ("open", "pending", "active")
ALL_STATUSES: Final = frozenset(
    {"open", "pending", "rejected", "done", "active", "received", "all"}
)


@attrs.frozen(kw_only=True)
class Placed:
    """What an order was placed with, beyond what the engine knows."""

    number: int
    """1 for the first."""
    client_oid: str | None
    """The caller's tag: a UUID. None: none was given."""
    funds: Decimal | None
    """What was to be spent, fees included. None: the size says how much."""
    post_only: bool
    """Whether it was to wait."""
    stp: str
    """What was asked for of self-trade prevention; nothing depends on it here."""


class ExchangeOrders:
    """The endpoints of orders.

    Args:
        state: the venue.
        account: the account that trades.
        listings: what can be traded, by product id.
        profile_id: the profile that owns everything.
        user_id: whose it is.
        ids: makes the engine's client ids where the caller gives none.
        page_max: how many items a page has at most.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        listings: Mapping[str, Listing],
        profile_id: str,
        user_id: str,
        ids: IdSource,
        page_max: int,
    ) -> None:
        """Answer for one profile."""
        self._state = state
        self._account = account
        self._listings = listings
        self._profile_id = profile_id
        self._user_id = user_id
        self._ids = ids
        self._page_max = page_max
        self.placed: dict[str, Placed] = {}
        """What orders were placed with, by id."""
        self._by_client: dict[UUID, str] = {}

    # Writes

    def place(self, request: ApiRequest) -> Record:
        """Place an order."""
        body = request.body()
        listing = self._listings.get(str(body.get("product_id")))
        if listing is None:
            raise refused(404, "Product not found")
        asked, funds = asked_in(body, listing, self._state.clock(), self._account)
        client_oid = client_oid_in(body)
        order = self._state.write(lambda: self._take(asked, client_oid, funds, body))
        return self._said(self._account.engine.get_order(order.order_id))

    def _take(
        self,
        asked: OrderRequest,
        client_oid: UUID | None,
        funds: Decimal | None,
        body: Mapping[str, Any],
    ) -> Order:
        # A client_oid is a tag: nobody looks whether it was used, so the engine has ids of its own.
        order = self._account.engine.place(asked, client_order_id=self._ids())
        self.placed[order.order_id] = Placed(
            number=len(self.placed) + 1,
            client_oid=None if client_oid is None else str(client_oid),
            funds=funds,
            post_only=asked.post_only,
            stp=str(body.get("stp") or "dc"),
        )
        if client_oid is not None:
            self._by_client[client_oid] = order.order_id
        self._state.received.append(
            ReceivedOrder(
                order_id=order.order_id,
                client_order_id=None if client_oid is None else client_oid.hex,
                symbol=order.symbol,
            )
        )
        return order

    def cancel(self, request: ApiRequest) -> ApiAnswer:
        """Cancel one order; the answer is its id."""
        order = self._find(request.arguments["order_id"])
        if order.status not in LIVE_STATUSES:
            raise refused(400, "Order already done")
        self._state.write(lambda: self._account.engine.cancel(order.order_id))
        return ApiAnswer(200, JsonText(order.order_id))

    def cancel_all(self, request: ApiRequest) -> list[str]:
        """Cancel every live order, or those of one product; the answer is their ids."""
        product = request.value("product_id")
        wanted = [
            order.order_id
            for order in self._account.orders()
            if order.status in LIVE_STATUSES
            and (product is None or self._listings[product].product.symbol == order.symbol)
        ]

        def cancel() -> None:
            for order_id in wanted:
                self._account.engine.cancel(order_id)

        self._state.write(cancel)
        return wanted

    # Reads

    def get(self, request: ApiRequest) -> Record:
        """Say how one order stands."""
        return self._said(self._find(request.arguments["order_id"]))

    def list_orders(self, request: ApiRequest) -> ApiAnswer:
        """Say the orders that were asked for, newest first, a page at a time."""
        statuses = set(request.values("status")) or set(DEFAULT_STATUSES)
        if strange := statuses - ALL_STATUSES:
            raise refused(400, f"{sorted(strange)[0]} is not a valid status")
        product = request.value("product_id")
        start, end = request.value("start_date"), request.value("end_date")
        found = [
            order
            for order in self._account.orders()
            if order.order_id in self.placed
            and (product is None or order.symbol == product)
            and ("all" in statuses or self._status(order) in statuses)
            and (start is None or _placed_at(order) >= moment_from_text(start))
            and (end is None or _placed_at(order) <= moment_from_text(end))
        ]
        page, headers = page_of(
            found, lambda order: self.placed[order.order_id].number, request, self._page_max
        )
        return ApiAnswer(200, [self._said(order) for order in page], headers)

    def list_fills(self, request: ApiRequest) -> ApiAnswer:
        """Say the executions of an order or of a product, newest first, a page at a time."""
        order_id, product = request.value("order_id"), request.value("product_id")
        if order_id is None and product is None:
            raise refused(400, "Either order_id or product_id is required")
        numbered = list(enumerate(self._account.fills(), start=1))
        found = [
            (number, fill)
            for number, fill in reversed(numbered)
            if (order_id is None or fill.order_id == order_id)
            and (product is None or fill.symbol == product)
        ]
        page, headers = page_of(found, lambda one: one[0], request, self._page_max)
        return ApiAnswer(200, [self._filled(number, fill) for number, fill in page], headers)

    def _find(self, name: str) -> Order:
        order_id = name
        if name.startswith(CLIENT):
            client_oid = uuid_from_text(name.removeprefix(CLIENT))
            order_id = "" if client_oid is None else self._by_client.get(client_oid, "")
        if order_id not in self.placed:
            raise refused(404, "order not found")
        return self._account.order(order_id)

    def _status(self, order: Order) -> str:
        if order.type is OrderType.STOP_LIMIT and order.status is OrderStatus.OPEN:
            return "active" if not self._is_reached(order) else "open"
        return STATUS_WORDS[order.status]

    def _is_reached(self, order: Order) -> bool:
        quote, stop = self._state.quote(order.symbol), order.stop_price or ZERO
        if order.side is OrderSide.BUY:
            return quote.ask is not None and quote.ask >= stop
        return quote.bid is not None and quote.bid <= stop

    # What is said

    def _said(self, order: Order) -> Record:
        placed = self.placed[order.order_id]
        fills = self._account.fills_of(order.order_id)
        fees = value = ZERO
        for fill in fills:
            fees = EXACT.add(fees, fill.fee or ZERO)
            value = EXACT.add(value, EXACT.multiply(fill.price, fill.quantity))
        skew, live = self._state.skew, order.status in LIVE_STATUSES
        is_market = order.type is OrderType.MARKET
        side = order.side or OrderSide.BUY
        said: Record = {
            "id": order.order_id,
            "product_id": order.symbol,
            "profile_id": self._profile_id,
            "side": side.value,
            "stp": placed.stp,
            "type": "market" if is_market else "limit",
            "post_only": placed.post_only,
            "created_at": moment_text(_placed_at(order), skew),
            "fill_fees": padded(fees, 16),
            "filled_size": padded(order.filled_quantity, 8),
            "executed_value": padded(value, 16),
            "status": self._status(order),
            "settled": not live and bool(order.filled_quantity),
        }
        size = order.quantity if placed.funds is None else None
        optional: dict[str, object] = {
            "client_oid": placed.client_oid,
            "size": None if size is None else padded(size, 8),
            "funds": None if order.notional is None else padded(order.notional, 16),
            "specified_funds": None if placed.funds is None else padded(placed.funds, 16),
            "price": None if order.price is None else padded(order.price, 8),
            "time_in_force": None if is_market else TIF_WORDS.get(order.time_in_force),
            "expire_time": None
            if order.expires_at is None
            else moment_text(order.expires_at, skew),
            "stop": None if order.stop_price is None else _stop_word(side),
            "stop_price": None if order.stop_price is None else padded(order.stop_price, 8),
            "done_at": None if live else moment_text(order.updated_at or _placed_at(order), skew),
            "done_reason": DONE_REASONS.get(order.status),
            "reject_reason": order.status_reason if order.status is OrderStatus.REJECTED else None,
        }
        return said | {name: value for name, value in optional.items() if value is not None}

    def _filled(self, number: int, fill: Fill) -> Record:
        return {
            "created_at": moment_text(fill.timestamp, self._state.skew),
            "trade_id": number,
            "product_id": fill.symbol,
            "order_id": fill.order_id,
            "user_id": self._user_id,
            "profile_id": self._profile_id,
            "liquidity": "M" if fill.liquidity is Liquidity.MAKER else "T",
            "price": padded(fill.price, 8),
            "size": padded(fill.quantity, 8),
            "fee": padded(fill.fee or ZERO, 16),
            "side": fill.side.value,
            "settled": True,
            "usd_volume": padded(EXACT.multiply(fill.price, fill.quantity), 16),
        }


def _placed_at(order: Order) -> datetime:
    return order.timestamp or EPOCH


def _stop_word(side: OrderSide) -> str:
    return "entry" if side is OrderSide.BUY else "loss"
