"""A made-up market: a random walk that says so, the same for the same seed on every machine.

Each step draws from a hash of the seed, the number of the step and the symbol, in integers; so a
walk needs no memory but its last prices, and goes on after a restart as if it had never stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.increments import (
    price_increment_at,
    quantize_price,
    quantize_quantity,
)
from bot_v2.features.brokerages.core.market_data import Quote, Trade
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.products import Product
from bot_v2.shared.types import Clock, Symbol
from bot_v2.simulation.clock import require_utc
from bot_v2.simulation.market import MarketEvent

CATCH_UP_STEPS_MAX: Final = 1000
"""How many steps of a time when nobody asked are walked; the walk leaps over older ones."""

_ZERO: Final = Decimal(0)
_BPS: Final = Decimal(10_000)
_HALF_A_BPS: Final = Decimal("0.00005")
# The sum of twelve draws of 16 bits is close to normal, with a deviation of 2**16.
_DRAWS: Final = 12
_DRAW_RANGE: Final = 65_536
_DEVIATION_TWICE: Final = Decimal(2 * _DRAW_RANGE)
# Prices are kept finer than they are quoted: rounded at each step, a slow walk would stand still.
_HIDDEN_PLACES: Final = 6
_SIZE_PLACES: Final = 8
_SMALLEST_SIZE: Final = Decimal("0.00000001")
# The lowest price, in price increments: below it a quote could have no bid.
_FLOOR: Final = Decimal(10)


@attrs.frozen(kw_only=True)
class WalkState:
    """Where a walk stands. A walk that is given it goes on as if it had never stopped."""

    seed: int
    """What the walk is drawn from."""
    steps: int
    """How many whole steps have been handed over."""
    moment: datetime
    """When the next step is due, in UTC."""
    prices: tuple[tuple[Symbol, Decimal], ...]
    """The prices that the quotes are around, by symbol; finer than the products' increments."""


class SyntheticWalk:
    """A geometric random walk of some products. No real market; no end.

    At each step every product has one quote, of prices on its grid and of some size, and one
    trade at the bid or the ask. Unlike a file, a walk does not start anew: `events` goes on where
    the walk stands, and another walk of the same seed starts anew.
    """

    is_synthetic: Final = True

    def __init__(
        self,
        products: Iterable[Product],
        *,
        seed: int,
        start: datetime,
        prices: Mapping[Symbol, Decimal],
        step_s: float = 1.0,
        volatility_bps: Decimal = Decimal(1),
        spread_bps: Decimal = Decimal(2),
        depth: Decimal = Decimal(50_000),
        state: WalkState | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Describe the market; nothing moves before `events`.

        Args:
            products: what is traded; each states a price increment.
            seed: what the walk is drawn from.
            start: when the first step is due, in UTC.
            prices: where each product starts, in its quote currency, by symbol.
            step_s: seconds from one step to the next.
            volatility_bps: standard deviation of a step, in hundredths of a percent of the price.
            spread_bps: ask less bid, in hundredths of a percent, before rounding to the grid.
            depth: what is offered on either side on average, in quote currency.
            state: where an earlier walk of this seed and these products stopped; `start` and
                `prices` are then not used. None: the walk begins.
            clock: tells how far to catch up: of the steps that are due, only the latest
                CATCH_UP_STEPS_MAX are walked. None: all are.

        Raises:
            InvalidFieldError: an argument will not do.
        """
        self.products = tuple(products)
        self.description = f"synthetic, seed {seed}: no real market"
        self._step = _step(step_s)
        self._volatility_bps = _at_least(_ZERO, "volatility_bps", volatility_bps)
        self._spread_bps = _above_zero("spread_bps", spread_bps)
        if spread_bps >= _BPS:
            raise InvalidFieldError("spread_bps", spread_bps, f"less than {_BPS}")
        self._depth = _above_zero("depth", depth)
        self._clock = clock
        self._state = _begin(self.products, seed, start, prices) if state is None else state
        known = [symbol for symbol, _ in self._state.prices]
        if state is not None and (state.seed, known) != (seed, self._symbols()):
            raise InvalidFieldError(
                "state", state, f"a state of seed {seed} and of {', '.join(self._symbols())}"
            )
        self._places = {product.symbol: _places(product) for product in self.products}

    def __repr__(self) -> str:
        return f"SyntheticWalk({self.description!r}, {', '.join(self._symbols())})"

    @property
    def state(self) -> WalkState:
        """Where the walk stands: after the last step of which every event was handed over."""
        return self._state

    def events(self) -> Iterator[MarketEvent]:
        """Yield the quotes and trades of step after step, from where the walk stands; no end."""
        while True:
            moment = self._leap(self._state.moment)
            before = dict(self._state.prices)
            after: list[tuple[Symbol, Decimal]] = []
            for product in self.products:
                draws = _draw(self._state.seed, self._state.steps, product.symbol)
                price = self._move(product, before[product.symbol], draws)
                after.append((product.symbol, price))
                quote = self._quote(product, price, moment, draws)
                yield quote
                yield self._trade(product, quote, draws)
            self._state = WalkState(
                seed=self._state.seed,
                steps=self._state.steps + 1,
                moment=moment + self._step,
                prices=tuple(after),
            )

    def _symbols(self) -> list[Symbol]:
        return [product.symbol for product in self.products]

    def _leap(self, moment: datetime) -> datetime:
        if self._clock is None:
            return moment
        steps_due = (self._clock() - moment) // self._step
        return moment + self._step * max(0, steps_due - CATCH_UP_STEPS_MAX)

    def _move(self, product: Product, price: Decimal, draws: list[int]) -> Decimal:
        shock = 2 * sum(draws[:_DRAWS]) - _DRAWS * (_DRAW_RANGE - 1)
        change = divide(
            EXACT.multiply(EXACT.multiply(price, self._volatility_bps), Decimal(shock)),
            EXACT.multiply(_DEVIATION_TWICE, _BPS),
            self._places[product.symbol],
            Rounding.HALF_EVEN,
        )
        lowest = EXACT.multiply(_increment(product, price), _FLOOR)
        return max(EXACT.add(price, change), lowest)

    def _quote(self, product: Product, price: Decimal, moment: datetime, draws: list[int]) -> Quote:
        half = EXACT.multiply(EXACT.multiply(price, self._spread_bps), _HALF_A_BPS)
        return Quote(
            symbol=product.symbol,
            timestamp=moment,
            bid=quantize_price(product, EXACT.subtract(price, half), Rounding.FLOOR),
            ask=quantize_price(product, EXACT.add(price, half), Rounding.CEILING),
            bid_size=self._size(product, price, draws[_DRAWS]),
            ask_size=self._size(product, price, draws[_DRAWS + 1]),
        )

    def _size(self, product: Product, price: Decimal, draw: int) -> Decimal:
        """Return a size worth between a half and one and a half of the depth."""
        value = EXACT.multiply(self._depth, Decimal(_DRAW_RANGE // 2 + draw))
        unit = EXACT.multiply(EXACT.multiply(price, product.multiplier), Decimal(_DRAW_RANGE))
        return _tradeable(product, divide(value, unit, _SIZE_PLACES, Rounding.DOWN))

    def _trade(self, product: Product, quote: Quote, draws: list[int]) -> Trade:
        side = OrderSide.BUY if draws[_DRAWS + 2] % 2 else OrderSide.SELL
        price, size = (
            (quote.ask, quote.ask_size) if side is OrderSide.BUY else (quote.bid, quote.bid_size)
        )
        if price is None or size is None:
            raise InvalidFieldError("quote", quote, "one with both sides")
        part = EXACT.multiply(size, Decimal(draws[_DRAWS + 3]))
        return Trade(
            symbol=product.symbol,
            timestamp=quote.timestamp,
            price=price,
            size=_tradeable(
                product, divide(part, Decimal(_DRAW_RANGE), _SIZE_PLACES, Rounding.DOWN)
            ),
            side=side,
        )


def _begin(
    products: tuple[Product, ...], seed: int, start: datetime, prices: Mapping[Symbol, Decimal]
) -> WalkState:
    if not products:
        raise InvalidFieldError("products", products, "at least one product")
    begun = []
    for product in products:
        price = _above_zero(f"prices[{product.symbol!r}]", prices.get(product.symbol))
        lowest = EXACT.multiply(_increment(product, price), _FLOOR)
        begun.append((product.symbol, _at_least(lowest, f"prices[{product.symbol!r}]", price)))
    return WalkState(seed=seed, steps=0, moment=require_utc("start", start), prices=tuple(begun))


def _step(step_s: float) -> timedelta:
    step = timedelta(seconds=step_s)
    if step <= timedelta(0):
        raise InvalidFieldError("step_s", step_s, "at least a microsecond")
    return step


def _above_zero(field: str, value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite() and value > 0:
        return value
    raise InvalidFieldError(field, value, "a finite Decimal above zero")


def _at_least(least: Decimal, field: str, value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite() and value >= least:
        return value
    raise InvalidFieldError(field, value, f"a finite Decimal of at least {least}")


def _increment(product: Product, price: Decimal) -> Decimal:
    increment = price_increment_at(product, price)
    if increment is None:
        raise InvalidFieldError(
            "Product.price_increment", None, f"the step between prices of {product.symbol}"
        )
    return increment


def _places(product: Product) -> int:
    increments = [band.price_increment for band in product.price_bands]
    if product.price_increment is not None:
        increments.append(product.price_increment)
    exponents = [int(increment.as_tuple().exponent) for increment in increments]
    return max(0, -min(exponents)) + _HIDDEN_PLACES


def _tradeable(product: Product, size: Decimal) -> Decimal:
    """Return the size on the product's grid, at least the smallest there is."""
    smallest = product.size_increment or _SMALLEST_SIZE
    return max(quantize_quantity(product, size, Rounding.DOWN), smallest)


def _draw(seed: int, step: int, symbol: Symbol) -> list[int]:
    """Return sixteen draws of 16 bits."""
    digest = hashlib.blake2b(f"{seed}/{step}/{symbol}".encode(), digest_size=32).digest()
    return [int.from_bytes(digest[at : at + 2], "big") for at in range(0, 32, 2)]
