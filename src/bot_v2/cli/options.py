"""The options and arguments that several commands share."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import typer

from bot_v2.cli.values import choices_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.order_terms import OrderType, PositionEffect, TimeInForce


def _one_of(values: list[str]) -> str:
    return f"One of {', '.join(values)}."


PRICES: Final = "Prices"
TERMS: Final = "Terms"

Broker: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--broker",
        "-b",
        metavar="NAME",
        help="Which brokerage. Default: BROKER, BROKER_NAME or DEFAULT_BROKER of the environment.",
    ),
]
Account: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="FILE",
        help="The paper brokerage's account file; :memory: for none. Default: "
        "PAPER_ACCOUNT_FILE, else a file in your own application folder.",
    ),
]
Journal: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="URL",
        help="The order journal: a file, sqlite:///FILE or postgresql://... Default: "
        "BOT_V2_JOURNAL, else beside --account, else a file in your own state folder.",
    ),
]
TradeJournal: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--journal",
        metavar="URL",
        help="Write the order down first, in this journal, and find out what becomes of it: a "
        "file, sqlite:///FILE or postgresql://... Default: BOT_V2_JOURNAL, else none.",
    ),
]
Json: TypeAlias = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document; decimals are strings."),
]
Yes: TypeAlias = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Do not ask before writing to a live broker."),
]
Symbol: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="SYMBOL", help="Such as BTC-USD, AAPL, or the broker's own with @."),
]
Quantity: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="QUANTITY", help="How much, in order units; or use --notional."),
]
OptionalSymbol: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="SYMBOL", help="Such as BTC-USD, AAPL, or the broker's own with @."),
]
WholeQuantity: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="QUANTITY", help="How much in all, in order units.")
]
SymbolOption: TypeAlias = Annotated[
    str | None, typer.Option("--symbol", metavar="SYMBOL", help="SYMBOL, as an option.")
]
QuantityOption: TypeAlias = Annotated[
    str | None, typer.Option("--quantity", metavar="QUANTITY", help="QUANTITY, as an option.")
]
Notional: TypeAlias = Annotated[
    str | None,
    typer.Option("--notional", metavar="AMOUNT", help="How much, in quote currency."),
]
Type: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        help=f"{_one_of(choices_of(OrderType))} Default: what the prices given make it.",
    ),
]
Price: TypeAlias = Annotated[
    str | None, typer.Option("--price", metavar="PRICE", help="The limit.")
]
StopPrice: TypeAlias = Annotated[
    str | None, typer.Option("--stop-price", metavar="PRICE", help="The trigger of a stop.")
]
TrailAmount: TypeAlias = Annotated[
    str | None,
    typer.Option("--trail-amount", metavar="AMOUNT", help="How far a trailing stop follows."),
]
TrailPercent: TypeAlias = Annotated[
    str | None,
    typer.Option("--trail-percent", metavar="PERCENT", help="The same, in percent of the price."),
]
Tif: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tif",
        metavar="TIF",
        help=f"How long it works. {_one_of(choices_of(TimeInForce))} Default: the brokerage's.",
    ),
]
ExpiresAt: TypeAlias = Annotated[
    str | None,
    typer.Option("--expires-at", metavar="TIME", help="When a gtd order ends; ISO 8601, zoned."),
]
ClientOrderId: TypeAlias = Annotated[
    str | None,
    typer.Option("--client-order-id", metavar="ID", help="Your id. Default: a new random one."),
]
Effect: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--position-effect",
        metavar="EFFECT",
        help=f"{_one_of(choices_of(PositionEffect))} For brokers that ask for it.",
    ),
]
PostOnly: TypeAlias = Annotated[
    bool, typer.Option("--post-only", help="Rather be refused than take liquidity.")
]
ReduceOnly: TypeAlias = Annotated[
    bool, typer.Option("--reduce-only", help="Never open or turn a position.")
]
ExtendedHours: TypeAlias = Annotated[
    bool, typer.Option("--extended-hours", help="Also work outside the regular session.")
]
TakeProfitPrice: TypeAlias = Annotated[
    str | None,
    typer.Option("--take-profit", metavar="PRICE", help="Bracket: the limit of the exit."),
]
StopLossPrice: TypeAlias = Annotated[
    str | None,
    typer.Option("--stop-loss", metavar="PRICE", help="Bracket: the trigger of the exit."),
]
BrokerOptions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--broker-option", metavar="KEY=VALUE", help="What only this brokerage knows; repeatable."
    ),
]


def symbol_and_quantity(
    symbol: str | None,
    quantity: str | None,
    symbol_option: str | None,
    quantity_option: str | None,
) -> tuple[str, str | None]:
    """Return what was given, as words or as options.

    Raises:
        InvalidFieldError: something was given twice.
        typer.BadParameter: there is no symbol.
    """
    if symbol_option is not None and symbol is not None:
        accepted = "--symbol and --quantity, or SYMBOL and QUANTITY as words, not both"
        raise InvalidFieldError("SYMBOL", symbol, accepted)
    if quantity_option is not None and quantity is not None:
        raise InvalidFieldError("QUANTITY", quantity, "--quantity, or a word, not both")
    named = symbol or symbol_option
    if not named:
        raise typer.BadParameter("Missing argument 'SYMBOL', or --symbol.")
    return named, quantity if quantity is not None else quantity_option
