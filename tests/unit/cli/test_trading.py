"""buy, sell, cancel and close: what is sent, when nobody confirmed, and how a failure ends."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot_v2.features.brokerages.core import interfaces as api
from tests.unit.cli.fakes import Shell, an_order

D = Decimal


def placed(shell: Shell) -> api.OrderRequest:
    """The one request that reached the sandbox."""
    (request,) = shell.sandbox.placed
    return request


def test_an_order_is_sent_exactly_as_typed(shell: Shell) -> None:
    """Numbers are taken digit by digit, and the id under which it is sent is told."""
    ran = shell.run("buy", "BTC-USD", "0.10", "--price", "64000.00", "--broker", "sandbox")
    assert ran.code == 0
    request = placed(shell)
    assert str(request.quantity) == "0.10"
    assert str(request.price) == "64000.00"
    assert (request.side, request.type) == (api.OrderSide.BUY, api.OrderType.LIMIT)
    assert request.client_order_id
    assert request.client_order_id in ran.out


def test_every_term_of_an_order_can_be_given(shell: Shell) -> None:
    """Each option reaches its field of the request."""
    ran = shell.run(
        *("sell", "BTC-USD", "--notional", "1e2", "--type", "stop-limit", "--price", "90"),
        *("--stop-price", "91", "--tif", "GTD", "--expires-at", "2026-03-02T15:30:00+01:00"),
        *("--client-order-id", "mine", "--position-effect", "close", "--reduce-only"),
        *("--extended-hours", "--take-profit", "80", "--stop-loss", "99.5"),
        *("--broker-option", "product=MIS", "--broker-option", "tag=a=b", "-b", "sandbox"),
    )
    assert ran.code == 0, ran.err
    expected = api.OrderRequest(
        symbol="BTC-USD",
        side=api.OrderSide.SELL,
        notional=D(100),
        type=api.OrderType.STOP_LIMIT,
        price=D(90),
        stop_price=D(91),
        time_in_force=api.TimeInForce.GTD,
        expires_at=api_moment("2026-03-02T14:30:00Z"),
        client_order_id="mine",
        position_effect=api.PositionEffect.CLOSE,
        reduce_only=True,
        extended_hours=True,
        take_profit=api.TakeProfit(price=D(80)),
        stop_loss=api.StopLoss(stop_price=D("99.5")),
        broker_options=api_options({"product": "MIS", "tag": "a=b"}),
    )
    assert placed(shell) == expected


def api_moment(text: str) -> Any:
    """A moment, for a request."""
    from datetime import datetime

    return datetime.fromisoformat(text)


def api_options(options: dict[str, str]) -> Any:
    """Broker options, for a request."""
    return options


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ((), "market"),
        (("--price", "9"), "limit"),
        (("--stop-price", "9"), "stop"),
        (("--price", "9", "--stop-price", "8"), "stop_limit"),
        (("--trail-amount", "5"), "trailing_stop"),
        (("--trail-percent", "1.5"), "trailing_stop"),
        (("--price", "9", "--post-only"), "limit"),
    ],
)
def test_the_prices_given_make_the_type(shell: Shell, words: tuple[str, ...], kind: str) -> None:
    """Without --type, an order is of the type that its prices make it."""
    assert shell.run("buy", "A", "1", *words, "-b", "sandbox").code == 0
    assert placed(shell).type == kind


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("1O",), "QUANTITY is '1O'; accepted: the text of a finite number"),
        (("1,5",), "QUANTITY is '1,5'"),
        (("nan",), "QUANTITY is 'nan'"),
        (("inf",), "QUANTITY is 'inf'"),
        (("0",), "QUANTITY is '0'; accepted: above zero"),
        ((), "QUANTITY is None; accepted: a quantity or a notional"),
        (("1", "--notional", "5"), "exactly one of the two"),
        (("1", "--price", "1.2.3"), "--price is '1.2.3'"),
        (("1", "--type", "limit"), "--price is None; accepted: a Decimal: a LIMIT order needs"),
        (("1", "--type", "other"), "--type is 'other'; accepted: market, limit"),
        (("1", "--type", "iceberg"), "--type is 'iceberg'; accepted: market, limit"),
        (("1", "--tif", "other"), "--tif is 'other'; accepted: gtc, day"),
        (("1", "--tif", "gtd"), "--expires-at is None"),
        (("1", "--expires-at", "2026-03-02T15:30:00"), "--expires-at is '2026-03-02T15:30:00'"),
        (("1", "--expires-at", "soon"), "with its zone"),
        (("1", "--post-only"), "--post-only is True"),
        (("1", "--trail-percent", "100", "--type", "trailing_stop"), "--trail-percent is '100'"),
        (("1", "--position-effect", "turn"), "--position-effect is 'turn'; accepted: open, close"),
        (("1", "--broker-option", "product"), "--broker-option is 'product'"),
        (("1", "--broker-option", "a=1", "--broker-option", "a=2"), "each key once"),
        (("1", "--take-profit", "1", "--stop-loss", "2"), "--take-profit is"),
    ],
)
def test_bad_input_is_one_clear_line(shell: Shell, words: tuple[str, ...], named: str) -> None:
    """A refusal names the option, the value and what is accepted, and nothing is sent."""
    ran = shell.run("buy", "BTC-USD", *words, "--broker", "sandbox")
    assert ran.code == 2
    assert named in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert (shell.sandbox.placed, shell.sandbox.connections) == ([], 0)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("buy",), "Missing argument 'SYMBOL'"),
        (("buy", "A", "1", "--pice", "3"), "No such option: --pice"),
        (("by", "A", "1"), "No such command 'by'"),
        (("buy", "A", "1", "--price"), "--price"),
    ],
)
def test_a_command_line_that_cannot_be_read_says_where_help_is(
    shell: Shell, words: tuple[str, ...], named: str
) -> None:
    """A mistyped command ends with exit code 2, as text or as JSON."""
    ran = shell.run(*words)
    assert ran.code == 2
    assert named in ran.err
    assert "--help" in ran.err
    if words[-1] != "--price":
        ran = shell.run(*words, "--json")
        assert (ran.code, ran.error["exit_code"], ran.error["outcome"]) == (2, 2, "not_sent")
        assert named in ran.error["message"]


@pytest.mark.parametrize(
    "words",
    [("buy", "BTC-USD", "1"), ("sell", "BTC-USD", "1"), ("cancel", "o-1"), ("close", "BTC-USD")],
    ids=lambda words: str(words[0]),
)
class TestConfirmation:
    """A broker that is live, or does not say where it is, is written to only with consent."""

    def sent(self, shell: Shell) -> int:
        """How many writes reached the live broker."""
        return len(shell.fake.placed) + len(shell.fake.cancelled) + len(shell.fake.closed)

    def test_without_a_person_it_is_refused(self, shell: Shell, words: tuple[str, ...]) -> None:
        """With nobody to ask and no --yes, nothing is even connected."""
        shell.fake.orders = [an_order()]
        ran = shell.run(*words, "--broker", "fake")
        assert ran.code == 6
        assert "--yes" in ran.err
        assert (self.sent(shell), shell.fake.connections) == (0, 0)

    @pytest.mark.parametrize("answer", ["n\n", "\n", ""], ids=["no", "return", "end"])
    def test_a_no_is_a_no(self, shell: Shell, words: tuple[str, ...], answer: str) -> None:
        """Only a yes sends; an answer that is none counts as no."""
        shell.fake.orders = [an_order()]
        shell.type_in(answer)
        ran = shell.run(*words, "--broker", "fake")
        assert ran.code == 6
        assert "Nothing was sent" in ran.err or "nothing was sent" in ran.err
        assert self.sent(shell) == 0
        assert shell.fake.disconnections == 1

    def test_a_yes_sends_once(self, shell: Shell, words: tuple[str, ...]) -> None:
        """The question says what is sent, and where; a yes sends it."""
        shell.fake.orders = [an_order()]
        shell.type_in("y\n")
        ran = shell.run(*words, "--broker", "fake")
        assert ran.code == 0, ran.err
        assert "fake (LIVE), account acc-1?" in ran.err
        assert words[-1] in ran.err
        assert self.sent(shell) == 1

    def test_the_option_yes_does_not_ask(self, shell: Shell, words: tuple[str, ...]) -> None:
        """With --yes a script can write to a live broker."""
        shell.fake.orders = [an_order()]
        ran = shell.run(*words, "--broker", "fake", "--yes", "--json")
        assert (ran.code, ran.err) == (0, "")
        assert self.sent(shell) == 1
        assert ran.json

    def test_a_sandbox_does_not_ask(self, shell: Shell, words: tuple[str, ...]) -> None:
        """Where no real money moves, nobody is asked."""
        shell.sandbox.orders = [an_order()]
        assert shell.run(*words, "--broker", "sandbox").code == 0

    def test_a_misspelt_environment_counts_as_live(
        self, shell: Shell, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only a known harmless environment goes without a question."""
        monkeypatch.setattr(shell.sandbox, "environment", "papre", raising=False)
        assert shell.run(*words, "--broker", "sandbox").code == 6


def test_the_refusal_to_write_unasked_is_json_too(shell: Shell) -> None:
    """With --json the refusal is a document that says that nothing was sent."""
    ran = shell.run("buy", "BTC-USD", "1", "--broker", "fake", "--json")
    assert ran.out == ""
    assert ran.error["error"] == "NotConfirmedError"
    assert (ran.error["exit_code"], ran.error["outcome"]) == (6, "not_sent")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (api.OrderRejectedError("no"), 1),
        (api.InsufficientFundsError("no", outcome=api.Outcome.REJECTED), 1),
        (api.MarketClosedError("no", outcome=api.Outcome.REJECTED), 1),
        (api.DuplicateOrderError("no"), 1),
        (api.InvalidSymbolError("no"), 2),
        (api.UnsupportedOperationError("no"), 2),
        (api.ConnectionError("no", outcome=api.Outcome.NOT_SENT), 3),
        (api.TimeoutError("no", outcome=api.Outcome.NOT_SENT), 3),
        (api.RateLimitError("no", outcome=api.Outcome.REJECTED), 3),
        (api.SessionExpiredError("no", outcome=api.Outcome.REJECTED), 4),
        (api.PermissionDeniedError("no", outcome=api.Outcome.REJECTED), 4),
        (api.OrderOutcomeUnknownError("perhaps"), 5),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failed_order_has_the_exit_code_of_its_error(
    shell: Shell, failure: api.BrokerageError, code: int
) -> None:
    """Scripts tell by the exit code what became of an order."""
    shell.sandbox.failures["place_order"] = failure
    ran = shell.run("buy", "BTC-USD", "1", "--broker", "sandbox", "--json")
    assert ran.code == code
    assert ran.out == ""
    assert ran.error["error"] == type(failure).__name__
    assert ran.error["exit_code"] == code
    assert ran.error["outcome"] == failure.outcome
    assert len(shell.sandbox.placed) == 1


@pytest.mark.parametrize(
    "failure",
    [
        api.OrderOutcomeUnknownError("timed out"),
        api.ConnectionError("says no outcome"),
        KeyError("a fault of the adapter"),
        KeyboardInterrupt(),
        TimeoutError("the builtin"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_an_unknown_outcome_says_how_to_look_and_sends_nothing_again(
    shell: Shell, failure: BaseException
) -> None:
    """Whatever ends the call without saying what became of it, the order can be looked up."""
    shell.sandbox.failures["place_order"] = failure
    ran = shell.run("buy", "BTC-USD", "1", "--broker", "sandbox")
    assert ran.code == 5
    assert len(shell.sandbox.placed) == 1
    client_order_id = placed(shell).client_order_id
    assert f"bot-v2 order --client-id {client_order_id} --broker sandbox" in ran.err
    assert "outcome=unknown" in ran.err


def test_the_command_that_is_advised_finds_the_order(shell: Shell) -> None:
    """An order that was placed although its reply was lost is found by the advice."""
    shell.lookup.orders = [an_order(client_order_id="mine")]
    shell.lookup.failures["place_order"] = api.OrderOutcomeUnknownError("reply lost")
    ran = shell.run(
        *("buy", "BTC-USD", "1", "--client-order-id", "mine", "--broker", "lookup", "--json")
    )
    assert ran.code == 5
    assert ran.error["client_order_id"] == "mine"
    words = ran.error["advice"].split()
    assert words[0] == "bot-v2"
    found = shell.run(*words[1:], "--json")
    assert (found.code, found.json["order_id"]) == (0, "o-1")


def test_an_unknown_cancel_or_close_says_how_to_look(shell: Shell) -> None:
    """A cancel is looked up by its order, a close among the orders."""
    shell.sandbox.failures["cancel_order"] = api.OrderOutcomeUnknownError("reply lost")
    ran = shell.run("cancel", "o-7", "--broker", "sandbox")
    assert ran.code == 5
    assert "next:  bot-v2 order o-7 --broker sandbox" in ran.err
    shell.sandbox.failures["close_position"] = RuntimeError("no idea")
    ran = shell.run("close", "BTC-USD", "--broker", "sandbox")
    assert ran.code == 5
    assert "next:  bot-v2 orders --broker sandbox" in ran.err
    assert (shell.sandbox.cancelled, shell.sandbox.closed) == (["o-7"], ["BTC-USD"])


def test_a_failure_that_is_returned_is_a_failure(shell: Shell) -> None:
    """A result that says success=False ends as the error that it carries."""
    shell.sandbox.reports_failure = api.OrderResult(
        success=False, client_order_id="c", error=api.OrderRejectedError("too small")
    )
    ran = shell.run("buy", "BTC-USD", "1", "--broker", "sandbox")
    assert (ran.code, ran.out) == (1, "")
    assert "too small" in ran.err


def test_a_refusal_by_the_product_names_the_option(shell: Shell) -> None:
    """A price off the grid, which only the brokerage knows, is refused as --price."""
    shell.sandbox.failures["place_order"] = api.InvalidFieldError(
        "OrderRequest.price", D("1.005"), "a multiple of 0.01"
    )
    ran = shell.run("buy", "BTC-USD", "1", "--price", "1.005", "--broker", "sandbox")
    assert ran.code == 2
    assert "--price is '1.005'; accepted: a multiple of 0.01" in ran.err


def test_a_placed_order_is_shown_even_without_a_read(shell: Shell) -> None:
    """Where the reply has no order, the two ids are shown, and no extra call is made."""
    shell.sandbox.with_order = False
    ran = shell.run("buy", "BTC-USD", "1", "--client-order-id", "mine", "--broker", "sandbox")
    assert ran.code == 0
    assert "o-1" in ran.out
    assert "mine" in ran.out


def test_the_json_of_an_order_is_its_result(shell: Shell) -> None:
    """Decimals are strings as they were typed, enums are values, times end in Z."""
    ran = shell.run("buy", "BTC-USD", "0.10", "--broker", "sandbox", "--json")
    assert ran.json["success"] is True
    assert ran.json["order"]["quantity"] == "0.10"
    assert ran.json["order"]["side"] == "buy"
    assert ran.json["order"]["timestamp"] == "2026-03-02T14:30:00Z"
    assert ran.json["error"] is None


def test_cancelling_what_has_ended_is_not_fulfilled(shell: Shell) -> None:
    """A cancel of an ended order says so and exits with 1; a live one is cancelled."""
    shell.sandbox.orders = [
        an_order(status=api.OrderStatus.CANCELLED),
        an_order(order_id="o-2"),
    ]
    ran = shell.run("cancel", "o-1", "--broker", "sandbox", "--json")
    assert (ran.code, ran.json) == (1, {"order_id": "o-1", "cancel_accepted": False})
    ran = shell.run("cancel", "o-2", "--broker", "sandbox")
    assert (ran.code, ran.out) == (0, "order o-2: cancel accepted\n")
    ran = shell.run("cancel", "o-9", "--broker", "sandbox")
    assert ran.code == 1
    assert "no such order" in ran.err


def test_closing_what_is_flat_is_refused(shell: Shell) -> None:
    """Without a position there is nothing to close, and nothing is sent."""
    ran = shell.run("close", "ETH-USD", "--broker", "sandbox")
    assert ran.code == 2
    assert "there is no position" in ran.err


def test_a_failed_disconnect_does_not_hide_what_was_done(shell: Shell) -> None:
    """The order was taken: that the session did not end well changes nothing of it."""
    shell.sandbox.failures["disconnect"] = api.ConnectionError("gone")
    assert shell.run("buy", "BTC-USD", "1", "--broker", "sandbox").code == 0
