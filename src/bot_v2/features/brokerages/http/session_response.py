"""A reply in the shape of `requests.Response`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import attrs

from bot_v2.features.brokerages.core.errors import UnsupportedOperationError
from bot_v2.features.brokerages.http.calls import Reply
from bot_v2.features.brokerages.http.redaction import safe_url

DecodeJson: TypeAlias = Callable[[Reply], Any]
"""Makes of a reply what `response.json()` returns."""


def exact_json(reply: Reply) -> Any:
    """Decode JSON; a number with a fraction or an exponent becomes a Decimal, never a float.

    Raises:
        ValueError: the body is no JSON.
    """
    return json.loads(reply.body, parse_float=Decimal)


class HttpStatusError(Exception):
    """What `raise_for_status` raises for a 4xx or 5xx.

    Attributes:
        response: the reply, in the shape of `requests`.
    """

    def __init__(self, message: str, *, response: SessionResponse) -> None:
        """State the status."""
        super().__init__(message)
        self.response = response


StatusError: TypeAlias = Callable[..., Exception]
"""Makes the error of a status, from a message and `response=`; as `requests.HTTPError` does."""


@attrs.frozen(kw_only=True, repr=False)
class SentRequest:
    """What an SDK may look at of a request that was sent."""

    method: str
    """The HTTP method."""
    url: str
    """The address, with the query."""


class SessionResponse:
    """A reply in the shape of `requests.Response`. Its repr shows neither headers nor body."""

    def __init__(self, reply: Reply, decode_json: DecodeJson, status_error: StatusError) -> None:
        """Wrap a reply."""
        self.reply = reply
        self._decode_json = decode_json
        self._status_error = status_error

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        return self.reply.status

    @property
    def reason(self) -> str:
        """The phrase beside the status."""
        return self.reply.reason

    @property
    def headers(self) -> Mapping[str, str]:
        """The reply's headers, looked up in any case."""
        return self.reply.headers

    @property
    def content(self) -> bytes:
        """The bytes of the body."""
        return self.reply.body

    @property
    def encoding(self) -> str:
        """The charset that the reply names, else UTF-8."""
        for part in self.reply.headers.get("Content-Type", "").split(";")[1:]:
            name, _, value = part.partition("=")
            if name.strip().lower() == "charset":
                return value.strip(" \"'")
        return "utf-8"

    @property
    def text(self) -> str:
        """The body as text; what cannot be decoded is replaced."""
        try:
            return self.reply.body.decode(self.encoding, errors="replace")
        except LookupError:
            return self.reply.body.decode(errors="replace")

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.reply.status < 400

    @property
    def url(self) -> str:
        """The address that was asked, with the query."""
        return self.reply.request.url

    @property
    def request(self) -> SentRequest:
        """What was sent."""
        return SentRequest(method=self.reply.request.method, url=self.reply.request.url)

    @property
    def elapsed(self) -> timedelta:
        """How long the exchange took."""
        return timedelta(seconds=self.reply.elapsed_s)

    def json(self, **options: Any) -> Any:
        """Return the body decoded, as the session was told to decode it.

        Raises:
            ValueError: the body is no JSON.
            UnsupportedOperationError: options for the decoder are given.
        """
        refuse_given(options)
        return self._decode_json(self.reply)

    def raise_for_status(self) -> None:
        """Raise the session's error of a status, if it is a 4xx or 5xx."""
        if self.ok:
            return
        whose = "Client" if self.reply.status < 500 else "Server"
        url = safe_url(self.reply.request.url)
        message = f"{self.reply.status} {whose} Error: {self.reply.reason} for url: {url}"
        raise self._status_error(message, response=self)

    def close(self) -> None:
        """Do nothing: the whole reply is here, and its connection is free."""

    def __bool__(self) -> bool:
        """Whether the status is below 400, as in `requests`."""
        return self.ok

    def __repr__(self) -> str:
        return f"<Response [{self.reply.status}]>"


def refuse_given(options: Mapping[str, Any]) -> None:
    """Refuse what would not be followed; what asks for nothing is let pass.

    Raises:
        UnsupportedOperationError: names the options.
    """
    # `verify=True` asks for what is done anyway; `verify=False` must not look as if it worked.
    given = sorted(
        name
        for name, value in options.items()
        if (value is not True if name == "verify" and value is not None else bool(value))
    )
    if given:
        raise UnsupportedOperationError(
            f"the session does not take {', '.join(given)}: the transport decides it"
        )
