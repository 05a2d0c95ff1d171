"""A session of the official client, run by a Python of its own: host, port and controls are given.

It prints one JSON object of what it saw. It knows nothing of this project, and runs on every
generation of the client: what they call differently is tried in turn.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import Any

WAIT_S = 60
CLIENT_ID = 41

CALLBACKS = (
    *("nextValidId", "error", "connectionClosed", "contractDetails", "contractDetailsEnd"),
    *("openOrder", "orderStatus", "openOrderEnd", "completedOrder", "completedOrdersEnd"),
    *("execDetails", "execDetailsEnd", "commissionReport", "position", "positionEnd"),
)
HEARD = {"commissionAndFeesReport": "commissionReport", **{name: name for name in CALLBACKS}}
"""What is kept of each callback, and as what: that of the commission was renamed."""

EClient: Any = import_module("ibapi.client").EClient
EWrapper: Any = import_module("ibapi.wrapper").EWrapper
Contract: Any = import_module("ibapi.contract").Contract
Order: Any = import_module("ibapi.order").Order
ExecutionFilter: Any = import_module("ibapi.execution").ExecutionFilter
NEWEST = import_module("ibapi.client").MAX_CLIENT_VER
HAS_DECIMALS = NEWEST >= 163


class Ears:
    """What was heard, by the name of the callback."""

    def __init__(self) -> None:
        """Hear nothing yet."""
        self.told: dict[str, list[tuple[Any, ...]]] = {}
        self.changed = threading.Condition()

    def note(self, name: str, told: tuple[Any, ...]) -> None:
        """Keep what was told."""
        with self.changed:
            self.told.setdefault(name, []).append(told)
            self.changed.notify_all()

    def wait(self, name: str, accept: Callable[[tuple[Any, ...]], object] = bool) -> Any:
        """Wait for a callback that is as expected; return what it was told."""
        with self.changed:
            self.changed.wait_for(lambda: self._found(name, accept), WAIT_S)
            found = self._found(name, accept)
        if not found:
            raise TimeoutError(f"{name}: {self.told}")
        return found[-1]

    def _found(self, name: str, accept: Callable[[tuple[Any, ...]], object]) -> list[Any]:
        return [one for one in self.told.get(name, []) if accept(one) or not one]


def listener(name: str) -> Callable[..., None]:
    """Return a callback that keeps what it is told."""

    def hear(self: Any, *told: Any) -> None:
        self.ears.note(name, told)

    return hear


Session: Any = type(
    "Session", (EWrapper, EClient), {name: listener(kept) for name, kept in HEARD.items()}
)


def connect(host: str, port: int) -> Any:
    """Return a session that has started."""
    session = Session()
    session.ears = Ears()
    EClient.__init__(session, session)
    session.connect(host, port, CLIENT_ID)
    threading.Thread(target=session.run, daemon=True).start()
    return session


def start(host: str, port: int) -> Any:
    """Return a session that has started; an old one's id may be in use for a moment."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        session = connect(host, port)
        ears = session.ears
        with ears.changed:
            ears.changed.wait_for(lambda: is_settled(ears), WAIT_S)  # noqa: B023 - waited for at once
        if "nextValidId" in ears.told:
            return session
        if not any(326 in told for told in ears.told.get("error", [])):
            break
        threading.Event().wait(0.1)
    raise TimeoutError("no session")


def is_settled(ears: Ears) -> bool:
    """Whether a session has started, or has ended."""
    return bool({"nextValidId", "connectionClosed"} & set(ears.told))


def order_of(quantity: int, price: float) -> Any:
    """Return an order to buy at a limit."""
    order = Order()
    order.action, order.orderType, order.tif = "BUY", "LMT", "DAY"
    order.totalQuantity = Decimal(quantity) if HAS_DECIMALS else quantity
    order.lmtPrice, order.orderRef = price, "from-ibapi"
    if not HAS_DECIMALS:
        # What the oldest generation asks for by default is not taken any more.
        order.eTradeOnly = order.firmQuoteOnly = False
    return order


def cancel(session: Any, order_id: int) -> None:
    """Cancel an order, as the generation of the client does it."""
    try:
        session.cancelOrder(order_id)
    except TypeError:
        session.cancelOrder(order_id, import_module("ibapi.order_cancel").OrderCancel())


def fill(controls: str, perm_id: int, quantity: int) -> None:
    """Have part of an order filled."""
    body = {"order_id": str(perm_id), "quantity": str(quantity), "price": "150.2"}
    request = urllib.request.Request(  # noqa: S310 - the controls are on this machine
        f"{controls}/fills", json.dumps(body).encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=WAIT_S).read()  # noqa: S310 - see above


def trade(session: Any, controls: str) -> tuple[Any, int]:
    """Have an order filled in part and cancelled, and leave another; return what it was of."""
    ears = session.ears
    asked = Contract()
    asked.symbol, asked.secType, asked.exchange, asked.currency = "AAPL", "STK", "SMART", "USD"
    session.reqContractDetails(9001, asked)
    ears.wait("contractDetailsEnd")
    _, details = ears.wait("contractDetails")
    (order_id,) = ears.wait("nextValidId", lambda _: True)
    session.placeOrder(order_id, details.contract, order_of(100, 150.25))
    perm_id = ears.wait("orderStatus", lambda one: one[1] == "Submitted")[5]
    for part in (30, 20):
        fill(controls, perm_id, part)
    ears.wait("orderStatus", lambda one: Decimal(str(one[2])) == 50)
    ears.wait("commissionReport", lambda _: len(ears.told["commissionReport"]) == 2)
    cancel(session, order_id)
    ears.wait("orderStatus", lambda one: one[1] == "Cancelled")
    ears.wait("error", lambda told: 202 in told)
    session.placeOrder(order_id + 1, details.contract, order_of(10, 140))
    ears.wait("orderStatus", lambda one: one[0] == order_id + 1 and one[1] == "Submitted")
    return details, order_id + 1


def main(host: str, port: int, controls: str) -> None:
    """Trade, return, and print what was seen."""
    session = start(host, port)
    details, second = trade(session, controls)
    version = session.serverVersion()
    session.disconnect()
    again = start(host, port)
    ears = again.ears
    again.reqOpenOrders()
    ears.wait("openOrderEnd", lambda _: True)
    again.reqCompletedOrders(False)
    ears.wait("completedOrdersEnd", lambda _: True)
    again.reqExecutions(9002, ExecutionFilter())
    ears.wait("execDetailsEnd")
    again.reqPositions()
    ears.wait("positionEnd", lambda _: True)
    told = {
        "version": version,
        "name": details.longName,
        "executions": [one[2].execId for one in session.ears.told["execDetails"]],
        "open": [one[0] for one in ears.told.get("openOrder", [])],
        "completed": [one[2].status for one in ears.told.get("completedOrder", [])],
        "executions_again": [one[2].execId for one in ears.told.get("execDetails", [])],
        "positions": [[one[1].symbol, float(one[2])] for one in ears.told.get("position", [])],
        "next_id": ears.told["nextValidId"][0][0],
        "second": second,
    }
    again.disconnect()
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
