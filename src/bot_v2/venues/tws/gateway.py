"""What becomes of a message: its effect, its answer, and the fault that is committed on it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.simulation.faults import Fault
from bot_v2.venues.faults import ON_REQUESTS, FaultPlan
from bot_v2.venues.request_log import RequestLog
from bot_v2.venues.tws.codes import (
    CLIENT_ID_IN_USE,
    NOT_CONNECTED,
    PROCESSING,
    RATE,
    READING,
    VALIDATING,
    RefusalError,
    text_for,
)
from bot_v2.venues.tws.frames import WireError, frame, join_fields, read_hello, split_fields
from bot_v2.venues.tws.protocol import FROM_CLIENT
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import NO_REQUEST, Session
from bot_v2.venues.tws.state import TwsState

RATE_STRIKES: Final = 3
"""How often the rate may be exceeded before the connection is cut."""


@attrs.frozen
class Request:
    """A kind of message, and what it does."""

    name: str
    """The message."""
    handle: Callable[[Session, Message], None]
    """What it does."""
    operations: Callable[[Session, Message], tuple[str, ...]]
    """The methods of a brokerage that it may be part of: what faults and counts go by."""
    is_read: bool = True
    """True: it changes nothing."""


@attrs.define
class _Link:
    """One connection as the gateway sees it."""

    session: Session
    end: Callable[[bool], None]
    arrivals: deque[float] = attrs.field(factory=deque)
    strikes: int = 0


class Gateway:
    """Serves the clients, one message at a time.

    Args:
        state: the venue; its lock is held while a message has its effect.
        plan: what is to go wrong.
        log: where each message is noted.
        greet: tells a client that has just said who it is what the broker tells first.
        forget: lets go of what a client asked for, once it is gone.
    """

    def __init__(
        self,
        state: TwsState,
        plan: FaultPlan,
        log: RequestLog,
        greet: Callable[[Session], None],
        forget: Callable[[Session], None],
    ) -> None:
        """Serve nobody yet."""
        self.requests: dict[str, Request] = {}
        """What can be asked, by name."""
        self.rate_limit: int | None = None
        """How many messages a client may send in a second. None: any."""
        self.is_deaf = False
        """True: what clients say is lost."""
        self._state = state
        self._plan = plan
        self._log = log
        self._greet = greet
        self._forget = forget
        self._links: dict[Session, _Link] = {}

    @property
    def sessions(self) -> list[Session]:
        """The clients that have said who they are, in the order of their connections."""
        return [session for session in self._links if session.is_ready]

    def session_of(self, client_id: int) -> Session | None:
        """Return a client's connection. None: it has none."""
        return next((one for one in self.sessions if one.client_id == client_id), None)

    def add(self, *requests: Request) -> None:
        """Take in what can be asked."""
        self.requests.update({one.name: one for one in requests})

    def opened(self, session: Session, end: Callable[[bool], None]) -> None:
        """Take in a connection; `end` ends it, with a reset where it is given True."""
        with self._state.lock:
            self._links[session] = _Link(session, end)

    def closed(self, session: Session) -> None:
        """Forget a connection that is gone."""
        with self._state.lock:
            if self._links.pop(session, None) is not None:
                self._forget(session)

    def receive(self, session: Session, payload: bytes) -> None:
        """Let a frame have its effect."""
        with self._state.lock:
            link = self._links.get(session)
            if link is None or self.is_deaf:
                return
            if not session.version:
                self._shake_hands(link, payload)
            elif self._is_within_rate(link):
                self._serve(link, payload)

    def _shake_hands(self, link: _Link, payload: bytes) -> None:
        """Answer a hello, and say nothing more: some clients read no further than the answer."""
        try:
            version = read_hello(payload).version()
        except WireError:
            version = None
        if version is None:
            link.end(False)
            return
        link.session.version = version
        now = self._state.clock() + self._state.skew
        answer = [str(version), f"{now:%Y%m%d %H:%M:%S} UTC"]
        link.session.send(frame(join_fields(answer)))

    def _serve(self, link: _Link, payload: bytes) -> None:
        session = link.session
        try:
            message = FROM_CLIENT.decode(payload, session.version)
        except WireError as error:
            session.fail(NO_REQUEST, READING, text_for(READING, reason=error))
            return
        if message.name == "startApi" and not session.is_ready:
            self._let_in(link, message)
        elif session.is_ready and message.name in self.requests:
            self._answer(link, self.requests[message.name], message, payload)

    def _let_in(self, link: _Link, message: Message) -> None:
        session, client_id = link.session, message.whole("clientId") or 0
        if self.session_of(client_id) is not None:
            session.fail(NO_REQUEST, CLIENT_ID_IN_USE, text_for(CLIENT_ID_IN_USE))
            link.end(False)
            return
        session.client_id = client_id

        def greet(one: Session, _: Message) -> None:
            self._greet(one)

        request = Request("startApi", greet, lambda *_: ("connect",))
        self._answer(link, request, message, b"")

    def _answer(self, link: _Link, request: Request, message: Message, payload: bytes) -> None:
        session = link.session
        operations = request.operations(session, message)
        self._plan.count(operations)
        fault = self._plan.take(operations, ON_REQUESTS)
        with session.answering() as said:
            if fault is Fault.RATE_LIMIT:
                self._say_rate(session, 1)
            elif fault is Fault.UNAVAILABLE:
                session.fail(id_of(message), NOT_CONNECTED, text_for(NOT_CONNECTED))
            elif fault is not Fault.DROP_BEFORE_ACCEPT:
                self._effect(session, request, message)
        if fault is Fault.SERVER_ERROR:
            with session.answering() as said:
                broken = text_for(PROCESSING, where=request.name, reason="null")
                session.fail(id_of(message), PROCESSING, broken)
        self._note(request, operations, payload, fault)
        _put_on_the_wire(link, said, fault)

    def _effect(self, session: Session, request: Request, message: Message) -> None:
        try:
            self._state.refresh(is_read=request.is_read)
            request.handle(session, message)
        except RefusalError as refused:
            session.fail(id_of(message), refused.code, refused.text)
        except (BrokerageError, WireError) as error:
            said = text_for(VALIDATING, where=request.name, reason=error)
            session.fail(id_of(message), VALIDATING, said)

    def _note(
        self, request: Request, operations: tuple[str, ...], payload: bytes, fault: Fault | None
    ) -> None:
        shown = "|".join(split_fields(payload)) if payload else ""
        content = shown.encode("utf-8", "replace")
        moment = self._state.clock()
        self._log.add(moment, "TWS", request.name, content, operations, None, fault)

    def _is_within_rate(self, link: _Link) -> bool:
        if self.rate_limit is None:
            return True
        now = time.monotonic()
        link.arrivals.append(now)
        while link.arrivals[0] < now - 1:
            link.arrivals.popleft()
        if len(link.arrivals) <= self.rate_limit:
            return True
        link.strikes += 1
        self._say_rate(link.session, link.strikes)
        if link.strikes >= RATE_STRIKES:
            link.end(False)
        return False

    def _say_rate(self, session: Session, times: int) -> None:
        limit = self.rate_limit or 50
        said = text_for(RATE, limit=limit, count=limit + 1, times=times)
        session.fail(NO_REQUEST, RATE, said)


def id_of(message: Message) -> int:
    """Return the id that an answer to a message carries; -1: it has none."""
    for name in ("reqId", "orderId"):
        if message.text(name):
            found = message.whole(name)
            if found is not None:
                return found
    return NO_REQUEST


def fixed(names: str) -> Callable[[Session, Message], tuple[str, ...]]:
    """Return operations that are the same whatever the message says."""
    operations = tuple(names.split())
    return lambda _, __: operations


def reads(
    table: Mapping[str, tuple[str, Callable[[Session, Message], None]]],
) -> list[Request]:
    """Return requests that change nothing, of a table: message to operations and handler."""
    return [Request(name, handle, fixed(names)) for name, (names, handle) in table.items()]


def _put_on_the_wire(link: _Link, said: list[bytes], fault: Fault | None) -> None:
    session, whole = link.session, b"".join(said)
    if fault in (Fault.DROP_AFTER_ACCEPT, Fault.DROP_BEFORE_ACCEPT):
        return
    if fault in (Fault.RESET_AFTER, Fault.TRUNCATED):
        if whole:
            session.send(whole[: len(whole) // 2])
        link.end(fault is Fault.RESET_AFTER)
    elif fault is Fault.EMPTY:
        session.send(frame(b""))
    elif fault is Fault.MALFORMED:
        for data in said:
            session.send(frame(join_fields([split_fields(data[4:])[0], "?"])))
    elif whole:
        session.send(whole)
