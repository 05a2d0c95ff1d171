"""The double-entry ledger: every amount that comes to one account leaves another.

Money moves by transfers, each of which is two entries that sum to zero. Five accounts take part:

    wallet      what the account of the user has
    market      whoever was on the other side of its trades
    fees        whoever was paid for them
    settlement  the other side of profit and loss of futures
    opening     where the first balances came from
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.simulation.records import BalanceRecord, LedgerEntry

WALLET: Final = "wallet"
MARKET: Final = "market"
FEES: Final = "fees"
SETTLEMENT: Final = "settlement"
OPENING: Final = "opening"

ACCOUNTS: Final = (WALLET, MARKET, FEES, SETTLEMENT, OPENING)
ZERO: Final = Decimal(0)


class LedgerError(ValueError):
    """The entries and the balances do not agree, or a transaction does not sum to zero."""


class Ledger:
    """Entries and balances, always in agreement. Amounts are exact: nothing is ever rounded.

    Transfers are kept in columns, because an object for each would double the memory of an order.
    """

    __slots__ = ("_amounts", "_assets", "_balances", "_sources", "_targets", "_transactions")

    def __init__(self) -> None:
        """Start empty."""
        self._transactions: list[str] = []
        self._sources: list[str] = []
        self._targets: list[str] = []
        self._assets: list[str] = []
        self._amounts: list[Decimal] = []
        self._balances: dict[str, dict[str, Decimal]] = {name: {} for name in ACCOUNTS}

    def __len__(self) -> int:
        """The number of transfers."""
        return len(self._transactions)

    def transfer(
        self, transaction: str, source: str, target: str, asset: str, amount: Decimal
    ) -> None:
        """Move an amount from one account to another; a negative one the other way; zero: not.

        Args:
            transaction: what it is part of, such as a trade_id.
            source: the account that it leaves.
            target: the account that it comes to.
            asset: the currency, the coin, or the symbol of a security or derivative.
            amount: how much, exact.
        """
        if not amount:
            return
        self._transactions.append(transaction)
        self._sources.append(source)
        self._targets.append(target)
        self._assets.append(asset)
        self._amounts.append(amount)
        balances = self._balances
        leaves, comes = balances[source], balances[target]
        leaves[asset] = EXACT.subtract(leaves.get(asset, ZERO), amount)
        comes[asset] = EXACT.add(comes.get(asset, ZERO), amount)

    def balance(self, account: str, asset: str) -> Decimal:
        """Return what an account has of an asset."""
        return self._balances[account].get(asset, ZERO)

    def wallet(self, asset: str) -> Decimal:
        """Return what the user's account has of an asset; negative is a debt or a short sale."""
        return self._balances[WALLET].get(asset, ZERO)

    def wallet_assets(self) -> list[str]:
        """Return every asset that the user's account ever had."""
        return list(self._balances[WALLET])

    def balances(self) -> list[BalanceRecord]:
        """Return every balance, in a fixed order."""
        return [
            BalanceRecord(account, asset, amount)
            for account, assets in self._balances.items()
            for asset, amount in assets.items()
        ]

    def entries(self, start: int = 0) -> Iterator[LedgerEntry]:
        """Yield the entries of the transfers from number `start`, two each."""
        for index in range(start, len(self._transactions)):
            transaction, asset = self._transactions[index], self._assets[index]
            amount = self._amounts[index]
            yield LedgerEntry(transaction, self._sources[index], asset, amount.copy_negate())
            yield LedgerEntry(transaction, self._targets[index], asset, amount)

    def changed_balances(self, start: int) -> list[BalanceRecord]:
        """Return the balances that the transfers from number `start` changed, each once."""
        changed: dict[tuple[str, str], None] = {}
        for index in range(start, len(self._transactions)):
            asset = self._assets[index]
            changed[self._sources[index], asset] = None
            changed[self._targets[index], asset] = None
        return [
            BalanceRecord(account, asset, self._balances[account][asset])
            for account, asset in changed
        ]

    def verify(self) -> None:
        """Add everything up again.

        Raises:
            LedgerError: the entries of an asset do not sum to zero, or not to the balances.
        """
        sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        transactions: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for entry in self.entries():
            account, asset = (entry.account, entry.asset), entry.asset
            sums[account] = EXACT.add(sums[account], entry.amount)
            part = (entry.transaction, asset)
            transactions[part] = EXACT.add(transactions[part], entry.amount)
        for (transaction, asset), total in transactions.items():
            if total:
                raise LedgerError(f"transaction {transaction!r} makes {total} {asset} of nothing")
        for record in self.balances():
            entered = sums.pop((record.account, record.asset), ZERO)
            if entered != record.amount:
                raise LedgerError(
                    f"{record.account} has {record.amount} {record.asset}, "
                    f"and its entries sum to {entered}"
                )
        if left := {account: total for account, total in sums.items() if total}:
            raise LedgerError(f"entries without a balance: {left}")

    @classmethod
    def restore(cls, entries: Iterable[LedgerEntry], balances: Iterable[BalanceRecord]) -> Ledger:
        """Rebuild a ledger, and prove the entries and the balances by each other.

        Raises:
            LedgerError: they do not agree, or entries are not in pairs that sum to zero.
        """
        ledger = cls()
        rest = iter(entries)
        for source in rest:
            target = next(rest, None)
            if target is None or not _is_pair(source, target):
                raise LedgerError(f"entry {source} has no counterpart, but {target}")
            if source.account not in ACCOUNTS or target.account not in ACCOUNTS:
                raise LedgerError(f"entries {source} and {target} name an unknown account")
            ledger.transfer(
                source.transaction, source.account, target.account, source.asset, target.amount
            )
        stated = {(record.account, record.asset): record.amount for record in balances}
        for record in ledger.balances():
            told = stated.pop((record.account, record.asset), ZERO)
            if told != record.amount:
                raise LedgerError(
                    f"{record.account} is stated to have {told} {record.asset}, "
                    f"and its entries sum to {record.amount}"
                )
        if left := {account: amount for account, amount in stated.items() if amount}:
            raise LedgerError(f"balances without an entry: {left}")
        return ledger


def _is_pair(source: LedgerEntry, target: LedgerEntry) -> bool:
    return (
        source.transaction == target.transaction
        and source.asset == target.asset
        and source.amount == target.amount.copy_negate()
    )
