"""The vendor's decoder, with every number left the text that it is on the wire.

It takes the longest messages apart: orders, contracts, and what a search found. Imports ib_async,
and is itself imported when a connection is first opened.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, Protocol

from ib_async.decoder import Decoder

from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    DetailsRow,
    ErrorRow,
    Fields,
    LegRow,
    MalformedError,
    MarginRow,
    NativeOrder,
    OrderRow,
    whole,
)

UNSET_LONG: Final = 9223372036854775807

# Where the stop of a trail is among the fields of an order: behind those of a delta-neutral one, if
# it is any. The vendor's decoder overwrites it with the stop of an adjusted order, further on.
_OPEN_DELTA_NEUTRAL: Final = (61, 8)
_COMPLETED_DELTA_NEUTRAL: Final = (52, 4)
_TO_TRAIL: Final = 4
_HAS_NO_PROFILE: Final = 177

LOG: Final = logging.getLogger(__name__)
# What the library says of itself is for whoever asks for it, and never for a terminal unasked.
LOG.addHandler(logging.NullHandler())

_RAW: Final = {
    # number: what is told, for whom the fields as they are will do
    1: "tick_price",
    2: "tick_size",
    3: "order_status",
    9: "next_id",
    11: "execution",
    12: "depth",
    13: "depth_by_maker",
    15: "accounts",
    17: "bars",
    45: "tick_generic",
    46: "tick_text",
    49: "time",
    52: "details_end",
    53: "open_orders_end",
    55: "executions_end",
    57: "snapshot_end",
    58: "data_type",
    59: "commission",
    71: "position",
    72: "positions_end",
    73: "value",
    74: "values_end",
    75: "option_parameters",
    76: "option_parameters_end",
    81: "tick_parameters",
    93: "price_rule",
    102: "completed_orders_end",
}


class Inbox(Protocol):
    """Who is told what came."""

    def on_fields(self, name: str, fields: Fields) -> None:
        """Take in a message as it was split."""

    def on_error(self, error: ErrorRow) -> None:
        """Take in an error, a warning or news."""

    def on_order(self, order: OrderRow, margin: MarginRow | None, native: NativeOrder) -> None:
        """Take in an order that lives; of one that was not placed, what it would do."""

    def on_completed(self, order: OrderRow) -> None:
        """Take in an order that ended."""

    def on_details(self, request_id: int, details: DetailsRow) -> None:
        """Take in a contract."""

    def on_samples(self, request_id: int, contracts: list[ContractRow]) -> None:
        """Take in what a search found."""

    def on_malformed(self, error: Exception) -> None:
        """Take in that a message could not be read."""

    def on_chunk(self) -> None:
        """Take in that what came at once has been told."""


class ExactDecoder(Decoder):
    """Takes messages apart, and leaves every number a text."""

    def __init__(self, inbox: Inbox) -> None:
        """Tell an inbox what comes."""
        super().__init__(_Silence(), 0)  # type: ignore[arg-type] # nothing is told through it
        self.logger = LOG
        self._inbox = inbox
        handlers: dict[int, Callable[[Any], None]] = {
            number: self._raw(name) for number, name in _RAW.items()
        }
        handlers[4] = self._error
        handlers[5] = self._open_order
        handlers[10] = self.contractDetails
        handlers[79] = self.symbolSamples
        handlers[101] = self._completed_order
        self.handlers = handlers
        self._told = _Told(inbox)
        self.wrapper = self._told  # type: ignore[assignment] # the handlers above call it alone

    def interpret(self, fields: Any) -> None:
        """Tell what a message says; of one that nobody asks for, nothing."""
        try:
            handler = self.handlers.get(int(fields[0]))
            if handler is not None:
                handler(fields)
        except Exception as error:  # noqa: BLE001 - whatever the layout was not, it was malformed
            self._inbox.on_malformed(error)

    def parse(self, obj: Any) -> None:
        """Leave the fields as they came."""

    def _raw(self, name: str) -> Callable[[Fields], None]:
        def tell(fields: Fields) -> None:
            self._inbox.on_fields(name, fields)

        return tell

    def _open_order(self, fields: Fields) -> None:
        self._told.trail_stop = self._trail_stop(fields, *_OPEN_DELTA_NEUTRAL)
        self.openOrder(fields)  # type: ignore[no-untyped-call] # the vendor annotates none

    def _completed_order(self, fields: Fields) -> None:
        self._told.trail_stop = self._trail_stop(fields, *_COMPLETED_DELTA_NEUTRAL)
        self.completedOrder(fields)  # type: ignore[no-untyped-call] # the vendor annotates none

    def _trail_stop(self, fields: Fields, place: int, more: int) -> str:
        place += self.serverVersion < _HAS_NO_PROFILE
        return fields[place + _TO_TRAIL + (more if fields[place] else 0)]

    def _error(self, fields: Fields) -> None:
        if len(fields) < 5:
            raise MalformedError("an error without a text")
        self._inbox.on_error(
            ErrorRow(request_id=whole(fields[2]), code=whole(fields[3]), text=fields[4])
        )


class _Silence:
    """Is told nothing."""


class _Told:
    """Is told by the vendor's decoder what the longest messages say."""

    def __init__(self, inbox: Inbox) -> None:
        self.trail_stop = ""
        self._inbox = inbox

    def openOrder(self, _: Any, contract: Any, order: Any, state: Any) -> None:  # noqa: N802 - the vendor's name
        margin = None
        if order.whatIf not in ("", "0", False):
            margin = MarginRow(
                initial_after=state.initMarginAfter,
                maintenance_after=state.maintMarginAfter,
                equity_after=state.equityWithLoanAfter,
                commission=str(state.commission or ""),
                commission_currency=state.commissionCurrency,
                warning=state.warningText,
            )
        row = _order_row(contract, order, state, self.trail_stop)
        self._inbox.on_order(row, margin, NativeOrder(contract, order))

    def completedOrder(self, contract: Any, order: Any, state: Any) -> None:  # noqa: N802 - the vendor's name
        row = _order_row(contract, order, state, self.trail_stop)
        self._inbox.on_completed(row)

    def contractDetails(self, request_id: int, details: Any) -> None:  # noqa: N802 - the vendor's name
        contract = details.contract
        self._inbox.on_details(
            request_id,
            DetailsRow(
                contract=_contract_row(contract),
                min_tick=str(details.minTick or ""),
                price_magnifier=str(details.priceMagnifier or ""),
                exchanges=details.validExchanges,
                rule_ids=details.marketRuleIds,
                under_symbol=details.underSymbol,
                under_sec_type=details.underSecType,
                long_name=details.longName,
                real_expiry=details.realExpirationDate,
                zone=details.timeZoneId,
                trading_hours=details.tradingHours,
                liquid_hours=details.liquidHours,
                min_size=str(details.minSize or ""),
                size_increment=str(details.sizeIncrement or ""),
            ),
        )

    def symbolSamples(self, request_id: int, found: Any) -> None:  # noqa: N802 - the vendor's name
        self._inbox.on_samples(request_id, [_contract_row(one.contract) for one in found])


def _contract_row(native: Any) -> ContractRow:
    return ContractRow(
        con_id=whole(str(native.conId)),
        symbol=native.symbol,
        sec_type=native.secType,
        expiry=native.lastTradeDateOrContractMonth,
        strike=str(native.strike or ""),
        right=native.right,
        multiplier=native.multiplier,
        exchange=native.exchange,
        primary=native.primaryExchange,
        currency=native.currency,
        local_symbol=native.localSymbol,
        trading_class=native.tradingClass,
        legs=tuple(
            LegRow(con_id=whole(leg.conId), ratio=leg.ratio, action=leg.action)
            for leg in native.comboLegs or ()
        ),
    )


def _order_row(contract: Any, native: Any, state: Any, trail_stop: str) -> OrderRow:
    parent = whole(str(native.parentPermId or ""))
    return OrderRow(
        contract=_contract_row(contract),
        perm_id=whole(native.permId),
        order_id=whole(native.orderId or ""),
        client_id=whole(native.clientId or ""),
        account=native.account,
        order_ref=native.orderRef,
        action=native.action,
        quantity=native.totalQuantity,
        type=native.orderType,
        price=native.lmtPrice,
        aux_price=native.auxPrice,
        tif=native.tif,
        good_till=native.goodTillDate,
        oca_group=native.ocaGroup,
        parent_id=whole(native.parentId or ""),
        parent_perm_id=0 if parent == UNSET_LONG else parent,
        outside_rth=native.outsideRth == "1",
        trail_stop=trail_stop,
        trail_percent=_text(native.trailingPercent),
        status=state.status,
        filled=_text(native.filledQuantity),
        completed_time=state.completedTime or "",
        completed_status=state.completedStatus or "",
    )


def _text(value: Any) -> str:
    """Return a field that came; empty where the vendor's default stands for one that did not."""
    return value if isinstance(value, str) else ""
