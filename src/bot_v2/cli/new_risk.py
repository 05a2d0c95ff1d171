"""What stops an order of a command: the kill switch, which lets exits through."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot_v2.features.brokerages.core.brokerage import IBrokerage
    from bot_v2.features.brokerages.core.order_request import OrderRequest


def refuse_new_risk(broker: IBrokerage, request: OrderRequest) -> None:
    """Let an order pass, unless the kill switch is on and the order is no exit.

    Raises:
        PermissionDeniedError: it would be new risk; nothing was sent.
    """
    # Imported here: a switch that is off costs one look at a file.
    from bot_v2.orchestration.risk.kill_switch import KillSwitch, kill_switch_file

    switch = KillSwitch(kill_switch_file())
    if not switch.read().on:
        return
    from bot_v2.orchestration.journal.memory_journal import MemoryJournal
    from bot_v2.orchestration.risk.desk import RiskDesk
    from bot_v2.orchestration.risk.gate import LimitGate
    from bot_v2.orchestration.risk.store import MemoryReservations

    gate = LimitGate(broker, MemoryJournal(), RiskDesk(MemoryReservations()), kill_switch=switch)
    gate.reserve(request)
