"""Broken values: what gets past the models' own checks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.fields import FrozenMapping
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.simulation.clock import utc_now
from tests.contract.broken.alterations import each, each_with, forged, returned
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER

KOLKATA: Final = timezone(timedelta(hours=5, minutes=30))


class _NativeOrder(Order):
    """The SDK's own class, passed through."""

    __slots__ = ()


class _ChangeableOrder(Order):
    """An order whose fields can be set."""

    __slots__ = ()
    __setattr__ = object.__setattr__


def _as_class(kind: type[Order], order: Order) -> Any:
    copy = object.__new__(kind)
    for field in attrs.fields(Order):
        object.__setattr__(copy, field.name, getattr(order, field.name))
    return copy


def _kept_list(broker: Any, real: Any, status: Any = None) -> Any:
    orders = broker.__dict__.setdefault("orders", [])
    orders[:] = orders or real(status)
    return orders


def _kept_order(broker: Any, real: Any, order_id: str) -> Any:
    """Update the one object that every caller was given."""
    order = real(order_id)
    known = broker.__dict__.setdefault("known", {})
    kept = known.setdefault(order_id, order)
    for field in attrs.fields(Order):
        object.__setattr__(kept, field.name, getattr(order, field.name))
    return kept


SHARED: Final[dict[str, Any]] = {"venue": "paper"}
PAYLOAD: Final = FrozenMapping({f"field_{number}": number for number in range(50)})


BROKEN: Final = (
    Broken(
        name="a float in an order",
        fault="The price of an order is a float, set behind the model's back.",
        on=PAPER,
        alter={"list_orders": each(lambda one: forged(one, price=float(one.price or 0)))},
        caught_by={"BC-V020": "no float at list_orders", "BC-V040": "a whole model at list_orders"},
        catalogue=("P14",),
    ),
    Broken(
        name="NaN in a balance",
        fault="What is available is NaN.",
        on=PAPER,
        alter={"list_balances": each_with(available=Decimal("NaN"))},
        caught_by={"BC-V020": "a finite Decimal at list_balances"},
        catalogue=("P14", "O14"),
    ),
    Broken(
        name="a price through float",
        fault="Prices and quantities are parsed as floats first.",
        on=PAPER,
        alter={
            "get_order": returned(lambda one: forged(one, quantity=Decimal(float(one.quantity))))
        },
        caught_by={"BC-V110": "quantity 0.5716"},
        catalogue=("P14",),
    ),
    Broken(
        name="a naive time",
        fault="Times of orders have no zone.",
        on=PAPER,
        alter={
            "list_orders": each(
                lambda one: forged(one, timestamp=one.timestamp.replace(tzinfo=None))
            )
        },
        caught_by={
            "BC-V030": "an aware UTC datetime at list_orders",
            "BC-V040": "a whole model at list_orders",
        },
        catalogue=("P15",),
    ),
    Broken(
        name="a local time",
        fault="Times of orders are in the broker's zone.",
        on=PAPER,
        alter={
            "get_order": returned(
                lambda one: forged(one, timestamp=one.timestamp.astimezone(KOLKATA))
            )
        },
        caught_by={"BC-V030": "an aware UTC datetime at get_order.timestamp"},
        catalogue=("P15",),
    ),
    Broken(
        name="a local time said to be UTC",
        fault="Times of quotes are the broker's local ones, labelled UTC.",
        on=PAPER,
        alter={
            "get_quote": returned(
                lambda one: forged(
                    one, timestamp=one.timestamp.astimezone(KOLKATA).replace(tzinfo=UTC)
                )
            )
        },
        caught_by={"BC-QU020": "no time in the future"},
        catalogue=("P15",),
    ),
    Broken(
        name="an id that is a number",
        fault="Order ids are ints.",
        on=PAPER,
        alter={"list_orders": each_with(order_id=4711)},
        caught_by={"BC-V040": "a whole model at list_orders"},
        catalogue=("P17",),
    ),
    Broken(
        name="the SDK's own class",
        fault="list_orders() returns objects of the vendor's class.",
        on=PAPER,
        alter={"list_orders": each(lambda one: _as_class(_NativeOrder, one))},
        caught_by={"BC-V010": "only Order from list_orders"},
    ),
    Broken(
        name="orders in a tuple",
        fault="list_orders() returns a tuple.",
        on=PAPER,
        alter={"list_orders": returned(tuple)},
        caught_by={"BC-V010": "a list from list_orders"},
    ),
    Broken(
        name="a list in a book",
        fault="The bids of a book are a list.",
        on=PAPER,
        alter={"get_orderbook": returned(lambda book: forged(book, bids=list(book.bids)))},
        caught_by={
            "BC-V050": "nothing that can be changed at get_orderbook.bids",
            "BC-V040": "a whole model at get_orderbook",
        },
    ),
    Broken(
        name="an order that can be changed",
        fault="A returned order is of a class of its own, whose fields can be set.",
        on=PAPER,
        alter={"get_order": returned(lambda one: _as_class(_ChangeableOrder, one))},
        caught_by={"BC-V010": "a Order from get_order"},
    ),
    Broken(
        name="a shared mutable dict",
        fault="The metadata of every order is one dict.",
        on=PAPER,
        alter={"list_orders": each_with(metadata=SHARED)},
        caught_by={
            "BC-V060": "a read-only mapping at list_orders",
            "BC-V050": "nothing that can be changed at list_orders",
        },
    ),
    Broken(
        name="the whole payload",
        fault="The metadata of an order has all fifty native fields.",
        on=PAPER,
        alter={"list_orders": each_with(metadata=PAYLOAD)},
        caught_by={"BC-V060": "a few extras at list_orders"},
    ),
    Broken(
        name="the cache itself",
        fault="list_orders() returns its own list, not a copy.",
        on=PAPER,
        alter={
            "list_orders": _kept_list,
            "get_products": lambda broker, real: broker.__dict__.setdefault("all", real()),
        },
        caught_by={"BC-V070": "get_products() as before, after its list was emptied"},
    ),
    Broken(
        name="a native symbol in a position",
        fault="Positions are called BTC/USD.",
        on=PAPER,
        alter={"list_positions": each_with(symbol="btc/usd")},
        caught_by={"BC-V080": "a canonical symbol at list_positions"},
    ),
    Broken(
        name="1970 for never",
        fault="An order that has not changed was last changed in 1970.",
        on=PAPER,
        alter={"list_orders": each_with(updated_at=datetime(1970, 1, 1, tzinfo=UTC))},
        caught_by={"BC-V090": "a moment, or None, at list_orders"},
        catalogue=("P15",),
    ),
    Broken(
        name="the text None",
        fault="A client order id that is not told is the text 'None'.",
        on=PAPER,
        alter={"list_orders": each_with(client_order_id="None")},
        caught_by={"BC-V090": "an id, or None, at list_orders"},
        catalogue=("P14",),
    ),
    Broken(
        name="an average of zero",
        fault="An order that was not filled has an average price of 0.",
        on=PAPER,
        alter={
            "list_orders": each(
                lambda one: forged(one, average_fill_price=one.average_fill_price or Decimal(0))
            )
        },
        caught_by={"BC-V090": "a price, or None, at list_orders"},
        catalogue=("P14",),
    ),
    Broken(
        name="now for the broker's time",
        fault="The time of an order is that of its reading.",
        on=PAPER,
        alter={
            "get_order": returned(
                lambda one: forged(one, timestamp=utc_now(), updated_at=utc_now())
            )
        },
        caught_by={"BC-V100": "equal orders of equal hash", "BC-R060": "the order to be"},
        catalogue=("P15",),
    ),
    Broken(
        name="a living order",
        fault="An order that was returned changes when it is read again.",
        on=PAPER,
        alter={"get_order": _kept_order},
        caught_by={"BC-V120": "the order as it was read"},
    ),
    Broken(
        name="money through the caller's context",
        fault="Balances are rounded to the precision of the caller's decimal context.",
        on=PAPER,
        alter={
            "list_balances": each(
                lambda one: forged(one, available=None if one.available is None else +one.available)
            )
        },
        caught_by={"BC-T070": "list_balances under a narrow decimal context to be"},
    ),
)
