"""Who belongs to a desk: brokerages by name, each with a weight, and one that is meant unnamed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from decimal import Decimal

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.orchestration.aio.lanes import ThreadLane


@attrs.frozen(kw_only=True, eq=False)
class Member:
    """One brokerage of a desk.

    Raises:
        InvalidFieldError: the name is empty, or the weight is not above zero.
    """

    name: str
    """What it is called in the desk."""
    broker: IBrokerage = attrs.field(repr=False)
    """The brokerage."""
    weight: Decimal
    """Its part in what is divided, beside the weights of the others; above zero."""
    reads: ThreadLane = attrs.field(repr=False)
    """Where it is read."""
    session: ThreadLane = attrs.field(repr=False)
    """Where it is connected and disconnected: reads that hang are not in the way."""

    def __attrs_post_init__(self) -> None:
        if not self.name.strip():
            raise InvalidFieldError("name", self.name, "a name that is not empty")
        if type(self.weight) is not Decimal or not self.weight.is_finite() or self.weight <= 0:
            raise InvalidFieldError("weight", self.weight, "a finite Decimal above zero")

    def close(self) -> None:
        """Let the threads end."""
        self.reads.close()
        self.session.close()


class Roster:
    """The members, in the order in which they came. Safe between threads."""

    def __init__(self) -> None:
        """Start without any."""
        self._members: dict[str, Member] = {}
        self._default: str | None = None
        self._lock = threading.Lock()

    def add(self, member: Member, *, is_default: bool) -> None:
        """Take a member in; the first is the default until another is said to be.

        Raises:
            InvalidFieldError: the name is taken.
        """
        with self._lock:
            if member.name in self._members:
                raise InvalidFieldError("name", member.name, "a name of its own for each brokerage")
            self._members[member.name] = member
            if is_default or self._default is None:
                self._default = member.name

    def remove(self, name: str) -> Member:
        """Take a member out and return it; the first of the others becomes the default after it.

        Raises:
            InvalidFieldError: there is none of that name.
        """
        with self._lock:
            member = self._named(name)
            del self._members[name]
            if self._default == name:
                self._default = next(iter(self._members), None)
            return member

    def get(self, name: str | None = None) -> Member:
        """Return a member; None: the default.

        Raises:
            InvalidFieldError: there is none of that name, or none at all.
        """
        with self._lock:
            return self._named(self._default if name is None else name)

    def choose(self, names: Iterable[str] | None) -> list[Member]:
        """Return some members; None: all.

        Raises:
            InvalidFieldError: there is none of some name.
        """
        with self._lock:
            if names is None:
                return list(self._members.values())
            return [self._named(name) for name in dict.fromkeys(names)]

    @property
    def default_name(self) -> str | None:
        """The name of the default. None: there is no member."""
        return self._default

    def _named(self, name: str | None) -> Member:
        if name not in self._members:
            known = ", ".join(self._members) or "(none was added)"
            raise InvalidFieldError("broker", name, f"a brokerage of this desk: {known}")
        return self._members[name]
