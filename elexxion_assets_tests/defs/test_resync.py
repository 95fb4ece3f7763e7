"""Dagster's records are lost: the lake tells it everything again, once, and automation builds nothing because of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.storage.event_log.base import PartitionKeyFilter

from elexxion_assets.defs import headless, resources
from elexxion_assets.defs.intake import input_sensor, stretches_of
from elexxion_assets.defs.records import Records
from elexxion_assets.defs.resync import Resynced, active_runs, forget, resync
from elexxion_assets.defs.tables import theme_job
from elexxion_assets.lake.due import due
from elexxion_assets.settings import settings
from elexxion_assets_tests.defs.test_sensor import definitions, resource
from elexxion_assets_tests.lake.test_intake_to_gold import Lake
from elexxion_assets_tests.toy import THEMES, TOY, csv

FACTS, SUMS = dg.AssetKey(["toy", "silver", "facts"]), dg.AssetKey(["toy", "gold", "sums"])
BRONZE = dg.AssetKey(["toy", "bronze", "counts"])


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    monkeypatch.setenv("ELEXXION_HOME", str(tmp_path))
    monkeypatch.setenv("ELEXXION_SETTLE_SECONDS", "0")
    monkeypatch.setattr(resources, "all_themes", lambda: THEMES)
    monkeypatch.setattr(headless, "all_themes", lambda: THEMES)
    settings.cache_clear()
    yield Lake(settings().lake_directory)
    settings.cache_clear()


def home(folder: Path) -> DagsterInstance:
    """A new DAGSTER_HOME, in SQLite as a person has it."""
    folder.mkdir()
    storage = {"module": Records.__module__, "class": Records.__name__, "config": {"base_dir": str(folder)}}
    return dg.DagsterInstance.local_temp(str(folder), overrides={"storage": {"custom": storage}})


def build(lake: Lake, instance: DagsterInstance) -> None:
    done = headless.Pass()
    for group in due(lake.ledger, THEMES):
        for part in stretches_of(instance, group):
            headless._build(definitions(TOY), instance, lake.storage, lake.ledger, part, done, lambda words: None)
    assert done.errors == []


def known(instance: DagsterInstance) -> dict[str, object]:
    """What a person sees of the tables: periods, rows, checks with their verdict and their table."""
    checks = {}
    for key in (FACTS, SUMS):
        for name in ("unique_key", "volume", "small"):
            if key == SUMS and name == "small":
                continue
            for period in ("2020", "2021"):
                [record] = instance.event_log_storage.get_asset_check_execution_history(
                    dg.AssetCheckKey(key, name),
                    limit=1,
                    partition_filter=PartitionKeyFilter(key=period),
                )
                event = record.event
                assert event is not None
                judged = event.dagster_event.asset_check_evaluation_data
                assert judged.target_materialization_data is not None
                checks[key, name, period] = (judged.passed, judged.metadata["rows"].value, record.status)
    rows = {}
    for key in (FACTS, SUMS):
        for period in ("2020", "2021"):
            found = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=key, asset_partitions=[period]), limit=1
            )
            rows[key, period] = found.records[0].asset_materialization.metadata["dagster/row_count"].value
    return {
        "periods": instance.get_dynamic_partitions("toy"),
        "made": {key: instance.get_materialized_partitions(key) for key in (BRONZE, FACTS, SUMS)},
        "rows": rows,
        "checks": checks,
    }


def test_a_lost_home_is_told_again_once(lake: Lake, tmp_path: Path) -> None:
    lake.drop("a.csv", csv("01001;2020;1", "01002;2020;500", "01001;2021;2"))
    with home(tmp_path / "old") as old:
        build(lake, old)
        before = known(old)
    with home(tmp_path / "new") as new:
        told = resync(lake.storage, lake.ledger, THEMES, new)
        assert (told.partitions, told.materializations, told.known) == (2, 6, 0)
        assert told.checks > 20
        after = known(new)
        assert after["checks"] == before["checks"]
        assert after["periods"] == ["2020", "2021"]
        assert after["made"] == {key: {"2020", "2021"} for key in (BRONZE, FACTS, SUMS)}
        assert after["rows"] == {(FACTS, "2020"): 2, (FACTS, "2021"): 1, (SUMS, "2020"): 2, (SUMS, "2021"): 1}
        assert resync(lake.storage, lake.ledger, THEMES, new) == Resynced(known=6)
        lake.drop("b.csv", csv("01001;2022;4"))
        lake.build()
        told = resync(lake.storage, lake.ledger, THEMES, new)
        assert (told.partitions, told.materializations, told.known) == (1, 3, 6)


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
def test_automation_takes_nothing_that_is_told_again_for_a_change(lake: Lake, tmp_path: Path) -> None:
    lake.drop("a.csv", csv("01001;2020;1", "01001;2021;2"))
    lake.build()
    code = definitions(TOY)
    with home(tmp_path / "new") as new:
        resync(lake.storage, lake.ledger, THEMES, new)
        asked = dg.evaluate_automation_conditions(code, new)
        assert asked.total_requested == 0
        lake.drop("b.csv", csv("01001;2022;4"))
        lake.build()
        resync(lake.storage, lake.ledger, THEMES, new)
        for _ in range(2):
            asked = dg.evaluate_automation_conditions(code, new, cursor=asked.cursor)
            assert asked.total_requested == 0
        # What is changed by hand afterwards is still followed.
        result = code.resolve_job_def("toy").execute_in_process(
            instance=new, asset_selection=[FACTS], partition_key="2020"
        )
        assert result.success
        asked = dg.evaluate_automation_conditions(code, new, cursor=asked.cursor)
        assert asked.get_requested_partitions(SUMS) == {"2020"}


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
@pytest.mark.parametrize("way", ["told again", "built"])
def test_automation_that_has_looked_at_an_empty_log_takes_nothing_of_the_intake_for_a_change(
    lake: Lake, tmp_path: Path, way: str
) -> None:
    code = definitions(TOY)
    with home(tmp_path / "new") as new:
        input_sensor([TOY], [theme_job(TOY)])(dg.build_sensor_context(new), lake=resource(lake))
        asked = dg.evaluate_automation_conditions(code, new)
        lake.drop("a.csv", csv("01001;2020;1", "01001;2021;2"))
        if way == "built":
            build(lake, new)
        else:
            lake.build()
            resync(lake.storage, lake.ledger, THEMES, new)
        for _ in range(2):
            asked = dg.evaluate_automation_conditions(code, new, cursor=asked.cursor)
            assert asked.total_requested == 0


def test_what_was_reset_is_forgotten_and_an_active_run_is_seen(lake: Lake, tmp_path: Path) -> None:
    lake.drop("a.csv", csv("01001;2020;1"))
    lake.build()
    with home(tmp_path / "new") as new:
        resync(lake.storage, lake.ledger, THEMES, new)
        assert active_runs(new) == []
        new.add_run(dg.DagsterRun(job_name="toy", run_id="1" * 32, status=dg.DagsterRunStatus.NOT_STARTED))
        assert active_runs(new) == ["toy"]
        forget(new, THEMES)
        assert new.get_dynamic_partitions("toy") == []
        assert new.get_materialized_partitions(FACTS) == set()
