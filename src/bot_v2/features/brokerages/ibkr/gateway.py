"""The connection to TWS or IB Gateway, asked and written to.

Everything here wants to run in the loop of the brokerage, and is bounded by a deadline of that
loop's clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bot_v2.features.brokerages.ibkr.connection import Connection
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError, PacedError
from bot_v2.features.brokerages.ibkr.inbox import (
    COMPLETED_ORDERS,
    OPEN_ORDERS,
    TIME,
    Feed,
    Listener,
    Reading,
)
from bot_v2.features.brokerages.ibkr.order_writes import Write
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings
from bot_v2.features.brokerages.ibkr.wire import MalformedError

if TYPE_CHECKING:
    from bot_v2.features.brokerages.ibkr.sdk import GatewayClient

Send: TypeAlias = "Callable[[GatewayClient, int], None]"
"""Sends something, by the client and a number."""

PROBE_SHARE: Final = 4
"""Into how many parts a timeout is cut, of which a sign of life may take one."""

_PERISHABLE: Final = frozenset({OPEN_ORDERS, COMPLETED_ORDERS})
"""The questions without a number whose answers are out of date when they come too late."""


class Gateway(Connection):
    """One client's connection, and what goes over it.

    Args:
        settings: where TWS is, and who the client is.
        listener: is told of orders and gaps.
    """

    def __init__(self, settings: IbkrSettings, listener: Listener) -> None:
        """Open nothing yet."""
        super().__init__(settings, listener)
        self.changing = asyncio.Lock()
        """Is held while an order is changed: refusals do not say of which of two changes."""
        self._slots: dict[str, asyncio.Lock] = {}

    def suspect(self) -> None:
        """Have the next use of the connection ask for a sign of life first."""
        self._is_suspect = True

    # Asking

    async def ask(self, send: Send, deadline: float) -> list[Any]:
        """Ask a question that has a number, and return what came of it.

        Args:
            send: sends it, by the client and the number.
            deadline: when to give up.

        Raises:
            NativeError, MalformedError, LostError, TimeoutError, PacedError: there is no answer.
        """
        await self._pace.take(deadline)
        inbox, client = self.inbox, self.client
        request_id = client.next_id()
        reading = inbox.reads[request_id] = Reading()
        try:
            send(client, request_id)
            async with asyncio.timeout_at(deadline):
                await reading.done
        except TimeoutError:
            self._is_suspect = True
            raise
        finally:
            inbox.reads.pop(request_id, None)
        return reading.rows

    async def ask_alone(
        self, name: str, send: Callable[[GatewayClient], None], deadline: float
    ) -> Reading:
        """Ask a question that has no number: one of a name at a time.

        An answer to an earlier one of that name, which came too late, would be taken for the answer
        to this one. After such a one the connection is therefore replaced first.

        Raises:
            NativeError, MalformedError, LostError, TimeoutError, PacedError: there is no answer.
        """
        lock = self._slots.setdefault(name, asyncio.Lock())
        async with asyncio.timeout_at(deadline):
            await lock.acquire()
        try:
            if name in self._unanswered:
                await self._replace(deadline)
            await self._pace.take(deadline)
            inbox, client = self.inbox, self.client
            reading = inbox.slots[name] = Reading()
            try:
                send(client)
                async with asyncio.timeout_at(deadline):
                    await reading.done
            except TimeoutError:
                self._unanswered.update({name} & _PERISHABLE)
                self._is_suspect = True
                raise
            except (NativeError, MalformedError):
                # What failed by words of no address may be answered all the same.
                self._unanswered.update({name} & _PERISHABLE)
                raise
            finally:
                if inbox.slots.get(name) is reading:
                    del inbox.slots[name]
        finally:
            lock.release()
        return reading

    async def _replace(self, deadline: float) -> None:
        """Open another connection, once no answer to a write is waited for on this one."""
        await self._wait_for_writes(self.inbox, deadline)
        self._listener.on_gap("the connection to TWS is replaced", must_resubscribe=True)
        await self.close()
        await self.open(is_first=False)

    async def _answers(self, deadline: float) -> bool:
        """Ask for a sign of life, and return whether it came."""
        loop = asyncio.get_running_loop()
        probe = min(deadline, loop.time() + self.settings.timeout_s / PROBE_SHARE)
        try:
            await self.ask_alone(TIME, lambda client: client.ask_time(), probe)
        except (LostError, TimeoutError, NativeError, MalformedError, PacedError):
            return False
        return True

    # Writing

    async def require_alive(self) -> None:
        """Look once more whether the other side is still there: nothing has left yet.

        Raises:
            LostError: it is not.
        """
        if not await self._is_alive():
            raise LostError

    @asynccontextmanager
    async def writing(self, writes: Sequence[Write]) -> AsyncIterator[GatewayClient]:
        """Give the client with which to send some writes; their answers are waited for inside.

        They are sent in the same turn of the loop, so that none of TWS's words is missed.
        """
        inbox = self.inbox
        for write in writes:
            inbox.writes.setdefault(write.order_id, []).append(write)
        try:
            yield self.client
        finally:
            for write in writes:
                some = inbox.writes.get(write.order_id, [])
                if write in some:
                    some.remove(write)
                if not some:
                    inbox.writes.pop(write.order_id, None)

    async def room(self, deadline: float, *, count: int = 1, is_urgent: bool = False) -> None:
        """Wait until so many messages may leave.

        Raises:
            PacedError: not before the deadline.
        """
        await self._pace.take(deadline, count=count, is_urgent=is_urgent)

    # Listening to a market

    @asynccontextmanager
    async def feeding(
        self,
        feed: Feed,
        send: Send,
        end: Send,
        deadline: float,
    ) -> AsyncIterator[int]:
        """Have somebody told of a market until the end of the block."""
        request_id = await self.subscribe(feed, send, deadline)
        try:
            yield request_id
        finally:
            self.unsubscribe(request_id, end)

    async def subscribe(self, feed: Feed, send: Send, deadline: float) -> int:
        """Have somebody told of a market from now on; return the number of the subscription."""
        await self._pace.take(deadline)
        inbox, client = self.inbox, self.client
        request_id = client.next_id()
        inbox.feeds[request_id] = feed
        send(client, request_id)
        return request_id

    def unsubscribe(self, request_id: int, end: Send) -> None:
        """Have nobody told any more."""
        with suppress(LostError):
            if self.inbox.feeds.pop(request_id, None) is not None:
                end(self.client, request_id)
