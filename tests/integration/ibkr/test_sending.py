"""What an order, or several sent together, come to where TWS tells only a part."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    InvalidRequestError,
    Leg,
    OrderOutcomeUnknownError,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    StopLoss,
    TakeProfit,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from tests.integration.ibkr.conftest import REF, RESTING, TAKING, Bench
from tests.integration.ibkr.front import (
    ERROR,
    OPEN_ORDER,
    PLACE,
    STATUS,
    Edit,
    Message,
    put,
    swallow,
)

D = Decimal
OTHER_REF = "catalogue-2"

PAIR = (RESTING, attrs.evolve(RESTING, price=D("119.5"), client_order_id=OTHER_REF))
"""Two orders of one group, both of which rest."""

SPREAD = (
    Leg(symbol="AAPL-20280121-170-C", side=OrderSide.BUY),
    Leg(symbol="AAPL-20280121-180-C", side=OrderSide.SELL),
)

BRACKET = attrs.evolve(
    RESTING, take_profit=TakeProfit(price=D(200)), stop_loss=StopLoss(stop_price=D(100))
)

REFUSED = put(16, "NIL")
"""Makes TWS refuse an order: there is no such side."""


def one_after_the_other(*edits: Edit) -> Edit:
    """Return what does something else to each message of a kind."""
    waiting = list(edits)

    def edit(message: Message) -> Sequence[Message]:
        return waiting.pop(0)(message)

    return edit


def passed(message: Message) -> Sequence[Message]:
    """Pass a message on as it is."""
    return [message]


def unheard(bench: Bench) -> Edit:
    """Return what lets an order reach TWS, and nothing of it be heard."""

    def edit(message: Message) -> Sequence[Message]:
        def hide(told: Message) -> Sequence[Message]:
            return [] if told[1] == message[1] else [told]

        for kind in (OPEN_ORDER, STATUS):
            bench.front.on_coming(kind, hide, times=2)
        return [message]

    return edit


def failed(bench: Bench, code: int) -> Edit:
    """Return what answers an order with a code, and lets it go no further."""

    def edit(message: Message) -> Sequence[Message]:
        bench.front.say(ERROR, 2, message[1], code, "words", "")
        return []

    return edit


def spoil(bench: Bench, *edits: Edit) -> None:
    """Do something else to each order of several that are sent together."""
    bench.front.on_going(PLACE, one_after_the_other(*edits), times=len(edits))


def place_pair(bench: Bench, broker: IbkrBrokerage) -> BrokerageError:
    """Place the pair, and return the error that it has to end with; each part left once."""
    with pytest.raises(BrokerageError) as caught:
        broker.place_oco(*PAIR)
    bench.front.coming.clear()
    assert bench.placements == 2
    return caught.value


def test_a_pair_of_which_one_is_refused_and_nothing_is_told_of_the_other(
    bench: Bench, broker: IbkrBrokerage
) -> None:
    """A refusal of one order says nothing of the other, which lives: the pair is unknown."""
    spoil(bench, REFUSED, unheard(bench))
    error = place_pair(bench, broker)
    assert isinstance(error, OrderOutcomeUnknownError)
    assert bench.the_order(broker, OTHER_REF).status is OrderStatus.OPEN
    assert bench.is_absent(broker, REF)


def test_a_pair_of_which_one_is_refused_and_the_other_fails(
    bench: Bench, broker: IbkrBrokerage
) -> None:
    """A failure that says nothing of an effect (322) is not made a refusal by one beside it."""
    spoil(bench, REFUSED, failed(bench, 322))
    assert isinstance(place_pair(bench, broker), OrderOutcomeUnknownError)


def test_a_pair_that_is_refused(bench: Bench, broker: IbkrBrokerage) -> None:
    """A pair of which both orders are refused is refused, and neither is there."""
    spoil(bench, REFUSED, REFUSED)
    error = place_pair(bench, broker)
    assert not isinstance(error, OrderOutcomeUnknownError)
    assert error.outcome is Outcome.REJECTED
    assert error.code
    assert error.__cause__ is not None
    assert broker.list_orders() == []


def test_a_pair_of_which_one_is_taken(bench: Bench, broker: IbkrBrokerage) -> None:
    """A pair of which one order is taken and the other refused is unknown, and names the first."""
    spoil(bench, passed, REFUSED)
    error = place_pair(bench, broker)
    assert isinstance(error, OrderOutcomeUnknownError)
    assert error.order_id == bench.the_order(broker).order_id


def test_a_pair_of_which_nothing_is_told(bench: Bench, broker: IbkrBrokerage) -> None:
    """A pair that vanishes is unknown, and no order is named; the next call is answered."""
    spoil(bench, swallow, swallow)
    error = place_pair(bench, broker)
    assert isinstance(error, OrderOutcomeUnknownError)
    assert error.order_id is None
    assert broker.list_orders() == []


def test_a_pair_during_which_the_connection_ends(bench: Bench, broker: IbkrBrokerage) -> None:
    """A pair whose connection ends at the second order is unknown, and is not sent again."""

    def cut(_: Message) -> Sequence[Message]:
        bench.front.cut()
        return []

    spoil(bench, unheard(bench), cut)
    assert isinstance(place_pair(bench, broker), OrderOutcomeUnknownError)
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_a_bracket_that_is_refused(bench: Bench, broker: IbkrBrokerage) -> None:
    """A bracket of which no part is taken is refused, and leaves no exit behind."""
    spoil(bench, REFUSED, REFUSED, REFUSED)
    with pytest.raises(BrokerageError) as caught:
        broker.place_order(BRACKET)
    assert caught.value.outcome is Outcome.REJECTED
    assert broker.list_orders() == []


def test_a_bracket_whose_entry_is_refused_and_an_exit_is_not_told(
    bench: Bench, broker: IbkrBrokerage
) -> None:
    """A bracket is refused as a whole only where every part is: an exit may live."""
    spoil(bench, REFUSED, REFUSED, swallow)
    with pytest.raises(OrderOutcomeUnknownError) as caught:
        broker.place_order(BRACKET)
    assert caught.value.client_order_id == REF


def and_an_odd_leg(message: Message) -> Sequence[Message]:
    """Tell an order with a leg of a side that there is not."""
    return put(message.index("SELL"), "SLONG")(message)


TOLD_BADLY: dict[str, tuple[OrderRequest, Edit]] = {
    "untold": (RESTING, swallow),
    "no number": (RESTING, put(16, "NaN")),
    "beyond numbers": (RESTING, put(16, "1E999999999")),
    "an odd leg": (attrs.evolve(RESTING, price=D("0.5"), legs=SPREAD), and_an_odd_leg),
}


@pytest.mark.parametrize("name", TOLD_BADLY)
def test_an_order_that_is_taken_and_told_badly(
    bench: Bench, broker: IbkrBrokerage, name: str
) -> None:
    """An order that is taken is a success with its id, though what it is cannot be read."""
    request, edit = TOLD_BADLY[name]
    bench.front.on_coming(OPEN_ORDER, edit, times=5)
    result = broker.place_order(request)
    bench.front.coming.clear()
    assert (result.success, result.order) == (True, None)
    assert result.order_id == bench.the_order(broker).order_id


REFUSED_HERE: dict[str, tuple[dict[str, Any], type[BrokerageError]]] = {
    "exits": ({"take_profit": TakeProfit(price=D(200))}, UnsupportedOperationError),
    "account": ({"account_id": "DU9"}, InvalidRequestError),
    "post only": ({"post_only": True}, UnsupportedOperationError),
}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", REFUSED_HERE)
def test_a_pair_that_cannot_be(bench: Bench, broker: IbkrBrokerage, name: str, which: int) -> None:
    """A pair of which either order is not taken here is refused before the other leaves."""
    changes, kind = REFUSED_HERE[name]
    orders = list(PAIR)
    orders[which] = attrs.evolve(orders[which], **changes)
    with pytest.raises(kind) as caught:
        broker.place_oco(orders[0], orders[1])
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0


def test_a_pair_of_which_one_does_not_fit_its_product(bench: Bench, broker: IbkrBrokerage) -> None:
    """A pair of which one price is off the tick is refused before the other leaves."""
    with pytest.raises(InvalidRequestError) as caught:
        broker.place_oco(RESTING, attrs.evolve(PAIR[1], price=D("119.505")))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 0


PREVIEWED: dict[str, tuple[OrderRequest, Decimal | None]] = {
    "limit": (RESTING, D(482)),
    "market": (TAKING, None),
    "option": (
        OrderRequest(
            symbol="AAPL-20280121-170-C",
            side=OrderSide.BUY,
            type=OrderType.LIMIT,
            quantity=D(2),
            price=D("1.5"),
        ),
        D(300),
    ),
}


@pytest.mark.parametrize("name", PREVIEWED)
def test_a_preview(bench: Bench, broker: IbkrBrokerage, name: str) -> None:
    """A preview tells what the order is worth, of a contract by its multiplier; it is no order."""
    request, value = PREVIEWED[name]
    told = broker.preview_order(request)
    assert told.estimated_value == value
    assert told.estimated_fee
    assert bench.venue.orders_received() == []


def test_a_preview_that_is_refused(bench: Bench, broker: IbkrBrokerage) -> None:
    """A preview of what TWS refuses says so, and by its code."""
    bench.front.on_going(PLACE, REFUSED)
    with pytest.raises(BrokerageError) as caught:
        broker.preview_order(RESTING)
    assert caught.value.code
