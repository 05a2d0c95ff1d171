"""Day trades: what was opened and closed on one day, and the rule that counts them.

Source: https://docs.alpaca.markets/docs/user-protection#pattern-day-trader-pdt-protection-at-alpaca:
below 25,000 dollars, the order that would make a fourth day trade in five trading days is refused.
The rule ended in June 2026; a venue keeps it on request.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.hours import eastern_day, is_trading_day
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
DAYS: Final = 5
MOST: Final = 3
ENOUGH_EQUITY: Final = Decimal(25_000)


@attrs.define
class _Day:
    """One symbol's day."""

    is_opened: bool = False
    is_closing: bool = False
    trades: int = 0


class DayTrades:
    """Counts day trades. Its methods want the venue's lock held.

    Args:
        state: the venue.
        account: its account.
        exempt: symbols that do not count, such as coins.
    """

    def __init__(self, state: VenueState, account: VenueAccount, exempt: frozenset[str]) -> None:
        """Count those of one account."""
        self._state = state
        self._account = account
        self._exempt = exempt

    def count(self) -> int:
        """Return how many there were in the last five trading days, today included."""
        first = self._first_day()
        return sum(one.trades for (day, _), one in self._days().items() if day >= first)

    def would_add(self, symbol: str) -> bool:
        """Whether closing a position now would be one more: something was opened today.

        Further sales of what is being sold already are of the same day trade.
        """
        day = self._days().get((self._today(), symbol))
        return day is not None and day.is_opened and not day.is_closing

    def is_barred(self, count: int, equity: Decimal) -> bool:
        """Whether one more is refused."""
        return count >= MOST and equity < ENOUGH_EQUITY

    def _today(self) -> date:
        return eastern_day(self._state.clock())

    def _first_day(self) -> date:
        day, found = self._today(), 0
        while True:
            found += is_trading_day(day)
            if found == DAYS:
                return day
            day -= timedelta(days=1)

    def _days(self) -> dict[tuple[date, str], _Day]:
        held: dict[str, Decimal] = {}
        days: dict[tuple[date, str], _Day] = {}
        for fill in self._account.fills():
            if fill.symbol in self._exempt or fill.corrects is not None:
                continue
            day = days.setdefault((eastern_day(fill.timestamp), fill.symbol), _Day())
            before = held.get(fill.symbol, ZERO)
            buys = fill.side is OrderSide.BUY
            signed = fill.quantity if buys else fill.quantity.copy_negate()
            held[fill.symbol] = EXACT.add(before, signed)
            if not before or (before > 0) is buys:
                day.is_opened, day.is_closing = True, False
            elif day.is_opened and not day.is_closing:
                day.is_closing = True
                day.trades += 1
        return days
