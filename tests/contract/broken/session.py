"""Broken sessions: connecting, disconnecting, and telling whether the broker can be used."""

from __future__ import annotations

import sys
import webbrowser
from typing import Any, Final

from bot_v2.features.brokerages.core.errors import ConnectionError
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from tests.contract.broken.alterations import (
    always,
    forged,
    on_error,
    returned,
    told_with,
)
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER


def _cancel_all(broker: Any) -> None:
    for order in broker.list_orders():
        if order.status in LIVE_STATUSES:
            broker.cancel_order(order.order_id)


def _starts_anew(broker: Any, real: Any) -> bool:
    again = broker.is_connected()
    real()
    if again:
        _cancel_all(broker)
    return True


def _cancels_and_leaves(broker: Any, real: Any) -> None:
    if broker.is_connected():
        _cancel_all(broker)
    real()


def _only_once(broker: Any, real: Any) -> None:
    if not broker.is_connected():
        raise ConnectionError("not connected: nothing to disconnect")
    real()


def _connects_first(broker: Any, real: Any, *args: Any) -> Any:
    broker.connect()
    return real(*args)


def _asks(broker: Any, real: Any) -> bool:
    connected: bool = real()
    if connected:
        broker.list_balances()
    return connected


def _raises_unconnected(broker: Any, real: Any) -> BrokerHealth:
    if not broker.is_connected():
        raise ConnectionError("not connected")
    health: BrokerHealth = real()
    return health


WELL: Final = BrokerHealth(
    connected=True, api_responsive=True, last_check_timestamp=1.7e9, latency_s=0.0
)


def _numbered(broker: Any, real: Any) -> str:
    return f"{real()}-{broker.sessions}"


def _counts(broker: Any, real: Any) -> bool:
    broker.sessions = getattr(broker, "sessions", 0) + 1
    connected: bool = real()
    return connected


def _prints(_: Any, real: Any) -> bool:
    print("connected to paper")
    connected: bool = real()
    return connected


def _prompts(_: Any, real: Any) -> bool:
    sys.stdin.readline()
    connected: bool = real()
    return connected


def _opens_browser(_: Any, real: Any) -> bool:
    webbrowser.open("https://login.example")
    connected: bool = real()
    return connected


def _once_in_a_life(broker: Any, real: Any) -> bool:
    if not hasattr(broker, "was_connected"):
        broker.was_connected = real()
    return True


BROKEN: Final = (
    Broken(
        name="connect says nothing",
        fault="connect() returns None.",
        on=PAPER,
        alter={"connect": returned(lambda _: None)},
        caught_by={"BC-S010": "True from connect"},
    ),
    Broken(
        name="connect starts anew",
        fault="A second connect() cancels every order.",
        on=PAPER,
        alter={"connect": _starts_anew},
        caught_by={"BC-S020": "the order to live on"},
    ),
    Broken(
        name="disconnect only once",
        fault="disconnect() without a session raises.",
        on=PAPER,
        alter={"disconnect": _only_once},
        caught_by={"BC-S030": "Unexpected ConnectionError: not connected: nothing to disconnect"},
    ),
    Broken(
        name="empty before connect",
        fault="list_orders() and list_positions() without a session return empty lists.",
        on=PAPER,
        alter={
            "list_orders": on_error(ConnectionError, lambda _: []),
            "list_positions": on_error(ConnectionError, lambda _: []),
        },
        caught_by={
            "BC-S040": "ConnectionError from list_orders before connect",
            "BC-S060": "ConnectionError from list_orders after disconnect",
        },
        catalogue=("V12",),
    ),
    Broken(
        name="connects by itself",
        fault="place_order() without a session connects, and places the order.",
        on=PAPER,
        alter={"place_order": _connects_first},
        caught_by={"BC-S050": "ConnectionError from place_order before connect"},
    ),
    Broken(
        name="disconnect does nothing",
        fault="After disconnect() the session goes on.",
        on=PAPER,
        alter={"disconnect": always(None)},
        caught_by={
            "BC-S060": "ConnectionError from list_balances after disconnect",
            "BC-S070": "False, True, False",
        },
    ),
    Broken(
        name="connected for ever",
        fault="is_connected() is True whatever happened.",
        on=PAPER,
        alter={"is_connected": always(True)},
        caught_by={"BC-S070": "False, True, False", "BC-H050": "False from is_connected"},
    ),
    Broken(
        name="is_connected asks",
        fault="is_connected() reads the balances.",
        on=PAPER,
        alter={"is_connected": _asks},
        caught_by={"BC-S080": "no request of connect or"},
    ),
    Broken(
        name="health without latency",
        fault="A good health check says no latency.",
        on=PAPER,
        alter={"check_health": told_with(latency_s=None)},
        caught_by={"BC-S090": "a latency: the broker answered"},
    ),
    Broken(
        name="health raises",
        fault="check_health() without a session raises.",
        on=PAPER,
        alter={"check_health": _raises_unconnected},
        caught_by={"BC-S100": "Unexpected ConnectionError: not connected"},
    ),
    Broken(
        name="health in milliseconds",
        fault="A health check is stamped in milliseconds.",
        on=PAPER,
        alter={
            "check_health": returned(
                lambda health: forged(
                    health, last_check_timestamp=health.last_check_timestamp * 1000
                )
            )
        },
        caught_by={"BC-S110": "Unix seconds; saw 1"},
        catalogue=("P15",),
    ),
    Broken(
        name="health from memory",
        fault="check_health() says that all is well, and asks nobody.",
        on=PAPER,
        alter={"check_health": always(WELL)},
        caught_by={
            "BC-S120": "a request of check_health at the venue",
            "BC-S100": "connected=False",
            "BC-H020": "api_responsive=False at drop_after_accept",
        },
    ),
    Broken(
        name="an account per session",
        fault="get_account_id() is another text after each connect().",
        on=PAPER,
        alter={"connect": _counts, "get_account_id": _numbered},
        caught_by={"BC-S130": "the same account id each time"},
    ),
    Broken(
        name="connect prints",
        fault="connect() prints a greeting.",
        on=PAPER,
        alter={"connect": _prints},
        caught_by={"BC-S140": "nothing printed"},
    ),
    Broken(
        name="connect prompts",
        fault="connect() reads a code from standard input.",
        on=PAPER,
        alter={"connect": _prompts},
        caught_by={"BC-S140": "connect() to ask nothing"},
    ),
    Broken(
        name="connect opens a browser",
        fault="connect() opens the login page.",
        on=PAPER,
        alter={"connect": _opens_browser},
        caught_by={"BC-S140": "connect() to open nothing"},
    ),
    Broken(
        name="one session in a life",
        fault="connect() after a disconnect() returns True and does nothing.",
        on=PAPER,
        alter={"connect": _once_in_a_life},
        caught_by={"BC-S150": "Unexpected ConnectionError: not connected"},
    ),
    Broken(
        name="disconnect cancels",
        fault="disconnect() cancels the orders that rest.",
        on=PAPER,
        alter={"disconnect": _cancels_and_leaves},
        caught_by={"BC-S160": "the order to live on"},
    ),
)
