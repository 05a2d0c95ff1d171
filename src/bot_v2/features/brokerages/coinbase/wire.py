"""What Advanced Trade v3 sends: the fields that are needed, as text where it prints text."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.features.brokerages.coinbase.decoding import Wire

# The account.


class Amount(Wire):
    """A number and its currency."""

    value: str
    currency: str


class Account(Wire):
    """What a portfolio holds of one currency."""

    uuid: str
    currency: str
    available_balance: Amount
    hold: Amount | None = None
    type: str = ""


class AccountsPage(Wire):
    """A page of accounts."""

    accounts: list[Account]
    has_next: bool = False
    cursor: str = ""


class Permissions(Wire):
    """What a key may do, and which portfolio it is bound to."""

    can_view: bool
    can_trade: bool
    portfolio_uuid: str
    portfolio_type: str = ""
    can_transfer: bool | None = None


class Portfolio(Wire):
    """A portfolio."""

    uuid: str
    name: str = ""
    type: str = ""
    deleted: bool = False


class Portfolios(Wire):
    """The portfolios that a key can see."""

    portfolios: list[Portfolio]


class PortfolioTotals(Wire):
    """What a portfolio is worth."""

    total_balance: Amount


class PortfolioBreakdown(Wire):
    """What a portfolio holds."""

    portfolio: Portfolio
    portfolio_balances: PortfolioTotals


class PortfolioReply(Wire):
    """The reply that tells one portfolio."""

    breakdown: PortfolioBreakdown


class FeeTier(Wire):
    """What trading costs now."""

    maker_fee_rate: str
    taker_fee_rate: str


class TransactionSummary(Wire):
    """What was traded, and what trading costs."""

    fee_tier: FeeTier


class ServerTime(Wire):
    """The broker's clock."""

    iso: str


# Products.


class FutureDetails(Wire):
    """What a product that is a contract is of."""

    venue: str = ""
    contract_code: str = ""
    contract_expiry: str | None = None
    contract_size: str = ""
    contract_root_unit: str = ""
    contract_expiry_type: str = ""


class Product(Wire):
    """A product."""

    product_id: str
    base_increment: str
    quote_increment: str
    base_min_size: str
    base_max_size: str
    quote_currency_id: str
    base_currency_id: str = ""
    quote_min_size: str = ""
    price_increment: str = ""
    product_type: str = ""
    product_venue: str = ""
    display_name: str = ""
    status: str = ""
    is_disabled: bool = False
    trading_disabled: bool = False
    view_only: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False
    future_product_details: FutureDetails | None = None


class Pagination(Wire):
    """Where a list goes on."""

    next_cursor: str = ""
    has_next: bool = False


class Products(Wire):
    """A list of products."""

    products: list[Product]
    pagination: Pagination | None = None


# The market.


class Level(Wire):
    """A price and what is there."""

    price: Decimal
    size: Decimal


class PriceBook(Wire):
    """Bids and asks of a product."""

    product_id: str
    bids: list[Level]
    asks: list[Level]
    time: str | None = None


class ProductBook(Wire):
    """One book."""

    pricebook: PriceBook
    last: str | None = None


class PriceBooks(Wire):
    """The best prices of several products."""

    pricebooks: list[PriceBook]


class MarketTrade(Wire):
    """A trade of the market. Its `side` is left out: the reference does not say whose it is."""

    trade_id: str
    product_id: str
    price: str
    size: str
    time: str


class MarketTrades(Wire):
    """The latest trades, and the best prices."""

    trades: list[MarketTrade]
    best_bid: str = ""
    best_ask: str = ""


class Candle(Wire):
    """What happened in one interval."""

    start: str
    low: str
    high: str
    open: str
    close: str
    volume: str


class Candles(Wire):
    """Candles, newest first."""

    candles: list[Candle]


# Perpetuals.


class PerpetualPosition(Wire):
    """A position in a perpetual."""

    symbol: str
    net_size: str
    position_side: str = ""
    entry_vwap: Amount | None = None
    vwap: Amount | None = None
    mark_price: Amount | None = None
    unrealized_pnl: Amount | None = None
    position_notional: Amount | None = None
    liquidation_price: Amount | None = None
    leverage: str | None = None
    margin_type: str = ""


class PerpetualPositions(Wire):
    """The positions of a portfolio."""

    positions: list[PerpetualPosition]


class PerpetualAsset(Wire):
    """What a collateral is."""

    asset_name: str


class PerpetualBalance(Wire):
    """What a perpetuals portfolio holds of one asset."""

    asset: PerpetualAsset
    quantity: str
    hold: str = ""


class PerpetualPortfolioBalances(Wire):
    """What one perpetuals portfolio holds."""

    portfolio_uuid: str
    balances: list[PerpetualBalance]


class PerpetualBalances(Wire):
    """What the perpetuals portfolios hold."""

    portfolio_balances: list[PerpetualPortfolioBalances]


class PerpetualPortfolio(Wire):
    """How a portfolio of perpetuals stands."""

    portfolio_uuid: str
    collateral: str = ""
    portfolio_im_notional: Amount | None = None
    portfolio_mm_notional: Amount | None = None
    liquidation_buffer: str = ""
    buying_power: Amount | None = None
    total_balance: Amount | None = None


class PerpetualSummary(Wire):
    """The totals of what was asked for."""

    buying_power: Amount | None = None
    total_balance: Amount | None = None


class PerpetualPortfolios(Wire):
    """The portfolios of perpetuals that were asked for: one."""

    portfolios: list[PerpetualPortfolio]
    summary: PerpetualSummary | None = None


# Errors.


class ApiError(Wire):
    """An error of the API, in any of the shapes that it has."""

    error: str | None = None
    message: str | None = None
    error_details: str | None = None
    error_description: str | None = None
    errors: list[ApiErrorItem] | None = None


class ApiErrorItem(Wire):
    """One of several errors."""

    id: str = ""
    message: str = ""
