"""What is wrong with the settings: all of it at once, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs

from bot_v2.features.brokerages.core.errors import InvalidRequestError


@attrs.frozen
class Problem:
    """One mistake in a file."""

    path: str
    """Where in the file, such as `brokers.main.type`; empty for the whole."""
    found: str
    """What is there, as it is shown: nothing that may be secret."""
    accepted: str
    """What would be accepted."""

    def __str__(self) -> str:
        return f"{self.path or 'the file'} is {self.found}; accepted: {self.accepted}"


class InvalidSettingsError(InvalidRequestError):
    """A file of settings has mistakes."""

    file: str
    """The file."""
    problems: tuple[Problem, ...]
    """The mistakes, in the order of the file."""

    def __init__(self, file: Path | str, problems: Sequence[Problem]) -> None:
        """List the mistakes of a file."""
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{file} has {count}:\n{listed}")
        self.file = str(file)
        self.problems = tuple(problems)
