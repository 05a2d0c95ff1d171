"""The cards: one per sentence of the contract that is tested, each with a stable id.

A card's id never changes its meaning and is never used again. Within a group the numbers are
spaced by tens, so that a later card fits where it belongs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.capabilities import Capability
from bot_v2.simulation.faults import WIRE_FAULTS, Fault

if TYPE_CHECKING:
    from bot_v2.testing.context import CheckContext

Check: TypeAlias = "Callable[[CheckContext], None]"
"""Looks at one sentence; raises ContractViolation where it is broken."""

_ID = re.compile(r"BC-(?P<group>[A-Z]{1,2})[0-9]{3}")


class Tier(StrEnum):
    """What a card asks of a brokerage."""

    BASIC = "basic"
    """The 18 methods: every brokerage."""
    CAPABILITY = "capability"
    """What the brokerage declares that it can do."""
    FAULT = "fault"
    """What happens when something goes wrong on the way: needs a venue that can be told to."""


class Section(StrEnum):
    """The part of the contract that a card is about."""

    METHODS = "1. IBrokerage"
    MEANING = "2. What the methods mean"
    MODELS = "3. Models"
    ERRORS = "4. Errors"
    OUTCOME = "5. Law 1: outcome"
    ONE_WRITE = "5. Law 2: one write"
    IDEMPOTENCY = "5. Law 3: idempotency is data"
    EVIDENCE = "5. Law 4: evidence"
    MONEY = "5. Law 5: money"
    FAILED_READ = "5. Law 6: a failed read is not an empty answer"
    TIME = "5. Law 7: time"
    SYMBOLS = "5. Law 8: symbols"
    NO_SILENT_CHANGE = "5. Law 9: no silent change"
    THREADS = "5. Law 10: threads"
    SECRETS = "5. Law 11: secrets"


@attrs.frozen(kw_only=True)
class Card:
    """One sentence of the contract, and the check of it."""

    id: str
    """Stable: `BC-`, the group's letters, three digits."""
    sentence: str
    """What is promised."""
    section: Section
    """Where the contract promises it."""
    check: Check
    """Looks whether it is kept."""
    capabilities: frozenset[Capability] = frozenset()
    """What the brokerage must declare for the card to apply."""
    faults: frozenset[Fault] = frozenset()
    """What the venue must be able to commit."""
    needs_venue: bool = False
    """True: a simulated venue is needed, to change the market or to count what arrived."""
    connected: bool = True
    """False: the check starts with a brokerage that is not connected."""
    replayable: bool = True
    """False: it depends on what the adapter makes up, so that no cassette can answer it."""
    catalogue: tuple[str, ...] = ()
    """The ids of the fault catalogue that it covers, such as T04."""

    @property
    def group(self) -> str:
        """The letters of its group."""
        return group_of(self.id)

    @property
    def tier(self) -> Tier:
        """What it asks of a brokerage."""
        if self.faults:
            return Tier.FAULT
        return Tier.CAPABILITY if self.capabilities else Tier.BASIC

    @property
    def needs_wire(self) -> bool:
        """Whether only a venue with a wire can commit its faults."""
        return bool(self.faults & WIRE_FAULTS)

    @property
    def method(self) -> str:
        """How it is checked, in a sentence or two."""
        return cleandoc(self.check.__doc__ or "")


GROUPS: Final[Mapping[str, tuple[str, str]]] = {
    # letters: the module under `checks` that holds the cards, what they are about
    "D": ("declared", "What is declared"),
    "N": ("not_declared", "What is not declared"),
    "S": ("session", "Session and health"),
    "A": ("account", "Account and balances"),
    "I": ("instruments", "Instruments"),
    "M": ("market", "Prices and books"),
    "O": ("placing", "Placing orders"),
    "U": ("refusals", "Refused orders"),
    "L": ("order_life", "The life of an order"),
    "K": ("client_ids", "Client order ids"),
    "C": ("cancelling", "Cancelling"),
    "R": ("reading", "Reading orders"),
    "P": ("positions", "Positions and closing"),
    "V": ("values", "Values"),
    "T": ("threads", "Threads and process"),
    "Z": ("secrets", "Secrets"),
    "W": ("write_faults", "Writes when something goes wrong"),
    "X": ("cancel_faults", "Cancels and closes when something goes wrong"),
    "F": ("read_faults", "Reads when something goes wrong"),
    "H": ("session_faults", "Health and session when something goes wrong"),
    "LK": ("cap_lookup", "Order lookup by client id"),
    "FI": ("cap_fills", "Fills"),
    "AS": ("cap_account_summary", "Account summary"),
    "MG": ("cap_margin", "Margin"),
    "MO": ("cap_modification", "Order modification"),
    "PV": ("cap_preview", "Order preview"),
    "QU": ("cap_quotes", "Quotes"),
    "TR": ("cap_trades", "Trades"),
    "CA": ("cap_candles", "Candles"),
    "OC": ("cap_options", "Option chains"),
    "SY": ("cap_search", "Symbol search"),
    "MS": ("cap_market_status", "Market status"),
    "HO": ("cap_holdings", "Holdings and buckets"),
    "AC": ("cap_accounts", "Several accounts"),
    "LO": ("cap_login", "Login"),
    "QS": ("cap_quote_stream", "Quote stream"),
    "OS": ("cap_order_stream", "Order stream"),
    "FE": ("cap_fees", "Fees"),
    "OO": ("cap_oco", "One cancels the other"),
    "BR": ("cap_bracket", "Brackets"),
    "TS": ("cap_trailing", "Trailing stops"),
    "OF": ("cap_order_features", "Other features of orders"),
}
"""The groups, in the order of the table."""

_registered: dict[str, Card] = {}


def group_of(card_id: str) -> str:
    """Return the letters of a card's group.

    Raises:
        ValueError: it is no card id.
    """
    found = _ID.fullmatch(card_id)
    if found is None or found["group"] not in GROUPS:
        raise ValueError(f"{card_id!r} is no card id; it looks like BC-O010")
    return found["group"]


def card(
    card_id: str,
    sentence: str,
    section: Section,
    *,
    capabilities: Iterable[Capability] = (),
    faults: Iterable[Fault] = (),
    needs_venue: bool = False,
    connected: bool = True,
    replayable: bool = True,
    catalogue: Iterable[str] = (),
) -> Callable[[Check], Check]:
    """Make a function the check of a card; the arguments are the fields of `Card`.

    Raises:
        ValueError: the id is taken, or the check does not say how it looks.
    """

    def register(check: Check) -> Check:
        committed = frozenset(faults)
        made = Card(
            id=card_id,
            sentence=sentence,
            section=section,
            check=check,
            capabilities=frozenset(capabilities),
            faults=committed,
            needs_venue=needs_venue or bool(committed),
            connected=connected,
            replayable=replayable,
            catalogue=tuple(catalogue),
        )
        expected = f"bot_v2.testing.checks.{GROUPS[made.group][0]}"
        if check.__module__ != expected:
            raise ValueError(f"{card_id} belongs in {expected}")
        if card_id in _registered or not made.method:
            raise ValueError(f"{card_id} is taken, or its check has no docstring")
        _registered[card_id] = made
        return check

    return register


@cache
def all_cards() -> Mapping[str, Card]:
    """Return every card by its id, in the order of the table."""
    for module, _ in GROUPS.values():
        import_module(f"bot_v2.testing.checks.{module}")
    order = list(GROUPS)
    ids = sorted(_registered, key=lambda card_id: (order.index(group_of(card_id)), card_id))
    return {card_id: _registered[card_id] for card_id in ids}


def chosen_cards(only: Iterable[str] | None = None) -> list[Card]:
    """Return some cards in the order of the table; None: all of them.

    Raises:
        ValueError: an id is unknown.
    """
    cards = all_cards()
    wanted = set(cards) if only is None else set(only)
    unknown = sorted(wanted - set(cards))
    if unknown:
        raise ValueError(f"there is no card {', '.join(unknown)}")
    return [one for one in cards.values() if one.id in wanted]


def check_exemptions(exemptions: Mapping[str, str]) -> None:
    """Refuse an exemption without a card or without a reason.

    Raises:
        ValueError: names the exemption.
    """
    for card_id, reason in exemptions.items():
        if card_id not in all_cards():
            raise ValueError(f"the exemption {card_id!r} names no card")
        if not str(reason or "").strip():
            raise ValueError(f"the exemption {card_id} gives no reason")
