"""The account's books: what a fill moves, what orders set aside, and what positions cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.simulation.account import AccountKind, AccountSettings
from bot_v2.simulation.fees import FeeModel, charge
from bot_v2.simulation.instruments import PLACES, Instrument, Kind
from bot_v2.simulation.ledger import FEES, MARKET, OPENING, SETTLEMENT, WALLET, Ledger, LedgerError
from bot_v2.simulation.records import FillRecord, OrderRecord, PositionRecord

ZERO: Final = Decimal(0)


class Accounting:
    """One account: its ledger, its holds and its positions."""

    def __init__(
        self, settings: AccountSettings, fees: FeeModel, *, fees_in_kind: bool = False
    ) -> None:
        """Open the books, empty."""
        self.settings = settings
        self.fees = fees
        self._fees_in_kind = fees_in_kind
        self.borrows = settings.kind is AccountKind.MARGIN
        self.ledger = Ledger()
        self.holds: dict[str, Decimal] = {}
        self.money_holds: dict[str, Decimal] = {}
        self.positions: dict[str, PositionRecord] = {}
        self.changed_positions: dict[str, PositionRecord] = {}

    def open(self, instruments: list[Instrument]) -> None:
        """Credit the first balances; a coin of which a product exists is also a position."""
        for asset, amount in self.settings.opening_balances().items():
            self.ledger.transfer(OPENING, OPENING, WALLET, asset, amount)
            home = home_of(asset, instruments, self.settings.currency)
            if home is not None:
                position = PositionRecord(asset=asset, symbol=home.symbol)
                position.quantity, position.cost = amount, None
                self.positions[asset] = position
                self.changed_positions[asset] = position

    def available(self, asset: str) -> Decimal:
        """Return what of an asset is not set aside."""
        held = self.holds.get(asset)
        total = self.ledger.wallet(asset)
        return EXACT.subtract(total, held) if held else total

    def set_hold(
        self, instrument: Instrument, record: OrderRecord, asset: str, amount: Decimal
    ) -> None:
        """Set aside an amount for an order instead of what was set aside for it before.

        What buys or margins an order is money; what it sells is not, and needs no margin.
        """
        holds = (self.holds, self.money_holds) if asset != instrument.asset else (self.holds,)
        for kept in holds:
            before = EXACT.subtract(kept.get(asset, ZERO), record.hold)
            kept[asset] = EXACT.add(before, amount)
        record.hold_asset, record.hold = asset, amount

    def pays_in_kind(self, instrument: Instrument, side: OrderSide) -> bool:
        """Return whether the fee of a trade is taken out of what is bought."""
        return self._fees_in_kind and side is OrderSide.BUY and instrument.kind is Kind.PAIR

    def fee_currency(self, instrument: Instrument, side: OrderSide) -> str:
        """Return what the fee of a trade is paid in."""
        in_kind = self.pays_in_kind(instrument, side)
        return instrument.asset if in_kind else instrument.fee_currency

    def own_fee(
        self,
        instrument: Instrument,
        side: OrderSide,
        quantity: Decimal,
        value: Decimal,
        liquidity: Liquidity,
    ) -> Decimal:
        """Return the fee of an execution before the least charge, in the currency of its fee."""
        worth = quantity if self.pays_in_kind(instrument, side) else value
        return self.fees.fee(instrument.product, quantity, worth, liquidity)

    def quantity_of(self, instrument: Instrument) -> Decimal:
        """Return how much of a product's asset the account has; negative is short."""
        return self.ledger.wallet(instrument.asset)

    def verify(self, live: Iterable[OrderRecord], instruments: Mapping[str, Instrument]) -> None:
        """Add up the ledger, the holds and the positions again.

        A coin's position is left out: it is shown from the ledger itself, since the coin can also
        be the money of another pair.

        Raises:
            LedgerError: something does not add up.
        """
        self.ledger.verify()
        held: dict[str, Decimal] = {}
        for record in live:
            held[record.hold_asset] = EXACT.add(held.get(record.hold_asset, ZERO), record.hold)
        for asset in held.keys() | self.holds.keys():
            if held.get(asset, ZERO) != self.holds.get(asset, ZERO):
                raise LedgerError(
                    f"{self.holds.get(asset, ZERO)} {asset} is set aside, "
                    f"and the live orders hold {held.get(asset, ZERO)}"
                )
        for asset, position in self.positions.items():
            instrument = instruments.get(position.symbol)
            coin = instrument is not None and instrument.kind is Kind.PAIR
            if instrument is None or (not coin and position.quantity != self.ledger.wallet(asset)):
                raise LedgerError(
                    f"the position in {position.symbol} is {position.quantity}, "
                    f"and the ledger has {self.ledger.wallet(asset)}"
                )

    def book(
        self,
        instrument: Instrument,
        record: OrderRecord,
        quantity: Decimal,
        price: Decimal,
        fill: FillRecord,
    ) -> Decimal:
        """Move what a fill moves: asset against money, profit and loss, and the fee.

        The fill's `fee` and `cost_change` are filled in; the value of the quantity is returned.
        """
        value = instrument.signed_value(quantity, price)
        fill.cost_change = self._move(
            instrument, fill.trade_id, record.side, quantity, price, value
        )
        fee = self.own_fee(instrument, record.side, quantity, value.copy_abs(), fill.liquidity)
        # Sums that start with nothing are the first amount itself: one object, not two equal ones.
        known = record.fees_before_minimum
        before = EXACT.add(known, fee) if known else fee
        due = charge(self.fees, instrument.product, before, record.fees)
        record.fees_before_minimum = before
        if record.side is OrderSide.SELL and not self.borrows:
            # A cash account does not owe a fee that neither the sale nor free money can pay.
            due = min(due, max(self.available(instrument.fee_currency), ZERO))
        currency = self.fee_currency(instrument, record.side)
        self.ledger.transfer(fill.trade_id, WALLET, FEES, currency, due)
        if currency == instrument.asset:
            self._see_quantity(instrument)
        fill.fee = due
        record.fees = EXACT.add(record.fees, due) if record.fees else due
        return value

    def split_position(self, instrument: Instrument, whole: Decimal, kept: Decimal) -> None:
        """Let a position be of another quantity at the same cost.

        Args:
            instrument: what was split.
            whole: how much the position would be, in order units.
            kept: how much of that is kept; the rest is paid out, with its part of the cost.
        """
        position = self.positions.get(instrument.asset)
        if position is None:
            return
        position.quantity = kept
        if not kept:
            position.cost = ZERO
        elif position.cost is not None and kept != whole:
            share = EXACT.multiply(position.cost, kept)
            position.cost = without_zeros(divide(share, whole, PLACES, Rounding.HALF_EVEN))
        self.changed_positions[instrument.asset] = position

    def reverse(self, instrument: Instrument, fill: FillRecord, transaction: str) -> None:
        """Move back all that a fill moved, its fee included."""
        back = OrderSide.SELL if fill.side is OrderSide.BUY else OrderSide.BUY
        value = instrument.signed_value(fill.quantity, fill.price)
        undone = None if fill.cost_change is None else fill.cost_change.copy_negate()
        currency = self.fee_currency(instrument, fill.side)
        if currency == instrument.asset:
            # What was bought is whole again before it goes back.
            self.ledger.transfer(transaction, FEES, WALLET, currency, fill.fee)
            self._see_quantity(instrument)
            self._move(instrument, transaction, back, fill.quantity, fill.price, value, undone)
            return
        self._move(instrument, transaction, back, fill.quantity, fill.price, value, undone)
        self.ledger.transfer(transaction, FEES, WALLET, currency, fill.fee)

    def _see_quantity(self, instrument: Instrument) -> None:
        """Let a coin's position be what there is of it, now that a fee was taken out of it."""
        position = self.positions.get(instrument.asset)
        if position is not None:
            position.quantity = self.ledger.wallet(instrument.asset)
            self.changed_positions[instrument.asset] = position

    def _move(
        self,
        instrument: Instrument,
        transaction: str,
        side: OrderSide,
        quantity: Decimal,
        price: Decimal,
        value: Decimal,
        undone: Decimal | None = None,
    ) -> Decimal | None:
        """Move a quantity against its value; return the change of the position's cost.

        Args:
            instrument: what is traded.
            transaction: the transaction to book under.
            side: whether the quantity comes in or goes out.
            quantity: how much.
            price: at what price.
            value: the signed value of the quantity at the price.
            undone: the change of cost, where a fill is undone. None: worked out.
        """
        comes = side is OrderSide.BUY
        signed = quantity if comes else quantity.copy_negate()
        worth = value if comes else value.copy_negate()
        change = self._change_position(instrument, signed, worth, price, undone)
        seller, buyer = (MARKET, WALLET) if comes else (WALLET, MARKET)
        ledger, money = self.ledger, instrument.fee_currency
        ledger.transfer(transaction, seller, buyer, instrument.asset, quantity)
        if instrument.kind is not Kind.DERIVATIVE:
            ledger.transfer(transaction, buyer, seller, money, value)
        elif change is not None:
            profit = EXACT.subtract(change, worth)
            ledger.transfer(transaction, SETTLEMENT, WALLET, money, profit)
        return change

    def _change_position(
        self,
        instrument: Instrument,
        signed: Decimal,
        worth: Decimal,
        price: Decimal,
        undone: Decimal | None,
    ) -> Decimal | None:
        asset = instrument.asset
        if instrument.kind is Kind.PAIR and asset == self.settings.currency:
            return None  # the account's own currency is cash, never a position
        position = self.positions.get(asset)
        if position is None:
            position = PositionRecord(asset=asset, symbol=instrument.symbol)
            self.positions[asset] = position
        self.changed_positions[asset] = position
        before, cost = self.ledger.wallet(asset), position.cost
        # A coin that is also the money of another pair changes without a trade of its own.
        known = position.quantity == before and position.symbol == instrument.symbol
        after = EXACT.add(before, signed)
        position.quantity = after
        if not before:
            position.symbol, position.cost = instrument.symbol, worth
            return worth
        if cost is None or not known:
            position.cost = ZERO if not after else None
            return None
        if not after:
            # Undoing a fill whose cost was spread since can leave a rest: it is profit or loss.
            change = cost.copy_negate()
        elif undone is not None:
            change = undone
        elif (before > 0) is (signed > 0):
            change = worth
        else:
            change = cost_of_closing(instrument, before, cost, signed, price)
        position.cost = EXACT.add(cost, change)
        return change


def cost_of_closing(
    instrument: Instrument, before: Decimal, cost: Decimal, signed: Decimal, price: Decimal
) -> Decimal:
    """Return how a fill against a position changes the position's cost, by average cost.

    What a partial close takes out of the cost is rounded half even to 12 places; the rest stays
    with the position, so that the sum of all profit and loss is exact. What goes beyond a close
    opens a position the other way.
    """
    held, traded = before.copy_abs(), signed.copy_abs()
    if traded < held:
        part = divide(EXACT.multiply(cost, traded), held, PLACES, Rounding.HALF_EVEN)
        return without_zeros(part).copy_negate()
    opened = instrument.signed_value(EXACT.add(before, signed), price)
    return EXACT.subtract(opened, cost)


def without_zeros(value: Decimal) -> Decimal:
    """Return the same number without the zeros that a quotient ends in."""
    if not value:
        return ZERO
    shorter = value.normalize(EXACT)
    exponent = shorter.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return shorter.quantize(Decimal(1), context=EXACT)
    return shorter


def home_of(asset: str, instruments: list[Instrument], currency: str) -> Instrument | None:
    """Return the product that a coin is shown under. None: there is none, or the coin is cash."""
    if asset == currency:
        return None
    pairs = [one for one in instruments if one.kind is Kind.PAIR and one.asset == asset]
    quoted = [one for one in pairs if one.product.quote_currency == currency]
    return next(iter(quoted or pairs), None)
