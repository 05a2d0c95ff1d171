"""ib_async, unmodified, on the simulated TWS: only host and port are given."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from ib_async import (
    IB,
    ComboLeg,
    Contract,
    ExecutionFilter,
    Forex,
    Future,
    LimitOrder,
    MarketOrder,
    Option,
    Order,
    Stock,
    TagValue,
    Trade,
)

from bot_v2.simulation.faults import Fault
from bot_v2.venues.tws.frames import FrameReader, frame
from bot_v2.venues.tws.listings import ALL_LISTINGS, stock
from bot_v2.venues.tws.venue import TwsVenue
from tests.integration.venues.tws.ib import WAIT_S, apple, connected, until

D = Decimal


@pytest.fixture(autouse=True)
def quiet() -> None:
    """The client logs each code as an error; what matters is asserted."""
    logging.getLogger("ib_async").setLevel(logging.CRITICAL)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a session in a loop of its own."""
    asyncio.run(asyncio.wait_for(work, 3 * WAIT_S))


def is_filled(trade: Trade) -> bool:
    """Whether an order was filled."""
    return trade.orderStatus.status == "Filled"


def test_it_trades_and_returns(venue: TwsVenue) -> None:
    """Connect, contract, order, partial fills, cancel, reconnect: all is as it was left."""

    async def session() -> None:
        async with connected(venue.port) as ib:
            assert ib.client.serverVersion() == 178
            contract = await apple(ib)
            trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 150.25, orderRef="mine"))
            await until(lambda: trade.orderStatus.status == "Submitted", "the order rests")
            for part in (D(3), D(2)):
                venue.fill(str(trade.order.permId), part, D("150.20"))
            await until(
                lambda: [
                    one.commissionReport.execId
                    for one in trade.fills
                    if one.commissionReport.execId
                ][1:],
                "both parts are charged",
            )
            assert trade.orderStatus.filled == 5.0
            ib.cancelOrder(trade.order)
            await until(lambda: trade.orderStatus.status == "Cancelled", "it is cancelled")
            rest = ib.placeOrder(contract, LimitOrder("BUY", 1, 140))
            await until(lambda: rest.orderStatus.status == "Submitted", "another rests")
            perm_ids = (trade.order.permId, rest.order.permId)
        async with connected(venue.port) as ib:
            assert [one.order.permId for one in ib.openTrades()] == [perm_ids[1]]
            ended = [one for one in ib.trades() if one.order.permId == perm_ids[0]]
            assert [(one.orderStatus.status, one.order.filledQuantity) for one in ended] == [
                ("Cancelled", 5.0)
            ]
            assert [one.execution.shares for one in ib.fills()] == [3.0, 2.0]
            (position,) = ib.positions()
            assert (position.position, position.avgCost) == (5.0, 150.2)

    run(session())
    assert [one.client_order_id for one in venue.orders_received()] == ["mine", None]


@pytest.mark.parametrize("version", [157, 160, 163, 164, 170, 176, 177])
def test_it_trades_at_every_version(
    venue: TwsVenue, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an older server says is read as well: contract, order, fill, history, quotes."""
    monkeypatch.setattr("ib_async.client.Client.MaxClientVersion", version)

    async def session() -> None:
        async with connected(venue.port) as ib:
            assert ib.client.serverVersion() == version
            contract = await apple(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 10))
            await until(lambda: trade.orderStatus.status == "Filled", "it is filled")
            await until(lambda: trade.fills[0].commissionReport.execId, "it is charged")
            bars = await ib.reqHistoricalDataAsync(contract, "", "1 D", "1 hour", "TRADES", False)
            assert bars
            (ticker,) = await ib.reqTickersAsync(contract)
            assert ticker.bid == 170.49
        async with connected(venue.port) as ib:
            assert [one.orderStatus.status for one in ib.trades()] == ["Filled"]

    run(session())


def test_every_kind_of_contract_is_traded(venue: TwsVenue) -> None:
    """A stock, an option, a future and a pair; a symbol of two contracts is none."""
    asked = [
        Stock("MSFT", "SMART", "USD"),
        Option("AAPL", "20280121", 172.5, "C", "SMART"),
        Future("ES", "20280317", "CME"),
        Forex("EURUSD"),
    ]

    async def session() -> None:
        async with connected(venue.port) as ib:
            contracts = await ib.qualifyContractsAsync(*asked)
            for contract in contracts:
                assert isinstance(contract, Contract)
                trade = ib.placeOrder(contract, MarketOrder("BUY", 1))
                await until(partial(is_filled, trade), "it is filled")
            kinds = {one.contract.secType: one for one in ib.positions()}
            assert set(kinds) == {"STK", "OPT", "FUT", "CASH"}
            assert await ib.qualifyContractsAsync(Stock("BHP", "SMART")) == [None]
            chain = await ib.reqSecDefOptParamsAsync("AAPL", "", "STK", 265598)
            assert 172.5 in chain[0].strikes
            found = await ib.reqMatchingSymbolsAsync("BHP")
            assert found is not None
            assert len(found) == 2

    run(session())


def test_a_bracket_and_a_combination(venue: TwsVenue) -> None:
    """Three orders that live one after the other; two legs that trade as one."""

    async def session() -> None:
        async with connected(venue.port) as ib:
            contract = await apple(ib)
            trades = [
                ib.placeOrder(contract, one) for one in ib.bracketOrder("BUY", 5, 165, 180, 160)
            ]
            await until(lambda: trades[2].orderStatus.status == "PreSubmitted", "all are taken")
            assert [one.orderStatus.whyHeld for one in trades] == ["", "child", "child,trigger"]
            venue.set_market("AAPL", D("164.9"), D(165), D(100))
            await until(lambda: trades[1].orderStatus.status == "Submitted", "exits work")
            venue.set_market("AAPL", D(181), D("181.1"), D(100))
            await until(lambda: trades[2].orderStatus.status == "Cancelled", "the other ends")
            assert [one.orderStatus.status for one in trades] == ["Filled", "Filled", "Cancelled"]
            legs = [
                ComboLeg(conId=700_000_101, ratio=1, action="BUY", exchange="SMART"),
                ComboLeg(conId=700_000_103, ratio=1, action="SELL", exchange="SMART"),
            ]
            bag = Contract(
                symbol="AAPL", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs
            )
            order = LimitOrder("BUY", 2, 6.0)
            order.smartComboRoutingParams = [TagValue("NonGuaranteed", "1")]
            combo = ib.placeOrder(bag, order)
            await until(lambda: combo.orderStatus.status == "Filled", "the combination trades")
            await until(lambda: len(combo.fills) == 3, "with an execution of each leg")
            assert {one.contract.secType for one in combo.fills} == {"BAG", "OPT"}

    run(session())


def test_exact_digits_reach_the_client(venue: TwsVenue) -> None:
    """The raw fields hold every digit, of prices that no double can hold."""
    listing = stock(991, "EXACT", "0.00012345678901234", "EXACT", step="0.00000000000000001")
    raw: list[list[str]] = []

    async def session(port: int, exact: TwsVenue) -> None:
        async with connected(port) as ib:
            heard: Callable[[list[str]], None] = ib.client.decoder.interpret

            def tap(fields: list[str]) -> None:
                raw.append(list(fields))
                heard(fields)

            ib.client.decoder.interpret = tap  # type: ignore[method-assign] # the way in that its docs name
            (contract,) = await ib.qualifyContractsAsync(Contract(conId=991, exchange="SMART"))
            assert isinstance(contract, Contract)
            order = Order(action="BUY", totalQuantity=2, orderType="LMT")
            order.lmtPrice = D("0.00012345678901234")
            trade = ib.placeOrder(contract, order)
            await until(lambda: trade.orderStatus.status == "Submitted", "it rests")
            exact.fill(str(trade.order.permId), D(2), D("0.00012345678901234"))
            await until(lambda: trade.orderStatus.status == "Filled", "it is filled")
            exact.set_market("EXACT", D("123456789.123456789"), D("123456789.2"), D(1))
            ib.reqMktData(contract)
            await until(lambda: [one for one in raw if one[0] == "1"], "a quote comes")

    with TwsVenue(listings=(*ALL_LISTINGS, listing)) as exact:
        exact.set_market("EXACT", D("0.0001"), D(1), D(5))
        run(session(exact.port, exact))
    status = [one for one in raw if one[0] == "3"][-1]
    assert status[5] == status[8] == "0.00012345678901234"
    execution = next(one for one in raw if one[0] == "11")
    assert execution[20] == "0.00012345678901234"
    bid = next(one for one in raw if one[0] == "1" and one[3] == "1")
    assert bid[4] == "123456789.123456789"


def test_it_bears_small_pieces_and_slow_answers(venue: TwsVenue) -> None:
    """Three bytes at a time; the whole session is as ever."""
    venue.scripts.set_pace(piece=3)

    async def session() -> None:
        async with connected(venue.port) as ib:
            contract = await apple(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 1))
            await until(lambda: trade.orderStatus.status == "Filled", "it is filled")

    run(session())


def test_a_client_id_in_use_is_told(venue: TwsVenue) -> None:
    """326, and the end of the connection; the first client lives on."""

    async def session() -> None:
        async with connected(venue.port, 5) as ib:
            codes: list[int] = []
            second = IB()
            second.errorEvent += lambda _, code, *__: codes.append(code)
            # The client says nothing of the refusal itself, and waits as long as it is told to.
            trying = asyncio.ensure_future(
                second.connectAsync("127.0.0.1", venue.port, clientId=5, timeout=WAIT_S)
            )
            await until(lambda: 326 in codes, "the refusal is told")
            trying.cancel()
            assert await asyncio.gather(trying, return_exceptions=True)
            assert ib.isConnected()
            assert (await ib.reqCurrentTimeAsync()).tzinfo

    run(session())


def test_a_missing_end_does_not_keep_it_out(venue: TwsVenue) -> None:
    """The end of the executions never comes: the client waits its time, and is connected."""
    venue.scripts.withhold_execution_end()

    async def session() -> None:
        ib = IB()
        await ib.connectAsync("127.0.0.1", venue.port, clientId=1, timeout=2)
        assert ib.isConnected()
        ib.disconnect()

    run(session())


def test_the_nightly_reset(venue: TwsVenue) -> None:
    """The socket ends, nothing listens; after it the order is read by its permanent id."""

    async def session() -> None:
        async with connected(venue.port) as ib:
            ended: list[bool] = []
            ib.disconnectedEvent += lambda: ended.append(True)
            contract = await apple(ib)
            trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 150))
            await until(lambda: trade.orderStatus.status == "Submitted", "it rests")
            perm_id = trade.order.permId
            await asyncio.to_thread(venue.scripts.reset, rolls_back_ids=True, stays_down=True)
            await until(lambda: ended, "the connection is lost")
            with pytest.raises(OSError):
                await ib.connectAsync("127.0.0.1", venue.port, clientId=1, timeout=1)
        await asyncio.to_thread(venue.scripts.come_back)
        venue.fill(str(perm_id), D(10), D(150))
        async with connected(venue.port) as ib:
            assert ib.client.getReqId() < 10
            (ended_trade,) = ib.trades()
            assert ended_trade.order.permId == perm_id
            assert ended_trade.orderStatus.status == "Filled"

    run(session())


def test_a_link_that_is_lost_and_comes_back(venue: TwsVenue) -> None:
    """1100, silence; 1102, and what happened meanwhile."""

    async def session() -> None:
        async with connected(venue.port) as ib:
            codes: list[int] = []
            ib.errorEvent += lambda _, code, *__: codes.append(code)
            contract = await apple(ib)
            trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 150))
            await until(lambda: trade.orderStatus.status == "Submitted", "it rests")
            venue.scripts.lose_link()
            venue.fill(str(trade.order.permId), D(10), D(150))
            await until(lambda: 1100 in codes, "the loss is told")
            assert (await ib.reqCurrentTimeAsync()).tzinfo
            assert trade.fills == []
            venue.scripts.restore_link()
            await until(lambda: trade.orderStatus.status == "Filled", "the fill is told")
            assert 1102 in codes

    run(session())


@pytest.mark.parametrize(
    "fault", [Fault.DROP_AFTER_ACCEPT, Fault.DROP_BEFORE_ACCEPT, Fault.RESET_AFTER]
)
def test_an_order_without_an_answer(venue: TwsVenue, fault: Fault) -> None:
    """Nothing is heard of it; a new session finds it, or finds nothing."""
    made = fault is not Fault.DROP_BEFORE_ACCEPT

    async def session() -> None:
        async with connected(venue.port) as ib:
            contract = await apple(ib)
            venue.inject(fault, "place_order")
            trade: Trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 150, orderRef="lost"))
            if fault is Fault.RESET_AFTER:
                await until(lambda: not ib.isConnected(), "the socket is reset")
            else:
                await until(lambda: venue.requests_received("place_order"), "it arrives")
                assert (await ib.reqCurrentTimeAsync()).tzinfo
                assert trade.orderStatus.status == "PendingSubmit"
        async with connected(venue.port) as ib:
            assert [one.order.orderRef for one in ib.openTrades()] == (["lost"] if made else [])

    run(session())
    assert len(venue.orders_received()) == int(made)


def test_nothing_listens_while_connections_are_refused(venue: TwsVenue) -> None:
    """The client is cut off, and let in again once the fault is cleared, on the same port."""

    async def session() -> None:
        async with connected(venue.port) as ib:
            await asyncio.to_thread(venue.inject, Fault.RESET_BEFORE)
            await until(lambda: not ib.isConnected(), "it is cut off")
            with pytest.raises(OSError):
                await ib.connectAsync("127.0.0.1", venue.port, clientId=1, timeout=1)
        await asyncio.to_thread(venue.clear_faults)
        async with connected(venue.port) as ib:
            assert ib.managedAccounts() == list(venue.accounts)

    run(session())


def test_executions_are_asked_for_by_filter(venue: TwsVenue) -> None:
    """By symbol; and one is corrected by an execution of nearly the same id."""

    async def session() -> None:
        async with connected(venue.port) as ib:
            contract = await apple(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 4))
            await until(lambda: trade.fills, "it is filled")
            first = trade.fills[0].execution.execId
            venue.scripts.correct(first, D(3), D("170.5"))
            await until(lambda: len(trade.fills) == 2, "it is corrected")
            found = await ib.reqExecutionsAsync(ExecutionFilter(symbol="AAPL"))
            assert [one.execution.execId for one in found] == [first, f"{first[:-2]}02"]
            assert await ib.reqExecutionsAsync(ExecutionFilter(symbol="MSFT")) == []

    run(session())


def test_the_handshake_may_come_in_pieces(venue: TwsVenue) -> None:
    """Byte by byte, as a slow network brings it; and what is no client is cut off."""

    async def session() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
        for byte in b"API\0" + frame(b"v157..178"):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        heard: list[bytes] = []
        frames = FrameReader(starts_with_prefix=False)
        while not heard:
            heard += frames.feed(await asyncio.wait_for(reader.read(100), WAIT_S))
        assert heard[0].startswith(b"178\0")
        writer.close()
        await writer.wait_closed()
        reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), WAIT_S)
        writer.close()

    run(session())


def test_the_status_may_come_before_the_execution(venue: TwsVenue) -> None:
    """The order is filled, and its execution and commission are told a moment later."""
    venue.scripts.order_fills("status-first")

    async def session() -> None:
        async with connected(venue.port) as ib:
            contract = await apple(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 4))
            fills_at_status: list[int] = []
            trade.filledEvent += lambda one: fills_at_status.append(len(one.fills))
            await until(lambda: trade.fills, "the execution comes")
            await until(lambda: trade.fills[0].commissionReport.execId, "and what it cost")
            assert fills_at_status == [0]

    run(session())


def test_a_commission_that_comes_first_is_lost_to_it(venue: TwsVenue) -> None:
    """The client ties a commission to an execution that it knows; a read brings it after all."""
    venue.scripts.order_fills("commission-first")

    async def session() -> None:
        async with connected(venue.port) as ib:
            contract = await apple(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 4))
            await until(partial(is_filled, trade), "it is filled")
            assert not trade.fills[0].commissionReport.execId
            await ib.reqExecutionsAsync()
            await until(lambda: trade.fills[0].commissionReport.execId, "the read tells it")

    run(session())


def test_many_orders_at_once_are_each_placed_once(venue: TwsVenue) -> None:
    """Two hundred, without waiting between them: each has an id of its own, and none is lost."""

    async def session() -> None:
        async with connected(venue.port) as ib:
            ib.client.MaxRequests = 0
            contract = await apple(ib)
            trades = [
                ib.placeOrder(contract, LimitOrder("BUY", 1, 150, orderRef=f"n{number}"))
                for number in range(200)
            ]
            await until(
                lambda: all(one.orderStatus.status == "Submitted" for one in trades), "all rest"
            )
            assert len({one.order.permId for one in trades}) == 200

    run(session())
    placed = [one.client_order_id for one in venue.orders_received()]
    assert sorted(placed, key=str) == sorted((f"n{number}" for number in range(200)), key=str)
