"""Waiting for what a broker shows with a delay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from bot_v2.features.brokerages.core.errors import OrderNotFoundError
from bot_v2.testing.violation import expect

_T = TypeVar("_T")

STEP_S = 0.01
"""How long to wait between two reads, in seconds."""


def wait_until(
    read: Callable[[], _T], accept: Callable[[_T], bool], timeout_s: float, what: str
) -> _T:
    """Read until the answer will do, and return it; a broker may be late, never wrong.

    Raises:
        ContractViolation: it does not come in time.
    """
    pause = threading.Event()
    end = time.monotonic() + timeout_s
    seen: object = None
    while True:
        try:
            value = read()
            if accept(value):
                return value
            seen = value
        except OrderNotFoundError as error:
            # What was just placed may be absent for a while.
            seen = error
        if time.monotonic() >= end:
            break
        pause.wait(STEP_S)
    expect(False, f"{what} within {timeout_s} s", seen)
    raise AssertionError("unreachable")
