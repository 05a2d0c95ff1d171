"""The result of a certification: a line per card, as rows, JSON and Markdown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.testing.cards import GROUPS, Card, all_cards, group_of


class Status(StrEnum):
    """What became of a card."""

    PASSED = "passed"
    """The brokerage keeps the sentence."""
    FAILED = "failed"
    """It breaks it; the reason says how."""
    SKIPPED = "skipped"
    """It does not apply here; the reason says why."""
    EXEMPT = "exempt"
    """It was not looked at; the reason is the brokerage's own."""
    NOT_RUN = "not run"
    """Nobody asked for it."""


_ALWAYS_SHOWN: Final = frozenset({Status.FAILED, Status.EXEMPT})


@attrs.frozen(kw_only=True)
class CardResult:
    """What became of one card."""

    card_id: str
    """The card."""
    status: Status
    """What became of it."""
    reason: str = ""
    """Why; empty for a card that passed."""
    seconds: float = 0.0
    """How long it took."""
    error: BaseException | None = attrs.field(default=None, eq=False, repr=False)
    """What was raised. None: nothing was, or the result came from another process."""

    @property
    def card(self) -> Card:
        """The card."""
        return all_cards()[self.card_id]

    def as_data(self) -> dict[str, object]:
        """Return the result as JSON can hold it."""
        return {
            "id": self.card_id,
            "group": GROUPS[self.card.group][1],
            "sentence": self.card.sentence,
            "section": self.card.section.value,
            "tier": self.card.tier.value,
            "status": self.status.value,
            "reason": self.reason,
            "seconds": round(self.seconds, 4),
        }


@attrs.frozen(kw_only=True)
class ConformanceReport:
    """What became of every card, for one brokerage."""

    brokerage: str
    """Its name."""
    mode: str
    """What it was run against: simulator, cassette or live."""
    results: tuple[CardResult, ...]
    """A result for every card that there is, in the order of the table."""
    capabilities: tuple[Capability, ...] = ()
    """What the brokerage declares."""
    created_at: datetime
    """When the report was made."""

    @property
    def counts(self) -> Counter[Status]:
        """How many cards there are of each status."""
        return Counter(result.status for result in self.results)

    @property
    def violations(self) -> tuple[CardResult, ...]:
        """The cards that failed."""
        return tuple(result for result in self.results if result.status is Status.FAILED)

    @property
    def unexercised(self) -> tuple[Capability, ...]:
        """What is declared and was shown by no card, although all cards were asked for."""
        if any(result.status is Status.NOT_RUN for result in self.results):
            return ()
        shown = {
            capability
            for result in self.results
            if result.status in (Status.PASSED, Status.FAILED, Status.EXEMPT)
            for capability in result.card.capabilities
        }
        return tuple(sorted(set(self.capabilities) - shown))

    @property
    def conforms(self) -> bool:
        """Whether nothing failed, something passed, and what is declared was exercised."""
        return not self.violations and self.counts[Status.PASSED] > 0 and not self.unexercised

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return a row per card: id, sentence, status, reason."""
        return [
            (result.card_id, result.card.sentence, result.status.value, result.reason)
            for result in self.results
        ]

    def group_rows(self) -> list[tuple[str, int, int, int, int]]:
        """Return a row per group: what it is about, and how many passed, failed, and did not run.

        The last two are those skipped and those exempt.
        """
        rows = []
        for letters, (_, about) in GROUPS.items():
            of_group = [one for one in self.results if group_of(one.card_id) == letters]
            count = Counter(one.status for one in of_group)
            skipped = count[Status.SKIPPED] + count[Status.NOT_RUN]
            figures = (count[Status.PASSED], count[Status.FAILED], skipped, count[Status.EXEMPT])
            rows.append((about, *figures))
        return rows

    def lines(self, *, every: bool = False) -> list[str]:
        """Return the report for a terminal.

        Args:
            every: True: a line per card. False: cards that passed are left out, and those that
                were skipped for one reason share a line.
        """
        shown = [one for one in self.results if every or one.status in _ALWAYS_SHOWN]
        lines = [
            f"{one.card_id:<9} {one.status.value:<8} {one.card.sentence}"
            + (f"\n{'':<19}{one.reason}" if one.reason else "")
            for one in shown
        ]
        if every:
            return lines
        by_reason: dict[str, list[str]] = {}
        for one in self.results:
            if one.status is Status.SKIPPED:
                by_reason.setdefault(one.reason, []).append(one.card_id)
        lines += [f"skipped: {reason}: {' '.join(ids)}" for reason, ids in by_reason.items()]
        return lines

    def verdict(self) -> str:
        """Return the result in one line."""
        counted = ", ".join(
            f"{self.counts[status]} {status.value}" for status in Status if self.counts[status]
        )
        word = "conforms to" if self.conforms else "does not conform to"
        line = f"{self.brokerage} {word} the contract ({self.mode}): {counted}"
        if self.unexercised:
            line += f"; declared and not exercised: {', '.join(self.unexercised)}"
        return line

    def as_data(self) -> dict[str, object]:
        """Return the report as JSON can hold it."""
        return {
            "brokerage": self.brokerage,
            "mode": self.mode,
            "created_at": self.created_at.isoformat(),
            "conforms": self.conforms,
            "capabilities": [capability.value for capability in self.capabilities],
            "unexercised": [capability.value for capability in self.unexercised],
            "counts": {status.value: self.counts[status] for status in Status},
            "cards": [result.as_data() for result in self.results],
        }

    def to_json(self) -> str:
        """Return the report as JSON."""
        return _json(self.as_data())

    def to_markdown(self) -> str:
        """Return the report as a Markdown page."""
        lines = [
            f"# Conformance of {self.brokerage}",
            "",
            f"{self.verdict()}.",
            "",
            f"Run on {self.created_at:%Y-%m-%d %H:%M} UTC. Declared: "
            f"{', '.join(self.capabilities) or 'no capability'}.",
            "",
        ]
        lines += markdown_table(
            ("group", "passed", "failed", "skipped", "exempt"), self.group_rows()
        )
        lines += ["", "## Cards", ""]
        lines += markdown_table(("id", "sentence", "status", "reason"), self.rows())
        return "\n".join(lines) + "\n"


_ESCAPES: Final = str.maketrans({"|": "\\|", "\n": " ", "<": "&lt;"})


def markdown_table(header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    """Return the lines of a table."""

    def line(cells: Iterable[object]) -> str:
        return f"| {' | '.join(str(cell).translate(_ESCAPES) for cell in cells)} |"

    return [line(header), line("---" for _ in header), *(line(row) for row in rows)]


def _json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def conformance_as_json(reports: Sequence[ConformanceReport]) -> str:
    """Return one report as a JSON object, several as a list of them."""
    data = [report.as_data() for report in reports]
    return _json(data[0] if len(data) == 1 else data)


def conformance_as_markdown(reports: Sequence[ConformanceReport]) -> str:
    """Return reports as one Markdown text."""
    return "\n".join(report.to_markdown() for report in reports)


def complete_results(results: Iterable[CardResult]) -> tuple[CardResult, ...]:
    """Return a result for every card there is, in order: nothing is left out in silence."""
    by_id = {result.card_id: result for result in results}
    return tuple(
        by_id.get(card_id)
        or CardResult(card_id=card_id, status=Status.NOT_RUN, reason="not asked for")
        for card_id in all_cards()
    )


def result_from_data(data: Mapping[str, object]) -> CardResult:
    """Return a result that crossed a process boundary as data."""
    return CardResult(
        card_id=str(data["id"]),
        status=Status(str(data["status"])),
        reason=str(data["reason"]),
        seconds=float(str(data["seconds"])),
    )
