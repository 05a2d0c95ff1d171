"""The catalogue of faults, as far as it is of Coinbase: what is tested, and what does not apply.

`python -m tests.integration.coinbase.faults.catalogue` writes docs/coinbase_faults.md anew.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
DOCUMENT: Final = HERE.parents[3] / "docs" / "coinbase_faults.md"

NAMES: Final = {
    # The catalogue: transport, protocol, semantic, venue.
    "T01": "DNS failure before the connection",
    "T02": "connection refused, TLS failure",
    "T03": "no connection is free in time",
    "T04": "read timeout, the order was accepted",
    "T05": "read timeout, the order never arrived",
    "T06": "read timeout, the order arrives late",
    "T07": "reset in the middle of the answer",
    "T08": "a truncated, empty or HTML body with a 200",
    "T09": "502, 503 or 504 after the acceptance",
    "T10": "502, 503 or 504 before the acceptance",
    "T11": "403 or 429 of a proxy, without the venue's words",
    "T12": "redirect of a signed POST",
    "T13": "a kept connection is closed by the other side",
    "T14": "an answer that drips past the deadline",
    "T15": "no timeout is configured",
    "T16": "a stream that is open and says nothing",
    "T17": "a storm of reconnections of a stream",
    "T18": "a stream drops while an order is on its way",
    "T19": "Ctrl-C while an order is on its way",
    "T20": "a crash between sending and the answer",
    "P01": "a fill that is told twice",
    "P02": "a fill before its order's answer",
    "P03": "a fill after the cancel",
    "P04": "a fill that a healthy stream leaves out",
    "P05": "filled quantities that come out of order",
    "P06": "a bust, a correction",
    "P07": "an unknown status, reason or field",
    "P08": "what cannot be parsed",
    "P09": "a gap in the sequence of a streamed book",
    "P10": "pages: a repeated cursor, a cap, items that move",
    "P11": "a 200 with refusals in it",
    "P12": "a batch that fails whole",
    "P13": "a success without an order id",
    "P14": "numbers as NaN, in scientific notation, empty",
    "P15": "moments of any precision and zone",
    "P16": "units: coins, contracts, money",
    "P17": "a field that was renamed",
    "P18": "candles that form, miss or overlap",
    "P19": "a snapshot that is older than what is known",
    "S01": "a used client id on a resend",
    "S02": "the same client id after the fill",
    "S03": "a venue without client ids",
    "S04": "the order's id when it is changed",
    "S05": "a change that races a fill",
    "S06": "a cancel that comes too late",
    "S07": "a cancel that times out",
    "S08": '"not found" right after the placement',
    "S09": "a fast fill that was never open",
    "S10": "a partial fill, then the end",
    "S11": "more is filled than was asked",
    "S12": "a bracket whose exit is refused",
    "S13": "both orders of an OCO are filled",
    "S14": "an order across zero",
    "S15": "a leg of a combination is filled in part",
    "S16": "an unsupported type, time in force or flag",
    "S17": "off the tick, below the least size",
    "S18": "a refusal after the acceptance",
    "S19": "expiry",
    "S20": "corporate events",
    "V01": "the session expires at the order",
    "V02": "a refresh token that is dead",
    "V03": "a refresh by two processes at once",
    "V04": "the daily reset of a gateway",
    "V05": "order ids that roll back after a reset",
    "V06": "429, with and without Retry-After",
    "V07": "clocks that differ",
    "V08": "a halted product, maintenance",
    "V09": "an acknowledged order that is dropped",
    "V10": "a sandbox that differs",
    "V11": "products that change, and are read in part",
    "V12": "positions that lag or cannot be read",
    "V13": "somebody else trades in the account",
    "V14": "a key without the permission",
}

TOKENS: Final = "keys do not expire, and each request is signed anew: there is nothing to refresh"
GATEWAY: Final = "Interactive Brokers' gateway alone"

NOT_HERE: Final = {
    # why a fault does not apply
    "S03": "both APIs keep the client id, and find an order by it",
    "S13": "the adapter declares no OCO: an exit is one order with two prices",
    "S15": "the adapter declares no orders of several legs",
    "S20": "coins and perpetuals have none; a product that is gone is V11",
    "V02": TOKENS,
    "V03": TOKENS,
    "V04": GATEWAY,
    "V05": GATEWAY,
}


def tests_by_number() -> dict[str, list[tuple[str, str]]]:
    """Return the tests of each number, as their name and their sentence."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and (named := _NUMBER.match(node.name)):
                told = (ast.get_docstring(node) or "").partition("\n")[0]
                found.setdefault(named[1].upper(), []).append((node.name, told))
    return found


_NUMBER: Final = re.compile(r"test_([tpsvo]\d\d)_")


def document() -> str:
    """Return the page of the catalogue."""
    tests = tests_by_number()
    lines = [
        "# Faults of Coinbase",
        "",
        "What can go wrong between a bot and Coinbase, by the numbers of the catalogue of faults",
        "(T: transport, P: protocol, S: the life of orders, V: the venue and the session), and",
        "what the adapter makes of it. Each sentence is a test in",
        "`tests/integration/coinbase/faults`, over the adapter and the simulator as they are;",
        "after each test the simulator has received no order twice. The simulator is written by",
        "Coinbase's reference: that is no evidence of what Coinbase does.",
        "",
        "| Number | Fault | What holds |",
        "| --- | --- | --- |",
    ]
    for number, name in NAMES.items():
        said = " ".join(told.removeprefix(f"{number}: ") for _, told in tests.get(number, []))
        lines.append(f"| {number} | {name} | {said or f'Does not apply: {NOT_HERE[number]}.'} |")
    lines += ["", "Faults of whoever runs a bot (O01 to O14) are not of a broker.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
