"""What a check works with: the brokerage, its venue, and orders that suit its product."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, NoReturn

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.declarations import idempotency_of, unsupported_of
from bot_v2.features.brokerages.core.errors import BrokerageError, UnsupportedOperationError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.faults import Fault
from bot_v2.testing.market import CheckMarket
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.venue_control import VenueControl
from bot_v2.testing.violation import NotApplicable, expect
from bot_v2.testing.waiting import wait_until


class CheckContext:
    """One brokerage under one check.

    Args:
        brokerage: what is checked.
        venue: its simulated venue. None: it has none.
        profile: what is known of it.
        reopen: builds a second session of the same account. None: nobody can.
        seed: makes the client order ids; the same seed makes the same ids.
    """

    def __init__(
        self,
        brokerage: IBrokerage,
        venue: VenueControl | None = None,
        profile: ContractProfile | None = None,
        reopen: Callable[[], IBrokerage] | None = None,
        seed: str | None = None,
    ) -> None:
        """Prepare; nothing is called yet."""
        self.broker = brokerage
        self.profile = profile or ContractProfile()
        self.placed: list[str] = []
        """The ids of the orders that the check placed."""
        self._venue = venue
        self._reopen = reopen
        self._seed = seed or secrets.token_hex(8)
        self._ids_made = 0
        self._market: CheckMarket | None = None
        self._others: list[IBrokerage] = []

    def reseed(self, seed: str) -> None:
        """Make the client order ids from another seed, from the first again."""
        self._seed, self._ids_made = seed, 0

    # What there is.

    @property
    def untyped(self) -> Any:
        """The brokerage for a method that it declares; the card has seen that it is declared."""
        return self.broker

    @property
    def has_venue(self) -> bool:
        """Whether a simulated venue is there."""
        return self._venue is not None

    @property
    def venue(self) -> VenueControl:
        """The venue; the check does not apply where there is none."""
        if self._venue is None:
            raise NotApplicable("needs a simulated venue")
        return self._venue

    @property
    def market(self) -> CheckMarket:
        """The product to trade, with its prices and sizes."""
        if self._market is None:
            self._market = CheckMarket(self.broker, self._venue, self.profile)
        return self._market

    @property
    def symbol(self) -> str:
        """The product to trade."""
        return self.market.symbol

    def skip(self, reason: str) -> NoReturn:
        """End the check: there is nothing to look at."""
        raise NotApplicable(reason)

    def other_session(self) -> IBrokerage:
        """Return a second, connected brokerage of the same account."""
        if self._reopen is None:
            raise NotApplicable("needs a second session of the account (fixture reopen_brokerage)")
        return self.opened(self._reopen())

    def opened(self, other: IBrokerage) -> IBrokerage:
        """Connect another brokerage; its session ends with the check."""
        self._others.append(other)
        other.connect()
        return other

    def close_others(self) -> None:
        """End the other sessions of the check; a brokerage under test may fail even at this."""
        while self._others:
            with suppress(Exception):
                self._others.pop().disconnect()

    def products(self) -> list[Product]:
        """Return everything that can be traded; the check does not apply where there is no list."""
        if "get_products" in unsupported_of(self.broker):
            raise NotApplicable("get_products is unsupported")
        return self.broker.get_products()

    # Orders.

    def make_id(self) -> str:
        """Return a client order id that the broker takes, new in this check."""
        self._ids_made += 1
        profile = idempotency_of(self.broker)
        digest = hashlib.sha256(f"{self._seed}:{self._ids_made}".encode()).digest()
        number = int.from_bytes(digest + digest)
        letters = []
        for _ in range(profile.id_length):
            number, index = divmod(number, len(profile.id_alphabet))
            letters.append(profile.id_alphabet[index])
        return "".join(letters)

    def request(self, **changes: Any) -> OrderRequest:
        """Return a limit order to buy, well away from the market; the arguments change it."""
        terms: dict[str, Any] = {
            "symbol": self.symbol,
            "side": OrderSide.BUY,
            "type": OrderType.LIMIT,
            "client_order_id": self.make_id(),
        }
        if "notional" not in changes:
            terms["quantity"] = self.market.quantity
        if changes.get("type", OrderType.LIMIT) in (OrderType.LIMIT, OrderType.STOP_LIMIT):
            terms["price"] = self.market.resting_price(changes.get("side", OrderSide.BUY))
        return OrderRequest(**{**terms, **changes})

    def place(self, request: OrderRequest | None = None) -> OrderResult:
        """Place an order, by default one that rests; it is cancelled after the check."""
        result = self.broker.place_order(request or self.request())
        expect(isinstance(result, OrderResult), "place_order to return an OrderResult", result)
        expect(result.success, "success from place_order, which raises failures", result)
        self.placed.append(self.id_of(result))
        return result

    def place_optional(self, request: OrderRequest, feature: str) -> OrderResult:
        """Place an order of a kind that a broker need not take."""
        try:
            return self.place(request)
        except UnsupportedOperationError:
            raise NotApplicable(f"{feature}: the brokerage refuses it as unsupported") from None

    def id_of(self, result: OrderResult) -> str:
        """Return the order id of a success."""
        expect(isinstance(result.order_id, str), "an order_id", result)
        return str(result.order_id)

    def place_resting(self, **changes: Any) -> str:
        """Place an order that rests, and return its id once the broker acknowledged it."""
        order_id = self.id_of(self.place(self.request(**changes)))
        self.await_order(order_id, lambda order: order.status is not OrderStatus.PENDING, "taken")
        return order_id

    def trade(self, side: OrderSide = OrderSide.BUY, quantity: Decimal | None = None) -> Order:
        """Trade at the market at once, and return the filled order."""
        amount = self.market.quantity if quantity is None else quantity
        request = self.request(side=side, type=OrderType.MARKET, quantity=amount)
        try:
            result = self.place(request)
        except UnsupportedOperationError:
            price = self.market.crossing_price(side)
            result = self.place(self.request(side=side, price=price, quantity=amount))
        return self.await_status(self.id_of(result), OrderStatus.FILLED)

    def await_order(self, order_id: str, accept: Callable[[Order], bool], what: str) -> Order:
        """Read an order until it is as expected, and return it."""
        return wait_until(
            lambda: self.broker.get_order(order_id),
            accept,
            self.profile.settle_s,
            f"the order to be {what}",
        )

    def await_status(self, order_id: str, *statuses: OrderStatus) -> Order:
        """Read an order until it has one of some statuses, and return it."""
        names = " or ".join(status.name for status in statuses)
        return self.await_order(order_id, lambda order: order.status in statuses, names)

    def await_end(self, order_id: str) -> Order:
        """Read an order until it has ended, and return it."""
        return self.await_order(order_id, lambda order: order.status in ENDED_STATUSES, "ended")

    def unknown_order_id(self) -> str:
        """Return an id in the broker's form that no order has."""
        if self.profile.unknown_order_id is not None:
            return self.profile.unknown_order_id
        real = self.place_resting()
        kept = real.rstrip("0123456789")
        tail = len(real) - len(kept)
        changed = [kept + digit * tail for digit in "987"] if tail else [f"{real[:-1]}0"]
        known = {order.order_id for order in self.broker.list_orders()}
        return next(one for one in changed if one not in known)

    # What arrived.

    @contextmanager
    def nothing_arrives(self, *operations: str) -> Iterator[None]:
        """Expect that no request of some operations reaches the venue; without one, look away."""
        if self._venue is None:
            yield
            return
        before = [self._venue.requests_received(name) for name in operations]
        yield
        after = [self._venue.requests_received(name) for name in operations]
        names = " or ".join(operations)
        expect(before == after, f"no request of {names} to reach the venue", (before, after))

    @contextmanager
    def one_arrives(self, operation: str) -> Iterator[None]:
        """Expect exactly one request of an operation at the venue."""
        before = self.venue.requests_received(operation)
        yield
        arrived = self.venue.requests_received(operation) - before
        expect(arrived == 1, f"exactly one request of {operation} at the venue", arrived)

    @contextmanager
    def fault(self, fault: Fault, operation: str | None, times: int = 1) -> Iterator[None]:
        """Have a fault committed; the venue behaves again afterwards."""
        self.venue.inject(fault, operation, times)
        try:
            yield
        finally:
            self.venue.clear_faults()

    # The end.

    def clean_up(self) -> None:
        """Cancel what the check left open and end the session it was given.

        A brokerage under test may fail even at this.
        """
        if self._venue is not None:
            self._venue.clear_faults()
        for order_id in self.placed:
            try:
                if self.broker.get_order(order_id).status not in ENDED_STATUSES:
                    self.broker.cancel_order(order_id)
            except (BrokerageError, OSError, ArithmeticError, LookupError, TypeError, ValueError):
                continue
        with suppress(Exception):
            self.broker.disconnect()
