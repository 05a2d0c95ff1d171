"""The bytes of the encrypted file: what is not, to the bit, what was written is refused."""

from __future__ import annotations

import hashlib
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials import sealing
from bot_v2.orchestration.credentials.errors import DamagedStoreError, WrongPassphraseError
from bot_v2.orchestration.credentials.sealing import (
    DEFAULT_COST,
    Cost,
    Keys,
    Salted,
    keys_of,
    seal,
    unseal,
)
from tests.unit.orchestration.credentials.kit import CHEAP, RIGHT

PLAIN = b'{"a": "credential"}'
keys = partial(keys_of, Secret(RIGHT))
SEALED = seal(PLAIN, keys, CHEAP)
DIGEST = 32


def no_keys(salted: Salted) -> Keys:
    """Fail: nobody is asked for the passphrase of a file that is damaged."""
    raise AssertionError("the passphrase was asked for")


def mended(data: bytes) -> bytes:
    """Return a changed file with a digest that fits, as whoever changes it on purpose writes it."""
    return data[:-DIGEST] + hashlib.sha256(data[:-DIGEST]).digest()


@given(st.binary(max_size=300), st.text(min_size=1, max_size=20))
def test_what_is_sealed_is_unsealed(plain: bytes, passphrase: str) -> None:
    """Every text and every passphrase comes back as it was."""
    own = partial(keys_of, Secret(passphrase))
    assert unseal(seal(plain, own, CHEAP), own, "it") == plain


def test_each_flipped_bit_of_every_byte_is_damage() -> None:
    """One bit is enough, wherever it is; the passphrase is not even asked for."""
    for position in range(len(SEALED)):
        for bit in range(8):
            flipped = bytearray(SEALED)
            flipped[position] ^= 1 << bit
            with pytest.raises(DamagedStoreError, match="it is damaged"):
                unseal(bytes(flipped), no_keys, "it")


def test_every_length_that_is_too_short_is_damage() -> None:
    """A file that was cut short anywhere is not opened, nor one without a byte in it."""
    for length in range(len(SEALED)):
        with pytest.raises(DamagedStoreError, match="cut short"):
            unseal(SEALED[:length], no_keys, "it")


def test_what_is_appended_is_damage() -> None:
    """A file with something after its end is not opened."""
    for more in (b"\0", b"x" * 100, SEALED):
        with pytest.raises(DamagedStoreError):
            unseal(SEALED + more, no_keys, "it")


def test_another_file_is_told_as_such() -> None:
    """What does not begin like one of ours may be no such file at all."""
    with pytest.raises(DamagedStoreError, match="or no such file"):
        unseal(b"PK\x03\x04" * 100, no_keys, "it")


def test_a_change_with_a_mended_digest_is_refused_at_every_byte() -> None:
    """Who can write the file and not open it changes nothing: header, check, body and tag hold."""
    refused = (DamagedStoreError, WrongPassphraseError)
    for position in range(len(SEALED) - DIGEST):
        for bit in (0, 3, 7):
            flipped = bytearray(SEALED)
            flipped[position] ^= 1 << bit
            # A larger n would only take its time: what is derived from it is another key.
            is_cost = position in (11, 12, 13, 14, 15)
            with pytest.raises(refused):
                unseal(mended(bytes(flipped)), no_cost if is_cost else keys, "it")


def no_cost(salted: Salted) -> Keys:
    """Return keys as another cost makes them, without the cost."""
    return Keys(hashlib.sha256(repr(salted).encode()).digest(), b"other")


@pytest.mark.parametrize(
    ("position", "value", "says"),
    [
        (8, 2, "version 2"),
        (9, 9, "key derivation 9"),
        (10, 9, "cipher 9"),
        (11, 0, "more work"),
        (11, 25, "more work"),
        (11, 24, "more work"),
        (12, 255, "more work"),
        (13, 0, "more work"),
        (14, 1, "more work"),
        (15, 0, "more work"),
    ],
)
def test_what_this_version_does_not_do_is_said(position: int, value: int, says: str) -> None:
    """An unknown version, or a cost that would take the memory of the machine, is named."""
    changed = bytearray(SEALED)
    changed[position] = value
    with pytest.raises(DamagedStoreError, match=says):
        unseal(mended(bytes(changed)), no_keys, "it")


def test_a_body_of_another_length_is_damage() -> None:
    """A body that lacks bytes is refused, also where the digest was mended."""
    with pytest.raises(DamagedStoreError, match="bytes of"):
        unseal(mended(SEALED[: -DIGEST - 1] + bytes(DIGEST)), no_keys, "it")


def test_a_wrong_passphrase_is_told_from_damage() -> None:
    """The file is sound, and says so by its own kind of error."""
    with pytest.raises(WrongPassphraseError, match="the passphrase does not open it"):
        unseal(SEALED, partial(keys_of, Secret(RIGHT + " ")), "it")


def test_the_same_letters_are_the_same_passphrase() -> None:
    """An accented letter may be typed as one code point or as two."""
    sealed = seal(PLAIN, partial(keys_of, Secret("caf\u00e9 cr\u00e8me")), CHEAP)
    assert unseal(sealed, partial(keys_of, Secret("cafe\u0301 cre\u0300me")), "it") == PLAIN


def test_nothing_is_used_twice() -> None:
    """Salt and nonce are new each time, so that the same content never looks the same."""
    again = seal(PLAIN, keys, CHEAP)
    for part in (slice(16, 32), slice(32, 44), slice(44, 60), slice(68, None)):
        assert again[part] != SEALED[part]


def test_trying_a_passphrase_costs_what_it_should() -> None:
    """The default needs 128 MiB for each guess; the file says what was used."""
    assert Cost(17, 8, 1) == DEFAULT_COST
    assert 128 * 2**DEFAULT_COST.log_n * DEFAULT_COST.r == 128 * 2**20
    seen: list[Salted] = []

    def keys_seen(salted: Salted) -> Keys:
        seen.append(salted)
        return Keys(bytes(32), bytes(32))

    unseal(seal(PLAIN, keys_seen), keys_seen, "it")
    assert [salted.cost for salted in seen] == [DEFAULT_COST, DEFAULT_COST]
    assert seen[0] == seen[1]


def test_keys_are_not_shown() -> None:
    """The repr of keys shows no key."""
    assert repr(keys(Salted(b"0" * 16, CHEAP))).startswith("<")
    assert SEALED[:8] == sealing.MAGIC
