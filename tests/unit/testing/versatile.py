"""A brokerage that can do what the paper brokerage cannot, so that every card meets a good one.

It keeps the contract; `test_versatile.py` breaks it, a sentence at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.account_summary import AccountRef
from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import (
    AmbiguousPositionError,
    AuthenticationError,
    InvalidFieldError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.events import OrderEvent, QuoteEvent, StreamGap
from bot_v2.features.brokerages.core.increments import check_order_request
from bot_v2.features.brokerages.core.market_data import Candle, Trade
from bot_v2.features.brokerages.core.option_chains import OptionContract
from bot_v2.features.brokerages.core.order_changes import OrderPreview
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import Leg
from bot_v2.features.brokerages.core.orderbook import Orderbook
from bot_v2.features.brokerages.core.orders import Order, OrderResult
from bot_v2.features.brokerages.core.products import MarketType, OptionRight, Product
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import PaperSettings

NOW = datetime(2026, 1, 2, 12, 0, 30, tzinfo=UTC)
SECRET = "made-up-secret-4711"
PAPER_CAPABILITIES = PaperBrokerage.capabilities


def option(expiry: date, strike: int, right: OptionRight) -> OptionContract:
    """An option on the traded product."""
    letter = "C" if right is OptionRight.CALL else "P"
    return OptionContract(
        product=Product(
            symbol=f"BTC-{expiry:%Y%m%d}-{strike}-{letter}",
            market_type=MarketType.OPTION,
            quote_currency="USD",
            expiry=expiry,
            strike=Decimal(strike),
            right=right,
            underlying="BTC-USD",
        )
    )


CHAIN = tuple(
    option(expiry, strike, right)
    for expiry in (date(2027, 1, 15), date(2027, 3, 19))
    for strike in (50_000, 60_000)
    for right in OptionRight
)


class VersatileBrokerage(PaperBrokerage):
    """A paper account with previews, trades, option chains, search, accounts and a login."""

    capabilities = PAPER_CAPABILITIES | {  # type: ignore[misc]  # more than paper declares
        Capability.ORDER_PREVIEW,
        Capability.TRADES,
        Capability.OPTION_CHAINS,
        Capability.SYMBOL_SEARCH,
        Capability.HOLDINGS,
        Capability.ACCOUNTS,
        Capability.LOGIN,
        Capability.MULTI_LEG,
    }
    unsupported = frozenset()  # type: ignore[misc]  # less than paper declares
    account = "paper"

    def __init__(self) -> None:
        """Open an account of its own, in memory."""
        super().__init__(PaperSettings(account_id=self.account))
        self._legs: dict[str, tuple[Leg, ...]] = {}
        self._password = Secret(SECRET)

    def __repr__(self) -> str:
        """Show no password."""
        return "VersatileBrokerage()"

    def get_product(self, symbol: str) -> Product:
        """Return a product with every limit that there is."""
        found = super().get_product(symbol)
        return attrs.evolve(found, max_order_size=Decimal(10**9), min_notional=Decimal(5))

    def get_products(self) -> list[Product]:
        """Return them all."""
        return [self.get_product(product.symbol) for product in super().get_products()]

    def get_orderbook(self, symbol: str, level: int = 1) -> Orderbook:
        """Return single orders, too: there is one at each price."""
        return super().get_orderbook(symbol, 2 if level == 3 else level)

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Check the limits, and keep the legs."""
        check_order_request(self.get_product(order_request.symbol), order_request)
        result = super().place_order(attrs.evolve(order_request, legs=()))
        if result.order_id is not None:
            self._legs[result.order_id] = order_request.legs
        return result

    def get_order(self, order_id: str) -> Order:
        """Return the order with its legs."""
        order = super().get_order(order_id)
        return attrs.evolve(order, legs=self._legs.get(order_id, ()))

    def preview_order(self, order_request: OrderRequest) -> OrderPreview:
        """Show the order."""
        product = self.get_product(order_request.symbol)
        check_order_request(product, order_request)
        return OrderPreview(
            order_request=order_request,
            native_request=f"{order_request.side} {order_request.quantity} {product.symbol}",
        )

    def list_trades(self, symbol: str, limit: int = 100) -> list[Trade]:
        """Return what this account traded: it is the whole market."""
        name = self.get_product(symbol).symbol
        trades = [
            Trade(symbol=name, price=fill.price, size=fill.quantity, timestamp=fill.timestamp)
            for fill in self.list_fills()
            if fill.symbol == name
        ]
        return trades[::-1][:limit]

    def list_candles(
        self, symbol: str, interval: timedelta, start: datetime, end: datetime
    ) -> list[Candle]:
        """Return ten candles up to NOW; the last still forms."""
        name = self.get_product(symbol).symbol
        if start.tzinfo is None or end.tzinfo is None:
            raise InvalidFieldError("start", start, "an aware datetime")
        first = NOW.replace(second=0) - 9 * interval
        opens = [first + step * interval for step in range(10)]
        price = Decimal(100)
        return [
            Candle(
                symbol=name,
                open_time=moment,
                interval=interval,
                open=price,
                high=price,
                low=price,
                close=price,
                complete=moment + interval <= NOW,
            )
            for moment in opens
            if start <= moment < end
        ]

    def list_option_contracts(
        self, underlying: str, expiry: date | None = None
    ) -> list[OptionContract]:
        """Return the chain."""
        return [one for one in CHAIN if expiry in (None, one.product.expiry)]

    def list_symbol_matches(self, text: str) -> list[Product]:
        """Return what holds the text."""
        return [one for one in self.get_products() if text.lower() in one.symbol.lower()]

    def list_holdings(self) -> list[Position]:
        """Return the positions: all are settled."""
        return PaperBrokerage.list_positions(self)

    def list_accounts(self) -> list[AccountRef]:
        """Return two accounts."""
        return [AccountRef(account_id="paper"), AccountRef(account_id="other")]

    def for_account(self, account_id: str) -> PaperBrokerage:
        """Return a brokerage of one of them."""
        if account_id == self.account:
            return self
        if account_id != "other":
            raise InvalidRequestError(f"there is no account {account_id}")
        return OtherBrokerage()

    def login_url(self) -> str:
        """Return a page."""
        return "https://login.example/start"

    def complete_login(self, fields: Mapping[str, str]) -> None:
        """Refuse whatever is given."""
        raise AuthenticationError(f"the broker refuses {', '.join(sorted(fields))}")


class OtherBrokerage(VersatileBrokerage):
    """The login's other account."""

    account = "other"


class BucketBrokerage(PaperBrokerage):
    """Keeps each position in two buckets."""

    capabilities = PAPER_CAPABILITIES | {  # type: ignore[misc]  # more than paper declares
        Capability.POSITION_BUCKETS
    }

    def list_positions(self) -> list[Position]:
        """Return one position in two buckets."""
        return [
            Position(
                symbol="BTC-USD",
                quantity=Decimal(1),
                side=PositionSide.LONG,
                account_id="paper",
                bucket=bucket,
            )
            for bucket in ("day", "delivery")
        ]

    def get_position(self, symbol: str) -> Position | None:
        """Refuse to choose."""
        raise AmbiguousPositionError("which one?", symbol=symbol, buckets=("day", "delivery"))


class WatchfulBrokerage(PaperBrokerage):
    """Reports that its streams fell silent, at once."""

    @contextmanager
    def stream_quotes(self, symbols: Sequence[str]) -> Iterator[Iterator[QuoteEvent | StreamGap]]:
        """Yield a gap."""
        yield iter([StreamGap(timestamp=NOW, reason="silence")])

    @contextmanager
    def stream_orders(self) -> Iterator[Iterator[OrderEvent | StreamGap]]:
        """Yield a gap."""
        yield iter([StreamGap(timestamp=NOW, reason="silence")])


class PlainBrokerage(PaperBrokerage):
    """Declares nothing, and refuses every feature that it does not declare."""

    capabilities = frozenset()  # type: ignore[misc]  # less than paper declares

    def place_order(self, order_request: OrderRequest) -> OrderResult:
        """Refuse what is not declared, before anything is sent."""
        asked = {
            "exits": order_request.take_profit or order_request.stop_loss,
            "a trail": order_request.trail_amount or order_request.trail_percent,
            "legs": order_request.legs,
            "extended hours": order_request.extended_hours,
            "a sum": order_request.notional,
        }
        for feature, given in asked.items():
            if given:
                raise UnsupportedOperationError(f"no orders with {feature}")
        return super().place_order(order_request)


class BalanceBrokerage(PaperBrokerage):
    """Keeps spot assets as balances alone."""

    spot_as_positions = False  # type: ignore[misc]  # otherwise than paper

    def list_positions(self) -> list[Position]:
        """Return none."""
        return []

    def get_position(self, symbol: str) -> Position | None:
        """Say where it is."""
        self.get_product(symbol)
        raise UnsupportedOperationError("a spot asset is a balance: use get_balance")

    def close_position(self, symbol: str) -> OrderResult:
        """Say where it is."""
        self.get_position(symbol)
        raise AssertionError("get_position has raised")
