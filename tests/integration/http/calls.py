"""The calls that the tests of the transport make."""

from __future__ import annotations

from bot_v2.features.brokerages.http.calls import Call

READ = Call(broker="acme", operation="list_orders", account_id="A1")
WRITE = Call(
    broker="acme",
    operation="place_order",
    account_id="A1",
    symbol="BTC-USD",
    client_order_id="c-1",
)
