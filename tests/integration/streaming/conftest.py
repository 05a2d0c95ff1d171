"""What the tests of streams share with those of HTTP: certificates, and no proxies."""

from __future__ import annotations

from tests.integration.http.conftest import authority, no_proxies

__all__ = ["authority", "no_proxies"]
