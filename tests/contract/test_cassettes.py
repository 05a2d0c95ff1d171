"""Traffic is recorded from a server on this machine, scrubbed, and replayed without it."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
from acme_brokerage.adapter import AcmeBrokerage
from acme_brokerage.client import AcmeClient
from acme_brokerage.factory import create_acme
from acme_brokerage.wire import MaybeSentError, Reply
from acme_venue import AcmeVenue

from bot_v2.testing.cards import all_cards
from bot_v2.testing.cassettes import (
    CassetteError,
    Provenance,
    RecordedAgainst,
    findings_in,
    provenance_of,
    recording,
    replaying,
)
from bot_v2.testing.conformance import Status
from bot_v2.testing.context import CheckContext
from bot_v2.testing.live_guard import Mode
from bot_v2.testing.profile import ContractProfile
from bot_v2.testing.scrubbing import Scrubber
from bot_v2.testing.taping import Taping

SECRET = "key-4711-of-nobody"
SCRUBBER = Scrubber(secrets=(SECRET,))
PROVENANCE = Provenance(
    recorded_against=RecordedAgainst.SIMULATOR,
    recorded_at=datetime(2026, 1, 2, tzinfo=UTC),
    recorded_with="bot-v2 0.1.0",
    note="a price with trailing zeros",
    seed="7",
)
BODY = b'{"price": 1.10, "token": "abc-of-nobody", "small": 1e-8}'


class Handler(BaseHTTPRequestHandler):
    """Answers every request alike, with a cookie and a token."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        packed = "/packed" in self.path
        body = gzip.compress(BODY) if packed else BODY
        body = SECRET.encode() + body if "/leak" in self.path else body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "session=of-nobody")
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a server that runs for one test."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(port: int, path: str, method: str = "GET") -> bytes:
    """Ask a server on this machine for something, with credentials."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    headers = {"Authorization": f"Bearer {SECRET}", "X-Trace": f"of {SECRET}"}
    body = b"password=hunter2&symbol=BTC-USD" if method == "POST" else None
    try:
        connection.request(method, path, body, headers)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_what_was_recorded_is_replayed_without_the_server(port: int, tmp_path: Path) -> None:
    """The answer has the digits that the server wrote."""
    path = tmp_path / "broker" / "get_price__plain.yaml"
    with recording(path, PROVENANCE, SCRUBBER):
        fetch(port, "/price?symbol=BTC-USD")
    with replaying(path):
        # Nothing listens on port 9: only the recording can answer.
        replayed = fetch(9, "/price?symbol=BTC-USD")
    assert replayed == BODY.replace(b"abc-of-nobody", b"***")


def test_a_packed_answer_is_recorded_unpacked(port: int, tmp_path: Path) -> None:
    """So that it can be searched for secrets."""
    path = tmp_path / "packed.yaml"
    with recording(path, PROVENANCE, SCRUBBER):
        fetch(port, "/packed")
    text = path.read_text(encoding="utf-8")
    assert "1.10" in text
    assert "abc-of-nobody" not in text


def test_no_secret_is_written(port: int, tmp_path: Path) -> None:
    """Neither from headers, addresses and bodies of requests, nor from those of answers."""
    path = tmp_path / "login.yaml"
    with recording(path, PROVENANCE, SCRUBBER):
        fetch(port, f"/login?api_key={SECRET}&n=1", "POST")
    text = path.read_text(encoding="utf-8")
    for secret in (SECRET, "hunter2", "abc-of-nobody", "session=of-nobody"):
        assert secret not in text
    assert "symbol=BTC-USD" in text
    assert findings_in(tmp_path, [SECRET]) == []


def test_a_secret_that_cannot_be_taken_out_stops_the_writing(tmp_path: Path, port: int) -> None:
    """No byte is written where one would be left."""

    class Blind(Scrubber):
        """Misses what is in bodies."""

        def body(self, body: bytes | str | None) -> bytes | str | None:
            """Change nothing."""
            return body

    path = tmp_path / "leak.yaml"
    plain = http.client.HTTPConnection
    with (
        pytest.raises(CassetteError, match="still holds a secret") as refusal,
        recording(path, PROVENANCE, Blind(secrets=(SECRET,))),
    ):
        fetch(port, "/leak")
    assert not path.exists()
    # Connections are as they were at once, and not when the error is forgotten: a recording that
    # follows would lose them to the one that failed.
    assert refusal.value.__traceback__ is not None
    assert http.client.HTTPConnection is plain


def test_a_block_that_fails_leaves_no_recording(tmp_path: Path, port: int) -> None:
    """What was recorded until then is half of a story; connections are as they were."""
    path = tmp_path / "half.yaml"
    plain = http.client.HTTPConnection
    with pytest.raises(ZeroDivisionError), recording(path, PROVENANCE, SCRUBBER):
        _ = len(fetch(port, "/price")) / 0
    assert not path.exists()
    assert http.client.HTTPConnection is plain


def test_a_request_that_was_not_recorded_is_an_error(port: int, tmp_path: Path) -> None:
    """A replay reaches no network, although somebody would answer."""
    path = tmp_path / "price.yaml"
    with recording(path, PROVENANCE, SCRUBBER):
        fetch(port, "/price")
    with replaying(path), pytest.raises(Exception, match=r"overwrite|play back"):
        fetch(port, "/other")


def test_each_answer_is_given_once(port: int, tmp_path: Path) -> None:
    """A second request would be one that nobody recorded."""
    path = tmp_path / "price.yaml"
    with recording(path, PROVENANCE, SCRUBBER):
        fetch(port, "/price")
    with replaying(path):
        fetch(port, "/price")
        with pytest.raises(Exception, match=r"overwrite|play back"):
            fetch(port, "/price")


def test_a_cassette_says_what_it_is_worth(port: int, tmp_path: Path) -> None:
    """In its own head, before anything else; it is read back as it was written."""
    path = tmp_path / "price.yaml"
    with recording(path, PROVENANCE, SCRUBBER):
        fetch(port, "/price")
    assert path.read_text(encoding="utf-8").startswith("provenance:\n")
    assert provenance_of(path) == PROVENANCE


@pytest.mark.parametrize(
    "text",
    [
        None,
        "interactions: []\nversion: 1\n",
        "provenance: {recorded_against: hearsay}",
        "provenance: {recorded_against: live, recorded_at: never, recorded_with: x, note: y}",
        "- not\n- a mapping",
        ": [",
    ],
)
def test_a_cassette_of_no_known_worth_is_refused(text: str | None, tmp_path: Path) -> None:
    """It is neither read nor replayed."""
    path = tmp_path / "odd.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(CassetteError, match="does not say what it is worth"):
        provenance_of(path)
    with pytest.raises(CassetteError), replaying(path):
        pass


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("Authorization: Bearer abcdefghijklmnop", "a bearer token"),
        ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "a basic authorization"),
        ("jwt: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0xxxx.sig", "a JSON Web Token"),
        ("-----BEGIN EC PRIVATE KEY-----", "a private key"),
        (f"id: {SECRET}", "a known secret"),
    ],
)
def test_the_scan_finds_what_was_missed(line: str, what: str, tmp_path: Path) -> None:
    """Each with the file that it is in."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").write_text(line, encoding="utf-8")
    assert findings_in(tmp_path, [SECRET]) == [
        f"sub/a.yaml: {what}",
        "sub/a.yaml: no provenance",
    ]


def test_the_cassettes_of_the_project_hold_no_secret() -> None:
    """And each says what it is worth."""
    assert findings_in(Path(__file__).parents[2] / "cassettes") == []


def plain_call(
    self: AcmeClient,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
    timeout_s: float | None = None,
) -> Reply:
    """Call as any HTTP client would: vcrpy stands in for connections, not for their sockets."""
    connection = http.client.HTTPConnection(self._host, self._port, timeout=5)
    target = path + (f"?{urlencode(query)}" if query else "")
    try:
        connection.request(method, target, json.dumps(body) if body else None, dict(headers))
        response = connection.getresponse()
        return Reply(response.status, None, response.read())
    except OSError as error:
        raise MaybeSentError from error
    finally:
        connection.close()


@pytest.fixture
def plain_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Acme's client without what it does to sockets."""
    monkeypatch.setattr(AcmeClient, "call", plain_call)


@contextmanager
def acme(url: str) -> Iterator[CheckContext]:
    """A context on the made-up broker at some address."""

    class Simulated(AcmeBrokerage):
        environment = "simulator"

    made = create_acme({"url": url, "api_key": SECRET, "timeout_s": 1.0}, {})
    made.__class__ = Simulated
    try:
        yield CheckContext(made, profile=ContractProfile(secrets=(SECRET,), settle_s=0.2))
    finally:
        made.disconnect()


@pytest.mark.parametrize("card_id", ["BC-S010", "BC-A010", "BC-C010", "BC-O020", "BC-R060"])
def test_a_card_passes_on_what_was_recorded_of_it(
    card_id: str, tmp_path: Path, plain_client: None
) -> None:
    """The same check, the same ids, and no broker; a market was there when it was recorded."""
    card = all_cards()[card_id]
    recorder = Taping(mode=Mode.SIMULATOR, folder=tmp_path, record=True)
    player = Taping(mode=Mode.CASSETTE, folder=tmp_path)
    with AcmeVenue(api_key=SECRET) as venue, acme(venue.url) as context:
        venue.set_market("BTC-USD", Decimal(100), Decimal(101), Decimal(1000))
        assert recorder.run(card, context).status is Status.PASSED
    assert provenance_of(tmp_path / f"{card_id}.yaml").note == card.sentence
    assert findings_in(tmp_path, [SECRET]) == []
    with acme("http://127.0.0.1:9") as context:
        result = player.run(card, context)
    assert (result.status, result.reason) == (Status.PASSED, "")


def test_a_card_that_did_not_pass_leaves_no_cassette(tmp_path: Path) -> None:
    """A recording of a violation would be replayed as one for ever."""
    recorder = Taping(mode=Mode.SIMULATOR, folder=tmp_path, record=True)
    with acme("http://127.0.0.1:9") as context:
        assert recorder.run(all_cards()["BC-S010"], context).status is Status.FAILED
    assert list(tmp_path.iterdir()) == []


def test_what_depends_on_made_up_ids_is_not_replayed(tmp_path: Path) -> None:
    """The card says why."""
    player = Taping(mode=Mode.CASSETTE, folder=tmp_path)
    with acme("http://127.0.0.1:9") as context:
        result = player.run(all_cards()["BC-O040"], context)
    assert result.status is Status.SKIPPED
    assert "what the adapter makes up" in result.reason


def test_what_depends_on_made_up_ids_is_not_recorded(tmp_path: Path, plain_client: None) -> None:
    """The card passes, and leaves no cassette that nothing would replay."""
    recorder = Taping(mode=Mode.SIMULATOR, folder=tmp_path, record=True)
    with AcmeVenue(api_key=SECRET) as venue, acme(venue.url) as context:
        venue.set_market("BTC-USD", Decimal(100), Decimal(101), Decimal(1000))
        assert recorder.run(all_cards()["BC-O040"], context).status is Status.PASSED
    assert list(tmp_path.iterdir()) == []
