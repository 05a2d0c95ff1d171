"""Write docs/contract-broken.md: which broken brokerage is caught by which card.

python -m tools.broken_table
"""

from __future__ import annotations

import sys
from pathlib import Path

from bot_v2.testing.cards import all_cards
from bot_v2.testing.conformance import markdown_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "contract-broken.md"
ACME = ROOT / "tests" / "contract" / "acme" / "src"
"""The made-up broker: a distribution of its own, that is not installed."""

INTRODUCTION = """\
# The suite, tested itself

Each of these {count} brokerages keeps the contract but for one fault, put in on purpose, and each
is caught by the cards beside it: the card fails on it, says what is wrong, and passes on the same
brokerage without the fault (`tests/contract/test_broken.py`). {proven} of the {cards} cards are
shown to be able to fail. This page is written by `python -m tools.broken_table`; a test keeps it
true.

`on` is the brokerage that has the fault: `paper`, `acme` (a made-up broker with a wire), or paper
with other settings or more capabilities (`tests/contract/broken/rich.py`). `faults` are the ids of
the fault catalogue that it stands for.
"""


def page() -> str:
    """Return the page in Markdown."""
    from tests.contract.broken.catalogue import ALL

    cards = list(all_cards())
    caught = {card_id: [one.name for one in ALL if card_id in one.caught_by] for card_id in cards}
    proven = sum(bool(names) for names in caught.values())
    lines = INTRODUCTION.format(count=len(ALL), proven=proven, cards=len(cards)).splitlines()
    lines += ["", "## What is broken, and what catches it", ""]
    lines += markdown_table(
        ("broken brokerage", "what it does", "on", "caught by", "faults"),
        [
            (one.name, one.fault, one.on.name, ", ".join(one.caught_by), ", ".join(one.catalogue))
            for one in ALL
        ],
    )
    lines += ["", "## What each card catches", ""]
    lines += markdown_table(
        ("card", "broken brokerages"),
        [(card_id, ", ".join(names) or "none") for card_id, names in caught.items()],
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page."""
    sys.path.insert(0, str(ACME))
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
