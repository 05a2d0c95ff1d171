"""Brokerages that keep the contract; each broken one is one of these with a fault put in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

import attrs
from acme_brokerage.adapter import AcmeBrokerage
from acme_brokerage.settings import AcmeSettings
from acme_venue import AcmeVenue

from bot_v2.features.brokerages.core.interfaces import Secret
from bot_v2.features.brokerages.core.order_terms import Leg, OrderSide
from bot_v2.features.brokerages.core.products import MarketType, OptionRight, Product
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.simulation.account import AccountKind
from bot_v2.simulation.fees import MakerTakerFees
from bot_v2.simulation.market import MarketEvent
from bot_v2.testing.profile import ContractProfile
from tests.contract.broken.entry import Healthy
from tests.contract.broken.rich import (
    MUTE_S,
    BalancesBrokerage,
    BucketsBrokerage,
    PlainBrokerage,
    RichBrokerage,
    WatchedBrokerage,
)

SECRET: Final = "sesame-that-must-not-be-seen"
"""The credential that must appear nowhere."""

ACME_TIMEOUT_S: Final = 0.3
"""How long a call may take, in seconds: a little more than a long poll of the venue's."""

CENT: Final = Decimal("0.01")

PRODUCTS: Final = (
    Product(
        symbol="BTC-USD",
        market_type=MarketType.SPOT,
        base_currency="BTC",
        quote_currency="USD",
        price_increment=CENT,
        size_increment=Decimal("0.0001"),
        min_order_size=Decimal("0.0001"),
        max_order_size=Decimal(100_000),
        min_notional=Decimal(5),
    ),
    Product(
        symbol="AAPL",
        market_type=MarketType.EQUITY,
        quote_currency="USD",
        price_increment=CENT,
        size_increment=Decimal(1),
        min_order_size=Decimal(1),
    ),
    Product(
        symbol="AAPL-20270115-150-C",
        market_type=MarketType.OPTION,
        quote_currency="USD",
        underlying="AAPL",
        expiry=date(2027, 1, 15),
        strike=Decimal(150),
        right=OptionRight.CALL,
        multiplier=Decimal(100),
        price_increment=CENT,
        size_increment=Decimal(1),
    ),
    Product(
        symbol="AAPL-20270219-150-C",
        market_type=MarketType.OPTION,
        quote_currency="USD",
        underlying="AAPL",
        expiry=date(2027, 2, 19),
        strike=Decimal(150),
        right=OptionRight.CALL,
        multiplier=Decimal(100),
        price_increment=CENT,
        size_increment=Decimal(1),
    ),
    Product(symbol="@WEATHER", market_type=MarketType.OTHER, quote_currency="USD", tradeable=False),
)

FEES: Final = MakerTakerFees(maker=Decimal("0.001"), taker=Decimal("0.002"))


class StillFeed:
    """A market in which nothing happens but what a check does."""

    description = "a still market"
    is_synthetic = True
    products = PRODUCTS

    def events(self) -> Iterator[MarketEvent]:
        """Yield nothing."""
        return iter(())


def _paper(kind: type[PaperBrokerage]) -> PaperBrokerage:
    return kind(feed=StillFeed(), fees=FEES)


def _margin(kind: type[PaperBrokerage]) -> PaperBrokerage:
    settings = PaperSettings(account_kind=AccountKind.MARGIN)
    return kind(settings, feed=StillFeed(), fees=FEES)


def _acme(kind: type[AcmeBrokerage], venue: AcmeVenue) -> AcmeBrokerage:
    settings = AcmeSettings(url=venue.url, api_key=Secret(SECRET), timeout_s=ACME_TIMEOUT_S)
    return kind(settings)


def _paper_venue(brokerage: PaperBrokerage) -> PaperVenue:
    return PaperVenue(brokerage)


def _acme_venue() -> AcmeVenue:
    return AcmeVenue(api_key=SECRET)


# In one process an effect shows at once, so that little patience is enough to call it missing.
PROFILE: Final = ContractProfile(
    secrets=(SECRET,),
    settle_s=0.05,
    stream_timeout_s=0.6,
    health_timeout_s=0.5,
    mute_timeout_s=MUTE_S,
    option_underlying="AAPL",
    legs=(
        Leg(symbol="BTC-USD", side=OrderSide.BUY),
        Leg(symbol="AAPL", side=OrderSide.SELL),
    ),
)


def _over_paper(name: str, kind: type[Any], **known: Any) -> Healthy:
    profile = attrs.evolve(PROFILE, **known)
    return Healthy(name=name, kind=kind, build=_paper, venue=_paper_venue, profile=profile)


PAPER: Final = _over_paper("paper", PaperBrokerage, mute_timeout_s=None)
RICH: Final = _over_paper("rich", RichBrokerage)
WATCHED: Final = _over_paper("watched", WatchedBrokerage)
MARGIN: Final = attrs.evolve(PAPER, name="margin", build=_margin)
PLAIN: Final = _over_paper("plain", PlainBrokerage)
SHARES: Final = _over_paper("shares", PlainBrokerage, symbol="AAPL")
BALANCES: Final = _over_paper("balances", BalancesBrokerage)
BUCKETS: Final = _over_paper("buckets", BucketsBrokerage)
ACME: Final = Healthy(
    name="acme",
    kind=AcmeBrokerage,
    build=_acme,
    venue=_acme_venue,
    profile=ContractProfile(
        secrets=(SECRET,), settle_s=0.3, stream_timeout_s=1.0, health_timeout_s=0.5
    ),
)
