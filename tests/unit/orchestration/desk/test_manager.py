"""Who belongs to a desk, and what happens to the sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from bot_v2.features.brokerages.core.capabilities import Capability, SupportsQuoteStream, supports
from bot_v2.features.brokerages.core.errors import (
    BrokerAPIError,
    ConnectionError,
    InvalidFieldError,
    InvalidRequestError,
    Outcome,
    TimeoutError,
)
from bot_v2.orchestration.desk.settings import DeskSettings
from bot_v2.orchestration.health_monitor import HealthState, ReconnectPolicy
from bot_v2.orchestration.multi_broker import MultiBrokerManager
from tests.unit.orchestration.desk.accounts import WAIT_S, Account, BrokenError, position
from tests.unit.orchestration.fake_brokerage import DOWN, HEALTHY


def wait_until(holds: Callable[[], bool]) -> bool:
    """Wait until something is so; False where it never is."""
    pause = threading.Event()
    for _ in range(int(WAIT_S * 200)):
        if holds():
            return True
        pause.wait(0.005)
    return False


@pytest.fixture
def manager() -> Iterator[MultiBrokerManager]:
    """A manager that watches nobody, and does not wait for long."""
    settings = DeskSettings(watch_interval_s=None, read_timeout_s=WAIT_S, session_timeout_s=WAIT_S)
    with MultiBrokerManager(settings) as made:
        yield made


def test_the_first_is_the_default(manager: MultiBrokerManager) -> None:
    """The first is meant where none is named, until another is said to be, or it goes."""
    with pytest.raises(InvalidFieldError, match="none was added"):
        manager.broker()
    defaults = [manager.default_name]
    manager.add("a", Account())
    manager.add("b", Account(), weight=Decimal(3))
    defaults.append(manager.default_name)
    manager.add("c", Account(), is_default=True)
    defaults.append(manager.default_name)
    assert defaults == [None, "a", "c"]
    assert manager.names == ("a", "b", "c")
    assert manager.weights == {"a": Decimal(1), "b": Decimal(3), "c": Decimal(1)}
    manager.remove("b")
    assert manager.default_name == "c"
    manager.remove("c")
    assert [manager.default_name, *manager.names] == ["a", "a"]


@pytest.mark.parametrize("weight", [Decimal(0), Decimal(-1), Decimal("NaN"), 1, 0.5])
def test_a_weight_is_above_zero(manager: MultiBrokerManager, weight: Decimal) -> None:
    """A weight is an exact number above zero."""
    with pytest.raises(InvalidFieldError, match="weight"):
        manager.add("a", Account(), weight=weight)


def test_names_are_kept_apart(manager: MultiBrokerManager) -> None:
    """A name is not empty, belongs to one brokerage, and is known where it is asked for."""
    manager.add("a", Account())
    for name in ("a", " "):
        with pytest.raises(InvalidFieldError):
            manager.add(name, Account())
    for call in (manager.remove, manager.broker, lambda name: manager.read_positions([name])):
        with pytest.raises(InvalidFieldError, match="a brokerage of this desk: a"):
            call("b")


def test_all_are_connected_once_and_at_once(manager: MultiBrokerManager) -> None:
    """They are connected in parallel; one that is connected is left alone; a failure is told."""
    accounts = [Account() for _ in range(3)]
    together = threading.Barrier(3, timeout=WAIT_S)
    for number, account in enumerate(accounts):
        account.on_connect = lambda: together.wait() >= 0
        manager.add(str(number), account)
    assert manager.connect_all() == ()
    assert manager.connect_all() == ()
    assert [account.connects for account in accounts] == [1, 1, 1]
    broken = Account()
    broken.error = BrokenError("no")
    manager.add("broken", broken)
    (missing,) = manager.connect_all()
    assert (missing.broker, missing.operation, missing.error) == ("broken", "connect", broken.error)
    (failed,) = manager.close()
    assert failed.broker == "broken"
    assert [account.asked["disconnect"] for account in accounts] == [1, 1, 1]
    assert manager.close() == ()
    for call in (manager.connect_all, lambda: manager.add("x", Account())):
        with pytest.raises(InvalidRequestError, match="closed"):
            call()


def test_what_hangs_holds_up_nobody() -> None:
    """A session that does not open in time is told as missing; reads do not wait behind it."""
    settings = DeskSettings(
        watch_interval_s=None, session_timeout_s=0.05, read_timeout_s=WAIT_S, read_threads=1
    )
    hanging, fine = Account(), Account()
    gate = threading.Event()
    hanging.on_connect = lambda: gate.wait(WAIT_S)
    hanging.positions = [position("AAPL", "1")]
    with MultiBrokerManager(settings) as manager:
        manager.add("hanging", hanging)
        manager.add("fine", fine)
        (missing,) = manager.connect_all()
        assert missing.broker == "hanging"
        assert isinstance(missing.error, TimeoutError)
        assert fine.is_up
        assert len(manager.read_positions().positions) == 1
        gate.set()
        assert wait_until(lambda: hanging.is_up)


@pytest.mark.parametrize("ends", ["removed", "closed"])
def test_who_connects_too_late_is_disconnected_again(ends: str) -> None:
    """A session that opens when nobody wants it any more does not stay open."""
    settings = DeskSettings(watch_interval_s=None, session_timeout_s=0.05)
    late = Account()
    gate = threading.Event()
    late.on_connect = lambda: gate.wait(WAIT_S)
    manager = MultiBrokerManager(settings)
    manager.add("late", late)
    assert len(manager.connect_all()) == 1
    view = manager.broker("late")
    if ends == "removed":
        manager.remove("late")
    else:
        manager.close()
    disconnects = late.asked["disconnect"]
    gate.set()
    assert wait_until(lambda: late.asked["disconnect"] > disconnects)
    assert wait_until(lambda: not late.is_up)
    with pytest.raises(ConnectionError):
        view.connect()


def test_a_read_that_hangs_is_missing_and_not_made_twice() -> None:
    """Who does not answer in time is missing; what waited behind it is not asked any more."""
    settings = DeskSettings(watch_interval_s=None, read_timeout_s=0.02, read_threads=1)
    hanging = Account()
    hanging.hold.clear()
    with MultiBrokerManager(settings) as manager:
        manager.add("hanging", hanging)
        for _ in range(20):
            positions = manager.read_positions()
            assert positions.positions == ()
            assert positions.as_of is None
            (missing,) = positions.missing
            assert isinstance(missing.error, TimeoutError)
            assert missing.error.operation == "list_positions"
        hanging.hold.set()
        assert wait_until(lambda: bool(manager.read_positions().as_of))
        # The first question, and what was asked when it answered again.
        assert hanging.asked["list_positions"] < 20


def test_what_no_adapter_should_raise_is_missing_too(manager: MultiBrokerManager) -> None:
    """An error of another kind is told as one of ours, with itself as the cause."""
    account = Account()
    manager.add("a", account)
    account.error = ZeroDivisionError("oops")
    (missing,) = manager.read_balances().missing
    assert isinstance(missing.error, BrokerAPIError)
    assert missing.error.__cause__ is account.error
    account.error = None


def test_a_closed_manager_reads_nothing(manager: MultiBrokerManager) -> None:
    """After closing, everybody is missing."""
    manager.add("a", Account())
    manager.close()
    (missing,) = manager.read_positions().missing
    assert isinstance(missing.error, ConnectionError)


def test_the_watch_reconnects() -> None:
    """A brokerage that goes down is connected again; one that is removed is left alone."""
    settings = DeskSettings(
        watch_interval_s=0.01, reconnect=ReconnectPolicy(initial_s=0.01, maximum_s=0.01, jitter=0)
    )
    account, other = Account(), Account()
    changes: list[HealthState] = []
    with MultiBrokerManager(
        settings, on_change=lambda change: changes.append(change.new)
    ) as manager:
        assert manager.health() == {}
        manager.add("a", account)
        manager.add("b", other)
        manager.connect_all()
        assert wait_until(lambda: manager.health()["a"].state is HealthState.HEALTHY)
        assert account.connects == 1
        account.check = lambda: DOWN
        assert wait_until(lambda: account.connects > 1)
        account.check = lambda: HEALTHY
        assert wait_until(lambda: changes[-1:] == [HealthState.HEALTHY] and len(changes) > 2)
        manager.remove("b")
        assert list(manager.health()) == ["a"]
        manager.connect_all()
        assert list(manager.health()) == ["a"]


def test_a_view_has_a_session_of_its_own(manager: MultiBrokerManager) -> None:
    """To disconnect a view ends it alone; another, and the pooled session, live on."""
    account = Account()
    manager.add("a", account)
    manager.connect_all()
    one, other = manager.broker(), manager.broker("a")
    assert repr(one) == "BrokerView('a')"
    one.disconnect()
    assert not one.is_connected()
    assert not one.check_health().connected
    with pytest.raises(ConnectionError, match="was disconnected") as caught:
        one.list_positions()
    assert caught.value.outcome is Outcome.NOT_SENT
    assert other.is_connected()
    assert other.list_positions() == []
    assert account.asked["disconnect"] == 0
    assert one.connect()
    assert one.list_positions() == []


def test_a_view_of_what_was_removed_is_of_no_use(manager: MultiBrokerManager) -> None:
    """A brokerage that was removed is disconnected, and its views refuse."""
    account = Account()
    manager.add("a", account)
    manager.connect_all()
    view = manager.broker("a")
    assert manager.remove("a") == ()
    assert account.asked["disconnect"] == 1
    assert not view.is_connected()
    for call in (view.connect, view.list_balances):
        with pytest.raises(ConnectionError, match="was removed"):
            call()
    # Another of that name is another brokerage.
    manager.add("a", Account())
    with pytest.raises(ConnectionError, match="was removed"):
        view.list_balances()


def test_a_views_streams_end_with_it(manager: MultiBrokerManager) -> None:
    """A stream that was opened through a view is closed when the view is, and once."""
    account = Account(Capability.QUOTE_STREAM)
    manager.add("a", account)
    view = manager.broker("a")
    assert supports(view, SupportsQuoteStream)
    with view.stream_quotes(["AAPL"]) as events:
        assert account.streams_open == 1
        # One that fails to close does not keep the view from closing.
        account.error = BrokenError("stuck")
        view.disconnect()
        assert account.streams_open == 0
        assert list(events) == []
    account.error = None
    with pytest.raises(ConnectionError):
        view.stream_quotes(["AAPL"])
    view.connect()
    with view.stream_quotes(["AAPL"]):
        assert account.streams_open == 1
    assert account.streams_open == 0


def test_a_view_has_what_is_declared_and_no_more(manager: MultiBrokerManager) -> None:
    """Methods of capabilities that are not declared are not there."""
    manager.add("a", Account())
    view = manager.broker("a")
    assert not hasattr(view, "get_margin")
    assert not hasattr(view, "stream_quotes")
    assert vars(view).keys().isdisjoint({"capabilities"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("read_timeout_s", 0),
        ("session_timeout_s", -1),
        ("margin_cache_s", -1),
        ("read_threads", 0),
        ("watch_interval_s", 0),
    ],
)
def test_settings_are_checked(name: str, value: float) -> None:
    """A setting out of its range is refused by its name."""
    with pytest.raises(InvalidFieldError, match=f"DeskSettings.{name}"):
        DeskSettings(**{name: value})  # type: ignore[arg-type] # one of several fields
