"""One object, many threads; and nothing of the process is changed."""

from __future__ import annotations

import asyncio
import decimal
import locale
import logging
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import Any

from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import reads_of
from bot_v2.testing.violation import expect, expect_equal
from bot_v2.testing.waiting import wait_until

THREADS = 8
ORDERS_PER_THREAD = 4
ROUNDS = 3
IMPORT_TIMEOUT_S = 60.0


def _together(work: list[Callable[[], Any]]) -> list[Any]:
    """Run some work at the same time, one thread each, and return what each returned."""
    start = threading.Barrier(len(work))

    def wait_and_do(do: Callable[[], Any]) -> Any:
        start.wait()
        return do()

    with ThreadPoolExecutor(len(work)) as pool:
        return [done.result() for done in [pool.submit(wait_and_do, do) for do in work]]


@card("BC-T010", "Many threads place orders at once: each is placed once.", Section.THREADS)
def _place(ctx: CheckContext) -> None:
    """Eight threads place four orders each; 32 ids, all listed, and as many at the venue."""
    requests = [
        [ctx.request(quantity=ctx.market.unit) for _ in range(ORDERS_PER_THREAD)]
        for _ in range(THREADS)
    ]
    taken = len(ctx.venue.orders_received()) if ctx.has_venue else 0

    def place(mine: list[Any]) -> list[tuple[str, str]]:
        return [(ctx.id_of(ctx.place(one)), str(one.client_order_id)) for one in mine]

    placed = [
        pair for some in _together([partial(place, mine) for mine in requests]) for pair in some
    ]
    ids = {order_id for order_id, _ in placed}
    expect_equal(len(ids), THREADS * ORDERS_PER_THREAD, "the number of different order ids")
    listed = wait_until(
        ctx.broker.list_orders,
        lambda orders: ids <= {order.order_id for order in orders},
        ctx.profile.settle_s,
        f"{len(ids)} orders listed",
    )
    told = {order.order_id: order.client_order_id for order in listed}
    mixed = [pair for pair in placed if told[pair[0]] not in (None, pair[1])]
    expect(not mixed, "each order under its own client id", mixed)
    if ctx.has_venue:
        made = len(ctx.venue.orders_received()) - taken
        expect_equal(made, len(ids), "the number of orders at the venue")


@card("BC-T020", "Many threads read at once, and all get the same.", Section.THREADS)
def _read(ctx: CheckContext) -> None:
    """Eight threads make every read three times; each answer equals that of a single thread."""
    order_id = ctx.place_resting()
    reads = reads_of(ctx, order_id)
    expected = {name: read() for name, read in reads.items()}

    def read_all() -> list[dict[str, object]]:
        return [{name: read() for name, read in reads.items()} for _ in range(ROUNDS)]

    for answers in _together([read_all] * THREADS):
        for answer in answers:
            for name, value in answer.items():
                if name not in {"get_price", "get_orderbook"}:
                    expect_equal(value, expected[name], f"{name} in a thread")


@card(
    "BC-T030",
    "Many threads cancel one order: it is cancelled, and none gets an error.",
    Section.THREADS,
)
def _cancel(ctx: CheckContext) -> None:
    """Eight threads cancel at once; each gets True or False, and at least one True."""
    order_id = ctx.place_resting()
    told = _together([lambda: ctx.broker.cancel_order(order_id)] * THREADS)
    expect(all(isinstance(one, bool) for one in told) and any(told), "bools, one True", told)
    ctx.await_end(order_id)


@card("BC-T040", "Everything works inside a running event loop.", Section.THREADS)
def _event_loop(ctx: CheckContext) -> None:
    """A coroutine makes the reads, places an order and cancels it, as a notebook would."""

    async def use() -> bool:
        ctx.broker.disconnect()
        ctx.broker.connect()
        order_id = ctx.place_resting()
        for read in reads_of(ctx, order_id).values():
            read()
        return ctx.broker.cancel_order(order_id)

    expect(asyncio.run(use()) is True, "True from the cancel", False)


def _process_state() -> dict[str, object]:
    context = decimal.getcontext()
    return {
        "decimal context": (context.prec, context.rounding, dict(context.traps)),
        "default decimal context": (decimal.DefaultContext.prec, decimal.DefaultContext.rounding),
        "socket default timeout": socket.getdefaulttimeout(),
        "locale": locale.setlocale(locale.LC_ALL),
        "warning filters": list(warnings.filters),
        "root log handlers": list(logging.getLogger().handlers),
        "root log level": logging.getLogger().level,
        "interrupt handler": signal.getsignal(signal.SIGINT),
        "exception hook": sys.excepthook,
        "thread exception hook": threading.excepthook,
        "recursion limit": sys.getrecursionlimit(),
    }


@card(
    "BC-T050", "Using a brokerage changes nothing process-wide.", Section.THREADS, connected=False
)
def _use_changes_nothing(ctx: CheckContext) -> None:
    """Decimal context, time-outs, locale, warnings, logging and hooks are compared after use."""
    before = _process_state()
    ctx.broker.connect()
    for read in reads_of(ctx, ctx.place_resting()).values():
        read()
    ctx.broker.disconnect()
    after = _process_state()
    changed = [name for name, value in before.items() if after[name] != value]
    expect(not changed, "nothing process-wide changed", changed)


_IMPORT = """
import decimal, locale, logging, signal, socket, sys, threading, warnings
def state():
    context = decimal.getcontext()
    return {
        "decimal context": (context.prec, context.rounding),
        "default decimal context": (decimal.DefaultContext.prec, decimal.DefaultContext.rounding),
        "socket default timeout": socket.getdefaulttimeout(),
        "locale": locale.setlocale(locale.LC_ALL),
        "warning filters": [str(one) for one in warnings.filters],
        "root log handlers": [str(one) for one in logging.getLogger().handlers],
        "root log level": logging.getLogger().level,
        "interrupt handler": str(signal.getsignal(signal.SIGINT)),
        "exception hook": str(sys.excepthook),
        "threads": [one.name for one in threading.enumerate()],
    }
sys.path[:0] = sys.argv[2:]
before = state()
__import__(sys.argv[1])
after = state()
print("\\n".join(name for name in before if after[name] != before[name]))
"""


@card(
    "BC-T060",
    "Importing an adapter changes nothing process-wide.",
    Section.THREADS,
    connected=False,
)
def _import_changes_nothing(ctx: CheckContext) -> None:
    """Its module is imported in a new interpreter, which is compared before and after."""
    module = type(ctx.broker).__module__
    try:
        found = module != "__main__" and find_spec(module) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        ctx.skip(f"the module {module} cannot be imported by name")
    command = [sys.executable, "-c", _IMPORT, module, *[one for one in sys.path if one]]
    done = subprocess.run(  # noqa: S603 - our own interpreter, and a module that runs here already
        command, capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        ctx.skip(f"the module {module} cannot be imported by name in a new interpreter")
    expect(done.stdout.strip() == "", "nothing process-wide changed", done.stdout.split())


@card("BC-T070", "The caller's decimal context changes no figure.", Section.MONEY)
def _decimal_context(ctx: CheckContext) -> None:
    """With 3 digits of precision in the calling thread, every read returns what it did before."""
    order_id = ctx.place_resting()
    reads = reads_of(ctx, order_id)
    expected = {name: read() for name, read in reads.items()}
    with decimal.localcontext() as context:
        context.prec = 3
        context.rounding = decimal.ROUND_UP
        narrow = {name: read() for name, read in reads.items()}
        request = ctx.request()
        placed = ctx.id_of(ctx.place(request))
    for name, value in expected.items():
        if name not in {"get_price", "get_orderbook"}:
            expect_equal(narrow[name], value, f"{name} under a narrow decimal context")
    order = ctx.broker.get_order(placed)
    expect_equal(order.quantity, request.quantity, "the quantity of an order placed under it")


@card("BC-T080", "Orders are placed while others are cancelled and read.", Section.THREADS)
def _mixed(ctx: CheckContext) -> None:
    """Threads place, cancel and list at once; every order ends as its own thread asked."""
    requests = [[ctx.request(quantity=ctx.market.unit) for _ in range(ROUNDS)] for _ in range(4)]

    def place_and_cancel(mine: list[Any]) -> list[str]:
        ids = [ctx.id_of(ctx.place(one)) for one in mine]
        ctx.broker.cancel_order(ids[0])
        return ids

    def list_all() -> list[str]:
        for _ in range(ROUNDS):
            ctx.broker.list_orders()
        return []

    work = [partial(place_and_cancel, mine) for mine in requests]
    for ids in _together([*work, *[list_all] * 4])[: len(work)]:
        ctx.await_end(ids[0])
        for order_id in ids[1:]:
            status = ctx.broker.get_order(order_id).status
            expect(status in LIVE_STATUSES, "a live order", status)
