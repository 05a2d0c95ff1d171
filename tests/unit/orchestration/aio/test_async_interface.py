"""The coroutines have the names, the parameters and the results of the methods they stand for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from bot_v2.features.brokerages.core.capabilities import PROTOCOLS, Capability, methods_of
from bot_v2.features.brokerages.core.interfaces import IBrokerage
from bot_v2.orchestration.aio.capabilities import (
    ASYNC_PROTOCOLS,
    AsyncSupportsMargin,
    async_supports,
)
from bot_v2.orchestration.aio.interface import IAsyncBrokerage
from bot_v2.orchestration.async_brokerage import AsyncBrokerage
from tests.unit.orchestration.fake_brokerage import FakeBrokerage

THE_18 = [name for name in vars(IBrokerage) if not name.startswith("_")]
OPTIONAL = [
    (capability, name)
    for capability in Capability
    if PROTOCOLS[capability] is not None
    for name in methods_of(capability)
]
STREAMS = {"stream_quotes", "stream_orders"}


def as_awaited(method: Callable[..., Any]) -> inspect.Signature:
    """The signature of a method, with what it returns when it is awaited."""
    signature = inspect.signature(method)
    returned = str(signature.return_annotation)
    for there, here in (
        ("AbstractContextManager[Iterator[", "AbstractAsyncContextManager[AsyncIterator["),
        ("IBrokerage", "IAsyncBrokerage"),
    ):
        returned = returned.replace(there, here)
    return signature.replace(return_annotation=returned)


def test_the_18_are_the_18() -> None:
    """The Protocol for asyncio has these methods, and no other."""
    assert [name for name in vars(IAsyncBrokerage) if not name.startswith("_")] == THE_18
    assert len(THE_18) == 18


@pytest.mark.parametrize("owner", [IAsyncBrokerage, AsyncBrokerage])
@pytest.mark.parametrize("name", THE_18)
def test_the_18_are_called_alike(owner: type, name: str) -> None:
    """Each of the 18 is a coroutine with the parameters and the result that it always had."""
    method = getattr(owner, name)
    assert inspect.iscoroutinefunction(method)
    assert inspect.signature(method) == as_awaited(getattr(IBrokerage, name))


def test_every_capability_has_its_protocol() -> None:
    """Where there is a Protocol that blocks, there is one that is awaited, of the same methods."""
    assert set(ASYNC_PROTOCOLS) == {one for one, protocol in PROTOCOLS.items() if protocol}
    for capability, protocol in ASYNC_PROTOCOLS.items():
        names = tuple(name for name in vars(protocol) if not name.startswith("_"))
        assert names == methods_of(capability)
        blocking = PROTOCOLS[capability]
        assert blocking is not None
        assert protocol.__name__ == f"Async{blocking.__name__}"


@pytest.mark.parametrize(("capability", "name"), OPTIONAL)
def test_optional_operations_are_called_alike(capability: Capability, name: str) -> None:
    """Each optional operation is a coroutine, or a stream, with its parameters and result."""
    expected = as_awaited(getattr(PROTOCOLS[capability], name))
    for owner in (ASYNC_PROTOCOLS[capability], AsyncBrokerage):
        method = getattr(owner, name)
        assert inspect.iscoroutinefunction(method) is (name not in STREAMS)
        assert inspect.signature(method) == expected


def test_what_is_declared_is_supported() -> None:
    """A capability is there where it is declared, not where a method of its name is."""
    broker = FakeBrokerage()
    assert not async_supports(AsyncBrokerage(broker), AsyncSupportsMargin)
    vars(broker)["capabilities"] = frozenset({Capability.MARGIN})
    assert async_supports(AsyncBrokerage(broker), AsyncSupportsMargin)


def test_only_protocols_are_asked_for() -> None:
    """To ask for anything but a Protocol of a capability is a mistake."""
    with pytest.raises(TypeError, match="no capability protocol"):
        async_supports(AsyncBrokerage(FakeBrokerage()), FakeBrokerage)
