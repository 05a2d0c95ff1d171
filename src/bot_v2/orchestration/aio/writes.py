"""What is known of each write: whether it was sent, how it ended, and whether anybody heard of it.

A coroutine that is cancelled stops waiting; the call that it waited for does not stop. What becomes
of it is kept here, under the client order id, until somebody asks.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.shared.types import Clock

_LOGGER = logging.getLogger(__name__)

WriteResult: TypeAlias = OrderResult | tuple[OrderResult, OrderResult] | bool
"""What the writes of a brokerage return."""

HEARD_MAX: Final = 1_000
"""How many writes are remembered of which the caller heard."""

UNHEARD_MAX: Final = 10_000
"""How many are remembered of which nobody heard; one that gives way is logged as an error."""

_TRIM_EVERY: Final = 250


class WriteState(StrEnum):
    """How far a write has come."""

    WAITING = "waiting"
    """It waits for a thread: nothing was sent."""
    UNDER_WAY = "under_way"
    """It has begun, and it may take effect."""
    ENDED = "ended"
    """There is a result, or an error."""
    WITHDRAWN = "withdrawn"
    """It was cancelled before it began: nothing was sent, and nothing will be."""


@attrs.frozen(kw_only=True)
class WriteRecord:
    """One write, as far as it is known."""

    operation: str
    """The method: `place_order`, `cancel_order`, …"""
    client_order_ids: tuple[str, ...]
    """The client ids of the orders that it places; empty where it places none, or has none yet."""
    order_id: str | None
    """The order that it changes. None: it places one."""
    symbol: str | None
    """The product. None: the call does not name it."""
    asked_at: datetime
    """When it was asked for."""
    state: WriteState
    """How far it has come."""
    is_heard: bool
    """True: whoever asked for it, or asked what became of it, was told."""
    result: WriteResult | None
    """What it returned. None: it has not ended, or failed."""
    error: BaseException | None
    """What it raised. None: it has not ended, or succeeded."""


@attrs.frozen(kw_only=True)
class WriteSubject:
    """What a write is about."""

    operation: str
    client_order_ids: tuple[str, ...] = ()
    order_id: str | None = None
    symbol: str | None = None


class Write:
    """One write. Safe between threads."""

    def __init__(self, subject: WriteSubject, asked_at: datetime, ledger: WriteLedger) -> None:
        """Begin as one that waits."""
        self.subject = subject
        self._asked_at = asked_at
        self._ledger = ledger
        self._state = WriteState.WAITING
        self._is_heard = False
        self._is_abandoned = False
        self._result: WriteResult | None = None
        self._error: BaseException | None = None
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self._state in (WriteState.ENDED, WriteState.WITHDRAWN)

    @property
    def is_heard(self) -> bool:
        """Whether somebody was told what came of it."""
        return self._is_heard

    def record(self) -> WriteRecord:
        """Return what is known now."""
        with self._lock:
            return WriteRecord(
                **attrs.asdict(self.subject),
                asked_at=self._asked_at,
                state=self._state,
                is_heard=self._is_heard,
                result=self._result,
                error=self._error,
            )

    def run(self, call: Callable[[], WriteResult]) -> None:
        """Make the call, keep what comes of it, and tell whoever waits; raises nothing."""
        with self._lock:
            self._state = WriteState.UNDER_WAY
        result: WriteResult | None = None
        error: BaseException | None = None
        try:
            result = call()
        except BaseException as raised:  # noqa: BLE001 - told to whoever waits, whatever it is
            error = raised
        self._end(WriteState.ENDED, result, error)

    def withdraw(self) -> None:
        """Take note that it will never begin."""
        ids = self.subject.client_order_ids
        error = BrokerageError(
            "it was cancelled before it began: nothing was sent",
            operation=self.subject.operation,
            client_order_id=ids[0] if ids else None,
            order_id=self.subject.order_id,
            symbol=self.subject.symbol,
            outcome=Outcome.NOT_SENT,
        )
        with self._lock:
            self._is_heard = True
        self._end(WriteState.WITHDRAWN, None, error)

    def abandon(self) -> None:
        """Take note that the caller waits no more; what comes of it is then told to the ledger."""
        with self._lock:
            self._is_abandoned = True
            is_over = self.is_over
        if is_over:
            self._ledger.tell(self)

    def hear(self) -> None:
        """Take note that somebody was told what came of it."""
        with self._lock:
            self._is_heard = True
        self._ledger.trim()

    def value(self) -> WriteResult:
        """Return what it returned, or raise what it raised; it is over."""
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise InvalidRequestError("the write is not over", operation=self.subject.operation)
        return self._result

    @property
    def rank(self) -> int:
        """How much it says of its order: that it was placed, that nobody knows, that it was not."""
        if self._error is None:
            return 2
        return 1 if isinstance(self._error, OrderOutcomeUnknownError) else 0

    async def wait(self) -> None:
        """Wait until it is over; to cancel this changes nothing."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self.is_over:
                return
            self._waiters.append((loop, future))
        await future

    def _end(
        self, state: WriteState, result: WriteResult | None, error: BaseException | None
    ) -> None:
        with self._lock:
            self._state, self._result, self._error = state, result, error
            waiters, self._waiters = self._waiters, []
            is_abandoned = self._is_abandoned
        for loop, future in waiters:
            wake(loop, future)
        if is_abandoned:
            self._ledger.tell(self)


def wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """End a wait in a loop, from any thread; a loop that is closed has nobody left who waits."""
    try:
        loop.call_soon_threadsafe(_settle, future)
    except RuntimeError:
        return


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class WriteLedger:
    """The writes of one brokerage, the latest ones and those that nobody has heard of.

    Args:
        clock: says when each was asked for.
        on_outcome: called, in the thread that made the call, when a write has ended whose caller
            was cancelled. What it raises is logged.
    """

    def __init__(
        self, clock: Clock, on_outcome: Callable[[WriteRecord], None] | None = None
    ) -> None:
        """Start empty."""
        self._clock = clock
        self._on_outcome = on_outcome
        self._writes: dict[Write, None] = {}
        self._trim_at = HEARD_MAX + _TRIM_EVERY
        self._lock = threading.Lock()

    def open(self, subject: WriteSubject) -> Write:
        """Take note of a write that is asked for."""
        write = Write(subject, self._clock(), self)
        with self._lock:
            self._writes[write] = None
        return write

    def forget(self, write: Write) -> None:
        """Take a write off the books."""
        with self._lock:
            self._writes.pop(write, None)

    def writes(self) -> list[Write]:
        """Return all that are remembered, oldest first."""
        with self._lock:
            return list(self._writes)

    def unheard(self) -> list[Write]:
        """Return those of which nobody heard what came of them, those under way among them."""
        return [write for write in self.writes() if not write.is_heard]

    def under(self, client_order_id: str) -> list[Write]:
        """Return those that place an order under an id, oldest first.

        Raises:
            InvalidRequestError: none is remembered.
        """
        found = [one for one in self.writes() if client_order_id in one.subject.client_order_ids]
        if not found:
            raise InvalidRequestError(
                "no write under that client order id is remembered here",
                client_order_id=client_order_id,
            )
        return found

    def tell(self, write: Write) -> None:
        """Say that a write has ended whose caller waits no more."""
        record = write.record()
        _LOGGER.warning(
            "%s %s ended with nobody waiting: %s",
            record.operation,
            " ".join(record.client_order_ids) or record.order_id or record.symbol or "",
            _shown(record),
        )
        self.trim()
        if self._on_outcome is None:
            return
        try:
            self._on_outcome(record)
        except BaseException:
            _LOGGER.exception("whoever listens for outcomes failed")

    def trim(self) -> None:
        """Let the oldest go where there are too many; one that is not over stays."""
        with self._lock:
            # All of them are walked, so not at each write.
            if len(self._writes) < self._trim_at:
                return
            heard = [one for one in self._writes if one.is_heard and one.is_over]
            unheard = [one for one in self._writes if not one.is_heard and one.is_over]
            dropped = unheard[: max(0, len(unheard) - UNHEARD_MAX)]
            for one in (*heard[: max(0, len(heard) - HEARD_MAX)], *dropped):
                del self._writes[one]
            self._trim_at = max(HEARD_MAX, len(self._writes)) + _TRIM_EVERY
        for one in dropped:
            _LOGGER.error("nobody asked what came of %s", one.record())


def _shown(record: WriteRecord) -> str:
    if record.error is not None:
        return f"{type(record.error).__name__}: {record.error}"
    return "accepted" if record.result else "it had already ended"


def best_of(writes: list[Write]) -> Write:
    """Return which of several writes under one id says what became of the order; all are over."""
    return max(enumerate(writes), key=lambda pair: (pair[1].rank, pair[0]))[1]
