"""Whether an account adds up: orders, fills, positions and cash against one another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs

from bot_v2.features.brokerages.core.accounts import PositionSide
from bot_v2.features.brokerages.core.decimals import EXACT, decimal_to_text
from bot_v2.features.brokerages.core.fills import Fill
from bot_v2.features.brokerages.core.order_terms import OrderSide

if TYPE_CHECKING:
    from bot_v2.features.brokerages.paper.adapter import PaperBrokerage

ZERO: Final = Decimal(0)

SHOWN_MAX: Final = 40
"""How much of a check that holds is shown, in characters."""


@attrs.frozen(kw_only=True)
class Check:
    """One thing that has to be so."""

    claim: str
    """What has to be so."""
    expected: str
    """What follows from what was done."""
    found: str
    """What the brokerage says."""

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return self.expected == self.found

    def verdict(self) -> str:
        """Return it as a line: in short what is so, in full what is not."""
        if self.holds:
            return f"ok  {self.claim}: {_shortened(self.found)}"
        return f"NO  {self.claim}: {self.found}, not {self.expected}"


def reconcile(
    broker: PaperBrokerage, placed: Sequence[str], received: Sequence[str], start: Decimal
) -> list[Check]:
    """Check an account of which every step is known.

    Args:
        broker: the brokerage, connected.
        placed: the client order id of each order that was placed.
        received: the client order id of each order that reached the venue.
        start: the cash before the first order, in the account's currency.
    """
    fills = broker.list_fills()
    return [
        Check(
            claim="the venue received the orders that were placed, each once",
            expected=_counted(placed),
            found=_counted(received),
        ),
        _orders_read_back(broker, placed),
        _fills_make_quantities(broker, fills),
        *_positions_follow(broker, fills),
        _cash_follows(broker, fills, start),
        _equity_follows(broker),
    ]


def _counted(ids: Iterable[str]) -> str:
    listed = sorted(ids)
    return f"{len(listed)}: {', '.join(listed)}"


def _orders_read_back(broker: PaperBrokerage, placed: Sequence[str]) -> Check:
    same = 0
    listed = {order.order_id: order for order in broker.list_orders()}
    for client_order_id in placed:
        order = broker.get_order_by_client_id(client_order_id)
        same += order == broker.get_order(order.order_id) == listed.get(order.order_id)
    return Check(
        claim="each reads back the same by id, by client id and in the list",
        expected=str(len(placed)),
        found=str(same),
    )


def _fills_make_quantities(broker: PaperBrokerage, fills: Sequence[Fill]) -> Check:
    orders = {order.order_id: order.filled_quantity for order in broker.list_orders()}
    sums = dict.fromkeys(orders, ZERO)
    for fill in fills:
        sums[fill.order_id] = EXACT.add(sums.get(fill.order_id, ZERO), fill.quantity)
    return Check(
        claim="the fills of each order sum to its filled quantity",
        expected=_amounts(sums),
        found=_amounts(orders),
    )


def _amounts(by_name: dict[str, Decimal]) -> str:
    return ", ".join(
        f"{name} {_plain(amount)}" for name, amount in sorted(by_name.items()) if amount
    )


def _positions_follow(broker: PaperBrokerage, fills: Sequence[Fill]) -> list[Check]:
    bought = {fill.symbol: ZERO for fill in fills}
    for fill in fills:
        bought[fill.symbol] = EXACT.add(bought[fill.symbol], _signed(fill))
    held = dict.fromkeys(bought, ZERO)
    for position in broker.list_positions():
        sign = Decimal(1 if position.side is PositionSide.LONG else -1)
        held[position.symbol] = EXACT.multiply(sign, position.quantity)
    return [
        Check(
            claim="positions are what was bought less what was sold",
            expected=_amounts(bought),
            found=_amounts(held),
        )
    ]


def _signed(fill: Fill) -> Decimal:
    return fill.quantity if fill.side is OrderSide.BUY else EXACT.minus(fill.quantity)


def _cash_follows(broker: PaperBrokerage, fills: Sequence[Fill], start: Decimal) -> Check:
    account = broker.get_account()
    cash = start
    for fill in fills:
        multiplier = broker.get_product(fill.symbol).multiplier
        value = EXACT.multiply(EXACT.multiply(_signed(fill), fill.price), multiplier)
        cash = EXACT.subtract(EXACT.subtract(cash, value), fill.fee or ZERO)
    return Check(
        claim=f"cash at the start - bought + sold - fees, in {account.currency}",
        expected=_plain(cash),
        found=_plain(broker.get_balance(account.currency).total),
    )


def _equity_follows(broker: PaperBrokerage) -> Check:
    account = broker.get_account()
    equity = broker.get_balance(account.currency).total
    for position in broker.list_positions():
        equity = EXACT.add(equity, position.market_value or ZERO)
    return Check(
        claim="equity is the cash and the value of the positions",
        expected=_plain(equity),
        found=_plain(account.equity or ZERO),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}..."


def _plain(amount: Decimal) -> str:
    """Return an amount without superfluous zeros, so that equal amounts are equal texts."""
    return decimal_to_text(amount.normalize(EXACT)) if amount else "0"
