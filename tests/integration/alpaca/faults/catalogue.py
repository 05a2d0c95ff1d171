"""The catalogue of faults, as far as it is of Alpaca: what is tested, and what does not apply.

`python -m tests.integration.alpaca.faults.catalogue` writes docs/alpaca_faults.md anew.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

from tests.integration.coinbase.faults.catalogue import NAMES

HERE: Final = Path(__file__).parent
DOCUMENT: Final = HERE.parents[3] / "docs" / "alpaca_faults.md"

TOKENS: Final = "keys do not expire, and there is nothing to refresh"
GATEWAY: Final = "Interactive Brokers' gateway alone"

NOT_HERE: Final = {
    # why a fault does not apply
    "P06": "Alpaca tells a trading account of no busts and corrections, but as other activities",
    "P09": "each book is read whole, and best prices are streamed whole",
    "S03": "Alpaca keeps the client id, and finds an order by it",
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
        "# Faults of Alpaca",
        "",
        "What can go wrong between a bot and Alpaca, by the numbers of the catalogue of faults",
        "(T: transport, P: protocol, S: the life of orders, V: the venue and the session), and",
        "what the adapter makes of it. Each sentence is a test in",
        "`tests/integration/alpaca/faults`, over the adapter and the simulator as they are;",
        "after each test the simulator has received no order twice. The simulator is written by",
        "Alpaca's reference: that is no evidence of what Alpaca does.",
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
