"""TWS's contracts and our products and symbols, in both directions. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, decimal_to_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import MarketType, OptionRight, PriceBand, Product
from bot_v2.features.brokerages.core.symbols import (
    EquitySymbol,
    FutureSymbol,
    OptionSymbol,
    PairSymbol,
    ParsedSymbol,
    format_symbol,
    is_canonical,
    parse_symbol,
)
from bot_v2.features.brokerages.ibkr.moments import day_from_native
from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    DetailsRow,
    MalformedError,
    number,
    number_or_none,
)

SMART: Final = "SMART"
PAIRS: Final = "IDEALPRO"
USD: Final = "USD"

STOCK: Final = "STK"
FUTURE: Final = "FUT"
OPTION: Final = "OPT"
PAIR: Final = "CASH"
COMBINATION: Final = "BAG"

US_STOCK_VENUES: Final = frozenset(
    {"NASDAQ", "NYSE", "ARCA", "AMEX", "BATS", "IEX", "ISLAND", "PINK", "CBOE", "NYSENAT", "LTSE"}
)
US_FUTURE_VENUES: Final = frozenset(
    {"CME", "CBOT", "NYMEX", "COMEX", "CFE", "NYBOT", "GLOBEX", "ECBOT", "SMFE", "MGE", "CMECRYPTO"}
)

MARKET_TYPES: Final = {
    STOCK: MarketType.EQUITY,
    FUTURE: MarketType.FUTURES,
    OPTION: MarketType.OPTION,
    PAIR: MarketType.FOREX,
}
"""The kinds that have canonical symbols; any other is OTHER, and is called by its contract id."""

RIGHTS: Final = {
    "C": OptionRight.CALL,
    "CALL": OptionRight.CALL,
    "P": OptionRight.PUT,
    "PUT": OptionRight.PUT,
}
RIGHT_LETTERS: Final = {OptionRight.CALL: "C", OptionRight.PUT: "P"}

ONE: Final = Decimal(1)
ZERO: Final = Decimal(0)

_TEXT: Final = re.compile(r"[!-~]([ -~]{0,62}[!-~])?", re.ASCII)
_PAIR: Final = re.compile(r"[A-Z]{3}\.[A-Z]{3}", re.ASCII)
_OPTION: Final = re.compile(r"[A-Z0-9 ]{6}\d{6}[CP]\d{8}", re.ASCII)
_FUTURE: Final = re.compile(r"[A-Z0-9 ]*\d[A-Z0-9 ]*", re.ASCII)
_NUMBER: Final = re.compile(r"[1-9]\d{0,9}", re.ASCII)


@attrs.frozen
class Query:
    """What TWS is asked for, and which of its answers count."""

    contract: ContractRow
    """The fields that are asked by; an empty one fits everything."""
    accepts: Callable[[DetailsRow], bool] = lambda _: True
    """Whether an answer is what was meant."""


@attrs.frozen
class Reading:
    """One way to read what a user typed."""

    queries: Sequence[Query]
    """What is asked, one after the other until something is found."""


def readings_of(text: str) -> list[Reading]:
    """Return the ways to read a symbol; none where it cannot be any.

    Raises:
        InvalidFieldError: it is no text, or an empty one.
    """
    if type(text) is not str or not text:
        raise InvalidFieldError("symbol", text, "a symbol: a str that is not empty")
    native = text.removeprefix("@")
    if _TEXT.fullmatch(native) is None:
        return []
    if text.startswith("@") or not is_canonical(text):
        return _native(native)
    canonical = _canonical(text)
    # A plain ticker is what its exchange calls the stock, too: it is not asked for twice.
    is_plain = isinstance(parse_symbol(text), EquitySymbol) and text.isalpha()
    return canonical if is_plain else [*canonical, *_native(native)]


def _canonical(text: str) -> list[Reading]:
    parsed = parse_symbol(text)
    if isinstance(parsed, EquitySymbol):
        return [_stock(parsed.ticker.replace(".", " ").replace("_", "-"), parsed.exchange)]
    if isinstance(parsed, PairSymbol):
        pair = ContractRow(sec_type=PAIR, symbol=parsed.base, currency=parsed.quote, exchange=PAIRS)
        return [Reading([Query(pair)])]
    if isinstance(parsed, FutureSymbol):
        return [_future(parsed)]
    return [_option(parsed)] if isinstance(parsed, OptionSymbol) else []


def _native(native: str) -> list[Reading]:
    """Return the readings of a contract id, or of what the exchange calls a contract.

    Local symbols have forms by which it can be told what kind they cannot be of.
    """
    readings = []
    if _NUMBER.fullmatch(native):
        readings.append(Reading([Query(ContractRow(con_id=int(native)))]))
    if _PAIR.fullmatch(native):
        pair = ContractRow(sec_type=PAIR, local_symbol=native, exchange=PAIRS)
        readings.append(Reading([Query(pair)]))
    elif _OPTION.fullmatch(native):
        option = ContractRow(sec_type=OPTION, local_symbol=native, exchange=SMART, currency=USD)
        readings.append(Reading([Query(option)]))
    elif _FUTURE.fullmatch(native):
        future = ContractRow(sec_type=FUTURE, local_symbol=native)
        readings.append(Reading([Query(future, _is_us_future)]))
    else:
        stock = ContractRow(sec_type=STOCK, local_symbol=native, exchange=SMART, currency=USD)
        readings.append(Reading([Query(stock, is_us_stock)]))
    return readings


def _stock(symbol: str, exchange: str | None) -> Reading:
    if exchange is None:
        asked = ContractRow(sec_type=STOCK, symbol=symbol, exchange=SMART, currency=USD)
        return Reading([Query(asked, is_us_stock)])
    asked = ContractRow(sec_type=STOCK, symbol=symbol, exchange=SMART, primary=exchange)
    return Reading([Query(asked, lambda found: found.contract.primary == exchange)])


def _future(wanted: FutureSymbol) -> Reading:
    def accepts(found: DetailsRow) -> bool:
        contract = found.contract
        place = contract.exchange
        fits = _is_us_future(found) if wanted.exchange is None else place == wanted.exchange
        return fits and contract.trading_class == wanted.root and expiry_of(found) == wanted.expiry

    day, exchange = f"{wanted.expiry:%Y%m%d}", wanted.exchange or ""
    by_day = ContractRow(sec_type=FUTURE, symbol=wanted.root, expiry=day, exchange=exchange)
    # The last trading day may be before the expiration, and the underlying be called otherwise.
    by_symbol = ContractRow(sec_type=FUTURE, symbol=wanted.root, exchange=exchange)
    by_class = ContractRow(sec_type=FUTURE, trading_class=wanted.root, exchange=exchange)
    return Reading([Query(one, accepts) for one in (by_day, by_symbol, by_class)])


def _option(wanted: OptionSymbol) -> Reading:
    day = f"{wanted.expiry:%Y%m%d}"

    def accepts(found: DetailsRow) -> bool:
        contract = found.contract
        return (
            contract.trading_class == wanted.root
            and expiry_of(found) == wanted.expiry
            and number_or_none(contract.strike) == wanted.strike
            and RIGHTS.get(contract.right) is wanted.right
        )

    place = wanted.exchange or SMART
    currency = USD if wanted.exchange is None else ""
    by_terms = ContractRow(
        sec_type=OPTION,
        symbol=wanted.root,
        trading_class=wanted.root,
        expiry=day,
        strike=decimal_to_text(wanted.strike),
        right=RIGHT_LETTERS[wanted.right],
        exchange=place,
        currency=currency,
    )
    queries = [Query(by_terms, accepts)]
    local = local_option_symbol(wanted)
    if local is not None:
        # The class of an index's options may be another than the index's own symbol.
        by_name = ContractRow(
            sec_type=OPTION, local_symbol=local, exchange=place, currency=currency
        )
        queries.append(Query(by_name, accepts))
    return Reading(queries)


def local_option_symbol(wanted: OptionSymbol) -> str | None:
    """Return what US exchanges call an option. None: its terms do not fit in such a name."""
    thousandths = EXACT.multiply(wanted.strike, Decimal(1000))
    fits = thousandths == thousandths.to_integral_value() and thousandths < 10**8
    if not fits or len(wanted.root) > 6:
        return None
    letter = RIGHT_LETTERS[wanted.right]
    return f"{wanted.root:<6}{wanted.expiry:%y%m%d}{letter}{int(thousandths):08d}"


def is_us_stock(found: DetailsRow) -> bool:
    """Whether a stock is listed in the US."""
    contract = found.contract
    venue = (contract.primary or contract.exchange).partition(".")[0]
    return contract.currency == USD and venue in US_STOCK_VENUES


def _is_us_future(found: DetailsRow) -> bool:
    return found.contract.exchange in US_FUTURE_VENUES


def expiry_of(found: DetailsRow) -> object:
    """Return the day on which a contract expires. None: it does not, or it is not told."""
    return day_from_native(found.real_expiry) or day_from_native(found.contract.expiry)


def symbol_of(found: DetailsRow) -> str:
    """Return the canonical symbol of a contract, or its contract id after an `@`."""
    try:
        parsed = _parsed(found)
    except (InvalidFieldError, MalformedError):
        parsed = None
    name = None if parsed is None else format_symbol(parsed)
    return name if name is not None and is_canonical(name) else f"@{found.contract.con_id}"


def _parsed(found: DetailsRow) -> ParsedSymbol | None:
    contract = found.contract
    if contract.sec_type == STOCK:
        venue = None if is_us_stock(found) else contract.primary or contract.exchange
        ticker = contract.symbol.replace("-", "_").replace(" ", ".")
        return EquitySymbol(ticker=ticker, exchange=venue)
    if contract.sec_type == PAIR:
        return PairSymbol(base=contract.symbol, quote=contract.currency)
    expiry = day_from_native(found.real_expiry) or day_from_native(contract.expiry)
    if expiry is None:
        return None
    if contract.sec_type == FUTURE:
        venue = None if _is_us_future(found) else contract.exchange
        return FutureSymbol(root=contract.trading_class, expiry=expiry, exchange=venue)
    right, strike = RIGHTS.get(contract.right), number_or_none(contract.strike)
    if contract.sec_type == OPTION and right is not None and strike is not None:
        venue = None if contract.currency == USD else contract.exchange
        return OptionSymbol(
            root=contract.trading_class, expiry=expiry, strike=strike, right=right, exchange=venue
        )
    return None


def tradeable_row(found: DetailsRow) -> ContractRow:
    """Return the contract as it is asked for and ordered: where TWS finds the best price."""
    contract = found.contract
    places = found.exchanges.split(",")
    exchange = contract.exchange or places[0]
    if contract.sec_type in (STOCK, OPTION) and SMART in places:
        exchange = SMART
    return ContractRow(
        con_id=contract.con_id,
        symbol=contract.symbol,
        sec_type=contract.sec_type,
        expiry=contract.expiry,
        strike=contract.strike,
        right=contract.right,
        multiplier=contract.multiplier,
        exchange=exchange,
        currency=contract.currency,
        local_symbol=contract.local_symbol,
        trading_class=contract.trading_class,
    )


def rule_id_of(found: DetailsRow, exchange: str) -> int | None:
    """Return the number of the rule of price steps on an exchange. None: none is told."""
    places, rules = found.exchanges.split(","), found.rule_ids.split(",")
    if len(places) != len(rules):
        return None
    rule = dict(zip(places, rules, strict=True)).get(exchange, rules[0])
    return int(rule) if rule.isdecimal() else None


def product_of(found: DetailsRow, steps: Sequence[tuple[str, str]]) -> Product:
    """Return a product.

    Args:
        found: the contract.
        steps: its price steps: from which price, how much. Empty: none are told.
    """
    contract = found.contract
    kind = MARKET_TYPES.get(contract.sec_type, MarketType.OTHER)
    symbol = symbol_of(found)
    if symbol.startswith("@"):
        kind = MarketType.OTHER
    bands = tuple(
        PriceBand(lower_price=number(lower), price_increment=number(step)) for lower, step in steps
    )
    plain = bands[0].price_increment if len(bands) == 1 else None
    magnifier = _whole_or_one(found.price_magnifier)
    multiplier = number_or_none(contract.multiplier) or ONE
    metadata: dict[str, str | int] = {
        "con_id": contract.con_id,
        "sec_type": contract.sec_type,
        "local_symbol": contract.local_symbol,
    }
    if contract.primary:
        metadata["primary_exchange"] = contract.primary
    if magnifier != ONE:
        metadata["price_magnifier"] = int(magnifier)
    return Product(
        symbol=symbol,
        market_type=kind,
        base_currency=contract.symbol if kind is MarketType.FOREX else None,
        quote_currency=contract.currency,
        min_order_size=number_or_none(found.min_size),
        price_increment=plain if bands else number_or_none(found.min_tick),
        price_bands=bands if plain is None else (),
        size_increment=number_or_none(found.size_increment),
        # Where prices are told in a smaller unit than the currency, a unit is worth the less.
        multiplier=EXACT.divide(multiplier, magnifier),
        expiry=day_from_native(found.real_expiry) or day_from_native(contract.expiry),
        strike=number_or_none(contract.strike) if contract.sec_type == OPTION else None,
        right=RIGHTS.get(contract.right),
        underlying=found.under_symbol.replace(" ", ".") or None,
        name=found.long_name or None,
        metadata=metadata,
    )


def _whole_or_one(text: str) -> Decimal:
    value = number_or_none(text)
    return value if value else ONE
