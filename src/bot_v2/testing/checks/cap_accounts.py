"""Several accounts with one login."""

from __future__ import annotations

from collections import Counter

from bot_v2.features.brokerages.core.account_summary import AccountRef
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidRequestError, PermissionDeniedError
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error

ACCOUNTS = (Capability.ACCOUNTS,)


@card(
    "BC-AC010",
    "The bound account is among the login's accounts, once.",
    Section.MEANING,
    capabilities=ACCOUNTS,
)
def _among(ctx: CheckContext) -> None:
    """list_accounts() has unique ids, and one of them is get_account_id()."""
    accounts = ctx.untyped.list_accounts()
    expect(all(type(one) is AccountRef for one in accounts), "AccountRefs only", accounts)
    counted = Counter(one.account_id for one in accounts)
    expect(counted[ctx.broker.get_account_id()] == 1, "the bound account once", counted)
    expect(max(counted.values()) == 1, "each account once", counted)


@card(
    "BC-AC020",
    "for_account() is bound to the account asked for.",
    Section.MEANING,
    capabilities=ACCOUNTS,
)
def _bound(ctx: CheckContext) -> None:
    """For each account, the brokerage that is returned says its id; ours keeps its own."""
    own = ctx.broker.get_account_id()
    for account in ctx.untyped.list_accounts():
        other = ctx.opened(ctx.untyped.for_account(account.account_id))
        expect_equal(other.get_account_id(), account.account_id, "the account id")
    expect_equal(ctx.broker.get_account_id(), own, "the account of this brokerage")


@card(
    "BC-AC030",
    "An account that the login cannot see is refused.",
    Section.ERRORS,
    capabilities=ACCOUNTS,
)
def _unknown(ctx: CheckContext) -> None:
    """for_account() of a made-up id is InvalidRequestError or PermissionDeniedError."""
    expect_error(
        lambda: ctx.untyped.for_account("no-such-account").connect(),
        InvalidRequestError,
        PermissionDeniedError,
        when="for_account of an unknown account",
    )


@card(
    "BC-AC040",
    "An order of one account is none of another's.",
    Section.MEANING,
    capabilities=ACCOUNTS,
    catalogue=("O02",),
)
def _apart(ctx: CheckContext) -> None:
    """An order that rests in the bound account is listed in no other."""
    order_id = ctx.place_resting()
    own = ctx.broker.get_account_id()
    others = [one.account_id for one in ctx.untyped.list_accounts() if one.account_id != own]
    if not others:
        ctx.skip("the login has one account")
    for account_id in others:
        other = ctx.opened(ctx.untyped.for_account(account_id))
        listed = {order.order_id for order in other.list_orders()}
        expect(order_id not in listed, f"no order of {own} in {account_id}", order_id)
