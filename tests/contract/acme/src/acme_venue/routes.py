"""What the venue answers to each request of the README."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

import attrs

from acme_venue.faults import FaultPlan
from acme_venue.native import EPOCH, STATE_WORDS, Record, Speaker, code_of
from acme_venue.orders import change_of, order_of, ref_of
from acme_venue.refusals import RefusedError
from acme_venue.state import ACCOUNT, VenueState, View
from bot_v2.features.brokerages.core.interfaces import (
    ENDED_STATUSES,
    Balance,
    Order,
    OrderEvent,
    OrderRequest,
    OrderSide,
    PositionSide,
)
from bot_v2.simulation.faults import Fault

SKEW: Final = timedelta(minutes=-5)
"""How far the clock is off while CLOCK_SKEW lasts: behind is the harder way."""

EVENTS_MAX: Final = 500


@attrs.frozen
class Request:
    """What was asked."""

    argument: str
    """What the path names."""
    query: Mapping[str, str]
    body: Mapping[str, object]


class Routes:
    """The account's answers.

    Args:
        state: the account.
        plan: what is to go wrong; here: stale reads, a skewed clock, a muddled event log.
        api_key: the key that opens sessions.
        page_size: how many items a page has.
    """

    def __init__(self, state: VenueState, plan: FaultPlan, api_key: str, page_size: int) -> None:
        """Answer for one account."""
        self._state = state
        self._plan = plan
        self._api_key = api_key
        self._page_size = page_size
        self._codes = {symbol: code_of(product) for symbol, product in state.products.items()}
        self._symbols = {code: symbol for symbol, code in self._codes.items()}
        self._sessions: set[str] = set()

    # Sessions.

    def open_session(self, key: str | None) -> Record:
        """Log in."""
        if key is None or not secrets.compare_digest(key.encode(), self._api_key.encode()):
            raise RefusedError(401, "bad_key", "the key is not known")
        token = secrets.token_hex(16)
        self._sessions.add(token)
        return {"session": token, "accounts": [ACCOUNT]}

    def check_session(self, token: str | None) -> None:
        """Refuse who is not logged in."""
        if token not in self._sessions:
            raise RefusedError(401, "session_expired", "there is no such session")

    def close_session(self, token: str | None) -> Record:
        """Log out."""
        self._sessions.discard(token or "")
        return {}

    def expire_sessions(self) -> None:
        """Forget every session."""
        self._sessions.clear()

    # Reads.

    def ping(self, _: Request) -> Record:
        """Say that the venue is there."""
        return {"time_us": self._speaker.moment(self._state.now())}

    def instruments(self, request: Request) -> Record:
        """Say what can be traded."""
        records = [self._speaker.instrument(one) for one in self._state.products.values()]
        return self._page(records, "code", request)

    def ticker(self, request: Request) -> Record:
        """Say the best prices."""
        return self._speaker.ticker(self._state.engine.get_quote(self._symbol(request)))

    def book(self, request: Request) -> Record:
        """Say the book."""
        book = self._state.engine.get_orderbook(self._symbol(request), 2)
        return self._speaker.book(book, int(request.query.get("depth", "1")), self._state.now())

    def balances(self, request: Request) -> Record:
        """Say what the account holds."""
        records = [self._speaker.balance(one) for one in self._view.balances]
        return self._page(records, "asset", request)

    def balance(self, request: Request) -> Record:
        """Say what it holds of one asset."""
        none = Balance(asset=request.argument, total=Decimal(0))
        held = (one for one in self._view.balances if one.asset == request.argument)
        return self._speaker.balance(next(held, none))

    def positions(self, request: Request) -> Record:
        """Say what the account is exposed to."""
        found = self._view.positions
        return self._page(
            [self._speaker.position(one.symbol, one) for one in found], "code", request
        )

    def position(self, request: Request) -> Record:
        """Say how one product is held."""
        symbol = self._symbol(request)
        held = (one for one in self._view.positions if one.symbol == symbol)
        return self._speaker.position(symbol, next(held, None))

    def account(self, _: Request) -> Record:
        """Say the account's totals."""
        return self._speaker.account(self._view.account, self._state.now())

    def orders(self, request: Request) -> Record:
        """Say the orders, newest first."""
        wanted = request.query.get("state")
        if wanted is not None and wanted not in STATE_WORDS.values():
            raise RefusedError(400, "bad_request", f"there is no state {wanted}")
        records = [
            self._speaker.order(order)
            for order in self._view.orders
            if wanted in (None, STATE_WORDS[order.status])
        ]
        return self._page(records, "id", request)

    def order(self, request: Request) -> Record:
        """Say how one order stands."""
        return self._speaker.order(
            self._find(lambda order: order.order_id == request.argument, request.argument)
        )

    def order_by_ref(self, request: Request) -> Record:
        """Say how the order placed under a ref stands."""
        return self._speaker.order(
            self._find(lambda order: order.client_order_id == request.argument, request.argument)
        )

    def fills(self, request: Request) -> Record:
        """Say what was executed, oldest first."""
        since = EPOCH + timedelta(microseconds=int(request.query.get("since_us", "0")))
        records = [
            self._speaker.fill(fill)
            for fill in self._view.fills
            if fill.timestamp + self._skew >= since
        ]
        return self._page(records, "id", request)

    def events(self, request: Request) -> Record:
        """Say what happened after a number, waiting a while for something to happen."""
        after = int(request.query.get("after", "0"))
        most = min(int(request.query.get("limit", EVENTS_MAX)), EVENTS_MAX)
        wait_s = int(request.query.get("wait_ms", "0")) / 1000
        if most and not self._ready(after):
            self._state.changed.wait_for(lambda: self._ready(after), wait_s)
        if self._plan.lasts(Fault.MUTE_STREAM):
            return {"events": [], "last": after}
        if most and not self._ready(after):
            return {"events": [], "last": max(after, self._last_told(after))}
        told = [
            self._event(number, event)
            for number, event in enumerate(self._state.events[after:], start=after + 1)
            if event is not None
        ][:most]
        if self._plan.lasts(Fault.REORDER_EVENTS):
            told = [event for pair in _pairs(told) for event in reversed(pair)]
        if self._plan.lasts(Fault.DUPLICATE_EVENT):
            told = [event for event in told for _ in range(2)]
        return {"events": told, "last": len(self._state.events)}

    # Writes.

    def place(self, request: Request) -> Record:
        """Place an order."""
        ref, asked = ref_of(request.body), order_of(request.body, self._symbols)
        return self._speaker.order(self._place(asked, ref))

    def change(self, request: Request) -> Record:
        """Change an order in place."""
        change = change_of(request.body)
        self._refuse_ended(request.argument)
        changed = self._state.write(lambda engine: engine.modify(request.argument, change))
        return self._speaker.order(changed)

    def cancel(self, request: Request) -> Record:
        """Accept a cancel."""
        self._refuse_ended(request.argument)
        order_id = request.argument

        def cancelled() -> Order:
            self._state.engine.cancel(order_id)
            return self._state.engine.get_order(order_id)

        return self._speaker.order(self._state.write(lambda _: cancelled()))

    def close(self, request: Request) -> Record:
        """Close a position by an order that can only reduce it."""
        symbol, ref = self._symbol(request), ref_of(request.body)
        position = self._state.engine.get_position(symbol)
        if position is None:
            raise RefusedError(409, "flat", f"there is no position in {request.argument}")
        is_long = position.side is PositionSide.LONG
        asked = OrderRequest(
            symbol=symbol,
            side=OrderSide.SELL if is_long else OrderSide.BUY,
            quantity=position.quantity,
            reduce_only=True,
        )
        return self._speaker.order(self._place(asked, ref))

    def _place(self, asked: OrderRequest, ref: str) -> Order:
        order = self._state.write(lambda engine: engine.place(asked, client_order_id=ref))
        self._state.placed.append(order)
        return order

    def _refuse_ended(self, order_id: str) -> None:
        if self._state.engine.get_order(order_id).status in ENDED_STATUSES:
            raise RefusedError(409, "order_ended", f"the order {order_id} has ended")

    # What reads go by.

    @property
    def _skew(self) -> timedelta:
        return SKEW if self._plan.lasts(Fault.CLOCK_SKEW) else timedelta(0)

    @property
    def _speaker(self) -> Speaker:
        return Speaker(self._codes, self._skew)

    @property
    def _view(self) -> View:
        is_stale = self._plan.lasts(Fault.STALE_READ)
        return self._state.view_before() if is_stale else self._state.view()

    def _symbol(self, request: Request) -> str:
        if request.argument not in self._symbols:
            raise RefusedError(404, "unknown_instrument", f"there is no {request.argument}")
        return self._symbols[request.argument]

    def _find(self, fits: Callable[[Order], bool], name: str) -> Order:
        found = next((order for order in self._view.orders if fits(order)), None)
        if found is None:
            raise RefusedError(404, "unknown_order", f"there is no order {name}")
        return found

    def _page(self, records: Sequence[Record], key: str, request: Request) -> Record:
        """Return one page; its token is the last item's key, so that newer items move nothing."""
        keys = [record[key] for record in records]
        token = request.query.get("page")
        if token is not None and token not in keys:
            raise RefusedError(400, "bad_request", f"there is no page {token}")
        start = 0 if token is None else keys.index(token) + 1
        page = list(records[start : start + self._page_size])
        more = start + self._page_size < len(records)
        return {"items": page, "next": page[-1][key] if more else None}

    def _ready(self, after: int) -> bool:
        told = sum(event is not None for event in self._state.events[after:])
        return told >= (2 if self._plan.lasts(Fault.REORDER_EVENTS) else 1)

    def _last_told(self, after: int) -> int:
        """Return the newest number, unless an event waits for another to be told before it."""
        waits = any(event is not None for event in self._state.events[after:])
        return after if waits else len(self._state.events)

    def _event(self, number: int, event: OrderEvent) -> Record:
        fill = None if event.fill is None else self._speaker.fill(event.fill)
        return {"seq": number, "order": self._speaker.order(event.order), "fill": fill}


def _pairs(records: Sequence[Record]) -> list[list[Record]]:
    return [list(records[start : start + 2]) for start in range(0, len(records), 2)]


@attrs.frozen
class Route:
    """One kind of request."""

    method: str
    path: re.Pattern[str]
    operations: tuple[str, ...]
    """The methods of a brokerage that it may be part of."""
    answer: Callable[[Routes, Request], Record]


def _route(
    method: str, path: str, operations: str, answer: Callable[[Routes, Request], Record]
) -> Route:
    pattern = re.escape(path).replace(r"\*", "([^/]+)")
    return Route(method, re.compile(pattern), tuple(operations.split()), answer)


# The first that fits decides.
ROUTES: Final = (
    _route("GET", "/v1/ping", "check_health", Routes.ping),
    _route("GET", "/v1/instruments", "get_products get_product", Routes.instruments),
    _route("GET", "/v1/ticker/*", "get_price get_quote", Routes.ticker),
    _route("GET", "/v1/book/*", "get_orderbook", Routes.book),
    _route("GET", "/v1/balances", "list_balances", Routes.balances),
    _route("GET", "/v1/balances/*", "get_balance", Routes.balance),
    _route("GET", "/v1/positions", "list_positions", Routes.positions),
    _route("GET", "/v1/positions/*", "get_position", Routes.position),
    _route("GET", "/v1/account", "get_account", Routes.account),
    _route("GET", "/v1/orders", "list_orders", Routes.orders),
    _route("GET", "/v1/orders/*", "get_order", Routes.order),
    _route("GET", "/v1/orders/by-ref/*", "get_order_by_client_id", Routes.order_by_ref),
    _route("GET", "/v1/fills", "list_fills", Routes.fills),
    _route("GET", "/v1/events", "stream_orders", Routes.events),
    _route("POST", "/v1/orders", "place_order", Routes.place),
    _route("PUT", "/v1/orders/*", "modify_order", Routes.change),
    _route("DELETE", "/v1/orders/*", "cancel_order", Routes.cancel),
    _route("POST", "/v1/positions/*/close", "close_position", Routes.close),
)
