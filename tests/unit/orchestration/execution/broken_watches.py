"""Watches of exits with one mistake each: what the tests of the watch have to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import attrs

from bot_v2.orchestration.execution import (
    closing,
    context,
    exit_judgement,
    exit_reading,
    exit_repair,
    exit_watch,
    reading,
)
from bot_v2.orchestration.execution.exit_reading import Look
from bot_v2.orchestration.execution.fingerprint import ZERO
from bot_v2.orchestration.journal.watch_records import WatchRecord
from tests.unit.orchestration.execution.broken_executors import instead


@dataclass(frozen=True)
class WatchBug:
    """A mistake, and the tests of which one at least has to fail."""

    name: str
    breaks: Callable[[], Any]
    tests: tuple[str, ...]


WATCH_BUGS: list[WatchBug] = []

Breaks = Callable[[], Iterator[None]]


def bug(*tests: str) -> Callable[[Breaks], Breaks]:
    """Add a mistake, with the tests that have to find it."""

    def add(breaks: Breaks) -> Breaks:
        name = (breaks.__doc__ or "").strip()
        WATCH_BUGS.append(WatchBug(name, contextmanager(breaks), tests))
        return breaks

    return add


def _without_grace(kind: Any) -> Any:
    real = kind.__init__

    def init(self: Any, *arguments: Any, **named: Any) -> None:
        real(self, *arguments, **named)
        self._grace = timedelta(0)

    return instead(kind, "__init__", init)


@bug("test_one_look_proves_nothing")
def one_look_is_enough() -> Iterator[None]:
    """What one look shows is believed at once."""
    with _without_grace(exit_watch.ExitWatch), instead(exit_watch, "LOOKS", 1):
        yield


@bug("test_the_bound_holds_where_the_broker_shows_things_late")
def the_lag_is_ignored() -> Iterator[None]:
    """How long the broker takes to show things is not waited for."""

    def grace_of(account: Any) -> timedelta:
        return timedelta(seconds=account.settings.exit_grace_s)

    with (
        instead(exit_watch, "lag_of", lambda account: timedelta(0)),
        instead(exit_watch, "grace_of", grace_of),
        instead(exit_repair, "lag_of", lambda account: timedelta(0)),
    ):
        yield


@bug("test_an_alarm_is_not_told_again_after_a_restart")
def what_was_told_is_forgotten() -> Iterator[None]:
    """That an alarm was told is not written down."""
    real = exit_watch.ExitWatch._weigh

    def weigh(self: Any, *arguments: Any) -> Any:
        record, alarms = real(self, *arguments)
        return attrs.evolve(record, told=()), alarms

    with instead(exit_watch.ExitWatch, "_weigh", weigh):
        yield


@bug("test_a_repair_that_is_not_shown_yet_is_not_repeated")
def a_repair_is_not_written_down_first() -> Iterator[None]:
    """A repair is sent before it is written down, so that the next process sends another."""

    def write(self: Any, watch: Any, record: WatchRecord) -> None:
        return None

    with instead(exit_repair.ExitRepairer, "_write", write):
        yield


@bug("test_a_crash_at_any_step")
def an_entry_ends_before_it_is_watched() -> Iterator[None]:
    """The watch is opened after the entry was written down, and may never be."""
    real = context.ExecutionContext.record

    def record(self: Any, state: Any, entry: Any) -> Any:
        with instead(context.ExecutionContext, "open_watch", lambda *_: None):
            done = real(self, state, entry)
        self.open_watch(state, entry)
        return done

    with instead(context.ExecutionContext, "record", record):
        yield


@bug("test_the_stop_of_a_pair_is_sent_again_as_it_was")
def other_exits_are_left_in_the_way() -> Iterator[None]:
    """The profit's exit lives on beside the order that closes."""
    with (
        instead(exit_repair, "is_stop", lambda order: True),
        instead(closing.Closer, "_closing", lambda self, symbol, side: ZERO),
    ):
        yield


@bug("test_a_close_never_takes_more_than_the_position")
def the_position_is_not_looked_at() -> Iterator[None]:
    """What the orders say is closed, whatever the position is."""

    def closed(self: Any, symbol: str, client_order_id: str, **terms: Any) -> Any:
        from bot_v2.features.brokerages.core.order_request import OrderRequest

        request = OrderRequest(
            symbol=symbol,
            side=terms["side"],
            quantity=terms["at_most"],
            client_order_id=client_order_id,
        )
        return self._placer.submit(request, None)

    with (
        instead(closing.Closer, "close_part", closed),
        instead(exit_judgement, "read_held", lambda broker, symbol: None),
    ):
        yield


@bug("test_a_read_that_fails_proves_nothing")
def a_failed_read_is_flat() -> Iterator[None]:
    """A position that cannot be read counts as none, and so the watch is over."""
    real = reading.read_held

    def read(broker: Any, symbol: str) -> Any:
        try:
            return real(broker, symbol)
        except Exception:  # noqa: BLE001 - the mistake itself
            return ZERO

    with instead(exit_judgement, "read_held", read):
        yield


@bug("test_a_stop_of_somebody_else_protects_as_well")
def only_its_own_stops_count() -> Iterator[None]:
    """A stop that somebody else placed does not protect."""
    with instead(Look, "stops_of_others", ZERO):
        yield


@bug("test_recovery_takes_the_watch_up_and_sends_nothing")
def recovery_repairs() -> Iterator[None]:
    """A process that starts sends repairs before its bot has said a word."""
    real = exit_watch.ExitWatch.look

    def look(self: Any, *arguments: Any, **named: Any) -> Any:
        return real(self, *arguments, **{**named, "may_repair": True})

    with instead(exit_watch.ExitWatch, "look", look):
        yield


@bug("test_nothing_more_is_sent_while_the_outcome")
def an_unknown_repair_is_repeated() -> Iterator[None]:
    """A repair whose outcome is unknown is sent again."""
    with (
        instead(exit_reading.Look, "is_pending", property(lambda self: False)),
        instead(exit_reading.Sent, "is_pending", property(lambda self: False)),
    ):
        yield


@bug("test_an_operator_can_end_a_watch")
def a_dismissed_watch_comes_back() -> Iterator[None]:
    """News of an order takes up a watch that a person has ended."""
    real = exit_watch.ExitWatch._reopen

    def reopen(self: Any, state: Any) -> None:
        watch = self.watch_of(state)
        if watch is not None and watch.is_final:
            self._write(watch, attrs.evolve(watch.watch, is_dismissed=False))
        real(self, state)

    with instead(exit_watch.ExitWatch, "_reopen", reopen):
        yield
