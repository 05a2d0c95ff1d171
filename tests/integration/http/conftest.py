"""What the tests of the transport share: quick bounds, certificates, no proxies."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.certificates import write_certificate

PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

QUICK = HttpSettings(
    connect_timeout_s=2.0,
    read_timeout_s=0.4,
    total_timeout_s=1.0,
    read_budget_s=3.0,
    retry_wait_initial_s=0.01,
    retry_wait_max_s=0.05,
    body_max_bytes=100_000,
)


@attrs.frozen(kw_only=True)
class Authority:
    """Who vouches for a server on the loopback."""

    ca_file: Path
    """What a client has to trust."""
    server: ssl.SSLContext
    """What the server speaks TLS by."""

    @property
    def client(self) -> ssl.SSLContext:
        """A context that trusts it."""
        return ssl.create_default_context(cafile=str(self.ca_file))


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may sit behind a proxy."""
    for name in PROXY_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    """A transport that is quick to give up."""
    made = HttpTransport(QUICK)
    yield made
    made.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority of the tests' own, and a server's context with its certificate."""
    ca_file, key_file = write_certificate(tmp_path_factory.mktemp("authority"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(ca_file, key_file)
    return Authority(ca_file=ca_file, server=server)
