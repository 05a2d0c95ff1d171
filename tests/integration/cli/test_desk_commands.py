"""The commands for the desk of brokers.json, over paper accounts in files and a simulator."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot_v2.cli import desk_status, distributed, health, market
from bot_v2.orchestration.journal.journal import Scope
from bot_v2.orchestration.journal.records import Entry, Phase
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.venues.catalogue import OpenVenue, open_venue
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_recovery import leave
from tests.unit.cli.conftest import Keyboard

BOTH = ("--broker", "alpha", "--broker", "beta")
BUY = ("distributed-buy", "BTC-USD", "0.04")
Write = Callable[..., None]


class Terminal(io.StringIO):
    """A stdout at which a person looks."""

    def isatty(self) -> bool:
        """Say that a person looks on."""
        return True


@pytest.fixture
def write(environment: dict[str, str], tmp_path: Path) -> Write:
    """Write a brokers.json of paper accounts, whose terms a test gives."""
    environment["BOT_V2_CONFIG"] = str(tmp_path / "brokers.json")
    environment["BOT_V2_KILL_SWITCH"] = str(tmp_path / "stop")

    def make(**accounts: dict[str, Any]) -> None:
        entries = {
            name: {
                "type": "paper",
                "account_file": str(tmp_path / f"{name}.sqlite"),
                "initial_balance": "10000",
                **terms,
            }
            for name, terms in accounts.items()
        }
        (tmp_path / "brokers.json").write_text(
            json.dumps({"default_broker": next(iter(entries)), "brokers": entries}),
            encoding="utf-8",
        )

    make(alpha={}, beta={"weight": 3, "initial_balance": "30000"})
    return make


@pytest.fixture
def desk(quick: Run, write: Write) -> Run:
    """Run a command in a folder with a brokers.json of two paper accounts."""
    assert write is not None
    return quick


class TestStatus:
    """`status` shows the desk at a glance."""

    def test_everything_is_there_with_its_age(self, desk: Run) -> None:
        """A row for each broker, equity and orders with their ages, the switch and the journal."""
        ran = desk("status")
        assert (ran.code, ran.err) == (0, "")
        for text in ("alpha", "beta", "healthy", "10000 USD", "30000 USD", " ms ", "0.0 s"):
            assert text in ran.out
        assert "kill switch  off" in ran.out
        assert "journal      none yet" in ran.out
        assert "missing" not in ran.out

    def test_orders_and_questions_are_counted(self, desk: Run, tmp_path: Path) -> None:
        """Open orders, what is not settled, and what a person is asked about are numbers."""
        assert desk("buy", "BTC-USD", "0.01", "--price", "1000", "--broker", "beta").code == 0
        leave(tmp_path / "desk.sqlite", "lost", "beta", "beta")
        leave(tmp_path / "desk.sqlite", "asked", "beta", "beta")
        with closing(SqlJournal(f"sqlite:///{tmp_path / 'desk.sqlite'}")) as journal:
            journal.take_over(Scope(broker="beta", account_id="beta"))
            entry = Entry(phase=Phase.QUARANTINED, at=datetime.now(UTC), note="several")
            journal.append("beta/beta/asked", entry)
        ran = desk("status", "--journal", "desk.sqlite", "--json")
        rows = {one["name"]: one for one in ran.json["brokers"]}
        assert (rows["alpha"]["open_orders"], rows["beta"]["open_orders"]) == (0, 1)
        assert (rows["alpha"]["unsettled"], rows["beta"]["unsettled"]) == (0, 2)
        assert (rows["beta"]["quarantined"], rows["beta"]["environment"]) == (1, "simulator")
        assert "2 (1 quarantined)" in desk("status", "--journal", "desk.sqlite").out

    def test_a_broker_that_is_not_there_is_missing(self, desk: Run, write: Write) -> None:
        """What cannot be made is down and missing, never zero, and the exit code says so."""
        write(alpha={}, bad={"initial_balance": "much"})
        ran = desk("status")
        assert ran.code == 3
        assert "missing, which is not zero" in ran.out
        assert "down" in ran.out
        bad = desk("status", "--json").json["brokers"][1]
        assert (bad["equity"], bad["open_orders"], bad["latency_s"]) == ([], None, None)
        only = desk("status", "--broker", "alpha")
        assert (only.code, "bad" in only.out) == (0, False)

    def test_the_kill_switch_and_a_journal_in_use_are_told(self, desk: Run, tmp_path: Path) -> None:
        """A switch that is on, and a journal that another process holds, are said."""
        assert desk("kill-switch", "on", "--because", "a test").code == 0
        with closing(SqlJournal(f"sqlite:///{tmp_path / 'held.sqlite'}")):
            ran = desk("status", "--journal", "held.sqlite")
        assert "kill switch  ON: on since" in ran.out
        assert "a test" in ran.out
        assert "journal      not read: " in ran.out

    def test_ages_are_said_as_people_say_them(self) -> None:
        """Seconds, minutes, hours and days."""
        now = datetime(2026, 1, 10, tzinfo=UTC)
        moments = ("2026-01-09T23:59:58.5", "2026-01-09T23:50", "2026-01-09T20:00", "2026-01-05")
        ages = [
            desk_status.age(datetime.fromisoformat(one).replace(tzinfo=UTC), now) for one in moments
        ]
        assert ages == ["1.5 s", "10 min", "4 h", "5 d"]
        assert desk_status.age(None, now) == "-"

    def test_a_connected_broker_that_does_not_answer_is_degraded(self) -> None:
        """Connected, and silent: neither healthy nor down."""
        from tests.unit.orchestration.fake_brokerage import DEGRADED, DOWN

        assert desk_status._state(DEGRADED) == "degraded"
        assert desk_status._state(DOWN) == "down"

    def test_without_a_file_it_says_how_to_make_one(
        self, quick: Run, environment: dict[str, str], tmp_path: Path
    ) -> None:
        """No brokers.json: one line, and the command that writes it."""
        environment["BOT_V2_CONFIG"] = str(tmp_path / "none.json")
        ran = quick("status")
        assert ran.code == 2
        assert "bot-v2 init" in ran.err


class TestPortfolio:
    """What accounts hold."""

    def test_one_account_is_shown(self, desk: Run) -> None:
        """Equity, balances and positions of the broker that is named."""
        assert desk("buy", "--symbol", "BTC-USD", "--quantity", "0.1", "--broker", "beta").code == 0
        ran = desk("portfolio", "--broker", "beta")
        assert ran.code == 0
        assert "beta, account paper" in ran.out
        assert "equity in USD" in ran.out
        assert "BTC-USD" in ran.out
        found = desk("portfolio", "--broker", "alpha", "--json").json
        assert (found["equity"], found["positions"]) == ({"USD": "10000"}, [])

    def test_all_accounts_are_added_up(self, desk: Run) -> None:
        """Each account, the sums, and the exposure over both."""
        assert desk(*BUY).code == 0
        ran = desk("multi-portfolio")
        assert (ran.code, ran.err) == (0, "")
        assert "alpha, beta" in ran.out
        document = desk("multi-portfolio", "--json").json
        (exposure,) = document["positions"]["exposures"]
        assert (exposure["symbol"], float(exposure["long_quantity"])) == ("BTC-USD", 0.04)
        assert document["equity"]["totals"][0]["currency"] == "USD"
        assert document["missing"] == []

    def test_equity_is_converted_by_a_named_quote(self, desk: Run) -> None:
        """With a quote that is named there is a converted sum; without one it is left out."""
        words = ("multi-portfolio", "--currency", "USD", "--rate", "BTC=alpha")
        assert desk(*words, "--json").json["equity"]["converted"]["amount"] == "40000"
        assert "in USD, by the quotes that were named" in desk(*words).out
        unconverted = desk("multi-portfolio", "--currency", "EUR")
        assert "without USD" in unconverted.out
        wrong = desk("multi-portfolio", "--currency", "EUR", "--rate", "USD")
        assert wrong.code == 2
        assert "--rate" in wrong.err

    def test_who_is_missing_is_told(self, desk: Run, write: Write) -> None:
        """The exit code says that it is not all; where nobody answers it is an error."""
        write(alpha={}, bad={"initial_balance": "much"})
        ran = desk("multi-portfolio")
        assert ran.code == 7
        assert "missing, which is not zero" in ran.out
        assert desk("multi-portfolio", "--broker", "bad").code == 1


class TestDistributed:
    """One order over several accounts."""

    def test_it_is_planned_sent_and_undone(self, desk: Run) -> None:
        """The plan sends nothing; the order is told leg by leg; asked for, it is undone."""
        planned = desk(*BUY, *BOTH, "--plan")
        assert planned.code == 0
        assert "0.01" in planned.out
        assert "0.03" in planned.out
        assert desk("orders", "--broker", "beta", "--json").json == []
        ran = desk(*BUY, *BOTH, "--saga-id", "mine")
        assert (ran.code, ran.err) == (0, "")
        assert "distribution mine: all placed, 2 of 2 orders" in ran.out
        again = desk(*BUY, *BOTH, "--saga-id", "mine", "--json").json
        assert (again["complete"], [one["status"] for one in again["legs"]]) == (
            True,
            ["placed", "placed"],
        )
        assert len(desk("orders", "--broker", "beta", "--json").json) == 1
        told = desk("distributed-status", "mine", "--json").json
        assert [one["order_id"] for one in told[0]["legs"]] == ["o-000001", "o-000001"]
        assert "no distribution is open" in desk("distributed-status").out
        undone = desk("distributed-undo", "mine")
        assert (undone.code, undone.out.count("yes")) == (0, 2)
        assert "done" in desk("distributed-undo", "mine", "--json").out
        assert desk("positions", "--broker", "beta", "--json").json == []

    def test_part_of_it_is_not_hidden(self, desk: Run, write: Write) -> None:
        """An account without the money refuses its leg: exit code 1, the reason, and a way back."""
        write(alpha={}, beta={"initial_balance": "1"})
        ran = desk("distributed-sell", "BTC-USD", "0.04", "--saga-id", "s")
        assert ran.code == 1
        ran = desk(*BUY, "--by", "equal", "--saga-id", "t")
        assert ran.code == 1
        assert "NOT ALL PLACED, 1 of 2 orders" in ran.out
        assert "refused" in ran.out
        assert "would undo it, and is not done" in ran.out
        assert "next: bot-v2 distributed-undo t" in ran.out
        document = desk(*BUY, "--by", "equal", "--saga-id", "t", "--json").json
        assert [one["status"] for one in document["legs"]] == ["placed", "refused"]
        assert document["legs"][1]["error"]["error"] == "InsufficientFundsError"
        assert [one["action"] for one in document["undo_plan"]] == ["close"]

    def test_what_is_not_placed_is_said(self, desk: Run) -> None:
        """A part that no account can take is named, as is who gets nothing."""
        ran = desk("distributed-buy", "BTC-USD", "0.0000000125", *BOTH, "--plan")
        assert "not placed: 0.00000000" in ran.out
        assert "left out" in ran.out

    def test_a_stopped_one_is_finished(self, desk: Run) -> None:
        """A leg that was not tried is sent when that is asked for."""
        first = desk(*BUY, "--saga-id", "s", "--journal", "d.sqlite")
        assert first.code == 0
        finished = desk("distributed-status", "--finish", "--journal", "d.sqlite")
        assert finished.code == 0

    @pytest.mark.parametrize(
        ("words", "named"),
        [
            (("--by", "luck"), "--by"),
            (("--symbol", "ETH-USD"), "SYMBOL"),
            (("--quantity", "3"), "QUANTITY"),
            (("--broker", "gamma"), "alpha, beta"),
            (("--price", "x"), "--price"),
        ],
    )
    def test_bad_words_are_refused_by_name(
        self, desk: Run, words: tuple[str, ...], named: str
    ) -> None:
        """What will not do is named, and nothing is sent."""
        ran = desk(*BUY, *words)
        assert ran.code == 2
        assert named in ran.err

    def test_a_leg_that_nobody_knows_of_has_a_code_of_its_own(
        self, desk: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The exit code says unknown before all else, and what is to be done is said."""
        from bot_v2.features.brokerages.core.errors import OrderOutcomeUnknownError
        from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
        from bot_v2.orchestration.execution import settings as module

        def lose(*_: object) -> None:
            raise OrderOutcomeUnknownError("the answer was lost")

        with monkeypatch.context() as during:
            for name in ("place_order", "list_orders", "get_order_by_client_id", "list_fills"):
                during.setattr(PaperBrokerage, name, lose)
            hasty = module.ExecutorSettings(probe_delays_s=(0.001,), resolve_timeout_s=0.01)
            during.setattr(module, "executor_settings", lambda **_: hasty)
            ran = desk(*BUY, "--broker", "alpha", "--saga-id", "s")
        assert ran.code == 5
        assert "unknown" in ran.out
        assert "look" in ran.out
        told = desk("distributed-status", "s")
        assert (told.code, "NOT ALL PLACED" in told.out) == (1, True)
        assert "undone" not in desk("distributed-undo", "s").err

    def test_an_amount_is_missing(self, desk: Run) -> None:
        """Without a quantity there is nothing to divide."""
        assert desk("distributed-buy", "BTC-USD").code == 2
        assert desk("distributed-buy").code == 2

    def test_real_money_moves_after_a_yes_alone(
        self, desk: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody to ask, or a no: nothing is sent. A yes, or --yes: it is."""
        monkeypatch.setattr(distributed, "is_live", lambda broker: True)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        nobody = desk(*BUY, "--saga-id", "s")
        assert nobody.code == 6
        assert "nobody to ask" in nobody.err
        monkeypatch.setattr(sys, "stdin", Keyboard("n\n"))
        assert desk(*BUY, "--saga-id", "s").code == 6
        assert desk("orders", "--broker", "beta", "--json").json == []
        monkeypatch.setattr(sys, "stdin", Keyboard("y\n"))
        asked = desk(*BUY, "--saga-id", "s")
        assert asked.code == 0
        assert "0.01" in asked.err
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        assert desk("distributed-undo", "s").code == 6
        assert desk("distributed-status", "--finish").code == 6
        assert desk("distributed-undo", "s", "--yes").code == 0


class TestOneOrder:
    """`buy` and `sell` take words or options."""

    def test_options_and_words_are_the_same(self, desk: Run) -> None:
        """The form with options trades as the one with words does."""
        assert (
            desk("buy", "--symbol", "BTC-USD", "--quantity", "0.02", "--broker", "alpha").code == 0
        )
        assert desk("sell", "BTC-USD", "0.02", "--broker", "alpha").code == 0
        assert desk("positions", "--broker", "alpha", "--json").json == []

    def test_both_at_once_are_refused(self, desk: Run) -> None:
        """A symbol, or a quantity, that is given twice is not guessed at."""
        assert "not both" in desk("buy", "AAPL", "--symbol", "AAPL").err
        assert "not both" in desk("buy", "AAPL", "1", "--quantity", "2").err


@pytest.fixture(scope="module")
def venue() -> Iterator[OpenVenue]:
    """A simulator of Alpaca, whose market rests."""
    opened = open_venue("alpaca", 7)
    with opened.venue:
        yield opened


@pytest.fixture
def alpaca(quick: Run, environment: dict[str, str], venue: OpenVenue) -> Run:
    """Run a command on that simulator."""
    environment.update(venue.environment())
    return lambda *words: quick(*words, "--broker", "alpaca")


class TestMarket:
    """Quotes, candles and option chains."""

    def test_a_quote_has_its_age(self, desk: Run, alpaca: Run) -> None:
        """Bid, ask, spread, and how old they are."""
        ran = desk("quote", "BTC-USD", "--broker", "alpha")
        assert ran.code == 0
        for word in ("bid", "ask", "spread", "age"):
            assert word in ran.out
        assert alpaca("quote", "AAPL", "--json").json["symbol"] == "AAPL"

    def test_candles_are_drawn(self, alpaca: Run) -> None:
        """A chart without colours where it is piped; every number with --table and --json."""
        words = ("candles", "AAPL", "--interval", "1d", "--count", "30")
        listed = alpaca(*words, "--json")
        assert listed.code == 0, listed.err
        if len(listed.json) >= market.CHARTED_MIN:
            ran = alpaca(*words)
            assert "AAPL" in ran.out
            assert "│" in ran.out
            assert "\x1b" not in ran.out
        table = alpaca(*words, "--table")
        assert ("close" in table.out) is bool(listed.json)

    @pytest.mark.parametrize(
        "words",
        [
            ("--interval", "1w"),
            ("--interval", "0m"),
            ("--count", "0"),
            ("--count", "x"),
            ("--end", "yesterday"),
        ],
    )
    def test_bad_spans_are_refused(self, alpaca: Run, words: tuple[str, str]) -> None:
        """What names no span, count or time is refused by the option's name."""
        ran = alpaca("candles", "AAPL", *words)
        assert (ran.code, words[0] in ran.err) == (2, True)

    def test_an_option_chain_is_listed(self, alpaca: Run) -> None:
        """Contracts with expiry, strike and right; of one expiry where that is asked for."""
        ran = alpaca("option-chain", "AAPL", "--json")
        assert ran.code == 0, ran.err
        contracts = ran.json
        assert contracts
        day = contracts[0]["product"]["expiry"]
        one_day = alpaca("option-chain", "AAPL", "--expiry", day)
        assert (one_day.code, "strike" in one_day.out) == (0, True)
        assert alpaca("option-chain", "AAPL", "--expiry", "soon").code == 2

    def test_what_a_broker_does_not_tell_is_said(
        self, desk: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A broker without chains, quotes or candles says so by the method's name."""
        ran = desk("option-chain", "AAPL", "--broker", "alpha")
        assert (ran.code, "tells no option chains" in ran.err) == (2, True)
        monkeypatch.setattr(market, "supports", lambda broker, protocol: False)
        for name, what in (("quote", "quotes"), ("candles", "candles")):
            assert f"tells no {what}" in desk(name, "BTC-USD", "--broker", "alpha").err

    def test_a_chart_at_a_terminal_has_its_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a person looks the chart fits the terminal; without plotext it is said."""
        from tests.integration.cli.candles_of_tests import CANDLES

        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", "60")
        monkeypatch.setenv("LINES", "12")
        drawn = market.chart("BTC-USD", CANDLES)
        assert len(drawn.splitlines()) <= 13
        monkeypatch.setitem(sys.modules, "plotext", None)
        with pytest.raises(Exception, match=r"bot-v2\[cli\]"):
            market.chart("BTC-USD", CANDLES)


def test_health_lives_at_a_terminal(desk: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal --watch is one table that is drawn anew."""
    screen = Terminal()
    with monkeypatch.context() as during:
        during.setattr(sys, "stdout", screen)
        during.setenv("COLUMNS", "120")
        ran = desk(
            *("health", "--watch", "--broker", "alpha", "--interval", "0.02", "--count", "2")
        )
    assert ran.code == 0
    drawn = screen.getvalue()
    assert "health, " in drawn
    assert "alpha" in drawn
    assert "healthy" in drawn


def test_the_board_tells_news() -> None:
    """Changes, attempts and errors are in the table, and who was not heard of waits."""
    from rich.console import Console

    from bot_v2.orchestration.health_monitor import HealthChange, ReconnectEnded
    from bot_v2.orchestration.health_states import HealthState
    from tests.unit.orchestration.fake_brokerage import DOWN

    board = health.HealthBoard(["a", "b"])
    now = datetime.now(UTC)
    screen = io.StringIO()
    Console(file=screen, width=120).print(board.table(now))
    assert screen.getvalue().count("waiting") == 2
    board.take(
        HealthChange(
            name="a", timestamp=now, old=HealthState.HEALTHY, new=HealthState.DOWN, health=DOWN
        )
    )
    board.take(
        ReconnectEnded(name="b", timestamp=now, attempt=2, connected=False, error_message="no")
    )
    assert board._news == {"a": "healthy -> down", "b": "attempt 2 to reconnect failed: no"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_each_shell_gets_its_script(quick: Run, shell: str) -> None:
    """The script names the variable that the program answers to."""
    ran = quick("completion", shell)
    assert (ran.code, "_BOT_V2_COMPLETE" in ran.out) == (0, True)
    assert quick("completion", shell, "--json").json["shell"] == shell


def test_an_unknown_shell_is_refused(quick: Run) -> None:
    """The shells that there are are named."""
    ran = quick("completion", "tcsh")
    assert (ran.code, "bash, zsh, fish, powershell" in ran.err) == (2, True)


def test_words_are_completed(command: Run, environment: dict[str, str]) -> None:
    """A shell that asks gets the commands that begin so."""
    environment.update(
        {"_BOT_V2_COMPLETE": "complete_bash", "COMP_WORDS": "bot-v2 distr", "COMP_CWORD": "1"}
    )
    ran = command()
    assert "distributed-buy" in ran.out.split()
    assert not list(Path(environment["HOME"]).rglob("*.log"))


def test_how_commands_end_is_logged_and_what_was_typed_is_not(
    desk: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    """The log has names and exit codes; no word of the command line is in it."""
    environment["BOT_V2_LOG_FOLDER"] = str(tmp_path / "logs")
    desk("quote", "BTC-USD", "--broker", "alpha")
    desk("quote", "NO-SUCH", "--broker", "alpha")
    text = (tmp_path / "logs" / "bot-v2.log").read_text(encoding="utf-8")
    assert "quote ended with 0 after" in text
    assert "quote ended with 2 after" in text
    assert "NO-SUCH" not in text
