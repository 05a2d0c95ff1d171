"""The command that shows what this is: orders placed, filled and reconciled on a paper account."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli import views
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.output import Output, as_text
from bot_v2.cli.reconciliation import Check, reconcile
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import session
from bot_v2.cli.values import decimal_of
from bot_v2.features.brokerages.core.accounts import Balance, Position
from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.orders import Order

if TYPE_CHECKING:
    from bot_v2.features.brokerages.paper.adapter import PaperBrokerage

SEED: Final = "7"
"""Which synthetic market it is."""

BALANCE: Final = "100000"
"""The cash that the demonstration starts with."""

COMMISSION: Final = "0.001"
"""What its trades cost, as a fraction of their value."""


@attrs.frozen(kw_only=True)
class DemoReport:
    """How a demonstration went; the keys of its JSON."""

    feed: str
    """What moved the market."""
    synthetic: bool
    """True: its prices are made up."""
    currency: str
    """The currency of the account."""
    starting_cash: Decimal
    """What the account started with."""
    orders: tuple[Order, ...]
    """All orders, oldest first, the exits of brackets included."""
    fills: tuple[Fill, ...]
    """All fills, oldest first."""
    positions: tuple[Position, ...]
    """What is held at the end."""
    balances: tuple[Balance, ...]
    """What the account holds at the end."""
    final_equity: Decimal | None
    """Cash and the value of the positions at the end."""
    checks: tuple[Check, ...]
    """What had to be so."""
    reconciled: bool
    """True: all of it is."""


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("demo")(demo)


def demo(
    feed: Annotated[
        str | None,
        typer.Option(
            "--feed",
            metavar="FILE",
            help="Trade your own prices: a CSV or Parquet file of bars or ticks, by a crossing of "
            "the means of the last 5 and 20 prices. Default: a synthetic market.",
        ),
    ] = None,
    seed: Annotated[
        str, typer.Option("--seed", metavar="N", help="Which synthetic market.")
    ] = SEED,
    balance: Annotated[
        str, typer.Option("--balance", metavar="AMOUNT", help="The cash to start with.")
    ] = BALANCE,
    commission: Annotated[
        str, typer.Option("--commission", metavar="RATE", help="Of a trade's value; 0.001: 10 bps.")
    ] = COMMISSION,
    brokers: Annotated[
        bool,
        typer.Option(
            "--brokers",
            help="Show three brokers instead: simulators on this machine, the real adapters, lost "
            "answers, and the vendors' SDKs as witnesses.",
        ),
    ] = False,
    short: Annotated[
        bool, typer.Option("--short", help="With --brokers: leave out what takes long.")
    ] = False,
    as_json: given.Json = False,
) -> None:
    """Place, fill and reconcile orders on a paper account in memory; needs no credentials."""
    with reporting(as_json) as output:
        if brokers:
            papers = {
                "--feed": (feed, None),
                "--seed": (seed, SEED),
                "--balance": (balance, BALANCE),
                "--commission": (commission, COMMISSION),
            }
            for option, (value, default) in papers.items():
                if value != default:
                    raise InvalidFieldError(option, value, "nothing, beside --brokers")
            if not _shows_brokers(output, is_short=short):
                raise typer.Exit(ExitCode.REFUSED)
            return
        if short:
            raise InvalidFieldError("--short", True, "nothing, but beside --brokers")
        if not (seed.isascii() and seed.isdigit()):
            raise InvalidFieldError("--seed", seed, "a whole number, zero or more")
        settings: dict[str, object] = {
            "initial_balance": decimal_of("--balance", balance),
            "commission": decimal_of("--commission", commission),
            "pace": "replay",
        }
        if feed is None:
            settings |= {"seed": int(seed), "symbols": "BTC-USD"}
        else:
            settings |= {"feed": feed}
        report = _run(settings, output)
        output.show(report, lambda: _show(output, report))
    if not report.reconciled:
        raise typer.Exit(ExitCode.REFUSED)


def _shows_brokers(output: Output, *, is_short: bool) -> bool:
    """Show the three brokers; return whether it all added up."""
    # Imported here: the demonstration on paper does without simulators and journal.
    from bot_v2.cli.demo_brokers.performance import perform

    report = perform(is_short=is_short, is_silent=output.as_json)
    output.show(report, lambda: None)
    return report.reconciled


def _run(settings: Mapping[str, object], output: Output) -> DemoReport:
    # Imported here: other commands do without them.
    from bot_v2.cli.demo_replay import Replay
    from bot_v2.cli.demo_scenario import Scenario
    from bot_v2.features.brokerages.paper.venue import PaperVenue

    def say(text: str) -> None:
        if not output.as_json:
            output.line(text)

    with session(_make_paper(settings)) as broker:
        start = broker.get_account().cash or Decimal(0)
        say(f"the market: {broker.market_description}")
        runs: Replay | Scenario = (
            Replay(broker, say) if "feed" in settings else Scenario(broker, say)
        )
        runs.run()
        received = [order.client_order_id or "" for order in PaperVenue(broker).orders_received()]
        checks = reconcile(broker, runs.placed, received, start)
        account = broker.get_account()
        return DemoReport(
            feed=broker.market_description,
            synthetic=broker.is_synthetic,
            currency=account.currency,
            starting_cash=start,
            orders=tuple(reversed(broker.list_orders())),
            fills=tuple(broker.list_fills()),
            positions=tuple(broker.list_positions()),
            balances=tuple(broker.list_balances()),
            final_equity=account.equity,
            checks=tuple(checks),
            reconciled=all(check.holds for check in checks),
        )


def _make_paper(settings: Mapping[str, object]) -> PaperBrokerage:
    """Make a paper brokerage by the factory, but for nobody's environment."""
    from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
    from bot_v2.orchestration.registry import REGISTRY

    # An account file or a commission that the environment names is not the demonstration's.
    made: Any = REGISTRY.create("paper", settings, {})
    if not isinstance(made, PaperBrokerage):
        raise InvalidFieldError("paper", type(made).__name__, "the paper brokerage of bot-v2")
    return made


def _show(output: Output, report: DemoReport) -> None:
    tables = {
        "orders": (views.ORDERS_IN_SHORT, report.orders),
        "fills": (views.FILLS, report.fills),
        "positions": (views.POSITIONS, report.positions),
        "balances": (views.BALANCES, report.balances),
    }
    for title, (columns, rows) in tables.items():
        output.line()
        output.table(title, columns, rows)
    output.line()
    equity = report.final_equity
    if equity is not None:
        gain = EXACT.subtract(equity, report.starting_cash)
        output.line(
            f"final equity: {as_text(equity)} {report.currency} "
            f"({as_text(gain)} on {as_text(report.starting_cash)})"
        )
    if report.synthetic:
        output.line(
            "The market was synthetic: its prices are made up and say nothing of any real one."
        )
    output.line()
    output.line("reconciliation")
    for check in report.checks:
        output.line(f"  {check.verdict()}")
    output.line("everything adds up" if report.reconciled else "IT DOES NOT ADD UP")
