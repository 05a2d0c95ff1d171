"""Frames and the handshake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.venues.tws.frames import (
    FrameReader,
    WireError,
    frame,
    join_fields,
    read_hello,
    split_fields,
)
from bot_v2.venues.tws.venue import TwsVenue
from tests.unit.venues.tws.client import Client

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12)


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=5), max_size=6), st.data())
def test_frames_arrive_whole_however_the_bytes_do(
    messages: list[list[str]], data: st.DataObject
) -> None:
    """Whatever the pieces, the frames that come out are those that went in, in order."""
    sent = b"API\0" + b"".join(frame(join_fields(one)) for one in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    reader = FrameReader(starts_with_prefix=True)
    heard = []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        heard += [split_fields(one) for one in reader.feed(sent[start:end])]
    assert heard == messages


@pytest.mark.parametrize(
    ("offered", "version"),
    [
        (b"v157..178", 178),
        (b"v157..176", 176),
        (b"v100..157", 157),
        (b"v100..226", 178),
        (b"v157..158", 157),
        (b"v157..178 +PACEAPI", 178),
        (b"v170", 170),
        (b"v100..156", None),
        (b"v179..226", None),
    ],
)
def test_the_version_is_the_highest_that_both_speak(offered: bytes, version: int | None) -> None:
    """At most 178, at least 157, and never 158."""
    assert read_hello(offered).version() == version


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"API\0\xff\xff\xff\xff"])
def test_what_is_no_client_is_refused(data: bytes) -> None:
    """Other protocols, and frames longer than any message."""
    with pytest.raises(WireError):
        list(FrameReader(starts_with_prefix=True).feed(data))


def test_a_field_that_does_not_end_is_refused() -> None:
    """Every field ends with NUL, the last one, too."""
    with pytest.raises(WireError):
        split_fields(b"9\0001\0005")


def test_the_answer_to_a_hello_stands_alone(venue: TwsVenue) -> None:
    """Version and time, two fields in one write; nothing more before the client says who it is."""
    client = Client(venue, starts=False)
    (answer,) = client.raw
    version, moment = split_fields(answer)
    assert version == "178"
    assert moment.endswith(" UTC")
    client.send("reqPositions")
    assert client.heard == []


def test_a_client_is_told_what_the_broker_tells_first(venue: TwsVenue) -> None:
    """The accounts, the next order id, then that the farms are well."""
    client = Client(venue)
    assert [one.name for one in client.heard] == [
        "managedAccounts",
        "nextValidId",
        "error",
        "error",
        "error",
    ]
    assert client.codes() == [2104, 2106, 2158]


def test_a_client_id_is_used_once_at_a_time(venue: TwsVenue) -> None:
    """The second is told 326 and left; the id is free again once the first has gone."""
    first = Client(venue, 7)
    second = Client(venue, 7, starts=False)
    second.send("startApi", clientId=7)
    assert second.codes() == [326]
    assert second.ended == [False]
    assert first.ended == []
    first.leave()
    assert Client(venue, 7).codes() == [2104, 2106, 2158]


def test_an_unknown_version_is_left_without_an_answer(venue: TwsVenue) -> None:
    """A client that is too old hears nothing, and is cut off."""
    client = Client(venue, version=100, starts=False)
    assert client.raw == []
    assert client.ended == [False]


def test_what_cannot_be_read_is_told(venue: TwsVenue) -> None:
    """Unknown messages, too few fields, texts that are no numbers: 320; the session goes on."""
    client = Client(venue)
    for fields in (["4711", "1"], ["9", "8"], ["4", "1", "seven", ""]):
        client.forget()
        client.send_fields(*fields)
        assert client.codes() == [320]
    client.send("reqCurrentTime")
    assert client.last("currentTime").whole("time")
