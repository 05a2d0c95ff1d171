"""A schedule: what bots ask for, what goes wrong, and when the process dies; all from a seed."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.idempotency import DuplicateBehaviour, IdempotencyScope


class Fate(StrEnum):
    """What happens to one call of the brokerage."""

    DONE = "done"
    """It is done, and answered."""
    NOT_SENT = "not_sent"
    """No byte leaves, and the adapter says so."""
    HELD_BACK = "held_back"
    """A rate limit on our side: no byte leaves, and a wait is asked for."""
    REFUSED = "refused"
    """The broker refuses it, and the reply says so."""
    LOST = "lost"
    """It leaves, never arrives, and is never answered."""
    ANSWER_LOST = "answer_lost"
    """It is done, and never answered."""
    LATE = "late"
    """It is never answered, and is done later than the caller gives up."""
    GARBLED = "garbled"
    """It is done; the answer cannot be read, and the adapter raises at once."""
    MISTAKEN = "mistaken"
    """It is done; the adapter fails on the answer by a mistake of its own."""
    SILENT = "silent"
    """It is done; the adapter raises an error that does not say whether it was."""


class Act(StrEnum):
    """What a bot, the market or a person does."""

    SUBMIT = "submit"
    AGAIN = "again"
    """Submit the latest request again, under the same id."""
    OTHER = "other"
    """Submit another content under the latest id."""
    CANCEL = "cancel"
    MODIFY = "modify"
    MARKET = "market"
    """The market moves, and fills what rests."""
    PERSON = "person"
    """A person places an order by hand."""
    RECONCILE = "reconcile"
    PAUSE = "pause"


@attrs.frozen(kw_only=True)
class Step:
    """One thing that is done."""

    act: Act
    """What."""
    number: int = 0
    """Which order, price or wait: what it means depends on the act."""


@attrs.frozen(kw_only=True)
class Schedule:
    """A run of the executor, whole."""

    seed: int
    """What it was made from, and what decides between tasks."""
    scope: IdempotencyScope
    """How far a client id protects at the broker."""
    on_duplicate: DuplicateBehaviour
    """What a second order under an id gets."""
    lag_s: float
    """How long an order may be absent from reads, in seconds."""
    has_lookup: bool
    """Whether the broker finds orders by client id."""
    has_fills: bool
    """Whether it lists executions."""
    bots: tuple[tuple[Step, ...], ...]
    """What each of the concurrent submitters does."""
    writes: dict[int, Fate]
    """The fate of a write, by its number; all others are done."""
    reads: frozenset[int]
    """The numbers of the reads that fail."""
    stale_from: int | None
    """The number of the read from which on, for one whole look, reads are served by a replica that
    is an hour behind. None: none are."""
    journal: dict[int, bool]
    """The numbers of the journal's writes that fail; True: it was written nevertheless."""
    crashes: tuple[int, ...]
    """The numbers of the steps at which the process dies."""

    def is_stale(self, read: int) -> bool:
        """Return whether a read is served by the stale replica.

        One look of the executor makes so many reads that at most one look is stale as a whole.
        """
        if self.stale_from is None:
            return False
        by_id = self.has_lookup and self.scope is not IdempotencyScope.NONE
        reads = 1 + by_id + self.has_fills + (self.scope is IdempotencyScope.NONE)
        return self.stale_from <= read < self.stale_from + reads


STALE_S: Final = 3600.0
"""How far a stale replica is behind, in seconds."""

OUTAGE: Final = 12
"""How many reads in a row fail in an outage."""

SCOPES: Final = (
    (IdempotencyScope.FOREVER, DuplicateBehaviour.REJECTS),
    (IdempotencyScope.FOREVER, DuplicateBehaviour.RETURNS_ORIGINAL),
    (IdempotencyScope.WHILE_OPEN, DuplicateBehaviour.REJECTS),
    (IdempotencyScope.TAG_ONLY, DuplicateBehaviour.ACCEPTS),
    (IdempotencyScope.NONE, DuplicateBehaviour.ACCEPTS),
)
"""The kinds of broker."""

LAGS_S: Final = (0.0, 0.5, 3.0, 20.0)
"""How long orders may be absent from reads, in seconds."""

_FAULTS: Final = tuple(fate for fate in Fate if fate is not Fate.DONE)
_ACTS: Final = (
    (Act.SUBMIT, 10),
    (Act.AGAIN, 2),
    (Act.OTHER, 1),
    (Act.CANCEL, 2),
    (Act.MODIFY, 1),
    (Act.MARKET, 3),
    (Act.PERSON, 1),
    (Act.RECONCILE, 2),
    (Act.PAUSE, 1),
)


def schedule_of(seed: int) -> Schedule:
    """Return the schedule of a seed: always the same."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    scope, on_duplicate = chance.choice(SCOPES)
    acts, weights = zip(*_ACTS, strict=True)

    def bot() -> tuple[Step, ...]:
        kinds = [Act.SUBMIT, *chance.choices(acts, weights, k=chance.randrange(4))]
        return tuple(Step(act=kind, number=chance.randrange(6)) for kind in kinds)

    failing = frozenset(number for number in range(60) if chance.random() < 0.08)
    # Far beyond the reads of any run, there is no outage.
    outage = chance.randrange(30) if chance.random() < 0.15 else 10**6
    bots = tuple(bot() for _ in range(chance.choice((1, 1, 1, 2, 3))))
    return Schedule(
        seed=seed,
        scope=scope,
        on_duplicate=on_duplicate,
        lag_s=chance.choice(LAGS_S),
        has_lookup=chance.random() < 0.5,
        has_fills=chance.random() < 0.75,
        bots=bots,
        writes={number: chance.choice(_FAULTS) for number in range(8) if chance.random() < 0.4},
        reads=failing | frozenset(range(outage, outage + OUTAGE)),
        stale_from=chance.randrange(24) if chance.random() < 0.3 else None,
        journal={number: chance.random() < 0.5 for number in range(12) if chance.random() < 0.03},
        crashes=tuple(
            sorted(chance.randrange(1, 120) for _ in range(chance.choice((0, 0, 1, 1, 2))))
        ),
    )
