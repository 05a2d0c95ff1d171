"""A bot that runs asyncio, as its author writes it; it is checked, never run."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import assert_type

from bot_v2.features.brokerages.core.interfaces import (
    IBrokerage,
    Margin,
    OrderRequest,
    OrderResult,
    Position,
    QuoteEvent,
    StreamGap,
)
from bot_v2.orchestration.aio.capabilities import AsyncSupportsMargin, AsyncSupportsQuoteStream
from bot_v2.orchestration.async_brokerage import (
    AsyncBrokerage,
    IAsyncBrokerage,
    WriteRecord,
    async_supports,
)


async def trade(broker: IAsyncBrokerage, request: OrderRequest) -> OrderResult:
    """Place an order through whatever brokerage it is."""
    assert_type(await broker.get_price(request.symbol), Decimal)
    assert_type(await broker.get_position(request.symbol), Position | None)
    if async_supports(broker, AsyncSupportsMargin):
        assert_type(await broker.get_margin(), Margin)
    if async_supports(broker, AsyncSupportsQuoteStream):
        async with broker.stream_quotes([request.symbol]) as events:
            async for event in events:
                assert_type(event, QuoteEvent | StreamGap)
    return await broker.place_order(request)


async def run(broker: IBrokerage, request: OrderRequest) -> list[WriteRecord]:
    """Wrap a brokerage, and give an order five seconds."""
    async with AsyncBrokerage(broker) as wrapped:
        try:
            async with asyncio.timeout(5):
                await trade(wrapped, request)
        except TimeoutError:
            await wrapped.get_outcome(request.client_order_id or "")
        return wrapped.list_unheard()
