"""Credentials in the environment: read, never written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.model import Credential, CredentialSet, set_name

ENVIRONMENT: Final = "environment"
PREFIX: Final = "BOT_V2_CREDENTIALS__"
"""`BOT_V2_CREDENTIALS__BROKER_MAIN__API_KEY` is the field `api_key` of the set `broker-main`."""

_VARIABLE = re.compile(f"{PREFIX}(?P<set>[A-Z0-9]+(?:_[A-Z0-9]+)*)__(?P<field>[A-Z][A-Z0-9_]*)")


class EnvironmentStore:
    """What variables of the environment hold; they do not say when they expire."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Read an environment; it is neither copied nor changed."""
        self._environ = environ

    @property
    def name(self) -> str:
        """What the store is called."""
        return ENVIRONMENT

    @property
    def where(self) -> str:
        """The variables."""
        return f"{PREFIX}SET__FIELD"

    def list_sets(self) -> Sequence[CredentialSet]:
        """Return the sets, sorted by name."""
        found: dict[str, dict[str, Credential]] = {}
        for variable, text in self._environ.items():
            match = _VARIABLE.fullmatch(variable)
            if match and text:
                fields = found.setdefault(set_name(match["set"]), {})
                fields[match["field"].lower()] = Credential(value=Secret(text))
        return [CredentialSet(name=name, fields=found[name]) for name in sorted(found)]

    def get(self, name: str) -> CredentialSet | None:
        """Return a set. None: there is none of that name."""
        return next((one for one in self.list_sets() if one.name == name), None)

    def list_warnings(self) -> Sequence[str]:
        """Return nothing: who may read a process's environment is the system's to say."""
        return ()
