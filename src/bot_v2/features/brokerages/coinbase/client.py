"""HTTP to Coinbase over the shared transport: addresses, signatures, and the broker's clock."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from bot_v2.features.brokerages.coinbase import wire
from bot_v2.features.brokerages.coinbase.decoding import decode, moment
from bot_v2.features.brokerages.coinbase.errors import NAME
from bot_v2.features.brokerages.coinbase.settings import ApiMode, CoinbaseSettings
from bot_v2.features.brokerages.coinbase.signing import HmacSigner, JwtSigner, Signer, Unsigned
from bot_v2.features.brokerages.core.errors import BrokerageError, MissingDependencyError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.http.quotas import Quota, Quotas
from bot_v2.features.brokerages.http.requests_session import RequestsSession
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from coinbase.rest import RESTClient

    from bot_v2.shared.types import Clock, IdSource

TIME_PATHS: Final = {ApiMode.ADVANCED: "/api/v3/brokerage/time", ApiMode.EXCHANGE: "/time"}

CANCELS: Final = "cancels"
"""The class of endpoints of cancels: nothing else uses up what they need."""

CANCEL_SHARE: Final = 5
"""One request in so many is kept for cancels."""

NOTICEABLE: Final = timedelta(seconds=2)
"""How far two clocks have to differ for a signature to be made again."""

UNAUTHORIZED: Final = 401

EXPIRED: Final = b"timestamp expired"
"""What the Exchange API says of a signature by another time; its status is 400."""

EXPIRED_WITHIN: Final = 200
"""How far into a reply that is looked for, in bytes."""


class CoinbaseClient:
    """Sends signed requests. Safe between threads.

    Args:
        settings: where the API is, and the credentials.
        clock: the present moment on this machine.
        make_nonce: makes the nonces of tokens. None: at random.
        transport: sends the bytes. None: one of its own.

    Raises:
        InvalidFieldError: a credential cannot be read.
    """

    def __init__(
        self,
        settings: CoinbaseSettings,
        clock: Clock,
        make_nonce: IdSource | None = None,
        transport: HttpTransport | None = None,
    ) -> None:
        """Read the credentials; nothing is sent yet."""
        self._settings = settings
        self._clock = clock
        self._signer = _signer_of(settings, make_nonce)
        self._base = settings.api_base
        self._host = urlsplit(settings.api_base).netloc
        self._make_transport: Callable[[], HttpTransport] = lambda: _transport_of(settings, clock)
        self._given = transport
        self._transport = transport
        self._opening = threading.Lock()
        self._offset = timedelta(0)

    def send(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send one signed request, a write at most once, and return the reply whatever its status.

        A read whose signature is refused is signed again where the broker's clock turns out to
        differ from the one that it was signed by.

        Raises:
            BrokerageError: no reply came; for a write it says whether it left.
        """
        reply = self._send(call, method, path, query, body, timeout_s)
        is_refused = reply.status == UNAUTHORIZED or EXPIRED in reply.body[:EXPIRED_WITHIN]
        if is_refused and not reply.is_success and self._learn_time():
            # A refused write is not sent again; the next one will be signed by the right time.
            if call.can_have_effect(method):
                return reply
            return self._send(call, method, path, query, body, timeout_s)
        return reply

    def _send(
        self,
        call: Call,
        method: str,
        path: str,
        query: Mapping[str, str | Sequence[str]] | None,
        body: Mapping[str, object] | None,
        timeout_s: float | None,
    ) -> Reply:
        asked = urlencode(query, doseq=True) if query else ""
        content = b"" if body is None else msgspec.json.encode(body)
        now = self._clock() + self._offset
        unsigned = Unsigned(method=method, host=self._host, path=path, query=asked, body=content)
        headers = dict(self._signer.headers(unsigned, now))
        if content:
            headers["Content-Type"] = "application/json"
        return self._open().send(
            call,
            method,
            f"{self._base}{path}?{asked}" if asked else f"{self._base}{path}",
            headers=headers,
            body=content or None,
            timeout_s=timeout_s or self._settings.timeout_s,
        )

    def subscription(self) -> Mapping[str, str]:
        """Return the fields of a message that subscribes to a stream: signed now, and for now."""
        return self._signer.subscription(self._clock() + self._offset)

    def tls(self) -> ssl.SSLContext:
        """Return the context for TLS that requests are made with."""
        return self._open().tls()

    def _learn_time(self) -> bool:
        """Ask for the broker's time, and return whether it differs from what was thought."""
        try:
            call = Call(broker=NAME, operation="check_health", is_write=False)
            url = f"{self._base}{TIME_PATHS[self._settings.mode]}"
            reply = self._open().send(call, "GET", url, timeout_s=self._settings.timeout_s)
            told = moment(decode(reply.body, wire.ServerTime).iso)
        except (BrokerageError, ValueError):
            return False
        offset = told - self._clock()
        differs = abs(offset - self._offset) > NOTICEABLE
        if differs:
            self._offset = offset
        return differs

    def native(self) -> RESTClient:
        """Return the vendor's client with our credentials, its requests sent by our transport.

        Raises:
            MissingDependencyError: the extra `coinbase` is not installed.
        """
        try:
            # Imported here: nothing else needs it, and it takes long.
            from coinbase.rest import RESTClient
        except ImportError as error:
            raise MissingDependencyError(
                "the vendor's client is not installed: pip install 'bot-v2[coinbase]'",
                extra="coinbase",
            ) from error
        settings = self._settings
        made = RESTClient(
            api_key=settings.api_key.reveal(),
            api_secret=settings.api_secret.reveal(),
            base_url=self._host,
            timeout=settings.timeout_s,
        )
        made.session = RequestsSession(self._open(), broker=NAME)
        return made

    def _open(self) -> HttpTransport:
        with self._opening:
            if self._transport is None:
                self._transport = self._make_transport()
            return self._transport

    def close(self) -> None:
        """Close the connections; a later request opens others."""
        with self._opening:
            if self._transport is not None and self._given is None:
                self._transport.close()
                self._transport = None


def _signer_of(settings: CoinbaseSettings, make_nonce: IdSource | None) -> Signer:
    if settings.mode is ApiMode.ADVANCED:
        return JwtSigner(settings.api_key, settings.api_secret, make_nonce)
    passphrase = settings.passphrase or Secret("")
    return HmacSigner(settings.api_key, settings.api_secret, passphrase)


def _transport_of(settings: CoinbaseSettings, clock: Clock) -> HttpTransport:
    cancels = max(1, settings.requests_per_s // CANCEL_SHARE)
    others = max(1, settings.requests_per_s - cancels)
    quotas = Quotas(
        {"": [Quota(others)], CANCELS: [Quota(cancels)]},
        scope=f"{NAME}:{settings.environment}:{settings.mode.value}",
        storage_url=settings.quota_storage_url,
    )
    bounds = HttpSettings(
        connect_timeout_s=min(5.0, settings.timeout_s),
        read_timeout_s=settings.timeout_s,
        total_timeout_s=settings.timeout_s,
        read_budget_s=settings.timeout_s,
    )
    return HttpTransport(bounds, quotas=quotas, clock=clock)
