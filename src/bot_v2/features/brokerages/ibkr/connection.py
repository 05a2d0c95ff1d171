"""A connection to TWS or IB Gateway: opened, looked at, lost and opened again.

Everything here wants to run in the loop of the brokerage.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import warnings
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from bot_v2.features.brokerages.ibkr.error_table import CLIENT_ID_IN_USE
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError
from bot_v2.features.brokerages.ibkr.inbox import OPEN_ORDERS, Inbox, Listener, Reading
from bot_v2.features.brokerages.ibkr.pace import Pace
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings

if TYPE_CHECKING:
    from bot_v2.features.brokerages.ibkr.sdk import GatewayClient

LIVE_DATA: Final = 1
DELAYED_DATA: Final = 3

AGAIN_S: Final = 0.05
"""How long until a client id that is still in use is asked for again, at first, in seconds."""

DRAIN_STEPS: Final = 3
"""How many turns of the loop what has arrived on a socket takes to be told."""


class Connection(ABC):
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
        self.is_over = False
        """Whether it was ended for good."""
        self._listener = listener
        self._pace = Pace(settings.requests_per_s)
        self._client: GatewayClient | None = None
        self._inbox: Inbox | None = None
        self._peek: socket.socket | None = None
        self._opening = asyncio.Lock()
        self._unanswered: set[str] = set()
        self._is_suspect = False

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
        if await self._is_alive() and not self._must_look:
            return
        async with self._opening:
            if await self._is_alive():
                if await self._is_good(self._deadline()):
                    return
                self._listener.on_gap("the connection to TWS is replaced", must_resubscribe=True)
            await self.close()
            # Anew: what was waited for on the old connection may have taken all of the time.
            deadline, wait_s = self._deadline(), AGAIN_S
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

    def _deadline(self) -> float:
        """Return when to give up what begins now."""
        return asyncio.get_running_loop().time() + self.settings.connect_timeout_s

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

    async def end(self) -> None:
        """End the connection for good: whoever opens it just now, or later, is refused."""
        self.is_over = True
        await self.close()

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
        if self.is_over:
            raise LostError
        sdk = load_sdk()
        loop, settings = asyncio.get_running_loop(), self.settings
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

    @abstractmethod
    async def _answers(self, deadline: float) -> bool:
        """Ask for a sign of life, and return whether it came."""

    async def _wait_for_writes(self, inbox: Inbox, deadline: float) -> None:
        """Wait until nothing that was sent waits for its answer, which would be lost."""
        loop = asyncio.get_running_loop()
        while waiting := [one.done for some in inbox.writes.values() for one in some]:
            left_s = deadline - loop.time()
            if left_s <= 0:
                return
            await asyncio.wait(waiting, timeout=left_s)
            await asyncio.sleep(0)


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
