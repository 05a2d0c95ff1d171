"""The cards are not satisfied by a brokerage that only looks like one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot_v2.testing.conformance import Status
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.runner import run_cards
from tests.unit.testing.hollow import HollowBrokerage, HollowVenue

PROFILE = ContractProfile(
    secrets=("made-up",),
    price=Decimal(100),
    settle_s=0.02,
    stream_timeout_s=0.02,
    mute_timeout_s=0.02,
)

# What such a brokerage keeps all the same, because only its declarations and products count there.
KEPT_BY_ANYTHING = {
    *("BC-D010", "BC-D030", "BC-D040", "BC-D060", "BC-D070", "BC-D100", "BC-D110"),
    *("BC-I010", "BC-I020", "BC-I030", "BC-I040", "BC-I050", "BC-I060", "BC-I090", "BC-I100"),
    *("BC-K010", "BC-S080", "BC-S140", "BC-T060", "BC-Z010", "BC-Z050", "BC-Z060"),
}


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        # an answer to everything: what happens to be right
        (None, {"BC-S030"}),
        (True, {"BC-S010", "BC-H050"}),
        (Decimal(100), {"BC-M010", "BC-M120"}),
        (
            [],
            {"BC-A020", "BC-A030", "BC-AC020", "BC-SY020"},
        ),
    ],
    ids=["None", "True", "a number", "an empty list"],
)
def test_one_answer_to_everything_passes_nothing(answer: object, kept: set[str]) -> None:
    """A brokerage that answers every call alike fails each card that looks at an answer."""
    results = run_cards(lambda: HollowBrokerage(answer), HollowVenue, profile=PROFILE)
    passed = {result.card_id for result in results if result.status is Status.PASSED}
    assert passed - KEPT_BY_ANYTHING == kept


def test_an_error_that_is_not_typed_fails_every_card() -> None:
    """A brokerage that raises a RuntimeError wherever it is called passes and skips nothing."""
    broken = HollowBrokerage(RuntimeError("no"))
    results = run_cards(lambda: broken, HollowVenue, profile=PROFILE)
    assert {result.status for result in results} == {Status.FAILED}
