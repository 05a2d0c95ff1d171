from collections.abc import Iterator
from pathlib import Path

import pytest

from bot_v2.venues.certificates import ThrowawayTls, throwaway_tls
from bot_v2.venues.coinbase.venue import CoinbaseVenue


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayTls:
    """A certificate for 127.0.0.1."""
    folder: Path = tmp_path_factory.mktemp("tls")
    return throwaway_tls(folder)


@pytest.fixture
def venue(tls: ThrowawayTls, monkeypatch: pytest.MonkeyPatch) -> Iterator[CoinbaseVenue]:
    """Advanced Trade on this machine; whoever verifies certificates trusts it."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tls.certificate_file))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    venue = CoinbaseVenue()
    venue.start(tls=tls.context)
    yield venue
    venue.close()
