"""What a tape must not tell: accounts, and the ids by which the broker knows orders and trades.

Each is replaced by another of its form, always the same, so that what belongs together still does.
"""

from __future__ import annotations

import re
from typing import Final

from bot_v2.venues.tws.schema import UNSET_LONG, Message, Row

_ACCOUNTS: Final = frozenset({"account", "accounts", "acctCode", "clearingAccount"})
_PERM_IDS: Final = frozenset({"permId", "parentPermId"})
_NUMBERS: Final = frozenset(
    {
        *("conId", "reqId", "orderId", "parentId", "clientId", "orderRef"),
        *("lmtPrice", "auxPrice", "price", "size", "value", "strike", "shares", "cumQty"),
        *("position", "operation", "tickType", "time", "date"),
    }
)
"""Fields whose digits are what they say, whatever permanent id they may look like."""

_CODE = re.compile(r"[A-Z]{1,3}[0-9]{4,10}[A-Z]?", re.ASCII)
FIRST_PERM_ID: Final = 900_000_001


class Redactor:
    """Replaces what a tape must not tell."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._accounts: dict[str, str] = {}
        self._perm_ids: dict[str, str] = {}
        self._exec_ids: dict[str, str] = {}

    def learn(self, message: Message) -> None:
        """Take in what a message tells that must not be told, wherever else it stands."""
        self._learn(message.values)

    def clean(self, message: Message) -> Message:
        """Return a message without what it must not tell, as far as it was learned."""
        return Message(message.name, self._row(message.values))

    def _learn(self, row: Row) -> None:
        for name, value in row.items():
            if not isinstance(value, str):
                for inner in value:
                    self._learn(inner)
            elif name in _ACCOUNTS:
                for code in value.split(","):
                    if _CODE.fullmatch(code):
                        made = f"DU{len(self._accounts) + 1:07d}"
                        self._accounts.setdefault(code, made)
            elif name in _PERM_IDS and value not in ("", "0", UNSET_LONG):
                made = str(FIRST_PERM_ID + len(self._perm_ids))
                self._perm_ids.setdefault(value, made)
            elif name == "execId" and value:
                made = f"{len(self._exec_ids) + 1:08x}"
                self._exec_ids.setdefault(_base(value), made)

    def _row(self, row: Row) -> Row:
        cleaned: Row = {}
        for name, value in row.items():
            if not isinstance(value, str):
                cleaned[name] = [self._row(inner) for inner in value]
            else:
                cleaned[name] = self._text(name, value)
        return cleaned

    def _text(self, name: str, text: str) -> str:
        if name == "execId" and text:
            base = _base(text)
            return self._exec_ids[base] + text[len(base) :]
        if name in _PERM_IDS:
            return self._perm_ids.get(text, text)
        for code, made in self._accounts.items():
            text = text.replace(code, made)
        if name not in _NUMBERS and any(digit.isdigit() for digit in text):
            text = re.sub(r"\d{6,}", lambda found: self._perm_ids.get(found[0], found[0]), text)
        return text


def _base(exec_id: str) -> str:
    """Return the part of an execution's id that names the trade; corrections share it."""
    parts = exec_id.split(".")
    return ".".join(parts[:-2]) if len(parts) > 2 else exec_id
