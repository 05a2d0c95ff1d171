"""Who is let in: JWTs by the official client's own generator, and what is wrong with others."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt as pyjwt
import pytest
from coinbase.jwt_generator import build_rest_jwt, build_ws_jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot_v2.venues.coinbase.jwt_check import BadTokenError, JwtCheck
from bot_v2.venues.coinbase.keys import ecdsa_key, ed25519_key
from bot_v2.venues.coinbase.venue import CoinbaseVenue
from tests.unit.venues.callers import API, HOST, call, limit, send

ECDSA, ED25519 = ecdsa_key(7), ed25519_key(7)
CHECK = JwtCheck([ECDSA, ED25519])
PATH = f"{API}/accounts"
NOW = datetime.now(UTC)


def signed(**changed: Any) -> str:
    """Return a token that is right but for what is changed; None leaves a claim out."""
    now = int(NOW.timestamp())
    claims: dict[str, Any] = {
        "sub": ECDSA.name,
        "iss": "cdp",
        "nbf": now,
        "exp": now + 120,
        "uri": f"GET {HOST}{PATH}",
    }
    claims |= changed
    kept = {name: value for name, value in claims.items() if value is not None}
    private = load_pem_private_key(ECDSA.secret.encode(), None)
    assert not isinstance(private, bytes)
    headers = {"kid": ECDSA.name}
    return pyjwt.encode(kept, private, algorithm="ES256", headers=headers)  # type: ignore[arg-type]  # any private key the file holds


def check(token: str, moment: datetime = NOW, method: str = "GET", path: str = PATH) -> str:
    """Return the name of the key that opens."""
    return CHECK.check_request(f"Bearer {token}", method, HOST, path, moment).name


@pytest.mark.parametrize("key", [ECDSA, ED25519], ids=["ES256", "EdDSA"])
def test_the_official_generator_is_let_in(key: Any) -> None:
    """Both kinds of keys, for requests and for streams."""
    token = build_rest_jwt(f"GET {HOST}{PATH}", key.name, key.secret)
    assert check(token, datetime.now(UTC)) == key.name
    token = build_ws_jwt(key.name, key.secret)
    assert CHECK.check_stream(token, datetime.now(UTC)).name == key.name


def test_a_venue_can_be_meant_by_its_own_address() -> None:
    """A client that is given another address signs for that one, with or without the scheme."""
    for uri in (f"GET 127.0.0.1:1{PATH}", f"GET http://127.0.0.1:1{PATH}"):
        token = signed(uri=uri)
        assert CHECK.check_request(f"Bearer {token}", "GET", "127.0.0.1:1", PATH, NOW) == ECDSA


def test_a_token_can_be_for_several_requests() -> None:
    """The claim uris lists them; one that is not there is not meant."""
    token = signed(uri=None, uris=[f"GET {HOST}{API}/orders", f"GET {HOST}{PATH}"])
    assert check(token) == ECDSA.name
    with pytest.raises(BadTokenError):
        check(token, method="POST")


WRONG: tuple[Mapping[str, Any], ...] = (
    {"sub": "someone else"},
    {"sub": None},
    {"iss": "someone"},
    {"iss": None},
    {"exp": None},
    {"nbf": None},
    {"exp": int(NOW.timestamp()) + 3600},
    {"uri": None},
    {"uri": None, "uris": []},
    {"uri": None, "uris": [f"POST {HOST}{PATH}", 1]},
    {"uri": f"POST {HOST}{PATH}"},
    {"uri": f"GET {HOST}{API}/orders"},
    {"uri": f"GET evil.example{PATH}"},
    {"uri": f"GET {HOST}{PATH}?limit=1"},
)


@pytest.mark.parametrize("claims", WRONG)
def test_a_wrong_claim_opens_nothing(claims: Mapping[str, Any]) -> None:
    """Whose, from whom, when, how long and for what: each alone is enough to be refused."""
    assert check(signed()) == ECDSA.name
    with pytest.raises(BadTokenError):
        check(signed(**claims))


def test_a_token_lives_two_minutes() -> None:
    """It opens from its first second to its last, with a little allowance for clocks."""
    token = signed()
    for seconds in (-4, 0, 119, 124):
        assert check(token, NOW + timedelta(seconds=seconds)) == ECDSA.name
    for seconds in (-7, 126):
        with pytest.raises(BadTokenError):
            check(token, NOW + timedelta(seconds=seconds))


def test_a_changed_token_opens_nothing() -> None:
    """Neither with other claims, nor with another signature, nor without one."""
    head, claims, signature = signed().split(".")
    other = signed(uri=f"GET {HOST}{API}/orders").split(".")[1]
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"' + ECDSA.name.encode() + b'"}')
    for token in (
        f"{head}.{other}.{signature}",
        f"{head}.{claims}.{signature[:-4]}AAAA",
        f"{head}.{claims}.",
        f"{none.decode().rstrip('=')}.{claims}.",
        f"{head}.{claims}",
        "a.b.c",
        "....",
        "",
    ):
        with pytest.raises(BadTokenError):
            check(token)


@pytest.mark.parametrize("authorization", [None, "", "Basic abc", "Bearer", "bearer x"])
def test_who_says_nothing_is_not_let_in(authorization: str | None) -> None:
    """There has to be a bearer token."""
    with pytest.raises(BadTokenError):
        CHECK.check_request(authorization, "GET", HOST, PATH, NOW)


def test_a_stranger_is_a_401_and_a_viewer_a_403(venue: CoinbaseVenue) -> None:
    """The 401 is plain text, the 403 names the scopes, and neither has an effect."""
    status, said = send(venue, "GET", PATH, {}, b"")
    assert (status, said) == (401, "Unauthorized\n")
    body = {
        "client_order_id": "a",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": limit(),
    }
    status, said = call(venue, "POST", "/orders", body, key=venue.view_only_api_key)
    assert (status, said["error_details"]) == (403, "Missing required scopes")
    assert venue.orders_received() == []
    status, said = send(venue, "GET", f"{API}/market/products/BTC-USD", {}, b"")
    assert (status, said["product_id"]) == (200, "BTC-USD")


def test_keys_show_no_secret() -> None:
    """Neither in their repr nor in the log of requests."""
    for key in (ECDSA, ED25519):
        assert key.secret not in repr(key)
    venue = CoinbaseVenue()
    call(venue, "GET", "/accounts")
    assert "Bearer" not in json.dumps([one.as_data() for one in venue.request_log()])
