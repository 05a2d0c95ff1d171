"""The stream of trade updates: what becomes of orders.

Source: https://docs.alpaca.markets/docs/websocket-streaming. The paper stream sends JSON in binary
frames, as is said there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs
from starlette.websockets import WebSocket

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.shared.types import IdSource
from bot_v2.venues.alpaca.dialect import AlpacaDialect
from bot_v2.venues.alpaca.order_records import OrderWriter
from bot_v2.venues.alpaca.sockets import Connection
from bot_v2.venues.alpaca.texts import moment_text, plain
from bot_v2.venues.alpaca.ticket import News
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.faults import FaultPlan
from bot_v2.venues.requests import Record
from bot_v2.venues.state import VenueState

STREAM: Final = "trade_updates"
OPERATIONS: Final = ("stream_orders",)
ZERO: Final = Decimal(0)


@attrs.define(eq=False)
class _Listener:
    connection: Connection
    is_known: bool = False
    listens: bool = False


class OrderStream:
    """Tells trade updates to whoever listens.

    Args:
        state: the venue.
        plan: what is to go wrong.
        dialect: knows keys.
        tickets: the orders.
        writer: puts them into words.
        ids: makes the ids of executions that are no fills.
        call: has something done in the loop of the sockets.
        is_paper: whether JSON is sent in binary frames.
    """

    def __init__(
        self,
        state: VenueState,
        plan: FaultPlan,
        dialect: AlpacaDialect,
        tickets: TicketBook,
        writer: OrderWriter,
        ids: IdSource,
        call: Callable[[Callable[[], None]], None],
        *,
        is_paper: bool,
    ) -> None:
        """Start without listeners, and hear of every change."""
        self._state = state
        self._plan = plan
        self._dialect = dialect
        self._writer = writer
        self._ids = ids
        self._call = call
        self._is_paper = is_paper
        self._listeners: set[_Listener] = set()
        self._positions: dict[str, Decimal] = {}
        tickets.subscribe(self.tell)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection until it ends."""
        await socket.accept()
        listener = _Listener(Connection(socket, self._plan, in_bytes=self._is_paper))
        with self._state.lock:
            self._listeners.add(listener)
        try:
            await listener.connection.serve(
                lambda message: self._hear(listener, message),
                lambda why: listener.connection.say(_authorization("error", why, known=False)),
            )
        finally:
            with self._state.lock:
                self._listeners.discard(listener)

    def release(self) -> None:
        """Tell what a fault held back."""
        with self._state.lock:
            listeners = list(self._listeners)
        for listener in listeners:
            self._call(listener.connection.pipe.release)

    def _hear(self, listener: _Listener, message: Mapping[str, Any]) -> None:
        action, data = message.get("action"), message.get("data")
        given = data if isinstance(data, dict) else {}
        if action in ("authenticate", "auth"):
            key = given.get("key_id") or message.get("key")
            secret = given.get("secret_key") or message.get("secret")
            listener.is_known = self._dialect.knows(str(key), str(secret))
            why = "" if listener.is_known else "access key verification failed"
            known = listener.is_known
            listener.connection.say(_authorization(str(action), why, known=known))
        elif action == "listen":
            if not listener.is_known:
                listener.connection.say(_authorization("listen", "", known=False))
                return
            self._plan.count(OPERATIONS)
            wanted = given.get("streams")
            streams = [STREAM] if isinstance(wanted, list) and STREAM in wanted else []
            listener.connection.say({"stream": "listening", "data": {"streams": streams}})
            with self._state.lock:
                listener.listens = bool(streams)
        else:
            raise ValueError(f"unknown action {action}")

    def tell(self, news: News) -> None:
        """Tell what became of an order; the venue's lock is held."""
        position = None if news.fill is None else self._position_after(news.fill)
        listeners = [one for one in self._listeners if one.listens]
        if not listeners:
            return
        frame: Record = {"stream": STREAM, "data": self._data(news, position)}
        for listener in listeners:
            self._push(listener.connection, frame)

    def _push(self, connection: Connection, frame: Record) -> None:
        self._call(lambda: connection.pipe.push(OPERATIONS, lambda _: connection.encode(frame)))

    def _data(self, news: News, position: Decimal | None) -> Record:
        ticket, fill = news.ticket, news.fill
        moment = ticket.updated_at if fill is None else fill.timestamp
        order = self._writer.write(ticket, order=news.order)
        if news.status:
            order["status"] = news.status
        said: Record = {
            "event": news.event,
            "event_id": self._ids().replace("-", "")[:26].upper(),
            "execution_id": self._ids() if fill is None else fill.trade_id,
            "order": order,
            "timestamp": moment_text(moment, self._state.skew),
        }
        if fill is not None and position is not None:
            said |= {
                "position_qty": plain(position),
                "price": plain(fill.price),
                "qty": plain(fill.quantity),
            }
        elif news.event == "fill":
            said |= {
                "position_qty": "0",
                "price": order["filled_avg_price"],
                "qty": order["filled_qty"],
            }
        return said

    def _position_after(self, fill: Fill) -> Decimal:
        before = self._positions.get(fill.symbol, ZERO)
        buys = fill.side is OrderSide.BUY
        change = fill.quantity if buys else fill.quantity.copy_negate()
        if fill.fee and fill.symbol.startswith(f"{fill.fee_currency}-"):
            change = EXACT.subtract(change, fill.fee)
        self._positions[fill.symbol] = EXACT.add(before, change)
        return self._positions[fill.symbol]


def _authorization(action: str, why: str, *, known: bool) -> Record:
    data: Record = {"status": "authorized" if known else "unauthorized", "action": action}
    if why:
        data["message"] = why
    return {"stream": "authorization", "data": data}
