"""A PostgreSQL server of the test's own, in a folder of its own, that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

UNPRIVILEGED = "postgres"
FOLDERS = (Path("/usr/lib/postgresql"), Path("/usr/local/pgsql"))


def server_programs() -> Path | None:
    """Return the folder of initdb and postgres. None: the machine has no server."""
    found = [path.parent for folder in FOLDERS for path in folder.glob("**/bin/initdb")]
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path else max(found, default=None)


@contextmanager
def postgres_server() -> Iterator[str]:
    """Give the URL of an empty database; skip where there is no server or no driver."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = server_programs()
    if programs is None or os.name == "nt":
        pytest.skip("there is no PostgreSQL server on this machine")
    # PostgreSQL refuses to run as root.
    as_user: dict[str, Any] = {"user": UNPRIVILEGED} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="bot-v2-pg-") as name:
        folder = Path(name)
        if as_user:
            shutil.chown(folder, UNPRIVILEGED)
        data = folder / "data"
        run: dict[str, Any] = {"cwd": folder, "env": {"LC_ALL": "C", "PATH": os.defpath}, **as_user}
        initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", "bot"]
        initdb += ["--auth=trust", "-E", "UTF8"]
        subprocess.run(initdb, check=True, capture_output=True, **run)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        )
        control: list[str | Path] = [programs / "pg_ctl", "-D", data, "-w", "-t", "60"]
        start = [*control, "-l", folder / "log", "-o", options, "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, **run)
        try:
            yield f"postgresql://bot@127.0.0.1:{port}/postgres"
        finally:
            stop = [*control, "-m", "immediate", "stop"]
            subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, **run)
