"""What a connection was told of orders and executions. Wants to be used in its loop."""

from __future__ import annotations

from bot_v2.features.brokerages.ibkr.execution_mapping import series_of
from bot_v2.features.brokerages.ibkr.wire import CommissionRow, ExecutionRow, OrderRow, StatusRow


class OrderMemory:
    """Orders, their statuses and executions, as last told on one connection.

    It is no answer to what orders there are, which is read: it ties the numbers of this connection
    to permanent ids, and keeps what comes in several messages.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.rows: dict[int, OrderRow] = {}
        """The orders, by permanent id."""
        self.statuses: dict[int, StatusRow] = {}
        """Their statuses, by permanent id."""
        self.executions: dict[str, ExecutionRow] = {}
        """The executions, by id, in the order in which they were told first."""
        self.commissions: dict[str, CommissionRow] = {}
        """What executions cost, by their id: it may be told before the execution."""
        self._perm_ids: dict[tuple[int, int], int] = {}
        self._by_order: dict[int, dict[str, ExecutionRow]] = {}
        self._series: dict[str, list[str]] = {}

    def take_order(self, row: OrderRow) -> None:
        """Take in an order that lives, or just ended."""
        if row.perm_id:
            self.rows[row.perm_id] = row
            if row.order_id:
                self._perm_ids[(row.client_id, row.order_id)] = row.perm_id

    def take_status(self, row: StatusRow) -> None:
        """Take in a status."""
        if row.perm_id:
            self.statuses[row.perm_id] = row

    def take_execution(self, row: ExecutionRow) -> bool:
        """Take in an execution; return whether it is new."""
        is_new = row.exec_id not in self.executions
        if is_new:
            self._series.setdefault(series_of(row.exec_id)[0], []).append(row.exec_id)
        self.executions[row.exec_id] = row
        self._by_order.setdefault(row.perm_id, {})[row.exec_id] = row
        return is_new

    def take_commission(self, row: CommissionRow) -> None:
        """Take in what an execution cost."""
        self.commissions[row.exec_id] = row

    def perm_id_of(self, client_id: int, order_id: int) -> int:
        """Return the permanent id of an order of this connection; 0: not known."""
        return self._perm_ids.get((client_id, order_id), 0)

    def parent_of(self, row: OrderRow) -> int:
        """Return the permanent id of the order that one waits for; 0: of none, or not known."""
        if row.parent_perm_id:
            return row.parent_perm_id
        if not row.parent_id:
            return 0
        known = self.perm_id_of(row.client_id, row.parent_id)
        # The orders that wait for one are a group, which is called by its permanent id.
        return known or (int(row.oca_group) if row.oca_group.isdecimal() else 0)

    def executions_of(self, perm_id: int) -> list[ExecutionRow]:
        """Return what is known of an order's executions; of corrected ones, the latest."""
        latest: dict[str, ExecutionRow] = {}
        for row in self._by_order.get(perm_id, {}).values():
            base, place = series_of(row.exec_id)
            before = latest.get(base)
            if before is None or series_of(before.exec_id)[1] <= place:
                latest[base] = row
        return list(latest.values())

    def corrected_by(self, exec_id: str) -> str | None:
        """Return the execution that another takes the place of. None: it is no correction."""
        base, place = series_of(exec_id)
        earlier = [one for one in self._series.get(base, ()) if series_of(one)[1] < place]
        return max(earlier, key=lambda one: series_of(one)[1], default=None)
