"""The commands that show what accounts hold: one, or all of the desk."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli import views
from bot_v2.cli.desk_session import (
    ABSENT,
    Absent,
    Brokers,
    absent_of,
    connected_desk,
    require_some,
)
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.output import Column, Output, waiting
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import Target, connected
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.declarations import name_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError, UnsupportedOperationError
from bot_v2.simulation.clock import utc_now

if TYPE_CHECKING:
    from bot_v2.orchestration.desk.equity import ConsolidatedEquity, ConsolidatedGains
    from bot_v2.orchestration.desk.exposures import ConsolidatedBalances, ConsolidatedPositions
    from bot_v2.orchestration.desk.totals import Rate
    from bot_v2.orchestration.multi_broker import MultiBrokerManager

TOTALS: Final[tuple[Column, ...]] = (
    ("currency", lambda row: row.currency),
    ("amount", lambda row: row.amount),
    ("as of", lambda row: row.as_of),
    ("of", lambda row: ", ".join(row.brokers)),
    ("not said by", lambda row: ", ".join(row.unsaid) or None),
)
HELD: Final[tuple[Column, ...]] = (
    ("broker", lambda row: row.broker),
    *((heading, lambda row, take=take: take(row.position)) for heading, take in views.POSITIONS),
    ("as of", lambda row: row.as_of),
)
EXPOSURES: Final[tuple[Column, ...]] = (
    ("symbol", lambda row: row.symbol),
    ("net", lambda row: row.net_quantity),
    ("long", lambda row: row.long_quantity),
    ("short", lambda row: row.short_quantity),
    ("at", lambda row: ", ".join(row.brokers)),
    ("as of", lambda row: row.as_of),
)
EQUITIES: Final[tuple[Column, ...]] = (
    ("broker", lambda row: row.broker),
    ("amount", lambda row: row.amount),
    ("currency", lambda row: row.currency),
    ("as of", lambda row: row.as_of),
)


@attrs.frozen(kw_only=True)
class Portfolio:
    """What one account holds; the keys of its JSON."""

    broker: str
    """The brokerage's name."""
    account_id: str
    """The account."""
    equity: dict[str, Decimal | None]
    """What it is worth, by currency or asset. Empty: the broker does not say."""
    equity_error: str | None
    """Why that is not said."""
    balances: tuple[Balance, ...]
    """Its balances."""
    positions: tuple[Position, ...]
    """Its positions."""
    as_of: datetime
    """When it was asked: nothing in it is older, as far as the broker's reads are fresh."""


@attrs.frozen(kw_only=True)
class MultiPortfolio:
    """What the accounts of the desk hold; the keys of its JSON."""

    equity: ConsolidatedEquity
    """What they are worth."""
    gains: ConsolidatedGains
    """What their positions have gained, and not realized."""
    balances: ConsolidatedBalances
    """Their balances, and the sums by asset."""
    positions: ConsolidatedPositions
    """Their positions, and what they come to by symbol."""
    missing: tuple[Absent, ...]
    """What is not in it: that is not zero."""


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("portfolio")(portfolio)
    app.command("multi-portfolio")(multi_portfolio)


def portfolio(
    broker: given.Broker = None, account: given.Account = None, as_json: given.Json = False
) -> None:
    """Show what one account is worth, and what it holds."""
    # Imported here: it is the command that needs it, not the command line.
    from bot_v2.orchestration.desk.equity import read_equity

    target = Target(broker=broker, account=account)
    with (
        reporting(as_json, target) as output,
        connected(target) as brokerage,
        waiting("asking", is_silent=as_json),
    ):
        as_of, equity, error = utc_now(), {}, None
        try:
            equity = dict(read_equity(brokerage, name_of(brokerage)).amounts)
        except UnsupportedOperationError as unsaid:
            error = unsaid.message
        found = Portfolio(
            broker=broker or name_of(brokerage),
            account_id=brokerage.get_account_id(),
            equity=equity,
            equity_error=error,
            balances=tuple(brokerage.list_balances()),
            positions=tuple(brokerage.list_positions()),
            as_of=as_of,
        )
        output.show(found, lambda: _show_one(output, found))


def _show_one(output: Output, found: Portfolio) -> None:
    facts = [(f"equity in {name}", amount) for name, amount in found.equity.items()]
    said = [("equity", found.equity_error)] if found.equity_error else []
    title = f"{found.broker}, account {found.account_id}"
    output.facts(title, [*facts, *said, ("as of", found.as_of)])
    output.line()
    output.table("balances", views.BALANCES, found.balances)
    output.line()
    output.table("positions", views.POSITIONS, found.positions)


def multi_portfolio(
    brokers: Brokers = None,
    currency: Annotated[
        str | None,
        typer.Option(
            "--currency",
            metavar="CURRENCY",
            help="Convert equity to it, by quotes of --rate; nothing is converted without one.",
        ),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            "--rate",
            metavar="CURRENCY=BROKER",
            help="Convert this currency by that broker's quote; repeatable.",
        ),
    ] = None,
    as_json: given.Json = False,
) -> None:
    """Show what all accounts of the desk hold, side by side and added up; exit code 7: not all.

    Who does not answer is missing, and never zero.
    """
    with reporting(as_json) as output, connected_desk(brokers, is_silent=as_json) as desk:
        manager = desk.manager
        with waiting("asking", is_silent=as_json):
            rates = _rates(manager, currency, rate or [])
            equity = manager.read_equity(currency=currency, rates=rates)
            positions = manager.read_positions()
            balances, gains = manager.read_balances(), manager.read_gains()
        require_some(desk, [*equity.accounts, *balances.balances])
        unanswered = (
            *equity.missing,
            *positions.missing,
            *balances.missing,
            *gains.missing,
        )
        found = MultiPortfolio(
            equity=equity,
            gains=gains,
            balances=balances,
            positions=positions,
            missing=tuple(dict.fromkeys((*desk.absent, *absent_of(unanswered)))),
        )
        document = attrs.asdict(found, recurse=False)
        output.show(document, lambda: _show_all(output, found))
    if found.missing:
        raise typer.Exit(ExitCode.INCOMPLETE)


def _rates(manager: MultiBrokerManager, currency: str | None, texts: list[str]) -> list[Rate]:
    rates = []
    for text in texts:
        base, _, broker = text.partition("=")
        if not base or not broker or currency is None:
            accepted = "CURRENCY=BROKER, such as EUR=coinbase-main, with a --currency"
            raise InvalidFieldError("--rate", text, accepted)
        rates.append(manager.read_rate(base, currency, broker))
    return rates


def _show_all(output: Output, found: MultiPortfolio) -> None:
    each = [amount for account in found.equity.accounts for amount in account.amounts]
    output.table("equity", EQUITIES, each)
    output.line()
    output.table("equity of all", TOTALS, found.equity.totals)
    if found.equity.converted is not None:
        _show_converted(output, found.equity)
    output.line()
    output.table("positions", HELD, found.positions.positions)
    if found.positions.exposures:
        output.line()
        output.table("exposure", EXPOSURES, found.positions.exposures)
    if found.gains.totals:
        output.line()
        output.table("unrealized", TOTALS, found.gains.totals)
    output.line()
    output.table("balances of all", TOTALS, found.balances.totals)
    if found.missing:
        output.line()
        output.table("missing, which is not zero", ABSENT, found.missing)


def _show_converted(output: Output, equity: ConsolidatedEquity) -> None:
    converted = equity.converted
    if converted is None:
        return
    output.line()
    facts: list[tuple[str, object]] = [("amount", converted.amount)]
    facts += [(f"without {one.total.currency}", one.total.amount) for one in converted.unconverted]
    output.facts(f"in {converted.currency}, by the quotes that were named", facts)
