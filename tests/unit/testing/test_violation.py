"""How a check says what is wrong."""

from __future__ import annotations

import pytest

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    ConnectionError,
    OrderRejectedError,
    Outcome,
)
from bot_v2.testing.violation import (
    SHOWN_MAX,
    ContractViolation,
    expect,
    expect_equal,
    expect_error,
    expect_list,
    shown,
)
from bot_v2.testing.waiting import wait_until


def raiser(error: Exception) -> None:
    """Raise an error."""
    raise error


def test_a_fact_that_holds_says_nothing() -> None:
    """No exception is raised."""
    expect(True, "anything", "anything")
    expect_equal(1, 1, "one")
    expect_list([1], int)


def test_a_fact_that_does_not_hold_says_what_was_expected_and_seen() -> None:
    """Both are in the message."""
    with pytest.raises(ContractViolation, match=r"^Expected three; saw 4\.$"):
        expect(False, "three", 4)
    with pytest.raises(ContractViolation, match=r"^Expected the price to be 3; saw 4\.$"):
        expect_equal(4, 3, "the price")


@pytest.mark.parametrize("value", [[], (1,), None, [1, "2"]])
def test_a_list_is_a_list_of_one_type(value: object) -> None:
    """Empty lists, other collections and mixed ones are refused."""
    with pytest.raises(ContractViolation):
        expect_list(value, int)


def test_a_long_value_is_cut() -> None:
    """A message stays readable."""
    assert len(shown("x" * 10_000)) == SHOWN_MAX + 1


def test_an_expected_error_is_returned() -> None:
    """It can be looked at further."""
    error = OrderRejectedError("no")
    got = expect_error(
        lambda: raiser(error), OrderRejectedError, outcome=Outcome.REJECTED, when="placing"
    )
    assert got is error


def test_no_error_is_a_violation() -> None:
    """What was returned instead is shown."""
    with pytest.raises(ContractViolation, match="from placing; it returned 'fine'"):
        expect_error(lambda: "fine", OrderRejectedError, when="placing")


def test_another_error_is_a_violation() -> None:
    """The one that was raised is shown, and is the cause."""
    with pytest.raises(ContractViolation, match="saw KeyError: 'id'") as caught:
        expect_error(lambda: raiser(KeyError("id")), OrderRejectedError, when="placing")
    assert isinstance(caught.value.__cause__, KeyError)


def test_another_outcome_is_a_violation() -> None:
    """The right error with the wrong word about its effect is wrong."""
    error = ConnectionError("gone", outcome=Outcome.REJECTED)
    with pytest.raises(ContractViolation, match="to say outcome NOT_SENT; it says rejected"):
        expect_error(
            lambda: raiser(error), BrokerageError, outcome=Outcome.NOT_SENT, when="placing"
        )


def test_waiting_ends_when_the_answer_will_do() -> None:
    """Each read is looked at, the last is returned."""
    numbers = iter(range(10))
    assert wait_until(lambda: next(numbers), lambda number: number == 3, 5.0, "three") == 3


def test_waiting_ends_when_the_time_is_over() -> None:
    """What was seen last is shown."""
    with pytest.raises(ContractViolation, match=r"Expected three within 0\.02 s; saw 4"):
        wait_until(lambda: 4, lambda number: number == 3, 0.02, "three")
