"""Sending orders, and waiting for what TWS says of them. Runs in the loop of the connection."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError, error_of_write
from bot_v2.features.brokerages.ibkr.order_mapping import Known, order_from_native
from bot_v2.features.brokerages.ibkr.order_writes import Placement, Trial, Write
from bot_v2.features.brokerages.ibkr.session import Attempt, refuse_lost_link
from bot_v2.features.brokerages.ibkr.wire import ContractRow, MarginRow
from bot_v2.shared.types import Clock

if TYPE_CHECKING:
    from bot_v2.features.brokerages.ibkr.sdk import GatewayClient

PARENT: Final = "parentId"
TRANSMIT: Final = "transmit"


@attrs.frozen
class Outgoing:
    """An order that is to be sent."""

    contract: ContractRow
    """What is traded."""
    fields: Mapping[str, object]
    """Its fields."""
    is_child: bool = False
    """Whether it waits for the first order that is sent with it."""
    is_held: bool = False
    """Whether TWS is to keep it until the last order that is sent with it has come."""


async def place_all(attempt: Attempt, orders: Sequence[Outgoing]) -> list[Placement]:
    """Send some orders as one write, and return what came of each once TWS has them all.

    Raises:
        BrokerageError: one of them was refused, or nothing is known of it.
        NativeError, LostError, TimeoutError, PacedError: nothing is known of any, or nothing left.
    """
    refuse_lost_link(attempt)
    await attempt.gateway.room(attempt.deadline, count=len(orders))
    await attempt.gateway.require_alive()
    client = attempt.gateway.client
    writes = [Placement(client.next_id()) for _ in orders]
    async with attempt.gateway.writing(writes) as sender:
        attempt.was_sent = True
        for write, one in zip(writes, orders, strict=True):
            fields = {**one.fields, TRANSMIT: not one.is_held}
            if one.is_child:
                fields[PARENT] = writes[0].order_id
            sender.place(write.order_id, one.contract, fields)
        await _settle(attempt, writes)
    return writes


async def preview(attempt: Attempt, order: Outgoing) -> MarginRow:
    """Ask what an order would do, and return it; nothing is placed.

    Raises:
        NativeError: it could not be placed.
    """
    await attempt.gateway.room(attempt.deadline)
    write = Trial(attempt.gateway.client.next_id())
    async with attempt.gateway.writing([write]) as sender:
        sender.place(write.order_id, order.contract, {**order.fields, "whatIf": True})
        async with asyncio.timeout_at(attempt.deadline):
            await write.done
    if write.margin is None:
        raise LostError
    return write.margin


async def send_one(
    attempt: Attempt,
    write: Write,
    send: Callable[[GatewayClient], None],
    *,
    is_urgent: bool = False,
) -> bool:
    """Send something about one order, and return TWS's answer.

    Args:
        attempt: the call.
        write: what is sent.
        send: sends it, by the client.
        is_urgent: whether it may use the room that is kept for cancels.

    Raises:
        NativeError, LostError, TimeoutError, PacedError: there is none, or a bad one.
    """
    await attempt.gateway.room(attempt.deadline, is_urgent=is_urgent)
    await attempt.gateway.require_alive()
    async with attempt.gateway.writing([write]) as sender:
        attempt.was_sent = True
        send(sender)
        async with asyncio.timeout_at(attempt.deadline):
            return await write.done


async def _settle(attempt: Attempt, writes: Sequence[Placement]) -> None:
    """Wait until TWS has every order, or has refused one, or has said nothing for too long."""
    waiting = [write.done for write in writes]
    if len(waiting) == 1:
        try:
            async with asyncio.timeout_at(attempt.deadline):
                await waiting[0]
        except builtins.TimeoutError:
            # TWS has it, and waits for the broker: it is pending, and has its id.
            if not writes[0].perm_id:
                raise
        return
    left_s = max(attempt.deadline - asyncio.get_running_loop().time(), 0.0)
    await asyncio.wait(waiting, timeout=left_s)
    failed = [one.exception() for one in waiting if one.done()]
    errors = [error for error in failed if error is not None]
    taken = [write for write in writes if write.perm_id and not _has_failed(write)]
    if len(taken) == len(writes):
        return
    told = [error for error in errors if isinstance(error, NativeError)]
    if not taken and not told:
        raise errors[0] if errors else builtins.TimeoutError()
    raise _error_of_part(attempt, told, taken, len(writes)) from next(iter(errors), None)


def _has_failed(write: Placement) -> bool:
    return write.done.done() and write.done.exception() is not None


def _error_of_part(
    attempt: Attempt, told: Sequence[NativeError], taken: Sequence[Placement], count: int
) -> BrokerageError:
    """Return what it means that of several orders not all were taken.

    They are refused where each of them is: a refusal of one says nothing of another that TWS is
    silent about, which may live.
    """
    call = attempt.call
    found = [error_of_write(one, call) for one in told]
    if len(found) == count and all(one.outcome is Outcome.REJECTED for one in found):
        return found[0]
    context = call.context()
    context["outcome"] = Outcome.UNKNOWN
    if taken:
        context["order_id"] = str(taken[0].perm_id)
    ids = ", ".join(str(write.perm_id) for write in taken) or "none that it tells of"
    why = found[0].message if found else "TWS gave no answer"
    return OrderOutcomeUnknownError(
        f"of several orders TWS has {ids}, and not all: {why}", **context
    )


def order_of_write(attempt: Attempt, write: Write, clock: Clock) -> Order | None:
    """Return the order as the answer told it. None: it told none, or one that cannot be read."""
    row = write.row
    if row is None:
        return None
    known = Known(
        names=attempt.instruments.name,
        zone=attempt.gateway.settings.time_zone,
        now=clock(),
        status=write.status,
        parent=attempt.gateway.inbox.memory.parent_of(row),
    )
    try:
        return order_from_native(row, known)
    except (ValueError, ArithmeticError, LookupError):
        # That it was taken is sure, whatever else was said.
        return None
