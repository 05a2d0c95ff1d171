"""Tapes over sockets: a proxy records what passes, a player answers as what was recorded did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from ib_async import LimitOrder, Trade

from bot_v2.venues.tws.tapes.player import TapePlayer
from bot_v2.venues.tws.tapes.proxy import TapeProxy
from bot_v2.venues.tws.tapes.tape import TapeError, read_tape
from bot_v2.venues.tws.venue import TwsVenue
from tests.integration.venues.tws.ib import WAIT_S, apple, connected, until

D = Decimal
Seen = tuple[object, ...]


@pytest.fixture(autouse=True)
def quiet() -> None:
    """The client logs each code as an error; what matters is asserted."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)


async def trades(port: int, fill: Callable[[Trade], None], price: str, shift: int = 0) -> Seen:
    """Trade, return, and tell what was seen; `shift` makes the client's ids others."""
    async with connected(port) as ib:
        ib.client.updateReqId(shift)
        contract = await apple(ib)
        trade = ib.placeOrder(contract, LimitOrder("BUY", 10, D(price), orderRef="mine"))  # type: ignore[arg-type] # the client takes Decimals, and does not say so
        await until(lambda: trade.orderStatus.status == "Submitted", "it rests")
        fill(trade)
        await until(lambda: trade.fills and trade.fills[0].commissionReport.execId, "it is charged")
        ib.cancelOrder(trade.order)
        await until(lambda: trade.orderStatus.status == "Cancelled", "it is cancelled")
        assert (await ib.reqCurrentTimeAsync()).tzinfo
        seen: Seen = (
            trade.orderStatus.filled,
            trade.fills[0].execution.price,
            ib.positions()[0].avgCost,
        )
    async with connected(port) as ib:
        return (*seen, len(ib.fills()), [one.orderStatus.status for one in ib.trades()])


def nothing(_: Trade) -> None:
    """What was filled on the tape is filled by it."""


def play(path: Path, price: str = "150.25", shift: int = 0) -> Seen:
    """Play a tape to a session; return what the session saw."""
    with TapePlayer(path) as player:
        return asyncio.run(asyncio.wait_for(trades(player.port, nothing, price, shift), 3 * WAIT_S))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seen]:
    """A session against the simulator, with what it saw; the account is nobody's business."""
    path = tmp_path_factory.mktemp("tapes") / "life.tape"
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)
    with TwsVenue(accounts=("U7654321",)) as venue, TapeProxy("127.0.0.1", venue.port) as proxy:

        def fill(trade: Trade) -> None:
            venue.fill(str(trade.order.permId), D(3), D("150.20"))

        seen = asyncio.run(asyncio.wait_for(trades(proxy.port, fill, "150.25"), 3 * WAIT_S))
    proxy.tape("simulator", "2026-11-21T00:00:00+00:00", "a test", "an order's life").write(path)
    return path, seen


def test_what_was_seen_is_seen_again(recorded: tuple[Path, Seen]) -> None:
    """By the same client, and with other ids of its own."""
    path, seen = recorded
    assert seen == (3.0, 150.2, 150.2, 1, ["Cancelled"])
    assert play(path) == seen
    assert play(path, shift=500) == seen


def test_nothing_of_the_account_is_on_the_tape(recorded: tuple[Path, Seen]) -> None:
    """Its code was replaced before a line was written; what it is worth is said."""
    path, _ = recorded
    text = path.read_text()
    assert "U7654321" not in text
    assert "DU0000001" in text
    assert read_tape(path).provenance.recorded_against == "simulator"


def test_another_order_is_refused(recorded: tuple[Path, Seen]) -> None:
    """The connection is cut, and the player says which line differs, and in what."""
    path, _ = recorded

    async def session(port: int) -> None:
        async with connected(port) as ib:
            contract = await apple(ib)
            ib.placeOrder(contract, LimitOrder("BUY", 10, 150.26, orderRef="mine"))
            await until(lambda: not ib.isConnected(), "it is cut off")

    player = TapePlayer(path)
    player.start()
    asyncio.run(asyncio.wait_for(session(player.port), 2 * WAIT_S))
    player.close()
    with pytest.raises(TapeError, match=r"lmtPrice is '150\.25', and '150\.26' here"):
        player.check()


def test_what_is_not_played_is_a_failure(recorded: tuple[Path, Seen]) -> None:
    """A client that only connects leaves most of the tape."""
    path, _ = recorded

    async def session(port: int) -> None:
        async with connected(port) as ib:
            assert ib.managedAccounts() == ["DU0000001"]

    with pytest.raises(TapeError, match="were not played"), TapePlayer(path) as player:
        asyncio.run(asyncio.wait_for(session(player.port), 2 * WAIT_S))


def test_a_gateway_that_is_not_there_ends_the_connection() -> None:
    """The proxy lets the client go, and the tape is empty."""
    with TapeProxy("127.0.0.1", 9) as proxy:

        async def session() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            heard = await asyncio.wait_for(reader.read(), WAIT_S)
            writer.close()
            return heard

        assert asyncio.run(session()) == b""
    assert proxy.tape("simulator", "", "", "").lines == ()
