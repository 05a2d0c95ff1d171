"""Client order ids: what the declared profile promises is what happens."""

from __future__ import annotations

import attrs

from bot_v2.features.brokerages.core.declarations import idempotency_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    DuplicateOrderError,
    InvalidRequestError,
    Outcome,
)
from bot_v2.features.brokerages.core.idempotency import DuplicateBehaviour, IdempotencyScope
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error


@card(
    "BC-K010",
    "make_id() makes ids that fit the profile.",
    Section.IDEMPOTENCY,
    connected=False,
)
def _make_id(ctx: CheckContext) -> None:
    """A thousand of them are checked, and all differ."""
    profile = idempotency_of(ctx.broker)
    ids = [profile.make_id() for _ in range(1000)]
    for one in ids:
        profile.check_id(one)
    expect(len(set(ids)) == 1000, "a thousand different ids", len(set(ids)))


def _expect_misfit_refused(ctx: CheckContext, client_order_id: str, when: str) -> None:
    request = ctx.request(client_order_id=client_order_id)
    with ctx.nothing_arrives("place_order"):
        expect_error(
            lambda: ctx.broker.place_order(request),
            InvalidRequestError,
            outcome=Outcome.NOT_SENT,
            when=when,
        )


@card("BC-K020", "An id that is too long is refused, never cut.", Section.IDEMPOTENCY)
def _too_long(ctx: CheckContext) -> None:
    """One character more than the profile takes is InvalidRequestError, NOT_SENT."""
    profile = idempotency_of(ctx.broker)
    long = (profile.id_alphabet[0] * profile.max_length) + profile.id_alphabet[0]
    _expect_misfit_refused(ctx, long, f"a client id of {len(long)} characters")


@card(
    "BC-K030",
    "An id with a character that the broker does not take is refused.",
    Section.IDEMPOTENCY,
)
def _odd_character(ctx: CheckContext) -> None:
    """A character outside the profile's alphabet is InvalidRequestError, NOT_SENT."""
    alphabet = idempotency_of(ctx.broker).alphabet
    odd = next(one for one in "é/ \u2028" if one not in alphabet)
    _expect_misfit_refused(ctx, f"{ctx.make_id()[:-1]}{odd}", f"a client id with {odd!r}")


@card("BC-K040", "The longest id that is taken arrives whole.", Section.IDEMPOTENCY)
def _longest(ctx: CheckContext) -> None:
    """An id of max_length is reported back letter for letter, by result and order."""
    profile = idempotency_of(ctx.broker)
    longest = (ctx.make_id() * profile.max_length)[: profile.max_length]
    result = ctx.place(ctx.request(client_order_id=longest))
    expect_equal(result.client_order_id, longest, "the result's client_order_id")
    if profile.scope is not IdempotencyScope.NONE:
        order = ctx.broker.get_order(ctx.id_of(result))
        expect_equal(order.client_order_id, longest, "the order's client_order_id")


@card("BC-K050", "Every character of the alphabet arrives as it is.", Section.IDEMPOTENCY)
def _alphabet(ctx: CheckContext) -> None:
    """Ids that together hold the whole alphabet are reported back letter for letter."""
    profile = idempotency_of(ctx.broker)
    if profile.scope is IdempotencyScope.NONE:
        ctx.skip("the broker keeps no id of ours")
    letters = "".join(sorted(set(profile.alphabet)))
    unique = ctx.make_id()[: max(1, min(10, profile.max_length - 1))]
    size = max(1, profile.max_length - len(unique))
    for start in range(0, len(letters), size):
        given = (unique + letters[start : start + size])[: profile.max_length]
        order = ctx.broker.get_order(ctx.id_of(ctx.place(ctx.request(client_order_id=given))))
        expect_equal(order.client_order_id, given, "the order's client_order_id")


def _place_again(ctx: CheckContext, request: OrderRequest) -> str | None:
    """Place under a used id; return the order id, or None where it is refused as a duplicate."""
    try:
        return ctx.id_of(ctx.place(request))
    except DuplicateOrderError as error:
        expect_equal(error.outcome, Outcome.REJECTED, "the outcome of a duplicate")
        return None


def _expect_as_declared(ctx: CheckContext, first: str, second: str | None) -> None:
    behaviour = idempotency_of(ctx.broker).on_duplicate
    if behaviour is DuplicateBehaviour.RETURNS_ORIGINAL:
        expect_equal(second, first, "the order of a duplicate placement")
    elif behaviour is DuplicateBehaviour.REJECTS:
        expect(second is None, "DuplicateOrderError, as declared", second)
    else:
        expect(second not in (None, first), "a second order, as declared", second)


@card(
    "BC-K060", "A duplicate of an open order gets what the profile declares.", Section.IDEMPOTENCY
)
def _duplicate_open(ctx: CheckContext) -> None:
    """The same request is placed twice while its order rests."""
    request = ctx.request()
    first = ctx.id_of(ctx.place(request))
    _expect_as_declared(ctx, first, _place_again(ctx, request))


@card(
    "BC-K070",
    "A duplicate of an ended order gets what the profile declares.",
    Section.IDEMPOTENCY,
    catalogue=("S02",),
)
def _duplicate_ended(ctx: CheckContext) -> None:
    """The same request is placed again once its order was cancelled."""
    request = ctx.request()
    first = ctx.id_of(ctx.place(request))
    ctx.broker.cancel_order(first)
    ctx.await_end(first)
    second = _place_again(ctx, request)
    if idempotency_of(ctx.broker).scope is IdempotencyScope.FOREVER:
        _expect_as_declared(ctx, first, second)
    else:
        expect(second not in (None, first), "a second order: the id protects no more", second)


@card(
    "BC-K080",
    "A duplicate makes exactly as many orders at the broker as the profile declares.",
    Section.IDEMPOTENCY,
    needs_venue=True,
    catalogue=("S01",),
)
def _orders_at_venue(ctx: CheckContext) -> None:
    """The same request is placed three times while its order rests; orders are counted."""
    request = ctx.request()
    taken = len(ctx.venue.orders_received())
    ctx.place(request)
    for _ in range(2):
        _place_again(ctx, request)
    accepts = idempotency_of(ctx.broker).on_duplicate is DuplicateBehaviour.ACCEPTS
    made = len(ctx.venue.orders_received()) - taken
    expect_equal(made, 3 if accepts else 1, "the number of orders at the venue")


@card(
    "BC-K090",
    "Another order under a used id never replaces the first in silence.",
    Section.IDEMPOTENCY,
)
def _conflict(ctx: CheckContext) -> None:
    """A different price under the same id: the first order keeps its own."""
    request = ctx.request()
    first = ctx.id_of(ctx.place(request))
    other = ctx.market.scaled(request.price or ctx.market.resting_price(), "0.9")
    try:
        ctx.place(attrs.evolve(request, price=other))
    except BrokerageError as error:
        expect(error.outcome is not None, "an outcome", error)
    expect_equal(ctx.broker.get_order(first).price, request.price, "the first order's price")
