"""Faults of the catalogue on the way to TWS and back: T01 to T20."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from decimal import Decimal

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    ConnectionError,
    OrderEvent,
    OrderOutcomeUnknownError,
    OrderStatus,
    Outcome,
    RateLimitError,
    StreamGap,
)
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings
from bot_v2.simulation.faults import Fault
from bot_v2.testing.streams import listening
from tests.integration.ibkr.conftest import (
    REF,
    RESTING,
    TAKING,
    TIMEOUT_S,
    Bench,
    place,
)
from tests.integration.ibkr.front import ERROR, OPEN_ORDER, PLACE, STATUS, Message, swallow

D = Decimal
WAIT_S = 10.0


def test_t01_a_name_that_cannot_be_resolved(bench: Bench) -> None:
    """T01: a name that cannot be resolved proves that nothing was sent, and nothing of absence."""
    broker = bench.make(host="no-such-host.invalid")
    with pytest.raises(ConnectionError) as caught:
        broker.connect()
    assert caught.value.outcome in (None, Outcome.NOT_SENT)
    assert not broker.is_connected()


def test_t02_a_connection_that_is_refused(bench: Bench, broker: IbkrBrokerage) -> None:
    """T02: a connection that is refused proves that nothing was sent; the health says so."""
    bench.venue.inject(Fault.RESET_BEFORE)
    bench.front.cut()
    with pytest.raises(ConnectionError) as caught:
        broker.place_order(RESTING)
    assert caught.value.outcome is Outcome.NOT_SENT
    health = broker.check_health()
    assert (health.connected, health.api_responsive) == (False, False)
    bench.venue.clear_faults()
    assert broker.check_health().api_responsive
    assert bench.is_absent(broker)


def test_t03_no_room_among_the_messages_of_a_second(bench: Bench) -> None:
    """T03: an order that finds no room among the messages of a second in time is not sent."""
    broker = bench.open(requests_per_s=10)
    order_id = place(broker)
    threading.Event().wait(1.0)
    refused: list[RateLimitError] = []

    def ask() -> None:
        try:
            broker.preview_order(RESTING)
        except RateLimitError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused
    assert all(error.retry_after_s for error in refused)
    before = bench.placements
    with pytest.raises(RateLimitError) as caught:
        broker.place_order(attrs.evolve(RESTING, client_order_id="another"))
    assert caught.value.outcome is Outcome.NOT_SENT
    assert bench.placements == before
    # A share of the room is kept for cancels.
    assert broker.cancel_order(order_id) is True


def test_t04_taken_without_an_answer(bench: Bench, broker: IbkrBrokerage) -> None:
    """T04: an order that was taken without an answer is unknown, is found, and is one order."""
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    bench.place_unknown(broker)
    assert bench.the_order(broker).status is OrderStatus.OPEN
    assert bench.placements == 1


def test_t05_never_arrived(bench: Bench, broker: IbkrBrokerage) -> None:
    """T05: an order that never arrived is unknown, then absent, and may be sent under its id."""
    bench.front.on_going(PLACE, swallow)
    bench.place_unknown(broker)
    assert bench.is_absent(broker)
    place(broker)
    assert bench.the_order(broker).client_order_id == REF


def test_t06_arrives_late(bench: Bench, broker: IbkrBrokerage) -> None:
    """T06: an order that arrives after a probe is tied by its id."""
    held: list[Message] = []

    def hold(message: Message) -> Sequence[Message]:
        held.append(message)
        return []

    bench.front.on_going(PLACE, hold)
    bench.place_unknown(broker)
    assert bench.is_absent(broker)
    bench.front.passages[-1].tell(held[0])
    broker.check_health()
    assert bench.the_order(broker).client_order_id == REF


def test_t07_reset_during_the_answer(bench: Bench) -> None:
    """T07: a connection that is reset during the answer leaves the outcome unknown."""
    broker = bench.open(direct=True)
    bench.venue.inject(Fault.RESET_AFTER, "place_order")
    bench.place_unknown(broker)
    assert bench.the_order(broker).status is OrderStatus.OPEN


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.EMPTY, Fault.MALFORMED])
def test_t08_half_an_answer(bench: Bench, fault: Fault) -> None:
    """T08: half an answer, none, or one that makes no sense is no success and no refusal."""
    broker = bench.open(direct=True)
    bench.venue.inject(fault, "place_order")
    bench.place_unknown(broker)
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_t09_an_error_after_the_effect(bench: Bench, broker: IbkrBrokerage) -> None:
    """T09: an error in processing says nothing of the order that was taken."""
    bench.venue.inject(Fault.SERVER_ERROR, "place_order")
    bench.place_unknown(broker)
    assert bench.the_order(broker).status is OrderStatus.OPEN
    assert bench.placements == 1


def test_t10_an_error_before_the_effect(bench: Bench, broker: IbkrBrokerage) -> None:
    """T10: the same error without an order behind it is told as unknown, and resolves to absent."""
    bench.venue.inject(Fault.UNAVAILABLE, "place_order")
    bench.place_unknown(broker)
    assert bench.is_absent(broker)


def test_t11_a_code_that_no_table_knows(bench: Bench, broker: IbkrBrokerage) -> None:
    """T11: a code that no table knows is no refusal: the order counts when it shows."""

    def and_odd(message: Message) -> Sequence[Message]:
        return [[ERROR, "2", message[1], "98765", "odd words", ""], message]

    bench.front.on_coming(OPEN_ORDER, and_odd)
    result = broker.place_order(RESTING)
    assert result.success
    assert "98765 odd words" in result.message
    assert bench.the_order(broker).order_id == result.order_id


def test_t12_nothing_is_redirected(bench: Bench, broker: IbkrBrokerage) -> None:
    """T12: a socket knows no redirects; what is not TWS is refused before anything is sent."""
    with bench.venue.state.lock:
        port = int(bench.venue.admin_url.rpartition(":")[2])
    other = bench.make(port=port, connect_timeout_s=1.0)
    with pytest.raises(BrokerageError) as caught:
        other.connect()
    assert caught.value.outcome in (None, Outcome.NOT_SENT)


def test_t13_the_other_side_closed_while_idle(bench: Bench, broker: IbkrBrokerage) -> None:
    """T13: a connection that ended while it was idle is noticed before sending, and replaced."""
    bench.front.cut()
    place(broker)
    assert bench.placements == 1
    assert len(bench.front.passages) == 2


def test_t13_the_other_side_closes_at_the_order(bench: Bench, broker: IbkrBrokerage) -> None:
    """T13: a connection that ends when an order arrives leaves it unknown; it is not sent again."""

    def pass_and_cut(message: Message) -> Sequence[Message]:
        bench.front.passages[-1].tell(message)
        bench.front.cut()
        return []

    bench.front.on_going(PLACE, pass_and_cut)
    bench.place_unknown(broker)
    assert bench.the_order(broker).client_order_id == REF
    assert bench.placements == 1


def test_t14_an_answer_that_drips(bench: Bench) -> None:
    """T14: an answer that drips is cut off at the deadline of the whole call, unknown."""
    broker = bench.open(direct=True)
    bench.venue.scripts.set_pace(piece=1, delay_s=0.05)
    bench.place_unknown(broker)
    bench.venue.scripts.set_pace()
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_t14_frames_in_pieces(bench: Bench) -> None:
    """T14: messages that come in pieces of a few bytes are read as they are."""
    broker = bench.open(direct=True)
    bench.venue.scripts.set_pace(piece=3)
    place(broker)
    assert bench.the_order(broker).price == RESTING.price


def test_t15_every_wait_is_bounded() -> None:
    """T15: who configures nothing has every wait bounded."""
    settings = IbkrSettings()
    assert 0 < settings.timeout_s <= 30
    assert 0 < settings.connect_timeout_s <= 30
    source = inspect.getsource(IbkrSettings)
    assert "timeout_s: float | None" not in source


def test_t16_a_mute_socket(bench: Bench) -> None:
    """T16: a socket that is open and says nothing is found out, and a listener is told of it."""
    broker = bench.open(direct=True, connect_timeout_s=TIMEOUT_S)
    with listening(broker.stream_orders()) as listener:
        bench.venue.scripts.fall_silent()
        gap = listener.wait_for(lambda one: isinstance(one, StreamGap), WAIT_S, "a gap")
        assert gap.reason
        bench.place_unknown_or_unsent(broker)
        bench.venue.scripts.speak()
    assert broker.check_health().api_responsive
    assert bench.is_absent(broker)


def test_t17_reconnections_are_spaced(bench: Bench, broker: IbkrBrokerage) -> None:
    """T17: a connection that is wanted by listeners is tried again ever more seldom."""
    with listening(broker.stream_orders()) as listener:
        bench.venue.inject(Fault.RESET_BEFORE)
        bench.front.cut()
        listener.wait_for(lambda one: isinstance(one, StreamGap), WAIT_S, "a gap")
        threading.Event().wait(1.0)
        tried = bench.front.knocks
        bench.venue.clear_faults()
        order_id = place(broker)
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.order_id == order_id,
            WAIT_S,
            "the order",
        )
    assert tried <= 8


def test_t18_a_drop_during_an_order(bench: Bench, broker: IbkrBrokerage) -> None:
    """T18: a drop while an order is on its way is a gap; later events come without being asked."""

    def pass_and_cut(message: Message) -> Sequence[Message]:
        bench.front.passages[-1].tell(message)
        bench.front.cut()
        return []

    with listening(broker.stream_orders()) as listener:
        bench.front.on_going(PLACE, pass_and_cut)
        bench.place_unknown(broker)
        listener.wait_for(lambda one: isinstance(one, StreamGap), WAIT_S, "a gap")
        order_id = bench.the_order(broker).order_id
        bench.venue.fill(order_id, D(1), D("120.5"))
        listener.wait_for(
            lambda one: isinstance(one, OrderEvent) and one.order.filled_quantity == 1,
            WAIT_S,
            "the fill",
        )


_INTERRUPTED = """
import sys, threading, _thread
from decimal import Decimal
from bot_v2.features.brokerages.core.interfaces import OrderRequest, OrderSide, OrderType
from bot_v2.features.brokerages.ibkr.factory import create_ibkr
broker = create_ibkr({"port": int(sys.argv[1]), "environment": "simulator", "timeout_s": 30}, {})
broker.connect()
broker.get_product("AAPL")
threading.Timer(0.5, _thread.interrupt_main).start()
try:
    broker.place_order(OrderRequest(symbol="AAPL", side=OrderSide.BUY, quantity=Decimal(4),
        type=OrderType.LIMIT, price=Decimal("120.5"), client_order_id="catalogue-1"))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_t19_ctrl_c_during_an_order(bench: Bench) -> None:
    """T19: Ctrl-C while an order is on its way stops the caller; the order is found, once."""
    assert signal.SIGINT
    bench.venue.inject(Fault.DROP_AFTER_ACCEPT, "place_order")
    command = [sys.executable, "-c", _INTERRUPTED, str(bench.venue.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "interrupted", done.stderr
    broker = bench.open(direct=True)
    assert bench.the_order(broker).status is OrderStatus.OPEN


def test_t20_a_new_process_finds_the_order(bench: Bench, broker: IbkrBrokerage) -> None:
    """T20: a new session finds by its client id what a session sent that is no more."""
    bench.front.on_coming(OPEN_ORDER, swallow)
    bench.front.on_coming(STATUS, swallow)
    with pytest.raises(OrderOutcomeUnknownError):
        broker.place_order(RESTING)
    broker.disconnect()
    other = bench.open()
    order = bench.the_order(other)
    assert other.cancel_order(order.order_id) is True
    assert other.get_order(order.order_id).status is OrderStatus.CANCELLED


def test_t20_an_ended_order_is_found_by_a_new_process(bench: Bench, broker: IbkrBrokerage) -> None:
    """T20: a new session finds an order that was filled meanwhile, with its mean price."""
    order_id = place(broker, TAKING)
    known = broker.get_order(order_id)
    broker.disconnect()
    assert bench.open().get_order(order_id) == known
