"""A session of the official client, run by a Python of its own: host, port and controls are given.

It prints one JSON object of what it saw. It knows nothing of this project.
"""

import json
import sys
import threading
import time
import urllib.request
from decimal import Decimal

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.order import Order
from ibapi.wrapper import EWrapper

WAIT_S = 20


class Session(EWrapper, EClient):
    """The official client, and events for what it hears."""

    def __init__(self):
        EClient.__init__(self, self)
        self.heard = {}
        self.changed = threading.Condition()

    def note(self, name, value):
        with self.changed:
            self.heard.setdefault(name, []).append(value)
            self.changed.notify_all()

    def wait(self, name, accept=lambda value: True):
        with self.changed:
            found = self.changed.wait_for(
                lambda: [one for one in self.heard.get(name, []) if accept(one)], WAIT_S
            )
        if not found:
            raise TimeoutError(f"{name}: {self.heard}")
        return found[-1]

    def nextValidId(self, orderId):
        self.note("nextValidId", orderId)

    def managedAccounts(self, accountsList):
        self.note("managedAccounts", accountsList)

    def contractDetails(self, reqId, contractDetails):
        self.note("contractDetails", contractDetails)

    def contractDetailsEnd(self, reqId):
        self.note("contractDetailsEnd", reqId)

    def openOrder(self, orderId, contract, order, orderState):
        self.note("openOrder", (orderId, order.permId, str(order.lmtPrice), orderState.status))

    def orderStatus(self, orderId, status, filled, remaining, avgFillPrice, permId, *rest):
        self.note("orderStatus", (orderId, status, str(filled), permId))

    def execDetails(self, reqId, contract, execution):
        self.note("execDetails", (execution.execId, str(execution.shares), execution.price))

    def execDetailsEnd(self, reqId):
        self.note("execDetailsEnd", reqId)

    def commissionReport(self, commissionReport):
        self.note("commission", commissionReport.execId)

    def commissionAndFeesReport(self, commissionAndFeesReport):
        self.note("commission", commissionAndFeesReport.execId)

    def openOrderEnd(self):
        self.note("openOrderEnd", True)

    def completedOrder(self, contract, order, orderState):
        self.note("completedOrder", (order.permId, orderState.status))

    def completedOrdersEnd(self):
        self.note("completedOrdersEnd", True)

    def position(self, account, contract, position, avgCost):
        self.note("position", (contract.symbol, str(position)))

    def positionEnd(self):
        self.note("positionEnd", True)

    def error(self, *told):
        self.note("error", [part for part in told if isinstance(part, (int, str))])

    def connectionClosed(self):
        self.note("connectionClosed", True)


def control(url, path, body):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(request, timeout=WAIT_S).read()


def start(host, port, client_id):
    deadline = time.monotonic() + WAIT_S
    while True:
        session = Session()
        session.connect(host, port, client_id)
        threading.Thread(target=session.run, daemon=True).start()
        with session.changed:
            session.changed.wait_for(
                lambda: {"nextValidId", "connectionClosed"} & set(session.heard), WAIT_S
            )
        if "nextValidId" in session.heard:
            return session
        # An old client's socket closes a moment after it says so, and its id is in use till then.
        in_use = any(326 in told for told in session.heard.get("error", []))
        if not in_use or time.monotonic() > deadline:
            raise TimeoutError(f"no session: {session.heard}")
        threading.Event().wait(0.1)


def order_of(quantity, price):
    order = Order()
    order.action = "BUY"
    order.orderType = "LMT"
    order.totalQuantity = Decimal(quantity) if NEW else quantity
    order.lmtPrice = price
    order.tif = "DAY"
    order.orderRef = "from-ibapi"
    if not NEW:  # the old client asks for what no server takes any more
        order.eTradeOnly = False
        order.firmQuoteOnly = False
    return order


def cancel(session, order_id):
    try:
        session.cancelOrder(order_id)
    except TypeError:
        try:
            from ibapi.order_cancel import OrderCancel

            session.cancelOrder(order_id, OrderCancel())
        except ImportError:
            session.cancelOrder(order_id, "")


def main():
    host, port, controls = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    session = start(host, port, 41)
    asked = Contract()
    asked.symbol, asked.secType, asked.exchange, asked.currency = "AAPL", "STK", "SMART", "USD"
    session.reqContractDetails(9001, asked)
    session.wait("contractDetailsEnd")
    details = session.wait("contractDetails")
    contract = getattr(details, "contract", None) or details.summary
    order_id = session.wait("nextValidId")
    session.placeOrder(order_id, contract, order_of(100, 150.25))
    _, _, _, perm_id = session.wait("orderStatus", lambda one: one[1] == "Submitted")
    for part in ("30", "20"):
        body = {"order_id": str(perm_id), "quantity": part, "price": "150.2"}
        control(controls, "/fills", body)
    session.wait("orderStatus", lambda one: Decimal(one[2]) == 50)
    session.wait("commission", lambda _: len(session.heard["commission"]) == 2)
    cancel(session, order_id)
    session.wait("orderStatus", lambda one: one[1] == "Cancelled")
    session.wait("error", lambda told: 202 in told)
    second = order_id + 1
    session.placeOrder(second, contract, order_of(10, 140))
    session.wait("orderStatus", lambda one: one[0] == second and one[1] == "Submitted")
    version = session.serverVersion()
    session.disconnect()

    again = start(host, port, 41)
    again.reqOpenOrders()
    again.wait("openOrderEnd")
    again.reqCompletedOrders(False)
    again.wait("completedOrdersEnd")
    from ibapi.execution import ExecutionFilter

    again.reqExecutions(9002, ExecutionFilter())
    again.wait("execDetailsEnd")
    again.reqPositions()
    again.wait("positionEnd")
    told = {
        "version": version,
        "name": details.longName,
        "executions": [one[0] for one in session.heard["execDetails"]],
        "first": session.heard["openOrder"][0],
        "open": again.heard.get("openOrder", []),
        "completed": again.heard.get("completedOrder", []),
        "executions_again": [one[0] for one in again.heard.get("execDetails", [])],
        "positions": again.heard.get("position", []),
        "next_id": again.heard["nextValidId"][0],
        "second": second,
    }
    again.disconnect()
    print(json.dumps(told))


NEW = True
try:
    from ibapi.server_versions import MIN_SERVER_VER_FRACTIONAL_POSITIONS  # noqa: F401
    from ibapi import server_versions

    NEW = server_versions.MAX_CLIENT_VER >= 163
except ImportError:
    NEW = False

if __name__ == "__main__":
    main()
