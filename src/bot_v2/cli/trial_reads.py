"""Trying what a brokerage can do, one operation at a time, without sending an order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from bot_v2.cli.output import as_text
from bot_v2.cli.trial_questions import (
    ACCOUNT_READS,
    MARKET_READS,
    amount_of,
    counted,
    first_of,
    line_of,
    position_in_short,
    product_in_short,
    refuses_level,
)
from bot_v2.features.brokerages.core.capabilities import Capability, capabilities_of
from bot_v2.features.brokerages.core.declarations import unsupported_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InsufficientFundsError,
    InvalidSymbolError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.products import MarketType, Product

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage

_T = TypeVar("_T")

LIKELY_SYMBOLS: Final = ("BTC-USD", "AAPL", "EUR-USD")
"""What is tried where nobody says which product, and the broker lists none."""

WOULD_SEND: Final = "not tried, as it would send an order"
ONLY_AN_ORDER_SHOWS: Final = "declared, and shown by an order alone"


class TrialResult(StrEnum):
    """How a trial went."""

    WORKS = "works"
    """It answered."""
    FAILED = "failed"
    """It did not, or not as it should."""
    UNSUPPORTED = "unsupported"
    """The brokerage says that it does not do this."""
    NOT_TRIED = "not tried"
    """Nothing was asked."""


@attrs.frozen(kw_only=True)
class Trial:
    """One operation that was tried."""

    operation: str
    """The method, with the argument that matters."""
    capability: Capability | None
    """The capability that it belongs to. None: every brokerage has it."""
    result: TrialResult
    """How it went."""
    latency_s: float | None
    """How long the answer took, in seconds. None: nothing was asked."""
    found: str
    """What came of it, for a person."""


@attrs.define
class Trials:
    """Tries everything, and remembers how it went.

    Args:
        broker: the brokerage, not connected.
        wanted_symbol: the product to ask about. None: what the account holds, else any.
        patience_s: how long to listen to a stream of quotes, in seconds.
    """

    broker: IBrokerage
    wanted_symbol: str | None
    patience_s: float
    done: list[Trial] = attrs.field(factory=list)
    symbol: str | None = None

    def connect(self) -> None:
        """Connect: nothing else can be tried before.

        Raises:
            BrokerageError: it cannot be connected.
        """
        started = time.perf_counter()
        self.broker.connect()
        self._note("connect", None, TrialResult.WORKS, time.perf_counter() - started, "")

    def run(self) -> None:
        """Try all reads, and what the declared capabilities can show without an order."""
        self._try_account()
        listed = self._try("get_products", self.broker.get_products, counted("products"))
        product = self._choose(listed or [])
        if product is not None:
            self.symbol = product.symbol
            self._try_market(product.symbol)
        for operation in ("place_order", "cancel_order", "close_position"):
            self._note(operation, None, TrialResult.NOT_TRIED, None, WOULD_SEND)
        for capability in sorted(capabilities_of(self.broker)):
            self._try_capability(capability, product)

    # The 18

    def _try_account(self) -> None:
        broker = self.broker
        self._try("get_account_id", broker.get_account_id, str)
        health = self._try("check_health", broker.check_health, lambda _: "")
        if health is not None and not health.api_responsive:
            failed = attrs.evolve(
                self.done[-1], result=TrialResult.FAILED, found=health.error_message or "no answer"
            )
            self.done[-1] = failed
        balances = self._try("list_balances", broker.list_balances, counted("balances"))
        asset = next((one.asset for one in balances or ()), "USD")
        self._try(f"get_balance {asset}", lambda: broker.get_balance(asset), amount_of("total"))
        positions = self._try("list_positions", broker.list_positions, counted("positions"))
        orders = self._try("list_orders", broker.list_orders, counted("orders"))
        if orders:
            order_id = orders[0].order_id
            self._try("get_order", lambda: broker.get_order(order_id), lambda one: one.status.value)
        else:
            self._note("get_order", None, TrialResult.NOT_TRIED, None, "there is no order")
        if self.wanted_symbol is None:
            held = [one.symbol for one in (*(positions or ()), *(orders or ()))]
            self.wanted_symbol = next(iter(held), None)

    def _choose(self, listed: Sequence[Product]) -> Product | None:
        """Return the product to ask about: the wanted one, a likely one, or the first."""
        known = {one.symbol: one for one in listed if one.tradeable}
        wanted = [self.wanted_symbol] if self.wanted_symbol is not None else []
        likely = [name for name in LIKELY_SYMBOLS if name in known] or list(known)[:1]
        for name in wanted or likely or LIKELY_SYMBOLS:
            product = self._try(
                f"get_product {name}", partial(self.broker.get_product, name), product_in_short
            )
            if product is not None:
                return product
            if not wanted and self._is_of_no_use(name):
                # Where nobody said which product, one that is not there says nothing of the broker.
                self.done.pop()
        return None

    def _is_of_no_use(self, name: str) -> bool:
        return self.done[-1].operation == f"get_product {name}" and isinstance(
            self._last_error, InvalidSymbolError
        )

    _last_error: BrokerageError | None = None

    def _try_market(self, symbol: str) -> None:
        broker = self.broker
        self._try(f"get_position {symbol}", lambda: broker.get_position(symbol), position_in_short)
        self._try(f"get_price {symbol}", lambda: broker.get_price(symbol), as_text)
        for level in (1, 2, 3):
            if any(refuses_level(one, level) for one in unsupported_of(broker)):
                self._note(f"get_orderbook level {level}", None, TrialResult.UNSUPPORTED, None, "")
                continue
            self._try(
                f"get_orderbook level {level}",
                partial(broker.get_orderbook, symbol, level),
                lambda book: f"{len(book.bids)} bids, {len(book.asks)} asks",
            )

    # What is declared beyond

    def _try_capability(self, capability: Capability, product: Product | None) -> None:
        broker: Any = self.broker
        account = ACCOUNT_READS.get(capability)
        if account is not None:
            operation, ask, tell = account
            self._try(operation, lambda: ask(broker), tell, capability)
            return
        market = MARKET_READS.get(capability)
        if market is None:
            text = ONLY_AN_ORDER_SHOWS
            self._note(capability.value, capability, TrialResult.NOT_TRIED, None, text)
        elif product is None:
            text = "there is no product to ask about: give --symbol"
            self._note(capability.value, capability, TrialResult.NOT_TRIED, None, text)
        elif (
            capability is Capability.OPTION_CHAINS and product.market_type is not MarketType.EQUITY
        ):
            text = f"{product.symbol} has no options: give --symbol"
            self._note(capability.value, capability, TrialResult.NOT_TRIED, None, text)
        elif capability is Capability.QUOTE_STREAM:
            self._try(
                "stream_quotes",
                lambda: first_of(broker.stream_quotes([product.symbol]), self.patience_s),
                lambda event: "open" if event is None else f"open; {type(event).__name__}",
                capability,
            )
        else:
            for name, ask_market, tell in market:
                self._try(
                    name,
                    partial(ask_market, broker, product),
                    tell,
                    capability,
                )

    # How something is tried

    def _try(
        self,
        operation: str,
        ask: Callable[[], _T],
        tell: Callable[[_T], str],
        capability: Capability | None = None,
    ) -> _T | None:
        """Ask, and note how long it took and what came; None: nothing did."""
        started = time.perf_counter()
        self._last_error = None
        try:
            answer = ask()
        except UnsupportedOperationError as error:
            self._note(operation, capability, TrialResult.UNSUPPORTED, None, line_of(error))
            return None
        except InsufficientFundsError as error:
            took_s = time.perf_counter() - started
            self._note(
                operation, capability, TrialResult.WORKS, took_s, f"answers: {line_of(error)}"
            )
            return None
        except BrokerageError as error:
            self._last_error = error
            took_s = time.perf_counter() - started
            text = f"{type(error).__name__}: {line_of(error)}"
            self._note(operation, capability, TrialResult.FAILED, took_s, text)
            return None
        took_s = time.perf_counter() - started
        self._note(operation, capability, TrialResult.WORKS, took_s, tell(answer))
        return answer

    def _note(
        self,
        operation: str,
        capability: Capability | None,
        result: TrialResult,
        latency_s: float | None,
        found: str,
    ) -> None:
        self.done.append(
            Trial(
                operation=operation,
                capability=capability,
                result=result,
                latency_s=None if latency_s is None else round(latency_s, 6),
                found=found,
            )
        )
