"""What the journal keeps of an entry and its exits while they are watched."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import attrs


class ExitCause(StrEnum):
    """What is wrong with the exits of an entry, or with a pair of exits."""

    STOP_REFUSED = "stop_refused"
    """What was filled has no stop: the broker refused it."""
    STOP_MISSING = "stop_missing"
    """What was filled has no stop: none appeared, or the one there was is no longer shown."""
    STOP_ENDED = "stop_ended"
    """What was filled has no stop: it was cancelled, or it expired."""
    EXIT_TOO_SMALL = "exit_too_small"
    """The stop covers less than what was filled."""
    EXIT_TOO_LARGE = "exit_too_large"
    """An exit would close more than what was filled, and turn the position."""
    BOTH_FILLED = "both_filled"
    """Several exits were filled, and closed more together than there was."""
    EXIT_OVERFILLED = "exit_overfilled"
    """One exit alone closed more than there was."""
    REPAIR_FAILED = "repair_failed"
    """What the policy says was tried, and did not take effect."""


class RepairKind(StrEnum):
    """What is done about it."""

    CLOSE = "close"
    """Close, by a market order, what nobody asked to hold."""
    STOP = "stop"
    """Send the missing stop again."""
    CANCEL = "cancel"
    """Cancel an exit that would be in the way, or could not be made smaller."""
    RESIZE = "resize"
    """Make an exit smaller."""


@attrs.frozen(kw_only=True)
class Suspicion:
    """Something that one look showed, and that a later one has to confirm."""

    key: str
    """The cause, and the orders concerned."""
    since: datetime
    """When the look that showed it first was over."""
    looks: int = 0
    """How many looks showed it that were late enough to show what had been so before."""


@attrs.frozen(kw_only=True)
class Repair:
    """Something that is done about an alarm; written down before it is sent."""

    key: str
    """The alarm's cause, and the orders concerned."""
    kind: RepairKind
    """What is done."""
    at: datetime
    """When it was decided."""
    client_order_id: str | None = None
    """The order that is placed for it. None: an exit is cancelled or changed."""
    order_id: str | None = None
    """The exit that is cancelled or changed. None: an order is placed."""
    failure: str = ""
    """Why nothing came of it. Empty: it is done, or under way."""


@attrs.frozen(kw_only=True)
class WatchRecord:
    """All that is known of a watch, as of one moment."""

    exits: tuple[str, ...] = ()
    """The exits that were seen, by the order id under which each was seen first."""
    suspicions: tuple[Suspicion, ...] = ()
    """What the latest look showed to be wrong."""
    told: tuple[str, ...] = ()
    """The causes of which an alarm was raised: each is told once."""
    repairs: tuple[Repair, ...] = ()
    """What was done, oldest first."""
    is_dismissed: bool = False
    """Whether a person said that it is not to be watched: it is not taken up again."""

    def find(self, key: str) -> Suspicion | None:
        """Return what is suspected. None: it is not."""
        return next((each for each in self.suspicions if each.key == key), None)


NOTHING_SEEN: Final = WatchRecord()
"""What is known of a watch at first."""
