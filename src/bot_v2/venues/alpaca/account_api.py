"""The account: totals, configurations, activities and its history.

Sources: https://docs.alpaca.markets/reference/getaccount-1, .../getaccountactivities-2,
.../getaccountportfoliohistory-1
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, round_to_places
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.checks import Checks
from bot_v2.venues.alpaca.dialect import bad_parameter, query_moment, unprocessable
from bot_v2.venues.alpaca.hours import EASTERN, eastern_day
from bot_v2.venues.alpaca.money import Purse
from bot_v2.venues.alpaca.standing import Configurations, Standing
from bot_v2.venues.alpaca.texts import moment_from_text, moment_text, plain, ratio
from bot_v2.venues.alpaca.tickets import TicketBook
from bot_v2.venues.ids import seeded_uuid
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
PAGE: Final = 100
FILL: Final = "FILL"
CRYPTO_FEE: Final = "CFEE"

PERIODS: Final = {"D": 1, "W": 7, "M": 30, "A": 365}
TIMEFRAMES: Final = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1H": timedelta(hours=1),
    "1D": timedelta(days=1),
}
POINTS_MAX: Final = 2_000


@attrs.frozen
class _Happening:
    name: str
    moment: datetime
    write: Callable[[], Record]


class AccountApi:
    """The account.

    Args:
        state: the venue.
        account: its account.
        tickets: its orders.
        catalogue: what is listed.
        purse: knows what there is.
        checks: knows what is allowed.
        standing: what the account may do.
        configurations: what its owner wants.
        account_id: the account's id.
    """

    def __init__(
        self,
        state: VenueState,
        account: VenueAccount,
        tickets: TicketBook,
        catalogue: Catalogue,
        purse: Purse,
        checks: Checks,
        standing: Standing,
        configurations: Configurations,
        account_id: str,
    ) -> None:
        """Open the account now."""
        self._state = state
        self._account = account
        self._tickets = tickets
        self._catalogue = catalogue
        self._purse = purse
        self._checks = checks
        self._standing = standing
        self._configurations = configurations
        self._account_id = account_id
        self._opened_at = state.clock()
        self._opening_equity = purse.count().equity

    def get(self, request: ApiRequest) -> Record:  # noqa: ARG002 - there is nothing to ask
        """Tell the account."""
        money, standing = self._purse.count(), self._standing
        buying_power = EXACT.multiply(money.excess, Decimal(standing.multiplier))
        said: Record = {
            "id": self._account_id,
            "admin_configurations": {},
            "user_configurations": None,
            "account_number": f"PA{self._account_id.replace('-', '')[:10].upper()}",
            "status": standing.status,
            "crypto_status": standing.crypto_status,
            "currency": "USD",
            "buying_power": plain(buying_power),
            "regt_buying_power": plain(EXACT.multiply(money.excess, Decimal(2))),
            "effective_buying_power": plain(buying_power),
            "non_marginable_buying_power": plain(money.free_cash),
            "options_buying_power": plain(money.free_cash),
            "cash": plain(money.cash),
            "accrued_fees": "0",
            "pending_transfer_in": "0",
            "pending_transfer_out": "0",
            "portfolio_value": plain(money.equity),
            "equity": plain(money.equity),
            "last_equity": plain(self._opening_equity),
            "long_market_value": plain(money.long_value),
            "short_market_value": plain(money.short_value),
            "position_market_value": plain(EXACT.add(money.long_value, money.short_value)),
            "initial_margin": plain(money.initial_margin),
            "maintenance_margin": plain(money.maintenance_margin),
            "last_maintenance_margin": "0",
            "sma": "0",
            "multiplier": str(standing.multiplier),
            "shorting_enabled": standing.shorting_enabled and not self._configurations.no_shorting,
            "trading_blocked": standing.trading_blocked,
            "transfers_blocked": standing.transfers_blocked,
            "account_blocked": standing.account_blocked,
            "trade_suspended_by_user": self._configurations.suspend_trade,
            "options_approved_level": standing.options_approved_level,
            "options_trading_level": self._checks.option_level(),
            "created_at": moment_text(self._opened_at, self._state.skew),
            "balance_asof": eastern_day(self._state.clock() - timedelta(days=1)).isoformat(),
            "crypto_tier": 1,
            "intraday_adjustments": "0",
            "pending_reg_taf_fees": "0",
        }
        if standing.pdt_rule:
            said |= {
                "pattern_day_trader": standing.pattern_day_trader,
                "daytrade_count": self._checks.day_trade_count(),
                "daytrading_buying_power": plain(
                    EXACT.multiply(money.excess, Decimal(4)) if standing.multiplier == 4 else ZERO
                ),
            }
        return said

    def configurations(self, request: ApiRequest) -> Record:  # noqa: ARG002 - there is nothing to ask
        """Tell what the owner has set."""
        return self._configurations.as_record(with_pdt=self._standing.pdt_rule)

    def configure(self, request: ApiRequest) -> Record:
        """Set something, and tell all of it."""
        self._configurations.change(request.body())
        return self.configurations(request)

    # Activities

    def activities(self, request: ApiRequest) -> list[Record]:
        """List what happened in the account, newest first unless asked otherwise."""
        wanted = request.arguments.get("activity_type") or request.value("activity_types")
        types = None if wanted is None else {one.strip() for one in wanted.split(",")}
        direction = request.value("direction") or "desc"
        if direction not in ("asc", "desc"):
            raise bad_parameter("invalid direction")
        after = query_moment(request, "after", moment_from_text)
        until = query_moment(request, "until", moment_from_text)
        day = request.value("date")
        if day is not None and (after is not None or until is not None):
            raise unprocessable("date cannot be used with after or until")
        on = None if day is None else _date(day)
        found = [
            one
            for one in self._happenings(types)
            if (after is None or one.moment > after)
            and (until is None or one.moment < until)
            and (on is None or eastern_day(one.moment) == on)
        ]
        found.sort(key=lambda one: one.name, reverse=direction == "desc")
        page = _after_token(found, request.value("page_token"))[: _page_size(request)]
        return [one.write() for one in page]

    def _happenings(self, types: set[str] | None) -> Iterator[_Happening]:
        today = eastern_day(self._state.clock())
        for fill in self._account.fills():
            name = _activity_name(fill.timestamp, fill.trade_id)
            if types is None or FILL in types:
                yield _Happening(name, fill.timestamp, partial(self._fill, name, fill))
            # Fees of coins are told when the day is over.
            is_told = bool(fill.fee) and eastern_day(fill.timestamp) < today
            if is_told and (types is None or CRYPTO_FEE in types):
                name = _activity_name(fill.timestamp, seeded_uuid(0, fill.trade_id))
                yield _Happening(name, fill.timestamp, partial(self._fee, name, fill))

    def _fee(self, name: str, fill: Fill) -> Record:
        listing, fee = self._catalogue.of(fill.symbol), fill.fee or ZERO
        in_kind = fill.fee_currency == listing.base
        return {
            "id": name,
            "activity_type": CRYPTO_FEE,
            "date": eastern_day(fill.timestamp).isoformat(),
            "net_amount": "0" if in_kind else plain(fee.copy_negate()),
            "description": f"Coin Pair Transaction Fee ({'Non USD' if in_kind else 'USD'})",
            "symbol": listing.position_symbol,
            "qty": plain(fee.copy_negate()) if in_kind else "0",
            "price": plain(fill.price),
            "status": "executed",
        }

    def _fill(self, name: str, fill: Fill) -> Record:
        listing = self._catalogue.of(fill.symbol)
        ticket = self._tickets.owner_of(fill.trade_id)
        cumulated, whole = self._filled_until(fill)
        left = ZERO if whole is None else max(EXACT.subtract(whole, cumulated), ZERO)
        return {
            "id": name,
            "activity_type": FILL,
            "transaction_time": moment_text(fill.timestamp, self._state.skew),
            "type": "fill" if not left else "partial_fill",
            "price": plain(fill.price),
            "qty": plain(fill.quantity),
            "side": self._side(fill),
            "symbol": listing.symbol,
            "leaves_qty": plain(left),
            "order_id": fill.order_id if ticket is None else ticket.order_id,
            "cum_qty": plain(cumulated),
            "order_status": "filled" if not left else "partially_filled",
        }

    def _side(self, fill: Fill) -> str:
        ticket = self._tickets.owner_of(fill.trade_id)
        short = ticket is not None and ticket.terms.intent == "sell_to_open"
        return "sell_short" if short and fill.side is OrderSide.SELL else fill.side.value

    def _filled_until(self, fill: Fill) -> tuple[Decimal, Decimal | None]:
        """Return what the order had filled with this execution, and what it is for."""
        ticket, total = self._tickets.owner_of(fill.trade_id), ZERO
        for one in self._account.fills_of(fill.order_id):
            if self._tickets.owner_of(one.trade_id) is ticket and one.corrects is None:
                total = EXACT.add(total, one.quantity)
            if one.trade_id == fill.trade_id:
                break
        if ticket is None:
            return total, None
        if ticket.terms.qty is not None:
            return total, ticket.terms.qty
        progress = self._tickets.progress(ticket)
        return total, progress.filled if progress.status == "filled" else None

    # History

    def history(self, request: ApiRequest) -> Record:
        """Tell the account's worth over time: what it opened with, then what it is worth now."""
        timeframe = request.value("timeframe") or "1D"
        if timeframe not in TIMEFRAMES:
            raise unprocessable(f"invalid timeframe: {timeframe}")
        now, step = self._state.clock(), TIMEFRAMES[timeframe]
        start = query_moment(request, "start", moment_from_text)
        first = now - _period(request.value("period") or "1M") if start is None else start
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        at = epoch + (first - epoch) // step * step
        moments: list[datetime] = []
        while at <= now and len(moments) < POINTS_MAX:
            moments.append(at)
            at += step
        equity = self._purse.count().equity
        base = self._opening_equity
        worth = [base if one < self._opened_at else equity for one in moments]
        if worth:
            worth[-1] = equity
        gains = [EXACT.subtract(one, base) for one in worth]
        return {
            "timestamp": [int(one.timestamp()) for one in moments],
            "equity": [round_to_places(one, 2, Rounding.HALF_EVEN) for one in worth],
            "profit_loss": [round_to_places(one, 2, Rounding.HALF_EVEN) for one in gains],
            "profit_loss_pct": [ratio(one, base) for one in gains],
            "base_value": round_to_places(base, 2, Rounding.HALF_EVEN),
            "base_value_asof": eastern_day(self._opened_at).isoformat(),
            "timeframe": timeframe,
            "cashflow": {},
        }


def _period(text: str) -> timedelta:
    count, unit = text[:-1], text[-1:].upper()
    if not count.isdecimal() or unit not in PERIODS:
        raise unprocessable(f"invalid period: {text}")
    return timedelta(days=int(count) * PERIODS[unit])


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise bad_parameter(f"Invalid format for parameter date: {text}") from error


def _page_size(request: ApiRequest) -> int:
    text = request.value("page_size")
    if text is None:
        return PAGE
    if not text.isdecimal() or int(text) < 1:
        raise bad_parameter("invalid page_size")
    return min(int(text), PAGE)


def _activity_name(moment: datetime, unique: str) -> str:
    """Return the id of an activity: by their ids they are in the order of time."""
    local = moment.astimezone(EASTERN)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03}::{unique}"


def _after_token(found: list[_Happening], token: str | None) -> list[_Happening]:
    """Return what comes after the last one of the page before."""
    if token is None:
        return found
    place = next((at for at, one in enumerate(found) if one.name == token), None)
    if place is None:
        raise unprocessable("invalid page_token")
    return found[place + 1 :]
