"""Placements of Advanced Trade: create, preview and close_position."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, decimal_from_text
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.shared.types import IdSource
from bot_v2.simulation.received import ReceivedOrder
from bot_v2.venues.coinbase import refusals
from bot_v2.venues.coinbase.configurations import (
    BRACKET,
    SHAPES,
    STOP_LIMIT,
    Terms,
    check_stop,
    read_terms,
)
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.coinbase.refusals import (
    NO_FAILURE,
    OrderRefusedError,
    Refusal,
    invalid,
    refusal_of,
)
from bot_v2.venues.coinbase.texts import plain
from bot_v2.venues.coinbase.tickets import Ticket, TicketBook
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
STOP_LEG: Final = "/stop"
"""What the engine's client id of a bracket's second exit ends with; no caller can send one."""

LEVERAGE_MAX: Final = Decimal(10)


class Placing:
    """Takes orders.

    Args:
        state: the venue.
        tickets: its orders.
        listings: what can be traded, by Coinbase's id.
        ids: makes the ids of attached orders.
    """

    def __init__(
        self,
        state: VenueState,
        tickets: TicketBook,
        listings: Mapping[str, Listing],
        ids: IdSource,
    ) -> None:
        """Take orders for one venue."""
        self._state = state
        self._tickets = tickets
        self._listings = listings
        self._ids = ids

    def create(self, body: Mapping[str, Any]) -> Record:
        """Create an order; an id that was used returns the order that was created under it.

        "If the ID provided is not unique, the order will not be created and the order
        corresponding with that ID will be returned instead." (the page of Create Order)
        """
        client_order_id = _client_order_id(body)
        known = self._tickets.by_client_id(client_order_id)
        if known is not None:
            return _taken(known)
        configuration = body.get("order_configuration")
        try:
            terms = self._terms(body)
            leverage, margin_type = _margin(body, terms.listing)
            ticket = self._state.write(
                lambda: self._place(terms, client_order_id, leverage, margin_type)
            )
        except OrderRefusedError as refused:
            return _refused(refused.refusal, configuration)
        return _taken(ticket)

    def close_position(self, body: Mapping[str, Any]) -> Record:
        """Close a position of a contract, or part of it, by a market order."""
        client_order_id = _client_order_id(body)
        known = self._tickets.by_client_id(client_order_id)
        if known is not None:
            return _taken(known)
        listing = self._listings.get(str(body.get("product_id")))
        if listing is None or not listing.is_contract:
            raise invalid("close_position is for futures and perpetuals: invalid product_id")
        symbol = listing.product.symbol
        position = self._state.account_of(symbol).engine.get_position(symbol)
        if position is None:
            # Not documented otherwise: the reason is the enumeration's nearest.
            return _refused(Refusal(refusals.NO_PREVIEW_FAILURE, NO_FAILURE, "no position"), None)
        asked = body.get("size")
        size = position.quantity if asked in (None, "") else decimal_from_text(str(asked), "size")
        configuration = {
            "market_market_ioc": {
                "base_size": plain(min(size, position.quantity)),
                "reduce_only": True,
            }
        }
        side = OrderSide.SELL if position.side is PositionSide.LONG else OrderSide.BUY
        order = {"side": side.name, "order_configuration": configuration}
        try:
            terms = read_terms(order, listing)
            ticket = self._state.write(lambda: self._place(terms, client_order_id, "", ""))
        except OrderRefusedError as refused:
            return _refused(refused.refusal, configuration)
        return _taken(ticket)

    def preview(self, body: Mapping[str, Any], preview_id: str) -> Record:
        """Say what an order would cost, and what would keep it from being taken."""
        errs: list[str] = []
        try:
            terms = self._terms(body)
        except OrderRefusedError as refused:
            return {**_no_cost(), "errs": [refused.refusal.preview], "preview_id": preview_id}
        listing = terms.listing
        engine = self._state.account_of(listing.product.symbol).engine
        try:
            self._check_placing(terms)
            request = terms.requests(self._taker_rate(listing))[0]
            margin = engine.get_order_margin(request)
        except OrderRefusedError as refused:
            errs, margin = [refused.refusal.preview], None
        except BrokerageError as error:
            errs = [refusal_of(error, is_contract=listing.is_contract).preview]
            margin = None
        costs = self.cost(terms, None, None)
        if margin is not None and not errs and self._is_short(terms, costs):
            errs = [refusals.INSUFFICIENT_FUND.preview]
        return {
            **costs,
            "errs": errs,
            "warning": [],
            "is_max": False,
            "order_margin_total": _margin_of(engine.get_margin(), margin, listing),
            "leverage": str(body.get("leverage") or ""),
            "long_leverage": "",
            "short_leverage": "",
            "preview_id": preview_id,
        }

    def cost(self, terms: Terms, size: Decimal | None, price: Decimal | None) -> Record:
        """Return what an order costs at its limit, or at the best price; either can be given."""
        product = terms.listing.product
        quote = self._state.quote(product.symbol)
        best = quote.ask if terms.side is OrderSide.BUY else quote.bid
        at = price or terms.limit_price or best or ZERO
        rate = self._taker_rate(terms.listing)
        quantity = size or terms.base_size
        if quantity is not None:
            value = EXACT.multiply(EXACT.multiply(quantity, at), product.multiplier)
        else:
            amount = terms.requests(rate)[0].notional or ZERO
            value = amount
        fee = EXACT.multiply(value, rate)
        is_buy = terms.side is OrderSide.BUY
        total = EXACT.add(value, fee) if is_buy else EXACT.subtract(value, fee)
        return {
            "order_total": plain(total),
            "commission_total": plain(fee),
            "quote_size": plain(value),
            "base_size": plain(quantity or ZERO),
            "best_bid": plain(quote.bid or ZERO),
            "best_ask": plain(quote.ask or ZERO),
            "slippage": "0",
        }

    def _is_short(self, terms: Terms, costs: Record) -> bool:
        account = self._state.account_of(terms.listing.product.symbol)
        if terms.listing.is_contract:
            return False
        asset = terms.listing.quote if terms.side is OrderSide.BUY else terms.listing.base
        key = "order_total" if terms.side is OrderSide.BUY else "base_size"
        return (account.balance(asset).available or ZERO) < Decimal(str(costs[key]))

    def _terms(self, body: Mapping[str, Any]) -> Terms:
        listing = self._listings.get(str(body.get("product_id")))
        if listing is None:
            raise OrderRefusedError(refusals.PRODUCT_ID)
        return read_terms(body, listing)

    def _check_placing(self, terms: Terms) -> None:
        if terms.shape.order_type in (STOP_LIMIT, BRACKET):
            check_stop(terms, self._state.tape.last(terms.listing.product.symbol).price)

    def _taker_rate(self, listing: Listing) -> Decimal:
        symbol = listing.product.symbol
        return self._state.account_of(symbol).engine.get_fees(symbol).taker or ZERO

    def _place(self, terms: Terms, client_order_id: str, leverage: str, margin_type: str) -> Ticket:
        listing = terms.listing
        symbol = listing.product.symbol
        account = self._state.account_of(symbol)
        self._check_placing(terms)
        try:
            requests = terms.requests(self._taker_rate(listing))
            if len(requests) == 1:
                placed = [account.engine.place(requests[0], client_order_id=client_order_id)]
            else:
                pair = account.engine.place_oco(
                    requests[0],
                    requests[1],
                    client_order_ids=(client_order_id, client_order_id + STOP_LEG),
                )
                placed = list(pair)
        except BrokerageError as error:
            raise OrderRefusedError(refusal_of(error, is_contract=listing.is_contract)) from error
        ticket = Ticket(
            order_id=placed[0].order_id,
            client_order_id=client_order_id,
            terms=terms,
            account=account,
            placed_at=placed[0].timestamp or self._state.clock(),
            number=len(self._tickets) + 1,
            legs=[order.order_id for order in placed],
            configuration=terms.as_sent,
            leverage=leverage,
            margin_type=margin_type,
        )
        self._tickets.add(ticket)
        if terms.take_profit is not None or terms.stop_loss is not None:
            self._attach(ticket)
        self._state.received.append(
            ReceivedOrder(order_id=ticket.order_id, client_order_id=client_order_id, symbol=symbol)
        )
        return ticket

    def _attach(self, parent: Ticket) -> None:
        terms = parent.terms
        kind = "trigger_bracket_gtc"
        fields = {
            "limit_price": "" if terms.take_profit is None else plain(terms.take_profit),
            "stop_trigger_price": "" if terms.stop_loss is None else plain(terms.stop_loss),
        }
        side = OrderSide.SELL if terms.side is OrderSide.BUY else OrderSide.BUY
        exits = Terms(
            listing=terms.listing,
            side=side,
            kind=kind,
            configuration=fields,
            shape=SHAPES[kind],
            base_size=terms.base_size,
            limit_price=terms.take_profit,
            stop_price=terms.stop_loss,
        )
        attached = Ticket(
            order_id=self._ids(),
            client_order_id="",
            terms=exits,
            account=parent.account,
            placed_at=parent.placed_at,
            number=len(self._tickets) + 1,
            legs=[],
            configuration=exits.as_sent,
            originating_order_id=parent.order_id,
        )
        self._tickets.await_exits(parent, attached)
        # A market entry is filled by now, and its exits are there.
        for order in parent.account.engine.list_orders():
            if order.parent_order_id == parent.legs[0]:
                self._tickets.adopt(attached, order.order_id)


def _client_order_id(body: Mapping[str, Any]) -> str:
    given = body.get("client_order_id")
    if not isinstance(given, str) or not given or STOP_LEG in given:
        raise invalid("client_order_id is required")
    return given


def _margin(body: Mapping[str, Any], listing: Listing) -> tuple[str, str]:
    leverage, margin_type = body.get("leverage"), body.get("margin_type")
    if leverage not in (None, ""):
        times = decimal_from_text(str(leverage), "leverage")
        if not listing.is_contract or not 1 <= times <= LEVERAGE_MAX:
            raise OrderRefusedError(
                Refusal("PREVIEW_INVALID_LEVERAGE", NO_FAILURE, "invalid leverage")
            )
    if margin_type not in (None, "", "CROSS", "ISOLATED"):
        raise invalid(f"invalid margin_type {margin_type}")
    return str(leverage or ""), str(margin_type or "")


def _taken(ticket: Ticket) -> Record:
    success: Record = {
        "order_id": ticket.order_id,
        "product_id": ticket.terms.listing.product_id,
        "side": ticket.terms.side.name,
        "client_order_id": ticket.client_order_id,
    }
    if ticket.attached is not None:
        success["attached_order_id"] = ticket.attached.order_id
    return {
        "success": True,
        "failure_reason": NO_FAILURE,
        "order_id": ticket.order_id,
        "success_response": success,
        "order_configuration": ticket.configuration,
    }


def _refused(refusal: Refusal, configuration: object) -> Record:
    answer: Record = {
        "success": False,
        "failure_reason": NO_FAILURE,
        "order_id": "",
        "error_response": refusal.error_response(),
    }
    if isinstance(configuration, dict):
        answer["order_configuration"] = configuration
    return answer


def _no_cost() -> Record:
    names = "order_total commission_total quote_size base_size best_bid best_ask slippage"
    cost: Record = dict.fromkeys(names.split(), "0")
    return {**cost, "warning": [], "is_max": False}


def _margin_of(now: Margin, then: Margin | None, listing: Listing) -> str:
    """Return what an order needs of margin; empty for spot, and for what would be refused."""
    if then is None or not listing.is_contract:
        return ""
    before, after = now.initial_margin or ZERO, then.initial_margin or ZERO
    return plain(max(EXACT.subtract(after, before), ZERO))
