"""A file that stops new risk at every broker, in every process, for as long as it is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import (
    MissingDependencyError,
    Outcome,
    PermissionDeniedError,
)
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now

VARIABLE: Final = "BOT_V2_KILL_SWITCH"
"""Where the environment names the file."""

NAME: Final = "kill-switch"
"""The file's name in the state folder."""

LENGTH_MAX: Final = 500
"""How much of the file is read: it is a note for people."""


@attrs.frozen(kw_only=True)
class KillSwitchState:
    """Whether new risk is stopped."""

    on: bool
    """True: exits alone are let through."""
    file: str
    """The file: there, the switch is on."""
    note: str | None = None
    """Since when and why, as the file says. None: it is off."""


class KillSwitch:
    """The switch. That the file cannot be looked at counts as on.

    Args:
        file: where it is; `kill_switch_file()` is where the command line looks.
        clock: the present moment.
    """

    def __init__(self, file: Path, clock: Clock = utc_now) -> None:
        """Look at a file; nothing is made."""
        self._file = file
        self._clock = clock

    def read(self) -> KillSwitchState:
        """Return whether it is on; it never raises."""
        try:
            with self._file.open(encoding="utf-8", errors="replace") as file:
                note = file.read(LENGTH_MAX).strip()
        except FileNotFoundError:
            return KillSwitchState(on=False, file=str(self._file))
        except OSError as error:
            note = f"the file cannot be read ({type(error).__name__}), which counts as on"
        return KillSwitchState(on=True, file=str(self._file), note=note or "no reason given")

    def check(self) -> None:
        """Let new risk pass.

        Raises:
            PermissionDeniedError: the switch is on.
        """
        state = self.read()
        if state.on:
            raise PermissionDeniedError(
                f"the kill switch is on ({state.note}); accepted: exits alone, until "
                "`bot-v2 kill-switch off`",
                outcome=Outcome.NOT_SENT,
            )

    def turn_on(self, because: str = "") -> KillSwitchState:
        """Stop new risk from now on; durable when the call returns. On already: it stays as it was.

        Raises:
            OSError: the file cannot be written.
        """
        known = self.read()
        if known.on:
            return known
        self._file.parent.mkdir(parents=True, exist_ok=True)
        moment: datetime = self._clock()
        note = f"on since {moment.isoformat(timespec='seconds')}: {because or 'no reason given'}"
        handle, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=self._file.parent)
        # Made whole beside it, so that nobody ever reads half of it.
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{note}\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(self._file)
        return self.read()

    def turn_off(self) -> KillSwitchState:
        """Let new risk pass again. Off already is harmless.

        Raises:
            OSError: the file cannot be removed.
        """
        self._file.unlink(missing_ok=True)
        return self.read()


def kill_switch_file(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the switch is when nobody says otherwise: one for all that this user runs.

    BOT_V2_KILL_SWITCH, else `kill-switch` in the user's state folder.

    Args:
        environ: the environment. None: this process's.

    Raises:
        MissingDependencyError: there is no BOT_V2_KILL_SWITCH, and platformdirs is not installed.
    """
    named = (os.environ if environ is None else environ).get(VARIABLE)
    if named:
        return Path(named)
    try:
        from platformdirs import user_state_path
    except ImportError as error:
        raise MissingDependencyError(
            f"to find the user's state folder: pip install 'bot-v2[journal]', or set {VARIABLE}",
            extra="journal",
        ) from error
    return user_state_path("bot-v2", appauthor=False) / NAME
