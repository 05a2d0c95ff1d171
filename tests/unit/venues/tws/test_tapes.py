"""Tapes: what is written down of a session, what is not, and how it is played again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from bot_v2.venues.tws.frames import join_fields
from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.tapes.recorder import TapeRecorder
from bot_v2.venues.tws.tapes.script import TapeScript
from bot_v2.venues.tws.tapes.tape import (
    Provenance,
    Speaker,
    Tape,
    TapeError,
    parse_tape,
    read_tape,
)
from bot_v2.venues.tws.venue import TwsVenue
from tests.unit.venues.tws.client import Client

D = Decimal

WORTH = Provenance(
    server=178,
    recorded_against="simulator",
    recorded_at="2026-11-21T00:00:00+00:00",
    recorded_with="a test",
    note="an order's life",
)


class Taped(Client):
    """A client whose words, and what it hears, are taken down."""

    def __init__(self, venue: TwsVenue, recorder: TapeRecorder, number: int = 1) -> None:
        self._recorder = recorder
        self._number = number
        self._recorder.version = 178
        self._recorder.begin(number)
        super().__init__(venue)

    def _hear(self, data: bytes) -> None:
        known = len(self.raw)
        super()._hear(data)
        for payload in self.raw[max(known, 1) :]:
            self._recorder.server_said(self._number, payload)

    def send(self, name: str, **values: object) -> list[Message]:
        """Say something, and have it taken down."""
        self._recorder.client_said(self._number, FROM_CLIENT.encode(name, values, 178))
        return super().send(name, **values)


def order_life() -> Tape:
    """An order, placed, filled in part, cancelled and read, in an account of somebody."""
    venue, recorder = TwsVenue(accounts=("U7654321",)), TapeRecorder()
    client = Taped(venue, recorder)
    client.send("reqPositions")
    order = client.place(account="U7654321", orderRef="mine")
    venue.fill(client.perm_id(order), D(3), D("149.90"))
    client.send("cancelOrder", orderId=order)
    client.send("reqExecutions", reqId=50)
    client.send("reqCompletedOrders")
    client.send("reqCurrentTime")
    client.leave()
    recorder.end(1, by_server=False)
    return recorder.tape(WORTH)


def client_lines(tape: Tape) -> list[Message]:
    """What the client said on a tape, with the ids that it made up in place of their names."""
    ids = {"$o1": "1", "$r1": "50", "$o2": "2", "$r2": "51"}
    said = []
    for line in tape.lines:
        if line.speaker is Speaker.CLIENT:
            values = {
                name: ids.get(value, value) if isinstance(value, str) else value
                for name, value in line.message.values.items()
            }
            said.append(Message(line.message.name, values))
    return said


def play(tape: Tape, said: list[Message]) -> list[str]:
    """Say something to a tape; return the names of what it answers."""
    script = TapeScript(tape)
    heard: list[str] = []
    for message in said:
        script.hear(1, message)
        heard += [one.name for _, one in script.due() if one is not None]
    assert script.left_over() == []
    return heard


def test_a_tape_is_readable_and_comes_back(tmp_path: Path) -> None:
    """Lines of names and fields; read again it is the same, and defaults are left out."""
    tape = order_life()
    path = tmp_path / "life.tape"
    tape.write(path)
    assert read_tape(path) == tape
    rows = path.read_text().splitlines()
    assert rows[0] == "tws-tape 1"
    placed = next(row for row in rows if " > placeOrder " in row)
    assert '"orderId": "$o1"' in placed
    assert '"lmtPrice": "150"' in placed
    assert "trailStopPrice" not in placed
    assert "hidden" not in placed
    filled = next(row for row in rows if " < execDetails " in row)
    assert '"price": "149.90"' in filled


def test_a_tape_tells_no_account_and_no_id_of_the_broker() -> None:
    """Accounts, permanent ids and execution ids are others, the same throughout."""
    venue = TwsVenue(accounts=("U7654321",))
    perm_id = str(venue.tickets._next_perm_id)
    text = order_life().text()
    assert "U7654321" not in text
    assert perm_id not in text
    assert text.count("DU0000001") >= 10
    assert '"permId": "900000001"' in text
    assert "900000001.0/DU0000001/10" in text
    assert '"execId": "00000001.01.01"' in text
    assert "currentTime" not in text
    assert "reqCurrentTime" not in text


def test_an_account_is_replaced_wherever_it_stands() -> None:
    """Also in words, and also before it was known to be one."""
    recorder = TapeRecorder()
    recorder.version = 178
    told = FROM_SERVER.encode("error", {"code": 2100, "text": "API client of U7654321 left"}, 178)
    recorder.server_said(1, told)
    recorder.server_said(1, FROM_SERVER.encode("managedAccounts", {"accounts": "U7654321"}, 178))
    assert "U7654321" not in recorder.tape(WORTH).text()
    assert "client of DU0000001 left" in recorder.tape(WORTH).text()


def test_a_tape_is_played_to_the_client_that_fits_it() -> None:
    """The same words, whatever ids the client makes up: everything is said, nothing is left."""
    tape = order_life()
    expected = [line.message.name for line in tape.lines if line.speaker is Speaker.SERVER]
    assert play(tape, client_lines(tape)) == expected
    shifted = [
        Message(
            one.name, {**one.values, **{name: "501" for name in ("orderId",) if name in one.values}}
        )
        for one in client_lines(tape)
    ]
    assert play(tape, shifted) == expected


def test_numbers_are_compared_as_numbers() -> None:
    """150.00 is 150, an unset field is an absent one, and the client id does not count."""
    said = client_lines(order_life())
    for one in said:
        if one.name == "placeOrder":
            one.values |= {
                "lmtPrice": "150.00",
                "auxPrice": "1.7976931348623157e+308",
                "displaySize": "",
            }
        if one.name == "startApi":
            one.values["clientId"] = "99"
    play(order_life(), said)


def test_another_price_is_a_loud_failure() -> None:
    """It names the line that is most like it, and both values."""
    said = client_lines(order_life())
    placed = next(one for one in said if one.name == "placeOrder")
    placed.values["lmtPrice"] = "150.01"
    with pytest.raises(TapeError, match=r"line \d+ .*lmtPrice is '150', and '150.01' here"):
        play(order_life(), said)


def test_reads_may_come_in_another_order() -> None:
    """Between the writes that they stand between; before a write that comes first they may not."""
    tape = order_life()
    said = client_lines(tape)
    names = [one.name for one in said]
    first, second = names.index("reqExecutions"), names.index("reqCompletedOrders")
    said[first], said[second] = said[second], said[first]
    heard = play(tape, said)
    assert heard.index("completedOrdersEnd") < heard.index("execDetailsEnd")
    with pytest.raises(TapeError, match="before line"):
        play(tape, [said[0], said[second], *said[1:]])


def test_two_writes_come_in_their_order() -> None:
    """Unless the server said nothing between them."""
    recorder = TapeRecorder()
    client = Taped(TwsVenue(), recorder)
    client.place(transmit=False)
    client.place(transmit=False, lmtPrice=D(149))
    client.place(lmtPrice=D(148))
    client.place(lmtPrice=D(147))
    tape = recorder.tape(WORTH)
    lines = [line.message for line in tape.lines if line.speaker is Speaker.CLIENT]
    said = [
        Message(one.name, {**one.values, "orderId": str(number)} if number else dict(one.values))
        for number, one in enumerate(lines)
    ]
    play(tape, [said[0], said[2], said[1], *said[3:]])
    with pytest.raises(TapeError, match="before line"):
        play(tape, [*said[:3], said[4], said[3]])


def test_one_id_is_not_two() -> None:
    """A client that gives two orders one id is not the one that was recorded."""
    recorder = TapeRecorder()
    client = Taped(TwsVenue(), recorder)
    client.place()
    client.place(lmtPrice=D(149))
    tape = recorder.tape(WORTH)
    said = [line.message for line in tape.lines if line.speaker is Speaker.CLIENT]
    same = [Message(one.name, {**one.values, "orderId": "5"}) for one in said[1:]]
    with pytest.raises(TapeError, match="orderId"):
        play(tape, [said[0], *same])


def test_what_is_left_over_is_told() -> None:
    """Lines of the client that never came, and what would have answered them."""
    tape = order_life()
    script = TapeScript(tape)
    for message in client_lines(tape)[:-1]:
        script.hear(1, message)
        list(script.due())
    left = script.left_over()
    assert "reqCompletedOrders" in left[0]
    assert len(left) == 3


def test_what_the_tape_does_not_have_is_told() -> None:
    """The message, and what the tape would have taken."""
    tape = order_life()
    script = TapeScript(tape)
    script.hear(1, client_lines(tape)[0])
    with pytest.raises(TapeError, match=r"does not have .*reqPositions"):
        script.hear(1, Message("reqGlobalCancel", {}))


def test_messages_that_nobody_knows_are_kept_as_they_are() -> None:
    """By their number, with their fields; and compared letter for letter."""
    recorder = TapeRecorder()
    client = Taped(TwsVenue(), recorder)
    recorder.client_said(1, join_fields(["84", "5", "BRFG", "x"]))
    recorder.server_said(1, join_fields(["83", "5", "0", "U1234567 wins"]))
    assert client.codes() == [2104, 2106, 2158]
    tape = recorder.tape(WORTH)
    start, asked = (line.message for line in tape.lines if line.speaker is Speaker.CLIENT)
    assert asked.name == "#84"
    assert play(tape, [start, asked])[-1] == "#83"
    other = Message("#84", {"fields": [{"text": "5"}, {"text": "BRFG"}, {"text": "y"}]})
    with pytest.raises(TapeError, match="fields"):
        play(tape, [start, other])


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["tws-tape 2", "{}"],
        ["tws-tape 1", "{}"],
        ["tws-tape 1", '{"server": 178}'],
    ],
)
def test_what_is_no_tape_is_refused(rows: list[str]) -> None:
    """Another head, or one that does not say what it is worth."""
    with pytest.raises(TapeError):
        parse_tape(rows)


def test_a_line_that_is_none_is_refused() -> None:
    """By its number in the file."""
    text = order_life().text().splitlines()
    with pytest.raises(TapeError, match="line 5"):
        parse_tape([*text[:4], "what is this", *text[4:]])
    unknown = text[4].replace("managedAccounts", "managedAcounts")
    tape = parse_tape([*text[:4], unknown])
    assert tape.lines[-1].message.name != "managedAccounts"
