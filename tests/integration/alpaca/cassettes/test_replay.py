"""Recorded traffic of Alpaca, replayed; with options, recorded anew (cassettes/README.md)."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot_v2.testing.cards import all_cards
from bot_v2.testing.cassettes import (
    Provenance,
    RecordedAgainst,
    findings_in,
    provenance_of,
    recording,
    replaying,
)
from bot_v2.testing.conformance import Status
from bot_v2.testing.context import CheckContext
from bot_v2.testing.live_guard import Mode
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.scrubbing import Scrubber
from bot_v2.testing.taping import Taping, own_version
from tests.integration.alpaca.cassettes.cases import (
    CARDS,
    ERRORS,
    NOT_ON_TAPE,
    QUANTITIES,
    SYMBOLS,
    ErrorCase,
    note_of,
    resting,
)
from tests.integration.alpaca.cassettes.stands import FOLDER, Set, stand

pytestmark = pytest.mark.cassette("alpaca")

BURST = 3
"""How many orders a card of lists places: more than are asked for at once."""

NEEDS_SIMULATOR = "the simulator was told to fail: a paper account does not"


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Mode:
    """What answers: a tape, unless something is to be recorded."""
    if request.config.getoption("record_live", None):
        return Mode.LIVE
    return Mode.SIMULATOR if request.config.getoption("contract_record", False) else Mode.CASSETTE


def context_of(folder: str, made: Set) -> CheckContext:
    """Return what a card works with; the simulator is a broker like any other to it."""
    profile = ContractProfile(
        symbol=SYMBOLS[folder],
        quantity=QUANTITIES[folder],
        secrets=made.secrets[1:],
        clock=made.clock,
        burst=BURST,
        # There are none of a weekend, which can be a long one.
        candle_interval=timedelta(hours=1),
        candle_span=timedelta(days=5),
    )
    return CheckContext(made.broker, None, profile, made.reopen)


@pytest.mark.parametrize(
    ("folder", "card_id"),
    [(folder, card_id) for folder, cards in CARDS.items() for card_id in cards],
)
def test_a_card_holds_on_its_cassette(folder: str, card_id: str, mode: Mode) -> None:
    """What the contract says holds on recorded traffic, without a network."""
    card = all_cards()[card_id]
    tape = FOLDER / folder / f"{card_id}.yaml"
    taping = Taping(mode=mode, folder=FOLDER / folder, record=mode is not Mode.CASSETTE)
    with stand(mode, tape if mode is Mode.CASSETTE else None) as made:
        result = taping.run(card, context_of(folder, made))
    assert result.status is Status.PASSED, result.reason


@pytest.mark.parametrize("case", ERRORS, ids=[case.name for case in ERRORS])
def test_an_error_is_told_as_recorded(case: ErrorCase, mode: Mode) -> None:
    """A recorded refusal or failure becomes its error, with its outcome."""
    if mode is Mode.LIVE and case.stage is not None:
        pytest.skip(NEEDS_SIMULATOR)
    tape = FOLDER / f"{case.name}.yaml"
    with stand(mode, tape if mode is Mode.CASSETTE else None) as made:
        seed = provenance_of(tape).seed if mode is Mode.CASSETTE else secrets.token_hex(8)
        with traffic(tape, case, made, mode, seed):
            made.broker.connect()
            made.broker.get_product("AAPL")
            if made.venue is not None and case.stage is not None:
                case.stage(made.venue)
            with pytest.raises(case.kind) as caught:
                case.act(made.broker, resting(hashlib.sha256(seed.encode()).hexdigest()[:32]))
    assert type(caught.value) is case.kind
    assert caught.value.outcome is case.outcome


def traffic(
    tape: Path, case: ErrorCase, made: Set, mode: Mode, seed: str
) -> AbstractContextManager[None]:
    """Replay a cassette, or record it."""
    if mode is Mode.CASSETTE:
        return replaying(tape)
    against = RecordedAgainst.SANDBOX if mode is Mode.LIVE else RecordedAgainst.SIMULATOR
    provenance = Provenance(
        recorded_against=against,
        recorded_at=datetime.now(UTC).replace(microsecond=0),
        recorded_with=f"bot-v2 {own_version()}, brokerage alpaca",
        note=note_of(case),
        seed=seed,
    )
    return recording(tape, provenance, Scrubber(secrets=made.secrets))


def test_every_capability_is_on_tape() -> None:
    """At least one card of what is declared is replayed, but of what needs the simulator."""
    with stand(Mode.CASSETTE) as made:
        declared = set(made.broker.capabilities)
    shown = {
        one for cards in CARDS.values() for card in cards for one in all_cards()[card].capabilities
    }
    assert declared - shown == set(NOT_ON_TAPE)


def test_each_cassette_is_of_something() -> None:
    """No cassette lies about that nothing replays."""
    expected = {f"{case.name}.yaml" for case in ERRORS}
    expected |= {f"{folder}/{card_id}.yaml" for folder, cards in CARDS.items() for card_id in cards}
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml")}
    assert found == expected


def test_no_cassette_holds_a_credential() -> None:
    """Neither the simulator's key nor anything that looks like a secret is in any cassette."""
    with stand(Mode.CASSETTE) as made:
        assert len(made.secrets) == 2
        assert findings_in(FOLDER, made.secrets) == []


@pytest.mark.parametrize("name", ["APCA-API-KEY-ID", "APCA-API-SECRET-KEY"])
def test_credentials_are_blanked_by_their_names(name: str) -> None:
    """Whoever records without saying what is secret leaves no credential behind."""
    assert Scrubber().header_values({name: "of-nobody"}) == {name: "***"}
