"""The commands for one order over several brokers: buy, sell, look what came of it, undo it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from bot_v2.cli import options as given
from bot_v2.cli.desk_session import (
    Brokers,
    ConnectedDesk,
    DeskJournal,
    connected_desk,
    desk_journal_url,
)
from bot_v2.cli.exit_codes import ExitCode
from bot_v2.cli.order_terms import OrderTerms, by_option, request_from, sentence_for
from bot_v2.cli.output import Column, Output, as_text, waiting
from bot_v2.cli.reporting import reporting
from bot_v2.cli.session import NotConfirmedError, agrees, is_live
from bot_v2.cli.values import choice_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.order_terms import OrderSide

if TYPE_CHECKING:
    from bot_v2.orchestration.desk.distribution import DistributedResult, Distribution

ORDINARY_WAYS: Final = "weight, buying_power or equal"

By = Annotated[
    str,
    typer.Option("--by", metavar="WAY", help=f"How it is divided: {ORDINARY_WAYS}."),
]
SagaId = Annotated[
    str | None,
    typer.Option(
        "--saga-id",
        metavar="ID",
        help="Your id of the whole: under it nothing is sent twice. Default: a new random one.",
    ),
]
PlanOnly = Annotated[
    bool, typer.Option("--plan", help="Show who would be sent what; send nothing.")
]
Stop = Annotated[
    bool, typer.Option("--stop-on-failure", help="Try no further leg after one that failed.")
]

PLANNED: Final[tuple[Column, ...]] = (
    ("broker", lambda leg: leg.broker),
    ("account", lambda leg: leg.account_id),
    ("quantity", lambda leg: leg.request.quantity),
    ("of it remainder", lambda leg: leg.remainder or None),
    ("client order id", lambda leg: leg.client_order_id),
)
LEFT_OUT: Final[tuple[Column, ...]] = (
    ("broker", lambda one: one.broker),
    ("not its part, because", lambda one: one.reason),
)
DONE: Final[tuple[Column, ...]] = (
    ("broker", lambda one: one.leg.broker),
    ("quantity", lambda one: one.leg.request.quantity),
    ("result", lambda one: one.status.value.replace("_", " ")),
    ("explanation", lambda one: one.explanation),
    ("client order id", lambda one: one.leg.client_order_id),
)
UNDO: Final[tuple[Column, ...]] = (
    ("broker", lambda step: step.broker),
    ("action", lambda step: step.action),
    ("order", lambda step: step.order_id),
    ("quantity", lambda step: step.request and step.request.quantity),
)
UNDONE: Final[tuple[Column, ...]] = (
    ("broker", lambda one: one.step.broker),
    ("action", lambda one: one.step.action),
    ("order", lambda one: one.step.order_id),
    ("done", lambda one: one.done),
    ("explanation", lambda one: one.explanation),
)


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("distributed-buy")(_command_for(OrderSide.BUY))
    app.command("distributed-sell")(_command_for(OrderSide.SELL))
    app.command("distributed-status")(status)
    app.command("distributed-undo")(undo)


def _command_for(side: OrderSide) -> Callable[..., None]:
    def command(
        symbol: given.OptionalSymbol = None,
        quantity: given.WholeQuantity = None,
        *,
        symbol_option: given.SymbolOption = None,
        quantity_option: given.QuantityOption = None,
        by: By = "weight",
        type_: given.Type = None,
        price: given.Price = None,
        stop_price: given.StopPrice = None,
        tif: given.Tif = None,
        position_effect: given.Effect = None,
        saga_id: SagaId = None,
        plan_only: PlanOnly = False,
        stop_on_failure: Stop = False,
        brokers: Brokers = None,
        journal: DeskJournal = None,
        yes: given.Yes = False,
        as_json: given.Json = False,
    ) -> None:
        with reporting(as_json) as output:
            name, size = given.symbol_and_quantity(symbol, quantity, symbol_option, quantity_option)
            terms = OrderTerms(
                symbol=name,
                side=side,
                quantity=size,
                type=type_,
                price=price,
                stop_price=stop_price,
                tif=tif,
                position_effect=position_effect,
            )
            url = desk_journal_url(journal, os.environ)
            with connected_desk(brokers, journal=url, is_silent=as_json) as desk:
                plan = _plan(desk, terms, by, saga_id, as_json)
                if plan_only:
                    output.show(_plan_document(plan), lambda: _show_plan(output, plan))
                    return
                _confirm(desk, terms, plan, yes=yes)
                with waiting(f"sending {len(plan.legs)} orders", is_silent=as_json):
                    result = desk.manager.submit_distributed(plan, stop_on_failure=stop_on_failure)
                output.show(result_document(result), lambda: _show_result(output, result))
        _exit(result)

    way = "Buy" if side is OrderSide.BUY else "Sell"
    command.__doc__ = f"{way} over several brokers: one order, divided, told leg by leg."
    return command


def _plan(
    desk: ConnectedDesk, terms: OrderTerms, by: str, saga_id: str | None, as_json: bool
) -> Distribution:
    from bot_v2.orchestration.desk.distribution import Weighting

    way = choice_of("--by", by, Weighting) or Weighting.WEIGHT
    request = request_from(terms)
    with waiting("planning", is_silent=as_json):
        try:
            known = None if saga_id is None else desk.manager.find_distribution(saga_id)
            if known is not None and known.request == request:
                return known
            return desk.manager.plan_distributed(request, by=way, saga_id=saga_id)
        except InvalidFieldError as error:
            raise by_option(error) from error


def _confirm(desk: ConnectedDesk, terms: OrderTerms, plan: Distribution, *, yes: bool) -> None:
    live = [
        leg
        for leg in plan.legs
        if leg.broker not in desk.manager.names or is_live(desk.manager.broker(leg.broker))
    ]
    if yes or not live:
        return
    if not sys.stdin.isatty():
        raise NotConfirmedError(
            f"{', '.join(leg.broker for leg in live)} is live, and there is nobody to ask: give "
            "--yes to write to it without confirmation. Nothing was sent"
        )
    parts = ", ".join(f"{as_text(leg.request.quantity)} on {leg.broker} (LIVE)" for leg in live)
    if not agrees(f"{sentence_for(request_from(terms))}: {parts}?"):
        raise NotConfirmedError("not confirmed: nothing was sent")


def status(
    saga_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Which. Default: all that have not ended.")
    ] = None,
    finish: Annotated[
        bool, typer.Option("--finish", help="Send the legs that were never tried.")
    ] = False,
    brokers: Brokers = None,
    journal: DeskJournal = None,
    yes: given.Yes = False,
    as_json: given.Json = False,
) -> None:
    """Find out what became of orders over several brokers, leg by leg; also after a crash."""
    with reporting(as_json) as output:
        url = desk_journal_url(journal, os.environ)
        with connected_desk(brokers, journal=url, is_silent=as_json) as desk:
            manager = desk.manager
            if finish:
                _confirm_writing(desk, "Send the legs that were never tried", yes=yes)
            with waiting("finding out", is_silent=as_json):
                recovered = manager.recover(finish=finish)
                results = list(recovered.distributions)
                if saga_id is not None:
                    results = [manager.distributed(saga_id)]
        documents = [result_document(one) for one in results]
        output.show(documents, lambda: _show_results(output, results))
    for one in results:
        _exit(one)


def undo(
    saga_id: Annotated[str, typer.Argument(metavar="ID", help="Which.")],
    brokers: Brokers = None,
    journal: DeskJournal = None,
    yes: given.Yes = False,
    as_json: given.Json = False,
) -> None:
    """Cancel what lives of an order over several brokers, and trade back what filled."""
    with reporting(as_json) as output:
        url = desk_journal_url(journal, os.environ)
        with connected_desk(brokers, journal=url, is_silent=as_json) as desk:
            _confirm_writing(desk, f"Undo {saga_id}", yes=yes)
            with waiting("undoing", is_silent=as_json):
                desk.manager.recover()
                results = desk.manager.undo(saga_id)
        output.show(
            results, lambda: output.table("undone", UNDONE, results, "nothing is left to undo")
        )
    if not all(one.done for one in results):
        raise typer.Exit(ExitCode.REFUSED)


def _confirm_writing(desk: ConnectedDesk, action: str, *, yes: bool) -> None:
    live = [name for name in desk.manager.names if is_live(desk.manager.broker(name))]
    if yes or not live:
        return
    where = ", ".join(f"{name} (LIVE)" for name in live)
    if not sys.stdin.isatty() or not agrees(f"{action} on {where}?"):
        raise NotConfirmedError(f"{where}: not confirmed, nothing was sent; --yes confirms")


def _exit(result: DistributedResult) -> None:
    statuses = {one.status.value for one in result.legs}
    if "unknown" in statuses:
        raise typer.Exit(ExitCode.OUTCOME_UNKNOWN)
    if not result.is_complete:
        raise typer.Exit(ExitCode.REFUSED)


def _plan_document(plan: Distribution) -> dict[str, Any]:
    return {
        "saga_id": plan.saga_id,
        "by": plan.by,
        "legs": [
            {
                "broker": leg.broker,
                "account_id": leg.account_id,
                "quantity": leg.request.quantity,
                "remainder": leg.remainder,
                "client_order_id": leg.client_order_id,
            }
            for leg in plan.legs
        ],
        "unplaced": plan.unplaced,
        "left_out": plan.left_out,
    }


def result_document(result: DistributedResult) -> dict[str, Any]:
    """Return what came of it as the command prints it in JSON."""
    plan = _plan_document(result.distribution)
    told = [
        {
            **leg,
            "status": one.status,
            "order_id": one.result and one.result.order_id,
            "error": one.result and one.result.error,
            "explanation": one.explanation,
        }
        for leg, one in zip(plan["legs"], result.legs, strict=True)
    ]
    return {
        **plan,
        "legs": told,
        "complete": result.is_complete,
        "settled": result.is_settled,
        "undo_plan": result.undo_plan,
    }


def _show_plan(output: Output, plan: Distribution) -> None:
    output.line(f"distribution {plan.saga_id}, by {plan.by.value.replace('_', ' ')}")
    output.table("orders", PLANNED, plan.legs)
    _show_rest(output, plan)


def _show_rest(output: Output, plan: Distribution) -> None:
    if plan.unplaced:
        output.line(f"not placed: {as_text(plan.unplaced)}, which no account can take")
    if plan.left_out:
        output.table("left out", LEFT_OUT, plan.left_out)


def _show_result(output: Output, result: DistributedResult) -> None:
    plan = result.distribution
    total = as_text(plan.request.quantity)
    placed = [one for one in result.legs if one.status.value == "placed"]
    said = "all placed" if result.is_complete else "NOT ALL PLACED"
    output.line(f"distribution {plan.saga_id}: {said}, {len(placed)} of {len(result.legs)} orders")
    output.table(f"{plan.request.side.value} {total} {plan.request.symbol}", DONE, result.legs)
    _show_rest(output, plan)
    if not result.is_complete and result.undo_plan:
        output.line()
        output.table("would undo it, and is not done", UNDO, result.undo_plan)
        output.line(f"next: bot-v2 distributed-undo {plan.saga_id}")


def _show_results(output: Output, results: Iterable[DistributedResult]) -> None:
    listed = list(results)
    for one in listed:
        _show_result(output, one)
    if not listed:
        output.line("no distribution is open")
