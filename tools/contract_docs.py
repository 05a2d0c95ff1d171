"""Write the cards of docs/contract.md: one for each sentence of the contract that is tested.

python -m tools.contract_docs
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import GROUPS, Card, all_cards
from bot_v2.testing.conformance import markdown_table

PAGE = Path(__file__).resolve().parent.parent / "docs" / "contract.md"

MARK = "<!-- Everything below is written by `python -m tools.contract_docs`. -->"


def main() -> None:
    """Write the cards below what people wrote."""
    written = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(written + generated(), encoding="utf-8")


def generated() -> str:
    """Return the part of the page that is made from the cards, its mark included."""
    cards = list(all_cards().values())
    lines = [MARK, "", "## Cards", "", f"There are {len(cards)} of them.", ""]
    lines += markdown_table(("group", "cards", "ids"), _group_rows(cards))
    for letters, (_, about) in GROUPS.items():
        lines += ["", f"### {about}", ""]
        for card in (one for one in cards if one.group == letters):
            lines += [*_card_lines(card), ""]
        lines.pop()
    return "\n".join(lines) + "\n"


def _group_rows(cards: list[Card]) -> Iterator[tuple[object, ...]]:
    for letters, (_, about) in GROUPS.items():
        ids = [card.id for card in cards if card.group == letters]
        yield (f"[{about}](#{_anchor(about)})", len(ids), f"{ids[0]} to {ids[-1]}")


def _anchor(title: str) -> str:
    return "".join(one for one in title.lower() if one.isalnum() or one == " ").replace(" ", "-")


def _card_lines(card: Card) -> list[str]:
    return [
        f"#### {card.id}",
        "",
        f"**{card.sentence}**",
        "",
        card.method,
        "",
        f"*Contract {card.section.value} · {', '.join(_needs(card))}*",
    ]


def _needs(card: Card) -> Iterator[str]:
    yield card.tier.value
    if card.capabilities:
        yield f"declares {_names(card.capabilities)}"
    if card.needs_venue:
        yield "needs a venue" + (" with a wire" if card.needs_wire else "")
    if card.faults:
        yield f"which can commit {_names(card.faults)}"
    if not card.replayable:
        yield "not from a cassette"
    if card.catalogue:
        yield f"covers {' '.join(card.catalogue)}"


def _names(some: frozenset[Capability] | frozenset[Fault]) -> str:
    return " and ".join(sorted(one.value for one in some))


if __name__ == "__main__":
    main()
