"""What a paper exchange is made of, by its settings: a file, a feed and an engine."""

from __future__ import annotations

from datetime import datetime

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.products import Product
from bot_v2.features.brokerages.paper.account_file import AccountFile
from bot_v2.features.brokerages.paper.default_market import synthetic_market
from bot_v2.features.brokerages.paper.settings import Pace, PaperSettings
from bot_v2.shared.types import Clock
from bot_v2.simulation.account import AccountSettings
from bot_v2.simulation.engine import MatchingEngine
from bot_v2.simulation.feeds.feed import PriceFeed
from bot_v2.simulation.feeds.open_feed import open_feed
from bot_v2.simulation.fees import FeeModel, MakerTakerFees, NoFees
from bot_v2.simulation.journal import EngineJournal, EngineState
from bot_v2.simulation.sessions import AlwaysOpen, ExchangeCalendar, TradingCalendar
from bot_v2.simulation.slippage import NoSlippage, PercentSlippage, SlippageModel

ALWAYS = "always"
"""The calendar of a market that never closes."""


@attrs.frozen(kw_only=True)
class Assembly:
    """Makes the parts of an exchange, each when it is needed: making this one reads no file."""

    settings: PaperSettings
    """What the parts are made by."""
    clock: Clock
    """The present moment."""
    feed: PriceFeed | None = None
    """What moves the market. None: what the settings say."""
    fees: FeeModel | None = None
    """What trades cost. None: the commission of the settings."""
    slippage: SlippageModel | None = None
    """How much worse than the market an order fills. None: as the settings say."""
    calendar: TradingCalendar | None = None
    """When the market is open. None: as the settings say."""

    def open_file(self) -> AccountFile | None:
        """Open the account file. None: the account is in memory."""
        settings = self.settings
        if settings.account_file is None:
            return None
        file = AccountFile(settings.account_file, settings.durability)
        try:
            file.check_account(self.account())
        except BaseException:
            file.close()
            raise
        return file

    def make_feed(self, start: datetime, state: EngineState) -> PriceFeed:
        """Return what moves the market, for an account that was left in some state."""
        if self.feed is not None:
            return self.feed
        settings = self.settings
        if settings.feed is not None:
            return open_feed(settings.feed)
        return synthetic_market(
            seed=settings.seed,
            symbols=settings.symbols,
            start=start,
            clock=self.clock if settings.effective_pace is Pace.LIVE else None,
            marks=state.marks,
            steps=state.counters.steps,
        )

    def choose_products(self, feed: PriceFeed) -> tuple[Product, ...]:
        """Return the products of a feed that the settings want.

        Raises:
            InvalidFieldError: the feed does not have one of them.
        """
        by_symbol = {product.symbol: product for product in feed.products}
        for symbol in self.settings.symbols:
            if symbol not in by_symbol:
                raise InvalidFieldError("PAPER_SYMBOLS", symbol, f"any of {', '.join(by_symbol)}")
        wanted = self.settings.symbols or tuple(by_symbol)
        return tuple(by_symbol[symbol] for symbol in wanted)

    def build_engine(
        self,
        clock: Clock,
        products: tuple[Product, ...],
        state: EngineState,
        journal: EngineJournal | None,
    ) -> MatchingEngine:
        """Return an engine in some state; an account that has made no step is new.

        Args:
            clock: the engine's time.
            products: everything that can be traded.
            state: what the account was.
            journal: what its steps are stored in from now on. None: nothing.

        Raises:
            LedgerError: the state does not add up.
        """
        settings = self.settings
        commission, bps = settings.commission, settings.slippage_bps
        rate = MakerTakerFees(maker=commission, taker=commission)
        slippage = PercentSlippage(bps=bps) if bps else NoSlippage()
        return MatchingEngine(
            account=self.account(),
            products=products,
            clock=clock,
            fees=self.fees or (rate if commission else NoFees()),
            slippage=self.slippage or slippage,
            calendar=self._calendar(),
            latency_s=settings.latency_s,
            journal=journal,
            state=state if state.counters.steps else None,
        )

    def account(self) -> AccountSettings:
        """Return the account as it is opened."""
        settings = self.settings
        return AccountSettings(
            account_id=settings.account_id,
            kind=settings.account_kind,
            currency=settings.currency,
            initial_balances={settings.currency: settings.initial_balance},
        )

    def _calendar(self) -> TradingCalendar:
        if self.calendar is not None:
            return self.calendar
        code = self.settings.calendar
        return AlwaysOpen() if code.lower() == ALWAYS else ExchangeCalendar(code)
