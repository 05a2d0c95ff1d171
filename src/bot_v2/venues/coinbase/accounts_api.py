"""Accounts, portfolios, permissions and fees of Advanced Trade.

Source: https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.accounts import Balance
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.coinbase.keys import TRADE, TRANSFER, VIEW, ApiKey
from bot_v2.venues.coinbase.listings import CFM, FIAT, INTX, SPOT, Listing
from bot_v2.venues.coinbase.paging import page_of
from bot_v2.venues.coinbase.refusals import invalid, not_found
from bot_v2.venues.coinbase.texts import BALANCE_PLACES, moment_text, padded, plain
from bot_v2.venues.ids import seeded_uuid
from bot_v2.venues.requests import ApiRequest, Record
from bot_v2.venues.state import VenueState

ZERO: Final = Decimal(0)
ACCOUNTS_PAGE: Final = 49
PAGE_MAX: Final = 250

PORTFOLIOS: Final = {
    # the venue's account: the portfolio's name and type
    SPOT: ("Default", "DEFAULT"),
    INTX: ("Perpetuals", "INTX"),
}
"""The portfolios. US futures are held by the default one (the page of Portfolios)."""


def amount(value: Decimal, currency: str) -> Record:
    """Return an amount of money or of a coin."""
    return {"value": plain(value), "currency": currency}


class AccountsApi:
    """The endpoints of accounts.

    Args:
        state: the venue.
        listings: what can be traded.
        seed: what ids are drawn from.
        opened_at: when the accounts were opened.
        page_max: how many items a page has at most.
    """

    def __init__(
        self,
        state: VenueState,
        listings: Iterable[Listing],
        seed: int,
        opened_at: datetime,
        page_max: int,
    ) -> None:
        """Answer for one venue."""
        self._state = state
        self._listings = tuple(listings)
        self._seed = seed
        self._opened_at = opened_at
        self._page_max = page_max
        self.portfolios = {name: seeded_uuid(seed, "portfolio", name) for name in PORTFOLIOS}
        self.portfolios[CFM] = self.portfolios[SPOT]
        """The portfolio of each of the venue's accounts, by its name."""

    # Accounts

    def list_accounts(self, request: ApiRequest) -> Record:
        """Say what a portfolio holds, coin by coin."""
        name = self._asked(request.value("retail_portfolio_id"))
        currencies = self._currencies(name)
        page, cursor = page_of(
            currencies,
            lambda currency: self._uuid(name, currency),
            request,
            ACCOUNTS_PAGE,
            min(PAGE_MAX, self._page_max),
        )
        return {
            "accounts": [self._account(name, currency) for currency in page],
            "has_next": bool(cursor),
            "cursor": cursor,
            "size": len(page),
        }

    def get(self, request: ApiRequest) -> Record:
        """Say what is held of one coin."""
        wanted = request.arguments["account_uuid"]
        for name in PORTFOLIOS:
            for currency in self._currencies(name):
                if self._uuid(name, currency) == wanted:
                    return {"account": self._account(name, currency)}
        raise not_found("account not found")

    def _currencies(self, name: str) -> list[str]:
        listed = [one for one in self._listings if one.account == name]
        coins = [one.base for one in listed if not one.is_contract]
        known = dict.fromkeys([*(one.quote for one in listed), *coins])
        held = (one.asset for one in self._state.accounts[name].standing().balances)
        return list(dict.fromkeys([*known, *held]))

    def _uuid(self, name: str, currency: str) -> str:
        return seeded_uuid(self._seed, "account", name, currency)

    def _account(self, name: str, currency: str) -> Record:
        balance = self._state.accounts[name].balance(currency)
        hold = balance.hold or ZERO
        available = EXACT.subtract(balance.total, hold)
        is_fiat = currency in FIAT
        opened = moment_text(self._opened_at, self._state.skew)
        return {
            "uuid": self._uuid(name, currency),
            "name": f"Cash ({currency})" if is_fiat else f"{currency} Wallet",
            "currency": currency,
            "available_balance": {"value": _held(available, currency), "currency": currency},
            "default": True,
            "active": True,
            "created_at": opened,
            "updated_at": opened,
            "deleted_at": None,
            "type": "ACCOUNT_TYPE_FIAT" if is_fiat else "ACCOUNT_TYPE_CRYPTO",
            "ready": True,
            "hold": {"value": _held(hold, currency), "currency": currency},
            "retail_portfolio_id": self.portfolios[name],
            "platform": "ACCOUNT_PLATFORM_INTX" if name == INTX else "ACCOUNT_PLATFORM_CONSUMER",
        }

    def _asked(self, portfolio: str | None) -> str:
        if portfolio is None:
            return SPOT
        for name in PORTFOLIOS:
            if self.portfolios[name] == portfolio:
                return name
        raise not_found("portfolio not found")

    # Portfolios

    def list_portfolios(self, request: ApiRequest) -> Record:
        """Say which portfolios there are."""
        kind = request.value("portfolio_type")
        if kind not in (None, "UNDEFINED", "DEFAULT", "CONSUMER", "INTX"):
            raise invalid(f"invalid portfolio_type {kind}")
        told = [self._portfolio(name) for name in PORTFOLIOS]
        wanted = (None, "UNDEFINED")
        return {"portfolios": [one for one in told if kind in (*wanted, one["type"])]}

    def breakdown(self, request: ApiRequest) -> Record:
        """Say what a portfolio is worth, in US dollars; a USDC counts as one."""
        name = self._asked(request.arguments["portfolio_uuid"])
        standing = self._state.accounts[name].standing()
        worth = [(one, self._worth(one)) for one in standing.balances]
        cash, coins = ZERO, ZERO
        for balance, value in worth:
            if balance.asset in FIAT or balance.asset == "USDC":
                cash = EXACT.add(cash, value)
            else:
                coins = EXACT.add(coins, value)
        total = EXACT.add(cash, coins)
        return {
            "breakdown": {
                "portfolio": self._portfolio(name),
                "portfolio_balances": {
                    "total_balance": amount(total, "USD"),
                    "total_futures_balance": amount(self._futures(name), "USD"),
                    "total_cash_equivalent_balance": amount(cash, "USD"),
                    "total_crypto_balance": amount(coins, "USD"),
                },
                "spot_positions": [self._spot(name, one, value) for one, value in worth],
                "perp_positions": [],
                "futures_positions": [],
            }
        }

    def _portfolio(self, name: str) -> Record:
        title, kind = PORTFOLIOS[name]
        return {"name": title, "uuid": self.portfolios[name], "type": kind, "deleted": False}

    def _worth(self, balance: Balance) -> Decimal:
        if balance.asset in ("USD", "USDC"):
            return balance.total
        symbol = f"{balance.asset}-USD"
        return EXACT.multiply(balance.total, self._state.tape.last(symbol).price)

    def _futures(self, name: str) -> Decimal:
        if name != SPOT:
            return ZERO
        return self._state.accounts[CFM].standing().summary.equity or ZERO

    def _spot(self, name: str, balance: Balance, value: Decimal) -> Record:
        free = EXACT.subtract(balance.total, balance.hold or ZERO)
        # The API gives these as JSON numbers.
        return {
            "asset": balance.asset,
            "account_uuid": self._uuid(name, balance.asset),
            "total_balance_fiat": value,
            "total_balance_crypto": balance.total,
            "available_to_trade_fiat": self._worth(Balance(asset=balance.asset, total=free)),
            "available_to_trade_crypto": free,
            "is_cash": balance.asset in FIAT,
            "account_type": "ACCOUNT_TYPE_FIAT" if balance.asset in FIAT else "ACCOUNT_TYPE_CRYPTO",
        }

    # The key and the fees

    def key_permissions(self, key: ApiKey) -> Record:
        """Say what a key may do."""
        return {
            "can_view": VIEW in key.scopes,
            "can_trade": TRADE in key.scopes,
            "can_transfer": TRANSFER in key.scopes,
            "can_receive": False,
            "portfolio_uuid": self.portfolios[SPOT],
            "portfolio_type": PORTFOLIOS[SPOT][1],
        }

    def transaction_summary(self, request: ApiRequest) -> Record:
        """Say what trading costs; totals are of this venue's life."""
        kind, venue = request.value("product_type"), request.value("product_venue")
        if kind not in (None, "UNKNOWN_PRODUCT_TYPE", "SPOT", "FUTURE"):
            raise invalid(f"invalid product_type {kind}")
        name = SPOT
        if kind == "FUTURE":
            perpetual = request.value("contract_expiry_type") == "PERPETUAL"
            name = INTX if perpetual or venue == "INTX" else CFM
        account = self._state.accounts[name]
        symbol = next(one.product.symbol for one in self._listings if one.account == name)
        rates = account.engine.get_fees(symbol)
        volume, fees = _traded(account)
        # The totals are JSON numbers.
        return {
            "total_volume": volume,
            "total_fees": fees,
            "fee_tier": {
                "pricing_tier": "Advanced 1",
                "usd_from": "0",
                "usd_to": "1000",
                "taker_fee_rate": plain(rates.taker or ZERO),
                "maker_fee_rate": plain(rates.maker or ZERO),
                "aop_from": "",
                "aop_to": "",
            },
            "margin_rate": None,
            "goods_and_services_tax": None,
            "advanced_trade_only_volume": volume,
            "advanced_trade_only_fees": fees,
            "coinbase_pro_volume": ZERO,
            "coinbase_pro_fees": ZERO,
            "total_balance": "",
            "has_promo_fee": False,
        }


def _held(value: Decimal, currency: str) -> str:
    return padded(value, 2 if currency in FIAT else BALANCE_PLACES)


def _traded(account: VenueAccount) -> tuple[Decimal, Decimal]:
    volume = fees = ZERO
    for fill in account.fills():
        volume = EXACT.add(volume, EXACT.multiply(fill.price, fill.quantity))
        fees = EXACT.add(fees, fill.fee or ZERO)
    return volume, fees
