"""How requests are signed: a JWT for Advanced Trade, an HMAC for the Exchange API.

The keys are read once, when the signer is made: reading a private key costs more than a signature,
and a key that cannot be read is found out at construction, not at the first order.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol, TypeAlias

import attrs
import msgspec

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.shared.types import IdSource

TOKEN_LIFETIME_S: Final = 120
"""How long a token is good, in seconds; the broker takes no more."""

VERIFY_PATH: Final = "/users/self/verify"
"""What the Exchange API's streams have signed."""

_PRIVATE_KEY_ACCEPTED: Final = (
    "the private key of the API key: PEM of an EC key on P-256, or base64 of an Ed25519 key"
)

Sign: TypeAlias = Callable[[bytes], bytes]
"""Returns the signature of some bytes."""


@attrs.frozen(kw_only=True, repr=False)
class Unsigned:
    """A request that is to be signed."""

    method: str
    """In capitals."""
    host: str
    """With the port where it is not the usual one."""
    path: str
    """Without the query."""
    query: str
    """As it is sent, without the question mark. Empty: none."""
    body: bytes
    """As it is sent. Empty: none."""


class Signer(Protocol):
    """Returns the headers that show who asks."""

    def headers(self, request: Unsigned, now: datetime) -> Mapping[str, str]:
        """Return the headers of one request at the broker's time."""
        ...

    def subscription(self, now: datetime) -> Mapping[str, str]:
        """Return the fields of one message that subscribes to a stream, at the broker's time."""
        ...


class JwtSigner:
    """Signs a token for each request, with a key on P-256 (ES256) or Ed25519.

    Args:
        key_name: the name of the API key.
        private_key: its private key.
        make_nonce: makes a token's nonce. None: at random.

    Raises:
        InvalidFieldError: the private key cannot be read; the error does not show it.
        MissingDependencyError: the extra `coinbase` is not installed.
    """

    def __init__(
        self, key_name: Secret, private_key: Secret, make_nonce: IdSource | None = None
    ) -> None:
        """Read the key."""
        self._key_name = key_name
        self._make_nonce = make_nonce or secrets.token_hex
        self._algorithm, self._sign = _read_private_key(private_key.reveal())

    def headers(self, request: Unsigned, now: datetime) -> Mapping[str, str]:
        """Return the header with a token for one method and path."""
        uri = f"{request.method} {request.host}{request.path}"
        return {"Authorization": f"Bearer {self.token(uri, now)}"}

    def subscription(self, now: datetime) -> Mapping[str, str]:
        """Return a token that is for no method and no path."""
        return {"jwt": self.token(None, now)}

    def token(self, uri: str | None, now: datetime) -> str:
        """Return a token.

        Args:
            uri: what it is for, as `METHOD host/path`. None: a stream.
            now: the broker's time.
        """
        name, moment = self._key_name.reveal(), int(now.timestamp())
        header = {"alg": self._algorithm, "kid": name, "nonce": self._make_nonce(), "typ": "JWT"}
        claims: dict[str, object] = {
            "sub": name,
            "iss": "cdp",
            "nbf": moment,
            "exp": moment + TOKEN_LIFETIME_S,
        }
        if uri is not None:
            claims["uri"] = uri
        message = _part(msgspec.json.encode(header)) + b"." + _part(msgspec.json.encode(claims))
        return (message + b"." + _part(self._sign(message))).decode()


def _part(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def _read_private_key(text: str) -> tuple[str, Sign]:
    """Return the algorithm of a private key, and what signs with it."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise MissingDependencyError(
            "Coinbase needs the extra `coinbase`: pip install 'bot-v2[coinbase]'", extra="coinbase"
        ) from error
    # A key in an environment file often has its line ends written out.
    pem = text.replace("\\n", "\n").strip()
    try:
        if pem.startswith("-----BEGIN"):
            key = load_pem_private_key(pem.encode(), password=None)
        else:
            raw = base64.b64decode("".join(pem.split()), validate=True)
            if len(raw) not in (32, 64):
                raise ValueError("an Ed25519 key has 32 or 64 bytes")
            key = ed25519.Ed25519PrivateKey.from_private_bytes(raw[:32])
    except (ValueError, TypeError, binascii.Error):
        # Without a cause: what a parser says of a secret may quote it.
        raise _unreadable() from None
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "EdDSA", key.sign
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise _unreadable()
    private, method = key, ec.ECDSA(hashes.SHA256())

    def sign(message: bytes) -> bytes:
        r, s = utils.decode_dss_signature(private.sign(message, method))
        return r.to_bytes(32) + s.to_bytes(32)

    return "ES256", sign


def _unreadable() -> InvalidFieldError:
    return InvalidFieldError("COINBASE_CDP_PRIVATE_KEY", Secret(""), _PRIVATE_KEY_ACCEPTED)


class HmacSigner:
    """Signs requests to the Exchange API.

    Args:
        key: the key.
        secret: the secret, in base64.
        passphrase: the passphrase that the key was made with.

    Raises:
        InvalidFieldError: the secret is not base64; the error does not show it.
    """

    def __init__(self, key: Secret, secret: Secret, passphrase: Secret) -> None:
        """Read the secret."""
        self._key = key
        self._passphrase = passphrase
        try:
            self._secret = base64.b64decode(secret.reveal().strip(), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidFieldError(
                "COINBASE_API_SECRET", Secret(""), "the key's secret, in base64"
            ) from None

    def headers(self, request: Unsigned, now: datetime) -> Mapping[str, str]:
        """Return the headers with a signature of time, method, path, query and body."""
        stamp = f"{now.timestamp():.3f}"
        target = f"{request.path}?{request.query}" if request.query else request.path
        message = f"{stamp}{request.method}{target}".encode() + request.body
        return {
            "CB-ACCESS-KEY": self._key.reveal(),
            "CB-ACCESS-SIGN": self._sign(message),
            "CB-ACCESS-TIMESTAMP": stamp,
            "CB-ACCESS-PASSPHRASE": self._passphrase.reveal(),
        }

    def subscription(self, now: datetime) -> Mapping[str, str]:
        """Return the same as a message's fields: a signature as of a request that is not made."""
        stamp = f"{now.timestamp():.3f}"
        return {
            "key": self._key.reveal(),
            "signature": self._sign(f"{stamp}GET{VERIFY_PATH}".encode()),
            "timestamp": stamp,
            "passphrase": self._passphrase.reveal(),
        }

    def _sign(self, message: bytes) -> str:
        return base64.b64encode(hmac.digest(self._secret, message, hashlib.sha256)).decode()
