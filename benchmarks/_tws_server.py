"""A simulated TWS in a process of its own, so that it takes no time from a client.

Run it by `python -m benchmarks._tws_server`: it prints its port, and serves until it is ended.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from bot_v2.venues.tws.venue import TwsVenue

ROOT = Path(__file__).resolve().parent.parent
CASH = {"USD": Decimal(10**12)}


def main() -> None:
    """Serve until the process is ended."""
    with TwsVenue(balances=CASH) as venue:
        print(venue.port, flush=True)
        threading.Event().wait()


@contextmanager
def tws_server() -> Iterator[int]:
    """Run a simulated TWS within a block; its port is returned."""
    command = [sys.executable, "-m", "benchmarks._tws_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
