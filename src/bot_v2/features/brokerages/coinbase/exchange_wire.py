"""What the Exchange API sends: the fields that are needed, as text where it prints text."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from bot_v2.features.brokerages.coinbase.decoding import Wire


class Account(Wire):
    """What a profile holds of one currency."""

    currency: str
    balance: str
    available: str
    hold: str
    profile_id: str


class Product(Wire):
    """A product."""

    id: str
    base_currency: str
    quote_currency: str
    quote_increment: str
    base_increment: str
    min_market_funds: str = ""
    base_min_size: str = ""
    base_max_size: str = ""
    display_name: str = ""
    status: str = ""
    trading_disabled: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False


class Ticker(Wire):
    """The latest trade and the best prices."""

    price: str = ""
    bid: str = ""
    ask: str = ""
    time: str | None = None


NativeLevel: TypeAlias = tuple[str, str, int | str]
"""Price, size, and how many orders or, at level 3, which order."""


class Book(Wire):
    """Bids and asks."""

    bids: list[NativeLevel]
    asks: list[NativeLevel]
    sequence: int | None = None
    time: str | None = None


class Trade(Wire):
    """A trade of the market; `side` is the maker's."""

    trade_id: int | str
    side: str
    size: str
    price: str
    time: str


NativeCandle: TypeAlias = tuple[int, Decimal, Decimal, Decimal, Decimal, Decimal]
"""Time in seconds, low, high, open, close and volume, printed as JSON numbers."""


class Fees(Wire):
    """What trading costs now."""

    maker_fee_rate: str
    taker_fee_rate: str


class Order(Wire):
    """An order."""

    id: str
    product_id: str
    side: str
    type: str
    status: str
    created_at: str | None = None
    size: str = ""
    price: str = ""
    funds: str = ""
    specified_funds: str = ""
    time_in_force: str = ""
    expire_time: str | None = None
    done_at: str | None = None
    done_reason: str = ""
    reject_reason: str = ""
    fill_fees: str = ""
    filled_size: str = ""
    executed_value: str = ""
    stop: str = ""
    stop_price: str = ""
    client_oid: str = ""


class Fill(Wire):
    """An execution."""

    trade_id: int | str
    product_id: str
    order_id: str
    price: str
    size: str
    side: str
    created_at: str
    fee: str = ""
    liquidity: str = ""
