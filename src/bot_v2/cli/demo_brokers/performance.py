"""The demonstration with three brokers, from the first curtain to the last check."""

from __future__ import annotations

import tempfile
import time
from contextlib import closing
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import attrs

from bot_v2.cli.demo_brokers import checks as proofs
from bot_v2.cli.demo_brokers.portfolio import Portfolio, read_portfolio, show_whole
from bot_v2.cli.demo_brokers.stage import Stage, open_order_journal, open_stage
from bot_v2.cli.demo_brokers.story import CURRENCY, Story
from bot_v2.cli.demo_brokers.telling import Teller, plain
from bot_v2.cli.demo_brokers.witnesses import WITNESSES
from bot_v2.cli.reconciliation import Check
from bot_v2.features.brokerages.core.declarations import environment_of
from bot_v2.features.brokerages.core.errors import MissingDependencyError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.execution.events import ExecutionEvent

NEEDED: Final = {
    "journal": "sqlalchemy",
    "venues": "starlette",
    "coinbase": "coinbase",
    "alpaca": "alpaca",
    "ibkr": "ib_async",
}
"""The extras that it needs, and a package that each brings."""


@attrs.frozen(kw_only=True)
class BrokersReport:
    """How a demonstration went; the keys of its JSON."""

    orders: dict[str, tuple[Order, ...]]
    """All orders by broker, oldest first."""
    fills: dict[str, tuple[Fill, ...]]
    """All executions by broker, oldest first."""
    missing_meanwhile: tuple[str, ...]
    """The brokers that were missing from the portfolio while one was down."""
    portfolio: Portfolio
    """What the accounts hold at the end."""
    checks: tuple[Check, ...]
    """What had to be so."""
    reconciled: bool
    """True: all of it is."""
    took_s: float
    """How long it took, in seconds."""


class _Late:
    """Passes events on to a story that is made after the stage is."""

    def __init__(self) -> None:
        self.story: Story | None = None

    def tell(self, name: str, event: ExecutionEvent) -> None:
        if self.story is not None:
            self.story.tell_event(name, event)


def perform(*, is_short: bool, is_silent: bool) -> BrokersReport:
    """Play it, and return how it went.

    Args:
        is_short: leave out the scenes that take long.
        is_silent: tell nothing; the report is all.

    Raises:
        MissingDependencyError: an SDK, or what the simulators need, is not installed.
        BrokerageError: something failed that was not made to fail.
    """
    _require_packages()
    started = time.perf_counter()
    teller, late = Teller(is_silent=is_silent), _Late()
    teller.title(
        "three brokers, one desk",
        "simulators here; adapters, SDKs, executor and journal are the real ones",
    )
    # On Windows what a process has open cannot be removed, and the folder is of no use any more.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with open_stage(Path(folder), late.tell) as stage:
            late.story = story = Story(stage, teller)
            start = _introduce(stage, teller)
            story.run(is_short=is_short)
            report = _conclude(stage, story, start, started)
            placed = sum(len(ids) for ids in stage.placed.values())
        reopened = _journal_is_whole(stage.journal_file, placed)
    _show_checks(teller, found := (*report.checks, reopened))
    whole = attrs.evolve(
        report,
        checks=found,
        reconciled=all(one.holds for one in found),
        took_s=round(time.perf_counter() - started, 1),
    )
    verdict = "everything adds up" if whole.reconciled else "IT DOES NOT ADD UP"
    teller.text(f"{verdict}, in {whole.took_s} s", "green" if whole.reconciled else "red")
    return whole


def _require_packages() -> None:
    """Say at once all that is to be installed, and not one thing after the other.

    Raises:
        MissingDependencyError: something is.
    """
    missing = [extra for extra, package in NEEDED.items() if find_spec(package) is None]
    if missing:
        extras = ",".join(missing)
        raise MissingDependencyError(
            f"the demonstration with three brokers needs more: pip install 'bot-v2[{extras}]'",
            extra=extras,
        )


def _introduce(stage: Stage, teller: Teller) -> dict[str, Decimal]:
    """Tell who is there, and return the cash that each begins with."""
    start = {}
    for name, seat in stage.seats.items():
        # What an earlier process left would be found out first.
        seat.executor.recover()
        start[name] = seat.broker.get_balance(CURRENCY).total
        environment = environment_of(seat.broker).value
        account = seat.broker.get_account_id()
        teller.line(
            name, f"connected: {environment}, account {account}, {plain(start[name])} {CURRENCY}"
        )
    return start


def _conclude(
    stage: Stage, story: Story, start: dict[str, Decimal], started: float
) -> BrokersReport:
    teller = story.teller
    teller.scene("what the vendors' own SDKs see of the same accounts")
    witnessed = proofs.witnesses_agree(stage)
    for name, check in zip(stage.seats, witnessed, strict=True):
        witness = WITNESSES[name]
        count = check.found.partition(":")[0]
        same = "the same" if check.holds else f"OTHERS: {check.found}, not {check.expected}"
        teller.line(name, f"{witness.client} of {witness.sdk}: {count}, {same}")
    agreed = proofs.nothing_is_open(stage)
    teller.scene("the desk")
    portfolio = read_portfolio({name: seat.broker for name, seat in stage.seats.items()})
    show_whole(teller, portfolio, CURRENCY)
    checks = (
        *story.checks,
        *proofs.each_once(stage),
        *witnessed,
        *agreed,
        *proofs.money_adds_up(stage, start),
        Check(
            claim="every account answers in the end",
            expected="missing: none",
            found=f"missing: {', '.join(portfolio.missing) or 'none'}",
        ),
    )
    return BrokersReport(
        orders={
            name: tuple(reversed(seat.broker.list_orders())) for name, seat in stage.seats.items()
        },
        fills={name: tuple(proofs.list_fills(seat)) for name, seat in stage.seats.items()},
        missing_meanwhile=story.missed,
        portfolio=portfolio,
        checks=checks,
        reconciled=False,
        took_s=time.perf_counter() - started,
    )


def _journal_is_whole(file: Path, placed: int) -> Check:
    """Open the journal anew, as the next process would, and look whether it is whole."""
    from bot_v2.orchestration.journal.upkeep import check_integrity, count_records

    with closing(open_order_journal(file)) as journal:
        wrong = check_integrity(journal)
        intents = count_records(journal).intents
    return Check(
        claim="the journal, opened anew, is whole, and has each order once",
        expected=f"whole, {placed} orders",
        found=f"{'; '.join(wrong) or 'whole'}, {intents} orders",
    )


def _show_checks(teller: Teller, checks: tuple[Check, ...]) -> None:
    teller.scene("reconciliation")
    for check in checks:
        teller.text(f"  {check.verdict()}", "" if check.holds else "red")
