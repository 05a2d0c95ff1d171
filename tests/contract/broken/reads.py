"""Broken reads when something goes wrong, and broken health checks."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.accounts import Balance
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    BrokerAPIError,
    BrokerUnavailableError,
    ConnectionError,
    OrderNotFoundError,
    Outcome,
    RateLimitError,
    TimeoutError,
)
from bot_v2.features.brokerages.core.health import BrokerHealth
from tests.contract.broken.alterations import forged, on_error, returned
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import ACME, PAPER


def _zero_on_error(_: Any, real: Any, asset: str) -> Any:
    try:
        return real(asset)
    except BrokerageError:
        return Balance(asset=asset, total=Decimal(0))


def _broken_since(broker: Any, real: Any, *args: Any) -> Any:
    """Stay broken after a first failure."""
    if getattr(broker, "has_failed", False):
        raise BrokerUnavailableError("the circuit is open")
    try:
        return real(*args)
    except BrokerageError:
        broker.has_failed = True
        raise


def _remembered(broker: Any, real: Any) -> Any:
    """Answer from memory where the broker does not."""
    try:
        broker.memory = real()
    except BrokerageError:
        if not hasattr(broker, "memory"):
            raise
    return list(broker.memory)


def _naive_when_late(order: Any) -> Any:
    return forged(order, timestamp=order.timestamp.replace(tzinfo=None))


def _slow(_: Any, real: Any) -> Any:
    health = real()
    if not health.api_responsive:
        threading.Event().wait(0.7)
    return health


def _says_well(health: BrokerHealth) -> Any:
    return forged(health, connected=True, api_responsive=True, error_message=None)


def _unwell_for_good(broker: Any, real: Any) -> Any:
    health = real()
    broker.unwell = getattr(broker, "unwell", None) or (
        None if health.api_responsive or not health.connected else health
    )
    return broker.unwell or health


def _raises(broker: Any, real: Any) -> Any:
    health = real()
    if health.error_message is not None:
        raise ConnectionError(health.error_message)
    return health


def _false_on_error(_: Any, real: Any) -> bool:
    try:
        connected: bool = real()
    except BrokerageError:
        return False
    return connected


EMPTY: Final = on_error(BrokerageError, lambda _: [])

BROKEN: Final = (
    Broken(
        name="an error is an empty list",
        fault="list_orders() returns [] where the broker cannot be read.",
        on=PAPER,
        alter={"list_orders": EMPTY},
        caught_by={
            "BC-F010": "list_orders to fail at reset_before",
            "BC-F020": "list_orders to fail at drop_before_accept",
            "BC-F030": "list_orders to fail at server_error",
            "BC-F040": "list_orders to fail at unavailable",
            "BC-F050": "list_orders to fail at rate_limit",
            "BC-F090": "list_orders to fail at reset_after",
            "BC-F150": "the order in the list",
        },
        catalogue=("V12", "T01", "T09"),
    ),
    Broken(
        name="garbage is an empty list",
        fault="list_orders() returns [] where the answer cannot be read.",
        on=ACME,
        alter={"list_orders": EMPTY},
        caught_by={
            "BC-F060": "list_orders to fail at malformed",
            "BC-F070": "list_orders to fail at empty",
            "BC-F080": "list_orders to fail at truncated",
        },
        catalogue=("T08", "P08", "V12"),
    ),
    Broken(
        name="an error is None",
        fault="get_order() returns None where the broker cannot be read.",
        on=PAPER,
        alter={"get_order": on_error(BrokerageError, lambda _: None)},
        caught_by={
            "BC-F010": "get_order to fail at reset_before",
            "BC-F120": "BrokerageError from get_order at server_error",
            "BC-R010": "OrderNotFoundError from get_order",
        },
        catalogue=("V12",),
    ),
    Broken(
        name="an error is flat",
        fault="get_position() returns None where the broker cannot be read.",
        on=PAPER,
        alter={"get_position": on_error(BrokerageError, lambda _: None)},
        caught_by={
            "BC-F100": "BrokerageError from get_position at server_error",
            "BC-F030": "get_position to fail at server_error",
            "BC-P020": "InvalidSymbolError from get_position",
        },
        catalogue=("V12",),
    ),
    Broken(
        name="an error is no money",
        fault="get_balance() is zero where the broker cannot be read.",
        on=PAPER,
        alter={"get_balance": _zero_on_error},
        caught_by={
            "BC-F110": "BrokerageError from get_balance",
            "BC-F040": "get_balance to fail at unavailable",
        },
        catalogue=("V12",),
    ),
    Broken(
        name="an error is not found",
        fault="get_order() raises OrderNotFoundError where the broker cannot be read.",
        on=PAPER,
        alter={
            "get_order": on_error(BrokerUnavailableError, lambda _: OrderNotFoundError("no order"))
        },
        caught_by={
            "BC-F120": "another error than not found",
            "BC-F030": "BrokerUnavailableError from get_order at server_error",
        },
        catalogue=("T01", "S09"),
    ),
    Broken(
        name="memory for an answer",
        fault="list_orders() repeats its last answer where the broker cannot be read.",
        on=PAPER,
        alter={"list_orders": _remembered},
        caught_by={
            "BC-F030": "list_orders to fail at server_error",
            "BC-F040": "list_orders to fail at unavailable",
        },
        catalogue=("V12",),
    ),
    Broken(
        name="a timeout is something else",
        fault="A read that is not answered is BrokerAPIError.",
        on=PAPER,
        alter={"list_orders": on_error(TimeoutError, lambda _: BrokerAPIError("no answer"))},
        caught_by={"BC-F020": "TimeoutError or ConnectionError from list_orders"},
        catalogue=("T05",),
    ),
    Broken(
        name="a 429 without a wait",
        fault="RateLimitError does not say how long the broker asks to wait.",
        on=PAPER,
        alter={"list_orders": on_error(RateLimitError, lambda _: RateLimitError("slow down"))},
        caught_by={"BC-F050": "retry_after_s, in seconds"},
        catalogue=("V06",),
    ),
    Broken(
        name="a read with an outcome",
        fault="The error of a read says that nothing was sent.",
        on=PAPER,
        alter={
            "list_orders": on_error(
                BrokerUnavailableError,
                lambda _: BrokerUnavailableError("down", outcome=Outcome.NOT_SENT),
            )
        },
        caught_by={"BC-F030": "no outcome on the error of a read"},
    ),
    Broken(
        name="broken for good",
        fault="After one failure list_orders() fails until the next connect().",
        on=PAPER,
        alter={"list_orders": _broken_since},
        caught_by={"BC-F130": "Unexpected BrokerUnavailableError: the circuit is open"},
    ),
    Broken(
        name="naive while the clock is off",
        fault="get_order() tells times without a zone.",
        on=PAPER,
        alter={"get_order": returned(_naive_when_late)},
        caught_by={"BC-F140": "an aware moment"},
        catalogue=("V07", "P15"),
    ),
    Broken(
        name="health raises at a fault",
        fault="check_health() raises where the broker does not answer.",
        on=PAPER,
        alter={"check_health": _raises},
        caught_by={
            "BC-H010": "check_health() never to raise",
            "BC-H020": "check_health() never to raise",
        },
    ),
    Broken(
        name="always well",
        fault="check_health() says that all is well where the broker does not answer.",
        on=PAPER,
        alter={"check_health": returned(_says_well)},
        caught_by={"BC-H020": "api_responsive=False at drop_after_accept"},
    ),
    Broken(
        name="a slow health check",
        fault="check_health() waits longer than its timeout.",
        on=PAPER,
        alter={"check_health": _slow},
        caught_by={"BC-H030": "0.5 s; saw 0.7"},
        catalogue=("T14", "T15"),
    ),
    Broken(
        name="unwell for good",
        fault="check_health() repeats the first failure that it saw.",
        on=PAPER,
        alter={"check_health": _unwell_for_good},
        caught_by={"BC-H040": "a good health"},
    ),
    Broken(
        name="connect returns False",
        fault="connect() returns False where there is no network.",
        on=PAPER,
        alter={"connect": _false_on_error},
        caught_by={"BC-H060": "BrokerageError from connect"},
        catalogue=("T01", "T02"),
    ),
)
