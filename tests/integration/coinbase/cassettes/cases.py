"""What is recorded: the cards of each account, and each kind of error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    InsufficientFundsError,
    MarketClosedError,
    ModifyRejectedError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRejectedError,
    OrderRequest,
    OrderSide,
    OrderType,
    Outcome,
    RateLimitError,
)
from bot_v2.simulation.faults import Fault
from tests.integration.coinbase.cassettes.stands import (
    EXCHANGE,
    PERPETUALS,
    SPOT,
    Account,
    Broker,
    Venue,
)

D = Decimal

ACCOUNTS: Final[Mapping[str, Account]] = {
    "spot": SPOT,
    "perpetuals": PERPETUALS,
    "exchange": EXCHANGE,
}
"""The accounts that cards are recorded of, by the folder of their cassettes."""

_CARDS: Final = (
    # The session, and the account.
    *("BC-S010", "BC-S130", "BC-S160", "BC-A010", "BC-A030", "BC-A040"),
    # Products, and their prices and books.
    *("BC-I010", "BC-I060", "BC-I070", "BC-M010", "BC-M020", "BC-M040", "BC-M070", "BC-QU010"),
    *("BC-TR010", "BC-CA010"),
    # An order is taken, found, listed with more than a page of others, and cancelled.
    *("BC-O020", "BC-O140", "BC-R020", "BC-R030", "BC-R040", "BC-R060", "BC-R070", "BC-R090"),
    *("BC-LK010", "BC-LK020", "BC-LK030", "BC-FI080", "BC-C010", "BC-C020", "BC-FE010"),
    *("BC-OF030", "BC-OF060", "BC-V110"),
    # What is refused, before sending and by the broker, and what never was.
    *("BC-U010", "BC-U060", "BC-U080", "BC-C040", "BC-R010"),
)

_ADVANCED: Final = (
    *("BC-AC010", "BC-AC020", "BC-AC030", "BC-PV010", "BC-PV030", "BC-BR010", "BC-BR040"),
    *("BC-MO070", "BC-AS010"),
)

CARDS: Final[Mapping[str, tuple[str, ...]]] = {
    "spot": (
        *_CARDS,
        *_ADVANCED,
        *("BC-K060", "BC-K070", "BC-MO010", "BC-MO020", "BC-MO060", "BC-P120"),
    ),
    "perpetuals": (
        *_CARDS,
        *_ADVANCED,
        *("BC-K060", "BC-P010", "BC-P060", "BC-P140", "BC-AS020", "BC-MG010", "BC-MG040"),
    ),
    "exchange": (*_CARDS, "BC-P120"),
}
"""The cards that have a cassette: few, and at least one of each declared capability."""

Act: TypeAlias = Callable[[Broker, OrderRequest], object]
Stage: TypeAlias = Callable[[Venue], None]


@attrs.frozen(kw_only=True)
class ErrorCase:
    """One kind of error, as it comes over the wire."""

    name: str
    """Of its cassette."""
    act: Act
    """What fails, given a brokerage and an order that would rest."""
    kind: type[BrokerageError]
    """What it raises."""
    outcome: Outcome | None
    """Whether the write took effect. None: it was a read."""
    stage: Stage | None = None
    """What the simulator is told before. None: nothing, so that a sandbox would do the same."""
    account: Account = SPOT
    """Whose."""


def _fault(fault: Fault, operation: str, times: int = 1) -> Stage:
    return lambda venue: venue.inject(fault, operation, times)


def _place(**changes: Any) -> Act:
    return lambda broker, asked: broker.place_order(attrs.evolve(asked, **changes))


def _edit_below_what_was_filled(broker: Any, asked: OrderRequest) -> object:
    # Of the tenth that the stage puts on offer, all is taken; the rest waits.
    order_id = broker.place_order(attrs.evolve(asked, price=D(61_000))).order_id
    return broker.modify_order(order_id, OrderModification(quantity=D("0.0005")))


def _thin_market(venue: Venue) -> None:
    venue.set_market("BTC-USD", D(59_999), D(60_000), D("0.001"))


UNKNOWN_ID: Final = "00000000-0000-4000-8000-000000000000"

READS: Final = 3
"""How often a read is sent at most."""


def _both(
    name: str,
    act: Act,
    kind: type[BrokerageError],
    outcome: Outcome | None,
    stage: Stage | None = None,
) -> list[ErrorCase]:
    return [
        ErrorCase(
            name=f"{prefix}{name}",
            act=act,
            kind=kind,
            outcome=outcome,
            stage=stage,
            account=account,
        )
        for prefix, account in (("", SPOT), ("exchange_", EXCHANGE))
    ]


def _place_fault(word: str, fault: Fault, kind: type[BrokerageError]) -> list[ErrorCase]:
    outcome = Outcome.UNKNOWN if kind is OrderOutcomeUnknownError else Outcome.REJECTED
    return _both(f"place_order__{word}", _place(), kind, outcome, _fault(fault, "place_order"))


MARKET: Final[Mapping[str, Any]] = {"type": OrderType.MARKET, "price": None}

ERRORS: Final = (
    *_both(
        "place_order__insufficient_funds",
        _place(quantity=D(1_000)),
        InsufficientFundsError,
        Outcome.REJECTED,
    ),
    *_both(
        "place_order__post_only_would_take",
        _place(price=D(70_000), post_only=True),
        OrderRejectedError,
        Outcome.REJECTED,
    ),
    *_both(
        "place_order__halted",
        _place(**MARKET),
        MarketClosedError,
        Outcome.REJECTED,
        lambda venue: venue.halt("BTC-USD"),
    ),
    *_place_fault("rate_limited", Fault.RATE_LIMIT, RateLimitError),
    *_place_fault("unauthorized", Fault.SESSION_EXPIRED, AuthenticationError),
    *_place_fault("server_error", Fault.SERVER_ERROR, OrderOutcomeUnknownError),
    *_place_fault("unavailable", Fault.UNAVAILABLE, OrderOutcomeUnknownError),
    *_place_fault("page", Fault.MALFORMED, OrderOutcomeUnknownError),
    *_both(
        "get_order__not_found",
        lambda broker, _: broker.get_order(UNKNOWN_ID),
        OrderNotFoundError,
        None,
    ),
    *_both(
        "get_order__server_error",
        lambda broker, _: broker.get_order(UNKNOWN_ID),
        BrokerUnavailableError,
        None,
        _fault(Fault.SERVER_ERROR, "get_order", READS),
    ),
    *_both(
        "get_order__page",
        lambda broker, _: broker.get_order(UNKNOWN_ID),
        BrokerAPIError,
        None,
        _fault(Fault.MALFORMED, "get_order"),
    ),
    *_both(
        "cancel_order__not_found",
        lambda broker, _: broker.cancel_order(UNKNOWN_ID),
        OrderNotFoundError,
        Outcome.REJECTED,
    ),
    ErrorCase(
        name="modify_order__below_filled",
        act=_edit_below_what_was_filled,
        kind=ModifyRejectedError,
        outcome=Outcome.REJECTED,
        stage=_thin_market,
    ),
)
"""Every kind of error that has a reply. What gets no reply (timeouts, resets) is on no tape."""


def resting(ref: str) -> OrderRequest:
    """Return an order below the market."""
    return OrderRequest(
        symbol="BTC-USD",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        quantity=D("0.01"),
        price=D(50_000),
        client_order_id=ref,
    )


def note_of(case: ErrorCase) -> str:
    """Return what a cassette says that it shows."""
    said = {"kind": case.kind.__name__, "outcome": case.outcome and case.outcome.value}
    return f"{case.name}: {json.dumps(said)}"
