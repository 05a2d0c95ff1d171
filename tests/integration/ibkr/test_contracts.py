"""Contracts that a name does not tell apart, that are told badly, or that are forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    InvalidFieldError,
    InvalidSymbolError,
    MarketType,
    Outcome,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.ibkr import instruments
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from tests.integration.ibkr.conftest import RESTING, SYMBOL, TAKING, Bench, place
from tests.integration.ibkr.front import ERROR, Edit, Message, put

D = Decimal
ASK_DETAILS, ASK_RULE = "9", "91"
DETAILS, DETAILS_END, RULE = "10", "52", "93"
AAPL_ID, TWIN_ID = "265598", "265599"
OPTION = "AAPL-20280121-170-C"


def with_twin(message: Message) -> Sequence[Message]:
    """Tell of two contracts where there is one."""
    return [message, put(message.index(AAPL_ID), TWIN_ID)(message)[0]]


def forget(bench: Bench, broker: IbkrBrokerage) -> IbkrBrokerage:
    """Return a brokerage in the place of another, which has looked up no contract yet."""
    broker.disconnect()
    made = bench.make()
    made.connect()
    return made


def fails_unsent(bench: Bench, broker: IbkrBrokerage) -> BrokerageError:
    """Place an order that cannot be sent, and return the error; nothing left."""
    with pytest.raises(BrokerageError) as caught:
        broker.place_order(RESTING)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0
    return caught.value


def test_a_name_of_two_contracts(bench: Bench, broker: IbkrBrokerage) -> None:
    """An order in what could be either of two contracts is not sent; the error names them."""
    other = forget(bench, broker)
    bench.front.on_coming(DETAILS, with_twin, times=2)
    error = fails_unsent(bench, other)
    assert isinstance(error, InvalidSymbolError)
    assert error.candidates == (f"@{AAPL_ID}", f"@{TWIN_ID}")
    assert "AAPL, STK" in error.message
    bench.front.coming.clear()
    assert other.get_product(f"@{AAPL_ID}").symbol == SYMBOL


def test_a_name_of_no_contract(bench: Bench, broker: IbkrBrokerage) -> None:
    """An order in what no contract is called is not sent."""
    for symbol in ("ZZZZ", "@999999999", "AAPL-20280121-171.23-C", "AAPL  280121C00171230", "\n"):
        with pytest.raises(InvalidSymbolError) as caught:
            broker.place_order(attrs.evolve(RESTING, symbol=symbol))
        assert (caught.value.outcome, caught.value.symbol) == (Outcome.NOT_SENT, symbol)
    assert bench.placements == 0


@pytest.mark.parametrize("code", [322, 504])
def test_contracts_that_cannot_be_asked_for(bench: Bench, broker: IbkrBrokerage, code: int) -> None:
    """A failure to tell contracts is no word that there is none."""
    other = forget(bench, broker)

    def fail(message: Message) -> Sequence[Message]:
        bench.front.say(ERROR, 2, message[2], code, "words", "")
        return []

    bench.front.on_going(ASK_DETAILS, fail)
    error = fails_unsent(bench, other)
    assert isinstance(error, BrokerUnavailableError)
    assert error.code == str(code)


def without_rules(message: Message) -> Sequence[Message]:
    """Tell a contract without the rules of its price steps."""
    rules = next(place for place, text in enumerate(message) if text.startswith("26,26"))
    return put(rules, "")(message)


def test_a_contract_without_rules_of_price_steps(bench: Bench, broker: IbkrBrokerage) -> None:
    """A contract of which no rule is told has the smallest step that is told with it."""
    other = forget(bench, broker)
    bench.front.on_coming(DETAILS, without_rules)
    asked = bench.front.count(ASK_RULE)
    product = other.get_product(SYMBOL)
    assert (product.price_increment, product.price_bands) == (D("0.01"), ())
    assert bench.front.count(ASK_RULE) == asked
    with pytest.raises(InvalidFieldError):
        other.place_order(attrs.evolve(RESTING, price=D("120.505")))
    assert bench.placements == 0


BAD_STEPS: dict[str, Edit] = {
    "zero": lambda message: [[*message[:-1], "0"]],
    "below zero": lambda message: [[*message[:-1], "-0.01"]],
    "no number": lambda message: [[*message[:-1], "0,01"]],
}


@pytest.mark.parametrize("name", BAD_STEPS)
def test_a_contract_that_makes_no_product(bench: Bench, broker: IbkrBrokerage, name: str) -> None:
    """An order in a contract whose price steps make no sense is not sent."""
    other = forget(bench, broker)
    bench.front.on_coming(RULE, BAD_STEPS[name])
    error = fails_unsent(bench, other)
    assert isinstance(error, BrokerAPIError)
    assert "documented" in error.message


def test_names_that_are_forgotten(
    bench: Bench, broker: IbkrBrokerage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of contracts are learnt again once too many were remembered: none is lost or mixed."""
    monkeypatch.setattr(instruments, "NAMED_MAX", 1)
    bench.orders_max = 3
    symbols = [SYMBOL, OPTION, "AAPL-20280121-180-C"]
    for number, symbol in enumerate(symbols):
        place(broker, attrs.evolve(TAKING, symbol=symbol, client_order_id=f"n{number}"))
    for _ in range(2):
        assert sorted(one.symbol for one in broker.list_positions()) == sorted(symbols)
        assert [one.symbol for one in broker.list_orders()] == symbols[::-1]
    assert [broker.get_product(symbol).symbol for symbol in symbols * 2] == symbols * 2


def test_what_was_looked_up_is_not_asked_again(bench: Bench, broker: IbkrBrokerage) -> None:
    """A search tells the product that is meant first, and asks for none that it knows."""
    first = broker.list_symbol_matches(SYMBOL)
    asked = bench.front.count(ASK_DETAILS)
    assert broker.list_symbol_matches(SYMBOL) == first
    assert first[0].symbol == SYMBOL
    assert len({one.symbol for one in first}) == len(first)
    assert bench.front.count(ASK_DETAILS) == asked


def test_a_search_of_what_is_gone(bench: Bench, broker: IbkrBrokerage) -> None:
    """A contract that a search tells and that is described no more is left out."""

    def nothing(message: Message) -> Sequence[Message]:
        bench.front.say(ERROR, 2, message[2], 200, "No security definition", "")
        return []

    assert broker.list_symbol_matches("AAP")
    other = forget(bench, broker)
    bench.front.on_going(ASK_DETAILS, nothing, times=50)
    assert other.list_symbol_matches("AAP") == []


@pytest.mark.parametrize("text", ["", "  ", "a\tb", "é"])
def test_a_search_of_nothing(bench: Bench, broker: IbkrBrokerage, text: str) -> None:
    """A search of what no name can have is refused by name."""
    with pytest.raises(InvalidFieldError) as caught:
        broker.list_symbol_matches(text)
    assert caught.value.field == "text"


def test_there_is_no_list_of_products(bench: Bench, broker: IbkrBrokerage) -> None:
    """That all products cannot be listed is said, with what there is instead."""
    with pytest.raises(UnsupportedOperationError, match="list_symbol_matches"):
        broker.get_products()
    assert "get_products" in broker.unsupported
    assert repr(broker) == "IbkrBrokerage(environment='simulator')"


def test_the_options_on_a_product(bench: Bench, broker: IbkrBrokerage) -> None:
    """Every contract of a chain is an option, of the expiry that was asked for."""
    chain = broker.list_option_contracts(SYMBOL)
    expiries = {one.product.expiry for one in chain}
    assert {one.product.market_type for one in chain} == {MarketType.OPTION}
    for expiry in expiries:
        some = broker.list_option_contracts(SYMBOL, expiry)
        assert some
        assert {one.product.expiry for one in some} == {expiry}
    assert OPTION in {one.product.symbol for one in chain}
