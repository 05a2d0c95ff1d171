"""Runs both type checkers as a user would: on files elsewhere, against the installed package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKERS = ("mypy", "pyright")
MYPY_ERROR = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): error: (?P<message>.*)")
MARK = re.compile(r"# expect-error(?:: (?P<only>mypy|pyright))?$")


@dataclass(frozen=True, order=True)
class Finding:
    """One error of a checker."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def lines_of(findings: Sequence[Finding], file: str) -> set[int]:
    """The lines of a file that have an error."""
    return {finding.line for finding in findings if finding.file == file}


def expected_lines(path: Path, checker: str) -> set[int]:
    """The lines of a file that are marked as an error for a checker."""
    marks = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return {
        number
        for number, line in marks
        if (mark := MARK.search(line)) and mark["only"] in (None, checker)
    }


def run_mypy(folder: Path, cache: Path) -> list[Finding]:
    """The errors of `mypy --strict` on a folder, without any configuration of ours."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file", ""),
            *("--no-pretty", "--hide-error-context", "--no-error-summary"),
            *("--cache-dir", str(cache), "."),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = [MYPY_ERROR.match(line) for line in done.stdout.splitlines()]
    return sorted(
        Finding(Path(error["path"]).as_posix(), int(error["line"]), error["message"])
        for error in found
        if error
    )


def run_pyright(folder: Path) -> list[Finding]:
    """The errors of pyright's strict mode on a folder."""
    configuration = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(configuration), encoding="utf-8")
    command = shutil.which("basedpyright", path=sysconfig.get_path("scripts"))
    assert command is not None, "basedpyright is not installed in this environment"
    done = subprocess.run(
        [command, "--outputjson", "--pythonpath", sys.executable, "."],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return sorted(
        Finding(
            Path(error["file"]).resolve().relative_to(folder.resolve()).as_posix(),
            error["range"]["start"]["line"] + 1,
            error["message"],
        )
        for error in json.loads(done.stdout)["generalDiagnostics"]
        if error["severity"] == "error"
    )


def run_both(folder: Path, cache: Path) -> dict[str, list[Finding]]:
    """The errors of each checker on a folder."""
    return {"mypy": run_mypy(folder, cache), "pyright": run_pyright(folder)}
