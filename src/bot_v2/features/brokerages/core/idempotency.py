"""How far a client order id protects against a second order, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.fields import (
    Model,
    require,
)

LOWER_ALPHANUMERIC: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
ALPHANUMERIC: Final = LOWER_ALPHANUMERIC + LOWER_ALPHANUMERIC[:26].upper()


class IdempotencyScope(StrEnum):
    """How long a client id keeps a second order from being made."""

    FOREVER = "forever"
    """One order per id, ever."""
    WHILE_OPEN = "while_open"
    """One open order per id: once it ended, the id makes another."""
    TAG_ONLY = "tag_only"
    """The id is kept with the order, and protects from nothing."""
    NONE = "none"
    """The broker keeps no id of ours."""


class DuplicateBehaviour(StrEnum):
    """What a second placement under the same id gets."""

    RETURNS_ORIGINAL = "returns_original"
    """The first order."""
    REJECTS = "rejects"
    """An error that says so (DuplicateOrderError)."""
    ACCEPTS = "accepts"
    """A second order."""


@attrs.frozen(kw_only=True, weakref_slot=False, repr=False)
class IdempotencyProfile(Model):
    """What a broker does with client order ids."""

    scope: IdempotencyScope
    """How long an id protects."""
    on_duplicate: DuplicateBehaviour
    """What a duplicate gets while it does."""
    max_length: int
    """The longest id that it takes, in characters."""
    alphabet: str = ALPHANUMERIC + "-_"
    """The characters that it takes."""
    visibility_lag_s: float = 0.0
    """How long a placed order may be absent from reads, in seconds."""
    id_length: int = 18
    """The length of the ids that `make_id` makes."""
    id_alphabet: str = LOWER_ALPHANUMERIC
    """The characters of the ids that `make_id` makes."""

    _not_negative = ("visibility_lag_s",)

    def _check_sense(self) -> None:
        if not 0 < self.id_length <= self.max_length:
            raise require(self, "id_length", f"1 to max_length ({self.max_length})")
        if not set(self.id_alphabet) <= set(self.alphabet):
            raise require(self, "id_alphabet", "characters of the alphabet")

    def make_id(self) -> str:
        """Return a new random id that the broker takes."""
        import secrets  # imported here: it costs as much as the whole contract

        # One number out of all there are, so that the system is asked for chance once.
        size, letters = len(self.id_alphabet), []
        number = secrets.randbelow(size**self.id_length)
        for _ in range(self.id_length):
            number, index = divmod(number, size)
            letters.append(self.id_alphabet[index])
        return "".join(letters)

    def check_id(self, client_order_id: str) -> None:
        """Refuse an id that the broker would refuse, or cut.

        Raises:
            InvalidFieldError: it is empty, too long, or has a character outside the alphabet.
        """
        fits = 0 < len(client_order_id) <= self.max_length
        if not fits or not set(client_order_id) <= set(self.alphabet):
            raise InvalidFieldError(
                "OrderRequest.client_order_id",
                client_order_id,
                f"1 to {self.max_length} characters of {self.alphabet}",
                client_order_id=client_order_id,
            )


LEAST_IDEMPOTENCY: Final = IdempotencyProfile(
    scope=IdempotencyScope.NONE,
    on_duplicate=DuplicateBehaviour.ACCEPTS,
    max_length=18,
    alphabet=LOWER_ALPHANUMERIC,
)
"""What is assumed of an adapter that says nothing: an id protects from nothing."""
