"""What an order would do to the account, without placing it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.fills import Liquidity
from bot_v2.venues.tws.codes import REJECTED, RefusalError
from bot_v2.venues.tws.fees import Commissions
from bot_v2.venues.tws.listings import Listing
from bot_v2.venues.tws.order_terms import engine_request
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.state import TwsState
from bot_v2.venues.tws.tickets import PRE_SUBMITTED

ZERO: Final = Decimal(0)


def say_margin(
    state: TwsState, session: Session, asked: Message, listing: Listing | None, account: str
) -> None:
    """Tell what an order would cost; of a combination, the account as it is.

    Raises:
        RefusalError: it could not be placed.
    """
    engine = state.accounts[account].engine
    before = after = engine.get_margin()
    equity = engine.get_account().equity or ZERO
    row: dict[str, object] = {}
    if listing is not None:
        quantity = asked.number("totalQuantity") or ZERO
        try:
            after = engine.get_order_margin(engine_request(asked, listing, quantity))
        except BrokerageError as error:
            raise RefusalError(REJECTED, reason=error.message) from error
        price = asked.number("lmtPrice") or state.tape.last(listing.product.symbol).price
        row = {
            **listing.held(),
            "right": listing.right or "?",
            "exchange": asked.text("exchange") or listing.exchange,
            "commission": _commission(listing, quantity, price),
            "commissionCurrency": listing.currency,
        }
    used, kept = before.initial_margin or ZERO, before.maintenance_margin or ZERO
    more = EXACT.subtract(after.initial_margin or used, used)
    session.say(
        "openOrder",
        **{
            **row,
            "orderId": asked.text("orderId"),
            "clientId": session.client_id,
            "account": account,
            "status": PRE_SUBMITTED,
            "whatIf": True,
            "action": asked.text("action"),
            "totalQuantity": asked.text("totalQuantity"),
            "orderType": asked.text("orderType"),
            "lmtPrice": asked.number("lmtPrice") or ZERO,
            "auxPrice": asked.number("auxPrice") or ZERO,
            "tif": asked.text("tif") or "DAY",
            "initMarginBefore": used,
            "maintMarginBefore": kept,
            "equityWithLoanBefore": equity,
            "initMarginChange": more,
            "maintMarginChange": more,
            "equityWithLoanChange": ZERO,
            "initMarginAfter": EXACT.add(used, more),
            "maintMarginAfter": EXACT.add(kept, more),
            "equityWithLoanAfter": equity,
        },
    )


def _commission(listing: Listing, quantity: Decimal, price: Decimal) -> Decimal:
    fees, product = Commissions(), listing.product
    value = EXACT.multiply(EXACT.multiply(quantity, price), product.multiplier).copy_abs()
    charged = fees.fee(product, quantity, value, Liquidity.TAKER)
    return max(charged, fees.minimum(product))
