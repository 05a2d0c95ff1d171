"""Totals and margin: of a portfolio of spot, and of one of perpetuals."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import attrs
import pytest

from bot_v2.features.brokerages.coinbase.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import (
    AccountSummary,
    BrokerAPIError,
    InsufficientFundsError,
    InvalidFieldError,
    InvalidRequestError,
    InvalidSymbolError,
    Margin,
    SupportsAccountSummary,
    SupportsMargin,
    supports,
)
from tests.unit.coinbase.natives import (
    API,
    BREAKDOWN,
    CREDENTIALS,
    PERMISSIONS,
    PERPETUAL,
    PERPETUALS,
    PORTFOLIO,
    SPOT,
    STANDING,
    FakeTransport,
    brokerage,
)
from tests.unit.coinbase.test_adapter import REQUEST

D = Decimal

CONTRACT = attrs.evolve(REQUEST, symbol="ETH-USDC-PERP", quantity=D(1))
PREVIEW = f"POST {API}/orders/preview"
PORTFOLIOS = f"GET {API}/portfolios"


def perpetuals(standing: Any = STANDING, **answers: Any) -> tuple[Any, FakeTransport]:
    """Return a brokerage with perpetuals, and what answers it."""
    given = {
        f"GET {API}/products": {"products": [SPOT, PERPETUAL]},
        f"GET {API}/intx/portfolio/{PERPETUALS}": standing,
        **answers,
    }
    return brokerage(given, enable_derivatives=True)


def told(**changes: Any) -> dict[str, Any]:
    """Return how the portfolio stands, with something of it changed; None takes it away."""
    standing = copy.deepcopy(STANDING)
    for name, value in changes.items():
        holder = standing["portfolios"][0] if name in standing["portfolios"][0] else standing
        holder[name] = value
        if value is None:
            del holder[name]
    return standing


def test_a_portfolio_of_spot_tells_what_it_is_worth() -> None:
    """And neither cash nor buying power, which Coinbase does not tell; margin is not declared."""
    broker, _ = brokerage({f"GET {API}/portfolios/{PORTFOLIO}": BREAKDOWN})
    assert broker.get_account() == AccountSummary(
        account_id=PORTFOLIO, currency="USD", equity=D("1250.50")
    )
    assert supports(broker, SupportsAccountSummary)
    assert not supports(broker, SupportsMargin)


def test_a_portfolio_of_perpetuals_tells_its_totals() -> None:
    """In the currency that it settles in; the share of the margin is rounded half to even."""
    broker, _ = perpetuals()
    assert broker.get_account() == AccountSummary(
        account_id=PORTFOLIO,
        currency="USDC",
        equity=D("52.75"),
        cash=D("50.5"),
        buying_power=D("32.75"),
        margin_used=D("20"),
        utilization=D("0.379147"),
    )
    assert supports(broker, SupportsMargin)


def test_the_margin_is_the_portfolios() -> None:
    """To the digit."""
    broker, _ = perpetuals()
    assert broker.get_margin() == Margin(
        currency="USDC",
        initial_margin=D("20"),
        maintenance_margin=D("1.4"),
        excess=D("51.35"),
        buying_power=D("32.75"),
    )


def test_what_is_not_told_is_none() -> None:
    """Of totals without equity there is no share, and of a margin without a summary no power."""
    bare = told(total_balance=None, portfolio_mm_notional=None, liquidation_buffer="")
    bare["summary"] = None
    broker, _ = perpetuals(bare)
    summary = broker.get_account()
    assert (summary.equity, summary.utilization, summary.buying_power) == (None, None, None)
    margin = broker.get_margin()
    assert (margin.maintenance_margin, margin.excess, margin.buying_power) == (None, None, None)


@pytest.mark.parametrize(
    "standing",
    [
        {"portfolios": []},
        told(portfolio_uuid="another"),
        told(total_balance={"value": "1", "currency": "USD"}),
        told(total_balance={"value": "1,0", "currency": "USDC"}),
    ],
)
def test_another_portfolio_or_another_currency_is_no_answer(standing: Any) -> None:
    """Nothing is guessed, and nothing is added up across currencies."""
    broker, _ = perpetuals(standing)
    with pytest.raises(BrokerAPIError) as caught:
        broker.get_account()
    assert caught.value.outcome is None


def test_an_order_needs_what_its_preview_says() -> None:
    """It is added to the margin, and taken off the buying power; the rest is not said."""
    broker, transport = perpetuals(**{PREVIEW: {"order_total": "9", "order_margin_total": "2.5"}})
    assert broker.get_order_margin(CONTRACT) == Margin(
        currency="USDC", initial_margin=D("22.5"), buying_power=D("30.25")
    )
    assert not transport.count("POST", f"{API}/orders")


@pytest.mark.parametrize(
    ("preview", "expected"),
    [
        ("100", Margin(currency="USDC", initial_margin=D(120), buying_power=D(0))),
        ("", Margin(currency="USDC")),
    ],
)
def test_buying_power_is_never_below_zero_nor_made_up(preview: str, expected: Margin) -> None:
    """Where the preview does not say what the order needs, nothing is said."""
    broker, _ = perpetuals(**{PREVIEW: {"order_margin_total": preview}})
    assert broker.get_order_margin(CONTRACT) == expected


def test_an_order_of_spot_needs_no_margin() -> None:
    """The margin stays as it is."""
    broker, _ = perpetuals(**{PREVIEW: {"order_total": "9"}})
    assert broker.get_order_margin(REQUEST) == broker.get_margin()


def test_the_margin_of_an_order_that_cannot_be_is_refused() -> None:
    """By its symbol, or by the preview's word."""
    broker, _ = perpetuals(**{PREVIEW: {"errs": ["PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES"]}})
    with pytest.raises(InsufficientFundsError):
        broker.get_order_margin(CONTRACT)
    with pytest.raises(InvalidSymbolError):
        broker.get_order_margin(attrs.evolve(CONTRACT, symbol="SOL-USDC-PERP"))


TWO = {
    "portfolios": [
        {"uuid": PORTFOLIO, "type": "DEFAULT"},
        {"uuid": PERPETUALS, "type": "INTX"},
        {"uuid": "p-2", "type": "INTX"},
    ]
}


def test_one_of_several_portfolios_has_to_be_chosen() -> None:
    """connect() lists them; the one that is chosen is the one that is read."""
    with pytest.raises(InvalidRequestError, match=f"PERPETUALS_PORTFOLIO.*{PERPETUALS}, p-2"):
        perpetuals(**{PORTFOLIOS: TWO})
    answers = {
        PORTFOLIOS: TWO,
        f"GET {API}/intx/positions/p-2": {"positions": []},
        f"GET {API}/products": {"products": [SPOT, PERPETUAL]},
    }
    broker, transport = brokerage(answers, enable_derivatives=True, perpetuals_portfolio="p-2")
    assert broker.list_positions() == []
    assert transport.count("GET", f"{API}/intx/positions/p-2") == 1


@pytest.mark.parametrize(
    "answers", [{}, {f"GET {API}/key_permissions": {**PERMISSIONS, "portfolio_type": "INTX"}}]
)
def test_a_portfolio_that_the_key_does_not_see_is_refused(answers: Any) -> None:
    """At connect, with those that it does see."""
    with pytest.raises(InvalidRequestError, match="COINBASE_PERPETUALS_PORTFOLIO"):
        brokerage(answers, enable_derivatives=True, perpetuals_portfolio="p-3")


def test_a_portfolio_of_perpetuals_needs_them_enabled() -> None:
    """A setting that would have no effect is refused."""
    with pytest.raises(InvalidFieldError, match="ENABLE_DERIVATIVES"):
        read_settings({**CREDENTIALS, "perpetuals_portfolio": "p-2"}, {})
