"""Unit tests reach no network: opening a socket ends the test.

A pair of connected sockets stays possible, because every asyncio event loop wakes itself by one.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

UNIX = getattr(socket, "AF_UNIX", None)
REFUSAL = (
    "a unit test tried to {what}. Give the code under test a fake, or move the test to "
    "tests/integration or tests/contract."
)


class Pairing(threading.local):
    """Whether this thread is inside socketpair(), which needs TCP sockets on Windows."""

    active = False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every socket that could leave the process, and every look-up of a name."""
    pairing = Pairing()
    real_init = socket.socket.__init__
    real_socketpair = socket.socketpair

    def guarded_init(
        self: socket.socket,
        family: int = -1,
        type: int = -1,
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        if family != UNIX and not pairing.active:
            # The object is given a closed state first, as its finalizer looks at it.
            real_init(self, UNIX or family, type, proto, fileno)
            self.close()
            pytest.fail(REFUSAL.format(what="open a socket"))
        real_init(self, family, type, proto, fileno)

    def guarded_socketpair(*args: Any, **kwargs: Any) -> tuple[socket.socket, socket.socket]:
        pairing.active = True
        try:
            return real_socketpair(*args, **kwargs)
        finally:
            pairing.active = False

    def refuse_look_up(host: object, *args: object, **kwargs: object) -> None:
        pytest.fail(REFUSAL.format(what=f"look up {host!r}"))

    monkeypatch.setattr(socket.socket, "__init__", guarded_init)
    monkeypatch.setattr(socket, "socketpair", guarded_socketpair)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_look_up)
