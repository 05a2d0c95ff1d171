"""What orders and accounts weigh: the records that the reservations' store holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import attrs

from bot_v2.features.brokerages.core.decimals import EXACT
from bot_v2.features.brokerages.core.order_terms import OrderSide
from bot_v2.orchestration.journal.journal import Scope

ZERO: Final = Decimal(0)


@attrs.frozen(kw_only=True)
class Part:
    """What an order does to one exposure; an order of several legs has a part for each."""

    symbol: str
    """The canonical symbol."""
    exposure: str
    """What the position is kept under: the symbol, or `asset:BTC` where spot is only a balance."""
    side: OrderSide
    """Buy or sell."""
    quantity: Decimal
    """How much, in order units; of a notional order, as much as it can come to."""
    value: Decimal | None
    """What it is worth at the most, in `currency`. None: nobody can say."""
    currency: str
    """The currency of the value, and of the product's prices."""
    takes_cash: bool
    """Whether it is paid for in cash: not a sale, and not what is bought on margin alone."""

    @property
    def cost(self) -> Decimal | None:
        """What it takes from the cash, in `currency`. None: nobody can say."""
        return self.value if self.takes_cash else ZERO


@attrs.frozen(kw_only=True)
class PartList:
    """The parts of an order as they are written down."""

    parts: tuple[Part, ...]
    """One for each product."""


@attrs.frozen(kw_only=True)
class Reservation:
    """An order whose risk is held, or was until a moment ago."""

    scope: Scope
    """The account."""
    client_order_id: str
    """The order."""
    journal_id: str
    """The journal that knows what becomes of it."""
    owner: str
    """The process that holds it, by its name in that journal."""
    parts: tuple[Part, ...]
    """What it weighs."""
    reserved_at: datetime | None = None
    """When it was admitted; nothing was sent before. None: by a process that has ended."""
    filled: Decimal | None = None
    """How much of it was filled in the end, in order units. None: it has not ended, or not said."""
    released: int | None = None
    """Where in the order of all releases it was given back. None: it is held."""
    released_at: datetime | None = None
    """When that was. None: it is held."""


@attrs.frozen(kw_only=True)
class LiveOrder:
    """A live order that the broker showed, of whomever."""

    client_order_id: str | None
    """The id of its placement, by which a reservation is known. None: it has none."""
    parts: tuple[Part, ...]
    """What is left of it."""


@attrs.frozen(kw_only=True)
class AccountState:
    """What a broker told of an account, in one look."""

    scope: Scope
    """The account."""
    releases: int
    """How many releases there had been, of all accounts, before the look began: what was released
    later may be missing in it."""
    began_at: datetime
    """When the look began."""
    ended_at: datetime
    """When it had ended: what was admitted later is in none of it."""
    spot_as_positions: bool
    """Whether spot assets are positions as well as balances."""
    lag: timedelta = timedelta(0)
    """How far the broker's positions may be behind what it tells of orders."""
    currency: str | None = None
    """The currency of equity and cash. None: not read, or not said."""
    equity: Decimal | None = None
    """Cash and positions. None: not read, or not said."""
    cash: Decimal | None = None
    """Cash, that which is set aside for orders included. None: not read, or not said."""
    positions: dict[str, Decimal] = attrs.field(factory=dict)
    """Signed positions by symbol, in order units."""
    assets: dict[str, Decimal] = attrs.field(factory=dict)
    """Balances by asset, where spot is only a balance."""
    live: tuple[LiveOrder, ...] = ()
    """The live orders; of several of which one cancels the others, the largest."""

    @property
    def order(self) -> tuple[int, datetime]:
        """What tells which of two looks at an account is the later one."""
        return self.releases, self.began_at

    def position(self, exposure: str) -> Decimal:
        """Return the signed position of an exposure, in order units; zero when flat."""
        asset = exposure.removeprefix(ASSET)
        if asset != exposure:
            return self.assets.get(asset, ZERO)
        return self.positions.get(exposure, ZERO)


ASSET: Final = "asset:"
"""How the exposure of a spot product begins where the broker keeps it as a balance."""


UNWEIGHED: Final = "?"
"""The exposure of an order of which it could not be read yet what it weighs."""


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return an exact sum."""
    found = ZERO
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found


def pending(parts: Iterable[Part], exposure: str, side: OrderSide) -> Decimal:
    """Return how much of an exposure is being bought, or sold, in order units."""
    return total(part.quantity for part in parts if part.exposure == exposure and part.side is side)


def worst_position(
    position: Decimal, ahead: Iterable[Part], exposure: str, side: OrderSide
) -> Decimal:
    """Return how far a position can get on one side when all that is ordered there is filled.

    Args:
        position: signed, in order units.
        ahead: everything that is being ordered.
        exposure: which position.
        side: BUY: how long it can become; SELL: how short.

    Returns:
        A size: zero where it stays on the other side.
    """
    more = pending(ahead, exposure, side)
    towards = position if side is OrderSide.BUY else EXACT.minus(position)
    return max(EXACT.add(towards, more), ZERO)


def settled_since(
    rows: Iterable[Reservation], state: AccountState
) -> tuple[dict[str, Decimal], list[Reservation]]:
    """Return what is known to have been filled since a look, and the orders that leaves open.

    Args:
        rows: what counts beside the look.
        state: the look.

    Returns:
        The signed change of each exposure, by orders that were admitted after the look and have
        ended; and all other rows.
    """
    changes: dict[str, Decimal] = {}
    rest = []
    for row in rows:
        is_later = row.reserved_at is not None and row.reserved_at > state.ended_at
        if row.released is None or row.filled is None or not is_later or len(row.parts) != 1:
            rest.append(row)
            continue
        (part,) = row.parts
        change = row.filled if part.side is OrderSide.BUY else EXACT.minus(row.filled)
        changes[part.exposure] = EXACT.add(changes.get(part.exposure, ZERO), change)
    return changes, rest


def is_exit(parts: Iterable[Part], position_of: dict[str, Decimal], others: Iterable[Part]) -> bool:
    """Return whether an order does nothing but lower positions.

    Args:
        parts: the order's.
        position_of: the signed position of each of its exposures.
        others: what other orders do, or may: what they take is not there to be lowered.
    """
    parts, others = list(parts), list(others)
    for part in parts:
        position = position_of.get(part.exposure, ZERO)
        opposite = position > ZERO if part.side is OrderSide.SELL else position < ZERO
        taken = EXACT.add(
            pending(others, part.exposure, part.side), pending(parts, part.exposure, part.side)
        )
        if not opposite or taken > abs(position):
            return False
    return bool(parts)


def widest(first: Iterable[Part], second: Iterable[Part]) -> tuple[Part, ...]:
    """Return what is at least as much as either of two orders of the same products."""
    widened = {(part.symbol, part.side): part for part in first}
    for part in second:
        key = (part.symbol, part.side)
        known = widened.get(key, part)
        values = (known.value, part.value)
        widened[key] = attrs.evolve(
            part,
            quantity=max(known.quantity, part.quantity),
            value=None if None in values else max(known.value or ZERO, part.value or ZERO),
        )
    return tuple(widened.values())
