"""What the executor tells of its work, and how it reaches whoever asked."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.bounded_stream import BoundedStream
from bot_v2.orchestration.execution.settings import ExitPolicy
from bot_v2.orchestration.journal.watch_records import ExitCause
from bot_v2.shared.types import Clock

_LOGGER = logging.getLogger(__name__)


class EventKind(StrEnum):
    """What happened."""

    TAKEN = "taken"
    """The broker has the order, the cancel or the change."""
    REJECTED = "rejected"
    """The broker refused it."""
    NOT_SENT = "not_sent"
    """Nothing left this process."""
    RETRYING = "retrying"
    """Nothing left this process; it is sent again after a wait."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """It may have taken effect; evidence is being looked for."""
    ABSENT = "absent"
    """It is proven to have had no effect."""
    RESENDING = "resending"
    """It is proven to have had no effect, and is sent again under the same id."""
    QUARANTINED = "quarantined"
    """What was found does not tell: a person is asked."""
    ORDER_CHANGED = "order_changed"
    """News of a live order."""
    ORDER_ENDED = "order_ended"
    """An order ended, or more became known of its end."""
    FILL = "fill"
    """An execution was booked."""
    FOREIGN_ORDER = "foreign_order"
    """The account has a live order that was not placed here."""
    POSITION_DIFFERS = "position_differs"
    """A position is not what the executions make of it."""
    JOURNAL_FAILED = "journal_failed"
    """What was learnt could not be written down; it is found out anew at the next start."""
    ALARM = "alarm"
    """Something is dangerous, and a person should look at once."""
    EXIT_ALARM = "exit_alarm"
    """The exits of an entry, or of a pair, are not what they should be: see `alarm`."""
    EXIT_REPAIR = "exit_repair"
    """What the exit policy says is about to be sent."""


ALARMING: Final = frozenset(
    {
        EventKind.QUARANTINED,
        EventKind.POSITION_DIFFERS,
        EventKind.JOURNAL_FAILED,
        EventKind.ALARM,
        EventKind.EXIT_ALARM,
    }
)
"""What a person should know of."""


@attrs.frozen(kw_only=True)
class ExitAlarm:
    """Exits that are not what they should be, with everything that is known."""

    cause: ExitCause
    """What is wrong."""
    key: str
    """The cause with the orders concerned: what is told once."""
    client_order_id: str
    """The caller's id of the entry; of a pair without one, its group's id."""
    symbol: str
    """The product."""
    quantity: Decimal
    """How much has no stop, or was or would be closed too much, in order units."""
    entry: Order | None
    """The entry, as it was seen last. None: a pair that was placed without one."""
    order_ids: tuple[str, ...]
    """The exits that are wrong; empty: there is none where there should be one."""
    exits: tuple[Order, ...]
    """The exits, and what was placed in their stead, as they were seen last."""
    filled: Decimal
    """How much was filled of the entry, in order units; of a pair, how much it is to close."""
    closed: Decimal
    """How much of that is closed."""
    covered: Decimal
    """How much of the rest has a stop."""
    position: Decimal | None
    """The signed position in order units. None: the broker does not say."""
    policy: ExitPolicy
    """What is done about it."""
    since: datetime
    """When it was seen first."""
    at: datetime
    """When it was confirmed."""
    message: str
    """All this, for a person."""


@attrs.frozen(kw_only=True)
class ExecutionEvent:
    """Something that the executor did, or found out."""

    kind: EventKind
    """What happened."""
    at: datetime
    """When."""
    client_order_id: str | None = None
    """The caller's id of the order. None: it has none that we know of."""
    order_id: str | None = None
    """The broker's id of the order. None: not known."""
    order: Order | None = None
    """The order as it was seen. None: it was not."""
    fill: Fill | None = None
    """The execution. None: this is no fill."""
    alarm: ExitAlarm | None = None
    """What is wrong with the exits. None: this is no alarm of exits."""
    error: BrokerageError | None = None
    """What went wrong. None: nothing did."""
    message: str = ""
    """What happened, for a person."""


class EventStream(BoundedStream[ExecutionEvent]):
    """Events of an executor as they come."""


class EventBoard:
    """Gives each event to a callback and to the open streams.

    The callback is called in the thread that made the event, while an order may be under way: it
    should be quick. One that raises is logged, and changes nothing else.
    """

    def __init__(self, clock: Clock, listener: Callable[[ExecutionEvent], None] | None) -> None:
        """Start without streams."""
        self._clock = clock
        self._listener = listener
        self._streams: tuple[EventStream, ...] = ()
        self._lock = threading.Lock()

    def open_stream(self, queue_max: int) -> EventStream:
        """Return a stream of the events from now on."""
        stream = EventStream(self._clock, queue_max, self._forget)
        with self._lock:
            self._streams = (*self._streams, stream)
        return stream

    def _forget(self, stream: EventStream) -> None:
        with self._lock:
            self._streams = tuple(each for each in self._streams if each is not stream)

    def is_heard(self, kind: EventKind) -> bool:
        """Return whether anybody, or the log, would hear of an event."""
        return bool(
            kind in ALARMING
            or self._listener is not None
            or self._streams
            or _LOGGER.isEnabledFor(logging.DEBUG)
        )

    def publish(self, event: ExecutionEvent) -> None:
        """Tell an event to everybody, and log it."""
        level = logging.WARNING if event.kind in ALARMING else logging.DEBUG
        if _LOGGER.isEnabledFor(level):
            _LOGGER.log(
                level,
                "order %s (%s): %s %s",
                event.client_order_id,
                event.order_id or "no broker id",
                event.kind.value,
                event.message,
            )
        for stream in self._streams:
            stream.publish(event)
        if self._listener is None:
            return
        try:
            self._listener(event)
        except Exception:
            _LOGGER.exception("the listener failed on an execution event")
