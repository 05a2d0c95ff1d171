"""What `init` writes: settings that work as they are, and a sample of the environment."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from bot_v2.cli.broker_terms import TERMS
from bot_v2.orchestration.configuration.files import to_text
from bot_v2.orchestration.configuration.overrides import PAPER_VARIABLE
from bot_v2.orchestration.configuration.places import CONFIG_VARIABLE
from bot_v2.orchestration.credentials.opening import FILE_VARIABLE, STORES_VARIABLE
from bot_v2.orchestration.credentials.passphrase import PASSPHRASE_VARIABLE

SAMPLE_NAME: Final = ".env.sample"

SETTINGS: Final[dict[str, Any]] = {
    "default_broker": "paper",
    "brokers": {"paper": {"type": "paper", "paper_trading": True}},
    "risk": {
        "max_position_size": Decimal("0.10"),
        "max_order_value": Decimal("0.05"),
        "max_daily_loss": Decimal("0.02"),
    },
}
"""A simulated account, and modest limits over all brokers, as fractions of equity."""

_GENERAL: Final = (
    ("DEFAULT_BROKER=paper", "which broker is meant where none is named"),
    (f"{PAPER_VARIABLE}=true", "says of every broker whether it trades on paper"),
    (f"{CONFIG_VARIABLE}=", "where brokers.json is: the file, or its folder"),
    (f"{STORES_VARIABLE}=environment,keyring,file", "where credentials are looked for, in order"),
    (f"{FILE_VARIABLE}=", "where the encrypted file is"),
    (f"{PASSPHRASE_VARIABLE}=", "what opens it; better kept in the keyring, or typed"),
)


def settings_text() -> str:
    """Return the `brokers.json` that `init` writes."""
    return to_text(SETTINGS)


def sample_text() -> str:
    """Return the `.env.sample` that `init` writes."""
    lines = [
        "# Copy this to .env, take out the # where you want to say something, and run commands",
        "# with `bot-v2 --env-file .env …`. What the environment itself says comes first.",
        "# Keep .env for yourself (chmod 600) and out of version control. Credentials are better",
        "# kept by `bot-v2 credentials set NAME`.",
        "",
    ]
    lines += [f"# {meaning}\n# {line}" for line, meaning in _GENERAL]
    for kind, terms in TERMS.items():
        lines += ["", f"# {terms.note}"]
        lines += [f"# {kind.upper()}_{field.upper()}=" for field in terms.secrets]
        lines += [f"# {meaning}\n# {variable}=" for variable, meaning in terms.others]
    return "\n".join(lines) + "\n"
