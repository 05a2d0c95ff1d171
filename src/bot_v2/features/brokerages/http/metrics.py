"""One hook for whoever counts: told of each exchange, once, when it ended."""

from __future__ import annotations

import logging
from typing import Final, Protocol

import attrs

_LOGGER: Final = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class ExchangeRecord:
    """How one exchange went. Holds nothing secret, and few distinct values: fit for labels."""

    broker: str
    """The brokerage's name."""
    operation: str
    """The method of the brokerage."""
    endpoint: str
    """The class of endpoints; empty: the default."""
    method: str
    """The HTTP method."""
    host: str
    """Whom the request was for."""
    is_write: bool
    """Whether it could have an effect."""
    attempt: int
    """1 for the first; only reads have a second."""
    status: int | None
    """The HTTP status. None: no whole reply came."""
    error: str | None
    """The class of the error raised. None: a whole reply came."""
    began: bool
    """Whether a byte of the request may have left."""
    reused_connection: bool | None
    """Whether the connection was open before. None: there was none."""
    held_s: float
    """How long the quota held it back, in seconds."""
    elapsed_s: float
    """How long the exchange took, without that, in seconds."""
    sent_bytes: int
    """The size of the request's body."""
    received_bytes: int
    """The size of the reply's body, decompressed."""


class ExchangeObserver(Protocol):
    """Is told how each exchange went. Called in the thread of the exchange: be quick."""

    def exchange_ended(self, exchange: ExchangeRecord) -> None:
        """Take note. What it raises is logged, and changes nothing."""
        ...


def tell(observer: ExchangeObserver, exchange: ExchangeRecord) -> None:
    """Tell an observer, which must not be able to hide the outcome of a write."""
    try:
        observer.exchange_ended(exchange)
    except Exception:
        _LOGGER.exception("the observer of exchanges failed")
