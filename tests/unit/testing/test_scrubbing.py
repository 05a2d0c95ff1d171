"""Secrets are taken out of traffic."""

from __future__ import annotations

import pytest

from bot_v2.testing.scrubbing import Scrubber

SCRUBBER = Scrubber(secrets=("K-123", "K-123-long"), fields=frozenset({"pin"}))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://x/orders?symbol=BTC-USD&limit=5", "http://x/orders?symbol=BTC-USD&limit=5"),
        ("http://x/?api_key=abc&n=1", "http://x/?api_key=***&n=1"),
        ("http://x/?signature=abc", "http://x/?signature=***"),
        ("http://x/accounts/K-123/orders", "http://x/accounts/***/orders"),
        ("http://x/?PIN=1", "http://x/?PIN=***"),
    ],
)
def test_an_address_keeps_all_but_its_secrets(given: str, kept: str) -> None:
    """Fields are known by their names, credentials by their values."""
    assert SCRUBBER.uri(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('{"price": 1.10, "qty": "0.50"}', '{"price": 1.10, "qty": "0.50"}'),
        ('{"access_token": "abc", "n": 1e-8}', '{"access_token": "***", "n": 1e-8}'),
        ('{"a": {"apiSecret": "q\\"uote"}}', '{"a": {"apiSecret": "***"}}'),
        ('{"pin": 1234}', '{"pin": "***"}'),
        ('[{"token":"a"},{"token":"b"}]', '[{"token":"***"},{"token":"***"}]'),
        ('{"note": "K-123-long"}', '{"note": "***"}'),
        ("user=me&password=abc&x=1", "user=me&password=***&x=1"),
        ("plain text", "plain text"),
    ],
)
def test_a_body_keeps_its_digits_and_loses_its_secrets(given: str, kept: str) -> None:
    """Numbers stay as they were written, whether the body is text or bytes."""
    assert SCRUBBER.body(given) == kept
    assert SCRUBBER.body(given.encode()) == kept.encode()


@pytest.mark.parametrize("body", [None, "", b""])
def test_no_body_stays_none(body: bytes | str | None) -> None:
    """There is nothing to take out."""
    assert SCRUBBER.body(body) == body


def test_a_body_that_is_no_text_is_blanked() -> None:
    """What cannot be searched is not kept."""
    assert SCRUBBER.body(b"\xff\xfe\x00") == b"***"


def test_secret_headers_are_blanked() -> None:
    """By their names, in any spelling; a list stays a list, and others keep their values."""
    headers = {
        "Authorization": "Bearer abc",
        "Set-Cookie": ["a=1", "b=2"],
        "CB-ACCESS-SIGN": "abc",
        "X-Request-Id": "7",
        "X-Account": "K-123",
    }
    assert SCRUBBER.header_values(headers) == {
        "Authorization": "***",
        "Set-Cookie": ["***", "***"],
        "CB-ACCESS-SIGN": "***",
        "X-Request-Id": "7",
        "X-Account": "***",
    }


def test_the_longest_secret_goes_first() -> None:
    """A secret that begins with another leaves no tail behind."""
    assert SCRUBBER.text("K-123-long") == "***"
