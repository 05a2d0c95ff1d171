"""What an order takes of the market, at which prices, and what each fill does to the account."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.increments import quantize_price, quantize_quantity
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.simulation.accounting import Accounting
from bot_v2.simulation.desk import Desk, is_live
from bot_v2.simulation.funds import Funds
from bot_v2.simulation.instruments import PLACES, STOPS, Instrument
from bot_v2.simulation.offers import Offer, is_within
from bot_v2.simulation.records import FillRecord, OrderRecord
from bot_v2.simulation.slippage import SlippageModel

ZERO: Final = Decimal(0)

NO_FUNDS: Final = "insufficient_funds"
NOTHING_TO_REDUCE: Final = "nothing_to_reduce"
BELOW_ONE_STEP: Final = "notional_below_one_step"


class Take(NamedTuple):
    """A part of an offer that an order takes."""

    offer: Offer
    """What it takes from."""
    quantity: Decimal
    """How much, in order units."""
    price: Decimal
    """At what price: the offer's, and what slips."""


class Execution:
    """Plans what orders take, and books their fills."""

    def __init__(
        self, desk: Desk, accounting: Accounting, funds: Funds, slippage: SlippageModel
    ) -> None:
        """Trade for one account."""
        self._desk = desk
        self._accounting = accounting
        self._funds = funds
        self._slippage = slippage

    def remaining(
        self, instrument: Instrument, record: OrderRecord, price: Decimal, spent: Decimal = ZERO
    ) -> Decimal:
        """Return how much an order still wants at a price, in order units.

        A notional order wants what the rest of its value buys at that price, rounded down to the
        product's step. An order that may only close wants no more than there is to close.

        Args:
            instrument: the order's product.
            record: the order.
            price: the price, in quote currency per unit.
            spent: what other takes of the same plan have spent already, in quote currency.
        """
        if record.quantity is not None:
            filled = record.filled_quantity
            wanted = EXACT.subtract(record.quantity, filled) if filled else record.quantity
        else:
            multiplier = instrument.product.multiplier
            used = EXACT.add(EXACT.multiply(record.filled_value, multiplier), spent)
            budget = EXACT.subtract(record.notional or ZERO, used)
            unit = EXACT.multiply(price, multiplier)
            if budget <= 0 or unit <= 0:
                return ZERO
            whole = divide(budget, unit, PLACES, Rounding.DOWN)
            wanted = quantize_quantity(instrument.product, whole, Rounding.DOWN)
        return self._funds.capped(instrument, record, wanted)

    def plan(self, instrument: Instrument, record: OrderRecord) -> list[Take]:
        """Return what an order would take of the market now, best price first."""
        takes: list[Take] = []
        product, side, limit = instrument.product, record.side, record.price
        taken = spent = ZERO
        for offer in instrument.market.side_for(side):
            if not is_within(side, offer.price, limit):
                break
            price = offer.price
            wanted = self._left(instrument, record, price, taken, spent)
            if limit is None and wanted > 0:
                price = self._slipped(instrument, record, offer, wanted)
                wanted = self._left(instrument, record, price, taken, spent)
            if wanted <= 0:
                break
            if offer.size is not None and offer.size < wanted:
                wanted = quantize_quantity(product, offer.size, Rounding.DOWN)
                if wanted <= 0:
                    continue
            takes.append(Take(offer, wanted, price))
            taken = EXACT.add(taken, wanted)
            if record.quantity is None:
                spent = EXACT.add(spent, instrument.value(wanted, price))
        return takes

    def _left(
        self,
        instrument: Instrument,
        record: OrderRecord,
        price: Decimal,
        taken: Decimal,
        spent: Decimal,
    ) -> Decimal:
        wanted = self.remaining(instrument, record, price, spent)
        return EXACT.subtract(wanted, taken) if taken and record.quantity is not None else wanted

    def _slipped(
        self, instrument: Instrument, record: OrderRecord, offer: Offer, wanted: Decimal
    ) -> Decimal:
        price, product = offer.price, instrument.product
        size = offer.size
        quantity = wanted if size is None else min(wanted, size)
        slip = self._slippage.slip(product, price, quantity, size)
        if not slip:
            return price
        if record.side is OrderSide.BUY:
            return quantize_price(product, EXACT.add(price, slip), Rounding.CEILING)
        slipped = quantize_price(product, EXACT.subtract(price, slip), Rounding.FLOOR)
        # A sale brings something: a price does not slip from above zero to zero or below.
        return price if slipped <= 0 < price else slipped

    def can_pay(self, instrument: Instrument, record: OrderRecord, takes: list[Take]) -> bool:
        """Return whether the account can pay for what an order is about to take."""
        return self._shortfall(instrument, record, takes)[1] is None

    def may_open(self, instrument: Instrument, record: OrderRecord, quantity: Decimal) -> bool:
        """Return whether the account has the margin for a waiting order's fill at its limit.

        An order that was to close needed no margin when it was placed; another may have closed
        the position since, and this one would open one the other way.
        """
        if not self._accounting.borrows or record.price is None:
            return True
        return self.can_pay(
            instrument, record, [Take(Offer(record.price, quantity), quantity, record.price)]
        )

    def require_payment(
        self, instrument: Instrument, record: OrderRecord, takes: list[Take]
    ) -> None:
        """Check that the account can pay for what an order is about to take.

        Raises:
            InsufficientFundsError: it cannot (REJECTED).
        """
        asset, short = self._shortfall(instrument, record, takes)
        if short is not None:
            raise self._funds.refusal(record, asset, short)

    def _shortfall(
        self, instrument: Instrument, record: OrderRecord, takes: list[Take]
    ) -> tuple[str, tuple[Decimal, Decimal | None] | None]:
        quantity = value = ZERO
        for take in takes:
            quantity = EXACT.add(quantity, take.quantity)
            value = EXACT.add(value, instrument.value(take.quantity, take.price))
        asset, amount = self._funds.need(instrument, record, quantity, takes[-1].price, value)
        more = EXACT.subtract(amount, self.set_aside(record, asset))
        return asset, self._funds.shortfall(instrument, record, quantity, asset, more)

    def set_aside(self, record: OrderRecord, asset: str) -> Decimal:
        """Return what is set aside of an asset for an order and for those that it is tied to."""
        ties = self._desk.groups.get(record.group_id) if record.group_id is not None else None
        total = ZERO
        for tied in ties or (record,):
            if tied.hold_asset == asset:
                total = EXACT.add(total, tied.hold)
        return total

    def execute(
        self,
        instrument: Instrument,
        record: OrderRecord,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
    ) -> FillRecord:
        """Book a fill: move the money, and move the order on."""
        fill = self.book(instrument, record, quantity, price, liquidity)
        if self._is_complete(instrument, record, price):
            if record.quantity is None:
                record.quantity = record.filled_quantity
            record.filled_quantity = record.quantity  # one object is kept, not two equal ones
            self._desk.end(record, OrderStatus.FILLED, fill=fill)
        elif record.status is OrderStatus.PENDING_CANCEL:
            self._desk.touch(record, fill)
        else:
            self._desk.set_status(record, OrderStatus.PARTIALLY_FILLED, fill)
        return fill

    def book(
        self,
        instrument: Instrument,
        record: OrderRecord,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
    ) -> FillRecord:
        """Move the money of a fill and add it to the order; the order's status stays."""
        fill = FillRecord(
            trade_id=self._desk.next_trade(),
            order_id=record.order_id,
            symbol=record.symbol,
            side=record.side,
            quantity=quantity,
            price=price,
            fee=ZERO,
            liquidity=liquidity,
            timestamp=self._desk.now,
            cost_change=None,
        )
        value = self._accounting.book(instrument, record, quantity, price, fill)
        product = instrument.product
        if product.inverse or product.multiplier != 1:
            value = EXACT.multiply(quantity, price)
        if record.filled_quantity:
            record.filled_quantity = EXACT.add(record.filled_quantity, quantity)
            record.filled_value = EXACT.add(record.filled_value, value)
        else:
            record.filled_quantity, record.filled_value = quantity, value
        self._desk.fills.append(fill)
        return fill

    def _is_complete(self, instrument: Instrument, record: OrderRecord, price: Decimal) -> bool:
        if record.quantity is not None:
            return record.filled_quantity == record.quantity
        # A notional order is complete once its rest does not buy one more step.
        multiplier = instrument.product.multiplier
        used = EXACT.multiply(record.filled_value, multiplier)
        left = EXACT.subtract(record.notional or ZERO, used)
        unit = EXACT.multiply(price if record.price is None else record.price, multiplier)
        step = instrument.product.size_increment or Decimal(1).scaleb(-PLACES)
        return left < EXACT.multiply(unit, step)

    def reference_price(self, instrument: Instrument, record: OrderRecord) -> Decimal | None:
        """Return the price that an order is taken to trade at. None: nobody knows.

        Its limit, else its trigger until it is triggered, else what the market asks now.
        """
        if record.price is not None:
            return record.price
        if record.type in STOPS and not record.triggered and record.stop_price is not None:
            return record.stop_price
        price = instrument.market.price_for(record.side)
        return price if price is not None else instrument.market.mark()

    def hold_for(
        self, instrument: Instrument, record: OrderRecord
    ) -> tuple[str, Decimal, Decimal] | None:
        """Return what the rest of an order needs: asset, amount, quantity. None: no price yet."""
        price = self.reference_price(instrument, record)
        if price is None:
            return None
        value = None
        if record.quantity is not None:
            quantity = EXACT.subtract(record.quantity, record.filled_quantity)
            quantity = self._funds.capped(instrument, record, quantity)
        else:
            quantity = self.remaining(instrument, record, price)
            used = EXACT.multiply(record.filled_value, instrument.product.multiplier)
            value = EXACT.subtract(record.notional or ZERO, used)
        asset, amount = self._funds.need(instrument, record, quantity, price, value)
        for tied in self._desk.groups.get(record.group_id or "", ()):
            # What is set aside for one of a pair serves the other too: only one of them fills.
            if tied.number < record.number and tied.hold_asset == asset:
                amount = max(EXACT.subtract(amount, tied.hold), ZERO)
        return asset, amount, quantity

    def rehold(self, instrument: Instrument, record: OrderRecord) -> bool:
        """Set aside what the rest of an order needs; return whether the account has it."""
        found = self.hold_for(instrument, record)
        if found is None:
            return True
        asset, amount, quantity = found
        more = EXACT.subtract(amount, record.hold)
        if self._funds.shortfall(instrument, record, quantity, asset, more) is not None:
            return False
        if amount != record.hold:
            self._accounting.set_hold(instrument, record, asset, amount)
            self._desk.note(record)
        return True

    def rehold_or_end(self, instrument: Instrument, record: OrderRecord) -> None:
        """Set aside what the rest of an order needs, or end the order where that is too much."""
        if is_live(record) and not self.rehold(instrument, record):
            self._desk.end(record, OrderStatus.CANCELLED, NO_FUNDS)
