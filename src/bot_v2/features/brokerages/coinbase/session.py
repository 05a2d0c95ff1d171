"""A session with Coinbase: asks, reads the answer, and says what went wrong."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, TypeAlias, TypeVar

import attrs

from bot_v2.features.brokerages.coinbase.client import CoinbaseClient
from bot_v2.features.brokerages.coinbase.decoding import decode
from bot_v2.features.brokerages.coinbase.error_table import Place
from bot_v2.features.brokerages.coinbase.errors import (
    NAME,
    error_of_malformed,
    error_of_reply,
)
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    ConnectionError,
    Outcome,
)
from bot_v2.features.brokerages.http.calls import Call, Reply

_N = TypeVar("_N")
_T = TypeVar("_T")

Query: TypeAlias = Mapping[str, str | Sequence[str]]

PageReader: TypeAlias = Callable[[_N, Reply], tuple[list[_T], str | None]]
"""Returns the items of a page, and where the next one is; None: it was the last."""


@attrs.frozen(kw_only=True)
class Opened:
    """What a login found out."""

    account_id: str
    """The account that the key is bound to."""
    perpetuals_id: str | None = None
    """The portfolio that holds the perpetuals. None: none does, or they are not enabled."""


class CoinbaseSession:
    """One key's session, bound to one account. Safe between threads.

    Args:
        client: sends the requests.
        place: in which table the API's errors are.
        page_max: how many pages of a list are read.
    """

    def __init__(self, client: CoinbaseClient, place: Place, page_max: int) -> None:
        """Prepare; nothing is sent yet."""
        self._client = client
        self._place = place
        self._page_max = page_max
        self._opened: Opened | None = None
        self._alive = False
        self._opening = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the session is not known to be dead."""
        return self._opened is not None and self._alive

    def open(self, login: Callable[[], Opened]) -> None:
        """Log in; harmless when that is done."""
        with self._opening:
            if not self.is_open:
                self._opened = login()
                self._alive = True

    def close(self) -> None:
        """Forget the session, and let the connections go."""
        with self._opening:
            self._opened = None
            self._alive = False
            self._client.close()

    def subscription(self) -> Mapping[str, str]:
        """Return what signs a message that subscribes to a stream."""
        return self._client.subscription()

    def tls(self) -> ssl.SSLContext:
        """Return the context for TLS that requests are made with."""
        return self._client.tls()

    def opened(self, operation: str) -> Opened:
        """Return what the login found out.

        Raises:
            ConnectionError: there is no session.
        """
        opened = self._opened
        if opened is None:
            self._refuse_unconnected(operation)
        return opened

    def account_id(self, operation: str) -> str:
        """Return the bound account; raises as `opened`."""
        return self.opened(operation).account_id

    def ask(
        self,
        call: Call,
        method: str,
        path: str,
        kind: type[_N],
        read: Callable[[_N, Reply], _T],
        *,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
        is_login: bool = False,
        timeout_s: float | None = None,
    ) -> _T:
        """Send one request, and return what its answer says.

        Args:
            call: what it is for.
            method: the HTTP method.
            path: without the query.
            kind: the wire record of the answer.
            read: makes of it what is returned; raises a BrokerageError where it is a refusal.
            query: the fields of the query.
            body: the body, as JSON.
            is_login: whether it may be asked without a session.
            timeout_s: how long it may take in all, in seconds. None: as the settings say.

        Raises:
            BrokerageError: what went wrong, and for a write whether it took effect.
        """
        if not is_login:
            self.opened(call.operation)
        try:
            reply = self._client.send(
                call, method, path, query=query, body=body, timeout_s=timeout_s
            )
            if not reply.is_success:
                raise error_of_reply(reply, call, self._place)
        except AuthenticationError:
            self._alive = False
            raise
        if self._opened is not None:
            self._alive = True
        try:
            return read(decode(reply.body, kind), reply)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise error_of_malformed(error, reply, call) from error

    def ask_all(
        self,
        call: Call,
        path: str,
        kind: type[_N],
        read: PageReader[_N, _T],
        *,
        query: Query | None = None,
        cursor_name: str = "cursor",
        is_login: bool = False,
    ) -> list[_T]:
        """Return every item of a list, from all of its pages.

        Raises:
            BrokerAPIError: the pages do not end.
        """
        found: list[_T] = []
        seen: set[str] = set()
        cursor: str | None = None
        for _ in range(self._page_max):
            page = {} if cursor is None else {cursor_name: cursor}
            items, cursor = self.ask(
                call, "GET", path, kind, read, query={**(query or {}), **page}, is_login=is_login
            )
            found.extend(items)
            if not cursor:
                return found
            if cursor in seen:
                raise self._unended(call, f"the page {cursor!r} comes again")
            seen.add(cursor)
        raise self._unended(
            call, f"more than {self._page_max} pages; raise the setting COINBASE_PAGE_MAX"
        )

    def _unended(self, call: Call, message: str) -> BrokerageError:
        context = call.context()
        context.setdefault("outcome", None)
        return BrokerAPIError(message, **context)

    def _refuse_unconnected(self, operation: str) -> NoReturn:
        raise ConnectionError(
            "not connected: call connect() first",
            broker=NAME,
            operation=operation,
            outcome=Outcome.NOT_SENT,
        )
