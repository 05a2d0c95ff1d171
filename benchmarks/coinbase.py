"""Coinbase, ours beside the official SDK, ccxt and a plain JSON decoder, in one process.

Orders and a book are read from the same bytes, an order is placed on a TLS server of the loopback,
a connection is opened again, and the bytes that an order keeps are counted. Contestants take turns
in each round, in the other order every other round, after a full collection of garbage; what is
printed is the median cost and the median of a round's ratios. What they compete with is in an
environment of its own: `make bench` makes it, and this module runs itself there.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-peers" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main() -> int:
    """Print the tables; 1 when a bound is broken."""
    if importlib.util.find_spec("ccxt") is not None:
        from benchmarks._coinbase_tables import print_tables

        return print_tables()
    if not PEERS.exists():
        print("what it is measured against is not installed: run `make bench`")
        return 1
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [str(PEERS), "-m", "benchmarks._coinbase_tables"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
