"""What a simulated venue remembers of the placements that reached it."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class ReceivedOrder:
    """A placement that reached the venue and took effect there."""

    order_id: str
    """The venue's id of the order."""
    client_order_id: str | None
    """The caller's id. None: the placement had none."""
    symbol: str
    """The product, in the canonical spelling."""
