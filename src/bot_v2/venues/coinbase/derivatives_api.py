"""Perpetuals (INTX) and US futures (CFM): positions, balances and margin.

Sources: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/perpetuals and
.../futures
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.order_status import LIVE_STATUSES
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.accounts_api import amount
from bot_v2.venues.coinbase.listings import CFM, INTX, SPOT, Listing
from bot_v2.venues.coinbase.refusals import not_found
from bot_v2.venues.coinbase.texts import plain
from bot_v2.venues.ids import seeded_uuid
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
USDC: Final = "USDC"


class DerivativesApi:
    """The endpoints of perpetuals and futures.

    Args:
        state: the venue.
        listings: what can be traded, by Coinbase's id.
        portfolio: the portfolio of perpetuals.
        seed: what ids are drawn from.
    """

    def __init__(
        self, state: VenueState, listings: Mapping[str, Listing], portfolio: str, seed: int
    ) -> None:
        """Answer for one venue."""
        self._state = state
        self._by_symbol = {one.product.symbol: one for one in listings.values()}
        self._listings = listings
        self._portfolio = portfolio
        self._seed = seed
        self._collects = True

    # Perpetuals

    def portfolio(self, request: ApiRequest) -> Record:
        """Say how the portfolio of perpetuals stands."""
        self._check_portfolio(request)
        account = self._state.accounts[INTX]
        standing = account.standing()
        profit, notional = self._totals(account)
        collateral = account.balance(USDC).total
        total = EXACT.add(collateral, profit)
        initial = standing.margin.initial_margin or ZERO
        maintenance = standing.margin.maintenance_margin or ZERO
        power = standing.summary.buying_power or ZERO
        free = max(EXACT.subtract(total, initial), ZERO)
        return {
            "portfolios": [
                {
                    "portfolio_uuid": self._portfolio,
                    "collateral": plain(collateral),
                    "position_notional": plain(notional),
                    "open_position_notional": plain(notional),
                    "pending_fees": "0",
                    "borrow": "0",
                    "accrued_interest": "0",
                    "rolling_debt": "0",
                    "portfolio_initial_margin": plain(_part(initial, notional)),
                    "portfolio_im_notional": amount(initial, USDC),
                    "portfolio_maintenance_margin": plain(_part(maintenance, notional)),
                    "portfolio_mm_notional": amount(maintenance, USDC),
                    "liquidation_percentage": "0",
                    "liquidation_buffer": plain(EXACT.subtract(total, maintenance)),
                    "margin_type": "MARGIN_TYPE_CROSS",
                    "margin_flags": "PORTFOLIO_MARGIN_FLAGS_UNSPECIFIED",
                    "liquidation_status": "PORTFOLIO_LIQUIDATION_STATUS_NOT_LIQUIDATING",
                    "unrealized_pnl": amount(profit, USDC),
                    "total_balance": amount(total, USDC),
                }
            ],
            "summary": {
                "unrealized_pnl": amount(profit, USDC),
                "buying_power": amount(power, USDC),
                "total_balance": amount(total, USDC),
                "max_withdrawal_amount": amount(free, USDC),
            },
        }

    def positions(self, request: ApiRequest) -> Record:
        """Say the positions in perpetuals."""
        self._check_portfolio(request)
        account = self._state.accounts[INTX]
        told = [self._perpetual(account, one) for one in account.standing().positions]
        return {
            "positions": told,
            "summary": {"aggregated_pnl": amount(self._totals(account)[0], USDC)},
        }

    def position(self, request: ApiRequest) -> Record:
        """Say the position in one perpetual."""
        self._check_portfolio(request)
        account = self._state.accounts[INTX]
        for one in account.standing().positions:
            if self._by_symbol[one.symbol].product_id == request.arguments["symbol"]:
                return {"position": self._perpetual(account, one)}
        raise not_found("position not found")

    def balances(self, request: ApiRequest) -> Record:
        """Say what the portfolio of perpetuals holds."""
        self._check_portfolio(request)
        account = self._state.accounts[INTX]
        balances: list[Record] = [
            {
                "asset": {
                    "asset_id": seeded_uuid(self._seed, "asset", one.asset),
                    "asset_uuid": seeded_uuid(self._seed, "asset", one.asset),
                    "asset_name": one.asset,
                    "status": "ACTIVE",
                    "collateral_weight": "1",
                    "account_collateral_limit": "0",
                    "ecosystem_collateral_limit_breached": False,
                    "asset_icon_url": "",
                    "supported_networks_enabled": True,
                },
                "quantity": plain(one.total),
                "hold": plain(one.hold or ZERO),
                "transfer_hold": "0",
                "collateral_value": plain(one.total),
                "collateral_weight": "1",
                "max_withdraw_amount": plain(one.available or ZERO),
                "loan": "0",
                "loan_collateral_requirement_usd": "0",
                "pledged_quantity": "0",
            }
            for one in account.standing().balances
        ]
        return {
            "portfolio_balances": [
                {
                    "portfolio_uuid": self._portfolio,
                    "balances": balances,
                    "is_margin_limit_reached": False,
                }
            ]
        }

    def collateral(self, request: ApiRequest) -> Record:
        """Keep whether several assets count as collateral; nothing depends on it here."""
        wanted = request.body().get("multi_asset_collateral_enabled")
        if not isinstance(wanted, bool):
            raise ValueError("multi_asset_collateral_enabled is true or false")
        self._collects = wanted
        return {"cross_collateral_enabled": self._collects}

    def _check_portfolio(self, request: ApiRequest) -> None:
        if request.arguments["portfolio_uuid"] != self._portfolio:
            raise not_found("portfolio not found")

    def _totals(self, account: VenueAccount) -> tuple[Decimal, Decimal]:
        profit = notional = ZERO
        for one in account.standing().positions:
            profit = EXACT.add(profit, one.unrealized_pnl or ZERO)
            notional = EXACT.add(notional, (one.market_value or ZERO).copy_abs())
        return profit, notional

    def _perpetual(self, account: VenueAccount, position: Position) -> Record:
        listing = self._by_symbol[position.symbol]
        notional = (position.market_value or ZERO).copy_abs()
        settings = account.engine.get_margin()
        whole = self._totals(account)[1]
        initial = _share(settings.initial_margin, notional, whole)
        maintenance = _share(settings.maintenance_margin, notional, whole)
        is_long = position.side is PositionSide.LONG
        profit = position.unrealized_pnl or ZERO
        return {
            "product_id": seeded_uuid(self._seed, "instrument", listing.product_id),
            "product_uuid": seeded_uuid(self._seed, "instrument", listing.product_id),
            "portfolio_uuid": self._portfolio,
            "symbol": listing.product_id,
            "vwap": amount(position.entry_price or ZERO, USDC),
            "entry_vwap": amount(position.entry_price or ZERO, USDC),
            "position_side": "POSITION_SIDE_LONG" if is_long else "POSITION_SIDE_SHORT",
            "margin_type": "MARGIN_TYPE_CROSS",
            "net_size": plain(position.quantity if is_long else position.quantity.copy_negate()),
            "buy_order_size": plain(_ordered(account, position.symbol, OrderSide.BUY)),
            "sell_order_size": plain(_ordered(account, position.symbol, OrderSide.SELL)),
            "im_contribution": plain(_part(initial, notional)),
            "unrealized_pnl": amount(profit, USDC),
            "mark_price": amount(position.current_price or ZERO, USDC),
            "liquidation_price": amount(ZERO, USDC),
            "leverage": "1",
            "im_notional": amount(initial, USDC),
            "mm_notional": amount(maintenance, USDC),
            "position_notional": amount(notional, USDC),
            "aggregated_pnl": amount(profit, USDC),
        }

    # US futures

    def balance_summary(self, _: ApiRequest) -> Record:
        """Say how the account of US futures stands."""
        return {"balance_summary": self.futures_balance()}

    def futures_balance(self) -> Record:
        """Say how the account of US futures stands, to whoever listens."""
        account = self._state.accounts[CFM]
        standing = account.standing()
        profit = self._totals(account)[0]
        futures = account.balance("USD")
        spot = self._state.accounts[SPOT].balance("USD").total
        equity = standing.summary.equity or ZERO
        initial = standing.margin.initial_margin or ZERO
        maintenance = standing.margin.maintenance_margin or ZERO
        free = max(EXACT.subtract(equity, initial), ZERO)
        buffer = EXACT.subtract(equity, maintenance)
        measure = {
            "margin_level": "MARGIN_LEVEL_TYPE_BASE",
            "initial_margin": amount(initial, "USD"),
            "maintenance_margin": amount(maintenance, "USD"),
            "liquidation_buffer_percentage": plain(_percent(buffer, maintenance)),
            "total_hold": amount(futures.hold or ZERO, "USD"),
            "futures_buying_power": amount(standing.summary.buying_power or ZERO, "USD"),
        }
        kind = "margin_window_type"
        return {
            "futures_buying_power": measure["futures_buying_power"],
            "total_usd_balance": amount(EXACT.add(spot, futures.total), "USD"),
            "cbi_usd_balance": amount(spot, "USD"),
            "cfm_usd_balance": amount(futures.total, "USD"),
            "total_open_orders_hold_amount": measure["total_hold"],
            "unrealized_pnl": amount(profit, "USD"),
            "daily_realized_pnl": amount(ZERO, "USD"),
            "initial_margin": measure["initial_margin"],
            "available_margin": amount(free, "USD"),
            "liquidation_threshold": measure["maintenance_margin"],
            "liquidation_buffer_amount": amount(buffer, "USD"),
            "liquidation_buffer_percentage": measure["liquidation_buffer_percentage"],
            "intraday_margin_window_measure": {
                kind: "FCM_MARGIN_WINDOW_TYPE_INTRADAY",
                **measure,
            },
            "overnight_margin_window_measure": {
                kind: "FCM_MARGIN_WINDOW_TYPE_OVERNIGHT",
                **measure,
            },
        }

    def futures_positions(self, _: ApiRequest) -> Record:
        """Say the positions in US futures."""
        standing = self._state.accounts[CFM].standing()
        return {"positions": [self._future(one) for one in standing.positions]}

    def futures_position(self, request: ApiRequest) -> Record:
        """Say the position in one US future."""
        for one in self._state.accounts[CFM].standing().positions:
            if self._by_symbol[one.symbol].product_id == request.arguments["product_id"]:
                return {"position": self._future(one)}
        raise not_found("position not found")

    def _future(self, position: Position) -> Record:
        listing = self._by_symbol[position.symbol]
        expiry = listing.product.expiry
        return {
            "product_id": listing.product_id,
            "expiration_time": None if expiry is None else f"{expiry:%Y-%m-%d}T16:00:00Z",
            "side": position.side.name,
            "number_of_contracts": plain(position.quantity),
            "current_price": plain(position.current_price or ZERO),
            "avg_entry_price": plain(position.entry_price or ZERO),
            "unrealized_pnl": plain(position.unrealized_pnl or ZERO),
            "daily_realized_pnl": "0",
        }


def _ordered(account: VenueAccount, symbol: str, side: OrderSide) -> Decimal:
    total = ZERO
    for order in account.orders():
        live = order.status in LIVE_STATUSES and order.side is side and order.symbol == symbol
        if live and order.remaining_quantity is not None:
            total = EXACT.add(total, order.remaining_quantity)
    return total


def _part(value: Decimal, whole: Decimal) -> Decimal:
    return divide(value, whole, 8, Rounding.HALF_EVEN) if whole else ZERO


def _share(value: Decimal | None, part: Decimal, whole: Decimal) -> Decimal:
    if not whole or value is None:
        return ZERO
    return divide(EXACT.multiply(value, part), whole, 8, Rounding.HALF_EVEN)


def _percent(value: Decimal, whole: Decimal) -> Decimal:
    return EXACT.multiply(_part(value, whole), Decimal(100)) if whole else Decimal(1000)
