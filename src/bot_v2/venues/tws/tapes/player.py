"""Serving a tape on 127.0.0.1, as if what answered then answered now."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now
from bot_v2.venues.server import HOST, VenueServer, settle, stop_accepting
from bot_v2.venues.tws.frames import FrameReader, WireError, frame, join_fields, read_hello
from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.tapes.script import TapeScript
from bot_v2.venues.tws.tapes.tape import (
    Speaker,
    TapeError,
    decode_any,
    read_tape,
    schema_of,
)

LEFT_MAX: Final = 5
"""How many lines that were not played an error names."""


class TapePlayer:
    """Plays a tape to clients, from `start` to `close`; also a context manager.

    Leaving the context raises TapeError where the client said what the tape has not, or where
    something of it was not played.

    Args:
        path: the tape.
        clock: the time that is told to who asks for it.
    """

    def __init__(self, path: Path, clock: Clock = utc_now) -> None:
        """Read the tape; nothing listens yet."""
        self.port = 0
        """Where it listens; 0 before it does."""
        self._tape = read_tape(path)
        self._path = path
        self._clock = clock
        self._script = TapeScript(self._tape)
        self._waiting = self._script.connections
        self._server = VenueServer()
        self._listener: asyncio.Server | None = None
        self._clients: dict[int, _Player] = {}
        self._mistakes: list[str] = []

    def start(self, port: int = 0) -> None:
        """Listen; 0 is any port that is free."""
        self._server.start()
        self._server.run(self._open(port))

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._server.run(self._close())
        self._server.stop()

    def check(self) -> None:
        """Check that the tape was played, and by a client that it fits.

        Raises:
            TapeError: the client said what the tape has not, or something was not played.
        """
        if self._mistakes:
            raise TapeError(f"{self._path}: {self._mistakes[0]}")
        left = self._script.left_over()
        if left:
            told = "\n  ".join(left[:LEFT_MAX])
            raise TapeError(f"{self._path}: {len(left)} lines were not played:\n  {told}")

    def __enter__(self) -> Self:
        """Listen."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening; check the tape where nothing else went wrong."""
        self.close()
        if error is None:
            self.check()

    # In the loop of the sockets

    async def _open(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: _Player(self), HOST, port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener is not None:
            await stop_accepting(self._listener)
        for client in list(self._clients.values()):
            client.transport.abort()
        await settle()

    def joined(self, client: _Player) -> int | None:
        """Take in a connection; return its number on the tape. None: the tape has no more."""
        if not self._waiting:
            self._mistakes.append("the client connects once more than on the tape")
            return None
        number = self._waiting.pop(0)
        self._clients[number] = client
        return number

    def left(self, number: int) -> None:
        """Forget a connection."""
        self._clients.pop(number, None)

    def answer_hello(self, client: _Player, payload: bytes) -> None:
        """Answer a hello with the version of the tape.

        Raises:
            TapeError: the client does not speak it.
        """
        offered, version = read_hello(payload), self._tape.provenance.server
        if not offered.oldest <= version <= offered.newest:
            raise TapeError(f"the client speaks {offered}, and the tape {version}")
        client.say([str(version), f"{self._clock():%Y%m%d %H:%M:%S} UTC"])

    def hear(self, number: int, client: _Player, payload: bytes) -> None:
        """Take in what a client says, and say what follows.

        Raises:
            TapeError: the tape has nothing like it here.
        """
        message, _ = decode_any(FROM_CLIENT, payload, self._tape.provenance.server)
        if message.name == "reqCurrentTime":
            self._say(client, Message("currentTime", {"time": str(int(self._clock().timestamp()))}))
            return
        self._script.hear(number, message)
        for to, said in self._script.due():
            other = self._clients.get(to)
            if other is None:
                continue
            if said is None:
                other.transport.close()
            else:
                self._say(other, said)

    def fail(self, mistake: str) -> None:
        """Note what went wrong."""
        self._mistakes.append(mistake)

    def _say(self, client: _Player, message: Message) -> None:
        schema = schema_of(Speaker.SERVER, message.name)
        if message.name in FROM_SERVER.by_name:
            client.say(schema.encode(message.values, self._tape.provenance.server))
        else:
            client.say([row.text("text") for row in message.rows("fields")])


class _Player(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, player: TapePlayer) -> None:
        self._player = player
        self._reader = FrameReader(starts_with_prefix=True)
        self._number: int | None = None
        self._has_greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
            self._number = self._player.joined(self)
            if self._number is None:
                transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._number is None:
            return
        try:
            for payload in self._reader.feed(data):
                if self._has_greeted:
                    self._player.hear(self._number, self, payload)
                else:
                    self._has_greeted = True
                    self._player.answer_hello(self, payload)
        except (TapeError, WireError) as error:
            self._player.fail(str(error))
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._number is not None:
            self._player.left(self._number)

    def say(self, fields: list[str]) -> None:
        """Send a message."""
        self.transport.write(frame(join_fields(fields)))
