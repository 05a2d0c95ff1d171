"""Recording: a proxy in front of a TWS or Gateway that takes down every message that passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeAlias

from bot_v2.venues.server import HOST, VenueServer, settle, stop_accepting
from bot_v2.venues.tws.frames import (
    NEWEST,
    OLDEST,
    PREFIX,
    FrameReader,
    WireError,
    frame,
    read_hello,
    split_fields,
)
from bot_v2.venues.tws.tapes.recorder import TapeRecorder
from bot_v2.venues.tws.tapes.tape import Provenance, Tape

_Through: TypeAlias = Callable[[bytes], bytes]

CONNECT_TIMEOUT_S: Final = 10.0
_CHUNK: Final = 65_536


class TapeProxy:
    """Stands in front of a TWS or Gateway, from `start` to `close`; also a context manager.

    What passes is not changed, but for the versions that a client offers: none above 178 is.

    Args:
        host: where the TWS or Gateway is.
        port: where it listens.
    """

    def __init__(self, host: str, port: int) -> None:
        """Prepare; nothing listens yet."""
        self.port = 0
        """Where it listens; 0 before it does."""
        self._host = host
        self._upstream_port = port
        self._server = VenueServer()
        self._listener: asyncio.Server | None = None
        self._recorder = TapeRecorder()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; 0 is any port that is free."""
        self._server.start()
        self._server.run(self._open(port))

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._server.run(self._close())
        self._server.stop()

    def tape(self, recorded_against: str, recorded_at: str, recorded_with: str, note: str) -> Tape:
        """Return what was recorded, once it is closed.

        Args:
            recorded_against: simulator, sandbox (a paper login) or live.
            recorded_at: when, in UTC, as ISO 8601.
            recorded_with: the versions of what recorded.
            note: what the tape shows.
        """
        return self._recorder.tape(
            Provenance(
                server=self._recorder.version,
                recorded_against=recorded_against,
                recorded_at=recorded_at,
                recorded_with=recorded_with,
                note=note,
            )
        )

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
        """Stop listening."""
        self.close()

    # In the loop of the sockets

    async def _open(self, port: int) -> None:
        self._listener = await asyncio.start_server(self._serve, HOST, port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener is not None:
            await stop_accepting(self._listener)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        await settle()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with suppress(OSError, TimeoutError, asyncio.CancelledError):
            opened = asyncio.open_connection(self._host, self._upstream_port)
            upstream, to_server = await asyncio.wait_for(opened, CONNECT_TIMEOUT_S)
            try:
                await self._pass(reader, writer, upstream, to_server)
            finally:
                to_server.close()
        writer.close()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        self._count += 1
        passage = _Passage(self._recorder, self._count)
        self._recorder.begin(self._count)
        down = asyncio.ensure_future(_pump(reader, to_server, passage.from_client))
        up = asyncio.ensure_future(_pump(upstream, writer, passage.from_server))
        try:
            await asyncio.wait((down, up), return_when=asyncio.FIRST_COMPLETED)
            self._recorder.end(passage.number, by_server=up.done() and not down.done())
        finally:
            for one in (down, up):
                one.cancel()


class _Passage:
    """What passes on one connection, taken down frame by frame."""

    def __init__(self, recorder: TapeRecorder, number: int) -> None:
        self.number = number
        self._recorder = recorder
        self._client = FrameReader(starts_with_prefix=True)
        self._server = FrameReader(starts_with_prefix=False)
        self._has_hello = False
        self._has_answer = False

    def from_client(self, data: bytes) -> bytes:
        sent = b""
        for payload in self._client.feed(data):
            if self._has_hello:
                self._recorder.client_said(self.number, payload)
                sent += frame(payload)
            else:
                self._has_hello = True
                offered = read_hello(payload)
                newest, oldest = min(offered.newest, NEWEST), max(offered.oldest, OLDEST)
                sent += PREFIX + frame(f"v{oldest}..{newest}".encode())
        return sent

    def from_server(self, data: bytes) -> bytes:
        sent = b""
        for payload in self._server.feed(data):
            if self._has_answer:
                self._recorder.server_said(self.number, payload)
            else:
                self._has_answer = True
                self._recorder.version = int(split_fields(payload)[0])
            sent += frame(payload)
        return sent


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, through: _Through
) -> None:
    """Pass on what comes until it ends."""
    with suppress(OSError, WireError, ValueError):
        while data := await source.read(_CHUNK):
            sink.write(through(data))
            await sink.drain()
