"""Runs cards in this process, without pytest: one fresh brokerage for each."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any, Protocol

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import capabilities_of
from bot_v2.testing.cards import Card, check_exemptions, chosen_cards
from bot_v2.testing.conformance import CardResult, Status
from bot_v2.testing.context import CheckContext
from bot_v2.testing.live_guard import Mode, check_environment
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.venue_control import VenueControl
from bot_v2.testing.violation import ContractViolation, NotApplicable, shown


class Run(Protocol):
    """Runs one card; see `run_card`."""

    def __call__(self, card: Card, context: CheckContext, *, clean_up: bool) -> CardResult:
        """Run it."""
        ...


def why_not(card: Card, broker: object, venue: VenueControl | None) -> str | None:
    """Return why a card does not apply to a brokerage. None: it does."""
    missing = card.capabilities - capabilities_of(broker)
    if missing:
        return f"not declared: {', '.join(sorted(missing))}"
    if venue is None:
        return "needs a simulated venue" if card.needs_venue else None
    if card.needs_wire and not venue.has_wire:
        return "needs a venue with a wire: this one runs in the adapter's process"
    uncommitted = card.faults - venue.faults
    if uncommitted:
        return f"the venue cannot commit {', '.join(sorted(uncommitted))}"
    return None


def run_card(card: Card, context: CheckContext, *, clean_up: bool = True) -> CardResult:
    """Run one card, whatever the brokerage does.

    Args:
        card: the card.
        context: the brokerage, fresh or as the last card left it.
        clean_up: False: the brokerage is thrown away after the card.
    """
    start = time.perf_counter()
    status, reason = Status.PASSED, ""
    error: BaseException | None = None
    try:
        not_here = why_not(card, context.broker, context.venue if context.has_venue else None)
        if not_here is not None:
            raise NotApplicable(not_here)
        if card.connected:
            context.broker.connect()
        else:
            context.broker.disconnect()
        card.check(context)
    except NotApplicable as refusal:
        status, reason = Status.SKIPPED, str(refusal)
    except ContractViolation as violation:
        status, reason, error = Status.FAILED, str(violation), violation
    except Exception as raised:  # noqa: BLE001 - whatever a brokerage raises here breaks the contract
        status, reason, error = Status.FAILED, f"Unexpected {shown(raised)}", raised
    finally:
        context.close_others()
        if clean_up:
            context.clean_up()
    return CardResult(
        card_id=card.id,
        status=status,
        reason=reason,
        seconds=time.perf_counter() - start,
        error=error,
    )


def _takes(factory: Callable[..., object], name: str) -> bool:
    try:
        return name in inspect.signature(factory).parameters
    except ValueError:
        return False


def _enter(stack: ExitStack, made: Any) -> Any:
    # A brokerage that is itself a context manager may connect on entering: the guard comes first.
    if isinstance(made, AbstractContextManager) and not hasattr(made, "place_order"):
        return stack.enter_context(made)
    close = getattr(made, "close", None)
    if callable(close):
        stack.callback(close)
    return made


class Stand:
    """Builds a brokerage and its venue for each card.

    Args:
        brokerage_factory: makes a brokerage; given the venue where it has a parameter `venue`.
        venue_factory: makes its venue; given the brokerage where it has a parameter `brokerage`
            or `broker`.
            Both may return a context manager, or something with a `close`. None: no venue.
        profile: what is known of the brokerage. None: what it says in `contract_profile`.
        reopen_factory: makes a second session of the account, given the first brokerage. None:
            the brokerage's factory does, where it is given the venue.
        mode: what the brokerage is checked against.
    """

    def __init__(
        self,
        brokerage_factory: Callable[..., Any],
        venue_factory: Callable[..., Any] | None = None,
        *,
        profile: ContractProfile | None = None,
        reopen_factory: Callable[[IBrokerage], IBrokerage] | None = None,
        mode: Mode = Mode.SIMULATOR,
    ) -> None:
        """Take the factories; nothing is built yet."""
        self._make_brokerage = brokerage_factory
        self._make_venue = venue_factory
        self._profile = profile
        self._make_second = reopen_factory
        self.mode = mode
        """What the brokerage is checked against."""

    @contextmanager
    def built(self) -> Iterator[CheckContext]:
        """Build a brokerage and its venue; both are closed afterwards.

        Raises:
            EnvironmentRefusedError: the brokerage may trade real money.
        """
        with ExitStack() as stack:
            broker: IBrokerage
            venue: VenueControl | None = None
            if self._make_venue is not None and self._venue_comes_second():
                broker = _enter(stack, self._make_brokerage())
                venue = _enter(stack, self._make_venue(broker))
            else:
                venue = None if self._make_venue is None else _enter(stack, self._make_venue())
                broker = _enter(stack, self._brokerage(venue))
            check_environment(broker, self.mode, has_venue=venue is not None)
            stack.callback(_disconnect, broker)
            profile = self._profile or getattr(broker, "contract_profile", None)
            yield CheckContext(broker, venue, profile, self._reopener(broker, venue))

    def _venue_comes_second(self) -> bool:
        make = self._make_venue
        return make is not None and (_takes(make, "brokerage") or _takes(make, "broker"))

    def _brokerage(self, venue: VenueControl | None) -> Any:
        if venue is not None and _takes(self._make_brokerage, "venue"):
            return self._make_brokerage(venue=venue)
        return self._make_brokerage()

    def _reopener(
        self, broker: IBrokerage, venue: VenueControl | None
    ) -> Callable[[], IBrokerage] | None:
        second = self._make_second
        if second is not None:
            return lambda: second(broker)
        if venue is not None and _takes(self._make_brokerage, "venue"):
            made: Callable[[], IBrokerage] = lambda: self._brokerage(venue)  # noqa: E731
            return made
        return None


def _disconnect(broker: IBrokerage) -> None:
    # A brokerage under test may fail even at this, and that is not what its card was about.
    with suppress(Exception):
        broker.disconnect()


def run_cards(
    brokerage_factory: Callable[..., Any],
    venue_factory: Callable[..., Any] | None = None,
    only: Collection[str] | None = None,
    *,
    exemptions: Mapping[str, str] | None = None,
    profile: ContractProfile | None = None,
    reopen_factory: Callable[[IBrokerage], IBrokerage] | None = None,
    mode: Mode = Mode.SIMULATOR,
) -> list[CardResult]:
    """Run cards in this process, each on a brokerage of its own, in the order of the table.

    Args:
        brokerage_factory: see `Stand`.
        venue_factory: see `Stand`.
        only: the ids to run. None: all.
        exemptions: ids that are not run, with the reason of each.
        profile: see `Stand`.
        reopen_factory: see `Stand`.
        mode: what the brokerage is checked against.

    Raises:
        ValueError: an id is unknown, or an exemption has no reason.
        EnvironmentRefusedError: the brokerage may trade real money.
    """
    exempt = dict(exemptions or {})
    check_exemptions(exempt)
    stand = Stand(
        brokerage_factory,
        venue_factory,
        profile=profile,
        reopen_factory=reopen_factory,
        mode=mode,
    )
    return run_all(stand, exempt, run_card, only)


def run_all(
    stand: Stand,
    exemptions: Mapping[str, str],
    run: Run,
    only: Collection[str] | None = None,
) -> list[CardResult]:
    """Run cards on a stand, each on a brokerage of its own, in the order of the table.

    Args:
        stand: builds the brokerage.
        exemptions: ids that are not run, with the reason of each.
        run: runs one card.
        only: the ids to run. None: all.

    Raises:
        ValueError: an id is unknown.
        EnvironmentRefusedError: the brokerage may trade real money.
    """
    results = []
    for card in chosen_cards(only):
        if card.id in exemptions:
            reason = exemptions[card.id]
            results.append(CardResult(card_id=card.id, status=Status.EXEMPT, reason=reason))
            continue
        with stand.built() as context:
            results.append(run(card, context, clean_up=stand.mode is not Mode.SIMULATOR))
    return results
