"""A proxy before the simulated TWS, which meddles with single messages in either direction."""

from __future__ import annotations

import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeAlias

PREFIX = b"API\0"

Message: TypeAlias = list[str]
"""A message as it is split: the first field is the number of its kind."""

Edit: TypeAlias = Callable[[Message], Sequence[Message]]
"""Returns what is passed on in the place of a message."""

PLACE, CANCEL = "3", "4"
ERROR, OPEN_ORDER, STATUS, EXECUTION, COMPLETED = "4", "5", "3", "11", "101"


def frame(message: Message) -> bytes:
    """Return a message as bytes."""
    payload = "".join(f"{field}\0" for field in message).encode()
    return struct.pack(">I", len(payload)) + payload


class _Passage:
    """One client's connection to the venue."""

    def __init__(self, front: Front, client: socket.socket) -> None:
        self.client = client
        self.venue = socket.create_connection(("127.0.0.1", front.venue_port))
        self._front = front
        for run in (self._up, self._down):
            threading.Thread(target=run, daemon=True).start()

    def cut(self) -> None:
        """End both connections."""
        for one in (self.client, self.venue):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def say(self, message: Message) -> None:
        """Say something to the client."""
        with suppress(OSError):
            self.client.sendall(frame(message))

    def tell(self, message: Message) -> None:
        """Say something to the venue."""
        with suppress(OSError):
            self.venue.sendall(frame(message))

    def _up(self) -> None:
        with suppress(OSError):
            self.venue.sendall(self._exactly(self.client, len(PREFIX)))
            self.venue.sendall(self._raw(self.client))
            while True:
                message = self._message(self.client)
                self._front.sent.append(message)
                for one in self._front.edited(self._front.going, message):
                    self.tell(one)
        self.cut()

    def _down(self) -> None:
        with suppress(OSError):
            self.client.sendall(self._raw(self.venue))
            while True:
                message = self._message(self.venue)
                for one in self._front.edited(self._front.coming, message):
                    self.say(one)
        self.cut()

    def _raw(self, source: socket.socket) -> bytes:
        head = self._exactly(source, 4)
        return head + self._exactly(source, struct.unpack(">I", head)[0])

    def _message(self, source: socket.socket) -> Message:
        return self._raw(source)[4:].decode().split("\0")[:-1]

    @staticmethod
    def _exactly(source: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = source.recv(count - len(data))
            if not more:
                raise OSError("the other side is gone")
            data += more
        return data


class Front:
    """Stands before a venue, from `__enter__` to `__exit__`.

    Args:
        venue_port: where the venue listens.
    """

    def __init__(self, venue_port: int) -> None:
        """Listen."""
        self.venue_port = venue_port
        self.sent: list[Message] = []
        """What clients said, in order, whether or not it was passed on."""
        self.coming: dict[str, deque[Edit]] = defaultdict(deque)
        """What is done to the next messages of each kind from the venue."""
        self.going: dict[str, deque[Edit]] = defaultdict(deque)
        """What is done to the next messages of each kind to the venue."""
        self.passages: list[_Passage] = []
        """The connections that came through, in order."""
        self.knocks = 0
        """How many connections were asked for."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection."""
        for passage in self.passages:
            passage.cut()

    def say(self, *fields: object) -> None:
        """Say something to the latest client."""
        self.passages[-1].say([str(field) for field in fields])

    def on_coming(self, number: str, edit: Edit, times: int = 1) -> None:
        """Do something to the next messages of a kind from the venue."""
        self.coming[number].extend([edit] * times)

    def on_going(self, number: str, edit: Edit, times: int = 1) -> None:
        """Do something to the next messages of a kind to the venue."""
        self.going[number].extend([edit] * times)

    def count(self, number: str) -> int:
        """Return how many messages of a kind clients said."""
        return sum(message[0] == number for message in self.sent)

    def edited(self, edits: dict[str, deque[Edit]], message: Message) -> Sequence[Message]:
        """Return what is passed on in the place of a message."""
        waiting = edits.get(message[0])
        return waiting.popleft()(message) if waiting else [message]

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.knocks += 1
            try:
                self.passages.append(_Passage(self, client))
            except OSError:
                client.close()


def swallow(_: Message) -> Sequence[Message]:
    """Pass nothing on."""
    return []


def put(place: int, text: str) -> Edit:
    """Return what writes something into a field."""

    def edit(message: Message) -> Sequence[Message]:
        return [[*message[:place], text, *message[place + 1 :]]]

    return edit
