"""What Coinbase's errors mean, and that no unknown one is taken for a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot_v2.features.brokerages.coinbase import errors, order_wire
from bot_v2.features.brokerages.coinbase.decoding import decode
from bot_v2.features.brokerages.coinbase.error_table import ROWS, Place, Row
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerAPIError,
    BrokerUnavailableError,
    InsufficientFundsError,
    InvalidSymbolError,
    ModifyRejectedError,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
)
from bot_v2.features.brokerages.http.calls import Call, Reply, Request

WRITE = Call(
    broker="coinbase", operation="cancel_order", is_write=True, account_id="a", order_id="o"
)
READ = Call(broker="coinbase", operation="get_order", is_write=False)
PLACE = Call(broker="coinbase", operation="place_order", is_write=True, client_order_id="c")


def _reply(status: int, body: object, retry_after_s: float | None = None) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(
        status=status,
        reason="",
        headers={},
        body=raw,
        elapsed_s=0.0,
        request_id=None,
        retry_after_s=retry_after_s,
        request=Request(method="POST", url="https://api.coinbase.com/x", headers={}, body=None),
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.place.value}-{row.word}")
def test_each_row_has_a_source_and_decides_the_outcome(row: Row) -> None:
    """A documented refusal of a write is REJECTED; any other word leaves it unknown."""
    assert row.source.startswith("https://")
    assert row.word == row.word.upper()
    error = errors.error_of_words(row.place, [row.word.lower()], "m", WRITE, _reply(400, {}))
    if row.effect is Outcome.REJECTED:
        assert isinstance(error, row.kind)
        assert error.outcome is Outcome.REJECTED
    else:
        assert isinstance(error, OrderOutcomeUnknownError)
    read = errors.error_of_words(row.place, [row.word], "m", READ, _reply(400, {}))
    assert read.outcome is None


def test_no_word_is_in_the_table_twice() -> None:
    """Of two rows for one word only one could count."""
    words = [(row.place, row.word) for row in ROWS]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.place.value}-{row.word}")
def test_a_server_that_failed_refuses_nothing(row: Row) -> None:
    """With a 5xx the outcome of a write is unknown, whatever the body says."""
    error = errors.error_of_words(row.place, [row.word], "m", WRITE, _reply(500, {}))
    assert isinstance(error, OrderOutcomeUnknownError)
    read = errors.error_of_words(row.place, [row.word], "m", READ, _reply(503, {}))
    assert isinstance(read, BrokerUnavailableError)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "A_CODE_OF_TOMORROW", "message": "something"}),
        (400, {"message": "nobody has said this before"}),
        (403, b"<html>a proxy</html>"),
        (429, b"<html>slow down</html>"),
        (404, b""),
        (502, b"bad gateway"),
        (418, {}),
    ],
)
@pytest.mark.parametrize("place", [Place.API, Place.EXCHANGE])
def test_an_unknown_answer_to_a_write_proves_nothing(
    place: Place, status: int, body: object
) -> None:
    """UNKNOWN has one spelling; what can be known of the answer is on it."""
    error = errors.error_of_reply(_reply(status, body), PLACE, place)
    assert isinstance(error, OrderOutcomeUnknownError)
    assert error.http_status == status
    assert error.client_order_id == "c"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b"Unauthorized\n", AuthenticationError),
        (401, b"<html>", AuthenticationError),
        (403, b"", PermissionDeniedError),
        (403, {"error": "PERMISSION_DENIED", "message": "no"}, PermissionDeniedError),
        (404, {"error": "NOT_FOUND", "message": "no"}, OrderNotFoundError),
        (429, b"", RateLimitError),
        (429, {"errors": [{"id": "rate_limit_exceeded", "message": "m"}]}, RateLimitError),
        (500, b"", BrokerUnavailableError),
        (503, {"error": "UNAVAILABLE"}, BrokerUnavailableError),
        (400, {"error": "A_CODE_OF_TOMORROW"}, BrokerAPIError),
    ],
)
def test_a_read_that_fails_says_how(status: int, body: object, kind: type[Any]) -> None:
    """By the body where the table knows it, else by the status."""
    error = errors.error_of_reply(_reply(status, body, 7.0), READ, Place.API)
    assert type(error) is kind
    assert error.outcome is None
    assert error.retry_after_s == 7.0


def test_the_documented_401_of_a_write_is_a_refusal() -> None:
    """Who is not let in has done nothing; a 401 of somebody else proves nothing."""
    error = errors.error_of_reply(_reply(401, b"Unauthorized\n"), PLACE, Place.API)
    assert isinstance(error, AuthenticationError)
    assert error.outcome is Outcome.REJECTED
    other = errors.error_of_reply(_reply(401, b"<html>proxy</html>"), PLACE, Place.API)
    assert isinstance(other, OrderOutcomeUnknownError)


def test_what_is_not_found_is_what_was_asked_for() -> None:
    """An order in one call, a product in another."""
    body = _reply(404, {"error": "NOT_FOUND", "message": "no"})
    price = Call(broker="coinbase", operation="get_price", is_write=False, symbol="X-Y")
    assert isinstance(errors.error_of_reply(body, price, Place.API), InvalidSymbolError)
    fees = Call(broker="coinbase", operation="get_fees", is_write=False)
    assert type(errors.error_of_reply(body, fees, Place.API)) is BrokerAPIError


def _failure(**said: str) -> Any:
    failure = decode(json.dumps(said).encode(), order_wire.OrderFailure)
    return errors.error_of_failure(failure, PLACE, _reply(200, {}))


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ({"error": "INSUFFICIENT_FUND"}, InsufficientFundsError, "INSUFFICIENT_FUND"),
        (
            {
                "error": "UNKNOWN_FAILURE_REASON",
                "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND",
            },
            InsufficientFundsError,
            "INSUFFICIENT_FUND",
        ),
        (
            {
                "new_order_failure_reason": "INVALID_LIMIT_PRICE_POST_ONLY",
                "error": "UNKNOWN_FAILURE_REASON",
            },
            OrderRejectedError,
            "INVALID_LIMIT_PRICE_POST_ONLY",
        ),
        ({"new_order_failure_reason": "INVALID_PRODUCT_ID"}, InvalidSymbolError, None),
    ],
)
def test_a_refused_placement_says_why(
    said: dict[str, str], kind: type[Any], code: str | None
) -> None:
    """The first reason that says something counts, a preview's too."""
    error = _failure(**said)
    assert type(error) is kind
    assert error.outcome is Outcome.REJECTED
    assert code is None or error.code == code


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE"},
        {"error": "A_REASON_OF_TOMORROW"},
    ],
)
def test_a_refusal_without_a_known_reason_is_unknown(said: dict[str, str]) -> None:
    """Only what is documented as a refusal is one."""
    assert isinstance(_failure(**said), OrderOutcomeUnknownError)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"success": False, "errors": [{"edit_failure_reason": "ORDER_NOT_FOUND"}]}, "NotFound"),
        ({"success": False, "errors": {"edit_failure_reason": "INVALID_EDITED_SIZE"}}, "Modify"),
        (
            {
                "success": False,
                "errors": [
                    {
                        "edit_failure_reason": "UNKNOWN_EDIT_ORDER_FAILURE_REASON",
                        "preview_failure_reason": "PREVIEW_INSUFFICIENT_FUND",
                    }
                ],
            },
            "Modify",
        ),
        ({"success": False, "error_response": {"edit_order_failure_reason": "X"}}, "Unknown"),
        ({"success": False}, "Unknown"),
    ],
)
def test_a_refused_change_says_why(body: dict[str, Any], kind: str) -> None:
    """In each of the shapes that the answer has."""
    kinds = {
        "NotFound": OrderNotFoundError,
        "Modify": ModifyRejectedError,
        "Unknown": OrderOutcomeUnknownError,
    }
    call = Call(broker="coinbase", operation="modify_order", is_write=True, order_id="o")
    native = decode(json.dumps(body).encode(), order_wire.EditReply)
    error = errors.error_of_edit(native, call, _reply(200, {}))
    assert type(error) is kinds[kind]
