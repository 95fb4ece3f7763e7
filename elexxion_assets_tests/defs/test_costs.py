"""What decides the cost of a run and of a look, counted: events, statements, calls to the storage. No times."""

from __future__ import annotations

import logging
import types
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster import DagsterInstance

from elexxion_assets.declare import Layer
from elexxion_assets.defs import intake as sensor
from elexxion_assets.defs.tables import missing_lineages
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.ledger import Ledger
from elexxion_assets.quality.checks import check_names
from elexxion_assets.settings import settings
from elexxion_assets_tests.defs.test_sensor import QUIET, definitions, resource
from elexxion_assets_tests.lake.test_intake_to_gold import Lake
from elexxion_assets_tests.toy import THEMES, TOY, csv

CHECKS = sum(len(check_names(table)) for table in TOY.tables)
OF_A_PERIOD = ("ASSET_MATERIALIZATION", "ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION")
LOG = logging.getLogger("costs")


@pytest.fixture
def instance(lake: Lake) -> Iterator[DagsterInstance]:
    with dg.DagsterInstance.get() as made:
        yield made


class Counting:
    """A storage that notes how often it is asked, and how much its lists give."""

    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self.storage, name)

    def list(self, prefix: str, after: str = "") -> Iterator[Any]:
        self.calls["list"] += 1
        for entry in self.storage.list(prefix, after):
            self.calls["entries"] += 1
            yield entry


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL that Dagster's records are asked meanwhile."""
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)


def build(lake: Lake, instance: DagsterInstance, *years: int) -> tuple[dg.ExecuteInProcessResult, Counter[str], int]:
    """Builds these years in one run; gives its events, by type, and the statements that it took."""
    lake.drop("a.csv", csv(*(f"01001;{year};{year % 7}" for year in years)))
    [group] = due(lake.ledger, THEMES)
    [part] = sensor.stretches_of(instance, group)
    job = definitions(TOY).resolve_job_def("toy")
    with statements() as said:
        result = job.execute_in_process(
            instance=instance,
            run_config=QUIET,
            asset_selection=sensor.asset_keys(part),
            partition_key=part.periods[0] if len(part.periods) == 1 else None,
            tags=sensor.partition_tags(part.periods),
        )
    assert result.success
    settle(lake.storage, lake.ledger, THEMES, part)
    kinds = (entry.dagster_event_type for entry in instance.all_logs(result.run_id))
    return result, Counter(kind.value for kind in kinds if kind), len(said)


def test_a_period_more_costs_its_materialisations_and_its_checks(lake: Lake, instance: DagsterInstance) -> None:
    _, few, statements_of_few = build(lake, instance, 2020, 2021)
    _, many, statements_of_many = build(lake, instance, *range(2030, 2040))
    for count, found in ((2, few), (10, many)):
        assert found["ASSET_CHECK_EVALUATION"] == count * CHECKS
        assert found["ASSET_MATERIALIZATION"] == count * len(TOY.tables)
        assert found["ASSET_MATERIALIZATION_PLANNED"] == count * len(TOY.tables)
    beside = {name: count for name, count in few.items() if name not in OF_A_PERIOD}
    assert beside == {name: count for name, count in many.items() if name not in OF_A_PERIOD}
    assert beside["ASSET_CHECK_EVALUATION_PLANNED"] == CHECKS
    assert beside["STEP_OUTPUT"] == CHECKS + len(TOY.tables)
    assert sum(beside.values()) <= 2 * CHECKS + 20
    # About four statements for an event that is kept by run and across runs.
    events = 8 * (CHECKS + 2 * len(TOY.tables))
    assert statements_of_many - statements_of_few <= 6 * events


def test_a_look_with_nothing_to_do_costs_the_same_beside_a_long_past(lake: Lake, instance: DagsterInstance) -> None:
    job = definitions(TOY).resolve_job_def("toy")
    look = sensor.input_sensor([TOY], [job])
    costs = []
    for past in (0, 30):
        for number in range(past):
            lake.drop(f"past-{number}.csv", csv(f"01001;2020;{number}"))
        lake.build()
        storage = Counting(lake.storage)
        fake = types.SimpleNamespace(storage=storage, ledger=Ledger(storage), themes=THEMES)
        assert list(sensor._due_requests(instance, fake)) == []  # type: ignore[arg-type]
        with statements() as said:
            assert isinstance(sensor._intake_request(instance, fake), dg.SkipReason)  # type: ignore[arg-type]
            assert list(sensor._due_requests(instance, fake)) == []  # type: ignore[arg-type]
        costs.append((storage.calls, len(said)))
    assert costs[0] == costs[1]
    calls, asked = costs[0]
    assert calls["entries"] == 0
    assert sum(calls.values()) <= 10
    assert asked == 0, "Dagster is asked although nothing waits"
    assert look.minimum_interval_seconds == settings().sensor_seconds


def test_lineage_is_worked_out_once_and_not_on_the_way_to_gold(lake: Lake, instance: DagsterInstance) -> None:
    def lineage(result: dg.ExecuteInProcessResult) -> list[Any]:
        told = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
        return [
            each.metadata["dagster/column_lineage"].value for each in told if "dagster/column_lineage" in each.metadata
        ]

    first, _, _ = build(lake, instance, 2020)
    assert lineage(first) == []
    observed = {item.asset_key.path[-1]: item.metadata for item in missing_lineages(resource(lake), LOG)}
    assert set(observed) == {table.name for table in TOY.tables}
    second, _, _ = build(lake, instance, 2050)
    found = lineage(second)
    assert len(found) == len(TOY.tables)
    facts = dg.AssetKey(["toy", Layer.SILVER.value, "facts"])
    assert dg.TableColumnDep(facts, "nombre") in found[-1].deps_by_column["total"]
    assert list(missing_lineages(resource(lake), LOG)) == []
