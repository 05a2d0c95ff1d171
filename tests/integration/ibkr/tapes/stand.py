"""Cards of the contract on tapes: what is recorded, and how.

`python -m tests.integration.ibkr.tapes.stand` records them anew, against the simulator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

from bot_v2.features.brokerages.core.order_terms import Leg, OrderSide
from bot_v2.features.brokerages.ibkr.adapter import IbkrBrokerage
from bot_v2.features.brokerages.ibkr.settings import read_settings
from bot_v2.testing.cards import all_cards
from bot_v2.testing.conformance import CardResult
from bot_v2.testing.context import CheckContext
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.runner import run_card
from bot_v2.testing.taping import own_version
from bot_v2.venues.tws.tapes.proxy import TapeProxy
from bot_v2.venues.tws.tapes.tape import Tape
from bot_v2.venues.tws.venue import TwsVenue

FOLDER: Final = Path(__file__).parents[4] / "cassettes" / "ibkr"

CARDS: Final = (
    # The session, the account, the products and their prices.
    *("BC-S010", "BC-S150", "BC-A010", "BC-I070", "BC-I080", "BC-M010", "BC-M040", "BC-M070"),
    *("BC-AS010", "BC-MG010", "BC-MG030", "BC-QU010", "BC-CA010", "BC-OC010", "BC-SY010"),
    *("BC-MS010", "BC-AC010", "BC-P010", "BC-P060", "BC-P140"),
    # The life of an order: placed, found, refused, changed, tried out, cancelled.
    *("BC-O020", "BC-O130", "BC-O140", "BC-U080", "BC-K040", "BC-LK010", "BC-LK020", "BC-LK030"),
    *("BC-FI080", "BC-MO010", "BC-MO030", "BC-MO060", "BC-MO070", "BC-MO080", "BC-PV010"),
    *("BC-C010", "BC-C020", "BC-C040", "BC-R030", "BC-V110"),
    # What orders can be beside plain, and what is streamed.
    *("BC-BR010", "BC-OF030", "BC-OF040", "BC-OF050", "BC-OS010", "BC-OS020", "BC-QS040"),
)
"""The cards that have a tape: at least one of each capability that needs no simulated market."""

MOMENT: Final = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
"""The present moment of the cards that ask for a span: the same on the tape and when played."""

PROFILE: Final = ContractProfile(
    symbol="AAPL",
    quantity=Decimal(4),
    option_underlying="AAPL",
    legs=(
        Leg(symbol="AAPL-20280121-170-C", side=OrderSide.BUY),
        Leg(symbol="AAPL-20280121-180-C", side=OrderSide.SELL),
    ),
    candle_span=timedelta(minutes=30),
    clock=lambda: MOMENT,
)


@contextmanager
def brokerage(port: int) -> Iterator[IbkrBrokerage]:
    """A brokerage of what listens on a port, which ends with the block."""
    given = {"port": port, "environment": "simulator", "timeout_s": 5, "depth_quiet_s": 0.1}
    broker = IbkrBrokerage(read_settings(given, {}))
    try:
        yield broker
    finally:
        broker.disconnect()


def run(card_id: str, port: int) -> CardResult:
    """Run a card on what listens on a port."""
    with brokerage(port) as broker:
        context = CheckContext(broker, None, PROFILE, seed=card_id)
        return run_card(all_cards()[card_id], context, clean_up=False)


def record(card_id: str) -> tuple[CardResult, Tape]:
    """Run a card on the simulator, and return what was said."""
    with TwsVenue() as venue, TapeProxy("127.0.0.1", venue.port) as proxy:
        result = run(card_id, proxy.port)
    tape = proxy.tape(
        recorded_against="simulator",
        recorded_at=datetime.now(UTC).replace(microsecond=0).isoformat(),
        recorded_with=f"bot-v2 {own_version()}, brokerage ibkr",
        note=all_cards()[card_id].sentence,
    )
    return result, tape


def main() -> None:
    """Record every card anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for card_id in CARDS:
        result, tape = record(card_id)
        if result.error is not None:
            raise result.error
        tape.write(FOLDER / f"{card_id}.tape")


if __name__ == "__main__":
    main()
