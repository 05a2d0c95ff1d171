"""Broken client order ids: what the profile promises does not happen."""

from __future__ import annotations

from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import DuplicateOrderError
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.features.brokerages.paper.adapter import IDEMPOTENCY
from tests.contract.broken.alterations import requested
from tests.contract.broken.entry import Around, Broken
from tests.contract.broken.healthy import PAPER


class _SameIds(IdempotencyProfile):
    __slots__ = ()

    def make_id(self) -> str:
        return "order-of-this-bot"


def _same_ids() -> IdempotencyProfile:
    values = {
        field.name: getattr(IDEMPOTENCY, field.name) for field in attrs.fields(IdempotencyProfile)
    }
    return _SameIds(**values)


def _with_id(change: Any) -> Around:
    def instead(request: OrderRequest) -> OrderRequest:
        if request.client_order_id is None:
            return request
        return attrs.evolve(request, client_order_id=change(request.client_order_id))

    return requested(instead)


def _fitting(text: str) -> str:
    return "".join(letter for letter in text if letter in IDEMPOTENCY.alphabet)


def _original(broker: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except DuplicateOrderError:
        found = broker.get_order_by_client_id(request.client_order_id)
        return OrderResult(
            success=True, order_id=found.order_id, client_order_id=str(request.client_order_id)
        )


def _free_when_ended(broker: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except DuplicateOrderError:
        found = broker.get_order_by_client_id(request.client_order_id)
        if found.status not in ENDED_STATUSES:
            raise
        return real(attrs.evolve(request, client_order_id=f"{request.client_order_id}-2"))


def _replaces_first(broker: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except DuplicateOrderError:
        found = broker.get_order_by_client_id(request.client_order_id)
        return broker.modify_order(found.order_id, OrderModification(price=request.price))


def _silent_duplicate(_: Any, real: Any, request: OrderRequest) -> Any:
    try:
        return real(request)
    except DuplicateOrderError as error:
        error.outcome = None
        raise


BROKEN: Final = (
    Broken(
        name="the same id again",
        fault="make_id() makes one id for all.",
        on=PAPER,
        declare={"idempotency": _same_ids()},
        caught_by={"BC-K010": "a thousand different ids"},
    ),
    Broken(
        name="a long id cut",
        fault="A client order id that is too long is cut.",
        on=PAPER,
        alter={"place_order": _with_id(lambda text: text[: IDEMPOTENCY.max_length])},
        caught_by={"BC-K020": "InvalidRequestError from a client id of 65 characters"},
    ),
    Broken(
        name="odd letters left out",
        fault="Letters that the broker does not take are left out of a client order id.",
        on=PAPER,
        alter={"place_order": _with_id(_fitting)},
        caught_by={"BC-K030": "InvalidRequestError from a client id with"},
    ),
    Broken(
        name="an id cut to 32",
        fault="A client order id that fits is cut to 32 characters all the same.",
        on=PAPER,
        alter={"place_order": _with_id(lambda text: text[:32])},
        caught_by={"BC-K040": "the result's client_order_id to be"},
    ),
    Broken(
        name="an id in small letters",
        fault="A client order id is sent in small letters.",
        on=PAPER,
        alter={"place_order": _with_id(str.lower)},
        caught_by={"BC-K050": "the order's client_order_id to be"},
    ),
    Broken(
        name="a duplicate hidden",
        fault="A duplicate returns the first order, although the profile says that it is refused.",
        on=PAPER,
        alter={"place_order": _original},
        caught_by={
            "BC-K060": "DuplicateOrderError, as declared",
            "BC-K070": "DuplicateOrderError, as declared",
        },
        catalogue=("S01",),
    ),
    Broken(
        name="a duplicate after the end",
        fault="An id of an ended order makes a second one, although it protects for ever.",
        on=PAPER,
        alter={"place_order": _free_when_ended},
        caught_by={"BC-K070": "DuplicateOrderError, as declared"},
        catalogue=("S02",),
    ),
    Broken(
        name="a duplicate replaces",
        fault="Another order under a used id changes the first one.",
        on=PAPER,
        alter={"place_order": _replaces_first},
        caught_by={"BC-K090": "the first order", "BC-K060": "DuplicateOrderError, as declared"},
        catalogue=("S01",),
    ),
    Broken(
        name="a duplicate of unknown outcome",
        fault="The error of a duplicate does not say that nothing was made.",
        on=PAPER,
        alter={"place_order": _silent_duplicate},
        caught_by={
            "BC-K060": "the outcome of a duplicate to be",
            "BC-W140": "the outcome of a duplicate to be",
        },
        catalogue=("S01",),
    ),
)
