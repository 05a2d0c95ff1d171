"""Both directions of the socket, by name and by number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from bot_v2.venues.tws.answer_schemas import ANSWERS
from bot_v2.venues.tws.frames import WireError, join_fields, split_fields
from bot_v2.venues.tws.request_schemas import REQUESTS
from bot_v2.venues.tws.schema import Message, Schema


class UnknownMessageError(WireError):
    """A message that no schema describes."""

    def __init__(self, number: str) -> None:
        """Say which."""
        super().__init__(f"no message is known by {number!r}")
        self.number = number


@attrs.frozen
class Direction:
    """What one side can say."""

    by_number: Mapping[str, Schema]
    """By the id on the wire."""
    by_name: Mapping[str, Schema]
    """By name."""

    def decode(self, payload: bytes, version: int) -> Message:
        """Return the message of a payload.

        Raises:
            UnknownMessageError: no schema describes it.
            WireError: it is not what its schema says.
        """
        texts = split_fields(payload)
        schema = self.by_number.get(texts[0])
        if schema is None:
            raise UnknownMessageError(texts[0])
        return schema.decode(texts, version)

    def encode(self, name: str, values: Mapping[str, object], version: int) -> bytes:
        """Return the payload of a message."""
        return join_fields(self.by_name[name].encode(values, version))


def _direction(schemas: Iterable[Schema]) -> Direction:
    known = tuple(schemas)
    return Direction({str(one.number): one for one in known}, {one.name: one for one in known})


FROM_CLIENT: Final = _direction(REQUESTS)
"""What clients say."""

FROM_SERVER: Final = _direction(ANSWERS)
"""What the server says."""
