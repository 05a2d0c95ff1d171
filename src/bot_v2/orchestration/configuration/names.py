"""How brokers and settings are called, and which names say that a value is secret."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a broker may be called."""

# By how a name ends: `token_url` is where a token comes from, and no secret.
_SECRET = re.compile(r"(?:secret|token|password|passphrase|key|totp|(?:^|_)m?pin)$", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a setting is called like a secret: its value is then wrapped, and never shown."""
    return bool(_SECRET.search(name))
