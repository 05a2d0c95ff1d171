"""What becomes of a request: its effect, its answer, and the fault that is committed on it."""

from __future__ import annotations

from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.simulation.faults import Fault
from bot_v2.venues.exact_json import to_json
from bot_v2.venues.faults import ON_REQUESTS, WITHOUT_EFFECT, FaultPlan
from bot_v2.venues.rate_limits import RateLimiter
from bot_v2.venues.request_log import RequestLog
from bot_v2.venues.requests import (
    ApiAnswer,
    ApiRequest,
    Dialect,
    Endpoint,
    JsonText,
    RefusedError,
)
from bot_v2.venues.state import VenueState

OPENING: Final = "connect"
"""The operation that ends an expired session."""

HTML: Final = b"<html><body><h1>Something else answers here</h1></body></html>"
RETRY_AFTER: Final = {"retry-after": "1"}

_NEVER_ANSWERED: Final = frozenset({Fault.DROP_BEFORE_ACCEPT, Fault.DROP_AFTER_ACCEPT})


@attrs.frozen
class Served:
    """What is to be sent, and how it fails on the way."""

    status: int
    """The HTTP status."""
    content: bytes
    """The body."""
    content_type: str
    """What the body is."""
    headers: dict[str, str]
    """Further headers."""
    fault: Fault | None
    """The fault that is committed while it is sent. None: none."""


class Dispatcher:
    """Serves requests, one at a time.

    Args:
        state: the venue; its lock is held while a request has its effect.
        plan: what is to go wrong.
        log: where each request is noted.
        limits: refuses requests of which there are too many.
    """

    def __init__(
        self, state: VenueState, plan: FaultPlan, log: RequestLog, limits: RateLimiter
    ) -> None:
        """Let everyone in who says who they are."""
        self._limits = limits
        self._state = state
        self._plan = plan
        self._log = log
        self._expired = False

    def renew_session(self) -> None:
        """Let callers in again."""
        self._expired = False

    def serve(self, endpoint: Endpoint, request: ApiRequest) -> Served:
        """Let a request have its effect, and return what is to be sent."""
        operations = endpoint.operations
        self._plan.count(operations)
        fault = self._plan.take(operations, ON_REQUESTS)
        if fault is Fault.SESSION_EXPIRED:
            self._expired = True
        elif OPENING in operations and fault not in WITHOUT_EFFECT:
            self._expired = False
        answer = self._answer(endpoint, request, fault)
        served = _put_on_the_wire(answer, fault)
        self._log.add(
            self._state.clock(),
            request.method,
            request.target,
            request.content,
            operations,
            None if fault in _NEVER_ANSWERED else served.status,
            fault,
        )
        return served

    def _answer(self, endpoint: Endpoint, request: ApiRequest, fault: Fault | None) -> ApiAnswer:
        dialect = endpoint.dialect
        if self._expired and not endpoint.is_public:
            return dialect.session_expired()
        if fault is Fault.RATE_LIMIT:
            refused = dialect.rate_limited()
            return attrs.evolve(refused, headers={**refused.headers, **RETRY_AFTER})
        if fault is Fault.UNAVAILABLE:
            return dialect.unavailable()
        if fault is Fault.DROP_BEFORE_ACCEPT:
            return ApiAnswer(200, {})
        answer = self._effect(endpoint, request, dialect)
        return dialect.broken() if fault is Fault.SERVER_ERROR else answer

    def _effect(self, endpoint: Endpoint, request: ApiRequest, dialect: Dialect) -> ApiAnswer:
        with self._state.lock:
            try:
                if not endpoint.is_public:
                    dialect.admit(endpoint, request)
                self._limits.charge(endpoint, request)
                self._state.refresh(is_read=endpoint.method == "GET")
                said = endpoint.answer(request)
            except RefusedError as refused:
                return refused.answer
            except BrokerageError as error:
                return dialect.refusal_of(error)
            except ValueError as error:
                return dialect.bad_request(str(error))
        return said if isinstance(said, ApiAnswer) else ApiAnswer(200, said)


def _put_on_the_wire(answer: ApiAnswer, fault: Fault | None) -> Served:
    status, kind = answer.status, "application/json; charset=utf-8"
    if isinstance(answer.body, str):
        content, kind = answer.body.encode(), "text/plain; charset=utf-8"
    elif isinstance(answer.body, JsonText):
        content = to_json(answer.body.text)
    else:
        content = to_json(answer.body)
    if fault is Fault.MALFORMED:
        status, content, kind = 200, HTML, "text/html"
    elif fault is Fault.EMPTY:
        status, content = 200, b""
    return Served(status, content, kind, dict(answer.headers), fault)
