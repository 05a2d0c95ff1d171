"""The trading API's words and ours: the account and what can be traded. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.alpaca import wire
from bot_v2.features.brokerages.alpaca.decoding import (
    ZERO,
    MalformedError,
    in_utc,
    positive_or_none,
)
from bot_v2.features.brokerages.alpaca.symbols import (
    CRYPTO,
    EQUITY,
    OPTION,
    class_of,
    symbol_from_native,
)
from bot_v2.features.brokerages.core.access import Access, AccessRight, ServerTime
from bot_v2.features.brokerages.core.account_summary import AccountSummary, Margin
from bot_v2.features.brokerages.core.accounts import Balance, Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.features.brokerages.core.market_data import MarketStatus
from bot_v2.features.brokerages.core.products import (
    MarketType,
    OptionRight,
    PriceBand,
    Product,
)
from bot_v2.features.brokerages.core.symbols import PairSymbol, parse_symbol

ONE: Final = Decimal(1)
CENT: Final = Decimal("0.01")
NANO: Final = Decimal("0.000000001")
"""The smallest step of shares and coins."""
UTILIZATION_PLACES: Final = 6

ACTIVE: Final = "active"
ACCOUNT_ACTIVE: Final = "ACTIVE"

STOCK_BANDS: Final = (
    # The sub-penny rule of US stocks.
    PriceBand(lower_price=ZERO, price_increment=Decimal("0.0001")),
    PriceBand(lower_price=ONE, price_increment=CENT),
)

OPTION_BANDS: Final[dict[bool | None, tuple[PriceBand, ...]]] = {
    # whether the contract is in the exchanges' penny program: its steps; None: not said
    True: (
        PriceBand(lower_price=ZERO, price_increment=CENT),
        PriceBand(lower_price=Decimal(3), price_increment=Decimal("0.05")),
    ),
    False: (
        PriceBand(lower_price=ZERO, price_increment=Decimal("0.05")),
        PriceBand(lower_price=Decimal(3), price_increment=Decimal("0.10")),
    ),
    None: (),
}
IN_CENTS: Final = frozenset({"IWM", "QQQ", "SPY"})
"""The underlyings whose options the program lets trade in cents at any price."""

MARKET_TYPES: Final[dict[str, MarketType]] = {
    EQUITY: MarketType.EQUITY,
    CRYPTO: MarketType.SPOT,
    OPTION: MarketType.OPTION,
}

RIGHTS: Final = {"call": OptionRight.CALL, "put": OptionRight.PUT}

SIDES: Final = {"long": PositionSide.LONG, "short": PositionSide.SHORT}

_BLOCKS: Final = (
    # field of the account, what it means
    ("account_blocked", "the account is blocked"),
    ("trading_blocked", "trading is blocked"),
    ("trade_suspended_by_user", "trading is suspended by the user"),
    ("transfers_blocked", "transfers are blocked"),
    ("pattern_day_trader", "the account is marked as a pattern day trader's"),
)


# The account.


def restrictions_from_native(native: wire.Account) -> tuple[str, ...]:
    """Return what the account may not do, in words; empty: nothing is kept from it."""
    found = [words for name, words in _BLOCKS if getattr(native, name)]
    if native.status and native.status != ACCOUNT_ACTIVE:
        found.insert(0, f"the account is {native.status}")
    if not native.shorting_enabled:
        found.append("short sales are disabled")
    return tuple(found)


def summary_from_native(native: wire.Account) -> AccountSummary:
    """Return the account's totals."""
    equity, used = native.equity, native.initial_margin
    utilization = None
    if equity is not None and used is not None and equity.is_finite() and equity > ZERO:
        utilization = divide(used, equity, UTILIZATION_PLACES, Rounding.HALF_EVEN)
    return AccountSummary(
        account_id=native.id,
        currency=native.currency,
        equity=equity,
        cash=native.cash,
        buying_power=native.buying_power,
        margin_used=used,
        utilization=utilization,
    )


def margin_from_native(native: wire.Account) -> Margin:
    """Return the account's margin as it is."""
    equity, maintenance = native.equity, native.maintenance_margin
    excess = None
    if equity is not None and maintenance is not None:
        excess = EXACT.subtract(equity, maintenance)
    return Margin(
        currency=native.currency,
        initial_margin=native.initial_margin,
        maintenance_margin=maintenance,
        excess=excess,
        buying_power=native.buying_power,
    )


def balances_from_native(
    account: wire.Account, positions: Iterable[wire.Position]
) -> list[Balance]:
    """Return the cash, and the coins, which Alpaca tells as positions."""
    if account.cash is None:
        raise MalformedError("the account tells no cash")
    cash = Balance(asset=account.currency, total=account.cash)
    return [cash, *(_coins_of(one) for one in positions if one.asset_class == CRYPTO)]


def _coins_of(native: wire.Position) -> Balance:
    available = native.qty_available
    return Balance(
        asset=base_of(native.symbol),
        total=native.qty,
        available=available,
        hold=None if available is None else EXACT.subtract(native.qty, available),
    )


def base_of(native: str) -> str:
    """Return the coin of a crypto pair."""
    symbol = symbol_from_native(native, CRYPTO)
    parsed = parse_symbol(symbol)
    return parsed.base if isinstance(parsed, PairSymbol) else native


def position_from_native(native: wire.Position, account_id: str) -> Position | None:
    """Return a position. None: it is flat.

    Raises:
        MalformedError: its side is neither long nor short.
    """
    if native.qty == ZERO:
        return None
    is_short = native.qty < ZERO
    side = SIDES.get(native.side) if native.side else SIDES["short" if is_short else "long"]
    if side is None:
        raise MalformedError(f"side is {native.side!r}, not one of {', '.join(SIDES)}")
    return Position(
        symbol=symbol_from_native(native.symbol, native.asset_class),
        quantity=abs(native.qty),
        side=side,
        account_id=account_id,
        entry_price=native.avg_entry_price,
        current_price=native.current_price,
        unrealized_pnl=native.unrealized_pl,
        market_value=native.market_value,
        metadata=_extras({"asset_id": native.asset_id, "available": native.qty_available}),
    )


# What can be traded.


def product_from_native(native: wire.Asset) -> Product:
    """Return a stock or a crypto pair.

    Raises:
        MalformedError: it has no id or no symbol.
    """
    _require_name(native.id, native.symbol)
    asset_class = native.asset_class or class_of(native.symbol)
    symbol = symbol_from_native(native.symbol, asset_class)
    kind = MARKET_TYPES.get(asset_class, MarketType.OTHER)
    is_crypto = kind is MarketType.SPOT
    parsed = parse_symbol(symbol)
    pair = parsed if is_crypto and isinstance(parsed, PairSymbol) else None
    whole = NANO if native.fractionable else ONE
    return Product(
        symbol=symbol,
        market_type=kind,
        base_currency=pair.base if pair else None,
        quote_currency=pair.quote if pair else "USD",
        min_order_size=positive_or_none(native.min_order_size) if is_crypto else whole,
        price_increment=positive_or_none(native.price_increment) if is_crypto else None,
        price_bands=() if is_crypto else STOCK_BANDS,
        size_increment=positive_or_none(native.min_trade_increment) if is_crypto else whole,
        tradeable=native.tradable and native.status == ACTIVE,
        name=native.name or None,
        metadata=_extras(
            {
                "asset_id": native.id,
                "asset_class": asset_class,
                "native_symbol": native.symbol,
                "exchange": native.exchange or None,
                "marginable": native.marginable,
                "shortable": native.shortable,
                "easy_to_borrow": native.easy_to_borrow,
                "maintenance_margin_percent": native.maintenance_margin_requirement,
            }
        ),
    )


def product_from_contract(native: wire.Contract) -> Product:
    """Return an option.

    Raises:
        MalformedError: it is neither a call nor a put, or has no id or no symbol.
    """
    _require_name(native.id, native.symbol)
    right = RIGHTS.get(native.type)
    if right is None:
        raise MalformedError(f"type is {native.type!r}, not one of {', '.join(RIGHTS)}")
    return Product(
        symbol=symbol_from_native(native.symbol, OPTION),
        market_type=MarketType.OPTION,
        quote_currency="USD",
        min_order_size=ONE,
        price_increment=CENT,
        price_bands=() if native.underlying_symbol in IN_CENTS else OPTION_BANDS[native.ppind],
        size_increment=ONE,
        multiplier=native.multiplier or native.size,
        expiry=native.expiration_date,
        strike=native.strike_price,
        right=right,
        underlying=symbol_from_native(native.underlying_symbol, EQUITY),
        tradeable=native.tradable and native.status == ACTIVE,
        name=native.name or None,
        metadata=_extras(
            {
                "asset_id": native.id,
                "asset_class": OPTION,
                "native_symbol": native.symbol,
                "style": native.style,
            }
        ),
    )


def access_from_native(native: wire.Account, clock: ServerTime) -> Access:
    """Return whether the account may trade, and what restricts it. Its keys have no limits."""
    is_active = native.status in ("", ACCOUNT_ACTIVE)
    is_stopped = native.account_blocked or native.trading_blocked or native.trade_suspended_by_user
    trade = (AccessRight.TRADE,)
    may_trade = is_active and not is_stopped
    return Access(
        granted=(AccessRight.READ, *(trade if may_trade else ())),
        refused=() if may_trade else trade,
        restrictions=restrictions_from_native(native),
        server_time=clock,
    )


def status_from_native(native: wire.MarketClock, symbol: str) -> MarketStatus:
    """Return whether the stock market is open."""
    return MarketStatus(
        symbol=symbol,
        is_open=native.is_open,
        next_open=in_utc(native.next_open),
        next_close=in_utc(native.next_close),
    )


def _require_name(asset_id: str, symbol: str) -> None:
    if not asset_id or not symbol:
        raise MalformedError(f"an asset {symbol!r} with the id {asset_id!r}")


def _extras(extras: dict[str, str | bool | Decimal | None]) -> dict[str, str | bool | Decimal]:
    return {name: value for name, value in extras.items() if value not in (None, "")}
