"""One exchange: a request leaves by one connection, once, and a whole reply comes, or an error."""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import attrs
from urllib3.connection import HTTPConnection

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.http.calls import Call, Reply, Request
from bot_v2.features.brokerages.http.connections import WatchedConnection
from bot_v2.features.brokerages.http.failures import (
    ReplyTooLargeError,
    error_of_failure,
    error_of_unsendable,
)
from bot_v2.features.brokerages.http.metrics import ExchangeObserver, ExchangeRecord, tell
from bot_v2.features.brokerages.http.passage import Passage
from bot_v2.features.brokerages.http.pools import DEFAULT_PORTS, ConnectionPool, Origin
from bot_v2.features.brokerages.http.proxies import proxy_for
from bot_v2.features.brokerages.http.redaction import safe_body, safe_headers, safe_url
from bot_v2.features.brokerages.http.retry_after import retry_after_s
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.shared.types import Clock

_LOGGER: Final = logging.getLogger(__name__)

REQUEST_ID_HEADERS: Final = (
    "X-Request-Id",
    "Request-Id",
    "X-Correlation-Id",
    "X-Amzn-RequestId",
    "CF-Ray",
)
"""Headers in which brokers, and what stands before them, name a request; the first one counts."""


@attrs.frozen(kw_only=True)
class Attempt:
    """One try to send a request."""

    call: Call
    """What it is for."""
    request: Request
    """What is sent."""
    is_write: bool
    """Whether it can have an effect."""
    timeout_s: float
    """How long it may take in all, in seconds."""
    number: int = 1
    """Which try it is."""
    held_s: float = 0.0
    """How long it was held back, in seconds."""


class Exchanger:
    """Owns the connections, and sends one request at a time in each thread. Safe between threads.

    Args:
        settings: the bounds of every exchange.
        tls: returns the context for TLS.
        clock: reads dates in replies.
        observer: is told of each exchange. None: nobody is.
    """

    def __init__(
        self,
        settings: HttpSettings,
        tls: Callable[[], ssl.SSLContext],
        clock: Clock,
        observer: ExchangeObserver | None,
    ) -> None:
        """Prepare; nothing is opened yet."""
        self._settings = settings
        self._tls = tls
        self._clock = clock
        self._observer = observer
        self._pools: dict[Origin, ConnectionPool] = {}
        self._making = threading.Lock()

    def close(self) -> None:
        """Close the connections that are idle now, and the others when their exchanges end."""
        with self._making:
            for pool in self._pools.values():
                pool.close()

    def exchange(self, attempt: Attempt) -> Reply:
        """Send a request, once, and return the whole reply whatever its status.

        Raises:
            OrderOutcomeUnknownError: a byte of a write may have left, and no whole reply came.
            ConnectionError: no whole reply came; of a write, no byte left.
            TimeoutError: the same, as time ran out.
            InvalidFieldError: it cannot be written as HTTP, or the environment's proxy is wrong.
        """
        origin, target = _address_of(attempt.request.url)
        pool = self._pool(origin)
        settings = self._settings
        passage = Passage(
            timeout_s=attempt.timeout_s,
            connect_s=settings.connect_timeout_s,
            read_s=settings.read_timeout_s,
        )
        reused: bool | None = None
        reply: Reply | None = None
        failure: BrokerageError | None = None
        try:
            connection, reused = pool.take(passage)
            # Of a connection that is not ours nobody knows what it has sent.
            passage.began = not isinstance(connection, WatchedConnection)
            try:
                answer = self._converse(connection, pool, target, attempt.request, passage)
                reply = answer
            finally:
                pool.give(connection, reusable=reply is not None)
            return answer
        except Exception as error:  # noqa: BLE001 - after a byte left, whatever broke says nothing
            failure, cause = self._failure(error, attempt, passage)
            raise failure from cause
        finally:
            self._report(attempt, passage, reply, failure, reused)

    def _pool(self, origin: Origin) -> ConnectionPool:
        pool = self._pools.get(origin)
        if pool is None:
            proxy = proxy_for(*origin)
            with self._making:
                pool = self._pools.get(origin)
                if pool is None:
                    pool = self._pools[origin] = ConnectionPool(
                        origin,
                        proxy,
                        self._tls,
                        size=self._settings.connections_max,
                        idle_max_s=self._settings.idle_max_s,
                    )
        return pool

    def _converse(
        self,
        connection: HTTPConnection,
        pool: ConnectionPool,
        target: str,
        request: Request,
        passage: Passage,
    ) -> Reply:
        headers = request.headers
        if pool.extra_headers:
            headers = {**headers, **pool.extra_headers}
        most = self._settings.body_max_bytes
        target = pool.target_prefix + target
        if isinstance(connection, WatchedConnection) and request.method != "HEAD":
            wire = connection.converse(
                request.method, target, pool.host, headers, request.body, most
            )
            return self._reply(request, passage, *wire[:4])
        # A recorder's connection, or a reply that has a length and no body: the plain way.
        # A server that refuses early stops reading and answers: the answer counts.
        with suppress(BrokenPipeError):
            connection.request(
                request.method, target, body=request.body, headers=headers, preload_content=False
            )
        response = connection.getresponse()
        body = response.read(most + 1)
        if len(body) > most:
            raise ReplyTooLargeError(f"the reply is larger than {most} bytes")
        return self._reply(
            request, passage, response.status, response.reason or "", response.headers, body
        )

    def _reply(
        self,
        request: Request,
        passage: Passage,
        status: int,
        reason: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Reply:
        return Reply(
            status=status,
            reason=reason,
            headers=headers,
            body=body,
            elapsed_s=passage.elapsed_s,
            request_id=_request_id(headers),
            retry_after_s=retry_after_s(headers, self._clock),
            request=request,
        )

    def _failure(
        self, error: Exception, attempt: Attempt, passage: Passage
    ) -> tuple[BrokerageError, BaseException | None]:
        """Return what to raise, and its cause where that can be shown."""
        if isinstance(error, BrokerageError):
            # A mistake in the settings, found when the first connection was to be opened.
            return error, error.__cause__
        is_malformed = isinstance(error, http.client.InvalidURL | ValueError)
        if is_malformed and not isinstance(error, OSError) and not passage.began:
            return error_of_unsendable(attempt.call, is_write=attempt.is_write), None
        failure = error_of_failure(
            error, attempt.call, attempt.request, is_write=attempt.is_write, began=passage.began
        )
        return failure, error

    def _report(
        self,
        attempt: Attempt,
        passage: Passage,
        reply: Reply | None,
        failure: BrokerageError | None,
        reused: bool | None,
    ) -> None:
        request = attempt.request
        if _LOGGER.isEnabledFor(logging.DEBUG):
            _log(attempt, reply, failure, passage.elapsed_s)
        if self._observer is None:
            return
        call = attempt.call
        record = ExchangeRecord(
            broker=call.broker,
            operation=call.operation,
            endpoint=call.endpoint,
            method=request.method,
            host=urlsplit(request.url).hostname or "",
            is_write=attempt.is_write,
            attempt=attempt.number,
            status=reply.status if reply else None,
            error=type(failure).__name__ if failure else None,
            began=passage.began,
            reused_connection=reused,
            held_s=attempt.held_s,
            elapsed_s=passage.elapsed_s,
            sent_bytes=len(request.body or b""),
            received_bytes=len(reply.body) if reply else 0,
        )
        tell(self._observer, record)


@lru_cache(maxsize=512)
def _address_of(url: str) -> tuple[Origin, str]:
    """Return whom a request is for, and the path with the query."""
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Origin(parts.scheme, parts.hostname or "", port), target


def _request_id(headers: Mapping[str, str]) -> str | None:
    return next((value for name in REQUEST_ID_HEADERS if (value := headers.get(name))), None)


def _log(
    attempt: Attempt, reply: Reply | None, failure: BrokerageError | None, elapsed_s: float
) -> None:
    request = attempt.request
    _LOGGER.debug(
        "%s %s: %s %s %s %s -> %s in %.1f ms",
        attempt.call.broker,
        attempt.call.operation,
        request.method,
        safe_url(request.url),
        safe_headers(request.headers),
        safe_body(request.body),
        type(failure).__name__ if failure or reply is None else _shown(reply),
        elapsed_s * 1_000,
    )


def _shown(reply: Reply) -> str:
    return f"{reply.status} {safe_headers(reply.headers)} {safe_body(reply.body)}"
