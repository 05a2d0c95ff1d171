"""An order and an execution as the broker's messages tell them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.venues.tws.contract_book import venue_of
from bot_v2.venues.tws.hours import NEW_YORK
from bot_v2.venues.tws.order_schemas import COMPLETED_ORDER, OPEN_ORDER
from bot_v2.venues.tws.schema import Field, Schema
from bot_v2.venues.tws.tickets import Execution, Ticket, View

_ECHOED: Final = frozenset(
    [
        "tif",
        "ocaGroup",
        "openClose",
        "origin",
        "orderRef",
        "outsideRth",
        "hidden",
        "discretionaryAmt",
        "goodAfterTime",
        "goodTillDate",
        "faGroup",
        "faMethod",
        "faPercentage",
        "modelCode",
        "rule80A",
        "percentOffset",
        "settlingFirm",
        "shortSaleSlot",
        "designatedLocation",
        "exemptCode",
        "auctionStrategy",
        "displaySize",
        "blockOrder",
        "sweepToFill",
        "allOrNone",
        "minQty",
        "parentId",
        "triggerMethod",
        "trailingPercent",
        "trailStopPrice",
        "optOutSmartRouting",
        "clearingAccount",
        "notHeld",
        "algoStrategy",
        "solicited",
        "randomizeSize",
        "randomizePrice",
        "orderType",
        "action",
        "cashQty",
        "adjustedOrderType",
    ]
)
"""The fields of an order that come back as they were sent, where they were."""

_ECHOED_BY: Final = {
    schema.name: tuple(
        item.name for item in schema.named() if isinstance(item, Field) and item.name in _ECHOED
    )
    for schema in (OPEN_ORDER, COMPLETED_ORDER)
}

_ECHOED_ROWS: Final = (
    "comboLegs",
    "orderComboLegs",
    "smartComboRoutingParams",
    "algoParams",
)

_LIQUIDITIES: Final = {None: 0, Liquidity.MAKER: 1, Liquidity.TAKER: 2}


def time_text(moment: datetime) -> str:
    """Return a moment as executions and ended orders tell it: in New York, to the second."""
    return f"{moment.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} US/Eastern"


def contract_row(ticket: Ticket) -> dict[str, object]:
    """Return what an order is of, as orders name it."""
    if ticket.listing is None:
        asked = ticket.view.request
        return {
            "conId": asked.text("conId") or "28812380",
            "symbol": asked.text("symbol"),
            "secType": "BAG",
            "exchange": asked.text("exchange"),
            "currency": asked.text("currency"),
            "localSymbol": asked.text("symbol"),
            "tradingClass": "COMB",
        }
    held = ticket.listing.held()
    return {
        **held,
        "right": held["right"] or "?",
        "exchange": ticket.text("exchange") or ticket.listing.exchange,
    }


def open_order_row(ticket: Ticket, view: View) -> dict[str, object]:
    """Return an order as openOrder tells it."""
    return {
        **_order_row(OPEN_ORDER, ticket, view),
        "orderId": ticket.order_id,
        "clientId": ticket.client_id,
        "status": view.status,
        "sharesAllocation": f"{ticket.perm_id}.0/{ticket.account}/{view.quantity:f}",
    }


def completed_order_row(ticket: Ticket, view: View) -> dict[str, object]:
    """Return an order as completedOrder tells it: neither its order id nor its client's."""
    row = _order_row(COMPLETED_ORDER, ticket, view)
    if ticket.parent is not None:
        row["parentPermId"] = ticket.parent.perm_id
    return {
        **row,
        "status": view.status,
        "filledQuantity": view.filled,
        "shareholder": "Not an insider or substantial shareholder",
        "completedTime": "" if view.ended_at is None else time_text(view.ended_at),
        "completedStatus": view.ending,
    }


def _order_row(schema: Schema, ticket: Ticket, view: View) -> dict[str, object]:
    asked = view.request
    row: dict[str, object] = dict(contract_row(ticket))
    for name in _ECHOED_BY[schema.name]:
        if asked.text(name):
            row[name] = asked.text(name)
    for name in _ECHOED_ROWS:
        rows = asked.values.get(name)
        if rows:
            row[name] = rows
    row.update(
        permId=ticket.perm_id,
        account=ticket.account,
        totalQuantity=view.quantity,
        orderType=asked.text("orderType"),
        tif=asked.text("tif") or "DAY",
        lmtPrice=asked.number("lmtPrice") or Decimal(0),
        auxPrice=asked.number("auxPrice") or Decimal(0),
        ocaGroup=_oca_group(ticket),
        ocaType=asked.text("ocaType") if asked.whole("ocaType") else "3",
    )
    if view.stop_price is not None:
        row["trailStopPrice"] = view.stop_price
    return row


def _oca_group(ticket: Ticket) -> str:
    """Return what ties an order to others: of a child, the parent's permanent id."""
    named = ticket.text("ocaGroup")
    return named or ("" if ticket.parent is None else str(ticket.parent.perm_id))


def status_row(ticket: Ticket, view: View) -> dict[str, object]:
    """Return an order as orderStatus tells it."""
    return {
        "orderId": ticket.order_id,
        "status": view.status,
        "filled": view.filled,
        "remaining": view.remaining,
        "avgFillPrice": view.average,
        "permId": ticket.perm_id,
        "parentId": 0 if ticket.parent is None else ticket.parent.order_id,
        "lastFillPrice": view.last_price,
        "clientId": ticket.client_id,
        "whyHeld": view.why_held,
    }


def execution_row(one: Execution) -> dict[str, object]:
    """Return an execution as execDetails tells it."""
    ticket = one.ticket
    if one.listing is None:
        contract: dict[str, object] = contract_row(ticket)
        contract["right"] = ""
        venue = ticket.text("exchange")
    else:
        venue = venue_of(one.listing, ticket.text("exchange"))
        contract = {**one.listing.held(), "exchange": venue}
    return {
        **contract,
        "orderId": ticket.order_id,
        "execId": one.exec_id,
        "time": time_text(one.moment),
        "account": ticket.account,
        "execExchange": venue,
        "side": "BOT" if one.buys else "SLD",
        "shares": one.shares,
        "price": one.price,
        "permId": ticket.perm_id,
        "clientId": ticket.client_id,
        "cumQty": one.total,
        "avgPrice": one.average,
        "orderRef": ticket.text("orderRef"),
        "lastLiquidity": _LIQUIDITIES[one.liquidity],
    }


def commission_row(one: Execution) -> dict[str, object]:
    """Return what an execution cost, as commissionReport tells it."""
    row: dict[str, object] = {
        "execId": one.exec_id,
        "commission": one.commission,
        "currency": one.currency,
    }
    if one.realized is not None:
        row["realizedPNL"] = one.realized
    return row
