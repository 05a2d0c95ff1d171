"""Pages of the Exchange API: by the numbers of items, in the headers CB-BEFORE and CB-AFTER.

Source: https://docs.cdp.coinbase.com/exchange/rest-api/pagination
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from bot_v2.venues.coinbase.exchange_dialect import refused
from bot_v2.venues.requests import ApiRequest

_T = TypeVar("_T")

LIMIT: Final = 1000


def page_of(
    items: Sequence[_T], number: Callable[[_T], int], request: ApiRequest, page_max: int
) -> tuple[list[_T], dict[str, str]]:
    """Return the items of the page that is asked for, and the headers that lead on from it.

    Args:
        items: all of them, newest first.
        number: the number of each; newer ones have higher ones.
        request: `before` asks for newer items, `after` for older ones.
        page_max: how many a page has at most.
    """
    before, after = _number(request, "before"), _number(request, "after")
    limit = min(_number(request, "limit") or LIMIT, LIMIT, page_max)
    kept = [
        item
        for item in items
        if (before is None or number(item) > before) and (after is None or number(item) < after)
    ]
    # The page before a cursor is the one nearest to it.
    page = kept[-limit:] if before is not None and after is None else kept[:limit]
    if not page:
        return [], {}
    headers = {"cb-before": str(number(page[0]))}
    if number(page[-1]) != number(items[-1]):
        headers["cb-after"] = str(number(page[-1]))
    return page, headers


def _number(request: ApiRequest, name: str) -> int | None:
    text = request.value(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise refused(400, f"invalid {name}")
    return int(text)
