"""The encrypted file when its writer is killed: the old content or the new one, at every step."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bot_v2.features.brokerages.core.errors import BrokerageError
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.errors import WrongPassphraseError
from bot_v2.orchestration.credentials.file_store import FileStore
from bot_v2.orchestration.credentials.passphrase import Passphrase
from tests.unit.orchestration.credentials.kit import CHEAP, a_set, answering

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = "the old passphrase", "the new passphrase"
STEPS_MAX = 30

# A writer that is killed, by itself, before its n-th step: each call that reaches the file system,
# and the middle of the content. Without a number it says its steps.
WRITER = """
import builtins, io, os, signal, sys, tempfile
from pathlib import Path
from bot_v2.features.brokerages.core.secret import Secret
from bot_v2.orchestration.credentials.passphrase import Passphrase
from tests.unit.orchestration.credentials.kit import a_set, answering, CHEAP
from bot_v2.orchestration.credentials.file_store import FileStore

folder, what, kill_before = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
steps = []

def die():
    if hasattr(signal, "SIGKILL"):
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(9)

def step(name):
    if len(steps) == kill_before:
        die()
    steps.append(name)

def stepping(name, call):
    def wrapped(*given, **named):
        step(name)
        return call(*given, **named)
    return wrapped

class HalfAtATime(io.FileIO):
    def write(self, content):
        middle = len(content) // 2
        super().write(content[:middle])
        step("half")
        super().write(content[middle:])
        step("written")
        return len(content)

store = FileStore(folder / "credentials.enc", answering("the old passphrase"), cost=CHEAP)
store.list_sets()
for name in ("fsync", "replace", "open", "unlink"):
    setattr(os, name, stepping(name, getattr(os, name)))
os.fdopen = lambda handle, mode: HalfAtATime(handle, mode)
if what == "put":
    store.put_all({"main": a_set(generation="new")})
else:
    store.rotate(Passphrase(Secret("the new passphrase"), "the test"))
step("end")
print(" ".join(steps))
"""

# A writer that never stops by itself.
ENDLESS = """
import sys
from pathlib import Path
from tests.unit.orchestration.credentials.kit import a_set, answering, CHEAP
from bot_v2.orchestration.credentials.file_store import FileStore

file, size = Path(sys.argv[1]) / "credentials.enc", 200_000
store = FileStore(file, answering("the old passphrase"), cost=CHEAP)
for generation in range(int(sys.argv[2]), 10**9):
    store.put_all({"main": a_set(generation=str(generation), ballast="x" * size)})
    print(generation, flush=True)
"""


def store_in(folder: Path, passphrase: str = OLD) -> FileStore:
    """Return a store in a folder."""
    return FileStore(folder / "credentials.enc", answering(passphrase), cost=CHEAP)


def generation(store: FileStore) -> str:
    """Return which content a store has."""
    kept = store.get("main")
    assert kept is not None
    return kept.fields["generation"].value.reveal()


def start(program: str, *words: object) -> subprocess.Popen[str]:
    """Run a writer in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


@pytest.mark.parametrize("what", ["put", "rotate"])
def test_killed_before_each_step_it_has_the_old_content_or_the_new(
    tmp_path: Path, what: str
) -> None:
    """Whole either way; the next writer is not kept waiting and leaves nothing lying about."""
    seen, steps = [], ""
    for kill_before in range(STEPS_MAX):
        folder = tmp_path / str(kill_before)
        store_in(folder).put_all({"main": a_set(generation="old")})
        with start(WRITER, folder, what, kill_before) as writer:
            steps, errors = writer.communicate(timeout=60)
        assert "Traceback" not in errors
        opened = OLD
        try:
            seen.append(generation(store_in(folder)))
        except WrongPassphraseError:
            opened = NEW
            assert generation(store_in(folder, NEW)) == "old"
            seen.append("new")
        store_in(folder, opened).put_all({"main": a_set(generation="later")})
        assert sorted(one.name for one in folder.iterdir()) == [
            "credentials.enc",
            "credentials.enc.lock",
        ]
        if writer.returncode == 0:
            break
    # The content is on the disk before it is put in its place, and its place after that.
    done = steps.split()
    replaced = done.index("replace")
    assert done[replaced - 3 : replaced] == ["half", "written", "fsync"]
    assert os.name == "nt" or done[replaced + 1 : replaced + 3] == ["open", "fsync"]
    assert seen == ["old"] * (replaced + 1) + ["new"] * (len(seen) - replaced - 1)
    assert {"old", "new"} == set(seen)


def test_killed_at_any_moment_it_has_the_last_content_or_the_next(tmp_path: Path) -> None:
    """Whatever the writer was doing: what it had said was kept is there, or what came after."""
    chance = random.Random(7)
    store_in(tmp_path).put_all({"main": a_set(generation="0")})
    last = 0
    for _ in range(6):
        with start(ENDLESS, tmp_path, last + 1) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randint(1, 12)):
                last = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split()
        said = int(rest[-1]) if rest else last
        last = int(generation(store_in(tmp_path)))
        assert said <= last <= said + 1
    store_in(tmp_path).put_all({"main": a_set(generation="end")})
    assert len(list(tmp_path.iterdir())) == 2


def test_processes_lose_no_set_to_each_other(tmp_path: Path) -> None:
    """Three writers at once, in processes of their own: every set is there."""
    program = WRITER.replace('{"main": a_set(generation="new")}', '{"s" + what: a_set("s" + what)}')
    program = program.replace('if what == "put"', "if True")
    store_in(tmp_path).put_all({"main": a_set(generation="old")})
    writers = [start(program, tmp_path, number, 10**6) for number in range(3)]
    for writer in writers:
        with writer:
            _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors
    assert len(store_in(tmp_path).list_sets()) == 4


def test_a_rotation_that_was_done_holds(tmp_path: Path) -> None:
    """In a process of its own the old passphrase opens nothing any more."""
    store = store_in(tmp_path)
    store.put_all({"main": a_set(generation="old")})
    store.rotate(Passphrase(Secret(NEW), "the test"))
    with pytest.raises(BrokerageError, match="does not open"):
        store_in(tmp_path).list_sets()
    assert generation(store_in(tmp_path, NEW)) == "old"
