"""Finding contracts by what clients say of them, and describing them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from bot_v2.venues.tws.listings import SMART, Listing
from bot_v2.venues.tws.schema import Message

ORDER_TYPES: Final = (
    "ACTIVETIM,ADJUST,ALERT,ALLOC,COND,CONDORDER,DAY,GAT,GTC,GTD,GTT,IOC,LMT,LOC,MKT,MOC,OCA,OPG,"
    "STP,STPLMT,TRAIL,WHATIF"
)
"""What can be ordered, in the broker's abbreviations."""

_SAMPLES_MAX: Final = 16


def _is_expiry(listing: Listing, text: str) -> bool:
    return bool(listing.expiry) and listing.expiry.startswith(text)


_FITS: Final[dict[str, Callable[[Listing, str], bool]]] = {
    # field: whether a listing has the value; an empty field fits everything
    "symbol": lambda one, text: one.symbol == text,
    "secType": lambda one, text: one.sec_type == text,
    "lastTradeDateOrContractMonth": _is_expiry,
    "right": lambda one, text: one.right == text[:1] or text in ("0", "?"),
    "multiplier": lambda one, text: one.multiplier == text or not one.multiplier,
    "exchange": lambda one, text: text in one.exchanges.split(","),
    "primaryExchange": lambda one, text: one.primary in ("", text),
    "currency": lambda one, text: one.currency == text,
    "localSymbol": lambda one, text: " ".join(one.local_symbol.split()) == " ".join(text.split()),
    "tradingClass": lambda one, text: one.trading_class == text,
}


class ContractBook:
    """The contracts that there are.

    Args:
        listings: all of them.
    """

    def __init__(self, listings: Iterable[Listing]) -> None:
        """List them."""
        self.listings = tuple(listings)
        """All of them."""
        self._by_id = {one.con_id: one for one in self.listings}
        self._by_symbol = {one.product.symbol: one for one in self.listings}

    def by_symbol(self, symbol: str) -> Listing:
        """Return the listing of a canonical symbol that there is."""
        return self._by_symbol[symbol]

    def by_id(self, con_id: int) -> Listing | None:
        """Return the listing of a contract id. None: there is none."""
        return self._by_id.get(con_id)

    def find(self, asked: Message) -> list[Listing]:
        """Return what fits a contract, however little of it is said.

        A contract id decides alone, but for an exchange that the contract does not trade on.
        """
        con_id = asked.whole("conId") or 0
        if con_id:
            found = self.by_id(con_id)
            exchange = asked.text("exchange")
            if found is None or (exchange and not _FITS["exchange"](found, exchange)):
                return []
            return [found]
        if asked.text("secIdType") == "ISIN":
            return [one for one in self.listings if one.isin == asked.text("secId")]
        strike = asked.number("strike") or 0
        said = [(fits, text) for name, fits in _FITS.items() if (text := asked.text(name))]
        return [
            one
            for one in self.listings
            if (not strike or one.strike == strike) and all(fits(one, text) for fits, text in said)
        ]

    def matching(self, pattern: str) -> list[Listing]:
        """Return the stocks and pairs whose symbol starts with, or whose name has, a text."""
        wanted = pattern.upper()
        found = [
            one
            for one in self.listings
            if one.sec_type in ("STK", "CASH")
            and (one.symbol.startswith(wanted) or wanted in one.name)
        ]
        return found[:_SAMPLES_MAX]

    def options_on(self, under: Listing) -> list[Listing]:
        """Return the options on a contract."""
        return [one for one in self.listings if one.under_con_id == under.con_id]

    def has_options(self, under: Listing) -> bool:
        """Whether there are options on a contract."""
        return bool(self.options_on(under))


def venue_of(listing: Listing, exchange: str) -> str:
    """Return the exchange that an order is executed on: where it was sent, or a real one."""
    if exchange and exchange != SMART:
        return exchange
    if listing.primary == "NASDAQ":
        return "ISLAND"
    return listing.primary or listing.exchanges.split(",")[-1]


def sample_of(listing: Listing, book: ContractBook) -> dict[str, object]:
    """Return a listing as the search for symbols tells it."""
    kinds = ["OPT"] if book.has_options(listing) else []
    return {
        "conId": listing.con_id,
        "symbol": listing.symbol,
        "secType": listing.sec_type,
        "primaryExchange": listing.primary or listing.exchange,
        "currency": listing.currency,
        "derivativeSecTypes": [{"secType": kind} for kind in kinds],
        "description": listing.name,
    }


def details_of(
    listing: Listing, book: ContractBook, exchange: str, trading: str, liquid: str
) -> dict[str, object]:
    """Return a listing as contract details tell it.

    Args:
        listing: the contract.
        book: where its underlying is.
        exchange: the exchange that was asked for. Empty: its own.
        trading: when it trades.
        liquid: when its main session is.
    """
    under = book.by_id(listing.under_con_id)
    product = listing.product
    rules = ",".join([str(listing.rule_id)] * len(listing.exchanges.split(",")))
    expiry = listing.expiry
    step = product.size_increment or 1
    return {
        "symbol": listing.symbol,
        "secType": listing.sec_type,
        "lastTradeDateOrContractMonth": f"{expiry}-16:00:00-US/Eastern" if expiry else "",
        "strike": listing.strike,
        "right": listing.right,
        "exchange": exchange or listing.exchange,
        "currency": listing.currency,
        "localSymbol": listing.local_symbol,
        "marketName": listing.trading_class,
        "tradingClass": listing.trading_class,
        "conId": listing.con_id,
        "minTick": listing.min_tick,
        "multiplier": listing.multiplier,
        "orderTypes": ORDER_TYPES,
        "validExchanges": listing.exchanges,
        "underConId": listing.under_con_id,
        "longName": listing.name,
        "primaryExchange": listing.primary,
        "contractMonth": expiry[:6],
        "timeZoneId": "US/Eastern",
        "tradingHours": trading,
        "liquidHours": liquid,
        "secIds": [{"tag": "ISIN", "value": listing.isin}] if listing.isin else [],
        "underSymbol": "" if under is None else under.symbol,
        "underSecType": "" if under is None else under.sec_type,
        "marketRuleIds": rules,
        "realExpirationDate": expiry,
        "stockType": listing.stock_type,
        "minSize": product.min_order_size,
        "sizeIncrement": step,
        "suggestedSizeIncrement": 100 if listing.sec_type == "STK" else step,
    }
