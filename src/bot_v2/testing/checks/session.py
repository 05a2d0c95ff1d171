"""Connecting, disconnecting, and telling whether the broker can be used."""

from __future__ import annotations

import io
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from decimal import Decimal
from functools import partial
from typing import NoReturn
from unittest import mock

from bot_v2.features.brokerages.core.errors import ConnectionError, Outcome
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import METHODS, NO_CONNECTION
from bot_v2.testing.violation import ContractViolation, expect, expect_equal, expect_error


@card("BC-S010", "connect() returns True.", Section.MEANING, connected=False)
def _connect_true(ctx: CheckContext) -> None:
    """The returned value is True itself, not something that counts as true."""
    returned: object = ctx.broker.connect()
    expect(returned is True, "True from connect()", returned)


@card("BC-S020", "connect() twice is harmless.", Section.MEANING)
def _connect_twice(ctx: CheckContext) -> None:
    """An order lives on through a second connect, and the account is the same."""
    account_id = ctx.broker.get_account_id()
    order_id = ctx.place_resting()
    expect(ctx.broker.connect() is True, "True from the second connect()", "something else")
    expect_equal(ctx.broker.get_account_id(), account_id, "the account")
    status = ctx.broker.get_order(order_id).status
    expect(status in LIVE_STATUSES, "the order to live on", status)


@card(
    "BC-S030",
    "disconnect() twice is harmless, also before connect().",
    Section.MEANING,
    connected=False,
)
def _disconnect_twice(ctx: CheckContext) -> None:
    """It is called before a connect and twice after one, and returns None each time."""
    returned: list[object] = [_disconnected(ctx)]
    ctx.broker.connect()
    returned += [_disconnected(ctx), _disconnected(ctx)]
    expect_equal(returned, [None, None, None], "what disconnect() returns")


def _disconnected(ctx: CheckContext) -> object:
    call: object = ctx.untyped.disconnect()
    return call


def _expect_refused_without_session(ctx: CheckContext, state: str) -> None:
    arguments: dict[str, tuple[object, ...]] = {
        "get_balance": ("USD",),
        "get_product": (ctx.profile.symbol or ctx.profile.unknown_symbol,),
        "get_price": (ctx.profile.symbol or ctx.profile.unknown_symbol,),
        "get_orderbook": (ctx.profile.symbol or ctx.profile.unknown_symbol,),
        "get_order": ("none",),
        "get_position": (ctx.profile.symbol or ctx.profile.unknown_symbol,),
    }
    writes = {"place_order", "cancel_order", "close_position"}
    for name in METHODS:
        if name in NO_CONNECTION | writes | {"get_account_id"}:
            continue
        method = getattr(ctx.broker, name)
        given = arguments.get(name, ())
        with ctx.nothing_arrives(name):
            expect_error(
                partial(method, *given),
                ConnectionError,
                when=f"{name} {state}",
            )


@card("BC-S040", "A read before connect() is ConnectionError.", Section.MEANING, connected=False)
def _read_before_connect(ctx: CheckContext) -> None:
    """Every read is called on a brokerage that was never connected, and none reaches the venue."""
    _expect_refused_without_session(ctx, "before connect()")


@card(
    "BC-S050",
    "A write before connect() is ConnectionError, NOT_SENT.",
    Section.MEANING,
    connected=False,
)
def _write_before_connect(ctx: CheckContext) -> None:
    """All three writes are called on a brokerage that was never connected."""
    _expect_writes_refused(ctx, "before connect()", ctx.profile.symbol or "BTC-USD")


def _expect_writes_refused(ctx: CheckContext, state: str, symbol: str) -> None:
    quantity = ctx.profile.quantity or Decimal(1)
    request = OrderRequest(symbol=symbol, side=OrderSide.BUY, quantity=quantity)
    calls = {
        "place_order": lambda: ctx.broker.place_order(request),
        "cancel_order": lambda: ctx.broker.cancel_order("none"),
        "close_position": lambda: ctx.broker.close_position(symbol),
    }
    for name, call in calls.items():
        with ctx.nothing_arrives(name):
            expect_error(call, ConnectionError, outcome=Outcome.NOT_SENT, when=f"{name} {state}")


@card("BC-S060", "After disconnect() nothing is sent: ConnectionError, NOT_SENT.", Section.MEANING)
def _after_disconnect(ctx: CheckContext) -> None:
    """Reads and writes are called after a session that ended."""
    symbol = ctx.symbol
    ctx.broker.disconnect()
    _expect_refused_without_session(ctx, "after disconnect()")
    _expect_writes_refused(ctx, "after disconnect()", symbol)


@card(
    "BC-S070", "is_connected() tells whether there is a session.", Section.MEANING, connected=False
)
def _is_connected(ctx: CheckContext) -> None:
    """False before connect, True after it, False after disconnect; the bools themselves."""
    seen: list[object] = [ctx.broker.is_connected()]
    ctx.broker.connect()
    seen.append(ctx.broker.is_connected())
    ctx.broker.disconnect()
    seen.append(ctx.broker.is_connected())
    same = all(one is other for one, other in zip(seen, (False, True, False), strict=True))
    expect(same, "False, True, False", seen)


@card("BC-S080", "is_connected() does no I/O.", Section.MEANING, needs_venue=True)
def _is_connected_no_io(ctx: CheckContext) -> None:
    """It is called a hundred times, and no request of any method reaches the venue."""
    with ctx.nothing_arrives(*METHODS):
        for _ in range(100):
            ctx.broker.is_connected()


@card("BC-S090", "check_health() of a good session says so.", Section.MEANING)
def _health(ctx: CheckContext) -> None:
    """Connected, responsive, without a message, and with a latency that is not negative."""
    health = ctx.broker.check_health()
    expect(isinstance(health, BrokerHealth), "a BrokerHealth", health)
    expect(health.connected and health.api_responsive, "connected and responsive", health)
    expect(health.error_message is None, "no error message", health)
    expect(health.latency_s is not None, "a latency: the broker answered", health)


@card(
    "BC-S100",
    "check_health() without a session says that, and does not raise.",
    Section.MEANING,
    connected=False,
)
def _health_without_session(ctx: CheckContext) -> None:
    """Before connect it returns connected=False and says why."""
    health = ctx.broker.check_health()
    expect(isinstance(health, BrokerHealth), "a BrokerHealth", health)
    expect(not health.connected, "connected=False", health)
    expect(bool(health.error_message), "an error message", health)


@card("BC-S110", "A health check is stamped in Unix seconds.", Section.MODELS)
def _health_stamp(ctx: CheckContext) -> None:
    """The stamp is a float between 2001 and 2096 (milliseconds are not), and never goes back."""
    first = ctx.broker.check_health().last_check_timestamp
    second = ctx.broker.check_health().last_check_timestamp
    expect(type(first) is float and 1e9 < first < 4e9, "Unix seconds", first)
    expect(second >= first, "a stamp that does not go back", (first, second))


@card("BC-S120", "check_health() asks the broker.", Section.MEANING, needs_venue=True)
def _health_asks(ctx: CheckContext) -> None:
    """A request reaches the venue: an answer from memory says nothing of the broker."""
    before = sum(ctx.venue.requests_received(name) for name in METHODS)
    ctx.broker.check_health()
    after = sum(ctx.venue.requests_received(name) for name in METHODS)
    expect(after > before, "a request of check_health at the venue", after - before)


@card("BC-S130", "get_account_id() is stable across sessions.", Section.MEANING)
def _account_stable(ctx: CheckContext) -> None:
    """It is the same text twice, and again after a new session."""
    seen = [ctx.broker.get_account_id(), ctx.broker.get_account_id()]
    ctx.broker.disconnect()
    ctx.broker.connect()
    seen.append(ctx.broker.get_account_id())
    expect(type(seen[0]) is str and bool(seen[0]), "an account id", seen[0])
    expect(len(set(seen)) == 1, "the same account id each time", seen)


class _NoInput(io.StringIO):
    def readline(self, size: int | None = -1, /) -> NoReturn:
        raise ContractViolation("Expected connect() to ask nothing; it read from standard input.")

    def read(self, size: int | None = -1, /) -> NoReturn:
        self.readline()


def _no_browser(*_: object, **__: object) -> NoReturn:
    raise ContractViolation("Expected connect() to open nothing; it opened a browser.")


@contextmanager
def _silence() -> Iterator[io.StringIO]:
    said = io.StringIO()
    with (
        redirect_stdout(said),
        redirect_stderr(said),
        mock.patch.object(sys, "stdin", _NoInput()),
        mock.patch.object(webbrowser, "open", _no_browser),
    ):
        yield said


@card(
    "BC-S140",
    "connect() never prompts, prints or opens a browser.",
    Section.MEANING,
    connected=False,
)
def _connect_is_silent(ctx: CheckContext) -> None:
    """Standard streams are watched while it connects, and the browser is out of reach."""
    with _silence() as said:
        ctx.broker.connect()
    expect(said.getvalue() == "", "nothing printed", said.getvalue())


@card("BC-S150", "A brokerage can be connected again.", Section.MEANING)
def _reconnect(ctx: CheckContext) -> None:
    """After a disconnect and a connect, reads and orders work."""
    ctx.broker.disconnect()
    expect(ctx.broker.connect() is True, "True from connect()", "something else")
    order_id = ctx.place_resting()
    expect(ctx.broker.is_connected(), "a session", False)
    expect_equal(ctx.broker.get_order(order_id).order_id, order_id, "the order")


@card("BC-S160", "disconnect() ends the session, and no order.", Section.MEANING)
def _disconnect_keeps_orders(ctx: CheckContext) -> None:
    """An order that rests is found alive in the next session."""
    order_id = ctx.place_resting()
    ctx.broker.disconnect()
    ctx.broker.connect()
    status = ctx.broker.get_order(order_id).status
    expect(status in LIVE_STATUSES, "the order to live on", status)
