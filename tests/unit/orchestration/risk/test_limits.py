"""The limits as they are read: exact, and refused by name where they make no sense."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from bot_v2.features.brokerages.core.interfaces import InvalidFieldError
from bot_v2.orchestration.risk.limits import ConditionCheck, RiskLimits, risk_limits


def test_limits_are_read_from_texts() -> None:
    """Every limit has a text, and none of it passes by a float."""
    read = risk_limits(
        {
            "max_position_size": "0.10",
            "max_position_value": D("5000.50"),
            "max_order_value": 1000,
            "max_daily_loss": " 0.02 ",
            "min_cash_balance": "0",
            "stop_loss_pct": "0.05",
            "max_orders_per_minute": "30",
            "allowed_symbols": "BTC-USD, AAPL",
            "market_hours": "Skip",
            "margin": "refuse",
            "price_margin": "0",
            "currency": "USD",
            "currency_rates": {"EUR": "1.10"},
            "day_zone": "America/New_York",
        }
    )
    assert read == RiskLimits(
        max_position_size=D("0.10"),
        max_position_value=D("5000.50"),
        max_order_value=D(1000),
        max_daily_loss=D("0.02"),
        min_cash_balance=D(0),
        stop_loss_pct=D("0.05"),
        max_orders_per_minute=30,
        allowed_symbols=("BTC-USD", "AAPL"),
        market_hours=ConditionCheck.SKIP,
        margin=ConditionCheck.REFUSE,
        price_margin=D(0),
        currency="USD",
        currency_rates={"EUR": D("1.10")},
        day_zone="America/New_York",
    )
    assert risk_limits({"allowed_symbols": ["AAPL"]}).allowed_symbols == ("AAPL",)
    assert risk_limits({"max_order_value": None, "currency": ""}) == RiskLimits() == risk_limits({})


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("max_position_size", "5", "at most 1"),
        ("max_position_size", "0", "above 0"),
        ("max_daily_loss", "2 %", "the text of a finite number"),
        ("max_daily_loss", 0.02, "the text of a number"),
        ("max_daily_loss", True, "the text of a number"),
        ("max_daily_loss", D("NaN"), "the text of a number"),
        ("max_position_value", "-1", "above 0"),
        ("max_order_value", "0", "above 0"),
        ("min_cash_balance", "-0.01", "0 or more"),
        ("stop_loss_pct", "1", "below 1"),
        ("stop_loss_pct", "0", "above 0"),
        ("price_margin", "1", "below 1"),
        ("max_orders_per_minute", "1.5", "a whole number"),
        ("max_orders_per_minute", "0", "above 0"),
        ("allowed_symbols", {"a": 1}, "a list"),
        ("allowed_symbols", [1], "a text"),
        ("allowed_symbols", ",", "canonical symbols"),
        ("market_hours", "always", "off, skip, refuse"),
        ("currency", 1, "a text"),
        ("currency_rates", "EUR", "a rate by currency"),
        ("currency_rates", {"EUR": "0"}, "above 0"),
        ("day_zone", "Mars/Olympus", "IANA"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name: str, value: Any, accepted: str) -> None:
    """The error says where, which value, and what is accepted."""
    with pytest.raises(InvalidFieldError) as raised:
        risk_limits({name: value}, "brokers.acme.risk")
    assert raised.value.field.startswith(f"brokers.acme.risk.{name}")
    assert accepted in raised.value.accepted


def test_an_unknown_limit_is_refused() -> None:
    """A misspelt limit would otherwise be none."""
    with pytest.raises(InvalidFieldError, match=r"max_order_valeu.*max_order_value"):
        risk_limits({"max_order_valeu": "1"})


def test_limits_are_checked_when_constructed() -> None:
    """Whoever makes them in code gets the same answer."""
    with pytest.raises(InvalidFieldError, match=r"RiskLimits\.max_daily_loss"):
        RiskLimits(max_daily_loss=D(2))
    with pytest.raises(InvalidFieldError, match=r"RiskLimits\.margin"):
        RiskLimits(margin="skip and more")  # type: ignore[arg-type]  # a mistake on purpose
