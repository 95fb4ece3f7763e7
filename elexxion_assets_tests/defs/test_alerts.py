"""The sensors that tell of what goes wrong and renew the page on quality, and the job that removes old runs."""

from __future__ import annotations

import json
import time
import uuid
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from elexxion_assets.definitions import defs
from elexxion_assets.defs import alerts, headless, report, resources, retention
from elexxion_assets.defs.intake import RANGE_END, RANGE_START
from elexxion_assets.defs.report import PATIENCE, REPORT, report_sensor
from elexxion_assets.defs.retention import purge
from elexxion_assets.lake.intake import drop
from elexxion_assets.lake.ledger import Ledger
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.quality.alerts import News
from elexxion_assets.settings import settings
from elexxion_assets_tests.small_lake import SmallLake
from elexxion_assets_tests.toy import THEMES, csv


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ELEXXION_HOME", str(tmp_path))
    monkeypatch.setenv("ELEXXION_SETTLE_SECONDS", "0")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(resources, "all_themes", lambda: THEMES)
    monkeypatch.setattr(headless, "all_themes", lambda: THEMES)
    monkeypatch.setattr(alerts, "_memories", {})
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def ran(instance: DagsterInstance, job: str, status: DagsterRunStatus, **tags: str) -> str:
    """Notes a run that nobody really ran; gives its id."""
    run = DagsterRun(job_name=job, run_id=str(uuid.uuid4()), status=status, tags=tags)
    instance.add_run(run)
    return run.run_id


FAILED, DONE, WORKING = DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS, DagsterRunStatus.STARTED


def test_a_failed_run_is_a_problem_until_the_same_work_succeeds(instance: DagsterInstance) -> None:
    def found() -> list[str]:
        return sorted(problem.title for problem in alerts.run_problems(instance, "http://ui").values())

    period = {"dagster/partition": "2020"}
    ran(instance, "crime", FAILED, **period)
    ran(instance, "fetch", FAILED)
    ran(instance, "crime", DONE, **{"dagster/partition": "2021"})
    assert found() == ["run of crime 2020", "run of fetch"]
    ran(instance, "fetch", WORKING)
    assert found() == ["run of crime 2020", "run of fetch"]
    ran(instance, "crime", DONE, **period)
    ran(instance, "fetch", DONE)
    assert found() == []


def test_a_failed_run_of_many_periods_is_over_when_its_parts_are_tried(instance: DagsterInstance) -> None:
    ran(instance, "crime", FAILED, **{RANGE_START: "2019", RANGE_END: "2021"})
    [told] = alerts.run_problems(instance, "http://ui").values()
    assert told.title == "run of crime 2019 to 2021"
    ran(instance, "crime", FAILED, **{"dagster/partition": "2020"})
    assert [problem.title for problem in alerts.run_problems(instance, "http://ui").values()] == ["run of crime 2020"]


def test_a_failed_run_that_many_others_have_followed_is_not_forgotten(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(instance, "fetch", FAILED)
    told = alerts.run_problems(instance, "http://ui")
    monkeypatch.setattr(alerts, "LOOKED_AT", 3)
    for _ in range(4):
        ran(instance, "crime", DONE)
    assert alerts.run_problems(instance, "http://ui") == {}
    assert alerts._still_told(instance, told, {}) == told
    ran(instance, "fetch", DONE)
    for _ in range(4):
        ran(instance, "crime", DONE)
    assert alerts._still_told(instance, told, {}) == {}


def test_the_sensor_tells_once_of_refused_files_and_failed_runs_and_of_their_end(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[News] = []
    storage = DirectoryStorage(settings().lake_directory)
    with dg.DagsterInstance.get() as instance:

        def look() -> str:
            context = dg.build_sensor_context(instance, resources={"lake": resources.LakeResource()}, definitions=defs)
            result = alerts.alerts_sensor().evaluate_tick(context)
            assert result.skip_message is not None
            return str(result.skip_message)

        assert look() == "the settings name nobody to tell"
        monkeypatch.setattr(alerts, "receivers", lambda settings: {"webhook": got.append})
        SmallLake(storage, THEMES).drop("no.csv", csv("01001;2022;9"), refuse="yes")
        ran(instance, "fetch", FAILED)
        assert look() == "webhook: 2 new problems"
        assert [problem.title for problem in got[0].new] == ["run of fetch", "no.csv"]
        assert look() == "webhook: nothing new"
        ran(instance, "fetch", DONE)
        look()
        assert [problem.title for problem in got[-1].over] == ["run of fetch"]


def test_a_pass_without_daemons_renews_the_page_as_a_materialisation(home: Path) -> None:
    storage = DirectoryStorage(settings().lake_directory)
    drop(storage, "no.csv", csv("01001;2020;5"), {"refuse": "yes"})
    done = headless.run_pass(storage, Ledger(storage), lambda words: None)
    assert done.errors == []
    assert storage.stat("reports/quality.html") is not None
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(REPORT)
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["refused"].value == 1


def test_the_page_is_renewed_after_runs_but_never_while_one_is_working(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor: str | None = None

    def look() -> int:
        nonlocal cursor
        context = dg.build_sensor_context(instance, cursor=cursor)
        result = report_sensor.evaluate_tick(context)
        cursor = result.cursor
        return len(result.run_requests or [])

    assert look() == 1
    ran(instance, "report", DONE)
    assert look() == 0
    working = ran(instance, "crime", WORKING, **{"elexxion/worker": "elsewhere:1:1"})
    ran(instance, "election", FAILED)
    assert look() == 0
    monkeypatch.setattr(report, "QUIET", timedelta(0))
    assert look() == 0
    assert cursor is not None
    held = json.loads(cursor)
    assert look() == 0
    assert json.loads(cursor)["since"] == held["since"]
    cursor = json.dumps({**held, "since": (datetime.now(UTC) - PATIENCE).isoformat()})
    assert look() == 1
    assert look() == 0
    run = instance.get_run_by_id(working)
    assert run is not None
    instance.report_run_failed(run)
    monkeypatch.setattr(report, "QUIET", timedelta(minutes=1))
    assert look() == 0
    monkeypatch.setattr(report, "QUIET", timedelta(0))
    assert look() == 1


def test_the_repository_loads_with_jobs_sensors_and_schedules() -> None:
    repository = defs.get_repository_def()
    repository.load_all_definitions()
    assert {"report", "retention"} <= set(repository.job_names)
    assert repository.get_schedule_def("retention").default_status is dg.DefaultScheduleStatus.RUNNING
    assert repository.get_sensor_def("alerts").default_status is dg.DefaultSensorStatus.STOPPED


def test_old_runs_go_though_all_newer_ones_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    with dg.DagsterInstance.ephemeral() as instance:
        for _ in range(3):
            create_run_for_test(instance, status=DagsterRunStatus.FAILURE)
        for name in ("a", "b"):

            @dg.asset(name=name)
            def made() -> None:
                pass

            dg.materialize([made], instance=instance)
        later = datetime.now(UTC) + timedelta(days=1)
        assert [purge(instance, later) for _ in range(3)] == [2, 1, 0]
        assert instance.get_runs_count() == 2


def test_old_runs_go_and_nothing_becomes_missing(tmp_path: Path) -> None:
    periods = dg.DynamicPartitionsDefinition(name="toy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        passes = dg.AssetCheckSpec("holds", asset="table", blocking=True, partitions_def=periods)

    @dg.asset(partitions_def=periods, check_specs=[passes])
    def table() -> Iterator[Any]:
        yield dg.Output(1)
        yield dg.AssetCheckResult(passed=True, check_name="holds")

    @dg.asset
    def single() -> None:
        """One state only."""

    code = dg.Definitions(assets=[table, single], jobs=[dg.define_asset_job("all", selection="*")])
    graph = code.resolve_asset_graph()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("toy", ["2020", "2021"])

        def build(asset: str, period: str | None) -> str:
            job = code.resolve_implicit_global_asset_job_def()
            done = job.execute_in_process(
                instance=instance, asset_selection=[dg.AssetKey(asset)], partition_key=period, resources={}
            )
            return str(done.run_id)

        old = [build("table", "2020"), build("table", "2021"), build("table", "2020"), build("single", None)]
        failed = create_run_for_test(instance, status=DagsterRunStatus.FAILURE).run_id
        going = create_run_for_test(instance, status=DagsterRunStatus.STARTED).run_id
        time.sleep(0.1)
        removed = purge(instance, datetime.now(UTC) + timedelta(seconds=5))
        assert removed == 2
        assert {run.run_id for run in instance.get_runs()} == {*old[1:], going}
        assert not instance.has_run(failed)
        assert instance.all_logs(old[0]) == []
        assert instance.get_materialized_partitions(dg.AssetKey("table")) == {"2020", "2021"}
        assert instance.get_latest_materialization_event(dg.AssetKey("single")) is not None
        [check] = graph.asset_check_keys
        records = instance.event_log_storage.get_asset_check_execution_history(check, limit=9)
        assert {record.run_id for record in records if record.evaluation} >= {old[1], old[2]}
        newer = build("table", "2021")
        assert purge(instance, datetime.now(UTC) + timedelta(seconds=5)) == 1
        assert instance.has_run(newer)
        assert instance.get_materialized_partitions(dg.AssetKey("table")) == {"2020", "2021"}
        assert purge(instance, datetime.now(UTC) - timedelta(days=1)) == 0
