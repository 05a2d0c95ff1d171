"""The type checker agrees that the paper brokerage is what it declares to be."""

from __future__ import annotations

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.capabilities import (
    PROTOCOLS,
    SupportsAccountSummary,
    SupportsCandles,
    SupportsFees,
    SupportsFills,
    SupportsMargin,
    SupportsMarketStatus,
    SupportsOco,
    SupportsOrderLookup,
    SupportsOrderModification,
    SupportsOrderStream,
    SupportsQuotes,
    SupportsQuoteStream,
)
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.venue import PaperVenue
from bot_v2.testing.venue_control import VenueControl


def test_each_declared_protocol_is_fitted() -> None:
    """Assigning the brokerage to each protocol is checked by mypy; none is left out here."""
    broker = PaperBrokerage()
    brokerage: IBrokerage = broker
    lookup: SupportsOrderLookup = broker
    fills: SupportsFills = broker
    summary: SupportsAccountSummary = broker
    margin: SupportsMargin = broker
    modification: SupportsOrderModification = broker
    quotes: SupportsQuotes = broker
    candles: SupportsCandles = broker
    status: SupportsMarketStatus = broker
    quote_stream: SupportsQuoteStream = broker
    order_stream: SupportsOrderStream = broker
    fees: SupportsFees = broker
    oco: SupportsOco = broker
    assigned = {
        SupportsOrderLookup: lookup,
        SupportsFills: fills,
        SupportsAccountSummary: summary,
        SupportsMargin: margin,
        SupportsOrderModification: modification,
        SupportsQuotes: quotes,
        SupportsCandles: candles,
        SupportsMarketStatus: status,
        SupportsQuoteStream: quote_stream,
        SupportsOrderStream: order_stream,
        SupportsFees: fees,
        SupportsOco: oco,
    }
    assert brokerage is broker
    declared = {PROTOCOLS[capability] for capability in broker.capabilities}
    assert set(assigned) == declared - {None}


def test_the_venue_is_a_venue_control() -> None:
    """The contract suite can drive it, although neither knows the other."""
    venue: VenueControl = PaperVenue(PaperBrokerage())
    assert not venue.has_wire
