"""What the demonstration prints while it goes on: scenes, lines and tables, or nothing at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from bot_v2.cli.output import ABSENT, Column
from bot_v2.features.brokerages.core.decimals import EXACT, decimal_to_text

if TYPE_CHECKING:
    from rich.table import Table

WIDTH_WHEN_PIPED: Final = 100
"""Columns of text where the output is no terminal."""

CENTS: Final = -2
"""The exponent that an amount is shown with at least, once it has any digits after the point."""


class Teller:
    """Tells a person what happens. Safe between threads.

    Args:
        is_silent: True: nothing is told; the report is all.
    """

    def __init__(self, *, is_silent: bool) -> None:
        """Open the console."""
        from rich.console import Console

        self._console = Console(highlight=False, markup=False, emoji=False, quiet=is_silent)
        if not self._console.is_terminal:
            self._console.width = WIDTH_WHEN_PIPED

    def title(self, text: str, subtitle: str) -> None:
        """Tell what this is."""
        self._console.print(text, style="bold")
        self._console.print(subtitle, style="dim")

    def scene(self, text: str) -> None:
        """Begin a part of it."""
        self._console.print()
        self._console.print(text, style="bold cyan")

    def line(self, who: str, text: str, style: str = "") -> None:
        """Tell one thing."""
        self._console.print(f"  {who:<9} {text}", style=style, soft_wrap=True)

    def warn(self, who: str, text: str) -> None:
        """Tell one thing that went wrong."""
        self.line(who, text, "yellow")

    def good(self, who: str, text: str) -> None:
        """Tell one thing that went well again."""
        self.line(who, text, "green")

    def text(self, text: str, style: str = "") -> None:
        """Tell one thing of nobody in particular."""
        self._console.print(text, style=style, soft_wrap=True)

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """Show that something takes its time, where somebody looks on."""
        if self._console.is_terminal and not self._console.quiet:
            return self._console.status(text, spinner="dots")
        return nullcontext()

    def table(self, columns: Sequence[Column], rows: Iterable[Any]) -> None:
        """Show rows as a table; numbers to the right, and no column that nobody fills."""
        listed = list(rows)
        if not listed:
            self.text("  none")
            return
        self._console.print(_table(columns, listed))


def _table(columns: Sequence[Column], rows: Sequence[Any]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    filled = []
    for heading, take in columns:
        values = [take(row) for row in rows]
        if any(value is not None for value in values):
            is_number = any(isinstance(value, Decimal | int) for value in values)
            table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
            filled.append([shown(value) for value in values])
    for number, cells in enumerate(zip(*filled, strict=True)):
        style = "yellow" if getattr(rows[number], "is_missing", False) else None
        table.add_row(*cells, style=style)
    return table


def shown(value: object) -> str:
    """Return a value as the demonstration shows it: no superfluous zeros, times to the second."""
    if value is None:
        return ABSENT
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%H:%M:%S}Z"
    if isinstance(value, Enum):
        return str(value.value)
    return str(value)


def plain(amount: Decimal) -> str:
    """Return an amount exactly, without superfluous zeros; equal amounts are equal texts."""
    if not amount:
        return "0"
    short = amount.normalize(EXACT)
    exponent = short.as_tuple().exponent
    if isinstance(exponent, int) and CENTS < exponent < 0:
        short = short.quantize(Decimal((0, (1,), CENTS)), context=EXACT)
    return decimal_to_text(short)
