"""CoinbasePerpetualsBrokerage: the margin of perpetuals, beside all that spot has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bot_v2.features.brokerages.coinbase import margin_mapping, wire
from bot_v2.features.brokerages.coinbase.adapter import CoinbaseBrokerage
from bot_v2.features.brokerages.coinbase.base import segment
from bot_v2.features.brokerages.coinbase.market import API
from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import InvalidRequestError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.products import MarketType
from bot_v2.features.brokerages.http.calls import Call

_T = TypeVar("_T")


class CoinbasePerpetualsBrokerage(CoinbaseBrokerage):
    """An account on Advanced Trade with perpetuals enabled; see the README beside this file."""

    capabilities = CoinbaseBrokerage.capabilities | {Capability.MARGIN}

    def get_account(self) -> AccountSummary:
        """Return the totals of the perpetuals portfolio, in the currency that it settles in."""
        call = self._call("get_account")
        account_id = self._session.account_id(call.operation)
        return self._standing(
            call,
            lambda native, portfolio: margin_mapping.perpetual_summary_from_native(
                native, portfolio, account_id
            ),
        )

    def get_margin(self) -> Margin:
        """Return the margin of the perpetuals portfolio as it is."""
        return self._standing(self._call("get_margin"), margin_mapping.margin_from_native)

    def get_order_margin(self, order_request: OrderRequest) -> Margin:
        """Return the margin as the order would make it; nothing is placed.

        An order of spot needs none. Coinbase tells what the order itself needs, so that maintenance
        margin and excess are not said.
        """
        ref = order_request.client_order_id or self._ids()
        call = self._call("get_order_margin", symbol=order_request.symbol, client_order_id=ref)
        product, _ = self._find(call, order_request.symbol)
        more = self._preview(
            call,
            order_request,
            ref,
            lambda native, _: margin_mapping.order_margin_from_native(native),
        )
        now = self._standing(call, margin_mapping.margin_from_native)
        if product.market_type is MarketType.SPOT:
            return now
        return self._exactly(call, lambda: margin_mapping.margin_with_order(now, more))

    def _standing(self, call: Call, read: Callable[[wire.PerpetualPortfolios, str], _T]) -> _T:
        portfolio = self._session.opened(call.operation).perpetuals_id
        if portfolio is None:
            raise InvalidRequestError("perpetuals are not enabled", **call.context())
        return self._session.ask(
            call,
            "GET",
            f"{API}/intx/portfolio/{segment('portfolio', portfolio)}",
            wire.PerpetualPortfolios,
            lambda native, _: read(native, portfolio),
        )
