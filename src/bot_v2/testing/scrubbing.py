"""Taking secrets out of recorded traffic, before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import attrs

from bot_v2.features.brokerages.http.redaction import BLANK, SURE_WORDS, blank_fields

SECRET_HEADERS: Final = frozenset(
    {"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"}
)
"""The headers that are blanked whatever else is said, in small letters."""


@attrs.frozen(kw_only=True)
class Scrubber:
    """Takes secrets out of traffic.

    What is known is looked for everywhere; what is not is recognised by the name of its field, if
    the name leaves no doubt: a replay needs the rest as it was.
    Nothing is parsed and printed again: a number keeps its digits.
    """

    secrets: tuple[str, ...] = ()
    """The credentials in use, and the account numbers."""
    headers: frozenset[str] = SECRET_HEADERS
    """The headers to blank, in small letters."""
    fields: frozenset[str] = frozenset()
    """More fields of queries and bodies to blank, in small letters."""

    def is_secret(self, name: str) -> bool:
        """Return whether a field of that name carries a secret."""
        small = name.lower()
        return small in self.fields or any(word in small for word in SURE_WORDS)

    def text(self, text: str) -> str:
        """Return a text without the known secrets."""
        for secret in sorted((one for one in self.secrets if one), key=len, reverse=True):
            text = text.replace(secret, BLANK)
        return text

    def uri(self, uri: str) -> str:
        """Return an address with the secret fields of its query blanked."""
        parts = urlsplit(uri)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        kept = [(name, BLANK if self.is_secret(name) else value) for name, value in pairs]
        query = urlencode(kept, safe="*") if kept != pairs else parts.query
        return self.text(urlunsplit(parts._replace(query=query)))

    def body(self, body: bytes | str | None) -> bytes | str | None:
        """Return a body with the secret fields of JSON or of a form blanked.

        A body that is no text cannot be searched, and is blanked as a whole.
        """
        if not body:
            return body
        if isinstance(body, str):
            return self._body_text(body)
        try:
            return self._body_text(body.decode()).encode()
        except UnicodeDecodeError:
            return BLANK.encode()

    def header_values(self, headers: Mapping[str, Any]) -> dict[str, Any]:
        """Return headers with the secret ones blanked; a value may be a text or a list of them."""
        return {name: self._header(name, value) for name, value in headers.items()}

    def _header(self, name: str, value: Any) -> Any:
        values = value if isinstance(value, list) else [value]
        hidden = name.lower() in self.headers or self.is_secret(name)
        kept = [BLANK if hidden else self.text(str(one)) for one in values]
        return kept if isinstance(value, list) else kept[0]

    def _body_text(self, text: str) -> str:
        return self.text(blank_fields(text, self.is_secret))
