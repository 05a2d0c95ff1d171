"""Health checks and sessions when something goes wrong."""

from __future__ import annotations

import time

from bot_v2.features.brokerages.core.errors import AuthenticationError, BrokerageError
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import METHODS
from bot_v2.testing.violation import ContractViolation, expect, expect_error, shown

TIMES = 50
"""How often a fault is committed: more than a transport retries a read."""

_ON_CALLS = frozenset(
    {
        Fault.RESET_BEFORE,
        Fault.DROP_AFTER_ACCEPT,
        Fault.DROP_BEFORE_ACCEPT,
        Fault.RESET_AFTER,
        Fault.RATE_LIMIT,
        Fault.SERVER_ERROR,
        Fault.UNAVAILABLE,
        Fault.MALFORMED,
        Fault.EMPTY,
        Fault.TRUNCATED,
        Fault.SESSION_EXPIRED,
    }
)


def _health_at(ctx: CheckContext, fault: Fault) -> BrokerHealth:
    with ctx.fault(fault, None, TIMES):
        try:
            health: object = ctx.broker.check_health()
        except Exception as error:
            raise ContractViolation(
                f"Expected check_health() never to raise; at {fault.value} saw {shown(error)}."
            ) from error
    if not isinstance(health, BrokerHealth):
        raise ContractViolation(f"Expected a BrokerHealth; saw {shown(health)}.")
    return health


@card("BC-H010", "check_health() never raises.", Section.MEANING, needs_venue=True)
def _never_raises(ctx: CheckContext) -> None:
    """Every fault that the venue can commit is committed; a BrokerHealth is returned each time."""
    for fault in sorted(ctx.venue.faults):
        _health_at(ctx, fault)
        ctx.broker.connect()


@card(
    "BC-H020",
    "check_health() says when the broker does not answer, and why.",
    Section.MEANING,
    needs_venue=True,
)
def _says_so(ctx: CheckContext) -> None:
    """At every fault of a call: api_responsive=False, with a message."""
    for fault in sorted(ctx.venue.faults & _ON_CALLS):
        health = _health_at(ctx, fault)
        expect(not health.api_responsive, f"api_responsive=False at {fault.value}", health)
        expect(bool(health.error_message), f"an error message at {fault.value}", health)
        ctx.broker.connect()


@card(
    "BC-H030",
    "check_health() keeps its timeout.",
    Section.MEANING,
    faults=(Fault.DROP_BEFORE_ACCEPT,),
    catalogue=("T14", "T15", "T16"),
)
def _timeout(ctx: CheckContext) -> None:
    """A venue that never answers does not hold it longer than the adapter states."""
    start = time.monotonic()
    _health_at(ctx, Fault.DROP_BEFORE_ACCEPT)
    took_s = time.monotonic() - start
    expect(took_s <= ctx.profile.health_timeout_s, f"{ctx.profile.health_timeout_s} s", took_s)


@card(
    "BC-H040",
    "A health check recovers with the broker.",
    Section.MEANING,
    faults=(Fault.UNAVAILABLE,),
    catalogue=("V08",),
)
def _recovers(ctx: CheckContext) -> None:
    """It is bad while the venue is not serving, and good afterwards, without a new connect."""
    _health_at(ctx, Fault.UNAVAILABLE)
    health = ctx.broker.check_health()
    expect(health.connected and health.api_responsive, "a good health", health)


@card(
    "BC-H050",
    "A session that is known to have ended is told by is_connected().",
    Section.MEANING,
    faults=(Fault.SESSION_EXPIRED,),
    catalogue=("V01", "V02"),
)
def _known_dead(ctx: CheckContext) -> None:
    """Once a read raised an authentication error it is False; after a connect it is True."""
    _ = ctx.symbol
    with ctx.fault(Fault.SESSION_EXPIRED, "list_orders"):
        try:
            ctx.broker.list_orders()
        except AuthenticationError:
            expect(ctx.broker.is_connected() is False, "False from is_connected()", True)
        else:
            expect(ctx.broker.is_connected() is True, "True: the session was renewed", False)
    ctx.broker.connect()
    expect(ctx.broker.is_connected() is True, "True after a connect", False)


@card(
    "BC-H060",
    "connect() raises where it fails; it does not return False.",
    Section.MEANING,
    faults=(Fault.RESET_BEFORE,),
    connected=False,
    catalogue=("T01", "T02"),
)
def _connect_fails(ctx: CheckContext) -> None:
    """No connection is to be had: a typed error, and the next connect works."""
    before = sum(ctx.venue.requests_received(name) for name in METHODS)
    ctx.broker.connect()
    asks = sum(ctx.venue.requests_received(name) for name in METHODS) > before
    ctx.broker.disconnect()
    if not asks:
        ctx.skip("connect() asks the venue nothing")
    with ctx.fault(Fault.RESET_BEFORE, None, TIMES):
        expect_error(ctx.broker.connect, BrokerageError, when="connect() without a network")
        expect(ctx.broker.is_connected() is False, "False from is_connected()", True)
    expect(ctx.broker.connect() is True, "True from the next connect()", False)
