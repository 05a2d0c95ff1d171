"""What is watched survives the process, wherever it dies, and no repair is made twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    StopLoss,
    TakeProfit,
)
from bot_v2.orchestration.execution.events import EventKind
from bot_v2.orchestration.execution.settings import (
    ExitPolicy,
)
from bot_v2.orchestration.journal.records import IntentKind
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.journal.upkeep import check_integrity, prune
from tests.unit.orchestration.execution.mistreatments import (
    MENDING,
    drop,
    fill_both,
    grow,
)
from tests.unit.orchestration.execution.watch_desk import (
    GRACE_S,
    QUANTITY,
    SYMBOL,
    WatchDesk,
    buy,
)


def test_recovery_takes_the_watch_up_and_sends_nothing() -> None:
    """A new process tells the alarm; what it does about it waits for the bot's first reconcile."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    drop(desk)
    desk.look()
    desk.start()
    desk.pass_time(GRACE_S)
    report = desk.executor.recover()
    assert len(report.alarms) == 1
    assert len(desk.alarms) == 1
    assert desk.sent == []
    assert len(desk.live) == 1
    desk.look()
    assert len(desk.alarms) == 1
    assert desk.position == 0


def test_a_repair_that_is_not_shown_yet_is_not_repeated() -> None:
    """The next process knows of the close that was sent, though no read shows it yet."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    slow = attrs.evolve(desk.broker.idempotency, visibility_lag_s=30.0)
    desk.broker.idempotency = slow  # type: ignore[misc]  # another kind of broker
    desk.start()
    drop(desk)
    desk.bad.stale_position = desk.broker.get_position(SYMBOL)
    for _ in range(4):
        desk.look(30.0)
    assert (len(desk.sent), desk.position) == (1, D(0))
    desk.bad.hidden.add("o-000003")
    desk.start()
    desk.executor.recover()
    for _ in range(2):
        desk.look(14.0)
    desk.bad.hidden.clear()
    desk.bad.stale_position = None
    desk.confirm()
    assert (len(desk.sent), desk.position) == (1, D(0))


def test_an_alarm_is_not_told_again_after_a_restart() -> None:
    """That it was told is in the journal, and it still stands in the reports and results."""
    desk = WatchDesk()
    request = buy(
        "30",
        client_order_id="one",
        take_profit=TakeProfit(price=D(120)),
        stop_loss=StopLoss(stop_price=D(80)),
    )
    drop(desk)
    desk.confirm()
    desk.start()
    assert len(desk.executor.recover().alarms) == 1
    assert len(desk.alarms) == 1
    again = desk.executor.submit(request)
    assert again.success
    assert again.message.endswith("; ALARM: stop_missing")
    other = desk.executor.submit(attrs.evolve(request, client_order_id="two"))
    assert "ALARM" not in other.message


@pytest.mark.parametrize("policy", MENDING)
@pytest.mark.parametrize("mistreat", [drop, fill_both, grow])
def test_a_crash_at_any_step_loses_no_watch_and_repeats_no_repair(
    mistreat: Callable[[WatchDesk], None], policy: ExitPolicy
) -> None:
    """Wherever the process dies, the next one tells the alarm, and there is one repair."""
    crashes = 0
    for step in range(1, 200):
        if not crash_at(step, mistreat, policy):
            break
        crashes += 1
    assert crashes > 30


def crash_at(step: int, mistreat: Callable[[WatchDesk], None], policy: ExitPolicy) -> bool:
    """Let the process die at a step, go on with another, and check what came of it."""
    desk = WatchDesk(policy)
    desk.world._crashes = frozenset({step})

    def work() -> None:
        mistreat(desk)
        desk.confirm()

    has_died = desk.world.run([work])
    desk.world.run([lambda: go_on(desk)])
    if desk.executor.find("one") is None:
        # It died before the entry was journalled, and the bot did not submit it again.
        assert desk.sent == []
        return has_died
    check_mended(desk, f"step {step}: {desk.world.trace[step - 1] if has_died else 'no crash'}")
    return has_died


def go_on(desk: WatchDesk) -> None:
    """Be the next process."""
    desk.start()
    desk.executor.recover()
    desk.confirm(6)


def check_mended(desk: WatchDesk, when: str) -> None:
    """Nothing is unprotected, and nothing was sent that nobody asked for."""
    placed = [each for each in desk.venue.orders_received() if each.client_order_id != "one"]
    ours = {each.client_order_id for each in desk.sent}
    repairs = [each for each in placed if each.client_order_id in ours]
    assert len(repairs) <= 1, when
    if desk.bad.drops_stop and any(each.client_order_id == "one" for each in desk.bad.placed):
        assert desk.alarms, when
    position = desk.position
    stops = [each for each in desk.live if each.stop_price is not None]
    covered = sum((each.remaining_quantity or D(0) for each in stops), D(0))
    assert position == covered, when
    assert all((each.remaining_quantity or D(0)) <= position for each in desk.live), when
    for name in ours:
        assert desk.executor.find(name or "") is not None, when


def test_what_is_watched_survives_in_a_database(tmp_path: Path) -> None:
    """SQLite keeps the watch, its alarm and its repair; retention spares it while it is on."""
    url = f"sqlite:///{tmp_path}/orders.sqlite"
    journal = SqlJournal(url)
    desk = WatchDesk(ExitPolicy.REPLACE_STOP, journal=journal)
    drop(desk)
    desk.confirm()
    assert len(desk.sent) == 1
    assert check_integrity(journal) == []
    journal.close()
    desk.journal = SqlJournal(url)
    desk.start()
    desk.executor.recover()
    assert prune(desk.journal, desk.world.now + timedelta(days=365)) == 1, "the cancel alone"
    desk.confirm()
    assert len(desk.alarms) == len(desk.sent) == 1
    desk.venue.fill(desk.live[0].order_id, QUANTITY, D(79))
    desk.confirm()
    assert not desk.is_watched()
    assert check_integrity(desk.journal) == []
    assert prune(desk.journal, desk.world.now + timedelta(days=365)) == 4
    desk.journal.close()


def test_without_a_journal_nothing_is_sent() -> None:
    """A full disk: the alarm is told, the repair waits until it can be written down."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    drop(desk)
    desk.look()
    desk.disk.is_full = True
    desk.confirm()
    assert len(desk.alarms) == 1
    assert desk.sent == []
    assert EventKind.JOURNAL_FAILED in desk.kinds
    desk.disk.is_full = False
    desk.confirm()
    assert len(desk.alarms) == 1
    assert desk.position == 0


def test_an_entry_whose_watch_cannot_be_written_stays_open() -> None:
    """No entry ends in the journal before it is watched."""
    desk = WatchDesk()
    desk.bad.drops_stop = True
    real = desk.disk.open_intent

    def fail_watches(intent: Any) -> Any:
        desk.disk.is_full = intent.kind is IntentKind.WATCH
        return real(intent)

    desk.disk.open_intent = fail_watches  # type: ignore[method-assign]  # the disk fills up
    desk.enter()
    assert not desk.is_watched()
    state = desk.executor.find("one")
    assert state is not None
    assert state.is_unsettled
    desk.disk.is_full = False
    del desk.disk.open_intent
    desk.confirm()
    assert len(desk.alarms) == 1


def test_a_clock_that_is_set_proves_nothing() -> None:
    """What is waited for is time that passes, within a process and after it."""
    desk = WatchDesk(ExitPolicy.CLOSE_POSITION)
    drop(desk)
    desk.look()
    real = desk.world.clock
    desk.world.clock = lambda: real() + timedelta(hours=1)  # type: ignore[method-assign]  # it is set
    desk.look()
    desk.look(GRACE_S - 0.1)
    assert desk.alarms == []
    desk.world.clock = lambda: real() - timedelta(hours=1)  # type: ignore[method-assign]  # it is set back
    desk.start()
    desk.executor.recover()
    report = desk.look(GRACE_S - 0.1)
    assert (desk.alarms, report.look_again_at) == ([], desk.world.clock() + timedelta(seconds=0.1))
    desk.look(0.1)
    assert len(desk.alarms) == 1
