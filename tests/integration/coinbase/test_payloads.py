"""Every recorded body that is an answer of an endpoint in scope decodes, maps, and is exact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.interfaces import BrokerageError
from tests.integration.coinbase.payload_table import (
    FOLDER,
    IN_SCOPE,
    files,
    json_of,
    reader_of,
    reason_of,
)

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")

DERIVED = frozenset(
    {
        "total",  # available and hold, added up
        "multiplier",  # one where the broker says nothing
        "lot_size",
        "average_fill_price",  # of the Exchange API: a value over a quantity
    }
)
"""Numbers that are not printed as such, each with its reason."""

SUMS = {("Fill", "quantity")}
"""Numbers that are a sum divided by a price, where the broker tells a sum."""

PRESENT = [path for folder in IN_SCOPE for path in files(folder)]

needs_payloads = pytest.mark.skipif(
    not PRESENT, reason="the brokers' payloads do not lie beside the project"
)


def _read(path: Path) -> list[object]:
    read = reader_of(path.parent.name, path.name)
    assert read is not None
    text = path.read_text("utf-8")
    return list(read(json_of(text) if path.suffix == ".txt" else text.encode()))


def _decimals(value: Any, path: str = "") -> Iterator[tuple[str, str, Decimal]]:
    """Return each number in a model: the model, the field and the value."""
    if isinstance(value, Decimal):
        model, _, field = path.rpartition(".")
        yield model, field, value
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _decimals(getattr(value, field.name), f"{type(value).__name__}.{field.name}")
    elif isinstance(value, tuple | list):
        for member in value:
            yield from _decimals(member, path)


@needs_payloads
@pytest.mark.parametrize(
    "path",
    [path for path in PRESENT if reader_of(path.parent.name, path.name)],
    ids=lambda path: f"{path.parent.name}/{path.stem[:60]}",
)
def test_an_answer_in_scope_is_mapped_digit_for_digit(path: Path) -> None:
    """It decodes and maps, and each number of the model is printed so in the body."""
    mapped = _read(path)
    assert mapped
    assert all(one is not None for one in mapped if not isinstance(one, Decimal | None))
    printed = set(NUMBER.findall(path.read_text("utf-8")))
    for model in mapped:
        for kind, field, number in _decimals(model):
            if field in DERIVED or (kind, field) in SUMS:
                continue
            assert format(number, "f") in printed, f"{kind}.{field} is {number}"


@needs_payloads
def test_every_file_is_read_or_left_out_for_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """Each file is in one of the two tables; the counts are shown."""
    unknown, read, reasons = [], 0, dict[str, int]()
    for path in PRESENT:
        why = reason_of(path.parent.name, path.name)
        if reader_of(path.parent.name, path.name):
            read += 1
        elif why is None:
            unknown.append(f"{path.parent.name}/{path.name}")
        else:
            reasons[why] = reasons.get(why, 0) + 1
    with capsys.disabled():
        print(f"\n{read} recorded bodies of Coinbase mapped, {sum(reasons.values())} out of scope:")
        for why, count in sorted(reasons.items(), key=lambda one: -one[1]):
            print(f"  {count:3}  {why}")
    assert not unknown
    assert read >= 60


@needs_payloads
def test_every_row_of_the_table_has_its_file() -> None:
    """No row is left over from a file that is gone."""
    for folder, table in IN_SCOPE.items():
        names = [path.name for path in files(folder)]
        for end in table:
            assert any(name.endswith(end) for name in names), f"{folder}/{end}"


@needs_payloads
def test_refusals_that_were_recorded_become_errors() -> None:
    """A refused placement is no success, and says its outcome."""
    path = FOLDER / "coinbase" / "errors_order_rejected__quoted_live.json"
    errors = [one for one in _read(path) if isinstance(one, BrokerageError)]
    assert len(errors) == 4
    assert [type(error).__name__ for error in errors] == [
        "InsufficientFundsError",
        "OrderRejectedError",
        "OrderRejectedError",
        "OrderNotFoundError",
    ]
    assert all(error.outcome == "rejected" for error in errors)
