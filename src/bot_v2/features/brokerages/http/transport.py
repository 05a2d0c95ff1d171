"""Sends requests to brokers: a write at most once, a read again within a budget."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias
from urllib.parse import quote, urlencode, urlsplit

import stamina

from bot_v2.features.brokerages.core.errors import (
    ConnectionError,
    InvalidFieldError,
    Outcome,
)
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.http.calls import Call, Reply, Request
from bot_v2.features.brokerages.http.exchange import Attempt, Exchanger
from bot_v2.features.brokerages.http.failures import (
    REDIRECTS,
    can_be_repeated,
    error_of_quota,
    error_of_rate_limit,
    error_of_redirect,
)
from bot_v2.features.brokerages.http.metrics import ExchangeObserver
from bot_v2.features.brokerages.http.pools import DEFAULT_PORTS
from bot_v2.features.brokerages.http.quotas import QuotaExhaustedError, Quotas
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.tls import require_verifying, shared_tls_context
from bot_v2.shared.types import Clock

Query: TypeAlias = Mapping[str, str | Sequence[str]] | str
"""The fields of a query, where a sequence repeats its field; or all of it, encoded."""

Sign: TypeAlias = Callable[[], Mapping[str, str]]
"""Makes the headers that hold for one attempt only: a signature by the time, or by a nonce. It is
asked when the request is about to leave, after any wait."""

TOO_MANY: Final = 429
"""The status of a request that is refused because there were too many."""

REPEATED_STATUSES: Final = frozenset({TOO_MANY, 408, 425, 500, 502, 503, 504})
"""Statuses of a read that may do better the next time."""

# Everything that a path or a query may hold as it is; what is quoted already stays so.
_AS_IT_IS: Final = "!#$%&'()*+,/:;=?@[]~"


class _RepeatableReplyError(Exception):
    """A read was answered by a status that may be better the next time."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply


def _utc_now() -> datetime:
    return datetime.now(UTC)


class HttpTransport:
    """Sends requests over pooled connections. Safe between threads.

    A reply is returned whatever its status, but for two that no adapter can use: a redirect, and a
    read's 429 that outlasts the budget. Where no whole reply comes, the error of a write says
    NOT_SENT if no byte of it left, and is an OrderOutcomeUnknownError in every other case.

    Connections go through the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY,
    ALL_PROXY, NO_PROXY) when the first of an origin is opened.

    Args:
        settings: the bounds of every request. None: the defaults.
        quotas: holds requests back. None: none are.
        observer: is told of each exchange. None: nobody is.
        tls: the context for TLS; it must verify. None: the one that the process shares.
        clock: reads dates in Retry-After.
    """

    def __init__(
        self,
        settings: HttpSettings | None = None,
        *,
        quotas: Quotas | None = None,
        observer: ExchangeObserver | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Clock = _utc_now,
    ) -> None:
        """Prepare; nothing is opened yet.

        Raises:
            InvalidFieldError: the context for TLS does not verify.
        """
        self.settings = settings or HttpSettings()
        self._quotas = quotas
        self.tls = self._tls_source(tls)
        """Returns the context for TLS, for what goes to the same broker by other means."""
        self._exchanger = Exchanger(self.settings, self.tls, clock, observer)
        self._closed = threading.Event()
        self._defaults = (
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, deflate"),
            ("User-Agent", self.settings.user_agent),
        )

    def _tls_source(self, given: ssl.SSLContext | None) -> Callable[[], ssl.SSLContext]:
        if given is None:
            return lambda: shared_tls_context(self.settings.ca_file)
        verifying = require_verifying(given)
        return lambda: verifying

    def close(self) -> None:
        """Close every connection; what is under way ends first. Harmless when that is done."""
        self._closed.set()
        self._exchanger.close()

    def send(
        self,
        call: Call,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
        body: bytes | None = None,
        timeout_s: float | None = None,
        sign: Sign | None = None,
    ) -> Reply:
        """Send a request and return the whole reply, whatever its status.

        Args:
            call: what it is for; says whether it is a write.
            method: the HTTP method, in any case.
            url: absolute, http or https; may have a query.
            headers: as they are to be sent; Host and Content-Length are added.
            query: more fields for the query.
            body: as it is to be sent. None: no body.
            timeout_s: how long it may take in all, repetitions included, in seconds. None: the
                settings' `total_timeout_s` for a write, their `read_budget_s` for a read.
            sign: makes more headers just before each attempt. None: nothing changes with time.

        Raises:
            OrderOutcomeUnknownError: a byte of a write may have left, and no whole reply came, or
                a redirect.
            ConnectionError: no whole reply came; of a write, no byte left.
            TimeoutError: the same, as time ran out.
            RateLimitError: our quota held it back unsent, or the broker refused a read with 429
                and asks to wait longer than there is time.
            InvalidRequestError: the address or a header is not fit to be sent, or a read is
                redirected.
        """
        request = self._request(call, method, url, headers, query, body)
        is_write = call.can_have_effect(request.method)
        if self._closed.is_set():
            context = call.context()
            if is_write:
                context["outcome"] = Outcome.NOT_SENT
            raise ConnectionError(f"{call.broker}: the connections are closed", **context)
        if timeout_s is not None and not 0 < timeout_s < float("inf"):
            raise InvalidFieldError("timeout_s", timeout_s, "seconds, above zero", **call.context())
        if is_write:
            return self._send_once(call, request, timeout_s, sign)
        return self._send_repeatedly(call, request, timeout_s, sign)

    def _request(
        self,
        call: Call,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        query: Query | None,
        body: bytes | None,
    ) -> Request:
        _require_address(url, call)
        url = url.partition("#")[0]
        if query:
            encoded = query if isinstance(query, str) else urlencode(query, doseq=True)
            url = f"{url}{'&' if '?' in url else '?'}{encoded}"
        if not url.isascii() or " " in url:
            url = quote(url, safe=_AS_IT_IS)
        sent = dict(headers or {})
        named = {name.lower() for name in sent}
        sent |= {name: value for name, value in self._defaults if name.lower() not in named}
        return Request(method=method.upper(), url=url, headers=sent, body=body)

    def _send_once(
        self, call: Call, request: Request, timeout_s: float | None, sign: Sign | None
    ) -> Reply:
        settings = self.settings
        timeout_s = timeout_s or settings.total_timeout_s
        held_s = self._hold(call, min(settings.write_hold_s, timeout_s), is_write=True)
        attempt = Attempt(
            call=call,
            request=_signed(request, sign),
            is_write=True,
            timeout_s=timeout_s,
            held_s=held_s,
        )
        reply = self._exchanger.exchange(attempt)
        self._heed(call, reply)
        if reply.status in REDIRECTS:
            raise error_of_redirect(reply, call, is_write=True)
        return reply

    def _send_repeatedly(
        self, call: Call, request: Request, timeout_s: float | None, sign: Sign | None
    ) -> Reply:
        settings = self.settings
        deadline = time.monotonic() + (timeout_s or settings.read_budget_s)
        number = 0

        def send() -> Reply:
            nonlocal number
            number += 1
            held_s = self._hold(call, deadline - time.monotonic(), is_write=False)
            left_s = deadline - time.monotonic()
            attempt = Attempt(
                call=call,
                request=_signed(request, sign),
                is_write=False,
                timeout_s=min(settings.total_timeout_s, left_s),
                number=number,
                held_s=held_s,
            )
            reply = self._exchanger.exchange(attempt)
            self._heed(call, reply)
            if reply.status in REPEATED_STATUSES:
                raise _RepeatableReplyError(reply)
            return reply

        def wait_before_next(error: Exception) -> bool | float:
            left_s = deadline - time.monotonic()
            asked_s = (
                error.reply.retry_after_s if isinstance(error, _RepeatableReplyError) else None
            )
            if asked_s is not None:
                return asked_s if asked_s < left_s else False
            may_help = isinstance(error, _RepeatableReplyError) or can_be_repeated(error)
            return may_help and settings.retry_wait_max_s < left_s and not self._closed.is_set()

        try:
            reply = self._again(wait_before_next, send)
        except _RepeatableReplyError as refused:
            reply = refused.reply
            if reply.status == TOO_MANY:
                raise error_of_rate_limit(reply, call) from None
        if reply.status in REDIRECTS:
            raise error_of_redirect(reply, call, is_write=False)
        return reply

    def _again(
        self, wait_before_next: Callable[[Exception], bool | float], send: Callable[[], Reply]
    ) -> Reply:
        settings = self.settings
        caller = stamina.RetryingCaller(
            attempts=settings.read_attempts,
            timeout=None,  # the hook ends it: it knows the time that is left, and what is asked for
            wait_initial=settings.retry_wait_initial_s,
            wait_max=settings.retry_wait_max_s,
            wait_jitter=settings.retry_wait_initial_s,
        )
        return caller(wait_before_next, send)

    def _hold(self, call: Call, budget_s: float, *, is_write: bool) -> float:
        """Wait for the quota; return the seconds that it took."""
        if self._quotas is None:
            return 0.0
        try:
            return self._quotas.take(call.endpoint, budget_s)
        except QuotaExhaustedError as error:
            raise error_of_quota(call, error.wait_s, is_write=is_write) from None

    def _heed(self, call: Call, reply: Reply) -> None:
        """Let nothing else of the class leave while the broker asks for quiet."""
        if self._quotas is not None and reply.status == TOO_MANY and reply.retry_after_s:
            self._quotas.hold(call.endpoint, reply.retry_after_s)


def _signed(request: Request, sign: Sign | None) -> Request:
    """Return a request with the headers that hold for this moment only."""
    if sign is None:
        return request
    headers = {**request.headers, **sign()}
    return Request(method=request.method, url=request.url, headers=headers, body=request.body)


def _require_address(url: str, call: Call) -> None:
    """Refuse an address that is not absolute, or that holds a password.

    Raises:
        InvalidFieldError: says so, and shows nothing of the address.
    """
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        known = parts.scheme in DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
        # What parses the address drops line breaks and tabs without a word.
        fits = known and "@" not in parts.netloc and url.isprintable()
    except ValueError:
        fits = False
    if not fits:
        accepted = "http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH, without a password"
        raise InvalidFieldError("url", Secret(""), accepted, **call.context())
