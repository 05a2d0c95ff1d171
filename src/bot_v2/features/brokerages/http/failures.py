"""What an exchange that got no whole reply means, in the contract's words."""

from __future__ import annotations

import builtins
import http.client
import ssl
from collections.abc import Mapping
from typing import Final

from urllib3 import exceptions as urllib3

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    ConnectionError,
    InvalidFieldError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    Outcome,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.http.calls import Call, Reply, Request
from bot_v2.features.brokerages.http.redaction import safe_url

TRANSPORT_ERRORS: Final = (OSError, http.client.HTTPException, urllib3.HTTPError)
"""What connecting, sending and reading fail with."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""Statuses that ask to send the request elsewhere."""

_TIMEOUTS: Final = (builtins.TimeoutError, urllib3.TimeoutError)

# The first class that fits says it.
_MEANINGS: Final[Mapping[type[Exception], str]] = {
    urllib3.NameResolutionError: "its name cannot be resolved",
    urllib3.NewConnectionError: "it does not take the connection",
    urllib3.ConnectTimeoutError: "it did not take the connection in time",
    ssl.SSLCertVerificationError: "its certificate is not to be trusted",
    ssl.SSLError: "TLS failed",
    urllib3.SSLError: "TLS failed",
    urllib3.ProxyError: "the proxy refused",
    urllib3.DecodeError: "the reply's compression is broken",
    urllib3.IncompleteRead: "the reply ended early",
    urllib3.ProtocolError: "the reply broke off",
    http.client.RemoteDisconnected: "it closed the connection without a reply",
    http.client.HTTPException: "the reply is not HTTP",
    builtins.ConnectionResetError: "it reset the connection",
    OSError: "the connection failed",
}


class ReplyTooLargeError(urllib3.HTTPError):
    """The reply is larger than what is read."""


def is_timeout(error: BaseException) -> bool:
    """Return whether time ran out."""
    return isinstance(error, _TIMEOUTS) and not isinstance(error, urllib3.NewConnectionError)


def can_be_repeated(error: BaseException) -> bool:
    """Return whether a read that failed so may do better the next time."""
    if isinstance(error.__cause__, ssl.SSLCertVerificationError | ReplyTooLargeError):
        return False
    return isinstance(error, ConnectionError | TimeoutError)


def error_of_failure(
    error: Exception, call: Call, request: Request, *, is_write: bool, began: bool
) -> BrokerageError:
    """Return what it means that no whole reply came.

    Args:
        error: what failed.
        call: what it was for.
        request: what was to be sent.
        is_write: whether it could have an effect.
        began: whether a byte of it may have left.
    """
    message = f"{call.broker}: {request.method} {safe_url(request.url)}: {meaning_of(error)}"
    context = call.context()
    if is_write and began:
        return OrderOutcomeUnknownError(message, **context)
    if is_write:
        context["outcome"] = Outcome.NOT_SENT
    kind = TimeoutError if is_timeout(error) else ConnectionError
    return kind(message, **context)


def meaning_of(error: Exception) -> str:
    """Return what failed, in words that quote nothing of what was sent."""
    if isinstance(error, ReplyTooLargeError):
        return str(error)
    if is_timeout(error):
        return f"no answer in time ({error})"
    meaning = next((text for kind, text in _MEANINGS.items() if isinstance(error, kind)), "")
    # An operating system's errors name the reason and no data; others may quote what was sent.
    reason = error.strerror if isinstance(error, OSError) and error.strerror else None
    return f"{meaning} ({reason or type(error).__name__})"


def error_of_unsendable(call: Call, *, is_write: bool) -> BrokerageError:
    """Return what it means that a request cannot be written as HTTP; it may hold a secret."""
    context = call.context()
    if not is_write and not call.before_write:
        context["outcome"] = None
    return InvalidFieldError(
        "request", Secret(""), "a method, an address and headers of printable ASCII", **context
    )


def error_of_redirect(reply: Reply, call: Call, *, is_write: bool) -> BrokerageError:
    """Return what a reply means that asks to send a signed request elsewhere."""
    location = safe_url(reply.headers.get("Location", ""))
    message = (
        f"{call.broker}: {reply.request.method} {safe_url(reply.request.url)} is redirected to "
        f"{location or 'nowhere'}; a signed request is not sent elsewhere: correct the address"
    )
    context = call.context()
    context["http_status"] = reply.status
    if is_write:
        return OrderOutcomeUnknownError(message, **context)
    context.setdefault("outcome", None)
    return InvalidRequestError(message, **context)


def error_of_rate_limit(reply: Reply, call: Call) -> RateLimitError:
    """Return what it means that a read was refused for too many calls to the end."""
    context = call.context()
    context["http_status"] = reply.status
    context["retry_after_s"] = reply.retry_after_s
    message = f"{call.broker}: {reply.request.method} {safe_url(reply.request.url)}: too many calls"
    return RateLimitError(message, **context)


def error_of_quota(call: Call, wait_s: float, *, is_write: bool) -> RateLimitError:
    """Return what it means that our own quota let no request leave."""
    context = call.context()
    context["retry_after_s"] = wait_s
    if is_write:
        context["outcome"] = Outcome.NOT_SENT
    message = f"{call.broker}: held back unsent, to keep the broker's limits"
    return RateLimitError(message, **context)
