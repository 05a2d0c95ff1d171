"""What the tests of the transport share: quick bounds, certificates, no proxies."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot_v2.features.brokerages.http.settings import HttpSettings
from bot_v2.features.brokerages.http.transport import HttpTransport

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
    folder = tmp_path_factory.mktemp("authority")
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    ca_file, key_file = folder / "ca.pem", folder / "key.pem"
    ca_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(ca_file, key_file)
    return Authority(ca_file=ca_file, server=server)
