"""What the account is worth and may spend, as Alpaca tells it.

Source: https://docs.alpaca.markets/docs/margin-and-short-selling (Reg T: half of a share's value),
.../docs/crypto-trading, .../docs/options-trading-overview: coins and options are paid in full.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.accounts import Position
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.alpaca.ticket import Ticket
from bot_v2.venues.alpaca.tickets import TicketBook

ZERO: Final = Decimal(0)
HALF: Final = Decimal("0.5")
MAINTENANCE: Final = Decimal("0.3")
CURRENCY: Final = "USD"


@attrs.frozen(kw_only=True)
class Money:
    """The account's totals, in dollars."""

    cash: Decimal
    """Dollars; negative is a debt."""
    equity: Decimal
    """Cash and the value of all positions."""
    long_value: Decimal
    """What long positions are worth."""
    short_value: Decimal
    """What short positions are worth: zero or less."""
    initial_margin: Decimal
    """What positions and orders tie up."""
    maintenance_margin: Decimal
    """What keeping the positions takes."""
    excess: Decimal
    """What is left for what is paid in full; never below zero."""
    free_cash: Decimal
    """What is left of the cash for what cannot be bought on margin; never below zero."""


class Purse:
    """Adds up the account. Its methods want the venue's lock held.

    Args:
        account: the account.
        catalogue: what is listed.
        tickets: the orders.
    """

    def __init__(self, account: VenueAccount, catalogue: Catalogue, tickets: TicketBook) -> None:
        """Add up one account."""
        self._account = account
        self._catalogue = catalogue
        self._tickets = tickets

    def count(self) -> Money:
        """Return the totals, as reads show them."""
        standing = self._account.standing()
        summary, margin = standing.summary, standing.margin
        cash = next((one.total for one in standing.balances if one.asset == CURRENCY), ZERO)
        equity = summary.equity or ZERO
        engine_excess = EXACT.multiply(margin.buying_power or ZERO, HALF)
        in_full = self._pending()
        long_value = short_value = ZERO
        for position in standing.positions:
            value = position.market_value or ZERO
            if value > 0:
                long_value = EXACT.add(long_value, value)
            else:
                short_value = EXACT.add(short_value, value)
            if value > 0 and not self._is_marginable(position):
                in_full = EXACT.add(in_full, value)
        # The engine ties up half of everything: of what is paid in full, the other half, too.
        excess = EXACT.subtract(engine_excess, EXACT.multiply(in_full, HALF))
        free = min(EXACT.subtract(cash, self._pending()), excess)
        gross = EXACT.subtract(long_value, short_value)
        return Money(
            cash=cash,
            equity=equity,
            long_value=long_value,
            short_value=short_value,
            initial_margin=EXACT.subtract(equity, max(excess, ZERO)),
            maintenance_margin=EXACT.multiply(gross, MAINTENANCE),
            excess=max(excess, ZERO),
            free_cash=max(free, ZERO),
        )

    def position(self, listing: Listing) -> Position | None:
        """Return the position in an asset, as reads show it. None: flat."""
        for position in self._account.standing().positions:
            found = self._catalogue.of(position.symbol)
            # A coin is one position, whatever it was bought with.
            same_coin = found.is_crypto and listing.is_crypto and found.base == listing.base
            if found is listing or same_coin:
                return position
        return None

    def held(self, listing: Listing) -> tuple[Decimal, list[str]]:
        """Return how much of a position its closing orders hold, and their ids."""
        total, ids = ZERO, []
        position = self.position(listing)
        side = "sell" if position is None or position.side.name == "LONG" else "buy"
        for ticket in self._tickets.open():
            if ticket.terms.listing is not listing or ticket.terms.side != side:
                continue
            if ticket.leg is None or self._is_beside(ticket):
                continue
            total = EXACT.add(total, self._rest(ticket))
            ids.append(ticket.order_id)
        return total, ids

    def _is_beside(self, ticket: Ticket) -> bool:
        """Whether another order holds for it, too: the stop beside a take-profit."""
        return self._tickets.progress(ticket).status == "held"

    def _rest(self, ticket: Ticket) -> Decimal:
        progress = self._tickets.progress(ticket)
        order = progress.order
        if order is None or order.quantity is None:
            return ticket.terms.qty or ZERO
        return EXACT.subtract(order.quantity, order.filled_quantity)

    def _pending(self) -> Decimal:
        """Return what open orders are to spend on what is paid in full."""
        total = ZERO
        for ticket in self._tickets.open():
            listing = ticket.terms.listing
            if listing is None or listing.is_marginable or ticket.terms.side != OrderSide.BUY.value:
                continue
            if listing.product.quote_currency != CURRENCY:
                continue
            price = ticket.terms.limit_price or ticket.terms.stop_price
            value = ticket.terms.notional
            if value is None and price is not None:
                units = EXACT.multiply(self._rest(ticket), listing.product.multiplier)
                value = EXACT.multiply(units, price)
            total = EXACT.add(total, value or ZERO)
        return total

    def _is_marginable(self, position: Position) -> bool:
        return self._catalogue.of(position.symbol).is_marginable
