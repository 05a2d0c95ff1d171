"""A front before the simulator, for the faults that a simulator cannot commit: it meddles."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable
from typing import Any

from tests.integration.http.wire_server import Answer, Received, WireServer, reply

Edit = Callable[[Any], Any]
"""Returns what to say instead of a JSON document."""


class Front(WireServer):
    """Passes requests on to a venue, but for those that it was told to answer otherwise."""

    def __init__(self, venue_port: int, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(self._answered, tls=tls)
        self._venue_port = venue_port
        self._told: list[tuple[str, str, Answer]] = []

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        """Answer the next requests of a method whose path ends so, each in turn."""
        self._told += [(method, path, one) for one in answers]

    def edit(self, method: str, path: str, edit: Edit, times: int = 1) -> None:
        """Pass the next requests on, and say something else than the venue."""
        self.answer(method, path, *[self.edited(edit)] * times)

    def edited(self, edit: Edit) -> Answer:
        """Pass a request on, and say something else than the venue."""

        def answer(connection: socket.socket, received: Received) -> bool:
            status, body = self.forward(received)
            said = json.dumps(edit(json.loads(body))).encode()
            return reply(said, status)(connection, received)

        return answer

    def after_effect(self, then: Answer) -> Answer:
        """Pass a request on, and answer something else altogether."""

        def answer(connection: socket.socket, received: Received) -> bool:
            self.forward(received)
            return then(connection, received)

        return answer

    def forward(self, received: Received) -> tuple[int, bytes]:
        """Pass a request on, and return the venue's status and body."""
        venue = http.client.HTTPConnection("127.0.0.1", self._venue_port, timeout=5)
        try:
            venue.request(received.method, received.target, received.body, dict(received.headers))
            response = venue.getresponse()
            return response.status, response.read()
        finally:
            venue.close()

    def count(self, method: str, path: str) -> int:
        """How many requests of a method arrived whose path ends so."""
        arrived = [(one.method, one.target.partition("?")[0]) for one in self.received]
        return sum(one == method and target.endswith(path) for one, target in arrived)

    def _answered(self, connection: socket.socket, received: Received) -> bool:
        target = received.target.partition("?")[0]
        for place, (method, path, answer) in enumerate(self._told):
            if method == received.method and target.endswith(path):
                del self._told[place]
                return answer(connection, received)
        status, body = self.forward(received)
        return reply(body, status)(connection, received)
