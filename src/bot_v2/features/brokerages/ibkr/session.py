"""A brokerage's share of a connection: asked from any thread, answered by the loop."""

from __future__ import annotations

import builtins
import threading
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import CancelledError
from typing import Any, TypeVar

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    InvalidRequestError,
    MissingDependencyError,
    Outcome,
    PermissionDeniedError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.errors import (
    NAME,
    LostError,
    NativeError,
    PacedError,
    error_of_connect,
    error_of_loss,
    error_of_malformed,
    error_of_pacing,
    error_of_read,
    error_of_silence,
    error_of_write,
)
from bot_v2.features.brokerages.ibkr.events import EventStream
from bot_v2.features.brokerages.ibkr.gateway import Gateway
from bot_v2.features.brokerages.ibkr.instruments import Instruments
from bot_v2.features.brokerages.ibkr.loop import LoopThread
from bot_v2.features.brokerages.ibkr.pace import HISTORY_LIMIT, HISTORY_PERIOD_S, Pace
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings, accepts_account
from bot_v2.features.brokerages.ibkr.streams import Hub
from bot_v2.features.brokerages.ibkr.wire import MalformedError
from bot_v2.shared.types import Clock

_T = TypeVar("_T")


@attrs.define(eq=False)
class Attempt:
    """One call while it is worked on."""

    call: Call
    """What it is for."""
    deadline: float
    """When it is given up, by the loop's clock."""
    gateway: Gateway
    """The connection."""
    instruments: Instruments
    """The contracts."""
    hub: Hub
    """Who listens."""
    was_sent: bool = False
    """Whether a message left that can have the effect."""

    def read(self, mapping: Callable[[], _T]) -> _T:
        """Return what a mapping makes of an answer.

        Raises:
            BrokerAPIError, OrderOutcomeUnknownError: the answer is not as documented.
        """
        try:
            return mapping()
        except (ValueError, ArithmeticError, IndexError, KeyError) as error:
            raise error_of_malformed(error, self.call, was_sent=self.was_sent) from error


class _Core:
    """What lives as long as a connection is wanted: the loop, and all that is bound to it."""

    def __init__(self, settings: IbkrSettings, clock: Clock) -> None:
        self.loop = LoopThread(f"{NAME}-{settings.client_id}")
        self.hub = Hub(clock, self.loop.post)
        self.gateway = Gateway(settings, self.hub)
        self.instruments = Instruments(self.gateway, settings.products_lifetime_s)
        self.history_pace = Pace(HISTORY_LIMIT, HISTORY_PERIOD_S)
        self.hub.attach(self.gateway, self.instruments)

    def stop(self) -> None:
        async def close() -> None:
            self.hub.stop()
            await self.gateway.end()

        self.loop.run(close)
        self.loop.stop()


class Link:
    """A login's connection, for the brokerages of its accounts. Safe between threads.

    Args:
        settings: where TWS is, and who the client is.
        clock: the present moment.
    """

    def __init__(self, settings: IbkrSettings, clock: Clock) -> None:
        """Open nothing yet."""
        self.settings = settings
        """Where TWS is."""
        self._clock = clock
        self._lock = threading.Lock()
        self._core: _Core | None = None
        self._users = 0

    @property
    def core(self) -> _Core | None:
        """What is open. None: nothing is wanted."""
        return self._core

    def acquire(self) -> _Core:
        """Want the connection."""
        with self._lock:
            if self._core is None:
                self._core = _Core(self.settings, self._clock)
            self._users += 1
            return self._core

    def release(self) -> None:
        """Want it no more; the last one to say so ends it."""
        with self._lock:
            self._users -= 1
            core = None
            if not self._users:
                core, self._core = self._core, None
        if core is not None:
            core.stop()


class IbkrSession:
    """One account's session. Safe between threads.

    Args:
        link: the login's connection.
        account_id: the account that is wanted. None: the only one of the login.
    """

    def __init__(self, link: Link, account_id: str | None) -> None:
        """Open nothing yet."""
        self.link = link
        """The login's connection."""
        self.streams: set[EventStream[Any]] = set()
        """The streams that are open on it; they end with it."""
        self._wanted = account_id
        self._bound: str | None = None
        self._opening = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the session is not known to be dead."""
        core = self.link.core
        return self._bound is not None and core is not None and core.gateway.is_open

    @property
    def bound(self) -> str | None:
        """The account. None: there is no session."""
        return self._bound

    def open(self, call: Call) -> None:
        """Connect, and bind the account; harmless where that is done.

        Raises:
            ConnectionError, TimeoutError: TWS cannot be reached.
            InvalidRequestError: the login has several accounts and none is chosen.
            PermissionDeniedError: it does not have the account, or it is of the other kind.
        """
        with self._opening:
            core = self.link.acquire()
            is_new = self._bound is None
            try:
                self._open(core, call)
            except BaseException:
                self.link.release()
                raise
            if not is_new:
                self.link.release()

    def _open(self, core: _Core, call: Call) -> None:
        async def connect() -> list[str]:
            await _connect(core.gateway, call, is_first=self._bound is None)
            return core.gateway.accounts

        accounts = core.loop.run(connect)
        self._bound = self._choose(accounts, call)

    def _choose(self, accounts: Sequence[str], call: Call) -> str:
        context = call.context()
        context["outcome"] = Outcome.NOT_SENT
        listed = ", ".join(accounts)
        if self._wanted is None and len(accounts) != 1:
            raise InvalidRequestError(
                f"the login has several accounts: set IBKR_ACCOUNT_ID to one of {listed}",
                **context,
            )
        chosen = self._wanted or accounts[0]
        if chosen not in accounts:
            raise PermissionDeniedError(
                f"the login has no account {chosen!r}; it has {listed}", **context
            )
        environment, port = self.link.settings.environment, self.link.settings.port
        if not accepts_account(environment, chosen):
            other = "live" if environment.value != "live" else "paper"
            raise PermissionDeniedError(
                f"the settings are for {environment.value} (port {port}), and {chosen!r} is a "
                f"{other} account: use the port of the other login, or set IBKR_ENVIRONMENT",
                **context,
            )
        return chosen

    def close(self) -> None:
        """End the session; the connection ends with the last session on it."""
        with self._opening:
            if self._bound is not None:
                self._bound = None
                for stream in list(self.streams):
                    stream.close()
                self.link.release()

    def account_id(self, operation: str) -> str:
        """Return the bound account.

        Raises:
            ConnectionError: there is no session.
        """
        bound = self._bound
        if bound is None:
            raise ConnectionError(
                "not connected: call connect() first",
                broker=NAME,
                operation=operation,
                outcome=Outcome.NOT_SENT,
            )
        return bound

    def run(
        self,
        call: Call,
        work: Callable[[Attempt], Awaitable[_T]],
        *,
        timeout_s: float | None = None,
    ) -> _T:
        """Do some work on the connection, which is opened again where it was lost.

        Args:
            call: what it is for.
            work: does it, in the loop.
            timeout_s: how long it may take in all. None: as the settings say.

        Raises:
            BrokerageError: what went wrong, and for a write whether it took effect.
        """
        self.account_id(call.operation)
        core = self.link.core
        if core is None:
            raise error_of_loss(call, was_sent=False)
        limit_s = timeout_s or self.link.settings.timeout_s
        attempts: list[Attempt] = []

        async def do() -> _T:
            await _connect(core.gateway, call, is_first=False)
            deadline = get_running_loop().time() + limit_s
            attempt = Attempt(call, deadline, core.gateway, core.instruments, core.hub)
            attempts.append(attempt)
            return await _guarded(attempt, work, limit_s)

        try:
            return core.loop.run(do)
        except CancelledError as error:
            # Another thread ended the session meanwhile.
            was_sent = any(attempt.was_sent for attempt in attempts)
            raise error_of_loss(call, was_sent=was_sent) from error


async def _guarded(
    attempt: Attempt, work: Callable[[Attempt], Awaitable[_T]], limit_s: float
) -> _T:
    call = attempt.call
    try:
        return await work(attempt)
    except BrokerageError:
        raise
    except NativeError as error:
        if attempt.was_sent and call.is_write:
            raise error_of_write(error, call) from error
        read = attrs.evolve(call, is_write=False, before_write=True) if call.is_write else call
        raise error_of_read(error, read) from error
    except PacedError as error:
        raise error_of_pacing(call, attempt.gateway.settings.requests_per_s) from error
    except builtins.TimeoutError as error:
        attempt.gateway.suspect()
        raise error_of_silence(call, limit_s, was_sent=attempt.was_sent) from error
    except (LostError, OSError) as error:
        raise error_of_loss(call, was_sent=attempt.was_sent) from error
    except MalformedError as error:
        raise error_of_malformed(error, call, was_sent=attempt.was_sent) from error


async def _connect(gateway: Gateway, call: Call, *, is_first: bool) -> None:
    settings = gateway.settings
    try:
        await gateway.open(is_first=is_first)
    except ImportError as error:
        raise MissingDependencyError(
            "ib_async is not installed: pip install 'bot-v2[ibkr]'",
            extra="ibkr",
            **call.context(),
        ) from error
    except (NativeError, LostError, OSError, MalformedError) as error:
        if gateway.is_over:
            raise error_of_loss(call, was_sent=False) from error
        where = f"TWS or IB Gateway at {settings.host}:{settings.port}"
        raise error_of_connect(error, call, where) from error


def refuse_lost_link(attempt: Attempt) -> None:
    """Refuse to send an order that TWS would keep, and send at a time of its own.

    Raises:
        BrokerUnavailableError: TWS has lost the broker's servers (1100).
    """
    if attempt.gateway.inbox.is_link_lost:
        context = attempt.call.context()
        context["outcome"] = Outcome.NOT_SENT
        context["code"] = "1100"
        raise BrokerUnavailableError(
            "TWS has lost its link to the broker: nothing was sent", **context
        )
