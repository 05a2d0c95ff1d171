"""All broken brokerages."""

from __future__ import annotations

from typing import Final

from tests.contract.broken import (
    account,
    cancelling,
    capabilities,
    client_ids,
    declared,
    linked_orders,
    market,
    placing,
    positions,
    process,
    reading,
    reads,
    session,
    streams,
    values,
    writes,
)
from tests.contract.broken.entry import Broken

ALL: Final[tuple[Broken, ...]] = tuple(
    broken
    for module in (
        declared,
        session,
        account,
        market,
        placing,
        client_ids,
        cancelling,
        reading,
        positions,
        values,
        process,
        writes,
        reads,
        capabilities,
        streams,
        linked_orders,
    )
    for broken in module.BROKEN
)
"""In the order of the table."""
