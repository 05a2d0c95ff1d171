"""What is returned: core's own models, exact, immutable, and nobody else's."""

from __future__ import annotations

import copy
from collections.abc import MutableMapping, MutableSequence, MutableSet
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from bot_v2.features.brokerages.core.declarations import unsupported_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fields import FrozenMapping, check_fields
from bot_v2.features.brokerages.core.symbols import is_canonical
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.operations import LIST_METHODS, ONE_METHODS
from bot_v2.testing.violation import ContractViolation, expect
from bot_v2.testing.walking import is_model, returned_values, values_in

EXTRAS_MAX = 20
"""How many native extras a model may carry: a few, never the whole payload."""

_OLDEST_YEAR = 2000
_SYMBOLS = frozenset({"symbol", "underlying"})
_SECONDS = frozenset({"last_check_timestamp", "latency_s", "staleness_s", "visibility_lag_s"})


@card("BC-V010", "Each method returns the type that it promises.", Section.METHODS)
def _types(ctx: CheckContext) -> None:
    """Lists are lists, and what they hold and what single reads return are core's own models."""
    order_id = ctx.place_resting()
    for name in sorted(LIST_METHODS.keys() - unsupported_of(ctx.broker)):
        kind = LIST_METHODS[name]
        listed: object = getattr(ctx.broker, name)()
        expect(type(listed) is list, f"a list from {name}", listed)
        odd = [one for one in listed if type(one) is not kind] if isinstance(listed, list) else []
        expect(not odd, f"only {kind.__name__} from {name}", odd[:3])
    arguments = {
        "get_balance": (ctx.market.product.quote_currency,),
        "get_product": (ctx.symbol,),
        "get_orderbook": (ctx.symbol,),
        "get_order": (order_id,),
    }
    for name, kind in ONE_METHODS.items():
        one: object = getattr(ctx.broker, name)(*arguments.get(name, ()))
        expect(type(one) is kind, f"a {kind.__name__} from {name}", one)


@card("BC-V020", "Every number of money is a finite Decimal.", Section.MONEY)
def _decimals(ctx: CheckContext) -> None:
    """No float is anywhere in what the reads return, and no Decimal is NaN or infinite."""
    for path, value in returned_values(ctx):
        is_float = isinstance(value, float) and path.rpartition(".")[2] not in _SECONDS
        expect(not is_float, f"no float at {path}", value)
        if isinstance(value, Decimal):
            expect(value.is_finite(), f"a finite Decimal at {path}", value)


@card("BC-V030", "Every moment is an aware UTC datetime.", Section.TIME)
def _moments(ctx: CheckContext) -> None:
    """Each has an offset of zero."""
    for path, value in returned_values(ctx):
        if isinstance(value, datetime):
            expect(value.utcoffset() == timedelta(0), f"an aware UTC datetime at {path}", value)


@card("BC-V040", "Every field of every model holds what its type says.", Section.MODELS)
def _fields(ctx: CheckContext) -> None:
    """Each model is checked again, field by field, as its constructor would."""
    for path, value in returned_values(ctx):
        if is_model(value):
            try:
                check_fields(value)
            except InvalidFieldError as error:
                raise ContractViolation(
                    f"Expected a whole model at {path}; saw {error}."
                ) from error


@card("BC-V050", "What is returned cannot be changed.", Section.MODELS)
def _immutable(ctx: CheckContext) -> None:
    """Inside models there is no list, dict or set, and their fields cannot be set."""
    for path, value in returned_values(ctx):
        if "." in path:
            mutable = isinstance(value, MutableSequence | MutableMapping | MutableSet)
            expect(not mutable, f"nothing that can be changed at {path}", type(value))
        if is_model(value):
            kind: Any = type(value)
            name = attrs.fields(kind)[0].name
            try:
                setattr(value, name, None)
            except AttributeError:
                continue
            raise ContractViolation(f"Expected {path}.{name} to be read-only; it was set.")


@card("BC-V060", "metadata is read-only, small and exact.", Section.MODELS)
def _metadata(ctx: CheckContext) -> None:
    """Where a model has it, it is core's read-only mapping, not the whole payload."""
    for path, value in returned_values(ctx):
        if path.endswith(".metadata"):
            if not isinstance(value, FrozenMapping):
                raise ContractViolation(f"Expected a read-only mapping at {path}; saw {value!r}.")
            expect(len(value) <= EXTRAS_MAX, f"a few extras at {path}", len(value))
            extras: list[object] = list(value.values())
            odd = [one for one in extras if isinstance(one, float | list | dict)]
            expect(not odd, f"exact, immutable values at {path}", odd)


@card("BC-V070", "A returned list belongs to the caller.", Section.MODELS)
def _own_list(ctx: CheckContext) -> None:
    """Each list is emptied by the caller, and the next read has everything again."""
    ctx.place_resting()
    for name in sorted(LIST_METHODS.keys() - unsupported_of(ctx.broker)):
        method = getattr(ctx.broker, name)
        first = method()
        kept = copy.copy(first)
        first.clear()
        expect(method() == kept, f"{name}() as before, after its list was emptied", method())


@card("BC-V080", "Returned symbols are canonical everywhere.", Section.SYMBOLS)
def _symbols(ctx: CheckContext) -> None:
    """Each symbol in each model is read by the grammar."""
    for path, value in returned_values(ctx):
        if path.rpartition(".")[2] in _SYMBOLS and value is not None:
            fits = isinstance(value, str) and is_canonical(value)
            expect(fits, f"a canonical symbol at {path}", value)


@card(
    "BC-V090",
    "None means that the broker does not say: no zero, blank or 1970 stands for it.",
    Section.MODELS,
)
def _no_placeholders(ctx: CheckContext) -> None:
    """No moment is from before 2000, no price of an order is 0, no id is blank or 'None'."""
    for path, value in returned_values(ctx):
        field = path.rpartition(".")[2]
        if isinstance(value, datetime):
            expect(value.year >= _OLDEST_YEAR, f"a moment, or None, at {path}", value)
        if field in {"order_id", "client_order_id", "trade_id", "account_id"}:
            blank = isinstance(value, str) and value.strip().lower() in {"", "none", "null", "0"}
            expect(not blank, f"an id, or None, at {path}", value)
        if field == "average_fill_price":
            expect(value != 0, f"a price, or None, at {path}", value)


@card("BC-V100", "Models compare by value.", Section.MODELS)
def _equal(ctx: CheckContext) -> None:
    """Two reads of the same order are equal, have the same hash, and a copy of one equals it."""
    order_id = ctx.place_resting()
    one, other = ctx.broker.get_order(order_id), ctx.broker.get_order(order_id)
    expect(one == other and hash(one) == hash(other), "equal orders of equal hash", (one, other))
    expect(copy.deepcopy(one) == one, "a copy that equals the order", one)


@card("BC-V110", "A Decimal is as it was sent, to the last digit.", Section.MONEY)
def _exact(ctx: CheckContext) -> None:
    """Quantity and price of an order come back with the value that the request had."""
    request = ctx.request()
    order = ctx.broker.get_order(ctx.id_of(ctx.place(request)))
    for name in ("quantity", "price"):
        sent, told = getattr(request, name), getattr(order, name)
        expect(type(told) is Decimal and told == sent, f"{name} {sent}", told)


@card("BC-V120", "What was returned does not change afterwards.", Section.MODELS)
def _snapshot(ctx: CheckContext) -> None:
    """An order that was read stays as it was read, although it is cancelled since."""
    order_id = ctx.place_resting()
    order = ctx.broker.get_order(order_id)
    told = [str(value) for _, value in values_in(order, "order")]
    ctx.broker.cancel_order(order_id)
    ctx.await_end(order_id)
    again = [str(value) for _, value in values_in(order, "order")]
    expect(told == again, "the order as it was read", order)
