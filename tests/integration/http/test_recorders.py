"""Recorders of traffic, which put their own connections in urllib3's place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import OrderOutcomeUnknownError
from bot_v2.features.brokerages.http.transport import HttpTransport
from bot_v2.testing.cassettes import Provenance, RecordedAgainst, recording, replaying
from bot_v2.testing.scrubbing import Scrubber
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.conftest import QUICK, Authority
from tests.integration.http.wire_server import WireServer, reply

PROVENANCE = Provenance(
    recorded_against=RecordedAgainst.SIMULATOR,
    recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
    recorded_with="tests",
    note="made by a test",
)


@pytest.mark.parametrize("by_tls", [False, True])
def test_a_recording_replays_without_a_network(
    tmp_path: Path, authority: Authority, by_tls: bool
) -> None:
    """What was recorded is answered again, byte for byte, with the server gone."""
    cassette = tmp_path / "orders.yaml"
    transport = HttpTransport(QUICK, tls=authority.client)
    body = b'{"price": 1.10}'
    with WireServer(reply(body), tls=authority.server if by_tls else None) as server:
        transport.send(READ, "GET", server.url)
        with recording(cassette, PROVENANCE, Scrubber()):
            transport.send(WRITE, "POST", f"{server.url}/orders", body=b"{}")
            transport.send(READ, "GET", f"{server.url}/orders")
        arrived = len(server.received)
        transport.send(READ, "GET", server.url)
        assert (arrived, len(server.received)) == (3, 4)
    with replaying(cassette):
        replayed = transport.send(WRITE, "POST", f"{server.url}/orders", body=b"{}")
        assert (replayed.status, replayed.body) == (200, body)
        assert transport.send(READ, "GET", f"{server.url}/orders").body == body
        # What was not recorded is an error, and nobody knows what a stranger's connection sent.
        with pytest.raises(OrderOutcomeUnknownError) as caught:
            transport.send(WRITE, "POST", f"{server.url}/cancels")
        assert "Cassette" in type(caught.value.__cause__).__name__
    transport.close()
