"""The asyncio client, unmodified: how the tests start it and wait for what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ib_async import IB, Contract, Stock

WAIT_S = 20.0
"""How long anything is waited for: it takes milliseconds, but for a machine under load."""


@asynccontextmanager
async def connected(port: int, client_id: int = 1, timeout: float = WAIT_S) -> AsyncIterator[IB]:
    """Connect the client, and disconnect it in the end."""
    ib = IB()
    await ib.connectAsync(
        "127.0.0.1", port, clientId=client_id, timeout=timeout, raiseSyncErrors=True
    )
    try:
        yield ib
    finally:
        ib.disconnect()


async def until(accept: Callable[[], object], what: str) -> None:
    """Wait until something holds; the client goes on meanwhile."""
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while not accept():
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not within {WAIT_S} s: {what}")
        await asyncio.sleep(0.005)


async def apple(ib: IB) -> Contract:
    """Return the one stock that most tests trade, qualified."""
    (found,) = await ib.qualifyContractsAsync(Stock("AAPL", "SMART", "USD"))
    assert isinstance(found, Contract)
    return found
