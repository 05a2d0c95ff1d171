"""Running cards in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.declarations import Environment
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.factory import create_paper
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import all_cards
from bot_v2.testing.conformance import Status
from bot_v2.testing.live_guard import EnvironmentRefusedError
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.runner import Stand, run_card, run_cards, why_not
from tests.unit.testing.hollow import HollowVenue

PAPER: dict[str, Any] = {}


def paper() -> PaperBrokerage:
    """A paper account."""
    made = create_paper(PAPER, {})
    assert isinstance(made, PaperBrokerage)
    return made


def test_a_kept_sentence_passes() -> None:
    """The result has the card's id, no reason, and how long it took."""
    (result,) = run_cards(paper, PaperVenue, {"BC-S010"})
    assert (result.card_id, result.status, result.reason) == ("BC-S010", Status.PASSED, "")
    assert result.seconds > 0


class Untrue(PaperBrokerage):
    """Breaks one sentence."""

    def connect(self) -> bool:
        """Return what merely counts as true."""
        return super().connect() and 1  # type: ignore[return-value]  # this is what is broken


def test_a_broken_sentence_fails_with_what_was_seen() -> None:
    """The reason says what was expected and what was seen, and the error is kept."""
    (result,) = run_cards(Untrue, only={"BC-S010"})
    assert result.status is Status.FAILED
    assert result.reason == "Expected True from connect(); saw 1."
    assert isinstance(result.error, AssertionError)


class Leaky(PaperBrokerage):
    """Lets a foreign error out."""

    def connect(self) -> bool:
        """Fail as no brokerage may."""
        raise KeyError("session")


def test_an_error_that_nobody_expected_fails_the_card() -> None:
    """Whatever a brokerage raises is its own fault, and is shown."""
    (result,) = run_cards(Leaky, only={"BC-A010"})
    assert result.status is Status.FAILED
    assert result.reason == "Unexpected KeyError: 'session'"


def test_results_come_in_the_order_of_the_table() -> None:
    """However the ids were given."""
    results = run_cards(paper, PaperVenue, ["BC-W010", "BC-C010", "BC-D010"])
    assert [result.card_id for result in results] == ["BC-D010", "BC-C010", "BC-W010"]


def test_an_exempt_card_is_not_run() -> None:
    """Its reason is that of the exemption, although the card would fail."""
    (result,) = run_cards(Leaky, only={"BC-A010"}, exemptions={"BC-A010": "no balances"})
    assert (result.status, result.reason) == (Status.EXEMPT, "no balances")


def test_an_exemption_without_a_reason_is_refused() -> None:
    """Before anything is run."""
    with pytest.raises(ValueError, match="gives no reason"):
        run_cards(Leaky, only={"BC-A010"}, exemptions={"BC-A010": ""})


def test_a_card_without_its_venue_is_skipped_with_the_reason() -> None:
    """Nothing is left out in silence."""
    (result,) = run_cards(paper, only={"BC-W010"})
    assert (result.status, result.reason) == (Status.SKIPPED, "needs a simulated venue")


def test_a_check_may_find_that_it_does_not_apply() -> None:
    """The reason is what the check says."""
    (result,) = run_cards(paper, PaperVenue, {"BC-N010"})
    assert (result.status, result.reason) == (Status.SKIPPED, "bracket is declared")


class Bare:
    """Declares nothing."""


def test_why_a_card_does_not_apply() -> None:
    """A capability, a venue, a wire and a fault can each be missing; the first is named."""
    cards = all_cards()
    everything = HollowVenue()
    assert why_not(cards["BC-FI010"], Bare(), everything) == "not declared: fills"
    assert why_not(cards["BC-O070"], Bare(), None) == "needs a simulated venue"
    assert why_not(cards["BC-O010"], Bare(), None) is None
    assert why_not(cards["BC-W070"], Bare(), everything) is None

    class InProcess(HollowVenue):
        has_wire = False

    wire = "needs a venue with a wire: this one runs in the adapter's process"
    assert why_not(cards["BC-W070"], Bare(), InProcess()) == wire

    class Harmless(HollowVenue):
        faults = frozenset({Fault.RESET_BEFORE})

    assert why_not(cards["BC-W040"], Bare(), Harmless()) is None
    assert why_not(cards["BC-W100"], Bare(), Harmless()) == "the venue cannot commit rate_limit"


def test_a_capability_is_looked_at_where_it_is_declared() -> None:
    """The same card applies once the brokerage declares it."""

    class Declares:
        capabilities = frozenset({Capability.FILLS})

    assert why_not(all_cards()["BC-FI010"], Declares(), HollowVenue()) is None


class Closable(HollowVenue):
    """Notes that it was closed."""

    def __init__(self) -> None:
        """Start open."""
        self.is_closed = False

    def close(self) -> None:
        """Close."""
        self.is_closed = True


class Entered(Closable):
    """Is a context manager."""

    def __enter__(self) -> Entered:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


@pytest.mark.parametrize("kind", [Closable, Entered])
def test_a_venue_is_closed_after_its_card(kind: Callable[[], Closable]) -> None:
    """Whether it has a close or is a context manager."""
    made: list[Closable] = []

    def venue() -> Closable:
        made.append(kind())
        return made[-1]

    with Stand(paper, venue).built():
        assert not made[0].is_closed
    assert made[0].is_closed


def test_a_brokerage_that_wants_the_venue_is_given_it() -> None:
    """By its parameter's name; a second session is then made in the same way."""
    seen: list[object] = []

    def brokerage(venue: HollowVenue) -> PaperBrokerage:
        seen.append(venue)
        return paper()

    with Stand(brokerage, HollowVenue).built() as context:
        other = context.other_session()
        assert seen == [context.venue, context.venue]
        assert other is not context.broker
        context.close_others()


def test_a_venue_that_wants_the_brokerage_is_given_it() -> None:
    """By its parameter's name."""

    def venue(brokerage: PaperBrokerage) -> PaperVenue:
        return PaperVenue(brokerage)

    with Stand(paper, venue).built() as context:
        assert isinstance(context.venue, PaperVenue)


def test_a_second_session_is_made_by_the_factory_for_it() -> None:
    """It is given the first brokerage."""
    seen: list[object] = []

    def reopen(first: Any) -> PaperBrokerage:
        seen.append(first)
        return paper()

    with Stand(paper, reopen_factory=reopen).built() as context:
        context.other_session()
        assert seen == [context.broker]
        context.close_others()


def test_without_a_factory_a_second_session_does_not_apply() -> None:
    """The card says what it would need."""
    (result,) = run_cards(paper, PaperVenue, {"BC-R090"})
    assert result.status is Status.SKIPPED
    assert "reopen_brokerage" in result.reason


def test_a_brokerage_may_bring_its_own_profile() -> None:
    """An attribute contract_profile is used where none is given."""

    class Profiled(PaperBrokerage):
        contract_profile = ContractProfile(symbol="ETH-USD")

    with Stand(Profiled, PaperVenue).built() as context:
        context.broker.connect()
        assert context.symbol == "ETH-USD"


def test_a_live_brokerage_is_refused_before_it_is_connected() -> None:
    """Nothing of it is called."""

    class Live(Leaky):
        environment = Environment.LIVE  # type: ignore[misc]  # overriding a Final is the point

    with pytest.raises(EnvironmentRefusedError, match="'live'"):
        run_cards(Live, only={"BC-A010"})


def test_what_a_card_left_open_is_cancelled() -> None:
    """On a brokerage that outlives the card, no order of it stays alive, and its session ends."""
    with Stand(paper, PaperVenue).built() as context:
        context.broker.connect()
        result = run_card(all_cards()["BC-R020"], context)
        assert result.status is Status.PASSED
        assert len(context.placed) == 5
        assert not context.broker.is_connected()
        context.broker.connect()
        statuses = {order.status.value for order in context.broker.list_orders()}
        assert statuses == {"cancelled"}
