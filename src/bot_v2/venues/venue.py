"""A simulated broker on 127.0.0.1, and the handle by which a test makes it misbehave."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

import attrs
from starlette.routing import BaseRoute, compile_path

from bot_v2.features.brokerages.core.errors import InvalidFieldError, OrderNotFoundError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.faults import Fault
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.venues.admin import admin_app
from bot_v2.venues.dispatch import Dispatcher, Served
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.http_app import build_app
from bot_v2.venues.market import MovingMarket
from bot_v2.venues.rate_limits import PRIVATE, PUBLIC, RateLimit, RateLimiter, by_class
from bot_v2.venues.request_log import LoggedRequest, RequestLog
from bot_v2.venues.requests import ApiRequest, Endpoint
from bot_v2.venues.server import HOST, Listener, VenueServer, Wire
from bot_v2.venues.state import VenueState

FAULTS: Final = frozenset(Fault)


class Venue:
    """A venue, from `start` to `close`; also a context manager. It fits VenueControl.

    Args:
        state: its accounts and its market.
        plan: what is to go wrong.
        seed: what its market is drawn from.
    """

    def __init__(self, state: VenueState, plan: FaultPlan, seed: int) -> None:
        """Prepare; nothing listens yet."""
        self.state = state
        """The accounts and the market."""
        self._plan = plan
        self._seed = seed
        self._log = RequestLog()
        self._limits = RateLimiter(state.clock, self._counted_as)
        self._dispatcher = Dispatcher(state, plan, self._log, self._limits)
        self._server = VenueServer()
        self._wires: list[Wire] = []
        self._admin: Listener | None = None
        self._is_listening = False
        self._market: MovingMarket | None = None

    # What a broker's venue says of itself

    def endpoints(self) -> Sequence[Endpoint]:
        """Return what can be asked; the first that fits decides."""
        return ()

    def routes(self) -> Sequence[BaseRoute]:
        """Return further routes, such as those of streams."""
        return ()

    def native_symbols(self) -> Mapping[str, str]:
        """Return the canonical symbol of each native one."""
        return {}

    def engine_order(self, order_id: str, price: Decimal) -> str:  # noqa: ARG002 - see below
        """Return the engine's id of the order, or part of one, that trades at a price.

        A venue whose orders are made of several of the engine's says which is meant.
        """
        return order_id

    def actions(self) -> Mapping[str, Callable[[Mapping[str, Any]], None]]:
        """Return what else it can be told to do over the local controls, by name."""
        return {}

    def moving_products(self) -> list[Product]:
        """Return what a synthetic walk moves."""
        return self.state.products()

    def on_faults_cleared(self) -> None:
        """Let go of what a fault held back."""

    def documented_limits(self) -> Mapping[str, RateLimit]:
        """Return how fast the broker says that a caller may ask, by class of requests."""
        return {}

    def limit_class(self, endpoint: Endpoint) -> str:
        """Return the class of requests that an endpoint is limited with."""
        return by_class(endpoint)

    def caller_of(self, request: ApiRequest) -> str:  # noqa: ARG002 - a venue of one key needs no more
        """Return by whom an admitted request is counted: the key, or nobody in particular."""
        return ""

    # Listening

    def start(
        self,
        port: int = 0,
        admin_port: int = 0,
        tls: ssl.SSLContext | None = None,
        tls_port: int = 0,
    ) -> None:
        """Listen, and offer the controls on a port of their own; 0 is any port that is free.

        Args:
            port: where the broker's wire is spoken, without TLS.
            admin_port: where the controls are.
            tls: speak the wire with this context, too, for clients that speak nothing but TLS.
            tls_port: where that is.
        """
        if self._wires:
            raise InvalidFieldError("start", "twice", "once, until it is closed")
        self._server.start()
        self._wires = self.wires(tls)
        self._admin = Listener(admin_app(self))
        try:
            self._server.run(self._admin.open(admin_port))
            for wire, wanted in zip(self._wires, (port, tls_port), strict=False):
                self._server.run(wire.open(wanted))
        except OSError:
            self.close()
            raise
        self._is_listening = True

    def wires(self, tls: ssl.SSLContext | None) -> list[Wire]:
        """Return what speaks the broker's wire: plainly first, then with TLS where it is given."""
        app = build_app(self.endpoints(), self._dispatcher, self._plan, self, self.routes())
        plain = Listener(app)
        return [plain] if tls is None else [plain, Listener(app, tls)]

    def close(self) -> None:
        """Stop listening, cut every connection and let the market rest."""
        if self._market is not None:
            self._market.stop()
            self._market = None
        for listener in (*self._wires, self._admin):
            if listener is not None:
                self._server.run(listener.close())
        self._wires, self._admin = [], None
        self._is_listening = False
        self._server.stop()

    def cut_wires(self) -> None:
        """Cut every connection, and listen no more; the controls stay."""
        if self._is_listening:
            self._is_listening = False
            for wire in self._wires:
                self._server.run(wire.close())

    def listen_again(self) -> None:
        """Listen where it did; nothing happens while it does."""
        if self._wires and not self._is_listening:
            for wire in self._wires:
                self._server.run(wire.open(0))
            self._is_listening = True

    def transport_of(self, client: tuple[str, int]) -> asyncio.Transport | None:
        """Return the connection from an address. None: it is gone."""
        found = (wire.transport_of(client) for wire in self._wires)
        return next((one for one in found if one is not None), None)

    def __enter__(self) -> Self:
        """Listen."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self.close()

    @property
    def port(self) -> int:
        """Where the broker's wire is spoken, without TLS; 0 while it does not listen."""
        return self._wires[0].port if self._wires else 0

    @property
    def url(self) -> str:
        """Where it listens, without TLS."""
        return f"http://{HOST}:{self.port}"

    @property
    def stream_url(self) -> str:
        """Where its streams are, without TLS."""
        return f"ws://{HOST}:{self.port}"

    @property
    def secure_authority(self) -> str:
        """The host and port where it speaks TLS.

        Raises:
            InvalidFieldError: it was started without.
        """
        if len(self._wires) < 2:
            raise InvalidFieldError("tls", None, "a context, given to start")
        return f"{HOST}:{self._wires[1].port}"

    @property
    def admin_url(self) -> str:
        """Where the controls are."""
        return f"http://{HOST}:{0 if self._admin is None else self._admin.port}"

    def answer(self, request: ApiRequest) -> Served | None:
        """Let a request have its effect without a socket. None: no endpoint fits it."""
        for endpoint in self.endpoints():
            pattern, _, _ = compile_path(endpoint.path)
            found = pattern.match(request.path)
            if found is not None and endpoint.method == request.method:
                asked = attrs.evolve(request, arguments=found.groupdict())
                return self._dispatcher.serve(endpoint, asked)
        return None

    # The controls

    @property
    def has_wire(self) -> bool:
        """True: requests cross a socket."""
        return True

    @property
    def faults(self) -> frozenset[Fault]:
        """The faults that it can commit."""
        return FAULTS

    def inject(self, fault: Fault, operation: str | None = None, times: int = 1) -> None:
        """Commit a fault in the next `times` calls of an operation; None: of any.

        Raises:
            InvalidFieldError: `times` is below one.
        """
        self._plan.add(fault, operation, times)
        if fault is Fault.RESET_BEFORE:
            self.cut_wires()

    def clear_faults(self) -> None:
        """Behave again: faults that are still to come are forgotten, lasting ones end."""
        self._plan.clear()
        self._dispatcher.renew_session()
        self.listen_again()
        self.on_faults_cleared()

    def limit_rates(self, limits: Mapping[str, RateLimit] | None = None) -> None:
        """Refuse requests that come too fast, from now on; nothing is limited before.

        Args:
            limits: by class of requests. None: what the broker documents. Empty: none any more.

        Raises:
            InvalidFieldError: the broker documents none, or has no such class.
        """
        known = self.documented_limits()
        wanted = known if limits is None else limits
        if limits is None and not known:
            raise InvalidFieldError("limits", None, "limits: this broker documents none")
        for name in wanted:
            if name not in (known or (PUBLIC, PRIVATE)):
                raise InvalidFieldError("limits", name, ", ".join(known or (PUBLIC, PRIVATE)))
        self._limits.set(wanted)

    def rate_limits(self) -> dict[str, object]:
        """Return the limits that are on, as JSON can hold them."""
        return self._limits.as_data()

    def planned_faults(self) -> dict[str, object]:
        """Return what is still to go wrong, as JSON can hold it."""
        return self._plan.as_data()

    def orders_received(self) -> list[ReceivedOrder]:
        """Return the placements that took effect, oldest first."""
        with self.state.lock:
            return list(self.state.received)

    def requests_received(self, operation: str) -> int:
        """Return how many requests of an operation arrived, with or without effect."""
        return self._plan.received(operation)

    def request_log(self) -> list[LoggedRequest]:
        """Return the newest requests, oldest first."""
        return self._log.entries()

    def set_market(self, symbol: str, bid: Decimal, ask: Decimal, size: Decimal) -> None:
        """Put `size` on offer at the bid and at the ask; resting orders that cross are filled.

        Raises:
            InvalidFieldError: the bid is above the ask.
            InvalidSymbolError: there is no such product.
        """
        self.state.set_book(self._canonical(symbol), bid, ask, size)

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Fill part of a resting order now, whatever the market says."""
        part, engine = self._find(order_id, price)
        self.state.step(lambda: engine.fill(part, quantity, price))

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> None:
        """Report a fill of an order that has ended: it happened before its end."""
        part, engine = self._find(order_id, price)
        self.state.step(lambda: engine.late_fill(part, quantity, price))

    def advance(self, seconds: float) -> None:
        """Move the venue's clock on; orders expire as they would."""
        self.state.clock.advance(seconds)
        self.state.step(lambda: None)

    def halt(self, symbol: str) -> None:
        """Suspend trading in a product."""
        name = self._canonical(symbol)

        def halt() -> None:
            for account in self.state.accounts_of(name):
                account.engine.halt(name)

        self.state.step(halt)

    def resume(self, symbol: str) -> None:
        """Let a product trade again."""
        name = self._canonical(symbol)

        def resume() -> None:
            for account in self.state.accounts_of(name):
                account.engine.resume(name)

        self.state.step(resume)

    def move_market(self) -> str:
        """Let a synthetic walk move the market from now on; return what it is.

        Raises:
            InvalidFieldError: it moves already.
        """
        if self._market is not None:
            raise InvalidFieldError("move_market", "twice", "once: the market moves already")
        with self.state.lock:
            products = self.moving_products()
            prices = {one.symbol: self.state.tape.last(one.symbol).price for one in products}
        self._market = MovingMarket(self.state, products, prices, self._seed)
        self._market.start()
        return self._market.description

    def call(self, action: Callable[[], None]) -> None:
        """Have something done in the loop of the sockets."""
        self._server.call(action)

    def _counted_as(self, endpoint: Endpoint, request: ApiRequest) -> tuple[str, str]:
        # Who asks what anybody may ask is counted by address, and there is one: this machine's.
        caller = "" if endpoint.is_public else self.caller_of(request)
        return self.limit_class(endpoint), caller

    def _canonical(self, symbol: str) -> str:
        return self.native_symbols().get(symbol, symbol)

    def _find(self, order_id: str, price: Decimal) -> tuple[str, MatchingEngine]:
        with self.state.lock:
            part = self.engine_order(order_id, price)
            account = self.state.holder_of(part)
            if account is None:
                raise OrderNotFoundError(f"there is no order {order_id}", order_id=order_id)
            return part, account.engine
