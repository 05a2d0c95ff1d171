"""Which line of a tape answers which: reads and their answers, and what happens by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot_v2.venues.tws.tapes.tape import Speaker, TapeLine

WRITES: Final = frozenset({"startApi", "placeOrder", "cancelOrder", "reqGlobalCancel"})
"""What changes something: its order is kept. All else that a client says is a read."""

_VALUES: Final = frozenset({"updateAccountValue", "updatePortfolio", "updateAccountTime"})
_ORDERS: Final = frozenset({"openOrder", "orderStatus"})

_ANSWERS: Final[dict[str, tuple[frozenset[str], str]]] = {
    # a read without an id: what answers it, and what ends the answer
    "reqPositions": (frozenset({"position"}), "positionEnd"),
    "reqOpenOrders": (_ORDERS, "openOrderEnd"),
    "reqAllOpenOrders": (_ORDERS, "openOrderEnd"),
    "reqCompletedOrders": (frozenset({"completedOrder"}), "completedOrdersEnd"),
    "reqAccountUpdates": (_VALUES, "accountDownloadEnd"),
    "reqManagedAccts": (frozenset(), "managedAccounts"),
    "reqIds": (frozenset(), "nextValidId"),
    "reqMarketRule": (frozenset(), "marketRule"),
    "reqMktDepthExchanges": (frozenset(), "mktDepthExchanges"),
}


def causes_of(lines: Sequence[TapeLine]) -> list[int | None]:
    """Return for each line of a tape the read that it answers, by its place. None: it is no answer.

    An answer carries the id of its read, or comes between a read of its family and the end of that.
    The commission of an execution that was read belongs to the same read.
    """
    causes: list[int | None] = []
    by_id: dict[tuple[int, str], int] = {}
    waiting: dict[int, list[int]] = {}
    executions: dict[str, int | None] = {}
    for place, line in enumerate(lines):
        cause: int | None = None
        message = line.message
        request_id = message.text("reqId")
        if line.speaker is Speaker.CLIENT and message.name not in WRITES:
            by_id.setdefault((line.connection, request_id), place)
            if message.name in _ANSWERS:
                waiting.setdefault(line.connection, []).append(place)
        elif line.speaker is Speaker.SERVER:
            if request_id.startswith("$r"):
                cause = by_id.get((line.connection, request_id))
            elif message.name == "commissionReport":
                cause = executions.get(message.text("execId"))
            else:
                cause = _family(lines, line, waiting.get(line.connection, []))
            if message.name == "execDetails":
                executions[message.text("execId")] = cause
        causes.append(cause)
    return causes


def _family(lines: Sequence[TapeLine], line: TapeLine, waiting: list[int]) -> int | None:
    """Return the oldest read that waits for such an answer; it waits no more once that ends."""
    name = line.message.name
    for place in waiting:
        parts, end = _ANSWERS[lines[place].message.name]
        if name == end:
            waiting.remove(place)
            return place
        if name in parts:
            return place
    return None
