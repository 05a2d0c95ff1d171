"""Broken threads and processes, and secrets that are seen."""

from __future__ import annotations

import asyncio
import decimal
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
)
from bot_v2.features.brokerages.core.fields import FrozenMapping
from tests.contract.broken.alterations import each_with, forged, on_error, returned
from tests.contract.broken.entry import Around, Broken
from tests.contract.broken.healthy import PAPER, SECRET

logger = logging.getLogger("broken")

SWITCH_S: Final = 0.002
"""Long enough for another thread to come in between, in seconds."""


def _shared(method: str) -> Around:
    """Keep the reply on the object, where another thread's reply takes its place."""

    def instead(broker: Any, real: Any, *args: Any, **named: Any) -> Any:
        broker.reply = real(*args, **named)
        threading.Event().wait(SWITCH_S)
        return broker.reply

    return instead


def _cancels_latest(broker: Any, real: Any, order_id: str) -> Any:
    return real(broker.latest)


def _notes_latest(broker: Any, real: Any, request: Any) -> Any:
    result = real(request)
    broker.latest = result.order_id
    return result


async def _soon() -> None:
    """Stand for an SDK that is asynchronous inside."""


def _runs_loop(_: Any, real: Any, *args: Any, **named: Any) -> Any:
    waiting = _soon()
    try:
        asyncio.run(waiting)
    finally:
        waiting.close()
    return real(*args, **named)


def _after(change: Callable[[], object]) -> Around:
    def instead(_: Any, real: Any) -> Any:
        connected = real()
        change()
        return connected

    return instead


def _sets_precision() -> None:
    decimal.getcontext().prec = 10


def _logs_to_root() -> None:
    logging.getLogger().addHandler(logging.NullHandler())


def _says_key(error: Any) -> Any:
    error.message = f"{error.message} (key {SECRET})"
    error.args = (error.message,)
    return error


def _logs_key(_: Any, real: Any) -> Any:
    logger.debug("POST /session key=%s", SECRET)
    return real()


BROKEN: Final = (
    Broken(
        name="an order lost between threads",
        fault="The reply to a placement is kept on the object, where another thread takes it.",
        on=PAPER,
        alter={"place_order": _shared("place_order")},
        caught_by={"BC-T010": "the number of different order ids to be 32"},
    ),
    Broken(
        name="replies mixed up",
        fault="The reply to a read is kept on the object, where another thread takes it.",
        on=PAPER,
        alter={name: _shared(name) for name in ("list_orders", "list_balances", "get_products")},
        caught_by={"BC-T020": " in a thread to be "},
    ),
    Broken(
        name="the latest order cancelled",
        fault="cancel_order() cancels the order that was placed last.",
        on=PAPER,
        alter={"place_order": _notes_latest, "cancel_order": _cancels_latest},
        caught_by={"BC-T080": "the order to be ended", "BC-C060": "the order to be ended"},
        catalogue=("O02",),
    ),
    Broken(
        name="asyncio.run inside",
        fault="place_order() runs an event loop of its own.",
        on=PAPER,
        alter={"place_order": _runs_loop},
        caught_by={"BC-T040": "Unexpected RuntimeError: asyncio.run() cannot be called"},
    ),
    Broken(
        name="sets the decimal context",
        fault="connect() sets the precision of the caller's decimal context.",
        on=PAPER,
        alter={"connect": _after(_sets_precision)},
        caught_by={"BC-T050": "nothing process-wide changed"},
    ),
    Broken(
        name="sets the default timeout",
        fault="connect() sets the default timeout of all sockets.",
        on=PAPER,
        alter={"connect": _after(lambda: socket.setdefaulttimeout(10))},
        caught_by={"BC-T050": "nothing process-wide changed"},
    ),
    Broken(
        name="adds a log handler",
        fault="connect() adds a handler to the root logger.",
        on=PAPER,
        alter={"connect": _after(_logs_to_root)},
        caught_by={"BC-T050": "nothing process-wide changed"},
    ),
    Broken(
        name="an import with effects",
        fault="Importing its module sets the precision of the decimal context.",
        on=PAPER,
        declare={"__module__": "tests.contract.broken.noisy_module"},
        caught_by={"BC-T060": "nothing process-wide changed"},
    ),
    Broken(
        name="a secret in a repr",
        fault="The repr of the brokerage shows its key.",
        on=PAPER,
        declare={"__repr__": lambda self: f"PaperBrokerage(key={SECRET!r})"},
        caught_by={"BC-Z010": "no secret in the repr of the brokerage"},
        catalogue=("O10",),
    ),
    Broken(
        name="a secret in an error",
        fault="The message of an error shows the key.",
        on=PAPER,
        alter={"place_order": on_error(BrokerageError, _says_key)},
        caught_by={"BC-Z020": "no secret in an error of place_order"},
        catalogue=("O10",),
    ),
    Broken(
        name="a secret in a log",
        fault="The request that opens the session is logged with its key.",
        on=PAPER,
        alter={"connect": _logs_key},
        caught_by={"BC-Z030": "no secret in the log"},
        catalogue=("O10",),
    ),
    Broken(
        name="a secret in metadata",
        fault="The metadata of an order has the key.",
        on=PAPER,
        alter={"list_orders": each_with(metadata=FrozenMapping({"api_key": SECRET}))},
        caught_by={"BC-Z040": "no secret in list_orders"},
        catalogue=("O10",),
    ),
    Broken(
        name="a secret in a pickle",
        fault="A pickled brokerage holds its key.",
        on=PAPER,
        declare={"__reduce__": lambda self: (str, (SECRET,))},
        caught_by={"BC-Z050": "no secret in the pickled brokerage"},
        catalogue=("O10",),
    ),
    Broken(
        name="a secret in a health check",
        fault="The message of a failed health check shows the key.",
        on=PAPER,
        alter={
            "check_health": returned(
                lambda health: forged(
                    health, error_message=health.error_message and f"key {SECRET} did not work"
                )
            )
        },
        caught_by={"BC-Z060": "no secret in a health check without a session"},
        catalogue=("O10",),
    ),
)
