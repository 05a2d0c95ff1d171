"""Hold the tests to the share of lines and branches that each package has promised.

Combines what the test run measured, prints a table, and exits with 1 when a package has less than
its promise. A package that is in the table and not in the tree is a mistake, and fails as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
JSON_REPORT = ROOT / "build" / "coverage.json"
WORST_SHOWN = 5

# The share, in percent, of lines and branches together. A part gets its row when it is built.
PROMISES = {
    "src/bot_v2/features/brokerages/core": 95.0,
    "src/bot_v2/features/brokerages/http": 95.0,
    "src/bot_v2/features/brokerages/streaming": 95.0,
    "src/bot_v2/features/brokerages/coinbase": 90.0,
    "src/bot_v2/features/brokerages/alpaca": 95.0,
    "src/bot_v2/features/brokerages/ibkr": 95.0,
    "src/bot_v2/venues": 90.0,
    "src/bot_v2/features/brokerages/paper": 95.0,
    "src/bot_v2/simulation": 95.0,
    "src/bot_v2/orchestration": 95.0,
    "src/bot_v2/orchestration/order_executor.py": 95.0,
    "src/bot_v2/orchestration/execution": 95.0,
    "src/bot_v2/orchestration/journal": 95.0,
    "src/bot_v2/orchestration/risk": 95.0,
    "src/bot_v2/testing": 95.0,
    "src/bot_v2/cli": 95.0,
}


@dataclass
class Tally:
    """Lines and branches seen and met."""

    met: int = 0
    seen: int = 0

    def add(self, summary: Mapping[str, Any]) -> None:
        """Add the figures of one file."""
        self.met += summary["covered_lines"] + summary["covered_branches"]
        self.seen += summary["num_statements"] + summary["num_branches"]

    @property
    def percent(self) -> float:
        """The share met; a package of nothing but docstrings is wholly met."""
        return 100.0 * self.met / self.seen if self.seen else 100.0


def measured() -> dict[PurePath, Mapping[str, Any]]:
    """Combine the measurements and return each file's summary by its path under the root."""
    JSON_REPORT.parent.mkdir(exist_ok=True)
    if any(ROOT.glob(".coverage.*")):
        subprocess.run([sys.executable, "-m", "coverage", "combine", "-q"], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "coverage", "json", "-q"], cwd=ROOT, check=True)
    files = json.loads(JSON_REPORT.read_text(encoding="utf-8"))["files"]
    return {PurePath(path.replace("\\", "/")): entry["summary"] for path, entry in files.items()}


def main() -> int:
    """Print the table of promises and figures; 1 when one is not kept."""
    files = measured()
    failed = False
    print(f"{'package':<44}{'promised':>9}{'measured':>10}")
    for package, promised in PROMISES.items():
        own = {path: summary for path, summary in files.items() if path.is_relative_to(package)}
        tally = Tally()
        for summary in own.values():
            tally.add(summary)
        kept = bool(own) and tally.percent >= promised
        failed |= not kept
        note = "" if kept else ("  too little" if own else "  not measured")
        figure = f"{tally.percent:.1f}%" if own else "-"
        print(f"{package:<44}{promised:>8.1f}%{figure:>10}{note}")
        if own and not kept:
            worst = sorted(own.items(), key=lambda item: item[1]["percent_covered"])
            for path, summary in worst[:WORST_SHOWN]:
                print(f"    {path.relative_to(package)}: {summary['percent_covered']:.1f}%")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
