"""Placements and changes as the README has them, read strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from acme_venue.native import EPOCH, KIND_WORDS, SIDE_WORDS
from acme_venue.refusals import RefusedError
from bot_v2.features.brokerages.core.interfaces import (
    InvalidFieldError,
    OrderModification,
    OrderRequest,
    TimeInForce,
    decimal_from_text,
)

_T = TypeVar("_T")

SIDES = {word: side for side, word in SIDE_WORDS.items()}
KINDS = {word: kind for kind, word in KIND_WORDS.items()}
TIFS = {tif.name: tif for tif in TimeInForce if tif.name in {"GTC", "DAY", "IOC", "FOK", "GTD"}}
ORDER_FIELDS = frozenset({"code", "ref", "side", "kind", "size", "limit", "stop", "tif"})
ORDER_OPTIONS = frozenset({"until_us", "post_only", "reduce_only"})
CHANGE_FIELDS = frozenset({"size", "limit", "stop"})


def _refuse(message: str) -> RefusedError:
    return RefusedError(400, "bad_request", message)


def _one_of(body: Mapping[str, object], name: str, words: Mapping[str, _T]) -> _T:
    word = body.get(name)
    if not isinstance(word, str) or word not in words:
        raise _refuse(f"{name} is {word!r}; accepted: {', '.join(words)}")
    return words[word]


def _amount(body: Mapping[str, object], name: str) -> Decimal | None:
    text = body.get(name)
    if text is None:
        return None
    if not isinstance(text, str):
        raise _refuse(f"{name} is {text!r}; accepted: a number as a string")
    try:
        return decimal_from_text(text, name)
    except InvalidFieldError as error:
        raise _refuse(error.message) from error


def _flag(body: Mapping[str, object], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise _refuse(f"{name} is {value!r}; accepted: true, false")
    return value


def _until(body: Mapping[str, object]) -> datetime | None:
    value = body.get("until_us")
    if value is None:
        return None
    if not isinstance(value, int):
        raise _refuse(f"until_us is {value!r}; accepted: microseconds since 1970")
    return EPOCH + timedelta(microseconds=value)


def _check_names(body: Mapping[str, object], known: frozenset[str]) -> None:
    if strange := sorted(set(body) - known):
        raise _refuse(f"there is no {', '.join(strange)}; accepted: {', '.join(sorted(known))}")


def ref_of(body: Mapping[str, object]) -> str:
    """Return the caller's id."""
    ref = body.get("ref")
    if not isinstance(ref, str) or not 1 <= len(ref) <= 32:
        raise _refuse(f"ref is {ref!r}; accepted: 1 to 32 characters")
    return ref


def order_of(body: Mapping[str, object], symbols: Mapping[str, str]) -> OrderRequest:
    """Return what a placement asks for."""
    _check_names(body, ORDER_FIELDS | ORDER_OPTIONS)
    code = body.get("code")
    if not isinstance(code, str) or code not in symbols:
        raise RefusedError(404, "unknown_instrument", f"there is no {code}")
    return _built(
        lambda: OrderRequest(
            symbol=symbols[code],
            side=_one_of(body, "side", SIDES),
            type=_one_of(body, "kind", KINDS),
            quantity=_amount(body, "size"),
            price=_amount(body, "limit"),
            stop_price=_amount(body, "stop"),
            time_in_force=_one_of({"tif": "GTC", **body}, "tif", TIFS),
            expires_at=_until(body),
            post_only=_flag(body, "post_only"),
            reduce_only=_flag(body, "reduce_only"),
        )
    )


def change_of(body: Mapping[str, object]) -> OrderModification:
    """Return what a change asks for."""
    _check_names(body, CHANGE_FIELDS)
    return _built(
        lambda: OrderModification(
            quantity=_amount(body, "size"),
            price=_amount(body, "limit"),
            stop_price=_amount(body, "stop"),
        )
    )


def _built(build: Callable[[], _T]) -> _T:
    try:
        return build()
    except InvalidFieldError as error:
        raise _refuse(error.message) from error
