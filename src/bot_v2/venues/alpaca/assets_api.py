"""Assets, option contracts, the clock and the calendar.

Sources: https://docs.alpaca.markets/reference/get-v2-assets-1, .../get-options-contracts,
.../getclock-1, .../getcalendar-1
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from bot_v2.venues.alpaca.bars import BarMaker
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.dialect import NOT_FOUND, bad_parameter, refused, unprocessable
from bot_v2.venues.alpaca.hours import (
    DAY,
    EASTERN,
    MarketHours,
    eastern_day,
    extended_session_of,
    is_trading_day,
    session_of,
)
from bot_v2.venues.alpaca.listings import AssetClass, Listing
from bot_v2.venues.alpaca.options import SIZE, open_interest
from bot_v2.venues.alpaca.texts import eastern_text, plain
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

CONTRACTS: Final = 100
CONTRACTS_MAX: Final = 10_000
NEXT_WEEKEND: Final = timedelta(days=7)


class AssetsApi:
    """Assets, contracts, clock and calendar.

    Args:
        state: the venue.
        catalogue: what is listed.
        hours: when the market is open.
        bars: knows closing prices.
        page_max: how many contracts a page has at most.
    """

    def __init__(
        self,
        state: VenueState,
        catalogue: Catalogue,
        hours: MarketHours,
        bars: BarMaker,
        page_max: int,
    ) -> None:
        """Serve one venue."""
        self._state = state
        self._catalogue = catalogue
        self._hours = hours
        self._bars = bars
        self._page_max = page_max

    def list_assets(self, request: ApiRequest) -> list[Record]:
        """List shares, or coins; options are contracts."""
        status, exchange = request.value("status"), request.value("exchange")
        kind = request.value("asset_class") or AssetClass.US_EQUITY.value
        if kind not in {one.value for one in AssetClass}:
            raise unprocessable(f"invalid asset_class: {kind}")
        return [
            self.write(one)
            for one in self._catalogue.listings
            if one.asset_class.value == kind
            and not one.is_option
            and status in (None, _status(one))
            and exchange in (None, one.exchange)
        ]

    def asset(self, request: ApiRequest) -> Record:
        """Get one asset by its symbol or id."""
        name = request.arguments["symbol"]
        listing = self._catalogue.find(name)
        if listing is None or listing.is_option:
            raise refused(404, NOT_FOUND, f"asset not found for {name}")
        return self.write(listing)

    def write(self, listing: Listing) -> Record:
        """Write an asset."""
        said: Record = {
            "id": self._catalogue.asset_id(listing),
            "class": listing.asset_class.value,
            "exchange": listing.exchange,
            "symbol": listing.symbol,
            "name": listing.name,
            "status": _status(listing),
            "tradable": listing.is_tradable,
            "marginable": listing.is_marginable,
            "maintenance_margin_requirement": 30 if listing.is_marginable else 100,
            "margin_requirement_long": "30" if listing.is_marginable else "100",
            "margin_requirement_short": "30" if listing.is_shortable else "100",
            "shortable": listing.is_shortable,
            "easy_to_borrow": listing.is_shortable,
            "borrow_status": "easy_to_borrow" if listing.is_shortable else "not_shortable",
            "fractionable": listing.is_fractionable,
            "attributes": [],
        }
        if listing.is_crypto:
            product = listing.product
            said |= {
                "min_order_size": plain(product.min_order_size or Decimal(0)),
                "min_trade_increment": plain(product.size_increment or Decimal(0)),
                "price_increment": plain(product.price_increment or Decimal(0)),
            }
        else:
            said["attributes"] = ["fractional_eh_enabled"] if listing.is_fractionable else []
        return said

    # Contracts

    def list_contracts(self, request: ApiRequest) -> Record:
        """List option contracts; those up to the next weekend, unless asked otherwise."""
        today = eastern_day(self._state.clock())
        exact = _day(request, "expiration_date")
        first = _day(request, "expiration_date_gte")
        last = _day(request, "expiration_date_lte")
        if exact is None and last is None:
            last = (first or today) + timedelta(days=6 - (first or today).weekday())
        underlyings = (request.value("underlying_symbols") or "").split(",")
        wanted = {one.strip() for one in underlyings if one.strip()}
        status = request.value("status") or "active"
        low, high = _strike(request, "strike_price_gte"), _strike(request, "strike_price_lte")
        kind, root = request.value("type"), request.value("root_symbol")
        found = [
            one
            for one in self._contracts()
            if status == _status(one)
            and (not wanted or one.underlying in wanted)
            and exact in (None, one.product.expiry)
            and (first is None or _expiry(one) >= first)
            and (last is None or _expiry(one) <= last)
            and (low is None or _strike_of(one) >= low)
            and (high is None or _strike_of(one) <= high)
            and kind in (None, one.product.right.value if one.product.right else None)
            and root in (None, one.underlying)
        ]
        start = _offset(request)
        size = self._page_size(request)
        end = start + size
        return {
            "option_contracts": [self._contract(one) for one in found[start:end]],
            "next_page_token": f"{end:08}" if end < len(found) else None,
        }

    def contract(self, request: ApiRequest) -> Record:
        """Get one contract by its symbol or id."""
        name = request.arguments["symbol"]
        listing = self._catalogue.find(name)
        if listing is None or not listing.is_option:
            raise refused(404, NOT_FOUND, f"option contract not found for {name}")
        return self._contract(listing)

    def _contracts(self) -> list[Listing]:
        found = (one for one in self._catalogue.listings if one.is_option)
        return sorted(found, key=lambda one: one.symbol)

    def _page_size(self, request: ApiRequest) -> int:
        text = request.value("limit")
        if text is None:
            return min(CONTRACTS, self._page_max)
        if not text.isdecimal() or not 1 <= int(text) <= CONTRACTS_MAX:
            raise bad_parameter("invalid limit")
        return min(int(text), self._page_max)

    def _contract(self, listing: Listing) -> Record:
        product = listing.product
        share = self._catalogue.find(listing.underlying)
        before = eastern_day(self._state.clock()) - DAY
        while not is_trading_day(before):
            before -= DAY
        return {
            "id": self._catalogue.asset_id(listing),
            "symbol": listing.symbol,
            "name": listing.name,
            "status": _status(listing),
            "tradable": listing.is_tradable,
            "expiration_date": _expiry(listing).isoformat(),
            "root_symbol": listing.underlying,
            "underlying_symbol": listing.underlying,
            "underlying_asset_id": "" if share is None else self._catalogue.asset_id(share),
            "type": "" if product.right is None else product.right.value,
            "style": "american",
            "strike_price": plain(_strike_of(listing)),
            "multiplier": str(SIZE),
            "size": str(SIZE),
            "open_interest": open_interest(listing),
            "open_interest_date": before.isoformat(),
            "close_price": plain(self._bars.last_close(listing, self._state.clock())),
            "close_price_date": before.isoformat(),
            "ppind": True,
        }

    # Clock and calendar

    def clock(self, request: ApiRequest) -> Record:  # noqa: ARG002 - there is nothing to ask
        """Tell the time, and when the market next opens and closes."""
        now, published = self._state.clock(), self._hours.published
        return {
            "timestamp": eastern_text(now + self._state.skew),
            "is_open": self._hours.regular.is_open(now),
            "next_open": eastern_text(published.next_open(now)),
            "next_close": eastern_text(published.next_close(now)),
        }

    def calendar(self, request: ApiRequest) -> list[Record]:
        """List trading days; from the first year to a year ahead, unless asked otherwise."""
        today = eastern_day(self._state.clock())
        first = _day(request, "start") or date(2016, 1, 4)
        last = _day(request, "end") or today + timedelta(days=365)
        days = []
        day = max(first, date(1970, 1, 2))
        while day <= min(last, date(2029, 12, 31)):
            if is_trading_day(day):
                days.append(_trading_day(day))
            day += DAY
        return days


def _trading_day(day: date) -> Record:
    opens, closes = (one.astimezone(EASTERN) for one in session_of(day))
    begins, ends = (one.astimezone(EASTERN) for one in extended_session_of(day))
    settled, left = day, 1
    while left:
        settled += DAY
        left -= is_trading_day(settled)
    return {
        "date": day.isoformat(),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": f"{begins:%H%M}",
        "session_close": f"{ends:%H%M}",
        "settlement_date": settled.isoformat(),
    }


def _status(listing: Listing) -> str:
    return "active" if listing.is_active else "inactive"


def _expiry(listing: Listing) -> date:
    return listing.product.expiry or date.max


def _strike_of(listing: Listing) -> Decimal:
    return listing.product.strike or Decimal(0)


def _parsed(request: ApiRequest, name: str, read: Callable[[str], object]) -> object:
    text = request.value(name)
    if text is None:
        return None
    try:
        return read(text)
    except (ValueError, InvalidOperation) as error:
        raise bad_parameter(f"Invalid format for parameter {name}: {text}") from error


def _day(request: ApiRequest, name: str) -> date | None:
    found = _parsed(request, name, lambda text: date.fromisoformat(text[:10]))
    return found if isinstance(found, date) else None


def _strike(request: ApiRequest, name: str) -> Decimal | None:
    found = _parsed(request, name, Decimal)
    return found if isinstance(found, Decimal) else None


def _offset(request: ApiRequest) -> int:
    token = request.value("page_token")
    if token is None:
        return 0
    if not token.isdecimal():
        raise unprocessable("invalid page_token")
    return int(token)
