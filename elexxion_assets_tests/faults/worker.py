"""What a worker of a trial does: the real command line or daemon, with a trap that kills it at a named point."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import random
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from elexxion_assets.lake.storage import DirectoryStorage, Entry, S3Storage


def prepare() -> None:
    """Imports all that a pass needs, once for all workers; touches nothing that has threads."""
    import alembic.script  # noqa: F401
    import boto3.session  # noqa: F401
    import botocore.config  # noqa: F401
    import dagster._core.storage.event_log.sqlite
    import dagster._core.storage.runs.sqlite
    import dagster._core.storage.schedules.sqlite  # noqa: F401

    from elexxion_assets import themes

    # The toy alone: what the real themes do when they are imported may begin threads.
    themes.__path__.clear()
    from elexxion_assets import cli  # noqa: F401
    from elexxion_assets.definitions import defs

    for job in ("intake", "toy"):
        defs.resolve_job_def(job)


def follow(plan: dict[str, Any]) -> None:
    """Follows a plan and ends the process.

    The plan says `status` and `log` (files), `environment`, `arguments` (of the command line; or `daemon` for Dagster's
    daemon, `pass` for a pass without Dagster, `events`), perhaps `trap` (`point`, `at`: its how many-th time, `when`)
    and `counts` (a file for how often each point was passed).
    """
    log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 70
    try:
        os.environ.update(plan["environment"])
        from elexxion_assets.settings import settings

        settings.cache_clear()
        S3Storage.__init__.__defaults__ = (5 << 20,)  # the smallest parts that S3 allows
        trap = Trap(**plan.get("trap") or {})
        trap.set()
        code = run(plan["arguments"])
        if plan.get("counts"):
            Path(plan["counts"]).write_text(json.dumps(trap.passed))
        Path(plan["status"]).write_text(str(code))
    except BaseException:
        traceback.print_exc()
        Path(plan["status"]).write_text("70")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(arguments: list[str]) -> int:
    """Runs the real program in this process; gives its exit code."""
    try:
        if arguments == ["daemon"]:
            from dagster._daemon.cli import create_dagster_daemon_cli

            create_dagster_daemon_cli()(["run", "-m", "elexxion_assets.definitions"], standalone_mode=False)
        elif arguments == ["pass"]:
            one_pass()
        elif arguments[0] == "events":
            take_events(random.Random(arguments[1]))
        else:
            from elexxion_assets.cli import main

            sys.argv = ["elexxion", *arguments]
            main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


POINTS: dict[str, Callable[[str, str], bool]] = {
    "listing of input": lambda operation, key: operation == "list" and key == "input/",
    "ledger record": lambda operation, key: operation == "write" and key.startswith("metadata/ledger/"),
    "ledger document": lambda operation, key: (
        operation == "write" and key.startswith(("metadata/landed/", "metadata/toy/", "metadata/archive/"))
    ),
    "copy to raw": lambda operation, key: operation == "write" and key.startswith("raw/"),
    "bronze": lambda operation, key: operation == "write" and key.startswith("output/bronze/"),
    "quarantine": lambda operation, key: operation == "write" and key.startswith("quarantine/"),
    "table": lambda operation, key: (
        operation == "write" and key.endswith(".parquet") and key.startswith(("output/argent/", "output/or/"))
    ),
    "table document": lambda operation, key: (
        operation == "write" and key.endswith(".json") and key.startswith("output/")
    ),
    "pending mark": lambda operation, key: operation == "write" and key.startswith("metadata/pending/"),
    "mark removed": lambda operation, key: operation == "delete" and key.startswith("metadata/pending/"),
    "input removed": lambda operation, key: operation == "delete" and key.startswith("input/"),
    "any operation": lambda operation, key: True,
}
"""The points of a way, by the request to the storage that makes them. Those of Dagster are in `Trap`."""


def one_pass() -> None:
    """What `elexxion run` does, by the same functions, without Dagster's records, which cost most of its time."""
    from elexxion_assets.declare import Layer
    from elexxion_assets.lake.build import publish, stage
    from elexxion_assets.lake.due import due, settle
    from elexxion_assets.lake.intake import Taken, take, waiting
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.lake.storage import open_storage
    from elexxion_assets.settings import settings
    from elexxion_assets.themes import all_themes

    storage, themes = open_storage(settings()), all_themes()
    ledger, taken = Ledger(storage), Taken()
    for entry in list(waiting(storage, settings().settle_seconds)):
        take(storage, ledger, themes, entry, taken)
    while groups := due(ledger, themes):
        for group in groups:
            theme = themes[group.theme]
            for layer, _, name in (table.partition("/") for table in group.tables):
                for period in group.periods:
                    with stage(storage, ledger, themes, theme, theme.table(Layer(layer), name), period) as staged:
                        publish(storage, staged)
            settle(storage, ledger, themes, group)


def take_events(chance: random.Random) -> None:
    """Takes files as badly behaved events tell of them: twice, late, in any order, from several threads."""
    from elexxion_assets.lake.intake import Taken, take, waiting
    from elexxion_assets.lake.ledger import Ledger
    from elexxion_assets.lake.storage import open_storage
    from elexxion_assets.settings import settings
    from elexxion_assets.themes import all_themes

    storage = open_storage(settings())
    told = [entry for entry in waiting(storage, 0) for _ in range(chance.randint(1, 3))]
    told += [dataclasses.replace(entry, etag="old", size=1) for entry in told[:3]]
    chance.shuffle(told)
    taken = Taken()
    with ThreadPoolExecutor(3) as threads:
        for event in told:
            threads.submit(take, storage, Ledger(storage), all_themes(), event, taken)


class Trap:
    """Kills this process at a point, before it, after it or in the middle of it; counts what passes meanwhile.

    Args:
        point: Its name; empty to only count.
        at: At its how many-th time, from 1.
        when: `before`, `middle` (of the bytes of a write) or `after`.
    """

    def __init__(self, point: str = "", at: int = 0, when: str = "before") -> None:
        self.point, self.at, self.when = point, at, when
        self.passed: Counter[str] = Counter()

    def set(self) -> None:
        """Puts the trap into this process."""
        for storage in (DirectoryStorage, S3Storage):
            for operation in ("stat", "read", "open", "delete", "write"):
                self._wrap(storage, operation)
            self._wrap_list(storage)
        self._wrap_parts()
        self._wrap_dagster()

    def _passes(self, *points: str) -> bool:
        """Counts the points; whether one of them is the one."""
        self.passed.update(points)
        return self.point in points and self.passed[self.point] == self.at

    def _at(self, operation: str, key: str) -> bool:
        return self._passes(*(name for name, is_it in POINTS.items() if is_it(operation, key)))

    def _wrap(self, storage: type, operation: str) -> None:
        real = getattr(storage, operation)

        def trapped(this: Any, key: str, *arguments: Any, **options: Any) -> Any:
            here = self._at(operation, key)
            if here and self.when == "before":
                die()
            if here and self.when == "middle" and operation == "write":
                source, *others = arguments
                arguments = (_Half(source), *others)
            answer = real(this, key, *arguments, **options)
            if here:
                die()
            return answer

        setattr(storage, operation, trapped)

    def _wrap_list(self, storage: type) -> None:
        real = storage.list  # type: ignore[attr-defined]

        def trapped(this: Any, prefix: str, after: str = "") -> Iterator[Entry]:
            here = self._at("list", prefix)
            if here and self.when == "before":
                die()
            yield from real(this, prefix, after)
            if here:
                die()

        storage.list = trapped  # type: ignore[attr-defined]

    def _wrap_parts(self) -> None:
        real = S3Storage._call

        def trapped(this: S3Storage, operation: str, **request: Any) -> dict[str, Any]:
            here = "multipart" in operation or operation == "upload_part"
            here = here and self._passes("multipart upload")
            if here and self.when == "before":
                die()
            answer = real(this, operation, **request)
            if here:
                die()
            return answer

        S3Storage._call = trapped  # type: ignore[method-assign]

    def _wrap_dagster(self) -> None:
        from dagster import DagsterInstance
        from dagster._core.storage.event_log.sqlite import SqliteEventLogStorage

        store, submit = SqliteEventLogStorage.store_event, DagsterInstance.submit_run

        def stored(this: Any, event: Any) -> None:
            kind = event.dagster_event.event_type_value if event.is_dagster_event else ""
            points = ["dagster event"]
            points += ["materialisation"] * (kind == "ASSET_MATERIALIZATION")
            points += ["end of run"] * (kind in ("PIPELINE_SUCCESS", "PIPELINE_FAILURE"))
            here = self._passes(*points)
            if here and self.when == "before":
                die()
            store(this, event)
            if here:
                die()

        def submitted(this: Any, *arguments: Any, **options: Any) -> Any:
            here = self._passes("run submitted")
            if here and self.when == "before":
                die()
            answer = submit(this, *arguments, **options)
            if here:
                die()
            return answer

        SqliteEventLogStorage.store_event = stored  # type: ignore[method-assign]
        DagsterInstance.submit_run = submitted  # type: ignore[method-assign]


class _Half(io.RawIOBase):
    """The first half of some bytes; reading on kills."""

    def __init__(self, source: bytes | Path | BinaryIO) -> None:
        if isinstance(source, Path):
            whole = source.read_bytes()
        else:
            whole = source if isinstance(source, bytes) else source.read()
        # At least a whole part, if there is one, so that an upload in parts has begun.
        self._half = io.BytesIO(whole[: max(len(whole) // 2, min(len(whole) - 1, 5 << 20))])

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._half.read(size) or die()


def die() -> Any:
    """kill -9 of this process and of all that it started."""
    os.killpg(os.getpid(), signal.SIGKILL)
