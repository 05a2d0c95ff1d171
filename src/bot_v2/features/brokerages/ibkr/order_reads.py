"""Reading orders and executions. Runs in the loop of the connection.

Orders that live are asked for first: one that ends meanwhile is then among those that ended, too,
and is told as it ended.
"""

from __future__ import annotations

from bot_v2.features.brokerages.core.errors import OrderNotFoundError, Outcome
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.execution_mapping import (
    fill_from_native,
    is_whole_combination,
    mean_of,
)
from bot_v2.features.brokerages.ibkr.inbox import COMPLETED_ORDERS, OPEN_ORDERS, Reading
from bot_v2.features.brokerages.ibkr.order_mapping import (
    ENDS,
    Known,
    order_from_native,
)
from bot_v2.features.brokerages.ibkr.session import Attempt
from bot_v2.features.brokerages.ibkr.wire import (
    ExecutionRow,
    OrderRow,
    StatusRow,
    number_or_none,
)
from bot_v2.shared.types import Clock


async def read_live(attempt: Attempt) -> Reading:
    """Ask for every client's orders that live."""
    return await attempt.gateway.ask_alone(
        OPEN_ORDERS, lambda client: client.ask_live_orders(), attempt.deadline
    )


async def read_ended(attempt: Attempt) -> dict[int, OrderRow]:
    """Ask for every client's orders that ended today, by permanent id."""
    reading = await attempt.gateway.ask_alone(
        COMPLETED_ORDERS, lambda client: client.ask_ended_orders(), attempt.deadline
    )
    return reading.orders


async def read_executions(attempt: Attempt, account_id: str) -> list[ExecutionRow]:
    """Ask for an account's executions of today."""
    rows: list[ExecutionRow] = await attempt.gateway.ask(
        lambda client, request_id: client.ask_executions(request_id, account_id), attempt.deadline
    )
    return [row for row in rows if row.account == account_id]


async def all_orders(attempt: Attempt, account_id: str, clock: Clock) -> list[Order]:
    """Return an account's orders, those that live and those that ended today, newest first."""
    live = await read_live(attempt)
    ended = await read_ended(attempt)
    rows = _of_account(live.orders | ended, account_id)
    return await orders_of(attempt, rows, live.statuses, account_id, clock)


async def one_order(attempt: Attempt, perm_id: int, account_id: str, clock: Clock) -> Order | None:
    """Return an order. None: TWS has none of that id in the account."""
    found = await one_row(attempt, perm_id, account_id)
    if found is None:
        return None
    row, statuses = found
    (order,) = await orders_of(attempt, [row], statuses, account_id, clock)
    return order


async def one_row(
    attempt: Attempt, perm_id: int, account_id: str
) -> tuple[OrderRow, dict[int, StatusRow]] | None:
    """Return an order's row, and the statuses that came with it. None: TWS has none of that id."""
    live = await read_live(attempt)
    row = live.orders.get(perm_id)
    if row is None or row.status in ENDS:
        # It may have been told just now, for its end, and be among those that ended meanwhile.
        row = (await read_ended(attempt)).get(perm_id, row)
    return None if row is None or row.account != account_id else (row, live.statuses)


async def orders_of(
    attempt: Attempt,
    rows: list[OrderRow],
    statuses: dict[int, StatusRow],
    account_id: str,
    clock: Clock,
) -> list[Order]:
    """Return orders of their rows, newest first: permanent ids are given in rising order."""
    memory = attempt.gateway.inbox.memory
    await attempt.instruments.name_all((row.contract for row in rows), attempt.deadline)
    known = {
        row.perm_id: None
        if row.has_ended
        else statuses.get(row.perm_id) or memory.statuses.get(row.perm_id)
        for row in rows
    }
    if any(_lacks_executions(attempt, row, known[row.perm_id]) for row in rows):
        await read_executions(attempt, account_id)
    now = clock()

    def made(row: OrderRow) -> Order:
        return order_from_native(
            row,
            Known(
                names=attempt.instruments.name,
                zone=attempt.gateway.settings.time_zone,
                now=now,
                status=known[row.perm_id],
                average=mean_of(memory.executions_of(row.perm_id), row),
                parent=memory.parent_of(row),
            ),
        )

    newest_first = sorted(rows, key=lambda row: row.perm_id, reverse=True)
    return attempt.read(lambda: [made(row) for row in newest_first])


def _lacks_executions(attempt: Attempt, row: OrderRow, status: StatusRow | None) -> bool:
    """Whether an order's executions are needed and not known: it does not tell its mean price."""
    if status is not None:
        return False
    filled = number_or_none(row.filled)
    if not row.has_ended:
        # An order that lives says how far it is in its status alone.
        return True
    if not filled:
        return False
    told = attempt.gateway.inbox.memory.executions_of(row.perm_id)
    return not any(number_or_none(one.total) == filled for one in told)


async def all_fills(attempt: Attempt, account_id: str) -> list[Fill]:
    """Return an account's executions of today, oldest first, corrections included."""
    rows = await read_executions(attempt, account_id)
    own = [row for row in rows if not is_whole_combination(row)]
    await attempt.instruments.name_all((row.contract for row in own), attempt.deadline)
    memory = attempt.gateway.inbox.memory
    zone = attempt.gateway.settings.time_zone

    def made() -> list[Fill]:
        return [
            fill_from_native(
                row,
                memory.commissions.get(row.exec_id),
                memory.corrected_by(row.exec_id),
                attempt.instruments.name,
                zone,
            )
            for row in own
        ]

    return sorted(attempt.read(made), key=lambda fill: fill.timestamp)


def _of_account(rows: dict[int, OrderRow], account_id: str) -> list[OrderRow]:
    return [row for row in rows.values() if row.account == account_id]


def perm_id_of(order_id: str, call: Call) -> int:
    """Return the permanent id that an order id is.

    Raises:
        OrderNotFoundError: it is none.
    """
    if not (order_id.isascii() and order_id.isdecimal()) or len(order_id) > 18:
        raise not_found(call)
    return int(order_id)


def not_found(call: Call) -> OrderNotFoundError:
    """Return the error of an order that there is not: nothing was sent about it."""
    context = call.context()
    if call.is_write:
        context["outcome"] = Outcome.NOT_SENT
    return OrderNotFoundError("no order that lives, or ended today, has that id", **context)
