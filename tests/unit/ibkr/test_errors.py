"""What codes mean: the table, and the law of outcomes."""

from __future__ import annotations

import builtins

import pytest

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    ConnectionError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketDataUnavailableError,
    ModifyRejectedError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.ibkr import errors
from bot_v2.features.brokerages.ibkr.error_table import ROWS, Sense, row_of
from bot_v2.features.brokerages.ibkr.errors import LostError, NativeError
from bot_v2.features.brokerages.ibkr.wire import MalformedError

READ = Call(broker="ibkr", operation="get_price", is_write=False, symbol="AAPL")
WRITE = Call(broker="ibkr", operation="place_order", is_write=True, symbol="AAPL")
CHANGE = Call(broker="ibkr", operation="modify_order", is_write=True, order_id="1")
REFUSALS = [row for row in ROWS.values() if row.sense is Sense.REFUSAL]
OTHERS = [row for row in ROWS.values() if row.sense is not Sense.REFUSAL]


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: str(row.code))
def test_a_refusal(row: object) -> None:
    """A documented refusal is REJECTED, of an order and of a change, and says its code."""
    code = row.code  # type: ignore[attr-defined] # a row of the table, as pytest hands it over
    error = errors.error_of_write(NativeError(code, "words"), WRITE)
    assert (error.outcome, error.code) == (Outcome.REJECTED, str(code))
    assert isinstance(errors.error_of_write(NativeError(code, "x"), CHANGE), ModifyRejectedError)


@pytest.mark.parametrize("code", [*(row.code for row in OTHERS), 98765])
def test_no_refusal(code: int) -> None:
    """Whatever is no documented refusal leaves a write unknown."""
    for call in (WRITE, CHANGE):
        error = errors.error_of_write(NativeError(code, "words"), call)
        assert isinstance(error, OrderOutcomeUnknownError)


@pytest.mark.parametrize("code", [*ROWS, 98765])
def test_a_read_has_no_outcome(code: int) -> None:
    """An error of a read says nothing of an outcome, unless a write waited for it."""
    assert errors.error_of_read(NativeError(code, "words"), READ).outcome is None


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: str(row.code))
def test_each_row_has_its_source(row: object) -> None:
    """Each row says where its meaning is said."""
    assert row.source.startswith("https://")  # type: ignore[attr-defined] # as above


@pytest.mark.parametrize("code", [*range(2100, 2170), 399, 404, 10167, 10349])
def test_warnings(code: int) -> None:
    """A warning is one whatever it is about."""
    row = row_of(code)
    assert row is not None
    assert row.sense is Sense.WARNING


KINDS: list[tuple[int, str, type[BrokerageError]]] = [
    (100, "Max rate", RateLimitError),
    (162, "Historical data request pacing violation", RateLimitError),
    (162, "HMDS query returned no data", MarketDataUnavailableError),
    (200, "No security definition", InvalidSymbolError),
    (201, "Order rejected - reason:no", BrokerAPIError),
    (201, "the order needs more: exceeds your buying power", InsufficientFundsError),
    (203, "not allowed", PermissionDeniedError),
    (321, "Error validating request", InvalidRequestError),
    (322, "Error processing request", BrokerUnavailableError),
    (354, "not subscribed", MarketDataUnavailableError),
    (504, "Not connected", BrokerUnavailableError),
    (10089, "requires additional subscription", MarketDataUnavailableError),
    (98765, "nobody knows", BrokerAPIError),
]


@pytest.mark.parametrize(("code", "text", "kind"), KINDS)
def test_kinds_of_reads(code: int, text: str, kind: type[BrokerageError]) -> None:
    """Each code of a read is the error that it means."""
    assert type(errors.error_of_read(NativeError(code, text), READ)) is kind


def test_why_an_order_is_rejected() -> None:
    """A rejection says why in words alone: for want of funds it is its own error."""
    poor = "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. MINIMUM OF 2000 USD EQUITY"
    assert isinstance(errors.error_of_write(NativeError(201, poor), WRITE), InsufficientFundsError)
    plain = errors.error_of_write(NativeError(201, "Order rejected - reason:odd"), WRITE)
    assert isinstance(plain, OrderRejectedError)
    assert plain.reason == "Order rejected - reason:odd"


def test_a_lost_connection() -> None:
    """A connection that ends after an order was sent leaves it unknown; before, unsent."""
    assert isinstance(errors.error_of_loss(WRITE, was_sent=True), OrderOutcomeUnknownError)
    unsent = errors.error_of_loss(WRITE, was_sent=False)
    assert (type(unsent), unsent.outcome) == (ConnectionError, Outcome.NOT_SENT)
    read = errors.error_of_loss(READ, was_sent=False)
    assert (type(read), read.outcome) == (ConnectionError, None)


def test_silence() -> None:
    """Silence after an order was sent leaves it unknown; before, unsent."""
    late = errors.error_of_silence(WRITE, 1.0, was_sent=True)
    assert isinstance(late, OrderOutcomeUnknownError)
    early = errors.error_of_silence(WRITE, 1.0, was_sent=False)
    assert (type(early), early.outcome) == (TimeoutError, Outcome.NOT_SENT)
    assert errors.error_of_silence(READ, 1.0, was_sent=False).outcome is None


def test_what_is_not_documented() -> None:
    """An answer that cannot be read leaves an order unknown that was sent."""
    odd = MalformedError("odd")
    sent = errors.error_of_malformed(odd, WRITE, was_sent=True)
    assert isinstance(sent, OrderOutcomeUnknownError)
    unsent = errors.error_of_malformed(odd, WRITE, was_sent=False)
    assert (type(unsent), unsent.outcome) == (BrokerAPIError, Outcome.NOT_SENT)


def test_our_own_limit() -> None:
    """What finds no room is not sent, and says how long to wait."""
    error = errors.error_of_pacing(WRITE, 45)
    assert (error.outcome, bool(error.retry_after_s)) == (Outcome.NOT_SENT, True)


CONNECTING: list[tuple[Exception, type[BrokerageError]]] = [
    (ConnectionRefusedError("no"), ConnectionError),
    (NativeError(326, "in use"), ConnectionError),
    (LostError(), ConnectionError),
    (builtins.TimeoutError(), TimeoutError),
    (MalformedError("odd"), BrokerAPIError),
]


@pytest.mark.parametrize(("error", "kind"), CONNECTING)
def test_connecting(error: Exception, kind: type[BrokerageError]) -> None:
    """What keeps a connection from being opened proves that nothing was sent."""
    made = errors.error_of_connect(error, WRITE, "TWS")
    assert (type(made), made.outcome) == (kind, Outcome.NOT_SENT)
    assert errors.error_of_connect(error, READ, "TWS").outcome is None
