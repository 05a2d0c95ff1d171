"""The venue's socket: requests in, answers out, and what goes wrong on the way."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from acme_venue.faults import FaultPlan
from acme_venue.json_text import object_from_json, to_json
from acme_venue.native import Record
from acme_venue.refusals import RefusedError, refusal_of
from acme_venue.routes import ROUTES, Request, Route, Routes
from acme_venue.state import VenueState
from bot_v2.features.brokerages.core.interfaces import BrokerageError
from bot_v2.simulation.faults import Fault

HANG_MAX_S = 30.0
HTML = b"<html><body>It works!</body></html>"

WITHOUT_EFFECT = {
    Fault.RATE_LIMIT: RefusedError(429, "rate_limited", "too many calls"),
    Fault.UNAVAILABLE: RefusedError(503, "unavailable", "come back later"),
}


class AcmeHandler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _acme(self) -> AcmeServer:
        return cast("AcmeServer", self.server)

    def log_message(self, format: str, *args: object) -> None:
        """Keep silent."""

    def do_GET(self) -> None:
        """Serve a request."""
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", "0"))
        content = self.rfile.read(length)
        if parts.path == "/v1/session":
            self._serve_session()
            return
        for route in ROUTES:
            match = route.path.fullmatch(parts.path)
            if match is not None and route.method == self.command:
                argument = unquote(match.group(1)) if match.groups() else ""
                query = dict(parse_qsl(parts.query))
                self._serve_route(route, argument, query, content)
                return
        self._say(404, RefusedError(404, "bad_request", f"no {self.command} {parts.path}").body())

    def _serve_session(self) -> None:
        operations = ("connect",) if self.command == "POST" else ("disconnect",)
        routes = self._acme.routes

        def answer() -> Record:
            if self.command == "POST":
                return routes.open_session(self.headers.get("X-Acme-Key"))
            return routes.close_session(self.headers.get("X-Acme-Session"))

        self._acme.plan.count(operations)
        self._commit(self._acme.plan.take(operations), answer)

    def _serve_route(
        self, route: Route, argument: str, query: dict[str, str], content: bytes
    ) -> None:
        plan, routes = self._acme.plan, self._acme.routes
        plan.count(route.operations)
        # A long poll is under way at any time: it is not the next call that a test means.
        fault = plan.take(route.operations, any_operation="stream_orders" not in route.operations)
        if fault is Fault.SESSION_EXPIRED:
            routes.expire_sessions()

        def answer() -> Record:
            routes.check_session(self.headers.get("X-Acme-Session"))
            return route.answer(routes, Request(argument, query, object_from_json(content)))

        self._commit(fault, answer)

    def _commit(self, fault: Fault | None, answer: Callable[[], Record]) -> None:
        """Let a request have its effect, and answer it, as far as a fault allows."""
        if fault is Fault.DROP_BEFORE_ACCEPT:
            self._hang()
            return
        refused = WITHOUT_EFFECT.get(fault) if fault else None
        if refused is not None:
            self._say(refused.status, refused.body())
            return
        status, body = self._effect(answer)
        match fault:
            case Fault.DROP_AFTER_ACCEPT:
                self._hang()
            case Fault.RESET_AFTER:
                self._reset()
            case Fault.SERVER_ERROR:
                self._say(500, RefusedError(500, "internal", "something broke").body())
            case Fault.MALFORMED:
                self._send(200, HTML)
            case Fault.EMPTY:
                self._send(200, b"")
            case Fault.TRUNCATED:
                text = to_json(body).encode()
                self._send(status, text[: len(text) // 2], promised=len(text))
                self.close_connection = True
            case _:
                self._say(status, body)

    def _effect(self, answer: Callable[[], Record]) -> tuple[int, Record]:
        with self._acme.state.lock:
            try:
                return 200, answer()
            except RefusedError as refused:
                answered = refused
            except BrokerageError as error:
                answered = refusal_of(error)
            except ValueError as error:
                answered = RefusedError(400, "bad_request", str(error))
            return answered.status, answered.body()

    def _say(self, status: int, body: Record) -> None:
        self._send(status, to_json(body).encode())

    def _send(self, status: int, content: bytes, promised: int | None = None) -> None:
        # Whoever asked may have given up and gone.
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content) if promised is None else promised))
            if status == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            self.wfile.write(content)

    def _hang(self) -> None:
        """Say nothing until the other side gives up."""
        self.close_connection = True
        select.select([self.connection], [], [], HANG_MAX_S)

    def _reset(self) -> None:
        """Begin an answer, and break the connection so that the other side sees a reset."""
        self.close_connection = True
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            linger = struct.pack("hh" if hasattr(socket, "SIO_RCVALL") else "ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()


class AcmeServer(ThreadingHTTPServer):
    """Listens on this machine, and can stop listening for a while."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], state: VenueState, plan: FaultPlan, routes: Routes
    ) -> None:
        """Listen."""
        self.state = state
        self.plan = plan
        self.routes = routes
        self._open: set[socket.socket] = set()
        super().__init__(address, AcmeHandler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that it can be cut."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ended."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Let a connection end that was cut."""

    def cut_connections(self) -> None:
        """End every connection."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
