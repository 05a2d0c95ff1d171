"""The options on an underlying."""

from __future__ import annotations

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.symbols import OptionSymbol, parse_symbol
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.violation import expect, expect_equal

CHAINS = (Capability.OPTION_CHAINS,)


def _chain(ctx: CheckContext) -> list[OptionContract]:
    underlying = ctx.profile.option_underlying or ctx.symbol
    contracts: list[OptionContract] = ctx.untyped.list_option_contracts(underlying)
    if not contracts:
        ctx.skip(f"{underlying} has no options; name one in contract_profile")
    return contracts


@card(
    "BC-OC010",
    "An option's symbol says its expiry, strike and right.",
    Section.SYMBOLS,
    capabilities=CHAINS,
)
def _symbols(ctx: CheckContext) -> None:
    """Each contract's canonical symbol is parsed and compared with its fields."""
    for contract in _chain(ctx):
        expect(type(contract) is OptionContract, "an OptionContract", contract)
        parsed = parse_symbol(contract.product.symbol)
        if isinstance(parsed, OptionSymbol):
            told = (contract.product.expiry, contract.product.strike, contract.product.right)
            named = (parsed.expiry, parsed.strike, parsed.right)
            expect_equal(told, named, f"the terms of {contract.product.symbol}")


@card(
    "BC-OC020", "A chain of one expiry has that expiry alone.", Section.MEANING, capabilities=CHAINS
)
def _one_expiry(ctx: CheckContext) -> None:
    """The contracts of the first expiry are those of the whole chain that have it."""
    whole = _chain(ctx)
    expiry = whole[0].product.expiry
    underlying = ctx.profile.option_underlying or ctx.symbol
    listed = {one.product.symbol for one in ctx.untyped.list_option_contracts(underlying, expiry)}
    expect_equal(
        listed,
        {one.product.symbol for one in whole if one.product.expiry == expiry},
        "the contracts",
    )
