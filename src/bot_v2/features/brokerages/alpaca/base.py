"""The session and the instruments of an account, and how a call is made."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

import attrs

from bot_v2.features.brokerages.alpaca import mapping, wire
from bot_v2.features.brokerages.alpaca.client import AlpacaClient
from bot_v2.features.brokerages.alpaca.decoding import decode
from bot_v2.features.brokerages.alpaca.errors import NAME, wrong_environment
from bot_v2.features.brokerages.alpaca.instruments import Instruments
from bot_v2.features.brokerages.alpaca.session import AlpacaSession
from bot_v2.features.brokerages.alpaca.settings import AlpacaSettings
from bot_v2.features.brokerages.alpaca.symbols import CRYPTO, EQUITY, OPTION
from bot_v2.features.brokerages.core.errors import (
    AuthenticationError,
    BrokerageError,
    BrokerAPIError,
    InvalidFieldError,
    InvalidSymbolError,
)
from bot_v2.features.brokerages.core.health import BrokerHealth
from bot_v2.features.brokerages.core.idempotency import (
    DuplicateBehaviour,
    IdempotencyProfile,
    IdempotencyScope,
)
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.http.calls import Call, Reply
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.features.brokerages.streaming.settings import StreamSettings
from bot_v2.features.brokerages.streaming.streams import Streams
from bot_v2.shared.types import Clock, IdSource

_T = TypeVar("_T")

_LOGGER: Final = logging.getLogger(__name__)

ACCOUNT: Final = "/v2/account"
ASSETS: Final = "/v2/assets"
CONTRACTS: Final = "/v2/options/contracts"
ORDERS: Final = "/v2/orders"
POSITIONS: Final = "/v2/positions"

PINGS_WITHIN_SILENCE: Final = 2
"""Two pings without an answer are the end of a stream's connection."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class AlpacaBase:
    """The session and the instruments of an account.

    Args:
        settings: where the API is, and the credentials.
        clock: the present moment: dates windows and health checks.
        ids: makes client order ids where a request has none. None: random ones.
        transport: sends the bytes. None: one of its own.
    """

    name: Final = NAME
    idempotency: Final = IdempotencyProfile(
        scope=IdempotencyScope.FOREVER,
        on_duplicate=DuplicateBehaviour.REJECTS,
        max_length=128,
        visibility_lag_s=2.0,
    )

    def __init__(
        self,
        settings: AlpacaSettings,
        *,
        clock: Clock = utc_now,
        ids: IdSource | None = None,
        transport: HttpTransport | None = None,
    ) -> None:
        """Prepare; nothing is sent before `connect`."""
        self.settings = settings
        """How it is set up."""
        self.environment = settings.environment
        """What is talked to: `live`, `paper` or `simulator`."""
        self._clock = clock
        self._ids = ids or self.idempotency.make_id
        client = AlpacaClient(settings, clock, transport)
        self._session = AlpacaSession(client, settings.page_max)
        self._streams = Streams(stream_settings(settings), clock)
        self._instruments = Instruments(
            self._look_up, self._list_crypto, settings.products_lifetime_s
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(environment={self.environment!r})"

    @property
    def native(self) -> Any:
        """Alpaca's own TradingClient over the same connections; using it voids the contract."""
        return self._session.native()

    # The session.

    def connect(self) -> bool:
        """Check the credentials, and bind the account."""
        self._session.open(self._login)
        return True

    def disconnect(self) -> None:
        """End the session and its streams, and close the connections."""
        self._streams.close()
        self._session.close()

    def is_connected(self) -> bool:
        """Return whether the session is not known to be dead."""
        return self._session.is_open

    def check_health(self) -> BrokerHealth:
        """Ask the broker for a sign of life, within the timeout of the settings.

        The error message also tells what the account may not do, although the broker answers.
        """
        started = time.perf_counter()
        problem = latency_s = None
        is_responsive = False
        try:
            account = self._read_account(self._call("check_health"))
            latency_s = time.perf_counter() - started
            is_responsive = True
            problem = "; ".join(mapping.restrictions_from_native(account)) or None
        except BrokerageError as error:
            problem = error.message or type(error).__name__
        return BrokerHealth(
            connected=self.is_connected(),
            api_responsive=is_responsive,
            last_check_timestamp=self._clock().timestamp(),
            error_message=problem,
            latency_s=latency_s,
        )

    def get_account_id(self) -> str:
        """Return the account that the key opens."""
        return self._session.account_id("get_account_id")

    def list_restrictions(self) -> tuple[str, ...]:
        """Return what the account may not do, in words, read anew; empty: nothing is kept from it.

        An account that is blocked, a pattern day trader's, or without short sales, says so here.
        """
        return mapping.restrictions_from_native(self._read_account(self._call("list_restrictions")))

    def _login(self) -> str:
        call = self._call("connect")
        try:
            account = self._read_account(call, is_login=True)
        except AuthenticationError as error:
            said = wrong_environment(self.settings.api_key.reveal(), self.environment)
            if said is None:
                raise
            context = call.context()
            context["http_status"], context["code"] = error.http_status, error.code
            raise AuthenticationError(f"{error.message}: {said}", **context) from error
        for restriction in mapping.restrictions_from_native(account):
            _LOGGER.warning("Alpaca (%s): %s", self.environment, restriction)
        return account.id

    def _read_account(self, call: Call, *, is_login: bool = False) -> wire.Account:
        return self._session.ask(
            call,
            "GET",
            ACCOUNT,
            lambda reply: decode(reply.body, wire.Account),
            is_login=is_login,
        )

    # Products.

    def get_products(self) -> list[Product]:
        """Return every stock and crypto pair, read anew; options are found by their underlying."""
        call = self._call("get_products")
        products = [*self._list_assets(call, EQUITY), *self._list_assets(call, CRYPTO)]
        self._instruments.remember(products)
        return products

    def get_product(self, symbol: str) -> Product:
        """Return one product as it was last read."""
        return self._find(self._call("get_product", symbol=symbol), symbol)

    def _list_assets(self, call: Call, asset_class: str) -> list[Product]:
        def read(reply: Reply) -> list[Product]:
            listed = decode(reply.body, list[wire.Asset])
            return _named_once([mapping.product_from_native(one) for one in listed])

        query = {"status": mapping.ACTIVE, "asset_class": asset_class}
        return self._session.ask(call, "GET", ASSETS, read, query=query)

    def _list_crypto(self, call: Call) -> Sequence[Product]:
        return self._list_assets(call, CRYPTO)

    def _look_up(self, call: Call, kind: str, native: str) -> Product | None:
        """Ask for one stock or option. None: there is none."""

        def read_asset(reply: Reply) -> Product | None:
            asset = decode(reply.body, wire.Asset)
            # The broker also finds assets by their ids and by codes that are no symbols.
            is_it = asset.symbol.replace("/", "") == native
            return mapping.product_from_native(asset) if is_it else None

        def read_contract(reply: Reply) -> Product | None:
            contract = decode(reply.body, wire.Contract)
            is_it = contract.symbol == native
            return mapping.product_from_contract(contract) if is_it else None

        path, read = (CONTRACTS, read_contract) if kind == OPTION else (ASSETS, read_asset)
        # What is not found is the symbol, whichever order it is asked for.
        asked = attrs.evolve(call, symbol=call.symbol or native, order_id=None)
        try:
            return self._session.ask(asked, "GET", f"{path}/{segment('symbol', native)}", read)
        except InvalidSymbolError:
            return None

    # How the adapters work.

    def _call(
        self,
        operation: str,
        *,
        is_write: bool = False,
        symbol: str | None = None,
        order_id: str | None = None,
        client_order_id: str | None = None,
        endpoint: str = "",
    ) -> Call:
        account_id = self._session.account_id(operation) if self._session.is_open else None
        return Call(
            broker=NAME,
            operation=operation,
            is_write=is_write,
            account_id=account_id,
            symbol=symbol,
            order_id=order_id,
            client_order_id=client_order_id,
            endpoint=endpoint,
        )

    def _find(self, call: Call, symbol: str) -> Product:
        self._session.account_id(call.operation)
        return self._instruments.find(read_for(call), symbol)

    def _exactly(self, call: Call, work: Callable[[], _T]) -> _T:
        """Return what is worked out of several answers.

        Raises:
            BrokerAPIError: the numbers are too far apart for an exact result: they are no money.
        """
        try:
            return work()
        except (ArithmeticError, ValueError) as error:
            context = call.context()
            context.setdefault("outcome", None)
            raise BrokerAPIError(f"no exact result of what was told: {error}", **context) from error

    def _window_start(self) -> datetime:
        return self._clock() - timedelta(days=self.settings.history_days)


def stream_settings(settings: AlpacaSettings) -> StreamSettings:
    """Return the bounds of streams: neither of Alpaca's has anything that comes regularly."""
    return StreamSettings(
        open_timeout_s=settings.timeout_s,
        ready_timeout_s=settings.timeout_s,
        silence_max_s=None,
        ping_interval_s=settings.stream_silence_s / PINGS_WITHIN_SILENCE,
    )


def _named_once(products: Sequence[Product]) -> list[Product]:
    """Return products by names that are theirs alone: of two with one name the first has it."""
    seen: set[str] = set()
    named: list[Product] = []
    for product in products:
        is_new = product.symbol not in seen
        symbol = product.symbol if is_new else f"@{product.metadata['native_symbol']}"
        if symbol in seen:
            continue
        seen.add(symbol)
        named.append(product if is_new else attrs.evolve(product, symbol=symbol))
    return named


def read_for(call: Call) -> Call:
    """Return the call of a read that another call needs first."""
    return attrs.evolve(call, is_write=False, before_write=True) if call.is_write else call


def segment(field: str, text: str) -> str:
    """Return a text as one segment of a path.

    Raises:
        InvalidFieldError: it is empty, which would ask for something else.
    """
    if text.strip() in ("", ".", ".."):
        raise InvalidFieldError(field, text, "an id: a str that is not blank")
    return quote(text, safe="")
