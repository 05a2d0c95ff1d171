"""Contracts as clients ask for them: details, search, price steps, option chains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot_v2.shared.types import Clock
from bot_v2.venues.tws.codes import NO_CONTRACT, UNKNOWN_CONTRACT, VALIDATING, RefusalError
from bot_v2.venues.tws.contract_book import ContractBook, details_of, sample_of
from bot_v2.venues.tws.gateway import Request, reads
from bot_v2.venues.tws.hours import Hours, told_hours
from bot_v2.venues.tws.listings import price_steps
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session

_PRODUCTS: Final = "get_products get_product search_symbols get_market_status list_option_contracts"
_DEPTH: Final = (("ISLAND", "STK"), ("NYSE", "STK"), ("ARCA", "STK"), ("CME", "FUT"))


class ContractApi:
    """Tells contracts.

    Args:
        contracts: what there is.
        clock: the venue's time.
        hours: when it trades.
    """

    def __init__(self, contracts: ContractBook, clock: Clock, hours: Hours) -> None:
        """Know the contracts."""
        self._contracts = contracts
        self._clock = clock
        self._hours = hours

    def requests(self) -> list[Request]:
        """Return what can be asked."""
        asked: dict[str, tuple[str, Callable[[Session, Message], None]]] = {
            "reqContractDetails": (_PRODUCTS, self.details),
            "reqMatchingSymbols": ("search_symbols", self.matching),
            "reqMarketRule": ("get_products get_product", self.market_rule),
            "reqSecDefOptParams": ("list_option_contracts", self.option_parameters),
            "reqMktDepthExchanges": ("", self.depth_exchanges),
        }
        return reads(asked)

    def details(self, session: Session, asked: Message) -> None:
        """Tell what fits a contract, or that nothing does."""
        found = self._contracts.find(asked)
        if not found:
            raise RefusalError(NO_CONTRACT, reason=UNKNOWN_CONTRACT)
        trading, liquid = told_hours(self._hours, self._clock())
        request_id, exchange = asked.whole("reqId"), asked.text("exchange")
        for one in found:
            row = details_of(one, self._contracts, exchange, trading, liquid)
            session.say("contractDetails", reqId=request_id, **row)
        session.say("contractDetailsEnd", reqId=request_id)

    def matching(self, session: Session, asked: Message) -> None:
        """Tell what a text could mean."""
        found = self._contracts.matching(asked.text("pattern"))
        session.say(
            "symbolSamples",
            reqId=asked.whole("reqId"),
            contracts=[sample_of(one, self._contracts) for one in found],
        )

    def market_rule(self, session: Session, asked: Message) -> None:
        """Tell the price steps of a rule."""
        rule_id = asked.whole("marketRuleId")
        fits = [one for one in self._contracts.listings if one.rule_id == rule_id]
        if not fits:
            raise RefusalError(VALIDATING, where="reqMarketRule", reason="Invalid market rule")
        session.say("marketRule", marketRuleId=rule_id, increments=price_steps(fits[0]))

    def option_parameters(self, session: Session, asked: Message) -> None:
        """Tell the expirations and strikes of the options on a contract, by exchange."""
        request_id = asked.whole("reqId")
        under = self._contracts.by_id(asked.whole("underlyingConId") or 0)
        if under is None or under.symbol != asked.text("underlyingSymbol"):
            raise RefusalError(NO_CONTRACT, reason=UNKNOWN_CONTRACT)
        options = self._contracts.options_on(under)
        for exchange in options[0].exchanges.split(",") if options else ():
            session.say(
                "securityDefinitionOptionParameter",
                reqId=request_id,
                exchange=exchange,
                underlyingConId=under.con_id,
                tradingClass=options[0].trading_class,
                multiplier=options[0].multiplier,
                expirations=[{"date": day} for day in sorted({one.expiry for one in options})],
                strikes=[{"strike": at} for at in sorted({one.strike for one in options})],
            )
        session.say("securityDefinitionOptionParameterEnd", reqId=request_id)

    def depth_exchanges(self, session: Session, _: Message) -> None:
        """Tell where the depth of a market is known."""
        rows = [
            {"exchange": exchange, "secType": kind, "serviceDataType": "Deep2", "aggGroup": 1}
            for exchange, kind in _DEPTH
        ]
        session.say("mktDepthExchanges", exchanges=rows)
