"""What arrived at a venue, request by request; no credential is kept."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime
from typing import Final

import attrs

from bot_v2.simulation.faults import Fault

LOGGED_MAX: Final = 10_000
"""How many requests are kept: the newest."""


@attrs.frozen(kw_only=True)
class LoggedRequest:
    """One request, and what became of it."""

    number: int
    """1 for the first since the venue was made."""
    moment: datetime
    """When it arrived, by the venue's clock."""
    method: str
    """The HTTP method."""
    target: str
    """The path and the query."""
    content: bytes
    """The body."""
    operations: tuple[str, ...]
    """The methods of a brokerage that it may have been part of."""
    status: int | None
    """The HTTP status of the answer. None: it was never answered."""
    fault: Fault | None
    """The fault that was committed. None: none."""

    def as_data(self) -> dict[str, object]:
        """Return it as JSON can hold it."""
        return {
            "number": self.number,
            "time": self.moment.isoformat(),
            "method": self.method,
            "target": self.target,
            "body": self.content.decode("utf-8", "replace"),
            "operations": list(self.operations),
            "status": self.status,
            "fault": None if self.fault is None else self.fault.value,
        }


class RequestLog:
    """The newest requests. Safe between threads."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._kept: deque[LoggedRequest] = deque(maxlen=LOGGED_MAX)
        self._count = 0

    def add(
        self,
        moment: datetime,
        method: str,
        target: str,
        content: bytes,
        operations: tuple[str, ...],
        status: int | None,
        fault: Fault | None,
    ) -> None:
        """Keep a request."""
        with self._lock:
            self._count += 1
            self._kept.append(
                LoggedRequest(
                    number=self._count,
                    moment=moment,
                    method=method,
                    target=target,
                    content=content,
                    operations=operations,
                    status=status,
                    fault=fault,
                )
            )

    def entries(self) -> list[LoggedRequest]:
        """Return what is kept, oldest first."""
        with self._lock:
            return list(self._kept)
