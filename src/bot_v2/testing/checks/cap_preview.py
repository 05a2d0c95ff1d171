"""Seeing an order before it is placed."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.order_changes import OrderPreview
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

PREVIEW = (Capability.ORDER_PREVIEW,)


@card("BC-PV010", "A preview places nothing.", Section.ONE_WRITE, capabilities=PREVIEW)
def _places_nothing(ctx: CheckContext) -> None:
    """Orders before and after are the same, and no placement reaches the venue."""
    request = ctx.request()
    before = ctx.broker.list_orders()
    with ctx.nothing_arrives("place_order"):
        preview = ctx.untyped.preview_order(request)
    expect(type(preview) is OrderPreview, "an OrderPreview", preview)
    expect_equal(ctx.broker.list_orders(), before, "the orders")


@card(
    "BC-PV020",
    "A preview shows what would leave, without secrets.",
    Section.SECRETS,
    capabilities=PREVIEW,
)
def _shows(ctx: CheckContext) -> None:
    """The native request is there, has the quantity in plain digits, and no secret."""
    request = ctx.request()
    preview = ctx.untyped.preview_order(request)
    expect(bool(preview.native_request), "a native request", preview)
    for secret in ctx.profile.secrets:
        expect(secret not in repr(preview), "no secret in the preview", "a secret")
    expect_equal(preview.order_request.quantity, request.quantity, "the quantity")


@card(
    "BC-PV030",
    "A preview refuses what placing would refuse.",
    Section.NO_SILENT_CHANGE,
    capabilities=PREVIEW,
)
def _refuses(ctx: CheckContext) -> None:
    """An unknown symbol is InvalidRequestError."""
    request = ctx.request(symbol=ctx.profile.unknown_symbol)
    expect_error(
        lambda: ctx.untyped.preview_order(request),
        InvalidRequestError,
        when="a preview of an unknown symbol",
    )
