"""Pages by cursor: the cursor names the last item told, so that newer items move nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bot_v2.venues.coinbase.refusals import invalid
from bot_v2.venues.requests import ApiRequest

_T = TypeVar("_T")


def page_of(
    items: Sequence[_T],
    key: Callable[[_T], str],
    request: ApiRequest,
    default: int,
    largest: int,
) -> tuple[list[_T], str]:
    """Return the items of the page that is asked for, and the cursor of the next; empty: none.

    Raises:
        RefusedError: `limit` or `cursor` is wrong.
    """
    limit = _limit(request, default, largest)
    cursor = request.value("cursor")
    start = 0
    if cursor is not None:
        keys = [key(item) for item in items]
        if cursor not in keys:
            raise invalid(f"invalid cursor {cursor}")
        start = keys.index(cursor) + 1
    page = list(items[start : start + limit])
    more = start + limit < len(items)
    return page, key(page[-1]) if more and page else ""


def _limit(request: ApiRequest, default: int, largest: int) -> int:
    text = request.value("limit")
    if text is None:
        return min(default, largest)
    if not text.isascii() or not text.isdigit():
        raise invalid(f"invalid limit {text}")
    return min(int(text) or default, largest)
