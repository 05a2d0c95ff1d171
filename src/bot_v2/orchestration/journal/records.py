"""What the journal holds: intents, the entries that follow them, and the state they add up to."""

from __future__ import annotations

import hashlib
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import attrs

from bot_v2.features.brokerages.core.errors import BrokerageError, OrderOutcomeUnknownError
from bot_v2.features.brokerages.core.order_changes import OrderModification
from bot_v2.features.brokerages.core.order_reports import order_after_report
from bot_v2.features.brokerages.core.order_request import OrderRequest
from bot_v2.features.brokerages.core.orders import Order
from bot_v2.orchestration.journal.watch_records import NOTHING_SEEN, WatchRecord


class IntentKind(StrEnum):
    """What an intent would do at the broker."""

    PLACE = "place"
    """Place an order."""
    CANCEL = "cancel"
    """Cancel an order."""
    MODIFY = "modify"
    """Change an order."""
    ADOPT = "adopt"
    """Nothing: an order that was not placed through this journal is followed from now on."""
    WATCH = "watch"
    """Nothing: an entry and its exits, or a pair of exits, are watched until all have ended."""


class Phase(StrEnum):
    """What is known of an intent."""

    OPEN = "open"
    """Journalled, and perhaps sent; nothing was heard."""
    UNKNOWN = "unknown"
    """Sent, with an outcome that is being looked for."""
    QUARANTINED = "quarantined"
    """Sent, and what was found does not tell: a person is asked. Evidence still settles it."""
    TAKEN = "taken"
    """The broker has it."""
    ENDED = "ended"
    """The order has ended, or the cancel or change is done."""
    REJECTED = "rejected"
    """The broker refused it."""
    NOT_SENT = "not_sent"
    """Nothing left this process."""
    ABSENT = "absent"
    """Sent, and proven to have had no effect."""


FINAL_PHASES: Final = frozenset({Phase.ENDED, Phase.REJECTED, Phase.NOT_SENT, Phase.ABSENT})
"""What is in one of these is settled."""

UNSETTLED_PHASES: Final = frozenset({Phase.OPEN, Phase.UNKNOWN, Phase.QUARANTINED})
"""Of what is in one of these nobody knows whether it took effect."""


@attrs.frozen(kw_only=True)
class Baseline:
    """What the account showed of a product just before an order that the broker cannot tag."""

    filled_by_order: dict[str, Decimal]
    """The orders of the product that there were, with the filled quantity of each."""
    position: Decimal | None
    """The signed position in order units. None: the broker does not say."""


@attrs.frozen(kw_only=True)
class Intent:
    """Something that is about to be sent; durable before its first byte leaves."""

    intent_id: str
    """Unique in the journal."""
    kind: IntentKind
    """What it would do."""
    broker: str
    """The brokerage's name."""
    account_id: str
    """The account that it is for."""
    client_order_id: str
    """The caller's id of the order concerned."""
    created_at: datetime
    """When it was journalled; nothing was sent before."""
    symbol: str | None = None
    """The canonical symbol. None: a cancel or a change, which names its order."""
    request: OrderRequest | None = None
    """What is to be placed, with its client id. None: another kind, or pruned."""
    asked: OrderRequest | None = None
    """What the caller asked for, where the limits added to it. None: just what is to be placed."""
    order_id: str | None = None
    """The order to be cancelled, changed or adopted. None: it is a placement."""
    modification: OrderModification | None = None
    """How the order is to change. None: another kind."""
    baseline: Baseline | None = None
    """What there was before. None: the client id tells the order from others."""
    arrival_price: Decimal | None = None
    """The market's price when the bot decided, in quote currency. None: not said."""
    belongs_to: str | None = None
    """Of a watch: the intent of its entry; of an exit: its watch. None: it stands alone."""

    @property
    def ident(self) -> str:
        """What a person calls it within its account; a placement by its client order id."""
        return self.intent_id.removeprefix(f"{self.broker}/{self.account_id}/")

    @property
    def digest(self) -> str:
        """What tells this content from another under the same id."""
        content = repr((self.kind.value, self.request, self.order_id, self.modification))
        return hashlib.sha256(content.encode()).hexdigest()


@attrs.frozen(kw_only=True)
class Entry:
    """What happened to an intent, in the order in which it was learnt."""

    phase: Phase
    """What is known from now on."""
    at: datetime
    """When it was learnt."""
    attempt: bool = False
    """True: a further send is about to leave."""
    order_id: str | None = None
    """The broker's id. None: this entry tells none."""
    order: Order | None = None
    """The order as it was seen. None: it was not."""
    error: BrokerageError | None = None
    """What went wrong. None: nothing did."""
    note: str = ""
    """Why, for a person: the evidence, the cause of a quarantine, the operator's reason."""
    watch: WatchRecord | None = None
    """What is known of a watch from now on. None: it is none, or nothing is new."""


@attrs.frozen(kw_only=True)
class IntentState:
    """An intent with all that its entries add up to."""

    intent: Intent
    """What was to be sent."""
    phase: Phase = Phase.OPEN
    """What is known of it."""
    attempts: int = 1
    """How many sends may have left."""
    order_id: str | None = None
    """The broker's id of the order as it lives on. None: not known."""
    order: Order | None = None
    """The order as of the latest news. None: it was never seen."""
    error: BrokerageError | None = None
    """What went wrong last. None: nothing did."""
    note: str = ""
    """The latest word on it, for a person."""
    changed_at: datetime | None = None
    """When something was last learnt. None: nothing was since it was journalled."""
    watch: WatchRecord = NOTHING_SEEN
    """What is known of a watch; empty: it is none."""

    @property
    def is_final(self) -> bool:
        """Whether nothing remains to be found out."""
        return self.phase in FINAL_PHASES

    @property
    def is_unsettled(self) -> bool:
        """Whether nobody knows if it took effect; a watch has no effect."""
        return self.phase in UNSETTLED_PHASES and self.intent.kind is not IntentKind.WATCH

    def after(self, entry: Entry) -> IntentState:
        """Return the state once an entry was added."""
        order = entry.order or self.order
        if entry.order is not None and self.order is not None:
            same = entry.order.order_id == self.order.order_id
            order = order_after_report(self.order, entry.order) if same else entry.order
        # Written out, as it is on the way of each order: attrs.evolve takes twice as long.
        return IntentState(
            intent=self.intent,
            phase=entry.phase,
            attempts=self.attempts + entry.attempt,
            order_id=entry.order_id or self.order_id,
            order=order,
            error=entry.error if entry.error is not None else self.error_after(entry),
            note=entry.note or self.note,
            changed_at=entry.at,
            watch=entry.watch or self.watch,
        )

    def error_after(self, entry: Entry) -> BrokerageError | None:
        """An error holds until the broker is known to have the order."""
        return None if entry.phase in (Phase.TAKEN, Phase.ENDED) else self.error


class OrderJournalError(BrokerageError):
    """The journal cannot be read or written: nothing is sent without it."""


class JournalOwnershipError(OrderJournalError):
    """Another process has taken the intent over: it is not ours to act on any more."""


def unknown_error(state: IntentState, message: str) -> OrderOutcomeUnknownError:
    """Return the error that says that nobody knows, with all that helps to find out."""
    intent = state.intent
    return OrderOutcomeUnknownError(
        message,
        broker=intent.broker,
        account_id=intent.account_id,
        client_order_id=intent.client_order_id,
        order_id=state.order_id or intent.order_id,
        symbol=intent.symbol,
    )
