"""What the doctor asks of one brokerage: what works now, and what will not tomorrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

import attrs

from bot_v2.cli.findings import NIGHT, Notebook, soon
from bot_v2.cli.list_types import brokerage_types
from bot_v2.cli.session import ending
from bot_v2.features.brokerages.core.access import Access, AccessRight, ServerTime, access_of
from bot_v2.features.brokerages.core.accounts import Position
from bot_v2.features.brokerages.core.declarations import (
    Environment,
    Retention,
    environment_of,
    order_history_of,
)
from bot_v2.features.brokerages.core.errors import BrokerageError, LoginRequiredError
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import TimeInForce
from bot_v2.features.brokerages.core.orders import Order

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

_T = TypeVar("_T")

SKEW_WARNING: Final = timedelta(seconds=1)
"""How far a clock may be off without a word."""

SKEW_PROBLEM: Final = timedelta(seconds=30)
"""How far it may be off before signed requests are refused: 30 s is what brokers allow."""

SET_THE_CLOCK: Final = "synchronise this machine's clock (NTP)"

EXPIRY_PROBLEM: Final = timedelta(hours=1)
"""How near the end of a session may be before it is a problem, and no warning."""

PAPER_VARIABLE: Final = "ENABLE_PAPER_TRADING"
"""The variable by which a user says whether paper is meant."""

_YES: Final = frozenset({"1", "true", "yes", "on"})


@attrs.frozen(kw_only=True)
class Patient:
    """A brokerage that is looked at, and what is expected of it."""

    name: str
    """The name that it is made by."""
    make: Callable[[], IBrokerage]
    """Makes it, not connected."""
    expected: Environment | None
    """Where its orders should go. None: nobody says."""
    environ: Mapping[str, str]
    """The environment."""


def examine(patient: Patient, notes: Notebook, now: datetime) -> None:
    """Look at everything; what fails is a finding, and ends nothing but what depends on it."""
    if not _is_installed(patient, notes):
        return
    try:
        broker = patient.make()
    except BrokerageError as error:
        notes.fail("settings", error.message)
        return
    notes.ok("settings", "complete")
    _look_at_environment(patient, broker, notes)
    with ending(broker):
        if _connects(broker, notes):
            _look_inside(broker, notes, now)


def _is_installed(patient: Patient, notes: Notebook) -> bool:
    found = next((one for one in brokerage_types() if one.name == patient.name), None)
    if found is None:
        known = ", ".join(one.name for one in brokerage_types())
        notes.fail("package", f"there is no brokerage of that name: one of {known}")
        return False
    if not found.installed:
        notes.fail("package", "a package that it needs is not installed", found.install)
        return False
    notes.ok("package", f"installed, by {found.offered_by}")
    return True


def _look_at_environment(patient: Patient, broker: IBrokerage, notes: Notebook) -> None:
    found = environment_of(broker)
    said = patient.environ.get(PAPER_VARIABLE, "").strip().lower()
    if patient.expected is not None and found is not patient.expected:
        notes.fail("environment", f"it is {found.value}, and {patient.expected.value} was expected")
    elif found is Environment.LIVE and said in _YES:
        notes.fail("environment", f"it is LIVE, and {PAPER_VARIABLE} is {said}")
    elif found is not Environment.LIVE and said and said not in _YES:
        notes.warn("environment", f"it is {found.value}, and {PAPER_VARIABLE} is {said}")
    elif found is Environment.LIVE:
        notes.note("environment", "LIVE: orders move real money")
    else:
        notes.ok("environment", found.value)


def _connects(broker: IBrokerage, notes: Notebook) -> bool:
    try:
        broker.connect()
    except LoginRequiredError as error:
        where = None if error.login_url is None else f"log in: {error.login_url}"
        notes.fail("session", f"a person has to log in: {error.message}", where)
        return False
    except BrokerageError as error:
        notes.fail("session", f"{type(error).__name__}: {error.message}")
        return False
    health = broker.check_health()
    if not health.api_responsive:
        notes.fail("session", f"connected, but not healthy: {health.error_message}")
    else:
        notes.ok("session", f"connected, account {broker.get_account_id()}")
    return True


def _look_inside(broker: IBrokerage, notes: Notebook, now: datetime) -> None:
    access = _read("credentials", notes, lambda: access_of(broker))
    if access is not None:
        _look_at_rights(access, notes)
        _look_at_expiry(access, notes, now)
        _look_at_clock(access.server_time, notes)
        _look_at_interruptions(access, notes, now)
    else:
        notes.note("credentials", "the broker does not tell what they may do, or until when")
    _look_at_memory(broker, notes, now)
    _look_at_orders(_read("orders", notes, broker.list_orders), notes, now)
    _look_at_positions(broker, _read("positions", notes, broker.list_positions), notes, now)


def _read(subject: str, notes: Notebook, ask: Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except BrokerageError as error:
        notes.fail(subject, f"they cannot be read: {type(error).__name__}: {error.message}")
        return None


def _look_at_rights(access: Access, notes: Notebook) -> None:
    for right in (AccessRight.READ, AccessRight.TRADE):
        if right in access.refused:
            notes.fail("permissions", f"the credentials may not {right.value}")
    if AccessRight.WITHDRAW in access.granted:
        advice = "make a key that may not: no bot needs it"
        notes.warn("permissions", "the credentials may move money out of the account", advice)
    if AccessRight.TRADE in access.granted:
        notes.ok("permissions", "the credentials may trade")
    elif AccessRight.TRADE not in access.refused:
        notes.note("permissions", "the broker does not tell whether the credentials may trade")
    for restriction in access.restrictions:
        notes.warn("permissions", restriction)


def _look_at_expiry(access: Access, notes: Notebook, now: datetime) -> None:
    end = access.expires_at
    if end is None:
        notes.ok("expiry", "the broker tells of no end of session or credentials")
    elif end - now < EXPIRY_PROBLEM:
        notes.fail("expiry", f"session or credentials end at {soon(end, now)}", "renew them now")
    elif end - now < NIGHT:
        notes.warn("expiry", f"session or credentials end at {soon(end, now)}", "renew them")
    else:
        notes.ok("expiry", f"session or credentials end at {soon(end, now)}")


def _look_at_clock(clock: ServerTime | None, notes: Notebook) -> None:
    if clock is None:
        notes.note("clock", "the broker does not tell its time")
        return
    off = abs(clock.skew)
    way = "ahead of" if clock.skew > timedelta(0) else "behind"
    text = f"the broker's clock is {off.total_seconds():.1f} s {way} this machine's"
    if off > SKEW_PROBLEM:
        notes.fail("clock", text, SET_THE_CLOCK)
    elif off > SKEW_WARNING:
        notes.warn("clock", text, SET_THE_CLOCK)
    else:
        notes.ok("clock", "it agrees with the broker's")


def _look_at_interruptions(access: Access, notes: Notebook, now: datetime) -> None:
    for one in access.interruptions:
        if one.ends_at is None:
            notes.warn("tonight", f"at {soon(one.starts_at, now)}: {one.what}")
            continue
        until = f"until {one.ends_at:%H:%M}Z"
        started = "going on" if one.starts_at <= now else f"at {soon(one.starts_at, now)}"
        advice = "send nothing meanwhile; afterwards: bot-v2 reconcile"
        notes.note("tonight", f"{started}, {until}: {one.what}", advice)


def _look_at_memory(broker: IBrokerage, notes: Notebook, now: datetime) -> None:
    history = order_history_of(broker)
    if history.retention is not Retention.SESSION or history.session_reset is None:
        return
    zone = ZoneInfo(history.session_zone or "UTC")
    local = now.astimezone(zone)
    reset = datetime.combine(local.date(), history.session_reset, tzinfo=zone)
    if reset <= local:
        reset = datetime.combine(
            local.date() + timedelta(days=1), history.session_reset, tzinfo=zone
        )
    text = f"ended orders are forgotten at {soon(reset.astimezone(UTC), now)}"
    notes.note("tonight", text, "before that: bot-v2 reconcile")


def _look_at_orders(orders: Sequence[Order] | None, notes: Notebook, now: datetime) -> None:
    if orders is None:
        return
    live = [one for one in orders if one.status in LIVE_STATUSES]
    ending = [one for one in live if one.expires_at is not None and one.expires_at - now < NIGHT]
    for one in ending:
        if one.expires_at is not None:
            notes.warn("orders", f"order {one.order_id} ends at {soon(one.expires_at, now)}")
    days = [one for one in live if one.time_in_force is TimeInForce.DAY and one not in ending]
    if days:
        names = ", ".join(one.order_id for one in days)
        notes.warn("orders", f"{len(days)} live for the day only, and end at its close: {names}")
    if not ending and not days:
        notes.ok("orders", f"{len(live)} live, none of which ends tonight by itself")


def _look_at_positions(
    broker: IBrokerage, positions: Sequence[Position] | None, notes: Notebook, now: datetime
) -> None:
    if positions is None:
        return
    expiring = 0
    for one in positions:
        product = _read("positions", notes, partial(broker.get_product, one.symbol))
        if product is None or product.expiry is None:
            continue
        if product.expiry <= (now + NIGHT).date():
            expiring += 1
            notes.warn("positions", f"{one.symbol} expires on {product.expiry.isoformat()}")
    if not expiring:
        notes.ok("positions", f"{len(positions)}, none of which expires tonight")
