"""Write what the README shows of this project: demonstrations, and what brokerages declare.

python -m tools.readme_tables
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bot_v2.features.brokerages.core.interfaces import (
    Capability,
    IBrokerage,
    capabilities_of,
    close_guard_of,
    idempotency_of,
    order_history_of,
    unsupported_of,
)
from bot_v2.orchestration.broker_factory import create_brokerage
from bot_v2.orchestration.registry import available_brokerages

README = Path(__file__).resolve().parent.parent / "README.md"
ALIASES = {"simulation": "paper"}

# Credentials that open nothing: what a brokerage declares does not depend on them.
_ADVANCED = {"cdp_api_key": "made-up", "cdp_private_key": f"{'A' * 43}="}
_EXCHANGE = {"api_key": "made-up", "api_secret": "bWFkZS11cA==", "api_passphrase": "made-up"}
SETTINGS: dict[str, dict[str, dict[str, str]]] = {
    # brokerage: the title of each of its columns, and what makes that one
    "coinbase": {
        "coinbase": _ADVANCED,
        "coinbase perpetuals": {"enable_derivatives": "true", **_ADVANCED},
        "coinbase exchange": {"api_mode": "exchange", **_EXCHANGE},
    },
    "alpaca": {"alpaca": {"api_key": "made-up", "secret_key": "made-up"}},
}


def brokerages() -> dict[str, IBrokerage]:
    """Return one of each brokerage that is installed with this project, aliases left out."""
    return {
        title: create_brokerage(name, given)
        for name in available_brokerages()
        if name not in ALIASES
        for title, given in SETTINGS.get(name, {name: {}}).items()
    }


def capability_table() -> str:
    """Return the table in Markdown."""
    columns = brokerages()
    titles = [
        f"`{name}`" + "".join(f", `{alias}`" for alias, of in ALIASES.items() if of == name)
        for name in columns
    ]
    rows = [["", *titles], ["---", *("---" for _ in columns)]]
    for capability in Capability:
        marks = ["yes" if capability in capabilities_of(each) else "" for each in columns.values()]
        rows.append([capability.value.replace("_", " "), *marks])
    facts: dict[str, Callable[[IBrokerage], str]] = {
        "a client id protects": lambda each: idempotency_of(each).scope.value.replace("_", " "),
        "a duplicate id is": lambda each: idempotency_of(each).on_duplicate.value.replace("_", " "),
        "ended orders are kept": lambda each: order_history_of(each).retention.value,
        "closing is": lambda each: close_guard_of(each).value.replace("_", " "),
        "refused as unsupported": lambda each: ", ".join(sorted(unsupported_of(each))) or "nothing",
    }
    rows += [[title, *(fact(each) for each in columns.values())] for title, fact in facts.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def demonstration() -> str:
    """Return what `bot-v2 demo` prints, as a block of Markdown; it is the same every time."""
    return _printed_by("demo")


def brokers_demonstration() -> str:
    """Return what `bot-v2 demo --brokers --short` prints; all but times and ids is the same."""
    return _printed_by("demo", "--brokers", "--short")


def _printed_by(*words: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", "bot_v2.cli.app", *words],
        env={**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    lines = "\n".join(line.rstrip() for line in shown.splitlines())
    return f"```text\n{lines}\n```\n"


SECTIONS: dict[str, Callable[[], str]] = {
    "capabilities": capability_table,
    "demo": demonstration,
}
"""What stands between the marks of a name, and what writes it."""

RECORDED: dict[str, Callable[[], str]] = {"demo-brokers": brokers_demonstration}
"""The same, of what differs from one time to the next by moments and ids."""

_VARYING = (
    (re.compile(r"\b\d\d:\d\d:\d\dZ"), "HH:MM:SSZ"),
    (re.compile(r"\b\d+\.\d s\b"), "N s"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
)


def without_what_varies(recorded: str) -> str:
    """Return a recorded text with its moments, durations and ids replaced by what they are."""
    for pattern, word in _VARYING:
        recorded = pattern.sub(word, recorded)
    return recorded


def main() -> None:
    """Write each section between its marks."""
    text = README.read_text(encoding="utf-8")
    for name, write in (SECTIONS | RECORDED).items():
        start, end = f"<!-- {name}:start -->\n", f"<!-- {name}:end -->"
        before, rest = text.split(start, 1)
        text = before + start + write() + end + rest.split(end, 1)[1]
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
