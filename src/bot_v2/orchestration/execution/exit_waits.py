"""How long something has lasted: by time that passes, and not by what a clock is set to."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot_v2.orchestration.execution.context import ExecutionContext
from bot_v2.orchestration.execution.runtime import Runtime, fresh_from


def lag_of(context: ExecutionContext) -> timedelta:
    """Return how long the broker may not show what is so."""
    return context.lag


def grace_of(context: ExecutionContext) -> timedelta:
    """Return how long something has to last before it is believed."""
    return max(lag_of(context), timedelta(seconds=context.settings.exit_grace_s))


class Waits:
    """Knows what has lasted long enough by the beginning of a look.

    A moment that an earlier process wrote down is counted by the clock, once; from then on, and
    for moments of this process, only time that passes counts.

    Args:
        runtime: the present moment.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Wait for nothing yet."""
        self._runtime = runtime
        self._ends: dict[str, dict[tuple[str, datetime], timedelta]] = {}

    def start(self, watch_id: str, what: str, since: datetime, span: timedelta) -> timedelta:
        """Return when a wait is over, by `Runtime.elapsed`; it begins when it is first heard of."""
        ends = self._ends.setdefault(watch_id, {})
        if (what, since) not in ends:
            ends[what, since] = fresh_from(self._runtime, since, span)
        return ends[what, since]

    def is_over(
        self, watch_id: str, what: str, since: datetime, span: timedelta, looked_at: timedelta
    ) -> bool:
        """Return whether a look began after the end of a wait."""
        return looked_at >= self.start(watch_id, what, since, span)

    def forget(self, watch_id: str) -> None:
        """Forget what was waited for in a watch that is over."""
        self._ends.pop(watch_id, None)
