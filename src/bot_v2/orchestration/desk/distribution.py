"""An order over several accounts: what is planned, what came of each leg, and how to undo it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.idempotency import IdempotencyProfile
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide, PositionEffect
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.orchestration.desk.allocation import LeftOut

_ZERO: Final = Decimal(0)


class Weighting(StrEnum):
    """By what a quantity is divided."""

    WEIGHT = "weight"
    """The weights that the accounts have in the desk."""
    BUYING_POWER = "buying_power"
    """What each account can buy with, as its broker says."""
    EQUAL = "equal"
    """The same for each."""


@attrs.frozen(kw_only=True)
class LegPlan:
    """What one account is to be sent."""

    broker: str
    """The brokerage's name in the desk."""
    account_id: str
    """The account there; the order is refused by any other."""
    request: OrderRequest
    """The order, under a client id that follows from the distribution's id and the account."""
    remainder: Decimal
    """How much of its quantity the steps of all accounts left over, in order units."""

    @property
    def client_order_id(self) -> str:
        """The id of the order."""
        return self.request.client_order_id or ""


@attrs.frozen(kw_only=True)
class Distribution:
    """What is to be sent to whom; the legs and `unplaced` are together what was asked for."""

    saga_id: str
    """The id of the whole: what is submitted under it once is never sent a second time."""
    request: OrderRequest
    """What was asked for."""
    by: Weighting
    """By what it is divided."""
    legs: tuple[LegPlan, ...]
    """The orders, in the order in which they are sent."""
    unplaced: Decimal
    """What no account can take, in order units; nothing of it is sent."""
    left_out: tuple[LeftOut, ...]
    """Who does not get its part, and why."""
    created_at: datetime
    """When it was planned."""


class LegStatus(StrEnum):
    """What came of a leg."""

    PLACED = "placed"
    """The broker has the order."""
    REFUSED = "refused"
    """There is no order: the broker, or a check or limit before it, did not let it pass, or it is
    proven that what was perhaps sent never arrived."""
    UNKNOWN = "unknown"
    """It was sent, and nobody knows yet what came of it: it is being looked for."""
    NOT_TRIED = "not_tried"
    """Nothing was sent."""


@attrs.frozen(kw_only=True)
class LegResult:
    """What came of one leg."""

    leg: LegPlan
    """What was to be sent."""
    status: LegStatus
    """What came of it."""
    explanation: str
    """The same for a person, with the reason."""
    result: OrderResult | None = None
    """What the executor says of it. None: it was not tried."""


class UndoAction(StrEnum):
    """What undoes a leg, or a part of it."""

    CANCEL = "cancel"
    """Cancel the order."""
    CLOSE = "close"
    """Trade back what it filled."""
    LOOK = "look"
    """Find out first whether there is an order: nothing can be undone before."""


@attrs.frozen(kw_only=True)
class UndoStep:
    """One step that would undo what was placed; nothing is done before it is asked for."""

    broker: str
    """The brokerage's name in the desk."""
    action: UndoAction
    """What is to be done."""
    client_order_id: str
    """The leg that it undoes, by its client id."""
    order_id: str | None
    """Its order. None: not known."""
    request: OrderRequest | None = None
    """Of a close: the order that trades back. None: another action."""


@attrs.frozen(kw_only=True)
class UndoResult:
    """What came of one step."""

    step: UndoStep
    """What was to be done."""
    done: bool
    """True: the broker took the cancel or the order."""
    explanation: str
    """What came of it, for a person."""


@attrs.frozen(kw_only=True)
class DistributedResult:
    """What came of all of it: part of it placed is told as such, leg by leg."""

    distribution: Distribution
    """What was planned."""
    legs: tuple[LegResult, ...]
    """What came of each leg."""

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for is with brokers."""
        placed = all(one.status is LegStatus.PLACED for one in self.legs)
        return placed and not self.distribution.unplaced

    @property
    def is_settled(self) -> bool:
        """Whether nothing remains to be sent or found out."""
        open_statuses = (LegStatus.UNKNOWN, LegStatus.NOT_TRIED)
        return not any(one.status in open_statuses for one in self.legs)

    def quantity_of(self, status: LegStatus) -> Decimal:
        """Return how much the legs of a status come to, in order units."""
        total = _ZERO
        for one in self.legs:
            if one.status is status:
                total = EXACT.add(total, one.leg.request.quantity or _ZERO)
        return total

    @property
    def undo_plan(self) -> tuple[UndoStep, ...]:
        """What would undo it, by what is known of the orders: nothing of it is done by itself."""
        return tuple(step for one in self.legs for step in _undo_steps(self.distribution, one))


@attrs.frozen(kw_only=True)
class LegRefusal:
    """That a leg was refused before its intent was journalled; kept, as the journal has nothing."""

    client_order_id: str
    """The leg."""
    error: BrokerageError
    """Why."""
    at: datetime
    """When."""


def derived_id(profile: IdempotencyProfile, *parts: str) -> str:
    """Return the client order id that follows from some texts: the same ones, the same id."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    number, letters = int.from_bytes(digest, "big"), profile.id_alphabet
    made = []
    for _ in range(profile.id_length):
        number, index = divmod(number, len(letters))
        made.append(letters[index])
    return "".join(made)


def closing_request(
    distribution: Distribution,
    leg: LegPlan,
    filled: Decimal,
    client_order_id: str | None = None,
) -> OrderRequest:
    """Return the order that trades back what a leg filled."""
    sides = {OrderSide.BUY: OrderSide.SELL, OrderSide.SELL: OrderSide.BUY}
    opened = distribution.request.position_effect is PositionEffect.OPEN
    return OrderRequest(
        symbol=leg.request.symbol,
        side=sides[leg.request.side],
        quantity=filled,
        client_order_id=client_order_id,
        position_effect=PositionEffect.CLOSE if opened else None,
    )


def closing_id(profile: IdempotencyProfile, distribution: Distribution, leg: LegPlan) -> str:
    """Return the client id of the order that trades back a leg: always the same one."""
    return derived_id(profile, distribution.saga_id, leg.broker, "undo")


def _undo_steps(distribution: Distribution, one: LegResult) -> list[UndoStep]:
    def step(action: UndoAction, request: OrderRequest | None = None) -> UndoStep:
        return UndoStep(
            broker=one.leg.broker,
            action=action,
            client_order_id=one.leg.client_order_id,
            order_id=None if one.result is None else one.result.order_id,
            request=request,
        )

    if one.status is LegStatus.UNKNOWN:
        return [step(UndoAction.LOOK)]
    if one.status is not LegStatus.PLACED or one.result is None:
        return []
    order, steps = one.result.order, []
    if order is None or order.status not in ENDED_STATUSES:
        steps.append(step(UndoAction.CANCEL))
    if order is not None and order.filled_quantity:
        closing = closing_request(distribution, one.leg, order.filled_quantity)
        steps.append(step(UndoAction.CLOSE, closing))
    return steps
