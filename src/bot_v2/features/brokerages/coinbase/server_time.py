"""Coinbase's clock beside ours; both of its APIs tell it in the same words."""

from __future__ import annotations

from typing import Final

from bot_v2.features.brokerages.coinbase import wire
from bot_v2.features.brokerages.coinbase.decoding import moment
from bot_v2.features.brokerages.coinbase.session import CoinbaseSession
from bot_v2.features.brokerages.core.access import ServerTime
from bot_v2.features.brokerages.http.calls import Call
from bot_v2.shared.types import Clock

STEP_S: Final = 1.0
"""How coarsely it is told, in seconds: one of the APIs cuts the milliseconds off."""


def read_server_time(session: CoinbaseSession, call: Call, path: str, clock: Clock) -> ServerTime:
    """Ask for the time, and note ours before and after.

    Raises:
        BrokerageError: there is no answer.
    """
    asked_at = clock()
    told = session.ask(call, "GET", path, wire.ServerTime, lambda native, _: moment(native.iso))
    return ServerTime(told=told, asked_at=asked_at, heard_at=clock(), step_s=STEP_S)
