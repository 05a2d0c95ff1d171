"""Combinations: several contracts ordered as one, at one net price.

The engine trades single contracts. A combination waits here, and is traded leg by leg at once when
the prices of its legs add up to its limit or better, and each leg has the size on offer. What the
account can pay for is checked leg by leg: where a later leg cannot be paid, the combination is
refused, and the legs before it stay.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    MarketDataUnavailableError,
)
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Quote
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)
from bot_v2.venues.tws.executions import Executions, combo_execution
from bot_v2.venues.tws.order_flow import BY_SYSTEM, OrderFlow
from bot_v2.venues.tws.reporter import Reporter
from bot_v2.venues.tws.state import TwsState
from bot_v2.venues.tws.tickets import (
    CANCELLED,
    FILLED,
    SUBMITTED,
    ComboLeg,
    Execution,
    Ticket,
    TicketBook,
)

ZERO: Final = Decimal(0)
TYPES: Final = frozenset({"MKT", "LMT"})
"""The order types of combinations that are simulated."""

_SIDES: Final = {True: OrderSide.BUY, False: OrderSide.SELL}


class Combos:
    """Trades combinations. Everything but `books_changed` wants to be called within a step.

    Args:
        state: the venue.
        tickets: the orders.
        reporter: tells the clients.
        executions: makes the broker's executions of the engine's fills.
        flow: moves orders on.
    """

    def __init__(
        self,
        state: TwsState,
        tickets: TicketBook,
        reporter: Reporter,
        executions: Executions,
        flow: OrderFlow,
    ) -> None:
        """Wait for none yet."""
        self._state = state
        self._tickets = tickets
        self._reporter = reporter
        self._executions = executions
        self._flow = flow
        self._fills: dict[Ticket, list[Fill]] = {}
        self._waiting: dict[Ticket, None] = {}

    def submit(self, ticket: Ticket) -> None:
        """Bring a combination to the market."""
        self._waiting[ticket] = None
        self._tickets.change(ticket, status=SUBMITTED, why_held="")
        self._state.follow_with(lambda: self._reporter.status(ticket))
        self._state.follow_with(lambda: self._meet(ticket, is_new=True))

    def books_changed(self, symbols: set[str]) -> None:
        """Let combinations meet what is on offer now."""
        for ticket in list(self._waiting):
            if not ticket.is_live:
                del self._waiting[ticket]
            elif any(leg.listing.product.symbol in symbols for leg in ticket.legs):
                self._state.follow_with(partial(self._meet, ticket))

    def heard(self, ticket: Ticket, fill: Fill | None) -> None:
        """Take in that a leg was filled."""
        if fill is not None:
            self._fills.setdefault(ticket, []).append(fill)

    def fill(self, ticket: Ticket, units: Decimal, price: Decimal) -> None:
        """Fill part of a combination at a net price: the first leg makes up the difference.

        Raises:
            InvalidFieldError: more than is left of it.
        """
        if not 0 < units <= ticket.view.remaining:
            raise InvalidFieldError("quantity", units, f"at most {ticket.view.remaining}")
        prices = [self._mid(leg) for leg in ticket.legs]
        net = _net(ticket, prices)
        first = ticket.legs[0]
        missing = EXACT.subtract(price, net)
        signed = missing if first.buys else missing.copy_negate()
        prices[0] = EXACT.add(prices[0], divide(signed, first.ratio, 12, Rounding.HALF_EVEN))
        self._trade(ticket, units, prices, price)

    # The parts of a trade

    def _meet(self, ticket: Ticket, *, is_new: bool = False) -> None:
        if not ticket.is_live or ticket.held is not None:
            return
        offered = self._offered(ticket)
        if offered is not None:
            prices, units = offered
            limit = ticket.view.request.number("lmtPrice")
            net = _net(ticket, prices)
            buys = _is_purchase(ticket)
            is_market = ticket.text("orderType").upper() == "MKT"
            within = limit is not None and (net <= limit if buys else net >= limit)
            wanted = min(units, ticket.view.remaining)
            if wanted > 0 and (is_market or within):
                self._trade(ticket, wanted, prices, net)
        immediate = ticket.text("tif").upper() in ("IOC", "FOK")
        if is_new and immediate and ticket.view.status == SUBMITTED:
            self._flow.end(ticket, CANCELLED, BY_SYSTEM)

    def _offered(self, ticket: Ticket) -> tuple[list[Decimal], Decimal] | None:
        """Return the price of each leg now, and of how many combinations there is enough."""
        prices, units = [], ticket.view.remaining
        engine = self._flow.engine_of(ticket)
        for leg in ticket.legs:
            is_halted = engine.get_market_status(leg.listing.product.symbol).halted
            quote = None if is_halted else self._quote(leg)
            buys = leg.buys is _is_purchase(ticket)
            price, size = (
                ((quote.ask, quote.ask_size) if buys else (quote.bid, quote.bid_size))
                if quote is not None
                else (None, None)
            )
            if price is None or size is None:
                return None
            prices.append(price)
            units = min(units, EXACT.divide_int(size, leg.ratio))
        return prices, units

    def _trade(self, ticket: Ticket, units: Decimal, prices: list[Decimal], net: Decimal) -> None:
        """Trade every leg at its price, and tell it once the engine has told its fills."""
        engine = self._flow.engine_of(ticket)
        for number, (leg, price) in enumerate(zip(ticket.legs, prices, strict=True)):
            symbol = leg.listing.product.symbol
            quantity = EXACT.multiply(units, leg.ratio)
            side = _SIDES[leg.buys is _is_purchase(ticket)]
            order_id = f"{ticket.perm_id}/{ticket.view.filled:f}/{number}"
            wanted = OrderRequest(
                symbol=symbol,
                side=side,
                quantity=quantity,
                type=OrderType.LIMIT,
                price=price,
                time_in_force=TimeInForce.GTC,
                position_effect=PositionEffect.OPEN if side is OrderSide.SELL else None,
            )
            # While the contract is halted the leg rests, and is filled at this price and no other.
            was_halted = engine.get_market_status(symbol).halted
            engine.halt(symbol)
            try:
                order = engine.place(wanted, client_order_id=order_id)
                self._tickets.enter(ticket, order.order_id)
                engine.fill(order.order_id, quantity, price)
            except BrokerageError as error:
                self._flow.reject(ticket, error.message)
                return
            finally:
                if not was_halted:
                    engine.resume(symbol)
        view = ticket.view
        self._state.follow_with(lambda: self._tell(ticket, units, net))
        rest = EXACT.subtract(view.remaining, units)
        self._tickets.change(
            ticket,
            status=SUBMITTED if rest else FILLED,
            ended_at=None if rest else self._state.clock(),
            ending="" if rest else f"Filled Size: {view.quantity:f}",
        )

    def _tell(self, ticket: Ticket, units: Decimal, net: Decimal) -> None:
        fills, base = self._fills.pop(ticket, []), self._executions.next_base()
        legs: list[Execution] = []
        by_symbol = {leg.listing.product.symbol: leg.listing for leg in ticket.legs}
        for number, fill in enumerate(fills, start=1):
            listing = by_symbol[fill.symbol]
            legs.append(self._executions.of_leg(ticket, listing, fill, base, number))
        whole = self._executions.keep(combo_execution(ticket, base, legs, units, net))
        self._tickets.change(ticket, filled=whole.total, average=whole.average, last_price=net)
        self._reporter.filled(ticket, [whole, *legs])
        for follower in self._flow.followers:
            follower.after_change(ticket, units)

    def _quote(self, leg: ComboLeg) -> Quote | None:
        try:
            return self._state.quote(leg.listing.product.symbol)
        except MarketDataUnavailableError:
            return None

    def _mid(self, leg: ComboLeg) -> Decimal:
        quote = self._quote(leg)
        if quote is None or quote.bid is None or quote.ask is None:
            return leg.listing.price
        return EXACT.multiply(EXACT.add(quote.bid, quote.ask), Decimal("0.5"))


def _is_purchase(ticket: Ticket) -> bool:
    return ticket.text("action").upper() == "BUY"


def _net(ticket: Ticket, prices: list[Decimal]) -> Decimal:
    """Return the net price of one combination."""
    total = ZERO
    for leg, price in zip(ticket.legs, prices, strict=True):
        worth = EXACT.multiply(leg.ratio, price)
        total = EXACT.add(total, worth if leg.buys else worth.copy_negate())
    return total
