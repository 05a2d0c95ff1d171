"""The connection to TWS or IB Gateway: opened, asked, written to, lost and opened again.

Everything here wants to run in the loop of the brokerage, and is bounded by a deadline of that
loop's clock.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bot_v2.features.brokerages.ibkr.error_table import CLIENT_ID_IN_USE
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError, PacedError
from bot_v2.features.brokerages.ibkr.inbox import (
    COMPLETED_ORDERS,
    OPEN_ORDERS,
    TIME,
    Feed,
    Inbox,
    Listener,
    Reading,
)
from bot_v2.features.brokerages.ibkr.order_writes import Write
from bot_v2.features.brokerages.ibkr.pace import Pace
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings
from bot_v2.features.brokerages.ibkr.wire import MalformedError

if TYPE_CHECKING:
    from bot_v2.features.brokerages.ibkr.sdk import GatewayClient

Send: TypeAlias = "Callable[[GatewayClient, int], None]"
"""Sends something, by the client and a number."""

LIVE_DATA: Final = 1
DELAYED_DATA: Final = 3

PROBE_SHARE: Final = 4
"""Into how many parts a timeout is cut, of which a sign of life may take one."""

AGAIN_S: Final = 0.05
"""How long until a client id that is still in use is asked for again, at first, in seconds."""

_PERISHABLE: Final = frozenset({OPEN_ORDERS, COMPLETED_ORDERS})
"""The questions without a number whose answers are out of date when they come too late."""

DRAIN_STEPS: Final = 3
"""How many turns of the loop what has arrived on a socket takes to be told."""


class Gateway:
    """One client's connection.

    Args:
        settings: where TWS is, and who the client is.
        listener: is told of orders and gaps.
    """

    def __init__(self, settings: IbkrSettings, listener: Listener) -> None:
        """Open nothing yet."""
        self.settings = settings
        """Where TWS is."""
        self.accounts: list[str] = []
        """The accounts of the login, as of the latest opening."""
        self.openings = 0
        """How often it was opened."""
        self._listener = listener
        self._pace: Pace | None = None
        self._client: GatewayClient | None = None
        self._inbox: Inbox | None = None
        self._peek: socket.socket | None = None
        self._opening: asyncio.Lock | None = None
        self._slots: dict[str, asyncio.Lock] = {}
        self._unanswered: set[str] = set()
        self._is_suspect = False
        self.changing = asyncio.Lock()
        """Is held while an order is changed: refusals do not say of which of two changes."""

    @property
    def is_open(self) -> bool:
        """Whether the connection is not known to be dead."""
        client = self._client
        return client is not None and client.isReady()

    @property
    def inbox(self) -> Inbox:
        """Who waits for what.

        Raises:
            LostError: there is no connection.
        """
        if self._inbox is None or not self.is_open:
            raise LostError
        return self._inbox

    @property
    def client(self) -> GatewayClient:
        """What sends.

        Raises:
            LostError: there is no connection.
        """
        if self._client is None or not self.is_open:
            raise LostError
        return self._client

    # Opening and closing

    async def open(self, *, is_first: bool) -> None:
        """Open the connection, unless it is; one that is dead, or does not answer, is replaced.

        Args:
            is_first: whether it is opened on request. False: again, after it was lost: then TWS may
                take a while to see that the client id is free.

        Raises:
            OSError, TimeoutError, NativeError, LostError: TWS cannot be reached, or will not have
                this client.
        """
        if self._opening is None:
            self._opening = asyncio.Lock()
        if await self._is_alive() and not self._must_look:
            return
        async with self._opening:
            deadline = asyncio.get_running_loop().time() + self.settings.connect_timeout_s
            if await self._is_alive():
                if await self._is_good(deadline):
                    return
                self._listener.on_gap("the connection to TWS is replaced", must_resubscribe=True)
            await self.close()
            wait_s = AGAIN_S
            while True:
                try:
                    await self._open(deadline)
                except NativeError as error:
                    left_s = deadline - asyncio.get_running_loop().time()
                    if is_first or error.code != CLIENT_ID_IN_USE or left_s < wait_s:
                        raise
                    await asyncio.sleep(wait_s)
                    wait_s *= 2
                else:
                    return

    @property
    def _must_look(self) -> bool:
        return self._is_suspect or (self._inbox is not None and self._inbox.is_broken)

    async def _is_good(self, deadline: float) -> bool:
        """Return whether an open connection can be trusted with the next question."""
        inbox = self._inbox
        if inbox is not None and inbox.is_broken:
            await self._wait_for_writes(inbox, deadline)
            return False
        if self._is_suspect and not await self._answers(deadline):
            return False
        self._is_suspect = False
        return True

    async def close(self) -> None:
        """End the connection; what waits for an answer gets none."""
        client, inbox = self._client, self._inbox
        self._client = self._inbox = None
        if self._peek is not None:
            self._peek.close()
            self._peek = None
        if client is not None:
            client.close()
        if inbox is not None:
            inbox.lose()
        self._unanswered.clear()
        self._is_suspect = False

    async def _open(self, deadline: float) -> None:
        sdk = load_sdk()
        loop, settings = asyncio.get_running_loop(), self.settings
        if self._pace is None:
            self._pace = Pace(settings.requests_per_s)
        inbox = Inbox(self._listener)
        client: GatewayClient = sdk.GatewayClient(inbox, lambda: self._lost(client))
        left_s = max(deadline - loop.time(), 0.0)
        opening = loop.create_task(client.open(settings.host, settings.port, settings.client_id))
        self._client, self._inbox = client, inbox
        try:
            waiting: tuple[asyncio.Future[Any], ...] = (opening, inbox.refused)
            await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if inbox.refused.done():
                inbox.refused.result()
            if not opening.done():
                raise TimeoutError
            self.accounts = opening.result()
            await self._prepare(client, inbox, deadline)
        except BaseException:
            opening.cancel()
            with suppress(Exception, asyncio.CancelledError):
                await opening
            await self.close()
            raise
        self.openings += 1

    async def _prepare(self, client: GatewayClient, inbox: Inbox, deadline: float) -> None:
        self._peek = client.socket.dup()
        self._peek.setblocking(False)
        client.choose_data(DELAYED_DATA if self.settings.allow_delayed else LIVE_DATA)
        # After its ids started anew, TWS may offer a number that an order of ours that lives has:
        # a placement under it would change that order.
        reading = inbox.slots[OPEN_ORDERS] = Reading()
        try:
            client.ask_own_orders()
            async with asyncio.timeout_at(deadline):
                await reading.done
        finally:
            inbox.slots.pop(OPEN_ORDERS, None)
        own = [
            one.order_id
            for one in reading.orders.values()
            if one.client_id == self.settings.client_id
        ]
        client.skip_ids(max(own, default=0) + 1)

    def _lost(self, client: GatewayClient) -> None:
        if client is not self._client:
            return
        inbox = self._inbox
        was_open = self._peek is not None
        self._client = self._inbox = None
        if self._peek is not None:
            self._peek.close()
            self._peek = None
        if inbox is not None:
            inbox.lose()
        self._unanswered.clear()
        self._is_suspect = False
        if was_open:
            self._listener.on_gap("the connection to TWS ended", must_resubscribe=True)

    async def _is_alive(self) -> bool:
        """Look whether the other side has ended the connection, though it was not told yet."""
        if not self.is_open or self._peek is None:
            return False
        told = _peeked(self._peek)
        if told is None:
            return True
        # Something has arrived, be it the end: it is told first.
        for _ in range(DRAIN_STEPS):
            await asyncio.sleep(0)
        return self._has_socket()

    def _has_socket(self) -> bool:
        client = self._client
        return client is not None and client.isReady() and client.socket is not None

    async def _answers(self, deadline: float) -> bool:
        """Ask for a sign of life, and return whether it came."""
        loop = asyncio.get_running_loop()
        probe = min(deadline, loop.time() + self.settings.timeout_s / PROBE_SHARE)
        try:
            await self.ask_alone(TIME, lambda client: client.ask_time(), probe)
        except (LostError, TimeoutError, NativeError, MalformedError, PacedError):
            return False
        return True

    # Asking

    async def ask(self, send: Send, deadline: float, *, is_snapshot: bool = False) -> list[Any]:
        """Ask a question that has a number, and return what came of it.

        Args:
            send: sends it, by the client and the number.
            deadline: when to give up.
            is_snapshot: whether what had come by the deadline will do.

        Raises:
            NativeError, MalformedError, LostError, TimeoutError, PacedError: there is no answer.
        """
        await self._room(deadline)
        inbox, client = self.inbox, self.client
        request_id = client.next_id()
        reading = inbox.reads[request_id] = Reading()
        try:
            send(client, request_id)
            async with asyncio.timeout_at(deadline):
                await reading.done
        except TimeoutError:
            if not is_snapshot:
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
            await self._room(deadline)
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

    async def _wait_for_writes(self, inbox: Inbox, deadline: float) -> None:
        """Wait until nothing that was sent waits for its answer, which would be lost."""
        waiting = [one.done for some in inbox.writes.values() for one in some]
        if waiting:
            left_s = deadline - asyncio.get_running_loop().time()
            await asyncio.wait(waiting, timeout=max(left_s, 0.0))

    async def _room(self, deadline: float, *, count: int = 1, is_urgent: bool = False) -> None:
        if self._pace is not None:
            await self._pace.take(deadline, count=count, is_urgent=is_urgent)

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
        await self._room(deadline, count=count, is_urgent=is_urgent)

    def suspect(self) -> None:
        """Have the next use of the connection ask for a sign of life first."""
        self._is_suspect = True

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
        await self._room(deadline)
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


def load_sdk() -> Any:
    """Import the vendor's client.

    What it imports in turn (numpy) sets warning filters, which are the process's, not ours.

    Raises:
        ImportError: it is not installed.
    """
    with warnings.catch_warnings():
        return importlib.import_module("bot_v2.features.brokerages.ibkr.sdk")


def _peeked(peek: socket.socket) -> bytes | None:
    """Return what has arrived on a socket, which stays there; empty: its end. None: nothing."""
    try:
        return peek.recv(1, socket.MSG_PEEK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""
