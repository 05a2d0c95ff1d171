"""The encrypted file's bytes: a passphrase and a text in, and back; damage is told from a typo.

    magic 8 | version 1 | kdf 1 | cipher 1 | log2(n) 1 | r 2 | p 2 | salt 16 | nonce 12 | check 16 |
    length of the body 8 | body | SHA-256 of all before 32

Numbers are big-endian. scrypt makes 64 bytes of the passphrase and the salt: the key of
AES-256-GCM, whose associated data is the whole header, and the key of `check`, which says that the
passphrase is the right one before anything is decrypted. The digest has no key: it tells damage
from a wrong passphrase, and who changes a file and mends the digest still fails at the cipher's
tag.
Salt and nonce are new at each writing, so that no key meets a nonce twice.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
import unicodedata
from collections.abc import Callable
from typing import Final, TypeAlias

import attrs

from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.errors import DamagedStoreError, WrongPassphraseError
from bot_v2.orchestration.optional_package import needing

MAGIC: Final = b"BOTV2CR\n"
VERSION: Final = 1
KDF_SCRYPT: Final = 1
CIPHER_AES_256_GCM: Final = 1

_FIXED = struct.Struct(">8sBBBBHH16s12s")
_CHECK_LENGTH: Final = 16
_BODY_LENGTH = struct.Struct(">Q")
_HEADER_LENGTH: Final = _FIXED.size + _CHECK_LENGTH + _BODY_LENGTH.size
_DIGEST_LENGTH: Final = 32
_TAG_LENGTH: Final = 16
_CHECKED: Final = b"bot_v2 credentials: this passphrase"
_WHAT: Final = "the encrypted file"
_MEMORY_MAX: Final = 2**30
"""How much memory a file may ask for to be opened, in bytes."""


@attrs.frozen
class Cost:
    """What it costs to try a passphrase: 128 * 2**log_n * r bytes, and time in proportion, p times.

    The default is 128 MiB, and under half a second on a machine of 2020.
    """

    log_n: int = 17
    """The binary logarithm of scrypt's n."""
    r: int = 8
    """scrypt's r."""
    p: int = 1
    """scrypt's p."""


DEFAULT_COST: Final = Cost()


@attrs.frozen(repr=False)
class Keys:
    """What a passphrase is turned into."""

    cipher: bytes
    """Opens and seals."""
    check: bytes
    """Says whether the passphrase is the right one."""


@attrs.frozen
class Salted:
    """What, with the passphrase, decides the keys."""

    salt: bytes
    """New at each writing."""
    cost: Cost
    """How much work it is."""


KeysOf: TypeAlias = Callable[[Salted], Keys]
"""Derives the keys; asks for the passphrase only when it is called."""


def keys_of(passphrase: Secret, salted: Salted) -> Keys:
    """Return the keys that a passphrase is turned into.

    Raises:
        MissingDependencyError: the extra `credentials` is not installed.
    """
    with needing(_WHAT):
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    cost = salted.cost
    kdf = Scrypt(salt=salted.salt, length=64, n=2**cost.log_n, r=cost.r, p=cost.p)
    # The same letters may be typed as different code points on another system.
    text = unicodedata.normalize("NFC", passphrase.reveal())
    made = kdf.derive(text.encode())
    return Keys(made[:32], made[32:])


def seal(plain: bytes, keys: KeysOf, cost: Cost = DEFAULT_COST) -> bytes:
    """Return a text encrypted; each call has a salt and a nonce of its own.

    Raises:
        MissingDependencyError: the extra `credentials` is not installed.
    """
    with needing(_WHAT):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    salt, nonce = os.urandom(16), os.urandom(12)
    made = keys(Salted(salt, cost))
    fixed = _FIXED.pack(
        MAGIC, VERSION, KDF_SCRYPT, CIPHER_AES_256_GCM, cost.log_n, cost.r, cost.p, salt, nonce
    )
    header = fixed + _check_of(made, fixed) + _BODY_LENGTH.pack(len(plain) + _TAG_LENGTH)
    sealed = header + AESGCM(made.cipher).encrypt(nonce, plain, header)
    return sealed + hashlib.sha256(sealed).digest()


def unseal(data: bytes, keys: KeysOf, source: str) -> bytes:
    """Return what was sealed.

    Args:
        data: what `seal` returned.
        keys: derives the keys; not called for a file that is damaged.
        source: where it was read, for a message.

    Raises:
        DamagedStoreError: it is not, to the bit, what `seal` returned.
        WrongPassphraseError: it is, and for another passphrase.
        MissingDependencyError: the extra `credentials` is not installed.
    """
    with needing(_WHAT):
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    _require_sound(data, source)
    header, body = data[:_HEADER_LENGTH], data[_HEADER_LENGTH:-_DIGEST_LENGTH]
    salted, nonce = _read_fixed(header, len(body), source)
    made = keys(salted)
    check = header[_FIXED.size : _FIXED.size + _CHECK_LENGTH]
    if not hmac.compare_digest(check, _check_of(made, header[: _FIXED.size])):
        raise WrongPassphraseError(f"the passphrase does not open {source}")
    try:
        return AESGCM(made.cipher).decrypt(nonce, body, header)
    except InvalidTag:
        raise DamagedStoreError(
            f"{source} was changed by something that does not have its passphrase"
        ) from None


def _require_sound(data: bytes, source: str) -> None:
    if not data.startswith(MAGIC) and not MAGIC.startswith(data):
        raise DamagedStoreError(f"{source} is damaged from its first bytes on, or no such file")
    sealed, digest = data[:-_DIGEST_LENGTH], data[-_DIGEST_LENGTH:]
    is_whole = len(data) >= _HEADER_LENGTH + _TAG_LENGTH + _DIGEST_LENGTH
    if not is_whole or hashlib.sha256(sealed).digest() != digest:
        raise DamagedStoreError(
            f"{source} is damaged or cut short ({len(data)} bytes): restore a backup"
        )


def _read_fixed(header: bytes, body_length: int, source: str) -> tuple[Salted, bytes]:
    _, version, kdf, cipher, log_n, r, p, salt, nonce = _FIXED.unpack_from(header)
    if (version, kdf, cipher) != (VERSION, KDF_SCRYPT, CIPHER_AES_256_GCM):
        raise DamagedStoreError(
            f"{source} is of version {version}, key derivation {kdf} and cipher {cipher}: "
            f"this version of bot_v2 reads {VERSION}, {KDF_SCRYPT} and {CIPHER_AES_256_GCM}"
        )
    is_cost = 1 <= log_n <= 24 and 1 <= r <= 64 and 1 <= p <= 16
    if not is_cost or 128 * 2**log_n * r > _MEMORY_MAX or log_n >= 16 * r:
        raise DamagedStoreError(f"{source} asks for more work to be opened than is reasonable")
    (said,) = _BODY_LENGTH.unpack_from(header, _FIXED.size + _CHECK_LENGTH)
    if said != body_length:
        raise DamagedStoreError(f"{source} has {body_length} bytes of {said}")
    return Salted(salt, Cost(log_n, r, p)), nonce


def _check_of(keys: Keys, fixed: bytes) -> bytes:
    return hmac.digest(keys.check, _CHECKED + fixed, "sha256")[:_CHECK_LENGTH]
