"""Every error has an exit code, and every exit code a meaning."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bot_v2.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from bot_v2.features.brokerages.core import errors
from bot_v2.features.brokerages.core.errors import BrokerageError
from tests.unit.cli.fakes import Shell

KINDS = sorted(
    {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, BrokerageError)
    },
    key=lambda kind: kind.__name__,
)

EXPECTED = {
    "AmbiguousPositionError": 2,
    "AuthenticationError": 4,
    "BrokerAPIError": 1,
    "BrokerUnavailableError": 3,
    "BrokerageError": 1,
    "CancelRejectedError": 1,
    "ConnectionError": 3,
    "DuplicateOrderError": 1,
    "InsufficientFundsError": 1,
    "InvalidFieldError": 2,
    "InvalidRequestError": 2,
    "InvalidSymbolError": 2,
    "LoginRequiredError": 4,
    "MarketClosedError": 1,
    "MarketDataUnavailableError": 1,
    "MissingDependencyError": 2,
    "ModifyRejectedError": 1,
    "OrderNotFoundError": 1,
    "OrderOutcomeUnknownError": 5,
    "OrderRejectedError": 1,
    "PermissionDeniedError": 4,
    "RateLimitError": 3,
    "SessionExpiredError": 4,
    "TimeoutError": 3,
    "UnsupportedOperationError": 2,
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_error_has_its_exit_code(kind: type[BrokerageError]) -> None:
    """The table of exit codes is complete, and changes only on purpose."""
    error = kind.__new__(kind)
    assert int(exit_code_of(error)) == EXPECTED[kind.__name__]


def test_each_exit_code_has_a_meaning() -> None:
    """The reference says what every code is."""
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_one_line_says_what_to_install(missing: str, home: Path) -> None:
    """In a base install the command ends with exit code 2 and no traceback."""
    program = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "from bot_v2.cli.app import main\n"
        "sys.exit(main(['balances', '--broker', 'paper']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "The command line is not installed: pip install 'bot-v2[cli]'\n"


def test_another_missing_package_is_not_blamed_on_the_extra() -> None:
    """Only what the extra brings is blamed on it; a fault of ours is not hidden."""
    program = "import sys\nsys.modules['attrs'] = None\nfrom bot_v2.cli.app import main\nmain([])\n"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "bot-v2[cli]" not in done.stderr


def test_without_a_command_the_help_is_shown(shell: Shell) -> None:
    """Exit code 2, and the list of commands."""
    ran = shell.run()
    assert ran.code == 2
    assert "balances" in ran.err + ran.out


def test_the_version_is_told(shell: Shell) -> None:
    """--version prints the name and the version, and ends well."""
    ran = shell.run("--version")
    assert (ran.code, ran.out) == (0, f"bot-v2 {version('bot-v2')}\n")
