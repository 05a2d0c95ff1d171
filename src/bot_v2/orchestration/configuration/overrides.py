"""What the environment says otherwise than `brokers.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.settings import Settings
from bot_v2.orchestration.broker_factory import NAME_VARIABLES
from bot_v2.orchestration.configuration.model import BrokerEntry, DeskSettings
from bot_v2.orchestration.configuration.places import FILE_NAME
from bot_v2.orchestration.credentials.model import set_name

PAPER_VARIABLE: Final = "ENABLE_PAPER_TRADING"
"""The variable that says of every broker whether it trades on paper."""

PAPER_SETTINGS: Final = ("paper_trading", "sandbox")
"""What brokerages call the setting that keeps them from real money."""

_PREFIXES: Final = {"simulation": "PAPER"}
"""What the variables of a brokerage begin with, where it is not its name."""


@attrs.frozen(kw_only=True)
class Chosen:
    """A broker of the desk, with what the environment says of it."""

    name: str
    """Its name."""
    entry: BrokerEntry
    """Its settings, as they count."""
    paper_said_by: str
    """Who says whether it trades on paper: the file, a variable, or the default."""
    environ: Mapping[str, str]
    """The environment that its brokerage may read."""


def choose(desk: DeskSettings, name: str | None, environ: Mapping[str, str]) -> Chosen:
    """Return a broker with what the environment says of it.

    Args:
        desk: the settings.
        name: its name, in any case. None: the environment's `BROKER`, else `BROKER_NAME`, else
            `DEFAULT_BROKER`, else the file's `default_broker`, else the only one.
        environ: the environment.

    Raises:
        InvalidFieldError: there is no such broker (says which there are), or a variable is wrong.
    """
    found, entry = _find(desk, name, environ)
    own = dict(entry.settings)
    if _shares_its_type(desk, entry):
        # The brokerage's own variables would speak of all of them at once.
        visible: Mapping[str, str] = {}
    else:
        visible = environ
        own = {key: value for key, value in own.items() if not environ.get(_variable(entry, key))}
    said, said_by = _paper(entry, environ, visible)
    made = attrs.evolve(entry, paper_trading=said, settings=own)
    return Chosen(name=found, entry=made, paper_said_by=said_by, environ=visible)


def has_own_credentials(chosen: Chosen, fields: Mapping[str, object]) -> bool:
    """Whether the environment has any of a set's fields under the brokerage's own names.

    The set is then left out whole: half a login from each of two places is none.
    """
    return any(chosen.environ.get(_variable(chosen.entry, field)) for field in fields)


def _find(
    desk: DeskSettings, name: str | None, environ: Mapping[str, str]
) -> tuple[str, BrokerEntry]:
    asked = [("broker", name), *((key, environ.get(key)) for key in NAME_VARIABLES)]
    asked.append(("default_broker", desk.default_broker))
    for source, wanted in asked:
        if wanted and wanted.strip():
            compared = set_name(wanted)
            for known, entry in desk.brokers.items():
                if set_name(known) == compared:
                    return known, entry
            raise InvalidFieldError(source, wanted, _names(desk))
    if len(desk.brokers) == 1:
        return next(iter(desk.brokers.items()))
    raise InvalidFieldError("broker", None, _names(desk))


def _names(desk: DeskSettings) -> str:
    return ", ".join(desk.brokers) or "nothing: there are no brokers (bot-v2 add makes one)"


def _paper(
    entry: BrokerEntry, environ: Mapping[str, str], visible: Mapping[str, str]
) -> tuple[bool, str]:
    """Return whether it trades on paper, and who says so; variables that disagree mean paper."""
    said = {}
    if environ.get(PAPER_VARIABLE):
        said[PAPER_VARIABLE] = Settings("ENABLE", environ=environ).boolean("paper_trading", True)
    for word in PAPER_SETTINGS:
        if visible.get(_variable(entry, word)):
            own = Settings(_prefix(entry), environ=visible).boolean(word, True)
            said[_variable(entry, word)] = own
    for variable, is_paper in said.items():
        if is_paper:
            return True, variable
    return (False, next(iter(said))) if said else (entry.paper_trading, FILE_NAME)


def _shares_its_type(desk: DeskSettings, entry: BrokerEntry) -> bool:
    prefix = _prefix(entry)
    return sum(_prefix(other) == prefix for other in desk.brokers.values()) > 1


def _prefix(entry: BrokerEntry) -> str:
    return _PREFIXES.get(entry.type, entry.type).upper().replace("-", "_")


def _variable(entry: BrokerEntry, setting: str) -> str:
    return f"{_prefix(entry)}_{setting.upper()}"
