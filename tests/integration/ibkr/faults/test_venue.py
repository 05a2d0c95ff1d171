"""Faults of the catalogue at the broker, in TWS and of the session: V01 to V14."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    BrokerUnavailableError,
    CancelRejectedError,
    ConnectionError,
    InvalidFieldError,
    InvalidRequestError,
    MarketDataUnavailableError,
    ModifyRejectedError,
    OrderEvent,
    OrderModification,
    OrderNotFoundError,
    OrderSide,
    OrderStatus,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
    StreamGap,
    TimeoutError,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings
from bot_v2.simulation.faults import Fault
from bot_v2.testing.streams import listening
from bot_v2.venues.tws.venue import TwsVenue
from tests.integration.ibkr.conftest import REF, RESTING, SYMBOL, TAKING, Bench, place
from tests.integration.ibkr.front import (
    ERROR,
    OPEN_ORDER,
    PLACE,
    STATUS,
    Message,
    put,
    swallow,
)

D = Decimal
WAIT_S = 10.0
PRICE = D("120.5")


def test_v03_a_client_id_that_is_in_use(bench: Bench, broker: IbkrBrokerage) -> None:
    """V03: a client id that is in use is refused at once, by its code, and disturbs nobody."""
    started = time.monotonic()
    other = bench.make(connect_timeout_s=30)
    with pytest.raises(ConnectionError) as caught:
        other.connect()
    assert caught.value.code == "326"
    assert "IBKR_CLIENT_ID" in caught.value.message
    assert time.monotonic() - started < 15
    assert place(broker)


def test_v03_a_client_id_that_is_free_late(bench: Bench, broker: IbkrBrokerage) -> None:
    """V03: after a drop TWS may take the client for another one still there: it is asked again."""
    bench.front.cut()

    def refuse(_: Message) -> Sequence[Message]:
        bench.front.say(ERROR, 2, -1, 326, "the client id is already in use", "")
        return []

    bench.front.on_going("71", refuse, times=2)
    assert place(broker)
    assert len(bench.front.passages) == 4


def test_v04_the_nightly_reset_during_an_order(bench: Bench, broker: IbkrBrokerage) -> None:
    """V04: an order that the nightly reset falls into is unknown, then found, and is one order."""
    is_back = threading.Event()

    def pass_and_reset(message: Message) -> Sequence[Message]:
        bench.front.passages[-1].tell(message)
        while not bench.venue.orders_received():
            is_back.wait(0.001)
        bench.venue.scripts.reset()
        is_back.set()
        return []

    bench.front.on_coming(OPEN_ORDER, swallow)
    bench.front.on_coming(STATUS, swallow)
    bench.front.on_going(PLACE, pass_and_reset)
    bench.place_unknown(broker)
    assert is_back.wait(WAIT_S)
    order = bench.the_order(broker)
    assert order.status is OrderStatus.OPEN
    assert broker.cancel_order(order.order_id) is True
    assert bench.placements == 1


def test_v04_the_reset_before_the_order_arrives(bench: Bench, broker: IbkrBrokerage) -> None:
    """V04: an order that never arrived before the reset is unknown, then absent."""
    is_back = threading.Event()

    def reset(_: Message) -> Sequence[Message]:
        bench.venue.scripts.reset()
        is_back.set()
        return []

    bench.front.on_going(PLACE, reset)
    bench.place_unknown(broker)
    assert is_back.wait(WAIT_S)
    assert bench.is_absent(broker)


def test_v04_while_tws_is_down(bench: Bench, broker: IbkrBrokerage) -> None:
    """V04: while TWS is down nothing is sent; a listener is told, and hears again afterwards."""
    with listening(broker.stream_orders()) as listener:
        bench.venue.scripts.reset(stays_down=True)
        listener.wait_for(lambda one: isinstance(one, StreamGap), WAIT_S, "a gap")
        with pytest.raises(ConnectionError) as caught:
            broker.place_order(RESTING)
        assert caught.value.outcome is Outcome.NOT_SENT
        bench.venue.scripts.come_back()
        order_id = place(broker)
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.order_id == order_id,
            WAIT_S,
            "the order",
        )


def test_v05_ids_that_roll_back(bench: Bench, broker: IbkrBrokerage) -> None:
    """V05: after ids rolled back no new order is taken for the change of one that lives."""
    bench.orders_max = 4
    first = [place(broker, attrs.evolve(RESTING, client_order_id=f"old-{n}")) for n in range(3)]
    bench.venue.scripts.reset(rolls_back_ids=True)
    new = place(broker)
    assert new not in first
    for number, order_id in enumerate(first):
        order = broker.get_order(order_id)
        assert (order.client_order_id, order.status) == (f"old-{number}", OrderStatus.OPEN)
        assert order.price == RESTING.price
    assert broker.cancel_order(first[0]) is True
    assert broker.get_order(new).status is OrderStatus.OPEN


def test_v05_an_unknown_order_after_a_roll_back(bench: Bench, broker: IbkrBrokerage) -> None:
    """V05: an order of unknown outcome is found by what stays, when its number is given again."""
    bench.orders_max = 2
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    bench.place_unknown(broker, TAKING)
    bench.venue.scripts.reset(rolls_back_ids=True)
    other = place(broker, attrs.evolve(RESTING, client_order_id="other"))
    order = broker.get_order_by_client_id(REF)
    assert order.status is OrderStatus.FILLED
    assert order.order_id != other


def test_v06_too_many_messages(bench: Bench, broker: IbkrBrokerage) -> None:
    """V06: a read in a flood is a rate limit with a wait; an order in one is unknown."""
    bench.venue.inject(Fault.RATE_LIMIT, "get_balance")
    with pytest.raises(RateLimitError) as caught:
        broker.get_balance("USD")
    assert caught.value.retry_after_s
    bench.venue.inject(Fault.RATE_LIMIT, "place_order")
    bench.place_unknown(broker)
    assert bench.is_absent(broker)


def test_v06_our_own_limit_is_kept(bench: Bench) -> None:
    """V06: however much is asked, TWS never gets more in a second than it takes."""
    bench.venue.scripts.limit_rate(50)
    broker = bench.open(direct=True, timeout_s=20)
    for _ in range(70):
        broker.preview_order(RESTING)
    assert broker.check_health().api_responsive


def test_v07_clocks_that_differ(bench: Bench, broker: IbkrBrokerage) -> None:
    """V07: a clock that is minutes off changes no order and no fill."""
    bench.venue.inject(Fault.CLOCK_SKEW)
    order_id = place(broker, TAKING)
    assert bench.the_order(broker).order_id == order_id
    assert broker.list_fills()[0].timestamp.utcoffset() is not None


def test_v08_the_link_to_the_broker_is_lost(bench: Bench, broker: IbkrBrokerage) -> None:
    """V08: while TWS has lost the broker (1100) nothing is sent; when it is back (1102) it is."""
    order_id = place(broker)
    with listening(broker.stream_orders()) as listener:
        bench.venue.scripts.lose_link()
        listener.wait_for(lambda one: isinstance(one, StreamGap), WAIT_S, "a gap")
        with pytest.raises(BrokerUnavailableError) as caught:
            broker.place_order(attrs.evolve(RESTING, client_order_id="later"))
        assert (caught.value.outcome, caught.value.code) == (Outcome.NOT_SENT, "1100")
        assert not broker.check_health().api_responsive
        bench.venue.fill(order_id, D(1), PRICE)
        bench.venue.scripts.restore_link()
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.filled_quantity == 1,
            WAIT_S,
            "the fill",
        )
    assert broker.check_health().api_responsive


def test_v08_the_link_is_lost_during_an_order(bench: Bench, broker: IbkrBrokerage) -> None:
    """V08: an order that TWS holds while it has lost the broker is pending, and is one order."""

    def lose_first(message: Message) -> Sequence[Message]:
        bench.venue.scripts.lose_link()
        return [message]

    bench.front.on_going(PLACE, lose_first)
    result = broker.place_order(RESTING)
    assert result.order is not None
    assert result.order.status is OrderStatus.PENDING
    bench.venue.scripts.restore_link()
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_v08_quotes_after_data_were_lost(bench: Bench, broker: IbkrBrokerage) -> None:
    """V08: after data were lost (1101) quotes are asked for anew, and a listener is told."""
    with listening(broker.stream_quotes([SYMBOL])) as listener:
        bench.venue.scripts.lose_link()
        bench.venue.scripts.restore_link(keeps_data=False)
        listener.wait_for(lambda one: isinstance(one, StreamGap), WAIT_S, "a gap")
        broker.check_health()
        bench.venue.set_market(SYMBOL, D(150), D(151), D(10))
        listener.wait_for(
            lambda one: getattr(getattr(one, "quote", None), "bid", None) == 150, WAIT_S, "a quote"
        )


def test_v09_an_order_that_is_dropped(bench: Bench, broker: IbkrBrokerage) -> None:
    """V09: an order that nothing tells of any more is absent by id, client id and list."""
    order_id = place(broker)
    for _ in range(3):
        bench.front.on_coming(OPEN_ORDER, swallow)
        bench.front.on_coming(STATUS, swallow)
    with pytest.raises(OrderNotFoundError):
        broker.get_order(order_id)
    assert bench.is_absent(broker)
    assert broker.list_orders() == []


def test_v10_paper_and_live(bench: Bench) -> None:
    """V10: a paper port with a live account, or the reverse, is refused: when set, and at once."""
    for given in (
        {"port": 7497, "account_id": "U1234567"},
        {"port": 4002, "account_id": "U1234567"},
        {"port": 7496, "account_id": "DU1234567"},
        {"port": 4001, "account_id": "DU1234567"},
        {"port": 7496, "environment": "paper"},
    ):
        with pytest.raises(InvalidFieldError):
            read_settings(given, {})
    with pytest.raises(PermissionDeniedError) as caught:
        bench.make(environment="live").connect()
    assert caught.value.outcome is Outcome.NOT_SENT
    with TwsVenue(accounts=("U1000001",)) as venue, pytest.raises(PermissionDeniedError):
        bench.make(port=venue.port, environment="paper").connect()


def test_v10_several_accounts(bench: Bench) -> None:
    """V10: of several accounts one has to be chosen, and is the only one that is traded."""
    with TwsVenue(accounts=("DU1", "DU2")) as venue:
        with pytest.raises(InvalidRequestError, match="DU1, DU2"):
            bench.make(port=venue.port).connect()
        broker = bench.open(port=venue.port, account_id="DU2")
        other = broker.for_account("DU1")
        other.connect()
        order_id = place(broker)
        assert [order.order_id for order in broker.list_orders()] == [order_id]
        assert other.list_orders() == []
        other.disconnect()
        assert broker.get_order(order_id).account_id == "DU2"


def test_v11_a_product_that_changes(bench: Bench) -> None:
    """V11: a contract is read again once its time is up; a reading that breaks is no product."""
    broker = bench.open(products_lifetime_s=0.0)
    bench.front.on_coming("10", put(1, "x"))
    with pytest.raises(BrokerAPIError, match="documented"):
        broker.get_product(SYMBOL)
    assert broker.get_product(SYMBOL).symbol == SYMBOL


def test_v12_positions_that_cannot_be_read(bench: Bench, broker: IbkrBrokerage) -> None:
    """V12: positions that cannot be read are an error, and never flat."""
    place(broker, TAKING)
    bench.front.on_coming("72", swallow)
    with pytest.raises(TimeoutError):
        broker.get_position(SYMBOL)
    position = broker.get_position(SYMBOL)
    assert position is not None


def test_v13_somebody_else_trades(bench: Bench, broker: IbkrBrokerage) -> None:
    """V13: another client's order is seen; nobody else can end it, and the error says who can."""
    other = bench.open(client_id=7)
    order_id = place(other)
    assert broker.get_order(order_id).client_order_id == REF
    for act in (
        lambda: broker.cancel_order(order_id),
        lambda: broker.modify_order(order_id, OrderModification(price=D(121))),
    ):
        with pytest.raises((CancelRejectedError, ModifyRejectedError), match="client id 7") as no:
            act()
        assert no.value.outcome is Outcome.NOT_SENT
    assert other.cancel_order(order_id) is True


def test_v13_a_position_of_somebody_else(bench: Bench, broker: IbkrBrokerage) -> None:
    """V13: what another client bought is a position of the account."""
    place(bench.open(client_id=7), attrs.evolve(TAKING, side=OrderSide.BUY))
    position = broker.get_position(SYMBOL)
    assert position is not None
    assert position.quantity == 4


def test_v14_data_that_are_not_subscribed_to(bench: Bench) -> None:
    """V14: prices that are not subscribed to are an error; delayed ones only where they will do."""
    bench.venue.scripts.entitle(SYMBOL, "delayed")
    with pytest.raises(MarketDataUnavailableError) as caught:
        bench.open().get_price(SYMBOL)
    assert caught.value.code == "10089"
    quote = bench.open(client_id=2, allow_delayed=True).get_quote(SYMBOL)
    assert quote.delayed
    assert quote.bid


def test_v14_an_order_that_is_not_permitted(bench: Bench, broker: IbkrBrokerage) -> None:
    """V14: an order that the account has no permission for is refused by name, and is no order."""
    bench.venue.scripts.forbid(SYMBOL)
    with pytest.raises(PermissionDeniedError) as caught:
        broker.place_order(RESTING)
    assert (caught.value.outcome, caught.value.code) == (Outcome.REJECTED, "203")
    assert bench.placements == 1
