"""Where brokerages are found by name: in installed distributions, and in what a process registers.

A distribution offers a brokerage by an entry point of the group `bot_v2.brokerages`, which names a
`BrokerageFactory`:

    [project.entry-points."bot_v2.brokerages"]
    mybroker = "my_package.factory:create_mybroker"

Names are compared stripped and in small letters, and each has one owner: a name that two offer is
refused, because which of them trades must not depend on the order of an import path.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Final

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.orchestration.brokerage_source import (
    BrokerageFactory,
    BrokerageSource,
    installed_source,
    registered_source,
)

__all__ = [
    "ENTRY_POINT_GROUP",
    "REGISTRY",
    "BrokerageFactory",
    "Registry",
    "available_brokerages",
    "register_brokerage",
]

ENTRY_POINT_GROUP: Final = "bot_v2.brokerages"
"""The group of entry points by which distributions offer brokerages."""


class Registry:
    """The brokerages that can be made by name. Safe between threads.

    Entry points are read anew at each question, so that what is installed meanwhile is found, and
    nothing of an adapter is imported before its brokerage is made.
    """

    def __init__(self, group: str = ENTRY_POINT_GROUP) -> None:
        """Offer what distributions offer in a group of entry points."""
        self._group = group
        self._registered: dict[str, BrokerageSource] = {}
        self._changing = threading.Lock()

    def register(self, name: str, factory: BrokerageFactory, *, extra: str | None = None) -> None:
        """Offer a brokerage in this process.

        Args:
            name: the name that it is made by.
            factory: makes it.
            extra: the extra of bot-v2 that brings what the factory imports. None: none does.

        Raises:
            InvalidFieldError: the name is empty or taken, or the factory cannot be called.
        """
        compared = _compared(name)
        if not compared:
            raise InvalidFieldError("name", name, "a brokerage's name")
        _require_callable(factory)
        source = registered_source(compared, factory, extra)
        with self._changing:
            owners = [known.origin for known in self._sources() if known.name == compared]
            if owners:
                accepted = f"a name that is free; this one is taken by {'; '.join(owners)}"
                raise InvalidFieldError("name", name, accepted)
            self._registered[compared] = source

    def available(self) -> tuple[str, ...]:
        """Return the names that are offered, sorted; imports nothing of the brokerages.

        A name that two distributions offer is among them: `create` refuses it, and says why.
        """
        with self._changing:
            return tuple(sorted({source.name for source in self._sources()}))

    def create(
        self, name: str, given: Mapping[str, object], environ: Mapping[str, str]
    ) -> IBrokerage:
        """Make a brokerage.

        Args:
            name: one of `available()`.
            given: settings as arguments; they come before the environment.
            environ: the environment.

        Raises:
            InvalidFieldError: nobody offers a brokerage of that name; says which there are.
            InvalidRequestError: two offer it, it cannot be loaded, or what is made is none.
            MissingDependencyError: a package that it needs is not installed.
            BrokerageError: whatever the factory refuses.
        """
        with self._changing:
            sources = list(self._sources())
        offers = [source for source in sources if source.name == _compared(name)]
        if not offers:
            known = ", ".join(sorted({source.name for source in sources})) or "(none is installed)"
            raise InvalidFieldError("name", name, f"an available brokerage: {known}")
        if len(offers) > 1:
            origins = "; ".join(sorted(source.origin for source in offers))
            raise InvalidRequestError(
                f"the brokerage {offers[0].name!r} is offered more than once: {origins}. "
                "Uninstall or rename all but one",
                broker=offers[0].name,
            )
        # Outside the lock: an adapter takes its time to import, and may itself register.
        return offers[0].make(given, environ)

    def _sources(self) -> Iterator[BrokerageSource]:
        # Imported when it is first needed: it costs half of what the whole contract does.
        from importlib.metadata import entry_points

        yield from self._registered.values()
        for entry_point in entry_points(group=self._group):
            yield installed_source(_compared(entry_point.name), entry_point)


def _compared(name: object) -> str:
    """Return a name as names are compared; empty for what is no name."""
    return name.strip().lower() if isinstance(name, str) else ""


def _require_callable(factory: object) -> None:
    if not callable(factory):
        accepted = "a callable (given, environ) that returns a brokerage"
        raise InvalidFieldError("factory", factory, accepted)


REGISTRY: Final = Registry()
"""The registry of this process, which `create_brokerage` uses."""


def register_brokerage(name: str, factory: BrokerageFactory, *, extra: str | None = None) -> None:
    """Offer a brokerage to `create_brokerage` in this process; see `Registry.register`."""
    REGISTRY.register(name, factory, extra=extra)


def available_brokerages() -> tuple[str, ...]:
    """Return the names that `create_brokerage` takes, sorted; imports nothing of the brokerages."""
    return REGISTRY.available()
