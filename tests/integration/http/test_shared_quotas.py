"""Quotas that several processes share in Redis."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from limits.storage import storage_from_string

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.features.brokerages.http.quotas import Quota, QuotaExhaustedError, Quotas


def load_scripts(url: str) -> None:
    """Have the server know the scripts of `limits`: it closes a connection that asks for others."""
    import redis

    storage: Any = storage_from_string(url)
    with redis.Redis.from_url(url) as client:
        for script in (storage.lua_moving_window, storage.lua_acquire_moving_window):
            client.script_load(script.script)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A server that speaks Redis on the loopback."""
    fakeredis = pytest.importorskip("fakeredis")
    pytest.importorskip("lupa")
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"redis://127.0.0.1:{server.server_address[1]}/0"
    load_scripts(url)
    yield url
    server.shutdown()
    server.server_close()
    thread.join()


def quotas(url: str, scope: str = "acme") -> Quotas:
    """The quotas of one process."""
    return Quotas({"orders": [Quota(2, 60), Quota(100, 3600)]}, scope=scope, storage_url=url)


def test_processes_share_a_quota(redis_url: str) -> None:
    """What one process took, another one does not have; another scope has its own."""
    ours, theirs = quotas(redis_url), quotas(redis_url)
    assert ours.take("orders", 0) < 1
    assert theirs.take("orders", 0) < 1
    for one in (ours, theirs):
        with pytest.raises(QuotaExhaustedError) as caught:
            one.take("orders", 1)
        assert 50 < caught.value.wait_s <= 60
    quotas(redis_url, scope="other").take("orders", 0)


def test_a_storage_that_is_gone_does_not_stop_trading(caplog: pytest.LogCaptureFixture) -> None:
    """Where Redis cannot be reached, the process counts alone, says so once, and keeps quiet."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    alone = quotas(f"redis://:hidden@127.0.0.1:{port}/0")
    with caplog.at_level(logging.WARNING):
        alone.take("orders", 0)
        alone.take("orders", 0)
        with pytest.raises(QuotaExhaustedError):
            alone.take("orders", 0)
    assert [record.name.rpartition(".")[2] for record in caplog.records] == ["quotas"]
    assert "counts alone" in caplog.text
    assert "hidden" not in caplog.text


@pytest.mark.parametrize("url", ["memory://", "postgres://u:hidden@h", "nonsense"])
def test_a_storage_that_cannot_be_shared_is_refused(url: str) -> None:
    """A quota that processes share needs a storage between them."""
    with pytest.raises(InvalidFieldError, match="storage_url") as caught:
        quotas(url)
    assert "hidden" not in str(caught.value)


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Redis' client the error names the extra."""
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(MissingDependencyError, match=r"bot-v2\[redis\]") as caught:
        quotas("redis://127.0.0.1:1/0")
    assert caught.value.extra == "redis"
