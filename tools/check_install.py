"""Install the built wheel alone, then with each extra alone, and use what each is for.

Every environment is new, holds nothing else, and lives in a temporary folder. In each one

- the contract and the paper brokerage work, and so does what the installed extra is for;
- every module of ours can be imported, or says `pip install 'bot-v2[EXTRA]'` and means an extra
  that is not there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "bot-v2"
BASE = "(base)"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet")

# What works with nothing installed but the base.
BASE_USES = {
    "import the contract": """
import sys
from bot_v2.features.brokerages.core.interfaces import IBrokerage
loaded = {"msgspec", "pydantic", "urllib3", "requests", "sqlalchemy"} & set(sys.modules)
assert not loaded, f"the contract loads {loaded}"
""",
    "trade on paper": """
from bot_v2.orchestration.broker_factory import create_brokerage
broker = create_brokerage("paper")
assert broker.connect() is True
assert broker.get_account_id()
broker.disconnect()
""",
    "have a transport": """
from bot_v2.features.brokerages.http.transport import HttpTransport
HttpTransport().close()
""",
}

# What each extra is for, as a program that works with it. When the extra is not there, the programs
# marked so below fail by naming it.
EXTRA_USES = {
    "cli": """
import sys
from bot_v2.cli.app import main
sys.argv = ["bot-v2", "list-types"]
sys.exit(main())
""",
    "testing": """
from bot_v2.testing.certify import certify
import bot_v2.testing.suite, hypothesis, vcr
report = certify("bot_v2.features.brokerages.paper.adapter:PaperBrokerage")
assert any(result.status == "passed" for result in report.results)
""",
    "credentials": """
from datetime import UTC, datetime
from pathlib import Path
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.configuration.dotenv_file import with_dotenv
from bot_v2.orchestration.credentials.opening import open_vault
Path(".env").write_text("BOT_V2_PASSPHRASE=made up for this check")
environ = with_dotenv({"BOT_V2_CONFIG": str(Path.cwd())}, Path(".env"))
vault = open_vault(environ, stores=["file"], clock=lambda: datetime.now(UTC))
vault.set_fields("check", {"api_key": Secret("made up")})
assert vault.get("check").fields["api_key"].value.reveal() == "made up"
Path("credentials.enc").unlink()
import keyring, pyotp
""",
    "metrics": """
from bot_v2.orchestration.health_metrics import HealthMetrics
HealthMetrics()
import prometheus_client
assert "bot_v2_broker_up" in prometheus_client.generate_latest().decode()
""",
    "sessions": """
from datetime import UTC, datetime
from bot_v2.simulation.sessions import ExchangeCalendar
assert ExchangeCalendar("XNYS").is_open(datetime(2026, 11, 20, 15, tzinfo=UTC))
""",
    "parquet": """
from decimal import Decimal
from pathlib import Path
from bot_v2.simulation.feeds.open_feed import open_feed
try:
    import pyarrow, pyarrow.parquet
except ImportError:
    pass
else:
    row = {"time": ["2026-11-20T15:00:00Z"], "price": ["1.5"], "size": ["2"]}
    pyarrow.parquet.write_table(pyarrow.table(row), "AAPL.parquet")
(event,) = open_feed(Path("AAPL.parquet")).events()
assert event.price == Decimal("1.5")
""",
    "redis": """
from bot_v2.features.brokerages.http.quotas import Quota, Quotas
Quotas({"orders": [Quota(10)]}, scope="check", storage_url="redis://127.0.0.1:1/0")
""",
    "journal": """
from bot_v2.orchestration.journal.sql_journal import SqlJournal
SqlJournal("sqlite:///orders.sqlite").close()
""",
    "postgres": """
from bot_v2.orchestration.journal.stores import open_store
open_store("postgresql://127.0.0.1:1/orders", "check").engine.dispose()
""",
    "venues": "import cryptography, starlette, uvicorn, websockets",
    "coinbase": "from coinbase.rest import RESTClient; import websockets.client",
    "alpaca": "import alpaca.trading.client, msgpack, websockets",
    "ibkr": "from ib_async import IB",
}
NAMED_WHEN_MISSING = ("cli", "credentials", "redis", "metrics", "sessions", "parquet")

# Parts of ours that are entered through a door which names the extra (the command `bot-v2`, the
# class SqlJournal), or that only their own extra's program loads (pytest), or when a connection is
# first opened (an adapter's): behind it they import plainly.
BEHIND_A_DOOR = {
    "bot_v2.features.brokerages.ibkr": {"ib_async"},
    "bot_v2.orchestration": {"sqlalchemy"},
    "bot_v2.cli": {"typer", "rich"},
    "bot_v2.testing": {"pytest", "_pytest", "hypothesis", "vcr"},
    "bot_v2.venues": {"starlette", "uvicorn", "websockets", "cryptography"},
}

# Imports every module of ours and prints, for each one that cannot be, its error and what it lacks.
IMPORT_ALL = """
import importlib, json, pkgutil, bot_v2
failures = {}
for module in pkgutil.walk_packages(bot_v2.__path__, "bot_v2.", onerror=lambda name: None):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        lacking = (error.name or "").split(".")[0]
        failures[module.name] = [f"{type(error).__name__}: {error}", lacking]
print(json.dumps(failures))
"""


@dataclass(frozen=True)
class Result:
    """What one environment showed."""

    extra: str
    packages: int
    seconds: float
    problems: Sequence[str]


def build_wheel(folder: Path) -> Path:
    """Build the wheel with the pinned build backend, downloading nothing."""
    command = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def write_constraints(folder: Path) -> Path:
    """Write the pins of the lock without their hashes, which a wheel made here cannot have."""
    lock = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[\w.-]+==[^\\\n]+", lock, re.MULTILINE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
    return constraints


def run(python: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a snippet in an environment, away from this source tree."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "BROKER"))}
    return subprocess.run(
        [str(python), "-I", "-c", code],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def problems_of(python: Path, extra: str, folder: Path) -> list[str]:
    """Use everything in one environment and return what went otherwise than promised."""
    problems = []
    uses = BASE_USES if extra == BASE else {**BASE_USES, f"use {extra}": EXTRA_USES[extra]}
    for title, code in uses.items():
        done = run(python, code, folder)
        if done.returncode:
            problems.append(f"{title}: {last_line(done.stdout + done.stderr)}")
    for other in NAMED_WHEN_MISSING:
        done = run(python, EXTRA_USES[other], folder)
        if other != extra and not names(other, done.stdout + done.stderr):
            problems.append(f"use {other} without it: {last_line(done.stdout + done.stderr)}")
    return problems + problems_of_imports(python, extra, folder)


def problems_of_imports(python: Path, extra: str, folder: Path) -> list[str]:
    """Import every module of ours and return those that fail without saying what to install."""
    done = run(python, IMPORT_ALL, folder)
    if done.returncode:
        return [f"import every module: {last_line(done.stderr)}"]
    problems = []
    for module, (error, lacking) in json.loads(done.stdout.splitlines()[-1]).items():
        behind_a_door = any(
            lacking in packages
            for part, packages in BEHIND_A_DOOR.items()
            if module.startswith(part) and not part.endswith(f".{extra}")
        )
        names_another = any(names(other, error) for other in EXTRA_USES if other != extra)
        if not (behind_a_door or names_another):
            problems.append(f"import {module}: {error}")
    return problems


def names(extra: str, text: str) -> bool:
    """Whether a message says how to install an extra."""
    return f"{PROJECT}[{extra}]" in text


def last_line(output: str) -> str:
    """Return the last line of what a program printed, which is where an error says itself."""
    lines = output.strip().splitlines()
    return lines[-1] if lines else "(no output)"


def check(extra: str, wheel: Path, constraints: Path, folder: Path) -> Result:
    """Install the wheel with one extra into a new environment and use it."""
    started = time.perf_counter()
    home = folder / (extra if extra != BASE else "base")
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    requirement = str(wheel) if extra == BASE else f"{wheel}[{extra}]"
    pip = [*PIP, "--python", str(python)]
    done = subprocess.run(
        [*pip, "install", "-c", str(constraints), requirement],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        problems = [f"pip: {last_line(done.stderr)}"]
    else:
        problems = problems_of(python, extra, folder)
    count = len(list(home.rglob("*.dist-info")))
    return Result(extra, count, time.perf_counter() - started, problems)


def main() -> int:
    """Check every environment and print the table; 1 when any broke a promise."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = [BASE, *pyproject["project"]["optional-dependencies"]]
    if untold := set(extras) - {BASE} - set(EXTRA_USES):
        sys.exit(f"tools/check_install.py does not say what these are for: {untold}")
    with tempfile.TemporaryDirectory(prefix="bot-v2-install-") as name:
        folder = Path(name)
        wheel, constraints = build_wheel(folder), write_constraints(folder)
        results = []
        for extra in extras:
            print(f"installing {PROJECT} {extra} ...", flush=True)
            results.append(check(extra, wheel, constraints, folder))
    print(f"\n{'installed with':<16}{'packages':>9}{'seconds':>9}  result")
    for result in results:
        verdict = "FAILED" if result.problems else "ok"
        print(f"{result.extra:<16}{result.packages:>9}{result.seconds:>9.1f}  {verdict}")
        for problem in result.problems:
            print(f"    {problem}")
    failed = sum(bool(result.problems) for result in results)
    print(f"installs: {len(results) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
