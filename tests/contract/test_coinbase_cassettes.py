"""The contract suite on recorded traffic of Coinbase; with options, recorded anew.

How to record is in cassettes/README.md, and what is recorded in `cases.py` beside the cassettes'
other tests. Every other card is exempt here, and says why; all of them are looked at in simulator
mode (test_coinbase.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final

import pytest

from bot_v2.features.brokerages.core.interfaces import Capability, IBrokerage
from bot_v2.testing.cards import Card, all_cards
from bot_v2.testing.live_guard import Mode
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract
from tests.integration.coinbase.cassettes.cases import ACCOUNTS, CARDS
from tests.integration.coinbase.cassettes.stands import (
    FOLDER,
    Set,
    capabilities_of,
    mode_of,
    skip_unrecordable,
    stand,
)

pytestmark = pytest.mark.cassette("coinbase")

BURST: Final = 3
"""How many orders a card of lists places: more than a page of the simulator has."""

STREAMED: Final = "streams go by WebSocket, which no cassette holds: they are shown on simulators"

PROCESS: Final = "it is about the process that the adapter runs in, not about traffic"

ALIKE: Final = "replies of the same kind are on tape, for other cards of its group"

WHY_NOT: Final[Mapping[str, str]] = {
    "D": "it is about what the adapter says of itself: no traffic shows it",
    "N": "it is refused before sending: there is no traffic",
    "S": "sessions are on tape for other cards; this one is about what happens without traffic",
    "A": ALIKE,
    "I": "it is about what is made of a list of products, which is on tape for other cards",
    "M": ALIKE,
    "O": ALIKE,
    "U": "it is refused before sending: there is no traffic",
    "L": ALIKE,
    "K": "it is about how ids are made and checked before sending",
    "C": ALIKE,
    "R": "it is about two readings at once, or a race: on tape there is none",
    "P": "spot is kept as a balance; a perpetual's position needs a market that fills",
    "V": "the models are those that the recorded cards return",
    "T": "requests of several threads come in another order each time",
    "Z": "secrets are blanked on tape: none is left to be shown",
    "MO": ALIKE,
    "PV": ALIKE,
    "QU": ALIKE,
    "TR": ALIKE,
    "CA": ALIKE,
    "AS": ALIKE,
    "MG": ALIKE,
    "QS": STREAMED,
    "OS": STREAMED,
    "AC": "it needs another portfolio, and a key of it",
    **dict.fromkeys(("BC-T040", "BC-T050", "BC-T060", "BC-T070"), PROCESS),
}
"""Why cards have no cassette, by card or by group; what is not here has one."""


def is_looked_at(card: Card, folder: str) -> bool:
    """Return whether a card could have a cassette at all: the suite says why the others do not."""
    declared = capabilities_of(ACCOUNTS[folder])
    return card.replayable and not card.needs_venue and card.capabilities <= declared


def exemptions_of(folder: str) -> dict[str, str]:
    """Return the cards of an account that could have a cassette and have none, with the reason."""
    return {
        card.id: WHY_NOT.get(card.id) or WHY_NOT[card.group]
        for card in all_cards().values()
        if is_looked_at(card, folder) and card.id not in CARDS[folder]
    }


class _OnTape(BrokerageContract):
    folder: ClassVar[str]

    @pytest.fixture
    def contract_mode(self, request: pytest.FixtureRequest) -> Mode:
        """A tape, unless something is to be recorded."""
        mode = mode_of(request.config)
        skip_unrecordable(mode, ACCOUNTS[self.folder])
        return mode

    @pytest.fixture
    def made(self, request: pytest.FixtureRequest, contract_mode: Mode) -> Iterator[Set]:
        """A brokerage whose clock starts when the card was recorded, where it was."""
        card: Card = request.node.callspec.params["card"]
        tape = FOLDER / self.folder / f"{card.id}.yaml"
        is_replayed = contract_mode is Mode.CASSETTE and card.id in CARDS[self.folder]
        with stand(ACCOUNTS[self.folder], contract_mode, tape if is_replayed else None) as made:
            yield made

    @pytest.fixture
    def brokerage(self, made: Set) -> IBrokerage:
        """A session of the account, not yet connected."""
        return made.broker

    @pytest.fixture
    def reopen_brokerage(self, made: Set) -> Callable[[], IBrokerage]:
        """Makes further sessions of the account."""
        return made.reopen

    @pytest.fixture
    def contract_profile(self, made: Set) -> ContractProfile:
        """What the suite may know; the simulator is a broker like any other to it."""
        return ContractProfile(
            symbol=ACCOUNTS[self.folder].symbol,
            secrets=made.secrets,
            clock=made.clock,
            burst=BURST,
        )


class TestSpot(_OnTape):
    """Spot on Advanced Trade keeps the contract on its tapes."""

    folder = "spot"
    cassettes = str(FOLDER / folder)
    exemptions: ClassVar = exemptions_of(folder)


class TestPerpetuals(_OnTape):
    """Perpetuals on Advanced Trade keep the contract on their tapes."""

    folder = "perpetuals"
    cassettes = str(FOLDER / folder)
    exemptions: ClassVar = exemptions_of(folder)


class TestExchange(_OnTape):
    """The Exchange API keeps the contract on its tapes."""

    folder = "exchange"
    cassettes = str(FOLDER / folder)
    exemptions: ClassVar = exemptions_of(folder)


@pytest.mark.parametrize("folder", CARDS)
def test_what_is_recorded_applies(folder: str) -> None:
    """A tape of a card that is skipped would be shown by nothing."""
    cards = all_cards()
    assert [one for one in CARDS[folder] if not is_looked_at(cards[one], folder)] == []
    assert len(set(CARDS[folder])) == len(CARDS[folder])


@pytest.mark.parametrize("folder", CARDS)
def test_every_capability_is_on_tape(folder: str) -> None:
    """At least one card of what is declared is replayed, but for streams."""
    shown = {one for card_id in CARDS[folder] for one in all_cards()[card_id].capabilities}
    streams = {Capability.QUOTE_STREAM, Capability.ORDER_STREAM}
    assert capabilities_of(ACCOUNTS[folder]) - streams <= shown
