"""The opening and the closing auction: when orders for them are taken, and when they are filled.

Source: https://docs.alpaca.markets/docs/orders-at-alpaca#time-in-force
"""

from __future__ import annotations

from datetime import datetime, time
from typing import Final

from bot_v2.venues.alpaca.dialect import forbidden
from bot_v2.venues.alpaca.hours import EASTERN, MarketHours, is_trading_day

AGAIN_FROM: Final = time(19)
LATEST: Final = {"opg": time(9, 28), "cls": time(15, 50)}
TOLD: Final = {"opg": "9:28am", "cls": "3:50pm"}


def auction_at(time_in_force: str, hours: MarketHours, now: datetime) -> datetime:
    """Return when the auction is that an order is for.

    Raises:
        RefusedError: 403, it is too late for the next one, and too early for the one after it.
    """
    local = now.astimezone(EASTERN)
    latest = LATEST[time_in_force]
    is_between = latest <= local.time() < AGAIN_FROM and is_trading_day(local.date())
    if is_between and not hours.always_open:
        raise forbidden(
            f"{time_in_force} orders must be submitted after 7:00pm "
            f"and before {TOLD[time_in_force]}"
        )
    published = hours.published
    return published.next_open(now) if time_in_force == "opg" else published.next_close(now)
