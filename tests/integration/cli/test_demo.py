"""The demonstration, as a newcomer runs it, and on a file of prices."""

from __future__ import annotations

import csv
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import OrderRejectedError
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import OrderResult
from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from tests.integration.cli.conftest import Run


def test_the_demonstration_adds_up_and_is_quick(command: Run) -> None:
    """Orders of several types are placed, filled, cancelled and reconciled within seconds."""
    started = time.perf_counter()
    ran = command("demo")
    took_s = time.perf_counter() - started
    assert ran.code == 0, ran.err
    assert took_s < 10, "2 seconds on an idle machine"
    for word in ("synthetic", "orders", "fills", "positions", "balances", "final equity"):
        assert word in ran.out
    assert "everything adds up" in ran.out


def test_the_same_seed_is_the_same_demonstration(quick: Run) -> None:
    """All but the times is the same in each run of a seed, and another seed differs."""

    def without_times(seed: str) -> object:
        ran = quick("demo", "--seed", seed, "--json")
        assert ran.code == 0, ran.err
        report = ran.json
        for one in (*report["orders"], *report["fills"]):
            for name in ("timestamp", "updated_at"):
                one.pop(name, None)
        return report

    assert without_times("3") == without_times("3")
    assert without_times("3") != without_times("4")


@pytest.mark.parametrize("seed", ["0", "1", "2", "5", "11"])
def test_any_market_adds_up(quick: Run, seed: str) -> None:
    """Whatever the market does, cash follows from the fills to the last digit."""
    report = quick("demo", "--seed", seed, "--commission", "0.00137", "--json").json
    assert report["reconciled"] is True
    assert [one["expected"] == one["found"] for one in report["checks"]] == [True] * len(
        report["checks"]
    )
    cash = Decimal(report["starting_cash"])
    for fill in report["fills"]:
        sign = 1 if fill["side"] == "sell" else -1
        cash += sign * Decimal(fill["quantity"]) * Decimal(fill["price"]) - Decimal(fill["fee"])
    (balance,) = [one for one in report["balances"] if one["asset"] == report["currency"]]
    assert Decimal(balance["total"]) == cash
    assert report["fills"]
    assert {"filled", "cancelled"} <= {order["status"] for order in report["orders"]}


def write_bars(path: Path, closes: list[str]) -> None:
    """Write minute bars that open at the last close."""
    moment = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "open", "high", "low", "close", "volume"])
        last = closes[0]
        for close in closes:
            high, low = max(last, close, key=Decimal), min(last, close, key=Decimal)
            rows.writerow([moment.isoformat(), last, high, low, close, "1000"])
            last, moment = close, moment + timedelta(minutes=1)


def test_a_file_of_prices_is_traded(quick: Run, tmp_path: Path) -> None:
    """A fall, a rise and a fall make an entry and an exit, which the output reconciles."""
    closes = [*range(130, 100, -1), *range(100, 160), *range(160, 110, -1)]
    write_bars(tmp_path / "BTC-USD.csv", [f"{close}.50" for close in closes])
    ran = quick("demo", "--feed", "BTC-USD.csv", "--json")
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["synthetic"] is False
    assert [(one["side"], one["type"]) for one in report["orders"]] == [
        ("buy", "limit"),
        ("sell", "market"),
    ]
    assert report["reconciled"] is True
    said = quick("demo", "--feed", "BTC-USD.csv").out
    assert "BTC-USD.csv" in said
    assert "the feed has ended" in said


def test_a_bad_row_is_refused_by_its_line(quick: Run, tmp_path: Path) -> None:
    """A price that is no number ends the replay with the number of its line."""
    file = tmp_path / "BTC-USD.csv"
    write_bars(file, ["100.50", "101.50", "102.75", "103.50"])
    file.write_text(file.read_text("utf-8").replace("102.75,1000", "1o2.75,1000"), "utf-8")
    for options in ((), ("--json",)):
        ran = quick("demo", "--feed", "BTC-USD.csv", *options)
        assert ran.code == 2
        assert "line 4" in ran.err
        assert "1o2.75" in ran.err


def test_a_file_that_is_not_there_is_one_line(quick: Run) -> None:
    """A misspelt file name ends without a traceback."""
    ran = quick("demo", "--feed", "nowhere.csv")
    assert ran.code == 2
    assert "nowhere.csv" in ran.err
    assert "Traceback" not in ran.err


def write_rows(path: Path, header: str, rows: list[str]) -> None:
    """Write ticks, a minute apart."""
    moment = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
    lines = [f"{(moment + timedelta(minutes=at)).isoformat()},{row}" for at, row in enumerate(rows)]
    path.write_text("\n".join([f"time,{header}", *lines]) + "\n", "utf-8")


JUMP = [*range(130, 100, -1), *range(100, 125), *[300] * 20, *range(299, 250, -1)]


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        # The latest trade's price is one that can be traded at; the mid of a quote is not.
        ("price,size", "{0}.00,1000", [("limit", "filled"), ("market", "filled")]),
        ("price", "{0}.00", [("limit", "filled"), ("market", "filled")]),
        ("bid,ask", "{0}.00,{0}.02", [("limit", "cancelled")]),
    ],
    ids=["trades", "prices", "quotes"],
)
def test_ticks_are_traded_too(
    quick: Run, tmp_path: Path, header: str, row: str, expected: list[tuple[str, str]]
) -> None:
    """An entry that the market runs away from waits, and is cancelled when the averages cross."""
    write_rows(tmp_path / "AAPL.csv", header, [row.format(price) for price in JUMP])
    report = quick("demo", "--feed", "AAPL.csv", "--json").json
    assert report["reconciled"] is True
    assert [(one["type"], one["status"]) for one in report["orders"]] == expected
    assert (Decimal(report["final_equity"]) > 100_000) is bool(report["fills"])


def test_without_cash_nothing_is_placed(quick: Run, tmp_path: Path) -> None:
    """An entry that would be of nothing is not placed, and the output says so."""
    write_rows(tmp_path / "AAPL.csv", "price", [f"{price}.00" for price in JUMP])
    ran = quick("demo", "--feed", "AAPL.csv", "--balance", "0")
    assert ran.code == 0, ran.err
    assert "too little cash for an entry" in ran.out
    assert "no orders" in ran.out


def test_a_refused_entry_does_not_end_the_replay(
    quick: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the brokerage refuses is told, and the strategy goes on."""

    def refuse(broker: PaperBrokerage, request: OrderRequest) -> OrderResult:
        raise OrderRejectedError("not today")

    monkeypatch.setattr(PaperBrokerage, "place_order", refuse)
    write_rows(tmp_path / "AAPL.csv", "price", [f"{price}.00" for price in JUMP])
    ran = quick("demo", "--feed", "AAPL.csv")
    assert ran.code == 0, ran.err
    assert ": not today" in ran.out
    assert "the feed has ended" in ran.out


@pytest.mark.parametrize("words", [("--seed", "-1"), ("--seed", "x"), ("--balance", "much")])
def test_bad_options_are_named(quick: Run, words: tuple[str, str]) -> None:
    """A seed that is no number, or a balance that is none, is refused by its name."""
    ran = quick("demo", *words)
    assert ran.code == 2
    assert f"{words[0]} is '{words[1]}'" in ran.err
