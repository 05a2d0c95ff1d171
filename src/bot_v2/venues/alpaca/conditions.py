"""The conditions that the venue keeps."""

from __future__ import annotations

from typing import TypedDict

import attrs

from bot_v2.venues.alpaca.dialect import RATE_LIMIT
from bot_v2.venues.alpaca.paging import LIMIT_MAX

ORDERS_MAX = 500


class VenueOptions(TypedDict, total=False):
    """The options of a venue; what they mean is said in `Conditions`."""

    is_paper: bool
    always_open: bool
    rate_limit: int | None
    protects: bool
    has_sip: bool
    has_fees: bool
    latency_s: float
    page_max: int
    data_page_max: int


@attrs.frozen(kw_only=True)
class Conditions:
    """The conditions that a venue keeps."""

    is_paper: bool = True
    """Which environment it is: the one whose keys it knows."""
    always_open: bool = True
    """Shares and options trade at any time. False: in New York's sessions."""
    rate_limit: int | None = RATE_LIMIT
    """How many calls a minute may have, of each of the two APIs. None: any number."""
    protects: bool = True
    """Whether orders that could trade with each other are refused."""
    has_sip: bool = False
    """Whether the subscription has the recent data of all exchanges."""
    has_fees: bool = True
    """Whether trading in coins costs anything."""
    latency_s: float = 0.0
    """How long an order, or a cancel, is on its way to the market, in seconds: until then it is
    pending_new, or pending_cancel."""
    page_max: int = ORDERS_MAX
    """How many items a page of the Trading API has at most."""
    data_page_max: int = LIMIT_MAX
    """How many items a page of market data has at most."""
