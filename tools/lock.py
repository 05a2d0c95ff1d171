"""Pin and hash every requirement, for every platform and Python at once, naming no index.

Run it by:

    make lock                        keep the pins that still fit
    make lock LOCK_ARGS=--upgrade    take the newest versions
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sysconfig.get_path("scripts")) / ("uv.exe" if os.name == "nt" else "uv")
OLDEST_PYTHON = "3.11"

COMMON = (
    "--quiet",
    "--universal",
    f"--python-version={OLDEST_PYTHON}",
    "--generate-hashes",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--custom-compile-command=make lock",
)

# What keeps the packages of .venv together.
SHARED = "--constraints=requirements/shared.in"

# Each lock's file and what goes into it. The demos' pins hold in dev.txt too: they share .venv.
LOCKS = (
    ("demo.txt", ("pyproject.toml", "--extra=cli", "--group=build", SHARED)),
    (
        "demo-brokers.txt",
        (
            "pyproject.toml",
            "--extra=cli",
            "--extra=journal",
            "--extra=venues",
            "--extra=coinbase",
            "--extra=alpaca",
            "--extra=ibkr",
            "--group=build",
            "--constraints=requirements/demo.txt",
            SHARED,
        ),
    ),
    (
        "dev.txt",
        (
            "pyproject.toml",
            "--all-extras",
            "--group=dev",
            "--constraints=requirements/demo-brokers.txt",
            SHARED,
        ),
    ),
    # What is measured against, beside what is measured. On its own: ccxt pins what others move.
    (
        "peers.txt",
        (
            "pyproject.toml",
            "--extra=coinbase",
            "--extra=alpaca",
            "--extra=ibkr",
            "requirements/peers.in",
        ),
    ),
    ("lock.txt", ("requirements/lock.in",)),
)

ADDRESS = re.compile(r"://|--(?:extra-)?index|--find-links|^\s*[./]", re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Write each lock and refuse one that names where its files come from."""
    for name, inputs in LOCKS:
        target = ROOT / "requirements" / name
        command = [str(UV), "pip", "compile", *COMMON, *arguments, *inputs]
        subprocess.run(
            [*command, f"--output-file={target.relative_to(ROOT)}"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        text = target.read_text(encoding="utf-8")
        if found := ADDRESS.search(text):
            print(f"{name} names an address near {found.group()!r}", file=sys.stderr)
            return 1
        pins = len(re.findall(r"^[\w.-]+(?:\[[^]]*\])?==", text, re.MULTILINE))
        print(f"requirements/{name}: {pins} pins")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
