"""Recorded traffic of Coinbase, replayed; with options, recorded anew (cassettes/README.md)."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot_v2.features.brokerages.coinbase.settings import ApiMode
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
from tests.integration.coinbase.cassettes.cases import (
    ACCOUNTS,
    CARDS,
    ERRORS,
    ErrorCase,
    note_of,
    resting,
)
from tests.integration.coinbase.cassettes.stands import FOLDER, Account, Set, stand

pytestmark = pytest.mark.cassette("coinbase")

BURST = 3
"""How many orders a card of lists places: more than a page of the simulator has."""

NEEDS_SIMULATOR = "the simulator was told to fail: a sandbox does not"
NO_SANDBOX = "Advanced Trade's sandbox answers from a fixed page: there is no market to record"


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Mode:
    """What answers: a tape, unless something is to be recorded."""
    if request.config.getoption("record_live", None):
        return Mode.LIVE
    return Mode.SIMULATOR if request.config.getoption("contract_record", False) else Mode.CASSETTE


def skip_unrecordable(mode: Mode, account: Account) -> None:
    """Skip what no sandbox can answer."""
    if mode is Mode.LIVE and account.api is not ApiMode.EXCHANGE:
        pytest.skip(NO_SANDBOX)


def context_of(account: Account, made: Set) -> CheckContext:
    """Return what a card works with; the simulator is a broker like any other to it."""
    profile = ContractProfile(
        symbol=account.symbol, secrets=made.secrets, clock=made.clock, burst=BURST
    )
    return CheckContext(made.broker, None, profile, made.reopen)


@pytest.mark.parametrize(
    ("folder", "card_id"),
    [(folder, card_id) for folder, cards in CARDS.items() for card_id in cards],
)
def test_a_card_holds_on_its_cassette(folder: str, card_id: str, mode: Mode) -> None:
    """What the contract says holds on recorded traffic, without a network."""
    account = ACCOUNTS[folder]
    skip_unrecordable(mode, account)
    card = all_cards()[card_id]
    tape = FOLDER / folder / f"{card_id}.yaml"
    taping = Taping(mode=mode, folder=FOLDER / folder, record=mode is not Mode.CASSETTE)
    with stand(account, mode, tape if mode is Mode.CASSETTE else None) as made:
        result = taping.run(card, context_of(account, made))
    assert result.status is Status.PASSED, result.reason


@pytest.mark.parametrize("case", ERRORS, ids=[case.name for case in ERRORS])
def test_an_error_is_told_as_recorded(case: ErrorCase, mode: Mode) -> None:
    """A recorded refusal or failure becomes its error, with its outcome."""
    skip_unrecordable(mode, case.account)
    if mode is Mode.LIVE and case.stage is not None:
        pytest.skip(NEEDS_SIMULATOR)
    tape = FOLDER / f"{case.name}.yaml"
    with stand(case.account, mode, tape if mode is Mode.CASSETTE else None) as made:
        seed = provenance_of(tape).seed if mode is Mode.CASSETTE else secrets.token_hex(8)
        with traffic(tape, case, made, mode, seed):
            made.broker.connect()
            made.broker.get_products()
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
        recorded_with=f"bot-v2 {own_version()}, brokerage coinbase",
        note=note_of(case),
        seed=seed,
    )
    return recording(tape, provenance, Scrubber(secrets=made.secrets))


STREAMS = {"quote_stream", "order_stream"}
"""What goes over WebSockets, which no cassette holds: it is shown against the simulators."""


@pytest.mark.parametrize("folder", ACCOUNTS)
def test_every_capability_is_on_tape(folder: str) -> None:
    """In cassette mode nothing fails, and at least one card of what is declared is replayed."""
    account = ACCOUNTS[folder]
    shown: set[str] = set()
    with stand(account, Mode.CASSETTE) as made:
        declared = {str(one) for one in made.broker.capabilities}
    for card_id in CARDS[folder]:
        shown |= {str(one) for one in all_cards()[card_id].capabilities}
    assert declared - STREAMS <= shown
    assert declared >= STREAMS


def test_each_cassette_is_of_something() -> None:
    """No cassette lies about that nothing replays."""
    expected = {f"{case.name}.yaml" for case in ERRORS}
    expected |= {f"{folder}/{card_id}.yaml" for folder, cards in CARDS.items() for card_id in cards}
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml")}
    assert found == expected


def test_no_cassette_holds_a_credential() -> None:
    """Neither the simulator's keys nor anything that looks like a secret is in any cassette."""
    known: set[str] = set()
    for account in ACCOUNTS.values():
        with stand(account, Mode.CASSETTE) as made:
            known |= set(made.secrets)
    assert len(known) == 5
    assert findings_in(FOLDER.parent, known) == []


@pytest.mark.parametrize("name", ["Authorization", "CB-ACCESS-KEY", "CB-ACCESS-SIGN", "CB-ACCESS-PASSPHRASE"])
def test_what_signs_is_blanked_by_its_name(name: str) -> None:
    """Whoever records without saying what is secret leaves no signature behind."""
    assert Scrubber().header_values({name: "of-nobody"}) == {name: "***"}
