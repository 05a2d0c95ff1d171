"""The entry point: what `create_brokerage("acme", …)` calls."""

from __future__ import annotations

from collections.abc import Mapping

from acme_brokerage.adapter import AcmeBrokerage
from acme_brokerage.settings import read_settings
from bot_v2.features.brokerages.core.interfaces import IBrokerage


def create_acme(given: Mapping[str, object], environ: Mapping[str, str]) -> IBrokerage:
    """Return a brokerage of the settings; nothing is sent before `connect`."""
    return AcmeBrokerage(read_settings(given, environ))
