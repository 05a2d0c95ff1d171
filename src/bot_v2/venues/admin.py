"""The controls of a venue over HTTP, on a port of their own: faults, market, fills, clock, log.

    GET    /faults                                     what is still to go wrong
    POST   /faults    {"fault", "operation", "times"}  commit a fault in the next calls
    DELETE /faults                                     behave again
    GET    /orders                                     the placements that took effect
    GET    /requests  ?operation=…                     the request log, or how many of an operation
    POST   /market    {"symbol", "bid", "ask", "size"} set the market of a product
    POST   /halt      {"symbol", "halted"}             suspend a product, or let it trade again
    POST   /fills     {"order_id", "quantity", "price", "late"}  fill an order now
    GET    /limits                                     how fast a caller may ask
    POST   /limits    {class: {"per_s", "burst"}}      limit requests; {} limits them as documented
    DELETE /limits                                     limit nothing
    POST   /clock     {"seconds"}                      move the clock on
    GET    /clock                                      the venue's time
    GET    /actions                                    what else it can be told to do
    POST   /actions   {"action", …}                    have it done

A venue may have more of its own. Amounts are JSON strings. A mistake is a 400 with {"error": …}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import BrokerageError, InvalidFieldError
from bot_v2.simulation.faults import Fault
from bot_v2.venues.exact_json import object_from_json, to_json
from bot_v2.venues.rate_limits import RateLimit
from bot_v2.venues.requests import Record

if TYPE_CHECKING:
    from bot_v2.venues.venue import Venue

_Act = Callable[["Venue", Mapping[str, Any], Mapping[str, str]], Record]

# A page that some browser shows may ask 127.0.0.1 things; it cannot make up the host's name.
HOSTS: Final = ["127.0.0.1", "localhost"]


def admin_app(venue: Venue) -> Starlette:
    """Return the application that controls a venue."""
    return Starlette(
        routes=[Route(path, _endpoint(venue, act), methods=[method]) for method, path, act in ACTS],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
    )


def _endpoint(venue: Venue, act: _Act) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            body = object_from_json(await request.body())
            # In another thread: some of it waits for the loop of the sockets, which runs this.
            said = await run_in_threadpool(act, venue, body, dict(request.query_params))
        except (BrokerageError, ValueError) as error:
            return Response(
                to_json({"error": str(error)}), status_code=400, media_type="application/json"
            )
        return Response(to_json(said), media_type="application/json")

    return answer


def _list_faults(venue: Venue, _: Mapping[str, Any], __: Mapping[str, str]) -> Record:
    return venue.planned_faults()


def _inject(venue: Venue, body: Mapping[str, Any], _: Mapping[str, str]) -> Record:
    name = _text(body, "fault")
    if name not in {fault.value for fault in Fault}:
        raise InvalidFieldError("fault", name, ", ".join(fault.value for fault in Fault))
    operation = None if body.get("operation") is None else _text(body, "operation")
    times = body.get("times", 1)
    if not isinstance(times, int):
        raise InvalidFieldError("times", times, "a whole number")
    venue.inject(Fault(name), operation, times)
    return venue.planned_faults()


def _clear(venue: Venue, _: Mapping[str, Any], __: Mapping[str, str]) -> Record:
    venue.clear_faults()
    return venue.planned_faults()


def _orders(venue: Venue, _: Mapping[str, Any], __: Mapping[str, str]) -> Record:
    return {
        "orders": [
            {
                "order_id": one.order_id,
                "client_order_id": one.client_order_id,
                "symbol": one.symbol,
            }
            for one in venue.orders_received()
        ]
    }


def _requests(venue: Venue, _: Mapping[str, Any], query: Mapping[str, str]) -> Record:
    operation = query.get("operation")
    if operation is not None:
        return {"operation": operation, "received": venue.requests_received(operation)}
    return {"requests": [one.as_data() for one in venue.request_log()]}


def _set_market(venue: Venue, body: Mapping[str, Any], _: Mapping[str, str]) -> Record:
    symbol = _text(body, "symbol")
    venue.set_market(symbol, _amount(body, "bid"), _amount(body, "ask"), _amount(body, "size"))
    return {"symbol": symbol}


def _halt(venue: Venue, body: Mapping[str, Any], _: Mapping[str, str]) -> Record:
    symbol, halted = _text(body, "symbol"), body.get("halted", True)
    if not isinstance(halted, bool):
        raise InvalidFieldError("halted", halted, "true or false")
    (venue.halt if halted else venue.resume)(symbol)
    return {"symbol": symbol, "halted": halted}


def _fill(venue: Venue, body: Mapping[str, Any], _: Mapping[str, str]) -> Record:
    order_id, late = _text(body, "order_id"), body.get("late", False)
    if not isinstance(late, bool):
        raise InvalidFieldError("late", late, "true or false")
    book = venue.late_fill if late else venue.fill
    book(order_id, _amount(body, "quantity"), _amount(body, "price"))
    return {"order_id": order_id}


def _advance(venue: Venue, body: Mapping[str, Any], query: Mapping[str, str]) -> Record:
    seconds = body.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | Decimal):
        raise InvalidFieldError("seconds", seconds, "a number")
    venue.advance(float(seconds))
    return _time(venue, body, query)


def _limits(venue: Venue, _: Mapping[str, Any], __: Mapping[str, str]) -> Record:
    return venue.rate_limits()


def _limit(venue: Venue, body: Mapping[str, Any], _: Mapping[str, str]) -> Record:
    asked = {name: _rate_limit(name, told) for name, told in body.items()}
    venue.limit_rates(asked or None)
    return venue.rate_limits()


def _unlimit(venue: Venue, _: Mapping[str, Any], __: Mapping[str, str]) -> Record:
    venue.limit_rates({})
    return venue.rate_limits()


def _rate_limit(name: str, told: object) -> RateLimit:
    if not isinstance(told, dict) or set(told) != {"per_s", "burst"}:
        raise InvalidFieldError(name, told, '{"per_s": number, "burst": whole number}')
    per_s = told["per_s"]
    return RateLimit(float(per_s) if isinstance(per_s, Decimal) else per_s, told["burst"])


def _time(venue: Venue, _: Mapping[str, Any], __: Mapping[str, str]) -> Record:
    return {"time": venue.state.clock().isoformat()}


def _list_actions(venue: Venue, _: Mapping[str, Any], __: Mapping[str, str]) -> Record:
    return {"actions": sorted(venue.actions())}


def _act(venue: Venue, body: Mapping[str, Any], _: Mapping[str, str]) -> Record:
    name, known = _text(body, "action"), venue.actions()
    if name not in known:
        raise InvalidFieldError("action", name, ", ".join(sorted(known)) or "none: there is none")
    known[name](body)
    return {"action": name}


def _text(body: Mapping[str, Any], name: str) -> str:
    value: object = body.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidFieldError(name, value, "a text")
    return value


def _amount(body: Mapping[str, Any], name: str) -> Decimal:
    return decimal_from_text(_text(body, name), name)


ACTS: Final[tuple[tuple[str, str, _Act], ...]] = (
    ("GET", "/faults", _list_faults),
    ("POST", "/faults", _inject),
    ("DELETE", "/faults", _clear),
    ("GET", "/orders", _orders),
    ("GET", "/requests", _requests),
    ("POST", "/market", _set_market),
    ("POST", "/halt", _halt),
    ("POST", "/fills", _fill),
    ("GET", "/limits", _limits),
    ("POST", "/limits", _limit),
    ("DELETE", "/limits", _unlimit),
    ("POST", "/clock", _advance),
    ("GET", "/clock", _time),
    ("GET", "/actions", _list_actions),
    ("POST", "/actions", _act),
)
