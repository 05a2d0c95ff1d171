"""What TWS's answers and silences mean to a caller: the table, and the law of outcomes. Pure."""

from __future__ import annotations

import builtins
from typing import Final

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerAPIError,
    ConnectionError,
    InvalidSymbolError,
    ModifyRejectedError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr.error_table import (
    CLIENT_ID_IN_USE,
    HISTORY,
    PACING,
    Sense,
    kind_of_refusal,
    row_of,
)
from bot_v2.features.brokerages.ibkr.wire import MalformedError

NAME: Final = "ibkr"

RATE_WAIT_S: Final = 1.0
"""How long to wait once too many messages were sent in a second."""

PACING_WAIT_S: Final = 600.0
"""How long to wait, at most, once too much history was asked for."""


class NativeError(Exception):
    """TWS answered with an error."""

    def __init__(self, code: int, text: str) -> None:
        """Keep its code and its words."""
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class LostError(Exception):
    """The connection ended while an answer was waited for."""


class PacedError(Exception):
    """There is no room among the messages of a second in time."""


def error_of_read(error: NativeError, call: Call) -> BrokerageError:
    """Return what an error means that answers a question."""
    row = row_of(error.code)
    context = call.context()
    context["code"] = str(error.code)
    context.setdefault("outcome", None)
    message = f"TWS answers {error.code}: {error.text}"
    if error.code == HISTORY and PACING in error.text.lower():
        context["retry_after_s"] = PACING_WAIT_S
        return RateLimitError(message, **context)
    kind = BrokerAPIError if row is None else kind_of_refusal(row, error.text)
    if issubclass(kind, RateLimitError):
        context["retry_after_s"] = RATE_WAIT_S
    if issubclass(kind, OrderRejectedError) or (
        issubclass(kind, InvalidSymbolError) and call.symbol is None
    ):
        kind = BrokerAPIError
    return kind(message, **context)


def error_of_write(error: NativeError, call: Call) -> BrokerageError:
    """Return what an error means that answers an order, a change or a cancel."""
    row = row_of(error.code)
    context = call.context()
    context["code"] = str(error.code)
    message = f"TWS answers {error.code}: {error.text}"
    if row is None or row.sense is not Sense.REFUSAL:
        return OrderOutcomeUnknownError(message, **context)
    context["outcome"] = Outcome.REJECTED
    if call.operation == "modify_order":
        return ModifyRejectedError(message, **context)
    kind = kind_of_refusal(row, error.text)
    if issubclass(kind, OrderRejectedError):
        return kind(message, reason=error.text, **context)
    return kind(message, **context)


def error_of_loss(call: Call, *, was_sent: bool) -> BrokerageError:
    """Return what it means that the connection ended."""
    message = "the connection to TWS ended"
    if was_sent and call.is_write:
        return OrderOutcomeUnknownError(f"{message} before it answered", **call.context())
    context = call.context()
    context.setdefault("outcome", Outcome.NOT_SENT if call.is_write else None)
    return ConnectionError(message, **context)


def error_of_silence(call: Call, timeout_s: float, *, was_sent: bool) -> BrokerageError:
    """Return what it means that no answer came in time."""
    message = f"TWS gave no answer within {timeout_s:g} s"
    if was_sent and call.is_write:
        return OrderOutcomeUnknownError(message, **call.context())
    context = call.context()
    context.setdefault("outcome", Outcome.NOT_SENT if call.is_write else None)
    return TimeoutError(message, **context)


def error_of_pacing(call: Call, per_second: int) -> BrokerageError:
    """Return what it means that there was no room among the messages of a second."""
    context = call.context()
    context.setdefault("outcome", Outcome.NOT_SENT if call.is_write else None)
    context["retry_after_s"] = RATE_WAIT_S
    return RateLimitError(
        f"no room among {per_second} messages a second in time; nothing was sent", **context
    )


def error_of_malformed(error: Exception, call: Call, *, was_sent: bool) -> BrokerageError:
    """Return what an answer means that is not as documented."""
    message = f"TWS's answer is not as documented: {error}"
    if was_sent and call.is_write:
        return OrderOutcomeUnknownError(message, **call.context())
    context = call.context()
    context.setdefault("outcome", Outcome.NOT_SENT if call.is_write else None)
    return BrokerAPIError(message, **context)


def error_of_connect(error: Exception, call: Call, where: str) -> BrokerageError:
    """Return what it means that no connection could be opened."""
    context = call.context()
    context["outcome"] = Outcome.NOT_SENT if call.is_write or call.before_write else None
    if isinstance(error, NativeError):
        context["code"] = str(error.code)
        hint = ": set IBKR_CLIENT_ID to another" if error.code == CLIENT_ID_IN_USE else ""
        return ConnectionError(f"{where} answers {error.code}: {error.text}{hint}", **context)
    if isinstance(error, OSError) and not isinstance(error, builtins.TimeoutError):
        return ConnectionError(f"{where} cannot be reached: {error}", **context)
    if isinstance(error, MalformedError):
        return BrokerAPIError(f"{where} does not speak as documented: {error}", **context)
    if isinstance(error, LostError):
        return ConnectionError(
            f"{where} closed the connection before it was open: its settings must allow socket "
            "clients, from this address",
            **context,
        )
    return TimeoutError(f"{where} took no connection in time", **context)
