"""Accounts: their values, their positions, and who is told when these change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.accounts import Position, PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, Rounding, divide
from bot_v2.venues.account import VenueAccount
from bot_v2.venues.tws.contract_book import ContractBook
from bot_v2.venues.tws.executions import Executions
from bot_v2.venues.tws.gateway import Gateway, Request, reads
from bot_v2.venues.tws.hours import NEW_YORK
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.state import TwsState

ZERO: Final = Decimal(0)
BASE: Final = "BASE"
LEDGER: Final = "$LEDGER"

_BALANCES: Final = "list_balances get_balance get_account get_margin"
_POSITIONS: Final = "list_positions get_position"

_LEDGER_TAGS: Final = frozenset(
    {"CashBalance", "TotalCashBalance", "ExchangeRate", "Currency", "StockMarketValue"}
)
"""The values that are told by currency."""


@attrs.frozen
class Value:
    """A value of an account."""

    tag: str
    """What it is."""
    text: str
    """How much, as it is sent."""
    currency: str
    """The currency. Empty: it is no amount."""


class AccountApi:
    """Tells accounts.

    Args:
        state: the venue.
        gateway: knows who is connected.
        contracts: what positions are of.
        executions: know what positions cost.
        accounts: the accounts of the login.
    """

    def __init__(
        self,
        state: TwsState,
        gateway: Gateway,
        contracts: ContractBook,
        executions: Executions,
        accounts: Sequence[str],
    ) -> None:
        """Tell nobody yet."""
        self._executions = executions
        self._state = state
        self._gateway = gateway
        self._contracts = contracts
        self._accounts = tuple(accounts)
        self._held: dict[str, dict[str, Position]] = {}

    def requests(self) -> list[Request]:
        """Return what can be asked."""
        return reads(
            {
                "reqManagedAccts": ("list_accounts", self.managed),
                "reqAccountUpdates": (_BALANCES, self.updates),
                "reqAccountUpdatesMulti": (_BALANCES, self.updates_multi),
                "cancelAccountUpdatesMulti": ("", self.ignore),
                "reqAccountSummary": (_BALANCES, self.summary),
                "cancelAccountSummary": ("", self.ignore),
                "reqPositions": (_POSITIONS, self.positions),
                "cancelPositions": ("", self.cancel_positions),
                "reqPositionsMulti": (_POSITIONS, self.positions_multi),
                "cancelPositionsMulti": ("", self.ignore),
                "reqPnL": ("get_account", self.profit),
                "cancelPnL": ("", self.ignore),
            }
        )

    def ignore(self, session: Session, asked: Message) -> None:
        """Take in that something is not wanted any more that is told once only."""

    def managed(self, session: Session, _: Message) -> None:
        """Tell the accounts of the login."""
        session.say("managedAccounts", accounts=",".join(self._accounts))

    def updates(self, session: Session, asked: Message) -> None:
        """Tell an account's values and positions, and from then on its changes."""
        account = asked.text("account") or self._accounts[0]
        if not asked.flag("subscribe"):
            session.account_updates = None
            return
        session.account_updates = account
        if account in self._state.accounts:
            self._say_values(session, account)
            for position in self._positions(account):
                self._say_portfolio(session, account, position)
        now = self._state.clock().astimezone(NEW_YORK)
        session.say("updateAccountTime", time=f"{now:%H:%M}")
        session.say("accountDownloadEnd", account=account)

    def updates_multi(self, session: Session, asked: Message) -> None:
        """Tell an account's values."""
        request_id, account = asked.whole("reqId"), asked.text("account") or self._accounts[0]
        if account in self._state.accounts:
            for value in self._values(self._state.accounts[account]):
                session.say(
                    "accountUpdateMulti",
                    reqId=request_id,
                    account=account,
                    tag=value.tag,
                    value=value.text,
                    currency=value.currency,
                )
        session.say("accountUpdateMultiEnd", reqId=request_id)

    def summary(self, session: Session, asked: Message) -> None:
        """Tell some values of every account."""
        request_id, tags = asked.whole("reqId"), asked.text("tags").split(",")
        by_currency = [tag.partition(":")[2] for tag in tags if tag.startswith(LEDGER)]
        for name in self._accounts:
            for value in self._values(self._state.accounts[name]):
                is_ledger = value.tag in _LEDGER_TAGS and value.currency != ""
                wants = value.tag in tags
                if is_ledger and by_currency:
                    wants = wants or "ALL" in by_currency or value.currency in by_currency
                if wants:
                    session.say(
                        "accountSummary",
                        reqId=request_id,
                        account=name,
                        tag=value.tag,
                        value=value.text,
                        currency=value.currency,
                    )
        session.say("accountSummaryEnd", reqId=request_id)

    def positions(self, session: Session, _: Message) -> None:
        """Tell every account's positions, and from then on their changes."""
        session.wants_positions = True
        for name in self._accounts:
            for position in self._positions(name):
                self._say_position(session, name, position)
        session.say("positionEnd")

    def cancel_positions(self, session: Session, _: Message) -> None:
        """Tell changes of positions no more."""
        session.wants_positions = False

    def positions_multi(self, session: Session, asked: Message) -> None:
        """Tell the positions of an account."""
        request_id, wanted = asked.whole("reqId"), asked.text("account")
        for name in self._accounts:
            if wanted in ("", name):
                for position in self._positions(name):
                    session.say(
                        "positionMulti", reqId=request_id, **self._position_row(name, position)
                    )
        session.say("positionMultiEnd", reqId=request_id)

    def profit(self, session: Session, asked: Message) -> None:
        """Tell the open profit of an account, once."""
        account = asked.text("account") or self._accounts[0]
        total = ZERO
        if account in self._state.accounts:
            for position in self._positions(account):
                total = EXACT.add(total, position.unrealized_pnl or ZERO)
        session.say(
            "pnl",
            reqId=asked.whole("reqId"),
            dailyPnL=total,
            unrealizedPnL=total,
            realizedPnL=ZERO,
        )

    def holdings_changed(self, account: str) -> None:
        """Tell who wants to know that an account's holdings changed."""
        positions = self._positions(account)
        before, now = self._held.get(account, {}), {one.symbol: one for one in positions}
        self._held[account] = now
        gone = [one for symbol, one in before.items() if symbol not in now]
        for session in self._gateway.sessions:
            for position in gone:
                self._say_flat(session, account, position)
            if session.wants_positions:
                for position in positions:
                    self._say_position(session, account, position)
            if session.account_updates == account:
                for position in positions:
                    self._say_portfolio(session, account, position)
                self._say_values(session, account)

    # What is told

    def _say_flat(self, session: Session, account: str, position: Position) -> None:
        """Tell that a position is there no more: its quantity is zero."""
        row = {**self._position_row(account, position), "position": ZERO, "avgCost": ZERO}
        if session.wants_positions:
            session.say("position", **row)
        if session.account_updates == account:
            row["primaryExchange"] = row.pop("exchange")
            row["averageCost"] = row.pop("avgCost")
            session.say(
                "updatePortfolio", **row, marketPrice=ZERO, marketValue=ZERO, unrealizedPNL=ZERO
            )

    def _positions(self, account: str) -> list[Position]:
        return list(self._state.accounts[account].standing().positions)

    def _say_values(self, session: Session, account: str) -> None:
        for value in self._values(self._state.accounts[account]):
            session.say(
                "updateAccountValue",
                tag=value.tag,
                value=value.text,
                currency=value.currency,
                account=account,
            )

    def _values(self, account: VenueAccount) -> Iterable[Value]:
        standing = account.standing()
        summary, margin, currency = standing.summary, standing.margin, standing.summary.currency
        equity, cash = summary.equity or ZERO, summary.cash or ZERO
        gross = ZERO
        for position in standing.positions:
            gross = EXACT.add(gross, (position.market_value or ZERO).copy_abs())
        excess = margin.excess if margin.excess is not None else equity
        used = margin.initial_margin or ZERO
        cushion = ZERO
        if equity > 0:
            cushion = divide(excess, equity, 6, Rounding.HALF_EVEN)
        free = EXACT.subtract(equity, used)
        amounts = {
            "NetLiquidation": equity,
            "TotalCashValue": cash,
            "SettledCash": cash,
            "AccruedCash": ZERO,
            "BuyingPower": margin.buying_power or ZERO,
            "EquityWithLoanValue": equity,
            "PreviousDayEquityWithLoanValue": equity,
            "GrossPositionValue": gross,
            "InitMarginReq": used,
            "MaintMarginReq": margin.maintenance_margin or ZERO,
            "AvailableFunds": free,
            "ExcessLiquidity": excess,
            "FullInitMarginReq": used,
            "FullMaintMarginReq": margin.maintenance_margin or ZERO,
            "FullAvailableFunds": free,
            "FullExcessLiquidity": excess,
        }
        yield Value("AccountType", "INDIVIDUAL", "")
        yield Value("Cushion", f"{cushion:f}", "")
        for tag, amount in amounts.items():
            yield Value(tag, _amount(amount), currency)
        yield from self._ledger(account, currency)

    def _ledger(self, account: VenueAccount, currency: str) -> Iterable[Value]:
        total = ZERO
        for balance in account.standing().balances:
            total = EXACT.add(total, self._converted(balance.total, balance.asset, currency))
            yield Value("Currency", balance.asset, balance.asset)
            yield Value("CashBalance", _amount(balance.total), balance.asset)
            yield Value("TotalCashBalance", _amount(balance.total), balance.asset)
        yield Value("Currency", BASE, BASE)
        yield Value("CashBalance", _amount(total), BASE)
        yield Value("TotalCashBalance", _amount(total), BASE)

    def _converted(self, amount: Decimal, asset: str, currency: str) -> Decimal:
        """Return an amount in the account's currency, by the latest trade of the pair."""
        if asset == currency or not amount:
            return amount
        symbols = {one.product.symbol for one in self._contracts.listings}
        if f"{asset}-{currency}" in symbols:
            return EXACT.multiply(amount, self._state.tape.last(f"{asset}-{currency}").price)
        if f"{currency}-{asset}" in symbols:
            price = self._state.tape.last(f"{currency}-{asset}").price
            return divide(amount, price, 8, Rounding.HALF_EVEN)
        return ZERO

    def _position_row(self, account: str, position: Position) -> dict[str, object]:
        listing = self._contracts.by_symbol(position.symbol)
        known = self._executions.cost_of(account, listing)
        cost = known if known is not None else position.entry_price or ZERO
        return {
            **listing.held(),
            "account": account,
            "exchange": listing.primary or listing.exchange,
            "position": _signed(position),
            "avgCost": EXACT.multiply(cost, listing.product.multiplier),
        }

    def _say_position(self, session: Session, account: str, position: Position) -> None:
        session.say("position", **self._position_row(account, position))

    def _say_portfolio(self, session: Session, account: str, position: Position) -> None:
        row = self._position_row(account, position)
        row["primaryExchange"] = row.pop("exchange")
        row["averageCost"] = row.pop("avgCost")
        session.say(
            "updatePortfolio",
            **row,
            marketPrice=position.current_price or ZERO,
            marketValue=position.market_value or ZERO,
            unrealizedPNL=position.unrealized_pnl or ZERO,
        )


def _signed(position: Position) -> Decimal:
    long = position.side is PositionSide.LONG
    return position.quantity if long else position.quantity.copy_negate()


def _amount(value: Decimal) -> str:
    """Return an amount with two decimals, or with all that it needs."""
    short = value.normalize(EXACT)
    exponent = short.as_tuple().exponent
    if isinstance(exponent, int) and exponent > -2:
        short = short.quantize(Decimal("0.01"), context=EXACT)
    return f"{short:f}"
