"""What an order needs, and whether the account has it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, decimal_to_text
from bot_v2.features.brokerages.core.errors import InsufficientFundsError, Outcome
from bot_v2.features.brokerages.core.order_terms import OrderSide, PositionEffect
from bot_v2.simulation.accounting import Accounting
from bot_v2.simulation.fees import charge, worst_fee
from bot_v2.simulation.instruments import Instrument, Kind
from bot_v2.simulation.records import OrderRecord
from bot_v2.simulation.valuation import Valuation

ZERO: Final = Decimal(0)


class Funds:
    """Works out holds, and keeps an order from spending what another holds."""

    def __init__(self, accounting: Accounting, valuation: Valuation) -> None:
        """Judge by one account."""
        self._accounting = accounting
        self._valuation = valuation

    def closes(self, instrument: Instrument, side: OrderSide) -> Decimal:
        """Return how much an order of that side can trade before the position is flat."""
        held = self._accounting.quantity_of(instrument)
        room = held if side is OrderSide.SELL else held.copy_negate()
        return room if room > 0 else ZERO

    def capped(self, instrument: Instrument, record: OrderRecord, quantity: Decimal) -> Decimal:
        """Return the quantity, or what there is to close where the order may do no more."""
        if closes_only(record):
            return min(quantity, self.closes(instrument, record.side))
        return quantity

    def sells_asset(self, instrument: Instrument, record: OrderRecord) -> bool:
        """Return whether the order gives up something that the account has to have."""
        return (
            record.side is OrderSide.SELL
            and instrument.kind is not Kind.DERIVATIVE
            and record.position_effect is not PositionEffect.OPEN
        )

    def need(
        self,
        instrument: Instrument,
        record: OrderRecord,
        quantity: Decimal,
        price: Decimal,
        value: Decimal | None = None,
    ) -> tuple[str, Decimal]:
        """Return which asset, and how much of it, `quantity` more at up to `price` needs.

        A sale needs the asset itself. A purchase needs its value and the worst fee; on margin, the
        margin of what it opens and the worst fee. `value` is what the quantity is worth where it
        is not all at one price.
        """
        if self.sells_asset(instrument, record):
            return instrument.asset, quantity
        accounting = self._accounting
        if value is None:
            value = instrument.value(quantity, price)
        fee = ZERO
        if not accounting.pays_in_kind(instrument, record.side):
            worst = worst_fee(accounting.fees, instrument.product, quantity, value)
            before = EXACT.add(record.fees_before_minimum, worst)
            fee = max(charge(accounting.fees, instrument.product, before, record.fees), ZERO)
        if accounting.borrows:
            opened = EXACT.subtract(quantity, min(quantity, self.closes(instrument, record.side)))
            if opened != quantity:
                value = instrument.value(opened, price) if opened else ZERO
            value = EXACT.multiply(value, accounting.settings.initial_margin_rate)
        return instrument.fee_currency, EXACT.add(value, fee)

    def convert(self, amount: Decimal, asset: str) -> Decimal | None:
        """Return an amount in the account's currency. None: no price says what it is worth."""
        return self._valuation.convert(amount, asset)

    def refusal(
        self, record: OrderRecord, asset: str, short: tuple[Decimal, Decimal | None]
    ) -> InsufficientFundsError:
        """Return the error for what is required and what there is of it (REJECTED)."""
        required, available = short
        have = "no price says what the account is worth"
        if available is not None:
            have = f"{decimal_to_text(available)} is available"
        return InsufficientFundsError(
            f"the order needs {decimal_to_text(required.normalize(EXACT))} {asset}; {have}",
            required=required,
            available=available,
            symbol=record.symbol,
            client_order_id=record.client_order_id,
            account_id=self._accounting.settings.account_id,
            outcome=Outcome.REJECTED,
        )

    def shortfall(
        self,
        instrument: Instrument,
        record: OrderRecord,
        quantity: Decimal,
        asset: str,
        more: Decimal,
    ) -> tuple[Decimal, Decimal | None] | None:
        """Return what is required and what there is of it, where that is less. None: it is enough.

        On margin an order that only closes is never refused: it lowers the risk.
        """
        accounting = self._accounting
        if more <= 0:
            return None
        available: Decimal | None
        if not accounting.borrows or asset == instrument.asset:
            available = accounting.available(asset)
            return (more, available) if more > available else None
        if self.closes(instrument, record.side) >= quantity:
            return None
        available = self._valuation.excess()
        required = self._valuation.convert(more, asset)
        if available is None or required is None:
            return more, None
        return (required, available) if required > available else None


def closes_only(record: OrderRecord) -> bool:
    """Return whether an order may only lower a position."""
    return record.reduce_only or record.position_effect is PositionEffect.CLOSE
