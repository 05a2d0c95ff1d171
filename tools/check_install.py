"""Install the built wheel alone, then with each extra alone, and use what each is for.

Every environment is new, holds nothing else, and lives in a temporary folder. In each one

- what the installed extras are for works, and
- what another extra is for says `pip install 'bot-v2[EXTRA]'` instead of failing strangely.
"""

from __future__ import annotations

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

# What works with nothing installed but the base. `IBrokerage` alone loads no SDK and no transport.
BASE_USES = {
    "import the contract": """
        import sys
        from bot_v2.features.brokerages.core.interfaces import IBrokerage
        heavy = {"msgspec", "pydantic", "urllib3", "requests", "sqlalchemy", "cattrs"}
        loaded = heavy & set(sys.modules)
        assert not loaded, f"the contract loads {loaded}"
    """,
    "trade on paper": """
        from bot_v2.orchestration.broker_factory import create_brokerage
        broker = create_brokerage("paper")
        assert broker.connect() is True
        assert isinstance(broker.get_account_id(), str)
        broker.disconnect()
    """,
}

# What each extra is for. Without it, the same lines name it in the error.
EXTRA_USES = {
    "cli": """
        import sys
        from bot_v2.cli.app import main
        sys.argv = ["bot-v2", "list-types"]
        main()
    """,
    "testing": """
        import bot_v2.testing.plugin
        import hypothesis, pytest, vcr
    """,
    "metrics": """
        import bot_v2.orchestration.metrics
        import prometheus_client
    """,
    "sessions": """
        import exchange_calendars
    """,
    "parquet": """
        import pyarrow.parquet
    """,
}

# Extras whose use without them is a plain import of a third party, which cannot name our extra.
SILENT_WITHOUT = {"testing"}


@dataclass(frozen=True)
class Result:
    """What one environment showed."""

    extra: str
    packages: int
    seconds: float
    problems: Sequence[str]


def dedent(code: str) -> str:
    """Return a snippet of the tables above as a program."""
    return "\n".join(line.strip() for line in code.strip().splitlines())


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


def run(python: Path, code: str, folder: Path) -> tuple[int, str]:
    """Run a snippet in an environment, away from this source tree."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "BROKER"))}
    done = subprocess.run(
        [str(python), "-I", "-c", dedent(code)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def problems_of(python: Path, extra: str, folder: Path) -> list[str]:
    """Use everything in one environment and return what went otherwise than promised."""
    problems = []
    uses = dict(BASE_USES)
    if extra in EXTRA_USES:
        uses[f"use {extra}"] = EXTRA_USES[extra]
    for title, code in uses.items():
        status, output = run(python, code, folder)
        if status:
            problems.append(f"{title}: {last_line(output)}")
    for other, code in EXTRA_USES.items():
        if other == extra or other in SILENT_WITHOUT:
            continue
        status, output = run(python, code, folder)
        if status == 0:
            problems.append(f"use {other}: works although it is not installed")
        elif status and f"{PROJECT}[{other}]" not in output:
            problems.append(f"use {other}: {last_line(output)}, which does not name the extra")
    return problems


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
        sys.exit(f"tools/check_install.py does not say what these are for: {sorted(untold)}")
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
