"""The matching engine: one account, one market, one clock; the same input gives the same output.

Every call that can change something is a step: first what became due by the clock happens, then the
call itself, then the step goes to the journal, then the listeners hear of it, then the call
returns. A call that is refused has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Unpack

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.events import OrderEvent
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.core.products import Product
from bot_v2.shared.types import Clock
from bot_v2.simulation.acceptance import Acceptance
from bot_v2.simulation.account import AccountSettings
from bot_v2.simulation.accounting import Accounting
from bot_v2.simulation.conditions import Conditions, EngineOptions
from bot_v2.simulation.corrections import Corrections
from bot_v2.simulation.desk import Desk, is_live
from bot_v2.simulation.events import Tape
from bot_v2.simulation.execution import Execution
from bot_v2.simulation.funds import Funds
from bot_v2.simulation.instruments import Instrument
from bot_v2.simulation.journal import EngineState
from bot_v2.simulation.market import MarketEvent, event_time
from bot_v2.simulation.matching import Matcher
from bot_v2.simulation.modification import Modification
from bot_v2.simulation.reading import Reading
from bot_v2.simulation.records import OrderRecord
from bot_v2.simulation.reports import Reports
from bot_v2.simulation.restoring import restore_books, state_of, verify_books
from bot_v2.simulation.sessions import TradingCalendar
from bot_v2.simulation.steps import Steps
from bot_v2.simulation.ties import Ties
from bot_v2.simulation.timetable import Timetable
from bot_v2.simulation.valuation import Valuation


class MatchingEngine(Reading):
    """A simulated market with one account in it. Not for several threads at once."""

    def __init__(
        self,
        *,
        account: AccountSettings,
        products: Iterable[Product],
        clock: Clock,
        state: EngineState | None = None,
        **options: Unpack[EngineOptions],
    ) -> None:
        """Open an account, or reopen one from what a journal stored.

        Args:
            account: the account, as it is or was opened.
            products: everything that can be traded.
            clock: the present moment.
            state: what a journal stored. None: the account is new.
            options: see `Conditions`.

        Raises:
            InvalidFieldError: an option is out of range, or two products have one symbol.
            LedgerError: the state does not add up.
        """
        conditions = Conditions(**options)
        instruments: dict[str, Instrument] = {}
        for product in products:
            if product.symbol in instruments:
                raise InvalidFieldError("products", product.symbol, "each symbol once")
            always_open = product.market_type in conditions.always_open
            instruments[product.symbol] = Instrument(product, always_open=always_open)
        accounting = Accounting(account, conditions.fees, fees_in_kind=conditions.fees_in_kind)
        desk = Desk(accounting, instruments, conditions.ids, conditions.journal, clock())
        valuation = Valuation(accounting, instruments)
        funds = Funds(accounting, valuation)
        execution = Execution(desk, accounting, funds, conditions.slippage)
        ties = Ties(desk, execution)
        timetable = Timetable()
        matcher = Matcher(desk, execution, ties, timetable)
        calendar, extended = conditions.calendar, conditions.extended_calendar
        self._instruments, self._fees, self._calendar = instruments, conditions.fees, calendar
        self._latency = timedelta(seconds=conditions.latency_s)
        self._desk, self._ties, self._matcher, self._timetable = desk, ties, matcher, timetable
        self._acceptance = Acceptance(
            desk, accounting, funds, execution, matcher, calendar, extended
        )
        self._modification = Modification(desk, funds, execution, matcher, self._acceptance)
        self._corrections = Corrections(desk, execution, matcher, ties)
        self._tape = Tape(matcher, conditions.participation_rate)
        self._reports = Reports(desk, valuation, calendar)
        self._steps = Steps(desk, timetable, matcher, ties, clock, calendar, extended)
        if state is None:
            accounting.open(list(instruments.values()))
            self._steps.commit()
        else:
            restore_books(state, desk, timetable)

    @classmethod
    def restore(
        cls,
        state: EngineState,
        *,
        account: AccountSettings,
        products: Iterable[Product],
        clock: Clock,
        **options: Unpack[EngineOptions],
    ) -> MatchingEngine:
        """Return the engine that a journal stored. What is on offer is not stored: nothing is.

        Raises:
            LedgerError: the state does not add up.
        """
        return cls(account=account, products=products, clock=clock, state=state, **options)

    def snapshot(self) -> EngineState:
        """Return all that the engine would be rebuilt from: copies, in a fixed order."""
        return state_of(self._desk)

    def verify(self) -> None:
        """Add up the ledger again, the holds, the positions and the fills of each order.

        Raises:
            LedgerError: something does not add up.
        """
        verify_books(self._desk)

    # Orders

    def place(self, request: OrderRequest, *, client_order_id: str) -> Order:
        """Take an order: it has reached the market when this returns, unless there is latency.

        Raises:
            InvalidSymbolError, InvalidFieldError, UnsupportedOperationError: it cannot be traded
                as asked (NOT_SENT).
            OrderRejectedError, InsufficientFundsError, MarketClosedError: refused (REJECTED).
            DuplicateOrderError: an order was placed under that id; this made nothing.
            OrderOutcomeUnknownError: the journal failed.
        """
        record = self._steps.run(lambda: self._place((request,), (client_order_id,)))[0]
        return self._desk.show(record)

    def place_oco(
        self,
        first: OrderRequest,
        second: OrderRequest,
        *,
        client_order_ids: tuple[str, str],
        exits_of: str | None = None,
    ) -> tuple[Order, Order]:
        """Take two orders, or neither: a fill of either cancels the other.

        Where both need the same asset, it is set aside once, as only one of them fills.

        Args:
            first: one of them.
            second: the other.
            client_order_ids: the id of each.
            exits_of: the order that both are exits of: what one fills is then taken off the other,
                and only a whole fill cancels it. None: any fill does.

        Raises:
            As `place`, for either.
        """
        if client_order_ids[0] == client_order_ids[1]:
            raise InvalidFieldError("client_order_ids", client_order_ids, "two different ids")
        records = self._steps.run(lambda: self._place((first, second), client_order_ids, exits_of))
        return self._desk.show(records[0]), self._desk.show(records[1])

    def _place(
        self,
        requests: tuple[OrderRequest, ...],
        client_order_ids: tuple[str, ...],
        exits_of: str | None = None,
    ) -> list[OrderRecord]:
        records: list[OrderRecord] = []
        for request, client_order_id in zip(requests, client_order_ids, strict=True):
            instrument = self._instrument(request.symbol)
            self._acceptance.check(instrument, request, client_order_id)
            record = self._acceptance.make(instrument, request, client_order_id)
            record.parent_order_id = exits_of
            records.append(record)
        self._acceptance.accept_all(records)
        for record in records:
            if self._latency:
                record.due_at = self._desk.now + self._latency
            self._timetable.add_all(record)
            self._desk.touch(record)
        if not self._latency:
            for record in records:
                self._matcher.arrive(record)
        return records

    def modify(self, order_id: str, modification: OrderModification) -> Order:
        """Change a live order at once; it keeps its id, and its place unless its terms improve.

        Raises:
            OrderNotFoundError: there is no such order.
            ModifyRejectedError, InsufficientFundsError: it lives on as it was (REJECTED).
            InvalidFieldError: the change makes no sense (NOT_SENT).
        """
        record = self._desk.find(order_id)
        self._steps.run(lambda: self._modification.apply(record, modification))
        if is_live(record):
            self._timetable.add_all(record)
        return self._desk.show(record)

    def cancel(self, order_id: str) -> bool:
        """Cancel a live order: True when accepted, False when it had already ended.

        Raises:
            OrderNotFoundError: there is no such order.
        """
        record = self._desk.find(order_id)
        return self._steps.run(lambda: self._cancel(record))

    def _cancel(self, record: OrderRecord) -> bool:
        if not is_live(record):
            return False
        if not self._latency:
            self._desk.end(record, OrderStatus.CANCELLED)
            self._ties.rehold_group(record.group_id)
        elif record.cancel_at is None:
            record.cancel_at = self._desk.now + self._latency
            self._desk.set_status(record, OrderStatus.PENDING_CANCEL)
            self._timetable.add_all(record)
        return True

    # The market

    def on_market(self, event: MarketEvent) -> None:
        """Let the market say something: what waits is triggered and filled by it.

        Raises:
            InvalidSymbolError: no product has that symbol.
            InvalidFieldError: a book without a time, or a candle that is not complete.
        """
        instrument = self._instrument(event.symbol)
        moment = event_time(event)
        if isinstance(event, Candle):
            if not event.complete:
                raise InvalidFieldError("Candle.complete", False, "True: it still changes")
            # What arrives or ends within the candle does so after the candle has been walked.
            self._steps.run(lambda: self._hear(instrument, event, moment), until=event.open_time)
            self._steps.run_due()
        else:
            self._steps.run(lambda: self._hear(instrument, event, moment))

    def _hear(self, instrument: Instrument, event: MarketEvent, moment: datetime) -> None:
        instrument.market.timestamp = moment
        self._desk.marked[instrument.symbol] = instrument
        if isinstance(event, Quote):
            self._tape.quote(instrument, event)
        elif isinstance(event, Trade):
            self._tape.trade(instrument, event)
        elif isinstance(event, Orderbook):
            self._tape.book(instrument, event)
        else:
            traded = overlaps_session(self._calendar, event)
            self._matcher.in_session = traded
            self._tape.candle(instrument, event, traded=traded)

    def on_time(self) -> None:
        """Let everything happen that is due by the clock: arrivals, cancels, expiries."""
        self._steps.run_due()

    def halt(self, symbol: str) -> None:
        """Suspend trading in a product: its orders wait, and nothing is matched."""
        self._set_halted(symbol, halted=True)

    def resume(self, symbol: str) -> None:
        """Let a product trade again, from its next market event on."""
        self._set_halted(symbol, halted=False)

    def _set_halted(self, symbol: str, *, halted: bool) -> None:
        instrument = self._instrument(symbol)

        def change() -> None:
            instrument.market.halted = halted
            self._desk.marked[symbol] = instrument
            self._desk.must_store = True

        self._steps.run(change)

    # What a venue does to orders

    def fill(self, order_id: str, quantity: Decimal, price: Decimal) -> Fill:
        """Fill part of a live order now, whatever the market says; its limit is respected.

        Raises:
            OrderNotFoundError: there is no such order.
            InvalidRequestError: it has ended.
            InvalidFieldError: more than is left of it, or a price worse than its limit.
            InsufficientFundsError: the account cannot pay for it.
        """
        record = self._desk.find(order_id)
        fill = self._steps.run(lambda: self._corrections.fill(record, quantity, price))
        return self._desk.show_fill(fill)

    def late_fill(self, order_id: str, quantity: Decimal, price: Decimal) -> Fill:
        """Book a fill of an order that has ended: it happened before its end, and is evidence.

        The order stays ended; it is FILLED if this completes it. The account is not asked whether
        it can pay.

        Raises:
            OrderNotFoundError: there is no such order.
            InvalidRequestError: it has not ended, or was never in the market.
            InvalidFieldError: more than is left of it, or a price worse than its limit.
        """
        record = self._desk.find(order_id)
        fill = self._steps.run(lambda: self._corrections.late_fill(record, quantity, price))
        return self._desk.show_fill(fill)

    def correct_fill(self, trade_id: str, *, quantity: Decimal, price: Decimal) -> Fill:
        """Replace an execution by one of another quantity or price; return what replaces it.

        Raises:
            InvalidRequestError: there is no such execution, or it was replaced already.
            InvalidFieldError: the quantity is more than the order's, or not above zero.
        """
        fill = self._steps.run(lambda: self._corrections.correct(trade_id, quantity, price))
        return self._desk.show_fill(fill)

    def bust_fill(self, trade_id: str) -> Fill:
        """Cancel an execution, its fee included; return the report of it (`busted`).

        Raises:
            InvalidRequestError: there is no such execution, or it was replaced already.
        """
        fill = self._steps.run(lambda: self._corrections.bust(trade_id))
        return self._desk.show_fill(fill)

    def split(self, symbol: str, ratio: Decimal) -> None:
        """Split a security: each unit becomes `ratio` units, and costs that much less.

        What is less than a step of the product is paid out at the latest price. Live orders of the
        product are cancelled.

        Raises:
            InvalidFieldError: the ratio is not above zero.
            UnsupportedOperationError: the product is no security.
            MarketDataUnavailableError: a rest has to be paid out, and there is no price.
        """
        instrument = self._instrument(symbol)
        self._steps.run(lambda: self._corrections.split(instrument, ratio))

    def subscribe(self, listener: Callable[[OrderEvent], None]) -> Callable[[], None]:
        """Tell a listener each change of an order, once it is stored; return what ends that.

        A listener is called before the call that caused the change returns; it must not raise, nor
        call the engine.
        """
        self._desk.listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._desk.listeners:
                self._desk.listeners.remove(listener)

        return unsubscribe


def overlaps_session(calendar: TradingCalendar, candle: Candle) -> bool:
    """Return whether some session was on within a candle's interval."""
    start, end = candle.open_time, candle.open_time + candle.interval
    if calendar.is_open(start):
        return True
    opens = calendar.next_open(start)
    return opens is not None and opens < end
