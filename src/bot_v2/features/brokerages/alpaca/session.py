"""A session with Alpaca: asks, reads the answer, and says what went wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, TypeVar

from bot_v2.features.brokerages.alpaca.client import AlpacaClient, Api
from bot_v2.features.brokerages.alpaca.errors import NAME, error_of_malformed, error_of_reply
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    ConnectionError,
    Outcome,
)
from bot_v2.features.brokerages.http.calls import Call, Reply

_T = TypeVar("_T")

Query: TypeAlias = Mapping[str, str | Sequence[str]]

PageReader: TypeAlias = Callable[[Reply], tuple[list[_T], str | None]]
"""Returns the items of a page, and the token of the next one; None: it was the last."""

PAGE_TOKEN = "page_token"  # noqa: S105 - the field's name


class AlpacaSession:
    """One key's session, bound to one account. Safe between threads.

    Args:
        client: sends the requests.
        page_max: how many pages of a list are read.
    """

    def __init__(self, client: AlpacaClient, page_max: int) -> None:
        """Prepare; nothing is sent yet."""
        self._client = client
        self._page_max = page_max
        self._account_id: str | None = None
        self._alive = False
        self._opening = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the session is not known to be dead."""
        return self._account_id is not None and self._alive

    def open(self, login: Callable[[], str]) -> None:
        """Log in, which returns the account; harmless when that is done."""
        with self._opening:
            if not self.is_open:
                self._account_id = login()
                self._alive = True

    def close(self) -> None:
        """Forget the session, and let the connections go."""
        with self._opening:
            self._account_id = None
            self._alive = False
            self._client.close()

    def native(self) -> Any:
        """Return the vendor's own client over the same connections."""
        return self._client.native()

    def account_id(self, operation: str) -> str:
        """Return the bound account.

        Raises:
            ConnectionError: there is no session.
        """
        account_id = self._account_id
        if account_id is None:
            self._refuse_unconnected(operation)
        return account_id

    def ask(
        self,
        call: Call,
        method: str,
        path: str,
        read: Callable[[Reply], _T],
        *,
        api: Api = Api.TRADING,
        query: Query | None = None,
        body: Mapping[str, object] | None = None,
        is_login: bool = False,
    ) -> _T:
        """Send one request, and return what its answer says.

        Args:
            call: what it is for.
            method: the HTTP method.
            path: without the query.
            read: makes of the reply what is returned; raises a BrokerageError for a refusal.
            api: which of the two APIs.
            query: the fields of the query.
            body: the body, as JSON.
            is_login: whether it may be asked without a session.

        Raises:
            BrokerageError: what went wrong, and for a write whether it took effect.
        """
        if not is_login:
            self.account_id(call.operation)
        reply = self._client.send(call, method, path, api=api, query=query, body=body)
        if not reply.is_success:
            error = error_of_reply(reply, call)
            if isinstance(error, AuthenticationError) and api is Api.TRADING:
                self._alive = False
            raise error
        if self._account_id is not None:
            self._alive = True
        try:
            return read(reply)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise error_of_malformed(error, reply, call) from error

    def ask_all(
        self,
        call: Call,
        path: str,
        read: PageReader[_T],
        *,
        api: Api = Api.TRADING,
        query: Query | None = None,
    ) -> list[_T]:
        """Return every item of a list, from all of its pages.

        Raises:
            BrokerAPIError: the pages do not end.
        """
        found: list[_T] = []
        seen: set[str] = set()
        token: str | None = None
        for _ in range(self._page_max):
            page = {} if token is None else {PAGE_TOKEN: token}
            items, token = self.ask(
                call, "GET", path, read, api=api, query={**(query or {}), **page}
            )
            found.extend(items)
            if not token:
                return found
            if token in seen:
                raise self.unended(call, f"the page {token!r} comes again")
            seen.add(token)
        raise self.too_many_pages(call)

    def too_many_pages(self, call: Call) -> BrokerageError:
        """Return the error of a list that has more pages than are read."""
        return self.unended(
            call, f"more than {self._page_max} pages; raise the setting ALPACA_PAGE_MAX"
        )

    def unended(self, call: Call, message: str) -> BrokerageError:
        """Return the error of a list that does not end."""
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
