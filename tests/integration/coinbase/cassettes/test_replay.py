"""Recorded errors of Coinbase, replayed; with options, recorded anew (cassettes/README.md).

The cards of the contract are replayed by tests/contract/test_coinbase_cassettes.py.
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot_v2.testing.cassettes import (
    Provenance,
    RecordedAgainst,
    findings_in,
    provenance_of,
    recording,
    replaying,
)
from bot_v2.testing.live_guard import Mode
from bot_v2.testing.scrubbing import Scrubber
from bot_v2.testing.taping import own_version
from tests.integration.coinbase.cassettes.cases import (
    ACCOUNTS,
    CARDS,
    ERRORS,
    ErrorCase,
    note_of,
    resting,
)
from tests.integration.coinbase.cassettes.stands import (
    FOLDER,
    Set,
    mode_of,
    skip_unrecordable,
    stand,
)

pytestmark = pytest.mark.cassette("coinbase")

NEEDS_SIMULATOR = "the simulator was told to fail: a sandbox does not"


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Mode:
    """What answers: a tape, unless something is to be recorded."""
    return mode_of(request.config)


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
