"""Thousands of small files at once, and a look at `input/` beside a long past: figures of this machine.

`python -m elexxion_assets_tests.benchmarks.intake --files 10000 --past 100000 --on directory minio`
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import Storage, open_storage
from elexxion_assets.settings import settings
from elexxion_assets_tests.services.s3 import minio_binary, minio_server
from elexxion_assets_tests.toy import csv

TOY = "from elexxion_assets_tests.toy import TOY as THEME\n"


@contextmanager
def lake(ground: str) -> Iterator[Storage]:
    """An empty lake that the settings of this process and of its children name."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="elexxion-benchmark-")))
        (home / "themes" / "toy").mkdir(parents=True)
        (home / "themes" / "toy" / "__init__.py").write_text(TOY)
        for name in [name for name in os.environ if name.startswith(("ELEXXION_S3", "DAGSTER_HOME"))]:
            del os.environ[name]
        os.environ |= {
            "ELEXXION_HOME": str(home),
            "ELEXXION_SETTLE_SECONDS": "0",
            "DAGSTER_HOME": str(home / "dagster"),
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        }
        if ground == "minio":
            binary = minio_binary()
            assert binary is not None, "no MinIO: set ELEXXION_MINIO"
            server = stack.enter_context(minio_server(binary))
            os.environ |= {
                "ELEXXION_S3_ENDPOINT": server.endpoint,
                "ELEXXION_S3_ACCESS_KEY": server.access_key,
                "ELEXXION_S3_SECRET_KEY": server.secret_key,
            }
        settings.cache_clear()
        yield open_storage(settings())


def drop(storage: Storage, count: int) -> None:
    """Puts that many small files of 26 years into `input/`, each with rows of its own."""
    contents = [csv(*(f"{code:05};{2000 + code % 26};{code % 90}" for code in (n, n + 20_000))) for n in range(count)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda n: storage.write(f"input/f{n:06}.csv", contents[n]), range(count)))


def remember(storage: Storage, count: int) -> None:
    """Writes the ledger of as many deliveries of the past."""
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def write(n: int) -> None:
        sha256 = hashlib.sha256(str(n).encode()).hexdigest()
        when = at + timedelta(seconds=n)
        delivery = Delivery(
            id=f"{when:%Y%m%dT%H%M%S%f}Z-{sha256[:8]}",
            name=f"past-{n}.csv",
            sha256=sha256,
            size=100,
            received_at=when,
            updated_at=when,
            state=State.READ,
            theme="toy",
            raw=f"raw/toy/{n}",
        )
        for key in (f"metadata/ledger/{sha256[:2]}/{sha256[:8]}.json", delivery.document):
            if (root := getattr(storage, "root", None)) is not None:  # a real write waits for the disk
                (root / key).parent.mkdir(parents=True, exist_ok=True)
                (root / key).write_bytes(delivery.to_json())
            else:
                storage.write(key, delivery.to_json())

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(write, range(count)))


def run() -> tuple[float, float, int]:
    """One `elexxion run`: seconds, seconds of CPU, megabytes of memory at most."""
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "elexxion_assets.cli", "run", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=settings().home)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"    deliveries told: {len(json.loads(done.stdout)['deliveries'])}")
    return time.monotonic() - began, cpu, after.ru_maxrss // 1024


def tick() -> float:
    """Seconds of one look of the sensor."""
    import dagster as dg

    from elexxion_assets.definitions import defs
    from elexxion_assets.defs.resources import LakeResource

    with dg.DagsterInstance.get() as instance:
        context = dg.build_sensor_context(instance, definitions=defs, resources={"lake": LakeResource()})
        began = time.monotonic()
        defs.resolve_sensor_def("input_sensor").evaluate_tick(context)
        return time.monotonic() - began


def runs() -> int:
    """Runs that Dagster knows."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        return instance.get_runs_count()


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--past", type=int, default=100_000)
    parser.add_argument("--on", nargs="*", default=["directory", "minio"])
    asked = parser.parse_args()
    for ground in asked.on:
        with lake(ground) as storage:
            (settings().home / "dagster").mkdir(exist_ok=True)
            from elexxion_assets.defs.instance import prepare_home

            prepare_home()
            print(f"{ground}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
            if asked.files:
                drop(storage, asked.files)
                print(f"  sensor tick beside {asked.files} new files: {tick():.2f} s", flush=True)
                began = datetime.now(UTC)
                seconds, cpu, memory = run()
                each = 1000 * seconds / asked.files
                read = [delivery.updated_at for delivery in Ledger(storage).all() if delivery.state is State.READ]
                print(f"  {len(read)} files in bronze: {(max(read) - began).total_seconds():.0f} s", flush=True)
                print(
                    f"  {asked.files} files to tables: {seconds:.0f} s ({cpu:.0f} s of CPU), {each:.1f} ms per file, "
                    f"{runs()} runs, {memory} MB",
                    flush=True,
                )
            if asked.past:
                remember(storage, asked.past)
                tick()
                print(f"  sensor tick beside {asked.past} past deliveries: {tick():.2f} s", flush=True)
                print(f"  `elexxion run` with nothing to do: {run()[0]:.1f} s, imports included", flush=True)
            print(f"  load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
