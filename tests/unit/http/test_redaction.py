"""What is taken out of logs and errors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_v2.features.brokerages.http.redaction import (
    BLANK,
    SHOWN_BYTES,
    is_secret,
    safe_body,
    safe_headers,
    safe_url,
)

SECRET_NAMES = [
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-API-KEY",
    "CB-ACCESS-KEY",
    "CB-ACCESS-SIGN",
    "CB-ACCESS-PASSPHRASE",
    "APCA-API-KEY-ID",
    "APCA-API-SECRET-KEY",
    "X-MBX-APIKEY",
    "API-Sign",
    "accessToken",
    "refresh_token",
    "password",
    "passphrase",
    "mpin",
    "pin",
    "totp",
    "otp",
    "key",
    "apiSecret",
    "oauth_signature",
    "oauth_nonce",
    "X-Auth",
    "jwt",
    "code",
    "request_token",
    "sessionId",
    "privateKey",
]
PLAIN_NAMES = [
    "symbol",
    "side",
    "Content-Type",
    "shipping",
    "spinner",
    "design",
    "keyboard",
    "monkey",
    "limit_price",
    "client_order_id",
    "X-Request-Id",
    "Retry-After",
    "barcodes",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets_are_known(name: str) -> None:
    """A credential is recognised by its name, however that is written."""
    assert is_secret(name)
    assert is_secret(name.upper())
    assert safe_headers({name: "hidden"}) == {name: BLANK}
    assert safe_url(f"https://h/p?a=1&{name}=hidden") == f"https://h/p?a=1&{name}={BLANK}"


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_other_names_are_shown(name: str) -> None:
    """A log without orders and statuses would be of no use."""
    assert not is_secret(name)
    assert safe_headers({name: "shown"}) == {name: "shown"}
    assert safe_url(f"https://h/p?{name}=shown") == f"https://h/p?{name}=shown"


def test_an_address_loses_its_password_and_its_fragment() -> None:
    """Who reads a log may not log in."""
    assert safe_url("https://user:hidden@h:8443/p?a=1#hidden") == "https://h:8443/p?a=1"
    assert safe_url("/relative?token=hidden") == f"/relative?token={BLANK}"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (None, ""),
        (b"", ""),
        (b"\xff\x00", "(2 bytes that are no text)"),
        (b'{"a": 1.10, "token": "x\\"y"}', f'{{"a": 1.10, "token": "{BLANK}"}}'),
        (b' [{"pin":1234, "b":null}]', f' [{{"pin":"{BLANK}", "b":null}}]'),
        (b'{"token": "cut off', f'{{"token": "{BLANK}"'),
        (b'{"code": "INSUFFICIENT_FUND"}', '{"code": "INSUFFICIENT_FUND"}'),
        (b"a=1&password=hidden&b=2", f"a=1&password={BLANK}&b=2"),
        (b"code=E1&pin=1", f"code=E1&pin={BLANK}"),
        (b"<html>busy</html>", "<html>busy</html>"),
    ],
)
def test_bodies_are_shown_without_secrets(body: bytes | None, shown: str) -> None:
    """Numbers keep their digits, and errors their codes."""
    assert safe_body(body) == shown


def test_a_long_body_is_cut_after_it_is_cleaned() -> None:
    """What is cut off could otherwise part a secret from its name."""
    body = b'{"a": "' + b"x" * (SHOWN_BYTES - 20) + b'", "token": "hidden-hidden"}'
    shown = safe_body(body)
    assert "hidden" not in shown
    assert shown.endswith(f"… ({len(body)} bytes)")
    assert len(shown) < SHOWN_BYTES + 30


@given(
    name=st.sampled_from(SECRET_NAMES),
    secret=st.text(min_size=6, alphabet=st.characters(codec="utf-8")),
    other=st.text(),
)
def test_no_secret_in_json_is_shown(name: str, secret: str, other: str) -> None:
    """Whatever a secret is made of, JSON that holds it is shown without."""
    marked = f"5ecret{secret}"
    for ascii_only in (True, False):
        body = json.dumps({"x": other, name: marked, "y": [other]}, ensure_ascii=ascii_only)
        if name != "code":
            assert "5ecret" not in safe_body(body.encode("utf-8", "surrogatepass")).replace(
                json.dumps(other, ensure_ascii=ascii_only), ""
            )
