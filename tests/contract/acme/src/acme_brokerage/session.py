"""A session with Acme: asks, reads the answer, and says what went wrong in the contract's words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn, TypeVar

from acme_brokerage.client import AcmeClient
from acme_brokerage.errors import (
    NAME,
    Call,
    error_of_malformed,
    error_of_reply,
    error_of_transport,
)
from acme_brokerage.wire import Fields, MaybeSentError, NotSentError, decode
from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    ConnectionError,
    InvalidRequestError,
    Outcome,
    Secret,
    SessionExpiredError,
)

_T = TypeVar("_T")


class AcmeSession:
    """One login, bound to one account. Safe between threads.

    Args:
        client: sends the requests.
        api_key: the credential; revealed only where it leaves for the broker.
        account: the account to be bound to. None: the only one.
        page_max: how many pages of a list are read.
    """

    def __init__(
        self, client: AcmeClient, api_key: Secret, account: str | None, page_max: int
    ) -> None:
        """Prepare; nothing is sent yet."""
        self._client = client
        self._api_key = api_key
        self._account = account
        self._page_max = page_max
        self._token: Secret | None = None
        self._bound: str | None = None
        self._opening = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the session is not known to be dead."""
        return self._token is not None

    def require_open(self, operation: str) -> None:
        """Refuse to go by what was read in a session that is over.

        Raises:
            ConnectionError: there is no session.
        """
        if self._token is None:
            self._refuse_unconnected(operation)

    def account_id(self, operation: str) -> str:
        """Return the bound account.

        Raises:
            ConnectionError: the session was never opened.
        """
        if self._bound is None:
            self._refuse_unconnected(operation)
        return self._bound

    def open(self) -> None:
        """Log in; harmless when that is done.

        Raises:
            AuthenticationError: the key is refused.
            InvalidRequestError: the key opens several accounts and none is chosen.
        """
        with self._opening:
            if self._token is None:
                call = Call(operation="connect")
                headers = {"X-Acme-Key": self._api_key.reveal()}
                token, accounts = self._send(
                    self._client, call, "POST", "/v1/session", _read_session, headers
                )
                self._bound = self._choose(accounts)
                self._token = token

    def _choose(self, accounts: list[str]) -> str:
        wanted = accounts[0] if self._account is None and len(accounts) == 1 else self._account
        if wanted is None or wanted not in accounts:
            raise InvalidRequestError(
                f"choose one of the accounts {', '.join(accounts)} by ACME_ACCOUNT",
                broker=NAME,
                operation="connect",
                account_id=self._account,
            )
        return wanted

    def close(self) -> None:
        """Log out, as far as the broker can still be told; harmless when that is done."""
        with self._opening:
            token, self._token = self._token, None
            if token is not None:
                # Where Acme cannot be told, the token is forgotten here, and expires there.
                with suppress(NotSentError, MaybeSentError):
                    self._client.call("DELETE", "/v1/session", headers=_session_headers(token))
            self._client.close()

    def ask(
        self,
        call: Call,
        method: str,
        path: str,
        read: Callable[[Fields], _T],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        client: AcmeClient | None = None,
    ) -> _T:
        """Send one request, once, and return what its answer says.

        Raises:
            BrokerageError: what went wrong, and for a write whether it took effect.
        """
        token = self._token
        if token is None:
            self._refuse_unconnected(call.operation)
        try:
            return self._send(
                client or self._client,
                call,
                method,
                path,
                read,
                _session_headers(token),
                query,
                body,
            )
        except SessionExpiredError:
            # Another thread may have logged in again meanwhile: only the dead token is dropped.
            if self._token is token:
                self._token = None
            raise

    def ask_all(
        self,
        call: Call,
        path: str,
        read: Callable[[Fields], _T],
        query: Mapping[str, str] | None = None,
    ) -> list[_T]:
        """Return every item of a list, from all of its pages.

        Raises:
            BrokerAPIError: the pages do not end.
        """
        found: list[_T] = []
        seen: set[str] = set()
        token: str | None = None

        def read_page(native: Fields) -> str | None:
            found.extend(read(Fields(item)) for item in native.items("items"))
            return native.text_or_none("next")

        for _ in range(self._page_max):
            page = {} if token is None else {"page": token}
            token = self.ask(call, "GET", path, read_page, query={**(query or {}), **page})
            if token is None:
                return found
            if token in seen:
                raise BrokerAPIError(f"the page {token!r} comes again", **call.context())
            seen.add(token)
        raise BrokerAPIError(
            f"more than {self._page_max} pages; raise the setting ACME_PAGE_MAX", **call.context()
        )

    def _send(
        self,
        client: AcmeClient,
        call: Call,
        method: str,
        path: str,
        read: Callable[[Fields], _T],
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> _T:
        try:
            reply = client.call(method, path, headers=headers, query=query, body=body)
        except (NotSentError, MaybeSentError) as error:
            raise error_of_transport(error, call) from error.__cause__
        if not reply.is_success:
            raise error_of_reply(reply, call)
        try:
            return read(Fields(decode(reply.body)))
        except ValueError as error:
            raise error_of_malformed(error, reply, call) from error

    def _refuse_unconnected(self, operation: str) -> NoReturn:
        raise ConnectionError(
            "not connected: call connect() first",
            broker=NAME,
            operation=operation,
            outcome=Outcome.NOT_SENT,
        )


def _session_headers(token: Secret) -> dict[str, str]:
    return {"X-Acme-Session": token.reveal()}


def _read_session(native: Fields) -> tuple[Secret, list[str]]:
    accounts = [str(account) for account in native.items("accounts")]
    return Secret(native.text("session")), accounts
