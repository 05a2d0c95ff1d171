"""The channel `ticker_batch`: what changed, told once in a while."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from websockets.sync.client import connect

from bot_v2.venues import sockets
from bot_v2.venues.coinbase.venue import CoinbaseVenue

D = Decimal


def test_tickers_are_told_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot first; then the latest state of each product that changed, and of no other."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(sockets, "BEAT_S", 0.02)
    with CoinbaseVenue() as venue, connect(venue.stream_url) as socket:
        asked = {"type": "subscribe", "channel": "ticker_batch"}
        socket.send(json.dumps({**asked, "product_ids": ["BTC-USD", "ETH-USD"]}))

        def tickers() -> list[dict[str, Any]]:
            while True:
                said = json.loads(socket.recv(timeout=5))
                if said["channel"] == "ticker_batch":
                    (event,) = said["events"]
                    told: list[dict[str, Any]] = event["tickers"]
                    return told

        assert [one["product_id"] for one in tickers()] == ["BTC-USD", "ETH-USD"]
        with venue.state.lock:
            # Within one lock, so that no batch falls between the two.
            venue.set_market("BTC-USD", D(61_000), D(61_001), D(1))
            venue.set_market("BTC-USD", D(62_000), D(62_001), D(1))
        (told,) = tickers()
        assert (told["product_id"], told["best_bid"]) == ("BTC-USD", "62000")
        venue.set_market("ETH-USD", D(3_100), D(3_101), D(1))
        assert [one["product_id"] for one in tickers()] == ["ETH-USD"]
