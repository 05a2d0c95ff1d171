"""HTTP to Alpaca over the shared transport: addresses, credentials, limits; and its own client.

The vendor's client is not on the path of any order or number: it sends a placement again after a
504, passes prices as floats, and has no time-out. It is offered for what the brokerage does not
cover (`native`), with its session replaced by the shared transport and its repetitions off.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from bot_v2.features.brokerages.alpaca.errors import NAME
from bot_v2.features.brokerages.alpaca.settings import AlpacaSettings
from bot_v2.features.brokerages.core.errors import MissingDependencyError
from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.http.quotas import Quota, Quotas
from bot_v2.features.brokerages.http.requests_session import RequestsSession
from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport

if TYPE_CHECKING:
    from bot_v2.shared.types import Clock

KEY_HEADER: Final = "APCA-API-KEY-ID"
SECRET_HEADER: Final = "APCA-API-SECRET-KEY"  # noqa: S105 - the header's name

CANCELS: Final = "cancels"
"""The class of endpoints of cancels: nothing else uses up what they need."""

DATA: Final = "data"
"""The class of endpoints of market data, which is counted apart."""

CANCEL_SHARE: Final = 5
"""One request in so many is kept for cancels."""

MINUTE_S: Final = 60


class Api(StrEnum):
    """Which of Alpaca's two APIs is asked."""

    TRADING = "trading"
    DATA = "data"


class AlpacaClient:
    """Sends requests with credentials. Safe between threads.

    Args:
        settings: where the APIs are, and the credentials.
        clock: the present moment.
        transport: sends the bytes. None: one of its own.
    """

    def __init__(
        self, settings: AlpacaSettings, clock: Clock, transport: HttpTransport | None = None
    ) -> None:
        """Prepare; nothing is sent yet."""
        self._settings = settings
        self._bases = {Api.TRADING: settings.api_base, Api.DATA: settings.data_base}
        self._headers = credentials(settings)
        self._headers_with_body = {**self._headers, "Content-Type": "application/json"}
        self._make_transport: Callable[[], HttpTransport] = lambda: _transport_of(settings, clock)
        self._given = transport
        self._transport = transport
        self._opening = threading.Lock()

    def send(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        api: Api = Api.TRADING,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Reply:
        """Send one request, a write at most once, and return the reply whatever its status.

        Raises:
            BrokerageError: no reply came; for a write it says whether it left.
        """
        url = f"{self._bases[api]}{path}"
        if query:
            url = f"{url}?{urlencode(query, doseq=True)}"
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        return self._open().send(
            call,
            method,
            url,
            headers=self._headers if content is None else self._headers_with_body,
            body=content,
            timeout_s=self._settings.timeout_s,
        )

    def native(self) -> Any:
        """Return the vendor's own client, made to send over the shared transport, once.

        Raises:
            MissingDependencyError: it is not installed.
        """
        try:
            from alpaca.trading.client import TradingClient  # imported here: it takes 0.6 s
        except ImportError as error:
            raise MissingDependencyError(
                "Alpaca's own client is needed for this: pip install 'bot-v2[alpaca]'",
                extra="alpaca",
            ) from error
        client: Any = TradingClient(
            self._settings.api_key.reveal(),
            self._settings.secret_key.reveal(),
            paper=self._settings.paper_trading,
            url_override=self._settings.api_base,
        )
        # It would post an order again after a 429 or a 504, up to three times.
        client._retry = 0
        client._session = RequestsSession(
            self._open(), broker=NAME, timeout_s=self._settings.timeout_s
        )
        return client

    def _open(self) -> HttpTransport:
        transport = self._transport
        if transport is not None:
            return transport
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


def credentials(settings: AlpacaSettings) -> dict[str, str]:
    """Return the headers that say who asks."""
    return {
        KEY_HEADER: settings.api_key.reveal(),
        SECRET_HEADER: settings.secret_key.reveal(),
        "Accept": "application/json",
    }


def _transport_of(settings: AlpacaSettings, clock: Clock) -> HttpTransport:
    cancels = max(1, settings.requests_per_min // CANCEL_SHARE)
    others = max(1, settings.requests_per_min - cancels)
    quotas = Quotas(
        {
            "": [Quota(others, MINUTE_S)],
            CANCELS: [Quota(cancels, MINUTE_S)],
            DATA: [Quota(settings.data_requests_per_min, MINUTE_S)],
        },
        # The broker counts by account; the key's id tells accounts apart, and is no secret.
        scope=f"{NAME}:{settings.environment}:{settings.api_key.reveal()}",
        storage_url=settings.quota_storage_url,
    )
    bounds = HttpSettings(
        connect_timeout_s=min(5.0, settings.timeout_s),
        read_timeout_s=settings.timeout_s,
        total_timeout_s=settings.timeout_s,
        read_budget_s=settings.timeout_s,
    )
    return HttpTransport(bounds, quotas=quotas, clock=clock)
