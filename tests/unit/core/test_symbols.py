"""The symbol grammar: one product, one name, and a parser that is the exact inverse."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.interfaces import (
    EquitySymbol,
    FutureSymbol,
    InvalidFieldError,
    InvalidSymbolError,
    NativeSymbol,
    OptionRight,
    OptionSymbol,
    PairSymbol,
    ParsedSymbol,
    PerpetualSymbol,
    format_symbol,
    is_canonical,
    parse_symbol,
    resolve_symbol,
)

JAN = date(2027, 1, 15)

EXAMPLES: dict[str, ParsedSymbol] = {
    "BTC-USD": PairSymbol(base="BTC", quote="USD"),
    "EUR-USD": PairSymbol(base="EUR", quote="USD"),
    "1INCH-USD": PairSymbol(base="1INCH", quote="USD"),
    "BTC-USDC-PERP": PerpetualSymbol(base="BTC", quote="USDC"),
    "AAPL": EquitySymbol(ticker="AAPL"),
    "BRK.B": EquitySymbol(ticker="BRK.B"),
    "NSE:RELIANCE": EquitySymbol(ticker="RELIANCE", exchange="NSE"),
    "NSE:BAJAJ_AUTO": EquitySymbol(ticker="BAJAJ_AUTO", exchange="NSE"),
    "CL-20270319": FutureSymbol(root="CL", expiry=date(2027, 3, 19)),
    "BTC-USD-20260626": FutureSymbol(root="BTC-USD", expiry=date(2026, 6, 26)),
    "NFO:NIFTY-20261126": FutureSymbol(root="NIFTY", expiry=date(2026, 11, 26), exchange="NFO"),
    "AAPL-20270115-152.5-C": OptionSymbol(
        root="AAPL", expiry=JAN, strike=D("152.5"), right=OptionRight.CALL
    ),
    "NFO:NIFTY-20261126-25000-P": OptionSymbol(
        root="NIFTY",
        expiry=date(2026, 11, 26),
        strike=D(25000),
        right=OptionRight.PUT,
        exchange="NFO",
    ),
    "BTC-USD-20260626-0.05-C": OptionSymbol(
        root="BTC-USD", expiry=date(2026, 6, 26), strike=D("0.05"), right=OptionRight.CALL
    ),
    "@XBT/USD": NativeSymbol(native="XBT/USD"),
    "@M&M": NativeSymbol(native="M&M"),
    "@BTC-USD": NativeSymbol(native="BTC-USD"),
}

NOT_CANONICAL = (
    "",
    " ",
    "@",
    "btc-usd",
    "BTC/USD",
    "BTC-",
    "-USD",
    "BTC--USD",
    "BTC-USD-",
    "A-B-C",
    "BTC-USD-PERPETUAL",
    "NSE:BTC-USD",
    "NSE:BTC-USD-PERP",
    ":AAPL",
    "NSE:",
    "A:B:C",
    "AAPL-20270115-152.50-C",
    "AAPL-20270115-0152-C",
    "AAPL-20270115-0-C",
    "AAPL-20270115-152.5-X",
    "AAPL-20270115-1E2-C",
    "CL-20270319-20270319",
    "BTC-20270319-PERP",
    "AAPL ",
    "ÄPFEL",
    "BTC-USD\n",
    "\uff11INCH-USD",
)

codes = st.from_regex(r"[A-Z0-9][A-Z0-9._]{0,7}", fullmatch=True)
days = st.dates(date(1990, 1, 1), date(2100, 12, 31))
strikes = st.decimals(min_value=D("0.001"), max_value=D("99999"), places=3).map(D.normalize)
exchanges = st.none() | codes


def quote(text: str) -> bool:
    """Return whether a code can be a quote currency."""
    try:
        PairSymbol(base="A", quote=text)
    except InvalidFieldError:
        return False
    return True


quotes = codes.filter(quote)
symbols: st.SearchStrategy[ParsedSymbol] = st.one_of(
    st.builds(PairSymbol, base=codes, quote=quotes),
    st.builds(PerpetualSymbol, base=codes, quote=quotes),
    st.builds(EquitySymbol, ticker=codes, exchange=exchanges),
    st.builds(FutureSymbol, root=codes, expiry=days, exchange=exchanges),
    st.builds(
        OptionSymbol,
        root=codes,
        expiry=days,
        strike=strikes,
        right=st.sampled_from(OptionRight),
        exchange=exchanges,
    ),
    st.builds(NativeSymbol, native=st.text(min_size=1)),
)


@pytest.mark.parametrize(("text", "parsed"), EXAMPLES.items())
def test_the_examples_of_the_contract_parse(text: str, parsed: ParsedSymbol) -> None:
    """Each kind of instrument reads as itself and is written back letter for letter."""
    assert parse_symbol(text) == parsed
    assert format_symbol(parsed) == text
    assert is_canonical(text)


@pytest.mark.parametrize("text", NOT_CANONICAL)
def test_anything_else_is_refused(text: str) -> None:
    """A near miss is an error that names the text; it is never read as something else."""
    with pytest.raises(InvalidSymbolError) as caught:
        parse_symbol(text)
    assert caught.value.symbol == text
    assert not is_canonical(text)


@given(symbols)
def test_parsing_is_the_inverse_of_formatting(parsed: ParsedSymbol) -> None:
    """Every instrument that can be named is read back as itself: one product, one name."""
    assert parse_symbol(format_symbol(parsed)) == parsed


@given(st.text(alphabet="ABC019.-:@_ acP", max_size=24))
def test_what_parses_is_written_back_the_same(text: str) -> None:
    """There are no two spellings of one symbol."""
    if is_canonical(text):
        assert format_symbol(parse_symbol(text)) == text


@pytest.mark.parametrize(
    "build",
    [
        lambda: PairSymbol(base="btc", quote="USD"),
        lambda: PairSymbol(base="BTC", quote="20260626"),
        lambda: PerpetualSymbol(base="BTC", quote="20260626"),
        lambda: EquitySymbol(ticker="BAJAJ-AUTO"),
        lambda: EquitySymbol(ticker="A", exchange=""),
        lambda: FutureSymbol(root="CL-20260101", expiry=JAN),
        lambda: FutureSymbol(root="CL-", expiry=JAN),
        lambda: OptionSymbol(root="AAPL", expiry=JAN, strike=D(0), right=OptionRight.CALL),
    ],
)
def test_what_could_not_be_read_back_cannot_be_built(build: Any) -> None:
    """A part that would make the symbol ambiguous is refused at construction."""
    with pytest.raises(InvalidFieldError):
        build()


@pytest.mark.parametrize("value", [None, 7, b"BTC-USD"])
def test_a_symbol_is_a_text(value: Any) -> None:
    """Anything but a str is refused by name."""
    with pytest.raises(InvalidFieldError):
        parse_symbol(value)
    with pytest.raises(InvalidFieldError):
        resolve_symbol(value, (), {})


CANONICAL = {"BTC-USD", "AAPL", "ABC", "@A B"}
BY_NATIVE = {"XBTUSD": "BTC-USD", "AAPL": "AAPL", "BTC": "BTC-USD", "ABC": "AAPL", "A B": "@A B"}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("BTC-USD", "BTC-USD"),
        ("XBTUSD", "BTC-USD"),
        ("@XBTUSD", "BTC-USD"),
        ("@ABC", "AAPL"),
        ("AAPL", "AAPL"),
        ("BTC", "BTC-USD"),
        ("@A B", "@A B"),
    ],
)
def test_each_reading_is_checked_against_the_instruments(typed: str, expected: str) -> None:
    """Canonical, @native and bare native all find the one instrument; shape decides nothing."""
    assert resolve_symbol(typed, CANONICAL, BY_NATIVE) == expected


def test_a_symbol_of_nothing_is_refused() -> None:
    """An unknown symbol is an error, never a guess."""
    with pytest.raises(InvalidSymbolError, match="no instrument"):
        resolve_symbol("DOGE-USD", CANONICAL, BY_NATIVE)


def test_two_hits_are_listed() -> None:
    """ABC is one product's canonical name and another's native one: both are named."""
    with pytest.raises(InvalidSymbolError) as caught:
        resolve_symbol("ABC", CANONICAL, BY_NATIVE)
    assert caught.value.candidates == ("ABC", "AAPL")
