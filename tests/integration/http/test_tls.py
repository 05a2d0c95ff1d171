"""TLS: one context for the process, which always verifies."""

from __future__ import annotations

import ssl
from pathlib import Path

import attrs
import pytest

from bot_v2.features.brokerages.core.errors import InvalidFieldError, Outcome
from bot_v2.features.brokerages.http import tls
from bot_v2.features.brokerages.http.tls import CA_FILE_NAMES, shared_tls_context
from bot_v2.features.brokerages.http.transport import HttpTransport
from tests.integration.http.calls import READ, WRITE
from tests.integration.http.conftest import QUICK, Authority
from tests.integration.http.wire_server import WireServer, reply


@pytest.fixture(autouse=True)
def nothing_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificates from the environment, and none from another test."""
    for name in CA_FILE_NAMES:
        monkeypatch.delenv(name, raising=False)
    tls._context.cache_clear()


def test_transports_share_one_context(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates are read once, however many transports and connections there are."""
    made = []
    real = ssl.create_default_context

    def count(*arguments: object, cafile: str | None = None) -> ssl.SSLContext:
        made.append(cafile)
        return real(cafile=cafile)

    monkeypatch.setattr(ssl, "create_default_context", count)
    settings = attrs.evolve(QUICK, ca_file=str(authority.ca_file))
    with WireServer(reply(keep=False), tls=authority.server) as server:
        for _ in range(3):
            transport = HttpTransport(settings)
            assert transport.send(WRITE, "POST", server.url).status == 200
            assert transport.send(READ, "GET", server.url).status == 200
            transport.close()
        assert server.connections == 6
    assert made == [str(authority.ca_file)]


def test_a_name_is_verified_too(authority: Authority) -> None:
    """A certificate for the name that was asked for is accepted."""
    transport = HttpTransport(QUICK, tls=authority.client)
    with WireServer(reply(), tls=authority.server) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        assert transport.send(READ, "GET", url).status == 200
    transport.close()


@pytest.mark.parametrize("name", CA_FILE_NAMES)
def test_the_environment_may_name_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A company's own authority is trusted where the environment says so."""
    monkeypatch.setenv(name, str(authority.ca_file))
    transport = HttpTransport(QUICK)
    with WireServer(reply(), tls=authority.server) as server:
        assert transport.send(WRITE, "POST", server.url).status == 200
    transport.close()


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A file that is missing, or is no certificate, is an error of the settings."""
    with pytest.raises(InvalidFieldError, match="ca_file"):
        shared_tls_context(str(tmp_path / "none.pem"))
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(InvalidFieldError, match="ca_file"):
        shared_tls_context(str(tmp_path / "text.pem"))


def test_a_context_that_does_not_verify_is_refused() -> None:
    """Verifying cannot be switched off."""
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    with pytest.raises(InvalidFieldError, match="CERT_REQUIRED"):
        HttpTransport(QUICK, tls=careless)
    careless.verify_mode = ssl.CERT_NONE
    with pytest.raises(InvalidFieldError, match="CERT_REQUIRED"):
        HttpTransport(QUICK, tls=careless)


def test_the_shared_context_verifies() -> None:
    """Whom we talk to is verified, by TLS 1.2 or later."""
    context = shared_tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert shared_tls_context() is context


def test_a_write_says_that_its_certificates_cannot_be_read(tmp_path: Path) -> None:
    """A mistake in the settings is named as such, and nothing was sent."""
    transport = HttpTransport(attrs.evolve(QUICK, ca_file=str(tmp_path / "none.pem")))
    with pytest.raises(InvalidFieldError, match="ca_file") as caught:
        transport.send(WRITE, "POST", "https://127.0.0.1:9/")
    assert caught.value.outcome is Outcome.NOT_SENT
    assert isinstance(caught.value.__cause__, OSError)
    transport.close()


@pytest.mark.parametrize("has_certifi", [True, False])
def test_a_system_without_certificates_takes_those_of_certifi(
    monkeypatch: pytest.MonkeyPatch, has_certifi: bool
) -> None:
    """Python for macOS trusts nobody until certificates are installed."""
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(ssl, "create_default_context", lambda cafile: bare)
    monkeypatch.setattr(tls, "_trusts_nobody", lambda context: True)
    if not has_certifi:
        monkeypatch.setitem(__import__("sys").modules, "certifi", None)
    context = shared_tls_context()
    assert (context.cert_store_stats()["x509_ca"] > 0) is has_certifi


def test_who_trusts_nobody_is_recognised(authority: Authority) -> None:
    """A context with a certificate trusts somebody."""
    assert not tls._trusts_nobody(authority.client)
