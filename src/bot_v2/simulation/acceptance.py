"""Whether the engine takes a request, and the order that it makes of it.

Defaults and choices, for everyone who shows or documents them:

- time in force None means GTC;
- DAY ends with the session that it is placed in, or with the next one; where sessions never end,
  at the next midnight UTC; one for extended hours, with the extended session;
- an order placed out of hours waits for the session, unless it is IOC or FOK: those are refused
  with MarketClosedError, as is a market order while the product is halted;
- OPG and CLS are refused: the engine has no auctions.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    DuplicateOrderError,
    InvalidFieldError,
    MarketClosedError,
    OrderRejectedError,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.core.order_terms import (
    OrderSide,
    OrderType,
    PositionEffect,
    TimeInForce,
)
from bot_v2.simulation.accounting import Accounting
from bot_v2.simulation.desk import Desk
from bot_v2.simulation.execution import (
    BELOW_ONE_STEP,
    NOTHING_TO_REDUCE,
    Execution,
)
from bot_v2.simulation.funds import Funds, closes_only
from bot_v2.simulation.instruments import STOPS, Instrument, Kind
from bot_v2.simulation.matching import WOULD_TAKE, Matcher, trigger_price
from bot_v2.simulation.records import OrderRecord
from bot_v2.simulation.sessions import TradingCalendar
from bot_v2.simulation.trails import trail_stop

ZERO: Final = Decimal(0)
DAY: Final = timedelta(days=1)

_AUCTIONS: Final = frozenset({TimeInForce.OPG, TimeInForce.CLS})
_IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})

_TOLD: Final = {
    WOULD_TAKE: "a post-only order would take liquidity at once",
    NOTHING_TO_REDUCE: "there is no position that it could reduce",
    BELOW_ONE_STEP: "its value buys less than the smallest quantity",
    "margin_account_needed": "a cash account trades neither futures nor on margin",
    "short_sale_needs_open": "it sells more than the account has: a short sale says OPEN",
    "no_price": "no price is known for the product yet",
    "not_tradeable": "the product is listed, and takes no orders",
}
"""Why a request is refused: the reason that the error carries, and what it means."""


class Acceptance:
    """Judges requests for one account."""

    def __init__(
        self,
        desk: Desk,
        accounting: Accounting,
        funds: Funds,
        execution: Execution,
        matcher: Matcher,
        calendar: TradingCalendar,
        extended_calendar: TradingCalendar | None = None,
    ) -> None:
        """Judge by the account's books and by the market as it is."""
        self._desk = desk
        self._accounting = accounting
        self._funds = funds
        self._execution = execution
        self._matcher = matcher
        self._calendar = calendar
        self._extended_calendar = extended_calendar
        self._account_id = accounting.settings.account_id

    def check(self, instrument: Instrument, request: OrderRequest, client_order_id: str) -> None:
        """Check everything that can be told from the request alone.

        Raises:
            DuplicateOrderError: an order was placed under that id.
            InvalidFieldError, UnsupportedOperationError: it cannot be traded as asked (NOT_SENT).
            OrderRejectedError, MarketClosedError: it is refused (REJECTED).
        """
        if client_order_id in self._desk.by_client:
            raise DuplicateOrderError(
                f"an order was placed under {client_order_id!r}",
                symbol=request.symbol,
                client_order_id=client_order_id,
                order_id=self._desk.by_client[client_order_id].order_id,
            )
        if request.account_id not in (None, self._account_id):
            raise InvalidFieldError(
                "OrderRequest.account_id", request.account_id, f"{self._account_id!r}, or None"
            )
        if request.legs:
            raise UnsupportedOperationError("orders of several legs are not simulated")
        if request.broker_options:
            raise InvalidFieldError(
                "OrderRequest.broker_options", request.broker_options, "none: the engine has none"
            )
        if request.time_in_force in _AUCTIONS:
            raise UnsupportedOperationError(
                f"time in force {request.time_in_force} is not simulated: there are no auctions"
            )
        check_order_request(instrument.product, request)
        self._check_market(instrument, request, client_order_id)

    def _check_market(
        self, instrument: Instrument, request: OrderRequest, client_order_id: str
    ) -> None:
        product = instrument.product
        if not product.tradeable:
            raise self._refusal("not_tradeable", request, client_order_id)
        if instrument.kind is Kind.DERIVATIVE:
            if not self._accounting.borrows:
                raise self._refusal("margin_account_needed", request, client_order_id)
            money = product.base_currency if product.inverse else product.quote_currency
            if instrument.fee_currency != money:
                raise UnsupportedOperationError(
                    f"{product.symbol} settles in {instrument.fee_currency}, not in {money}: "
                    "such contracts are not simulated",
                    symbol=product.symbol,
                )
            if product.inverse and request.notional is not None:
                raise UnsupportedOperationError(
                    "an inverse contract is ordered by quantity, not by value",
                    symbol=product.symbol,
                )
        immediate = request.time_in_force in _IMMEDIATE
        if instrument.market.halted and (request.type is OrderType.MARKET or immediate):
            raise self._closed("trading is halted", request, client_order_id)
        in_session = self._matcher.in_session or instrument.always_open
        if request.extended_hours:
            in_session = in_session or self._matcher.in_extended_session
        if immediate and not in_session:
            raise self._closed("the session is over", request, client_order_id)

    def make(
        self, instrument: Instrument, request: OrderRequest, client_order_id: str | None
    ) -> OrderRecord:
        """Return the order of a request, without an id: it is not taken yet.

        Raises:
            InvalidFieldError: it would have expired already.
        """
        now = self._desk.now
        profit, stop = request.take_profit, request.stop_loss
        record = OrderRecord(
            order_id="",
            client_order_id=client_order_id,
            number=0,
            symbol=instrument.symbol,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force or TimeInForce.GTC,
            status=OrderStatus.PENDING,
            created_at=now,
            updated_at=now,
            quantity=request.quantity,
            notional=request.notional,
            price=request.price,
            stop_price=request.stop_price,
            trail_amount=request.trail_amount,
            trail_percent=request.trail_percent,
            expires_at=request.expires_at,
            position_effect=request.position_effect,
            post_only=request.post_only,
            reduce_only=request.reduce_only,
            extended_hours=request.extended_hours,
        )
        if profit is not None:
            record.take_profit_price = profit.price
        if stop is not None:
            record.stop_loss_price, record.stop_loss_limit = stop.stop_price, stop.price
        self.set_expiry(record)
        return record

    def set_expiry(self, record: OrderRecord) -> None:
        """Set when an order ends by time.

        Raises:
            InvalidFieldError: its end is not ahead.
        """
        now = self._desk.now
        if record.time_in_force is TimeInForce.DAY:
            end = self._session_end(record)
            record.expires_at = next_midnight(now) if end is None else end
        elif record.time_in_force is not TimeInForce.GTD:
            record.expires_at = None
        elif record.expires_at is None or record.expires_at <= now:
            raise InvalidFieldError(
                "OrderRequest.expires_at", record.expires_at, f"a moment after {now.isoformat()}"
            )

    def _session_end(self, record: OrderRecord) -> datetime | None:
        if self._desk.instruments[record.symbol].always_open:
            return None
        extended = self._extended_calendar if record.extended_hours else None
        return (extended or self._calendar).session_end(self._desk.now)

    def accept_all(self, records: list[OrderRecord]) -> None:
        """Take in one order, or several that cancel each other: all of them or none.

        Raises:
            As `accept`; InvalidFieldError: one of several is a market order.
        """
        if len(records) == 1:
            self.accept(records[0])
            return
        if any(record.type is OrderType.MARKET for record in records):
            raise InvalidFieldError(
                "OrderRequest.type", OrderType.MARKET, "an order that waits: the other cancels it"
            )
        group = self._desk.next_group()
        taken: list[OrderRecord] = []
        try:
            for record in records:
                record.group_id = group
                self.accept(record)
                taken.append(record)
        except BrokerageError:
            for record in reversed(taken):
                self._desk.drop(record)
            self._desk.counters.groups -= 1
            raise

    def cost_of(self, instrument: Instrument, request: OrderRequest) -> Decimal:
        """Return the money that an order would set aside, in the account's currency.

        Raises:
            InvalidFieldError, OrderRejectedError: it could not be placed.
        """
        check_order_request(instrument.product, request)
        record = self.make(instrument, request, None)
        price = self._execution.reference_price(instrument, record)
        found = None if price is None else self._execution.hold_for(instrument, record)
        if found is None:
            raise self.refuse("no_price", record)
        asset, amount, _ = found
        worth = ZERO if asset == instrument.asset else self._funds.convert(amount, asset)
        if worth is None:
            raise self.refuse("no_price", record)
        return worth

    def accept(self, record: OrderRecord) -> None:
        """Take an order in: give it its id, and set aside what it needs.

        Raises:
            OrderRejectedError: it would take although post-only, has nothing to reduce, or no
                price is known for it.
            InsufficientFundsError: the account does not have what it needs.
        """
        instrument = self._desk.instruments[record.symbol]
        record.number = self._desk.counters.orders + 1
        reason = self._reason_to_refuse(instrument, record)
        if reason is not None:
            raise self.refuse(reason, record)
        price = self._execution.reference_price(instrument, record)
        if price is None:
            raise self.refuse("no_price", record)
        if record.quantity is None and not record.reduce_only:
            wanted = self._execution.remaining(instrument, record, price)
            if wanted <= 0 or wanted < (instrument.product.min_order_size or ZERO):
                raise self.refuse(BELOW_ONE_STEP, record)
        asset, amount = self._need(instrument, record)
        record.order_id, record.number = self._desk.next_order()
        self._accounting.set_hold(instrument, record, asset, amount)
        self._desk.add(record)

    def _need(self, instrument: Instrument, record: OrderRecord) -> tuple[str, Decimal]:
        found = None
        if record.type is OrderType.MARKET and record.quantity is not None:
            found = self._need_of_plan(instrument, record)
        if found is None:
            found = self._execution.hold_for(instrument, record)
        if found is None:
            raise self.refuse("no_price", record)
        asset, amount, quantity = found
        short = self._funds.shortfall(instrument, record, quantity, asset, amount)
        if short is None:
            return asset, amount
        held = self._funds.closes(instrument, record.side)
        if asset == instrument.asset and self._accounting.borrows and held < quantity:
            raise self.refuse("short_sale_needs_open", record)
        raise self._funds.refusal(record, asset, short)

    def _need_of_plan(
        self, instrument: Instrument, record: OrderRecord
    ) -> tuple[str, Decimal, Decimal] | None:
        """Return what a market order needs: what it would take now, and the rest at the worst."""
        takes = self._execution.plan(instrument, record)
        quantity = record.quantity
        if not takes or quantity is None:
            return None
        quantity = self._funds.capped(instrument, record, quantity)
        taken = value = ZERO
        for take in takes:
            taken = EXACT.add(taken, take.quantity)
            value = EXACT.add(value, instrument.value(take.quantity, take.price))
        rest = EXACT.subtract(quantity, taken)
        if rest:
            value = EXACT.add(value, instrument.value(rest, takes[-1].price))
        asset, amount = self._funds.need(instrument, record, quantity, takes[-1].price, value)
        return asset, amount, quantity

    def _reason_to_refuse(self, instrument: Instrument, record: OrderRecord) -> str | None:
        if closes_only(record) and not self._funds.closes(instrument, record.side):
            return NOTHING_TO_REDUCE
        short = record.side is OrderSide.SELL and record.position_effect is PositionEffect.OPEN
        if short and not self._accounting.borrows:
            return "margin_account_needed"
        if record.post_only and self._matcher.may_trade(instrument, record):
            return WOULD_TAKE if self._matcher.would_take(instrument, record) else None
        if record.type in STOPS and record.stop_price is None:
            price = trigger_price(instrument, record.side)
            if price is None:
                return "no_price"
            record.stop_price = trail_stop(instrument.product, record, price)
        return None

    def refuse(self, reason: str, record: OrderRecord) -> OrderRejectedError:
        """Return the error for an order that is not taken."""
        return OrderRejectedError(
            f"the order is refused: {_TOLD[reason]}",
            reason=reason,
            symbol=record.symbol,
            client_order_id=record.client_order_id,
            account_id=self._account_id,
        )

    def _refusal(
        self, reason: str, request: OrderRequest, client_order_id: str
    ) -> OrderRejectedError:
        return OrderRejectedError(
            f"the order is refused: {_TOLD[reason]}",
            reason=reason,
            symbol=request.symbol,
            client_order_id=client_order_id,
            account_id=self._account_id,
        )

    def _closed(self, why: str, request: OrderRequest, client_order_id: str) -> BrokerageError:
        return MarketClosedError(
            f"the order is refused: {why}",
            symbol=request.symbol,
            client_order_id=client_order_id,
            account_id=self._account_id,
            outcome=Outcome.REJECTED,
        )


def next_midnight(moment: datetime) -> datetime:
    """Return the first midnight UTC after a moment."""
    return datetime.combine(moment.date() + DAY, time(0), tzinfo=UTC)
