"""The three messages that hold a whole order: placed, open, completed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot_v2.venues.tws.schema import (
    UNSET_DOUBLE,
    UNSET_INTEGER,
    UNSET_LONG,
    Case,
    Item,
    Rows,
    Schema,
    fields,
    number_of,
)

CONTRACT: Final = (
    "conId:i=0 symbol secType lastTradeDateOrContractMonth strike:n=0 right multiplier exchange "
    "primaryExchange currency localSymbol tradingClass"
)
"""A contract as clients send it."""

HELD_CONTRACT: Final = (
    "conId:i symbol secType lastTradeDateOrContractMonth strike:n=0 right multiplier exchange "
    "currency localSymbol tradingClass"
)
"""A contract as the server sends it with executions and positions."""

ORDERED_CONTRACT: Final = HELD_CONTRACT.replace(" right ", " right=? ")
"""A contract as the server sends it with orders: no right is a question mark."""


def is_text(*texts: str) -> Callable[[str], bool]:
    """Return a test for some texts."""
    return lambda text: text in texts


def is_there(text: str) -> bool:
    """Whether a text is not empty."""
    return bool(text)


def is_positive(text: str) -> bool:
    """Whether a text is a number above zero, and set."""
    number = number_of(text)
    return number is not None and number > 0


LEG: Final = fields("conId:i ratio:i action exchange")
"""A leg as requests for data have it."""

ORDER_LEG: Final = (
    *LEG,
    *fields("openClose:i=0 shortSaleSlot:i=0 designatedLocation exemptCode:i=-1"),
)
"""A leg as orders have it."""

TAGS: Final = fields("tag value")

_COMBO: Final[tuple[Item, ...]] = (
    Rows("comboLegs", ORDER_LEG),
    Rows("orderComboLegs", fields("price:n")),
    Rows("smartComboRoutingParams", TAGS),
)

_DN_CONTRACT: Final = Case(
    "deltaNeutral", is_text("1", "true"), fields("underConId:i underDelta:n underPrice:n")
)

_SCALE: Final = Case(
    "scalePriceIncrement",
    is_positive,
    fields(
        "scalePriceAdjustValue:n scalePriceAdjustInterval:i scaleProfitOffset:n scaleAutoReset:b "
        "scaleInitPosition:i scaleInitFillQty:i scaleRandomPercent:b"
    ),
)

_ALGO: Final = Case("algoStrategy", is_there, (Rows("algoParams", TAGS),))

_BENCHMARK: Final = Case(
    "orderType",
    is_text("PEG BENCH", "PEGBENCH"),
    fields(
        "referenceContractId:i isPeggedChangeAmountDecrease:b peggedChangeAmount:n "
        "referenceChangeAmount:n referenceExchangeId"
    ),
)

_CONDITIONS: Final[tuple[Item, ...]] = (
    Rows(
        "conditions",
        (
            *fields("type:i conjunction"),
            Case("type", is_text("1"), fields("isMore:b price:n conId:i exch triggerMethod:i")),
            Case("type", is_text("3"), fields("isMore:b time")),
            Case("type", is_text("4"), fields("isMore:b percent:n")),
            Case("type", is_text("5"), fields("secType exch symbol")),
            Case("type", is_text("6"), fields("isMore:b volume:n conId:i exch")),
            Case("type", is_text("7"), fields("isMore:b changePercent:n conId:i exch")),
        ),
    ),
    Case("conditions", is_there, fields("conditionsIgnoreRth:b conditionsCancelOrder:b")),
)

_DN_ORDER: Final = (
    "deltaNeutralConId:i=0 deltaNeutralSettlingFirm deltaNeutralClearingAccount "
    "deltaNeutralClearingIntent deltaNeutralOpenClose=? deltaNeutralShortSale:b=0 "
    "deltaNeutralShortSaleSlot:i=0 deltaNeutralDesignatedLocation"
)

_PEGGED: Final = (
    f"minTradeQty:i@170={UNSET_INTEGER} minCompeteSize:i@170={UNSET_INTEGER} "
    f"competeAgainstBestOffset:n@170={UNSET_DOUBLE} midOffsetAtWhole:n@170={UNSET_DOUBLE} "
    f"midOffsetAtHalf:n@170={UNSET_DOUBLE}"
)

PLACE_ORDER: Final = Schema(
    3,
    "placeOrder",
    (
        *fields(f"orderId:i {CONTRACT} secIdType secId"),
        *fields(
            "action totalQuantity:n orderType lmtPrice:n auxPrice:n tif ocaGroup account openClose "
            "origin:i=0 orderRef transmit:b=1 parentId:i=0 blockOrder:b=0 sweepToFill:b=0 "
            "displaySize:i=0 triggerMethod:i=0 outsideRth:b=0 hidden:b=0"
        ),
        Case("secType", is_text("BAG"), _COMBO),
        *fields(
            "sharesAllocation discretionaryAmt:n=0 goodAfterTime goodTillDate faGroup faMethod "
            "faPercentage faProfile@-176 modelCode shortSaleSlot:i=0 designatedLocation "
            "exemptCode:i=-1 ocaType:i=0 rule80A settlingFirm allOrNone:b=0 minQty:i "
            "percentOffset:n eTradeOnly:b=0 firmQuoteOnly:b=0 nbboPriceCap:n auctionStrategy:i=0 "
            "startingPrice:n stockRefPrice:n delta:n stockRangeLower:n stockRangeUpper:n "
            "overridePercentageConstraints:b=0 volatility:n volatilityType:i deltaNeutralOrderType "
            "deltaNeutralAuxPrice:n"
        ),
        Case("deltaNeutralOrderType", is_there, fields(_DN_ORDER)),
        *fields(
            "continuousUpdate:b=0 referencePriceType:i trailStopPrice:n trailingPercent:n "
            "scaleInitLevelSize:i scaleSubsLevelSize:i scalePriceIncrement:n"
        ),
        _SCALE,
        *fields("scaleTable activeStartTime activeStopTime hedgeType"),
        Case("hedgeType", is_there, fields("hedgeParam")),
        *fields("optOutSmartRouting:b=0 clearingAccount clearingIntent notHeld:b=0 deltaNeutral:b"),
        _DN_CONTRACT,
        *fields("algoStrategy"),
        _ALGO,
        *fields(
            "algoId whatIf:b=0 orderMiscOptions solicited:b=0 randomizeSize:b=0 randomizePrice:b=0"
        ),
        _BENCHMARK,
        *_CONDITIONS,
        *fields(
            "adjustedOrderType triggerPrice:n lmtPriceOffset:n adjustedStopPrice:n "
            "adjustedStopLimitPrice:n adjustedTrailingAmount:n adjustableTrailingUnit:i=0 "
            "extOperator softDollarName softDollarValue cashQty:n mifid2DecisionMaker "
            "mifid2DecisionAlgo mifid2ExecutionTrader mifid2ExecutionAlgo "
            "dontUseAutoPriceForHedge:b=0 isOmsContainer:b=0 discretionaryUpToLimitPrice:b=0 "
            "usePriceMgmtAlgo:i duration:i@158 postToAts:i@160 autoCancelParent:b@162=0 "
            "advancedErrorOverride@166 manualOrderTime@169"
        ),
        Case("exchange", is_text("IBKRATS"), fields("minTradeQty:i@170")),
        Case(
            "orderType",
            is_text("PEG BEST", "PEGBEST"),
            (
                *fields("minCompeteSize:i@170 competeAgainstBestOffset:n@170"),
                Case(
                    "competeAgainstBestOffset",
                    is_text("Infinity", "Infinite"),
                    fields("midOffsetAtWhole:n@170 midOffsetAtHalf:n@170"),
                ),
            ),
        ),
        Case(
            "orderType",
            is_text("PEG MID", "PEGMID"),
            fields("midOffsetAtWhole:n@170 midOffsetAtHalf:n@170"),
        ),
    ),
)
"""An order, new or changed."""

_BEFORE: Final = " ".join(
    f"{name}:n={UNSET_DOUBLE}"
    for when in ("Before", "Change", "After")
    for name in (f"initMargin{when}", f"maintMargin{when}", f"equityWithLoan{when}")
)

_SCALED: Final[tuple[Item, ...]] = (
    *fields(
        f"scaleInitLevelSize:i={UNSET_INTEGER} scaleSubsLevelSize:i={UNSET_INTEGER} "
        "scalePriceIncrement:n"
    ),
    _SCALE,
    *fields("hedgeType"),
    Case("hedgeType", is_there, fields("hedgeParam")),
)

OPEN_ORDER: Final = Schema(
    5,
    "openOrder",
    (
        *fields(f"orderId:i {ORDERED_CONTRACT}"),
        *fields(
            "action totalQuantity:n orderType lmtPrice:n=0 auxPrice:n=0 tif ocaGroup account "
            "openClose origin:i=0 orderRef clientId:i permId:i outsideRth:b=0 hidden:b=0 "
            "discretionaryAmt:n=0 goodAfterTime sharesAllocation faGroup faMethod faPercentage "
            "faProfile@-176 modelCode goodTillDate rule80A percentOffset:n settlingFirm "
            "shortSaleSlot:i=0 designatedLocation exemptCode:i=-1 auctionStrategy:i=0 "
            "startingPrice:n stockRefPrice:n delta:n stockRangeLower:n stockRangeUpper:n "
            f"displaySize:i={UNSET_INTEGER} blockOrder:b=0 sweepToFill:b=0 allOrNone:b=0 minQty:i "
            "ocaType:i=3 eTradeOnly:b=0 firmQuoteOnly:b=0 nbboPriceCap:n parentId:i=0 "
            "triggerMethod:i=0 volatility:n volatilityType:i=0 deltaNeutralOrderType=None "
            "deltaNeutralAuxPrice:n"
        ),
        Case("deltaNeutralOrderType", is_there, fields(_DN_ORDER)),
        *fields(
            "continuousUpdate:b=0 referencePriceType:i=0 trailStopPrice:n trailingPercent:n "
            "basisPoints:n basisPointsType:i comboLegsDescrip"
        ),
        *_COMBO,
        *_SCALED,
        *fields(
            "optOutSmartRouting:b=0 clearingAccount clearingIntent=IB notHeld:b=0 deltaNeutral:b=0"
        ),
        _DN_CONTRACT,
        *fields("algoStrategy"),
        _ALGO,
        *fields(f"solicited:b=0 whatIf:b=0 status {_BEFORE}"),
        *fields(
            "commission:n minCommission:n maxCommission:n commissionCurrency warningText "
            "randomizeSize:b=0 randomizePrice:b=0"
        ),
        _BENCHMARK,
        *_CONDITIONS,
        *fields(
            f"adjustedOrderType=None triggerPrice:n={UNSET_DOUBLE} "
            f"adjustedTrailStopPrice:n={UNSET_DOUBLE} lmtPriceOffset:n={UNSET_DOUBLE} "
            f"adjustedStopPrice:n={UNSET_DOUBLE} adjustedStopLimitPrice:n={UNSET_DOUBLE} "
            f"adjustedTrailingAmount:n={UNSET_DOUBLE} adjustableTrailingUnit:i=0 softDollarName "
            "softDollarValue softDollarDisplayName cashQty:n=0 dontUseAutoPriceForHedge:b=1 "
            "isOmsContainer:b=0 discretionaryUpToLimitPrice:b=0 usePriceMgmtAlgo:i=0 "
            f"duration:i@158={UNSET_INTEGER} postToAts:i@160={UNSET_INTEGER} "
            f"autoCancelParent:b@162=0 {_PEGGED}"
        ),
    ),
)
"""An order that lives, or just ended."""

COMPLETED_ORDER: Final = Schema(
    101,
    "completedOrder",
    (
        *fields(ORDERED_CONTRACT),
        *fields(
            "action totalQuantity:n orderType lmtPrice:n=0 auxPrice:n=0 tif ocaGroup account "
            "openClose origin:i=0 orderRef permId:i outsideRth:b=0 hidden:b=0 discretionaryAmt:n=0 "
            "goodAfterTime faGroup faMethod faPercentage faProfile@-176 modelCode goodTillDate "
            "rule80A percentOffset:n settlingFirm shortSaleSlot:i=0 designatedLocation "
            "exemptCode:i=-1 startingPrice:n stockRefPrice:n delta:n stockRangeLower:n "
            f"stockRangeUpper:n displaySize:i={UNSET_INTEGER} sweepToFill:b=0 allOrNone:b=0 "
            "minQty:i ocaType:i=3 triggerMethod:i=0 volatility:n volatilityType:i=0 "
            "deltaNeutralOrderType=None deltaNeutralAuxPrice:n"
        ),
        Case(
            "deltaNeutralOrderType",
            is_there,
            fields(
                "deltaNeutralConId:i=0 deltaNeutralShortSale:b=0 deltaNeutralShortSaleSlot:i=0 "
                "deltaNeutralDesignatedLocation"
            ),
        ),
        *fields(
            "continuousUpdate:b=0 referencePriceType:i=0 trailStopPrice:n trailingPercent:n "
            "comboLegsDescrip"
        ),
        *_COMBO,
        *_SCALED,
        *fields("clearingAccount clearingIntent=IB notHeld:b=0 deltaNeutral:b=0"),
        _DN_CONTRACT,
        *fields("algoStrategy"),
        _ALGO,
        *fields("solicited:b=0 status randomizeSize:b=0 randomizePrice:b=0"),
        _BENCHMARK,
        *_CONDITIONS,
        *fields(
            f"adjustedTrailStopPrice:n={UNSET_DOUBLE} lmtPriceOffset:n={UNSET_DOUBLE} cashQty:n=0 "
            "dontUseAutoPriceForHedge:b=1 isOmsContainer:b=0 autoCancelDate filledQuantity:n=0 "
            f"refFuturesConId:i={UNSET_INTEGER} autoCancelParent:b=0 shareholder imbalanceOnly:b=0 "
            f"routeMarketableToBbo:b=0 parentPermId:i={UNSET_LONG} completedTime completedStatus "
            f"{_PEGGED}"
        ),
    ),
)
"""An order that ended; it says neither its order id nor its client id."""
