"""The paper account between one command and the next."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.integration.cli.conftest import Run

PAPER = ("--broker", "paper", "--json")


def test_one_process_buys_and_the_next_shows_the_position(command: Run, tmp_path: Path) -> None:
    """The default account is a file whose path is told once; order, fills and cash are in it."""
    bought = command("buy", "BTC-USD", "0.010", "--client-order-id", "mine", *PAPER)
    assert (bought.code, bought.json["success"]) == (0, True), bought.err
    assert bought.err.startswith("new paper account: ")
    file = Path(bought.err.removeprefix("new paper account: ").strip())
    assert file.is_file()
    assert file.is_relative_to(tmp_path)

    held = command("positions", *PAPER)
    assert (held.code, held.err) == (0, "")
    (position,) = held.json
    assert (position["symbol"], position["side"]) == ("BTC-USD", "long")
    assert Decimal(position["quantity"]) == Decimal("0.010")

    found = command("order", "--client-id", "mine", *PAPER)
    assert found.json["order_id"] == bought.json["order_id"]
    assert found.json["status"] == "filled"
    cash = Decimal(command("balances", "USD", *PAPER).json[0]["total"])
    assert 0 < cash < 100_000

    again = command("buy", "BTC-USD", "0.010", "--client-order-id", "mine", *PAPER)
    assert again.code == 1
    assert "DuplicateOrderError" in again.err

    assert command("close", "BTC-USD", *PAPER).code == 0
    assert command("positions", *PAPER).json == []


def test_a_resting_order_outlives_the_process_and_is_cancelled(quick: Run) -> None:
    """An order placed by one command is listed and cancelled by others, once."""
    placed = quick("buy", "BTC-USD", "0.01", "--price", "1000.00", *PAPER)
    order_id = placed.json["order_id"]
    assert [one["order_id"] for one in quick("orders", "--live", *PAPER).json] == [order_id]
    assert quick("cancel", order_id, *PAPER).json == {
        "order_id": order_id,
        "cancel_accepted": True,
    }
    ended = quick("cancel", order_id, *PAPER)
    assert (ended.code, ended.json["cancel_accepted"]) == (1, False)
    assert quick("orders", "--live", *PAPER).json == []


def test_an_account_of_ones_own_choice(quick: Run, tmp_path: Path) -> None:
    """--account names the file; :memory: keeps nothing."""
    file = tmp_path / "mine.sqlite"
    assert quick("buy", "AAPL", "1", "--account", str(file), *PAPER).code == 0
    assert file.is_file()
    assert len(quick("positions", "--account", str(file), *PAPER).json) == 1
    assert quick("buy", "AAPL", "1", "--account", ":memory:", *PAPER).code == 0
    assert quick("positions", "--account", ":memory:", *PAPER).json == []
    assert [path for path in tmp_path.rglob("*.sqlite*") if path != file] == []


def test_what_the_environment_says_holds(quick: Run, environment: dict[str, str]) -> None:
    """PAPER_ACCOUNT_FILE names the file, BROKER the brokerage, and :memory: overrides the file."""
    environment["BROKER"] = "Paper"
    environment["PAPER_ACCOUNT_FILE"] = "from-environment.sqlite"
    environment["PAPER_INITIAL_BALANCE"] = "5000.50"
    assert quick("balances", "USD", "--json").json[0]["total"] == "5000.50"
    assert quick("buy", "AAPL", "1").code == 0
    assert len(quick("positions", "--json").json) == 1
    assert quick("positions", "--json", "--account", ":memory:").json == []


def test_too_large_an_order_is_refused(quick: Run) -> None:
    """A refusal has its exit code, its outcome and one line, and leaves the account as it was."""
    ran = quick("buy", "BTC-USD", "1000", "--broker", "paper")
    assert (ran.code, ran.out) == (1, "")
    assert "outcome=rejected" in ran.err
    assert quick("orders", "--live", *PAPER).json == []
    off_grid = quick("buy", "BTC-USD", "0.1", "--price", "60000.001", "--broker", "paper")
    assert off_grid.code == 2
    assert "--price is '60000.001'; accepted: a multiple of 0.01" in off_grid.err


def test_every_reader_works(quick: Run) -> None:
    """Each command that reads answers on the paper brokerage, for people and as JSON."""
    for words in (
        ("products",),
        ("products", "BTC-USD"),
        ("price", "BTC-USD"),
        ("book", "BTC-USD", "--level", "2"),
        ("orders",),
        ("positions",),
        ("balances",),
        ("health",),
    ):
        for options in ((), ("--json",)):
            ran = quick(*words, "--broker", "paper", *options)
            assert ran.code == 0, (words, ran.err)
            assert ran.out
