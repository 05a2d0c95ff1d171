"""Each vendor's own SDK, which reads the same accounts and knows nothing of the adapters."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs

from bot_v2.cli.demo_brokers.stage import PATIENCE_S
from bot_v2.cli.demo_brokers.telling import plain
from bot_v2.features.brokerages.core.errors import MissingDependencyError

if TYPE_CHECKING:
    from bot_v2.cli.demo_brokers.stage import Seat

WITNESS_CLIENT_ID: Final = 77
"""Who the witness says that it is, where every connection has to be somebody else."""


@attrs.frozen(order=True)
class SeenOrder:
    """An order in words that every side has: what both must agree on."""

    client_order_id: str
    """The bot's id of it."""
    order_id: str
    """The broker's id of it."""
    side: str
    """buy or sell."""
    native_status: str
    """What the broker calls its state."""
    filled: str
    """How much was filled, without superfluous zeros."""

    def __str__(self) -> str:
        """Return it as a report shows it."""
        return (
            f"{self.client_order_id} {self.side} {self.native_status} {self.filled} "
            f"({self.order_id})"
        )


@attrs.frozen(kw_only=True)
class Witness:
    """An SDK that can be asked."""

    sdk: str
    """What it is called where it comes from."""
    client: str
    """What is used of it."""
    read: Callable[[Seat], list[SeenOrder]]
    """Returns the orders that it sees."""


def seen_by_adapter(seat: Seat) -> list[SeenOrder]:
    """Return the account's orders as the adapter tells them."""
    return sorted(
        SeenOrder(
            order.client_order_id or "",
            order.order_id,
            "" if order.side is None else order.side.value,
            order.native_status or "",
            plain(order.filled_quantity),
        )
        for order in seat.broker.list_orders()
    )


def seen_by_sdk(seat: Seat) -> list[SeenOrder]:
    """Return the account's orders as the vendor's own SDK tells them.

    Raises:
        MissingDependencyError: the SDK is not installed.
    """
    try:
        with _no_proxy(), warnings.catch_warnings():
            return sorted(WITNESSES[seat.name].read(seat))
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"the demonstration needs {WITNESSES[seat.name].sdk}: "
            f"pip install 'bot-v2[{seat.name}]'",
            extra=seat.name,
        ) from error


def _coinbase(seat: Seat) -> list[SeenOrder]:
    from coinbase.rest import RESTClient

    client = RESTClient(
        api_key=seat.environment["COINBASE_CDP_API_KEY"],
        api_secret=seat.environment["COINBASE_CDP_PRIVATE_KEY"],
        base_url=seat.venue.secure_authority,
        timeout=int(PATIENCE_S),
    )
    # It speaks nothing but TLS, and nobody's authority vouches for this machine.
    client.session.verify = str(seat.certificate_file)
    client.session.trust_env = False
    return [
        SeenOrder(
            one.client_order_id,
            one.order_id,
            one.side.lower(),
            one.status,
            plain(Decimal(one.filled_size)),
        )
        for one in client.list_orders().orders
    ]


def _alpaca(seat: Seat) -> list[SeenOrder]:
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import QueryOrderStatus
    from alpaca.trading.requests import GetOrdersRequest

    client = TradingClient(
        api_key=seat.environment["ALPACA_API_KEY"],
        secret_key=seat.environment["ALPACA_SECRET_KEY"],
        url_override=seat.environment["ALPACA_API_BASE"],
    )
    orders: Any = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL))
    return [
        SeenOrder(
            one.client_order_id,
            str(one.id),
            one.side.value,
            one.status.value,
            plain(Decimal(one.filled_qty)),
        )
        for one in orders
    ]


def _ibkr(seat: Seat) -> list[SeenOrder]:
    return asyncio.run(_ask_tws(seat.environment))


async def _ask_tws(environment: Mapping[str, str]) -> list[SeenOrder]:
    from ib_async import IB

    ib = IB()
    await ib.connectAsync(
        environment["IBKR_HOST"],
        int(environment["IBKR_PORT"]),
        clientId=WITNESS_CLIENT_ID,
        timeout=PATIENCE_S,
    )
    try:
        live = await ib.reqAllOpenOrdersAsync()
        ended = await ib.reqCompletedOrdersAsync(False)
    finally:
        ib.disconnect()
    return [
        *(_of_tws(one, one.orderStatus.filled) for one in live),
        *(_of_tws(one, one.order.filledQuantity) for one in ended),
    ]


def _of_tws(trade: Any, filled: float | Decimal) -> SeenOrder:
    return SeenOrder(
        trade.order.orderRef,
        str(trade.order.permId),
        trade.order.action.lower(),
        trade.orderStatus.status,
        # This SDK has floats only: its shortest text is what it was made of.
        plain(Decimal(str(filled))),
    )


@contextmanager
def _no_proxy() -> Iterator[None]:
    """Keep SDKs that read the environment from asking a proxy for this machine."""
    names = ("NO_PROXY", "no_proxy")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "127.0.0.1,localhost"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


WITNESSES: Final[Mapping[str, Witness]] = {
    "coinbase": Witness(sdk="coinbase-advanced-py", client="RESTClient", read=_coinbase),
    "alpaca": Witness(sdk="alpaca-py", client="TradingClient", read=_alpaca),
    "ibkr": Witness(sdk="ib_async", client="IB", read=_ibkr),
}
"""The vendors' SDKs, by the broker."""
