"""Advanced Trade's words and ours: the account, products and the market. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from bot_v2.features.brokerages.coinbase import wire
from bot_v2.features.brokerages.coinbase.decoding import (
    moment,
    moment_of_seconds,
    moment_or_none,
    number,
    number_or_none,
    number_or_zero,
    positive_or_none,
)
from bot_v2.features.brokerages.core.access import Access, AccessRight, ServerTime
from bot_v2.features.brokerages.core.account_summary import AccountRef, FeeRates
from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.construct import partial
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.market_data import Candle, Quote, Trade
from bot_v2.features.brokerages.core.orderbook import Orderbook, PriceLevel
from bot_v2.features.brokerages.core.products import MarketType, Product
from bot_v2.features.brokerages.core.symbols import (
    FutureSymbol,
    PairSymbol,
    PerpetualSymbol,
    format_symbol,
)

ONE: Final = Decimal(1)

INTX: Final = "INTX"
"""The venue of the perpetuals, and the type of the portfolio that holds them."""

PERPETUAL_WALLET: Final = "perpetuals"
"""The wallet of what is held as collateral of perpetuals."""

WALLETS: Final[dict[str, str]] = {
    # type of account: wallet; the accounts that spot orders use are the main wallet
    "ACCOUNT_TYPE_VAULT": "vault",
    "ACCOUNT_TYPE_PERP_FUTURES": PERPETUAL_WALLET,
}

INTERVALS: Final[dict[timedelta, str]] = {
    timedelta(minutes=1): "ONE_MINUTE",
    timedelta(minutes=5): "FIVE_MINUTE",
    timedelta(minutes=15): "FIFTEEN_MINUTE",
    timedelta(minutes=30): "THIRTY_MINUTE",
    timedelta(hours=1): "ONE_HOUR",
    timedelta(hours=2): "TWO_HOUR",
    timedelta(hours=6): "SIX_HOUR",
    timedelta(days=1): "ONE_DAY",
}
"""The intervals that there are candles of."""


class Names(Protocol):
    """What the broker's product ids stand for."""

    def symbol_of(self, product_id: str) -> str:
        """Return the canonical symbol; `@id` of a product that is not listed."""
        ...

    def quote_of(self, product_id: str) -> str | None:
        """Return the currency that prices are in. None: the product is not listed."""
        ...

    def named(self, product_id: str) -> tuple[str, str | None]:
        """Return what `symbol_of` and `quote_of` say, both at once."""
        ...


# The account.


def balances_by_wallet(balances: Iterable[Balance]) -> list[Balance]:
    """Return one balance for each asset and wallet: a currency may have several accounts."""
    found: dict[tuple[str, str], Balance] = {}
    for balance in balances:
        key = (balance.asset, balance.wallet)
        found[key] = _sum_of(found[key], balance) if key in found else balance
    return list(found.values())


def balance_from_native(native: wire.Account) -> Balance:
    """Return what one account holds."""
    available = number(native.available_balance.value)
    hold = number_or_zero(native.hold.value if native.hold else None)
    return Balance(
        asset=native.currency,
        wallet=WALLETS.get(native.type, ""),
        total=EXACT.add(available, hold),
        available=available,
        hold=hold,
    )


def _sum_of(one: Balance, other: Balance) -> Balance:
    available = EXACT.add(one.available or Decimal(0), other.available or Decimal(0))
    hold = EXACT.add(one.hold or Decimal(0), other.hold or Decimal(0))
    return Balance(
        asset=one.asset,
        wallet=one.wallet,
        total=EXACT.add(available, hold),
        available=available,
        hold=hold,
    )


def balance_from_perpetual(native: wire.PerpetualBalance) -> Balance:
    """Return what a perpetuals portfolio holds of one asset."""
    total, hold = number(native.quantity), number_or_zero(native.hold)
    return Balance(
        asset=native.asset.asset_name,
        wallet=PERPETUAL_WALLET,
        total=total,
        available=EXACT.subtract(total, hold),
        hold=hold,
    )


def account_from_native(native: wire.Portfolio) -> AccountRef:
    """Return a portfolio: each is an account of its own."""
    return AccountRef(account_id=native.uuid, name=native.name or None)


def access_from_native(native: wire.Permissions, clock: ServerTime) -> Access:
    """Return what a key may do; what is not printed is not told."""
    told = {
        AccessRight.READ: native.can_view,
        AccessRight.TRADE: native.can_trade,
        AccessRight.WITHDRAW: native.can_transfer,
    }
    return Access(
        granted=tuple(right for right, may in told.items() if may),
        refused=tuple(right for right, may in told.items() if may is False),
        server_time=clock,
    )


def fees_from_native(native: wire.TransactionSummary) -> FeeRates:
    """Return the rates of the tier that the account is in."""
    tier = native.fee_tier
    return FeeRates(maker=number(tier.maker_fee_rate), taker=number(tier.taker_fee_rate))


# Products.


def product_from_native(native: wire.Product) -> Product:
    """Return a product; one that the grammar cannot name is called by its id."""
    details = native.future_product_details
    kind = _market_type_of(native)
    contract = kind is not MarketType.SPOT and details is not None
    size = positive_or_none(details.contract_size) if contract and details else None
    base = native.base_currency_id or (details.contract_root_unit if details else "")
    expires = moment_or_none(details.contract_expiry) if details else None
    return Product(
        symbol=_symbol_of(native, kind, expires),
        market_type=kind,
        base_currency=base or None,
        quote_currency=native.quote_currency_id,
        settle_currency=native.quote_currency_id if contract else None,
        min_order_size=positive_or_none(native.base_min_size),
        max_order_size=positive_or_none(native.base_max_size),
        min_notional=positive_or_none(native.quote_min_size),
        price_increment=positive_or_none(native.price_increment or native.quote_increment),
        size_increment=positive_or_none(native.base_increment),
        multiplier=size or ONE,
        expiry=expires.date() if expires and kind is MarketType.FUTURES else None,
        tradeable=_is_tradeable(native),
        name=native.display_name or None,
        metadata=_extras_of(native, kind),
    )


def _market_type_of(native: wire.Product) -> MarketType:
    details = native.future_product_details
    if native.product_type in ("SPOT", ""):
        return MarketType.SPOT
    if native.product_type != "FUTURE" or details is None:
        return MarketType.OTHER
    is_perpetual = details.contract_expiry_type == "PERPETUAL"
    return MarketType.PERPETUAL if is_perpetual else MarketType.FUTURES


def _symbol_of(native: wire.Product, kind: MarketType, expires: datetime | None) -> str:
    details = native.future_product_details
    try:
        if kind is MarketType.SPOT:
            pair = PairSymbol(base=native.base_currency_id, quote=native.quote_currency_id)
            return format_symbol(pair)
        if kind is MarketType.PERPETUAL and details:
            return format_symbol(
                PerpetualSymbol(base=details.contract_root_unit, quote=native.quote_currency_id)
            )
        if kind is MarketType.FUTURES and details and expires:
            future = FutureSymbol(root=details.contract_code, expiry=expires.date())
            return format_symbol(future)
    except InvalidFieldError:
        # The currency codes are not in the grammar: the broker's own name is all there is.
        pass
    return f"@{native.product_id}"


def _is_tradeable(native: wire.Product) -> bool:
    closed = native.is_disabled or native.trading_disabled or native.view_only or native.cancel_only
    return not closed and native.status in ("online", "")


def _extras_of(native: wire.Product, kind: MarketType) -> dict[str, str | bool]:
    extras: dict[str, str | bool] = {}
    if native.limit_only:
        extras["limit_only"] = True
    if native.post_only:
        extras["post_only"] = True
    if kind is not MarketType.SPOT:
        extras["venue"] = native.product_venue
    if kind is MarketType.OTHER:
        extras["product_type"] = native.product_type
    return extras


# The market.


_level: Final = partial(PriceLevel)


def _levels(native: Iterable[wire.Level]) -> tuple[PriceLevel, ...]:
    return tuple([_level(level.price, level.size) for level in native])


def book_from_native(native: wire.PriceBook, names: Names) -> Orderbook:
    """Return a book."""
    return Orderbook(
        symbol=names.symbol_of(native.product_id),
        bids=_levels(native.bids),
        asks=_levels(native.asks),
        timestamp=moment_or_none(native.time),
    )


def quote_from_native(native: wire.ProductBook, names: Names, now: datetime) -> Quote:
    """Return the best prices of a book.

    Args:
        native: a book of one level or more.
        names: the products.
        now: when it was asked for, for a book that does not say as of when it is.
    """
    book = book_from_native(native.pricebook, names)
    bid = book.bids[0] if book.bids else None
    ask = book.asks[0] if book.asks else None
    return Quote(
        symbol=book.symbol,
        timestamp=book.timestamp or now,
        bid=bid.price if bid else None,
        bid_size=bid.size if bid else None,
        ask=ask.price if ask else None,
        ask_size=ask.size if ask else None,
        last=positive_or_none(native.last),
    )


def prices_from_native(
    native: wire.MarketTrades,
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return the latest trade's price, the best bid and the best ask; None where there is none."""
    last = next((positive_or_none(trade.price) for trade in native.trades), None)
    return last, positive_or_none(native.best_bid), positive_or_none(native.best_ask)


def trade_from_native(native: wire.MarketTrade, names: Names) -> Trade:
    """Return a trade of the market."""
    return Trade(
        symbol=names.symbol_of(native.product_id),
        trade_id=native.trade_id or None,
        price=number(native.price),
        size=number(native.size),
        timestamp=moment(native.time),
    )


def candle_from_native(
    native: wire.Candle, symbol: str, interval: timedelta, now: datetime
) -> Candle:
    """Return a candle; one whose interval has not ended by `now` still forms."""
    open_time = moment_of_seconds(native.start)
    return Candle(
        symbol=symbol,
        open_time=open_time,
        interval=interval,
        open=number(native.open),
        high=number(native.high),
        low=number(native.low),
        close=number(native.close),
        volume=number_or_none(native.volume),
        complete=open_time + interval <= now,
    )


# Perpetuals.

SIDES_OF_POSITIONS: Final[dict[str, PositionSide]] = {
    "POSITION_SIDE_LONG": PositionSide.LONG,
    "LONG": PositionSide.LONG,
    "POSITION_SIDE_SHORT": PositionSide.SHORT,
    "SHORT": PositionSide.SHORT,
}


def position_from_native(
    native: wire.PerpetualPosition, names: Names, account_id: str
) -> Position | None:
    """Return a position. None: it is flat."""
    size = number(native.net_size)
    if size == 0:
        return None
    by_sign = PositionSide.SHORT if size < 0 else PositionSide.LONG
    side = SIDES_OF_POSITIONS.get(native.position_side, by_sign)
    value = _value_of(native.position_notional)
    if value is not None:
        value = -abs(value) if side is PositionSide.SHORT else abs(value)
    extras = {"leverage": native.leverage, "margin_type": native.margin_type}
    return Position(
        symbol=names.symbol_of(native.symbol),
        quantity=size.copy_abs(),
        side=side,
        entry_price=_price_of(native.entry_vwap) or _price_of(native.vwap),
        current_price=_price_of(native.mark_price),
        unrealized_pnl=_value_of(native.unrealized_pnl),
        market_value=value,
        account_id=account_id,
        metadata={
            "liquidation_price": _price_of(native.liquidation_price),
            **{name: value for name, value in extras.items() if value},
        },
    )


def _value_of(amount: wire.Amount | None) -> Decimal | None:
    return None if amount is None else number_or_none(amount.value)


def _price_of(amount: wire.Amount | None) -> Decimal | None:
    return None if amount is None else positive_or_none(amount.value)
