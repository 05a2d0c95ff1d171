"""Sockets to brokers for what is not HTTP for long: with our TLS, and through the proxies."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    ConnectionError,
    InvalidFieldError,
    TimeoutError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.http.failures import TRANSPORT_ERRORS, is_timeout, meaning_of
from bot_v2.features.brokerages.http.pools import DEFAULT_PORTS
from bot_v2.features.brokerages.http.proxies import Proxy, proxy_for
from bot_v2.features.brokerages.http.redaction import safe_url

SCHEMES: Final = {"ws": "http", "wss": "https"}
"""What the environment and the ports go by, for each scheme of a WebSocket."""


def open_socket(
    url: str, call: Call, *, timeout_s: float, tls: Callable[[], ssl.SSLContext]
) -> socket.socket:
    """Return a socket to where a WebSocket is: connected, and for `wss` with TLS agreed.

    Args:
        url: `ws://…` or `wss://…`.
        call: what its errors say.
        timeout_s: how long each step may take, in seconds.
        tls: returns the context for TLS; asked for only where it is needed.

    Raises:
        ConnectionError, TimeoutError: there is none to be had.
        InvalidFieldError: the address or a proxy's cannot be used.
    """
    parts = urlsplit(url)
    scheme = SCHEMES.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise InvalidFieldError("url", safe_url(url), "ws://HOST[:PORT] or wss://HOST[:PORT]")
    host, port = parts.hostname, parts.port or DEFAULT_PORTS[scheme]
    proxy = proxy_for(scheme, host, port)
    connection = _connection(scheme, host, port, proxy, timeout_s, tls)
    try:
        connection.connect()
    except TRANSPORT_ERRORS as error:
        connection.close()
        raise error_of_socket(error, call, url) from error
    opened: socket.socket = connection.sock
    return opened


def _connection(
    scheme: str,
    host: str,
    port: int,
    proxy: Proxy | None,
    timeout_s: float,
    tls: Callable[[], ssl.SSLContext],
) -> HTTPConnection:
    options: dict[str, Any] = {"timeout": timeout_s}
    kind = HTTPConnection
    if scheme == "https":
        kind, options["ssl_context"] = HTTPSConnection, tls()
    if proxy is None:
        return kind(host, port, **options)
    through = proxy.address.scheme or "http"
    if through == "https":
        if scheme == "http":
            raise InvalidFieldError("HTTP_PROXY", "https://…", "an http proxy for ws addresses")
        options["proxy"] = proxy.address
        options["proxy_config"] = ProxyConfig(tls(), False, None, None)
    at = (proxy.address.host or "").strip("[]"), proxy.address.port or DEFAULT_PORTS[through]
    connection = kind(*at, **options)
    # Plain WebSockets are tunnelled, too: a proxy that forwards requests would not pass them on.
    connection.set_tunnel(host, port, proxy.headers, scheme=through)
    return connection


def error_of_socket(error: Exception, call: Call, url: str) -> BrokerageError:
    """Return what it means that a socket failed."""
    kind = TimeoutError if is_timeout(error) else ConnectionError
    context = call.context()
    context.setdefault("outcome", None)
    return kind(f"{call.broker}: {safe_url(url)}: {meaning_of(error)}", **context)
