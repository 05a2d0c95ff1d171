"""The commands that write: buy, sell, cancel, close. Each sends at most one message, once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from bot_v2.cli import options as given
from bot_v2.cli.journal_session import journalled
from bot_v2.cli.new_risk import refuse_new_risk
from bot_v2.cli.order_terms import OrderTerms, by_option, request_from, sentence_for
from bot_v2.cli.output import Output
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import JOURNAL_VARIABLE, Target, confirm, one_write, writable
from bot_v2.cli.views import show_order
from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.declarations import idempotency_of
from bot_v2.features.brokerages.core.errors import (
    BrokerageError,
    CancelRejectedError,
    InvalidFieldError,
    InvalidRequestError,
    OrderRejectedError,
)
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.order_status import ENDED_STATUSES, OrderStatus
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.features.brokerages.core.orders import OrderResult

if TYPE_CHECKING:
    from bot_v2.orchestration.order_executor import OrderExecutor

ENDED_OTHERWISE: Final = ENDED_STATUSES - {OrderStatus.CANCELLED}
"""How an order ended that was not cancelled."""


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("buy")(_command_for(OrderSide.BUY))
    app.command("sell")(_command_for(OrderSide.SELL))
    app.command("cancel")(cancel)
    app.command("close")(close)


def _command_for(side: OrderSide) -> Callable[..., None]:
    def command(
        symbol: given.OptionalSymbol = None,
        quantity: given.Quantity = None,
        *,
        symbol_option: given.SymbolOption = None,
        quantity_option: given.QuantityOption = None,
        notional: given.Notional = None,
        type_: given.Type = None,
        price: given.Price = None,
        stop_price: given.StopPrice = None,
        trail_amount: given.TrailAmount = None,
        trail_percent: given.TrailPercent = None,
        tif: given.Tif = None,
        expires_at: given.ExpiresAt = None,
        client_order_id: given.ClientOrderId = None,
        position_effect: given.Effect = None,
        post_only: given.PostOnly = False,
        reduce_only: given.ReduceOnly = False,
        extended_hours: given.ExtendedHours = False,
        take_profit: given.TakeProfitPrice = None,
        stop_loss: given.StopLossPrice = None,
        broker_options: given.BrokerOptions = None,
        broker: given.Broker = None,
        account: given.Account = None,
        journal: given.TradeJournal = None,
        yes: given.Yes = False,
        as_json: given.Json = False,
    ) -> None:
        with reporting(as_json):
            # Wrong words are told as all else is.
            name, size = given.symbol_and_quantity(symbol, quantity, symbol_option, quantity_option)
        terms = OrderTerms(
            symbol=name,
            side=side,
            quantity=size,
            notional=notional,
            type=type_,
            price=price,
            stop_price=stop_price,
            trail_amount=trail_amount,
            trail_percent=trail_percent,
            tif=tif,
            expires_at=expires_at,
            client_order_id=client_order_id,
            position_effect=position_effect,
            post_only=post_only,
            reduce_only=reduce_only,
            extended_hours=extended_hours,
            take_profit=take_profit,
            stop_loss=stop_loss,
            broker_options=tuple(broker_options or ()),
        )
        _trade(terms, trading_target(broker, account, journal), yes, as_json)

    way = "Buy" if side is OrderSide.BUY else "Sell"
    command.__doc__ = f"{way}: send one order, once. Numbers are taken exactly as typed."
    return command


def _trade(terms: OrderTerms, target: Target, yes: bool, as_json: bool) -> None:
    with reporting(as_json, target) as output:
        request = request_from(terms)
        with writable(target, yes=yes) as broker:
            if request.client_order_id is None:
                # Made here and not by the adapter, so that it is known however the call ends.
                request = attrs.evolve(request, client_order_id=idempotency_of(broker).make_id())
            refuse_new_risk(broker, request)
            confirm(broker, sentence_for(request), yes=yes)
            result = _place(broker, request, target)
            output.show(result, lambda: _show_result(output, result))


def trading_target(broker: str | None, account: str | None, journal: str | None) -> Target:
    """Return the target of a command that writes: its journal is the one that is named, or none."""
    named = journal or os.environ.get(JOURNAL_VARIABLE) or None
    return Target(broker=broker, account=account, journal=named)


def _place(broker: IBrokerage, request: OrderRequest, target: Target) -> OrderResult:
    writing = one_write(
        broker, "place_order", symbol=request.symbol, client_order_id=request.client_order_id
    )
    try:
        with journalled(broker, target) as executor, writing:
            result = broker.place_order(request) if executor is None else executor.submit(request)
            _require_success(result, OrderRejectedError(result.message))
    except InvalidFieldError as error:
        raise by_option(error) from error
    return result


def _require_success(result: OrderResult, otherwise: BrokerageError) -> None:
    """Raise the error of a result that reports a failure instead of raising it."""
    if not result.success:
        raise result.error or otherwise


def _show_result(output: Output, result: OrderResult) -> None:
    if result.order is not None:
        show_order(output, result.order)
        return
    output.facts(
        f"order {result.order_id}",
        [("client order id", result.client_order_id), ("message", result.message or None)],
    )


def cancel(
    order_id: Annotated[str, typer.Argument(metavar="ORDER_ID", help="The broker's order id.")],
    broker: given.Broker = None,
    account: given.Account = None,
    journal: given.TradeJournal = None,
    yes: given.Yes = False,
    as_json: given.Json = False,
) -> None:
    """Cancel a live order; exit code 1 when it had already ended."""
    target = trading_target(broker, account, journal)
    with reporting(as_json, target) as output, writable(target, yes=yes) as brokerage:
        confirm(brokerage, f"Cancel order {order_id}", yes=yes)
        writing = one_write(brokerage, "cancel_order", order_id=order_id)
        with journalled(brokerage, target) as executor, writing:
            accepted = _cancel(brokerage, executor, order_id)
        document = {"order_id": order_id, "cancel_accepted": accepted}
        said = "cancel accepted" if accepted else "had already ended: nothing to cancel"
        output.show(document, lambda: output.line(f"order {order_id}: {said}"))
    if not accepted:
        raise typer.Exit(1)


def _cancel(broker: IBrokerage, executor: OrderExecutor | None, order_id: str) -> bool:
    if executor is None:
        return broker.cancel_order(order_id)
    result = executor.cancel(order_id)
    _require_success(result, CancelRejectedError(result.message, order_id=order_id))
    # An executor shows the order where it looked, and looks where it had ended already.
    return result.order is None or result.order.status not in ENDED_OTHERWISE


def close(
    symbol: given.Symbol,
    broker: given.Broker = None,
    account: given.Account = None,
    journal: given.TradeJournal = None,
    yes: given.Yes = False,
    as_json: given.Json = False,
) -> None:
    """Send the order that closes a position."""
    target = trading_target(broker, account, journal)
    with reporting(as_json, target) as output, writable(target, yes=yes) as brokerage:
        confirm(brokerage, f"Close the position in {symbol}", yes=yes)
        writing = one_write(brokerage, "close_position", symbol=symbol)
        with journalled(brokerage, target) as executor, writing:
            desk = executor or brokerage
            result = desk.close_position(symbol)
            _require_success(result, InvalidRequestError(result.message, symbol=symbol))
        output.show(result, lambda: _show_result(output, result))
