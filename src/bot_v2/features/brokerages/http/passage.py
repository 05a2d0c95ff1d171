"""One request's way over a connection: how long it may take, and whether it has begun to leave."""

from __future__ import annotations

import builtins
import time
from typing import Final

SHORTEST_WAIT_S: Final = 0.001
"""The least that a socket is asked to wait: zero would mean not to wait at all."""


class Passage:
    """Bounds every wait of one exchange, and knows whether a byte of the request may have left.

    `began` turns True before the first byte is handed to the socket, and never back: while it is
    False there is proof that no byte left.
    """

    __slots__ = ("began", "connect_s", "deadline", "read_s", "started")

    def __init__(self, *, timeout_s: float, connect_s: float, read_s: float) -> None:
        """Begin to count.

        Args:
            timeout_s: how long all of it may take, from now.
            connect_s: how long one attempt to connect may take.
            read_s: how long the other side may say nothing.
        """
        self.started = time.monotonic()
        self.deadline = self.started + timeout_s
        self.connect_s = connect_s
        self.read_s = read_s
        self.began = False

    @property
    def elapsed_s(self) -> float:
        """How long it has taken so far, in seconds."""
        return time.monotonic() - self.started

    def left_s(self) -> float:
        """Return the seconds that are left in all.

        Raises:
            builtins.TimeoutError: none are.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise builtins.TimeoutError("the time for the whole exchange is over")
        return max(left, SHORTEST_WAIT_S)

    def next_connect_s(self) -> float:
        """Return how long to wait for a connection; raises as `left_s`."""
        return min(self.left_s(), self.connect_s)

    def next_read_s(self) -> float:
        """Return how long to wait for the next bytes; raises as `left_s`."""
        return min(self.left_s(), self.read_s)

    def begin(self) -> None:
        """Say that bytes are about to leave; raises as `left_s` when it is too late to begin."""
        if not self.began:
            self.left_s()
            self.began = True
