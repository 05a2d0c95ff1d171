"""What a venue does to orders and executions, whatever the market says.

Fills on demand, fills that are reported late, corrections and busts of executions, and splits of
securities. Late fills, corrections and busts are evidence: they are booked even where they leave
the account with less than nothing, as a broker would.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import (
    InvalidFieldError,
    InvalidRequestError,
    MarketDataUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.features.brokerages.core.increments import quantize_quantity
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.simulation.desk import Desk, is_live
from bot_v2.simulation.execution import Execution, Take
from bot_v2.simulation.instruments import PLACES, Instrument, Kind
from bot_v2.simulation.ledger import MARKET, WALLET
from bot_v2.simulation.matching import Matcher
from bot_v2.simulation.offers import Offer, is_within
from bot_v2.simulation.records import FillRecord, OrderRecord
from bot_v2.simulation.ties import Ties
from bot_v2.simulation.views import mean_price

ZERO: Final = Decimal(0)

BUSTED: Final = "fill_busted"
SPLIT: Final = "split"
REVERSAL: Final = "reversal"


class Corrections:
    """Fills, corrects and splits on demand."""

    def __init__(self, desk: Desk, execution: Execution, matcher: Matcher, ties: Ties) -> None:
        """Work on the orders of a desk."""
        self._desk = desk
        self._execution = execution
        self._matcher = matcher
        self._ties = ties

    def fill(self, record: OrderRecord, quantity: Decimal, price: Decimal) -> FillRecord:
        """Fill part of a live order now.

        Raises:
            InvalidRequestError: the order has ended.
            InvalidFieldError: more than is left, nothing, or a price worse than its limit.
            InsufficientFundsError: the account cannot pay for it.
        """
        if not is_live(record):
            raise _refusal(record, f"it is {record.status}: only a live order is filled")
        instrument = self._desk.instruments[record.symbol]
        self._check_left(instrument, record, quantity, price)
        self._check_price(record, price)
        take = Take(Offer(price, quantity), quantity, price)
        self._execution.require_payment(instrument, record, [take])
        if record.status is OrderStatus.PENDING:
            record.due_at, record.arrived_at = None, self._desk.now
            self._desk.set_status(record, OrderStatus.OPEN)
            self._desk.enqueue(instrument, record)
        number = len(self._desk.fills)
        self._matcher.fill(instrument, record, quantity, price, Liquidity.MAKER)
        self._matcher.arrive_exits()
        return self._desk.fills[number]

    def late_fill(self, record: OrderRecord, quantity: Decimal, price: Decimal) -> FillRecord:
        """Book a fill of an ended order on the evidence, even one of more than was ordered.

        Raises:
            InvalidRequestError: the order lives, or was rejected.
            InvalidFieldError: nothing, or a price worse than its limit.
        """
        if is_live(record) or record.status is OrderStatus.REJECTED:
            raise _refusal(record, f"it is {record.status}: late are fills of ended orders")
        instrument = self._desk.instruments[record.symbol]
        if not quantity > 0:
            raise InvalidFieldError("quantity", quantity, "above zero")
        self._check_price(record, price)
        fill = self._execution.book(instrument, record, quantity, price, Liquidity.MAKER)
        if record.quantity is not None and record.filled_quantity >= record.quantity:
            record.status = OrderStatus.FILLED  # by evidence, not by what may follow
        self._desk.touch(record, fill)
        self._matcher.after_fill(instrument, record, quantity)
        self._matcher.arrive_exits()
        return fill

    def _check_left(
        self, instrument: Instrument, record: OrderRecord, quantity: Decimal, price: Decimal
    ) -> None:
        if record.quantity is not None:
            left = EXACT.subtract(record.quantity, record.filled_quantity)
        else:
            left = self._execution.remaining(instrument, record, price)
        if not 0 < quantity <= left:
            raise InvalidFieldError(
                "quantity", quantity, f"above zero and at most {left}, which is left of the order"
            )

    def _check_price(self, record: OrderRecord, price: Decimal) -> None:
        if not is_within(record.side, price, record.price):
            raise InvalidFieldError(
                "price", price, f"a price no worse than the order's limit ({record.price})"
            )

    def bust(self, trade_id: str) -> FillRecord:
        """Cancel an execution, its fee included.

        Raises:
            InvalidRequestError: there is no such execution, or it was replaced already.
        """
        fill, record, instrument = self._find(trade_id)
        report = FillRecord(
            trade_id=self._desk.next_trade(),
            order_id=fill.order_id,
            symbol=fill.symbol,
            side=fill.side,
            quantity=fill.quantity,
            price=fill.price,
            fee=fill.fee,
            liquidity=fill.liquidity,
            timestamp=self._desk.now,
            cost_change=None,
            corrects=fill.trade_id,
            busted=True,
        )
        self._reverse(instrument, record, fill, report.trade_id)
        self._desk.fills.append(report)
        self._reopen_or_end(record)
        self._desk.touch(record, report)
        self._settle(instrument, record)
        return report

    def correct(self, trade_id: str, quantity: Decimal, price: Decimal) -> FillRecord:
        """Replace an execution.

        Raises:
            InvalidRequestError: there is no such execution, or it was replaced already.
            InvalidFieldError: the quantity is not above zero, or more than the order's.
        """
        fill, record, instrument = self._find(trade_id)
        if record.quantity is not None:
            rest = EXACT.subtract(record.filled_quantity, fill.quantity)
            most = EXACT.subtract(record.quantity, rest)
        else:
            given_back = instrument.value(fill.quantity, fill.price).copy_negate()
            most = self._execution.remaining(instrument, record, price, given_back)
        if not 0 < quantity <= most:
            raise InvalidFieldError(
                "quantity", quantity, f"above zero and at most {most}, which the order leaves"
            )
        self._reverse(instrument, record, fill, self._desk.next_transaction(REVERSAL))
        made = self._execution.book(instrument, record, quantity, price, fill.liquidity)
        made.corrects = fill.trade_id
        made.timestamp = fill.timestamp
        if is_live(record) and record.filled_quantity == record.quantity:
            self._desk.end(record, OrderStatus.FILLED, fill=made)
        else:
            self._reopen_or_end(record)
            self._desk.touch(record, made)
        self._settle(instrument, record)
        return made

    def _find(self, trade_id: str) -> tuple[FillRecord, OrderRecord, Instrument]:
        found = None
        for fill in reversed(self._desk.fills):
            if fill.corrects == trade_id:
                raise InvalidRequestError(f"{trade_id!r} was replaced by {fill.trade_id!r} already")
            if fill.trade_id == trade_id:
                found = fill
                break
        if found is None:
            raise InvalidRequestError(f"there is no execution {trade_id!r}")
        if found.busted:
            raise InvalidRequestError(f"{trade_id!r} reports a bust, and is no execution")
        record = self._desk.orders[found.order_id]
        return found, record, self._desk.instruments[found.symbol]

    def _reverse(
        self, instrument: Instrument, record: OrderRecord, fill: FillRecord, transaction: str
    ) -> None:
        """Move back all that a fill moved, and take it off its order."""
        accounting = self._desk.accounting
        accounting.reverse(instrument, fill, transaction)
        worth = EXACT.multiply(fill.quantity, fill.price)
        record.filled_quantity = EXACT.subtract(record.filled_quantity, fill.quantity)
        record.filled_value = EXACT.subtract(record.filled_value, worth)
        record.fees = EXACT.subtract(record.fees, fill.fee)
        value = instrument.value(fill.quantity, fill.price)
        own = accounting.own_fee(instrument, fill.side, fill.quantity, value, fill.liquidity)
        record.fees_before_minimum = EXACT.subtract(record.fees_before_minimum, own)

    def _reopen_or_end(self, record: OrderRecord) -> None:
        """Keep the status true: an order that is not all filled any more is not FILLED.

        An ended order does not work again: it is CANCELLED, by the evidence.
        """
        whole = record.quantity is not None and record.filled_quantity >= record.quantity
        if record.status is OrderStatus.FILLED and not whole:
            record.status, record.status_reason = OrderStatus.CANCELLED, BUSTED
        elif whole and not is_live(record):
            record.status = OrderStatus.FILLED

    def _settle(self, instrument: Instrument, record: OrderRecord) -> None:
        """Set aside anew for the rest of a live order."""
        if is_live(record):
            self._execution.rehold_or_end(instrument, record)
        self._ties.rehold_group(record.group_id)

    def split(self, instrument: Instrument, ratio: Decimal) -> None:
        """Split a security: the position's quantity grows, its cost stays.

        Raises:
            InvalidFieldError: the ratio is not above zero.
            UnsupportedOperationError: the product is no security.
            MarketDataUnavailableError: a rest has to be paid out, and there is no price.
        """
        if not ratio.is_finite() or ratio <= 0:
            raise InvalidFieldError("ratio", ratio, "a finite Decimal above zero: 2 doubles")
        if instrument.kind is not Kind.SECURITY:
            raise UnsupportedOperationError(
                f"{instrument.symbol} is no security: it is not split", symbol=instrument.symbol
            )
        accounting, market = self._desk.accounting, instrument.market
        before = accounting.quantity_of(instrument)
        whole = EXACT.multiply(before, ratio)
        after = quantize_quantity(instrument.product, whole, Rounding.DOWN)
        rest = EXACT.subtract(whole, after)
        mark = market.mark()
        if rest and mark is None:
            raise MarketDataUnavailableError(
                f"{rest} {instrument.symbol} are to be paid out, and no price is known",
                symbol=instrument.symbol,
            )
        for record in tuple(self._desk.live.values()):
            if record.symbol == instrument.symbol:
                self._desk.end(record, OrderStatus.CANCELLED, SPLIT)
                self._ties.rehold_group(record.group_id)
        transaction = self._desk.next_transaction(SPLIT)
        change = EXACT.subtract(after, before)
        accounting.ledger.transfer(transaction, MARKET, WALLET, instrument.asset, change)
        accounting.split_position(instrument, whole, after)
        if mark is not None:
            new_mark = divide(mark, ratio, PLACES, Rounding.HALF_EVEN)
            paid = instrument.signed_value(rest, new_mark)
            accounting.ledger.transfer(transaction, MARKET, WALLET, instrument.fee_currency, paid)
            market.last = mean_price(mark, ratio)
        # Offers at the old price are gone; the next event brings new ones.
        market.bids, market.asks = [], []
        market.bid = market.ask = None
        self._desk.marked[instrument.symbol] = instrument
        self._desk.must_store = True


def _refusal(record: OrderRecord, why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"order {record.order_id} is not filled: {why}",
        order_id=record.order_id,
        client_order_id=record.client_order_id,
        symbol=record.symbol,
    )
