"""What a broker tells of credentials and session: optional, for whoever looks after a bot.

No part of the contract: an adapter may have `get_access`, and `access_of` reads it. What is not
told is not known, and never taken for granted.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import attrs


class AccessRight(StrEnum):
    """What credentials may do."""

    READ = "read"
    """Read the account."""
    TRADE = "trade"
    """Place and cancel orders."""
    WITHDRAW = "withdraw"
    """Move money out of the account: no bot needs it."""


@attrs.frozen(kw_only=True)
class ServerTime:
    """The broker's clock beside ours."""

    told: datetime
    """What the broker said, aware, UTC."""
    asked_at: datetime
    """Our moment before the question."""
    heard_at: datetime
    """Our moment after the answer."""
    step_s: float
    """How coarsely the broker tells it, in seconds."""

    @property
    def skew(self) -> timedelta:
        """How far the broker's clock is ahead of ours at least; negative: it is behind; zero: none.

        What the way there and back, and the coarseness of the answer, can explain is no skew.
        """
        if self.told > self.heard_at:
            return self.told - self.heard_at
        latest = self.told + timedelta(seconds=self.step_s)
        return latest - self.asked_at if latest < self.asked_at else timedelta(0)


@attrs.frozen(kw_only=True)
class Interruption:
    """A time at which the broker has announced that it does not serve, or wants somebody."""

    starts_at: datetime
    """When it begins."""
    ends_at: datetime | None
    """When it is over at the latest. None: it is a moment, after which something is needed."""
    what: str
    """What happens, for a person."""


@attrs.frozen(kw_only=True)
class Access:
    """What a broker tells of the credentials and of the session."""

    granted: tuple[AccessRight, ...] = ()
    """What the broker says that the credentials may do."""
    refused: tuple[AccessRight, ...] = ()
    """What it says that they may not do; what is in neither is not told."""
    restrictions: tuple[str, ...] = ()
    """What keeps the account from trading as usual, a sentence each."""
    server_time: ServerTime | None = None
    """The broker's clock. None: it does not tell it."""
    expires_at: datetime | None = None
    """When the session or the credentials end. None: not told, or never."""
    interruptions: tuple[Interruption, ...] = ()
    """What is announced for the time after now, the next one first."""


class TellsAccess(Protocol):
    """A brokerage that tells what it knows of its credentials and its session."""

    def get_access(self) -> Access:
        """Ask the broker; nothing is changed."""
        ...


def access_of(broker: object) -> Access | None:
    """Return what a connected brokerage tells of its access; None where it tells nothing.

    Raises:
        BrokerageError: the broker was asked, and did not answer.
    """
    ask = getattr(broker, "get_access", None)
    if not callable(ask):
        return None
    found = ask()
    return found if isinstance(found, Access) else None
