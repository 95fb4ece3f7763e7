"""Lakes for trials: how they begin, what is dropped into them, what they hold at the end, who reads them meanwhile."""

from __future__ import annotations

import hashlib
import io
import json
import random
import secrets
import shutil
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets.lake.intake import drop
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import DirectoryStorage, S3Storage, Storage
from elexxion_assets_tests.faults.nursery import Nursery, Worker
from elexxion_assets_tests.services.s3 import S3Server
from elexxion_assets_tests.toy import csv

BUCKET = "elexxion-bucket"
FIRST = {"release": "1"}
OLD = {
    "first.csv": csv(*(f"{code:05};{year};{code % 90}" for code in range(1001, 1041) for year in (2020, 2021))),
}
"""What the tables are made of before a trial begins."""


def news(*, large: bool = False) -> list[tuple[str, bytes, dict[str, str]]]:
    """What is dropped in a trial: every kind of file, with rows that no two of them share but where one corrects.

    Args:
        large: With a picture that goes up to S3 in several parts.
    """
    one = csv(*(f"{code:05};2020;{code % 80}" for code in range(2001, 2031)))
    members = {
        "2022.csv": csv(*(f"{code:05};2022;7" for code in range(3001, 3011))),
        "deep/2023.csv": csv(*(f"{code:05};2023;8" for code in range(3001, 3011))),
        "readme.txt": b"nothing to see\n",
    }
    if large:
        members["map.png"] = b"\x89PNG" + random.Random(7).randbytes(11 << 20)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # of no date: the same bytes every time
    return [
        ("one.csv", one, FIRST),
        ("two.csv", csv("04001;2020;1", "04001;2022;2", "BAD;2020;4", "04002;2020;x", "04003;20;5"), FIRST),
        ("one again.csv", one, {}),
        # Corrects all that the first said of 2021.
        ("correction.csv", csv(*(f"{code:05};2021;{code % 70}" for code in range(1001, 1051))), {"release": "2"}),
        ("all.zip", packed.getvalue(), FIRST),
        ("page.csv", b"<!DOCTYPE html>\n<html><head><title>503</title></head></html>\n", {}),
        ("sub/one.csv", csv("05001;2026;9"), FIRST),
    ]


@dataclass(frozen=True)
class Ground:
    """Where lakes lie: below a folder, or on an S3 server."""

    name: str
    folder: Path
    nursery: Nursery
    server: S3Server | None = None

    @contextmanager
    def lake(self, template: Template | None = None, program: str = "run") -> Iterator[Lake]:
        """A lake of its own, as the template was; gone at the end."""
        home = self.folder / secrets.token_hex(4)
        home.mkdir()
        bucket = BUCKET if self.server is None else f"trial-{home.name}"
        storage: Storage
        if self.server is None:
            storage = DirectoryStorage(home / BUCKET)
        else:
            storage = S3Storage(bucket, self.server.client)
            storage.ensure_bucket()
        lake = Lake(self, home, bucket, storage, program)
        try:
            if template is not None:
                template.put(lake)
            yield lake
        finally:
            shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Template:
    """A lake as it is before a trial."""

    objects: list[tuple[str, bytes]]
    dagster: Path

    @classmethod
    def of(cls, lake: Lake, folder: Path) -> Template:
        """What a lake holds now."""
        dagster = folder / f"dagster-{lake.home.name}"
        shutil.copytree(lake.home / "dagster", dagster)
        return cls([(entry.key, lake.storage.read(entry.key)) for entry in lake.storage.list("")], dagster)

    def put(self, lake: Lake) -> None:
        """Puts it into a new lake."""
        shutil.copytree(self.dagster, lake.home / "dagster")
        if isinstance(lake.storage, DirectoryStorage):
            for key, data in self.objects:  # without the patience of a real write
                path = lake.storage.root / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            return
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda item: lake.storage.write(*item), self.objects))


@dataclass(frozen=True)
class Lake:
    """One lake, its Dagster home, and what its passes are (`run` or `pass`); `still` keeps readers out."""

    ground: Ground
    home: Path
    bucket: str
    storage: Storage
    program: str
    still: threading.Lock = field(default_factory=threading.Lock)

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Settings of a worker of this lake."""
        (self.home / "tmp").mkdir(exist_ok=True)
        said = {"ELEXXION_HOME": str(self.home), "ELEXXION_BUCKET": self.bucket, "TMPDIR": str(self.home / "tmp")}
        if (server := self.ground.server) is not None:
            said |= {
                "ELEXXION_S3_ENDPOINT": endpoint or server.endpoint,
                "ELEXXION_S3_ACCESS_KEY": server.access_key,
                "ELEXXION_S3_SECRET_KEY": server.secret_key,
            }
        return said

    def start(
        self, *arguments: str, endpoint: str | None = None, env: dict[str, str] | None = None, **plan: Any
    ) -> Worker:
        """Starts a worker on this lake."""
        environment = {**self.environment(endpoint), **(env or {})}
        return self.ground.nursery.start(arguments=list(arguments), environment=environment, **plan)

    def work(self, **plan: Any) -> Worker:
        """Starts a pass: `elexxion run`, or the same without Dagster."""
        return self.start(self.program, **plan)

    def drop(self, files: list[tuple[str, bytes, dict[str, str]]]) -> None:
        for name, content, hints in files:
            drop(self.storage, name, content, hints)

    def table(self, layer: Layer, name: str, period: str) -> pl.DataFrame:
        """A table as a reader finds it."""
        return pl.read_parquet(io.BytesIO(self.storage.read(layout.table_key("toy", layer, name, period))))


TABLES = [(Layer.SILVER, "facts"), (Layer.GOLD, "sums")]


@dataclass
class Holdings:
    """All that a lake holds, in words that two lakes can be compared by."""

    rows: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    deliveries: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, lake: Lake) -> Holdings:
        """Reads everything."""
        held = cls()
        storage, ledger = lake.storage, Ledger(lake.storage)
        for entry in storage.list("output/"):
            if entry.key.endswith(".parquet"):
                held._table(storage, entry.key)
        for entry in storage.list(layout.QUARANTINE):
            rejected = pl.read_parquet(io.BytesIO(storage.read(entry.key))).drop("_file")
            for row in rejected.rows():  # of two names of one content either may come first
                held.rows["quarantine", *(str(cell).rpartition("-")[2] for cell in row)] += 1
        for delivery in ledger.all():
            held._delivery(storage, delivery)
        held.problems += [
            f"{entry.key} still waits" for entry in storage.list(layout.INPUT) if ".keep" not in entry.key
        ]
        held.problems += [f"{theme} {list(found)} is still due" for theme, found in ledger.pending().items()]
        return held

    def _table(self, storage: Storage, key: str) -> None:
        frame = pl.read_parquet(io.BytesIO(storage.read(key)))
        _, layer, _, name, period, *_ = (*key.removesuffix(".parquet").split("/"),)
        for row in frame.rows(named=True):
            # A delivery's identifier holds the time of its drop; its end is the content.
            told = {column: str(cell).rpartition("-")[2] for column, cell in row.items()}
            self.rows[layer, name, period, *sorted(told.items())] += 1
        if layer != "bronze":
            document = json.loads(storage.read(key.removesuffix(".parquet") + ".json"))
            if document["rows"] != frame.height:
                self.problems.append(f"the document of {key} speaks of {document['rows']} rows, it has {frame.height}")
        elif not any(key.rpartition("/")[2].startswith(d.id) for d in Ledger(storage).all() if d.state is State.READ):
            self.problems.append(f"{key} belongs to nobody")

    def _delivery(self, storage: Storage, delivery: Delivery) -> None:
        self.deliveries[delivery.sha256[:8], str(delivery.state)] += 1
        if not delivery.raw or hashlib.sha256(storage.read(delivery.raw)).hexdigest() != delivery.sha256:
            self.problems.append(f"the raw bytes of {delivery.name} are not there")
        # How often it was dropped may be told late: see `ledger`.
        if not Delivery.from_json(storage.read(delivery.document)).same_facts(delivery):
            self.problems.append(f"the document of {delivery.name} is not its record")


@dataclass
class Verdict:
    """How the lake of a trial differs from an undisturbed one."""

    losses: list[str]
    duplicates: list[str]
    problems: list[str]

    @classmethod
    def between(cls, found: Holdings, wanted: Holdings) -> Verdict:
        """Compares them."""
        lost = (wanted.rows - found.rows) + (wanted.deliveries - found.deliveries)
        more = (found.rows - wanted.rows) + (found.deliveries - wanted.deliveries)
        return cls([str(item) for item in lost.elements()], [str(item) for item in more.elements()], found.problems)


class Reader(threading.Thread):
    """Reads the tables all the time; what it once read must stay readable, whole, with all the communes it had."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(daemon=True)
        self.lake = lake
        self.ended = threading.Event()
        self.reads = 0
        self.failures: list[str] = []
        self.known: dict[tuple[Layer, str, str], set[str]] = {}

    def run(self) -> None:
        while not self.ended.is_set():
            for layer, name in TABLES:
                for period in ("2020", "2021"):
                    self._read(layer, name, period)
            self.ended.wait(0.1)

    def _read(self, layer: Layer, name: str, period: str) -> None:
        try:
            with self.lake.still:
                frame = self.lake.table(layer, name, period)
        except Exception as error:
            self.failures.append(f"{layer} {name} {period}: {error!r}")
            return
        codes = set(frame["code_commune"])
        missing = self.known.setdefault((layer, name, period), codes) - codes
        if missing or frame["code_commune"].n_unique() != frame.height:
            self.failures.append(f"{layer} {name} {period}: {len(missing)} communes gone, {frame.height} rows")
        self.reads += 1

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()
