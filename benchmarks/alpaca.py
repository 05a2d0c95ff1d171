"""Alpaca, ours beside the vendor's alpaca-py, ccxt and a plain JSON decoder, in one process.

Orders are read from the same bytes, and an order is placed on a TLS server of the loopback, the
vendor's client as it is shipped. Contestants take turns as in the benchmark of Coinbase; what they
compete with is in the environment that `make bench` makes, and this module runs itself there.
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
        from benchmarks._alpaca_tables import print_tables

        return print_tables()
    if not PEERS.exists():
        print("what it is measured against is not installed: run `make bench`")
        return 1
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [str(PEERS), "-m", "benchmarks._alpaca_tables"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
