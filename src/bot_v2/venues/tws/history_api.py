"""Historical bars, those that still form, and how often they may be asked for."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.market_data import Trade
from bot_v2.venues.tws.bars import DAY, LENGTHS, Bar, BarMaker, read_duration
from bot_v2.venues.tws.codes import HISTORICAL, VALIDATING, RefusalError
from bot_v2.venues.tws.gateway import Request, reads
from bot_v2.venues.tws.hours import NEW_YORK
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.order_terms import read_moment
from bot_v2.venues.tws.quotes_api import QuotesApi
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.state import TwsState

BARS_MAX: Final = 5_000
"""How many bars one request may ask for."""

PACE_COUNT: Final = 60
PACE_PERIOD: Final = timedelta(minutes=10)
"""How many requests are served in a period, where pacing is watched."""

_KINDS: Final = frozenset({"TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "ADJUSTED_LAST"})
_TRADED: Final = frozenset({"TRADES", "ADJUSTED_LAST"})
_FIRST: Final = "20040102 09:30:00"
_SECONDS: Final = 2
"""The date format that asks for seconds since 1970."""


@attrs.define
class _Forming:
    """Bars of which the last one is told as it changes."""

    session: Session
    request_id: int
    listing: Listing
    length: timedelta
    in_seconds: bool
    bar: Bar


class HistoryApi:
    """Tells bars.

    Args:
        state: the venue.
        quotes: knows the contracts.
        seed: what the bars are drawn from.
    """

    def __init__(self, state: TwsState, quotes: QuotesApi, seed: int) -> None:
        """Tell nobody yet."""
        self.watches_pace = False
        """True: too many requests in ten minutes are refused."""
        self._state = state
        self._quotes = quotes
        self._maker = BarMaker(seed)
        self._forming: dict[tuple[Session, int], _Forming] = {}
        self._asked: deque[datetime] = deque()

    def requests(self) -> list[Request]:
        """Return what can be asked."""
        return reads(
            {
                "reqHistoricalData": ("list_candles", self.ask),
                "cancelHistoricalData": ("", self.cancel),
                "reqHeadTimestamp": ("", self.first),
                "cancelHeadTimestamp": ("", self.cancel),
            }
        )

    def forget(self, session: Session) -> None:
        """Let go of what a client asked for."""
        self._forming = {key: one for key, one in self._forming.items() if key[0] is not session}

    def drop_all(self) -> None:
        """Let go of what everyone asked for: the data are lost."""
        self._forming.clear()

    def first(self, session: Session, asked: Message) -> None:
        """Tell when a contract's history begins."""
        self._quotes.listing_of(asked)
        moment = read_moment(_FIRST)
        seconds = asked.whole("formatDate") == _SECONDS and moment is not None
        text = str(int(moment.timestamp())) if seconds and moment else _FIRST
        session.say("headTimestamp", reqId=asked.whole("reqId"), time=text)

    def cancel(self, session: Session, asked: Message) -> None:
        """Tell bars that form no more."""
        self._forming.pop((session, asked.whole("reqId") or 0), None)

    def ask(self, session: Session, asked: Message) -> None:
        """Tell bars, and from then on the one that forms, where that is asked for."""
        listing = self._quotes.listing_of(asked)
        length, duration = self._checked(asked, listing)
        now = self._state.clock()
        end = read_moment(asked.text("endDateTime")) or now
        start = end - duration
        if duration // length > BARS_MAX:
            raise _refusal("Time length exceed max.")
        bars = self._maker.between(listing, start, min(end, now), length)
        if not bars:
            raise _refusal("HMDS query returned no data")
        if end >= now:
            bars[-1] = self._with_last(listing, bars[-1])
        request_id = asked.whole("reqId") or 0
        in_seconds = asked.whole("formatDate") == _SECONDS
        session.say(
            "historicalData",
            reqId=request_id,
            start=_told(start),
            end=_told(end),
            bars=[_row(bar, length, asked, in_seconds=in_seconds) for bar in bars],
        )
        if asked.flag("keepUpToDate"):
            self._forming[(session, request_id)] = _Forming(
                session, request_id, listing, length, in_seconds, bars[-1]
            )

    def traded(self, trades: list[Trade]) -> None:
        """Tell who listens how the last bar changed."""
        if self._quotes.is_cut_off:
            return
        for trade in trades:
            for one in self._forming.values():
                if one.listing.product.symbol == trade.symbol:
                    self._move(one, trade)

    def _move(self, one: _Forming, trade: Trade) -> None:
        bar = one.bar
        if trade.timestamp >= bar.start + one.length:
            steps = (trade.timestamp - bar.start) // one.length
            price = trade.price
            bar = Bar(
                start=bar.start + steps * one.length,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=trade.size,
            )
        else:
            bar = attrs.evolve(
                bar,
                high=max(bar.high, trade.price),
                low=min(bar.low, trade.price),
                close=trade.price,
                volume=EXACT.add(bar.volume, trade.size),
            )
        one.bar = bar
        one.session.say(
            "historicalDataUpdate",
            reqId=one.request_id,
            count=-1,
            date=_date(bar, one.length, in_seconds=one.in_seconds),
            open=bar.open,
            close=bar.close,
            high=bar.high,
            low=bar.low,
            wap=bar.average,
            volume=bar.volume,
        )

    def _with_last(self, listing: Listing, bar: Bar) -> Bar:
        """Return the last bar, closing where the contract was traded last."""
        last = self._state.tape.last(listing.product.symbol).price
        return attrs.evolve(bar, high=max(bar.high, last), low=min(bar.low, last), close=last)

    def _checked(self, asked: Message, listing: Listing) -> tuple[timedelta, timedelta]:
        """Return how long the bars are, and how much time is asked for.

        Raises:
            RefusalError: there are no such bars, or too many were asked for.
        """
        self._check_pace()
        kind = asked.text("whatToShow").upper()
        length, duration = LENGTHS.get(asked.text("barSize")), read_duration(asked.text("duration"))
        if length is None or duration is None or kind not in _KINDS:
            raise RefusalError(
                VALIDATING,
                where="reqHistoricalData",
                reason="Invalid bar size, duration or kind of data",
            )
        if kind in _TRADED and listing.sec_type == "CASH":
            raise _refusal(f"No historical market data for {listing.local_symbol}/CASH@FX {kind}")
        return length, duration

    def _check_pace(self) -> None:
        now = self._state.clock()
        self._asked.append(now)
        while self._asked[0] <= now - PACE_PERIOD:
            self._asked.popleft()
        if self.watches_pace and len(self._asked) > PACE_COUNT:
            raise _refusal("Historical data request pacing violation")


def _refusal(reason: str) -> RefusalError:
    return RefusalError(HISTORICAL, reason=reason)


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(NEW_YORK):%Y%m%d %H:%M:%S}"


def _date(bar: Bar, length: timedelta, *, in_seconds: bool) -> str:
    if length >= DAY:
        return f"{bar.start:%Y%m%d}"
    if in_seconds:
        return str(int(bar.start.timestamp()))
    return f"{_told(bar.start)} US/Eastern"


def _row(bar: Bar, length: timedelta, asked: Message, *, in_seconds: bool) -> dict[str, object]:
    traded = asked.text("whatToShow").upper() in _TRADED
    return {
        "date": _date(bar, length, in_seconds=in_seconds),
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume if traded else Decimal(-1),
        "wap": bar.average if traded else Decimal(-1),
        "count": int(bar.volume) % 1_000 + 1 if traded else -1,
    }
