"""Orders of Advanced Trade: create, preview, edit, cancel, read, and their executions.

Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.decimals import EXACT, decimal_from_text
from bot_v2.features.brokerages.core.errors import (
    InsufficientFundsError,
    InvalidFieldError,
    ModifyRejectedError,
)
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES, OrderStatus
from bot_v2.shared.types import IdSource
from bot_v2.venues.coinbase.configurations import SIDES, TIF_WORDS
from bot_v2.venues.coinbase.listings import Listing
from bot_v2.venues.coinbase.order_records import (
    EXPIRY_TYPES,
    PRODUCT_TYPES,
    STATUS_WORDS,
    OrderWriter,
)
from bot_v2.venues.coinbase.paging import page_of
from bot_v2.venues.coinbase.placing import Placing
from bot_v2.venues.coinbase.refusals import (
    NO_CANCEL_FAILURE,
    NO_EDIT_FAILURE,
    NO_PREVIEW_FAILURE,
    ORDER_NOT_FOUND,
    invalid,
    not_found,
)
from bot_v2.venues.coinbase.texts import moment_from_text, moment_text, plain
from bot_v2.venues.coinbase.tickets import Ticket, TicketBook
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

ORDERS_PAGE: Final = 1000
FILLS_PAGE: Final = 100
PAGE_MAX: Final = 1000
CANCELS_MAX: Final = 100
"""How many orders one request can cancel (the page of Cancel Orders)."""

ALONE: Final = frozenset({"OPEN", "PENDING"})
"""Statuses that a filter cannot have beside others (the page of List Orders)."""


class OrdersApi:
    """The endpoints of orders.

    Args:
        state: the venue.
        tickets: its orders.
        placing: takes orders.
        writer: puts them into words.
        page_max: how many items a page has at most.
        ids: makes the ids of previews.
    """

    def __init__(
        self,
        state: VenueState,
        tickets: TicketBook,
        placing: Placing,
        writer: OrderWriter,
        page_max: int,
        ids: IdSource,
    ) -> None:
        """Answer for one venue."""
        self._state = state
        self._tickets = tickets
        self._placing = placing
        self._writer = writer
        self._page_max = page_max
        self._ids = ids

    # Writes

    def create(self, request: ApiRequest) -> Record:
        """Create an order; an id that was used returns the order that was created under it."""
        return self._placing.create(request.body())

    def preview(self, request: ApiRequest) -> Record:
        """Say what an order would cost; nothing is placed."""
        return self._placing.preview(request.body(), self._ids())

    def close_position(self, request: ApiRequest) -> Record:
        """Close a position by an order that can only reduce it."""
        return self._placing.close_position(request.body())

    def cancel(self, request: ApiRequest) -> Record:
        """Cancel orders; each has a result of its own."""
        ids = request.body().get("order_ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
            raise invalid("order_ids is required")
        if len(ids) > CANCELS_MAX:
            raise invalid(f"Too many orderIDs entered, limit is {CANCELS_MAX}")
        return {"results": self._state.write(lambda: self._cancel_all(ids))}

    def _cancel_all(self, ids: list[str]) -> list[Record]:
        results: list[Record] = []
        for place, order_id in enumerate(ids):
            again = order_id in ids[:place]
            reason = "DUPLICATE_CANCEL_REQUEST" if again else self._cancel(order_id)
            results.append(
                {
                    "success": reason == NO_CANCEL_FAILURE,
                    "failure_reason": reason,
                    "order_id": order_id,
                }
            )
        return results

    def _cancel(self, order_id: str) -> str:
        """Cancel an order, and return the failure's reason.

        The reasons are those of CancelOrderFailureReason (the page of Cancel Orders). That an
        order that has ended without being filled is as unknown as one that never was is not
        documented: it is how public bots know it, and the harder of the two to read.
        """
        if not order_id:
            return "INVALID_CANCEL_REQUEST"
        ticket = self._tickets.get(order_id)
        if ticket is None:
            return "UNKNOWN_CANCEL_ORDER"
        status = self._tickets.progress(ticket).status
        if status is OrderStatus.FILLED:
            return "ORDER_IS_FULLY_FILLED"
        if status is OrderStatus.PENDING_CANCEL:
            return "DUPLICATE_CANCEL_REQUEST"
        if status not in LIVE_STATUSES:
            return "UNKNOWN_CANCEL_ORDER"
        for leg in ticket.legs:
            ticket.account.engine.cancel(leg)
        return NO_CANCEL_FAILURE

    def edit(self, request: ApiRequest) -> Record:
        """Change the price and the size of an open GTC limit order; it keeps its id."""
        body = request.body()
        found = self._editable(body)
        if isinstance(found, str):
            return _edit_failed(found)
        ticket, change = found
        try:
            self._state.write(lambda: self._edit(ticket, change))
        except InsufficientFundsError:
            return _edit_failed(NO_EDIT_FAILURE, "PREVIEW_INSUFFICIENT_FUND")
        except (ModifyRejectedError, InvalidFieldError):
            return _edit_failed("COMMANDER_REJECTED_EDIT_ORDER")
        return {"success": True, "errors": []}

    def preview_edit(self, request: ApiRequest) -> Record:
        """Say what an order would cost once changed; nothing is."""
        found = self._editable(request.body())
        errors: list[Record] = []
        if isinstance(found, str):
            errors = [{"edit_failure_reason": found, "preview_failure_reason": NO_PREVIEW_FAILURE}]
            return {"errors": errors}
        ticket, change = found
        costs = self._placing.cost(ticket.terms, change.quantity, change.price)
        return {"errors": errors, **costs, "average_filled_price": "0"}

    def _edit(self, ticket: Ticket, change: OrderModification) -> None:
        before = ticket.account.engine.get_order(ticket.legs[0])
        ticket.account.engine.modify(ticket.legs[0], change)
        ticket.edits.append(
            {
                "price": plain(before.price or Decimal(0)),
                "size": plain(before.quantity or Decimal(0)),
                "replace_accept_timestamp": moment_text(self._state.clock()),
            }
        )
        kind, fields = next(iter(ticket.configuration.items()))
        old = fields if isinstance(fields, dict) else {}
        new = {"base_size": plain(change.quantity or Decimal(0))}
        new["limit_price"] = plain(change.price or Decimal(0))
        ticket.configuration = {kind: {**old, **new}}

    def _editable(self, body: Mapping[str, Any]) -> tuple[Ticket, OrderModification] | str:
        """Return the order and its change, or the edit's failure reason.

        The reasons are those of EditOrderFailureReason (the page of Edit Order); a size or a price
        that is not given counts as zero, as public clients report it.
        """
        ticket = self._tickets.get(str(body.get("order_id")))
        if ticket is None:
            return "ORDER_NOT_FOUND"
        if ticket.terms.listing.is_contract:
            return "CANNOT_EDIT_FUTURES_ORDER"
        if ticket.terms.kind != "limit_limit_gtc":
            return "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"
        progress = self._tickets.progress(ticket)
        if progress.status not in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED):
            return "ONLY_OPEN_ORDERS_CAN_BE_EDITED"
        size, price = _edited(body, "size"), _edited(body, "price")
        product = ticket.terms.listing.product
        if not size or EXACT.remainder(size, product.size_increment or size):
            return "INVALID_EDITED_SIZE"
        if not price or EXACT.remainder(price, product.price_increment or price):
            return "INVALID_EDITED_PRICE"
        if size <= progress.filled:
            return "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"
        now = ticket.account.engine.get_order(ticket.legs[0])
        if (size, price) == (now.quantity, now.price):
            return "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"
        return ticket, OrderModification(quantity=size, price=price)

    # Reads

    def get(self, request: ApiRequest) -> Record:
        """Say how one order stands."""
        ticket = self._tickets.get(request.arguments["order_id"])
        if ticket is None:
            raise not_found(ORDER_NOT_FOUND)
        return {"order": self._said(ticket)}

    def list_orders(self, request: ApiRequest) -> Record:
        """Say the orders that were asked for, newest first, a page at a time."""
        keeps = self._filter(request)
        found = [ticket for ticket in self._tickets.newest_first() if keeps(ticket)]
        page, cursor = page_of(
            found, lambda ticket: ticket.order_id, request, ORDERS_PAGE, self._page_max
        )
        return {
            "orders": [self._said(ticket) for ticket in page],
            "sequence": "0",
            "has_next": bool(cursor),
            "cursor": cursor,
        }

    def list_fills(self, request: ApiRequest) -> Record:
        """Say the executions that were asked for, newest first, a page at a time."""
        accounts = self._state.accounts.values()
        told: list[tuple[Ticket, Fill]] = []
        for account in accounts:
            for fill in account.fills():
                ticket = self._tickets.by_leg(fill.order_id)
                if ticket is not None:
                    told.append((ticket, fill))
        told.sort(key=lambda one: one[1].timestamp)
        ids, trades = set(request.values("order_ids")), set(request.values("trade_ids"))
        ids |= set(request.values("order_id"))
        products = set(request.values("product_ids")) | set(request.values("product_id"))
        start, end = self._span(request, "start_sequence_timestamp", "end_sequence_timestamp")
        found = [
            (ticket, fill)
            for ticket, fill in reversed(told)
            if (not ids or ticket.order_id in ids)
            and (not trades or fill.trade_id in trades)
            and (not products or ticket.terms.listing.product_id in products)
            and (start is None or fill.timestamp >= start)
            and (end is None or fill.timestamp <= end)
        ]
        page, cursor = page_of(
            found, lambda one: one[1].trade_id, request, FILLS_PAGE, self._page_max
        )
        skew = self._state.skew
        return {
            "fills": [self._writer.fill(ticket, fill, skew) for ticket, fill in page],
            "cursor": cursor,
        }

    def _said(self, ticket: Ticket) -> Record:
        progress = self._tickets.progress(ticket)
        return self._writer.order(ticket, progress, self._state.skew)

    def _span(
        self, request: ApiRequest, start: str, end: str
    ) -> tuple[datetime | None, datetime | None]:
        moments = []
        for name in (start, end):
            text = request.value(name)
            try:
                moments.append(None if text is None else moment_from_text(text) - self._state.skew)
            except ValueError as error:
                raise invalid(f"{name}: {error}") from error
        return moments[0], moments[1]

    def _filter(self, request: ApiRequest) -> Callable[[Ticket], bool]:
        statuses = set(request.values("order_status"))
        if strange := statuses - set(STATUS_WORDS.values()) - OTHER_STATUSES:
            raise invalid(f"invalid order_status {', '.join(sorted(strange))}")
        if statuses & ALONE and len(statuses) > 1:
            raise invalid(f"{sorted(statuses & ALONE)[0]} cannot be paired with other statuses")
        sides = set(request.values("order_side"))
        if strange := sides - set(SIDES):
            raise invalid(f"invalid order_side {', '.join(sorted(strange))}")
        start, end = self._span(request, "start_date", "end_date")
        wanted = {
            name: set(request.values(name)) | set(request.values(alias)) for name, alias in FILTERS
        }

        def keeps(ticket: Ticket) -> bool:
            placed, facts = ticket.placed_at, _facts(ticket)
            return (
                all(not chosen or facts[name] in chosen for name, chosen in wanted.items())
                and (not statuses or self._status_word(ticket) in statuses)
                and (start is None or placed >= start)
                and (end is None or placed < end)
            )

        return keeps

    def _status_word(self, ticket: Ticket) -> str:
        return STATUS_WORDS[self._tickets.progress(ticket).status]


OTHER_STATUSES: Final = frozenset(
    {"QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED", "UNKNOWN_ORDER_STATUS"}
)
"""Statuses that can be asked for, and that no order here has."""

FILTERS: Final = (
    # what a filter goes by, and its former spelling
    ("order_ids", "order_id"),
    ("product_ids", "product_id"),
    ("order_side", "order_side"),
    ("order_types", "order_type"),
    ("product_type", "product_type"),
    ("contract_expiry_type", "contract_expiry_type"),
    ("time_in_forces", "time_in_forces"),
    ("asset_filters", "asset_filters"),
)


def _facts(ticket: Ticket) -> dict[str, str]:
    listing: Listing = ticket.terms.listing
    return {
        "order_ids": ticket.order_id,
        "product_ids": listing.product_id,
        "order_side": ticket.terms.side.name,
        "order_types": ticket.terms.shape.order_type,
        "product_type": PRODUCT_TYPES[listing.account],
        "contract_expiry_type": EXPIRY_TYPES[listing.account],
        "time_in_forces": TIF_WORDS[ticket.terms.shape.tif],
        "asset_filters": listing.base,
    }


def _edit_failed(reason: str, preview: str = NO_PREVIEW_FAILURE) -> Record:
    return {
        "success": False,
        "errors": [{"edit_failure_reason": reason, "preview_failure_reason": preview}],
    }


def _edited(body: Mapping[str, Any], name: str) -> Decimal:
    value = body.get(name)
    if value in (None, ""):
        return Decimal(0)
    if not isinstance(value, str):
        raise invalid(f"{name} is {value!r}: a number in a string is needed")
    return max(decimal_from_text(value, name), Decimal(0))
