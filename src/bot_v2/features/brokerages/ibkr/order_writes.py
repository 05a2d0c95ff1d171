"""What was sent about an order, and which of TWS's words answer it.

TWS answers an order with nothing but what it says of it from then on: the order, its status, and
errors that may be refusals, warnings or news. Wants to be used in the loop of the connection.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final

from bot_v2.features.brokerages.ibkr.error_table import Sense, row_of
from bot_v2.features.brokerages.ibkr.errors import NativeError
from bot_v2.features.brokerages.ibkr.order_mapping import has_terms
from bot_v2.features.brokerages.ibkr.wire import ErrorRow, MarginRow, OrderRow, StatusRow

UNACKNOWLEDGED: Final = frozenset({"", "ApiPending", "PendingSubmit"})
"""The statuses of an order that TWS has, and the broker has not confirmed."""

CANCELLED: Final = frozenset({"PendingCancel", "Cancelled", "ApiCancelled"})
FILLED: Final = "Filled"
INACTIVE: Final = "Inactive"


class Write(ABC):
    """Something that was sent about one order.

    Args:
        order_id: the number by which TWS answers, on this connection.
    """

    def __init__(self, order_id: int) -> None:
        """Wait for the answer."""
        self.order_id = order_id
        """The number by which TWS answers."""
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Is there once the answer is: True, or False where there was nothing to be done."""
        self.notes: list[ErrorRow] = []
        """What was said that is no answer: warnings, and codes that no table knows."""
        self.row: OrderRow | None = None
        """The order as it was last told. None: it was not."""
        self.status: StatusRow | None = None
        """Its status as it was last told. None: it was not."""
        self._answer: bool | None = None

    def on_order(self, row: OrderRow, margin: MarginRow | None) -> None:
        """Take in the order."""
        if margin is None:
            self.row = row
            self._look(row.status, row.perm_id)

    def on_status(self, row: StatusRow) -> None:
        """Take in its status."""
        self.status = row
        self._look(row.status, row.perm_id)

    def on_error(self, error: ErrorRow) -> None:
        """Take in an error."""
        row = row_of(error.code)
        sense = None if row is None else row.sense
        if sense is Sense.REFUSAL or sense is Sense.FAILURE:
            self.fail(NativeError(error.code, error.text))
        elif not self._is_answer(sense):
            self.notes.append(error)

    def on_chunk(self) -> None:
        """Take in that all that came at once has been told: what it comes to is the answer."""
        if self._answer is not None and not self.done.done():
            self.done.set_result(self._answer)

    def fail(self, error: Exception) -> None:
        """Take in that there will be no answer, or a bad one; a good one that was told stays."""
        if self._answer is not None:
            self.on_chunk()
        elif not self.done.done():
            self.done.set_exception(error)
            # Who waits may be gone: then nobody will ask for the error.
            self.done.exception()

    @property
    def perm_id(self) -> int:
        """The order's permanent id; 0: it was not told."""
        told = self.row.perm_id if self.row is not None else 0
        return told or (self.status.perm_id if self.status is not None else 0)

    def _settle(self, answer: bool) -> None:
        self._answer = answer if self._answer is None else self._answer

    def _is_answer(self, sense: Sense | None) -> bool:  # noqa: ARG002 - for those that override it
        """Return whether an error of a sense that is neither refusal nor failure answers."""
        return False

    @abstractmethod
    def _look(self, native: str, perm_id: int) -> None:
        """See whether a status answers."""


class Placement(Write):
    """A new order."""

    def _look(self, native: str, perm_id: int) -> None:
        if perm_id and native not in UNACKNOWLEDGED:
            self._settle(True)

    def _is_answer(self, sense: Sense | None) -> bool:
        # That it was cancelled at once, and was an order then, its status says.
        return sense is Sense.CANCELLED


class Change(Write):
    """New terms of an order."""

    def __init__(self, order_id: int, wanted: Mapping[str, object]) -> None:
        """Wait for an order with these terms."""
        super().__init__(order_id)
        self._wanted = wanted

    def on_order(self, row: OrderRow, margin: MarginRow | None) -> None:
        """Take in the order, which may still be told as it was."""
        if margin is None and has_terms(row, self._wanted):
            self.row = row
            self._settle(True)

    def _look(self, native: str, perm_id: int) -> None:
        """A status says nothing of the terms."""


class Cancel(Write):
    """A cancel."""

    def _look(self, native: str, perm_id: int) -> None:  # noqa: ARG002 - of a new order it is looked at
        if native in CANCELLED:
            self._settle(True)
        elif native == FILLED:
            self._settle(False)

    def on_error(self, error: ErrorRow) -> None:
        """Take in an error: some say that there is nothing to cancel."""
        row = row_of(error.code)
        if row is not None and row.sense is Sense.NOT_CANCELLED:
            self.fail(NativeError(error.code, error.text))
        else:
            super().on_error(error)

    def _is_answer(self, sense: Sense | None) -> bool:
        if sense is Sense.CANCELLED:
            self._settle(True)
        return sense is Sense.CANCELLED


class Trial(Write):
    """An order that is not to be placed: what it would do is asked."""

    margin: MarginRow | None = None
    """What it would do. None: not told yet."""

    def on_order(self, row: OrderRow, margin: MarginRow | None) -> None:  # noqa: ARG002 - no order
        """Take in what it would do."""
        if margin is not None and margin.initial_after:
            self.margin = margin
            self._settle(True)

    def _look(self, native: str, perm_id: int) -> None:
        """There is no order that could have a status."""
