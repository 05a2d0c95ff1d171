"""What the account may do: the refusals that depend on more than the order itself.

Sources: https://docs.alpaca.markets/docs/user-protection (wash trades, pattern day trading),
.../docs/orders-at-alpaca (buying power, shorts), .../us/docs/options-trading-overview (levels). The
messages are quoted from there, or from public bug reports.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.products import OptionRight
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.daytrades import DayTrades
from bot_v2.venues.alpaca.dialect import DAY_TRADE, forbidden, refused, unprocessable
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.alpaca.money import CURRENCY, Purse
from bot_v2.venues.alpaca.standing import Configurations, Standing
from bot_v2.venues.alpaca.terms import Exit, Terms
from bot_v2.venues.alpaca.texts import plain
from bot_v2.venues.alpaca.ticket import Ticket
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
CENT: Final = Decimal("0.01")

LEAST_COST: Final = {True: Decimal(10), False: Decimal(1)}
"""The least value of an order, by whether it is for coins."""

LONG_OPTIONS, SPREADS = 2, 3
"""The levels that allow to buy options, and to combine them."""

OPPOSITE: Final = {"buy": "sell", "sell": "buy"}


class Checks:
    """Judges orders. Its methods want the venue's lock held.

    Args:
        state: the venue.
        account: its account.
        tickets: its orders.
        purse: knows what there is.
        standing: what the account may do.
        configurations: what its owner wants.
        day_trades: counts them.
        protects: whether orders that could trade with each other are refused.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        tickets: TicketBook,
        purse: Purse,
        standing: Standing,
        configurations: Configurations,
        day_trades: DayTrades,
        *,
        protects: bool,
    ) -> None:
        """Judge by one account."""
        self._state = state
        self._account = account
        self._tickets = tickets
        self._purse = purse
        self._standing = standing
        self._configurations = configurations
        self._day_trades = day_trades
        self._protects = protects

    def check_account(self) -> None:
        """Refuse everything while the account is blocked, or its owner wants no orders.

        Raises:
            RefusedError: 403.
        """
        if self._standing.account_blocked:
            raise forbidden("account is blocked")
        if self._standing.trading_blocked:
            raise forbidden("account is restricted from trading")
        if self._configurations.suspend_trade:
            raise forbidden("new orders are rejected by user request")

    def intent(self, terms: Terms, listing: Listing) -> str:
        """Return what an order does, such as buy_to_open.

        Raises:
            RefusedError: 422, the caller says that it does something else.
        """
        inferred = self._inferred(terms.side, listing)
        if terms.intent not in (None, inferred):
            raise unprocessable(
                f"position intent mismatch, inferred: {inferred}, specified: {terms.intent}"
            )
        return inferred

    def _inferred(self, side: str, listing: Listing) -> str:
        position = self._purse.position(listing)
        held = position.side if position is not None else None
        closes = PositionSide.SHORT if side == "buy" else PositionSide.LONG
        return f"{side}_to_{'close' if held is closes else 'open'}"

    def check(self, terms: Terms, listing: Listing, intent: str) -> None:
        """Refuse what the account may not do, or does not have.

        Raises:
            RefusedError: 403 or 422.
        """
        if listing.is_crypto and self._standing.crypto_status != "ACTIVE":
            raise forbidden("crypto trading is not enabled for this account")
        if terms.is_fractional and not listing.is_crypto:
            self._check_fractional()
        self._check_cost(terms, listing)
        if intent.endswith("close"):
            self._check_quantity(terms, listing)
        elif intent == "sell_to_open":
            self._check_short(terms, listing)
        self._check_opposite(terms, listing, intent)
        self._check_day_trade(listing, intent)
        if listing.is_option and intent.endswith("open"):
            self._check_option(terms, listing, intent)
        elif listing.is_crypto and terms.side == "buy":
            self._check_cash(terms, listing)
        self._check_exits(terms, listing)

    def check_legs(self, terms: Terms) -> None:
        """Refuse an order of several legs that the account may not place, or cannot pay.

        Raises:
            RefusedError: 403 or 422.
        """
        if self._option_level() < SPREADS:
            raise forbidden("account not eligible to trade spreads or uncovered contracts")
        net = ZERO
        for number, leg in enumerate(terms.legs):
            inferred = self._inferred(leg.side, leg.listing)
            if not leg.intent:
                raise unprocessable(f"leg.{number} position intent is required")
            if leg.intent != inferred:
                raise unprocessable(
                    f"position intent mismatch, inferred: {inferred}, specified: {leg.intent}"
                )
            paid = EXACT.multiply(self._price(leg.listing, leg.side) or ZERO, leg.ratio)
            net = EXACT.add(net, paid if leg.side == "buy" else paid.copy_negate())
        self._check_net(terms, net)

    def _check_net(self, terms: Terms, net: Decimal) -> None:
        multiplier = terms.legs[0].listing.product.multiplier
        units = EXACT.multiply(terms.qty or ZERO, multiplier)
        cost = EXACT.multiply(terms.limit_price if terms.limit_price is not None else net, units)
        available = self._purse.count().excess
        if cost > available:
            raise forbidden(
                f"insufficient options buying power (required: {plain(cost)}, "
                f"available: {plain(available)})"
            )

    # One thing each

    def _check_fractional(self) -> None:
        if not self._configurations.fractional_trading:
            raise forbidden("fractional trading is not enabled for this account")

    def cost(self, terms: Terms, listing: Listing) -> Decimal | None:
        """Return what an order is worth. None: no price says it."""
        if terms.notional is not None:
            return terms.notional
        price = terms.limit_price or terms.stop_price or self._price(listing, terms.side)
        if price is None or terms.qty is None:
            return None
        return EXACT.multiply(EXACT.multiply(terms.qty, listing.product.multiplier), price)

    def _check_cost(self, terms: Terms, listing: Listing) -> None:
        if listing.is_option or listing.product.quote_currency != CURRENCY:
            return
        least, cost = LEAST_COST[listing.is_crypto], self.cost(terms, listing)
        if cost is not None and cost < least and (terms.side == "buy" or not listing.is_crypto):
            raise forbidden(f"cost basis must be >= minimal amount of order {plain(least)}")

    def _check_quantity(self, terms: Terms, listing: Listing) -> None:
        position = self._purse.position(listing)
        existing = ZERO if position is None else position.quantity
        held, related = self._purse.held(listing)
        available = max(EXACT.subtract(existing, held), ZERO)
        wanted = terms.qty
        if wanted is None:
            price = self._price(listing, terms.side)
            if price is None or EXACT.multiply(available, price) >= (terms.notional or ZERO):
                return
            wanted = terms.notional or ZERO
        if wanted <= available:
            return
        if listing.is_crypto:
            raise forbidden(
                f"insufficient balance for {listing.base} "
                f"(requested: {plain(wanted)}, available: {plain(available)})",
                available=plain(available),
                balance=plain(existing),
                symbol=listing.base,
            )
        raise forbidden(
            "insufficient qty available for order "
            f"(requested: {plain(wanted)}, available: {plain(available)})",
            available=plain(available),
            existing_qty=plain(existing),
            held_for_orders=plain(held),
            symbol=listing.symbol,
            **({"related_orders": related} if related else {}),
        )

    def _check_short(self, terms: Terms, listing: Listing) -> None:
        if listing.is_crypto:
            raise forbidden(
                f"insufficient balance for {listing.base} "
                f"(requested: {plain(terms.qty or ZERO)}, available: 0)",
                available="0",
                balance="0",
                symbol=listing.base,
            )
        if listing.is_option:
            return
        if terms.is_fractional:
            raise unprocessable("fractional orders cannot be sold short")
        if not self._standing.shorting_enabled or self._configurations.no_shorting:
            raise forbidden("account is not allowed to short")
        if not listing.is_shortable:
            raise unprocessable(f'asset "{listing.symbol}" cannot be sold short')

    def _check_opposite(self, terms: Terms, listing: Listing, intent: str) -> None:
        """Refuse what could trade with an order of the same account."""
        if not self._protects or listing.is_crypto:
            return
        for other in self._tickets.open():
            if other.terms.listing is not listing or other.terms.side != OPPOSITE[terms.side]:
                continue
            if other.parent is not None:
                continue
            theirs = other.terms.intent or ""
            if intent == "sell_to_open" and theirs == "buy_to_open":
                raise forbidden("cannot open a short sell while a long buy order is open")
            if intent == "buy_to_open" and theirs == "sell_to_open":
                raise forbidden("cannot open a long buy while a short sell order is open")
            if _could_trade(terms, other):
                raise forbidden(
                    "potential wash trade detected. use complex orders",
                    existing_order_id=other.order_id,
                    reject_reason=f"opposite side {other.terms.type} order exists",
                )

    def _check_day_trade(self, listing: Listing, intent: str) -> None:
        standing = self._standing
        if not standing.pdt_rule or listing.is_crypto or not intent.endswith("close"):
            return
        if not self._day_trades.would_add(listing.product.symbol):
            return
        equity = self._purse.count().equity
        if self._day_trades.is_barred(self.day_trade_count(), equity):
            raise refused(403, DAY_TRADE, "trade denied due to pattern day trading protection")

    def day_trade_count(self) -> int:
        """Return how many day trades the last five trading days had."""
        fixed = self._standing.daytrade_count
        return self._day_trades.count() if fixed is None else fixed

    def option_level(self) -> int:
        """Return what the account may do with options now."""
        return self._option_level()

    def _option_level(self) -> int:
        own = self._configurations.max_options_trading_level
        approved = self._standing.options_approved_level
        return approved if own is None else min(approved, own)

    def _check_option(self, terms: Terms, listing: Listing, intent: str) -> None:
        level = self._option_level()
        if level == 0:
            raise forbidden("account not authorized to trade options")
        money = self._purse.count()
        if intent == "buy_to_open":
            if level < LONG_OPTIONS:
                raise forbidden("account not eligible to trade long option contracts")
            cost = self.cost(terms, listing) or ZERO
            if cost > money.free_cash:
                raise forbidden(
                    "insufficient options buying power",
                    options_buying_power=plain(money.free_cash),
                    cost_basis=plain(cost),
                )
            return
        self._check_cover(terms, listing, money.free_cash)

    def _check_cover(self, terms: Terms, listing: Listing, available: Decimal) -> None:
        product, qty = listing.product, terms.qty or ZERO
        units = EXACT.multiply(qty, product.multiplier)
        if product.right is OptionRight.CALL:
            position = self._account.engine.get_position(listing.underlying)
            covered = ZERO
            if position is not None and position.side is PositionSide.LONG:
                covered = position.quantity
            if covered < units:
                raise forbidden(
                    "insufficient underlying qty available for covered call "
                    f"(required: {plain(units)}, available: {plain(covered)})",
                    available_qty=plain(covered),
                    required_qty=plain(units),
                    symbol=listing.symbol,
                )
            return
        required = EXACT.multiply(units, product.strike or ZERO)
        if required > available:
            raise forbidden(
                "insufficient options buying power for cash-secured put "
                f"(required: {plain(required)}, available: {plain(available)})",
                buying_power=plain(available),
                required_options_buying_power=plain(required),
            )

    def _check_cash(self, terms: Terms, listing: Listing) -> None:
        money = listing.product.quote_currency
        available = self._account.balance(money).available or ZERO
        if money == CURRENCY:
            available = self._purse.count().free_cash
        cost = self.cost(terms, listing) or ZERO
        if cost > available:
            raise forbidden(
                f"insufficient balance for {money} "
                f"(requested: {plain(cost)}, available: {plain(available)})",
                available=plain(available),
                balance=plain(self._account.balance(money).total),
                symbol=money,
            )

    def _check_exits(self, terms: Terms, listing: Listing) -> None:
        """Refuse exits on the wrong side of where the entry stands."""
        if terms.order_class not in ("bracket", "oto"):
            return
        base = terms.limit_price or self._state.tape.last(listing.product.symbol).price
        up = terms.side == "buy"
        for name, found in (("take_profit", terms.take_profit), ("stop_loss", terms.stop_loss)):
            if found is not None:
                _check_exit(name, found, base, above=up is (name == "take_profit"))

    def _price(self, listing: Listing, side: str) -> Decimal | None:
        quote = self._state.quote(listing.product.symbol)
        return quote.ask if side == "buy" else quote.bid


def _check_exit(name: str, found: Exit, base: Decimal, *, above: bool) -> None:
    field = "limit_price" if name == "take_profit" else "stop_price"
    price = found.limit_price if name == "take_profit" else found.stop_price
    if price is None:
        return
    edge = EXACT.add(base, CENT) if above else EXACT.subtract(base, CENT)
    if (price >= edge) if above else (price <= edge):
        return
    sign = ">= base_price + 0.01" if above else "<= base_price - 0.01"
    raise unprocessable(f"{name}.{field} must be {sign}", base_price=plain(base))


def _could_trade(terms: Terms, other: Ticket) -> bool:
    """Whether two orders of opposite sides could trade with each other, by the published table."""
    theirs = other.terms
    if terms.is_complex or theirs.is_complex:
        return False
    if "trailing_stop" in (terms.type, theirs.type):
        return False
    if terms.type != "limit" or theirs.type != "limit":
        return True
    buy, sell = (terms, theirs) if terms.side == "buy" else (theirs, terms)
    return (buy.limit_price or ZERO) >= (sell.limit_price or ZERO)
