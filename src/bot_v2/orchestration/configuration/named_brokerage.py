"""Makes a broker of the desk by its name: its settings, its credentials, and paper as asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from bot_v2.features.brokerages.core.brokerage import IBrokerage
from bot_v2.features.brokerages.core.declarations import Environment, environment_of
from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.broker_factory import create_brokerage
from bot_v2.orchestration.configuration.files import load_settings
from bot_v2.orchestration.configuration.model import BrokerEntry, DeskSettings
from bot_v2.orchestration.configuration.overrides import (
    PAPER_SETTINGS,
    Chosen,
    choose,
    has_own_credentials,
)
from bot_v2.orchestration.configuration.places import FILE_NAME
from bot_v2.orchestration.credentials.model import CredentialSet, set_name
from bot_v2.orchestration.credentials.opening import open_vault
from bot_v2.orchestration.credentials.vault import Vault
from bot_v2.shared.types import Clock
from bot_v2.simulation.clock import utc_now

NEEDS_NO_CREDENTIALS: Final = frozenset({"paper", "simulation"})
"""The brokerages that no set of credentials is looked for, unless one is named."""


def create_named_brokerage(
    name: str | None = None,
    *,
    desk: DeskSettings | None = None,
    vault: Vault | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock = utc_now,
) -> IBrokerage:
    """Make a broker of the desk; it is not connected yet.

    Args:
        name: its name in `brokers.json`. None: the default one.
        desk: the settings. None: those of `brokers.json`.
        vault: has the credentials. None: the one that settings and environment describe, which
            asks nobody for a passphrase.
        environ: the environment. None: that of this process.
        clock: says what has expired.

    Raises:
        InvalidRequestError: there is no such broker, its settings are wrong, or it would trade
            with real money where paper was asked for, or the other way round.
        CredentialStoreError: its credentials are nowhere, or cannot be read.
        MissingDependencyError: a package that it needs is not installed; says what to install.
    """
    known: Mapping[str, str] = os.environ if environ is None else environ
    settings = load_settings(known) if desk is None else desk
    chosen = choose(settings, name, known)
    opened = vault or open_vault(known, stores=settings.credential_stores)
    kept = _kept(chosen, opened)
    secrets = {} if kept is None else kept.secrets(clock())
    try:
        broker = _make(chosen, {**chosen.entry.settings, **secrets})
    except InvalidFieldError as error:
        if error.value is None:
            error.message += _what_is_lacking(chosen, kept, secrets)
        raise
    _require_as_asked(chosen, broker)
    return broker


def credentials_name(name: str, entry: BrokerEntry) -> str | None:
    """Return the set that a broker's credentials are looked for in. None: it needs none."""
    if entry.credentials == "":
        return None if entry.type in NEEDS_NO_CREDENTIALS else name
    return entry.credentials


def _kept(chosen: Chosen, vault: Vault) -> CredentialSet | None:
    """Return the credentials that are kept for a broker. None: none are, or others come before."""
    wanted = credentials_name(chosen.name, chosen.entry)
    if wanted is None:
        return None
    # A set that is named has to be there; one that is only looked for need not.
    kept = vault.get(wanted) if chosen.entry.credentials else vault.find(wanted)
    if kept is None or has_own_credentials(chosen, kept.fields):
        return None
    return kept


def _what_is_lacking(
    chosen: Chosen, kept: CredentialSet | None, secrets: Mapping[str, Secret]
) -> str:
    """Return what may be behind a setting that is lacking, as the end of a sentence."""
    wanted = credentials_name(chosen.name, chosen.entry)
    expired = sorted(set(kept.fields) - set(secrets)) if kept is not None else []
    if wanted is None or (kept is not None and not expired):
        return ""
    advice = f"bot-v2 credentials set {set_name(wanted)}"
    if expired:
        return f". What was kept has expired ({', '.join(expired)}): {advice}"
    return f". None are kept for it: {advice}"


def _make(chosen: Chosen, given: Mapping[str, object]) -> IBrokerage:
    """Make the brokerage, with the wish for paper in the word that it has for it."""
    entry = chosen.entry
    for word in PAPER_SETTINGS:
        if word in given:
            break
        try:
            asked = {**given, word: entry.paper_trading}
            return create_brokerage(entry.type, asked, environ=chosen.environ)
        except InvalidFieldError as error:
            # So says a brokerage that has no such setting; any other mistake is the caller's.
            if (error.field, error.value) != ("settings", word):
                raise
    return create_brokerage(entry.type, given, environ=chosen.environ)


def _require_as_asked(chosen: Chosen, broker: IBrokerage) -> None:
    """Refuse a brokerage that is live where paper was asked for, or paper where live was."""
    found, asked = environment_of(broker), chosen.entry.paper_trading
    if asked and found is Environment.LIVE:
        accepted = f"false: with its other settings {chosen.name!r} trades with real money"
    elif (
        chosen.paper_said_by == FILE_NAME
        and not asked
        and found in (Environment.PAPER, Environment.SANDBOX)
    ):
        # A variable that speaks of all brokers does not speak of one that is never live.
        accepted = f"true: with its other settings {chosen.name!r} is {found.value}"
    else:
        return
    field = f"brokers.{chosen.name}.paper_trading ({chosen.paper_said_by})"
    raise InvalidFieldError(field, asked, accepted)
