"""The vendor's decoder with our reading of numbers, on messages of the simulator's schemas."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot_v2.features.brokerages.ibkr import wire
from tests.unit.ibkr.natives import CONTRACT, ORDER, Heard, fields_of

VERSIONS = (157, 163, 164, 170, 176, 177, 178)
DIGITS = ("0.00012345678901234", "123456789.123456789", "1E-8", "1.7976931348623157e+307")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", DIGITS)
def test_an_order_keeps_its_digits(version: int, text: str) -> None:
    """Of an order every number is the text that came, at every server version."""
    heard = Heard(version).hear(
        "openOrder",
        **{
            **ORDER,
            "lmtPrice": Decimal(text),
            "auxPrice": Decimal(text),
            "totalQuantity": Decimal(text),
            "trailStopPrice": Decimal(text),
            "trailingPercent": Decimal(text),
        },
    )
    (order,) = heard.orders
    told = (order.price, order.aux_price, order.quantity, order.trail_stop, order.trail_percent)
    assert {Decimal(one) for one in told} == {Decimal(text)}
    assert (order.perm_id, order.order_id, order.client_id) == (900_000_001, 7, 1)
    assert (order.account, order.order_ref, order.status) == ("DU1", "ref", "Submitted")
    assert order.contract.con_id == 265598
    assert not heard.malformed


@pytest.mark.parametrize("version", VERSIONS)
def test_an_order_that_ended(version: int) -> None:
    """An order that ended tells how, when, and how much of it was filled."""
    told = {name: value for name, value in ORDER.items() if name not in ("orderId", "clientId")}
    heard = Heard(version).hear(
        "completedOrder",
        **{
            **told,
            "status": "Cancelled",
            "filledQuantity": Decimal("3.00000000000000001"),
            "trailStopPrice": Decimal("99.5"),
            "completedTime": "20260710 09:30:01 US/Eastern",
            "completedStatus": "Cancelled by Trader",
        },
    )
    (order,) = heard.completed
    assert (order.filled, order.trail_stop) == ("3.00000000000000001", "99.5")
    assert (order.status, order.completed_status) == ("Cancelled", "Cancelled by Trader")
    assert (order.order_id, order.parent_perm_id, order.has_ended) == (0, 0, True)
    assert not heard.malformed


def test_a_parent_of_an_order_that_ended() -> None:
    """An order that ended names its parent by the permanent id."""
    told = {name: value for name, value in ORDER.items() if name not in ("orderId", "clientId")}
    heard = Heard().hear("completedOrder", **{**told, "parentPermId": 900_000_000})
    assert heard.completed[0].parent_perm_id == 900_000_000


def test_a_trial_is_no_order() -> None:
    """What an order would do is told beside it."""
    heard = Heard().hear(
        "openOrder",
        **{
            **ORDER,
            "permId": 0,
            "whatIf": True,
            "initMarginAfter": "4398.700000000012",
            "maintMarginAfter": "4000.1",
            "equityWithLoanAfter": "10000",
            "commission": "1.05",
            "commissionCurrency": "USD",
        },
    )
    margin = heard.margins[0]
    assert margin is not None
    assert (margin.initial_after, margin.commission) == ("4398.700000000012", "1.05")
    assert Heard().hear("openOrder", **ORDER).margins == [None]


def test_the_legs_of_a_combination() -> None:
    """A combination tells its legs."""
    legs = [
        {"conId": 1, "ratio": 1, "action": "BUY", "exchange": "SMART"},
        {"conId": 2, "ratio": 2, "action": "SELL", "exchange": "SMART"},
    ]
    (order,) = Heard().hear("openOrder", **{**ORDER, "secType": "BAG", "comboLegs": legs}).orders
    told = [(leg.con_id, leg.ratio, leg.action) for leg in order.contract.legs]
    assert told == [(1, "1", "BUY"), (2, "2", "SELL")]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_contract(version: int) -> None:
    """A contract tells its steps and sizes as texts, sizes from the version that has them."""
    heard = Heard(version).hear(
        "contractDetails",
        **{
            **CONTRACT,
            "reqId": 5,
            "secType": "OPT",
            "strike": Decimal("172.50000000000000001"),
            "minTick": Decimal("0.00005"),
            "minSize": Decimal("0.0001"),
            "sizeIncrement": Decimal("0.0001"),
            "lastTradeDateOrContractMonth": "20280121-16:00:00-US/Eastern",
            "realExpirationDate": "20280121",
            "longName": "APPLE INC",
        },
    )
    ((request_id, details),) = heard.details
    assert (request_id, details.contract.strike) == (5, "172.50000000000000001")
    assert (details.min_tick, details.contract.expiry) == ("0.00005", "20280121")
    assert details.size_increment == ("0.0001" if version >= 164 else "")
    assert not heard.malformed


def test_an_error_and_a_search() -> None:
    """Errors have their code and words; a search has its contracts."""
    heard = Heard().hear("error", reqId=3, code=201, text="no", advancedOrderRejectJson="{}")
    assert [(one.request_id, one.code, one.text) for one in heard.errors] == [(3, 201, "no")]
    sample = {"conId": 1, "symbol": "AAPL", "secType": "STK", "primaryExchange": "NASDAQ"}
    heard.hear("symbolSamples", reqId=4, contracts=[{**sample, "derivativeSecTypes": []}])
    assert [(number, [one.con_id for one in found]) for number, found in heard.samples] == [
        (4, [1])
    ]


@pytest.mark.parametrize(
    "fields", [[], [""], ["x"], ["5", "1"], ["10", "1"], ["4", "2"], ["101"], ["79", "1", "9"]]
)
def test_what_is_no_message(fields: list[str]) -> None:
    """What cannot be read is told as that, and raises nothing."""
    heard = Heard()
    heard.interpret(fields)
    assert heard.malformed
    assert not heard.orders


def test_a_message_that_nobody_asks_for() -> None:
    """A message of another kind is passed over."""
    heard = Heard()
    heard.interpret(["14", "1", "2", "3", "news", "exchange"])
    assert not heard.malformed


def test_the_plain_messages() -> None:
    """Messages of fixed fields are read by their places, as the schemas write them."""
    row = wire.status_from_fields(
        fields_of(
            "orderStatus",
            orderId=7,
            status="Submitted",
            filled=Decimal("1.00000000000000001"),
            remaining=9,
            avgFillPrice=Decimal("120.123456789012345678"),
            permId=9,
            clientId=2,
            whyHeld="trigger",
        )
    )
    assert (row.filled, row.average) == ("1.00000000000000001", "120.123456789012345678")
    assert (row.perm_id, row.client_id, row.why_held) == (9, 2, "trigger")
    number, execution = wire.execution_from_fields(
        fields_of(
            "execDetails",
            **{
                **CONTRACT,
                "reqId": -1,
                "orderId": 7,
                "execId": "a.01.01",
                "time": "20260710-09:30:01",
                "account": "DU1",
                "side": "BOT",
                "shares": 1,
                "price": Decimal("0.00012345678901234"),
                "permId": 9,
                "clientId": 2,
                "cumQty": 3,
                "avgPrice": Decimal("2.5"),
                "orderRef": "ref",
                "lastLiquidity": 1,
            },
        )
    )
    assert (number, execution.price, execution.total) == (-1, "0.00012345678901234", "3")
    assert (execution.perm_id, execution.order_ref, execution.liquidity) == (9, "ref", "1")
    commission = wire.commission_from_fields(
        fields_of("commissionReport", execId="a.01.01", commission=Decimal("1.05"), currency="USD")
    )
    assert (commission.exec_id, commission.amount, commission.currency) == (
        "a.01.01",
        "1.05",
        "USD",
    )
    number, position = wire.position_from_fields(
        fields_of(
            "positionMulti",
            **{**CONTRACT, "reqId": 4, "account": "DU1", "position": -2, "avgCost": 5},
        )
    )
    assert (number, position.quantity, position.average_cost) == (4, "-2", "5")
    assert position.contract.trading_class == "NMS"
    number, value = wire.value_from_fields(
        fields_of(
            "accountUpdateMulti",
            reqId=4,
            account="DU1",
            tag="CashBalance",
            value="1.10",
            currency="USD",
        )
    )
    assert (number, value.tag, value.text, value.currency) == (4, "CashBalance", "1.10", "USD")


def test_bars_and_steps() -> None:
    """Bars and price steps are read as many as they say that they are, and no fewer."""
    bar = {"date": "1700000000", "open": 1, "high": 2, "low": 1, "close": 2, "volume": 3}
    fields = fields_of("historicalData", reqId=4, bars=[{**bar, "wap": 1, "count": 1}] * 2)
    number, bars = wire.bars_from_fields(fields)
    assert (number, [one.close for one in bars]) == (4, ["2", "2"])
    with pytest.raises(wire.MalformedError):
        wire.bars_from_fields(fields[:-8])
    steps = [{"lowEdge": 0, "increment": Decimal("0.05")}, {"lowEdge": 3, "increment": "0.1"}]
    told = wire.increments_from_fields(fields_of("marketRule", marketRuleId=32, increments=steps))
    assert told == (32, [("0", "0.05"), ("3", "0.1")])


@pytest.mark.parametrize("text", ["", "2147483647", "1.7976931348623157E308"])
def test_no_number(text: str) -> None:
    """What stands for no number is none, in each of its spellings."""
    assert wire.number_or_none(text) is None


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1_0", " 1", "x"])
def test_what_is_no_number(text: str) -> None:
    """Any other text is an error, never a number."""
    with pytest.raises(wire.MalformedError):
        wire.number_or_none(text)
