"""A real PostgreSQL of the tests' own, on the loopback interface."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: of PATH, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@contextmanager
def postgres_server(binaries: Path) -> Iterator[str]:
    """Starts a server with an empty database `dagster`; gives its address."""
    # PostgreSQL refuses to run as root; any other user will do.
    user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    folder = tempfile.mkdtemp(prefix="elexxion-postgres-", dir="/tmp")
    if user:
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"cwd": folder, "check": True, "capture_output": True, **user}
    subprocess.run([binaries / "initdb", "-D", f"{folder}/data", "-U", "dagster", "-A", "trust"], **options)
    server = subprocess.Popen(
        [binaries / "postgres", "-D", f"{folder}/data", "-p", str(port), "-k", folder, "-h", "127.0.0.1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **user,
    )
    try:
        ready = [binaries / "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-t", "30"]
        while subprocess.run(ready, capture_output=True, check=False).returncode != 0:
            assert server.poll() is None, "PostgreSQL ended"
        create = [binaries / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "dagster", "dagster"]
        subprocess.run(create, check=True, capture_output=True)
        yield f"postgresql+psycopg2://dagster@127.0.0.1:{port}/dagster"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL: the one of ELEXXION_TEST_DATABASE_URL, or one of our own."""
    if address := os.environ.get("ELEXXION_TEST_DATABASE_URL"):
        yield address
        return
    binaries = _binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server: install one, or set ELEXXION_TEST_DATABASE_URL")
    with postgres_server(binaries) as address:
        yield address
