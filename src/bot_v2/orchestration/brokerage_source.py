"""One offer of a brokerage: who makes it, how it is made, and what is said when it cannot be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, cast

import attrs

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.errors import InvalidRequestError, MissingDependencyError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from types import TracebackType

BrokerageFactory: TypeAlias = Callable[[Mapping[str, object], Mapping[str, str]], IBrokerage]
"""Makes a brokerage from the settings given as arguments, and from an environment."""

METHODS: Final = tuple(name for name in vars(IBrokerage) if not name.startswith("_"))
"""The names of the 18 methods of a brokerage."""

_OWN_DISTRIBUTION: Final = "bot-v2"
_OWN_PACKAGE: Final = "bot_v2"


@attrs.frozen(kw_only=True)
class BrokerageSource:
    """Somebody who offers a brokerage under a name."""

    name: str
    """The brokerage's name, as names are compared."""
    origin: str
    """Who offers it, for a message."""
    load: Callable[[], object]
    """Returns the factory; of an entry point, this imports the adapter."""
    package: str | None
    """The top-level package that the factory is in. None: it does not say."""
    requirement: str | None
    """What `pip install` is given for all that it needs. None: nobody has said."""
    extra: str | None
    """The extra of bot-v2 that brings what it needs. None: it is none of bot-v2's."""

    def make(self, given: Mapping[str, object], environ: Mapping[str, str]) -> IBrokerage:
        """Make the brokerage.

        Raises:
            InvalidRequestError: the factory cannot be loaded, or what it made is no brokerage.
            MissingDependencyError: a package that it needs is not installed.
            BrokerageError: whatever the factory refuses.
        """
        factory = self._factory()
        try:
            made = factory(given, environ)
        except ImportError as error:
            self._raise_import_error(error)
        self._check(made)
        return made

    def _factory(self) -> BrokerageFactory:
        try:
            factory = self.load()
        except ImportError as error:
            self._raise_import_error(error)
        except Exception as error:
            raise self._not_loaded(f"{type(error).__name__}: {error}") from error
        if not callable(factory):
            raise self._not_loaded(f"it names a {type(factory).__name__}, which cannot be called")
        # Nobody knows what a callable takes before it is called; what it returns is checked.
        return cast("BrokerageFactory", factory)

    def _not_loaded(self, reason: str) -> InvalidRequestError:
        return InvalidRequestError(
            f"the brokerage {self.name!r} cannot be loaded: {reason} (from {self.origin})",
            broker=self.name,
        )

    def _check(self, made: object) -> None:
        if isinstance(made, type):
            found = f"the class {made.__name__}, not an instance of it"
        else:
            missing = [name for name in METHODS if not callable(getattr(made, name, None))]
            if not missing:
                return
            found = f"a {type(made).__name__}, which lacks {', '.join(missing)}"
        raise InvalidRequestError(
            f"what makes the brokerage {self.name!r} returned {found} (from {self.origin})",
            broker=self.name,
        )

    def _raise_import_error(self, error: ImportError) -> NoReturn:
        """Raise what an import that failed means: something to install, or a mistake in code."""
        if isinstance(error, MissingDependencyError):
            raise error
        lacking = _top_level(error.name) or _top_level(_raised_in(error.__traceback__))
        if lacking == _OWN_PACKAGE:
            error.add_note(f"while the brokerage {self.name!r} was made, from {self.origin}")
            raise error
        is_own_module = error.name is not None and lacking == self.package
        if is_own_module or lacking in sys.stdlib_module_names:
            raise self._not_loaded(f"{type(error).__name__}: {error}") from error
        if self.requirement is None:
            advice = f"install what provides {lacking!r}"
        else:
            quote = "'" if "[" in self.requirement else ""
            advice = f"pip install {quote}{self.requirement}{quote}"
        raise MissingDependencyError(
            f"the brokerage {self.name!r} needs a package that is not installed, or not in a "
            f"version that it can use ({error}): {advice}",
            extra=self.extra,
            broker=self.name,
        ) from error


def registered_source(name: str, factory: BrokerageFactory, extra: str | None) -> BrokerageSource:
    """Return the offer of a factory that this process registers."""
    return BrokerageSource(
        name=name,
        origin="register_brokerage()",
        load=lambda: factory,
        package=_top_level(getattr(factory, "__module__", None)),
        requirement=f"{_OWN_DISTRIBUTION}[{extra}]" if extra else None,
        extra=extra,
    )


def installed_source(name: str, entry_point: EntryPoint) -> BrokerageSource:
    """Return the offer of a distribution's entry point; imports nothing of it."""
    distribution, version = entry_point.module, ""
    if entry_point.dist is not None:
        distribution, version = entry_point.dist.name, f" {entry_point.dist.version}"
    is_own = distribution.replace("_", "-").lower() == _OWN_DISTRIBUTION
    # An extra of ours has its brokerage's name; a third party may name one in the entry point.
    extra = name if is_own else next(iter(entry_point.extras), None)
    return BrokerageSource(
        name=name,
        origin=(
            f"the entry point {entry_point.name} = {entry_point.value} "
            f"of the distribution {distribution}{version}"
        ),
        load=entry_point.load,
        package=_top_level(entry_point.module),
        requirement=f"{distribution}[{extra}]" if extra else distribution,
        extra=extra if is_own else None,
    )


def _top_level(module: str | None) -> str | None:
    return module.split(".")[0] if module else None


def _raised_in(traceback: TracebackType | None) -> str | None:
    """Return the module that raised an error: an ImportError made by hand names no module."""
    module = None
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__")
        traceback = traceback.tb_next
    return module
