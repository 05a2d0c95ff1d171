"""Watchlists of the Trading API.

Source: https://docs.alpaca.markets/reference/getwatchlists-1 and the pages beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from bot_v2.shared.types import IdSource
from bot_v2.venues.alpaca.catalogue import Catalogue
from bot_v2.venues.alpaca.dialect import NOT_FOUND, bad_parameter, refused, unprocessable
from bot_v2.venues.alpaca.listings import Listing
from bot_v2.venues.alpaca.texts import moment_text
from bot_v2.venues.requests import ApiAnswer, ApiRequest, Record
from bot_v2.venues.state import VenueState

NAME_MAX: Final = 64
NO_CONTENT: Final = ApiAnswer(204, "")


@attrs.define(kw_only=True)
class _Watchlist:
    id: str
    name: str
    listings: list[Listing]
    created_at: datetime
    updated_at: datetime


class WatchlistsApi:
    """Watchlists.

    Args:
        state: the venue.
        catalogue: what is listed.
        asset: writes an asset.
        account_id: whose they are.
        ids: makes their ids.
    """

    def __init__(
        self,
        state: VenueState,
        catalogue: Catalogue,
        asset: Callable[[Listing], Record],
        account_id: str,
        ids: IdSource,
    ) -> None:
        """Start with none."""
        self._state = state
        self._catalogue = catalogue
        self._asset = asset
        self._account_id = account_id
        self._ids = ids
        self._lists: dict[str, _Watchlist] = {}

    def list_all(self, request: ApiRequest) -> list[Record]:  # noqa: ARG002 - there is nothing to ask
        """List them, without their assets."""
        return [self._write(one, with_assets=False) for one in self._lists.values()]

    def create(self, request: ApiRequest) -> Record:
        """Make one."""
        body = request.body()
        name = self._name(body, None)
        now = self._state.clock()
        made = _Watchlist(
            id=self._ids(),
            name=name,
            listings=self._listings(body),
            created_at=now,
            updated_at=now,
        )
        self._lists[made.id] = made
        return self._write(made)

    def get(self, request: ApiRequest) -> Record:
        """Get one, by its id or its name."""
        return self._write(self._find(request))

    def update(self, request: ApiRequest) -> Record:
        """Change its name, its assets, or both."""
        body, found = request.body(), self._find(request)
        if body.get("name") is not None:
            found.name = self._name(body, found)
        if body.get("symbols") is not None:
            found.listings = self._listings(body)
        return self._changed(found)

    def add(self, request: ApiRequest) -> Record:
        """Add an asset to it."""
        found = self._find(request)
        added = self._listing(request.body().get("symbol"))
        if added in found.listings:
            raise unprocessable("duplicate symbol")
        found.listings.append(added)
        return self._changed(found)

    def remove(self, request: ApiRequest) -> Record:
        """Take an asset out of it."""
        found = self._find(request)
        taken = self._catalogue.find(request.arguments["symbol"])
        if taken not in found.listings:
            raise refused(404, NOT_FOUND, "asset not found in watchlist")
        found.listings = [one for one in found.listings if one is not taken]
        return self._changed(found)

    def delete(self, request: ApiRequest) -> ApiAnswer:
        """Throw it away."""
        del self._lists[self._find(request).id]
        return NO_CONTENT

    def _find(self, request: ApiRequest) -> _Watchlist:
        wanted, name = request.arguments.get("watchlist_id"), request.value("name")
        for one in self._lists.values():
            if wanted == one.id or (wanted is None and name == one.name):
                return one
        raise refused(404, NOT_FOUND, f"watchlist not found: {wanted or name}")

    def _name(self, body: Mapping[str, Any], mine: _Watchlist | None) -> str:
        name = body.get("name")
        if not isinstance(name, str) or not name:
            raise bad_parameter("watchlist name is required")
        if len(name) > NAME_MAX:
            raise bad_parameter(f"watchlist name must be no more than {NAME_MAX} characters")
        if any(one.name == name and one is not mine for one in self._lists.values()):
            raise bad_parameter("watchlist name must be unique")
        return name

    def _listings(self, body: Mapping[str, Any]) -> list[Listing]:
        given = body.get("symbols") or []
        if not isinstance(given, list):
            raise bad_parameter("invalid symbols")
        return list(dict.fromkeys(self._listing(one) for one in given))

    def _listing(self, symbol: object) -> Listing:
        found = self._catalogue.find(str(symbol))
        if found is None or found.is_option:
            raise unprocessable(f'asset "{symbol}" not found')
        return found

    def _changed(self, found: _Watchlist) -> Record:
        found.updated_at = self._state.clock()
        return self._write(found)

    def _write(self, found: _Watchlist, *, with_assets: bool = True) -> Record:
        said: Record = {
            "id": found.id,
            "account_id": self._account_id,
            "created_at": moment_text(found.created_at, self._state.skew),
            "updated_at": moment_text(found.updated_at, self._state.skew),
            "name": found.name,
        }
        if with_assets:
            said["assets"] = [self._asset(one) for one in found.listings]
        return said
