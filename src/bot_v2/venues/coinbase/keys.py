"""API keys that exist on this machine alone; the same seed gives the same keys."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from bot_v2.venues.ids import seeded_bytes, seeded_uuid

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

VIEW: Final = "view"
TRADE: Final = "trade"
TRANSFER: Final = "transfer"

# The order of the curve P-256 (SEC 2, 2.4.2): a private key is a number from 1 to one below it.
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@attrs.frozen(kw_only=True)
class ApiKey:
    """A key of the Coinbase Developer Platform."""

    name: str
    """What clients call the API key."""
    secret: str = attrs.field(repr=False)
    """What clients call the API secret: a PEM (ECDSA), or base64 (Ed25519)."""
    public_key: PublicKey = attrs.field(repr=False)
    """What signatures are checked with."""
    scopes: frozenset[str] = frozenset({VIEW, TRADE})
    """What it may do."""


@attrs.frozen(kw_only=True)
class ExchangeKey:
    """A key of the Exchange API."""

    key: str
    """The API key."""
    secret: str = attrs.field(repr=False)
    """The API secret, in base64."""
    passphrase: str = attrs.field(repr=False)
    """What was chosen when the key was made."""


def ecdsa_key(seed: int, label: str = "ecdsa", scopes: Iterable[str] = (VIEW, TRADE)) -> ApiKey:
    """Return a key that signs with ES256."""
    number = int.from_bytes(seeded_bytes(seed, label) + seeded_bytes(seed, label, "more"), "big")
    private = ec.derive_private_key(number % (_P256_ORDER - 1) + 1, ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return ApiKey(
        name=_name(seed, label),
        secret=pem.decode("ascii"),
        public_key=private.public_key(),
        scopes=frozenset(scopes),
    )


def ed25519_key(seed: int, label: str = "ed25519", scopes: Iterable[str] = (VIEW, TRADE)) -> ApiKey:
    """Return a key that signs with Ed25519; its secret is the seed and the public key in base64."""
    raw = seeded_bytes(seed, label)
    private = ed25519.Ed25519PrivateKey.from_private_bytes(raw)
    public = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    return ApiKey(
        name=_name(seed, label),
        secret=base64.b64encode(raw + public).decode("ascii"),
        public_key=private.public_key(),
        scopes=frozenset(scopes),
    )


def exchange_key(seed: int) -> ExchangeKey:
    """Return a key of the Exchange API."""
    secret = seeded_bytes(seed, "exchange a") + seeded_bytes(seed, "exchange b")
    return ExchangeKey(
        key=seeded_bytes(seed, "exchange key").hex(),
        secret=base64.b64encode(secret).decode(),
        passphrase=seeded_bytes(seed, "passphrase").hex()[:10],
    )


def _name(seed: int, label: str) -> str:
    organization = seeded_uuid(seed, "organization")
    return f"organizations/{organization}/apiKeys/{seeded_uuid(seed, 'key', label)}"
