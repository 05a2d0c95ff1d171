"""Orders over a desk: where they go, and one over several accounts, told leg by leg."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.core.account_summary import Margin
from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    InvalidFieldError,
    InvalidRequestError,
    UnsupportedOperationError,
)
from bot_v2.features.brokerages.core.interfaces import (
    Balance,
    Leg,
    MarketType,
    OrderSide,
    OrderType,
    PositionEffect,
    StopLoss,
)
from bot_v2.orchestration.desk.distribution import LegStatus, UndoAction, Weighting
from bot_v2.orchestration.desk.routing import Route
from bot_v2.orchestration.desk.saga_store import MemorySagas, sagas_beside
from bot_v2.orchestration.journal.memory_journal import MemoryJournal
from bot_v2.orchestration.journal.records import OrderJournalError
from bot_v2.orchestration.journal.sql_journal import SqlJournal
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from tests.unit.orchestration.desk.papers import REFUSED, UNKNOWN, D, PaperAccount, buy, desk

Desk = Callable[..., MultiBrokerManager]
RESTING = {"type": OrderType.LIMIT, "price": D("1000.00")}


@pytest.fixture
def make() -> Iterator[Desk]:
    """Makes desks, and closes them."""
    made: list[MultiBrokerManager] = []

    def build(**given: Any) -> MultiBrokerManager:
        made.append(desk(**given))
        return made[-1]

    yield build
    for one in made:
        one.close()


def statuses(result: Any) -> list[str]:
    """What came of each leg."""
    return [f"{one.leg.broker} {one.status.value}" for one in result.legs]


class TestOneOrder:
    """An order goes to one account."""

    def test_a_named_account_gets_it(self, make: Desk) -> None:
        """The order is at the account that is named, under the account's name in the journal."""
        a, b = PaperAccount(), PaperAccount()
        manager = make(a=a, b=b)
        routed = manager.submit(buy("0.1"), "b")
        assert (routed.broker, routed.result.success, routed.reason) == ("b", True, "it was named")
        assert (len(a.list_orders()), len(b.list_orders())) == (0, 1)
        assert manager.executor("b").find(routed.result.client_order_id or "") is not None
        assert manager.executor("b").scope.broker == "b"

    def test_two_accounts_of_one_kind_share_a_journal(self, make: Desk) -> None:
        """Orders of the same broker's id at two accounts are told apart by the accounts' names."""
        manager = make(a=PaperAccount(), b=PaperAccount())
        results = [manager.submit(buy("0.1"), name).result for name in ("a", "b")]
        assert results[0].order_id == results[1].order_id
        assert all(one.success for one in results)

    def test_without_a_rule_it_is_the_default(self, make: Desk) -> None:
        """Nothing named and nothing ruled: the default account."""
        routed = make(a=PaperAccount(), b=PaperAccount()).submit(buy("0.1"))
        assert (routed.broker, routed.reason) == ("a", "no brokerage is named: the default")

    @pytest.mark.parametrize(
        ("route", "terms", "goes"),
        [
            (Route(broker="b", symbols=("BTC-*",)), {}, "b"),
            (Route(broker="b", symbols=("ETH-*", "DOGE-USD")), {}, "a"),
            (Route(broker="b", market_types=(MarketType.SPOT,)), {}, "b"),
            (Route(broker="b", market_types=(MarketType.EQUITY,)), {}, "a"),
            (Route(broker="b", capabilities=(Capability.BRACKET,)), {}, "a"),
            (
                Route(broker="b", capabilities=(Capability.BRACKET,)),
                {"stop_loss": StopLoss(stop_price=D("900.00")), **RESTING},
                "b",
            ),
        ],
    )
    def test_rules_say_where_it_goes(
        self, make: Desk, route: Route, terms: dict[str, Any], goes: str
    ) -> None:
        """A rule takes an order by its symbol, its market, and what it asks for."""
        routed = make(a=PaperAccount(), b=PaperAccount(), routes=[route]).submit(
            buy("0.1", **terms)
        )
        assert routed.broker == goes
        assert ("rule 1" in routed.reason) is (goes == "b")

    def test_a_rule_whose_account_cannot_is_passed_over(self, make: Desk) -> None:
        """Neither an account that lacks an ability nor one without the product is taken."""
        weak = PaperAccount()
        weak.capabilities = frozenset({Capability.FILLS})  # type: ignore[misc]  # a test's own adapter
        routes = [Route(broker="weak"), Route(broker="b")]
        manager = make(a=PaperAccount(), weak=weak, b=PaperAccount(), routes=routes)
        bracket = buy("0.1", stop_loss=StopLoss(stop_price=D("900.00")), **RESTING)
        assert manager.submit(bracket).broker == "b"
        strange = manager.submit(buy("1", symbol="NONE-SUCH"))
        assert (strange.broker, strange.result.success) == ("a", False)
        assert "no rule of the routing table fits it" in strange.reason

    def test_a_product_that_cannot_be_read_routes_nothing(self, make: Desk) -> None:
        """An account that is down is not passed over: the order would go elsewhere by chance."""
        down = PaperAccount()
        manager = make(a=PaperAccount(), down=down, routes=[Route(broker="down")])
        down.disconnect()
        with pytest.raises(BrokerageError):
            manager.submit(buy())

    def test_the_most_margin_gets_it(self, make: Desk) -> None:
        """The account that can buy with most is taken, and the amount is told."""
        manager = make(a=PaperAccount("1000"), b=PaperAccount("5000"), c=PaperAccount("3000"))
        routed = manager.submit(buy("0.01"), by_margin=True)
        assert routed.broker == "b"
        assert "USD to buy with, the most of 3 accounts" in routed.reason

    def test_margins_that_nobody_says_choose_nobody(self, make: Desk) -> None:
        """Where no account says what it can buy with, nothing is sent."""
        account = PaperAccount()
        manager = make(a=account)
        with pytest.raises(UnsupportedOperationError, match="none says it"):
            manager.submit(buy("1", symbol="NONE-SUCH"), by_margin=True)
        with pytest.raises(InvalidFieldError, match="margin"):
            manager.submit(buy(), "a", by_margin=True)
        assert account.placed == 0

    def test_margins_in_other_currencies_are_not_compared(
        self, make: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An amount in another currency than the product's says nothing of what can be bought."""
        account = PaperAccount()
        euros = Margin(currency="EUR", buying_power=D(10**6))
        monkeypatch.setattr(account, "get_margin", lambda: euros, raising=False)
        account.capabilities = account.capabilities | {Capability.MARGIN}  # type: ignore[misc]  # a test's own adapter
        manager = make(a=account, b=PaperAccount("10"))
        assert manager.submit(buy("0.0001"), by_margin=True).broker == "b"

    def test_a_desk_without_a_journal_sends_nothing(self) -> None:
        """What could not be written down first is not sent."""
        with (
            MultiBrokerManager() as manager,
            pytest.raises(InvalidRequestError, match="without a journal"),
        ):
            manager.submit(buy())


class TestDistributed:
    """An order over several accounts."""

    def test_it_is_divided_by_weights(self, make: Desk) -> None:
        """Each account gets its part, and the whole is what was asked for."""
        manager = make(a=PaperAccount(), b=PaperAccount(), c=PaperAccount())
        result = manager.submit_distributed(buy("1"))
        assert statuses(result) == ["a placed", "b placed", "c placed"]
        assert result.is_complete
        assert result.is_settled
        assert result.quantity_of(LegStatus.PLACED) == 1
        quantities = [one.leg.request.quantity for one in result.legs]
        assert sum(one for one in quantities if one is not None) == 1
        assert sum(bool(one.leg.remainder) for one in result.legs) == 1

    def test_it_is_divided_by_buying_power(self, make: Desk) -> None:
        """Who can buy with three times as much gets three times as much; who has none, nothing."""
        manager = make(a=PaperAccount("10000"), b=PaperAccount("30000"))
        plan = manager.plan_distributed(buy("0.4"), by=Weighting.BUYING_POWER)
        assert [one.request.quantity for one in plan.legs] == [D("0.1"), D("0.3")]

    def test_it_is_divided_equally(self, make: Desk) -> None:
        """Weights do not count where all get the same."""
        manager = make(a=PaperAccount())
        manager.add("b", PaperAccount(), weight=D(9))
        manager.connect_all()
        plan = manager.plan_distributed(buy("0.4"), by=Weighting.EQUAL)
        assert [one.request.quantity for one in plan.legs] == [D("0.2"), D("0.2")]

    def test_a_plan_sends_nothing(self, make: Desk) -> None:
        """A plan can be looked at, and then be submitted as it is."""
        a, b = PaperAccount(), PaperAccount()
        manager = make(a=a, b=b)
        plan = manager.plan_distributed(buy("0.2"))
        assert a.placed + b.placed == 0
        assert manager.submit_distributed(plan).distribution is plan
        assert a.placed + b.placed == 2

    def test_a_repeat_sends_nothing_twice(self, make: Desk) -> None:
        """Under the same id nothing is sent again, whatever the accounts are like by then."""
        a, b = PaperAccount(), PaperAccount()
        manager = make(a=a, b=b)
        first = manager.submit_distributed(buy("0.2"), saga_id="mine", by=Weighting.BUYING_POWER)
        again = manager.submit_distributed(buy("0.2"), saga_id="mine", by=Weighting.BUYING_POWER)
        assert again.distribution == first.distribution
        assert (a.placed, b.placed) == (1, 1)
        with pytest.raises(InvalidFieldError, match="saga_id"):
            manager.submit_distributed(buy("0.3"), saga_id="mine")
        with pytest.raises(InvalidFieldError, match="64 characters"):
            manager.submit_distributed(buy("0.2"), saga_id="x" * 65)

    def test_part_of_it_placed_is_not_hidden(self, make: Desk) -> None:
        """A leg that is refused is told with its reason, and the undo plan has the others."""
        a, b, c = PaperAccount(), PaperAccount(), PaperAccount()
        b.error = REFUSED
        manager = make(a=a, b=b, c=c)
        result = manager.submit_distributed(buy("0.3"), saga_id="s")
        assert statuses(result) == ["a placed", "b refused", "c placed"]
        assert not result.is_complete
        assert result.is_settled
        assert result.legs[1].explanation == "not today"
        assert result.quantity_of(LegStatus.REFUSED) == D("0.1")
        assert manager.distributed("s").legs == result.legs

    def test_after_a_failure_the_others_can_be_left(self, make: Desk) -> None:
        """With `stop_on_failure` nothing is sent after a refusal; a repeat of the call goes on."""
        a, b, c = PaperAccount(), PaperAccount(), PaperAccount()
        b.error = REFUSED
        manager = make(a=a, b=b, c=c)
        result = manager.submit_distributed(buy("0.3"), saga_id="s", stop_on_failure=True)
        assert statuses(result) == ["a placed", "b refused", "c not_tried"]
        assert result.legs[2].explanation == "not tried, as b failed"
        assert not result.is_settled
        assert statuses(manager.submit_distributed(buy("0.3"), saga_id="s"))[2] == "c placed"
        assert c.placed == 1

    def test_a_leg_refused_before_it_is_journalled_stays_refused(self, make: Desk) -> None:
        """A check that refuses leaves nothing in the journal; it is known all the same."""
        a, b = PaperAccount(), PaperAccount()
        manager = make(a=a, b=b)
        plan = manager.plan_distributed(buy("0.2", type=OrderType.LIMIT, price=D("1000.001")))
        result = manager.submit_distributed(plan)
        assert statuses(result) == ["a refused", "b refused"]
        assert statuses(manager.submit_distributed(plan)) == ["a refused", "b refused"]
        looked = manager.distributed(plan.saga_id)
        assert [one.explanation for one in looked.legs] == [o.explanation for o in result.legs]
        assert result.undo_plan == ()

    def test_an_unknown_leg_is_told_and_found_out(self, make: Desk) -> None:
        """What nobody knows of is told; when it can be looked for it is found, and not resent."""
        a, b = PaperAccount(), PaperAccount()
        manager = make(a=a, b=b)
        manager.executor("b")
        b.error, b.is_blind = UNKNOWN, True
        result = manager.submit_distributed(buy("0.2"), saga_id="s")
        assert statuses(result) == ["a placed", "b unknown"]
        assert [one.action for one in result.undo_plan][-1] is UndoAction.LOOK
        undone = manager.undo("s")
        assert (undone[-1].step.action, undone[-1].done) == (UndoAction.LOOK, False)
        b.error, b.is_blind = None, False
        recovery = manager.recover(finish=True)
        assert [statuses(one) for one in recovery.distributions] == [["a placed", "b placed"]]
        assert b.placed == 1
        assert manager.recover().distributions == ()

    def test_an_account_that_is_down_is_left_out_and_named(self, make: Desk) -> None:
        """Who cannot be asked gets nothing, and the plan says so."""
        down = PaperAccount()
        manager = make(a=PaperAccount(), down=down)
        down.disconnect()
        plan = manager.plan_distributed(buy("0.2"))
        assert [one.broker for one in plan.legs] == ["a"]
        assert [one.broker for one in plan.left_out] == ["down"]
        with pytest.raises(InvalidRequestError, match="no account"):
            manager.plan_distributed(buy("0.2"), ["down"])

    def test_an_account_that_goes_down_is_not_tried(self, make: Desk) -> None:
        """A leg whose account cannot be reached is not sent, and a repeat sends it."""
        a, b = PaperAccount(), PaperAccount()
        manager = make(a=a, b=b)
        plan = manager.plan_distributed(buy("0.2"))
        b.disconnect()
        result = manager.submit_distributed(plan)
        assert statuses(result) == ["a placed", "b not_tried"]
        manager.connect_all()
        assert statuses(manager.submit_distributed(plan)) == ["a placed", "b placed"]
        assert (a.placed, b.placed) == (1, 1)

    def test_steps_and_minima_of_each_account_are_kept(self, make: Desk) -> None:
        """Coarse steps, a least value, and what is not traded are worked out for each account."""
        manager = make(
            coarse=PaperAccount(terms={"size_increment": D("0.1")}),
            valuable=PaperAccount(terms={"min_notional": D(10**7)}),
            closed=PaperAccount(terms={"tradeable": False}),
            plain=PaperAccount(terms={"size_increment": None, "min_order_size": None}),
        )
        plan = manager.plan_distributed(buy("1.0", **RESTING))
        assert {one.broker: one.request.quantity for one in plan.legs} == {
            "coarse": D("0.7"),
            "plain": D("0.3"),
        }
        reasons = {one.broker: one.reason for one in plan.left_out}
        assert "refused now" in reasons["closed"]
        assert "below the least" in reasons["valuable"]

    def test_products_that_differ_are_not_added_up(self, make: Desk) -> None:
        """A contract of ten is not the same as one of one."""
        manager = make(a=PaperAccount(), b=PaperAccount(terms={"multiplier": D(10)}))
        with pytest.raises(InvalidRequestError, match="multiplier is 1 and 10"):
            manager.plan_distributed(buy("1"))

    @pytest.mark.parametrize(
        "terms",
        [
            {"quantity": None, "notional": D(10)},
            {"client_order_id": "mine"},
            {"account_id": "paper"},
        ],
    )
    def test_what_cannot_be_divided_is_refused(self, make: Desk, terms: dict[str, Any]) -> None:
        """An amount of money, and ids that all legs would share, are refused."""
        with pytest.raises(InvalidFieldError, match="OrderRequest"):
            make(a=PaperAccount()).plan_distributed(buy(**terms))

    def test_what_an_account_buys_with_is_its_brokers_word(
        self, make: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its margin where the broker tells it, else its summary, else the balance."""
        telling, plain, owing = PaperAccount("10000"), PaperAccount("30000"), PaperAccount("5")
        margin = Margin(currency="USD", buying_power=D(10000))
        monkeypatch.setattr(telling, "get_margin", lambda: margin, raising=False)
        telling.capabilities = frozenset({Capability.MARGIN})  # type: ignore[misc]  # of a test
        plain.capabilities = frozenset()  # type: ignore[misc]  # a test's own adapter
        debt = Margin(currency="USD", buying_power=D(-5))
        monkeypatch.setattr(owing, "get_margin", lambda: debt, raising=False)
        owing.capabilities = frozenset({Capability.MARGIN})  # type: ignore[misc]  # of a test
        manager = make(telling=telling, plain=plain, owing=owing)
        plan = manager.plan_distributed(buy("0.4"), by=Weighting.BUYING_POWER)
        assert {one.broker: one.request.quantity for one in plan.legs} == {
            "telling": D("0.1"),
            "plain": D("0.3"),
        }
        assert [(one.broker, one.reason) for one in plan.left_out] == [
            ("owing", "its weight is zero")
        ]

    def test_a_buying_power_that_is_not_said_is_named(
        self, make: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An account whose broker does not say what it can buy with is left out, and named."""
        silent = PaperAccount()
        silent.capabilities = frozenset()  # type: ignore[misc]  # a test's own adapter
        unsaid = Balance(asset="USD", total=D(1))
        monkeypatch.setattr(silent, "get_balance", lambda asset: unsaid)
        manager = make(a=PaperAccount(), silent=silent)
        plan = manager.plan_distributed(buy("0.4"), by=Weighting.BUYING_POWER)
        (left,) = plan.left_out
        assert (left.broker, "does not say it" in left.reason) == ("silent", True)

    def test_an_order_of_several_legs_is_not_divided(self, make: Desk) -> None:
        """A spread belongs to one account."""
        legs = tuple(
            Leg(symbol=f"AAPL-20270115-{strike}-C", side=side, ratio=D(1))
            for strike, side in ((150, OrderSide.BUY), (160, OrderSide.SELL))
        )
        with pytest.raises(InvalidFieldError, match="legs"):
            make(a=PaperAccount()).plan_distributed(buy(symbol="AAPL", legs=legs))


class TestUndo:
    """What was placed is undone when that is asked for, and once."""

    def test_what_lives_is_cancelled_and_what_filled_is_traded_back(self, make: Desk) -> None:
        """A plan is given and nothing done; asked for, it is done, and a repeat changes nothing."""
        a, b = PaperAccount(), PaperAccount()
        manager = make(a=a, b=b)
        resting = manager.submit_distributed(buy("0.2", **RESTING), saga_id="rest")
        filled = manager.submit_distributed(buy("0.2"), saga_id="fill")
        assert {one.action for one in resting.undo_plan} == {UndoAction.CANCEL}
        assert {one.action for one in manager.distributed("fill").undo_plan} >= {UndoAction.CLOSE}
        assert len(a.list_orders()) == 2
        assert all(one.done for one in manager.undo("rest"))
        assert manager.undo("rest") == ()
        first = manager.undo("fill")
        assert [(one.step.action, one.done) for one in first] == [(UndoAction.CLOSE, True)] * 2
        assert [one.done for one in manager.undo("fill")] == [True, True]
        assert (a.placed, b.placed) == (3, 3)
        assert a.get_balance("BTC").total == 0
        assert filled.is_complete

    def test_what_opened_is_closed(self, make: Desk) -> None:
        """The order that trades back closes what the leg opened."""
        manager = make(a=PaperAccount())
        request = buy("0.2", position_effect=PositionEffect.OPEN)
        manager.submit_distributed(request, saga_id="s")
        (step,) = [one.step for one in manager.undo("s")]
        assert step.request is not None
        assert step.request.position_effect is PositionEffect.CLOSE

    def test_a_cancel_that_is_not_done_yet_closes_nothing(
        self, make: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the order lives it may fill: nothing is traded back, and that is said."""
        account = PaperAccount()
        manager = make(a=account)
        manager.submit_distributed(buy("0.2", **RESTING), saga_id="s")
        monkeypatch.setattr(account, "cancel_order", lambda order_id: True)
        results = manager.undo("s")
        assert (results[-1].step.action, results[-1].done) == (UndoAction.CLOSE, False)
        assert "undo again" in results[-1].explanation

    def test_an_order_that_cannot_be_read_is_not_undone(self, make: Desk) -> None:
        """A step that fails says why."""
        account = PaperAccount()
        manager = make(a=account)
        manager.submit_distributed(buy("0.2"), saga_id="s")
        account.disconnect()
        (one,) = manager.undo("s")
        assert not one.done
        assert one.explanation

    def test_an_unheard_of_distribution_is_an_error(self, make: Desk) -> None:
        """An id that nothing was distributed under is named."""
        with pytest.raises(InvalidRequestError, match="'none'"):
            make(a=PaperAccount()).undo("none")


class TestKept:
    """Distributions are kept where the journal is."""

    def test_another_process_knows_what_was_sent(self, make: Desk, tmp_path: Path) -> None:
        """A manager over the same file sends nothing of what the one before has sent."""
        url = f"sqlite:///{tmp_path / 'desk.sqlite'}"
        a, b = PaperAccount(), PaperAccount()
        b.error = REFUSED
        first = SqlJournal(url)
        result = make(a=a, b=b, journal=first).submit_distributed(
            buy("0.2"), saga_id="s", stop_on_failure=True
        )
        first.close()
        b.error = None
        second = SqlJournal(url)
        manager = make(a=a, b=b, journal=second)
        assert statuses(manager.submit_distributed(buy("0.2"), saga_id="s")) == statuses(result)
        assert (a.placed, b.placed) == (1, 0)
        second.close()

    def test_refusals_and_ends_are_kept(self, make: Desk, tmp_path: Path) -> None:
        """Refusals are in the file, and what has ended is not taken up again."""
        journal = SqlJournal(f"sqlite:///{tmp_path / 'desk.sqlite'}")
        manager = make(a=PaperAccount(), journal=journal)
        bad = buy("0.2", type=OrderType.LIMIT, price=D("1000.001"))
        result = manager.submit_distributed(bad, saga_id="s")
        sagas = sagas_beside(journal)
        (refusal,) = sagas.list_refusals("s")
        assert refusal.error.message == result.legs[0].explanation
        assert sagas.list_open() == []
        assert sagas.find("s") == result.distribution
        assert sagas.find("other") is None
        journal.close()

    def test_what_was_changed_is_not_read(self, make: Desk, tmp_path: Path) -> None:
        """A distribution that is not what was written is an error."""
        journal = SqlJournal(f"sqlite:///{tmp_path / 'desk.sqlite'}")
        manager = make(a=PaperAccount(), journal=journal)
        manager.submit_distributed(buy("0.2"), saga_id="s")
        with journal.transaction() as connection:
            connection.exec_driver_sql(
                "UPDATE desk_sagas SET payload = replace(payload, '0.2', '0.9')"
            )
        with pytest.raises(OrderJournalError, match="not what was written"):
            manager.distributed("s")
        journal.close()

    def test_an_account_that_was_removed_is_told_of(self, make: Desk) -> None:
        """What is in the journal is told, also of an account that is not of the desk any more."""
        manager = make(a=PaperAccount(), b=PaperAccount())
        manager.submit_distributed(buy("0.2"), saga_id="s")
        manager.remove("b")
        assert statuses(manager.distributed("s")) == ["a placed", "b placed"]
        assert [one.done for one in manager.undo("s")] == [True, False]

    def test_where_it_ends_is_not_where_it_fails(self, make: Desk) -> None:
        """A store that cannot be written after the sends hides nothing of what they came to."""

        class Failing(MemorySagas):
            def end(self, saga_id: str, at: object) -> None:
                raise OrderJournalError("full")

            def refuse(self, saga_id: str, refusal: object) -> None:
                raise OrderJournalError("full")

        manager = make(a=PaperAccount(), b=PaperAccount(), sagas=Failing())
        assert manager.submit_distributed(buy("0.2")).is_complete
        bad = buy("0.2", type=OrderType.LIMIT, price=D("1000.001"))
        assert statuses(manager.submit_distributed(bad)) == ["a refused", "b refused"]

    def test_a_desk_lets_go_of_its_own(self) -> None:
        """What was opened for the desk is closed with it, once."""
        closed = []
        with desk(a=PaperAccount()) as manager:
            trading = manager._trading()[0]
        manager = MultiBrokerManager(
            trading=attrs.evolve(trading, on_close=lambda: closed.append(1))
        )
        manager.close()
        manager.close()
        assert closed == [1]


def test_memory_is_beside_memory() -> None:
    """A journal in memory has its distributions in memory."""
    assert isinstance(sagas_beside(MemoryJournal()), MemorySagas)
