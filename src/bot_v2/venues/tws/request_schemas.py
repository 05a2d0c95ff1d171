"""What clients say: one schema per message."""

from __future__ import annotations

from typing import Final

from bot_v2.venues.tws.order_schemas import CONTRACT, LEG, PLACE_ORDER, is_text
from bot_v2.venues.tws.schema import Case, Rows, Schema, fields

_LEGS: Final = Case("secType", is_text("BAG"), (Rows("comboLegs", LEG),))


def _of(number: int, name: str, text: str = "") -> Schema:
    return Schema(number, name, fields(text))


_VERSION: Final = "version:i=1"
_DATED_CONTRACT: Final = f"reqId:i {CONTRACT} includeExpired:b=0"

REQUESTS: Final = (
    Schema(
        1,
        "reqMktData",
        (
            *fields(f"version:i=11 reqId:i {CONTRACT}"),
            _LEGS,
            *fields("deltaNeutral:b"),
            Case(
                "deltaNeutral",
                is_text("1", "true"),
                fields("underConId:i underDelta:n underPrice:n"),
            ),
            *fields("genericTickList snapshot:b=0 regulatorySnapshot:b=0 options"),
        ),
    ),
    _of(2, "cancelMktData", "version:i=2 reqId:i"),
    PLACE_ORDER,
    _of(4, "cancelOrder", f"{_VERSION} orderId:i manualCancelOrderTime@169"),
    _of(5, "reqOpenOrders", _VERSION),
    _of(6, "reqAccountUpdates", "version:i=2 subscribe:b account"),
    _of(
        7,
        "reqExecutions",
        "version:i=3 reqId:i clientId:i=0 acctCode time symbol secType exchange side",
    ),
    _of(8, "reqIds", f"{_VERSION} count:i"),
    _of(
        9,
        "reqContractDetails",
        f"version:i=8 {_DATED_CONTRACT} secIdType secId issuerId@176",
    ),
    _of(10, "reqMktDepth", f"version:i=5 reqId:i {CONTRACT} rows:i isSmartDepth:b options"),
    _of(11, "cancelMktDepth", f"{_VERSION} reqId:i isSmartDepth:b"),
    _of(14, "setServerLogLevel", f"{_VERSION} level:i"),
    _of(15, "reqAutoOpenOrders", f"{_VERSION} autoBind:b"),
    _of(16, "reqAllOpenOrders", _VERSION),
    _of(17, "reqManagedAccts", _VERSION),
    Schema(
        20,
        "reqHistoricalData",
        (
            *fields(_DATED_CONTRACT),
            *fields("endDateTime barSize duration useRth:b whatToShow formatDate:i=1"),
            _LEGS,
            *fields("keepUpToDate:b=0 options"),
        ),
    ),
    _of(25, "cancelHistoricalData", f"{_VERSION} reqId:i"),
    _of(49, "reqCurrentTime", _VERSION),
    _of(58, "reqGlobalCancel", _VERSION),
    _of(59, "reqMarketDataType", f"{_VERSION} type:i=1"),
    _of(61, "reqPositions", _VERSION),
    _of(62, "reqAccountSummary", f"{_VERSION} reqId:i group tags"),
    _of(63, "cancelAccountSummary", f"{_VERSION} reqId:i"),
    _of(64, "cancelPositions", _VERSION),
    _of(71, "startApi", "version:i=2 clientId:i optionalCapabilities"),
    _of(74, "reqPositionsMulti", f"{_VERSION} reqId:i account modelCode"),
    _of(75, "cancelPositionsMulti", f"{_VERSION} reqId:i"),
    _of(76, "reqAccountUpdatesMulti", f"{_VERSION} reqId:i account modelCode ledgerAndNLV:b"),
    _of(77, "cancelAccountUpdatesMulti", f"{_VERSION} reqId:i"),
    _of(
        78,
        "reqSecDefOptParams",
        "reqId:i underlyingSymbol futFopExchange underlyingSecType underlyingConId:i",
    ),
    _of(81, "reqMatchingSymbols", "reqId:i pattern"),
    _of(82, "reqMktDepthExchanges"),
    _of(87, "reqHeadTimestamp", f"{_DATED_CONTRACT} useRth:b whatToShow formatDate:i=1"),
    _of(90, "cancelHeadTimestamp", "reqId:i"),
    _of(91, "reqMarketRule", "marketRuleId:i"),
    _of(92, "reqPnL", "reqId:i account modelCode"),
    _of(93, "cancelPnL", "reqId:i"),
    _of(97, "reqTickByTickData", f"reqId:i {CONTRACT} tickType numberOfTicks:i=0 ignoreSize:b=0"),
    _of(98, "cancelTickByTickData", "reqId:i"),
    _of(99, "reqCompletedOrders", "apiOnly:b=0"),
)
"""Every message that is understood."""
