"""The canonical symbol grammar: parse, format, and resolve against a broker's instruments.

    spot, forex   BASE-QUOTE                   BTC-USD, EUR-USD, 1INCH-USD
    perpetual     BASE-QUOTE-PERP              BTC-USDC-PERP
    equity        [EXCHANGE:]TICKER            AAPL, BRK.B, NSE:RELIANCE, NSE:BAJAJ_AUTO
    future        [EXCHANGE:]ROOT-YYYYMMDD     CL-20270319, BTC-USD-20260626
    option        [EXCHANGE:]ROOT-YYYYMMDD-STRIKE-C|P     AAPL-20270115-152.5-C
    native        @NATIVE                      what the grammar cannot name uniquely

A symbol's shape says how to read it, never what it is: the market type is the Product's. What a
user typed is therefore resolved against the broker's own instruments (`resolve_symbol`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.decimals import decimal_to_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidSymbolError
from bot_v2.features.brokerages.core.fields import Model, require
from bot_v2.features.brokerages.core.products import OptionRight

_CODE = re.compile(r"[A-Z0-9][A-Z0-9._]*", re.ASCII)
_ROOT = re.compile(r"[A-Z0-9][A-Z0-9._]*(?:-[A-Z0-9][A-Z0-9._]*)*", re.ASCII)
_DATE = re.compile(r"[0-9]{8}", re.ASCII)
_STRIKE = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?", re.ASCII)
_PERP: Final = "PERP"
_RIGHTS: Final = {"C": OptionRight.CALL, "P": OptionRight.PUT}
_RIGHT_LETTERS: Final = {right: letter for letter, right in _RIGHTS.items()}

_CODE_ACCEPTED = "capital letters, digits, '.' and '_' (a native hyphen is written '_')"
_GRAMMAR = (
    "BASE-QUOTE, BASE-QUOTE-PERP, [EXCHANGE:]TICKER, [EXCHANGE:]ROOT-YYYYMMDD, "
    "[EXCHANGE:]ROOT-YYYYMMDD-STRIKE-C|P, or @native"
)


def _check_codes(symbol: object, *names: str) -> None:
    for name in names:
        value = getattr(symbol, name)
        if value is not None and _CODE.fullmatch(value) is None:
            raise require(symbol, name, _CODE_ACCEPTED)


def _check_not_a_date(symbol: object, name: str) -> None:
    if _read_date(getattr(symbol, name)) is not None:
        raise require(symbol, name, "a code that cannot be read as a date")


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class PairSymbol(Model):
    """A currency pair: spot or forex."""

    base: str
    """What is bought and sold."""
    quote: str
    """What it is paid in."""

    def _check_sense(self) -> None:
        _check_codes(self, "base", "quote")
        _check_not_a_date(self, "quote")

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}"


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class PerpetualSymbol(Model):
    """A perpetual future."""

    base: str
    """What the contract follows."""
    quote: str
    """What its price is in."""

    def _check_sense(self) -> None:
        _check_codes(self, "base", "quote")
        _check_not_a_date(self, "quote")

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}-{_PERP}"


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class EquitySymbol(Model):
    """A share, an ETF, or another product known by a ticker alone."""

    ticker: str
    """The exchange's ticker, a native hyphen written `_`."""
    exchange: str | None = None
    """Where it is listed. None: in the US, or on the broker's only venue."""

    def _check_sense(self) -> None:
        _check_codes(self, "ticker", "exchange")

    def __str__(self) -> str:
        return _prefixed(self.exchange, self.ticker)


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class FutureSymbol(Model):
    """A future with an expiration date."""

    root: str
    """The exchange's own class of contract; a crypto one may hold a hyphen (`BTC-USD`)."""
    expiry: date
    """The expiration date."""
    exchange: str | None = None
    """Where it is listed. None: in the US, or on the broker's only venue."""

    def _check_sense(self) -> None:
        _check_codes(self, "exchange")
        _check_root(self, self.root)

    def __str__(self) -> str:
        return _prefixed(self.exchange, f"{self.root}-{_format_date(self.expiry)}")


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class OptionSymbol(Model):
    """An option."""

    root: str
    """The exchange's own class of contract: `SPX` and `SPXW` are two."""
    expiry: date
    """The expiration date."""
    strike: Decimal
    """The strike price, in quote currency."""
    right: OptionRight
    """Call or put."""
    exchange: str | None = None
    """Where it is listed. None: in the US, or on the broker's only venue."""

    _positive = ("strike",)

    def _check_sense(self) -> None:
        _check_codes(self, "exchange")
        _check_root(self, self.root)

    def __str__(self) -> str:
        strike = decimal_to_text(self.strike)
        if "." in strike:
            strike = strike.rstrip("0").rstrip(".")
        tail = f"{_format_date(self.expiry)}-{strike}-{_RIGHT_LETTERS[self.right]}"
        return _prefixed(self.exchange, f"{self.root}-{tail}")


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class NativeSymbol(Model):
    """A broker's own symbol, for what the grammar cannot name uniquely."""

    native: str
    """The broker's symbol, letter for letter."""

    def __str__(self) -> str:
        return f"@{self.native}"


ParsedSymbol: TypeAlias = (
    PairSymbol | PerpetualSymbol | EquitySymbol | FutureSymbol | OptionSymbol | NativeSymbol
)


def parse_symbol(text: str) -> ParsedSymbol:
    """Read a canonical symbol. `format_symbol` is its exact inverse.

    Raises:
        InvalidSymbolError: the text is not canonical.
    """
    if not isinstance(text, str):
        raise InvalidFieldError("symbol", text, _GRAMMAR)
    try:
        parsed = _parse(text)
    except InvalidFieldError as error:
        raise InvalidSymbolError(
            f"{text!r} is no canonical symbol: {error.message}", symbol=text
        ) from error
    if parsed is None or str(parsed) != text:
        raise InvalidSymbolError(
            f"{text!r} is no canonical symbol; accepted: {_GRAMMAR}", symbol=text
        )
    return parsed


def format_symbol(parsed: ParsedSymbol) -> str:
    """Return the one canonical name of a product."""
    return str(parsed)


def is_canonical(text: str) -> bool:
    """Return whether `parse_symbol` reads the text."""
    try:
        parse_symbol(text)
    except InvalidSymbolError:
        return False
    return True


def resolve_symbol(
    text: str, canonical: Collection[str], canonical_by_native: Mapping[str, str]
) -> str:
    """Return the canonical symbol of what a user typed: canonical, `@native`, or bare native.

    Each reading is checked against the broker's instruments; the shape alone decides nothing.

    Args:
        text: what the user typed.
        canonical: the canonical symbols of the broker's instruments.
        canonical_by_native: the broker's instruments, by the broker's own symbol.

    Raises:
        InvalidSymbolError: no instrument has that symbol, or the readings find two.
    """
    if type(text) is not str or not text:
        raise InvalidFieldError("symbol", text, "a symbol: a str that is not empty")
    readings = [text if text in canonical else None]
    readings.append(canonical_by_native.get(text.removeprefix("@")))
    found = list(dict.fromkeys(reading for reading in readings if reading is not None))
    if not found:
        raise InvalidSymbolError(f"no instrument is called {text!r}", symbol=text)
    if len(found) > 1:
        raise InvalidSymbolError(
            f"{text!r} could mean {' or '.join(found)}; write '@' before the broker's own symbol "
            "of the one that is meant",
            symbol=text,
            candidates=tuple(found),
        )
    return found[0]


def _prefixed(exchange: str | None, rest: str) -> str:
    return rest if exchange is None else f"{exchange}:{rest}"


def _format_date(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def _read_date(text: str) -> date | None:
    if _DATE.fullmatch(text) is None:
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _check_root(symbol: object, root: str) -> None:
    parts = root.split("-")
    if _ROOT.fullmatch(root) is None or any(_read_date(part) for part in parts[1:]):
        raise require(symbol, "root", _CODE_ACCEPTED)


def _parse(text: str) -> ParsedSymbol | None:
    if text.startswith("@"):
        return NativeSymbol(native=text[1:])
    exchange, colon, rest = text.rpartition(":")
    listing = exchange if colon else None
    parts = rest.split("-")
    derivative = _parse_derivative(parts, listing)
    if derivative is not None:
        return derivative
    if len(parts) == 1:
        return EquitySymbol(ticker=rest, exchange=listing)
    if listing is not None:
        return None
    if len(parts) == 2:
        return PairSymbol(base=parts[0], quote=parts[1])
    if len(parts) == 3 and parts[2] == _PERP:
        return PerpetualSymbol(base=parts[0], quote=parts[1])
    return None


def _parse_derivative(parts: list[str], exchange: str | None) -> ParsedSymbol | None:
    if len(parts) >= 4 and parts[-1] in _RIGHTS and _STRIKE.fullmatch(parts[-2]):
        expiry = _read_date(parts[-3])
        if expiry is not None:
            return OptionSymbol(
                root="-".join(parts[:-3]),
                expiry=expiry,
                strike=Decimal(parts[-2]),
                right=_RIGHTS[parts[-1]],
                exchange=exchange,
            )
    expiry = _read_date(parts[-1])
    if len(parts) >= 2 and expiry is not None:
        return FutureSymbol(root="-".join(parts[:-1]), expiry=expiry, exchange=exchange)
    return None
