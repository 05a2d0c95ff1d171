"""Balances, and the one account that all of it is about."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from bot_v2.features.brokerages.core.accounts import Balance
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.declarations import balance_identity_of
from bot_v2.features.brokerages.core.errors import InvalidRequestError, Outcome
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal, expect_error, expect_list
from bot_v2.testing.waiting import wait_until


def _quote_balance(ctx: CheckContext) -> Balance:
    return ctx.broker.get_balance(ctx.market.product.quote_currency)


@card("BC-A010", "list_balances() returns what the account holds.", Section.MEANING)
def _list(ctx: CheckContext) -> None:
    """It is a list of Balance, and an account that can trade holds something."""
    expect_list(ctx.broker.list_balances(), Balance)


@card("BC-A020", "A balance is unique by asset and wallet.", Section.MODELS)
def _unique(ctx: CheckContext) -> None:
    """No two balances have the same asset and wallet."""
    counted = Counter((one.asset, one.wallet) for one in ctx.broker.list_balances())
    twice = [key for key, times in counted.items() if times > 1]
    expect(not twice, "each asset once per wallet", twice)


@card("BC-A030", "get_balance() agrees with list_balances().", Section.MEANING)
def _one_of_list(ctx: CheckContext) -> None:
    """Each asset of a single wallet is read alone, and is equal to its place in the list."""
    balances = ctx.broker.list_balances()
    wallets = Counter(one.asset for one in balances)
    for balance in balances:
        if wallets[balance.asset] == 1:
            expect_equal(ctx.broker.get_balance(balance.asset), balance, balance.asset)


@card("BC-A040", "An asset that is not held has a zero Balance.", Section.MEANING)
def _zero(ctx: CheckContext) -> None:
    """It is asked for by a name that the account does not hold; nothing is raised."""
    asset = ctx.profile.unknown_asset
    balance = ctx.broker.get_balance(asset)
    expect(isinstance(balance, Balance), "a Balance", balance)
    expect(balance.asset == asset and balance.total == 0, f"zero of {asset}", balance)
    expect(not balance.available and not balance.hold, "nothing available, nothing held", balance)


@card(
    "BC-A050",
    "total == available + hold where `balance_identity` says so.",
    Section.MODELS,
)
def _identity(ctx: CheckContext) -> None:
    """Each balance is added up, while an order rests."""
    if not balance_identity_of(ctx.broker):
        ctx.skip("`balance_identity` is not declared")
    ctx.place_resting()
    for balance in ctx.broker.list_balances():
        if balance.available is None or balance.hold is None:
            expect(False, "available and hold where the identity is declared", balance)
        else:
            added = EXACT.add(balance.available, balance.hold)
            expect(balance.total == added, "total == available + hold", balance)


@card(
    "BC-A060",
    "A resting order may set money aside; it moves none.",
    Section.MONEY,
    needs_venue=True,
)
def _hold(ctx: CheckContext) -> None:
    """The total is unchanged, and what is available has not grown."""
    _ = ctx.symbol
    before = _quote_balance(ctx)
    ctx.place_resting()
    after = _quote_balance(ctx)
    expect_equal(after.total, before.total, "the total")
    if before.available is not None and after.available is not None:
        expect(after.available <= before.available, "no more available than before", after)


@card(
    "BC-A070",
    "A purchase takes its value and its fees from the cash, to the last digit.",
    Section.MONEY,
    needs_venue=True,
)
def _cash_after_trade(ctx: CheckContext) -> None:
    """Cash before less cash after is compared with the fill; fees count where they are told."""
    if not ctx.market.is_cash_like:
        ctx.skip("the traded product is not paid in full")
    before = _quote_balance(ctx).total
    order = ctx.trade()
    if order.average_fill_price is None or order.fees is None:
        ctx.skip("the broker tells no fill price or no fees on the order")
    multiplier = ctx.market.product.multiplier
    value = EXACT.multiply(
        EXACT.multiply(order.filled_quantity, order.average_fill_price), multiplier
    )
    currency = ctx.market.product.quote_currency
    fees = sum((fee.amount for fee in order.fees if fee.currency == currency), Decimal(0))
    expected = EXACT.subtract(EXACT.subtract(before, value), fees)
    wait_until(
        lambda: _quote_balance(ctx).total,
        lambda total: total == expected,
        ctx.profile.settle_s,
        f"cash of {expected} after {value} and fees of {fees}",
    )


@card("BC-A080", "All that is told concerns one account.", Section.MEANING)
def _one_account(ctx: CheckContext) -> None:
    """Orders and positions carry the id that get_account_id() returns."""
    account_id = ctx.broker.get_account_id()
    ctx.place_resting()
    told = [order.account_id for order in ctx.broker.list_orders()]
    told += [position.account_id for position in ctx.broker.list_positions()]
    odd = [one for one in told if one != account_id]
    expect(not odd, f"only account {account_id}", odd)


@card(
    "BC-A090",
    "An order for another account is refused: InvalidRequestError, NOT_SENT.",
    Section.MEANING,
)
def _other_account(ctx: CheckContext) -> None:
    """A request names an account that the brokerage is not bound to; nothing is sent."""
    request = ctx.request(account_id=f"{ctx.broker.get_account_id()}-other")
    with ctx.nothing_arrives("place_order"):
        expect_error(
            lambda: ctx.broker.place_order(request),
            InvalidRequestError,
            outcome=Outcome.NOT_SENT,
            when="an order for another account",
        )


@card("BC-A100", "An order that names the bound account is taken.", Section.MEANING)
def _same_account(ctx: CheckContext) -> None:
    """A request names the account that get_account_id() returns."""
    account_id = ctx.broker.get_account_id()
    result = ctx.place(ctx.request(account_id=account_id))
    expect_equal(ctx.broker.get_order(ctx.id_of(result)).account_id, account_id, "the account")


@card(
    "BC-A110",
    "A sale brings the asset down by what was sold.",
    Section.MONEY,
    needs_venue=True,
)
def _sale(ctx: CheckContext) -> None:
    """Of a spot asset, the total before and after a purchase and a sale are compared."""
    base = ctx.market.product.base_currency
    if base is None or not ctx.market.is_cash_like:
        ctx.skip("the traded product is no asset of a balance")
    before = ctx.broker.get_balance(base).total
    ctx.trade(OrderSide.BUY)
    held = ctx.broker.get_balance(base).total
    if held == before:
        ctx.skip("the product is not kept as a balance")
    ctx.trade(OrderSide.SELL, held - before)
    wait_until(
        lambda: ctx.broker.get_balance(base).total,
        lambda total: total == before,
        ctx.profile.settle_s,
        f"{before} {base} after all of it was sold",
    )
