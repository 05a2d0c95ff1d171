"""The table of cards."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import (
    GROUPS,
    Section,
    Tier,
    all_cards,
    card,
    check_exemptions,
    chosen_cards,
    group_of,
)
from bot_v2.testing.context import CheckContext
from tools.contract_docs import MARK, PAGE, generated

CARDS = list(all_cards().values())
CATALOGUE = {"T": 20, "P": 19, "S": 20, "V": 14, "O": 14}
"""How many faults of each kind the catalogue has."""


def test_there_are_enough_cards() -> None:
    """The contract is tested sentence by sentence."""
    assert len(CARDS) >= 150


def test_the_page_of_cards_is_what_the_tool_writes() -> None:
    """docs/contract.md is written anew whenever a card changes: python -m tools.contract_docs."""
    written = PAGE.read_text(encoding="utf-8")
    assert written.partition(MARK)[1:] == generated().partition(MARK)[1:]


def test_ids_that_people_wrote_on_the_page_exist() -> None:
    """The written part of docs/contract.md names real cards."""
    written = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    assert set(re.findall(r"BC-[A-Z]+[0-9]+", written)) <= set(all_cards())


def test_every_group_has_cards_of_its_own() -> None:
    """No group is empty, and each card is of a group."""
    assert [each for each in GROUPS if each in {one.group for one in CARDS}] == list(GROUPS)


def test_numbers_leave_room() -> None:
    """Cards are numbered by tens, so that a later one fits where it belongs."""
    assert [one.id for one in CARDS if not one.id.endswith("0")] == []


def test_every_capability_is_exercised_by_a_card() -> None:
    """Whatever an adapter declares, some card looks at it."""
    looked_at = {capability for one in CARDS for capability in one.capabilities}
    assert set(Capability) - looked_at == set()


def test_every_fault_is_committed_by_a_card() -> None:
    """Whatever a venue can commit, some card looks at what comes of it."""
    assert {fault for one in CARDS for fault in one.faults} == set(Fault)


def test_every_card_says_what_and_how() -> None:
    """Both are sentences; no two cards promise the same."""
    for one in CARDS:
        assert one.sentence.endswith(".")
        assert one.method.endswith(".")
    assert len({one.sentence + one.group for one in CARDS}) == len(CARDS)


def test_catalogue_ids_exist() -> None:
    """A card covers faults that the catalogue has, and writes their ids as it does."""
    for one in CARDS:
        for fault in one.catalogue:
            assert 1 <= int(fault[1:]) <= CATALOGUE[fault[0]], f"{one.id} covers {fault}"
            assert len(fault) == 3


def test_faults_need_a_venue() -> None:
    """A card that commits a fault says that it needs a venue, and is of the tier of faults."""
    for one in CARDS:
        assert one.needs_venue or not one.faults
        assert (one.tier is Tier.FAULT) == bool(one.faults)


def test_cards_that_need_a_wire_say_so() -> None:
    """Garbled bodies are the only faults that need one."""
    wired = {one.id for one in CARDS if one.needs_wire}
    assert wired == {"BC-W070", "BC-W080", "BC-W090", "BC-F060", "BC-F070", "BC-F080"}


def test_no_module_of_checks_is_left_out_of_the_table() -> None:
    """A module that no group names would never be loaded."""
    folder = Path(__file__).parents[3] / "src" / "bot_v2" / "testing" / "checks"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == {module for module, _ in GROUPS.values()}


@pytest.mark.parametrize("card_id", ["BC-O1", "O010", "BC-QQ010", "BC-o010", "", "BC-O0100"])
def test_an_id_has_one_form(card_id: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="no card id"):
        group_of(card_id)


def check_nothing(ctx: CheckContext) -> None:
    """It looks at nothing."""


def test_a_card_belongs_in_the_module_of_its_group() -> None:
    """A check defined elsewhere cannot slip into the table."""
    with pytest.raises(ValueError, match=r"belongs in bot_v2\.testing\.checks\.placing"):
        card("BC-O999", "Nothing.", Section.MEANING)(check_nothing)
    assert "BC-O999" not in all_cards()


def test_an_id_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second card under an id is refused."""
    monkeypatch.setattr(check_nothing, "__module__", "bot_v2.testing.checks.placing")
    with pytest.raises(ValueError, match="is taken"):
        card("BC-O010", "Nothing.", Section.MEANING)(check_nothing)


def test_chosen_cards_come_in_the_order_of_the_table() -> None:
    """However they are asked for."""
    assert [one.id for one in chosen_cards(["BC-W010", "BC-D010"])] == ["BC-D010", "BC-W010"]


def test_an_unknown_card_cannot_be_chosen() -> None:
    """A misspelt id would pass for a card that passed."""
    with pytest.raises(ValueError, match="BC-D011"):
        chosen_cards(["BC-D011"])


@pytest.mark.parametrize(
    ("exemptions", "message"),
    [
        ({"BC-D011": "because"}, "names no card"),
        ({"BC-D010": ""}, "gives no reason"),
        ({"BC-D010": "  "}, "gives no reason"),
    ],
)
def test_an_exemption_needs_a_card_and_a_reason(exemptions: dict[str, str], message: str) -> None:
    """Without either it is refused."""
    with pytest.raises(ValueError, match=message):
        check_exemptions(exemptions)
