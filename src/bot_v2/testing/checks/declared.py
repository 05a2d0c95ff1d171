"""What a brokerage declares of itself is well formed, and is there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import (
    PROTOCOLS,
    Capability,
    capabilities_of,
    methods_of,
)
from bot_v2.features.brokerages.core.declarations import (
    CloseGuard,
    OrderHistory,
    balance_identity_of,
    close_guard_of,
    idempotency_of,
    name_of,
    order_history_of,
    unsupported_of,
)
from bot_v2.features.brokerages.core.errors import Outcome, UnsupportedOperationError
from bot_v2.features.brokerages.core.idempotency import (
    DuplicateBehaviour,
    IdempotencyProfile,
    IdempotencyScope,
)
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import METHODS, WRITES, reads_of
from bot_v2.testing.violation import ContractViolation, expect, expect_equal, expect_error

_OPTIONAL = re.compile(r"Optional\[(.+)\]")
_MODULE = re.compile(r"\b(?:\w+\.)+(?=\w)")
_UNSUPPORTED = re.compile(
    r"(?P<method>\w+)(?::(?P<argument>\w+)\s*(?P<sign>>=|=|==)\s*(?P<value>.+))?"
)


def _annotation(written: object) -> str:
    """Return an annotation as text, without module names, so that spellings can be compared."""
    text = written if isinstance(written, str) else getattr(written, "__name__", str(written))
    if not isinstance(written, str) and ("[" in str(written) or "|" in str(written)):
        text = str(written)
    text = _MODULE.sub("", text.strip("'\""))
    optional = _OPTIONAL.fullmatch(text)
    return f"{optional[1]} | None" if optional else text


def _terms(method: Callable[..., Any]) -> list[tuple[str, str, object, str]]:
    signature = inspect.signature(method)
    terms = [
        (name, parameter.kind.name, parameter.default, _annotation(parameter.annotation))
        for name, parameter in signature.parameters.items()
        if name != "self"
    ]
    return [*terms, ("return", "", None, _annotation(signature.return_annotation))]


def _expect_signature(broker: object, protocol: type, name: str) -> None:
    actual = getattr(type(broker), name, None) or getattr(broker, name, None)
    expect(callable(actual), f"a method {name}", actual)
    expected = _terms(getattr(protocol, name))
    expect_equal(_terms(getattr(broker, name)), expected, f"the signature of {name}")


@card("BC-D010", "A brokerage has the 18 methods.", Section.METHODS, connected=False)
def _methods(ctx: CheckContext) -> None:
    """Each of the 18 names is callable on the object."""
    missing = [name for name in METHODS if not callable(getattr(ctx.broker, name, None))]
    expect(not missing, "all 18 methods", f"no {', '.join(missing)}")


@card(
    "BC-D020",
    "The 18 signatures are literally those of IBrokerage.",
    Section.METHODS,
    connected=False,
)
def _signatures(ctx: CheckContext) -> None:
    """Names, order, kinds, defaults and annotations of parameters and results are compared."""
    for name in METHODS:
        _expect_signature(ctx.broker, IBrokerage, name)


@card("BC-D030", "The contract is synchronous.", Section.METHODS, connected=False)
def _synchronous(ctx: CheckContext) -> None:
    """None of the 18 is a coroutine function or a generator function."""
    for name in METHODS:
        method = getattr(ctx.broker, name)
        lazy = inspect.iscoroutinefunction(method) or inspect.isgeneratorfunction(method)
        expect(not lazy, f"{name} to be a plain method", method)


@card("BC-D040", "`capabilities` is a frozenset of Capability.", Section.METHODS, connected=False)
def _capabilities_typed(ctx: CheckContext) -> None:
    """The attribute, where it is there, is a frozenset, and each member a Capability."""
    declared: frozenset[object] = getattr(ctx.broker, "capabilities", frozenset())
    expect(isinstance(declared, frozenset), "a frozenset (nobody can change it)", declared)
    odd = [one for one in declared if not isinstance(one, Capability)]
    expect(not odd, "members of Capability only", odd)


@card(
    "BC-D050",
    "What is declared is structurally present.",
    Section.METHODS,
    connected=False,
)
def _declared_is_present(ctx: CheckContext) -> None:
    """Each declared capability has its Protocol's methods, with the Protocol's signatures."""
    for capability in sorted(capabilities_of(ctx.broker)):
        protocol = PROTOCOLS[capability]
        for name in methods_of(capability):
            expect(protocol is not None, "a protocol", capability)
            if protocol is not None:
                _expect_signature(ctx.broker, protocol, name)


@card(
    "BC-D060",
    "What is structurally present is declared.",
    Section.METHODS,
    connected=False,
)
def _present_is_declared(ctx: CheckContext) -> None:
    """No capability has all of its methods on the object without being declared."""
    declared = capabilities_of(ctx.broker)
    for capability in Capability:
        names = methods_of(capability)
        if names and capability not in declared:
            present = all(callable(getattr(ctx.broker, name, None)) for name in names)
            expect(not present, f"{capability} to be declared, or not there", names)


@card(
    "BC-D070",
    "`unsupported` names methods of the 18, or one of their arguments.",
    Section.METHODS,
    connected=False,
)
def _unsupported_typed(ctx: CheckContext) -> None:
    """Each entry reads `method` or `method:argument>=value`, and the names exist."""
    declared: frozenset[str] = getattr(ctx.broker, "unsupported", frozenset())
    expect(isinstance(declared, frozenset), "`unsupported` to be a frozenset", declared)
    for entry in declared:
        found = _UNSUPPORTED.fullmatch(entry)
        if found is None or found["method"] not in METHODS:
            raise ContractViolation(f"Expected a method of the 18 in `unsupported`; saw {entry!r}.")
        if found["argument"] is not None:
            parameters = inspect.signature(getattr(IBrokerage, found["method"])).parameters
            expect(found["argument"] in parameters, f"an argument of {found['method']}", entry)


def _calls_of(ctx: CheckContext) -> dict[str, Callable[[], object]]:
    order_id = "none-of-yours"
    return {
        **reads_of(ctx, order_id),
        "place_order": lambda: ctx.broker.place_order(ctx.request()),
        "cancel_order": lambda: ctx.broker.cancel_order(order_id),
        "get_order": lambda: ctx.broker.get_order(order_id),
        "list_orders": ctx.broker.list_orders,
        "list_positions": ctx.broker.list_positions,
        "get_position": lambda: ctx.broker.get_position(ctx.symbol),
        "close_position": lambda: ctx.broker.close_position(ctx.symbol),
        "list_balances": ctx.broker.list_balances,
        "get_balance": lambda: ctx.broker.get_balance("USD"),
        "get_price": lambda: ctx.broker.get_price(ctx.symbol),
        "get_products": ctx.broker.get_products,
    }


@card(
    "BC-D080",
    "What is listed in `unsupported` raises UnsupportedOperationError, without I/O.",
    Section.METHODS,
)
def _unsupported_raises(ctx: CheckContext) -> None:
    """Each entry is called with an argument that it names; nothing reaches the venue."""
    declared = sorted(unsupported_of(ctx.broker))
    if not declared:
        ctx.skip("`unsupported` is empty")
    calls = _calls_of(ctx)
    for entry in declared:
        found = _UNSUPPORTED.fullmatch(entry)
        if found is None:
            raise ContractViolation(f"Expected a readable entry; saw {entry!r}.")
        name = found["method"]
        call = calls[name] if name in calls else getattr(ctx.broker, name)
        if found["argument"] == "level":
            call = partial(ctx.broker.get_orderbook, ctx.symbol, int(found["value"]))
        with ctx.nothing_arrives(name):
            error = expect_error(call, UnsupportedOperationError, when=entry)
        if name in WRITES:
            expect_equal(error.outcome, Outcome.NOT_SENT, f"the outcome of {entry}")


@card(
    "BC-D090",
    "What is not listed in `unsupported` does not raise UnsupportedOperationError.",
    Section.METHODS,
)
def _supported_does_not_raise(ctx: CheckContext) -> None:
    """Every read is called with valid arguments, and an order is placed and cancelled."""
    declared = unsupported_of(ctx.broker)
    order_id = ctx.place_resting() if "place_order" not in declared else "none-of-yours"
    calls = reads_of(ctx, order_id)
    for level in (1, 2, 3):
        if not _refuses_level(declared, level):
            calls[f"level {level}"] = partial(ctx.broker.get_orderbook, ctx.symbol, level)
    for name, call in calls.items():
        try:
            call()
        except UnsupportedOperationError as error:
            raise ContractViolation(f"Expected {name} to be supported; saw {error}.") from error
    expect("cancel_order" in declared or ctx.broker.cancel_order(order_id), "a cancel", order_id)


def _refuses_level(declared: frozenset[str], level: int) -> bool:
    for entry in declared:
        found = _UNSUPPORTED.fullmatch(entry)
        if found is None or found["method"] != "get_orderbook":
            continue
        if found["argument"] is None:
            return True
        least = int(found["value"])
        if level == least or (found["sign"] == ">=" and level > least):
            return True
    return False


@card(
    "BC-D100",
    "The other declarations have their types.",
    Section.METHODS,
    connected=False,
)
def _declarations_typed(ctx: CheckContext) -> None:
    """Name, idempotency, order history, close guard and balance identity are of core's types."""
    broker = ctx.broker
    expect(bool(name_of(broker).strip()), "a name", name_of(broker))
    expect(isinstance(idempotency_of(broker), IdempotencyProfile), "a profile", broker)
    expect(isinstance(order_history_of(broker), OrderHistory), "an OrderHistory", broker)
    expect(isinstance(close_guard_of(broker), CloseGuard), "a CloseGuard", close_guard_of(broker))
    for name in ("balance_identity", "spot_as_positions"):
        said = getattr(broker, name, False)
        expect(isinstance(said, bool), f"True or False in {name}", said)
    expect(isinstance(balance_identity_of(broker), bool), "a bool", broker)


@card(
    "BC-D110",
    "The idempotency profile makes sense: what protects says what a duplicate gets.",
    Section.IDEMPOTENCY,
    connected=False,
)
def _profile_coherent(ctx: CheckContext) -> None:
    """An id that protects cannot accept a duplicate, and one that does not cannot do otherwise."""
    profile = idempotency_of(ctx.broker)
    protects = profile.scope in (IdempotencyScope.FOREVER, IdempotencyScope.WHILE_OPEN)
    accepts = profile.on_duplicate is DuplicateBehaviour.ACCEPTS
    expect(
        protects != accepts, "a duplicate to be accepted if and only if nothing protects", profile
    )


@card(
    "BC-D120",
    "A name, an account and what is declared do not change while an object lives.",
    Section.METHODS,
)
def _declarations_stable(ctx: CheckContext) -> None:
    """They are read before and after a trade, and are equal."""

    def declared() -> tuple[object, ...]:
        return (
            name_of(ctx.broker),
            ctx.broker.get_account_id(),
            capabilities_of(ctx.broker),
            unsupported_of(ctx.broker),
            idempotency_of(ctx.broker),
            order_history_of(ctx.broker),
        )

    before = declared()
    ctx.place_resting()
    expect_equal(declared(), before, "what is declared")
