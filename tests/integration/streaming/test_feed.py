"""A feed keeps its stream going, and says when it did not."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import attrs
import pytest
from websockets.sync.server import ServerConnection

from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerUnavailableError,
    ConnectionError,
    InvalidRequestError,
    OrderOutcomeUnknownError,
    StreamGap,
    TimeoutError,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.streaming.events import EventStream
from bot_v2.features.brokerages.streaming.feed import Address, Talk
from bot_v2.features.brokerages.streaming.settings import StreamSettings
from bot_v2.features.brokerages.streaming.streams import Streams
from tests.integration.streaming.scripted import Script, ScriptedServer, cut

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CALL = Call(broker="somebroker", operation="stream_quotes")
QUICK = StreamSettings(
    open_timeout_s=5,
    ready_timeout_s=5,
    silence_max_s=None,
    backoff_initial_s=0.02,
    backoff_max_s=0.1,
    steady_s=60,
)
PATIENCE_S = 20.0


class Words:
    """A talk in which each message is an event, `hello` is the beginning, `!` an error."""

    def __init__(self, tick: Callable[[], list[str | StreamGap]] = list) -> None:
        self.is_ready = False
        self._tick = tick

    def begin(self, send: Callable[[str | bytes], None]) -> None:
        """Say two things."""
        send("subscribe")
        send(b"\x01")

    def hear(self, message: bytes) -> Iterator[str | StreamGap]:
        """Yield the message, unless it is one of the signs."""
        text = message.decode()
        if text == "hello":
            self.is_ready = True
        elif text == "!auth":
            raise AuthenticationError("the key is wrong", broker="somebroker")
        elif text == "!late":
            raise BrokerUnavailableError("later", broker="somebroker", retry_after_s=0.3)
        elif text == "!bug":
            raise ZeroDivisionError
        else:
            yield text

    def tick(self) -> list[str | StreamGap]:
        """Return what is due."""
        return self._tick()


def streams(settings: StreamSettings = QUICK, open_max: int = 4) -> Streams:
    """Streams with waits of a known length."""
    return Streams(settings, lambda: NOW, open_max=open_max, rng=lambda: 1.0)


def open_stream(
    server: ScriptedServer,
    settings: StreamSettings = QUICK,
    make_talk: Callable[[], Talk[str]] = Words,
) -> AbstractContextManager[Iterator[str | StreamGap]]:
    """A stream of a server."""
    return streams(settings).stream(CALL, Address(url=server.url), make_talk)


def greet(connection: ServerConnection) -> None:
    """Hear what is said to begin with."""
    assert connection.recv() == "subscribe"
    assert connection.recv() == b"\x01"


def says(*words: str, then: Script | None = None) -> Script:
    """Return a script: say words, then do something, else stay until the other side leaves."""

    def script(connection: ServerConnection) -> None:
        greet(connection)
        for word in words:
            connection.send(word)
        if then is not None:
            then(connection)
        else:
            for _ in connection:
                pass

    return script


def test_events_come_as_they_are_said() -> None:
    """What the broker says comes in order; what we say to begin with arrives as text and bytes."""
    with ScriptedServer(lambda connection: None) as server:
        server.scripts = [says("hello", "a", "b")]
        with open_stream(server) as events:
            assert [next(events), next(events)] == ["a", "b"]
        assert list(events) == []


def test_a_lost_connection_is_a_gap_and_another_is_made() -> None:
    """After a cut the gap comes first, then what the next connection says."""
    with (
        ScriptedServer(says("hello", "a", then=cut), says("hello", "b")) as server,
        open_stream(server) as events,
    ):
        assert next(events) == "a"
        gap = next(events)
        assert isinstance(gap, StreamGap)
        assert "the connection was lost" in gap.reason
        assert (gap.timestamp, gap.missed) == (NOW, None)
        assert next(events) == "b"
    assert server.connections == 2


def test_one_outage_is_one_gap() -> None:
    """Attempts that fail meanwhile say nothing."""
    nothing = says(then=cut)
    scripts = (says("hello", then=cut), nothing, nothing, says("hello", "b"))
    with ScriptedServer(*scripts) as server, open_stream(server) as events:
        assert isinstance(next(events), StreamGap)
        assert next(events) == "b"
    assert server.connections == 4


def test_a_peaceful_end_by_the_broker_is_a_gap_too() -> None:
    """The broker's code and reason are told."""

    def leave(connection: ServerConnection) -> None:
        connection.close(1012, "maintenance")

    with (
        ScriptedServer(says("hello", then=leave), says("hello", "b")) as server,
        open_stream(server) as events,
    ):
        gap = next(events)
        assert isinstance(gap, StreamGap)
        assert "1012 maintenance" in gap.reason


def test_attempts_wait_longer_each_time_and_as_long_as_asked() -> None:
    """The waits double up to their bound, and heed the broker's wish."""
    waits: list[float] = []

    def script(connection: ServerConnection) -> None:
        waits.append(time.monotonic())
        greet(connection)
        connection.send("hello" if len(waits) == 1 else "!late" if len(waits) == 5 else "x")
        if len(waits) < 6:
            cut(connection)
        else:
            connection.send("hello")
            for _ in connection:
                pass

    bounds = attrs.evolve(QUICK, backoff_initial_s=0.05, backoff_max_s=0.15)
    with ScriptedServer(script) as server, open_stream(server, bounds) as events:
        for event in events:
            if event == "x" and len(waits) == 6:
                break
    between = [late - early for early, late in itertools.pairwise(waits)]
    least = (0.05, 0.1, 0.15, 0.15, 0.3)
    assert all(wait >= bound for wait, bound in zip(between, least, strict=True)), between


def test_a_connection_that_lasts_starts_the_waits_anew() -> None:
    """After a steady while the next loss is mended at once."""

    def last_then_cut(connection: ServerConnection) -> None:
        time.sleep(0.05)
        connection.send("x")
        time.sleep(0.05)
        cut(connection)

    bounds = attrs.evolve(QUICK, backoff_initial_s=0.01, backoff_max_s=3600, steady_s=0.001)
    scripts = [says("hello", then=last_then_cut)] * 12
    # Without a fresh start the waits would add up to forty seconds.
    with (
        ScriptedServer(*scripts, says("hello", "end")) as server,
        open_stream(server, bounds) as events,
    ):
        gaps = sum(isinstance(event, StreamGap) for event in _until(events, "end"))
    assert gaps == 12


def _until(events: Iterator[str | StreamGap], last: str) -> Iterator[str | StreamGap]:
    for event in events:
        if event == last:
            return
        yield event


def test_silence_is_noticed() -> None:
    """A connection on which nothing is said is a gap, and is given up."""
    bounds = attrs.evolve(QUICK, silence_max_s=0.3)
    with (
        ScriptedServer(says("hello"), says("hello", "b")) as server,
        open_stream(server, bounds) as events,
    ):
        gap = next(events)
        assert isinstance(gap, StreamGap)
        assert "nothing was said for 0.3 s" in gap.reason
        assert next(events) == "b"


def test_pings_keep_a_quiet_connection() -> None:
    """Where nothing has to be said, answers to pings are life enough; their absence is not."""
    bounds = attrs.evolve(QUICK, ping_interval_s=0.25)
    hush = threading.Event()

    def quiet(connection: ServerConnection) -> None:
        greet(connection)
        connection.send("hello")
        time.sleep(1.2)
        connection.send("still there")
        # From here on nobody reads what arrives, so pings are not answered.
        connection.socket.settimeout(None)
        with connection.protocol_mutex:
            hush.wait(PATIENCE_S)

    with ScriptedServer(quiet, says("hello", "b")) as server, open_stream(server, bounds) as events:
        assert next(events) == "still there"
        gap = next(events)
        assert isinstance(gap, StreamGap)
        assert "no answer to pings" in gap.reason
        hush.set()


def test_what_cannot_be_had_is_raised_on_opening() -> None:
    """The first connection has to succeed: its error is the caller's."""
    cases: list[tuple[Script, type[BrokerageError]]] = [
        (says("!auth"), AuthenticationError),
        (says("!bug"), ConnectionError),
        (says(then=cut), ConnectionError),
        (says("no hello"), TimeoutError),
    ]
    bounds = attrs.evolve(QUICK, ready_timeout_s=0.3)
    for script, kind in cases:
        with ScriptedServer(script) as server:
            with pytest.raises(kind) as caught, open_stream(server, bounds):
                pass
            assert not isinstance(caught.value, OrderOutcomeUnknownError)
            assert server.connections == 1


def test_a_key_that_is_refused_later_ends_the_stream_with_its_error() -> None:
    """A connection that begins with a refusal is not tried for ever."""
    with (
        ScriptedServer(says("hello", "a", then=cut), says("!auth")) as server,
        open_stream(server) as events,
    ):
        assert next(events) == "a"
        assert isinstance(next(events), StreamGap)
        with pytest.raises(AuthenticationError, match="the key is wrong"):
            next(events)


def test_a_key_that_expires_on_a_good_connection_is_shown_again() -> None:
    """A refusal in the middle is a gap, and a new connection says who we are anew."""
    with (
        ScriptedServer(says("hello", "!auth"), says("hello", "b")) as server,
        open_stream(server) as events,
    ):
        assert isinstance(next(events), StreamGap)
        assert next(events) == "b"


def test_leaving_ends_thread_and_socket() -> None:
    """Whoever waits in the iterator is released, and nothing is left behind."""
    with ScriptedServer(says("hello")) as server:
        before = set(threading.enumerate())
        released = threading.Event()

        def wait(events: Iterator[str | StreamGap]) -> None:
            assert list(events) == []
            released.set()

        with open_stream(server) as events:
            waiting = threading.Thread(target=wait, args=(events,))
            waiting.start()
        assert released.wait(PATIENCE_S)
        waiting.join(PATIENCE_S)
        ours = [one for one in threading.enumerate() if one.name.startswith("somebroker")]
        assert [one for one in ours if one not in before] == []


def test_closing_the_iterator_ends_the_thread() -> None:
    """A reader that closes the stream itself need not wait for the end of its block."""
    with ScriptedServer(says("hello")) as server, open_stream(server) as events:
        assert isinstance(events, EventStream)
        events.close()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if not any(one.name.startswith("somebroker") for one in threading.enumerate()):
                return
            time.sleep(0.01)
        pytest.fail("the thread lives on")


def test_streams_are_bounded_and_end_together() -> None:
    """One more than allowed is refused; closing all ends each, and makes room again."""
    with ScriptedServer(says("hello")) as server:
        made = streams(open_max=2)
        address = Address(url=server.url)
        with made.stream(CALL, address, Words) as one, made.stream(CALL, address, Words) as other:
            with pytest.raises(InvalidRequestError, match="2 streams are open"):
                made.stream(CALL, address, Words).__enter__()
            made.close()
            assert list(one) == list(other) == []
        with made.stream(CALL, address, Words):
            pass


def test_what_is_due_is_done_without_messages() -> None:
    """The talk is asked a few times a second what is due."""
    due: list[list[str | StreamGap]] = [[], [], ["due"]]

    def tick() -> list[str | StreamGap]:
        return due.pop(0) if due else []

    with (
        ScriptedServer(says("hello")) as server,
        open_stream(server, make_talk=lambda: Words(tick)) as events,
    ):
        assert next(events) == "due"
