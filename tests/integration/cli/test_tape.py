"""`bot-v2 tape`: a session recorded in front of a venue, and played again."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot_v2.venues.tws.frames import FrameReader, frame
from bot_v2.venues.tws.protocol import FROM_CLIENT, FROM_SERVER
from bot_v2.venues.tws.schema import Message
from bot_v2.venues.tws.tapes.tape import read_tape
from bot_v2.venues.tws.venue import TwsVenue
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_interrupt import PROGRAM

WAIT_S = 30

no_signals = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signal for one process"
)


@contextmanager
def serving(environment: dict[str, str], *words: str) -> Iterator[tuple[Any, Any]]:
    """Run `bot-v2 tape` until Ctrl-C, and read what it prints first."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "tape", *words, "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line == "}\n":
                    break
            yield json.loads("".join(lines)), process
        finally:
            process.kill()


def interrupted(process: Any) -> tuple[int, str]:
    """End a command by Ctrl-C; return its exit code and its errors."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=WAIT_S)
    return process.returncode, errors


def session(address: str, *, asks: bool = True) -> list[str]:
    """Let a client in, ask for its positions, and return what it heard."""
    host, _, port = address.partition(":")
    reader, heard = FrameReader(starts_with_prefix=False), list[Message]()
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as client:
        client.sendall(b"API\0" + frame(b"v157..178"))
        assert client.recv(100)
        said = [("startApi", {"clientId": 1})]
        if asks:
            said.append(("reqPositions", {}))
        for name, values in said:
            client.sendall(frame(FROM_CLIENT.encode(name, values, 178)))
        last = "positionEnd" if asks else "nextValidId"
        while last not in [one.name for one in heard]:
            data = client.recv(4096)
            assert data, "the connection ended"
            heard += [FROM_SERVER.decode(one, 178) for one in reader.feed(data)]
    return [one.name for one in heard]


@no_signals
def test_a_session_is_recorded_and_played(environment: dict[str, str], tmp_path: Path) -> None:
    """Ctrl-C writes the tape; played to the same client it ends well, to another it does not."""
    file = tmp_path / "hello.tape"
    with TwsVenue(accounts=("U7654321",)) as venue:
        words = ("record", str(file), "--gateway", venue.url, "--against", "simulator")
        with serving(environment, *words, "--note", "hello") as (said, process):
            assert said["environment"]["IBKR_PORT"] == said["address"].partition(":")[2]
            heard = session(said["address"])
            assert interrupted(process) == (0, "")
    tape = read_tape(file)
    assert (tape.provenance.note, tape.provenance.server) == ("hello", 178)
    assert "U7654321" not in file.read_text()
    with serving(environment, "play", str(file)) as (said, process):
        assert session(said["address"]) == heard
        assert interrupted(process) == (0, "")
    with serving(environment, "play", str(file)) as (said, process):
        session(said["address"], asks=False)
        code, errors = interrupted(process)
    assert code == 2
    assert "were not played" in errors


def test_what_cannot_be_done_is_said(quick: Run, tmp_path: Path) -> None:
    """A Gateway without a port, an answerer that there is not, a tape that is none: exit code 2."""
    file = tmp_path / "none.tape"
    file.write_text("GET / HTTP/1.1\n")
    for words, what in (
        (("record", str(file), "--gateway", "here"), "HOST:PORT"),
        (("record", str(file), "--against", "hearsay"), "simulator, sandbox, live"),
        (("play", str(file)), "tws-tape 1"),
        (("play", str(tmp_path / "missing.tape")), "missing.tape"),
    ):
        ran = quick("tape", *words)
        assert ran.code == 2
        assert what in ran.err


def test_a_port_that_is_taken_is_said(quick: Run, tmp_path: Path) -> None:
    """One line, exit code 2."""
    with TwsVenue() as venue:
        ran = quick("tape", "record", str(tmp_path / "x.tape"), "--port", str(venue.port))
    assert ran.code == 2
    assert "cannot listen" in ran.err
