"""A client of the simulated TWS without a socket: it speaks the frames, and keeps what it hears."""

from __future__ import annotations

from decimal import Decimal

from bot_v2.venues.tws.frames import FrameReader, join_fields
from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.session import Session
from bot_v2.venues.tws.venue import TwsVenue

AAPL = {"conId": 265598, "exchange": "SMART"}


class Client:
    """A client that has said who it is, unless it is told not to."""

    def __init__(
        self, venue: TwsVenue, client_id: int = 1, version: int = 178, *, starts: bool = True
    ) -> None:
        self.venue = venue
        self.heard: list[Message] = []
        self.raw: list[bytes] = []
        self.ended: list[bool] = []
        self.next_id = 0
        self._reader = FrameReader(starts_with_prefix=False)
        self._session = Session(venue._plan, self._hear)
        venue.gateway.opened(self._session, self.ended.append)
        venue.gateway.receive(self._session, f"v{min(version, 157)}..{version}".encode())
        if starts:
            self.send("startApi", clientId=client_id)
            self.next_id = int(self.last("nextValidId").text("orderId"))

    @property
    def session(self) -> Session:
        """The connection, as the venue knows it."""
        return self._session

    @property
    def version(self) -> int:
        """The server version that is spoken."""
        return self._session.version

    def _hear(self, data: bytes) -> None:
        for payload in self._reader.feed(data):
            is_hello_answer = not self.raw
            self.raw.append(payload)
            if not is_hello_answer:
                self.heard.append(FROM_SERVER.decode(payload, self.version))

    def send(self, name: str, **values: object) -> list[Message]:
        """Say something; return what is heard at once."""
        start = len(self.heard)
        self.venue.gateway.receive(self._session, FROM_CLIENT.encode(name, values, self.version))
        return self.heard[start:]

    def send_fields(self, *fields: str) -> list[Message]:
        """Say fields as they are; return what is heard at once."""
        start = len(self.heard)
        self.venue.gateway.receive(self._session, join_fields(list(fields)))
        return self.heard[start:]

    def leave(self) -> None:
        """End the connection."""
        self.venue.gateway.closed(self._session)

    # What was heard

    def all(self, name: str) -> list[Message]:
        """Every message of a name."""
        return [one for one in self.heard if one.name == name]

    def last(self, name: str) -> Message:
        """The latest message of a name."""
        return self.all(name)[-1]

    def codes(self, request_id: int | None = None) -> list[int]:
        """The codes that were told, of a request or of any."""
        return [
            int(one.text("code"))
            for one in self.all("error")
            if request_id is None or int(one.text("reqId")) == request_id
        ]

    def forget(self) -> None:
        """Count what is heard from here."""
        self.heard.clear()

    # Orders

    def place(self, **changes: object) -> int:
        """Place an order: to buy 10 AAPL for 150, unless something else is said; return its id."""
        order_id = changes.pop("orderId", None)
        if order_id is None:
            order_id = self.next_id
            self.next_id += 1
        terms: dict[str, object] = {
            **AAPL,
            "action": "BUY",
            "totalQuantity": Decimal(10),
            "orderType": "LMT",
            "tif": "DAY",
            **changes,
        }
        if terms["orderType"] in ("LMT", "STP LMT", "LOC"):
            terms.setdefault("lmtPrice", Decimal(150))
        self.send("placeOrder", orderId=order_id, **terms)
        return int(str(order_id))

    def statuses(self, order_id: int) -> list[str]:
        """The statuses that an order was told to have, in order, each once in a row."""
        told = [
            one.text("status")
            for one in self.all("orderStatus")
            if int(one.text("orderId")) == order_id
        ]
        return [one for place, one in enumerate(told) if not place or told[place - 1] != one]

    def status(self, order_id: int) -> Message:
        """The latest status of an order."""
        return [one for one in self.all("orderStatus") if one.text("orderId") == str(order_id)][-1]

    def perm_id(self, order_id: int) -> str:
        """The permanent id of an order, by which the venue's controls know it."""
        return self.status(order_id).text("permId")
