"""Each documented refusal has its error, and nothing else counts as one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.alpaca.error_table import ROWS
from bot_v2.features.brokerages.alpaca.errors import (
    error_of_malformed,
    error_of_reply,
    row_of,
    wrong_environment,
)
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    CancelRejectedError,
    DuplicateOrderError,
    InsufficientFundsError,
    InvalidRequestError,
    InvalidSymbolError,
    MarketClosedError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
)
from bot_v2.features.brokerages.http.calls import Call, Reply, Request

PLACE = Call(broker="alpaca", operation="place_order", is_write=True, symbol="ACME")
CANCEL = Call(broker="alpaca", operation="cancel_order", is_write=True, order_id="o")
CHANGE = Call(broker="alpaca", operation="modify_order", is_write=True, order_id="o")
CLOSE = Call(broker="alpaca", operation="close_position", is_write=True, symbol="ACME")
GET = Call(broker="alpaca", operation="get_order", is_write=False, order_id="o")
LIST = Call(broker="alpaca", operation="list_orders", is_write=False)
PRICE = Call(broker="alpaca", operation="get_price", is_write=False, symbol="ACME")


def reply(status: int, body: Any, method: str = "POST") -> Reply:
    """Return a reply as the transport gives it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(
        status=status,
        reason="",
        headers={},
        body=raw,
        elapsed_s=0.0,
        request_id=None,
        retry_after_s=3.0,
        request=Request(method=method, url="https://api.alpaca.markets/", headers={}, body=None),
    )


@pytest.mark.parametrize(
    ("call", "status", "code", "message", "kind"),
    [
        (PLACE, 422, 40010001, "client_order_id must be unique", DuplicateOrderError),
        (CHANGE, 422, 40010001, "client_order_id must be unique", DuplicateOrderError),
        (PLACE, 403, 40310000, "insufficient day trading buying power", InsufficientFundsError),
        (PLACE, 403, 40310000, "insufficient qty available for order", InsufficientFundsError),
        (PLACE, 403, 40310000, "new orders are rejected by user request", PermissionDeniedError),
        (PLACE, 422, 40010001, "us_equity orders not allowed for account", PermissionDeniedError),
        (PLACE, 403, 40310000, "account is not allowed to short", PermissionDeniedError),
        (PLACE, 403, 40310000, "potential wash trade detected", OrderRejectedError),
        (PLACE, 403, 40310000, "cost basis must be >= minimal amount", InvalidRequestError),
        (PLACE, 403, 40310100, "trade denied", OrderRejectedError),
        (PLACE, 422, 42210000, 'asset "X" cannot be sold short', OrderRejectedError),
        (PLACE, 422, 42210000, "market is closed", MarketClosedError),
        (PLACE, 422, 42210000, 'could not find asset "X"', InvalidSymbolError),
        (PLACE, 422, 40010001, "limit_price is required", InvalidRequestError),
        (PLACE, 401, 40110000, "request is not authorized", AuthenticationError),
        (PLACE, 401, None, "unauthorized.", AuthenticationError),
        (PLACE, 403, None, "forbidden.", AuthenticationError),
        (PLACE, 429, None, "too many requests.", RateLimitError),
        (PLACE, 429, 42910000, "rate limit exceeded", RateLimitError),
        (CANCEL, 404, 40410000, "order not found for o", OrderNotFoundError),
        (CANCEL, 422, 42210000, "order is already in filled state", CancelRejectedError),
        (CHANGE, 422, 42210000, "order in replaced status cannot be changed", ModifyRejectedError),
        (CHANGE, 404, 40410000, "order not found", OrderNotFoundError),
        (CLOSE, 404, 40410000, "position does not exist", InvalidRequestError),
    ],
)
def test_a_documented_refusal_of_a_write_is_rejected(
    call: Call, status: int, code: int | None, message: str, kind: type[BrokerageError]
) -> None:
    """The write did nothing; the error has the code and what the broker said."""
    error = error_of_reply(reply(status, {"code": code, "message": message}), call)
    assert type(error) is kind
    assert error.outcome is Outcome.REJECTED
    assert error.message == message
    assert error.code == (None if code is None else str(code))
    assert (error.http_status, error.retry_after_s) == (status, 3.0)


@pytest.mark.parametrize(
    ("call", "status", "body", "kind"),
    [
        (GET, 404, {"code": 40410000, "message": "order not found"}, OrderNotFoundError),
        (PRICE, 404, {"code": 40410000, "message": "no asset"}, InvalidSymbolError),
        (LIST, 404, {"code": 40410000, "message": "not here"}, BrokerAPIError),
        (LIST, 422, {"code": 42210000, "message": "bad page"}, InvalidRequestError),
        (LIST, 403, {"code": 40310000, "message": "not for you"}, PermissionDeniedError),
        (PRICE, 403, {"message": "subscription does not permit this"}, PermissionDeniedError),
        (LIST, 403, b"<html>", PermissionDeniedError),
        (LIST, 401, b"", AuthenticationError),
        (LIST, 429, b"slow down", RateLimitError),
        (LIST, 418, {"message": "short and stout"}, BrokerAPIError),
        (LIST, 500, {"code": 50010000, "message": "internal"}, BrokerUnavailableError),
        (LIST, 504, b"<html>", BrokerUnavailableError),
    ],
)
def test_an_error_of_a_read_has_no_outcome(
    call: Call, status: int, body: Any, kind: type[BrokerageError]
) -> None:
    """Its kind follows from the words, else from the status."""
    error = error_of_reply(reply(status, body, "GET"), call)
    assert type(error) is kind
    assert error.outcome is None


@given(
    status=st.integers(400, 599),
    body=st.one_of(
        st.binary(max_size=40),
        st.dictionaries(
            st.sampled_from(["code", "message", "other"]),
            st.one_of(st.integers(), st.text(max_size=20), st.none()),
        ),
    ),
)
def test_a_write_is_rejected_by_a_known_row_only(status: int, body: Any) -> None:
    """Whatever comes back: either a row of the table refuses it, or its outcome is unknown."""
    answer = reply(status, body)
    error = error_of_reply(answer, PLACE)
    assert error.outcome in (Outcome.REJECTED, Outcome.UNKNOWN)
    if error.outcome is Outcome.REJECTED:
        told = json.loads(answer.body)
        row = row_of(told.get("code"), told.get("message", ""))
        assert row is not None
        assert row.is_refusal
        assert status < 500
    else:
        assert type(error) is OrderOutcomeUnknownError


def test_every_row_has_a_source_and_is_reached() -> None:
    """A row that an earlier one hides would never count."""
    for row in ROWS:
        assert row.source.startswith("https://")
        assert row.words == row.words.lower()
        assert row_of(row.code, row.words or "of its own") == row


def test_a_reply_that_cannot_be_read_is_unknown_for_a_write() -> None:
    """And an error of the broker's for a read."""
    assert isinstance(error_of_malformed(ValueError("x"), reply(200, {}), PLACE),
                      OrderOutcomeUnknownError)  # fmt: skip
    error = error_of_malformed(ValueError("x"), reply(200, {}, "GET"), LIST)
    assert type(error) is BrokerAPIError
    assert error.outcome is None


def test_a_key_and_its_environment() -> None:
    """What goes together is no remark; a simulator takes any key."""
    assert wrong_environment("PKAAA", "paper") is None
    assert wrong_environment("AKAAA", "live") is None
    assert wrong_environment("AKAAA", "simulator") is None
    assert "ALPACA_PAPER_TRADING=true" in str(wrong_environment("PKAAA", "live"))
    assert "ALPACA_PAPER_TRADING=false" in str(wrong_environment("AKAAA", "paper"))
    assert "not both" in str(wrong_environment("", "paper"))
