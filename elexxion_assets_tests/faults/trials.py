"""The trials: what is done to a lake that takes files, and the judgement afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from elexxion_assets.lake import layout
from elexxion_assets.lake.ledger import Ledger, State
from elexxion_assets_tests.faults.lakes import FIRST, OLD, Ground, Holdings, Lake, Reader, Template, Verdict, news
from elexxion_assets_tests.faults.nursery import nursery
from elexxion_assets_tests.faults.proxy import proxy
from elexxion_assets_tests.services.s3 import S3Server, minio_binary, minio_server, moto_server
from elexxion_assets_tests.toy import csv

LARGE = {"multipart upload"}
"""Families whose files need uploads in parts."""


@dataclass
class Outcome:
    """What came of one trial.

    Attributes:
        seed: Its seed.
        hit: Whether the fault happened: a worker was killed, a request went wrong.
        losses: Rows and deliveries that an undisturbed lake has and this one has not.
        duplicates: Those that this one has too many.
        unreadable: Times that a table could not be read, or lacked what it had.
        problems: Whatever else is not as it should be.
        reads: Times that a table was read meanwhile.
        seconds: How long it took.
    """

    seed: int
    hit: bool = False
    losses: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    reads: int = 0
    seconds: float = 0

    @property
    def good(self) -> bool:
        return not (self.losses or self.duplicates or self.unreadable or self.problems)


@dataclass
class Arena:
    """A ground, how lakes on it begin, and what an undisturbed one holds at the end."""

    ground: Ground
    template: Template
    wanted: dict[tuple[bool, str], Holdings] = field(default_factory=dict)
    passed: dict[tuple[bool, str], dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def prepare(self, program: str, *, large: bool = False) -> None:
        """Runs one lake undisturbed; notes how often it comes by each point."""
        if (large, program) in self.wanted:
            return
        with self.ground.lake(self.template, program) as lake:
            lake.drop(news(large=large))
            counts = lake.home / "counts.json"
            began = time.monotonic()
            assert lake.work(counts=str(counts)).end() == 0
            self.seconds[program] = time.monotonic() - began
            self.passed[large, program] = json.loads(counts.read_text())
            held = self.wanted[large, program] = Holdings.of(lake)
            assert not held.problems, held.problems


@contextmanager
def arenas(*names: str) -> Iterator[list[Arena]]:
    """Arenas on `directory`, `moto` and `minio`, those that can be had."""
    with ExitStack() as stack:
        workers = stack.enter_context(nursery())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="elexxion-trials-")))
        found = []
        for name in names:
            server: S3Server | None = None
            if name == "moto":
                server = stack.enter_context(moto_server())
            elif name == "minio":
                binary = minio_binary()
                if binary is None:
                    continue
                server = stack.enter_context(minio_server(binary))
            ground = Ground(name, folder, workers, server)
            with ground.lake() as lake:
                lake.drop([(name, content, FIRST) for name, content in OLD.items()])
                assert lake.work().end() == 0
                found.append(Arena(ground, Template.of(lake, folder)))
        yield found


Family = Callable[[Arena, Lake, random.Random], bool]
"""Drops files and takes them under a fault; gives whether the fault happened."""


def attempt(arena: Arena, name: str, seed: int) -> Outcome:
    """One trial of a family, judged."""
    outcome, began = Outcome(seed), time.monotonic()
    large = name in LARGE
    program = "run" if name in WITH_DAGSTER or seed % 5 == 0 else "pass"
    arena.prepare(program, large=large)
    chance = random.Random(f"{name} {seed}")
    with arena.ground.lake(arena.template, program) as lake, Reader(lake) as reader:
        try:
            if name != "overwritten while it is read":
                lake.drop(news(large=large))
            outcome.hit = FAMILIES[name](arena, lake, chance)
            last = lake.work()
            if (code := last.end()) != 0:
                outcome.problems.append(f"the run afterwards ended with {code}: {last.said()}")
            found = Holdings.of(lake)
            if name == "overwritten while it is read":
                _forgive_versions(lake, found, outcome)
            verdict = Verdict.between(found, arena.wanted[large, program])
            outcome.losses += verdict.losses
            outcome.duplicates += verdict.duplicates
            outcome.problems += verdict.problems
        except Exception as error:
            outcome.problems.append(f"{type(error).__name__}: {error}")
        if not outcome.good and (kept := os.environ.get("ELEXXION_KEEP")):
            _keep(lake, Path(kept) / f"{arena.ground.name}-{name}-{seed}".replace(" ", "_"))
    outcome.unreadable, outcome.reads = reader.failures, reader.reads
    outcome.seconds = time.monotonic() - began
    return outcome


def _keep(lake: Lake, folder: Path) -> None:
    """Keeps a lake for the one who looks for the reason."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", f"{lake.home}/.", folder], check=False)


# Killed at a point.


def killed_at(point: str, arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """kill -9 before, after or in the middle of what makes the point."""
    times = arena.passed[point in LARGE, lake.program].get(point, 0)
    if not times:
        return False
    writes = point not in {"listing of input", "mark removed", "input removed", "run submitted"}
    whens = ["before", "after", *["middle"] * (writes and "event" not in point and "run" not in point)]
    trap = {"point": point, "at": chance.randint(1, times), "when": chance.choice(whens)}
    return lake.work(trap=trap).end() is None


def killed_at_any_time(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """kill -9 whenever the clock says."""
    worker = lake.work()
    worker.wait(chance.uniform(0, arena.seconds[lake.program]))
    worker.kill()
    return worker.end() is None


def killed_again_and_again(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """Four workers in a row, each killed somewhere; files come in between."""
    ends = []
    for number in range(4):
        at = chance.randint(1, arena.passed[False, lake.program]["any operation"] // 2)
        ends.append(lake.work(trap={"point": "any operation", "at": at, "when": "after"}).end())
        if number == 1:
            lake.drop(news()[:2])
    return None in ends


# Several at once.


def two_workers(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """Two workers on the same files, a little apart; both live."""
    first = lake.work()
    time.sleep(chance.uniform(0, arena.seconds[lake.program] / 2))
    second = lake.work()
    return first.end() is not None and second.end() is not None


def two_workers_one_killed(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """Two workers on the same files; one is killed while the other goes on."""
    at = chance.randint(1, arena.passed[False, lake.program]["any operation"])
    first = lake.work(trap={"point": "any operation", "at": at, "when": chance.choice(["before", "after"])})
    second = lake.work()
    killed = first.end() is None
    return second.end() is not None and killed


def events(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """Events twice, late and out of order: the same and stale entries are taken by three threads, then a kill."""
    trap = None
    if chance.random() < 0.5:
        trap = {"point": "any operation", "at": chance.randint(1, 200), "when": "after"}
    lake.start("events", str(chance.random()), trap=trap).end()
    return True


def overwritten(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """A file is replaced again and again, in place and in pieces, while workers read it."""
    lake.drop(news())
    versions: list[bytes] = []
    stop = threading.Event()

    def overwrite() -> None:
        while not stop.is_set():
            number = len(versions)
            versions.append(csv(*(f"{90_000 + number};2024;{code % 60}" for code in range(1, 2))) + b"\n" * number)
            path = lake.home / lake.bucket / "input" / "live.csv"
            if lake.ground.server is None:
                half = len(versions[-1]) // 2
                with path.open("wb") as target:
                    target.write(versions[-1][:half])
                    target.flush()
                    time.sleep(chance.uniform(0, 0.02))
                    target.write(versions[-1][half:])
            else:
                lake.storage.write("input/live.csv", versions[-1])
            time.sleep(chance.uniform(0, 0.15))

    thread = threading.Thread(target=overwrite)
    thread.start()
    settle = {"ELEXXION_SETTLE_SECONDS": "0.05"}
    for _ in range(4):
        lake.work(env=settle).end()
    stop.set()
    thread.join()
    (lake.home / "versions.json").write_text(json.dumps([version.decode() for version in versions]))
    return len(versions) > 3


def _forgive_versions(lake: Lake, found: Holdings, outcome: Outcome) -> None:
    """Takes the versions of the overwritten file out of what was found, each judged by itself."""
    written = {
        hashlib.sha256(text.encode()).hexdigest(): str(90_000 + number)
        for number, text in enumerate(json.loads((lake.home / "versions.json").read_text()))
    }
    accepted = [d for d in Ledger(lake.storage).all() if d.name.startswith("live.csv")]
    torn = [d.name for d in accepted if d.sha256 not in written or d.state is not State.READ]
    outcome.problems += [f"{name} was taken in the middle of a write" for name in torn]
    codes = {written[d.sha256] for d in accepted if d.sha256 in written}
    if list(written.values())[-1] not in codes:
        outcome.losses.append("the last version of the file")
    seen: dict[str, list[str]] = {}
    for row in list(found.rows):
        told = dict(item for item in row[3:] if isinstance(item, tuple))
        code = told.get("code_commune") or told.get("CODGEO") or ""
        if code.startswith("9"):
            seen.setdefault(code, []).extend([row[0]] * found.rows.pop(row))
    for code in codes:
        if sorted(seen.pop(code, [])) != ["argent", "bronze", "or"]:
            outcome.losses.append(f"the version of commune {code}")
    outcome.duplicates += [f"commune {code} of no version" for code in seen]
    for delivery in accepted:
        found.deliveries[delivery.sha256[:8], str(delivery.state)] -= 1
    found.deliveries += type(found.deliveries)()


# Starved.


def disk_full(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """A small disk under the lake, Dagster's files or the temporary ones runs full, then grows."""
    parts = ["tmp"] + ["dagster"] * (lake.program == "run") + [lake.bucket] * (lake.ground.server is None)
    part = chance.choice(parts)
    folder = lake.home / part
    folder.mkdir(exist_ok=True)
    with _small_disk(lake, folder, round(2 ** chance.uniform(2, 6))) as grow:
        if grow is None:
            return False
        code = lake.work().end()
        grow()
        again = lake.work().end()  # while the disk is still mounted: what is judged outlives it
    return code != 0 and again == 0


@contextmanager
def _small_disk(lake: Lake, folder: Path, kilobytes: int) -> Iterator[Callable[[], object] | None]:
    """Puts what a folder holds on a disk with little room left; gives what makes it large, None where it may not."""
    kept = folder.with_name(f"{folder.name}-kept")
    with lake.still:
        folder.rename(kept)
        folder.mkdir()
        used = int(subprocess.run(["du", "-sk", kept], capture_output=True, check=True).stdout.split()[0])
        size = f"size={used + kilobytes}k"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True)
        if mounted.returncode:
            folder.rmdir()
            kept.rename(folder)
        else:
            subprocess.run(["cp", "-a", f"{kept}/.", folder], check=True)
    if mounted.returncode:
        yield None
        return
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)
    finally:
        with lake.still:
            _unmount_into(folder)


def _unmount_into(folder: Path) -> None:
    """Ends a small disk; its files stay in the folder."""
    kept = folder.with_name(f"{folder.name}-after")
    subprocess.run(["cp", "-a", f"{folder}/.", kept], check=True)
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()
    kept.rename(folder)


def faulty_s3(arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """Requests to S3 fail, break off, hang, or lose their answer; perhaps a kill too."""
    server = arena.ground.server
    if server is None:
        return False
    with proxy(server.endpoint, chance.randrange(1 << 30)) as between:
        between.share = chance.choice([0.02, 0.1, 0.3, 0.6])
        worker = lake.work(endpoint=between.endpoint)
        if not worker.wait(chance.uniform(2, 8)):
            between.share = 0 if chance.random() < 0.5 else 0.05
            if chance.random() < 0.3:
                worker.kill()
        worker.end(300)
        return bool(between.done)


# The daemons.


def daemons_killed(point: str, arena: Arena, lake: Lake, chance: random.Random) -> bool:
    """Dagster's daemon, its code server and its runs are killed, then started again, with nobody acting."""
    settings = {"DAGSTER_HOME": str(lake.home / "dagster"), "ELEXXION_SETTLE_SECONDS": "0.2"}
    configuration = lake.home / "dagster" / "dagster.yaml"
    configuration.write_text(
        configuration.read_text().replace("start_timeout_seconds: 120", "start_timeout_seconds: 10")
    )
    trap = {"point": point, "at": 1, "when": chance.choice(["before", "after"])} if point else None
    worker = lake.start("daemon", env=settings, trap=trap)
    worker.wait(40 if point else chance.uniform(3, 25))
    worker.kill()
    killed = worker.end() is None
    worker = lake.start("daemon", env=settings)
    deadline = time.monotonic() + 150
    while not _finished(lake):
        if time.monotonic() > deadline:
            worker.kill()
            worker.end()
            raise TimeoutError("the daemons do not come to an end with the files")
        time.sleep(0.3)
    worker.kill()
    worker.end()
    return killed


def _finished(lake: Lake) -> bool:
    waiting = [entry for entry in lake.storage.list(layout.INPUT) if not entry.key.endswith(".keep")]
    return not waiting and not Ledger(lake.storage).pending()


POINTS = [
    "listing of input",
    "ledger record",
    "ledger document",
    "copy to raw",
    "bronze",
    "quarantine",
    "pending mark",
    "input removed",
    "table",
    "table document",
    "mark removed",
    "materialisation",
    "end of run",
    "dagster event",
    "any operation",
]

FAMILIES: dict[str, Family] = {
    **{f"killed at: {point}": partial(killed_at, point) for point in POINTS},
    "multipart upload": partial(killed_at, "multipart upload"),
    "killed at any time": killed_at_any_time,
    "killed four times": killed_again_and_again,
    "two workers": two_workers,
    "two workers, one killed": two_workers_one_killed,
    "events twice and out of order": events,
    "overwritten while it is read": overwritten,
    "disk full": disk_full,
    "S3 fails": faulty_s3,
    "daemons killed at any time": partial(daemons_killed, ""),
    "daemon killed at: run submitted": partial(daemons_killed, "run submitted"),
}

WITH_DAGSTER = {
    *(f"killed at: {point}" for point in ("materialisation", "end of run", "dagster event")),
    "daemons killed at any time",
    "daemon killed at: run submitted",
}
"""Families whose passes are always `elexxion run` or the daemons; every fifth trial of the others is."""

S3_ONLY = {"multipart upload", "S3 fails"}


def concerns(name: str, arena: Arena) -> bool:
    """Whether a family says something about a ground."""
    return arena.ground.server is not None or name not in S3_ONLY
