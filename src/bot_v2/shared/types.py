"""Type aliases used by every layer. Aliases only: nothing here has behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

Symbol: TypeAlias = str
"""A canonical symbol (`BTC-USD`), or `@native` for what the grammar cannot name uniquely."""

Asset: TypeAlias = str
"""The code of a currency or coin, as the account holds it: `USD`, `BTC`."""

OrderId: TypeAlias = str
"""The broker's id of an order: opaque, unique in the account for ever."""

ClientOrderId: TypeAlias = str
"""The caller's id of an order, made before the order is sent."""

AccountId: TypeAlias = str
"""The broker's id of an account, stable across sessions."""

Clock: TypeAlias = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime. Injected, so that tests own time."""

IdSource: TypeAlias = Callable[[], str]
"""Returns a new client order id at each call. Injected, so that recorded requests replay."""

MetadataValue: TypeAlias = str | int | bool | Decimal | datetime | None
"""What a native extra may be: immutable and exact, so never a float, a list or a dict."""

Metadata: TypeAlias = Mapping[str, MetadataValue]
"""The few native extras that an adapter documents."""
