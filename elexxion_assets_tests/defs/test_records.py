"""Dagster's records in files that stay open: the same files as Dagster's own, nothing lost, few openings."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster import DagsterInstance
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from elexxion_assets.defs.records import KEPT_OPEN, Events, Records, engine_of

KEY = dg.AssetKey(["toy", "gold", "sums"])


@dg.asset(
    key=KEY,
    check_specs=[dg.AssetCheckSpec("whole", asset=KEY)],
    partitions_def=dg.DynamicPartitionsDefinition(name="toy"),
)
def sums() -> Iterator[Any]:
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="whole")])


def opened(home: Path, kind: type[DagsterSqliteStorage] = Records) -> DagsterInstance:
    storage = {"module": kind.__module__, "class": kind.__name__, "config": {"base_dir": str(home)}}
    return dg.DagsterInstance.local_temp(str(home), overrides={"storage": {"custom": storage}})


def run(instance: DagsterInstance, period: str) -> str:
    instance.add_dynamic_partitions("toy", [period])
    return dg.materialize([sums], instance=instance, partition_key=period).run_id


def told(instance: DagsterInstance) -> dict[str, Any]:
    """What the UI shows of the asset: periods, the checks' history, runs with their events."""
    checks = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(KEY, "whole"), limit=50)
    return {
        "periods": sorted(instance.get_materialized_partitions(KEY)),
        "checks": [(record.run_id, str(record.status)) for record in checks],
        "runs": {
            run.run_id: (run.status.value, Counter(e.dagster_event_type for e in instance.all_logs(run.run_id)))
            for run in instance.get_runs()
        },
        "dynamic": instance.get_dynamic_partitions("toy"),
    }


@pytest.mark.parametrize(("first", "then"), [(DagsterSqliteStorage, Records), (Records, DagsterSqliteStorage)])
def test_a_home_changes_hands_and_nothing_is_lost(
    tmp_path: Path, first: type[DagsterSqliteStorage], then: type[DagsterSqliteStorage]
) -> None:
    with opened(tmp_path, first) as instance:
        run(instance, "2020")
        before = told(instance)
    with opened(tmp_path, then) as instance:
        assert told(instance) == before
        run(instance, "2021")
        after = told(instance)
    assert after["periods"] == ["2020", "2021"]
    with opened(tmp_path, first) as instance:
        assert told(instance) == after


def test_it_tells_what_dagster_tells(tmp_path: Path) -> None:
    kinds = []
    for name, kind in {"own": Records, "dagster": DagsterSqliteStorage}.items():
        (tmp_path / name).mkdir()
        with opened(tmp_path / name, kind) as instance:
            kinds.append(Counter(event.dagster_event_type for event in instance.all_logs(run(instance, "2020"))))
    assert kinds[0] == kinds[1]


def write_events(home: str, run_id: str, writer: int) -> None:
    events = Events(str(Path(home, "history", "runs")))
    with opened(Path(home)) as instance:
        events.register_instance(instance)
        for number in range(20):
            instance.report_engine_event(f"{writer}:{number}", job_name="some", run_id=run_id)


def test_processes_that_begin_a_run_at_once_lose_no_event(tmp_path: Path) -> None:
    runs = [str(uuid.uuid4()) for _ in range(3)]
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("fork")) as writers:
        done = [writers.submit(write_events, str(tmp_path), run_id, n) for run_id in runs for n in range(3)]
        for each in done:
            each.result()
    with opened(tmp_path) as instance:
        for run_id in runs:
            said = {entry.message.rpartition(" ")[2] for entry in instance.all_logs(run_id)}
            assert said == {f"{writer}:{number}" for writer in range(3) for number in range(20)}


def test_a_file_whose_making_was_cut_off_is_finished(tmp_path: Path) -> None:
    run_id = str(uuid.uuid4())
    for name in ("history/runs.db", f"history/runs/{run_id}.db", "schedules/schedules.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with opened(tmp_path) as instance:
        instance.report_engine_event("it works", job_name="some", run_id=run_id)
        assert len(instance.all_logs(run_id)) == 1
        assert instance.all_instigator_state() == []
        run(instance, "2020")
        assert told(instance)["periods"] == ["2020"]


def test_a_file_that_another_took_the_place_of_is_opened_again(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    for rows in (1, 2):
        other = sqlite3.connect(tmp_path / "new.db")
        other.execute("CREATE TABLE numbers (n)")
        other.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(rows)])
        other.commit()
        other.close()
        (tmp_path / "new.db").replace(file)
        with engine_of(file).connect() as connection:
            assert connection.execute(sqlalchemy.text("SELECT count(*) FROM numbers")).scalar() == rows


def test_a_home_that_is_removed_and_made_anew_begins_empty(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with opened(home) as instance:
        run(instance, "2020")
    shutil.rmtree(home)
    home.mkdir()
    with opened(home) as instance:
        assert told(instance) == {"periods": [], "checks": [], "runs": {}, "dynamic": []}
        run(instance, "2021")
        assert told(instance)["periods"] == ["2021"]


def test_no_more_files_stay_open_than_a_few(tmp_path: Path) -> None:
    with opened(tmp_path) as instance:
        for _ in range(KEPT_OPEN + 4):
            instance.report_engine_event("one", job_name="some", run_id=str(uuid.uuid4()))
        kept = {path.resolve() for path in Path("/proc/self/fd").iterdir() if path.exists()}
    assert len([path for path in kept if path.suffix == ".db" and path.is_relative_to(tmp_path)]) <= KEPT_OPEN


def test_a_removed_run_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path) as instance:
        gone, kept = run(instance, "2020"), run(instance, "2021")
        instance.delete_run(gone)
        assert instance.all_logs(gone) == []
        assert [found.run_id for found in instance.get_runs()] == [kept]
        assert instance.all_logs(kept)


def test_a_run_opens_its_own_file_once_and_no_other(tmp_path: Path) -> None:
    """What a run costs beside its events; Dagster's own storage opens a file some five times for each of them."""
    opened_files = []

    def note(connection: sqlite3.Connection, _: object) -> None:
        opened_files.append(Path(connection.execute("PRAGMA database_list").fetchone()[2]).stem)

    with opened(tmp_path) as instance:
        run(instance, "2020")
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", note)
        try:
            run_id = run(instance, "2021")
        finally:
            sqlalchemy.event.remove(sqlalchemy.Engine, "connect", note)
    assert opened_files == [run_id]


def test_events_are_written_without_waiting_for_the_disk(tmp_path: Path) -> None:
    with opened(tmp_path) as instance, instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        assert connection.execute(sqlalchemy.text("PRAGMA synchronous")).scalar() == 0
