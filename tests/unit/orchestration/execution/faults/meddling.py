"""Ways to make calls of a brokerage go wrong, one call at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bot_v2.features.brokerages.core.interfaces import BrokerageError, OrderOutcomeUnknownError
from tests.unit.orchestration.execution.desk import Desk

READS = ("get_order_by_client_id", "list_orders", "list_fills", "get_order")


def replace(desk: Desk, method: str, by: Callable[..., Any]) -> None:
    """Let a method of the brokerage be another one."""
    setattr(desk.broker, method, by)


def raising(error: BaseException, after: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return a method that fails, after the call has had its effect where there is one."""

    def method(*arguments: Any) -> Any:
        if after is not None:
            after(*arguments)
        raise error

    return method


def once(desk: Desk, method: str, by: Callable[..., Any]) -> None:
    """Let the next call of a method be another one."""
    real = getattr(desk.broker, method)

    def first(*arguments: Any) -> Any:
        replace(desk, method, real)
        return by(*arguments)

    replace(desk, method, first)


@contextmanager
def blind(desk: Desk, error: BrokerageError | None = None) -> Iterator[None]:
    """Let every read of orders and executions fail for a while."""
    real = {name: getattr(desk.broker, name) for name in READS}
    for name in READS:
        replace(desk, name, raising(error or BrokerageError("no answer")))
    yield
    for name, method in real.items():
        replace(desk, name, method)


def lose_answer(desk: Desk) -> None:
    """Let the next order be taken, and its answer be lost."""
    lost = OrderOutcomeUnknownError("there was no answer")
    once(desk, "place_order", raising(lost, after=desk.broker.place_order))


def later(desk: Desk, seconds: float, call: Callable[[], object]) -> None:
    """Let something happen some virtual seconds from now."""

    def happen() -> None:
        call()

    desk.world.at(desk.world.now + timedelta(seconds=seconds), happen)


def declare(desk: Desk, **facts: Any) -> None:
    """Let the brokerage declare something else of itself, from a new executor on."""
    for name, fact in facts.items():
        setattr(desk.broker, name, fact)
    desk.start()
