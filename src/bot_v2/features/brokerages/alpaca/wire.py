"""What the trading API sends of the account and its instruments: the fields that are needed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from bot_v2.features.brokerages.alpaca.decoding import Moment, Wire


class ApiError(Wire):
    """Why a request was refused."""

    message: str = ""
    code: int | None = None


class Funds(Wire):
    """What a refusal tells of what was needed, and of what there was."""

    available: Decimal | None = None
    required_qty: Decimal | None = None
    buying_power: Decimal | None = None
    options_buying_power: Decimal | None = None
    cost_basis: Decimal | None = None


class Account(Wire):
    """The account."""

    id: str
    status: str = ""
    currency: str = "USD"
    account_number: str = ""
    cash: Decimal | None = None
    equity: Decimal | None = None
    buying_power: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    multiplier: Decimal | None = None
    account_blocked: bool = False
    trading_blocked: bool = False
    transfers_blocked: bool = False
    trade_suspended_by_user: bool = False
    pattern_day_trader: bool = False
    shorting_enabled: bool = True


class Asset(Wire):
    """A stock or a crypto pair."""

    id: str
    symbol: str
    status: str = "active"
    tradable: bool = False
    asset_class: str = msgspec.field(default="", name="class")
    exchange: str = ""
    name: str | None = None
    marginable: bool = False
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool = False
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None
    maintenance_margin_requirement: Decimal | None = None


class Contract(Wire):
    """An option contract."""

    id: str
    symbol: str
    expiration_date: date
    strike_price: Decimal
    type: str
    underlying_symbol: str
    status: str = "active"
    tradable: bool = False
    name: str | None = None
    root_symbol: str | None = None
    style: str | None = None
    size: Decimal = Decimal(100)
    multiplier: Decimal | None = None
    ppind: bool | None = None
    open_interest: Decimal | None = None
    close_price: Decimal | None = None


class ContractsPage(Wire):
    """A page of option contracts."""

    option_contracts: list[Contract] | None = None
    next_page_token: str | None = None


class Position(Wire):
    """A position."""

    symbol: str
    qty: Decimal
    asset_id: str = ""
    asset_class: str = ""
    side: str = ""
    avg_entry_price: Decimal | None = None
    current_price: Decimal | None = None
    market_value: Decimal | None = None
    unrealized_pl: Decimal | None = None
    qty_available: Decimal | None = None


class MarketClock(Wire):
    """The hours of the stock market."""

    timestamp: Moment
    is_open: bool
    next_open: Moment
    next_close: Moment
