"""Makes a paper brokerage from settings: the entry point `paper`, also known as `simulation`."""

from __future__ import annotations

from collections.abc import Mapping

from bot_v2.features.brokerages.paper.adapter import PaperBrokerage
from bot_v2.features.brokerages.paper.settings import read_settings


def create_paper(given: Mapping[str, object], environ: Mapping[str, str]) -> PaperBrokerage:
    """Return a paper brokerage; nothing is opened before `connect`.

    Args:
        given: settings by name, such as `initial_balance`.
        environ: settings by the same names in capitals after `PAPER_`.

    Raises:
        InvalidFieldError: a value is not what its setting takes, or a name is no setting.
    """
    return PaperBrokerage(read_settings(given, environ))
