"""What a venue is asked over HTTP, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.venues.exact_json import object_from_json

Record: TypeAlias = dict[str, object]
"""A JSON object that the venue says."""


@attrs.frozen(kw_only=True)
class ApiRequest:
    """A request, as it arrived."""

    method: str
    """GET, POST, PUT or DELETE."""
    path: str
    """The path as it was sent, without the query."""
    target: str
    """The path and the query as they were sent: what some brokers' signatures cover."""
    host: str
    """The host that the caller meant, with the port where it said one."""
    query: tuple[tuple[str, str], ...] = ()
    """The query's names and values, in order."""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """The headers; their names in lower case."""
    content: bytes = b""
    """The body."""
    arguments: Mapping[str, str] = attrs.field(factory=dict)
    """What the path names."""

    def values(self, name: str) -> list[str]:
        """Return every value of a name of the query; empty ones are left out."""
        return [value for key, value in self.query if key == name and value]

    def value(self, name: str) -> str | None:
        """Return the first value of a name of the query. None: it is not there, or empty."""
        return next(iter(self.values(name)), None)

    def body(self) -> Mapping[str, Any]:
        """Return the JSON object that the body is.

        Raises:
            ValueError: it is none.
        """
        return object_from_json(self.content)


@attrs.frozen
class JsonText:
    """A JSON document that is a text alone."""

    text: str
    """The text."""


@attrs.frozen
class ApiAnswer:
    """An answer."""

    status: int
    """The HTTP status."""
    body: object
    """What becomes its JSON; a str is sent as plain text, a JsonText as JSON."""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    """Further headers."""


class RefusedError(Exception):
    """The venue answers with an error."""

    def __init__(self, answer: ApiAnswer) -> None:
        """State the answer."""
        super().__init__(f"{answer.status}: {answer.body}")
        self.answer = answer


class Dialect(Protocol):
    """How one of a broker's APIs lets callers in, and how it says that it does not serve."""

    def admit(self, endpoint: Endpoint, request: ApiRequest) -> None:
        """Refuse who may not ask this.

        Raises:
            RefusedError: the caller is not known, or may not do this.
        """
        ...

    def refusal_of(self, error: BrokerageError) -> ApiAnswer:
        """Return the answer to what the engine refused and the endpoint did not foresee."""
        ...

    def bad_request(self, message: str) -> ApiAnswer:
        """Return the answer to a request that cannot be understood."""
        ...

    def session_expired(self) -> ApiAnswer:
        """Return the answer to who is not let in any more."""
        ...

    def rate_limited(self) -> ApiAnswer:
        """Return the answer to too many requests."""
        ...

    def unavailable(self) -> ApiAnswer:
        """Return the answer of a broker that does not serve now."""
        ...

    def broken(self) -> ApiAnswer:
        """Return the answer of a broker in which something broke."""
        ...


@attrs.frozen
class Endpoint:
    """One kind of request."""

    method: str
    """The HTTP method."""
    path: str
    """The path; a part in braces is an argument."""
    operations: tuple[str, ...]
    """The methods of a brokerage that it may be part of: what faults and counts go by."""
    answer: Callable[[ApiRequest], object]
    """What it answers: a Record, or an ApiAnswer."""
    dialect: Dialect
    """The API that it belongs to."""
    is_public: bool = False
    """True: nobody has to say who they are."""
    needs: str = ""
    """What the caller's key must be allowed to do. Empty: nothing, or the endpoint is public."""


Endpoints: TypeAlias = Sequence[Endpoint]
