"""What Coinbase tells of a key and of its clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot_v2.features.brokerages.coinbase.market import API
from bot_v2.features.brokerages.core.access import Access, AccessRight, access_of
from bot_v2.features.brokerages.core.errors import BrokerAPIError
from tests.unit.coinbase.natives import NOW, PERMISSIONS, brokerage, exchange

READ, TRADE, WITHDRAW = AccessRight.READ, AccessRight.TRADE, AccessRight.WITHDRAW
TIME = {"iso": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "epochSeconds": "1", "epochMillis": "1000"}


def access(changed: dict[str, object]) -> Access:
    """Return what is told of a key."""
    answers = {
        f"GET {API}/key_permissions": {**PERMISSIONS, **changed},
        f"GET {API}/time": TIME,
    }
    found = access_of(brokerage(answers)[0])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("changed", "granted", "refused"),
    [
        ({}, (READ, TRADE), ()),
        ({"can_transfer": False}, (READ, TRADE), (WITHDRAW,)),
        ({"can_transfer": True}, (READ, TRADE, WITHDRAW), ()),
        ({"can_trade": False}, (READ,), (TRADE,)),
    ],
)
def test_what_a_key_may_do(
    changed: dict[str, object],
    granted: tuple[AccessRight, ...],
    refused: tuple[AccessRight, ...],
) -> None:
    """What is not printed is neither granted nor refused."""
    found = access(changed)
    assert (found.granted, found.refused) == (granted, refused)


def test_a_second_that_was_cut_off_is_no_skew() -> None:
    """The broker tells whole seconds."""
    clock = access({}).server_time
    assert clock is not None
    assert clock.skew == timedelta(0)


def test_the_exchange_api_tells_its_clock_alone() -> None:
    """It has no question for what a key may do."""
    broker, _ = exchange({"GET /time": {"iso": f"{NOW:%Y-%m-%dT%H:%M:%S}.250Z", "epoch": 1.0}})
    found = access_of(broker)
    assert found is not None
    assert (found.granted, found.refused) == ((), ())
    assert found.server_time is not None
    assert found.server_time.told == NOW + timedelta(milliseconds=250)


def test_a_clock_that_cannot_be_read_is_an_error() -> None:
    """A moment that is none is no time."""
    with pytest.raises(BrokerAPIError):
        access_of(brokerage({f"GET {API}/time": {"iso": "soon"}})[0])
