"""A relay before the simulator's streams: it drops, alters, holds back and cuts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.integration.streaming.scripted import cut

Meddle = Callable[[Any], Iterable[Any]]
"""Returns what to say instead of a message: records, or text as it is."""

POLL_S = 0.02


def as_it_is(message: Any) -> list[Any]:
    """Change nothing."""
    return [message]


class StreamFront:
    """Passes messages on, either way, but for those that it was told to meddle with."""

    def __init__(self, venue_url: str) -> None:
        """Listen."""
        self._venue_url = venue_url
        self._open: set[ServerConnection] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.meddle: Meddle = as_it_is
        """What becomes of what the broker says."""
        self.renumber = False
        """Whether messages are numbered anew, so that none seems to be missing."""
        self.is_mute = False
        """Whether the broker says nothing, and the connection stays as it is."""
        self.is_down = False
        """Whether new connections are cut at once."""
        self.asked: list[Any] = []
        """What the adapter said."""
        self.attempts: list[float] = []
        """When connections were made, by the clock that never goes back."""
        self._server = serve(self._serve, "127.0.0.1", 0, compression=None)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End every connection without taking leave."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                cut(connection)

    def say(self, *messages: Any) -> None:
        """Say something that the broker did not."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            for message in messages:
                connection.send(
                    message if isinstance(message, str | bytes) else json.dumps(message)
                )

    def _serve(self, connection: ServerConnection) -> None:
        self.attempts.append(time.monotonic())
        if self.is_down:
            cut(connection)
            return
        with (
            suppress(ConnectionClosed, InvalidHandshake, OSError),
            connect(self._venue_url, close_timeout=0.1, max_size=None) as far,
        ):
            back = threading.Thread(target=self._pass_back, args=(far, connection))
            with self._lock:
                self._open.add(connection)
            back.start()
            try:
                self._pass_on(connection, far)
            finally:
                with self._lock:
                    self._open.discard(connection)
                far.close()
                back.join(5)

    def _pass_on(self, connection: ServerConnection, far: Any) -> None:
        while not self._over.is_set():
            try:
                text = connection.recv(timeout=POLL_S)
            except TimeoutError:
                continue
            self.asked.append(json.loads(text))
            far.send(text)

    def _pass_back(self, far: Any, connection: ServerConnection) -> None:
        number = 0
        with suppress(ConnectionClosed, OSError):
            while not self._over.is_set():
                try:
                    message = json.loads(far.recv(timeout=POLL_S))
                except TimeoutError:
                    continue
                if self.is_mute:
                    continue
                for said in self.meddle(message):
                    if isinstance(said, str | bytes):
                        connection.send(said)
                    elif self.renumber and "sequence_num" in said:
                        connection.send(json.dumps({**said, "sequence_num": number}))
                        number += 1
                    else:
                        connection.send(json.dumps(said))
            # Whoever waits for more is told that there is none.
        with suppress(ConnectionClosed, OSError):
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self.cut()
        self._server.shutdown()
        self._thread.join(5)
