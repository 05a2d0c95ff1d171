"""The error tree: siblings under one root, and an outcome on every write."""

from __future__ import annotations

import builtins
import copy
import pickle
from decimal import Decimal as D
from typing import Any

import pytest

from bot_v2.features.brokerages.core import errors as tree
from bot_v2.features.brokerages.core.interfaces import Outcome

PARENTS: dict[str, str] = {
    # class: its parent in the contract
    "ConnectionError": "BrokerageError",
    "TimeoutError": "BrokerageError",
    "BrokerUnavailableError": "BrokerageError",
    "RateLimitError": "BrokerageError",
    "PermissionDeniedError": "BrokerageError",
    "MarketClosedError": "BrokerageError",
    "InsufficientFundsError": "BrokerageError",
    "AuthenticationError": "BrokerageError",
    "SessionExpiredError": "AuthenticationError",
    "LoginRequiredError": "SessionExpiredError",
    "OrderRejectedError": "BrokerageError",
    "DuplicateOrderError": "BrokerageError",
    "CancelRejectedError": "BrokerageError",
    "ModifyRejectedError": "BrokerageError",
    "OrderNotFoundError": "BrokerageError",
    "OrderOutcomeUnknownError": "BrokerageError",
    "InvalidRequestError": "BrokerageError",
    "InvalidFieldError": "InvalidRequestError",
    "InvalidSymbolError": "InvalidRequestError",
    "UnsupportedOperationError": "InvalidRequestError",
    "AmbiguousPositionError": "InvalidRequestError",
    "MarketDataUnavailableError": "BrokerageError",
    "MissingDependencyError": "BrokerageError",
    "BrokerAPIError": "BrokerageError",
}
CLASSES = [
    kind
    for kind in vars(tree).values()
    if isinstance(kind, type) and issubclass(kind, tree.BrokerageError)
]
CONTEXT: dict[str, Any] = {
    "broker": "paper",
    "operation": "place_order",
    "account_id": "a-1",
    "symbol": "BTC-USD",
    "order_id": "o-1",
    "client_order_id": "c-1",
    "code": "10147",
    "http_status": 429,
    "retry_after_s": 1.5,
}


def build(kind: type[tree.BrokerageError], **context: Any) -> tree.BrokerageError:
    """Build an error of any class with a context."""
    if issubclass(kind, tree.InvalidFieldError):
        return kind("Order.price", D(1), "more", **context)
    return kind("it failed", **context)


def test_the_tree_is_the_contract_s() -> None:
    """Each class has exactly the parent that the contract draws."""
    found = {
        kind.__name__: kind.__mro__[1].__name__
        for kind in set(CLASSES)
        if kind is not tree.BrokerageError
    }
    assert found == PARENTS


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_carries_its_context(kind: type[tree.BrokerageError]) -> None:
    """Every error has every attribute, and its text shows those that are known."""
    error = build(kind, **CONTEXT)
    assert {name: getattr(error, name) for name in CONTEXT} == CONTEXT
    assert all(f"{name}={value}" in str(error) for name, value in CONTEXT.items())
    bare = build(kind)
    assert all(getattr(bare, name) is None for name in CONTEXT)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_survives_pickle_and_copy(kind: type[tree.BrokerageError]) -> None:
    """An error crosses a process boundary with all it says."""
    error = build(kind, **CONTEXT)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is kind
        assert vars(twin) == vars(error)
        assert (str(twin), twin.args) == (str(error), error.args)


def test_the_two_names_of_builtins_are_also_those_builtins() -> None:
    """`except ConnectionError` and `except TimeoutError` catch ours, imported or not."""
    with pytest.raises(builtins.ConnectionError):
        raise tree.ConnectionError("down")
    with pytest.raises(builtins.TimeoutError):
        raise tree.TimeoutError("slow")
    with pytest.raises(OSError, match="down"):
        raise tree.ConnectionError("down", broker="paper")
    assert tree.BrokerConnectionError is tree.ConnectionError
    assert tree.BrokerTimeoutError is tree.TimeoutError


def test_a_connection_error_is_no_timeout_error() -> None:
    """Siblings: an except clause catches what it says, and no other."""
    assert not issubclass(tree.ConnectionError, tree.TimeoutError)
    assert not issubclass(tree.TimeoutError, builtins.ConnectionError)
    assert not issubclass(tree.OrderRejectedError, tree.InsufficientFundsError)


@pytest.mark.parametrize(
    "kind", [kind for kind in CLASSES if kind is not tree.OrderOutcomeUnknownError]
)
def test_unknown_has_one_spelling(kind: type[tree.BrokerageError]) -> None:
    """No other class can say that the outcome is unknown."""
    with pytest.raises(ValueError, match="OrderOutcomeUnknownError"):
        build(kind, outcome=Outcome.UNKNOWN)


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.REJECTED, None])
def test_an_unknown_outcome_is_never_claimed_to_be_known(outcome: Outcome | None) -> None:
    """OrderOutcomeUnknownError always says UNKNOWN."""
    assert tree.OrderOutcomeUnknownError("?").outcome is Outcome.UNKNOWN
    with pytest.raises(ValueError, match="always says"):
        tree.OrderOutcomeUnknownError("?", outcome=outcome)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (tree.OrderRejectedError, Outcome.REJECTED),
        (tree.DuplicateOrderError, Outcome.REJECTED),
        (tree.CancelRejectedError, Outcome.REJECTED),
        (tree.ModifyRejectedError, Outcome.REJECTED),
        (tree.InvalidRequestError, Outcome.NOT_SENT),
        (tree.UnsupportedOperationError, Outcome.NOT_SENT),
        (tree.ConnectionError, None),
        (tree.RateLimitError, None),
        (tree.BrokerAPIError, None),
    ],
)
def test_an_outcome_that_goes_without_saying(
    kind: type[tree.BrokerageError], outcome: Outcome | None
) -> None:
    """Errors that can only mean one thing say it; the others say what the raiser knows."""
    assert build(kind).outcome is outcome
    assert build(kind, outcome=Outcome.NOT_SENT).outcome is Outcome.NOT_SENT


def test_context_that_does_not_exist_is_a_mistake() -> None:
    """A misspelt context is refused rather than lost."""
    with pytest.raises(TypeError, match="no context named client_id"):
        tree.BrokerageError("x", client_id="c")  # type: ignore[call-arg]  # it must be refused


def test_errors_say_what_their_class_adds() -> None:
    """Funds, login, reason, candidates, buckets, the extra and the details are at hand."""
    funds = tree.InsufficientFundsError("short", required=D(10), available=D(3))
    assert (funds.required, funds.available) == (D(10), D(3))
    login = tree.LoginRequiredError("log in", login_url="https://x.example", fields=("code",))
    assert (login.login_url, login.fields) == ("https://x.example", ("code",))
    assert tree.OrderRejectedError("no", reason="halted").reason == "halted"
    assert tree.InvalidSymbolError("which", candidates=("A", "B")).candidates == ("A", "B")
    assert tree.AmbiguousPositionError("which", buckets=("MIS/long",)).buckets == ("MIS/long",)
    assert tree.MissingDependencyError("install", extra="paper").extra == "paper"
    assert tree.BrokerAPIError("odd", details={"a": "b"}).details == {"a": "b"}
    with pytest.raises(ImportError):
        raise tree.MissingDependencyError("install")


def test_a_refused_value_is_also_a_value_error() -> None:
    """Code that knows nothing of brokerages can catch a bad value as ValueError."""
    with pytest.raises(ValueError, match="accepted: more"):
        raise tree.InvalidFieldError("Order.price", D(1), "more")


def test_the_native_error_is_the_cause() -> None:
    """`raise … from native` keeps the vendor's own error at hand."""
    native = KeyError("native")
    with pytest.raises(tree.BrokerAPIError) as caught:
        raise tree.BrokerAPIError("odd") from native
    assert caught.value.__cause__ is native
