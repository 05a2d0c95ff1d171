"""Recorded messages of real sessions, decoded and encoded again by the schemas.

They lie beside the project where they are at all: `../shared/payloads/ibkr`. Each line is one
message, its fields ended by `|`; most were recorded by another client's tests, some are cut short.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot_v2.venues.tws.frames import NEWEST, OLDEST, WireError, join_fields
from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER

FOLDER = Path(__file__).resolve().parents[5] / "shared" / "payloads" / "ibkr"
FILES = sorted(FOLDER.glob("tws_wire_*.txt"))
LEAST = 150
"""How many of the messages come back: the others are cut short, made up, or not simulated."""


def kind_of(line: str) -> str | None:
    """Return the name of a message that comes back as it was, at any version. None: none does.

    Who says it is not told reliably: the direction is the one in which more of it is read. An empty
    field at its end may be missing.
    """
    whole = join_fields(line.removesuffix("|").split("|"))
    found = {"": 0}
    for direction in (FROM_CLIENT, FROM_SERVER):
        for version in (NEWEST, 176, 170, 166, 162, OLDEST):
            try:
                message = direction.decode(whole, version)
            except WireError:
                continue
            again = direction.encode(message.name, message.values, version)
            if whole in (again, again + b"\0"):
                found[message.name] = len(again)
    return max(found, key=lambda name: found[name]) or None


@pytest.mark.skipif(not FILES, reason="the payloads do not lie beside the project")
def test_recorded_messages_come_back_as_they_were() -> None:
    """Digit for digit, every kind that matters among them; the count is printed."""
    rows = [row for path in FILES for row in path.read_text(encoding="utf-8").splitlines()]
    lines = [row[2:] for row in rows if row[:2] in ("C ", "S ")]
    kinds = [kind for line in lines if (kind := kind_of(line)) is not None]
    print(f"{len(kinds)} of {len(lines)} messages come back, of {len(set(kinds))} kinds")
    assert len(kinds) >= LEAST
    assert set(kinds) >= {
        *("placeOrder", "openOrder", "orderStatus", "execDetails", "completedOrder", "error"),
        *("contractDetails", "reqContractDetails", "position", "accountSummary", "tickByTick"),
        *("historicalData", "symbolSamples", "marketRule", "updateMktDepthL2", "tickPrice"),
    }
