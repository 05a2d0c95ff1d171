"""What the account is worth, and how much margin it needs: by the latest prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.simulation.accounting import Accounting
from bot_v2.simulation.instruments import PLACES, Instrument, Kind

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)


class Valuation:
    """Values balances and positions in the account's currency."""

    def __init__(self, accounting: Accounting, instruments: dict[str, Instrument]) -> None:
        """Value one account by the prices of its instruments."""
        self._accounting = accounting
        self._currency = accounting.settings.currency
        self._by_asset: dict[str, Instrument] = {}
        self._into: dict[str, list[Instrument]] = {}
        for instrument in instruments.values():
            self._by_asset.setdefault(instrument.asset, instrument)
            product = instrument.product
            if product.base_currency is not None:
                # A perpetual prices its coin as well as a spot pair does; spot is asked first.
                rates = self._into.setdefault(product.base_currency, [])
                rates.insert(0 if instrument.kind is Kind.PAIR else len(rates), instrument)

    def instrument_of(self, asset: str) -> Instrument | None:
        """Return the product that moves an asset of the ledger. None: it is money only."""
        return self._by_asset.get(asset)

    def convert(self, amount: Decimal, asset: str) -> Decimal | None:
        """Return an amount in the account's currency. None: no price says what it is worth."""
        if asset == self._currency or not amount:
            return amount
        for instrument in self._into.get(asset, ()):
            price = instrument.market.mark()
            if instrument.product.quote_currency == self._currency and price is not None:
                return EXACT.multiply(amount, price)
        for instrument in self._into.get(self._currency, ()):
            price = instrument.market.mark()
            if instrument.product.quote_currency == asset and price:
                return divide(amount, price, PLACES, Rounding.HALF_EVEN)
        return None

    def exposures(self) -> Iterator[tuple[Instrument, Decimal]]:
        """Yield each product's position: signed, never zero, securities and derivatives only."""
        for asset, position in self._accounting.positions.items():
            instrument = self._by_asset.get(asset)
            if position.quantity and instrument is not None and instrument.kind is not Kind.PAIR:
                yield instrument, position.quantity

    def equity(self) -> Decimal | None:
        """Return cash plus the value of all positions. None: something has no price."""
        total = ZERO
        ledger = self._accounting.ledger
        for asset in ledger.wallet_assets():
            instrument = self._by_asset.get(asset)
            amount = ledger.wallet(asset)
            if not amount:
                continue
            if instrument is None or instrument.kind is Kind.PAIR:
                worth = self.convert(amount, asset)
            else:
                worth = self._worth(instrument, amount)
            if worth is None:
                return None
            total = EXACT.add(total, worth)
        return total

    def _worth(self, instrument: Instrument, quantity: Decimal) -> Decimal | None:
        price = instrument.market.mark()
        if price is None:
            return None
        value = instrument.signed_value(quantity, price)
        if instrument.kind is Kind.DERIVATIVE:
            cost = self._accounting.positions[instrument.asset].cost
            value = EXACT.subtract(value, cost or ZERO)
        return self.convert(value, instrument.fee_currency)

    def margin(self, rate: Decimal) -> Decimal | None:
        """Return the margin of all that is open, at a rate. None: something has no price.

        A coin or a currency other than the account's counts with its value, held or owed; debts in
        the account's own currency do not: what was bought with them does.
        """
        if not self._accounting.borrows:
            return ZERO
        total = ZERO
        ledger = self._accounting.ledger
        for asset in ledger.wallet_assets():
            amount = ledger.wallet(asset)
            if asset == self._currency or not amount:
                continue
            instrument = self._by_asset.get(asset)
            worth: Decimal | None
            if instrument is None or instrument.kind is Kind.PAIR:
                worth = self.convert(amount, asset)
            else:
                price = instrument.market.mark()
                if price is None:
                    return None
                value = instrument.value(amount, price)
                worth = self.convert(value, instrument.fee_currency)
            if worth is None:
                return None
            total = EXACT.add(total, worth.copy_abs())
        return EXACT.multiply(total, rate)

    def money_held(self) -> Decimal | None:
        """Return what open orders set aside of money, in the account's currency."""
        total = ZERO
        for asset, amount in self._accounting.money_holds.items():
            worth = self.convert(amount, asset)
            if worth is None:
                return None
            total = EXACT.add(total, worth)
        return total

    def excess(self) -> Decimal | None:
        """Return what is left for new orders: equity less initial margin and what orders hold.

        In a cash account it is the available cash.
        """
        if not self._accounting.borrows:
            return self._accounting.available(self._currency)
        equity = self.equity()
        margin = self.margin(self._accounting.settings.initial_margin_rate)
        held = self.money_held()
        if equity is None or margin is None or held is None:
            return None
        return EXACT.subtract(EXACT.subtract(equity, margin), held)

    def buying_power(self) -> Decimal | None:
        """Return what new orders may cost: the excess, and in a margin account what it carries."""
        excess = self.excess()
        if excess is None or not self._accounting.borrows:
            return excess
        if excess <= 0:
            return ZERO
        rate = self._accounting.settings.initial_margin_rate
        return divide(excess, rate, PLACES, Rounding.DOWN) if rate != ONE else excess
