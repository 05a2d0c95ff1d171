"""The contract suite tested itself: each broken brokerage is caught by the cards that name it."""

from __future__ import annotations

import decimal
import logging
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot_v2.testing.cards import all_cards
from bot_v2.testing.conformance import Status
from bot_v2.testing.violation import ContractViolation
from tests.contract.broken.catalogue import ALL
from tests.contract.broken.entry import Broken, Healthy
from tools import broken_table

CAUGHT = [(broken, card_id) for broken in ALL for card_id in broken.caught_by]
HEALTHY = {(broken.on.name, card_id): broken.on for broken, card_id in CAUGHT}

UNPROVEN: dict[str, str] = {}
"""The cards that no broken brokerage fails, with the reason of each."""


@pytest.fixture(autouse=True)
def _kept_process() -> Iterator[None]:
    """Undo what a brokerage does to the process, where that is its fault."""
    context, timeout = decimal.getcontext().copy(), socket.getdefaulttimeout()
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    decimal.setcontext(context)
    socket.setdefaulttimeout(timeout)
    root.handlers[:] = handlers


@pytest.mark.uncovered
@pytest.mark.parametrize(
    ("broken", "card_id"),
    [pytest.param(one, card_id, id=f"{card_id} {one.name}") for one, card_id in CAUGHT],
)
def test_a_broken_brokerage_is_caught(broken: Broken, card_id: str) -> None:
    """The card fails, and says what is wrong."""
    result = broken.run(card_id)
    assert result.status is Status.FAILED, result
    says = broken.caught_by[card_id]
    if says.startswith("Unexpected"):
        assert result.reason.startswith(says)
    else:
        assert isinstance(result.error, ContractViolation)
        assert says in result.reason


@pytest.mark.uncovered
@pytest.mark.parametrize(
    ("healthy", "card_id"),
    [
        pytest.param(healthy, card_id, id=f"{card_id} {name}")
        for (name, card_id), healthy in HEALTHY.items()
    ],
)
def test_the_fault_alone_is_what_fails(healthy: Healthy, card_id: str) -> None:
    """The card passes on the same brokerage without the fault."""
    result = healthy.run(card_id)
    assert result.status is Status.PASSED, result


def test_every_card_can_fail() -> None:
    """There is a broken brokerage for each card, but for those whose reason is given."""
    proven = {card_id for _, card_id in CAUGHT}
    assert set(all_cards()) - proven == set(UNPROVEN)
    assert all(UNPROVEN.values())


def test_each_name_is_used_once() -> None:
    """A row of the table and a test can be found by the name of the brokerage."""
    assert [name for name, times in Counter(one.name for one in ALL).items() if times > 1] == []


def test_the_page_is_what_the_brokerages_say() -> None:
    """docs/contract-broken.md is equal to what `python -m tools.broken_table` writes."""
    page = Path(broken_table.PAGE).read_text(encoding="utf-8")
    assert page == broken_table.page()
