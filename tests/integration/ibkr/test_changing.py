"""Cancels and changes of orders that are gone, of another account, or not to be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerAPIError,
    CancelRejectedError,
    InvalidRequestError,
    Leg,
    ModifyRejectedError,
    OrderModification,
    OrderNotFoundError,
    OrderOutcomeUnknownError,
    OrderSide,
    OrderStatus,
    OrderType,
    Outcome,
    TimeInForce,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.venues.tws.venue import TwsVenue
from tests.integration.ibkr.conftest import RESTING, TAKING, Bench, place
from tests.integration.ibkr.front import (
    CANCEL,
    ERROR,
    OPEN_ORDER,
    STATUS,
    Edit,
    Front,
    Message,
    put,
    swallow,
)

D = Decimal
CHANGE = OrderModification(price=D(119))
SPREAD = (
    Leg(symbol="AAPL-20280121-170-C", side=OrderSide.BUY),
    Leg(symbol="AAPL-20280121-180-C", side=OrderSide.SELL),
)


def answered(bench: Bench, code: int) -> Edit:
    """Return what has a cancel answered with a code, and lets it go no further."""

    def edit(message: Message) -> Sequence[Message]:
        bench.front.say(ERROR, 2, message[2], code, "words", "")
        return []

    return edit


def refused_cancel(bench: Bench, broker: IbkrBrokerage, order_id: str) -> BrokerageError:
    """Cancel an order, and return the error that it has to end with; it left once."""
    with pytest.raises(BrokerageError) as caught:
        broker.cancel_order(order_id)
    assert bench.front.count(CANCEL) == 1
    assert caught.value.order_id == order_id
    return caught.value


@pytest.mark.parametrize("code", [161, 10147, 10148])
def test_a_cancel_that_is_refused_while_the_order_lives(
    bench: Bench, broker: IbkrBrokerage, code: int
) -> None:
    """A refusal of a cancel is no end: an order that is still there lives on, and is told so."""
    order_id = place(broker)
    bench.front.on_going(CANCEL, answered(bench, code))
    error = refused_cancel(bench, broker, order_id)
    assert isinstance(error, CancelRejectedError)
    assert (error.outcome, error.code) == (Outcome.REJECTED, str(code))
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_a_cancel_of_an_order_that_nobody_knows_any_more(
    bench: Bench, broker: IbkrBrokerage
) -> None:
    """A refusal of a cancel of an order that no read tells of means that there is none."""
    order_id = place(broker)
    bench.front.on_going(CANCEL, answered(bench, 10147))
    bench.front.on_coming(OPEN_ORDER, swallow)
    error = refused_cancel(bench, broker, order_id)
    assert isinstance(error, OrderNotFoundError)
    assert (error.outcome, error.code) == (Outcome.REJECTED, "10147")


def test_a_cancel_of_an_order_that_is_filled_unheard(bench: Bench, broker: IbkrBrokerage) -> None:
    """A refusal of a cancel of an order that was filled meanwhile, unheard, is no failure."""
    order_id = place(broker)

    def fill_and_answer(message: Message) -> Sequence[Message]:
        bench.front.on_coming(STATUS, swallow)
        bench.venue.fill(order_id, D(4), D("120.5"))
        return answered(bench, 10148)(message)

    bench.front.on_going(CANCEL, fill_and_answer)
    assert broker.cancel_order(order_id) is False
    bench.front.coming.clear()
    assert bench.the_order(broker).status is OrderStatus.FILLED


def test_a_cancel_of_an_order_that_is_being_cancelled(bench: Bench, broker: IbkrBrokerage) -> None:
    """A refusal of a cancel because one is under way is no failure: it is pending."""
    order_id = place(broker)
    bench.front.on_going(CANCEL, answered(bench, 161))
    bench.front.on_coming(STATUS, put(2, "PendingCancel"))
    assert broker.cancel_order(order_id) is True


def test_a_cancel_that_is_refused_and_then_not_to_be_read(
    bench: Bench, broker: IbkrBrokerage
) -> None:
    """A refusal of a cancel whose order cannot be read afterwards leaves the outcome unknown."""
    order_id = place(broker)
    bench.front.on_going(CANCEL, answered(bench, 10147))
    bench.front.on_coming(OPEN_ORDER, lambda message: [message[:20]])
    assert isinstance(refused_cancel(bench, broker, order_id), OrderOutcomeUnknownError)
    assert bench.the_order(broker).status is OrderStatus.OPEN


@pytest.mark.parametrize("code", [322, 504])
def test_a_cancel_that_fails(bench: Bench, broker: IbkrBrokerage, code: int) -> None:
    """A failure that says nothing of an effect leaves a cancel unknown."""
    order_id = place(broker)
    bench.front.on_going(CANCEL, answered(bench, code))
    assert isinstance(refused_cancel(bench, broker, order_id), OrderOutcomeUnknownError)


def test_an_order_that_ended_before_this_session(bench: Bench, broker: IbkrBrokerage) -> None:
    """An order that ended before the session is found among those that did: no cancel is sent."""
    order_id = place(broker, TAKING)
    broker.disconnect()
    other = bench.open()
    assert other.cancel_order(order_id) is False
    with pytest.raises(ModifyRejectedError, match="Filled") as caught:
        other.modify_order(order_id, CHANGE)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert (bench.front.count(CANCEL), bench.placements) == (0, 1)


@pytest.mark.parametrize("order_id", ["123456789", "no id", "", "9" * 19])
def test_no_order(bench: Bench, broker: IbkrBrokerage, order_id: str) -> None:
    """What is no order's id is refused before anything is sent."""
    with pytest.raises(OrderNotFoundError) as caught:
        broker.modify_order(order_id, CHANGE)
    assert caught.value.outcome is Outcome.NOT_SENT
    with pytest.raises(OrderNotFoundError) as caught:
        broker.cancel_order(order_id)
    assert caught.value.outcome is Outcome.NOT_SENT
    with pytest.raises(OrderNotFoundError) as caught:
        broker.get_order(order_id)
    assert caught.value.outcome is None
    assert (bench.front.count(CANCEL), bench.placements) == (0, 0)


def test_a_change_of_an_order_of_an_unknown_type(bench: Bench, broker: IbkrBrokerage) -> None:
    """An order of a type that no table knows is not changed: what would be sent is not known."""
    order_id = place(broker)
    bench.front.on_coming(OPEN_ORDER, put(15, "SNAP MID"))
    with pytest.raises(UnsupportedOperationError) as caught:
        broker.modify_order(order_id, CHANGE)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 1


def test_a_change_that_does_not_fit(bench: Bench, broker: IbkrBrokerage) -> None:
    """A change to a price off the tick, or one that makes no sense, is refused unsent."""
    order_id = place(broker)
    for change in (
        OrderModification(price=D("119.505")),
        OrderModification(stop_price=D(119)),
        OrderModification(time_in_force=TimeInForce.GTD),
    ):
        with pytest.raises(InvalidRequestError) as caught:
            broker.modify_order(order_id, change)
        assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == 1
    assert bench.the_order(broker).price == RESTING.price


def test_a_change_of_a_combination(bench: Bench, broker: IbkrBrokerage) -> None:
    """A combination is changed in place, with its legs; its net price is on no contract's tick."""
    order_id = place(broker, attrs.evolve(RESTING, price=D("0.5"), legs=SPREAD))
    result = broker.modify_order(order_id, OrderModification(price=D("0.525")))
    assert result.order_id == order_id
    order = bench.the_order(broker)
    assert (order.price, order.legs, order.quantity) == (D("0.525"), SPREAD, RESTING.quantity)


def test_a_change_of_a_trailing_stop(bench: Bench, broker: IbkrBrokerage) -> None:
    """A trail is changed from an amount to another, and to none that was not asked for."""
    asked = attrs.evolve(
        RESTING,
        side=OrderSide.SELL,
        type=OrderType.TRAILING_STOP,
        price=None,
        trail_amount=D(20),
    )
    order_id = place(broker, asked)
    assert broker.modify_order(order_id, OrderModification(trail_amount=D(25))).success
    order = bench.the_order(broker)
    assert (order.metadata["trail_amount"], order.quantity) == (D(25), D(4))
    assert "trail_percent" not in order.metadata


def test_a_change_of_an_order_that_cannot_be_read(bench: Bench, broker: IbkrBrokerage) -> None:
    """An order that cannot be read as it is now is not changed: nothing is sent."""
    order_id = place(broker)
    bench.front.on_coming(OPEN_ORDER, put(16, "NaN"))
    with pytest.raises(BrokerAPIError) as caught:
        broker.modify_order(order_id, CHANGE)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.the_order(broker).price == RESTING.price


# Two accounts of one login.


@pytest.fixture
def accounts() -> Iterator[tuple[Bench, IbkrBrokerage, IbkrBrokerage]]:
    """A login of two accounts, and a brokerage of each on one connection."""
    with TwsVenue(accounts=("DU1", "DU2")) as venue, Front(venue.port) as front:
        bench = Bench(venue, front)
        mine = bench.open(account_id="DU1")
        other = mine.for_account("DU2")
        assert isinstance(other, IbkrBrokerage)
        other.connect()
        yield bench, mine, other
        other.disconnect()
        mine.disconnect()


@pytest.mark.parametrize("request_", [RESTING, TAKING], ids=["live", "ended"])
@pytest.mark.parametrize(
    "act",
    [
        lambda broker, order_id: broker.cancel_order(order_id),
        lambda broker, order_id: broker.modify_order(order_id, CHANGE),
        lambda broker, order_id: broker.get_order(order_id),
    ],
    ids=["cancel", "modify", "get"],
)
def test_an_order_of_another_account(
    accounts: tuple[Bench, IbkrBrokerage, IbkrBrokerage],
    act: Callable[[IbkrBrokerage, str], object],
    request_: object,
) -> None:
    """An order of another account of the login is none of this one, and is left alone."""
    bench, mine, other = accounts
    order_id = place(other, request_)  # type: ignore[arg-type] # parametrized with requests
    status = other.get_order(order_id).status
    with pytest.raises(OrderNotFoundError):
        act(mine, order_id)
    assert (bench.front.count(CANCEL), bench.placements) == (0, 1)
    assert other.get_order(order_id).status is status
