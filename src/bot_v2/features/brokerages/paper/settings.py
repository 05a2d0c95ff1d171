"""The settings of the paper brokerage: what they are, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

import attrs

from bot_v2.features.brokerages.core.fields import (
    check_fields,
    require,
    require_not_negative,
)
from bot_v2.features.brokerages.core.settings import Settings
from bot_v2.simulation.account import AccountKind

PREFIX: Final = "PAPER"
"""What the names of the settings begin with in the environment."""

IN_MEMORY: Final = ":memory:"
"""No file, said aloud: it overrides an environment that names one."""

ZERO: Final = Decimal(0)


class Pace(StrEnum):
    """What moves the market."""

    LIVE = "live"
    """The clock: at each call, what is due of the feed happens."""
    REPLAY = "replay"
    """The caller: `advance()` makes the next event of the feed happen, and sets the clock to it."""


class Durability(StrEnum):
    """What an acknowledged order outlives in an account file."""

    FULL = "full"
    """The end of the process and of the power: each commit waits for the disk."""
    PROCESS = "process"
    """The end of the process. A power cut can take the last orders, and leaves a sound file."""


@attrs.frozen(kw_only=True, weakref_slot=False)
class PaperSettings:
    """How a paper account is set up. An account file keeps the money that it was opened with."""

    initial_balance: Decimal = Decimal(100_000)
    """The cash that a new account starts with, in `currency`."""
    currency: str = "USD"
    """The currency of the account."""
    commission: Decimal = ZERO
    """What a trade costs, as a fraction of its value: 0.001 is 10 bps."""
    slippage_bps: Decimal = ZERO
    """How much worse than the market an order that takes liquidity fills, in 1/10,000."""
    account_kind: AccountKind = AccountKind.CASH
    """Cash: nothing is borrowed. Margin: buying on credit, and short sales."""
    account_id: str = "paper"
    """The id of the account."""
    account_file: Path | None = None
    """The SQLite file that the account lives in. None: in memory, also spelt `:memory:`."""
    durability: Durability = Durability.FULL
    """What an acknowledged order outlives in the file."""
    feed: Path | None = None
    """A CSV or Parquet file of bars or ticks. None: a synthetic market."""
    pace: Pace | None = None
    """What moves the market. None: the caller where there is a feed file, else the clock."""
    seed: int = 1
    """Which synthetic market it is; the same seed is the same market."""
    symbols: tuple[str, ...] = ()
    """The products of the market. Empty: all that the feed has."""
    calendar: str = "always"
    """When the market is open: `always`, or an exchange's code such as XNYS."""
    latency_s: float = 0.0
    """How long an order is under way before it reaches the market, in seconds; it waits there."""
    round_trip_s: float = 0.0
    """How long every call takes, in seconds; the caller waits."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)
        require_not_negative(
            self, "initial_balance", "commission", "slippage_bps", "latency_s", "round_trip_s"
        )
        if self.commission >= 1:
            raise require(self, "commission", "a fraction below 1, such as 0.001 for 10 bps")
        if self.slippage_bps >= 10_000:
            raise require(self, "slippage_bps", "below 10,000, which is the whole price")

    @property
    def effective_pace(self) -> Pace:
        """What moves the market, the default worked out."""
        if self.pace is not None:
            return self.pace
        return Pace.LIVE if self.feed is None else Pace.REPLAY


def read_settings(given: Mapping[str, object], environ: Mapping[str, str]) -> PaperSettings:
    """Return the settings, from arguments first and then from the environment.

    Raises:
        InvalidFieldError: a value is not what its setting takes, or a name is no setting.
    """
    read = Settings(PREFIX, {name: _as_text(value) for name, value in given.items()}, environ)
    default = PaperSettings()
    pace = read.text("pace")
    settings = PaperSettings(
        initial_balance=_decimal(read, "initial_balance", default.initial_balance),
        currency=read.text("currency") or default.currency,
        commission=_decimal(read, "commission", default.commission),
        slippage_bps=_decimal(read, "slippage_bps", default.slippage_bps),
        account_kind=read.choice("account_kind", AccountKind, default.account_kind),
        account_id=read.text("account_id") or default.account_id,
        account_file=_path(read, "account_file"),
        durability=read.choice("durability", Durability, default.durability),
        feed=_path(read, "feed"),
        pace=None if pace is None else read.choice("pace", Pace, Pace.LIVE),
        seed=read.integer("seed", default.seed),
        symbols=_names(read.text("symbols") or ""),
        calendar=read.text("calendar") or default.calendar,
        latency_s=read.seconds("latency_s", default.latency_s),
        round_trip_s=read.seconds("round_trip_s", default.round_trip_s),
    )
    read.refuse_unknown()
    return settings


def _as_text(value: object) -> object:
    """Return a path or several names as the environment would hold them."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return ",".join(value)
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _path(read: Settings, name: str) -> Path | None:
    text = read.text(name)
    return None if text in (None, IN_MEMORY) else Path(text or "").expanduser()


def _decimal(read: Settings, name: str, default: Decimal) -> Decimal:
    value = read.decimal(name, default)
    return default if value is None else value
