"""Cards of the contract on recorded sessions: TWS's words from a tape, and nobody behind them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    Capability,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderType,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.testing.cards import all_cards
from bot_v2.testing.conformance import Status
from bot_v2.venues.tws.tapes.player import TapePlayer
from bot_v2.venues.tws.tapes.tape import TapeError, read_tape
from tests.integration.ibkr.tapes.stand import CARDS, FOLDER, brokerage, run

MARKET_NEEDED = {Capability.OCO, Capability.TRAILING_STOP}
"""The capabilities of which every card moves the simulated market."""


def tape_of(card_id: str) -> Path:
    """Return where a card's tape is."""
    return FOLDER / f"{card_id}.tape"


@pytest.mark.parametrize("card_id", CARDS)
def test_a_card_on_its_tape(card_id: str) -> None:
    """The card passes, the adapter says what it said, and nothing on the tape is left over."""
    with TapePlayer(tape_of(card_id)) as player:
        result = run(card_id, player.port)
        if result.error is not None:
            raise result.error
    assert result.status is Status.PASSED, result.reason


def test_each_tape_is_of_a_card() -> None:
    """There is a tape of each card that is listed, of no other, and each says what it is worth."""
    assert {path.stem for path in FOLDER.glob("*.tape")} == set(CARDS)
    for card_id in CARDS:
        provenance = read_tape(tape_of(card_id)).provenance
        assert provenance.note == all_cards()[card_id].sentence
        assert provenance.recorded_against in ("simulator", "sandbox", "live")
        assert (provenance.server, bool(provenance.recorded_with)) == (178, True)


def test_each_capability_has_a_tape() -> None:
    """Of each capability that needs no simulated market a card is on a tape."""
    taped = {one for card_id in CARDS for one in all_cards()[card_id].capabilities}
    assert IbkrBrokerage.capabilities - taped == MARKET_NEEDED


def test_no_account_is_on_a_tape() -> None:
    """Accounts are replaced before a tape is written."""
    for path in FOLDER.glob("*.tape"):
        assert "DU1000001" not in path.read_text(encoding="utf-8")


def test_another_order_is_not_answered() -> None:
    """An order that is not the one on the tape gets no answer, and the tape says so."""
    asked = OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(5),
        price=Decimal("100.25"),
    )
    player = TapePlayer(tape_of("BC-O020"))
    player.start()
    try:
        with brokerage(player.port) as broker:
            broker.connect()
            broker.get_product("AAPL")
            with pytest.raises(OrderOutcomeUnknownError):
                broker.place_order(asked)
    finally:
        player.close()
    with pytest.raises(TapeError):
        player.check()
