"""The settings of the desk as objects: which brokers there are, and what each may risk."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

import attrs

from bot_v2.features.brokerages.core.secret import Secret

SettingValue: TypeAlias = str | int | bool | Decimal | Secret
"""What a brokerage's own setting may be. What is called like a secret is one."""


@attrs.frozen(kw_only=True)
class RiskSettings:
    """What may be risked; None: not limited here. Fractions are of equity: 0.02 is two percent."""

    max_position_size: Decimal | None = None
    """How much one position may be worth at most, as a fraction of equity."""
    max_order_value: Decimal | None = None
    """How much one order may be worth at most, as a fraction of equity."""
    max_daily_loss: Decimal | None = None
    """How much may be lost in a day before only exits are let through, as a fraction of equity."""
    min_cash_balance: Decimal | None = None
    """How much stays in cash at least, as a fraction of equity."""
    stop_loss_pct: Decimal | None = None
    """How far from the entry the stop of an order is put, as a fraction of the entry's price."""
    max_orders_per_minute: int | None = None
    """How many orders may be placed in a minute."""
    allowed_symbols: tuple[str, ...] | None = None
    """The symbols that may be traded; what is held may always be closed."""


@attrs.frozen(kw_only=True)
class BrokerEntry:
    """One broker of the desk; a setting that is not named here is one of the brokerage's own."""

    type: str
    """Which brokerage it is; `bot-v2 list-types` shows which there are."""
    paper_trading: bool = True
    """False: real money."""
    credentials: str | None = ""
    """The set of credentials, by its name; absent, that of the broker's own name where there is
    one. None: it needs none."""
    weight: Decimal = Decimal(1)
    """Its part in orders over several brokers, beside the weights of the others; above zero."""
    risk: RiskSettings = attrs.field(factory=RiskSettings)
    """What may be risked at this broker."""
    settings: Mapping[str, SettingValue] = attrs.field(factory=dict)
    """The brokerage's own settings, by their names."""


@attrs.frozen(kw_only=True)
class RouteSettings:
    """Where orders go that name no broker: to this one, where all that is said here fits."""

    broker: str
    """The broker, by its name here."""
    symbols: tuple[str, ...] | None = None
    """Symbols, or patterns such as BTC-*. None: every symbol."""
    market_types: tuple[str, ...] | None = None
    """The kinds of product: spot, equity, option and so on. None: every kind."""
    capabilities: tuple[str, ...] | None = None
    """What an order asks for, such as bracket or notional_orders. None: nothing."""


@attrs.frozen(kw_only=True)
class DeskSettings:
    """What `brokers.json` says."""

    default_broker: str | None = None
    """The broker that is meant where none is named. None: the only one, where there is one."""
    brokers: Mapping[str, BrokerEntry] = attrs.field(factory=dict)
    """The brokers, by the names that they are called by here."""
    risk: RiskSettings = attrs.field(factory=RiskSettings)
    """What may be risked over all of them together."""
    routing: tuple[RouteSettings, ...] = ()
    """Where orders go that name no broker; the first that fits counts, else the default broker."""
    credential_stores: tuple[str, ...] | None = None
    """Where credentials are looked for, in this order: environment, keyring, file. None: so."""
