"""A process that submits orders at full speed until it is killed, or kills itself at a step."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any, Final

import attrs
from sqlalchemy import Engine, event

from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.records import Entry, Intent, IntentState
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.order_executor import OrderExecutor
from tests.integration.orchestration.far_account import Address, FarBrokerage

SETTINGS: Final = ExecutorSettings(probe_delays_s=(0.005, 0.02, 0.1, 0.5))
BOTS: Final = 4
"""How many threads submit side by side."""


class Step(StrEnum):
    """Where a process dies."""

    ANY = "any"
    """Killed from outside, whatever it is at."""
    INTENT_AHEAD = "before an intent is written"
    INTENT_WRITTEN = "when an intent is written, and not committed"
    INTENT_COMMITTED = "when an intent is committed, and nothing is sent"
    REACHED = "when an order has reached the broker, which places it all the same"
    PLACED = "when an order is placed, and not answered"
    ANSWERED = "when an order is answered, and that is not written"
    OUTCOME_WRITTEN = "when an outcome is written, and not committed"
    OUTCOME_COMMITTED = "when an outcome is committed, and the bot not told"


AT_THE_BROKER: Final = {Step.REACHED: "reached", Step.PLACED: "placed"}
"""The steps that only the broker sees."""


@attrs.frozen(kw_only=True)
class Life:
    """What a process does until it dies."""

    number: int
    """Which one it is, beginning with 1."""
    url: str
    """Its journal."""
    address: Address
    """Its account."""
    step: Step
    """Where it kills itself, if that is for it to do."""
    count: int
    """How often it gets there before it dies."""
    resumes: Sequence[int]
    """For each bot, the number of the last order that the life before was told of."""
    journal: type[SqlJournal]
    """What it writes intents down in."""


class Death:
    """Counts how often a step is reached; at the last, the process is killed.

    Args:
        life: where.
    """

    def __init__(self, life: Life) -> None:
        """Count from zero."""
        self._life = life
        self._counting = threading.Lock()
        self._count = 0
        self._within: dict[int, Step] = {}
        event.listen(Engine, "commit", self._commit)

    def pass_by(self, step: Step) -> None:
        """Die here, if it is time."""
        if step is not self._life.step:
            return
        with self._counting:
            self._count += 1
            if self._count >= self._life.count:
                os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    @contextmanager
    def writing(self, step: Step) -> Iterator[None]:
        """Say what is reached when this thread is about to commit."""
        thread = threading.get_ident()
        self._within[thread] = step
        try:
            yield
        finally:
            del self._within[thread]

    def _commit(self, connection: Any) -> None:
        step = self._within.get(threading.get_ident())
        if step is not None:
            self.pass_by(step)


class MortalJournal:
    """A journal at each of whose steps the process can die.

    Args:
        inner: the journal.
        death: when.
    """

    def __init__(self, inner: SqlJournal, death: Death) -> None:
        """Pass everything on."""
        self._inner = inner
        self._death = death

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open_intent(self, intent: Intent) -> IntentState | None:
        """Write an intent."""
        self._death.pass_by(Step.INTENT_AHEAD)
        with self._death.writing(Step.INTENT_WRITTEN):
            known = self._inner.open_intent(intent)
        self._death.pass_by(Step.INTENT_COMMITTED)
        return known

    def append(self, intent_id: str, entry: Entry) -> IntentState:
        """Write an entry."""
        self._death.pass_by(Step.ANSWERED)
        with self._death.writing(Step.OUTCOME_WRITTEN):
            state = self._inner.append(intent_id, entry)
        self._death.pass_by(Step.OUTCOME_COMMITTED)
        return state


def request_of(life: int, bot: int, number: int) -> OrderRequest:
    """Return what a bot asks for: always the same under the same id."""
    return OrderRequest(
        symbol="BTC-USD",
        side=OrderSide.BUY if number % 2 else OrderSide.SELL,
        quantity=Decimal("0.001"),
        client_order_id=id_of(life, bot, number),
    )


def id_of(life: int, bot: int, number: int) -> str:
    """Return the id of a bot's order."""
    return f"life{life}bot{bot}n{number}"


def live(life: Life) -> None:
    """Recover, take up again what the life before was at, and submit without end."""
    logging.disable()
    death = Death(life)
    broker = FarBrokerage(life.address)
    journal: Any = MortalJournal(life.journal(life.url), death)
    executor = OrderExecutor(broker, journal, settings=SETTINGS)
    broker.ask("say_found_out", len(executor.recover().settled))
    bots = [
        threading.Thread(target=partial(_trade, executor, broker, life, bot)) for bot in range(BOTS)
    ]
    for bot in bots:
        bot.start()
    for bot in bots:
        bot.join()


def _trade(executor: OrderExecutor, broker: FarBrokerage, life: Life, bot: int) -> None:
    def submit(number_of_life: int, number: int) -> None:
        request = request_of(number_of_life, bot, number)
        result: OrderResult = executor.submit(request)
        broker.ask("tell", request.client_order_id, attrs.evolve(result, order=None))

    if life.resumes:
        # A bot does not know what became of the order that it was at: it submits it again.
        for number in range(max(life.resumes[bot], 1), life.resumes[bot] + 2):
            submit(life.number - 1, number)
    number = 0
    while True:
        number += 1
        submit(life.number, number)
