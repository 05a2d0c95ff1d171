"""The story: trade at three brokers, lose answers, and find out by evidence what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.cli.demo_brokers.portfolio import read_portfolio, show_equity
from bot_v2.cli.demo_brokers.stage import PATIENCE_S, Seat, Stage, wait_for
from bot_v2.cli.demo_brokers.telling import Teller, plain
from bot_v2.cli.order_terms import sentence_for
from bot_v2.cli.reconciliation import Check
from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidRequestError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent
from bot_v2.simulation.faults import Fault

if TYPE_CHECKING:
    from bot_v2.venues.tws.venue import TwsVenue

CURRENCY: Final = "USD"
"""What the accounts are added up in."""

SHARE: Final = "AAPL"
COIN: Final = "BTC-USD"
PAIR: Final = "EUR-USD"

WORDS: Final = {
    EventKind.OUTCOME_UNKNOWN: "outcome UNKNOWN: nobody can say whether it was placed",
    EventKind.RESENDING: "proven absent: sent again, under the same id",
    EventKind.QUARANTINED: "QUARANTINED: a person has to look",
    EventKind.RETRYING: "nothing left this machine: once more",
    EventKind.REJECTED: "refused",
}
"""What is told of an executor's events, and how; of a taken order the evidence is."""


@attrs.define
class Story:
    """Lets the scenes happen, and remembers what had to be so."""

    stage: Stage
    """The brokers."""
    teller: Teller
    """Tells what happens."""
    checks: list[Check] = attrs.field(factory=list)
    """What had to be so."""
    missed: tuple[str, ...] = ()
    """The brokers that were missing from the portfolio while one was down."""
    _scenes: int = 0

    def run(self, *, is_short: bool) -> None:
        """Play the scenes; the short story leaves out those in which a lost order is resent."""
        self._scene("trade, at three brokers, through one executor each")
        self._trade()
        self._scene("coinbase takes an order, and its answer is lost")
        self._lose_an_answer()
        self._scene("the nightly reset of TWS falls into an order of ibkr")
        self._reset_during_an_order()
        if not is_short:
            self._scene("alpaca answers 504 to an order that it took")
            self._answer_504()
            self._scene("an order is lost on its way to alpaca")
            self._lose_an_order()

    def tell_event(self, name: str, event: ExecutionEvent) -> None:
        """Tell what an executor does, where it is more than usual."""
        said = WORDS.get(event.kind)
        if event.kind is EventKind.TAKEN and event.message:
            self.teller.good(name, f"{event.client_order_id}: {event.message}")
        elif said is not None:
            self.teller.warn(name, f"{event.client_order_id}: {said}")

    # The scenes

    def _trade(self) -> None:
        self._set_market(SHARE, "200.00", "200.02")
        self._set_market(COIN, "60000.00", "60010.00")
        self._buy("coinbase", COIN, "0.25")
        self._buy("coinbase", COIN, "0.1", type=OrderType.LIMIT, price=Decimal("55000.00"))
        self._buy("alpaca", SHARE, "20")
        self._buy("ibkr", SHARE, "10")
        self._buy("ibkr", PAIR, "20000")
        self._set_market(SHARE, "203.00", "203.02")
        self._set_market(COIN, "61200.00", "61210.00")
        self.teller.line("", f"the market moves: {SHARE} at 203.00, {COIN} at 61200.00")

    def _lose_an_answer(self) -> None:
        self._seat("coinbase").venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
        request = self._request("coinbase", OrderSide.SELL, COIN, "0.05")
        self._submit("coinbase", request)
        self._check_attempts("coinbase", request, sent=1)

    def _reset_during_an_order(self) -> None:
        seat = self._seat("ibkr")
        venue = _tws(seat)
        # What the reset cuts off has not been answered yet.
        venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
        request = self._request("ibkr", OrderSide.BUY, SHARE, "5")
        client_order_id = request.client_order_id or ""
        submitting = _Submitting(lambda: self.stage.submit("ibkr", request))
        submitting.start()
        wait_for(lambda: seat.received(client_order_id) or None)
        self.teller.warn("ibkr", "TWS goes down; its order numbers will start anew")
        venue.scripts.reset(rolls_back_ids=True, stays_down=True)
        is_unknown = self.stage.ears["ibkr"].wait_until(EventKind.OUTCOME_UNKNOWN, client_order_id)
        portfolio = read_portfolio({name: one.broker for name, one in self.stage.seats.items()})
        self.missed = portfolio.missing
        show_equity(self.teller, portfolio, CURRENCY)
        self.teller.line("ibkr", "TWS is back")
        venue.scripts.come_back()
        with self.teller.waiting("looking for evidence ..."):
            result = submitting.result()
        self._tell_result("ibkr", request, result)
        self.checks.append(
            Check(
                claim="while TWS was down its account was missing, and the others were not",
                expected="unknown; missing: ibkr",
                found=f"{'unknown' if is_unknown else 'known'}; "
                f"missing: {', '.join(self.missed) or 'none'}",
            )
        )
        self._check_attempts("ibkr", request, sent=1)

    def _answer_504(self) -> None:
        self._seat("alpaca").venue.inject(Fault.SERVER_ERROR, "place_order")
        request = self._request("alpaca", OrderSide.SELL, SHARE, "5")
        self._submit("alpaca", request)
        self._check_attempts("alpaca", request, sent=1)

    def _lose_an_order(self) -> None:
        self._seat("alpaca").venue.inject(Fault.DROP_BEFORE_ACCEPT, "place_order")
        request = self._request("alpaca", OrderSide.BUY, SHARE, "4")
        self._submit("alpaca", request)
        self._check_attempts("alpaca", request, sent=2)

    # The parts of a scene

    def _scene(self, text: str) -> None:
        self._scenes += 1
        self.teller.scene(f"{self._scenes}. {text}")

    def _seat(self, name: str) -> Seat:
        return self.stage.seats[name]

    def _set_market(self, symbol: str, bid: str, ask: str) -> None:
        size = Decimal(1000)
        for name, seat in self.stage.seats.items():
            if (name == "coinbase") is (symbol == COIN):
                seat.venue.set_market(symbol, Decimal(bid), Decimal(ask), size)

    def _request(
        self,
        name: str,
        side: OrderSide,
        symbol: str,
        quantity: str,
        type: OrderType = OrderType.MARKET,
        price: Decimal | None = None,
    ) -> OrderRequest:
        number = len(self.stage.placed.get(name, ())) + 1
        return OrderRequest(
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            type=type,
            price=price,
            client_order_id=f"{name}-{number}",
        )

    def _buy(
        self,
        name: str,
        symbol: str,
        quantity: str,
        type: OrderType = OrderType.MARKET,
        price: Decimal | None = None,
    ) -> None:
        self._submit(name, self._request(name, OrderSide.BUY, symbol, quantity, type, price))

    def _submit(self, name: str, request: OrderRequest) -> None:
        with self.teller.waiting("the executor waits for an answer ..."):
            result = self.stage.submit(name, request)
        self._tell_result(name, request, result)

    def _tell_result(self, name: str, request: OrderRequest, result: OrderResult) -> None:
        sentence = f"{request.client_order_id}: {sentence_for(request)}"
        if result.order_id is None:
            self.teller.warn(name, f"{sentence}: {result.message or result.error}")
            return
        order = self._seat(name).settled(result)
        self.teller.line(name, f"{sentence}: {_state(order)}")

    def _check_attempts(self, name: str, request: OrderRequest, *, sent: int) -> None:
        """Check how often an order was sent, and that the simulator took it once."""
        client_order_id = request.client_order_id or ""
        state = self._seat(name).executor.find(client_order_id)
        attempts = 0 if state is None else state.attempts
        received = self._seat(name).received(client_order_id)
        self.teller.line(
            name, f"{client_order_id}: sent {_times(attempts)}, and {name} took {received} order"
        )
        self.checks.append(
            Check(
                claim=f"{client_order_id} was sent {_times(sent)}, taken once, and is known",
                expected=f"{sent}, 1, settled",
                found=f"{attempts}, {received}, "
                f"{'settled' if state is not None and not state.is_unsettled else 'NOT SETTLED'}",
            )
        )


class _Submitting(threading.Thread):
    """A submit in a thread of its own: while it waits, the broker goes down and comes back."""

    def __init__(self, submit: Callable[[], OrderResult]) -> None:
        super().__init__(name="demo-submit", daemon=True)
        self._submit = submit
        self._result: OrderResult | None = None

    def run(self) -> None:
        self._result = self._submit()

    def result(self) -> OrderResult:
        """Wait for the end, and return what came of it.

        Raises:
            BrokerageError: it did not end in time.
        """
        self.join(PATIENCE_S * 2)
        if self._result is None:
            raise BrokerageError("the submit did not end in time")
        return self._result


def _tws(seat: Seat) -> TwsVenue:
    # Imported here: what venues need may not be installed.
    from bot_v2.venues.tws.venue import TwsVenue

    if not isinstance(seat.venue, TwsVenue):
        raise InvalidRequestError(f"{seat.name} is not simulated by a TWS")
    return seat.venue


def _state(order: Order | None) -> str:
    if order is None:
        return "not known"
    price = "" if order.average_fill_price is None else f" at {plain(order.average_fill_price)}"
    filled = f" {plain(order.filled_quantity)}{price}" if order.filled_quantity else ""
    return f"{order.status.value}{filled}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
