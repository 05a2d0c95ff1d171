"""Ids that a seed decides: the same seed gives the same ones."""

from __future__ import annotations

import hashlib
import uuid


def seeded_bytes(seed: int, *parts: object) -> bytes:
    """Return 32 bytes that the seed and the parts alone decide."""
    text = "/".join(str(part) for part in (seed, *parts))
    return hashlib.sha256(text.encode()).digest()


def seeded_uuid(seed: int, *parts: object) -> str:
    """Return a UUID of the form of a random one, which the seed and the parts alone decide."""
    return str(uuid.UUID(bytes=seeded_bytes(seed, *parts)[:16], version=4))


class IdCounter:
    """Makes ids of the form of random UUIDs, the same ones for the same seed.

    Args:
        seed: what they are drawn from.
    """

    def __init__(self, seed: int) -> None:
        """Start with the first."""
        self._seed = seed
        self._count = 0

    def __call__(self) -> str:
        """Return the next id."""
        self._count += 1
        return seeded_uuid(self._seed, "id", self._count)
