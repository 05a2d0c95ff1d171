"""What Advanced Trade says of orders and executions.

Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/get-order
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.fills import Fill, Liquidity
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.venues.coinbase.configurations import STOP_LIMIT, TIF_WORDS
from bot_v2.venues.coinbase.listings import CFM, INTX, SPOT
from bot_v2.venues.coinbase.texts import mean, moment_text, plain
from bot_v2.venues.coinbase.tickets import Progress, Ticket
from bot_v2.venues.requests import Record

ZERO: Final = Decimal(0)
HUNDRED: Final = Decimal(100)

STATUS_WORDS: Final = {
    # PENDING, OPEN, FILLED, CANCELLED, EXPIRED, FAILED, QUEUED and CANCEL_QUEUED are the API's
    # words (the page of the order, `status`); a partly filled order is OPEN.
    OrderStatus.PENDING: "PENDING",
    OrderStatus.OPEN: "OPEN",
    OrderStatus.PARTIALLY_FILLED: "OPEN",
    OrderStatus.PENDING_CANCEL: "CANCEL_QUEUED",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELLED: "CANCELLED",
    OrderStatus.EXPIRED: "EXPIRED",
    OrderStatus.REJECTED: "FAILED",
    OrderStatus.REPLACED: "CANCELLED",
}

PRODUCT_TYPES: Final = {SPOT: "SPOT", INTX: "FUTURE", CFM: "FUTURE"}
EXPIRY_TYPES: Final = {
    SPOT: "UNKNOWN_CONTRACT_EXPIRY_TYPE",
    INTX: "PERPETUAL",
    CFM: "EXPIRING",
}
RISK_MANAGERS: Final = {
    SPOT: "UNKNOWN_RISK_MANAGEMENT_TYPE",
    INTX: "MANAGED_BY_VENUE",
    CFM: "MANAGED_BY_FCM",
}
LIQUIDITY_WORDS: Final = {
    Liquidity.MAKER: "MAKER",
    Liquidity.TAKER: "TAKER",
    None: "UNKNOWN_LIQUIDITY_INDICATOR",
}


class OrderWriter:
    """Puts orders into Coinbase's words.

    Args:
        user_id: whose they are.
        portfolios: the portfolio of each account, by the account's name.
    """

    def __init__(self, user_id: str, portfolios: Mapping[str, str]) -> None:
        """Know the owner."""
        self._user_id = user_id
        self._portfolios = portfolios

    def order(self, ticket: Ticket, progress: Progress, skew: timedelta) -> Record:
        """Say how an order stands."""
        terms, listing = ticket.terms, ticket.terms.listing
        live = progress.status in LIVE_STATUSES
        last = progress.fills[-1].timestamp if progress.fills else None
        attached = ticket.attached.order_id if ticket.attached is not None else ""
        return {
            "order_id": ticket.order_id,
            "product_id": listing.product_id,
            "user_id": self._user_id,
            "order_configuration": ticket.configuration,
            "side": terms.side.name,
            "client_order_id": ticket.client_order_id,
            "status": STATUS_WORDS[progress.status],
            "time_in_force": TIF_WORDS[terms.shape.tif],
            "created_time": moment_text(ticket.placed_at, skew),
            "completion_percentage": plain(_completion(progress)),
            "filled_size": plain(progress.filled),
            "average_filled_price": plain(average(ticket, progress)),
            "fee": "",
            "number_of_fills": str(len(progress.fills)),
            "filled_value": plain(progress.value),
            "pending_cancel": progress.status is OrderStatus.PENDING_CANCEL,
            "size_in_quote": terms.quote_size is not None,
            "total_fees": plain(progress.fees),
            "size_inclusive_of_fees": terms.quote_size is not None,
            "total_value_after_fees": plain(value_after_fees(ticket, progress)),
            "trigger_status": trigger_status(ticket),
            "order_type": terms.shape.order_type,
            "reject_reason": "REJECT_REASON_UNSPECIFIED",
            "settled": bool(progress.filled) and not live,
            "product_type": PRODUCT_TYPES[listing.account],
            "reject_message": "",
            "cancel_message": cancel_message(progress),
            "order_placement_source": "RETAIL_ADVANCED",
            "outstanding_hold_amount": plain(outstanding_hold(ticket, progress)),
            "is_liquidation": False,
            "last_fill_time": None if last is None else moment_text(last, skew),
            "edit_history": ticket.edits,
            "leverage": ticket.leverage,
            "margin_type": ticket.margin_type or "UNKNOWN_MARGIN_TYPE",
            "retail_portfolio_id": self._portfolios[listing.account],
            "originating_order_id": ticket.originating_order_id,
            "attached_order_id": attached,
            "last_update_time": moment_text(progress.updated_at, skew),
        }

    def fill(self, ticket: Ticket, fill: Fill, skew: timedelta) -> Record:
        """Say what was executed."""
        moment = moment_text(fill.timestamp, skew)
        return {
            "entry_id": f"{fill.trade_id}-{ticket.order_id}",
            "trade_id": fill.trade_id,
            "order_id": ticket.order_id,
            "trade_time": moment,
            "trade_type": "FILL",
            "price": plain(fill.price),
            "size": plain(fill.quantity),
            "commission": plain(fill.fee or ZERO),
            "product_id": ticket.terms.listing.product_id,
            "sequence_timestamp": moment,
            "liquidity_indicator": LIQUIDITY_WORDS[fill.liquidity],
            "size_in_quote": False,
            "user_id": self._user_id,
            "side": fill.side.name,
            "retail_portfolio_id": self._portfolios[ticket.terms.listing.account],
        }

    def streamed(self, ticket: Ticket, progress: Progress, skew: timedelta) -> Record:
        """Say how an order stands, as the channel `user` does.

        Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/
        websocket-channels#user-channel
        """
        terms, listing = ticket.terms, ticket.terms.listing
        limit = limit_of(ticket)
        left = EXACT.subtract(progress.size or ZERO, progress.filled)
        return {
            "avg_price": plain(average(ticket, progress)),
            "cancel_reason": cancel_message(progress),
            "client_order_id": ticket.client_order_id,
            "completion_percentage": plain(_completion(progress)),
            "contract_expiry_type": EXPIRY_TYPES[listing.account],
            "cumulative_quantity": plain(progress.filled),
            "filled_value": plain(progress.value),
            "leaves_quantity": plain(max(left, ZERO)),
            "limit_price": "0" if limit is None else plain(limit),
            "number_of_fills": str(len(progress.fills)),
            "order_id": ticket.order_id,
            "order_side": terms.side.name,
            "order_type": _title(terms.shape.order_type),
            "outstanding_hold_amount": plain(outstanding_hold(ticket, progress)),
            "post_only": "true" if terms.post_only else "false",
            "product_id": listing.product_id,
            "product_type": PRODUCT_TYPES[listing.account],
            "reject_reason": "",
            "retail_portfolio_id": self._portfolios[listing.account],
            "risk_managed_by": RISK_MANAGERS[listing.account],
            "status": STATUS_WORDS[progress.status],
            "stop_price": "" if terms.stop_price is None else plain(terms.stop_price),
            "time_in_force": TIF_WORDS[terms.shape.tif],
            "total_fees": plain(progress.fees),
            "total_value_after_fees": plain(value_after_fees(ticket, progress)),
            "trigger_status": trigger_status(ticket),
            "creation_time": moment_text(ticket.placed_at, skew),
            "end_time": _end_time(terms.end_time, skew),
            "start_time": _end_time(None, skew),
        }


def average(ticket: Ticket, progress: Progress) -> Decimal:
    """Return the mean price of what was filled; zero of nothing."""
    multiplier = ticket.terms.listing.product.multiplier
    return mean(progress.value, EXACT.multiply(progress.filled, multiplier))


def value_after_fees(ticket: Ticket, progress: Progress) -> Decimal:
    """Return what an order cost with its fees, or brought without them."""
    if ticket.terms.side is OrderSide.BUY:
        return EXACT.add(progress.value, progress.fees)
    return EXACT.subtract(progress.value, progress.fees)


def limit_of(ticket: Ticket) -> Decimal | None:
    """Return the limit of an order as it is now. None: it has none."""
    if not ticket.edits:
        return ticket.terms.limit_price
    return ticket.account.engine.get_order(ticket.legs[0]).price


def outstanding_hold(ticket: Ticket, progress: Progress) -> Decimal:
    """Return what is set aside for the rest of an order: of the coin for a sale, else of money.

    Of a margin account nothing is said.
    """
    limit = limit_of(ticket)
    known = progress.size is not None and limit is not None
    if progress.status not in LIVE_STATUSES or not known or ticket.terms.listing.is_contract:
        return ZERO
    left = EXACT.subtract(progress.size or ZERO, progress.filled)
    if ticket.terms.side is OrderSide.SELL:
        return left
    rate = ticket.account.engine.get_fees(ticket.terms.listing.product.symbol).taker or ZERO
    return EXACT.multiply(EXACT.multiply(left, limit or ZERO), EXACT.add(Decimal(1), rate))


def trigger_status(ticket: Ticket) -> str:
    """Return whether a stop was reached."""
    if ticket.terms.shape.order_type != STOP_LIMIT:
        return "INVALID_ORDER_TYPE"
    return "STOP_TRIGGERED" if ticket.has_triggered else "STOP_PENDING"


def cancel_message(progress: Progress) -> str:
    """Return why an order was cancelled; empty where it was not."""
    if progress.status is not OrderStatus.CANCELLED:
        return ""
    return progress.reason or "User requested cancel"


def _completion(progress: Progress) -> Decimal:
    if progress.status is OrderStatus.FILLED:
        return HUNDRED
    if not progress.size:
        return ZERO
    return divide(EXACT.multiply(progress.filled, HUNDRED), progress.size, 2, Rounding.DOWN)


def _title(order_type: str) -> str:
    return " ".join(word.capitalize() for word in order_type.split("_"))


def _end_time(moment: datetime | None, skew: timedelta) -> str:
    return "0001-01-01T00:00:00Z" if moment is None else moment_text(moment, skew)
