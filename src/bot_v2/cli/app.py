"""The door of the command line: it opens without the extra, and then says what to install."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from bot_v2.cli.exit_codes import ExitCode

_PACKAGES_OF_THE_EXTRA = ("typer", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (see ExitCode).

    Args:
        arguments: what follows the program's name. None: what this process was started with.
    """
    try:
        for package in _PACKAGES_OF_THE_EXTRA:
            import_module(package)
        from bot_v2.cli.commands import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES_OF_THE_EXTRA:
            raise
        print("The command line is not installed: pip install 'bot-v2[cli]'", file=sys.stderr)
        return ExitCode.USAGE
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
