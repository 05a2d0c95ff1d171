"""The schemas: every message comes back as it was sent, digit for digit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.venues.tws.answer_schemas import ANSWERS
from bot_v2.venues.tws.frames import NEWEST, OLDEST, WireError
from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER
from bot_v2.venues.tws.request_schemas import REQUESTS
from bot_v2.venues.tws.schema import (
    UNSET_DOUBLE,
    Case,
    Field,
    Item,
    Kind,
    Rest,
    Row,
    Rows,
    Schema,
    fields,
    number_of,
)

VERSIONS = [one for one in range(OLDEST, NEWEST + 1) if one != OLDEST + 1]
EXACT = ("0.00012345678901234", "123456789.123456789", "1E-8", "150.10", "-0.5", "")

EXAMPLES = max(settings.default.max_examples // 5, 10) if settings.default else 10
"""For each of many messages: fewer than for one."""

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=8)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).map(lambda one: format(one, "f"))
UNSET = st.sampled_from(["", UNSET_DOUBLE, "1.7976931348623157e+308", "2147483647", "Infinity"])
VALUES = {
    Kind.TEXT: TEXTS,
    Kind.WHOLE: st.integers(-(10**9), 10**9).map(str) | UNSET,
    Kind.NUMBER: DECIMALS | UNSET | st.sampled_from(EXACT),
    Kind.FLAG: st.sampled_from(["0", "1", ""]),
}
TELLING = {
    # the values of fields that bring parts of a message
    "secType": ["STK", "BAG"],
    "orderType": ["LMT", "PEG BENCH", "PEG BEST", "PEG MID"],
    "exchange": ["SMART", "IBKRATS"],
    "type": ["1", "2", "3", "4", "5", "6", "7"],
    "deltaNeutral": ["0", "1"],
    "competeAgainstBestOffset": ["Infinity", "0.02", ""],
}


def values_of(items: tuple[Item, ...], data: st.DataObject, version: int) -> Row:
    """Draw the fields of a message, with those parts that they bring."""
    drawn: Row = {}
    for item in items:
        if isinstance(item, Field):
            if item.is_in(version):
                choices = TELLING.get(item.name)
                chosen = st.sampled_from(choices) if choices else VALUES[item.kind]
                drawn[item.name] = data.draw(chosen, label=item.name)
        elif isinstance(item, Rows):
            count = data.draw(st.integers(0, 2), label=item.name)
            drawn[item.name] = [values_of(item.items, data, version) for _ in range(count)]
        elif isinstance(item, Case):
            said = drawn.get(item.on, "")
            brings = isinstance(said, str) and item.test(said)
            drawn |= values_of(item.items if brings else item.otherwise, data, version)
        elif isinstance(item, Rest):
            drawn[item.name] = [{"text": data.draw(TEXTS)} for _ in range(2)]
    return drawn


@pytest.mark.parametrize("schema", [*REQUESTS, *ANSWERS], ids=lambda one: one.name)
@settings(max_examples=EXAMPLES)
@given(version=st.sampled_from(VERSIONS), data=st.data())
def test_every_message_comes_back_as_it_was_sent(
    schema: Schema, version: int, data: st.DataObject
) -> None:
    """Encoding and decoding are exact inverses, at every server version, whatever it holds."""
    values = values_of(schema.items, data, version)
    sent = schema.encode(values, version)
    assert sent[0] == str(schema.number)
    heard = schema.decode(sent, version)
    assert heard.values == values
    assert schema.encode(heard.values, version) == sent
    assert schema.is_same(heard.values, values)


@pytest.mark.parametrize("text", ["0.00012345678901234", "123456789.123456789", "1E-8", "150.10"])
def test_prices_keep_every_digit(text: str) -> None:
    """In a message that is sent, and in one that is read."""
    price = Decimal(text)
    sent = FROM_CLIENT.encode("placeOrder", {"lmtPrice": price}, 178)
    assert format(price, "f").encode() in sent.split(b"\0")
    assert FROM_CLIENT.decode(sent, 178).number("lmtPrice") == price
    told = FROM_SERVER.encode("orderStatus", {"avgFillPrice": price}, 178)
    assert FROM_SERVER.decode(told, 178).number("avgFillPrice") == price


@pytest.mark.parametrize(
    "text",
    ["", "1.7976931348623157e+308", "1.7976931348623157E308", "2147483647", "9223372036854775807"],
)
def test_unset_numbers_are_none(text: str) -> None:
    """However a client writes that it says nothing."""
    assert number_of(text) is None


@pytest.mark.parametrize("text", ["NaN", "1_000", " 1", "1,5", "0x10", "ten"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """Nothing is read into it."""
    with pytest.raises(WireError):
        number_of(text)


def test_whole_numbers_and_flags_are_checked() -> None:
    """A half order id, or a flag of 2, is no message."""
    with pytest.raises(WireError, match="whole"):
        FROM_CLIENT.decode(b"4\0001\0001.5\000\0", 178)
    with pytest.raises(WireError, match="neither"):
        FROM_CLIENT.decode(b"99\0002\0", 178)


def test_a_message_that_ends_early_is_refused() -> None:
    """The field that is missing is named."""
    with pytest.raises(WireError, match="status"):
        FROM_SERVER.decode(b"3\00012\0", 178)


def test_a_field_that_a_message_does_not_have_is_refused() -> None:
    """A misspelt name is a mistake of ours, and is not left out in silence."""
    with pytest.raises(InvalidFieldError, match="lmtprice"):
        FROM_CLIENT.encode("placeOrder", {"lmtprice": 1}, 178)


def test_what_means_the_same_is_the_same() -> None:
    """170.5 is 170.50, and an unset field is an absent one; a cent is a difference."""
    schema = FROM_CLIENT.by_name["placeOrder"]
    one: Row = {"lmtPrice": "170.5", "auxPrice": UNSET_DOUBLE}
    assert schema.is_same(one, {"lmtPrice": "170.50"})
    assert schema.differences(one, {"lmtPrice": "170.51"}) == ["lmtPrice"]


@pytest.mark.parametrize(
    ("version", "present", "absent"),
    [
        (157, {"faProfile"}, {"duration", "manualOrderTime", "autoCancelParent"}),
        (161, {"faProfile", "duration", "postToAts"}, {"autoCancelParent"}),
        (178, {"manualOrderTime", "advancedErrorOverride"}, {"faProfile"}),
    ],
)
def test_fields_come_with_their_version(version: int, present: set[str], absent: set[str]) -> None:
    """An order has the fields of the server version that is spoken, and no other."""
    sent = FROM_CLIENT.encode("placeOrder", {}, version)
    names = set(FROM_CLIENT.decode(sent, version).values)
    assert present <= names
    assert not absent & names


def test_fields_are_described_in_one_way() -> None:
    """A description that cannot be read is a mistake in the table, found when it is made."""
    with pytest.raises(InvalidFieldError):
        fields("price:money")
