"""What the server says: one schema per message."""

from __future__ import annotations

from typing import Final

from bot_v2.venues.tws.order_schemas import (
    COMPLETED_ORDER,
    HELD_CONTRACT,
    OPEN_ORDER,
    TAGS,
    is_text,
)
from bot_v2.venues.tws.schema import UNSET_DOUBLE, Case, Rows, Schema, fields


def _of(number: int, name: str, text: str = "") -> Schema:
    return Schema(number, name, fields(text))


_VERSION: Final = "version:i=1"

_PORTFOLIO_CONTRACT: Final = HELD_CONTRACT.replace(" exchange ", " primaryExchange ")

_BAR: Final = "date open:n high:n low:n close:n volume:n wap:n count:i"

CONTRACT_DETAILS: Final = Schema(
    10,
    "contractDetails",
    (
        *fields(
            "version:i@-163=8 reqId:i symbol secType lastTradeDateOrContractMonth strike:n=0 right "
            "exchange currency localSymbol marketName tradingClass conId:i minTick:n "
            "mdSizeMultiplier:i@-163=1 multiplier orderTypes validExchanges priceMagnifier:i=1 "
            "underConId:i=0 longName primaryExchange contractMonth industry category subcategory "
            "timeZoneId tradingHours liquidHours evRule evMultiplier:n=0"
        ),
        Rows("secIds", TAGS),
        *fields(
            "aggGroup:i=1 underSymbol underSecType marketRuleIds realExpirationDate stockType "
            "minSize:n@164=1 sizeIncrement:n@164=1 suggestedSizeIncrement:n@163=1"
        ),
    ),
)

TICK_BY_TICK: Final = Schema(
    99,
    "tickByTick",
    (
        *fields("reqId:i type:i time:i"),
        Case("type", is_text("1", "2"), fields("price:n size:n mask:i=0 exchange conditions")),
        Case("type", is_text("3"), fields("bid:n ask:n bidSize:n askSize:n mask:i=0")),
        Case("type", is_text("4"), fields("mid:n")),
    ),
)

ANSWERS: Final = (
    _of(1, "tickPrice", "version:i=6 reqId:i tickType:i price:n size:n attributes:i=0"),
    _of(2, "tickSize", "version:i=6 reqId:i tickType:i size:n"),
    _of(
        3,
        "orderStatus",
        "orderId:i status filled:n=0 remaining:n avgFillPrice:n=0 permId:i parentId:i=0 "
        "lastFillPrice:n=0 clientId:i whyHeld mktCapPrice:n=0",
    ),
    _of(4, "error", "version:i=2 reqId:i=-1 code:i text advancedOrderRejectJson@166"),
    OPEN_ORDER,
    _of(6, "updateAccountValue", "version:i=2 tag value currency account"),
    _of(
        7,
        "updatePortfolio",
        f"version:i=8 {_PORTFOLIO_CONTRACT} position:n marketPrice:n marketValue:n averageCost:n "
        "unrealizedPNL:n realizedPNL:n=0 account",
    ),
    _of(8, "updateAccountTime", f"{_VERSION} time"),
    _of(9, "nextValidId", f"{_VERSION} orderId:i"),
    CONTRACT_DETAILS,
    _of(
        11,
        "execDetails",
        f"reqId:i=-1 orderId:i {HELD_CONTRACT} execId time account execExchange side shares:n "
        "price:n permId:i clientId:i liquidation:i=0 cumQty:n avgPrice:n orderRef evRule "
        "evMultiplier:n modelCode lastLiquidity:i pendingPriceRevision:b@178=0",
    ),
    _of(12, "updateMktDepth", f"{_VERSION} reqId:i position:i operation:i side:i price:n size:n"),
    _of(
        13,
        "updateMktDepthL2",
        f"{_VERSION} reqId:i position:i marketMaker operation:i side:i price:n size:n "
        "isSmartDepth:b=0",
    ),
    _of(15, "managedAccounts", f"{_VERSION} accounts"),
    Schema(17, "historicalData", (*fields("reqId:i start end"), Rows("bars", fields(_BAR)))),
    _of(45, "tickGeneric", "version:i=6 reqId:i tickType:i value:n"),
    _of(46, "tickString", "version:i=6 reqId:i tickType:i value"),
    _of(49, "currentTime", f"{_VERSION} time:i"),
    _of(52, "contractDetailsEnd", f"{_VERSION} reqId:i"),
    _of(53, "openOrderEnd", _VERSION),
    _of(54, "accountDownloadEnd", f"{_VERSION} account"),
    _of(55, "execDetailsEnd", f"{_VERSION} reqId:i"),
    _of(57, "tickSnapshotEnd", f"{_VERSION} reqId:i"),
    _of(58, "marketDataType", f"{_VERSION} reqId:i type:i"),
    _of(
        59,
        "commissionReport",
        f"{_VERSION} execId commission:n currency realizedPNL:n={UNSET_DOUBLE} "
        f"yield:n={UNSET_DOUBLE} yieldRedemptionDate:i",
    ),
    _of(61, "position", f"version:i=3 account {HELD_CONTRACT} position:n avgCost:n"),
    _of(62, "positionEnd", _VERSION),
    _of(63, "accountSummary", f"{_VERSION} reqId:i account tag value currency"),
    _of(64, "accountSummaryEnd", f"{_VERSION} reqId:i"),
    _of(
        71,
        "positionMulti",
        f"{_VERSION} reqId:i account {HELD_CONTRACT} position:n avgCost:n modelCode",
    ),
    _of(72, "positionMultiEnd", f"{_VERSION} reqId:i"),
    _of(73, "accountUpdateMulti", f"{_VERSION} reqId:i account modelCode tag value currency"),
    _of(74, "accountUpdateMultiEnd", f"{_VERSION} reqId:i"),
    Schema(
        75,
        "securityDefinitionOptionParameter",
        (
            *fields("reqId:i exchange underlyingConId:i tradingClass multiplier"),
            Rows("expirations", fields("date")),
            Rows("strikes", fields("strike:n")),
        ),
    ),
    _of(76, "securityDefinitionOptionParameterEnd", "reqId:i"),
    Schema(
        79,
        "symbolSamples",
        (
            *fields("reqId:i"),
            Rows(
                "contracts",
                (
                    *fields("conId:i symbol secType primaryExchange currency"),
                    Rows("derivativeSecTypes", fields("secType")),
                    *fields("description@176 issuerId@176"),
                ),
            ),
        ),
    ),
    Schema(
        80,
        "mktDepthExchanges",
        (Rows("exchanges", fields("exchange secType listingExch serviceDataType aggGroup:i")),),
    ),
    _of(81, "tickReqParams", "reqId:i minTick:n bboExchange snapshotPermissions:i=3"),
    _of(88, "headTimestamp", "reqId:i time"),
    _of(
        90,
        "historicalDataUpdate",
        "reqId:i count:i date open:n close:n high:n low:n wap:n volume:n",
    ),
    Schema(
        93,
        "marketRule",
        (*fields("marketRuleId:i"), Rows("increments", fields("lowEdge:n increment:n"))),
    ),
    _of(94, "pnl", "reqId:i dailyPnL:n unrealizedPnL:n realizedPnL:n"),
    TICK_BY_TICK,
    COMPLETED_ORDER,
    _of(102, "completedOrdersEnd"),
)
"""Every message that is said."""
