"""Broken streams."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from bot_v2.features.brokerages.core.errors import ConnectionError
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent
from bot_v2.features.brokerages.core.order_status import OrderStatus
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from tests.contract.broken.alterations import forged
from tests.contract.broken.entry import Around, Broken
from tests.contract.broken.healthy import PAPER, WATCHED

Pass = Callable[[Iterator[Any]], Iterator[Any]]


def _through(change: Pass) -> Around:
    """Change what a stream yields."""

    def instead(_: Any, real: Any, *args: Any) -> Any:
        @contextmanager
        def opened() -> Iterator[Iterator[Any]]:
            with real(*args) as events:
                yield change(events)

        return opened()

    return instead


def _only(wanted: Callable[[Any], bool]) -> Around:
    return _through(lambda events: (event for event in events if wanted(event)))


def _each(change: Callable[[Any], Any]) -> Around:
    return _through(lambda events: (change(event) for event in events))


def _is_change(event: Any) -> bool:
    waiting = (OrderStatus.PENDING, OrderStatus.OPEN)
    return not (isinstance(event, OrderEvent) and event.order.status in waiting)


def _is_no_cancel(event: Any) -> bool:
    return not (isinstance(event, OrderEvent) and event.order.status is OrderStatus.CANCELLED)


def _at_another_price(event: Any) -> Any:
    fill = getattr(event, "fill", None)
    return event if fill is None else forged(event, fill=forged(fill, price=fill.price + 1))


def _fills_added(events: Iterator[Any]) -> Iterator[Any]:
    """Add each event's execution to what was filled, those that come twice included."""
    filled: dict[str, Decimal] = {}
    for event in events:
        if isinstance(event, OrderEvent) and event.fill is not None:
            key = event.order.order_id
            filled[key] = filled.get(key, Decimal(0)) + event.fill.quantity
            whole = event.order.quantity or filled[key]
            order = forged(event.order, filled_quantity=min(filled[key], whole))
            yield forged(event, order=order)
        else:
            yield event


def _one_behind(events: Iterator[Any]) -> Iterator[Any]:
    """Hand an event on when the next one comes."""
    last = None
    for event in events:
        if last is not None:
            yield last
        last = event


def _is_last(event: Any) -> bool:
    return isinstance(event, OrderEvent) and event.order.status is OrderStatus.FILLED


def _quantity_of_fill(event: Any) -> Any:
    """Take the size of the latest fill for all that was filled."""
    if isinstance(event, OrderEvent) and event.fill is not None:
        whole = event.order.status is OrderStatus.FILLED
        quantity = event.order.filled_quantity if whole else -event.order.filled_quantity
        return forged(event, order=forged(event.order, filled_quantity=quantity))
    return event


def _endless(events: Iterator[Any]) -> Iterator[Any]:
    """Wait on for ever once the stream has ended."""
    yield from events
    threading.Event().wait(1.0)
    raise ConnectionError("the stream is gone")


def _ends_in_error(events: Iterator[Any]) -> Iterator[Any]:
    yield from events
    raise ConnectionError("the stream was closed")


def _first_listener_only(broker: Any, real: Any) -> Any:
    """Let the first stream alone hear anything."""

    @contextmanager
    def opened() -> Iterator[Iterator[Any]]:
        is_first = not getattr(broker, "is_listening", False)
        broker.is_listening = True
        with real() as events:
            yield events if is_first else iter(lambda: threading.Event().wait(0.5), None)

    return opened()


def _outlives_session(broker: Any, real: Any) -> Any:
    """Yield nothing more once the session has ended, and do not end."""

    @contextmanager
    def opened() -> Iterator[Iterator[Any]]:
        closed = threading.Event()

        def told(events: Iterator[Any]) -> Iterator[Any]:
            yield from events
            closed.wait(5.0)

        with real() as events:
            yield told(events)
        closed.set()

    return opened()


def _rounded(event: Any) -> Any:
    if not isinstance(event, QuoteEvent) or event.quote.bid is None:
        return event
    return forged(event, quote=forged(event.quote, bid=round(event.quote.bid, 0) - 1))


def _any_symbol(broker: Any, real: Any, symbols: Any) -> Any:
    known = {product.symbol for product in broker.get_products()}
    return real([symbol for symbol in symbols if symbol in known])


def _last_first(events: Iterator[Any]) -> Iterator[Any]:
    """Gather five quotes, and hand on the newest first."""
    gathered = []
    for event in events:
        gathered.append(event)
        if len(gathered) == 5:
            yield from reversed(gathered)
            gathered.clear()


def _latest_only(events: Iterator[Any]) -> Iterator[Any]:
    """Drop every second event, as a full queue would, and say nothing."""
    for number, event in enumerate(events):
        if number % 2 == 0:
            yield event


BROKEN: Final = (
    Broken(
        name="no event of a placement",
        fault="An order that is placed is no event.",
        on=PAPER,
        alter={"stream_orders": _only(_is_change)},
        caught_by={"BC-OS010": "an event of o-000001"},
        catalogue=("P04",),
    ),
    Broken(
        name="no event of a cancel",
        fault="A cancel is no event.",
        on=PAPER,
        alter={"stream_orders": _only(_is_no_cancel)},
        caught_by={"BC-OS020": "CANCELLED within"},
        catalogue=("P03",),
    ),
    Broken(
        name="an event at another price",
        fault="The execution of an event has another price than the fill.",
        on=PAPER,
        alter={"stream_orders": _each(_at_another_price)},
        caught_by={"BC-OS030": "the execution to be"},
    ),
    Broken(
        name="events that shrink",
        fault="What was filled falls from one event to the next.",
        on=PAPER,
        alter={"stream_orders": _each(_quantity_of_fill)},
        caught_by={"BC-OS040": "quantities that never fall"},
        catalogue=("P05",),
    ),
    Broken(
        name="events dropped",
        fault="Every second event is dropped, and no gap is reported.",
        on=PAPER,
        alter={
            "stream_orders": _through(_latest_only),
            "stream_quotes": _through(_latest_only),
        },
        caught_by={
            "BC-OS040": "an event with 0.5716 filled",
            "BC-QS010": "a quote with a bid of 132.00",
        },
        catalogue=("P04", "T18"),
    ),
    Broken(
        name="duplicates filled twice",
        fault="An execution that comes twice is added twice.",
        on=PAPER,
        alter={"stream_orders": _through(_fills_added)},
        caught_by={"BC-OS050": "status, filled quantity and average price, as booked to be"},
        catalogue=("P01",),
    ),
    Broken(
        name="one event behind",
        fault="An event is handed on when the next one comes.",
        on=PAPER,
        alter={"stream_orders": _through(_one_behind)},
        caught_by={"BC-OS060": "an event with 0.4287 filled"},
        catalogue=("P02",),
    ),
    Broken(
        name="a stream that never ends",
        fault="A stream that is closed keeps its reader waiting.",
        on=PAPER,
        alter={"stream_orders": _through(_endless), "stream_quotes": _through(_endless)},
        caught_by={
            "BC-OS070": "the iterator to end without an error",
            "BC-QS030": "the iterator to end without an error",
        },
    ),
    Broken(
        name="a stream that ends in an error",
        fault="A stream that is closed raises in its reader.",
        on=PAPER,
        alter={
            "stream_orders": _through(_ends_in_error),
            "stream_quotes": _through(_ends_in_error),
        },
        caught_by={
            "BC-OS070": "the iterator to end without an error",
            "BC-QS030": "the iterator to end without an error",
        },
    ),
    Broken(
        name="one listener",
        fault="A second stream hears nothing.",
        on=PAPER,
        alter={"stream_orders": _first_listener_only},
        caught_by={"BC-OS080": "an event within"},
    ),
    Broken(
        name="a stream that outlives its session",
        fault="A stream neither ends nor reports a gap when the session ends.",
        on=PAPER,
        alter={"stream_orders": _outlives_session},
        caught_by={"BC-OS090": "an end, or a StreamGap"},
        catalogue=("T18",),
    ),
    Broken(
        name="mute and not noticed",
        fault="A stream that fell silent is not reported, although that is claimed.",
        on=WATCHED,
        alter={
            "stream_orders": lambda broker, _: PaperBrokerage.stream_orders(broker),
            "stream_quotes": lambda broker, _, names: PaperBrokerage.stream_quotes(broker, names),
        },
        caught_by={"BC-OS100": "a StreamGap within", "BC-QS050": "a StreamGap within"},
        catalogue=("T16",),
    ),
    Broken(
        name="quotes in whole units",
        fault="Bids of the stream are rounded.",
        on=PAPER,
        alter={"stream_quotes": _each(_rounded)},
        caught_by={"BC-QS010": "a quote with a bid of 110.0"},
    ),
    Broken(
        name="quotes newest first",
        fault="Quotes that came together are handed on newest first.",
        on=PAPER,
        alter={"stream_quotes": _through(_last_first)},
        caught_by={"BC-QS020": "times that never fall"},
        catalogue=("P05",),
    ),
    Broken(
        name="quotes of anything",
        fault="A stream of an unknown symbol is opened, and says nothing.",
        on=PAPER,
        alter={"stream_quotes": _any_symbol},
        caught_by={"BC-QS040": "InvalidSymbolError from stream_quotes of an unknown symbol"},
    ),
)
