"""Dagster's own records in SQLite: its files and tables, kept open instead of opened for each event.

Dagster makes an engine, a connection and every statement anew for each event, and reads the history of its schema for
each run and each tick. Here a process keeps one engine per file, a new run begins from a copy of an empty one, and
nothing waits for the disk: a killed process loses nothing by it; what a power failure takes, `elexxion resync` tells
again from the lake. A home can be given back to Dagster's own `sqlite` storage at any time.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Self

import sqlalchemy
from dagster import __version__
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.schedules import SqliteScheduleStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine

BUSY_SECONDS = 60
KEPT_OPEN = 16
"""Files: those that were used last. A run is one file, and everything else three."""

_lock = threading.Lock()
_engines: OrderedDict[tuple[int, str], tuple[int, Engine]] = OrderedDict()


def engine_of(file: Path) -> Engine:
    """The engine of an existing file; kept for this process, and until another file takes its place."""
    key, inode = (os.getpid(), str(file)), file.stat().st_ino
    with _lock:
        known = _engines.get(key)
        if known is None or known[0] != inode:
            engine = sqlalchemy.create_engine(f"sqlite:///{file}", connect_args={"timeout": BUSY_SECONDS})
            sqlalchemy.event.listen(engine, "connect", _spare_disk)
            _engines[key] = known = inode, engine
        _engines.move_to_end(key)
        while len(_engines) > KEPT_OPEN:
            _engines.popitem(last=False)[1][1].dispose()
    return known[1]


def _spare_disk(connection: sqlite3.Connection, _: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")


@contextmanager
def _transaction(file: Path) -> Iterator[Connection]:
    with engine_of(file).connect() as connection, connection.begin():
        yield connection


def _is_whole(file: Path) -> bool:
    """Whether a file has its tables; the version is what Dagster writes last."""
    return file.exists() and sqlalchemy.inspect(engine_of(file)).has_table("alembic_version")


class Events(SqliteEventLogStorage):
    """The events: a file per run, and one for what is asked across runs."""

    def __init__(self, base_dir: str) -> None:
        self._tables: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        file = Path(self.path_for_shard(shard))
        with self._db_lock:
            if shard not in self._initialized_dbs:
                self._begin(file)
                self._initialized_dbs.add(shard)
            with _transaction(file) as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the file across runs has a table; what is there once stays."""
        if table_name not in self._tables:
            self._tables |= set(sqlalchemy.inspect(engine_of(Path(self.path_for_shard("index")))).get_table_names())
        return table_name in self._tables

    def _begin(self, file: Path) -> None:
        if _is_whole(file):
            return
        empty = Path(self._base_dir).parent / f"empty-{__version__}.db"
        if not empty.exists():
            self._make_empty(empty)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            _link_unless_there(Path(shutil.copyfile(empty, Path(folder, file.name))), file)
        if not _is_whole(file):
            file.touch()
            self._initdb(engine_of(file))

    def _make_empty(self, empty: Path) -> None:
        """Writes the file that new ones are copies of; whoever is first."""
        with tempfile.TemporaryDirectory(dir=empty.parent) as folder:
            made = Path(folder, "empty.db")
            engine = sqlalchemy.create_engine(f"sqlite:///{made}", poolclass=sqlalchemy.NullPool)
            self._initdb(engine)
            engine.dispose()
            made.replace(empty)


def _link_unless_there(made: Path, file: Path) -> None:
    """Puts a whole file in place in one step: of two processes that begin it the second takes the first's.

    Where a file system knows no hard links, Dagster makes the file in its place.
    """
    with suppress(OSError):
        file.hardlink_to(made)


class _Kept:
    """A storage of one file."""

    dagsters: ClassVar[type[SqliteRunStorage | SqliteScheduleStorage]]
    _conn_string: str

    @classmethod
    def opened(cls, folder: Path, name: str) -> Self:
        """The storage of a file, which is made where it is missing; Dagster looks at its schema only then."""
        file = folder / f"{name}.db"
        if not _is_whole(file):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as made:
                cls.dagsters.from_local(made)
                _link_unless_there(Path(made, file.name), file)
            if not _is_whole(file):
                cls.dagsters.from_local(str(folder))
        return cls(create_db_conn_string(str(folder), name))  # type: ignore[call-arg]

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection within a transaction."""
        with _transaction(Path(sqlalchemy.make_url(self._conn_string).database or "")) as connection:
            yield connection


class Runs(_Kept, SqliteRunStorage):
    """The runs and the heartbeats of the daemons."""

    dagsters = SqliteRunStorage


class Schedules(_Kept, SqliteScheduleStorage):
    """The ticks of sensors and schedules."""

    dagsters = SqliteScheduleStorage


class Records(DagsterSqliteStorage):
    """All of them, under the directory that is Dagster's home."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self.base_dir = base_dir
        self._inst_data = inst_data
        self._run_storage = Runs.opened(Path(base_dir, "history"), "runs")
        self._event_log_storage = Events(str(Path(base_dir, "history", "runs")))
        self._schedule_storage = Schedules.opened(Path(base_dir, "schedules"), "schedules")
        # Past the parent, which would open all three once more.
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Records:
        """What Dagster calls with the configuration of `dagster.yaml`."""
        return cls.from_local(inst_data=inst_data, **config_value)
