"""A file put into a real MinIO: its event reaches `elexxion serve`, the sensor looks at once, gold appears."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from elexxion_assets.themes import all_themes
from elexxion_assets_tests.services.s3 import S3Server, minio_binary, minio_server
from elexxion_assets_tests.test_cli import ELEXXION, Person

PATIENCE = 240


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Deployment:
    """MinIO that sends its events to `elexxion serve`, and the Dagster services, whose own rhythm may be slow."""

    def __init__(self, home: Path, stack: ExitStack, sensor_seconds: int = 3600) -> None:
        binary = minio_binary()
        if binary is None:
            pytest.skip("no MinIO: set ELEXXION_MINIO to its binary, or put it into PATH or ~/go/bin")
        hook, ui, token = free_port(), free_port(), secrets.token_hex(16)
        self.hook = f"http://127.0.0.1:{hook}"
        self.server: S3Server = stack.enter_context(
            minio_server(
                binary,
                MINIO_NOTIFY_WEBHOOK_ENABLE_ELEXXION="on",
                MINIO_NOTIFY_WEBHOOK_ENDPOINT_ELEXXION=f"{self.hook}/",
                MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_ELEXXION=token,
            )
        )
        self.person = Person(
            home,
            ELEXXION_BUCKET="lake",
            ELEXXION_S3_ENDPOINT=self.server.endpoint,
            ELEXXION_S3_ACCESS_KEY=self.server.access_key,
            ELEXXION_S3_SECRET_KEY=self.server.secret_key,
            ELEXXION_EVENTS_TARGET="arn:minio:sqs::ELEXXION:webhook",
            ELEXXION_WEBHOOK_TOKEN=token,
            ELEXXION_WEBSERVER=f"http://127.0.0.1:{ui}",
            ELEXXION_SENSOR_SECONDS=str(sensor_seconds),
        )
        self.init = json.loads(self.person.reads("init", "--json"))
        self.home, self.ui, self.stack = home, f"http://127.0.0.1:{ui}", stack
        self.start("ui", "--port", str(ui))
        self.hook_port = hook

    def serve(self) -> None:
        self.start("serve", "--port", str(self.hook_port))
        self.wait(f"{self.hook}/health")

    def start(self, *arguments: str) -> None:
        log = self.stack.enter_context((self.home / f"{arguments[0]}.log").open("wb"))
        process = subprocess.Popen(
            [ELEXXION, *arguments],
            cwd=self.home,
            env=self.person.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.stack.callback(self.stop, process)

    @staticmethod
    def stop(process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait(self, address: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(address, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < deadline, address
                time.sleep(0.3)

    def gold(self, prefix: str = "output/or/crime/departements/") -> dict[str, str]:
        found = self.server.client.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", ())
        return {item["Key"]: item["ETag"] for item in found if item["Key"].endswith(".parquet")}

    def put(self, name: str, content: bytes) -> float:
        """Seconds from a plain PUT, as any S3 client does it, to gold."""
        before, began = self.gold(), time.monotonic()
        self.server.client.put_object(Bucket="lake", Key=f"input/{name}", Body=content)
        while self.gold() == before:
            assert time.monotonic() - began < PATIENCE, (self.home / "serve.log").read_text()
            time.sleep(0.1)
        return time.monotonic() - began


def sample(folder: Path, seed: int) -> bytes:
    samples = all_themes()["crime"].samples
    assert samples is not None
    folder.mkdir()
    return next(path for path in samples(folder, seed) if "dep" in path.name).read_bytes()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with ExitStack() as stack:
        made = Deployment(tmp_path, stack)
        made.serve()
        made.wait(f"{made.ui}/server_info")
        yield made


def test_an_object_put_into_minio_reaches_gold_without_the_sensor_s_own_rhythm(
    deployment: Deployment, tmp_path: Path
) -> None:
    assert "the bucket's rule for events" in deployment.init["made"]
    assert json.loads(deployment.person.reads("init", "--json"))["made"] == []
    deployment.put("Délinquance été/base dép+2023.csv", sample(tmp_path / "samples", 1))
    assert "was read" in deployment.person.reads("why", "base")


if __name__ == "__main__":
    # Measures both ways: `python -m elexxion_assets_tests.api.test_webhook_minio webhook|polling FOLDER`.
    way, folder = sys.argv[1], Path(sys.argv[2])
    with ExitStack() as services:
        measured = Deployment(folder, services, sensor_seconds=3600 if way == "webhook" else 3)
        if way == "webhook":
            measured.serve()
        measured.wait(f"{measured.ui}/server_info")
        time.sleep(20)
        for number in range(1, 5):
            seconds = measured.put(f"drop-{number}.csv", sample(folder / f"samples-{number}", number))
            print(way, number, f"{seconds:.1f} s", "load", os.getloadavg()[0], flush=True)
            time.sleep(15)
