"""The stream of best prices."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidSymbolError
from bot_v2.features.brokerages.core.events import QuoteEvent, StreamGap
from bot_v2.simulation.faults import Fault
from bot_v2.testing.cards import Section, card
from bot_v2.testing.context import CheckContext
from bot_v2.testing.streams import listening
from bot_v2.testing.violation import expect, expect_error

STREAM = (Capability.QUOTE_STREAM,)
QUIET_S = 0.1
"""How long nothing must come for a stream to have said everything, in seconds."""


def _bid_of(bid: Decimal) -> Callable[[object], bool]:
    """Return what accepts an event of a quote with a bid."""
    return lambda event: isinstance(event, QuoteEvent) and event.quote.bid == bid


def _moved(ctx: CheckContext, factor: str) -> Decimal:
    """Move the market, and return its new bid."""
    bid, _ = ctx.market.best()
    low = ctx.market.scaled(bid, factor)
    ctx.market.set(low)
    return low


@card(
    "BC-QS010",
    "A change of the market is an event, exactly.",
    Section.MONEY,
    capabilities=STREAM,
    needs_venue=True,
)
def _change(ctx: CheckContext) -> None:
    """The market is moved twice; each time an event has the new bid, of the symbol asked for."""
    with listening(ctx.untyped.stream_quotes([ctx.symbol])) as listener:
        for factor in ("1.1", "1.2"):
            low = _moved(ctx, factor)
            listener.wait_for(
                _bid_of(low), ctx.profile.stream_timeout_s, f"a quote with a bid of {low}"
            )
        odd = [
            one
            for one in listener.seen
            if isinstance(one, QuoteEvent) and one.quote.symbol != ctx.symbol
        ]
        expect(not odd, f"quotes of {ctx.symbol} only", odd)


@card(
    "BC-QS020",
    "Quotes come in the order in which they were made.",
    Section.TIME,
    capabilities=STREAM,
    needs_venue=True,
)
def _order(ctx: CheckContext) -> None:
    """Over five moves of the market, times never fall and bids come in order."""
    _ = ctx.symbol
    with listening(ctx.untyped.stream_quotes([ctx.symbol])) as listener:
        bids = [_moved(ctx, "1.01") for _ in range(5)]
        listener.wait_for(
            _bid_of(bids[-1]),
            ctx.profile.stream_timeout_s,
            f"a quote with a bid of {bids[-1]}",
        )
        listener.drain(QUIET_S)
        quotes = [one.quote for one in listener.seen if isinstance(one, QuoteEvent)]
    stamps = [one.timestamp for one in quotes]
    expect(stamps == sorted(stamps), "times that never fall", stamps)
    told = [one.bid for one in quotes]
    places = [bids.index(bid) for bid in told if bid is not None and bid in bids]
    expect(places == sorted(places), f"bids in the order {bids}", places)


@card(
    "BC-QS030",
    "A stream that is closed ends, for whoever waits in it.",
    Section.THREADS,
    capabilities=STREAM,
)
def _closes(ctx: CheckContext) -> None:
    """A thread waits for an event while the stream is closed: its iterator ends in peace."""
    threads = threading.active_count()
    with listening(ctx.untyped.stream_quotes([ctx.symbol])) as listener:
        pass
    ended = listener.has_ended(ctx.profile.stream_timeout_s)
    expect(ended, "the iterator to end without an error", listener.seen[-3:])
    expect(threading.active_count() <= threads + 2, "no thread left behind", threading.enumerate())


@card(
    "BC-QS040",
    "A stream of an unknown symbol is InvalidSymbolError.",
    Section.SYMBOLS,
    capabilities=STREAM,
)
def _unknown(ctx: CheckContext) -> None:
    """It is raised when the stream is asked for, or when it is opened."""

    def open_it() -> None:
        with ctx.untyped.stream_quotes([ctx.profile.unknown_symbol]):
            pass

    expect_error(open_it, InvalidSymbolError, when="stream_quotes of an unknown symbol")


@card(
    "BC-QS050",
    "A stream that fell silent is reported, where the adapter claims to notice.",
    Section.FAILED_READ,
    capabilities=STREAM,
    faults=(Fault.MUTE_STREAM,),
    catalogue=("T16",),
)
def _mute(ctx: CheckContext) -> None:
    """The venue stays connected and says nothing: a StreamGap comes within the time claimed."""
    limit_s = ctx.profile.mute_timeout_s
    if limit_s is None:
        ctx.skip("the adapter does not claim to notice (ContractProfile.mute_timeout_s)")
    with (
        listening(ctx.untyped.stream_quotes([ctx.symbol])) as listener,
        ctx.fault(Fault.MUTE_STREAM, None),
    ):
        _moved(ctx, "1.1")
        listener.wait_for(
            lambda event: isinstance(event, StreamGap),
            limit_s + ctx.profile.stream_timeout_s,
            "a StreamGap",
        )
