"""Quotas, by a clock that the test owns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerSecond
from limits.strategies import MovingWindowRateLimiter

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.http.quota_window import ProcessStorage
from bot_v2.features.brokerages.http.quotas import Quota, QuotaExhaustedError, Quotas


class Hands:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def read(self) -> float:
        """The seconds."""
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.waits.append(seconds)
        self.now += seconds


def quotas(hands: Hands, **table: list[Quota]) -> Quotas:
    """Quotas that live by these hands."""
    return Quotas(table, scope="t", now=hands.read, wait=hands.wait)


def test_requests_leave_at_once_while_there_is_room() -> None:
    """A quota that is not used up costs no time."""
    hands = Hands()
    one = quotas(hands, orders=[Quota(3)])
    assert [one.take("orders", 0) for _ in range(3)] == [0, 0, 0]
    assert hands.waits == []


def test_a_request_waits_until_the_oldest_is_out_of_the_window() -> None:
    """The window moves: no burst at the turn of a second."""
    hands = Hands()
    one = quotas(hands, orders=[Quota(2, per_s=10)])
    one.take("orders", 0)
    hands.now += 4
    one.take("orders", 0)
    assert one.take("orders", 6) == pytest.approx(6)
    assert one.take("orders", 6) == pytest.approx(4)


def test_a_wait_beyond_the_budget_counts_nothing() -> None:
    """Who is refused has used up nothing, and is told when to come again."""
    hands = Hands()
    one = quotas(hands, orders=[Quota(1, per_s=10)])
    one.take("orders", 0)
    for _ in range(3):
        with pytest.raises(QuotaExhaustedError) as caught:
            one.take("orders", 9)
        assert caught.value.wait_s == pytest.approx(10)
    assert hands.waits == []
    hands.now += 10
    assert one.take("orders", 0) == 0


def test_classes_have_quotas_of_their_own() -> None:
    """Orders that are used up leave the cancels alone."""
    hands = Hands()
    one = quotas(hands, orders=[Quota(1, per_s=10)], cancels=[Quota(1, per_s=10)])
    one.take("orders", 0)
    assert one.take("cancels", 0) == 0
    assert one.take("", 0) == 0


def test_a_class_may_have_several_windows() -> None:
    """All of them hold, and a request refused by one is counted in none."""
    hands = Hands()
    one = quotas(hands, orders=[Quota(2, per_s=1), Quota(3, per_s=60)])
    one.take("orders", 0)
    one.take("orders", 0)
    with pytest.raises(QuotaExhaustedError):
        one.take("orders", 0.5)
    hands.now += 1
    one.take("orders", 0)
    with pytest.raises(QuotaExhaustedError) as caught:
        one.take("orders", 0)
    assert caught.value.wait_s == pytest.approx(59)


def test_a_request_that_one_window_refuses_uses_up_no_other() -> None:
    """A refusal costs nothing, in whichever order the windows are declared."""
    hands = Hands()
    for windows in ([Quota(2, 10), Quota(1, 5)], [Quota(1, 5), Quota(2, 10)]):
        one = quotas(hands, orders=windows)
        one.take("orders", 0)
        for _ in range(3):
            with pytest.raises(QuotaExhaustedError):
                one.take("orders", 0)
        hands.now += 5
        assert one.take("orders", 0) == 0


def test_a_class_that_nobody_declared_is_refused() -> None:
    """A misspelt class must not be without bounds."""
    one = quotas(Hands(), orders=[Quota(1)], none=[])
    with pytest.raises(InvalidFieldError, match="one of orders, none"):
        one.take("ordres", 0)
    assert one.take("none", 0) == 0


def test_a_broker_that_asks_for_quiet_gets_it() -> None:
    """A hold bounds a class that has no quota too; the longer of two counts."""
    hands = Hands()
    one = quotas(hands, orders=[])
    one.hold("orders", 5)
    one.hold("orders", 2)
    with pytest.raises(QuotaExhaustedError) as caught:
        one.take("orders", 4)
    assert caught.value.wait_s == pytest.approx(5)
    assert one.take("", 0) == 0
    assert one.take("orders", 6) == pytest.approx(5)
    assert one.take("orders", 0) == 0


@pytest.mark.parametrize("amount", [0, -1, True, 1.5])
def test_what_is_no_quota_is_refused(amount: int) -> None:
    """A quota is a whole number of requests in whole seconds."""
    with pytest.raises(InvalidFieldError, match="amount"):
        Quota(amount)
    with pytest.raises(InvalidFieldError, match="per_s"):
        Quota(1, amount)


@given(
    amount=st.integers(1, 5),
    per_s=st.integers(1, 4),
    gaps=st.lists(st.floats(0, 2), max_size=30),
)
def test_no_window_ever_holds_too_many(amount: int, per_s: int, gaps: list[float]) -> None:
    """However requests come, no span of the window's length sees more than the quota."""
    hands = Hands()
    one = quotas(hands, orders=[Quota(amount, per_s)])
    left: list[float] = []
    for gap in gaps:
        hands.now += gap
        one.take("orders", 1_000)
        left.append(hands.now)
    for first, last in zip(left, left[amount:], strict=False):
        assert last - first >= per_s - 1e-6


def test_the_storage_does_what_limits_asks_of_any() -> None:
    """It can be looked into, and be emptied."""
    hands = Hands()
    storage = ProcessStorage(hands.read)
    limiter = MovingWindowRateLimiter(storage)
    item = RateLimitItemPerSecond(2, 10)
    assert storage.check()
    assert limiter.get_window_stats(item, "a").remaining == 2
    assert limiter.hit(item, "a")
    assert not limiter.hit(item, "a", cost=2)
    key = item.key_for("a")
    assert (storage.get(key), storage.get("other")) == (1, 0)
    assert storage.get_expiry(key) == storage.get_expiry("other") == 1_000.0
    storage.clear(key)
    assert storage.get(key) == 0
    assert storage.incr("b", 10) == 1
    assert storage.incr("b", 10, amount=2) == 3
    assert storage.reset() == 1
    assert storage.get("b") == 0
    assert storage.base_exceptions is RuntimeError
