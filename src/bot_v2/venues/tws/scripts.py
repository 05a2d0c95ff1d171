"""What goes wrong with a TWS beyond single requests: lost links, resets, silence, late words.

Each can be done from Python (`venue.scripts`) and over the local controls (`POST /actions`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bot_v2.features.brokerages.core.decimals import decimal_from_text
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.venues.tws.codes import (
    FARM,
    FARM_BROKEN,
    FARM_INACTIVE,
    FARM_OK,
    HISTORY_FARM,
    HISTORY_FARM_BROKEN,
    HISTORY_FARM_INACTIVE,
    HISTORY_FARM_OK,
    LINK_BACK,
    LINK_BACK_DATA_LOST,
    LINK_LOST,
    SERVER_LINK_BROKEN,
    text_for,
)
from bot_v2.venues.tws.quotes_api import Entitlement
from bot_v2.venues.tws.reporter import FillOrder
from bot_v2.venues.tws.session import NO_REQUEST

if TYPE_CHECKING:
    from bot_v2.venues.tws.venue import TwsVenue

_FARMS = {
    # state: the code for market data, the code for history
    "ok": (FARM_OK, HISTORY_FARM_OK),
    "broken": (FARM_BROKEN, HISTORY_FARM_BROKEN),
    "inactive": (FARM_INACTIVE, HISTORY_FARM_INACTIVE),
}


class Scripts:
    """Does to a venue what the real one suffers.

    Args:
        venue: the venue.
    """

    def __init__(self, venue: TwsVenue) -> None:
        """Do nothing yet."""
        self._venue = venue

    # The link between TWS and the broker's servers

    def lose_link(self) -> None:
        """Lose the broker's servers (1100): nothing is known of orders, nothing of the market.

        Orders that are placed meanwhile wait (PendingSubmit), and reach the market afterwards.
        """
        with self._venue.state.lock:
            self._venue.reporter.is_cut_off = True
            self._venue.quotes.is_cut_off = True
            self._say(LINK_LOST)

    def restore_link(self, *, keeps_data: bool = True) -> None:
        """Reach the servers again: what happened is told.

        Args:
            keeps_data: True: subscriptions live on (1102). False: they are lost (1101).
        """
        venue = self._venue
        with venue.state.lock:
            self._say(LINK_BACK if keeps_data else LINK_BACK_DATA_LOST)
            venue.quotes.is_cut_off = False
            if not keeps_data:
                venue.drop_subscriptions()
            venue.reporter.reconnect()
        venue.state.step(venue.flow.reconnect)

    def break_server_link(self) -> None:
        """Tell that TWS has lost its server (2110); it comes back by itself."""
        with self._venue.state.lock:
            self._say(SERVER_LINK_BROKEN)

    def tell_farms(self, state: str) -> None:
        """Tell how the farms of market data and history are.

        Args:
            state: ok, broken or inactive.

        Raises:
            InvalidFieldError: another one.
        """
        if state not in _FARMS:
            raise InvalidFieldError("state", state, ", ".join(_FARMS))
        live, history = _FARMS[state]
        with self._venue.state.lock:
            self._say(live, farm=FARM)
            self._say(history, farm=HISTORY_FARM)

    def tell(self, code: int, text: str, request_id: int = NO_REQUEST) -> None:
        """Tell every client a code in the words that are given."""
        with self._venue.state.lock:
            for session in self._venue.gateway.sessions:
                session.fail(request_id, code, text)

    # The process itself

    def reset(self, *, rolls_back_ids: bool = False, stays_down: bool = False) -> None:
        """Restart, as TWS does every night: every connection is cut.

        Args:
            rolls_back_ids: order ids are counted from the first again.
            stays_down: nothing listens until `come_back`.
        """
        self._venue.restart(stays_down=stays_down)
        if rolls_back_ids:
            with self._venue.state.lock:
                self._venue.orders.forget_ids()

    def come_back(self) -> None:
        """Listen again after a reset that stayed down."""
        self._venue.listen_again()

    def fall_silent(self) -> None:
        """Hear nothing and say nothing from now on; connections stay."""
        with self._venue.state.lock:
            self._venue.gateway.is_deaf = True
            self._venue.pace.is_silent = True

    def speak(self) -> None:
        """Hear and say again; what was said to deaf ears is lost."""
        with self._venue.state.lock:
            self._venue.gateway.is_deaf = False
            self._venue.pace.is_silent = False

    def set_pace(self, piece: int = 0, delay_s: float = 0.0) -> None:
        """Let bytes leave in pieces, each after a while.

        Args:
            piece: the most bytes of a write; 0: whole frames.
            delay_s: the wait before each, in seconds.

        Raises:
            InvalidFieldError: either is below zero.
        """
        if piece < 0 or delay_s < 0:
            raise InvalidFieldError("pace", (piece, delay_s), "zero or more")
        self._venue.pace.piece, self._venue.pace.delay_s = piece, delay_s

    def limit_rate(self, per_second: int | None) -> None:
        """Refuse more messages in a second (100), and cut who exceeds it three times.

        Args:
            per_second: how many. None: any.
        """
        self._venue.gateway.rate_limit = per_second

    # What is told of orders and data

    def order_fills(self, order: str) -> None:
        """Choose the order in which the messages of a fill come: see FillOrder.

        Raises:
            InvalidFieldError: there is no such order.
        """
        if order not in {one.value for one in FillOrder}:
            raise InvalidFieldError("order", order, ", ".join(FillOrder))
        self._venue.reporter.fill_order = FillOrder(order)

    def withhold_execution_end(self, *, on: bool = True) -> None:
        """Leave out the end of lists of executions, as has been seen of a real Gateway."""
        self._venue.reads.withholds_execution_end = on

    def correct(self, exec_id: str, quantity: Decimal, price: Decimal) -> None:
        """Correct an execution: the same id but for its last part, another quantity or price.

        Raises:
            InvalidRequestError: there is no such execution.
            InvalidFieldError: the quantity is more than the order's, or not above zero.
        """
        venue = self._venue
        with venue.state.lock:
            trade_id = venue.executions.trade_of(exec_id)
            found = [one for one in venue.tickets.executions if one.exec_id == exec_id]
            if trade_id is None or not found:
                raise InvalidRequestError(f"there is no execution {exec_id!r} to correct")
            engine = venue.flow.engine_of(found[0].ticket)
        venue.state.step(lambda: engine.correct_fill(trade_id, quantity=quantity, price=price))

    def entitle(self, symbol: str, to: str) -> None:
        """Choose what may be seen of a contract's market: live or delayed.

        Raises:
            InvalidFieldError: there is no such choice.
        """
        if to not in {one.value for one in Entitlement}:
            raise InvalidFieldError("to", to, ", ".join(Entitlement))
        canonical = self._venue.native_symbols().get(symbol, symbol)
        self._venue.quotes.entitlements[canonical] = Entitlement(to)

    def forbid(self, symbol: str, *, on: bool = True) -> None:
        """Refuse orders of a contract: the account may not trade it (203)."""
        canonical = self._venue.native_symbols().get(symbol, symbol)
        forbidden = self._venue.orders.forbidden
        (forbidden.add if on else forbidden.discard)(canonical)

    def watch_history_pace(self, *, on: bool = True) -> None:
        """Refuse more than 60 requests for bars in ten minutes (162)."""
        self._venue.history.watches_pace = on

    def _say(self, code: int, **parts: object) -> None:
        for session in self._venue.gateway.sessions:
            session.fail(NO_REQUEST, code, text_for(code, **parts))


def actions(scripts: Scripts) -> dict[str, Callable[[Mapping[str, Any]], None]]:
    """Return what can be done over the local controls, by name."""

    def correct(asked: Mapping[str, Any]) -> None:
        scripts.correct(
            str(asked.get("exec_id")),
            decimal_from_text(asked.get("quantity", ""), "quantity"),
            decimal_from_text(asked.get("price", ""), "price"),
        )

    return {
        "lose_link": lambda _: scripts.lose_link(),
        "restore_link": lambda asked: scripts.restore_link(keeps_data=_flag(asked, "keeps_data")),
        "break_server_link": lambda _: scripts.break_server_link(),
        "tell_farms": lambda asked: scripts.tell_farms(str(asked.get("state"))),
        "tell": lambda asked: scripts.tell(
            _whole(asked, "code"), str(asked.get("text", "")), _whole(asked, "request_id", -1)
        ),
        "reset": lambda asked: scripts.reset(
            rolls_back_ids=_flag(asked, "rolls_back_ids", otherwise=False),
            stays_down=_flag(asked, "stays_down", otherwise=False),
        ),
        "come_back": lambda _: scripts.come_back(),
        "fall_silent": lambda _: scripts.fall_silent(),
        "speak": lambda _: scripts.speak(),
        "set_pace": lambda asked: scripts.set_pace(
            _whole(asked, "piece", 0), _whole(asked, "delay_ms", 0) / 1000
        ),
        "limit_rate": lambda asked: scripts.limit_rate(_whole(asked, "per_second", 0) or None),
        "order_fills": lambda asked: scripts.order_fills(str(asked.get("order"))),
        "withhold_execution_end": lambda asked: scripts.withhold_execution_end(
            on=_flag(asked, "on")
        ),
        "correct": correct,
        "entitle": lambda asked: scripts.entitle(str(asked.get("symbol")), str(asked.get("to"))),
        "forbid": lambda asked: scripts.forbid(str(asked.get("symbol")), on=_flag(asked, "on")),
        "watch_history_pace": lambda asked: scripts.watch_history_pace(on=_flag(asked, "on")),
    }


def _flag(asked: Mapping[str, Any], name: str, *, otherwise: bool = True) -> bool:
    value = asked.get(name, otherwise)
    if not isinstance(value, bool):
        raise InvalidFieldError(name, value, "true or false")
    return value


def _whole(asked: Mapping[str, Any], name: str, otherwise: int | None = None) -> int:
    value = asked.get(name, otherwise)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidFieldError(name, value, "a whole number")
    return value
