"""Makes a brokerage by its name, with its settings from arguments and from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.errors import InvalidFieldError, InvalidRequestError
from bot_v2.orchestration.registry import (
    REGISTRY,
    BrokerageFactory,
    available_brokerages,
    register_brokerage,
)

__all__ = [
    "DEFAULT_NAME",
    "NAME_VARIABLES",
    "BrokerageFactory",
    "available_brokerages",
    "create_brokerage",
    "register_brokerage",
]

NAME_VARIABLES: Final = ("BROKER", "BROKER_NAME", "DEFAULT_BROKER")
"""The variables of the environment that may name the brokerage; the first that is set counts."""

DEFAULT_NAME: Final = "coinbase"
"""The brokerage that is made where none is named."""


def create_brokerage(
    name: str | None = None,
    settings: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> IBrokerage:
    """Make a brokerage; it is not connected yet.

    Args:
        name: its name, in any case. None or empty: the environment's `BROKER`, else
            `BROKER_NAME`, else `DEFAULT_BROKER`, else `coinbase`.
        settings: its settings; what is absent here is read from the environment. They are
            documented with each brokerage.
        environ: what stands in for the environment. None: the environment itself.

    Raises:
        InvalidRequestError: there is no such brokerage (says which there are), two distributions
            offer it, it cannot be loaded, or a setting is wrong.
        MissingDependencyError: a package that it needs is not installed; says what to install.
    """
    known: Mapping[str, str] = os.environ if environ is None else environ
    chosen, chosen_by = _choose_name(name, known)
    if chosen.lower() not in available_brokerages():
        raise _unavailable(chosen, chosen_by)
    return REGISTRY.create(chosen, {} if settings is None else settings, known)


def _choose_name(name: object, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Return the name, and what it was read from; None: nothing names one."""
    candidates = [("name", name), *((key, environ.get(key)) for key in NAME_VARIABLES)]
    for source, candidate in candidates:
        if not isinstance(candidate, str | None):
            raise InvalidFieldError(source, candidate, "a brokerage's name, or None")
        if candidate and candidate.strip():
            return candidate.strip(), source
    return DEFAULT_NAME, None


def _unavailable(name: str, chosen_by: str | None) -> InvalidRequestError:
    available = ", ".join(available_brokerages()) or "(none is installed)"
    if chosen_by is not None:
        return InvalidFieldError(chosen_by, name, f"an available brokerage: {available}")
    return InvalidRequestError(
        f"no brokerage is named, and {name!r}, which is then meant, is not available. "
        f"Name one, as an argument or in {NAME_VARIABLES[0]}; available: {available}"
    )
