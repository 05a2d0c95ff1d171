"""Broken declarations: what a brokerage says of itself, and what it does not say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import Rounding
from bot_v2.features.brokerages.core.errors import UnsupportedOperationError
from bot_v2.features.brokerages.core.idempotency import DuplicateBehaviour
from bot_v2.features.brokerages.core.increments import quantize_price, quantize_quantity
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.paper.adapter import CAPABILITIES, IDEMPOTENCY, PaperBrokerage
from tests.contract.broken.alterations import raised
from tests.contract.broken.entry import Broken
from tests.contract.broken.healthy import PAPER, PLAIN, RICH, SHARES


def _untyped_book(self: Any, symbol, level):  # type: ignore[no-untyped-def]  # the fault  # noqa: ANN001, ANN202
    return PaperBrokerage.get_orderbook(self, symbol, level)


async def _price_later(self: Any, symbol: str) -> Decimal:
    return PaperBrokerage.get_price(self, symbol)


def _trades_to_come(self: Any, symbol: str, limit: int = 100) -> Any:
    """Be the fault on purpose: a declared method that is a stub, which BC-TR020 has to catch."""
    raise NotImplementedError


def _half_the_price(broker: Any, symbol: str) -> Decimal:
    half = broker.get_orderbook(symbol).bids[0].price * Decimal("0.5")
    return quantize_price(broker.get_product(symbol), half, Rounding.DOWN)


def _drops_features(broker: Any, _: Any, request: OrderRequest) -> Any:
    """Place what the broker has a word for, and leave out the rest."""
    changes: dict[str, Any] = {
        "take_profit": None,
        "stop_loss": None,
        "extended_hours": False,
        "legs": (),
    }
    if request.type is OrderType.TRAILING_STOP:
        # A purchase, because there is nothing to sell: that it is placed is the fault.
        price = _half_the_price(broker, request.symbol)
        changes |= {
            "type": OrderType.LIMIT,
            "side": OrderSide.BUY,
            "price": price,
            "trail_percent": None,
        }
    if request.notional is not None:
        price = broker.get_orderbook(request.symbol).asks[0].price
        whole = quantize_quantity(
            broker.get_product(request.symbol), request.notional / price, Rounding.DOWN
        )
        changes |= {"notional": None, "quantity": whole}
    return PaperBrokerage.place_order(broker, attrs.evolve(request, **changes))


def _rounds_quantity(broker: Any, real: Any, request: OrderRequest) -> Any:
    product = broker.get_product(request.symbol)
    whole = quantize_quantity(product, request.quantity or Decimal(0), Rounding.DOWN)
    return real(attrs.evolve(request, quantity=whole))


def _name_of_state(broker: Any) -> str:
    return f"paper with {len(broker.list_orders())} orders" if broker.is_connected() else "paper"


BROKEN: Final = (
    Broken(
        name="a method is missing",
        fault="There is no close_position().",
        on=PAPER,
        declare={"close_position": None},
        caught_by={"BC-D010": "all 18 methods"},
    ),
    Broken(
        name="another signature",
        fault="get_orderbook() has no annotations, and no default for its level.",
        on=PAPER,
        declare={"get_orderbook": _untyped_book},
        caught_by={"BC-D020": "the signature of get_orderbook to be"},
    ),
    Broken(
        name="a coroutine",
        fault="get_price() is a coroutine function.",
        on=PAPER,
        declare={"get_price": _price_later},
        caught_by={"BC-D030": "get_price to be a plain method"},
    ),
    Broken(
        name="a set of capabilities",
        fault="`capabilities` is a set that anybody can change.",
        on=PAPER,
        declare={"capabilities": set(CAPABILITIES)},
        caught_by={"BC-D040": "a frozenset (nobody can change it); saw {"},
    ),
    Broken(
        name="declared and absent",
        fault="It declares `trades`, and has no list_trades().",
        on=PAPER,
        declare={"capabilities": CAPABILITIES | {Capability.TRADES}},
        caught_by={"BC-D050": "a method list_trades"},
    ),
    Broken(
        name="a stub",
        fault="It declares `trades`, and list_trades() raises NotImplementedError.",
        on=RICH,
        declare={"list_trades": _trades_to_come},
        caught_by={"BC-TR020": "InvalidSymbolError from list_trades of an unknown symbol"},
    ),
    Broken(
        name="present and undeclared",
        fault="It has get_quote(), and does not declare `quotes`.",
        on=PAPER,
        declare={"capabilities": CAPABILITIES - {Capability.QUOTES}},
        caught_by={"BC-D060": "quotes to be declared, or not there"},
    ),
    Broken(
        name="unsupported nonsense",
        fault="`unsupported` names a method that is none of the 18.",
        on=PAPER,
        declare={"unsupported": frozenset({"get_orders"})},
        caught_by={"BC-D070": "a method of the 18 in `unsupported`"},
    ),
    Broken(
        name="unsupported that works",
        fault="`unsupported` lists get_orderbook() at level 2, which works.",
        on=PAPER,
        declare={"unsupported": frozenset({"get_orderbook:level>=2"})},
        caught_by={"BC-D080": "UnsupportedOperationError from get_orderbook:level>=2"},
    ),
    Broken(
        name="unsupported and not listed",
        fault="list_positions() raises UnsupportedOperationError, and is not in `unsupported`.",
        on=PAPER,
        alter={"list_positions": raised(lambda: UnsupportedOperationError("not here"))},
        caught_by={"BC-D090": "list_positions to be supported"},
    ),
    Broken(
        name="a flag that is text",
        fault="`balance_identity` is the text 'no', which counts as true.",
        on=PAPER,
        declare={"balance_identity": "no"},
        caught_by={"BC-D100": "True or False in balance_identity"},
    ),
    Broken(
        name="an incoherent profile",
        fault="Its ids protect for ever, and a duplicate is accepted.",
        on=PAPER,
        declare={"idempotency": attrs.evolve(IDEMPOTENCY, on_duplicate=DuplicateBehaviour.ACCEPTS)},
        caught_by={
            "BC-D110": "a duplicate to be accepted if and only if nothing protects",
            "BC-K060": "a second order, as declared",
            "BC-K080": "the number of orders at the venue to be 3",
        },
    ),
    Broken(
        name="a name that changes",
        fault="`name` tells how many orders there are.",
        on=PAPER,
        declare={"name": property(_name_of_state)},
        caught_by={"BC-D120": "what is declared to be"},
    ),
    Broken(
        name="features dropped",
        fault="Exits, trails, legs, extended hours and sums are left out of what is placed.",
        on=PLAIN,
        alter={"place_order": _drops_features},
        caught_by={
            "BC-N010": "InvalidRequestError from a bracket",
            "BC-N020": "InvalidRequestError from a trailing stop",
            "BC-N030": "InvalidRequestError from an order with legs",
            "BC-N040": "InvalidRequestError from an order for extended hours",
            "BC-N050": "InvalidRequestError from a notional order",
        },
        catalogue=("S16",),
    ),
    Broken(
        name="a fraction rounded",
        fault="Half a share is rounded to a whole one.",
        on=SHARES,
        alter={"place_order": _rounds_quantity},
        caught_by={
            "BC-N060": "InvalidRequestError from a fraction of a unit",
            "BC-U020": "InvalidRequestError from a quantity of 4.5 in steps of 1",
        },
        catalogue=("S17",),
    ),
)
