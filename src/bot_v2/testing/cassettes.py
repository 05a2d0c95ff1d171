"""Recorded traffic: recorded once, replayed without a network, and scanned for secrets.

A cassette is a file as vcrpy writes it, with a head that says what it is worth: what it was
recorded against, when, and with which versions. What it must not hold is taken out before a byte
is written; a recording that still holds a known secret is refused as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import attrs

from bot_v2.features.brokerages.core.errors import InvalidFieldError, MissingDependencyError
from bot_v2.features.brokerages.core.fields import check_fields
from bot_v2.testing.scrubbing import Scrubber

HEAD: Final = "provenance"
"""Under which key a cassette says what it is worth."""

MATCH_ON: Final = ("method", "path")
"""What makes a request the one that was recorded: ports, times and made-up ids differ."""

_PATTERNS: Final = {
    # what a file may hold that it must not: how it looks
    "a bearer token": re.compile(r"[Bb]earer\s+[A-Za-z0-9._~+/-]{12,}"),
    "a basic authorization": re.compile(r"[Bb]asic\s+[A-Za-z0-9+/]{12,}={0,2}"),
    "a JSON Web Token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\."),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}


class RecordedAgainst(StrEnum):
    """What answered when a cassette was recorded."""

    SIMULATOR = "simulator"
    """Our own venue: evidence of how we read, not of what the broker does."""
    SANDBOX = "sandbox"
    """The broker's own test system."""
    LIVE = "live"
    """The broker itself."""


@attrs.frozen(kw_only=True)
class Provenance:
    """What a cassette is worth."""

    recorded_against: RecordedAgainst
    """What answered."""
    recorded_at: datetime
    """When, in UTC."""
    recorded_with: str
    """The versions of bot-v2 and of the vendor's SDK."""
    note: str
    """What the case shows, and what a person changed by hand."""
    seed: str = ""
    """What the client order ids were made from, so that a replay sends the same. Empty: none."""

    def __attrs_post_init__(self) -> None:
        check_fields(self)

    def as_data(self) -> dict[str, str]:
        """Return the head of a cassette."""
        return {
            "recorded_against": self.recorded_against.value,
            "recorded_at": self.recorded_at.isoformat(),
            "recorded_with": self.recorded_with,
            "note": self.note,
            "seed": self.seed,
        }


class CassetteError(Exception):
    """A cassette cannot be trusted, or must not be written."""


def _imported(name: str) -> Any:
    """Return a module of an optional package; neither vcrpy nor yaml says what its types are."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            "cassettes need vcrpy: pip install 'bot-v2[testing]'", extra="testing"
        ) from error


class _Keeper:
    """Keeps what vcrpy would write: where its own saving fails, connections stay in its hands."""

    def __init__(self) -> None:
        self.text = ""

    def load_cassette(self, cassette_path: str, serializer: object) -> Any:
        """Say that there is nothing yet."""
        raise _imported("vcr.persisters.filesystem").CassetteNotFoundError

    def save_cassette(self, cassette_path: str, cassette_dict: Any, serializer: Any) -> None:
        """Keep the traffic as text."""
        self.text = _imported("vcr.serialize").serialize(cassette_dict, serializer)


def _write(path: Path, provenance: Provenance, scrubber: Scrubber, traffic: str) -> None:
    head = _imported("vcr.serializers.yamlserializer").serialize({HEAD: provenance.as_data()})
    text = f"{head}{traffic}"
    if scrubber.text(text) != text:
        raise CassetteError("the recording still holds a secret: nothing was written")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def recording(path: Path, provenance: Provenance, scrubber: Scrubber) -> Iterator[None]:
    """Record the HTTP traffic of a block; the file is replaced when the block ends.

    A block that raises, or has no traffic, leaves no file.

    Raises:
        CassetteError: a known secret is left in it; no file is written.
        MissingDependencyError: vcrpy is not installed.
    """
    vcr = _imported("vcr")

    def scrub_request(request: Any) -> Any:
        request.uri = scrubber.uri(request.uri)
        request.headers = scrubber.header_values(request.headers)
        request.body = scrubber.body(request.body)
        return request

    def scrub_response(response: Any) -> Any:
        body = {**response["body"], "string": scrubber.body(response["body"]["string"])}
        headers = scrubber.header_values(response["headers"])
        return {**response, "headers": headers, "body": body}

    recorder = vcr.VCR(
        record_mode=vcr.mode.ALL,
        before_record_request=scrub_request,
        before_record_response=scrub_response,
        decode_compressed_response=True,
        match_on=MATCH_ON,
    )
    keeper = _Keeper()
    recorder.register_persister(keeper)
    path.unlink(missing_ok=True)
    with recorder.use_cassette(str(path)):
        yield
    if keeper.text:
        _write(path, provenance, scrubber, keeper.text)


@contextmanager
def replaying(path: Path) -> Iterator[None]:
    """Answer the HTTP requests of a block from a cassette; anything else is an error.

    Raises:
        CassetteError: there is no such cassette, or it does not say what it is worth.
        MissingDependencyError: vcrpy is not installed.
    """
    vcr = _imported("vcr")
    provenance_of(path)
    player = vcr.VCR(record_mode=vcr.mode.NONE, match_on=MATCH_ON)
    with player.use_cassette(str(path)):
        yield


def provenance_of(path: Path) -> Provenance:
    """Return what a cassette says that it is worth.

    Raises:
        CassetteError: there is no such cassette, or it does not say.
    """
    yaml = _imported("yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is not in every build
    try:
        read: Any = yaml.load(path.read_text(encoding="utf-8"), loader)
        head: Mapping[str, str] = read[HEAD]
        return Provenance(
            recorded_against=RecordedAgainst(head["recorded_against"]),
            recorded_at=datetime.fromisoformat(head["recorded_at"]).astimezone(UTC),
            recorded_with=head["recorded_with"],
            note=head["note"],
            seed=head.get("seed", ""),
        )
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError, InvalidFieldError) as error:
        raise CassetteError(f"{path} does not say what it is worth: {error!r}") from error


def findings_in(folder: Path, secrets: Iterable[str] = ()) -> list[str]:
    """Return what the cassettes of a folder hold that they must not, as `path: what`.

    Args:
        folder: searched with all that is below it.
        secrets: credentials to look for, beside everything that looks like one.
    """
    known = [secret for secret in secrets if secret]
    findings = []
    for path in sorted(folder.rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        found = [what for what, pattern in _PATTERNS.items() if pattern.search(text)]
        found += ["a known secret" for secret in known if secret in text]
        try:
            provenance_of(path)
        except CassetteError:
            found.append("no provenance")
        findings += [f"{path.relative_to(folder).as_posix()}: {what}" for what in found]
    return findings
