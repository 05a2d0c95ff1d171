"""What is recorded: the cards of stocks and of crypto, and each kind of error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import attrs

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.core.interfaces import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    Capability,
    DuplicateOrderError,
    InsufficientFundsError,
    MarketClosedError,
    ModifyRejectedError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderType,
    Outcome,
    RateLimitError,
)
from bot_v2.simulation.faults import Fault
from bot_v2.venues.alpaca.venue import AlpacaVenue

D = Decimal

SYMBOLS: Final[Mapping[str, str]] = {"stocks": "AAPL", "crypto": "BTC-USD"}
"""What is traded, by the folder of its cassettes."""

QUANTITIES: Final[Mapping[str, Decimal | None]] = {"stocks": D(4), "crypto": None}
"""How much: exits are for whole shares."""

_CARDS: Final = (
    # The session, the account, the products and their prices.
    *("BC-S010", "BC-A010", "BC-I010", "BC-M010", "BC-QU010", "BC-TR010", "BC-CA010"),
    *("BC-AS010", "BC-MG010", "BC-MS010", "BC-SY010"),
    # The life of an order: taken, found, refused, cancelled; a list of more than a page.
    *("BC-O020", "BC-LK010", "BC-LK020", "BC-U080", "BC-C010", "BC-C020", "BC-C040", "BC-R010"),
    *("BC-R030", "BC-FI080", "BC-MO010", "BC-MO070", "BC-OF030", "BC-P010", "BC-P060"),
)

CARDS: Final[Mapping[str, tuple[str, ...]]] = {
    "stocks": (*_CARDS, "BC-BR010", "BC-OC010", "BC-OF040"),
    "crypto": (*_CARDS, "BC-M070"),
}
"""The cards that have a cassette: few, and at least one of each declared capability."""

NOT_ON_TAPE: Final = frozenset(
    {
        # Streams are no HTTP; the others need a market that moves, or a position.
        Capability.ORDER_STREAM,
        Capability.QUOTE_STREAM,
        Capability.OCO,
        Capability.TRAILING_STOP,
        Capability.MULTI_LEG,
        Capability.NOTIONAL_ORDERS,
    }
)
"""The capabilities whose cards all need the simulator itself."""

Act: TypeAlias = Callable[[AlpacaBrokerage, OrderRequest], object]
Stage: TypeAlias = Callable[[AlpacaVenue], None]


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
    """What the simulator is told before. None: nothing, so that a paper account does the same."""


def _fault(fault: Fault, operation: str, times: int = 1) -> Stage:
    return lambda venue: venue.inject(fault, operation, times)


def _place(**changes: Any) -> Act:
    return lambda broker, asked: broker.place_order(attrs.evolve(asked, **changes))


def _twice(broker: AlpacaBrokerage, asked: OrderRequest) -> object:
    broker.place_order(asked)
    return broker.place_order(asked)


def _change_what_ended(broker: AlpacaBrokerage, asked: OrderRequest) -> object:
    order_id = str(broker.place_order(asked).order_id)
    broker.cancel_order(order_id)
    return broker.modify_order(order_id, OrderModification(price=D(149), client_order_id="n-1"))


UNKNOWN_ID: Final = "00000000-0000-4000-8000-000000000000"

READS: Final = 3
"""How often a read is sent at most."""


def _place_fault(word: str, fault: Fault, kind: type[BrokerageError]) -> ErrorCase:
    return ErrorCase(
        name=f"place_order__{word}",
        act=_place(),
        kind=kind,
        outcome=Outcome.UNKNOWN if kind is OrderOutcomeUnknownError else Outcome.REJECTED,
        stage=_fault(fault, "place_order"),
    )


def _read(
    word: str, kind: type[BrokerageError], stage: Stage | None = None, method: str = "get_order"
) -> ErrorCase:
    return ErrorCase(
        name=f"{method}__{word}",
        act=lambda broker, _: getattr(broker, method)(UNKNOWN_ID),
        kind=kind,
        outcome=Outcome.REJECTED if method == "cancel_order" else None,
        stage=stage,
    )


ERRORS: Final = (
    ErrorCase(
        name="place_order__insufficient_funds",
        act=_place(quantity=D(1_000_000)),
        kind=InsufficientFundsError,
        outcome=Outcome.REJECTED,
    ),
    ErrorCase(
        name="place_order__duplicate",
        act=_twice,
        kind=DuplicateOrderError,
        outcome=Outcome.REJECTED,
    ),
    ErrorCase(
        name="place_order__halted",
        act=_place(type=OrderType.MARKET, price=None),
        kind=MarketClosedError,
        outcome=Outcome.REJECTED,
        stage=lambda venue: venue.halt("AAPL"),
    ),
    _place_fault("rate_limited", Fault.RATE_LIMIT, RateLimitError),
    _place_fault("unauthorized", Fault.SESSION_EXPIRED, AuthenticationError),
    _place_fault("server_error", Fault.SERVER_ERROR, OrderOutcomeUnknownError),
    _place_fault("unavailable", Fault.UNAVAILABLE, OrderOutcomeUnknownError),
    _place_fault("page", Fault.MALFORMED, OrderOutcomeUnknownError),
    _read("not_found", OrderNotFoundError),
    _read("server_error", BrokerUnavailableError, _fault(Fault.SERVER_ERROR, "get_order", READS)),
    _read("page", BrokerAPIError, _fault(Fault.MALFORMED, "get_order")),
    _read("not_found", OrderNotFoundError, method="cancel_order"),
    ErrorCase(
        name="modify_order__ended",
        act=_change_what_ended,
        kind=ModifyRejectedError,
        outcome=Outcome.REJECTED,
    ),
)
"""Every kind of error that has a reply. What gets no reply (timeouts, resets) is on no tape."""


def resting(ref: str) -> OrderRequest:
    """Return an order below the market."""
    return OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        quantity=D(4),
        price=D(150),
        client_order_id=ref,
    )


def note_of(case: ErrorCase) -> str:
    """Return what a cassette says that it shows."""
    said = {"kind": case.kind.__name__, "outcome": case.outcome and case.outcome.value}
    return f"{case.name}: {json.dumps(said)}"
