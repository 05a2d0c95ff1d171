"""The commands that read, and the environment that they work in."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from bot_v2.cli.app import main
from bot_v2.features.brokerages.core import interfaces as api
from tests.unit.cli.fakes import Shell, an_order

READERS = [
    ("products",),
    ("products", "BTC-USD"),
    ("price", "BTC-USD"),
    ("book", "BTC-USD"),
    ("orders",),
    ("order", "o-1"),
    ("positions",),
    ("balances",),
]


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_reading_needs_no_consent_and_disconnects(shell: Shell, words: tuple[str, ...]) -> None:
    """A live broker is read without a question, and left afterwards."""
    shell.fake.orders = [an_order()]
    for options in ((), ("--json",)):
        ran = shell.run(*words, "--broker", "fake", *options)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out
    assert (shell.fake.connections, shell.fake.disconnections) == (2, 2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("price", "BTC-USD"), {"symbol": "BTC-USD", "price": "64000.10"}),
        (
            ("balances",),
            [
                {
                    "asset": "USD",
                    "total": "1000.10",
                    "available": "900.10",
                    "hold": "100.00",
                    "wallet": "",
                    "metadata": {},
                }
            ],
        ),
        (
            ("book", "BTC-USD", "--level", "2"),
            {
                "symbol": "BTC-USD",
                "bids": [{"price": "100", "size": "1.50"}, {"price": "99", "size": "1.50"}],
                "asks": [{"price": "101", "size": "2.50"}, {"price": "102", "size": "2.50"}],
                "timestamp": "2026-03-02T14:30:00Z",
                "sequence": None,
            },
        ),
        (("positions", "ETH-USD"), []),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_json_is_exact(shell: Shell, words: tuple[str, ...], expected: object) -> None:
    """One document on stdout, with every digit."""
    assert shell.run(*words, "--broker", "fake", "--json").json == expected


def test_tables_show_whole_values(shell: Shell) -> None:
    """No id is cut, no symbol is read as markup, and numbers keep their zeros."""
    long_id = "a" * 60 + "-end"
    shell.fake.orders = [an_order(order_id=long_id, symbol="NSE:[red]M&M:smile:")]
    ran = shell.run("orders", "--broker", "fake")
    assert long_id in ran.out
    assert "NSE:[red]M&M:smile:" in ran.out
    assert "100.50" in ran.out


def test_an_empty_list_says_so(shell: Shell) -> None:
    """Nothing is not shown as a table without rows."""
    assert shell.run("orders", "--broker", "fake").out == "no orders\n"
    assert shell.run("orders", "--broker", "fake", "--json").json == []


def test_orders_are_filtered(shell: Shell) -> None:
    """--status asks the broker for one status; --live leaves out what has ended."""
    shell.fake.orders = [an_order(), an_order(order_id="o-2", status=api.OrderStatus.EXPIRED)]
    ids = {
        words: [one["order_id"] for one in shell.run("orders", *words, "-b", "fake", "--json").json]
        for words in ((), ("--status", "expired"), ("--live",))
    }
    assert ids == {(): ["o-1", "o-2"], ("--status", "expired"): ["o-2"], ("--live",): ["o-1"]}
    ran = shell.run("orders", "--status", "done", "--broker", "fake")
    assert ran.code == 2
    assert "--status is 'done'; accepted: pending, open" in ran.err


def test_an_order_is_found_by_either_id(shell: Shell) -> None:
    """A broker that cannot look up a client id is searched as far as it lists."""
    shell.fake.orders = [an_order()]
    assert (
        shell.run("order", "--client-id", "c-1", "-b", "fake", "--json").json["order_id"] == "o-1"
    )
    ran = shell.run("order", "--client-id", "c-2", "-b", "fake")
    assert ran.code == 1
    assert "does not prove that there is none" in ran.err
    for words in ((), ("o-1", "--client-id", "c-1")):
        ran = shell.run("order", *words, "-b", "fake")
        assert ran.code == 2
        assert "exactly one of the two" in ran.err


@pytest.mark.parametrize(
    "words",
    [("--level", "4"), ("--level", "one"), ("--depth", "0"), ("--depth", "-1"), ("--depth", "x")],
    ids=" ".join,
)
def test_a_book_has_three_levels(shell: Shell, words: tuple[str, ...]) -> None:
    """A level or depth that there is not is refused before anything is asked."""
    ran = shell.run("book", "BTC-USD", *words, "--broker", "fake")
    assert ran.code == 2
    assert words[0] in ran.err
    assert shell.fake.connections == 0


def test_a_book_hangs_with_the_best_prices_in_the_middle(shell: Shell) -> None:
    """The lowest ask stands above the highest bid."""
    out = shell.run("book", "BTC-USD", "--level", "3", "--depth", "2", "--broker", "fake").out
    assert out.index("102") < out.index("101") < out.index("100") < out.index("99")
    assert "103" not in out


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (api.ConnectionError("unreachable"), 3),
        (api.BrokerUnavailableError("maintenance"), 3),
        (api.LoginRequiredError("log in", login_url="https://login.example"), 4),
        (api.AuthenticationError("bad key"), 4),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failed_connect_has_the_exit_code_of_its_error(
    shell: Shell, failure: BaseException, code: int
) -> None:
    """What keeps a command from starting is told apart by its exit code."""
    shell.fake.failures["connect"] = failure
    ran = shell.run("balances", "--broker", "fake", "--json")
    assert (ran.code, ran.out) == (code, "")
    assert ran.error["exit_code"] == code


def test_a_failed_read_is_no_empty_answer(shell: Shell) -> None:
    """A list that could not be read is an error, not an empty list."""
    shell.fake.failures["list_balances"] = api.TimeoutError("no answer")
    ran = shell.run("balances", "--broker", "fake")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "error: no answer\n"


def test_the_environment_names_the_broker(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --broker the factory decides, and an unknown name says which there are."""
    monkeypatch.setenv("BROKER", "fake")
    assert shell.run("balances").code == 0
    monkeypatch.setenv("BROKER", "nobody")
    ran = shell.run("balances")
    assert ran.code == 2
    assert "fake, lookup, sandbox" in ran.err


def test_only_paper_gets_an_account_file(
    shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default account file is for the paper brokerage; --account is passed to whichever."""
    shell.run("balances", "--broker", "fake")
    assert shell.fake.settings == {}
    shell.run("balances", "--broker", "fake", "--account", "mine.sqlite")
    assert shell.fake.settings == {"account_file": "mine.sqlite"}
    assert list(home.rglob("*.sqlite")) == []


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_a_terminal_of_few_letters_breaks_nothing(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """Where the terminal has no such letter, another stands there, and JSON stays exact."""
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    shell.fake.orders = [an_order(client_order_id="Köln")]
    assert main(["orders", "--broker", "fake", *options]) == 0
    sys.stdout.flush()
    text = printed.getvalue().decode("ascii")
    if options:
        assert json.loads(text)[0]["client_order_id"] == "Köln"
    else:
        assert "K?ln" in text
