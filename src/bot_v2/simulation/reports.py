"""What the account and the market look like, as core models."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import (
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.market_data import MarketStatus, Quote
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.simulation.accounting import Accounting, home_of, without_zeros
from bot_v2.simulation.desk import Desk
from bot_v2.simulation.instruments import PLACES, Instrument, Kind
from bot_v2.simulation.offers import Offer
from bot_v2.simulation.sessions import TradingCalendar
from bot_v2.simulation.valuation import Valuation

ZERO: Final = Decimal(0)
UTILIZATION_PLACES: Final = 6
AGGREGATED: Final = 2


class Reports:
    """Reads of one account and its market. Nothing here changes anything."""

    def __init__(self, desk: Desk, valuation: Valuation, calendar: TradingCalendar) -> None:
        """Read from the books as they are at each call."""
        self._desk = desk
        self._accounting: Accounting = desk.accounting
        self._valuation = valuation
        self._calendar = calendar
        self._settings = desk.accounting.settings

    def list_balances(self) -> list[Balance]:
        """Return what the account holds of each currency and coin, the account's own first."""
        assets = [self._settings.currency, *self._accounting.ledger.wallet_assets()]
        shown = []
        for asset in dict.fromkeys(assets):
            instrument = self._valuation.instrument_of(asset)
            if instrument is None or instrument.kind is Kind.PAIR:
                balance = self.get_balance(asset)
                if balance.total or balance.hold or asset == self._settings.currency:
                    shown.append(balance)
        return shown

    def get_balance(self, asset: str) -> Balance:
        """Return what the account holds of an asset; a zero balance for one that it has not."""
        total = self._accounting.ledger.wallet(asset)
        hold = self._accounting.holds.get(asset, ZERO) or ZERO
        return Balance(asset=asset, total=total, available=EXACT.subtract(total, hold), hold=hold)

    def list_positions(self) -> list[Position]:
        """Return all exposure: securities, derivatives, and coins under their products."""
        found = (self._position_of(asset) for asset in self._accounting.ledger.wallet_assets())
        return [position for position in found if position is not None]

    def get_position(self, instrument: Instrument) -> Position | None:
        """Return the position shown under a product. None: flat, or shown under another one."""
        position = self._position_of(instrument.asset)
        return position if position is not None and position.symbol == instrument.symbol else None

    def _position_of(self, asset: str) -> Position | None:
        quantity = self._accounting.ledger.wallet(asset)
        if not quantity or asset == self._settings.currency:
            return None
        instrument = self._valuation.instrument_of(asset)
        if instrument is None:
            return None
        kept = self._accounting.positions.get(asset)
        cost = None
        if kept is not None and kept.quantity == quantity:
            cost = kept.cost
            instrument = self._desk.instruments[kept.symbol]
        elif instrument.kind is Kind.PAIR:
            every = list(self._desk.instruments.values())
            instrument = home_of(asset, every, self._settings.currency) or instrument
        return self._show(instrument, quantity, cost)

    def _show(self, instrument: Instrument, quantity: Decimal, cost: Decimal | None) -> Position:
        price = instrument.market.mark()
        value = None if price is None else instrument.signed_value(quantity, price)
        profit = None if value is None or cost is None else EXACT.subtract(value, cost)
        worth = value
        if value is not None and instrument.product.inverse:
            face = EXACT.multiply(quantity, instrument.product.multiplier)
            worth = face  # an inverse contract is worth a fixed amount of quote currency
        return Position(
            symbol=instrument.symbol,
            quantity=quantity.copy_abs(),
            side=PositionSide.LONG if quantity > 0 else PositionSide.SHORT,
            account_id=self._settings.account_id,
            entry_price=None if cost is None else entry_price(instrument, quantity, cost),
            current_price=price,
            unrealized_pnl=profit,
            market_value=worth,
        )

    def get_account(self) -> AccountSummary:
        """Return the account's totals by the latest prices."""
        settings, valuation = self._settings, self._valuation
        equity = valuation.equity()
        used = valuation.margin(settings.initial_margin_rate)
        held = valuation.money_held()
        used = None if used is None or held is None else EXACT.add(used, held)
        ratio = None
        if equity is not None and used is not None and equity > 0:
            ratio = divide(used, equity, UTILIZATION_PLACES, Rounding.HALF_EVEN)
        return AccountSummary(
            account_id=settings.account_id,
            currency=settings.currency,
            equity=equity,
            cash=self._accounting.ledger.wallet(settings.currency),
            buying_power=valuation.buying_power(),
            margin_used=used,
            utilization=ratio,
            timestamp=self._desk.now,
        )

    def get_margin(self, more: Decimal = ZERO) -> Margin:
        """Return the account's margin, with some more initial margin where an order needs it."""
        settings, valuation = self._settings, self._valuation
        equity = valuation.equity()
        initial = valuation.margin(settings.initial_margin_rate)
        maintenance = valuation.margin(settings.maintenance_margin_rate)
        power = valuation.buying_power()
        if power is not None and more:
            rate = settings.initial_margin_rate if self._accounting.borrows else Decimal(1)
            cost = divide(more, rate, PLACES, Rounding.UP)
            power = max(EXACT.subtract(power, cost), ZERO)
        known = equity is not None and maintenance is not None
        return Margin(
            currency=settings.currency,
            initial_margin=None if initial is None else EXACT.add(initial, more),
            maintenance_margin=maintenance,
            excess=EXACT.subtract(equity or ZERO, maintenance or ZERO) if known else None,
            buying_power=power,
        )

    def get_price(self, instrument: Instrument) -> Decimal:
        """Return the latest trade's price, else the mid.

        Raises:
            MarketDataUnavailableError: there is neither.
        """
        market = instrument.market
        price = market.last
        if price is None and market.bid is not None and market.ask is not None:
            price = market.mark()
        if price is None:
            raise _no_data("price", instrument)
        return price

    def get_quote(self, instrument: Instrument) -> Quote:
        """Return the best bid and ask as they are left, and the latest trade.

        Raises:
            MarketDataUnavailableError: nothing was heard of the product yet.
        """
        market = instrument.market
        if market.timestamp is None:
            raise _no_data("quote", instrument)
        bid = _best(market.bids) if market.quoted else None
        ask = _best(market.asks) if market.quoted else None
        return Quote(
            symbol=instrument.symbol,
            timestamp=market.timestamp,
            bid=None if bid is None else bid.price,
            ask=None if ask is None else ask.price,
            bid_size=None if bid is None else bid.size,
            ask_size=None if ask is None else ask.size,
            last=market.last,
        )

    def get_orderbook(self, instrument: Instrument, level: int) -> Orderbook:
        """Return the book as it is left: level 1 the best, 2 all levels.

        Raises:
            UnsupportedOperationError: the level is neither 1 nor 2.
            MarketDataUnavailableError: the market gives no quotes, or no sizes.
        """
        if level not in (1, AGGREGATED):
            raise UnsupportedOperationError(f"a book of level {level} is not kept; 1 and 2 are")
        market = instrument.market
        if not market.quoted or market.timestamp is None:
            raise _no_data("book", instrument)
        count = None if level == AGGREGATED else 1
        return Orderbook(
            symbol=instrument.symbol,
            bids=_levels(market.bids, instrument)[:count],
            asks=_levels(market.asks, instrument)[:count],
            timestamp=market.timestamp,
        )

    def get_market_status(self, instrument: Instrument) -> MarketStatus:
        """Return whether the product can trade now, and when that changes by the calendar."""
        now, halted = self._desk.now, instrument.market.halted
        if instrument.always_open:
            return MarketStatus(symbol=instrument.symbol, is_open=not halted, halted=halted)
        return MarketStatus(
            symbol=instrument.symbol,
            is_open=self._calendar.is_open(now) and not halted,
            next_open=self._calendar.next_open(now),
            next_close=self._calendar.next_close(now),
            halted=halted,
        )


def entry_price(instrument: Instrument, quantity: Decimal, cost: Decimal) -> Decimal:
    """Return the mean price that a position was opened at, half even to 12 places: only shown."""
    face = EXACT.multiply(quantity, instrument.product.multiplier)
    if instrument.product.inverse:
        face, cost = cost, face.copy_negate()
    return without_zeros(divide(cost, face, PLACES, Rounding.HALF_EVEN)) if face else ZERO


def _best(offers: list[Offer]) -> Offer | None:
    return next((offer for offer in offers if offer.size is None or offer.size > 0), None)


def _levels(offers: list[Offer], instrument: Instrument) -> tuple[PriceLevel, ...]:
    if any(offer.size is None for offer in offers):
        raise _no_data("sizes", instrument)
    return tuple(PriceLevel(offer.price, offer.size) for offer in offers if offer.size)


def _no_data(what: str, instrument: Instrument) -> MarketDataUnavailableError:
    return MarketDataUnavailableError(
        f"the market has given no {what} of {instrument.symbol} yet", symbol=instrument.symbol
    )
