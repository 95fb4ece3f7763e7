"""S3 servers for tests: moto in this process, and a real MinIO where its binary is found."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from elexxion_assets.lake.storage import S3Storage, Storage, s3_client


@dataclass(frozen=True)
class S3Server:
    """Address and credentials of a server on the loopback interface."""

    endpoint: str
    access_key: str
    secret_key: str

    @cached_property
    def client(self) -> Any:
        """One client for all tests: making one takes longer than most tests."""
        return s3_client(self.endpoint, self.access_key, self.secret_key)


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """An imitation of S3 that lives in memory and checks no signature."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = S3Server(f"http://{host}:{port}", "moto", "moto-secret")
        yield running
        running.client.close()
    finally:
        server.stop()


def minio_binary() -> Path | None:
    """The MinIO that ELEXXION_MINIO names, or that of PATH or of Go's folder of binaries."""
    if named := os.environ.get("ELEXXION_MINIO"):
        return Path(named)
    if found := shutil.which("minio"):
        return Path(found)
    built = Path.home() / "go" / "bin" / "minio"
    return built if built.is_file() else None


@contextmanager
def minio_server(binary: Path, **environment: str) -> Iterator[S3Server]:
    """A real MinIO with credentials and data of its own, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="elexxion-minio-") as folder, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.close()
        server = S3Server(f"http://127.0.0.1:{port}", secrets.token_hex(8), secrets.token_hex(16))
        log = Path(folder) / "minio.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [binary, "server", f"{folder}/data", "--quiet", "--address", f"127.0.0.1:{port}"],
                env={
                    "HOME": folder,
                    "PATH": os.environ["PATH"],
                    "MINIO_BROWSER": "off",
                    "MINIO_ROOT_USER": server.access_key,
                    "MINIO_ROOT_PASSWORD": server.secret_key,
                    **environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_until_healthy(server, process, log)
            yield server
            server.client.close()
        finally:
            process.kill()  # it takes seconds to stop in good order, for data that nobody keeps
            process.wait()


def _wait_until_healthy(server: S3Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.endpoint}/minio/health/live", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"MinIO did not start:\n{log.read_text(errors='replace')}")


def is_moto(storage: Storage) -> bool:
    """Whether an imitation answers: some of S3 it does not do."""
    if not isinstance(storage, S3Storage):
        return False
    answer = storage.client.head_bucket(Bucket=storage.bucket)
    return "Werkzeug" in answer["ResponseMetadata"]["HTTPHeaders"]["server"]


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


@pytest.fixture(scope="session")
def minio() -> Iterator[S3Server]:
    binary = minio_binary()
    if binary is None:
        pytest.skip("no MinIO: set ELEXXION_MINIO to its binary, or put it into PATH or ~/go/bin")
    with minio_server(binary) as server:
        yield server
