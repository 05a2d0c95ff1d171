"""How a check says that the contract is broken: what was expected, and what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bot_v2.features.brokerages.core.errors import BrokerageError, Outcome

_E = TypeVar("_E", bound=BrokerageError)

SHOWN_MAX = 400
"""How many characters of a value a message shows."""


class ContractViolation(AssertionError):  # noqa: N818 - what happened, not what went wrong here
    """A sentence of the contract is broken."""


class NotApplicable(Exception):  # noqa: N818 - it is an answer, not an error
    """A check has nothing to look at in this brokerage; the reason is shown in the table."""


def shown(value: object) -> str:
    """Return a value for a person, cut where it is long."""
    text = str(value) if isinstance(value, BrokerageError) else repr(value)
    if isinstance(value, BaseException):
        text = f"{type(value).__name__}: {value}"
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


def expect(condition: bool, expected: str, seen: object) -> None:
    """Check one fact.

    Raises:
        ContractViolation: it does not hold.
    """
    if not condition:
        raise ContractViolation(f"Expected {expected}; saw {shown(seen)}.")


def expect_equal(actual: object, expected: object, what: str) -> None:
    """Check that two values are equal, decimals by value and exactly.

    Raises:
        ContractViolation: they are not.
    """
    expect(actual == expected, f"{what} to be {shown(expected)}", actual)


def expect_list(value: object, kind: type) -> None:
    """Check that a value is a list that is not empty, and holds one type only.

    Raises:
        ContractViolation: it is not.
    """
    expect(isinstance(value, list) and bool(value), "a list that is not empty", value)
    odd = [one for one in value if not isinstance(one, kind)] if isinstance(value, list) else []
    expect(not odd, f"only {kind.__name__} in the list", odd)


def expect_error(
    call: Callable[[], object],
    *accepted: type[_E],
    outcome: Outcome | tuple[Outcome, ...] | None = None,
    when: str,
) -> _E:
    """Check that a call raises one of some errors, and return it.

    Args:
        call: what is to fail.
        accepted: the errors that the contract allows.
        outcome: what the error must say of a write. None: it is not looked at.
        when: what the call is, for the message: "cancelling an unknown order".

    Raises:
        ContractViolation: it raises nothing, something else, or with another outcome.
    """
    names = " or ".join(kind.__name__ for kind in accepted)
    try:
        returned = call()
    except accepted as error:
        allowed = (outcome,) if isinstance(outcome, Outcome) else outcome
        if allowed is not None and error.outcome not in allowed:
            said = " or ".join(one.name for one in allowed)
            raise ContractViolation(
                f"Expected the {type(error).__name__} of {when} to say outcome {said}; "
                f"it says {error.outcome}: {shown(error)}."
            ) from error
        return error
    except Exception as error:
        raise ContractViolation(f"Expected {names} from {when}; saw {shown(error)}.") from error
    raise ContractViolation(f"Expected {names} from {when}; it returned {shown(returned)}.")
