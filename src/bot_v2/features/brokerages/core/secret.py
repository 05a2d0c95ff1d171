"""A secret that cannot be printed by accident."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Wraps a credential from the moment it is read; only `reveal()` gives it back.

    repr, str and format show nothing of it, and it refuses to be pickled.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap the secret."""
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself: call this only where it leaves for the broker."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: give each process its own credentials")
