"""Talks without a connection: what they say, and what they make of messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from bot_v2.features.brokerages.coinbase.exchange_stream import ExchangeOrders, ExchangeQuotes
from bot_v2.features.brokerages.coinbase.stream import AdvancedOrders, AdvancedQuotes
from bot_v2.features.brokerages.core.interfaces import (
    Order,
    OrderEvent,
    OrderNotFoundError,
    OrderSide,
    OrderStatus,
    OrderType,
    QuoteEvent,
    StreamGap,
    TimeInForce,
)
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.features.brokerages.streaming.feed import Talk
from bot_v2.features.brokerages.streaming.orders import KnownOrders, OrderAudit, OrderDesk
from tests.unit.coinbase.natives import NOW

CALL = Call(broker="coinbase", operation="stream_orders", is_write=False)
SIGNED = {"jwt": "token"}
BTC, ETH = "BTC-USD", "ETH-PERP-INTX"
SYMBOLS = {BTC: "BTC-USD", ETH: "ETH-USDC-PERP"}
PROFILE = "p-1"

Told = list[OrderEvent | QuoteEvent | StreamGap]


class Names:
    """What product ids stand for."""

    def symbol_of(self, product_id: str) -> str:
        """Return the symbol."""
        return SYMBOLS.get(product_id, f"@{product_id}")

    def quote_of(self, product_id: str) -> str | None:
        """Return the currency of prices."""
        return {BTC: "USD", ETH: "USDC"}.get(product_id)

    def named(self, product_id: str) -> tuple[str, str | None]:
        """Return both."""
        return self.symbol_of(product_id), self.quote_of(product_id)


class Broker:
    """The orders that can be read, and the desk that reads them."""

    def __init__(self) -> None:
        """Begin without any."""
        self.orders: dict[str, Order] = {}
        self.error: Exception | None = None
        self.reads: list[str] = []
        self.known = KnownOrders()
        self.audit = OrderAudit(self.known, self._read_all, 1e9)
        self.desk = OrderDesk(self.known, self.audit, self._read)

    def _read_all(self) -> list[Order]:
        self.reads.append("all")
        if self.error is not None:
            raise self.error
        return list(self.orders.values())

    def _read(self, order_id: str) -> Order:
        self.reads.append(order_id)
        if self.error is not None:
            raise self.error
        if order_id not in self.orders:
            raise OrderNotFoundError("no such order")
        return self.orders[order_id]


def order(order_id: str = "o-1", **changes: Any) -> Order:
    """Return an order as it is read."""
    terms: dict[str, Any] = {
        "order_id": order_id,
        "client_order_id": "mine",
        "symbol": "BTC-USD",
        "side": OrderSide.BUY,
        "type": OrderType.LIMIT,
        "quantity": None,
        "price": None,
        "time_in_force": TimeInForce.GTC,
        "status": OrderStatus.OPEN,
        "filled_quantity": Decimal(0),
        "timestamp": NOW,
        "account_id": PROFILE,
    }
    return Order(**{**terms, **changes})


def advanced_quotes(symbols: Mapping[str, str] = SYMBOLS) -> AdvancedQuotes:
    """A talk about best prices."""
    return AdvancedQuotes(CALL, symbols, lambda: NOW)


def advanced_orders(broker: Broker) -> AdvancedOrders:
    """A talk about orders."""
    return AdvancedOrders(CALL, lambda: SIGNED, broker.desk, Names(), PROFILE, lambda: NOW)


def exchange_quotes(symbols: Mapping[str, str] = SYMBOLS) -> ExchangeQuotes:
    """A talk about best prices on the Exchange API."""
    return ExchangeQuotes(CALL, symbols, lambda: SIGNED, lambda: NOW)


def exchange_orders(broker: Broker) -> ExchangeOrders:
    """A talk about orders on the Exchange API."""
    products = [BTC, ETH]
    return ExchangeOrders(
        CALL, products, lambda: SIGNED, broker.desk, Names(), PROFILE, lambda: NOW
    )


def said(talk: Talk[Any]) -> list[Any]:
    """Return what a talk says to begin with."""
    messages: list[Any] = []
    talk.begin(lambda text: messages.append(json.loads(text)))
    return messages


def hear(talk: Talk[Any], *messages: Any) -> Told:
    """Return what some messages tell, and what is due after each."""
    told: Told = []
    for message in messages:
        content = message if isinstance(message, bytes) else json.dumps(message).encode()
        told += talk.hear(content)
        told += talk.tick()
    return told


def gaps(told: Told) -> list[StreamGap]:
    """Return the gaps among what was told."""
    return [one for one in told if isinstance(one, StreamGap)]


def events(told: Told) -> list[OrderEvent]:
    """Return the events of orders among what was told."""
    return [one for one in told if isinstance(one, OrderEvent)]


def quotes(told: Told) -> list[QuoteEvent]:
    """Return the quotes among what was told."""
    return [one for one in told if isinstance(one, QuoteEvent)]


def numbered() -> Callable[[str, Any], dict[str, Any]]:
    """Return what makes messages of Advanced Trade, numbered from zero."""
    count = iter(range(10_000))

    def make(channel: str, *told: Any) -> dict[str, Any]:
        return {
            "channel": channel,
            "timestamp": "2026-03-04T05:06:07.123456789Z",
            "sequence_num": next(count),
            "events": list(told),
        }

    return make
