"""Credentials appear nowhere: they are made up, and looked for."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import reads_of
from bot_v2.testing.violation import ContractViolation
from bot_v2.testing.walking import returned_values


def _secrets(ctx: CheckContext) -> tuple[str, ...]:
    if not ctx.profile.secrets:
        ctx.skip("no secret to look for (ContractProfile.secrets)")
    return ctx.profile.secrets


def _expect_absent(ctx: CheckContext, text: str, where: str) -> None:
    """Refuse a text with a secret in it, without repeating the secret."""
    for number, secret in enumerate(_secrets(ctx), start=1):
        if secret in text:
            raise ContractViolation(f"Expected no secret in {where}; saw secret number {number}.")


@card("BC-Z010", "A brokerage shows no secret of its own.", Section.SECRETS)
def _repr(ctx: CheckContext) -> None:
    """repr, str, format and the repr of each attribute are searched."""
    _secrets(ctx)
    shown = f"{ctx.broker!r} {ctx.broker!s} {ctx.broker}"
    _expect_absent(ctx, shown, "the repr of the brokerage")
    for name, value in vars(ctx.broker).items() if hasattr(ctx.broker, "__dict__") else ():
        _expect_absent(ctx, repr(value), f"the repr of its attribute {name}")


def _provoked(ctx: CheckContext) -> Iterator[tuple[str, BrokerageError]]:
    unknown = ctx.profile.unknown_symbol
    order_id = ctx.place_resting()
    calls: dict[str, Callable[[], object]] = {
        "get_product": lambda: ctx.broker.get_product(unknown),
        "get_order": lambda: ctx.broker.get_order("no-such-order"),
        "cancel_order": lambda: ctx.broker.cancel_order("no-such-order"),
        "place_order": lambda: ctx.broker.place_order(ctx.request(symbol=unknown)),
    }
    yield from _raised(calls)
    if ctx.has_venue:
        for fault in sorted(ctx.venue.faults):
            for name in ("place_order", "list_orders"):
                with ctx.fault(fault, name, times=100):
                    yield from _raised({name: reads_of(ctx, order_id).get(name, ctx.place)})


def _raised(calls: dict[str, Callable[[], object]]) -> Iterator[tuple[str, BrokerageError]]:
    for name, call in calls.items():
        try:
            call()
        except BrokerageError as error:
            yield name, error


@card("BC-Z020", "An error shows no secret.", Section.SECRETS, catalogue=("O10",))
def _errors(ctx: CheckContext) -> None:
    """Errors of refused calls and of every fault are searched: text, fields, causes, traceback."""
    _secrets(ctx)
    for name, error in _provoked(ctx):
        written = "".join(traceback.format_exception(error))
        _expect_absent(ctx, f"{error!r} {vars(error)!r} {written}", f"an error of {name}")
        cause = error.__cause__
        if cause is not None:
            _expect_absent(ctx, f"{cause!r} {vars(cause)!r}", f"the cause of an error of {name}")


@contextmanager
def _all_logs() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@card(
    "BC-Z030",
    "A log shows no secret, at any level.",
    Section.SECRETS,
    connected=False,
    catalogue=("O10",),
)
def _logs(ctx: CheckContext) -> None:
    """Everything is logged while it connects, trades and fails; what was written is searched."""
    _secrets(ctx)
    with _all_logs() as written:
        ctx.broker.connect()
        for _ in _provoked(ctx):
            pass
        ctx.broker.disconnect()
    _expect_absent(ctx, written.getvalue(), "the log")


@card("BC-Z040", "What is returned shows no secret.", Section.SECRETS)
def _values(ctx: CheckContext) -> None:
    """Every text in every model that the reads return is searched, metadata included."""
    _secrets(ctx)
    for path, value in returned_values(ctx):
        if isinstance(value, str):
            _expect_absent(ctx, value, path)


@card("BC-Z050", "A pickled brokerage holds no secret.", Section.SECRETS)
def _pickle(ctx: CheckContext) -> None:
    """It refuses to be pickled, or the bytes are searched."""
    _secrets(ctx)
    try:
        pickled = pickle.dumps(ctx.broker)
    except (TypeError, AttributeError, pickle.PicklingError):
        return
    _expect_absent(ctx, pickled.decode("latin-1"), "the pickled brokerage")


@card("BC-Z060", "A health check shows no secret.", Section.SECRETS, connected=False)
def _health(ctx: CheckContext) -> None:
    """Its message is searched without a session, and under every fault that the venue has."""
    _secrets(ctx)
    _expect_absent(ctx, repr(ctx.broker.check_health()), "a health check without a session")
    if ctx.has_venue:
        ctx.broker.connect()
        for fault in sorted(ctx.venue.faults):
            with ctx.fault(fault, "check_health", times=100):
                _expect_absent(ctx, repr(ctx.broker.check_health()), f"a health check at {fault}")
