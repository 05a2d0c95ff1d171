"""What the doctor finds: how bad it is, what it is about, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.cli.output import as_text


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    """It is as it should be."""
    NOTE = "note"
    """It is worth knowing."""
    WARNING = "warning"
    """It will hurt, unless somebody sees to it."""
    PROBLEM = "problem"
    """It does not work, or not for long."""


@attrs.frozen(kw_only=True)
class Finding:
    """One thing that was looked at."""

    about: str
    """The brokerage, or the part of this machine."""
    subject: str
    """What was looked at."""
    severity: Severity
    """How bad it is."""
    text: str
    """What was found, for a person."""
    advice: str | None = None
    """What to do. None: nothing, or nothing in particular."""


@attrs.frozen
class Notebook:
    """Takes down what is found about one thing.

    Args:
        about: the brokerage, or the part of this machine.
        write: keeps a finding.
    """

    about: str
    write: Callable[[Finding], None]

    def ok(self, subject: str, text: str) -> None:
        """Take down what is as it should be."""
        self._add(subject, Severity.OK, text, None)

    def note(self, subject: str, text: str, advice: str | None = None) -> None:
        """Take down what is worth knowing."""
        self._add(subject, Severity.NOTE, text, advice)

    def warn(self, subject: str, text: str, advice: str | None = None) -> None:
        """Take down what will hurt."""
        self._add(subject, Severity.WARNING, text, advice)

    def fail(self, subject: str, text: str, advice: str | None = None) -> None:
        """Take down what does not work."""
        self._add(subject, Severity.PROBLEM, text, advice)

    def _add(self, subject: str, severity: Severity, text: str, advice: str | None) -> None:
        self.write(
            Finding(
                about=self.about,
                subject=subject,
                severity=severity,
                text=" ".join(text.split()),
                advice=advice,
            )
        )


NIGHT: Final = timedelta(days=1)
"""How far ahead the doctor looks."""


def soon(moment: datetime, now: datetime) -> str:
    """Return a moment, and how far off it is."""
    left = moment - now
    if left < timedelta(0):
        return f"{as_text(moment)}, which is past"
    minutes = left // timedelta(minutes=1)
    return f"{as_text(moment)}, in {minutes // 60} h {minutes % 60} min"
