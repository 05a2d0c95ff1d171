"""The contract suite on Alpaca's stocks, crypto and options, over the wire of its simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import attrs
import pytest

from bot_v2.features.brokerages.alpaca.adapter import AlpacaBrokerage
from bot_v2.features.brokerages.alpaca.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    IBrokerage,
    Leg,
    OrderSide,
    PositionEffect,
)
from bot_v2.features.brokerages.core.products import OptionRight
from bot_v2.features.brokerages.core.symbols import OptionSymbol, parse_symbol
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.suite import BrokerageContract
from bot_v2.venues.alpaca.venue import AlpacaVenue
from tests.contract.patience import HANGING_S, PatientTransport

PAGE = 50
"""How many orders and executions are asked for at once: lists have several pages so."""


class _OnVenue(BrokerageContract):
    symbol: ClassVar[str]
    quantity: ClassVar[Decimal | None] = None

    @pytest.fixture
    def venue(self) -> Iterator[AlpacaVenue]:
        """Alpaca on this machine, its market always open and its limits off."""
        # Checks place orders of both sides as they like: that is what the protection is against.
        # Fees of coins are taken out of what was bought, which the checks of positions know not.
        with AlpacaVenue(rate_limit=None, protects=False, has_fees=False) as venue:
            yield venue

    @pytest.fixture
    def reopen_brokerage(self, venue: AlpacaVenue) -> Iterator[Callable[[], IBrokerage]]:
        """Makes sessions of the account; all of them end with the test."""
        made: list[AlpacaBrokerage] = []
        transports: list[HttpTransport] = []

        def make() -> IBrokerage:
            given = {
                "api_key": venue.api_key.key,
                "secret_key": venue.api_key.secret,
                "api_base": venue.url,
                "data_base": venue.url,
                "ws_url": f"{venue.url.replace('http', 'ws', 1)}/stream",
                "data_ws_base": venue.url.replace("http", "ws", 1),
                "page_size": PAGE,
                "allow_delayed": True,
            }
            transports.append(PatientTransport(venue))
            made.append(AlpacaBrokerage(read_settings(given, {}), transport=transports[-1]))
            return made[-1]

        yield make
        for broker in made:
            broker.disconnect()
        for transport in transports:
            transport.close()

    @pytest.fixture
    def brokerage(self, reopen_brokerage: Callable[[], IBrokerage]) -> IBrokerage:
        """A session of the account, not yet connected."""
        return reopen_brokerage()

    @pytest.fixture
    def contract_profile(self, venue: AlpacaVenue) -> ContractProfile:
        """What the suite may know."""
        return self._profile(venue, self.symbol)

    def _profile(self, venue: AlpacaVenue, symbol: str) -> ContractProfile:
        return ContractProfile(
            symbol=symbol,
            quantity=self.quantity,
            secrets=(venue.api_key.secret,),
            health_timeout_s=HANGING_S + 2.0,
            # There are none of a weekend, which can be a long one.
            candle_interval=timedelta(hours=1),
            candle_span=timedelta(days=5),
        )


class TestStocks(_OnVenue):
    """Stocks keep the contract."""

    symbol = "AAPL"
    # Exits and pairs are for whole shares.
    quantity = Decimal(4)
    exemptions: ClassVar = {
        "BC-D090": "Alpaca has books of crypto alone: of a stock, level 1",
        "BC-OF050": "orders of several legs are of options",
    }


class TestCrypto(_OnVenue):
    """Crypto keeps the contract."""

    symbol = "BTC-USD"
    exemptions: ClassVar = {
        **dict.fromkeys(
            (
                *("BC-OO010", "BC-OO020", "BC-OO030", "BC-OO040", "BC-X100"),
                *("BC-BR010", "BC-BR020", "BC-BR030", "BC-BR040"),
                *("BC-TS010", "BC-TS020", "BC-TS030", "BC-OF040"),
            ),
            "Alpaca has linked orders, trailing stops and extended hours for stocks only",
        ),
        **dict.fromkeys(("BC-OC010", "BC-OC020", "BC-OF050"), "there are no options of coins"),
    }


class TestOptions(_OnVenue):
    """Options keep the contract."""

    symbol = ""
    quantity = Decimal(4)
    exemptions: ClassVar = {
        **dict.fromkeys(
            (
                *("BC-OO010", "BC-OO020", "BC-OO030", "BC-OO040", "BC-X100"),
                *("BC-BR010", "BC-BR020", "BC-BR030", "BC-BR040"),
                *("BC-TS010", "BC-TS020", "BC-TS030", "BC-OF040"),
                *("BC-OF010", "BC-OF020", "BC-OF070"),
            ),
            "Alpaca has linked orders, trailing stops, extended hours and sums not for options",
        ),
        "BC-D090": "Alpaca has books of crypto alone: of an option, level 1",
        "BC-OF030": "options are traded whole",
        "BC-SY010": "options are found by their underlying: there are a million of them",
    }

    @pytest.fixture
    def contract_profile(self, venue: AlpacaVenue) -> ContractProfile:
        """What the suite may know: the cheapest call that the venue lists is traded."""
        listed = [parse_symbol(one) for one in venue.native_symbols().values()]
        calls = [
            one
            for one in listed
            if isinstance(one, OptionSymbol) and (one.root, one.right) == ("AAPL", OptionRight.CALL)
        ]
        live = [one for one in calls if one.expiry > datetime.now(UTC).date()]
        cheapest = max(live, key=lambda one: (one.strike, -one.expiry.toordinal()))
        profile = self._profile(venue, str(cheapest))
        (nearer,) = (
            one
            for one in dict.fromkeys(live)
            if (one.expiry, one.strike) == (cheapest.expiry, cheapest.strike - 10)
        )
        spread = (
            Leg(symbol=str(cheapest), side=OrderSide.BUY, position_effect=PositionEffect.OPEN),
            Leg(symbol=str(nearer), side=OrderSide.SELL, position_effect=PositionEffect.OPEN),
        )
        return attrs.evolve(profile, option_underlying="AAPL", legs=spread)
