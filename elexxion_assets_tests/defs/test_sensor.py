"""What the sensor asks for, what it ends, and what a pass without daemons says of what went wrong."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
import time
import types
import uuid
import warnings
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from typer.testing import CliRunner

from elexxion_assets import cli
from elexxion_assets.declare import Frame, Layer, Theme
from elexxion_assets.defs import headless, resources, tables
from elexxion_assets.defs import intake as sensor
from elexxion_assets.lake import intake
from elexxion_assets.lake.due import due
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Delivery
from elexxion_assets.lake.storage import Entry
from elexxion_assets.settings import settings
from elexxion_assets_tests.lake.test_intake_to_gold import Lake
from elexxion_assets_tests.reading.xlsx_bytes import sheet_xml, xlsx
from elexxion_assets_tests.toy import THEMES, TOY, csv

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def resource(lake: Lake) -> Any:
    return types.SimpleNamespace(storage=lake.storage, ledger=lake.ledger, themes=THEMES)


def ran(instance: DagsterInstance, job: str, status: DagsterRunStatus, tags: dict[str, str]) -> str:
    """Notes a run that nobody really ran; gives its id."""
    run = DagsterRun(job_name=job, run_id=str(uuid.uuid4()), status=status, tags=tags)
    instance.add_run(run)
    return run.run_id


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Moves the clock of the sensor."""
    moved = time.time() + seconds

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(moved, tz)

    monkeypatch.setattr(time, "time", lambda: moved)
    if hasattr(sensor, "datetime"):
        monkeypatch.setattr(sensor, "datetime", Clock)


# What is due.


def test_the_same_delivery_for_the_same_period_is_due_again(lake: Lake, instance: DagsterInstance) -> None:
    content = csv("01001;2020;1")
    lake.drop("a.csv", content)
    [first] = sensor._due_requests(instance, resource(lake))
    ran(instance, "toy", DagsterRunStatus.SUCCESS, dict(first.tags))
    assert list(sensor._due_requests(instance, resource(lake))) == []
    assert lake.ledger.pending() == {}
    lake.drop("a.csv", content, release="2030")
    [second] = sensor._due_requests(instance, resource(lake))
    assert second.run_key != first.run_key
    assert second.partition_key == "2020"


# Files that no run could take.


def test_files_that_failed_are_asked_for_again_later_and_not_at_every_tick(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    keys = []
    asked = []
    for _ in range(40):
        request = sensor._intake_request(instance, resource(lake))
        asked.append(isinstance(request, dg.RunRequest))
        if isinstance(request, dg.RunRequest):
            keys.append(request.run_key)
            ran(instance, "intake", DagsterRunStatus.FAILURE, dict(request.tags))
    assert asked[0]
    assert not any(asked[-20:]), "every tick asks for the same files again"
    later(monkeypatch, 86_400)
    request = sensor._intake_request(instance, resource(lake))
    assert isinstance(request, dg.RunRequest), "files that failed are never asked for again"
    assert request.run_key not in keys


def test_a_file_that_fails_does_not_keep_others_behind_it(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        drop(lake.storage, name, csv(f"01001;2020;{ord(name[0])}"), {})

    def read(*given: Any, **named: Any) -> Any:
        if any(isinstance(one, Delivery) and one.name == "a.csv" for one in given):
            raise OSError("nobody can read it")
        return real(*given, **named)

    real = intake._read
    monkeypatch.setattr(intake, "_read", read)
    monkeypatch.setenv("ELEXXION_BATCH", "1")
    settings.cache_clear()
    job = definitions(TOY).resolve_job_def("intake")
    for _ in range(2):
        assert not job.execute_in_process(QUIET, instance, raise_on_error=False).success
    assert [entry.key for entry in waiting(lake.storage, 0)] == ["input/a.csv"]


def test_files_that_fail_for_days_are_still_asked_for_under_new_keys(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    keys = []
    for _ in range(25):
        request = sensor._intake_request(instance, resource(lake))
        assert isinstance(request, dg.RunRequest)
        keys.append(request.run_key)
        ran(instance, "intake", DagsterRunStatus.FAILURE, dict(request.tags))
        later(monkeypatch, 86_400)
    assert len(set(keys)) == len(keys), "Dagster ignores a key that it has seen"


def test_files_that_were_taken_are_taken_again_at_once(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What S3 says of a file that is dropped again is the same.
    monkeypatch.setattr(sensor, "waiting", lambda *_: iter([Entry("input/a.csv", 1, datetime.now(UTC), "same")]))
    keys = []
    for _ in range(5):
        request = sensor._intake_request(instance, resource(lake))
        assert isinstance(request, dg.RunRequest)
        keys.append(request.run_key)
        ran(instance, "intake", DagsterRunStatus.SUCCESS, dict(request.tags))
    assert len(set(keys)) == len(keys)


def _dead_worker() -> str:
    """The mark of a process of this host that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        mark = resources.worker_mark(process.pid)
        assert process.stdin is not None
        process.stdin.close()
    return mark


def test_a_run_whose_process_is_gone_is_ended_and_does_not_jam(lake: Lake, instance: DagsterInstance) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    run = ran(instance, "intake", DagsterRunStatus.STARTED, {resources.WORKER: _dead_worker()})
    assert isinstance(sensor._intake_request(instance, resource(lake)), dg.RunRequest)
    ended = instance.get_run_by_id(run)
    assert ended is not None
    assert ended.status is DagsterRunStatus.FAILURE


def test_a_run_that_never_named_its_process_is_ended_after_two_minutes(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    run = ran(instance, "intake", DagsterRunStatus.STARTED, {})
    assert isinstance(sensor._intake_request(instance, resource(lake)), dg.SkipReason)
    later(monkeypatch, 150)
    assert isinstance(sensor._intake_request(instance, resource(lake)), dg.RunRequest)
    ended = instance.get_run_by_id(run)
    assert ended is not None
    assert ended.status is DagsterRunStatus.FAILURE


def test_a_run_whose_process_lives_is_waited_for(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    ran(instance, "intake", DagsterRunStatus.STARTED, {resources.WORKER: resources.worker_mark(os.getpid())})
    later(monkeypatch, 3600)
    assert isinstance(sensor._intake_request(instance, resource(lake)), dg.SkipReason)


# Runs in this process.


def definitions(theme: Theme) -> dg.Definitions:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.Definitions(
            assets=[sensor.deliveries, *tables.theme_assets(theme)],
            jobs=[sensor.intake_job, tables.theme_job(theme)],
            resources=resources.resources(),
            executor=dg.in_process_executor,
        )


def take_all(instance: DagsterInstance) -> dg.ExecuteInProcessResult:
    job = definitions(TOY).resolve_job_def("intake")
    return job.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)


def bronze_periods(result: dg.ExecuteInProcessResult) -> set[str | None]:
    """The periods for which the run said that there is bronze."""
    key = dg.AssetKey(["toy", Layer.BRONZE.value, "counts"])
    told = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    return {materialization.partition for materialization in told if materialization.asset_key == key}


def test_a_file_that_cannot_be_taken_hides_no_bronze_of_the_others(lake: Lake, instance: DagsterInstance) -> None:
    folder = lake.storage.root / "input"
    folder.mkdir(parents=True)
    (folder / ("b" * 243 + ".csv")).write_bytes(csv("01001;2021;3"))
    Path(os.fsdecode(os.fsencode(folder) + b"/c-r\xe9sultats.csv")).write_bytes(csv("01001;2022;3"))
    drop(lake.storage, "a.csv", csv("01001;2020;1"), {})
    drop(lake.storage, "z.csv", csv("01001;2023;1"), {})
    periods = bronze_periods(take_all(instance))
    assert {"2020", "2023"} <= periods
    assert {"2020", "2023"} <= set(instance.get_dynamic_partitions("toy"))


def test_an_error_about_one_file_fails_the_run_after_the_others_were_reported(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(storage: Any, ledger: Any, themes: Any, entry: Entry, taken: Taken, at: datetime) -> None:
        if entry.key == "input/b.csv":
            raise OSError("this one cannot be read")
        take(storage, ledger, themes, entry, taken, at)

    monkeypatch.setattr(intake, "take", broken)
    for name, year in (("a.csv", 2020), ("b.csv", 2021), ("c.csv", 2022)):
        drop(lake.storage, name, csv(f"01001;{year};1"), {})
    result = take_all(instance)
    assert not result.success
    assert bronze_periods(result) == {"2020", "2022"}
    [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.error is not None
    assert "this one cannot be read" in failure.error.to_string()
    assert [entry.key for entry in waiting(lake.storage, 0)] == ["input/b.csv"]


def test_two_who_look_at_once_ask_under_one_key_and_two_runs_that_take_at_once_take_once(
    lake: Lake, tmp_path: Path
) -> None:
    for number in range(8):
        drop(lake.storage, f"{number}.csv", csv(f"0100{number};2020;1"), {})
    with ExitStack() as stack:
        instances = [stack.enter_context(dg.DagsterInstance.ephemeral()) for _ in range(2)]
        asked = [sensor._intake_request(instance, resource(lake)) for instance in instances]
        assert all(isinstance(request, dg.RunRequest) for request in asked)
        assert len({request.run_key for request in asked if isinstance(request, dg.RunRequest)}) == 1
        job = definitions(TOY).resolve_job_def("intake")
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(job.execute_in_process, QUIET, instance) for instance in instances]
        results = [run.result() for run in runs]
        late = take_all(instances[0])
    assert [result.success for result in [*results, late]] == [True, True, True]
    assert bronze_periods(late) == set()
    assert list(waiting(lake.storage, 0)) == []
    assert sorted(delivery.name for delivery in lake.ledger.all()) == [f"{number}.csv" for number in range(8)]
    lake.build()
    assert lake.rows(Layer.SILVER, "facts", "2020") == [(f"0100{number}", 2020, 1) for number in range(8)]
    assert lake.quarantined() == []


def test_two_who_look_at_once_ask_for_a_build_under_one_key(lake: Lake) -> None:
    lake.drop("a.csv", csv("01001;2020;1"))
    with dg.DagsterInstance.ephemeral() as first, dg.DagsterInstance.ephemeral() as second:
        [one], [other] = ([*sensor._due_requests(instance, resource(lake))] for instance in (first, second))
    assert (one.run_key, one.tags) == (other.run_key, other.tags)


def _full(facts: Frame, *, period: str) -> Frame:
    raise OSError("the disk is full")


def test_a_failed_step_beside_a_refused_table_is_an_error_and_stays_due(
    lake: Lake, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, sums = TOY.tables
    theme = dataclasses.replace(TOY, tables=(facts, dataclasses.replace(facts, name="zother", function=_full), sums))
    themes = {"toy": theme}
    monkeypatch.setattr(resources, "all_themes", lambda: themes)
    monkeypatch.setattr(headless, "all_themes", lambda: themes)
    lake.drop("bad.csv", csv("01001;2020;5000"))
    done = headless.Pass()
    for group in due(lake.ledger, themes):
        for part in sensor.stretches_of(instance, group):
            headless._build(definitions(theme), instance, lake.storage, lake.ledger, part, done, lambda words: None)
    assert {check["check"] for check in done.failed_checks if check["blocking"]} == {"sane"}
    assert any("the disk is full" in error for error in done.errors)
    assert "2020" in lake.ledger.pending().get("toy", {})


# `elexxion run --strict`.


def _archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ok.csv", csv("01001;2020;1"))
        archive.writestr("../evil.csv", csv("01001;2021;1"))
    return packed.getvalue()


def _workbook(*names: str) -> bytes:
    known: dict[int, list[Any]] = {
        1: ["CODGEO", "annee", "nombre"],
        2: ["01001", "2020", "3"],
        3: ["01002", "2020", "4"],
    }
    unknown: dict[int, list[Any]] = {1: ["colour", "taste"], 2: ["red", "sweet"], 3: ["blue", "sour"]}
    return xlsx({name: sheet_xml(unknown if name == "unknown" else known) for name in names})


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("ok.csv", csv("01001;2020;1"), 0),
        ("ok.xlsx", _workbook("known"), 0),
        ("members.zip", _archive(), 3),
        # A sheet of documentation is said, and is no refusal: official workbooks have some.
        ("sheets.xlsx", _workbook("known", "unknown"), 0),
    ],
)
def test_strict_says_that_a_part_of_a_file_was_refused(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, code: int
) -> None:
    deliveries = lake.drop(name, content)
    monkeypatch.setattr(headless, "run_pass", lambda *arguments, **options: headless.Pass(deliveries=deliveries))
    assert CliRunner().invoke(cli.app, ["run"]).exit_code == 0
    assert CliRunner().invoke(cli.app, ["run", "--strict"]).exit_code == code
