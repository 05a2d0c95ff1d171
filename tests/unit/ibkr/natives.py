"""What TWS says, made by the schemas of its simulator: they were written without the adapter."""

from __future__ import annotations

from typing import Any

from bot_v2.features.brokerages.ibkr.decoder import ExactDecoder
from bot_v2.features.brokerages.ibkr.wire import (
    ContractRow,
    DetailsRow,
    ErrorRow,
    Fields,
    MarginRow,
    NativeOrder,
    OrderRow,
)
from bot_v2.venues.tws.frames import split_fields
from bot_v2.venues.tws.protocol import FROM_SERVER

CONTRACT: dict[str, Any] = {
    "conId": 265598,
    "symbol": "AAPL",
    "secType": "STK",
    "right": "?",
    "exchange": "SMART",
    "currency": "USD",
    "localSymbol": "AAPL",
    "tradingClass": "NMS",
}

ORDER: dict[str, Any] = {
    **CONTRACT,
    "orderId": 7,
    "clientId": 1,
    "permId": 900_000_001,
    "account": "DU1",
    "orderRef": "ref",
    "action": "BUY",
    "totalQuantity": "10",
    "orderType": "LMT",
    "lmtPrice": "120.5",
    "tif": "DAY",
    "status": "Submitted",
}


class Heard:
    """Keeps what a decoder tells."""

    def __init__(self, version: int = 178) -> None:
        """Decode as of a server version."""
        self.fields: list[tuple[str, Fields]] = []
        self.errors: list[ErrorRow] = []
        self.orders: list[OrderRow] = []
        self.margins: list[MarginRow | None] = []
        self.natives: list[NativeOrder] = []
        self.completed: list[OrderRow] = []
        self.details: list[tuple[int, DetailsRow]] = []
        self.samples: list[tuple[int, list[ContractRow]]] = []
        self.malformed: list[Exception] = []
        self.version = version
        self._decoder = ExactDecoder(self)
        self._decoder.serverVersion = version

    def hear(self, name: str, **values: object) -> Heard:
        """Decode a message as TWS would send it."""
        self._decoder.interpret(fields_of(name, self.version, **values))
        return self

    def interpret(self, fields: list[str]) -> None:
        """Decode fields."""
        self._decoder.interpret(fields)

    def on_fields(self, name: str, fields: Fields) -> None:
        """Keep it."""
        self.fields.append((name, fields))

    def on_error(self, error: ErrorRow) -> None:
        """Keep it."""
        self.errors.append(error)

    def on_order(self, order: OrderRow, margin: MarginRow | None, native: NativeOrder) -> None:
        """Keep it."""
        self.orders.append(order)
        self.margins.append(margin)
        self.natives.append(native)

    def on_completed(self, order: OrderRow) -> None:
        """Keep it."""
        self.completed.append(order)

    def on_details(self, request_id: int, details: DetailsRow) -> None:
        """Keep it."""
        self.details.append((request_id, details))

    def on_samples(self, request_id: int, contracts: list[ContractRow]) -> None:
        """Keep it."""
        self.samples.append((request_id, contracts))

    def on_malformed(self, error: Exception) -> None:
        """Keep it."""
        self.malformed.append(error)

    def on_chunk(self) -> None:
        """Nothing to be done."""


def fields_of(name: str, version: int = 178, **values: Any) -> list[str]:
    """Return a message as it is split."""
    return split_fields(FROM_SERVER.encode(name, values, version))


def order_row(**changes: object) -> OrderRow:
    """Return an order as the decoder tells it."""
    return Heard().hear("openOrder", **{**ORDER, **changes}).orders[0]


def details_row(**changes: object) -> DetailsRow:
    """Return a contract's details as the decoder tells them."""
    told: dict[str, object] = {
        **CONTRACT,
        "right": "",
        "reqId": 1,
        "minTick": "0.01",
        "validExchanges": "SMART,NASDAQ",
        "marketRuleIds": "26,26",
        "primaryExchange": "NASDAQ",
        "longName": "APPLE INC",
        "timeZoneId": "US/Eastern",
        "minSize": "0.0001",
        "sizeIncrement": "0.0001",
    }
    return Heard().hear("contractDetails", **{**told, **changes}).details[0][1]
