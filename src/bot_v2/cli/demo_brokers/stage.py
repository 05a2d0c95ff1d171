"""Three simulated brokers on this machine, and what a bot has of them: adapters, executors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from bot_v2.features.brokerages.core.declarations import Environment, environment_of
from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidRequestError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderType
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.orchestration.execution.events import EventKind, ExecutionEvent
from bot_v2.orchestration.execution.settings import ExecutorSettings
from bot_v2.orchestration.order_executor import OrderExecutor
from bot_v2.orchestration.registry import REGISTRY
from bot_v2.venues.catalogue import needing_venues, open_venue

_T = TypeVar("_T")

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage
    from bot_v2.orchestration.journal.sql_journal import SqlJournal
    from bot_v2.venues.catalogue import OpenVenue
    from bot_v2.venues.venue import Venue

TIMEOUT_S: Final = 3
"""How long the adapters wait for an answer, in seconds: what a lost one costs here."""

PATIENCE_S: Final = 30.0
"""How long the demonstration waits for what has to happen, in seconds."""

LOOK_S: Final = 0.05
"""How often it looks meanwhile, in seconds."""

EXECUTION: Final = ExecutorSettings(
    probe_delays_s=(0.2, 0.5, 0.8), resolve_timeout_s=PATIENCE_S, retry_delay_s=0.2
)
"""How the executors look for an outcome: as always, but for shorter waits."""


@attrs.frozen(kw_only=True)
class Part:
    """Which broker, and how it is simulated."""

    broker: str
    """The adapter's name."""
    venue: str
    """The simulator's name."""
    seed: int
    """What its keys and ids are drawn from."""
    settings: Mapping[str, object]
    """What the adapter is told beside the addresses."""


PARTS: Final = (
    Part(broker="coinbase", venue="coinbase", seed=7, settings={"timeout_s": TIMEOUT_S}),
    Part(broker="alpaca", venue="alpaca", seed=8, settings={"timeout_s": TIMEOUT_S}),
    Part(
        broker="ibkr",
        venue="tws",
        seed=9,
        settings={
            # Its answer is lost by the reset, not by waiting for it.
            "timeout_s": PATIENCE_S,
            "environment": Environment.SIMULATOR.value,
        },
    ),
)
"""The three of them."""


@attrs.frozen(kw_only=True)
class Seat:
    """One broker, from both ends."""

    name: str
    """The adapter's name."""
    venue: Venue
    """The simulator: what really happened is asked of it."""
    environment: Mapping[str, str]
    """What the simulator says that a client has to know."""
    broker: IBrokerage
    """The adapter, connected."""
    executor: OrderExecutor
    """What the bot sends its orders through."""
    certificate_file: Path
    """What a client has to trust that speaks nothing but TLS."""

    def received(self, client_order_id: str) -> int:
        """Return how many orders the simulator took under an id."""
        orders = self.venue.orders_received()
        return sum(one.client_order_id == client_order_id for one in orders)

    def settled(self, result: OrderResult) -> Order | None:
        """Return an order once a market order has ended; None: there is none."""
        if result.order_id is None:
            return None
        order_id = result.order_id

        def is_settled() -> Order | None:
            order = self.broker.get_order(order_id)
            waits = order.type is OrderType.MARKET and order.status in LIVE_STATUSES
            return None if waits else order

        return wait_for(is_settled) or self.broker.get_order(order_id)


@attrs.define
class Ear:
    """Hears what an executor tells, and lets somebody wait for it. Safe between threads."""

    tell: Callable[[ExecutionEvent], None]
    """Passes each event on."""
    _heard: list[tuple[EventKind, str | None]] = attrs.field(factory=list)
    _condition: threading.Condition = attrs.field(factory=threading.Condition)

    def hear(self, event: ExecutionEvent) -> None:
        """Take in an event."""
        self.tell(event)
        with self._condition:
            self._heard.append((event.kind, event.client_order_id))
            self._condition.notify_all()

    def wait_until(self, kind: EventKind, client_order_id: str) -> bool:
        """Wait for an event; False: it did not come in time."""
        with self._condition:
            return self._condition.wait_for(
                lambda: (kind, client_order_id) in self._heard, PATIENCE_S
            )


@attrs.frozen(kw_only=True)
class Stage:
    """All of it."""

    seats: Mapping[str, Seat]
    """The brokers by name."""
    ears: Mapping[str, Ear]
    """What hears the executor of each."""
    journal_file: Path
    """Where the order journal is."""
    placed: dict[str, list[str]] = attrs.field(factory=dict)
    """The client order ids that were submitted, by broker, oldest first."""

    def submit(self, name: str, request: OrderRequest) -> OrderResult:
        """Submit an order through the broker's executor."""
        self.placed.setdefault(name, []).append(request.client_order_id or "")
        return self.seats[name].executor.submit(request)


@contextmanager
def open_stage(folder: Path, tell: Callable[[str, ExecutionEvent], None]) -> Iterator[Stage]:
    """Start the simulators, connect the adapters, open the journal; close all of it in the end.

    Args:
        folder: where the journal and a throw-away certificate are put.
        tell: is told what the executor of each broker does.

    Raises:
        MissingDependencyError: an SDK, or what the simulators need, is not installed.
        BrokerageError: an adapter cannot connect.
    """
    with needing_venues():
        from bot_v2.venues.certificates import throwaway_tls

        tls = throwaway_tls(folder)
    # What the executors and the clients warn of is what the demonstration tells.
    logging.getLogger("bot_v2").addHandler(logging.NullHandler())
    file = folder / "orders.sqlite"
    with ExitStack() as closing:
        journal = open_order_journal(file)
        closing.callback(journal.close)
        seats: dict[str, Seat] = {}
        ears: dict[str, Ear] = {}
        for part in PARTS:
            opened = open_venue(part.venue, part.seed)
            is_web = opened.venue.url.startswith("http")
            opened.venue.start(tls=tls.context if is_web else None)
            closing.callback(opened.venue.close)
            broker = _connect(part, opened)
            closing.callback(_disconnect, broker)
            ears[part.broker] = Ear(lambda event, name=part.broker: tell(name, event))  # type: ignore[misc]  # the name is this part's
            seats[part.broker] = Seat(
                name=part.broker,
                venue=opened.venue,
                environment=dict(opened.environment()),
                broker=broker,
                executor=OrderExecutor(
                    broker, journal, settings=EXECUTION, on_event=ears[part.broker].hear
                ),
                certificate_file=tls.certificate_file,
            )
        yield Stage(seats=seats, ears=ears, journal_file=file)


def open_order_journal(file: Path) -> SqlJournal:
    """Open the order journal in a file.

    Raises:
        MissingDependencyError: the extra `journal` is not installed.
    """
    from bot_v2.orchestration.journal.sql_journal import SqlJournal

    return SqlJournal(f"sqlite:///{file}")


def _connect(part: Part, opened: OpenVenue) -> IBrokerage:
    """Make the adapter as `create_brokerage` does, but for nobody's environment, and connect it."""
    broker = REGISTRY.create(part.broker, part.settings, opened.environment())
    found = environment_of(broker)
    if found is not Environment.SIMULATOR:
        raise InvalidRequestError(
            f"{part.broker} would talk to {found.value}: the demonstration trades simulators only"
        )
    broker.connect()
    return broker


def _disconnect(broker: IBrokerage) -> None:
    with suppress(BrokerageError):
        broker.disconnect()


def wait_for(look: Callable[[], _T | None]) -> _T | None:
    """Look until something is there; None: it is not in time."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S / LOOK_S)):
        found = look()
        if found is not None:
            return found
        pause.wait(LOOK_S)
    return None
