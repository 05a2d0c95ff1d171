"""A server on the loopback that does to a connection whatever a test says."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import attrs

WAIT_S = 20.0
"""How long anything is waited for before a test is taken to hang, in seconds."""


@attrs.frozen(kw_only=True)
class Received:
    """One request, as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    """Which connection it came by, counted from 1."""


Answer = Callable[[socket.socket, Received], bool]
"""Answers one request; True: the connection is kept."""


def reply(
    body: bytes = b"{}", status: int = 200, headers: Sequence[str] = (), *, keep: bool = True
) -> Answer:
    """Answer wholly."""
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body)}", *headers]
    if not keep:
        lines.append("Connection: close")
    return raw("\r\n".join([*lines, "", ""]).encode() + body, keep=keep)


def raw(content: bytes, *, keep: bool = False) -> Answer:
    """Answer with these bytes, then close the connection unless it is kept."""

    def answer(connection: socket.socket, received: Received) -> bool:
        connection.sendall(content)
        return keep

    return answer


def reset(content: bytes = b"") -> Answer:
    """Answer with these bytes, and reset the connection."""

    def answer(connection: socket.socket, received: Received) -> bool:
        connection.sendall(content)
        linger = struct.pack("hh" if hasattr(socket, "SIO_RCVALL") else "ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    return answer


def drip(content: bytes, interval_s: float, over: threading.Event) -> Answer:
    """Answer byte by byte."""

    def answer(connection: socket.socket, received: Received) -> bool:
        for index in range(len(content)):
            connection.sendall(content[index : index + 1])
            if over.wait(interval_s):
                return False
        return True

    return answer


class WireServer:
    """Listens on the loopback, and answers requests in turn as it is told; the last answer stays.

    Args:
        answers: what to do with each request.
        tls: the context to speak TLS by. None: plain text.
    """

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.received: list[Received] = []
        self.connections = 0
        self.over = threading.Event()
        self._tls = tls
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def hang(self) -> Answer:
        """Answer nothing until the test is over."""

        def answer(connection: socket.socket, received: Received) -> bool:
            self.over.wait(WAIT_S)
            return False

        return answer

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        # Whoever waits in accept() is woken by a last connection.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        self.cut()
        for thread in self._threads:
            thread.join(WAIT_S)
        self._listener.close()

    def cut(self) -> None:
        """End every connection, politely."""
        with self._lock:
            connections, self._open = self._open, []
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.over.is_set():
                connection.close()
                return
            self.connections += 1
            self._start(self._serve, connection, self.connections)

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        try:
            plain.settimeout(WAIT_S)
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
            with self._lock:
                self._open.append(connection)
            self._converse(connection, number)
        except (OSError, ValueError):
            pass
        finally:
            connection.close()

    def _converse(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as source:
            while (line := source.readline()) not in (b"", b"\r\n"):
                method, target, _ = line.decode("latin-1").split(" ", 2)
                headers: dict[str, str] = {}
                while (text := source.readline().decode("latin-1").strip()) != "":
                    name, _, value = text.partition(":")
                    headers[name.lower()] = value.strip()
                body = source.read(int(headers.get("content-length", "0")))
                received = Received(
                    method=method, target=target, headers=headers, body=body, connection=number
                )
                with self._lock:
                    self.received.append(received)
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if not answer(connection, received):
                    return
