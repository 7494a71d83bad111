"""Real servers for the tests, each started on a free port and stopped at the end; a test that wants
one is skipped where it is not installed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_SECONDS = 30.0


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """A Redis server that keeps nothing; gives its port."""
    redis = pytest.importorskip("redis", reason="the Python package redis is not installed")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not on the PATH")
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": folder}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL) as process:
        try:
            _wait(lambda: redis.Redis(port=port).ping())
            yield port
        finally:
            process.kill()


@contextmanager
def postgresql_server() -> Iterator[int]:
    """A PostgreSQL server with an empty database `postgres` of the user `postgres`; its port."""
    pytest.importorskip("psycopg", reason="the Python package psycopg is not installed")
    packaged = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")))
    program = shutil.which("pg_ctl") or (packaged[-1] if packaged else None)
    if program is None:
        pytest.skip("PostgreSQL (pg_ctl) is not installed")
    user, port = _server_user(), free_port()
    # Not among pytest's folders: they are closed to other users.
    with tempfile.TemporaryDirectory(prefix="llm-i2i-postgresql-") as folder:
        if user is not None:
            shutil.chown(folder, user)

        def run(name: str, *arguments: str) -> None:
            command = [Path(program).with_name(name), "-D", f"{folder}/data", *arguments]
            subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

        run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield port
        finally:
            run("pg_ctl", "-m", "immediate", "stop")


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root: the user that its package made; None for one's own."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")


def _wait(ready: Callable[[], object]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            ready()
            return
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
