"""The error tree: what went wrong, and whether a write took effect.

    BrokerageError
      ConnectionError  TimeoutError                    also the builtins of those names
      BrokerUnavailableError  RateLimitError  PermissionDeniedError  MarketClosedError
      InsufficientFundsError
      AuthenticationError -> SessionExpiredError -> LoginRequiredError
      OrderRejectedError  DuplicateOrderError  CancelRejectedError  ModifyRejectedError
      OrderNotFoundError  OrderOutcomeUnknownError
      InvalidRequestError -> InvalidFieldError, InvalidSymbolError,
                             UnsupportedOperationError, AmbiguousPositionError
      MarketDataUnavailableError  MissingDependencyError  BrokerAPIError

Catch what you can act on; `except BrokerageError` catches all of it. An error raised by a write
says in `outcome` whether the write took effect. UNKNOWN has one spelling,
`OrderOutcomeUnknownError`: read before sending again.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, ClassVar, TypedDict

if TYPE_CHECKING:
    from decimal import Decimal

    from typing_extensions import Unpack


class Outcome(StrEnum):
    """Whether a write that failed took effect at the broker."""

    NOT_SENT = "not_sent"
    """No byte of the write left this process: sending it again is safe."""

    REJECTED = "rejected"
    """The broker documents this reply as a refusal: the write had no effect."""

    UNKNOWN = "unknown"
    """The write may have taken effect. Only evidence settles it."""


class ErrorContext(TypedDict, total=False):
    """What an error may say of its circumstances, beside its message."""

    broker: str | None
    operation: str | None
    account_id: str | None
    symbol: str | None
    order_id: str | None
    client_order_id: str | None
    code: str | None
    http_status: int | None
    retry_after_s: float | None
    outcome: Outcome | None


class BrokerageError(Exception):
    """Something that a brokerage was asked for did not happen, or may not have.

    The native error, where there is one, is the `__cause__`.
    """

    default_outcome: ClassVar[Outcome | None] = None
    """The outcome where the raiser states none. None: the failed call was not a write."""

    message: str
    """What happened, for a person."""
    broker: str | None
    """The brokerage's name. None: the error is not about one brokerage."""
    operation: str | None
    """The method that failed, such as `place_order`. None: not within one."""
    account_id: str | None
    """The account concerned. None: not known when the call failed."""
    symbol: str | None
    """The symbol concerned. None: not about one symbol."""
    order_id: str | None
    """The broker's order id. None: the order has none that we know of."""
    client_order_id: str | None
    """The caller's order id. None: not about an order of ours."""
    code: str | None
    """The broker's own error code, as text. None: the broker gave none."""
    http_status: int | None
    """The HTTP status. None: the broker was not reached by HTTP, or did not answer."""
    retry_after_s: float | None
    """How long the broker asks to wait, in seconds. None: it does not say."""
    outcome: Outcome | None
    """Whether the write took effect. None: the failed call was a read."""

    def __init__(self, message: str = "", **context: Unpack[ErrorContext]) -> None:
        """State what happened; the context is keyword-only and all of it is optional."""
        super().__init__(message)
        self.message = message
        self.broker = context.get("broker")
        self.operation = context.get("operation")
        self.account_id = context.get("account_id")
        self.symbol = context.get("symbol")
        self.order_id = context.get("order_id")
        self.client_order_id = context.get("client_order_id")
        self.code = context.get("code")
        self.http_status = context.get("http_status")
        self.retry_after_s = context.get("retry_after_s")
        self.outcome = context.get("outcome", self.default_outcome)
        unknown = sorted(set(context) - ErrorContext.__annotations__.keys())
        if unknown:
            raise TypeError(f"{type(self).__name__} has no context named {', '.join(unknown)}")
        self._refuse_incoherent_outcome()

    def _refuse_incoherent_outcome(self) -> None:
        if self.outcome is Outcome.UNKNOWN:
            raise ValueError(
                f"{type(self).__name__} cannot say outcome UNKNOWN: an unknown outcome is raised "
                "as OrderOutcomeUnknownError, whatever its cause"
            )

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by state: the keyword-only context does not fit in `args`."""
        return (_rebuild, (type(self), self.args), self.__dict__)

    def __str__(self) -> str:
        """The message, then the facts that help to find the call again."""
        facts = [
            f"{name}={value.value if isinstance(value, Enum) else value}"
            for name in ErrorContext.__annotations__
            if (value := getattr(self, name)) is not None
        ]
        return f"{self.message} [{', '.join(facts)}]" if facts else self.message


def _rebuild(cls: type[BrokerageError], args: tuple[object, ...]) -> BrokerageError:
    error = cls.__new__(cls)
    error.args = args
    return error


class ConnectionError(BrokerageError, builtins.ConnectionError):  # noqa: A001 - the users' name
    """The broker could not be reached, or the brokerage is not connected.

    From a write it proves that no byte left (NOT_SENT).
    """


class TimeoutError(BrokerageError, builtins.TimeoutError):  # noqa: A001 - the users' name
    """The broker did not answer in time. From a write: before a byte left (NOT_SENT)."""


BrokerConnectionError = ConnectionError
BrokerTimeoutError = TimeoutError


class BrokerUnavailableError(BrokerageError):
    """The broker answers that it is not serving: maintenance, overload, a 5xx on a read."""


class RateLimitError(BrokerageError):
    """Too many calls: refused by the broker, or held back on our side before sending."""


class PermissionDeniedError(BrokerageError):
    """The credentials are good, but do not allow this."""


class MarketClosedError(BrokerageError):
    """The market is closed or halted, and the broker does not queue the order."""


class InsufficientFundsError(BrokerageError):
    """The account cannot pay for the order, or lacks the margin."""

    required: Decimal | None
    """What the order needs, in the asset that the message names. None: not said."""
    available: Decimal | None
    """What the account has for it, of the same asset. None: not said."""

    def __init__(
        self,
        message: str = "",
        *,
        required: Decimal | None = None,
        available: Decimal | None = None,
        **context: Unpack[ErrorContext],
    ) -> None:
        """State what was needed and what there is, where known."""
        super().__init__(message, **context)
        self.required = required
        self.available = available


class AuthenticationError(BrokerageError):
    """The credentials were refused."""


class SessionExpiredError(AuthenticationError):
    """The session ended: it can be renewed without a human."""


class LoginRequiredError(SessionExpiredError):
    """A human must log in: open `login_url`, then give `fields` to `complete_login`."""

    login_url: str | None
    """Where the human logs in. None: the broker has no page for it."""
    fields: tuple[str, ...]
    """The names of what `complete_login` needs, in order."""

    def __init__(
        self,
        message: str = "",
        *,
        login_url: str | None = None,
        fields: tuple[str, ...] = (),
        **context: Unpack[ErrorContext],
    ) -> None:
        """Say where to log in, and what to bring back."""
        super().__init__(message, **context)
        self.login_url = login_url
        self.fields = fields


class OrderRejectedError(BrokerageError):
    """The broker refused the placement: there is no order."""

    default_outcome = Outcome.REJECTED

    reason: str | None
    """The refusal in the broker's words. None: it gave none."""

    def __init__(
        self, message: str = "", *, reason: str | None = None, **context: Unpack[ErrorContext]
    ) -> None:
        """State the refusal."""
        super().__init__(message, **context)
        self.reason = reason


class DuplicateOrderError(BrokerageError):
    """This placement made nothing: an order under that client id exists. Read it."""

    default_outcome = Outcome.REJECTED


class CancelRejectedError(BrokerageError):
    """The order was not cancelled, and lives on."""

    default_outcome = Outcome.REJECTED


class ModifyRejectedError(BrokerageError):
    """The order was not modified, and lives on as it was."""

    default_outcome = Outcome.REJECTED


class OrderNotFoundError(BrokerageError):
    """The broker knows no such order."""


class OrderOutcomeUnknownError(BrokerageError):
    """The write may have taken effect: look for the order before sending anything again."""

    default_outcome = Outcome.UNKNOWN

    def _refuse_incoherent_outcome(self) -> None:
        if self.outcome is not Outcome.UNKNOWN:
            raise ValueError("OrderOutcomeUnknownError always says outcome UNKNOWN")


class InvalidRequestError(BrokerageError):
    """The request cannot be fulfilled as asked; nothing was sent unless `outcome` says so."""

    default_outcome = Outcome.NOT_SENT


class InvalidFieldError(InvalidRequestError, ValueError):
    """A value does not fit its field. Names the field, the value and what is accepted."""

    field: str
    """The model and the field: `OrderRequest.quantity`."""
    value: object
    """The value that was refused."""
    accepted: str
    """What would be accepted."""

    def __init__(
        self, field: str, value: object, accepted: str, **context: Unpack[ErrorContext]
    ) -> None:
        """Refuse a value, and say what would do."""
        super().__init__(f"{field} is {value!r}; accepted: {accepted}", **context)
        self.field = field
        self.value = value
        self.accepted = accepted


class InvalidSymbolError(InvalidRequestError):
    """No instrument has that symbol, or more than one does."""

    candidates: tuple[str, ...]
    """The canonical symbols that it could mean; empty where there is none."""

    def __init__(
        self,
        message: str = "",
        *,
        candidates: tuple[str, ...] = (),
        **context: Unpack[ErrorContext],
    ) -> None:
        """State the symbol (`symbol=`), and what it could mean."""
        super().__init__(message, **context)
        self.candidates = candidates


class UnsupportedOperationError(InvalidRequestError):
    """This brokerage does not do that; it says so in `unsupported` or its capabilities."""


class AmbiguousPositionError(InvalidRequestError):
    """The symbol has several positions. Names the buckets to choose from."""

    buckets: tuple[str, ...]
    """The buckets, as `bucket/side`."""

    def __init__(
        self, message: str = "", *, buckets: tuple[str, ...] = (), **context: Unpack[ErrorContext]
    ) -> None:
        """State the symbol (`symbol=`), and its buckets."""
        super().__init__(message, **context)
        self.buckets = buckets


class MarketDataUnavailableError(BrokerageError):
    """There is no price, book or quote to give now."""


class MissingDependencyError(BrokerageError, ImportError):
    """An optional package is not installed. Says what to install."""

    extra: str | None
    """The extra of bot-v2 that brings it. None: it is not an extra of bot-v2."""

    def __init__(
        self, message: str = "", *, extra: str | None = None, **context: Unpack[ErrorContext]
    ) -> None:
        """State what is missing and what to install."""
        super().__init__(message, **context)
        self.extra = extra


class BrokerAPIError(BrokerageError):
    """The broker answered with an error, or with something that no table knows."""

    details: Mapping[str, str]
    """The native error's other fields, secrets removed."""

    def __init__(
        self,
        message: str = "",
        *,
        details: Mapping[str, str] | None = None,
        **context: Unpack[ErrorContext],
    ) -> None:
        """State what the broker said."""
        super().__init__(message, **context)
        self.details = dict(details or {})
