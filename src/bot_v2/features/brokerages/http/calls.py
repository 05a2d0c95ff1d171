"""What is asked of a broker, and what it answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import ErrorContext, Outcome
from bot_v2.features.brokerages.http.redaction import safe_url

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that have no effect unless the call says that it is a write."""


@attrs.frozen(kw_only=True)
class Call:
    """What a request is for: what its errors say, which limits it uses, whether it may be repeated.

    Adapters make one for each request.
    """

    broker: str
    """The brokerage's name."""
    operation: str
    """The method of the brokerage, such as `place_order`."""
    is_write: bool | None = None
    """True: it can have the effect, and leaves at most once. False: it may be repeated, whatever
    its method. None: the HTTP method decides, and anything but GET, HEAD and OPTIONS is a write."""
    before_write: bool = False
    """True: a read that a write needs first. If it fails, the write was not sent."""
    endpoint: str = ""
    """The class of endpoints whose quotas it uses. Empty: the default class."""
    account_id: str | None = None
    """The account concerned. None: none yet."""
    symbol: str | None = None
    """The symbol concerned. None: not about one."""
    order_id: str | None = None
    """The broker's order id. None: not about an order that has one."""
    client_order_id: str | None = None
    """The caller's order id. None: not about an order of ours."""

    def can_have_effect(self, method: str) -> bool:
        """Return whether a request of this call is a write."""
        return method not in SAFE_METHODS if self.is_write is None else self.is_write

    def context(self) -> ErrorContext:
        """Return the facts that every error of this call carries."""
        context = ErrorContext(
            broker=self.broker,
            operation=self.operation,
            account_id=self.account_id,
            symbol=self.symbol,
            order_id=self.order_id,
            client_order_id=self.client_order_id,
        )
        if self.before_write:
            context["outcome"] = Outcome.NOT_SENT
        return context


@attrs.frozen(kw_only=True, repr=False)
class Request:
    """One HTTP request, ready to be sent. Its repr shows no query, header or body."""

    method: str
    """In capitals."""
    url: str
    """Absolute, with the query."""
    headers: Mapping[str, str]
    """As they are sent; the transport adds Host, Content-Length and its defaults."""
    body: bytes | None
    """As it is sent. None: no body."""

    def __repr__(self) -> str:
        return f"<Request {self.method} {safe_url(self.url)}>"


@attrs.frozen(kw_only=True, repr=False)
class Reply:
    """A whole reply, whatever its status. Its repr shows neither headers nor body."""

    status: int
    """The HTTP status."""
    reason: str
    """The phrase beside the status; often empty."""
    headers: Mapping[str, str]
    """Looked up in any case."""
    body: bytes
    """The bytes as the broker sent them, compression undone and nothing else."""
    elapsed_s: float
    """From handing over the first byte, or connecting, to the last byte of the reply."""
    request_id: str | None
    """The broker's id of the request, which its support desk asks for. None: it gave none."""
    retry_after_s: float | None
    """How long the broker asks to wait, in seconds. None: it does not say."""
    request: Request
    """What was asked."""

    @property
    def is_success(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    def __repr__(self) -> str:
        return f"<Reply {self.status}, {len(self.body)} bytes, to {self.request!r}>"
