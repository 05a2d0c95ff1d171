"""What a brokerage is asked on trial: a question for each capability, and what is said of it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from bot_v2.cli.output import as_text
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.decimals import Rounding
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    OrderNotFoundError,
)
from bot_v2.features.brokerages.core.increments import quantize_price
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_terms import OrderSide, OrderType
from bot_v2.features.brokerages.core.products import Product
from bot_v2.simulation.clock import utc_now

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

_T = TypeVar("_T")

NOT_PLACED: Final = "bot-v2-test"
"""A client order id that nothing was placed under."""

CANDLES_OF: Final = timedelta(days=2)
"""How far back candles are asked for."""

ORDER_STREAM_S: Final = 0.5
"""How long the stream of orders is listened to, in seconds: nothing need happen to them."""


def line_of(error: BrokerageError) -> str:
    """Return what an error says, as one line."""
    return " ".join(error.message.split()) or type(error).__name__


def counted(what: str) -> Callable[[Sequence[object]], str]:
    """Return what says how many of something were found."""
    return lambda found: f"{len(found)} {what}"


def amount_of(name: str) -> Callable[[object], str]:
    """Return what says one number of an answer, by its name."""
    return lambda found: as_text(getattr(found, name))


def product_in_short(product: Product) -> str:
    """Return a product in a few words."""
    steps = f"price step {as_text(product.price_increment)}"
    return f"{product.market_type.value} in {product.quote_currency}, {steps}"


def position_in_short(position: object) -> str:
    """Return a position in a few words."""
    if position is None:
        return "flat"
    return (
        f"{as_text(getattr(position, 'side', None))} {as_text(getattr(position, 'quantity', None))}"
    )


def refuses_level(declared: str, level: int) -> bool:
    """Whether a declaration such as `get_orderbook:level>=3` refuses a level."""
    method, _, argument = declared.partition(":")
    name, least, bound = argument.partition(">=")
    is_of_levels = method == "get_orderbook" and name == "level" and bool(least)
    return is_of_levels and bound.isdigit() and level >= int(bound)


def first_of(stream: AbstractContextManager[Iterator[_T]], patience_s: float) -> _T | None:
    """Open a stream, and return the first that it tells; None: nothing came in time.

    Raises:
        BrokerageError: it cannot be opened, or ended with an error.
    """
    heard: queue.SimpleQueue[_T | BrokerageError | None] = queue.SimpleQueue()

    def listen(events: Iterator[_T]) -> None:
        try:
            heard.put(next(events, None))
        except BrokerageError as error:
            heard.put(error)

    with stream as events:
        threading.Thread(target=listen, args=(events,), daemon=True).start()
        try:
            first = heard.get(timeout=patience_s)
        except queue.Empty:
            return None
    if isinstance(first, BrokerageError):
        raise first
    return first


def _small_order(broker: IBrokerage, product: Product) -> OrderRequest:
    """Return the smallest order that could be placed, for what only shows it."""
    quantity = product.min_order_size or product.size_increment or Decimal(1)
    price = quantize_price(product, broker.get_price(product.symbol), Rounding.DOWN)
    return OrderRequest(
        symbol=product.symbol,
        side=OrderSide.BUY,
        quantity=max(quantity, product.lot_size),
        type=OrderType.LIMIT,
        price=price,
    )


def _look_up(broker: Any) -> object:
    """Look for an order: one that there is, else one that there cannot be."""
    listed = broker.list_orders()
    named = next((one.client_order_id for one in listed if one.client_order_id), None)
    try:
        return broker.get_order_by_client_id(named or NOT_PLACED)
    except OrderNotFoundError:
        if named is not None:
            raise
        return None


def _login_page(broker: Any) -> str:
    return str(broker.login_url())


def _logged_in(_: object) -> str:
    return "tells where to log in"


def _candles(broker: Any, product: Product) -> Sequence[object]:
    now = utc_now()
    found: Sequence[object] = broker.list_candles(
        product.symbol, timedelta(hours=1), now - CANDLES_OF, now
    )
    return found


_Ask = Callable[[Any], Any]
_AskOf = Callable[[Any, Product], Any]
_Tell = Callable[[Any], str]

ACCOUNT_READS: Final[dict[Capability, tuple[str, _Ask, _Tell]]] = {
    # capability: the method, how it is asked, and how the answer is told
    Capability.ORDER_LOOKUP: (
        "get_order_by_client_id",
        _look_up,
        lambda order: "tells that there is none" if order is None else order.status.value,
    ),
    Capability.FILLS: ("list_fills", lambda broker: broker.list_fills(), counted("fills")),
    Capability.ACCOUNT_SUMMARY: (
        "get_account",
        lambda broker: broker.get_account(),
        lambda account: f"equity {as_text(account.equity)} {account.currency}",
    ),
    Capability.HOLDINGS: (
        "list_holdings",
        lambda broker: broker.list_holdings(),
        counted("holdings"),
    ),
    Capability.ACCOUNTS: (
        "list_accounts",
        lambda broker: broker.list_accounts(),
        counted("accounts"),
    ),
    Capability.LOGIN: ("login_url", _login_page, _logged_in),
    Capability.ORDER_STREAM: (
        "stream_orders",
        lambda broker: first_of(broker.stream_orders(), ORDER_STREAM_S),
        lambda _: "open",
    ),
}

MARKET_READS: Final[dict[Capability, tuple[tuple[str, _AskOf, _Tell], ...]]] = {
    # capability: each of its methods that can be asked about a product
    Capability.MARGIN: (
        (
            "get_margin",
            lambda broker, _: broker.get_margin(),
            lambda margin: f"buying power {as_text(margin.buying_power)}",
        ),
        (
            "get_order_margin",
            lambda broker, product: broker.get_order_margin(_small_order(broker, product)),
            lambda margin: f"buying power {as_text(margin.buying_power)}",
        ),
    ),
    Capability.ORDER_PREVIEW: (
        (
            "preview_order",
            lambda broker, product: broker.preview_order(_small_order(broker, product)),
            lambda _: "shown, not placed",
        ),
    ),
    Capability.QUOTES: (
        (
            "get_quote",
            lambda broker, product: broker.get_quote(product.symbol),
            lambda quote: f"bid {as_text(quote.bid)}, ask {as_text(quote.ask)}",
        ),
    ),
    Capability.TRADES: (
        (
            "list_trades",
            lambda broker, product: broker.list_trades(product.symbol, 10),
            counted("trades"),
        ),
    ),
    Capability.CANDLES: (("list_candles", _candles, counted("candles of an hour")),),
    Capability.OPTION_CHAINS: (
        (
            "list_option_contracts",
            lambda broker, product: broker.list_option_contracts(product.symbol),
            counted("contracts"),
        ),
    ),
    Capability.SYMBOL_SEARCH: (
        (
            "list_symbol_matches",
            lambda broker, product: broker.list_symbol_matches(product.symbol),
            counted("products"),
        ),
    ),
    Capability.MARKET_STATUS: (
        (
            "get_market_status",
            lambda broker, product: broker.get_market_status(product.symbol),
            lambda status: (
                "open" if status.is_open else f"closed until {as_text(status.next_open)}"
            ),
        ),
    ),
    Capability.FEES: (
        (
            "get_fees",
            lambda broker, product: broker.get_fees(product.symbol),
            lambda fees: f"maker {as_text(fees.maker)}, taker {as_text(fees.taker)}",
        ),
    ),
    Capability.QUOTE_STREAM: (),
}
