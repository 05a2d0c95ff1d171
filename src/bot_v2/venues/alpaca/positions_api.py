"""Positions of the Trading API: list, get, close.

Source: https://docs.alpaca.markets/reference/getallopenpositions and the pages beside it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.bars import BarMaker
from bot_v2.venues.alpaca.bodies import positive
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.dialect import NOT_FOUND, bad_parameter, refused, unprocessable
from bot_v2.venues.alpaca.money import Purse
from bot_v2.venues.alpaca.order_records import OrderWriter
from bot_v2.venues.alpaca.orders_api import OrdersApi
from bot_v2.venues.alpaca.placing import Placing
from bot_v2.venues.alpaca.texts import plain, ratio
from bot_v2.venues.alpaca.ticket import Ticket
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.requests import ApiAnswer, ApiRequest, Record, RefusedError
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
HUNDRED: Final = Decimal(100)
PERCENT_PLACES: Final = 9


class PositionsApi:
    """Positions.

    Args:
        state: the venue.
        account: its account.
        tickets: its orders.
        catalogue: what is listed.
        purse: knows what there is.
        placing: takes orders.
        orders: cancels them.
        writer: puts them into words.
        bars: knows yesterday's prices.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        tickets: TicketBook,
        catalogue: Catalogue,
        purse: Purse,
        placing: Placing,
        orders: OrdersApi,
        writer: OrderWriter,
        bars: BarMaker,
    ) -> None:
        """Serve one account."""
        self._state = state
        self._account = account
        self._tickets = tickets
        self._catalogue = catalogue
        self._purse = purse
        self._placing = placing
        self._orders = orders
        self._writer = writer
        self._bars = bars

    def list_positions(self, request: ApiRequest) -> list[Record]:  # noqa: ARG002 - there is nothing to ask
        """List all positions."""
        return [self._write(one) for one in self._account.standing().positions]

    def get(self, request: ApiRequest) -> Record:
        """Get one position."""
        return self._write(self._position(request))

    def close(self, request: ApiRequest) -> Record:
        """Close a position, or part of it, by a market order."""
        query = dict(request.query)
        qty, percentage = positive(query, "qty"), positive(query, "percentage")
        if qty is not None and percentage is not None:
            raise bad_parameter("only one of qty or percentage is accepted")
        if percentage is not None and percentage > HUNDRED:
            raise bad_parameter("percentage must be between 0 and 100")

        def act() -> Ticket:
            self._tickets.remember()
            position = self._position(request)
            wanted = qty
            if percentage is not None:
                wanted = self._part(position, percentage)
            return self._close(position, wanted)

        return self._writer.write_taken(self._state.write(act))

    def close_all(self, request: ApiRequest) -> ApiAnswer:
        """Close every position, after all orders were cancelled where that is wanted."""
        if (request.value("cancel_orders") or "").lower() == "true":
            self._orders.cancel_all(request)

        def act() -> list[Record]:
            self._tickets.remember()
            return [self._try_to_close(one) for one in self._account.engine.list_positions()]

        return ApiAnswer(207, self._state.write(act))

    def _try_to_close(self, position: Position) -> Record:
        symbol = self._catalogue.of(position.symbol).position_symbol
        try:
            ticket = self._close(position, None)
        except RefusedError as error:
            return {"symbol": symbol, "status": error.answer.status, "body": error.answer.body}
        return {"symbol": symbol, "status": 200, "body": self._writer.write_taken(ticket)}

    def _close(self, position: Position, qty: Decimal | None) -> Ticket:
        listing = self._catalogue.of(position.symbol)
        wanted = position.quantity if qty is None else qty
        return self._placing.place(
            {
                "symbol": listing.symbol,
                "qty": plain(wanted),
                "side": "sell" if position.side is PositionSide.LONG else "buy",
                "type": "market",
                "time_in_force": "gtc" if listing.is_crypto else "day",
            }
        )

    def _part(self, position: Position, percentage: Decimal) -> Decimal:
        listing = self._catalogue.of(position.symbol)
        part = divide(
            EXACT.multiply(position.quantity, percentage), HUNDRED, PERCENT_PLACES, Rounding.DOWN
        )
        # "Would only sell fractional if position is originally fractional."
        is_whole = position.quantity % 1 == 0 and not listing.is_crypto
        if is_whole:
            part = divide(part, Decimal(1), 0, Rounding.DOWN)
        part = quantize_quantity(listing.product, part, Rounding.DOWN)
        if part <= 0:
            raise unprocessable("qty must be > 0")
        return part

    def _position(self, request: ApiRequest) -> Position:
        name = request.arguments["symbol"]
        listing = self._catalogue.find(name)
        if listing is None:
            raise refused(404, NOT_FOUND, f"symbol not found: {name}")
        position = self._purse.position(listing)
        if position is None:
            raise refused(404, NOT_FOUND, "position does not exist")
        return position

    def _write(self, position: Position) -> Record:
        listing = self._catalogue.of(position.symbol)
        is_long = position.side is PositionSide.LONG
        quantity = position.quantity if is_long else position.quantity.copy_negate()
        held, _ = self._purse.held(listing)
        free = max(EXACT.subtract(position.quantity, held), ZERO)
        price = position.current_price or ZERO
        value = position.market_value or ZERO
        profit = position.unrealized_pnl or ZERO
        cost = EXACT.subtract(value, profit)
        before = self._bars.last_close(listing, self._state.clock())
        units = EXACT.multiply(quantity, listing.product.multiplier)
        today = EXACT.multiply(EXACT.subtract(price, before), units)
        return {
            "asset_id": self._catalogue.asset_id(listing),
            "symbol": listing.position_symbol,
            "exchange": listing.exchange,
            "asset_class": listing.asset_class.value,
            "asset_marginable": listing.is_marginable,
            "qty": plain(quantity),
            "qty_available": plain(free if is_long else free.copy_negate()),
            "avg_entry_price": plain(position.entry_price or ZERO),
            "side": "long" if is_long else "short",
            "market_value": plain(value),
            "cost_basis": plain(cost),
            "unrealized_pl": plain(profit),
            "unrealized_plpc": plain(ratio(profit, abs(cost))),
            "unrealized_intraday_pl": plain(today),
            "unrealized_intraday_plpc": plain(ratio(today, abs(EXACT.multiply(before, units)))),
            "current_price": plain(price),
            "lastday_price": plain(before),
            "change_today": plain(ratio(EXACT.subtract(price, before), before)),
        }
