"""The JWT of Advanced Trade: whose it is, whether it is genuine, fresh, and for this request.

Sources: https://docs.cdp.coinbase.com/get-started/authentication/jwt-authentication (claims sub,
iss, nbf, exp, uri or uris; header kid and nonce; two minutes at most), and the official client's
`coinbase.jwt_generator` (ES256 and EdDSA).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bot_v2.venues.coinbase.keys import ApiKey

ISSUERS: Final = frozenset({"cdp", "coinbase-cloud"})
HOSTS: Final = frozenset({"api.coinbase.com", "api-sandbox.coinbase.com"})
"""The hosts that a client signs for while it is pointed elsewhere."""

LIFETIME_MAX_S: Final = 120
LEEWAY_S: Final = 5
"""How far the clocks of both sides may differ."""

_COORDINATE: Final = 32
"""How many bytes each half of an ES256 signature has (RFC 7518, 3.4)."""


class BadTokenError(Exception):
    """A JWT that opens nothing, and why; the caller is told no more than that."""


class JwtCheck:
    """Checks JWTs against some keys.

    Args:
        keys: the keys that exist.
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        """Know the keys by their names."""
        self._keys = {key.name: key for key in keys}

    def check_request(
        self, authorization: str | None, method: str, host: str, path: str, now: datetime
    ) -> ApiKey:
        """Return the key that signed a request.

        Raises:
            BadTokenError: none that exists did, or not for this request, or not lately.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer" or not token:
            raise BadTokenError("there is no bearer token")
        key, claims = self._verify(token, now)
        allowed = {f"{method} {name}{path}" for name in (*HOSTS, host)}
        if not allowed.intersection(_uris(claims)):
            raise BadTokenError(f"the token is not for {method} {host}{path}")
        return key

    def check_stream(self, token: str, now: datetime) -> ApiKey:
        """Return the key that signed a subscription: its token names no request.

        Raises:
            BadTokenError: none that exists did, or not lately.
        """
        return self._verify(token, now)[0]

    def _verify(self, token: str, now: datetime) -> tuple[ApiKey, Mapping[str, Any]]:
        parts = token.split(".")
        if len(parts) != 3:
            raise BadTokenError("a JWT has three parts")
        header, claims, signature = _object(parts[0]), _object(parts[1]), _decoded(parts[2])
        key = self._keys.get(str(header.get("kid")))
        if key is None or claims.get("sub") != key.name:
            raise BadTokenError("no key has that name")
        _check_signature(key, str(header.get("alg")), token.rpartition(".")[0].encode(), signature)
        _check_claims(claims, now.timestamp())
        return key, claims


def _check_signature(key: ApiKey, algorithm: str, message: bytes, signature: bytes) -> None:
    public = key.public_key
    expected = "ES256" if isinstance(public, ec.EllipticCurvePublicKey) else "EdDSA"
    if algorithm != expected:
        raise BadTokenError(f"the key signs with {expected}, not with {algorithm}")
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            if len(signature) != 2 * _COORDINATE:
                raise BadTokenError("an ES256 signature has 64 bytes")
            r = int.from_bytes(signature[:_COORDINATE], "big")
            s = int.from_bytes(signature[_COORDINATE:], "big")
            public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        else:
            public.verify(signature, message)
    except InvalidSignature as error:
        raise BadTokenError("the signature is not the key's") from error


def _check_claims(claims: Mapping[str, Any], now_s: float) -> None:
    starts, ends = claims.get("nbf"), claims.get("exp")
    if not isinstance(starts, int) or not isinstance(ends, int):
        raise BadTokenError("nbf and exp are whole seconds")
    if claims.get("iss") not in ISSUERS:
        raise BadTokenError("the issuer is not known")
    if ends - starts > LIFETIME_MAX_S:
        raise BadTokenError(f"a token lives {LIFETIME_MAX_S} seconds at most")
    if starts > now_s + LEEWAY_S:
        raise BadTokenError("the token is not valid yet")
    if ends <= now_s - LEEWAY_S:
        raise BadTokenError("the token has expired")


def _uris(claims: Mapping[str, Any]) -> list[str]:
    """Return the requests that a token is for: one in `uri`, or several in `uris`."""
    several = claims.get("uris")
    said = several if isinstance(several, list) else [claims.get("uri")]
    # Some clients sign the address as they were given it, with the scheme.
    return [one.replace(" http://", " ", 1) for one in said if isinstance(one, str)]


def _object(part: str) -> Mapping[str, Any]:
    try:
        value: object = json.loads(_decoded(part))
    except ValueError as error:
        raise BadTokenError("a part of the token is no JSON") from error
    if not isinstance(value, dict):
        raise BadTokenError("a part of the token is no JSON object")
    return value


def _decoded(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (binascii.Error, ValueError) as error:
        raise BadTokenError("a part of the token is no base64url") from error
