"""Both type checkers on the bots, brokerages and mistakes of tests/typing.

They are copied to a folder of their own, so that what is found is the installed package and its
py.typed, and not this source tree.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.type_checks import CHECKERS, Finding, expected_lines, lines_of, run_both

FOLDER = Path(__file__).resolve().parents[1] / "typing"
RIGHT = ("async_bot.py", "bot.py", "public_api.py", "public_models.py")
WRONG = ("wrong_bot.py", "wrong_brokerages.py")

Findings = dict[str, list[Finding]]


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Findings:
    """What each checker finds in all the files, in one run of each."""
    folder = tmp_path_factory.mktemp("typing")
    for name in (*RIGHT, *WRONG):
        shutil.copy(FOLDER / name, folder)
    return run_both(folder, pytestconfig.cache.mkdir("mypy"))


def test_every_file_is_checked() -> None:
    """No file of tests/typing is left out of what follows."""
    assert sorted(path.name for path in FOLDER.glob("*.py")) == sorted((*RIGHT, *WRONG))


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("file", RIGHT)
def test_right_use_is_clean(findings: Findings, file: str, checker: str) -> None:
    """A bot and the assertions on the public types have no error."""
    found = [str(finding) for finding in findings[checker] if finding.file == file]
    assert found == []


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("file", WRONG)
def test_each_mistake_is_an_error_where_it_is_made(
    findings: Findings, file: str, checker: str
) -> None:
    """Each marked line is an error, and no line beside them."""
    expected = expected_lines(FOLDER / file, checker)
    assert len(expected) > 10
    assert lines_of(findings[checker], file) == expected
