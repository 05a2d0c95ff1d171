"""The sockets of the simulated TWS and of tapes: what is no client, or comes once more."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot_v2.simulation.faults import Fault
from bot_v2.venues.tws.frames import frame, join_fields
from bot_v2.venues.tws.tapes.player import LEFT_MAX, TapePlayer
from bot_v2.venues.tws.tapes.tape import Provenance, Tape, TapeError, parse_tape
from bot_v2.venues.tws.venue import TwsVenue
from bot_v2.venues.tws.wire import TwsWire

WAIT_S = 10.0
HELLO = b"API\0" + frame(b"v157..178")
START = ("71", "2", "1", "")
ASK_TIME, ASK_ACCOUNTS, ASK_IDS = ("49", "1"), ("17", "1"), ("8", "1", "1")


class Talk:
    """A socket that speaks the frames."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)

    def say(self, *fields: str) -> None:
        """Say a message."""
        self.socket.sendall(frame(join_fields(list(fields))))

    def hear(self) -> list[str]:
        """Return the next message as it is split."""
        (length,) = struct.unpack(">I", self._exactly(4))
        return self._exactly(length).decode().split("\0")[:-1]

    def has_ended(self) -> bool:
        """Return whether the other side ends the connection, and says no more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, "the connection ended"
            data += more
        return data


@contextmanager
def talking(port: int, hello: bytes = HELLO) -> Iterator[Talk]:
    """Connect and say who one is; closed afterwards."""
    talk = Talk(port)
    with talk.socket:
        talk.socket.sendall(hello)
        yield talk


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


# The venue


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"API\0" + struct.pack(">I", 0x7FFFFFFF),
        b"API\0" + frame(b"no version"),
        HELLO + frame(b"a field that does not end"),
    ],
    ids=["http", "a long frame", "no version", "no field"],
)
def test_what_is_no_client(venue: TwsVenue, data: bytes) -> None:
    """Who does not speak the protocol is cut or told so, and nobody else is disturbed."""
    with talking(venue.port) as other:
        assert other.hear()[0] == "178"
        with talking(venue.port, data) as talk:
            talk.socket.shutdown(socket.SHUT_WR)
            while not talk.has_ended():
                pass
        other.say(*START)
        assert other.hear()


def test_a_client_that_is_cut_in_the_middle_of_a_word(venue: TwsVenue) -> None:
    """Half a frame is no message; the client is forgotten."""
    with talking(venue.port) as talk:
        talk.hear()
        talk.socket.sendall(frame(join_fields([*START]))[:5])
    wait_until(lambda: not list(venue.gateway.sessions))
    with talking(venue.port) as talk:
        assert talk.hear()[0] == "178"


def test_a_connection_is_known_by_its_address(venue: TwsVenue) -> None:
    """As long as it is there."""
    with talking(venue.port) as talk:
        talk.hear()
        mine = talk.socket.getsockname()
        found = venue.transport_of(mine)
        assert found is not None
        assert found.get_extra_info("peername") == mine
        assert venue.transport_of(("127.0.0.1", 1)) is None
    wait_until(lambda: venue.transport_of(mine) is None)


def test_a_wire_that_does_not_listen(venue: TwsVenue) -> None:
    """Closing what is not open, and closing twice, is harmless; it listens again where it did."""

    async def close_and_open() -> tuple[int, int]:
        wire = TwsWire(venue.gateway, venue._plan, venue.pace, lambda action: action())
        await wire.close()
        await wire.open(0)
        first = wire.port
        await wire.close()
        await wire.close()
        await wire.open(0)
        second = wire.port
        await wire.close()
        return first, second

    first, second = asyncio.run(close_and_open())
    assert first == second != 0


def test_a_client_of_a_venue_that_goes_away(venue: TwsVenue) -> None:
    """Who is connected when it stops listening is cut, and can come back when it listens again."""
    with talking(venue.port) as talk:
        talk.hear()
        venue.scripts.reset(stays_down=True)
        assert talk.has_ended()
    with pytest.raises(ConnectionRefusedError):
        Talk(venue.port)
    venue.scripts.come_back()
    with talking(venue.port) as talk:
        assert talk.hear()[0] == "178"


def test_a_connection_that_is_reset(venue: TwsVenue) -> None:
    """A reset reaches the client as one, and not as an end."""
    with talking(venue.port) as talk:
        talk.hear()
        talk.say(*START)
        while talk.hear()[0] != "9":
            pass
        venue.inject(Fault.RESET_AFTER, "check_health")
        talk.say(*ASK_TIME)
        with pytest.raises(ConnectionResetError):
            read_all(talk.socket)
    with talking(venue.port) as talk:
        assert talk.hear()[0] == "178"


def read_all(source: socket.socket) -> None:
    """Read to the end."""
    while source.recv(4096):
        pass


# Tapes

PROVENANCE = Provenance(
    server=178,
    recorded_against="simulator",
    recorded_at="2026-11-21T00:00:00+00:00",
    recorded_with="a test",
    note="by hand",
)

LINES = (
    "0.000 1 + connect {}",
    '0.001 1 > startApi {"clientId": "1"}',
    '0.002 1 < managedAccounts {"accounts": "DU0000001"}',
    '0.003 1 < #999 {"fields": [{"text": "999"}, {"text": "news"}]}',
)
CUT = (
    '0.004 1 > reqIds {"count": "1"}',
    '0.005 1 < nextValidId {"orderId": "7"}',
    "0.006 1 ! cut {}",
)


@pytest.fixture
def tape(tmp_path: Path) -> Callable[..., TapePlayer]:
    """Makes a player of lines."""

    def make(*lines: str) -> TapePlayer:
        head = Tape(PROVENANCE, ()).text().splitlines()
        path = tmp_path / "a.tape"
        parse_tape([*head, *lines]).write(path)
        return TapePlayer(path)

    return make


def told(player: TapePlayer) -> str:
    """Return what a tape complains of once it is closed."""
    player.close()
    with pytest.raises(TapeError) as caught:
        player.check()
    return str(caught.value)


def test_a_tape_is_played_over_a_socket(tape: Callable[..., TapePlayer]) -> None:
    """What the server said is said, also what no schema describes; the time is the present one."""
    with tape(*LINES, *CUT) as player, talking(player.port) as talk:
        assert talk.hear()[0] == "178"
        talk.say(*ASK_TIME)
        kind, _, seconds = talk.hear()
        assert (kind, abs(int(seconds) - time.time()) < WAIT_S) == ("49", True)
        talk.say(*START)
        assert talk.hear() == ["15", "1", "DU0000001"]
        assert talk.hear() == ["999", "news"]
        talk.say(*ASK_IDS)
        assert talk.hear() == ["9", "1", "7"]
        assert talk.has_ended()


def test_a_connection_too_many(tape: Callable[..., TapePlayer]) -> None:
    """A client that connects once more than on the tape is cut, and the tape says so."""
    player = tape(*LINES)
    player.start()
    with talking(player.port) as talk:
        talk.hear()
        with talking(player.port) as other:
            assert other.has_ended()
        talk.say(*START)
        assert talk.hear()
    assert "once more" in told(player)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "API"),
        (b"API\0" + frame(b"hello"), "no versions"),
        (b"API\0" + frame(b"v100..150"), "the tape 178"),
        (HELLO + frame(join_fields(["61", "1"])), "the tape does not have"),
    ],
    ids=["http", "no version", "an old client", "another message"],
)
def test_a_client_that_does_not_fit(
    tape: Callable[..., TapePlayer], data: bytes, complaint: str
) -> None:
    """A client that does not speak as on the tape is cut, and the tape says why."""
    player = tape(*LINES)
    player.start()
    with talking(player.port, data) as talk:
        while not talk.has_ended():
            pass
    assert complaint in told(player)


def test_what_was_not_played(tape: Callable[..., TapePlayer]) -> None:
    """A tape that was not played to its end says how much was left, and what."""
    player = tape(*LINES, *CUT)
    player.start()
    with talking(player.port) as talk:
        talk.hear()
    left = told(player)
    assert "6 lines were not played" in left
    assert left.count("line ") == LEFT_MAX


def test_words_for_a_client_that_has_left(tape: Callable[..., TapePlayer]) -> None:
    """What the server said to a client that is gone by now is said to nobody, and is played."""
    second = (
        "0.010 2 + connect {}",
        '0.011 2 > startApi {"clientId": "2"}',
        '0.012 1 < managedAccounts {"accounts": "DU0000001"}',
        "0.013 1 ! cut {}",
        '0.014 2 < managedAccounts {"accounts": "DU0000001"}',
    )
    with tape(*LINES, *second) as player:
        with talking(player.port) as talk:
            talk.hear()
            talk.say(*START)
            assert [talk.hear()[0] for _ in range(2)] == ["15", "999"]
        wait_until(lambda: not player._clients)
        with talking(player.port) as talk:
            talk.hear()
            talk.say("71", "2", "2", "")
            assert talk.hear()[0] == "15"


def test_an_error_beside_a_tape(tape: Callable[..., TapePlayer]) -> None:
    """What went wrong with the client is told, and not that its tape was left over."""
    with pytest.raises(ZeroDivisionError), tape(*LINES):
        raise ZeroDivisionError


def test_a_player_that_never_listened(tape: Callable[..., TapePlayer]) -> None:
    """It has no port, and its tape was not played."""
    player = tape(*LINES)
    assert player.port == 0
    with pytest.raises(TapeError, match="were not played"):
        player.check()
