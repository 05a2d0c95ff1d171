"""Requests are signed as Coinbase reads them, with a key that is read once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bot_v2.features.brokerages.coinbase import signing
from bot_v2.features.brokerages.core.interfaces import InvalidFieldError, Secret
from tests.unit.coinbase.natives import ED25519, NOW

PEM = (
    ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    .decode()
)


def _request(query: str = "", body: bytes = b"") -> signing.Unsigned:
    return signing.Unsigned(
        method="POST", host="api.coinbase.com", path="/api/v3/brokerage/x", query=query, body=body
    )


def _parts(token: str) -> tuple[Any, Any, bytes, bytes]:
    head, claims, signature = token.split(".")
    decoded = [
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        for part in (head, claims, signature)
    ]
    return json.loads(decoded[0]), json.loads(decoded[1]), decoded[2], f"{head}.{claims}".encode()


def _verify_ec(message: bytes, signature: bytes) -> None:
    key = ec.derive_private_key(0xC0FFEE, ec.SECP256R1()).public_key()
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    assert len(signature) == 64
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def _verify_ed(message: bytes, signature: bytes) -> None:
    raw = base64.b64decode(ED25519)
    ed25519.Ed25519PrivateKey.from_private_bytes(raw).public_key().verify(signature, message)


@pytest.mark.parametrize(
    ("secret", "algorithm", "verify"),
    [
        (PEM, "ES256", _verify_ec),
        (PEM.replace("\n", "\\n"), "ES256", _verify_ec),
        (ED25519, "EdDSA", _verify_ed),
        (
            base64.b64encode(base64.b64decode(ED25519) + b"\0" * 32).decode() + "\n",
            "EdDSA",
            _verify_ed,
        ),
    ],
)
def test_a_token_is_for_one_request_and_two_minutes(
    secret: str, algorithm: str, verify: Callable[[bytes, bytes], None]
) -> None:
    """Its claims say whose it is, for what and when; its signature is the key's."""
    signer = signing.JwtSigner(Secret("key-name"), Secret(secret), lambda: "once")
    said = signer.headers(_request("a=1"), NOW)["Authorization"]
    head, claims, signature, message = _parts(said.removeprefix("Bearer "))
    assert head == {"alg": algorithm, "kid": "key-name", "nonce": "once", "typ": "JWT"}
    assert claims == {
        "sub": "key-name",
        "iss": "cdp",
        "nbf": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 120,
        "uri": "POST api.coinbase.com/api/v3/brokerage/x",
    }
    verify(message, signature)


def test_a_token_of_a_stream_names_no_request() -> None:
    """It has no uri."""
    _, claims, _, _ = _parts(signing.JwtSigner(Secret("k"), Secret(ED25519)).token(None, NOW))
    assert "uri" not in claims


def test_the_private_key_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading it again for each request would cost more than the signature."""
    signer = signing.JwtSigner(Secret("k"), Secret(PEM))

    def refuse(*_: object) -> None:
        raise AssertionError("the key is read again")

    monkeypatch.setattr(serialization, "load_pem_private_key", refuse)
    monkeypatch.setattr(signing, "_read_private_key", refuse)
    nonces = {
        _parts(signer.headers(_request(), NOW)["Authorization"][7:])[0]["nonce"] for _ in "abc"
    }
    assert len(nonces) == 3


RSA = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    .decode()
)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN EC PRIVATE KEY-----\nnot-a-key-at-all\n-----END EC PRIVATE KEY-----",
        "not base64 !",
        base64.b64encode(b"short").decode(),
        RSA,
        PEM[:100],
    ],
)
def test_a_key_that_cannot_be_read_is_named_and_not_shown(secret: str) -> None:
    """At construction, without the parser's words: they may quote it."""
    with pytest.raises(InvalidFieldError, match="COINBASE_CDP_PRIVATE_KEY") as caught:
        signing.JwtSigner(Secret("k"), Secret(secret))
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert secret.encode() not in pickle.dumps(str(caught.value))


def test_an_exchange_request_is_signed_with_everything_it_says() -> None:
    """Time, method, path, query and body are under the signature."""
    secret = base64.b64encode(b"the secret").decode()
    signer = signing.HmacSigner(Secret("k"), Secret(secret), Secret("p"))
    headers = signer.headers(_request("limit=1", b'{"a":1}'), NOW)
    stamp = headers["CB-ACCESS-TIMESTAMP"]
    assert float(stamp) == NOW.timestamp()
    message = f'{stamp}POST/api/v3/brokerage/x?limit=1{{"a":1}}'.encode()
    expected = base64.b64encode(hmac.new(b"the secret", message, hashlib.sha256).digest())
    assert headers["CB-ACCESS-SIGN"] == expected.decode()
    assert (headers["CB-ACCESS-KEY"], headers["CB-ACCESS-PASSPHRASE"]) == ("k", "p")


def test_an_exchange_secret_that_is_not_base64_is_named() -> None:
    """It is not shown."""
    with pytest.raises(InvalidFieldError, match="COINBASE_API_SECRET") as caught:
        signing.HmacSigner(Secret("k"), Secret("a secret!"), Secret("p"))
    assert "a secret!" not in str(caught.value)
