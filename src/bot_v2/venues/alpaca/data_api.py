"""The market data API: stocks (v2), coins (v1beta3) and options (v1beta1).

Sources: https://docs.alpaca.markets/reference/stockbars, .../cryptobars-1, .../optionbars and the
pages beside them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from bot_v2.venues.alpaca.bars import timeframe_from_text
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.data_records import DataWriter
from bot_v2.venues.alpaca.dialect import UNPROCESSABLE, refused
from bot_v2.venues.alpaca.listings import AssetClass, Listing
from bot_v2.venues.alpaca.paging import (
    EARLIEST,
    Place,
    Reader,
    after,
    bad,
    read_interval,
    read_limit,
    read_token,
)
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

CHAIN: Final = 100
CHAIN_MAX: Final = 1_000
RECENT: Final = timedelta(minutes=15)

STOCK_FEEDS: Final = ("sip", "iex", "delayed_sip", "boats", "overnight", "otc")
OPTION_FEEDS: Final = ("indicative", "opra")
ADJUSTMENTS: Final = frozenset({"raw", "split", "dividend", "spin-off", "all"})

PAIR: Final = re.compile(r"[A-Z0-9]+/[A-Z]+", re.ASCII)
TICKER: Final = re.compile(r"[A-Z0-9.]{1,12}", re.ASCII)
CONTRACT: Final = re.compile(r"[A-Z]{1,6}\d{6}[CP]\d{8}", re.ASCII)
SHAPES: Final = {
    AssetClass.US_EQUITY: TICKER,
    AssetClass.CRYPTO: PAIR,
    AssetClass.US_OPTION: CONTRACT,
}
EXCHANGES: Final[dict[str, str]] = {
    "A": "NYSE American (AMEX)",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "V": "IEX",
}
OPTION_EXCHANGES: Final[dict[str, str]] = {
    "A": "AMEX - NYSE American",
    "C": "CBOE - Cboe Options Exchange",
}
CONDITIONS: Final = {"trade": {"@": "Regular Sale"}, "quote": {"R": "Regular, two-sided open"}}


class DataApi:
    """Market data.

    Args:
        state: the venue.
        catalogue: what is listed.
        writer: puts data into words.
        page_max: how many items a page has at most.
        has_sip: whether the subscription has recent data of all exchanges.
    """

    def __init__(
        self,
        state: VenueState,
        catalogue: Catalogue,
        writer: DataWriter,
        page_max: int,
        *,
        has_sip: bool,
    ) -> None:
        """Serve one venue."""
        self._state = state
        self._catalogue = catalogue
        self._writer = writer
        self._page_max = page_max
        self._has_sip = has_sip

    # Past data

    def bars(self, kind: AssetClass) -> Callable[[ApiRequest], Record]:
        """Return the answer to who asks for bars."""

        def answer(request: ApiRequest) -> Record:
            text = request.value("timeframe")
            if text is None:
                raise bad("timeframe is required")
            try:
                timeframe = timeframe_from_text(text)
            except ValueError as error:
                raise bad(str(error)) from error
            given = set((request.value("adjustment") or "raw").split(","))
            if not given <= ADJUSTMENTS:
                raise bad(f"invalid adjustment: {request.value('adjustment')}")
            return self._past(
                request,
                kind,
                "bars",
                lambda one, interval: self._writer.bars(
                    one, timeframe, interval.start, interval.end
                ),
            )

        return answer

    def trades(self, kind: AssetClass) -> Callable[[ApiRequest], Record]:
        """Return the answer to who asks for trades."""
        return lambda request: self._past(
            request,
            kind,
            "trades",
            lambda one, interval: self._writer.trades(one, interval.start, interval.end),
        )

    def quotes(self, kind: AssetClass) -> Callable[[ApiRequest], Record]:
        """Return the answer to who asks for quotes."""
        return lambda request: self._past(
            request,
            kind,
            "quotes",
            lambda one, interval: self._writer.quotes(one, interval.start, interval.end),
        )

    def _past(
        self,
        request: ApiRequest,
        kind: AssetClass,
        what: str,
        read: Reader,
    ) -> Record:
        listings, interval = (
            self._listings(request, kind),
            read_interval(request, self._state.clock(), self._page_max),
        )
        self._check_feed(request, kind, interval.end)
        found: dict[str, list[Record]] = {}
        left, last = interval.limit, Place("", EARLIEST, 0)
        for listing in sorted(listings, key=lambda one: one.symbol):
            if interval.token is not None and listing.symbol < interval.token.symbol:
                continue
            for place, record in after(read, listing, interval):
                if left == 0:
                    return self._page(request, what, found, last.as_token())
                left -= 1
                found.setdefault(listing.symbol, []).append(record)
                last = place
        return self._page(request, what, found, None)

    def _page(
        self, request: ApiRequest, what: str, found: dict[str, list[Record]], token: str | None
    ) -> Record:
        symbol = request.arguments.get("symbol")
        if symbol is None:
            return {what: found, "next_page_token": token}
        return {what: found.get(symbol, []), "symbol": symbol, "next_page_token": token}

    # What is latest

    def latest(
        self, kind: AssetClass, what: str, read: Callable[[Listing], Record | None]
    ) -> Callable[[ApiRequest], Record]:
        """Return the answer to who asks for what is latest, of one symbol or of several."""

        def answer(request: ApiRequest) -> Record:
            listings = self._listings(request, kind)
            self._check_feed(request, kind, self._state.clock())
            found = {one.symbol: read(one) for one in listings}
            told = {symbol: record for symbol, record in found.items() if record is not None}
            symbol = request.arguments.get("symbol")
            if symbol is None:
                return {what: told}
            singular = what.removesuffix("s")
            if symbol not in told:
                raise refused(404, None, f"no {singular} found for {symbol}")
            return {"symbol": symbol, singular: told[symbol]}

        return answer

    def stock_snapshots(self, request: ApiRequest) -> Record:
        """Tell snapshots of stocks, by symbol and nothing around them."""
        self._check_feed(request, AssetClass.US_EQUITY, self._state.clock())
        found = {
            one.symbol: self._writer.snapshot(one)
            for one in self._listings(request, AssetClass.US_EQUITY)
        }
        symbol = request.arguments.get("symbol")
        if symbol is None:
            return {name: told for name, told in found.items() if told is not None}
        told = found.get(symbol)
        if told is None:
            raise refused(404, None, f"no snapshot found for {symbol}")
        return {"symbol": symbol, **told}

    def crypto_snapshots(self, request: ApiRequest) -> Record:
        """Tell snapshots of coins."""
        listings = self._listings(request, AssetClass.CRYPTO)
        return {"snapshots": self._snapshots(listings)}

    def option_snapshots(self, request: ApiRequest) -> Record:
        """Tell snapshots of some contracts."""
        self._check_feed(request, AssetClass.US_OPTION, self._state.clock())
        return self._snapshot_page(request, self._listings(request, AssetClass.US_OPTION))

    def option_chain(self, request: ApiRequest) -> Record:
        """Tell snapshots of the contracts on a share."""
        self._check_feed(request, AssetClass.US_OPTION, self._state.clock())
        share = request.arguments["underlying"]
        kind, root = request.value("type"), request.value("root_symbol")
        low, high = _number(request, "strike_price_gte"), _number(request, "strike_price_lte")
        exact = request.value("expiration_date")
        first, last = request.value("expiration_date_gte"), request.value("expiration_date_lte")
        found = []
        for one in self._catalogue.listings:
            product = one.product
            if not one.is_option or not one.is_active or one.underlying != share:
                continue
            expiry = "" if product.expiry is None else product.expiry.isoformat()
            strike = product.strike or Decimal(0)
            if (
                exact in (None, expiry)
                and (first is None or expiry >= first)
                and (last is None or expiry <= last)
                and (low is None or strike >= low)
                and (high is None or strike <= high)
                and kind in (None, "" if product.right is None else product.right.value)
                and root in (None, share)
            ):
                found.append(one)
        return self._snapshot_page(request, found)

    def _snapshot_page(self, request: ApiRequest, listings: Iterable[Listing]) -> Record:
        token = read_token(request)
        after = "" if token is None else token.symbol
        rest = sorted((one for one in listings if one.symbol > after), key=lambda one: one.symbol)
        size = read_limit(request, CHAIN, CHAIN_MAX, self._page_max)
        page = rest[:size]
        more = Place(page[-1].symbol, EARLIEST, 0).as_token() if len(rest) > size else None
        return {"snapshots": self._snapshots(page), "next_page_token": more}

    def _snapshots(self, listings: Iterable[Listing]) -> Record:
        found = {one.symbol: self._writer.snapshot(one) for one in listings}
        return {symbol: told for symbol, told in found.items() if told is not None}

    # Codes

    def exchanges(self, request: ApiRequest) -> dict[str, str]:
        """Tell what the codes of exchanges mean."""
        return OPTION_EXCHANGES if "options" in request.path else EXCHANGES

    def conditions(self, request: ApiRequest) -> dict[str, str]:
        """Tell what the codes of conditions mean."""
        found = CONDITIONS.get(request.arguments["kind"])
        if found is None:
            raise bad("invalid tick type")
        return found

    # What requests name

    def _listings(self, request: ApiRequest, kind: AssetClass) -> list[Listing]:
        """Return what is asked for and listed; what is not listed is left out."""
        one = request.arguments.get("symbol")
        given = [one] if one is not None else (request.value("symbols") or "").split(",")
        symbols = list(dict.fromkeys(name.strip() for name in given if name.strip()))
        if not symbols:
            raise bad("symbols is required")
        wrong = [name for name in symbols if SHAPES[kind].fullmatch(name) is None]
        if wrong and kind is AssetClass.CRYPTO:
            raise bad(f"Invalid symbol(s): {','.join(wrong)} does not match ^[A-Z]+/[A-Z]+$")
        if wrong:
            raise bad(f"invalid symbol: {','.join(wrong)}")
        found = (self._catalogue.find(name) for name in symbols)
        return [listing for listing in found if listing is not None and listing.asset_class is kind]

    def _check_feed(self, request: ApiRequest, kind: AssetClass, end: datetime) -> None:
        feed = request.value("feed")
        if feed is None or kind is AssetClass.CRYPTO:
            return
        if feed not in (STOCK_FEEDS if kind is AssetClass.US_EQUITY else OPTION_FEEDS):
            raise bad(f"invalid feed: {feed}")
        is_recent = end > self._state.clock() - RECENT
        if feed == "sip" and is_recent and not self._has_sip:
            raise refused(
                403, UNPROCESSABLE, "subscription does not permit querying recent SIP data"
            )
        if feed == "opra" and not self._has_sip:
            raise refused(403, None, "OPRA agreement is not signed")


def _number(request: ApiRequest, name: str) -> Decimal | None:
    text = request.value(name)
    if text is None:
        return None
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise bad(f"Invalid format for parameter {name}: {text}") from error
