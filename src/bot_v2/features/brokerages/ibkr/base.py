"""The session, the products, and how a call is made."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, NoReturn, TypeVar

from bot_v2.features.brokerages.core.access import Access, ServerTime
from bot_v2.features.brokerages.core.declarations import Environment
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerUnavailableError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.errors import NAME
from bot_v2.features.brokerages.ibkr.inbox import TIME
from bot_v2.features.brokerages.ibkr.instruments import Instrument
from bot_v2.features.brokerages.ibkr.interruptions import interruptions_after
from bot_v2.features.brokerages.ibkr.session import Attempt, IbkrSession, Link
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings
from bot_v2.shared.types import Clock, IdSource

_T = TypeVar("_T")


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class IbkrBase:
    """The session and the products of an account.

    Args:
        settings: where TWS is, and who this client is.
        clock: the present moment.
        ids: makes client order ids where a request has none.
        link: the login's connection. None: one of its own.
    """

    name: Final = NAME

    def __init__(
        self, settings: IbkrSettings, *, clock: Clock, ids: IdSource, link: Link | None = None
    ) -> None:
        """Open nothing before `connect`."""
        self.settings = settings
        """How it is set up."""
        self.environment: Environment = settings.environment
        """What the login is for."""
        self._clock = clock
        self._ids = ids
        self._link = link or Link(settings, clock)
        self._session = IbkrSession(self._link, settings.account_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(environment={self.environment.value!r})"

    # The session.

    def connect(self) -> bool:
        """Connect to TWS, and bind the account."""
        self._session.open(self._call("connect"))
        return True

    def disconnect(self) -> None:
        """End the session; streams end."""
        self._session.close()

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead."""
        return self._session.is_open

    def check_health(self) -> BrokerHealth:
        """Ask TWS for the time; a connection that was lost is opened again."""
        started = time.perf_counter()
        problem = latency_s = None
        call = self._call("check_health")

        async def work(attempt: Attempt) -> None:
            await attempt.gateway.ask_alone(
                TIME, lambda client: client.ask_time(), attempt.deadline
            )
            if attempt.gateway.inbox.is_link_lost:
                raise BrokerUnavailableError(
                    "TWS has lost its link to the broker", **call.context()
                )

        try:
            self._session.run(call, work)
            latency_s = time.perf_counter() - started
        except BrokerageError as error:
            problem = error.message or type(error).__name__
        return BrokerHealth(
            connected=self.is_connected(),
            api_responsive=problem is None,
            last_check_timestamp=self._clock().timestamp(),
            error_message=problem,
            latency_s=latency_s,
        )

    def get_access(self) -> Access:
        """Return the clock of TWS, and what the broker has announced for the next day."""

        async def work(attempt: Attempt) -> ServerTime:
            asked_at = self._clock()
            reading = await attempt.gateway.ask_alone(
                TIME, lambda client: client.ask_time(), attempt.deadline
            )
            told = attempt.read(lambda: datetime.fromtimestamp(reading.rows[0], UTC))
            return ServerTime(told=told, asked_at=asked_at, heard_at=self._clock(), step_s=1.0)

        clock = self._session.run(self._call("get_access"), work)
        return Access(server_time=clock, interruptions=interruptions_after(self._clock()))

    def get_account_id(self) -> str:
        """Return the account that this brokerage is bound to."""
        return self._session.account_id("get_account_id")

    # Products.

    def get_products(self) -> list[Product]:
        """Refuse: the broker has no list of all that it trades."""
        call = self._call("get_products")
        self._session.account_id(call.operation)
        self._refuse(
            call,
            "the broker lists no products: ask for one with get_product, for a part of a name with "
            "list_symbol_matches, or for options with list_option_contracts",
        )

    def get_product(self, symbol: str) -> Product:
        """Return one product."""
        return self._on_instrument("get_product", symbol, _product_of)

    # How the adapter works.

    def _call(
        self,
        operation: str,
        *,
        is_write: bool = False,
        symbol: str | None = None,
        order_id: str | None = None,
        client_order_id: str | None = None,
    ) -> Call:
        return Call(
            broker=NAME,
            operation=operation,
            is_write=is_write,
            account_id=self._session.bound,
            symbol=symbol,
            order_id=order_id,
            client_order_id=client_order_id,
        )

    def _on_instrument(
        self,
        operation: str,
        symbol: str,
        work: Callable[[Attempt, Instrument], Awaitable[_T]],
        *,
        timeout_s: float | None = None,
    ) -> _T:
        """Do some work on the contract that a symbol means."""
        call = self._call(operation, symbol=symbol)

        async def find_and_work(attempt: Attempt) -> _T:
            return await work(attempt, await attempt.instruments.find(symbol, attempt.deadline))

        return self._session.run(call, find_and_work, timeout_s=timeout_s)

    def _refuse(self, call: Call, why: str) -> NoReturn:
        raise UnsupportedOperationError(why, **call.context())


async def _product_of(_: Attempt, instrument: Instrument) -> Product:
    return instrument.product
