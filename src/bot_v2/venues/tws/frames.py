"""Frames of the socket: a length, then fields that each end with NUL."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final

import attrs

PREFIX: Final = b"API\0"
"""What a client says first, outside of any frame."""

LENGTH: Final = struct.Struct(">I")
FRAME_MAX: Final = 0xFFFFFF
"""The longest frame that is read, in bytes: more is no client of this protocol."""

OLDEST: Final = 157
"""The lowest server version that is spoken."""

NEWEST: Final = 178
"""The highest server version that is spoken."""

_OFFER = re.compile(rb"v([0-9]{1,9})(?:\.\.([0-9]{1,9}))?(?: .*)?", re.DOTALL)


class WireError(ValueError):
    """Bytes that are not of this protocol."""


@attrs.frozen
class Hello:
    """What a client offers."""

    oldest: int
    """The lowest server version that it speaks."""
    newest: int
    """The highest one."""

    def version(self) -> int | None:
        """Return the server version to speak. None: there is none in common.

        Version 158 is never chosen: a field that it brought is read by one client from 159 on only.
        """
        chosen = min(self.newest, NEWEST)
        if chosen == OLDEST + 1:
            chosen = OLDEST
        return chosen if chosen >= max(self.oldest, OLDEST) else None


def frame(payload: bytes) -> bytes:
    """Return a payload as it crosses the socket."""
    return LENGTH.pack(len(payload)) + payload


def join_fields(fields: list[str]) -> bytes:
    """Return fields as a payload."""
    return "".join(f"{field}\0" for field in fields).encode("utf-8", "surrogateescape")


def split_fields(payload: bytes) -> list[str]:
    """Return the fields of a payload.

    Raises:
        WireError: the last one does not end.
    """
    if not payload.endswith(b"\0"):
        raise WireError("a field that does not end")
    return payload[:-1].decode("utf-8", "surrogateescape").split("\0")


def read_hello(payload: bytes) -> Hello:
    """Return what the first frame of a client offers.

    Raises:
        WireError: it offers no versions.
    """
    found = _OFFER.fullmatch(payload.rstrip(b"\0"))
    if found is None:
        raise WireError(f"no versions in {payload!r}")
    oldest = int(found[1])
    return Hello(oldest, int(found[2] or oldest))


class FrameReader:
    """Puts the frames of one direction together, however the bytes arrive.

    Args:
        starts_with_prefix: the side that says "API" first.
    """

    def __init__(self, *, starts_with_prefix: bool) -> None:
        """Start with nothing."""
        self._data = bytearray()
        self._wants_prefix = starts_with_prefix

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; return the payloads that are complete now.

        Raises:
            WireError: the bytes are not of this protocol.
        """
        self._data += data
        if self._wants_prefix:
            if not PREFIX.startswith(bytes(self._data[:4])):
                raise WireError("a client that does not start with API")
            if len(self._data) < len(PREFIX):
                return
            del self._data[: len(PREFIX)]
            self._wants_prefix = False
        while len(self._data) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._data)
            if length > FRAME_MAX:
                raise WireError(f"a frame of {length} bytes")
            end = LENGTH.size + length
            if len(self._data) < end:
                return
            payload = bytes(self._data[LENGTH.size : end])
            del self._data[:end]
            yield payload
