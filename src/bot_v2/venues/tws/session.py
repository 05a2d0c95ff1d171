"""One client that is connected: what it is told, and what goes wrong with it on the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Final

from bot_v2.simulation.faults import Fault
from bot_v2.venues.faults import ON_STREAMS, FaultPlan
from bot_v2.venues.tws.frames import frame
from bot_v2.venues.tws.protocol import FROM_SERVER

NO_REQUEST: Final = -1
"""The id of an error that belongs to no request."""

FRACTIONS: Final = 163
"""The first server version that tells sizes with fractions."""

_STREAMED: Final = {
    # what a message is an event of
    "openOrder": "stream_orders",
    "orderStatus": "stream_orders",
    "execDetails": "stream_orders",
    "commissionReport": "stream_orders",
    "tickPrice": "stream_quotes",
    "tickSize": "stream_quotes",
    "tickString": "stream_quotes",
    "tickByTick": "stream_quotes",
    "updateMktDepth": "stream_quotes",
    "updateMktDepthL2": "stream_quotes",
}


class Session:
    """A connection, and what its client asked to be told. Wants the venue's lock held.

    What is said while a request of its own is answered is the answer; all else is an event.

    Args:
        plan: what is to go wrong.
        send: sends bytes on the connection, from any thread.
    """

    def __init__(self, plan: FaultPlan, send: Callable[[bytes], None]) -> None:
        """Start before the handshake."""
        self.version = 0
        """The server version that is spoken; 0 before the handshake."""
        self.client_id: int | None = None
        """Who it is. None: it has not said so yet."""
        self.data_type = 1
        """The kind of market data that it wants: 1 live, 2 frozen, 3 delayed."""
        self.account_updates: str | None = None
        """The account whose values it is told. None: none."""
        self.wants_positions = False
        """Whether it is told of positions."""
        self._plan = plan
        self._send = send
        self._answer: list[bytes] | None = None
        self._held: bytes | None = None

    def size(self, size: Decimal) -> Decimal:
        """Return a size as its server version tells it: an older one tells no fractions."""
        return size if self.version >= FRACTIONS else size.to_integral_value()

    @property
    def is_ready(self) -> bool:
        """Whether its client has said who it is."""
        return self.client_id is not None

    def say(self, name: str, **values: object) -> None:
        """Say something."""
        data = frame(FROM_SERVER.encode(name, values, self.version))
        if self._answer is not None:
            self._answer.append(data)
        else:
            self._tell(data, _STREAMED.get(name, ""))

    def fail(self, request_id: int, code: int, text: str, advanced: str = "") -> None:
        """Say an error, or what the protocol says in the form of one."""
        self.say("error", reqId=request_id, code=code, text=text, advancedOrderRejectJson=advanced)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._send(data)

    @contextmanager
    def answering(self) -> Iterator[list[bytes]]:
        """Keep what is said meanwhile, instead of sending it."""
        outer, self._answer = self._answer, []
        try:
            yield self._answer
        finally:
            self._answer = outer

    def release(self) -> None:
        """Say what was held back."""
        held, self._held = self._held, None
        if held is not None:
            self._send(held)

    def _tell(self, data: bytes, stream: str) -> None:
        """Send an event, as the faults of streams let it through."""
        if not stream:
            self._send(data)
            return
        if self._plan.lasts(Fault.MUTE_STREAM):
            return
        if self._held is None and self._takes_reorder((stream,)):
            self._held = data
            return
        copies = 2 if self._plan.lasts(Fault.DUPLICATE_EVENT) else 1
        for _ in range(copies):
            self._send(data)
        self.release()

    def _takes_reorder(self, operations: Collection[str]) -> bool:
        return self._plan.take(operations, ON_STREAMS) is not None
