"""Builds the desk of `brokers.json`: its brokers, limits and routes, over one journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.orchestration.configuration.files import load_settings
from bot_v2.orchestration.configuration.model import DeskSettings as BrokersFile
from bot_v2.orchestration.configuration.model import RiskSettings, RouteSettings
from bot_v2.orchestration.configuration.named_brokerage import create_named_brokerage
from bot_v2.orchestration.configuration.overrides import choose
from bot_v2.orchestration.credentials.vault import Vault
from bot_v2.orchestration.desk.executors import Trading
from bot_v2.orchestration.desk.routing import Route
from bot_v2.orchestration.desk.saga_store import sagas_beside
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.journal.journal import OrderJournal
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from bot_v2.orchestration.risk.desk import RiskDesk
from bot_v2.orchestration.risk.gate import LimitGate
from bot_v2.orchestration.risk.kill_switch import KillSwitch
from bot_v2.orchestration.risk.limits import RiskLimits
from bot_v2.orchestration.risk.sql_store import SqlReservations
from bot_v2.orchestration.risk.store import MemoryReservations, ReservationStore

_SQLITE: Final = "sqlite:///"
_IN_MEMORY: Final = ("sqlite://", "sqlite:///:memory:")

_LIMIT_OF: Final[dict[str, str]] = {
    # a risk setting, a fraction of equity: the limit that is one
    "max_order_value": "max_order_size",
    "min_cash_balance": "min_cash_share",
}


@attrs.frozen(kw_only=True)
class OpenedDesk:
    """A desk that was built, and the brokers that could not be."""

    manager: MultiBrokerManager
    """The desk; close it, and what it opened is closed."""
    failed: Mapping[str, BrokerageError]
    """The brokers that are not in it, by their names, and why."""


def limits_of(risk: RiskSettings) -> RiskLimits:
    """Return the limits that risk settings say; their fractions stay fractions of equity."""
    given = attrs.asdict(risk, recurse=False)
    return RiskLimits(**{_LIMIT_OF.get(name, name): value for name, value in given.items()})


def route_of(rule: RouteSettings) -> Route:
    """Return a rule of the routing table."""
    markets, needed = rule.market_types, rule.capabilities
    return Route(
        broker=rule.broker,
        symbols=rule.symbols,
        market_types=None if markets is None else tuple(MarketType(one) for one in markets),
        capabilities=None if needed is None else tuple(Capability(one) for one in needed),
    )


def open_desk(
    journal: str | None,
    *,
    brokers: Iterable[str] | None = None,
    file: BrokersFile | None = None,
    vault: Vault | None = None,
    environ: Mapping[str, str] | None = None,
    settings: DeskSettings | None = None,
    executor: ExecutorSettings | None = None,
    kill_switch: KillSwitch | None = None,
    make: Callable[[str], IBrokerage] | None = None,
) -> OpenedDesk:
    """Build the desk of `brokers.json`; nothing is connected yet.

    Args:
        journal: the URL of the journal of all its accounts, `sqlite:///path` or `postgresql://…`;
            what is reserved is kept beside it. None: a desk that reads alone.
        brokers: which brokers, by their names. None: all.
        file: what the file says. None: it is read.
        vault: has the credentials. None: the one that settings and environment describe.
        environ: the environment. None: that of this process.
        settings: how brokers are read and watched. None: the defaults.
        executor: how to retry, and how long to look. None: as the environment says.
        kill_switch: stops new risk. None: the one that the command line turns.
        make: makes a broker by its name. None: as its entry says.

    Raises:
        InvalidRequestError: there is no such broker, or the file is not there, or wrong.
        OrderJournalError: the journal cannot be opened, or is in use.
        MissingDependencyError: a package for it is not installed.
    """
    known: Mapping[str, str] = os.environ if environ is None else environ
    read = load_settings(known) if file is None else file
    named = [
        choose(read, name, known).name for name in (read.brokers if brokers is None else brokers)
    ]
    build = make or partial(_make, desk=read, vault=vault, environ=known)
    made: dict[str, IBrokerage] = {}
    failed: dict[str, BrokerageError] = {}
    for name in dict.fromkeys(named):
        try:
            made[name] = build(name)
        except BrokerageError as error:
            failed[name] = error
    trading = None if journal is None else _trading(journal, read, executor, kill_switch, made)
    manager = MultiBrokerManager(settings, trading=trading)
    default = None if read.default_broker is None else choose(read, read.default_broker, known).name
    for name, broker in made.items():
        manager.add(name, broker, weight=read.brokers[name].weight, is_default=name == default)
    return OpenedDesk(manager=manager, failed=failed)


def _make(
    name: str, *, desk: BrokersFile, vault: Vault | None, environ: Mapping[str, str]
) -> IBrokerage:
    return create_named_brokerage(name, desk=desk, vault=vault, environ=environ)


def _trading(
    url: str,
    read: BrokersFile,
    executor: ExecutorSettings | None,
    kill_switch: KillSwitch | None,
    made: Mapping[str, IBrokerage],
) -> Trading:
    with ExitStack() as opened:
        journal = SqlJournal(url)
        opened.callback(journal.close)
        store = _reservations(url)
        opened.callback(store.close)
        risk = RiskDesk(store, limits_of(read.risk))
        limits = {name: limits_of(read.brokers[name].risk) for name in made}

        def gate_of(name: str, broker: IBrokerage) -> LimitGate:
            return LimitGate(broker, journal, risk, limits[name], kill_switch=kill_switch)

        kept: OrderJournal = journal
        return Trading(
            journal=kept,
            sagas=sagas_beside(journal),
            gate_of=gate_of,
            executor=executor,
            routes=tuple(route_of(rule) for rule in read.routing if rule.broker in made),
            on_close=opened.pop_all().close,
        )


def _reservations(url: str) -> ReservationStore:
    """Return what is reserved: in a file beside a journal that is a file, else where that is."""
    if url in _IN_MEMORY:
        return MemoryReservations()
    if url.startswith(_SQLITE):
        path = Path(url.removeprefix(_SQLITE))
        return SqlReservations(f"{_SQLITE}{path.with_suffix('.risk.sqlite')}")
    return SqlReservations(url)
