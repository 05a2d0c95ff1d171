"""The transport in the shape of `requests.Session`, for vendor SDKs to use in place of theirs.

    client = VendorClient(...)
    client.session = RequestsSession(transport, broker="acme")
    with client.session.calling(Call(broker="acme", operation="place_order", is_write=True)):
        client.create_order(...)

What an SDK does with a reply is its own affair; the bytes stay on the response. What it may not do
is send a write again: a call that is a write lets one write leave.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import attrs

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    OrderOutcomeUnknownError,
    Outcome,
)
from bot_v2.features.brokerages.http.calls import SAFE_METHODS, Call, Reply
from bot_v2.features.brokerages.http.session_response import (
    DecodeJson,
    HttpStatusError,
    SessionResponse,
    StatusError,
    exact_json,
    refuse_given,
)
from bot_v2.features.brokerages.http.transport import HttpTransport

OnReply: TypeAlias = Callable[[Reply, Call], None]
"""Looks at each reply before the SDK does; what it raises goes past the SDK to the caller."""

_JSON_ENCODER: Final = json.JSONEncoder(allow_nan=False)
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


class _Scope:
    """One call of an adapter: what it is for, and whether its write has left."""

    __slots__ = ("call", "has_written", "owner")

    def __init__(self, call: Call, owner: object) -> None:
        self.call = call
        self.owner = owner
        self.has_written = False


_SCOPE: ContextVar[_Scope | None] = ContextVar("bot_v2_http_call", default=None)


class RequestsSession:
    """Sends an SDK's requests over our transport. Safe between threads.

    Args:
        transport: sends the requests; it is not closed with the session.
        broker: the brokerage's name, for requests outside of any call.
        decode_json: makes what `response.json()` returns. Give `lambda reply: reply` where the
            adapter decodes the bytes itself: most SDKs hand on what they get.
        on_reply: looks at each reply before the SDK does; raises to keep an SDK from handling an
            error its own way. None: nobody looks.
        status_error: makes what `raise_for_status` raises: `requests.HTTPError` for an SDK that
            catches it.
        headers: sent with each request that does not set them itself.
        timeout_s: how long a request may take in all, where the SDK says nothing, in seconds.
            None: as the transport is set.
    """

    def __init__(
        self,
        transport: HttpTransport,
        *,
        broker: str,
        decode_json: DecodeJson = exact_json,
        on_reply: OnReply | None = None,
        status_error: StatusError = HttpStatusError,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Prepare; nothing is sent yet."""
        self.headers: dict[str, str] = dict(headers or {})
        """What is sent with each request."""
        self._transport = transport
        self._broker = broker
        self._decode_json = decode_json
        self._on_reply = on_reply
        self._status_error = status_error
        self._timeout_s = timeout_s

    @contextmanager
    def calling(self, call: Call) -> Iterator[None]:
        """Say what the requests are for that this thread sends within the block.

        A call that is a write lets one write leave. Reads may be sent beside it: before it they are
        what it needs, after it they belong to it, and if they fail its outcome is unknown.
        """
        token = _SCOPE.set(_Scope(call, self))
        try:
            yield
        finally:
            _SCOPE.reset(token)

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | str | bytes | None = None,
        data: Mapping[str, Any] | Sequence[tuple[str, Any]] | str | bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
        timeout: float | tuple[float | None, float | None] | None = None,
        allow_redirects: bool = False,  # noqa: ARG002 - none is ever followed
        json: Any = None,
        **options: Any,
    ) -> SessionResponse:
        """Send a request as `requests` would, but for what the module says.

        Args:
            method: the HTTP method.
            url: absolute.
            params: fields of the query; None values are left out, sequences repeat their field.
            data: a form's fields, or the body itself.
            headers: beside the session's; None takes one of those away.
            timeout: seconds in all, or as (connect, read) their sum. None: as the session is set.
            allow_redirects: taken for the shape's sake: a redirect is an error.
            json: sent as JSON where there is no data.
            options: what else `requests` takes; refused where it asks for anything.

        Raises:
            BrokerageError: as `HttpTransport.send`, and what `on_reply` raises.
            OrderOutcomeUnknownError: the SDK tries to send a write again.
            UnsupportedOperationError: an option is given that would not be followed.
        """
        refuse_given(options)
        method = method.upper()
        body, content_type = _body(method, data, json)
        merged: dict[str, str | None] = {**self.headers, **(headers or {})}
        sent = {name: value for name, value in merged.items() if value is not None}
        if content_type and not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = content_type
        seconds = _seconds(timeout)
        reply = self._send(method, url, _encoded(params), sent, body, seconds or self._timeout_s)
        return SessionResponse(reply, self._decode_json, self._status_error)

    def _send(
        self,
        method: str,
        url: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float | None,
    ) -> Reply:
        scope = _SCOPE.get()
        # Another session's call within this thread is none of ours.
        if scope is None or scope.owner is not self:
            scope = _Scope(Call(broker=self._broker, operation=method.lower()), self)
        call = _call_of(scope, method)
        is_write = call.can_have_effect(method)
        if is_write and scope.has_written:
            raise OrderOutcomeUnknownError(
                f"{call.broker}: a second {method} was asked for within one write; only the first "
                "was sent",
                **scope.call.context(),
            )
        follows_write = scope.has_written
        scope.has_written |= is_write
        try:
            try:
                reply = self._transport.send(
                    call, method, url, query=query, headers=headers, body=body, timeout_s=timeout_s
                )
            except BrokerageError as error:
                if is_write and error.outcome is Outcome.NOT_SENT:
                    scope.has_written = False
                raise
            if self._on_reply is not None:
                self._on_reply(reply, call)
        except BrokerageError as error:
            if follows_write:
                # It is the write's caller who hears of it, and the write has left.
                raise OrderOutcomeUnknownError(
                    f"{call.broker}: a read after the write failed: {error.message}",
                    **scope.call.context(),
                ) from error
            raise
        return reply

    def get(self, url: str, params: Any = None, **options: Any) -> SessionResponse:
        """Send a GET; as `request`."""
        return self.request("GET", url, params=params, **options)

    def options(self, url: str, **options: Any) -> SessionResponse:
        """Send an OPTIONS; as `request`."""
        return self.request("OPTIONS", url, **options)

    def head(self, url: str, **options: Any) -> SessionResponse:
        """Send a HEAD; as `request`."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, data: Any = None, json: Any = None, **options: Any) -> SessionResponse:
        """Send a POST; as `request`."""
        return self.request("POST", url, data=data, json=json, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> SessionResponse:
        """Send a PUT; as `request`."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> SessionResponse:
        """Send a PATCH; as `request`."""
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> SessionResponse:
        """Send a DELETE; as `request`."""
        return self.request("DELETE", url, **options)

    def close(self) -> None:
        """Do nothing: the transport's owner closes it."""

    def __enter__(self) -> RequestsSession:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _call_of(scope: _Scope, method: str) -> Call:
    """Return what one request of a call is for: a write may need reads before and after it."""
    call = scope.call
    if call.is_write is not True or method not in SAFE_METHODS:
        return call
    return attrs.evolve(call, is_write=False, before_write=not scope.has_written)


def _body(method: str, data: Any, json_data: Any) -> tuple[bytes | None, str | None]:
    """Return the body and its type, encoded as `requests` does."""
    if data:
        if isinstance(data, bytes):
            return data, None
        if isinstance(data, str):
            return data.encode(), None
        return _encoded(data).encode(), _FORM
    # An empty object that an SDK adds to each GET says nothing, and some servers refuse it.
    if json_data is None or (method in SAFE_METHODS and not json_data):
        return None, None
    return _JSON_ENCODER.encode(json_data).encode(), _JSON


def _encoded(fields: Any) -> str:
    """Return the fields of a query or a form as text, encoded as `requests` does."""
    if not fields:
        return ""
    if isinstance(fields, bytes):
        return fields.decode("ascii")
    if isinstance(fields, str):
        return fields
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return urlencode([(name, value) for name, value in pairs if value is not None], doseq=True)


def _seconds(timeout: float | tuple[float | None, float | None] | None) -> float | None:
    """Return a time-out of `requests` as seconds in all."""
    if isinstance(timeout, tuple):
        return sum(part for part in timeout if part) or None
    return timeout
