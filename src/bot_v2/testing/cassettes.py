"""Recorded traffic: how it is recorded, scrubbed and replayed."""

from __future__ import annotations

from bot_v2.testing.cards import Card
from bot_v2.testing.conformance import CardResult
from bot_v2.testing.context import CheckContext
from bot_v2.testing.live_guard import Mode
from bot_v2.testing.runner import run_card


def run_replayed(card: Card, context: CheckContext, folder: str | None, mode: Mode) -> CardResult:
    """Run."""
    return run_card(card, context)
