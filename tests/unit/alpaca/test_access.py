"""What Alpaca tells of an account's standing and of its clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot_v2.features.brokerages.core.access import AccessRight, access_of
from tests.unit.alpaca.natives import ACCOUNT, NOW, brokerage

CLOCK = {
    "timestamp": "2026-03-04T10:06:07.123456789-05:00",
    "is_open": True,
    "next_open": "2026-03-05T09:30:00-05:00",
    "next_close": "2026-03-04T16:00:00-05:00",
}


@pytest.mark.parametrize(
    ("changed", "may_trade", "restrictions"),
    [
        ({}, True, 0),
        ({"status": "ACCOUNT_CLOSED"}, False, 1),
        ({"account_blocked": True}, False, 1),
        ({"trading_blocked": True}, False, 1),
        ({"trade_suspended_by_user": True}, False, 1),
        ({"transfers_blocked": True}, True, None),
        ({"pattern_day_trader": True}, True, 1),
        ({"shorting_enabled": False}, True, 1),
    ],
)
def test_what_keeps_an_account_from_trading(
    changed: dict[str, object], may_trade: bool, restrictions: int | None
) -> None:
    """Blocks do, other restrictions are told and do not."""
    broker, transport = brokerage(
        {"GET /v2/account": ACCOUNT, "GET /v2/clock": CLOCK},
    )
    transport.answers["GET /v2/account"] = {**ACCOUNT, **changed}
    access = access_of(broker)
    assert access is not None
    assert (AccessRight.TRADE in access.granted) is may_trade
    assert (AccessRight.TRADE in access.refused) is not may_trade
    assert AccessRight.WITHDRAW not in (*access.granted, *access.refused)
    if restrictions is not None:
        assert len(access.restrictions) == restrictions


def test_the_clock_is_told_in_utc() -> None:
    """New York's words and ours mean the same moment, to the microsecond."""
    broker, _ = brokerage({"GET /v2/clock": CLOCK})
    access = access_of(broker)
    assert access is not None
    assert access.server_time is not None
    assert access.server_time.told == NOW + timedelta(microseconds=123457)
    assert access.server_time.skew == timedelta(microseconds=123457)
