"""A connection that is suspect, broken or gone, and what is done before it is used again."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot_v2.features.brokerages.core.interfaces import (
    BrokerAPIError,
    ConnectionError,
    MissingDependencyError,
    OrderOutcomeUnknownError,
    OrderStatus,
    Outcome,
    PermissionDeniedError,
    TimeoutError,
)
from bot_v2.features.brokerages.ibkr import connection
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.errors import LostError
from bot_v2.features.brokerages.ibkr.gateway import Gateway
from bot_v2.features.brokerages.ibkr.settings import IbkrSettings
from bot_v2.features.brokerages.ibkr.streams import Hub
from bot_v2.simulation.clock import utc_now
from tests.integration.ibkr.conftest import RESTING, Bench, place
from tests.integration.ibkr.front import OPEN_ORDER, PLACE, STATUS, Message, swallow

WAIT_S = 10.0
ASK_TIME, ASK_POSITIONS, POSITIONS_END = "49", "74", "72"


class Holder:
    """Keeps messages back until they are asked for."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self.held: list[Message] = []
        self.came = threading.Event()

    def __call__(self, message: Message) -> Sequence[Message]:
        """Keep a message."""
        self.held.append(message)
        self.came.set()
        return []


def cut_short(message: Message) -> Sequence[Message]:
    """Pass on the beginning of a message."""
    return [message[:1]]


def test_a_silence_and_no_sign_of_life(bench: Bench, broker: IbkrBrokerage) -> None:
    """After a silence a sign of life is asked for; where none comes another connection is used."""
    bench.front.on_going(ASK_POSITIONS, swallow)
    with pytest.raises(TimeoutError):
        broker.list_positions()
    bench.front.on_going(ASK_TIME, swallow)
    assert place(broker)
    assert (len(bench.front.passages), bench.placements) == (2, 1)


def test_a_silence_and_a_sign_of_life(bench: Bench, broker: IbkrBrokerage) -> None:
    """After a silence a connection that gives a sign of life is kept."""
    bench.front.on_going(ASK_POSITIONS, swallow)
    with pytest.raises(TimeoutError):
        broker.list_positions()
    assert place(broker)
    assert len(bench.front.passages) == 1


def test_a_broken_connection_is_kept_for_the_answer_to_an_order(bench: Bench) -> None:
    """A connection on which an answer broke is replaced once the order on it has its answer."""
    broker = bench.open(timeout_s=WAIT_S, connect_timeout_s=WAIT_S)
    orders, statuses = Holder(), Holder()
    bench.front.on_coming(OPEN_ORDER, orders, times=9)
    bench.front.on_coming(STATUS, statuses, times=9)
    with ThreadPoolExecutor(2) as pool:
        placing = pool.submit(broker.place_order, RESTING)
        assert orders.came.wait(WAIT_S)
        assert statuses.came.wait(WAIT_S)
        bench.front.on_coming(POSITIONS_END, cut_short)
        with pytest.raises(BrokerAPIError):
            broker.list_positions()
        reading = pool.submit(broker.list_positions)
        assert not threading.Event().wait(0.1)
        assert not reading.done()
        bench.front.coming.clear()
        for message in (*orders.held, *statuses.held):
            bench.front.passages[0].say(message)
        result = placing.result(WAIT_S)
        assert reading.result(WAIT_S) == []
    assert result.success
    assert bench.the_order(broker).order_id == result.order_id
    assert (len(bench.front.passages), bench.placements) == (2, 1)


def test_a_broken_connection_whose_order_has_no_answer(bench: Bench) -> None:
    """A broken connection is given up with an order that gets no answer; what asked is answered."""
    broker = bench.open(timeout_s=WAIT_S, connect_timeout_s=1.0)
    gate = Holder()
    bench.front.on_going(PLACE, gate)
    with ThreadPoolExecutor(1) as pool:
        placing = pool.submit(broker.place_order, RESTING)
        assert gate.came.wait(WAIT_S)
        bench.front.on_coming(POSITIONS_END, cut_short)
        with pytest.raises(BrokerAPIError):
            broker.list_positions()
        assert broker.list_positions() == []
        error = placing.exception(WAIT_S)
    assert isinstance(error, OrderOutcomeUnknownError)
    assert bench.is_absent(broker)


def test_the_end_of_a_socket_is_seen() -> None:
    """A socket that is closed, or whose other side is, has ended; one that is quiet has not."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        assert connection._peeked(near) is None
        far.sendall(b"x")
        assert connection._peeked(near) == b"x"
        assert near.recv(1) == b"x"
        far.close()
        assert connection._peeked(near) == b""
        near.close()
        assert connection._peeked(near) == b""


def test_without_the_vendors_client(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the vendor's client is not installed, what to install is said."""

    def missing() -> None:
        raise ImportError("no module named ib_async")

    monkeypatch.setattr(connection, "load_sdk", missing)
    broker = bench.make()
    with pytest.raises(MissingDependencyError, match="ibkr") as caught:
        broker.connect()
    assert caught.value.extra == "ibkr"
    assert not broker.is_connected()


def test_before_the_session(bench: Bench) -> None:
    """What is called before the session says so, and that nothing was sent."""
    broker = bench.make()
    for act in (
        lambda: broker.place_order(RESTING),
        broker.list_orders,
        broker.get_account_id,
        lambda: broker.for_account("DU2"),
    ):
        with pytest.raises(ConnectionError, match="connect") as caught:
            act()
        assert caught.value.outcome is Outcome.NOT_SENT
    broker.disconnect()
    assert not broker.is_connected()
    assert not broker.check_health().api_responsive
    assert bench.front.knocks == 0


def test_a_session_that_is_opened_twice(bench: Bench, broker: IbkrBrokerage) -> None:
    """A session that is opened again is the same one, and one end ends it."""
    assert broker.connect() is True
    assert len(bench.front.passages) == 1
    order_id = place(broker)
    assert broker.get_order(order_id).status is OrderStatus.OPEN
    broker.disconnect()
    broker.disconnect()
    assert not broker.is_connected()


def test_an_account_that_the_login_does_not_have(bench: Bench, broker: IbkrBrokerage) -> None:
    """A session of an account that the login has not is refused; the connection is as it was."""
    with pytest.raises(PermissionDeniedError, match="DU1000001") as caught:
        broker.for_account("DU9999999").connect()
    assert caught.value.outcome is Outcome.NOT_SENT
    assert place(broker)
    assert len(bench.front.passages) == 1


def test_a_gateway_that_is_not_open() -> None:
    """What a gateway that is not open is asked for is lost, and one that ended stays so."""

    async def ask() -> None:
        hub = Hub(utc_now, lambda _: None)
        gateway = Gateway(IbkrSettings(), hub)
        for look in (lambda: gateway.inbox, lambda: gateway.client):
            with pytest.raises(LostError):
                look()
        with pytest.raises(LostError):
            await gateway.require_alive()
        await gateway.end()
        with pytest.raises(LostError):
            await gateway.open(is_first=True)

    asyncio.run(ask())
