"""TWS's contracts, looked up when they are first spoken of, and remembered for a while.

There is no list of all of them. Wants to be used in the loop of the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidSymbolError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.ibkr.contract_mapping import (
    COMBINATION,
    Query,
    Reading,
    product_of,
    readings_of,
    rule_id_of,
    symbol_of,
    tradeable_row,
)
from bot_v2.features.brokerages.ibkr.errors import NativeError
from bot_v2.features.brokerages.ibkr.gateway import Gateway
from bot_v2.features.brokerages.ibkr.inbox import rule_slot
from bot_v2.features.brokerages.ibkr.wire import ContractRow, DetailsRow, MalformedError

NO_CONTRACT: Final = 200
"""The code of a question for a contract that there is not."""

NAMED_MAX: Final = 20_000
"""How many names of contracts are remembered."""


@attrs.frozen(kw_only=True)
class Instrument:
    """A contract that can be traded."""

    product: Product
    """What we call it."""
    contract: ContractRow
    """What TWS calls it, as it is asked for and ordered."""
    details: DetailsRow
    """What TWS says of it."""
    read_at: float
    """When it was read, in seconds of the loop's clock."""


class Instruments:
    """The contracts that were spoken of.

    Args:
        gateway: asks TWS.
        lifetime_s: how long a reading is trusted, in seconds.
    """

    def __init__(self, gateway: Gateway, lifetime_s: float) -> None:
        """Know none yet."""
        self._gateway = gateway
        self._lifetime_s = lifetime_s
        self._by_text: dict[str, int] = {}
        self._by_id: dict[int, Instrument] = {}
        self._symbols: dict[int, str] = {}
        self._underlyings: dict[int, str] = {}
        self._steps: dict[int, list[tuple[str, str]]] = {}
        self._looking = asyncio.Lock()

    async def find(self, text: str, deadline: float) -> Instrument:
        """Return the contract that a symbol means.

        Raises:
            InvalidSymbolError: there is none, or there are several.
        """
        known = self._known(text)
        if known is not None:
            return known
        async with asyncio.timeout_at(deadline):
            await self._looking.acquire()
        try:
            known = self._known(text)
            return known if known is not None else await self._look_up(text, deadline)
        finally:
            self._looking.release()

    async def by_id(self, con_id: int, deadline: float) -> Instrument | None:
        """Return a contract of which the id is known. None: TWS has it no more."""
        known = self._by_id.get(con_id)
        if known is not None and self._is_fresh(known):
            return known
        found = await self.details(ContractRow(con_id=con_id), deadline)
        return await self._keep(found[0], deadline) if found else None

    async def name_all(self, contracts: Iterable[ContractRow], deadline: float) -> None:
        """Learn the symbols of some contracts, so that `name` knows them."""
        ids = {
            one
            for contract in contracts
            for one in (contract.con_id, *(leg.con_id for leg in contract.legs))
            if not (one == contract.con_id and contract.sec_type == COMBINATION)
        }
        missing = sorted(one for one in ids if one and one not in self._symbols)
        if len(self._symbols) > NAMED_MAX:
            self._symbols.clear()
            missing = sorted(one for one in ids if one)
        looked_up = [self.details(ContractRow(con_id=one), deadline) for one in missing]
        for con_id, found in zip(missing, await asyncio.gather(*looked_up), strict=True):
            # What has expired is described no more: its id is its name then.
            self._name(con_id, found[0] if found else None)

    def name(self, contract: ContractRow) -> str:
        """Return the symbol of a contract; of a combination, that of its underlying."""
        if contract.sec_type == COMBINATION:
            return (
                self._underlyings.get(contract.legs[0].con_id, contract.symbol)
                if (contract.legs)
                else contract.symbol
            )
        return self._symbols.get(contract.con_id, f"@{contract.con_id}")

    async def details(self, contract: ContractRow, deadline: float) -> list[DetailsRow]:
        """Return the contracts that fit what is said of one; each once."""
        try:
            rows: list[DetailsRow] = await self._gateway.ask(
                lambda client, request_id: client.ask_details(request_id, contract), deadline
            )
        except NativeError as error:
            if error.code == NO_CONTRACT:
                return []
            raise
        return list({one.contract.con_id: one for one in reversed(rows)}.values())[::-1]

    async def product_of(self, details: DetailsRow, deadline: float) -> Product:
        """Return the product of a contract that was described."""
        return (await self._keep(details, deadline)).product

    def _known(self, text: str) -> Instrument | None:
        con_id = self._by_text.get(text)
        found = None if con_id is None else self._by_id.get(con_id)
        return found if found is not None and self._is_fresh(found) else None

    def _is_fresh(self, one: Instrument) -> bool:
        return asyncio.get_running_loop().time() - one.read_at <= self._lifetime_s

    async def _look_up(self, text: str, deadline: float) -> Instrument:
        readings = readings_of(text)
        found: dict[int, DetailsRow] = {}
        for some in await asyncio.gather(*(self._read(one, deadline) for one in readings)):
            found |= {one.contract.con_id: one for one in some}
        if not found:
            raise InvalidSymbolError(f"no instrument is called {text!r}", symbol=text)
        if len(found) > 1:
            candidates = tuple(f"@{con_id}" for con_id in sorted(found))
            meant = ", ".join(
                f"@{con_id} ({symbol_of(one)}, {one.contract.sec_type})"
                for con_id, one in sorted(found.items())
            )
            raise InvalidSymbolError(
                f"{text!r} could mean {meant}", symbol=text, candidates=candidates
            )
        ((con_id, details),) = found.items()
        instrument = await self._keep(details, deadline)
        if len(self._by_text) > NAMED_MAX:
            self._by_text.clear()
        self._by_text[text] = con_id
        return instrument

    async def _read(self, reading: Reading, deadline: float) -> list[DetailsRow]:
        for query in reading.queries:
            found = [one for one in await self._answers(query, deadline) if query.accepts(one)]
            if found:
                return found
        return []

    async def _answers(self, query: Query, deadline: float) -> list[DetailsRow]:
        return await self.details(query.contract, deadline)

    async def _keep(self, details: DetailsRow, deadline: float) -> Instrument:
        contract = tradeable_row(details)
        steps = await self._steps_of(rule_id_of(details, contract.exchange), deadline)
        try:
            product = product_of(details, steps)
        except (InvalidFieldError, ArithmeticError) as error:
            raise MalformedError(f"contract {contract.con_id}: {error}") from error
        instrument = Instrument(
            product=product,
            contract=contract,
            details=details,
            read_at=asyncio.get_running_loop().time(),
        )
        self._by_id[contract.con_id] = instrument
        self._name(contract.con_id, details)
        return instrument

    async def _steps_of(self, rule: int | None, deadline: float) -> list[tuple[str, str]]:
        if rule is None:
            return []
        if rule not in self._steps:
            reading = await self._gateway.ask_alone(
                rule_slot(rule), lambda client: client.ask_rule(rule), deadline
            )
            self._steps[rule] = reading.rows
        return self._steps[rule]

    def _name(self, con_id: int, details: DetailsRow | None) -> None:
        symbol = f"@{con_id}" if details is None else symbol_of(details)
        self._symbols[con_id] = symbol
        under = "" if details is None else details.under_symbol.replace(" ", ".")
        self._underlyings[con_id] = under or symbol
