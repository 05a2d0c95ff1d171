"""Cards on recorded traffic: each card has a cassette of its own, named after it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import attrs

from bot_v2.features.brokerages.core.declarations import Environment, environment_of, name_of
from bot_v2.testing.cards import Card
from bot_v2.testing.cassettes import (
    CassetteError,
    Provenance,
    RecordedAgainst,
    provenance_of,
    recording,
    replaying,
)
from bot_v2.testing.conformance import CardResult, Status
from bot_v2.testing.context import CheckContext
from bot_v2.testing.live_guard import Mode
from bot_v2.testing.runner import run_card, why_not
from bot_v2.testing.scrubbing import Scrubber

_AGAINST = {
    Environment.SANDBOX: RecordedAgainst.SANDBOX,
    Environment.PAPER: RecordedAgainst.SANDBOX,
}


@attrs.frozen(kw_only=True)
class Taping:
    """Where the traffic of a suite's cards comes from, or goes to."""

    mode: Mode
    """What the brokerage is checked against."""
    folder: Path | None = None
    """Where the cassettes are. None: there are none."""
    record: bool = False
    """True: the traffic is recorded anew, while a simulator or a sandbox answers."""

    def run(self, card: Card, context: CheckContext, *, clean_up: bool = True) -> CardResult:
        """Run a card on live, recorded or simulated traffic."""
        if self.mode is Mode.CASSETTE:
            return self._replay(card, context)
        if not self.record or self.folder is None or not card.replayable:
            return run_card(card, context, clean_up=clean_up)
        return self._record(card, context, self.folder)

    def _replay(self, card: Card, context: CheckContext) -> CardResult:
        path = None if self.folder is None else self.folder / f"{card.id}.yaml"
        reason = why_not(card, context.broker, None) or ""
        if not reason and not card.replayable:
            reason = "no recording can answer it: it depends on what the adapter makes up"
        elif not reason and (path is None or not path.exists()):
            reason = "no cassette is recorded for it"
        if reason or path is None:
            return CardResult(card_id=card.id, status=Status.SKIPPED, reason=reason)
        context.reseed(provenance_of(path).seed)
        return _run_within(replaying(path), lambda: run_card(card, context, clean_up=False), card)

    def _record(self, card: Card, context: CheckContext, folder: Path) -> CardResult:
        path = folder / f"{card.id}.yaml"
        seed = secrets.token_hex(8)
        provenance = Provenance(
            recorded_against=_AGAINST.get(
                environment_of(context.broker), RecordedAgainst.SIMULATOR
            ),
            recorded_at=datetime.now(UTC).replace(microsecond=0),
            recorded_with=f"bot-v2 {own_version()}, brokerage {name_of(context.broker)}",
            note=card.sentence,
            seed=seed,
        )
        context.reseed(seed)
        tape = recording(path, provenance, Scrubber(secrets=context.profile.secrets))
        result = _run_within(tape, lambda: run_card(card, context), card)
        if result.status is not Status.PASSED:
            path.unlink(missing_ok=True)
        return result


def _run_within(
    tape: AbstractContextManager[None], run: Callable[[], CardResult], card: Card
) -> CardResult:
    try:
        with tape:
            return run()
    except CassetteError as error:
        return CardResult(card_id=card.id, status=Status.FAILED, reason=str(error), error=error)


def own_version() -> str:
    """Return the version of bot-v2 that records."""
    try:
        return version("bot-v2")
    except PackageNotFoundError:
        return "unreleased"
