"""Interactive Brokers, ours beside plain ib_async, on a simulated TWS in another process.

An order is placed and its first status waited for: by ib_async in a loop of its own, as its users
do it, and by a brokerage, whose loop is in another thread. Both pay for the processor's time of all
their threads. Then a session with a thousand open orders is opened again.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

from benchmarks._tws_server import tws_server
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings

ROUNDS, ORDERS, OPEN_ORDERS = 7, 100, 1000
CPU_BOUND = 1.3
PRICE = Decimal("100.25")


class Plain:
    """ib_async as its users have it, without its limit of messages a second."""

    def __init__(self, port: int) -> None:
        """Connect."""
        from ib_async import IB, Stock

        self._loop = asyncio.new_event_loop()
        self._ib = IB()
        self._ib.client.MaxRequests = 0
        self._loop.run_until_complete(self._ib.connectAsync("127.0.0.1", port, clientId=1))
        self._contract = Stock("AAPL", "SMART", "USD")
        self._loop.run_until_complete(self._ib.qualifyContractsAsync(self._contract))

    def place(self) -> None:
        """Place an order, and wait until it is taken."""
        self._loop.run_until_complete(self._place())

    async def _place(self) -> None:
        from ib_async import LimitOrder

        done = self._loop.create_future()
        trade = self._ib.placeOrder(self._contract, LimitOrder("BUY", 1, float(PRICE), tif="DAY"))

        def look(told: Any) -> None:
            if told.orderStatus.status in ("Submitted", "PreSubmitted") and not done.done():
                done.set_result(None)

        trade.statusEvent += look
        await done

    def close(self) -> None:
        """Disconnect."""
        self._ib.disconnect()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()


class Ours:
    """A brokerage."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._broker = open_broker(port, 2)

    def place(self) -> None:
        """Place an order, and wait until it is taken."""
        place(self._broker)

    def close(self) -> None:
        """Disconnect."""
        self._broker.disconnect()


def open_broker(port: int, client_id: int) -> IbkrBrokerage:
    """Return a connected brokerage, without its limit of messages a second."""
    given = {"port": port, "client_id": client_id, "environment": "simulator", "timeout_s": 60}
    broker = IbkrBrokerage(read_settings({**given, "requests_per_s": 1_000_000}, {}))
    broker.connect()
    return broker


def place(broker: IbkrBrokerage) -> None:
    """Place an order that rests."""
    asked = OrderRequest(
        symbol="AAPL",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        quantity=Decimal(1),
        price=PRICE,
    )
    broker.place_order(asked)


def spent(act: Callable[[], None]) -> tuple[float, float]:
    """Return the processor's and the wall's time of an order, in seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(ORDERS):
        act()
    return (time.process_time() - cpu) / ORDERS, (time.perf_counter() - wall) / ORDERS


def compare() -> float:
    """Print what an order costs each, and return the ratio of the processor's time."""
    costs: dict[str, list[tuple[float, float]]] = {"ib_async": [], "ours": []}
    for _ in range(ROUNDS):
        # A venue of its own for each round: the orders of the last one would weigh on this one.
        with tws_server() as port:
            for name, kind in (("ib_async", Plain), ("ours", Ours)):
                contestant = kind(port)
                for _ in range(5):
                    contestant.place()
                costs[name].append(spent(contestant.place))
                contestant.close()
    for name, told in costs.items():
        cpu, wall = (median(one[place] for one in told) * 1e6 for place in (0, 1))
        print(f"{name:<10} place_order {cpu:7.0f} us of CPU {wall:7.0f} us")
    pairs = zip(costs["ours"], costs["ib_async"], strict=True)
    return median(ours[0] / plain[0] for ours, plain in pairs)


def reopen() -> None:
    """Print how long it takes to open a session with many open orders again."""
    with tws_server() as port:
        broker = open_broker(port, 1)
        for _ in range(OPEN_ORDERS):
            place(broker)
        broker.disconnect()
        started = time.perf_counter()
        broker.connect()
        opened = time.perf_counter()
        listed = broker.list_orders()
        told = time.perf_counter()
        assert len(listed) == OPEN_ORDERS
        broker.disconnect()
    print(
        f"reconnect with {OPEN_ORDERS} open orders: {(opened - started) * 1e3:.0f} ms, "
        f"and all of them listed in {(told - opened) * 1e3:.0f} ms"
    )


def main() -> int:
    """Print the figures; 1 when the bound is broken."""
    ratio = compare()
    is_kept = ratio <= CPU_BOUND
    print(f"CPU of place_order over plain ib_async: {ratio:.2f}x (bound {CPU_BOUND}x)")
    reopen()
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
