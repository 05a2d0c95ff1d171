"""How brokers and settings are called, and which names say that a value is secret."""

from __future__ import annotations

import re
from typing import Final

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a broker may be called."""

_SECRET = re.compile(r"secret|token|password|passphrase|private|api_?key|(^|_)pin$|mpin|totp", re.I)


def is_secret_name(name: str) -> bool:
    """Whether a setting is called like a secret: its value is then wrapped, and never shown."""
    return bool(_SECRET.search(name))
