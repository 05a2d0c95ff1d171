"""What commands print: tables for people, or one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from bot_v2.features.brokerages.core.decimals import decimal_to_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Column: TypeAlias = tuple[str, Callable[[Any], object]]
"""A column's heading, and what to take from a row."""

ABSENT: Final = "-"
"""What stands for None: the broker does not say."""

WIDTH_WHEN_PIPED: Final = 240
"""Columns of text where the output is no terminal: nothing is folded that could be searched for."""


class Output:
    """Prints results to stdout and everything else to stderr."""

    def __init__(self, as_json: bool) -> None:
        """Print for people, or as JSON."""
        self.as_json = as_json
        """True: one JSON document on stdout."""

    def show(self, value: object, show_to_people: Callable[[], None]) -> None:
        """Print a result: as JSON, or by the given function."""
        if self.as_json:
            self.write_json(value, indent=2)
        else:
            show_to_people()

    def write_json(self, value: object, indent: int | None = None) -> None:
        """Print a value as a JSON document on stdout."""
        print(_json(value, indent), flush=True)

    def table(
        self, title: str, columns: Sequence[Column], rows: Iterable[object], empty: str = ""
    ) -> None:
        """Print rows as a table; numbers to the right, and no column that nobody fills."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        listed = list(rows)
        if not listed:
            self.line(empty or f"no {title}")
            return
        table = Table(
            title=title,
            title_justify="left",
            title_style="bold",
            box=SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            show_edge=False,
        )
        filled = []
        for heading, take in columns:
            values = [take(row) for row in listed]
            if any(value is not None for value in values):
                is_number = any(isinstance(value, Decimal | int) for value in values)
                table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
                filled.append([as_text(value) for value in values])
        for cells in zip(*filled, strict=True):
            table.add_row(*cells)
        self.console().print(table)

    def render(self, what: RenderableType) -> None:
        """Print what Rich has laid out."""
        self.console().print(what)

    def facts(self, title: str, facts: Iterable[tuple[str, object]]) -> None:
        """Print names and values, leaving out what is None."""
        known = [(name, value) for name, value in facts if value is not None]
        width = max((len(name) for name, _ in known), default=0)
        self.line(title)
        for name, value in known:
            self.line(f"  {name:<{width}}  {as_text(value)}")

    def line(self, text: str = "") -> None:
        """Print a line to stdout."""
        print(text, flush=True)

    def console(self) -> Console:
        """Return Rich's console over stdout."""
        from rich.console import Console

        # A symbol such as NSE:RELIANCE is not to be read as markup.
        console = Console(highlight=False, markup=False, emoji=False)
        if not console.is_terminal:
            console.width = WIDTH_WHEN_PIPED
        return console


def _json(value: object, indent: int | None) -> str:
    # Imported here: cattrs is not needed to print a table.
    from bot_v2.orchestration.model_json import to_json

    return to_json(value, indent=indent)


@contextmanager
def waiting(text: str, *, is_silent: bool) -> Iterator[None]:
    """Show on stderr that something takes its time, where somebody looks on.

    Args:
        text: what takes it.
        is_silent: show nothing at all.
    """
    if is_silent or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True, markup=False, highlight=False).status(text):
        yield


def write_error_json(document: object) -> None:
    """Print a value as one line of JSON on stderr."""
    print(_json(document, None), file=sys.stderr, flush=True)


def as_text(value: object) -> str:
    """Return a value as a person reads it: plain decimals, UTC times to the second."""
    if value is None:
        return ABSENT
    if isinstance(value, Decimal):
        return decimal_to_text(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
