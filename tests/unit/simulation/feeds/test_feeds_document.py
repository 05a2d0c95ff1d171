"""docs/price_feeds.md says what the tables of the code say."""

from __future__ import annotations

import re
from pathlib import Path

from bot_v2.simulation.feeds.columns import LEFT_OUT, OPTIONAL, REQUIRED, SPELLINGS

DOCUMENT = (Path(__file__).parents[4] / "docs" / "price_feeds.md").read_text(encoding="utf-8")


def names(text: str) -> tuple[str, ...]:
    """The names in a list with commas."""
    return tuple(re.findall(r"\w+", text))


def test_the_kinds_of_rows_are_documented() -> None:
    """Each kind of row is listed with the columns that it must and may have."""
    rows = re.findall(r"^\| (\w+) \| (time, [^|]+) \| ([^|]+) \| an? ", DOCUMENT, re.MULTILINE)
    documented = {kind: (names(must), names(may)) for kind, must, may in rows}
    assert documented == {kind: (REQUIRED[kind], OPTIONAL[kind]) for kind in REQUIRED}


def test_the_spellings_are_documented() -> None:
    """Each column is listed with all the ways to spell it."""
    rows = re.findall(r"^\| ([a-z_]+) \| ([a-z_, ]+) \|$", DOCUMENT, re.MULTILINE)
    documented = {column: (column, *names(others)) for column, others in rows}
    assert documented == dict(SPELLINGS)


def test_what_is_read_over_is_documented() -> None:
    """Every column that is left out is listed."""
    listed = re.search(r"Read over: ([\w,\s]+)\.", DOCUMENT)
    assert listed is not None
    assert set(names(listed[1])) == LEFT_OUT
