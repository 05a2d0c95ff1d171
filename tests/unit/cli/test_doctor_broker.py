"""What the doctor makes of what a brokerage tells, one answer at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.cli import doctor_broker, doctor_files
from bot_v2.cli.doctor_broker import Patient, examine
from bot_v2.cli.findings import Finding, Notebook, Severity, soon
from bot_v2.cli.list_types import BrokerageType
from bot_v2.cli.session import Target
from bot_v2.features.brokerages.core.access import Access, AccessRight, Interruption, ServerTime
from bot_v2.features.brokerages.core.declarations import OrderHistory, Retention
from bot_v2.features.brokerages.core.interfaces import (
    BrokerageError,
    BrokerHealth,
    Environment,
    IBrokerage,
    LoginRequiredError,
    MarketType,
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Product,
    RateLimitError,
    TimeInForce,
)
from tests.unit.cli.fakes import FakeBrokerage

NOW = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
D = Decimal
HOUR = timedelta(hours=1)


class Telling(FakeBrokerage):
    """A brokerage that tells of its access what a test says."""

    environment = "paper"
    order_history = OrderHistory(retention=Retention.FOREVER)

    def __init__(self, access: Access | BrokerageError | None = None) -> None:
        """Tell that."""
        super().__init__()
        self.access = access or Access()
        self.positions: list[Position] = []
        self.expiry: date | None = None

    def get_access(self) -> Access:
        """Tell."""
        if isinstance(self.access, BrokerageError):
            raise self.access
        return self.access

    def list_orders(self, status: OrderStatus | None = None) -> list[Order]:
        """Return the orders, or fail."""
        self._may_fail("list_orders")
        return self.orders

    def list_positions(self) -> list[Position]:
        """Return the positions."""
        return self.positions

    def get_product(self, symbol: str) -> Product:
        """Return a product that expires when a test says so."""
        return Product(
            symbol=symbol,
            market_type=MarketType.FUTURES,
            quote_currency="USD",
            expiry=self.expiry,
        )


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Finding]]:
    """Examine a brokerage that is installed, and return the findings."""
    row = BrokerageType(name="fake", installed=True, install=None, offered_by="this process")
    monkeypatch.setattr(doctor_broker, "brokerage_types", lambda: [row])

    def examined(
        broker: Any, expected: Environment | None = None, environ: dict[str, str] | None = None
    ) -> list[Finding]:
        found: list[Finding] = []
        patient = Patient(
            name="fake", make=lambda: broker, expected=expected, environ=environ or {}
        )
        examine(patient, Notebook("fake", found.append), NOW)
        return found

    return examined


def about(found: list[Finding], subject: str) -> list[tuple[str, str]]:
    """Return how bad it is, and the words."""
    return [(one.severity.value, one.text) for one in found if one.subject == subject]


Look = Callable[..., list[Finding]]


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (
            Access(granted=(AccessRight.READ, AccessRight.TRADE)),
            [("ok", "the credentials may trade")],
        ),
        (
            Access(granted=(AccessRight.TRADE, AccessRight.WITHDRAW)),
            [
                ("warning", "the credentials may move money out of the account"),
                ("ok", "the credentials may trade"),
            ],
        ),
        (
            Access(granted=(AccessRight.READ,), refused=(AccessRight.TRADE,)),
            [("problem", "the credentials may not trade")],
        ),
        (
            Access(granted=(AccessRight.TRADE,), restrictions=("trading is halved",)),
            [("ok", "the credentials may trade"), ("warning", "trading is halved")],
        ),
        (Access(), [("note", "the broker does not tell whether the credentials may trade")]),
    ],
)
def test_rights(look: Look, access: Access, expected: list[tuple[str, str]]) -> None:
    """What is refused and needed is a problem, what is granted and dangerous a warning."""
    assert about(look(Telling(access)), "permissions") == expected


@pytest.mark.parametrize(
    ("left", "severity"),
    [
        (-HOUR, "problem"),
        (HOUR / 2, "problem"),
        (2 * HOUR, "warning"),
        (23 * HOUR, "warning"),
        (25 * HOUR, "ok"),
    ],
)
def test_a_session_that_ends_tonight(look: Look, left: timedelta, severity: str) -> None:
    """Within a day it is a warning, within an hour, or past, a problem."""
    ((found, text),) = about(look(Telling(Access(expires_at=NOW + left))), "expiry")
    assert found == severity
    assert ("which is past" in text) is (left < timedelta(0))


@pytest.mark.parametrize(
    ("off_s", "severity"),
    [(0, "ok"), (0.9, "ok"), (2, "warning"), (-2, "warning"), (31, "problem")],
)
def test_a_clock_that_is_off(look: Look, off_s: float, severity: str) -> None:
    """A second is let pass, half a minute breaks signatures."""
    clock = ServerTime(told=NOW + timedelta(seconds=off_s), asked_at=NOW, heard_at=NOW, step_s=0.0)
    ((found, text),) = about(look(Telling(Access(server_time=clock))), "clock")
    assert found == severity
    assert ("behind" in text) is (off_s < 0)


def test_a_clock_that_is_not_told(look: Look) -> None:
    """Silence is noted, and is not agreement."""
    assert about(look(Telling()), "clock") == [("note", "the broker does not tell its time")]


def test_interruptions(look: Look) -> None:
    """What is over by itself is a note, what wants somebody is a warning."""
    access = Access(
        interruptions=(
            Interruption(starts_at=NOW - HOUR, ends_at=NOW + HOUR, what="a reset"),
            Interruption(starts_at=NOW + 5 * HOUR, ends_at=NOW + 6 * HOUR, what="another"),
            Interruption(starts_at=NOW + 7 * HOUR, ends_at=None, what="log in"),
        )
    )
    assert about(look(Telling(access)), "tonight") == [
        ("note", "going on, until 15:30Z: a reset"),
        ("note", "at 2026-03-02 19:30:00Z, in 5 h 0 min, until 20:30Z: another"),
        ("warning", "at 2026-03-02 21:30:00Z, in 7 h 0 min: log in"),
    ]


def test_access_that_cannot_be_read_is_a_problem(look: Look) -> None:
    """A failed question is no answer."""
    found = look(Telling(RateLimitError("slower")))
    assert about(found, "credentials")[0] == (
        "problem",
        "they cannot be read: RateLimitError: slower",
    )


def test_the_memory_of_ended_orders(look: Look) -> None:
    """A broker that forgets at midnight in New York is told by this machine's time."""
    broker = Telling()
    broker.order_history = OrderHistory(
        retention=Retention.SESSION, session_zone="America/New_York", session_reset=time(0)
    )
    assert about(look(broker), "tonight") == [
        ("note", "ended orders are forgotten at 2026-03-03 05:00:00Z, in 14 h 30 min")
    ]


def order(order_id: str, **changed: Any) -> Order:
    """Return an order that lives."""
    terms: dict[str, Any] = {
        "order_id": order_id,
        "symbol": "BTC-USD",
        "type": OrderType.LIMIT,
        "status": OrderStatus.OPEN,
        "filled_quantity": D(0),
        "account_id": "acc-1",
        "time_in_force": TimeInForce.GTC,
        "quantity": D(1),
    }
    return Order(**{**terms, **changed})


def test_orders_that_end_by_themselves(look: Look) -> None:
    """Those for the day, and those until a moment within a day; ended ones do not count."""
    broker = Telling()
    broker.orders = [
        order("o-1"),
        order("o-2", time_in_force=TimeInForce.DAY),
        order("o-3", time_in_force=TimeInForce.GTD, expires_at=NOW + 3 * HOUR),
        order("o-4", time_in_force=TimeInForce.GTD, expires_at=NOW + 30 * HOUR),
        order("o-5", time_in_force=TimeInForce.DAY, status=OrderStatus.CANCELLED),
    ]
    assert about(look(broker), "orders") == [
        ("warning", "order o-3 ends at 2026-03-02 17:30:00Z, in 3 h 0 min"),
        ("warning", "1 live for the day only, and end at its close: o-2"),
    ]
    broker.orders = [order("o-1")]
    assert [severity for severity, _ in about(look(broker), "orders")] == ["ok"]


def test_orders_that_cannot_be_read_are_no_orders_that_are_fine(look: Look) -> None:
    """A failed read is a problem, and says nothing else."""
    broker = Telling()
    broker.failures["list_orders"] = RateLimitError("slower")
    assert [severity for severity, _ in about(look(broker), "orders")] == ["problem"]


@pytest.mark.parametrize(
    ("expiry", "severity"),
    [
        (date(2026, 3, 2), "warning"),
        (date(2026, 3, 3), "warning"),
        (date(2026, 3, 4), "ok"),
        (None, "ok"),
    ],
)
def test_positions_that_expire(look: Look, expiry: date | None, severity: str) -> None:
    """Today and tomorrow are tonight."""
    broker = Telling()
    broker.expiry = expiry
    broker.positions = [
        Position(symbol="CL-20260303", quantity=D(1), side=PositionSide.LONG, account_id="acc-1")
    ]
    assert [one for one, _ in about(look(broker), "positions")] == [severity]


@pytest.mark.parametrize(
    ("said", "expected", "environ", "severity"),
    [
        ("live", None, {}, "note"),
        ("live", None, {"ENABLE_PAPER_TRADING": "Yes"}, "problem"),
        ("live", Environment.PAPER, {}, "problem"),
        ("live", Environment.LIVE, {}, "note"),
        ("paper", Environment.PAPER, {"ENABLE_PAPER_TRADING": "true"}, "ok"),
        ("paper", None, {"ENABLE_PAPER_TRADING": "0"}, "warning"),
    ],
)
def test_where_orders_go(
    look: Look,
    said: str,
    expected: Environment | None,
    environ: dict[str, str],
    severity: str,
) -> None:
    """What was expected, and what the environment says of paper, has to be so."""
    broker = Telling()
    broker.environment = said
    found = look(broker, expected, environ)
    assert [one for one, _ in about(found, "environment")] == [severity]


def test_a_login_that_needs_somebody(look: Look) -> None:
    """The page is what to do, and nothing more is looked at."""
    broker = Telling()
    broker.failures["connect"] = LoginRequiredError("expired", login_url="https://broker/login")
    found = look(broker)
    (session,) = [one for one in found if one.subject == "session"]
    assert (session.severity, session.advice) == (Severity.PROBLEM, "log in: https://broker/login")
    assert about(found, "orders") == []


def test_a_broker_that_connects_and_is_not_well(look: Look) -> None:
    """The health check's own words are told."""
    broker = Telling()
    broker.failures["check_health"] = BrokerageError("sick")
    assert isinstance(broker.check_health(), BrokerHealth)
    assert about(look(broker), "session") == [("problem", "connected, but not healthy: sick")]


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is said, and the brokerage is not even made."""

    def never() -> IBrokerage:
        raise AssertionError("made")

    row = BrokerageType(
        name="fake", installed=False, install="pip install 'x[fake]'", offered_by="x"
    )
    monkeypatch.setattr(doctor_broker, "brokerage_types", lambda: [row])
    found: list[Finding] = []
    patient = Patient(name="fake", make=never, expected=None, environ={})
    examine(patient, Notebook("fake", found.append), NOW)
    (package,) = found
    assert (package.severity, package.advice) == (Severity.PROBLEM, "pip install 'x[fake]'")


@attrs.frozen
class Usage:
    """What a disk has left."""

    free: int


@pytest.mark.parametrize(
    ("free", "severity"), [(10**6, "problem"), (10**8, "warning"), (10**10, "ok")]
)
def test_the_room_that_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, free: int, severity: str
) -> None:
    """A journal that cannot grow stops the bot."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free))
    found: list[Finding] = []
    target = Target(broker="alpaca", journal=str(tmp_path / "new" / "orders.sqlite"))
    doctor_files.look_at_journal(target, {}, Notebook("this machine", found.append))
    assert [(one.subject, one.severity.value) for one in found] == [
        ("journal", "note"),
        ("disk", severity),
    ]


def test_how_far_off_a_moment_is() -> None:
    """Hours and minutes."""
    assert soon(NOW + timedelta(hours=2, minutes=5, seconds=30), NOW) == (
        "2026-03-02 16:35:30Z, in 2 h 5 min"
    )
