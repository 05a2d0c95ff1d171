"""What orders weigh: single ones, combinations, contracts, and what others have placed."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import (
    InvalidRequestError,
    Leg,
    MarketDataUnavailableError,
    MarketType,
    Order,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    Product,
    TimeInForce,
)
from bot_v2.orchestration.risk.exposure import UNWEIGHED
from bot_v2.orchestration.risk.pricing import Scales
from tests.unit.orchestration.risk.bench import order

BUY, SELL = OrderSide.BUY, OrderSide.SELL


class Products:
    """Three products at a price; one of them has none."""

    def __init__(self) -> None:
        self.products = {
            "BTC-USD": Product(
                symbol="BTC-USD",
                market_type=MarketType.SPOT,
                quote_currency="USD",
                base_currency="BTC",
            ),
            "CL-20270319": Product(
                symbol="CL-20270319",
                market_type=MarketType.FUTURES,
                quote_currency="USD",
                multiplier=D(1000),
            ),
            "BTC-USD-PERP": Product(
                symbol="BTC-USD-PERP",
                market_type=MarketType.PERPETUAL,
                quote_currency="USD",
                multiplier=D(100),
                inverse=True,
            ),
        }
        self.prices = {"BTC-USD": D(100), "CL-20270319": D(70), "BTC-USD-PERP": D(100)}

    def get_product(self, symbol: str) -> Product:
        """A product."""
        return self.products[symbol]

    def get_price(self, symbol: str) -> D:
        """Its price."""
        if symbol not in self.prices:
            raise MarketDataUnavailableError("there is no price")
        return self.prices[symbol]


@pytest.fixture
def products() -> Products:
    """What can be traded."""
    return Products()


@pytest.fixture
def scales(products: Products) -> Scales:
    """Scales over the products; an order at the market's price may pay a tenth more."""
    broker: Any = products
    return Scales(broker, spot_as_positions=False, marks_positions=False, price_margin=D("0.1"))


def combination(**changes: Any) -> OrderRequest:
    """One barrel bought for two contracts sold."""
    legs = (Leg(symbol="CL-20270319", side=BUY), Leg(symbol="BTC-USD-PERP", side=SELL, ratio=D(2)))
    terms = {"symbol": "CL-20270319", "side": BUY, "quantity": D(3), "legs": legs, **changes}
    return OrderRequest(**terms)


def live(**changes: Any) -> Order:
    """An order that somebody has placed: half of it is filled."""
    terms: dict[str, Any] = {
        "order_id": "o-1",
        "symbol": "BTC-USD",
        "side": BUY,
        "type": OrderType.LIMIT,
        "status": OrderStatus.PARTIALLY_FILLED,
        "quantity": D(10),
        "filled_quantity": D(5),
        "price": D(90),
        "time_in_force": TimeInForce.GTC,
        "account_id": "A-1",
        **changes,
    }
    return Order(**terms)


def test_a_combination_weighs_what_its_legs_do(scales: Scales) -> None:
    """Each leg is a part, on its own side, at the market's price; futures take no cash."""
    bought = scales.weigh(combination())
    assert [(p.symbol, p.side, p.quantity, p.value) for p in bought.parts] == [
        ("CL-20270319", BUY, D(3), D(231_000)),
        ("BTC-USD-PERP", SELL, D(6), D(600)),
    ]
    assert [part.cost for part in bought.parts] == [0, 0]
    sold = scales.weigh_without_price(combination(side=SELL))
    assert [(p.side, p.quantity, p.value) for p in sold] == [(SELL, D(3), None), (BUY, D(6), None)]
    assert scales.symbols(combination()) == ["CL-20270319", "BTC-USD-PERP"]
    with pytest.raises(InvalidRequestError, match="quantity"):
        scales.weigh(combination(quantity=None, notional=D(5)))


def test_an_order_weighs_what_it_can_cost(scales: Scales) -> None:
    """A limit bounds a buy; a sale, a stop and the market's price can be dearer."""
    assert scales.weigh(order("2", price=D(90))).parts[0].value == D(180)
    assert scales.weigh(order("2", SELL, price=D(90))).parts[0].value == D(220)
    stop = order("2", type=OrderType.STOP, price=None, stop_price=D(150))
    assert scales.weigh(stop).parts[0].value == D(330)
    assert scales.weigh(order("2")).parts[0].exposure == "asset:BTC"
    by_value = scales.weigh(order("", type=OrderType.MARKET, price=None, notional=D(100))).parts[0]
    assert by_value.value == D(100)
    assert D("1.1") < by_value.quantity < D("1.101"), "the price may be lower, too"
    with pytest.raises(InvalidRequestError, match="notional"):
        scales.weigh_without_price(order("", notional=D(5)))
    assert scales.weigh_without_price(order("2", price=D(90)))[0].value == D(180)


def test_what_others_have_placed_weighs_what_is_left_of_it(scales: Scales) -> None:
    """At its own price, else the market's; which way is both ways where nobody says."""
    (part,) = scales.weigh_order(live())
    assert (part.side, part.quantity, part.value) == (BUY, D(5), D(450))
    (part,) = scales.weigh_order(live(price=None, type=OrderType.MARKET))
    assert part.value == D(500)
    by_value = live(quantity=None, notional=D(900))
    (part,) = scales.weigh_order(by_value)
    assert (part.quantity, part.value) == (D(10), D(900))
    assert [part.side for part in scales.weigh_order(live(side=None))] == [BUY, SELL]
    legs = combination().legs
    parts = scales.weigh_order(live(symbol="CL-20270319", legs=legs, side=None))
    assert [(p.side, p.quantity) for p in parts] == [(BUY, D(5)), (SELL, D(10))]


def test_what_cannot_be_weighed_says_so(scales: Scales, products: Products) -> None:
    """Without a price the quantity still counts; without either nobody can say."""
    products.prices.clear()
    market = live(price=None, type=OrderType.MARKET)
    (part,) = scales.weigh_order(market)
    assert (part.exposure, part.quantity, part.value) == ("asset:BTC", D(5), None)
    (part,) = scales.weigh_order(attrs.evolve(market, quantity=None, notional=D(5)))
    assert part.exposure == UNWEIGHED
    products.prices["BTC-USD"] = D(100)
    (part,) = scales.weigh_order(attrs.evolve(market, quantity=None))
    assert part.exposure == UNWEIGHED
